"""The wire of each bit of a thread's number, chosen so that a warp uses memory in whole lines and all banks.

A warp's threads are told apart by the five lowest bits of their number. Those that access shared memory at a time,
2**row_bits of them, are told apart by the lowest `row_bits`.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import combinations
from typing import TYPE_CHECKING

from basicaer.engine.bits import all_ones, bit_at

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

__all__ = ["WARP_BITS", "columns_apart", "ordered_threads", "rank", "shared_columns"]

WARP_BITS = 5  # a warp has 32 threads


def rank(vectors: Iterable[int]) -> int:
    """Return how many of the vectors over GF(2), given as masks, are linearly independent."""
    basis: list[int] = []
    for vector in vectors:
        rest = vector
        for known in basis:
            rest = min(rest, rest ^ known)
        if rest:
            basis.append(rest)
    return len(basis)


@lru_cache
def shared_columns(tile_bits: int, bank_bits: int) -> tuple[int, ...]:
    """Return the column of each tile bit: the places in shared memory that are combined for a tile's amplitude.

    The bank of a place is its lowest `bank_bits` bits. Each higher tile bit is combined into the bank as well, and the
    first of them into single bits of it: whichever few wires are in registers, the others still reach all banks.
    """
    single = [bit_at(j) for j in range(bank_bits)]
    cycle = [*single, *(bank for bank in range(1, 2**bank_bits) if bank not in single)]
    return tuple(bit_at(bit) ^ (cycle[bit % len(cycle)] if bit >= bank_bits else 0) for bit in range(tile_bits))


def columns_apart(wires: Sequence[int], pairs: Iterable[Sequence[int]], bank_bits: int) -> dict[int, int]:
    """Return a column of `shared_columns` for each wire; if possible, the two of a pair are in different banks.

    Parameters
    ----------
    wires
        Those of a tile.
    pairs
        Wires that must be the lowest bits of a thread's number in some stage.
    """
    columns = shared_columns(len(wires), bank_bits)
    order, chosen = list(wires), list(pairs)

    def clashes() -> int:
        bank = {wire: column & all_ones(bank_bits) for wire, column in zip(order, columns, strict=True)}
        return sum(bank[one] == bank[other] for one, other in chosen)

    left = clashes()
    for first, second in combinations(range(len(order)), 2):
        if not left:
            break
        order[first], order[second] = order[second], order[first]
        if (now := clashes()) < left:
            left = now
        else:
            order[first], order[second] = order[second], order[first]
    return dict(zip(order, columns, strict=True))


def ordered_threads(
    wires: Sequence[int],
    lines: Collection[int],
    views: Sequence[Mapping[int, int]],
    row_bits: int,
    lanes: Sequence[int] = (),
) -> tuple[int, ...]:
    """Return the wires that the bits of a thread's number stand for, lowest bit first.

    Parameters
    ----------
    wires
        All of them, the preferred ones first.
    lines
        Wires that must be told apart within a warp, at most `WARP_BITS`: those of a line of memory.
    views
        Maps of wires to columns of places in shared memory. Under each of them, threads that access shared memory at a
        time should use different banks.
    lanes
        Those of the lowest bits, in order, if these are not free.
    """
    size = max(min(row_bits, len(wires)), len(lanes))
    first = [*lanes, *(wire for wire in wires if wire in lines and wire not in lanes)]
    order = [*first, *(wire for wire in wires if wire not in first)]
    bank_mask = all_ones(row_bits)
    banks = [[view[wire] & bank_mask for view in views] for wire in order]
    beyond = WARP_BITS - size  # the warp's other bits can tell this many of `lines` apart
    best: list[int] = []

    def found(chosen: list[int], spans: list[list[int]]) -> bool:
        """Choose more positions in `order`, each with a bank that the others do not reach under any view.

        ``spans[v]`` are the banks that the chosen positions reach under view v. Tells whether `size` are found.
        """
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

    spans = [[0] for _ in views]
    for at in range(len(lanes)):
        spans = [span + [b ^ bank for b in span] for bank, span in zip(banks[at], spans, strict=True)]
    found(list(range(len(lanes))), spans)
    lowest = [order[at] for at in best]
    return (*lowest, *(wire for wire in order if wire not in lowest))
