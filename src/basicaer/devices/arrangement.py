"""Orders of a tile's bits: which to choose, so that one reordering serves as many matrix products as possible.

An order lists what the bits of a tile's index stand for, lowest first: wires, and `COMPONENT` where the tile holds real
and imaginary parts apart. A product acts on a *group* of bits that must stand side by side, and may leave its group in
any order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

__all__ = ["COMPONENT", "arranged", "facing", "is_ready"]

COMPONENT = -1
"""The bit that says whether a number is a real part (0) or an imaginary part (1)."""

_ROW_BITS = 5  # below a group, unless it is at the very end: with shorter rows the matrix product loses its speed
_KEPT_BITS = 2


def is_ready(order: Sequence[int], group: Collection[int], selectors: Collection[int]) -> bool:
    """Tell whether a product can run in this order: its group side by side, below its selectors, on long rows."""
    positions = sorted(map(order.index, group))
    lowest, highest = positions[0], positions[-1]
    side_by_side = highest - lowest == len(positions) - 1
    long_rows = lowest == 0 or lowest >= min(_ROW_BITS, len(order) - len(positions))
    return side_by_side and long_rows and all(order.index(wire) > highest for wire in selectors)


def arranged(order: Sequence[int], products: Sequence[tuple[Collection[int], Collection[int]]]) -> list[int]:
    """Return an order in which the first product is ready, and each after it as long as possible.

    Parameters
    ----------
    products
        The group and the selectors of each product to come.
    """
    laid = _laid_down(order, products[:1], least=True)
    for count in range(2, len(products) + 1):
        longer = _laid_down(order, products[:count])
        if longer is None:
            break
        laid = longer
    assert laid is not None  # for one product there is always an order  # noqa: S101
    left = [bit for bit in order if bit not in laid]
    if any(bit in laid[: len(order) - _KEPT_BITS] for bit in order[:_KEPT_BITS]):
        # The lowest bits move, so let those be the lowest that are needed last.
        next_use = {bit: number for number, (group, _) in reversed(list(enumerate(products))) for bit in group}
        left.sort(key=lambda bit: -next_use.get(bit, len(products)))
    return [*left, *reversed(laid)]


def _laid_down(
    order: Sequence[int], products: Sequence[tuple[Collection[int], Collection[int]]], *, least: bool = False
) -> list[int] | None:
    """Return the bits that products need in certain places, highest first; None if one order cannot serve them all.

    Selectors stand on top, then the groups from the top down. Each group may share bits only with the one before it,
    which turns these to its lower end as it runs (see `facing`); the group's other bits come below. The lowest bits
    are moved only for a first product: while they stay, numbers move several at a time, which takes a third of the
    time.

    Parameters
    ----------
    least
        Whether this is the least that must be done, whatever it costs.
    """
    first_group = products[0][0]
    laid = list(dict.fromkeys(bit for _, selectors in products for bit in selectors if bit not in first_group))
    before: Collection[int] = ()
    for number, (group, _) in enumerate(products):
        new = [bit for bit in reversed(order) if bit in group and bit not in laid]
        if any(bit in laid and bit not in before for bit in group):
            return None
        laid += new
        below = len(order) - len(laid)  # how many bits are left
        moves_lowest = number and any(bit in order[:_KEPT_BITS] for bit in new)
        if not least and below and (below < _ROW_BITS or moves_lowest):
            return None
        before = group
    return laid


def facing(order: Sequence[int], group: Collection[int], following: Collection[int] | None) -> list[int]:
    """Return the order after a product: what the following one uses too is turned to where its other bits are."""
    after = list(order)
    if following is None:
        return after
    lowest = min(map(order.index, group))
    end = lowest + len(group)
    both = [bit for bit in order[lowest:end] if bit in following]
    rest = [bit for bit in order[lowest:end] if bit not in following]
    others = {bit for bit in following if bit not in group}
    if others == set(order[lowest - len(others) : lowest] if len(others) <= lowest else ()):
        after[lowest:end] = both + rest
    elif others == set(order[end : end + len(others)]):
        after[lowest:end] = rest + both
    return after
