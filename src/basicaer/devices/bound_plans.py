"""The plans that were bound to numbers last: loop bodies and branches run the same ones many times."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from basicaer.engine.plan import Plan
    from basicaer.engine.program import Segment

__all__ = ["BoundPlans"]

_Bound = TypeVar("_Bound")


class BoundPlans(Generic[_Bound]):
    """Keeps a few bound plans, by plan, segment and whatever else they were bound to. Safe for threads."""

    def __init__(self, kept: int = 8) -> None:
        self._most = kept
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, tuple[_Bound, Plan | None, Segment]] = OrderedDict()

    def bound(
        self, plan: Plan | None, segment: Segment, to: tuple[Hashable, ...], bind: Callable[[], _Bound]
    ) -> _Bound:
        """Return a bound plan, made by `bind` only if it is not among those kept."""
        key = (id(plan), id(segment), to)  # ids of objects that are kept with it, so no others' ids
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key][0]
        made = bind()
        with self._lock:
            self._kept[key] = made, plan, segment
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return made
