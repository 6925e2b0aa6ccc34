"""Sums of products of Paulis, applied to states in NumPy arrays, chunk by chunk."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from basicaer.engine.bits import lowest_bits, parities, positions_of, shifted_down
from basicaer.engine.paulis import by_flips

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

__all__ = ["PauliOperator"]

_CHUNK_BITS = 16  # 2**16 amplitudes are worked on between two polls
_LOWER_BITS = 8  # signs of so many lower bits are multiplied with those of the others in a matrix product
_ROW_BITS = 4  # bits of a row, in which numbers are moved one by one
_TURNS = np.array([1, 1j, -1, -1j])  # i**(number of Ys)


class PauliOperator:
    """Sums of products of Paulis, one for each of many states or the same for all.

    Parameters
    ----------
    masks
        x and z of each product, as for `State.expectations`, as masks of index bits.
    factors
        ``factors[s, j]`` of product j for state s.
    bits
        The number of index bits.
    """

    def __init__(self, masks: Sequence[tuple[int, int]], factors: NDArray[np.float64], bits: int) -> None:
        self._bits = min(bits, _CHUNK_BITS)
        self.chunk = 2**self._bits
        low = min(self._bits, _LOWER_BITS)
        lower, upper = np.arange(2**low), np.arange(2 ** (self._bits - low))
        self._groups = []
        for x, places in by_flips(masks).items():
            zs = np.array([masks[place][1] for place in places], np.int64)
            turned = factors[:, places] * _TURNS[np.bitwise_count(zs & x) % 4]
            within = lowest_bits(zs, self._bits)
            tables = None
            if within.any():
                tables = _signs(upper, shifted_down(within, low)), _signs(lowest_bits(within, low), lower)
            self._groups.append(_Group(x, zs, turned, tables, *_flipped(int(lowest_bits(x, self._bits)), self._bits)))

    def apply(
        self,
        states: NDArray[np.complexfloating],
        start: int,
        new: NDArray[np.complexfloating],
        poll: Callable[[], None],
    ) -> None:
        """Fill the chunk of new states that begins at an index.

        Parameters
        ----------
        states
            ``states[s]`` are the amplitudes of state s.
        """
        count = len(states)
        total, room, moved = np.zeros((3, count, self.chunk), np.complex128)
        in_room: tuple[int, bytes] | None = None  # what has been multiplied: the chunk, and the numbers
        for x, zs, factors, tables, within, shape, flips in self._groups:
            poll()
            there = start ^ (x - lowest_bits(x, self._bits))
            here = factors * (1 - 2 * parities(zs & there))  # the signs that are the same in the whole chunk
            own = here if here.imag.any() else here.real
            numbers, key = own.sum(axis=1)[:, None], None
            if tables is None:
                key = there, numbers.tobytes()
            else:
                numbers = np.matmul(tables[0] * own[:, None], tables[1]).reshape(count, -1)
            if key is None or key != in_room:
                np.multiply(states[:, there : there + self.chunk], numbers, out=room)
                in_room = key
            partners = room
            if within is not None:
                rows, out = (one.reshape(count, -1, len(within)) for one in (room, moved))
                partners = np.take(rows, within, axis=2, out=out, mode="clip")
            summed = total.reshape(count, *shape)
            summed += partners.reshape(count, *shape)[flips]
        new[:, start : start + self.chunk] = total


class _Group(NamedTuple):
    """Products with the same x.

    Attributes
    ----------
    x, zs, factors
        Their x, and the z and the factor of each, without the sign that an amplitude gives it.
    tables
        The signs by the upper and by the lower bits of an index within a chunk; None if there are none.
    within
        If any of the lowest bits are flipped: where the numbers of a row come from, since axes of so few numbers would
        be turned around slowly.
    shape, flips
        The shape of a chunk, and the index by which the other flipped bits within it are flipped.
    """

    x: int
    zs: NDArray[np.int64]
    factors: NDArray[np.complex128]
    tables: tuple[NDArray[np.float64], NDArray[np.float64]] | None
    within: NDArray[np.intp] | None
    shape: tuple[int, ...]
    flips: tuple[slice, ...]


def _flipped(mask: int, bits: int) -> tuple[NDArray[np.intp] | None, tuple[int, ...], tuple[slice, ...]]:
    """Return what flips the bits of a mask in a chunk of so many: see `_Group`."""
    row = min(bits, _ROW_BITS)
    within = None
    if low := lowest_bits(mask, row):
        within = np.arange(2**row) ^ low
        mask -= low
    shape, flips, end = [], [slice(None)], bits
    for bit in sorted(positions_of(mask), reverse=True):
        shape += [2 ** (end - bit - 1), 2]
        flips += [slice(None), slice(None, None, -1)]
        end = bit
    return within, (*shape, 2**end), (*flips, slice(None))


def _signs(values: NDArray[np.int64], masks: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return ``signs[i, m]``: -1 if an odd number of the bits in mask m are set in value i, else 1."""
    signs: NDArray[np.float64] = 1 - 2 * parities(np.bitwise_and.outer(values, masks)).astype(np.float64)
    return signs
