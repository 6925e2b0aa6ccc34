"""What was made last and may be wanted again: so many things, and so much of them in all."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator

__all__ = ["LruCache"]

_T = TypeVar("_T")


class LruCache(Generic[_T]):
    """Keeps the things that were used last, by key. Safe for threads; an access costs the same however many are kept.

    Parameters
    ----------
    most
        How many things are kept.
    most_in_all
        The sum of their sizes, at most; a single thing may be larger.
    """

    def __init__(self, most: int, most_in_all: int) -> None:
        self.most = most
        self.most_in_all = most_in_all
        self._lock = threading.Lock()
        self._things: OrderedDict[Hashable, tuple[_T, int]] = OrderedDict()  # the one used last stands last
        self._in_all = 0

    def __len__(self) -> int:
        return len(self._things)

    def __iter__(self) -> Iterator[_T]:
        """Yield the things, the one used last at the end."""
        return iter([thing for thing, _ in self._things.values()])

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._things.clear()
            self._in_all = 0

    def get_or_make(self, key: Hashable, size: int, make: Callable[[], _T]) -> _T:
        """Return what is kept under a key, made first if nothing is; others need not wait while it is made."""
        with self._lock:
            known = self._things.get(key)
            if known is not None:
                self._things.move_to_end(key)
                return known[0]
        made = make()
        with self._lock:
            _, before = self._things.pop(key, (None, 0))  # another thread may have made it meanwhile
            self._things[key] = made, size
            self._in_all += size - before
            while len(self._things) > 1 and (len(self._things) > self.most or self._in_all > self.most_in_all):
                _, (_, dropped) = self._things.popitem(last=False)
                self._in_all -= dropped
        return made
