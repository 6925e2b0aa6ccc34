"""Matrices of products: many gates in one matrix, for each value of the selectors."""

import numpy as np
import pytest

from basicaer.devices.cpu.fusion import product_matrices
from basicaer.devices.numbers import GateNumbers
from basicaer.engine.program import Form
from plan_checks import in_program_order, random_gate


def numbers_of(gate, qubits):
    """A gate on other qubits."""
    targets, controls = (tuple([qubits[q] for q in own]) for own in (gate.targets, gate.controls))
    return GateNumbers(gate.form, gate.data, targets, controls, gate.control_state)


def controlled(gate, selector):
    return gate._replace(
        controls=(*gate.controls, selector), control_state=gate.control_state | 2 ** len(gate.controls)
    )


@pytest.mark.parametrize("widest", [1, 2, 3])
@pytest.mark.parametrize("seed", range(12))
def test_a_product_is_its_gates_in_order(seed, widest):
    random = np.random.default_rng([seed, widest])
    k, d = int(random.integers(1, 5)), int(random.integers(3))
    gates = [random_gate(random, k, widest) for _ in range(12)]
    for selector in range(k, k + d):
        for at in random.permutation(12)[:3]:
            gates[at] = controlled(gates[at], selector)
    qubits = [int(q) for q in random.permutation(10)]
    matrices = product_matrices([numbers_of(gate, qubits) for gate in gates], qubits[:k], qubits[k : k + d])
    assert matrices.shape == (2**d, 2**k, 2**k)
    for value in range(2**d):
        for column in range(2**k):
            vector = np.zeros(2 ** (k + d), complex)
            vector[column + value * 2**k] = 1
            want = in_program_order(gates, vector)[value * 2**k : (value + 1) * 2**k]
            assert np.allclose(matrices[value, :, column], want)


@pytest.mark.parametrize("begin", ["wide", "single"])
def test_a_matrix_as_wide_as_the_product_begins_it(begin):
    random = np.random.default_rng(3)
    wide = np.linalg.qr(random.normal(size=(8, 8)) + 1j * random.normal(size=(8, 8)))[0]
    gates = [GateNumbers(Form.MATRIX, wide, (7, 2, 4)), GateNumbers(Form.MATRIX, wide[:2, :2], (4,))]
    if begin == "single":
        gates.reverse()
    (product,) = product_matrices(gates, (2, 4, 7), ())
    whole = np.eye(8)
    for _, data, targets, *_ in gates:
        places = [(2, 4, 7).index(wire) for wire in targets]
        whole = np.stack([applied(data, places, column) for column in whole.T], axis=1)
    assert np.allclose(product, whole, rtol=0, atol=1e-14)


def applied(matrix, places, vector):
    """A matrix applied to the bits of an index of three, lowest first."""
    out = np.zeros(8, complex)
    for index in range(8):
        row = sum((index >> place & 1) << j for j, place in enumerate(places))
        rest = index & ~sum(1 << place for place in places)
        for column in range(len(matrix)):
            source = rest | sum((column >> j & 1) << place for j, place in enumerate(places))
            out[index] += matrix[row, column] * vector[source]
    return out


def test_a_product_without_gates_changes_nothing():
    assert np.array_equal(product_matrices([], (3, 1), (2,)), [np.eye(4), np.eye(4)])
