"""Sums of products of Paulis, applied to states in NumPy arrays, chunk by chunk."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from basicaer.engine.bits import highest_position, lowest_bits, parities, positions_of, shifted_down
from basicaer.engine.paulis import by_flips

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

__all__ = ["PauliOperator"]

_CHUNK_BITS = 16  # 2**16 amplitudes are worked on between two polls
_LOWER_BITS = 8  # signs of so many lower bits are multiplied with those of the others in a matrix product
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
        self.chunk = 2 ** min(bits, _CHUNK_BITS)
        low = min(highest_position(self.chunk), _LOWER_BITS)
        lower, upper = np.arange(2**low), np.arange(self.chunk // 2**low)
        self._groups = []
        for x, places in by_flips(masks).items():
            zs = np.array([masks[place][1] for place in places], np.int64)
            turned = factors[:, places] * _TURNS[np.bitwise_count(zs & x) % 4]
            within = lowest_bits(zs, highest_position(self.chunk))
            self._groups.append(
                (x, zs, turned, _signs(upper, shifted_down(within, low)), _signs(lowest_bits(within, low), lower))
            )

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
        total = np.zeros((len(states), self.chunk), np.complex128)
        for x, zs, factors, upper, lower in self._groups:
            poll()
            there = start ^ (x & ~(self.chunk - 1))
            here = factors * (1 - 2 * parities(zs & there))  # of a product's signs, those that are the same in a chunk
            if not here.imag.any():
                here = here.real
            numbers = np.matmul(upper * here[:, None], lower).reshape(len(here), -1)
            numbers = numbers * states[:, there : there + self.chunk]
            for bit in positions_of(x & (self.chunk - 1)):
                numbers = numbers.reshape(len(numbers), -1, 2, 2**bit)[:, :, ::-1]
            total += numbers.reshape(total.shape)
        new[:, start : start + self.chunk] = total


def _signs(values: NDArray[np.int64], masks: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return ``signs[i, m]``: -1 if an odd number of the bits in mask m are set in value i, else 1."""
    signs: NDArray[np.float64] = 1 - 2 * parities(np.bitwise_and.outer(values, masks)).astype(np.float64)
    return signs
