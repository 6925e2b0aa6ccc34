"""The numbers of a plan's gates: each by itself, and fused into the matrices of a product."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy as np

from basicaer.devices.gatewise import GateNumbers, Gatewise
from basicaer.engine.plan import Part
from basicaer.engine.program import Form

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from basicaer.engine.plan import PlannedGate
    from basicaer.engine.program import Gate

__all__ = ["eigen", "numbers_of", "product_matrices"]

_HADAMARD = np.array([[1, 1], [1, -1]]) / np.sqrt(2)
_TURNS = (0.739, 2.183, 1.411, 0.187, 2.749, 1.033, 2.517, 0.463)  # radians, of no meaning to any gate
_GOOD_ENOUGH = 1e-14  # for each row: then no other turn is tried


def numbers_of(planned: PlannedGate, gate: Gate) -> GateNumbers:
    """Return the numbers of a planned gate, a whole one or a part, on its wires."""
    if planned.part is Part.WHOLE:
        return GateNumbers(gate.form, gate.data, planned.targets, planned.controls, gate.control_state)
    vectors, values = eigen(gate)
    if planned.part is Part.EIGENVALUES:
        return GateNumbers(Form.DIAGONAL, values, planned.targets, planned.controls, gate.control_state)
    matrix = vectors if planned.part is Part.OUT_OF_EIGENBASIS else vectors.conj().T
    return GateNumbers(Form.MATRIX, matrix, planned.targets)


def eigen(gate: Gate) -> tuple[NDArray[Any], NDArray[np.complexfloating]]:
    """Return ``V`` and the diagonal of ``D`` with ``U = V D V*`` for the unitary U on a gate's targets.

    U's Hermitian parts ``(U + U*) / 2`` and ``(U - U*) / 2i`` commute, so the eigenvectors of a combination of them are
    U's, unless it gives two different eigenvalues of U the same or nearly the same value. So several combinations are
    tried, until V and D make up U.
    """
    if gate.form is Form.PERMUTATION:
        matrix = np.zeros((len(gate.data),) * 2)
        matrix[gate.data, np.arange(len(gate.data))] = 1
    else:
        matrix = gate.data
    if set(gate.kinds) == {"X"}:
        hadamards: NDArray[Any] = reduce(np.kron, [_HADAMARD] * len(gate.targets))
        return hadamards, _eigenvalues(matrix, hadamards)  # the eigenvectors of every such gate
    best: tuple[NDArray[Any], NDArray[np.complexfloating]] | None = None
    least = np.inf
    for turn in _TURNS:
        turned = matrix * np.exp(-1j * turn)
        _, vectors = np.linalg.eigh(turned + turned.conj().T)
        values = _eigenvalues(matrix, vectors)
        error = float(np.abs(vectors * values @ vectors.conj().T - matrix).max())
        if best is None or error < least:
            best, least = (vectors, values), error
        if least <= _GOOD_ENOUGH * len(matrix):
            break
    assert best is not None  # there are turns  # noqa: S101
    return best


def _eigenvalues(matrix: NDArray[Any], vectors: NDArray[Any]) -> NDArray[np.complexfloating]:
    """Return the eigenvalues, of modulus 1, that belong to the eigenvectors of a unitary."""
    values: NDArray[np.complexfloating] = np.einsum("ji,jk,ki->i", vectors.conj(), matrix, vectors)
    values /= np.abs(values)
    return values


def product_matrices(
    gates: Iterable[GateNumbers], wires: Sequence[int], selectors: Sequence[int]
) -> NDArray[np.complexfloating]:
    """Return ``matrices[s, row, column]``, what gates do together to `wires` where `selectors` have the value s.

    Bit j of a row or column is ``wires[j]``, and bit j of s is ``selectors[j]``.
    """
    k, d = len(wires), len(selectors)
    # A matrix is evolved as a state: its columns' bits lowest, then its rows', then the selectors'.
    place = {wire: k + j for j, wire in enumerate(wires)} | {wire: 2 * k + j for j, wire in enumerate(selectors)}
    matrices = np.zeros((2**d, 2**k, 2**k), complex)
    diagonal = np.arange(2**k)
    matrices[:, diagonal, diagonal] = 1
    vector = matrices.reshape(-1)
    gatewise = Gatewise(d + 2 * k, vector.dtype)
    for gate in gates:
        targets = tuple([place[wire] for wire in gate.targets])
        controls = tuple([place[wire] for wire in gate.controls])
        gatewise.apply(vector, gate._replace(targets=targets, controls=controls), _go_on)
    return matrices


def _go_on() -> None:
    """Poll nothing: a fused matrix is small."""
