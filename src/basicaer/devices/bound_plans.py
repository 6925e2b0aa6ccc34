"""Keeps the plans that were bound to numbers most recently, because loop bodies and branches run many times."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from basicaer.engine.collector import collector_paused
from basicaer.engine.lru_cache import LruCache

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from basicaer.engine.plan import Plan
    from basicaer.engine.program import Segment

__all__ = ["BoundPlans"]

_Bound = TypeVar("_Bound")

_GATES_KEPT = 100_000  # gates in all plans that are kept; each gate takes some hundreds of bytes


class BoundPlans(Generic[_Bound]):
    """Keeps a few bound plans, by plan, segment and whatever else they were bound to. Thread-safe."""

    def __init__(self, kept: int = 8) -> None:
        self._kept: LruCache[tuple[_Bound, Plan | None, Segment]] = LruCache(kept, _GATES_KEPT)

    def bound(
        self, plan: Plan | None, segment: Segment, to: tuple[Hashable, ...], bind: Callable[[], _Bound]
    ) -> _Bound:
        """Return a bound plan; `bind` makes it if it is not among those that are kept."""
        key = (id(plan), id(segment), to)  # the objects are kept with it, so no other object can get their ids
        with collector_paused(len(segment.gates)):
            return self._kept.get_or_make(key, len(segment.gates), lambda: (bind(), plan, segment))[0]
