"""Products of Paulis as the kernels take them: all that flip the same index bits are read together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from basicaer.devices.gpu.structs import MOST_THREAD_BITS, PAULI_REGISTER_BITS, PAULIS
from basicaer.engine.bits import deposit_bits, highest_position, without_bit
from basicaer.engine.paulis import by_flips

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

__all__ = ["PauliGroup", "PauliLaunch", "grouped", "signed_groups"]

_SUM_BYTES = 16  # a complex sum in double precision
_MOST_BLOCKS = 512  # blocks that sum side by side, enough for every multiprocessor of a card
_MOST_PRODUCTS = 4096  # products of one reading, so that a block's sums stay in the card's cache


class PauliLaunch(NamedTuple):
    """The shape of a launch of `sum_pauli_products`."""

    blocks: int
    thread_bits: int
    shared_bytes: int


class PauliGroup(NamedTuple):
    """Products that flip the same index bits; see `kernels/paulis.cu` for how they are summed.

    Attributes
    ----------
    numbers
        Which of all products these are.
    flips
        The index bits that they flip. Where there are none, one product more than `numbers` is summed last: the norm.
    pivot, bits
        As the kernel takes them.
    records
        Each product as the kernel reads it.
    factors
        What each sum is multiplied by.
    """

    numbers: NDArray[np.intp]
    flips: int
    pivot: int
    bits: int
    records: NDArray[Any]
    factors: NDArray[np.float64]

    def values(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return for each state, a row of `sums`, what the products add up to."""
        return sums * self.factors

    def launch(self, tile_bytes: int) -> PauliLaunch:
        """Return how to launch it with at most so many bytes of shared memory for a block."""
        most = min(highest_position(tile_bytes // _SUM_BYTES), self.bits)
        thread_bits = min(max(most - PAULI_REGISTER_BITS, 0), MOST_THREAD_BITS)
        tile_bits = thread_bits + PAULI_REGISTER_BITS
        blocks = min(2 ** max(self.bits - tile_bits, 0), _MOST_BLOCKS)
        return PauliLaunch(blocks, thread_bits, _SUM_BYTES * 2**tile_bits)


def grouped(masks: Sequence[tuple[int, int]], place: Sequence[int], n_wires: int) -> Iterator[PauliGroup]:
    """Yield groups of products, the ones that flip nothing first.

    Parameters
    ----------
    masks
        The qubits of each product with X or Y, and those with Z or Y.
    place
        ``place[w]`` is the index bit of wire w.
    n_wires
        The state has 2**n_wires amplitudes.
    """
    of_flips = by_flips(masks)
    zs = np.array([z for _, z in masks], np.int64)
    for x in sorted({0, *of_flips}):
        everything = np.array(of_flips.get(x, []), np.intp)
        for start in range(0, max(len(everything), 1), _MOST_PRODUCTS):
            numbers = everything[start : start + _MOST_PRODUCTS]
            yield _group(numbers, x, zs[numbers], place, n_wires)


def signed_groups(
    masks: Sequence[int], place: Sequence[int], n_wires: int
) -> Iterator[tuple[NDArray[np.intp], PauliGroup]]:
    """Yield the numbers of some masks of qubits, and a group that sums with their signs.

    There are two products for each mask: the real and the imaginary part of its sum.
    """
    each = np.array(masks, np.int64)
    for start in range(0, len(each), _MOST_PRODUCTS):
        numbers = np.arange(start, min(start + _MOST_PRODUCTS, len(each)))
        records = np.zeros(2 * len(numbers), PAULIS)
        records["signs"] = np.repeat(deposit_bits(each[numbers], place), 2)
        records["imaginary"][1::2] = 1
        yield numbers, PauliGroup(numbers, 0, n_wires, n_wires, records, np.ones(len(records)))


def _group(numbers: NDArray[np.intp], x: int, zs: NDArray[np.int64], place: Sequence[int], n_wires: int) -> PauliGroup:
    flips, signs = deposit_bits(x, place), deposit_bits(zs, place)
    ys = np.bitwise_count(zs & x).astype(np.int64)
    factors = np.ones(len(zs))
    pivot = bits = n_wires
    if flips:
        pivot, bits = highest_position(flips), n_wires - 1
        signs = without_bit(signs, pivot)
        # Two summands that are conjugates add up to twice the real part of one, or to i times twice its imaginary part.
        # Each Y is i X Z, and four of them make no difference.
        factors = np.choose(ys % 4, [2.0, -2.0, -2.0, 2.0])
    records = np.zeros(len(zs) + (not flips), PAULIS)
    records["signs"][: len(zs)], records["imaginary"][: len(zs)] = signs, ys % 2
    return PauliGroup(numbers, flips, pivot, bits, records, factors)
