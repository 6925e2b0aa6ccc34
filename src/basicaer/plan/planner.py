"""Segment -> plan: the passes over the state, each chosen so that as many gates as possible run in it."""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict
from typing import TYPE_CHECKING

from basicaer.engine.bits import mask_of, positions_of
from basicaer.engine.plan import Monomials, Pass, Plan
from basicaer.plan.closure import grow, needs
from basicaer.plan.items import items_of, structure
from basicaer.plan.steps import Way, steps_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from basicaer.engine.plan import Costs
    from basicaer.engine.program import Segment
    from basicaer.plan.items import Item
    from basicaer.plan.steps import Steps

__all__ = ["plan_segment"]

_PLANS_KEPT = 128
_GATES_KEPT = 200_000  # of all plans that are kept, together

# The ways to choose the matrices of a pass, the most promising first; further ones are tried as long as that takes a
# small part of what the pass will take, and of what a plan may take at all.
_WAYS = tuple(Way(widest, per_wire) for per_wire in (True, False) for widest in (4, 5, 3, 6))
_SECONDS_PER_GATE = 12e-6  # of trying one way (CPython 3.11, EPYC)
_PART_OF_RUN = 0.04
_MOST_SECONDS = 0.12

_plans: OrderedDict[object, Plan] = OrderedDict()  # the one used last stands last
_lock = threading.Lock()


def plan_segment(
    segment: Segment,
    n_qubits: int,
    costs: Costs,
    *,
    discard_phases: bool = False,
    poll: Callable[[], None] = lambda: None,
) -> Plan:
    """Return the plan for a segment, made anew only where no segment of the same structure has been planned lately.

    Parameters
    ----------
    costs
        What work costs on the device; see `Costs`.
    discard_phases
        Whether to leave out what changes only phases at the segment's end, as when nothing but counts is wanted.
    poll
        Called before each pass.
    """
    key = (n_qubits, costs, discard_phases, structure(segment.gates))
    with _lock:
        known = _plans.get(key)
        if known is not None:
            _plans.move_to_end(key)
            return known
    plan = _Planning(segment, n_qubits, costs, discard_phases=discard_phases).plan(poll)
    with _lock:
        _plans[key] = plan
        while len(_plans) > 1 and (
            len(_plans) > _PLANS_KEPT or sum(len(kept.gates) for kept in _plans.values()) > _GATES_KEPT
        ):
            _plans.popitem(last=False)
    return plan


class _Planning:
    """One plan in the making."""

    def __init__(self, segment: Segment, n_qubits: int, costs: Costs, *, discard_phases: bool) -> None:
        self.gates, self.items, self.wire_of = items_of(segment.gates, n_qubits)
        self.n_qubits = n_qubits
        self.costs = costs
        numbers = range(len(self.items))
        self.todo = _without_last_phases(self.items, numbers) if discard_phases else list(numbers)
        self.previous: int | None = None  # the tile of the pass before

    def plan(self, poll: Callable[[], None]) -> Plan:
        passes: list[Pass] = []
        while self.todo:
            poll()
            tile, runs = self.next_tile()
            chosen = self.best_steps(runs, tile)
            steps, later = chosen.steps, set(self.todo).difference(runs)
            if any(self.items[number].pairs for number in later):
                later.update(chosen.left)
            else:  # only diagonal gates are left, which can run here as well as anywhere
                rest = sorted(later.union(chosen.left))
                steps += (Monomials(tuple(rest)),) if rest else ()
                later = set()
            passes.append(Pass(tuple(positions_of(tile)), steps))
            self.todo = [number for number in self.todo if number in later]
            self.previous = tile
        return Plan(self.n_qubits, tuple(self.gates), tuple(passes), tuple(self.wire_of))

    def next_tile(self) -> tuple[int, list[int]]:
        """Return the tile of the next pass, and the gates that can run in it."""
        size = min(self.costs.tile_qubits, self.n_qubits)
        found = needs(self.items, self.todo, self.n_qubits, size)
        weight = Counter(need for _, need in found if need)
        wide = next((self.items[number].pairs for number in self.todo if self.items[number].pairs), 0)
        if wide and not weight:  # the first gate that pairs amplitudes is wider than a tile, which grows for it
            size = wide.bit_count()
            found = needs(self.items, self.todo, self.n_qubits, size)
            weight = Counter([wide])
        # Where nothing fits that keeps to the layout, slower rows are better than none.
        tile = grow(weight, size, lambda tile: self.can_share_enough(tile, size), per_wire=False)
        tile = self.padded(tile or grow(weight, size, per_wire=False), size)
        return tile, [number for number, need in found if not need & ~tile]

    def can_share_enough(self, tile: int, size: int) -> bool:
        """Tell whether a tile, filled up to `size`, can keep enough wires of the tile before."""
        if self.previous is None:
            return True
        return (tile & self.previous).bit_count() + size - tile.bit_count() >= self.costs.shared_qubits

    def padded(self, tile: int, size: int) -> int:
        """Fill a tile: first with what it should share with the one before, then with what the next gates pair."""
        previous = self.previous or 0
        for wire in positions_of(previous):
            if (tile & previous).bit_count() >= min(self.costs.shared_qubits, size):
                break
            tile = _with_room(tile, wire, size)
        for number in self.todo:
            for wire in (*self.items[number].x, *self.items[number].g):
                tile = _with_room(tile, wire, size)
            if tile.bit_count() == size:
                return tile
        for wire in range(self.n_qubits):
            tile = _with_room(tile, wire, size)
        return tile

    def best_steps(self, runs: list[int], tile: int) -> Steps:
        """Return the cheapest of the ways to cut a pass into steps."""
        best: Steps | None = None
        for tried, way in enumerate(_WAYS):
            if best is not None:
                seconds = (tried + 1) * _SECONDS_PER_GATE
                if seconds * len(runs) > _PART_OF_RUN * best.cost * 2.0**self.n_qubits:
                    break
                if seconds * len(self.items) > _MOST_SECONDS:
                    break
            steps = steps_of(self.items, runs, tile, self.n_qubits, self.costs, way=way)
            if best is None or steps.cost < best.cost:
                best = steps
        assert best is not None  # the first way is always tried  # noqa: S101
        return best


def _with_room(tile: int, wire: int, size: int) -> int:
    return tile | mask_of((wire,)) if tile.bit_count() < size else tile


def _without_last_phases(items: Sequence[Item], todo: Iterable[int]) -> list[int]:
    """Leave out the diagonal gates that no later gate has to wait for."""
    x = g = 0  # wires on which later gates act otherwise than diagonally
    kept = []
    for number in reversed(list(todo)):
        item = items[number]
        if item.pairs or item.z_mask & (x | g):
            x, g = x | item.x_mask, g | item.g_mask
            kept.append(number)
    kept.reverse()
    return kept
