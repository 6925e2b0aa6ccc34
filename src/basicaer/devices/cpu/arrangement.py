"""Chooses the order of a tile's bits, so that one reordering serves as many matrix products as possible.

An order lists the wires that the bits of a tile's index stand for, lowest first. A product acts on a *group* of wires
that must stand side by side, and may leave its group in any order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    Needed = tuple[Collection[int], Collection[int]]  # the group of a product, and its selectors within the tile

__all__ = ["arranged", "facing", "is_ready"]

_ROW_BITS = 5  # bits beside a group; with shorter rows or fewer columns a matrix product is slow
_BEST_ROW_BITS = 6  # with longer rows, the rows of a product are so far apart that they evict each other from caches
_KEPT_BITS = 2  # lowest bits that are moved as rarely as possible, since they move several numbers at a time


def is_ready(order: Sequence[int], group: Collection[int], selectors: Collection[int]) -> bool:
    """Tell whether a product can run in this order.

    The bits of its group must be adjacent and below its selectors. They need either long rows below them or, if the
    group is at the low end, many columns above it.
    """
    positions = sorted(map(order.index, group))
    lowest, highest = positions[0], positions[-1]
    above = min(map(order.index, selectors), default=len(order)) - highest - 1
    many = min(_ROW_BITS, len(order) - len(positions) - len(selectors))
    side_by_side = highest - lowest == len(positions) - 1
    return side_by_side and (above >= many if lowest == 0 else above >= 0 and lowest >= many)


def arranged(order: Sequence[int], products: Sequence[Needed]) -> list[int]:
    """Return an order in which the first product is ready, and each after it as long as possible.

    Parameters
    ----------
    products
        The next products that should run without a further reordering, at least one.
    """
    laid: list[int] | None = None
    for count in range(2, len(products) + 1):
        longer = _laid_down(order, products[:count])
        if longer is None:
            break
        laid = longer
    if laid is None:
        return _at_the_low_end(order, *products[0])
    left = [bit for bit in order if bit not in laid]
    if any(bit in laid[: len(order) - _KEPT_BITS] for bit in order[:_KEPT_BITS]):
        # The lowest bits have to move anyway, so the bits that are needed last become the lowest.
        next_use = {bit: number for number, (group, _) in reversed(list(enumerate(products))) for bit in group}
        left.sort(key=lambda bit: -next_use.get(bit, len(products)))
    return [*left[:_BEST_ROW_BITS], *reversed(laid), *left[_BEST_ROW_BITS:]]


def _at_the_low_end(order: Sequence[int], group: Collection[int], selectors: Collection[int]) -> list[int]:
    """Return the order with a group moved to its low end; within the group and outside of it the order is kept."""
    others = [bit for bit in order if bit not in group]
    if any(bit in selectors for bit in others[:_ROW_BITS]):
        others.sort(key=selectors.__contains__)
    return [*(bit for bit in order if bit in group), *others]


def _laid_down(order: Sequence[int], products: Sequence[Needed]) -> list[int] | None:
    """Return the bits that products need in certain places, highest first; None if one order cannot serve them all.

    The selectors are the highest bits, and the groups follow from the top down. A group may share bits only with the
    group before it, whose product turns the shared bits to its lower end as it runs (see `facing`); the group's other
    bits come below. The lowest bits are moved only for the first product: as long as they stay, several numbers are
    moved at a time, which takes a third of the time.
    """
    first_group = products[0][0]
    laid = list(dict.fromkeys(bit for _, selectors in products for bit in selectors if bit not in first_group))
    before: Collection[int] = ()
    for number, (group, _) in enumerate(products):
        new = [bit for bit in reversed(order) if bit in group and bit not in laid]
        if any(bit in laid and bit not in before for bit in group):
            return None
        laid += new
        below = len(order) - len(laid)  # the number of bits that have no place yet
        moves_lowest = number and any(bit in order[:_KEPT_BITS] for bit in new)
        if below and (below < _ROW_BITS or moves_lowest):
            return None
        before = group
    return laid


def facing(order: Sequence[int], group: Collection[int], following: Needed | None) -> list[int]:
    """Return the order after a product, which may turn the bits of its group.

    The bits that the following product uses too are turned to the side that makes that product ready. If neither side
    does and the group is at the low end, they are turned to the lowest places, where they can stay while the following
    product's other bits are moved down to them.
    """
    after = list(order)
    if following is None:
        return after
    lowest = min(map(order.index, group))
    end = lowest + len(group)
    both = [bit for bit in order[lowest:end] if bit in following[0]]
    rest = [bit for bit in order[lowest:end] if bit not in following[0]]
    for turned in (rest + both, both + rest):
        after[lowest:end] = turned
        if is_ready(after, *following):
            return after
    if lowest:
        after[lowest:end] = order[lowest:end]
    return after
