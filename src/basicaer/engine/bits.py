"""Every bit trick of the Python side. Those that the CUDA kernels need too have the same names in `kernels/index.cuh`.

An *index* is the number of a basis state: its bit ``q`` is the value of qubit ``q``, so qubit 0 is the least
significant. Functions that take an index take an integer array of indices as well.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, overload

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

__all__ = [
    "WORD_BITS",
    "all_ones",
    "bit_at",
    "bits_of",
    "combine",
    "deposit_bits",
    "extract_bits",
    "has_bit",
    "has_bits",
    "highest_position",
    "highest_positions",
    "inverse_positions",
    "lowest_bits",
    "lowest_position",
    "mask_of",
    "mask_words",
    "masks_of_groups",
    "number_of_words",
    "numbers_of_bits",
    "parities",
    "parity",
    "positions_of",
    "replaced",
    "shifted",
    "shifted_down",
    "signs",
    "with_bit",
    "with_bits",
    "with_mask",
    "word_and_mask",
]


WORD_BITS = 64
"""The number of bits of a word; numbers of more bits are kept as several words."""

_LONG_RUN = 64  # positions; a run of at least this many adjacent bits is extracted at once


def bit_at(position: int) -> int:
    """Return the number in which only the bit at `position` is set."""
    return 1 << position


def mask_of(positions: Iterable[int]) -> int:
    """Return the number whose set bits are at `positions`."""
    mask = 0
    for position in positions:
        mask |= 1 << position
    return mask


def masks_of_groups(positions: NDArray[np.intp], groups: NDArray[np.intp], count: int) -> NDArray[np.int64]:
    """Return for each of `count` groups the number whose set bits are at the positions in it, all below 63.

    Parameters
    ----------
    groups
        ``groups[i]`` is the group of ``positions[i]``.
    """
    masks = np.zeros(count, np.int64)
    np.bitwise_or.at(masks, groups, np.left_shift(np.int64(1), positions))
    return masks


def all_ones(width: int) -> int:
    """Return the largest number of `width` bits."""
    return (1 << width) - 1


def lowest_position(value: int) -> int:
    """Return the position of the lowest set bit of `value`, which must not be 0."""
    return (value & -value).bit_length() - 1


def highest_position(value: int) -> int:
    """Return the position of the highest set bit of `value`, -1 if there is none; of a power of two, its exponent."""
    return value.bit_length() - 1


def highest_positions(values: NDArray[np.int64]) -> NDArray[np.intp]:
    """Return `highest_position` of each of many values below 2**53."""
    positions: NDArray[np.intp] = np.frexp(values.astype(np.float64))[1].astype(np.intp) - 1
    return positions


def positions_of(mask: int) -> Iterator[int]:
    """Yield the positions of the set bits of `mask`, lowest first."""
    while mask:
        yield lowest_position(mask)
        mask &= mask - 1


@overload
def lowest_bits(value: int, width: int) -> int: ...
@overload
def lowest_bits(value: NDArray[np.int64], width: int) -> NDArray[np.int64]: ...
def lowest_bits(value: Any, width: int) -> Any:
    """Return the number that the lowest `width` bits of `value` make."""
    return value & all_ones(width)


@overload
def shifted_down(value: int, places: int) -> int: ...
@overload
def shifted_down(value: NDArray[np.int64], places: int) -> NDArray[np.int64]: ...
def shifted_down(value: Any, places: int) -> Any:
    """Return `value` without its lowest `places` bits: those above move down."""
    return value >> places


def shifted_up(value: int, places: int) -> int:
    """Return the number in which each bit of `value` stands `places` higher; the lowest bits are 0."""
    return value << places


def with_gap(value: int, position: int, width: int) -> int:
    """Return `value` with `width` zeros put in at `position`: the bits from there on move up."""
    return lowest_bits(value, position) | shifted_down(value, position) << position + width


def shifted(index: NDArray[np.int64], places: int) -> NDArray[np.int64]:
    """Move bits up by `places`, or down if it is negative."""
    return index << places if places >= 0 else index >> -places


def has_bit(value: int, position: int) -> bool:
    """Tell whether bit `position` of `value` is set."""
    return bool(value >> position & 1)


def has_bits(values: NDArray[np.int64], positions: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Tell whether bits of many values are set; both arrays are broadcast."""
    are_set: NDArray[np.bool_] = (values >> positions & 1) == 1
    return are_set


def with_bit(value: int, position: int, *, on: bool) -> int:
    """Return `value` with bit `position` set to `on`."""
    return value | 1 << position if on else value & ~(1 << position)


