"""A cache that drops the values that were used least recently, bounded in their number and in their total size."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator

__all__ = ["LruCache"]

_T = TypeVar("_T")


class LruCache(Generic[_T]):
    """Keeps the values that were used last, by key. Thread-safe; the time of an access does not depend on their number.

    Parameters
    ----------
    most
        The largest number of values that are kept.
    most_in_all
        The largest sum of their sizes; a single value may be larger.
    """

    def __init__(self, most: int, most_in_all: int) -> None:
        self.most = most
        self.most_in_all = most_in_all
        self._lock = threading.Lock()
        self._values: OrderedDict[Hashable, tuple[_T, int]] = OrderedDict()  # the value that was used last comes last
        self._in_all = 0

    def __len__(self) -> int:
        return len(self._values)

    def __iter__(self) -> Iterator[_T]:
        """Yield the values; the one that was used last comes last."""
        return iter([value for value, _ in self._values.values()])

    def clear(self) -> None:
        """Drop all values."""
        with self._lock:
            self._values.clear()
            self._in_all = 0

    def get_or_make(self, key: Hashable, size: int, make: Callable[[], _T]) -> _T:
        """Return the value of a key. If there is none, `make` makes it, while other threads need not wait."""
        with self._lock:
            known = self._values.get(key)
            if known is not None:
                self._values.move_to_end(key)
                return known[0]
        made = make()
        with self._lock:
            _, before = self._values.pop(key, (None, 0))  # another thread may have made it meanwhile
            self._values[key] = made, size
            self._in_all += size - before
            while len(self._values) > 1 and (len(self._values) > self.most or self._in_all > self.most_in_all):
                _, (_, dropped) = self._values.popitem(last=False)
                self._in_all -= dropped
        return made
