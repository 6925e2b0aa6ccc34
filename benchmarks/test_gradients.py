"""Gradients of 200 angles: against the time of the expectation value itself, and against Lightning's adjoint method.

The circuits are layers of ry on all qubits and chains of cx; the energy is that of a transverse-field Ising model. A
gradient includes its own way forwards. Lightning runs in turn, and is left out where it is not installed. The rates are
in gradients per second.
"""

from __future__ import annotations

import statistics

import numpy as np
import pytest
from harness.goals import at_least, at_most
from harness.timing import OURS, in_turn, pair_ratios, stopwatch
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.quantum_info import SparsePauliOp

from basicaer import EstimatorV2, value_and_gradient

GOALS = {
    16: at_most(4.5, "of the time of the value"),
    20: at_most(4.5, "of the time of the value"),
    22: at_most(4, "of the time of the value"),
}
GOAL_FOR_A_PRODUCT = at_most(1.2, "of the time of one gradient, for ten observables with a cotangent")
GOALS_AGAINST_LIGHTNING = {
    16: at_least(1, "times as fast as lightning.qubit's adjoint method"),
    20: at_least(1.6, "times as fast as lightning.qubit's adjoint method"),
}
ANGLES, ROUNDS = 200, 5
ONE_THREAD = {"max_parallel_threads": 1}


def chain(n: int) -> QuantumCircuit:
    circuit, angles = QuantumCircuit(n), iter(ParameterVector("t", ANGLES))
    for number, angle in enumerate(angles):
        circuit.ry(angle, number % n)
        if number % n == n - 1 or number == ANGLES - 1:
            for qubit in range(n - 1):
                circuit.cx(qubit, qubit + 1)
    return circuit


def ising(n: int) -> SparsePauliOp:
    terms = [("ZZ", [q, q + 1], 1.0) for q in range(n - 1)] + [("X", [q], 0.5) for q in range(n)]
    return SparsePauliOp.from_sparse_list(terms, n)


@pytest.fixture
def values():
    return np.random.default_rng(1).normal(size=ANGLES)


@pytest.mark.parametrize("n", GOALS)
def test_a_gradient_and_its_value(benchmark, judge, size, values, n):
    circuit, energy = chain(size(n, smallest=6)), ising(size(n, smallest=6))
    ours, value = value_and_gradient(circuit, energy, **ONE_THREAD), EstimatorV2(**ONE_THREAD).compile(circuit, energy)
    assert np.isclose(ours(values)[0], value(values))
    seconds = in_turn(
        {OURS: ours, "value": value}, lambda one: stopwatch(lambda: one(values)), rounds=size(ROUNDS, smallest=1)
    )
    judge(GOALS[n], pair_ratios(seconds, OURS, "value"), counted="pairs")
    benchmark.extra_info["gradients_per_s"] = round(1 / statistics.median(seconds[OURS]), 2)
    benchmark.pedantic(lambda: ours(values), rounds=1)


def test_ten_observables_with_a_cotangent(benchmark, judge, size, values):
    n = size(20, smallest=10)
    circuit = chain(n)
    observables = [SparsePauliOp.from_sparse_list([("Z", [q], 1.0)], n) for q in range(10)]
    one = value_and_gradient(circuit, observables[0], **ONE_THREAD)
    ten = value_and_gradient(circuit, observables, **ONE_THREAD)
    weights = np.linspace(-1, 1, 10)
    runs = {OURS: lambda: ten.submit(values, cotangent=weights).result(), "one": lambda: one(values)}
    assert np.allclose(runs[OURS]().gradients, weights @ ten(values)[1])
    seconds = in_turn(runs, stopwatch, rounds=size(ROUNDS, smallest=1))
    judge(GOAL_FOR_A_PRODUCT, pair_ratios(seconds, OURS, "one"), counted="pairs")
    benchmark.pedantic(runs[OURS], rounds=1)


@pytest.mark.parametrize("n", GOALS_AGAINST_LIGHTNING)
def test_against_lightning(benchmark, judge, size, values, n):
    qml = pytest.importorskip("pennylane", reason="PennyLane is not installed")
    n_qubits = size(n, smallest=6)
    circuit, energy = chain(n_qubits), ising(n_qubits)
    ours = value_and_gradient(circuit, energy, **ONE_THREAD)
    paulis = {"ZZ": lambda on: qml.Z(on[0]) @ qml.Z(on[1]), "X": lambda on: qml.X(on[0])}
    terms = [(factor.real, paulis[label](on)) for label, on, factor in energy.to_sparse_list()]
    operations, rest = [], iter(values)
    for item in circuit.data:
        on = [circuit.find_bit(qubit).index for qubit in item.qubits]
        operations.append(qml.RY(next(rest), wires=on) if item.operation.name == "ry" else qml.CNOT(wires=on))
    tape = qml.tape.QuantumScript(operations, [qml.expval(qml.Hamiltonian(*zip(*terms, strict=True)))])
    tape.trainable_params = list(range(ANGLES))
    device = qml.device("lightning.qubit", wires=n_qubits)
    how = qml.devices.ExecutionConfig(gradient_method="adjoint")

    def theirs():  # the tape is ready, so that only the work of the simulator is timed
        return device.compute_derivatives([tape], how)

    assert np.allclose(np.ravel(theirs()), ours(values)[1], rtol=0, atol=1e-9)
    runs = {OURS: lambda: ours(values), "lightning.qubit": theirs}
    seconds = in_turn(runs, stopwatch, rounds=size(ROUNDS, smallest=1))
    judge(GOALS_AGAINST_LIGHTNING[n], pair_ratios(seconds, "lightning.qubit", OURS), counted="pairs")
    benchmark.pedantic(runs[OURS], rounds=1)
