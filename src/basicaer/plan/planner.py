"""Plans a segment: chooses passes over the state in each of which as many gates as possible run."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from basicaer.engine.bits import all_ones, bit_at, positions_of
from basicaer.engine.lru_cache import LruCache
from basicaer.engine.plan import Monomials, Pass, Plan
from basicaer.plan.actions import pieces_of, polled, structure
from basicaer.plan.bundles import Bundles
from basicaer.plan.local_wires import choose_wires, count_needs, runnable_gates
from basicaer.plan.steps import FusionRule, steps_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from basicaer.engine.plan import Costs, Step
    from basicaer.engine.program import Segment
    from basicaer.plan.actions import GateAction, Structure
    from basicaer.plan.steps import Steps

__all__ = ["plan_segment"]

_WINDOW = 2048  # a pass chooses among this many bundles

# The most promising rule first. Further ones are tried as long as this takes a small part of the time that the pass
# will take, and that a plan may take at all.
_FUSION_RULES = tuple(FusionRule(widest, per_wire) for per_wire in (True, False) for widest in (4, 5, 3, 6))
_SECONDS_PER_GATE = 12e-6  # to try one rule (CPython 3.11, EPYC)
_PART_OF_RUN = 0.04
_MOST_SECONDS = 0.12

_plans: LruCache[Plan] = LruCache(most=128, most_in_all=200_000)  # gates


def plan_segment(
    segment: Segment,
    n_qubits: int,
    costs: Costs,
    *,
    discard_phases: bool = False,
    poll: Callable[[], None] = lambda: None,
) -> Plan:
    """Return the plan for a segment; it is made only if no segment of the same structure was planned lately.

    Parameters
    ----------
    costs
        What work costs on the device; see `Costs`.
    discard_phases
        Whether to leave out the gates that change only phases at the segment's end, as when only counts are wanted.
    poll
        Called before each pass and each step, and at least every tenth of a second between gates.
    """
    gates = structure(segment.gates, poll)
    return _plans.get_or_make(
        (n_qubits, costs, discard_phases, gates),
        len(segment.gates),
        lambda: _Planning(gates, n_qubits, costs, discard_phases=discard_phases, poll=poll).plan(),
    )


class _Planning:
    """One plan in the making. Its numbers of gates are leaders of bundles, which stand for all gates of these.

    Attributes
    ----------
    waiting
        The first bundles that have not run yet, as many as a pass chooses among.
    upcoming
        All bundles after these.
    previous
        The tile of the pass before, as a mask of wires; before the first pass, wires of which lines of memory are made.
    """

    def __init__(
        self, gates: Structure, n_qubits: int, costs: Costs, *, discard_phases: bool, poll: Callable[[], None]
    ) -> None:
        self.gates, self.origins, self.actions, self.wire_of = pieces_of(gates, n_qubits, poll)
        self.n_qubits = n_qubits
        self.costs = costs
        self.poll = poll
        wanted = _without_last_phases(self.actions, poll) if discard_phases else range(len(self.actions))
        self.bundles = Bundles(self.actions, wanted, n_qubits, poll)
        self.size = self.bundles.size
        self.upcoming = iter(self.bundles.leaders)
        self.waiting: list[int] = []
        self.previous = all_ones(min(costs.lowest_qubits, n_qubits))

    def plan(self) -> Plan:
        """Return the finished plan."""
        passes: list[Pass] = []
        while self.refilled():
            self.poll()
            tile, runs, examined = self.next_tile()
            chosen = self.best_steps(runs, tile)
            done = set(runs).difference(chosen.left)
            self.waiting[:examined] = [number for number in self.waiting[:examined] if number not in done]
            steps = chosen.steps
            # Diagonal gates can run in any pass. They run in this one if no other gates are left, or if they take up
            # most of the window.
            if not any(self.actions[number].pairs for number in self.waiting):
                steps += (Monomials(tuple(self.waiting)),) if self.waiting else ()
                self.waiting = []
            elif len(chosen.left) > _WINDOW // 2:
                steps += (Monomials(tuple(chosen.left)),)
                left = set(chosen.left)
                self.waiting = [number for number in self.waiting if number not in left]
            passes.append(Pass(tuple(positions_of(tile)), tuple([self.of_all_gates(step) for step in steps])))
            self.previous = tile
        return Plan(self.n_qubits, tuple(self.gates), self.origins, tuple(passes), tuple(self.wire_of))

    def refilled(self) -> list[int]:
        """Return the waiting bundles, after filling them up with upcoming ones."""
        self.waiting += islice(self.upcoming, _WINDOW - len(self.waiting))
        return self.waiting

    def of_all_gates(self, step: Step) -> Step:
        """Return a step with all gates of its bundles in place of their leaders."""
        return step._replace(gates=self.bundles.gates_of(step.gates))

    def next_tile(self) -> tuple[int, list[int], int]:
        """Return the tile of the next pass, the gates that can run in it, and how many were examined to find them."""
        size = min(self.costs.tile_qubits, self.n_qubits)
        if size == self.n_qubits:
            return all_ones(size), self.waiting[:], len(self.waiting)
        runnable, examined = runnable_gates(self.actions, self.waiting, self.n_qubits, size)
        need_counts = count_needs(runnable, self.size)
        wide = (
            0
            if need_counts
            else next((self.actions[number].pairs for number in self.waiting if self.actions[number].pairs), 0)
        )
        if wide:  # the first gate that pairs amplitudes is wider than a tile, so that the tile grows
            size = wide.bit_count()
            runnable, examined = runnable_gates(self.actions, self.waiting, self.n_qubits, size)
            need_counts = {wide: 1}
        # If no need fits that shares enough wires with the tile before, reading shorter rows is better than no tile.
        tile = choose_wires(need_counts, size, lambda tile: self.can_share_enough(tile, size), per_wire=False)
        tile = self.padded(tile or choose_wires(need_counts, size, per_wire=False), size)
        return tile, [number for number, need in runnable.items() if not need & ~tile], examined

    def can_share_enough(self, tile: int, size: int) -> bool:
        """Tell whether a tile, filled up to `size`, can keep enough wires of the tile before."""
        if not self.previous:
            return True
        return (tile & self.previous).bit_count() + size - tile.bit_count() >= self.costs.shared_qubits

    def padded(self, tile: int, size: int) -> int:
        """Fill a tile up: first with wires of the tile before, then with wires on which the next gates pair."""
        for wire in positions_of(self.previous):
            if (tile & self.previous).bit_count() >= min(self.costs.shared_qubits, size):
                break
            tile = _with_room(tile, wire, size)
        for number in self.waiting:
            for wire in (*self.actions[number].x, *self.actions[number].g):
                tile = _with_room(tile, wire, size)
            if tile.bit_count() == size:
                return tile
        for wire in range(self.n_qubits):
            tile = _with_room(tile, wire, size)
        return tile

    def best_steps(self, runs: list[int], tile: int) -> Steps:
        """Return the cheapest steps that any rule finds for a pass."""
        best: Steps | None = None
        gates = sum(map(self.size.__getitem__, runs))
        for tried, rule in enumerate(_FUSION_RULES):
            if best is not None:
                seconds = (tried + 1) * _SECONDS_PER_GATE
                if seconds * gates > _PART_OF_RUN * best.cost * 2.0**self.n_qubits:
                    break
                if seconds * len(self.actions) > _MOST_SECONDS:
                    break
            steps = steps_of(
                self.actions, runs, tile, self.n_qubits, self.costs, rule=rule, size=self.size, poll=self.poll
            )
            if best is None or steps.cost < best.cost:
                best = steps
        assert best is not None  # the first rule is always tried  # noqa: S101
        return best


def _with_room(tile: int, wire: int, size: int) -> int:
    return tile | bit_at(wire) if tile.bit_count() < size else tile


def _without_last_phases(actions: Sequence[GateAction], poll: Callable[[], None]) -> list[int]:
    """Return the numbers of all gates but the diagonal ones for which no later gate has to wait."""
    x = g = 0  # masks of the wires on which later gates act as functions of X, and in other ways
    kept = []
    for number in polled(reversed(range(len(actions))), poll):
        action = actions[number]
        if action.pairs or action.z_mask & (x | g):
            x, g = x | action.x_mask, g | action.g_mask
            kept.append(number)
    kept.reverse()
    return kept
