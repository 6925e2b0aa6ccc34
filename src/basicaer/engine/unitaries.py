"""The eigenvectors and eigenvalues of small unitary matrices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["eigen_decomposition", "eigenvalues"]

_TURNS = (0.739, 2.183, 1.411, 0.187, 2.749, 1.033, 2.517, 0.463)  # radians; arbitrary, unlike the angles of gates
_GOOD_ENOUGH = 1e-14  # error per row of the matrix; once it is as small, no other turn is tried


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
