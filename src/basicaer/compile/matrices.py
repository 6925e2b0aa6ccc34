"""Matrices that operations give of themselves, and whether they are unitary."""

from __future__ import annotations

from typing import Any

import numpy as np
from qiskit.exceptions import QiskitError

__all__ = ["UNITARY_TO", "is_unitary", "matrix_of"]

UNITARY_TO = 1.1e-5  # the tolerance: Qiskit takes matrices whose columns have a squared norm of 1 to 1e-5
_LARGEST_MULTIPLIED = 2**8  # rows
_VECTORS = 16


def is_unitary(matrix: Any, n_qubits: int) -> bool:
    """Tell whether an array is a unitary matrix on so many qubits, to about Qiskit's tolerance."""
    size = 2**n_qubits
    if matrix.shape != (size, size):
        return False
    if size <= _LARGEST_MULTIPLIED:
        # The squared Frobenius norm of M*M - 1, without an array for that difference: it is checked for every gate.
        product = matrix.conj().T.dot(matrix)
        deviation = np.vdot(product, product).real - 2 * np.vdot(matrix, matrix).real + size
    else:  # an estimate by random vectors (Hutchinson 1990), which is faster than a product of two large matrices
        vectors = np.random.default_rng(0).normal(size=(size, _VECTORS))
        off = matrix.T.dot(matrix.dot(vectors).conj()) - vectors
        deviation = np.vdot(off, off).real / _VECTORS
    return bool(deviation < size * UNITARY_TO**2)  # False too if an entry is not finite


def matrix_of(operation: Any) -> Any:
    """Return the unitary matrix of an operation; None if it has none."""
    try:
        matrix = np.asarray(operation.to_matrix(), complex)
    except (AttributeError, QiskitError, TypeError, ValueError):  # it has none, or its class fails to make one
        return None
    return matrix if is_unitary(matrix, operation.num_qubits) else None
