"""The slow version, which is the specification: statevectors as plain arrays, and gates one by one as matrices.

Imports nothing of basicaer. Index i of a vector is the basis state whose bit q is the value of qubit q.
"""

from __future__ import annotations

import itertools

import numpy as np


def bit(index, position):
    """The bit of an index, or of each of an array of them."""
    return index // 2**position % 2


def zero(n: int) -> np.ndarray:
    vector = np.zeros(2**n, complex)
    vector[0] = 1
    return vector


def random_state(n: int, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    vector = random.normal(size=2**n) + 1j * random.normal(size=2**n)
    return vector / np.linalg.norm(vector)


def random_unitary(size: int, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    return np.linalg.qr(random.normal(size=(size, size)) + 1j * random.normal(size=(size, size)))[0]


def apply(vector, matrix, targets, controls=(), control_state=None):
    """Apply a matrix whose row bit j is targets[j] where controls[j] equals bit j of control_state (default: all 1)."""
    if control_state is None:
        control_state = 2 ** len(controls) - 1
    index, result = np.arange(len(vector)), np.zeros(len(vector), complex)
    row = sum((bit(index, q) * 2**j for j, q in enumerate(targets)), 0 * index)
    for column in range(2 ** len(targets)):
        from_column = index + sum((bit(column, j) - bit(row, j)) * 2**q for j, q in enumerate(targets))
        result += matrix[row, column] * vector[from_column]
    is_on = np.all([bit(index, q) == bit(control_state, j) for j, q in enumerate(controls)], axis=0)
    return np.where(is_on, result, vector)


def probability_of_one(vector, qubit) -> float:
    squares = np.abs(vector) ** 2
    return squares[bit(np.arange(len(vector)), qubit) == 1].sum() / squares.sum()


def collapse(vector, qubit, outcome):
    kept = np.where(bit(np.arange(len(vector)), qubit) == outcome, vector, 0)
    return kept / np.linalg.norm(kept)


def prepare(vector, qubits, amplitudes):
    """Put qubits that are |0> into a state."""
    result = np.zeros(len(vector), complex)
    for i, a in enumerate(vector):
        for row, factor in enumerate(amplitudes):
            if a:
                result[i + sum(bit(row, j) * 2**q for j, q in enumerate(qubits))] += a * factor
    return result


def expectation(vector, x, z) -> float:
    """The expectation value of X on the qubits of `x`, Z on those of `z`, and Y where both are, without its norm."""
    index = np.arange(len(vector))
    signs = (-1.0) ** np.bitwise_count(index & z)
    return (np.vdot(vector[index ^ x], signs * vector) * 1j ** int(np.bitwise_count(x & z))).real


def orders(n: int, k: int):
    """Every way to choose k qubits of n, in order."""
    return list(itertools.permutations(range(n), k))
