"""Which wires the lanes of a warp stand for, so that they use whole lines of memory and different banks.

The lanes that access shared memory at a time, 2**row_bits of them, are told apart by the lowest bits of the thread's
number; a warp by the lowest five.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from basicaer.engine.bits import all_ones

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

__all__ = ["LANE_BITS", "bank_columns", "ordered_threads"]

LANE_BITS = 5


@lru_cache
def bank_columns(tile_bits: int, bank_bits: int) -> tuple[int, ...]:
    """Return for each bit of a tile's index the places in shared memory that it combines.

    An amplitude's bank is the lowest `bank_bits` bits of its place. The higher bits of the index are spread over these,
    single bits first: whichever few are held in registers, the rest still reach all banks.
    """
    single = [2**j for j in range(bank_bits)]
    cycle = [*single, *(bank for bank in range(1, 2**bank_bits) if bank not in single)]
    return tuple(2**bit ^ (cycle[bit % len(cycle)] if bit >= bank_bits else 0) for bit in range(tile_bits))


def ordered_threads(
    wires: Sequence[int], lines: Collection[int], views: Sequence[Mapping[int, int]], row_bits: int
) -> tuple[int, ...]:
    """Return the wires of a thread's bits, lowest bit first.

    Parameters
    ----------
    wires
        All of them, the preferred ones first.
    lines
        Wires that must be told apart within a warp, at most `LANE_BITS`: those of a line of memory.
    views
        Maps of wires to places in shared memory; under each the lanes should use different banks.
    """
    size = min(row_bits, len(wires))
    first = [wire for wire in wires if wire in lines]
    order = [*first, *(wire for wire in wires if wire not in lines)]
    low = all_ones(row_bits)
    banks = [[view[wire] & low for view in views] for wire in order]
    beyond = LANE_BITS - size  # of `lines`, so many may be told apart by the warp's other bits
    best: list[int] = []

    def found(chosen: list[int], spans: list[list[int]]) -> bool:
        """Choose more positions in `order`, each in a bank of its own under every view; tell whether all are found."""
        nonlocal best
        if len(chosen) > len(best):
            best = chosen
        if len(chosen) == size:
            return True
        for at in range(chosen[-1] + 1 if chosen else 0, len(order)):
            if min(at, len(first)) - sum(c < len(first) for c in chosen) > beyond:
                break
            if all(bank not in span for bank, span in zip(banks[at], spans, strict=True)):
                wider = [span + [b ^ bank for b in span] for bank, span in zip(banks[at], spans, strict=True)]
                if found([*chosen, at], wider):
                    return True
        return False

    found([], [[0] for _ in views])
    chosen = [order[at] for at in best]
    return (*chosen, *(wire for wire in order if wire not in chosen))
