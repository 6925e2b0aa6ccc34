"""Inverses of gates, and the eigenvectors and eigenvalues of small unitary matrices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from basicaer.engine.program import Form

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from basicaer.engine.program import Gate

__all__ = ["eigen_decomposition", "eigenvalues", "inverse", "inverted", "matrix_of_gate"]

_TURNS = (0.739, 2.183, 1.411, 0.187, 2.749, 1.033, 2.517, 0.463)  # radians; arbitrary, unlike the angles of gates
_GOOD_ENOUGH = 1e-14  # error per row of the matrix; once it is this small, no other turn is tried


def inverse(gates: Sequence[Gate]) -> list[Gate]:
    """Return the inverse of a sequence of gates."""
    return [
        gate._replace(
            name=f"{gate.name}_dg",
            data=inverted(gate.form, gate.data),
            formula=gate.formula and gate.formula._replace(inverted=not gate.formula.inverted),
        )
        for gate in reversed(gates)
    ]


def inverted(form: Form, data: NDArray[Any]) -> NDArray[Any]:
    """Return the numbers of the inverse of a unitary, in the same form."""
    return np.argsort(data) if form is Form.PERMUTATION else data.conj().T  # a diagonal has one axis, so T keeps it


def matrix_of_gate(gate: Gate) -> NDArray[np.complex128]:
    """Return the matrix of a gate on its targets and, above them, its controls."""
    size, data = 2 ** len(gate.targets), gate.data
    if gate.form is Form.MATRIX:
        block = data
    elif gate.form is Form.DIAGONAL:
        block = np.diag(data)
    else:
        block = np.zeros((size, size))
        block[data, np.arange(size)] = 1
    whole = np.eye(size * 2 ** len(gate.controls), dtype=complex)
    acting = slice(size * gate.control_state, size * (gate.control_state + 1))
    whole[acting, acting] = block
    return whole


def eigen_decomposition(matrix: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.complexfloating]]:
    """Return V and the diagonal of D with ``U = V D V*`` for a unitary U; V is unitary.

    The Hermitian parts of U, ``(U + U*) / 2`` and ``(U - U*) / 2i``, commute. The eigenvectors of a combination of them
    are those of U, unless it gives two different eigenvalues of U nearly the same value. Several combinations are
    tried, until ``V D V*`` is U.
    """
    best: tuple[NDArray[Any], NDArray[np.complexfloating]] | None = None
    least = np.inf
    for turn in _TURNS:
        turned = matrix * np.exp(-1j * turn)
        _, vectors = np.linalg.eigh(turned + turned.conj().T)
        values = eigenvalues(matrix, vectors)
        error = float(np.abs(vectors * values @ vectors.conj().T - matrix).max())
        if best is None or error < least:
            best, least = (vectors, values), error
        if least <= _GOOD_ENOUGH * len(matrix):
            break
    assert best is not None  # at least one turn was tried  # noqa: S101
    return best


def eigenvalues(matrix: NDArray[Any], vectors: NDArray[Any]) -> NDArray[np.complexfloating]:
    """Return the eigenvalues, of modulus 1, that belong to the eigenvectors of a unitary."""
    values: NDArray[np.complexfloating] = np.einsum("ji,jk,ki->i", vectors.conj(), matrix, vectors)
    values /= np.abs(values)
    return values
