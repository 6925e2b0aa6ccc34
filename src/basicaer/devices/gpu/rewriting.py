"""Gates rewritten as others with the same effect: where wires have known values, in parts, or before a permutation.

The numbers of matrices and diagonals are places on a `Tape`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from basicaer.devices.gpu.affine import affine_rows
from basicaer.devices.gpu.operations import Condition, Table
from basicaer.devices.gpu.tape import ONE
from basicaer.engine.bits import (
    bit_at,
    extract_bits,
    has_bit,
    lowest_position,
    mask_of,
    positions_of,
    with_bit,
    with_bits,
)
from basicaer.engine.program import Form

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from basicaer.devices.gpu.affine import Affine
    from basicaer.devices.gpu.shape import TileShape
    from basicaer.devices.numbers import GateNumbers

__all__ = ["by_diagonal_targets", "condition_of", "is_wide", "moved_before", "paired_by", "without_known"]

_MOST_PARITIES = 6  # a table is made for at most this many parities; it then has 64 factors


def condition_of(gate: GateNumbers) -> Condition:
    """Return where a gate acts, by its controls."""
    return {wire: has_bit(gate.control_state, j) for j, wire in enumerate(gate.controls)}


def paired_by(gate: GateNumbers) -> tuple[int, ...]:
    """Return the wires on which a gate does not act diagonally: it mixes pairs of amplitudes that differ there."""
    return () if gate.form is Form.DIAGONAL else gate.targets


def is_wide(gate: GateNumbers, shape: TileShape) -> bool:
    """Tell whether a gate has to be applied by a launch of its own."""
    if gate.form is Form.DIAGONAL or len(gate.targets) <= min(2, shape.register_bits):
        return False
    fits_a_tile = len(gate.targets) <= shape.tile_bits
    return gate.form is Form.MATRIX or bool(gate.controls) or not fits_a_tile or affine_rows(gate.data) is None


def without_known(gate: GateNumbers, known: Mapping[int, bool]) -> GateNumbers | None:
    """Return what a gate is where wires on which it acts diagonally have known values; None if it does nothing."""
    if not gate.targets and gate.form is not Form.DIAGONAL:  # a gate without targets only multiplies by a phase
        if gate.form is Form.PERMUTATION:
            return None
        gate = gate._replace(form=Form.DIAGONAL, data=gate.data.reshape(1))
    if not known:
        return gate
    controls: list[int] = []
    state = 0
    for j, wire in enumerate(gate.controls):
        value = has_bit(gate.control_state, j)
        if wire not in known:
            state = with_bit(state, len(controls), on=value)
            controls.append(wire)
        elif known[wire] != value:
            return None
    data, targets = gate.data, gate.targets
    if gate.form is Form.DIAGONAL and any(wire in known for wire in targets):
        index = tuple(int(known[wire]) if wire in known else slice(None) for wire in reversed(targets))
        data = data.reshape((2,) * len(targets))[index].reshape(-1)
        targets = tuple(wire for wire in targets if wire not in known)
    return gate._replace(data=data, targets=targets, controls=tuple(controls), control_state=state)


def by_diagonal_targets(gate: GateNumbers, diagonal: Sequence[int]) -> list[GateNumbers]:
    """Return a gate as one for each value of the targets on which it acts diagonally, which become controls.

    Parameters
    ----------
    diagonal
        The numbers of these targets among ``gate.targets``.
    """
    size = len(gate.data)
    rest = [j for j in range(len(gate.targets)) if j not in diagonal]
    targets = tuple([gate.targets[j] for j in rest])
    controls = gate.controls + tuple([gate.targets[j] for j in diagonal])
    new_controls = range(len(gate.controls), len(controls))
    pieces = []
    for value in range(2 ** len(diagonal)):
        rows = [row for row in range(size) if extract_bits(row, diagonal) == value]
        if gate.form is Form.PERMUTATION:
            data = np.array([extract_bits(int(gate.data[row]), rest) for row in rows])
        else:
            data = gate.data[np.ix_(rows, rows)]
        state = with_bits(gate.control_state, new_controls, value)
        pieces.append(gate._replace(data=data, targets=targets, controls=controls, control_state=state))
    return pieces


def moved_before(gate: GateNumbers, permutation: Affine) -> GateNumbers | Table | None:
    """Return what a diagonal gate after a permutation becomes if it acts before it; None if that is too large.

    A phase that depends on the parity of wires, such as RZ between two ladders of CX, then needs no exchange.
    """
    wires = (*gate.targets, *gate.controls)
    made_of = [permutation.made_of(wire) for wire in wires]  # [j] = (mask of the parity that wires[j] is, flipped?)
    k = len(gate.targets)
    indices = np.arange(2**k) ^ mask_of(j for j, (_, flip) in enumerate(made_of[:k]) if flip)
    if all(mask.bit_count() == 1 for mask, _ in made_of):  # wires have only changed places
        before = [lowest_position(mask) for mask, _ in made_of]
        return gate._replace(
            data=gate.data[indices],
            targets=tuple(before[:k]),
            controls=tuple(before[k:]),
            control_state=gate.control_state ^ mask_of(j for j, (_, flip) in enumerate(made_of[k:]) if flip),
        )
    condition: Condition = {}
    parities = [mask for mask, _ in made_of[:k]]  # parities[j] = the wires whose parity is bit j of the table's index
    factors = gate.data[indices]
    for j, (mask, flip) in enumerate(made_of[k:]):
        value = has_bit(gate.control_state, j) != flip
        if mask.bit_count() == 1:
            condition[lowest_position(mask)] = value
        else:
            parities.append(mask)
            ones = np.full_like(factors, ONE)
            factors = np.concatenate([ones, factors] if value else [factors, ones])
        if len(parities) > _MOST_PARITIES:
            return None
    columns: dict[int, int] = {}
    for j, mask in enumerate(parities):
        for wire in positions_of(mask):
            columns[wire] = columns.get(wire, 0) | bit_at(j)
    return Table(tuple(columns), factors, condition, tuple(columns.values()))
