"""A pass's gates -> its steps: which gates become one matrix, and what runs between the matrices."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from basicaer.engine.bits import positions_of
from basicaer.engine.plan import Monomials, Product
from basicaer.plan.closure import grow, needs, weights_of
from basicaer.plan.items import conflicts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from basicaer.engine.plan import Costs, Step
    from basicaer.plan.items import Item

__all__ = ["Steps", "Way", "cost_of", "steps_of"]


class Way(NamedTuple):
    """How to choose the matrices of a pass: of at most `widest` qubits, and see `grow`."""

    widest: int
    per_wire: bool


class Steps(NamedTuple):
    """The steps of a pass, the gates that are better left to a later one, and the predicted seconds per amplitude."""

    steps: tuple[Step, ...]
    left: list[int]
    cost: float


class _Seen:
    """The wires that some gates act on, by the way in which they do."""

    __slots__ = ("g", "x", "z")

    def __init__(self) -> None:
        self.z = self.x = self.g = 0

    def add(self, item: Item) -> None:
        self.z |= item.z_mask
        self.x |= item.x_mask
        self.g |= item.g_mask

    def in_the_way_of(self, item: Item) -> bool:
        return conflicts(item, self.z, self.x, self.g)


def steps_of(
    items: Sequence[Item],
    todo: Sequence[int],
    tile: int,
    n_qubits: int,
    costs: Costs,
    *,
    way: Way,
    size: Sequence[int],
    poll: Callable[[], None] = lambda: None,
) -> Steps:
    """Return the steps that carry out the gates `todo` of a pass on `tile`, polling before each.

    Diagonal gates that nothing else in the pass waits for are left: inside a later matrix they cost nothing.

    Parameters
    ----------
    size
        ``size[i]`` is for how many gates the item i stands.
    """
    widest = min(way.widest, costs.widest_product, n_qubits)
    steps: list[Step] = []
    todo = list(todo)
    while True:
        poll()
        found, looked = needs(items, todo, n_qubits, widest, tile)
        weight = weights_of(found, size)
        if not weight:
            # Either only gates that need nothing are left, or one is wider than any matrix is made by choice.
            can_run = {number for number, _ in found}
            wide = next((items[number].pairs for number in todo if items[number].pairs and number not in can_run), 0)
            if not wide:
                break
            found, looked = needs(items, todo, n_qubits, wide.bit_count(), tile)
            weight = {wide: 1}
        local = grow(weight, max(widest, *map(int.bit_count, weight)), per_wire=way.per_wire)
        before, inside, selectors = _divided(items, found, local, costs.selectors)
        if before:
            steps.append(Monomials(tuple(before)))
        touched = 0
        for number in inside:
            touched |= items[number].wires
        wires = tuple(positions_of(touched & local))
        steps.append(Product(tuple(inside), wires, tuple(positions_of(selectors))))
        done = {*before, *inside}
        todo[:looked] = [number for number in todo[:looked] if number not in done]
    permutations = _Seen()  # what is left: diagonal gates, and permutations inside the tile
    now: list[int] = []
    for number in reversed(todo):
        item = items[number]
        if item.pairs or permutations.in_the_way_of(item):
            permutations.add(item)
            now.append(number)
    if now:
        steps.append(Monomials(tuple(now)))
        done = set(now)
        todo = [number for number in todo if number not in done]
    return Steps(tuple(steps), todo, cost_of(steps, items, costs))


def cost_of(steps: Iterable[Step], items: Sequence[Item], costs: Costs) -> float:
    """Return the predicted seconds per amplitude of the steps of one pass, on one core."""
    total = 0.0
    for step in steps:
        match step:
            case Product(_, wires, _):
                total += costs.of_product(len(wires)) + costs.rearrange
            case Monomials(gates):
                total += costs.multiply if any(not items[number].permutes for number in gates) else costs.rearrange / 2
    return total


def _divided(
    items: Sequence[Item], found: Sequence[tuple[int, int]], local: int, most_selectors: int
) -> tuple[list[int], list[int], int]:
    """Return which gates run before a matrix on `local`, which are part of it, and the mask of its selectors.

    Gates that need nothing run before it where they do not fit into it; they run at all only where others wait for
    them, or where they fit into it.
    """
    candidates = [(number, need) for number, need in found if not need & ~local]
    # From the last to the first: what must run, since what needs the matrix waits for it.
    demand, before = _Seen(), _Seen()
    wanted: dict[int, bool] = {}  # wanted[number] = whether it must run before the matrix
    for number, need in reversed(candidates):
        item = items[number]
        fits = not item.wires & ~local
        if need and item.pairs:
            demand.add(item)
            wanted[number] = False
        elif demand.in_the_way_of(item):
            demand.add(item)
            early = not need and (not fits or before.in_the_way_of(item))
            if early:
                before.add(item)
            wanted[number] = early
    # From the first to the last: the matrix takes what fits, as long as it has few selectors.
    skipped = _Seen()
    first: list[int] = []
    inside: list[int] = []
    selectors = 0
    for number, _ in candidates:
        item = items[number]
        outside = item.wires & ~local
        if wanted.get(number):
            first.append(number)
        elif (
            (outside and number not in wanted)
            or skipped.in_the_way_of(item)
            or (inside and (selectors | outside).bit_count() > most_selectors)
        ):
            skipped.add(item)
        else:
            selectors |= outside
            inside.append(number)
    return first, inside, selectors