def with_bits(value: int, positions: Sequence[int], bits: int) -> int:
    """Return `value` with the bit at ``positions[j]`` set to bit j of `bits`."""
    for j, position in enumerate(positions):
        value = with_bit(value, position, on=has_bit(bits, j))
    return value


def without_bit(values: NDArray[np.int64], position: int) -> NDArray[np.int64]:
    """Return many values without the bit at `position`: those above move down."""
    return lowest_bits(values, position) | shifted_down(values, position + 1) << position


def parity(value: int) -> int:
    """Return 1 if an odd number of bits of `value` are set, else 0."""
    return value.bit_count() & 1


def parities(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the parity of each of many values."""
    odd: NDArray[np.int64] = np.bitwise_count(values).astype(np.int64) & 1
    return odd


def signs(values: NDArray[np.int64], mask: int) -> NDArray[np.int64]:
    """Return -1 for each value in which an odd number of the bits of `mask` are set, else 1."""
    of_values: NDArray[np.int64] = 1 - 2 * parities(values & mask)
    return of_values


def replaced(values: NDArray[np.int64], mask: int, bits: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the values with the bits of `mask` taken from `bits`, which has no others."""
    changed: NDArray[np.int64] = values & ~mask | bits
    return changed


def combine(value: int, columns: Sequence[int] | Mapping[int, int]) -> int:
    """Return the exclusive or of ``columns[p]`` over the set bits p of `value`.

    This is the value of a linear map over GF(2) that is given by its columns. If each column is a single bit, the bits
    of `value` move there.
    """
    combined = 0
    for position in positions_of(value):
        combined ^= columns[position]
    return combined


@overload
def extract_bits(index: int, positions: Sequence[int]) -> int: ...
@overload
def extract_bits(index: NDArray[np.int64], positions: Sequence[int]) -> NDArray[np.int64]: ...
def extract_bits(index: Any, positions: Sequence[int]) -> Any:
    """Pack bits together: bit ``j`` of the result is bit ``positions[j]`` of `index`."""
    if len(positions) > _LONG_RUN and all(after - before == 1 for before, after in pairwise(positions)):
        return index >> positions[0] & all_ones(len(positions))  # the loop below would be quadratic
    packed = index & 0
    for j, position in enumerate(positions):
        packed = packed | (index >> position & 1) << j
    return packed


@overload
def deposit_bits(index: int, positions: Sequence[int]) -> int: ...
@overload
def deposit_bits(index: NDArray[np.int64], positions: Sequence[int]) -> NDArray[np.int64]: ...
def deposit_bits(index: Any, positions: Sequence[int]) -> Any:
    """Spread bits out: bit ``positions[j]`` of the result is bit ``j`` of `index`; the inverse of `extract_bits`."""
    spread = index & 0
    for j, position in enumerate(positions):
        spread = spread | (index >> j & 1) << position
    return spread


def inverse_positions(positions: Sequence[int]) -> list[int]:
    """Return which bit was moved to each position, where bit ``j`` was moved to ``positions[j]``; all of them were."""
    inverse = [0] * len(positions)
    for bit, position in enumerate(positions):
        inverse[position] = bit
    return inverse


def word_and_mask(bit: int) -> tuple[int, np.uint64]:
    """Return the number of the word that holds a bit, and the mask of the bit within that word."""
    return bit // WORD_BITS, np.uint64(1 << bit % WORD_BITS)


def with_mask(words: NDArray[np.uint64], mask: np.uint64, *, on: NDArray[np.bool_] | bool) -> NDArray[np.uint64]:
    """Return `words` with the bits of `mask` set, or cleared in those words for which `on` is false."""
    changed: NDArray[np.uint64] = np.where(on, words | mask, words & ~mask)
    return changed


def mask_words(mask: int, count: int) -> NDArray[np.uint64]:
    """Return a mask as `count` words, the least significant first."""
    return np.array([mask >> WORD_BITS * word & all_ones(WORD_BITS) for word in range(count)], np.uint64)


def number_of_words(words: Sequence[int]) -> int:
    """Return the number that words make, the least significant first."""
    number = 0
    for word in reversed(words):
        number = number << WORD_BITS | word
    return number


def bits_of(number: int, count: int) -> NDArray[np.uint8]:
    """Return the lowest `count` bits of a long number as an array: element i is bit i."""
    octets = np.frombuffer(number.to_bytes(-(-count // 8), "little"), np.uint8)
    return np.unpackbits(octets, count=count, bitorder="little")


def numbers_of_bits(bits: NDArray[np.bool_]) -> list[int]:
    """Return for each row the long number whose bit i is whether element i of the row is true."""
    octets = np.packbits(bits, axis=1, bitorder="little")
    return [int.from_bytes(row.tobytes(), "little") for row in octets]
