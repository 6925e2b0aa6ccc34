"""Segment -> plan: the passes over the state, each chosen so that as many gates as possible run in it."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from basicaer.engine.bits import all_ones, mask_of, positions_of
from basicaer.engine.kept import Kept
from basicaer.engine.plan import Monomials, Pass, Plan
from basicaer.plan.bundles import Bundles
from basicaer.plan.closure import grow, needs, weights_of
from basicaer.plan.items import pieces_of, polled, structure
from basicaer.plan.steps import Way, steps_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from basicaer.engine.plan import Costs, Step
    from basicaer.engine.program import Segment
    from basicaer.plan.items import Item, Structure
    from basicaer.plan.steps import Steps

__all__ = ["plan_segment"]

_WINDOW = 2048  # bundles that the passes choose among

# The ways to choose the matrices of a pass, the most promising first; further ones are tried as long as that takes a
# small part of what the pass will take, and of what a plan may take at all.
_WAYS = tuple(Way(widest, per_wire) for per_wire in (True, False) for widest in (4, 5, 3, 6))
_SECONDS_PER_GATE = 12e-6  # of trying one way (CPython 3.11, EPYC)
_PART_OF_RUN = 0.04
_MOST_SECONDS = 0.12

_plans: Kept[Plan] = Kept(most=128, most_in_all=200_000)  # gates


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
        Called before each pass and each step, and between so many gates that less than a tenth of a second passes.
    """
    gates = structure(segment.gates, poll)
    return _plans.known_or_made(
        (n_qubits, costs, discard_phases, gates),
        len(segment.gates),
        lambda: _Planning(gates, n_qubits, costs, discard_phases=discard_phases, poll=poll).plan(),
    )


class _Planning:
    """One plan in the making; gates go by bundles until the passes are written down."""

    def __init__(
        self, gates: Structure, n_qubits: int, costs: Costs, *, discard_phases: bool, poll: Callable[[], None]
    ) -> None:
        self.gates, self.origins, self.items, self.wire_of = pieces_of(gates, n_qubits, poll)
        self.n_qubits = n_qubits
        self.costs = costs
        self.poll = poll
        numbers = range(len(self.items))
        self.bundles = Bundles(
            self.items, _without_last_phases(self.items, poll) if discard_phases else numbers, n_qubits, poll
        )
        self.size = self.bundles.size
        self.upcoming = iter(self.bundles.first)
        self.todo: list[int] = []  # the first of those that have not run yet; all passes choose among so many
        self.previous: int | None = None  # the tile of the pass before

    def plan(self) -> Plan:
        passes: list[Pass] = []
        while self.refilled():
            self.poll()
            tile, runs, looked = self.next_tile()
            chosen = self.best_steps(runs, tile)
            done = set(runs).difference(chosen.left)
            self.todo[:looked] = [number for number in self.todo[:looked] if number not in done]
            steps = chosen.steps
            # Diagonal gates can run here as well as anywhere if nothing else is left, or if they take up all the room.
            if not any(self.items[number].pairs for number in self.todo):
                steps += (Monomials(tuple(self.todo)),) if self.todo else ()
                self.todo = []
            elif len(chosen.left) > _WINDOW // 2:
                steps += (Monomials(tuple(chosen.left)),)
                left = set(chosen.left)
                self.todo = [number for number in self.todo if number not in left]
            passes.append(Pass(tuple(positions_of(tile)), tuple([self.of_all_gates(step) for step in steps])))
            self.previous = tile
        return Plan(self.n_qubits, tuple(self.gates), self.origins, tuple(passes), tuple(self.wire_of))

    def refilled(self) -> list[int]:
        """Return what is to be done next, with as much upcoming as there is room for."""
        self.todo += islice(self.upcoming, _WINDOW - len(self.todo))
        return self.todo

    def of_all_gates(self, step: Step) -> Step:
        """Return a step with all gates of its bundles."""
        return step._replace(gates=self.bundles.gates_of(step.gates))

    def next_tile(self) -> tuple[int, list[int], int]:
        """Return the tile of the next pass, the gates that can run in it, and among how many these were looked for."""
        size = min(self.costs.tile_qubits, self.n_qubits)
        if size == self.n_qubits:
            return all_ones(size), self.todo[:], len(self.todo)
        found, looked = needs(self.items, self.todo, self.n_qubits, size)
        weight = weights_of(found, self.size)
        wide = 0 if weight else next((self.items[number].pairs for number in self.todo if self.items[number].pairs), 0)
        if wide:  # the first gate that pairs amplitudes is wider than a tile, which grows for it
            size = wide.bit_count()
            found, looked = needs(self.items, self.todo, self.n_qubits, size)
            weight = {wide: 1}
        # Where nothing fits that keeps to the layout, slower rows are better than none.
        tile = grow(weight, size, lambda tile: self.can_share_enough(tile, size), per_wire=False)
        tile = self.padded(tile or grow(weight, size, per_wire=False), size)
        return tile, [number for number, need in found if not need & ~tile], looked

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
        gates = sum(map(self.size.__getitem__, runs))
        for tried, way in enumerate(_WAYS):
            if best is not None:
                seconds = (tried + 1) * _SECONDS_PER_GATE
                if seconds * gates > _PART_OF_RUN * best.cost * 2.0**self.n_qubits:
                    break
                if seconds * len(self.items) > _MOST_SECONDS:
                    break
            steps = steps_of(self.items, runs, tile, self.n_qubits, self.costs, way=way, size=self.size, poll=self.poll)
            if best is None or steps.cost < best.cost:
                best = steps
        assert best is not None  # the first way is always tried  # noqa: S101
        return best


def _with_room(tile: int, wire: int, size: int) -> int:
    return tile | mask_of((wire,)) if tile.bit_count() < size else tile


def _without_last_phases(items: Sequence[Item], poll: Callable[[], None]) -> list[int]:
    """Leave out the diagonal gates that no later gate has to wait for."""
    x = g = 0  # wires on which later gates act otherwise than diagonally
    kept = []
    for number in polled(reversed(range(len(items))), poll):
        item = items[number]
        if item.pairs or item.z_mask & (x | g):
            x, g = x | item.x_mask, g | item.g_mask
            kept.append(number)
    kept.reverse()
    return kept
