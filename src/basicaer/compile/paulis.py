"""Pauli strings as gates: the string itself, and rotations about it.

A string is given as letters and qubits: ``letters[j]`` of "IXYZ" acts on ``qubits[j]``.
"""

from __future__ import annotations

import itertools
from cmath import exp
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from basicaer.compile.gates import BY_NAME
from basicaer.compile.table_gates import record_gates, table_gate
from basicaer.compile.values import Varying
from basicaer.engine.bits import parity
from basicaer.engine.classical import Apply, Constant
from basicaer.engine.program import Form, Gate
from basicaer.engine.unitaries import inverse

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["pauli_rotation", "pauli_string"]

_ROTATIONS = {"X": "rx", "Y": "ry", "Z": "rz", "XX": "rxx", "YY": "ryy", "ZZ": "rzz", "ZX": "rzx"}
_WIDEST_DIAGONAL = 6  # the parity of more qubits is collected on one of them by CX gates


class _Rotation(NamedTuple):
    """A rotation as gates, of which one gate of the table alone depends on the angle, times a factor."""

    before: list[Gate]
    name: str
    qubits: tuple[int, ...]
    factor: float
    after: list[Gate]


def pauli_string(letters: str, qubits: Sequence[int]) -> list[Gate]:
    """Return a Pauli string as one gate for each qubit on which it acts."""
    return [table_gate(p.lower(), (q,)) for p, q in zip(letters, qubits, strict=True) if p != "I"]


def pauli_rotation(letters: str, qubits: Sequence[int], angle: float | Varying) -> list[Gate]:
    """Return exp(-i angle/2 P) for the Pauli string P."""
    letters, on = _acting(letters, qubits)
    if not isinstance(angle, Varying) and letters not in _ROTATIONS and 1 < len(on) <= _WIDEST_DIAGONAL:
        basis = _to_z(letters, on)
        signs = [1 - 2 * parity(i) for i in range(2 ** len(on))]
        factors = np.array([exp(-0.5j * angle * sign) for sign in signs])
        return [*basis, Gate("pauli_phase", "Z" * len(on), on, Form.DIAGONAL, factors), *inverse(basis)]
    rotation = _rotation(letters, on)
    turned: float | Varying
    if isinstance(angle, Varying):
        scaled = Apply("mul", (Constant(rotation.factor), angle.expression))
        turned = Varying(rotation.factor * angle.first, scaled)
    else:
        turned = rotation.factor * angle
    return [*rotation.before, *record_gates(BY_NAME[rotation.name], rotation.qubits, [turned]), *rotation.after]


def _rotation(letters: str, on: tuple[int, ...]) -> _Rotation:
    if not on:
        return _Rotation([], "global_phase", (), -0.5, [])
    if letters in _ROTATIONS:
        return _Rotation([], _ROTATIONS[letters], on, 1.0, [])
    basis = _to_z(letters, on) + _parity_ladder(on)
    return _Rotation(basis, "rz", on[-1:], 1.0, inverse(basis))


def _acting(letters: str, qubits: Sequence[int]) -> tuple[str, tuple[int, ...]]:
    """Return the letters of a Pauli string other than I, and their qubits, in the order of the table's gates."""
    acts = [(p, q) for p, q in zip(letters, qubits, strict=True) if p != "I"]
    letters, on = "".join(p for p, _ in acts), tuple(q for _, q in acts)
    return ("ZX", on[::-1]) if letters == "XZ" else (letters, on)


def _to_z(letters: str, qubits: Sequence[int]) -> list[Gate]:
    """Return gates that turn each letter of a string into Z: H X H = Z, and SX Y SX^-1 = Z."""
    change = {"X": "h", "Y": "sx"}
    return [table_gate(change[p], (q,)) for p, q in zip(letters, qubits, strict=True) if p in change]


def _parity_ladder(qubits: Sequence[int]) -> list[Gate]:
    """Return CX gates that leave the parity of all qubits on the last one."""
    flip = BY_NAME["cx"]
    return [
        Gate("cx", flip.target_actions, (target,), flip.form, flip.data(), (control,), 1)
        for control, target in itertools.pairwise(qubits)
    ]
