"""How a kernel walks through a state to sum over it, and how its sums are put together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from basicaer.devices.gpu.structs import MOST_THREAD_BITS, TRAVERSAL
from basicaer.engine.bits import mask_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["SumWalk", "walk_over"]

_ENOUGH_BLOCK_BITS = 11  # to keep every multiprocessor of a card busy


class SumWalk(NamedTuple):
    """A launch that sums over a state.

    Attributes
    ----------
    record
        What the kernel reads.
    sums
        How many sums each block makes.
    bits
        Which bit of a value each bit of a sum's number stands for, lowest first; None where the sums are to be added.
    """

    record: NDArray[Any]
    thread_bits: int
    block_bits: int
    sums: int
    bits: tuple[int | None, ...]

    def by_value(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """Add what belongs together; return the sum for each value."""
        axes = list(reversed(self.bits))  # of the array below: the highest bit first
        shaped = sums.reshape((2,) * len(axes))
        added = shaped.sum(axis=tuple(axis for axis, bit in enumerate(axes) if bit is None))
        kept = [bit for bit in axes if bit is not None]
        order = sorted(range(len(kept)), key=lambda axis: kept[axis], reverse=True)
        return np.asarray(added).transpose(order).reshape(-1)


def walk_over(n_wires: int, places: Sequence[int]) -> SumWalk:
    """Return how to sum over a state of `n_wires`, once for each value of the index bits at `places`."""
    number_of = {place: number for number, place in enumerate(places)}
    thread = list(range(min(MOST_THREAD_BITS, n_wires)))  # side by side in memory
    others = list(range(len(thread), n_wires))
    block = [place for place in others if place in number_of]
    for place in reversed(others):
        if len(block) >= _ENOUGH_BLOCK_BITS:
            break
        if place not in number_of:
            block.append(place)
    loop = [place for place in others if place not in block]
    kept = [bit for bit, place in enumerate(thread) if place in number_of]
    record = np.zeros((), TRAVERSAL)
    for name, chosen in (("thread", thread), ("block", block), ("loop", loop)):
        record[name][: len(chosen)] = [mask_of((place,)) for place in chosen]
        record[f"{name}_bits"] = len(chosen)
    record["summed"] = mask_of(bit for bit in range(len(thread)) if bit not in kept)
    record["sum"][kept] = [2**j for j in range(len(kept))]
    record["sums"] = 2 ** len(kept)
    bits = (*(number_of[thread[bit]] for bit in kept), *(number_of.get(place) for place in block))
    return SumWalk(record, len(thread), len(block), 2 ** len(kept), bits)
