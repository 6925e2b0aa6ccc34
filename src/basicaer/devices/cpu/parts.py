"""Parts of a state in an array, which ranks exchange."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from basicaer.engine.bits import has_bit, highest_position

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["part_of"]


def part_of(vector: NDArray[Any], places: Sequence[int], value: int, part: int, size: int) -> NDArray[Any]:
    """Return a view of a part of the amplitudes whose index bits have some values, in the order of memory.

    Parameters
    ----------
    places
        Bit j of `value` is that of index bit ``places[j]``.
    part, size
        The number of the part, and how many amplitudes a part has: a power of two.
    """
    bits = highest_position(len(vector))
    held = {place: has_bit(value, j) for j, place in enumerate(places)}
    free = [place for place in range(bits) if place not in held]
    # The highest of the other index bits number the parts.
    held |= {place: has_bit(part, j) for j, place in enumerate(free[highest_position(size) :])}
    shape: list[int] = []
    index: list[Any] = []
    end = bits
    for place in sorted(held, reverse=True):
        shape += [2 ** (end - place - 1), 2]
        index += [slice(None), int(held[place])]
        end = place
    return vector.reshape(*shape, 2**end)[*index, slice(None)]
