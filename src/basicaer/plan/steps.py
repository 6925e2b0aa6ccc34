"""Divides the gates of a pass into steps: those that become one matrix, and those that run between the matrices."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from basicaer.engine.bits import positions_of
from basicaer.engine.plan import Monomials, Product
from basicaer.plan.actions import conflicts
from basicaer.plan.local_wires import choose_wires, count_needs, runnable_gates

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from basicaer.engine.plan import Costs, Step
    from basicaer.plan.actions import GateAction

__all__ = ["FusionRule", "Steps", "cost_of", "steps_of"]


class FusionRule(NamedTuple):
    """How to choose the matrices of a pass: each has at most `widest` qubits; for `per_wire` see `choose_wires`."""

    widest: int
    per_wire: bool


class Steps(NamedTuple):
    """The steps of a pass, the gates that are left to a later pass, and the predicted seconds per amplitude."""

    steps: tuple[Step, ...]
    left: list[int]
    cost: float


class _Barrier:
    """Gates that other gates may or may not be moved past: the wires on which they act, by the way in which they do."""

    __slots__ = ("g", "x", "z")

    def __init__(self) -> None:
        self.z = self.x = self.g = 0

    def add(self, action: GateAction) -> None:
        self.z |= action.z_mask
        self.x |= action.x_mask
        self.g |= action.g_mask

    def blocks(self, action: GateAction) -> bool:
        """Tell whether an action does not commute with these gates."""
        return conflicts(action, self.z, self.x, self.g)


def steps_of(
    actions: Sequence[GateAction],
    waiting: Sequence[int],
    tile: int,
    n_qubits: int,
    costs: Costs,
    *,
    rule: FusionRule,
    size: Sequence[int],
    poll: Callable[[], None] = lambda: None,
) -> Steps:
    """Return the steps that carry out the gates `waiting` in a pass on `tile`, polling before each.

    Diagonal gates for which no other gate of the pass waits are left: inside a later matrix they cost nothing.

    Parameters
    ----------
    size
        ``size[number]`` is the number of gates that the gate of this number stands for.
    """
    widest = min(rule.widest, costs.widest_product, n_qubits)
    steps: list[Step] = []
    waiting = list(waiting)
    while True:
        poll()
        runnable, examined = runnable_gates(actions, waiting, n_qubits, widest, tile)
        need_counts = count_needs(runnable, size)
        if not need_counts:
            # Either all gates left need no wire, or one is wider than the matrices that are chosen.
            wide = next(
                (actions[number].pairs for number in waiting if actions[number].pairs and number not in runnable), 0
            )
            if not wide:
                break
            runnable, examined = runnable_gates(actions, waiting, n_qubits, wide.bit_count(), tile)
            need_counts = {wide: 1}
        local = choose_wires(need_counts, max(widest, *map(int.bit_count, need_counts)), per_wire=rule.per_wire)
        before, inside, selectors = _around_matrix(actions, runnable, local, costs.selectors)
        if before:
            steps.append(Monomials(tuple(before)))
        touched = 0
        for number in inside:
            touched |= actions[number].wires_mask
        wires = tuple(positions_of(touched & local))
        steps.append(Product(tuple(inside), wires, tuple(positions_of(selectors))))
        done = {*before, *inside}
        waiting[:examined] = [number for number in waiting[:examined] if number not in done]
    permutations = _Barrier()  # all gates left are diagonal, or permutations inside the tile
    now: list[int] = []
    for number in reversed(waiting):
        action = actions[number]
        if action.pairs or permutations.blocks(action):
            permutations.add(action)
            now.append(number)
    if now:
        steps.append(Monomials(tuple(now)))
        done = set(now)
        waiting = [number for number in waiting if number not in done]
    return Steps(tuple(steps), waiting, cost_of(steps, actions, costs))


def cost_of(steps: Iterable[Step], actions: Sequence[GateAction], costs: Costs) -> float:
    """Return the predicted seconds per amplitude of the steps of one pass, on one core."""
    total = 0.0
    for step in steps:
        match step:
            case Product(_, wires, _):
                total += costs.of_product(len(wires)) + costs.rearrange
            case Monomials(gates):
                total += (
                    costs.multiply if any(not actions[number].permutes for number in gates) else costs.rearrange / 2
                )
    return total


def _around_matrix(
    actions: Sequence[GateAction], runnable: Mapping[int, int], local: int, most_selectors: int
) -> tuple[list[int], list[int], int]:
    """Return the gates that run before a matrix on `local`, those that are part of it, and the mask of its selectors.

    A gate that needs no wire becomes part of the matrix if it fits into it. If it does not, it runs before the matrix
    if other gates wait for it, and stays for a later step if none does.
    """
    elsewhere = ~local
    candidates = {number: need for number, need in runnable.items() if not need & elsewhere}
    # From the last to the first gate: those must run for which a gate that needs the matrix waits.
    demand, before = _Barrier(), _Barrier()
    must_run: dict[int, bool] = {}  # must_run[number] is whether the gate must run before the matrix
    for number, need in reversed(candidates.items()):
        action = actions[number]
        fits = not action.wires_mask & elsewhere
        if need and action.pairs:
            demand.add(action)
            must_run[number] = False
        elif demand.blocks(action):
            demand.add(action)
            early = not need and (not fits or before.blocks(action))
            if early:
                before.add(action)
            must_run[number] = early
    # From the first to the last gate: the matrix takes those that fit, as long as it has few selectors.
    skipped = _Barrier()
    first: list[int] = []
    inside: list[int] = []
    selectors = 0
    for number in candidates:
        action = actions[number]
        outside = action.wires_mask & elsewhere
        if must_run.get(number):
            first.append(number)
        elif (
            (outside and number not in must_run)
            or skipped.blocks(action)
            or (inside and (selectors | outside).bit_count() > most_selectors)
        ):
            skipped.add(action)
        else:
            selectors |= outside
            inside.append(number)
    return first, inside, selectors
