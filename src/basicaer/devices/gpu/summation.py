"""Sums over a state: how a launch goes through all indices, and how the sums of its blocks are put together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from basicaer.devices.gpu.structs import MOST_THREAD_BITS, TRAVERSAL
from basicaer.engine.bits import bit_at, mask_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["Summation", "summation_by"]

_ENOUGH_BLOCK_BITS = 11  # 2048 blocks keep every multiprocessor of a card busy


class Summation(NamedTuple):
    """A launch that sums over a state, separately for each value of some index bits.

    Attributes
    ----------
    record
        What the kernel reads as a `Traversal`.
    thread_bits, block_bits
        How many bits the numbers of its threads and blocks have.
    sums
        How many sums all blocks make for a state.
    value_bits
        For each bit of a sum's number, lowest first, the bit of the value that it is; None where sums that differ in it
        are to be added.
    """

    record: NDArray[Any]
    thread_bits: int
    block_bits: int
    sums: int
    value_bits: tuple[int | None, ...]

    def by_value(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """Add up the sums of one state that belong together; return the sum for each value."""
        axes = list(reversed(self.value_bits))  # an axis of the array below for each bit, the highest first
        shaped = sums.reshape((2,) * len(axes))
        added = shaped.sum(axis=tuple(axis for axis, bit in enumerate(axes) if bit is None))
        kept = [bit for bit in axes if bit is not None]
        order = sorted(range(len(kept)), key=lambda axis: kept[axis], reverse=True)
        return np.asarray(added).transpose(order).reshape(-1)


def summation_by(places: Sequence[int], n_wires: int) -> Summation:
    """Return how to sum over a state of `n_wires`, once for each value of the index bits at `places`."""
    value_bit = {place: number for number, place in enumerate(places)}
    thread = list(range(min(MOST_THREAD_BITS, n_wires)))  # adjacent threads read adjacent amplitudes
    others = list(range(len(thread), n_wires))
    block = [place for place in others if place in value_bit]
    for place in reversed(others):
        if len(block) >= _ENOUGH_BLOCK_BITS:
            break
        if place not in value_bit:
            block.append(place)
    loop = [place for place in others if place not in block]
    kept = [bit for bit, place in enumerate(thread) if place in value_bit]
    record = np.zeros((), TRAVERSAL)
    for name, chosen in (("thread", thread), ("block", block), ("loop", loop)):
        record[name][: len(chosen)] = [bit_at(place) for place in chosen]
        record[f"{name}_bits"] = len(chosen)
    record["summed"] = mask_of(bit for bit in range(len(thread)) if bit not in kept)
    record["sum"][kept] = [bit_at(j) for j in range(len(kept))]
    record["sums"] = 2 ** len(kept)
    value_bits = (*(value_bit[thread[bit]] for bit in kept), *(value_bit.get(place) for place in block))
    return Summation(record, len(thread), len(block), 2 ** len(value_bits), value_bits)
