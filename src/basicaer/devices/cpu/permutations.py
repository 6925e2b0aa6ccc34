"""Index arrays for `numpy.take` that reorder a tile's bits and apply gates that permute basis states at once."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from basicaer.engine.bits import bit_at, deposit_bits, extract_bits, has_bit, mask_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from basicaer.devices.numbers import GateNumbers

__all__ = ["source_indices"]

_TABLES_KEPT = 32  # tables, of at most 1 MiB each, since a tile has up to 2**17 amplitudes


def source_indices(came_from: Sequence[int], gates: Sequence[GateNumbers] = ()) -> NDArray[np.intp]:
    """Return ``source`` such that ``new = old[source]`` applies gates to a tile and then reorders its bits.

    Parameters
    ----------
    came_from
        Bit p of a new index is bit ``came_from[p]`` of the old one.
    gates
        Gates of the form PERMUTATION on bits of the old index, in the order in which they act.
    """
    # Most of these gates are affine maps over GF(2). Together they are one such map: an offset, and a column per bit.
    columns = [bit_at(bit) for bit in came_from]
    offset = 0
    left = list(gates)
    while left and _is_affine(left[-1]):
        gate = left.pop()
        flip = bit_at(gate.targets[0])
        if gate.controls:
            control = gate.controls[0]
            columns = [column ^ flip if has_bit(column, control) else column for column in columns]
            if has_bit(offset, control) != (gate.control_state == 0):
                offset ^= flip
        else:
            offset ^= flip
    source = _affine_table(tuple(columns), offset)
    for gate in reversed(left):
        source = _undone(gate, source)
    return source


def _is_affine(gate: GateNumbers) -> bool:
    return len(gate.targets) == 1 and len(gate.controls) <= 1 and gate.data[0] == 1


@lru_cache(maxsize=_TABLES_KEPT)
def _affine_table(columns: tuple[int, ...], offset: int) -> NDArray[np.intp]:
    """Return ``table[i]``, the XOR of `offset` and of the columns whose bits are set in i."""
    table = np.empty(2 ** len(columns), np.intp)
    table[0] = offset
    for bit, column in enumerate(columns):
        np.bitwise_xor(table[: 2**bit], column, out=table[2**bit : 2 ** (bit + 1)])
    table.flags.writeable = False  # it is shared
    return table


def _undone(gate: GateNumbers, index: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the indices that a gate maps to the given ones."""
    came_from = np.argsort(gate.data)  # came_from[new] = old, on the targets
    targets = mask_of(gate.targets)
    moved: NDArray[np.intp] = (index & ~targets) | deposit_bits(
        came_from[extract_bits(index, gate.targets)], gate.targets
    )
    if not gate.controls:
        return moved
    value = deposit_bits(gate.control_state, gate.controls)
    return np.where(index & mask_of(gate.controls) == value, moved, index)
