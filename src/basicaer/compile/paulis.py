"""Pauli strings as gates: the string itself, and rotations about it.

A string is a pair (letters, qubits): ``letters[j]`` of "IXYZ" acts on ``qubits[j]``.
"""

from __future__ import annotations

import itertools
from cmath import exp
from typing import TYPE_CHECKING

import numpy as np

from basicaer.compile.gates import BY_NAME
from basicaer.compile.modifiers import inverse
from basicaer.engine.bits import parity
from basicaer.engine.program import Form, Gate

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["pauli_rotation", "pauli_rotation_parts", "pauli_string", "table_gate"]

_ROTATIONS = {"X": "rx", "Y": "ry", "Z": "rz", "XX": "rxx", "YY": "ryy", "ZZ": "rzz", "ZX": "rzx"}
_WIDEST_DIAGONAL = 6  # beyond, the parity is collected on one qubit by CX gates


def table_gate(name: str, qubits: Sequence[int], *parameters: float) -> Gate:
    """Return a gate of the table that has no controls."""
    record = BY_NAME[name]
    return Gate(name, record.kinds, tuple(qubits), record.form, record.data(parameters))


def pauli_string(letters: str, qubits: Sequence[int]) -> list[Gate]:
    """Return a Pauli string as one gate per qubit."""
    return [table_gate(p.lower(), (q,)) for p, q in zip(letters, qubits, strict=True) if p != "I"]


def pauli_rotation(letters: str, qubits: Sequence[int], angle: float) -> list[Gate]:
    """Return exp(-i angle/2 P) for the Pauli string P."""
    letters, on = _acting(letters, qubits)
    if letters in _ROTATIONS or not 1 < len(on) <= _WIDEST_DIAGONAL:
        before, (name, turned, factor), after = pauli_rotation_parts(letters, on)
        return [*before, table_gate(name, turned, factor * angle), *after]
    basis = _to_z(letters, on)
    signs = [1 - 2 * parity(i) for i in range(2 ** len(on))]
    factors = np.array([exp(-0.5j * angle * sign) for sign in signs])
    return [*basis, Gate("pauli_phase", "Z" * len(on), on, Form.DIAGONAL, factors), *inverse(basis)]


def pauli_rotation_parts(
    letters: str, qubits: Sequence[int]
) -> tuple[list[Gate], tuple[str, tuple[int, ...], float], list[Gate]]:
    """Return a rotation about a Pauli string as gates, the one gate of the table that has the angle, and gates again.

    That gate is its name, its qubits, and the factor that its angle is multiplied by.
    """
    letters, on = _acting(letters, qubits)
    if not on:
        return [], ("global_phase", (), -0.5), []
    if letters in _ROTATIONS:
        return [], (_ROTATIONS[letters], on, 1.0), []
    basis = _to_z(letters, on) + _parity_ladder(on)
    return basis, ("rz", on[-1:], 1.0), inverse(basis)


def _acting(letters: str, qubits: Sequence[int]) -> tuple[str, tuple[int, ...]]:
    """Return the letters of a Pauli string but for I, and their qubits, in the order of the table's gates."""
    acts = [(p, q) for p, q in zip(letters, qubits, strict=True) if p != "I"]
    letters, on = "".join(p for p, _ in acts), tuple(q for _, q in acts)
    return ("ZX", on[::-1]) if letters == "XZ" else (letters, on)


def _to_z(letters: str, qubits: Sequence[int]) -> list[Gate]:
    change = {"X": "h", "Y": "sx"}  # H X H = Z, and SX Y SX^-1 = Z
    return [table_gate(change[p], (q,)) for p, q in zip(letters, qubits, strict=True) if p in change]


def _parity_ladder(qubits: Sequence[int]) -> list[Gate]:
    flip = BY_NAME["cx"]
    return [
        Gate("cx", flip.kinds, (target,), flip.form, flip.data(), (control,), 1)
        for control, target in itertools.pairwise(qubits)
    ]
