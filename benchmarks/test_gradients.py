"""Gradients of 200 angles: against the time of the expectation value itself, and against other simulators.

The circuits are layers of ry on all qubits and chains of cx; the energy is that of a transverse-field Ising model. A
gradient includes its own way forwards. Lightning's adjoint method, Qulacs' backpropagation and Aer's shifted values run
in turn, and are left out where they are not installed. The rates are in gradients per second.
"""

from __future__ import annotations

import statistics
from functools import partial

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
GOAL_FOR_A_BATCH = at_least(1, "times as fast as lightning.qubit's adjoint method, for 100 sets")
GOAL_AGAINST_QULACS = at_least(5, "times as fast as Qulacs' backprop")
GOAL_AGAINST_AER = at_least(100, "times as fast as the 400 shifted values of Aer's EstimatorV2")
GOAL_FOR_MANY_ANGLES = at_most(1.15, "of the time for 200 parameters of the same gates, for 2,000")
ANGLES, ROUNDS = 200, 5
SETS, SHIFTED = 100, 8  # sets of a batch; shifted values that Aer evaluates, whose time is multiplied
ONE_THREAD = {"max_parallel_threads": 1}


def chain(n: int, parameters: int = ANGLES, gates: int = ANGLES) -> QuantumCircuit:
    """Return a circuit of so many rotations, which have as many parameters in turn."""
    circuit, angles = QuantumCircuit(n), ParameterVector("t", parameters)
    for number in range(gates):
        circuit.ry(angles[number % parameters], number % n)
        if number % n == n - 1 or number == gates - 1:
            for qubit in range(n - 1):
                circuit.cx(qubit, qubit + 1)
    return circuit


def ising(n: int) -> SparsePauliOp:
    terms = [("ZZ", [q, q + 1], 1.0) for q in range(n - 1)] + [("X", [q], 0.5) for q in range(n)]
    return SparsePauliOp.from_sparse_list(terms, n)


@pytest.fixture
def values():
    return np.random.default_rng(1).normal(size=ANGLES)


@pytest.mark.parametrize("n", GOALS, ids="{} qubits".format)
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


def test_many_parameters_against_few(benchmark, judge, size):
    n, gates = size(20, smallest=6), size(2000, smallest=40)
    runs = {}
    for name, parameters in ((OURS, gates), ("few", gates // 10)):
        function = value_and_gradient(chain(n, parameters, gates), ising(n), **ONE_THREAD)
        runs[name] = partial(function, np.random.default_rng(1).normal(size=parameters))
    seconds = in_turn(runs, stopwatch, rounds=size(ROUNDS, smallest=1))
    judge(GOAL_FOR_MANY_ANGLES, pair_ratios(seconds, OURS, "few"), counted="pairs")
    benchmark.pedantic(runs[OURS], rounds=1)


def on_lightning(circuit, energy, rows):
    """Return what differentiates a circuit on lightning.qubit at some sets of values."""
    qml = pytest.importorskip("pennylane", reason="PennyLane is not installed")
    paulis = {"ZZ": lambda on: qml.Z(on[0]) @ qml.Z(on[1]), "X": lambda on: qml.X(on[0])}
    terms = [(factor.real, paulis[label](on)) for label, on, factor in energy.to_sparse_list()]
    tapes = []
    for row in rows:
        operations, rest = [], iter(row)
        for name, on in instructions(circuit):
            operations.append(qml.RY(next(rest), wires=on) if name == "ry" else qml.CNOT(wires=on))
        tapes.append(qml.tape.QuantumScript(operations, [qml.expval(qml.Hamiltonian(*zip(*terms, strict=True)))]))
        tapes[-1].trainable_params = list(range(ANGLES))
    device = qml.device("lightning.qubit", wires=circuit.num_qubits)
    how = qml.devices.ExecutionConfig(gradient_method="adjoint")
    return lambda: device.compute_derivatives(tapes, how)  # the tapes are ready, so that only the simulator is timed


def instructions(circuit):
    return [(item.operation.name, [circuit.find_bit(qubit).index for qubit in item.qubits]) for item in circuit.data]


@pytest.mark.parametrize("n", GOALS_AGAINST_LIGHTNING, ids="{} qubits".format)
def test_against_lightning(benchmark, judge, size, values, n):
    circuit, energy = chain(size(n, smallest=6)), ising(size(n, smallest=6))
    ours, theirs = value_and_gradient(circuit, energy, **ONE_THREAD), on_lightning(circuit, energy, [values])
    assert np.allclose(np.ravel(theirs()), ours(values)[1], rtol=0, atol=1e-9)
    runs = {OURS: lambda: ours(values), "lightning.qubit": theirs}
    seconds = in_turn(runs, stopwatch, rounds=size(ROUNDS, smallest=1))
    judge(GOALS_AGAINST_LIGHTNING[n], pair_ratios(seconds, "lightning.qubit", OURS), counted="pairs")
    benchmark.pedantic(runs[OURS], rounds=1)


def test_a_batch_against_lightning(benchmark, judge, size):
    circuit, energy = chain(size(10, smallest=4)), ising(size(10, smallest=4))
    rows = np.random.default_rng(1).normal(size=(size(SETS, smallest=2), ANGLES))
    ours, theirs = value_and_gradient(circuit, energy, **ONE_THREAD), on_lightning(circuit, energy, rows)
    assert np.allclose(np.reshape(theirs(), rows.shape), ours(rows)[1], rtol=0, atol=1e-9)
    runs = {OURS: lambda: ours(rows), "lightning.qubit": theirs}
    seconds = in_turn(runs, stopwatch, rounds=size(ROUNDS, smallest=1))
    judge(GOAL_FOR_A_BATCH, pair_ratios(seconds, "lightning.qubit", OURS), counted="pairs")
    benchmark.pedantic(runs[OURS], rounds=1)


def test_against_qulacs(benchmark, judge, size, values):
    qulacs = pytest.importorskip("qulacs", reason="Qulacs is not installed")
    n = size(20, smallest=4)
    circuit, energy = chain(n), ising(n)
    ours = value_and_gradient(circuit, energy, **ONE_THREAD)
    theirs, observable, rest = qulacs.ParametricQuantumCircuit(n), qulacs.Observable(n), iter(values)
    for name, on in instructions(circuit):
        if name == "ry":
            theirs.add_parametric_RY_gate(on[0], -next(rest))  # its angles have the other sign
        else:
            theirs.add_CNOT_gate(*on)
    for label, on, factor in energy.to_sparse_list():
        observable.add_operator(
            factor.real, " ".join(f"{pauli} {qubit}" for pauli, qubit in zip(label, on, strict=True))
        )
    assert np.allclose(-np.array(theirs.backprop(observable)), ours(values)[1], rtol=0, atol=1e-9)
    runs = {OURS: lambda: ours(values), "Qulacs": lambda: theirs.backprop(observable)}
    seconds = in_turn(runs, stopwatch, rounds=size(ROUNDS, smallest=1))
    judge(GOAL_AGAINST_QULACS, pair_ratios(seconds, "Qulacs", OURS), counted="pairs")
    benchmark.pedantic(runs[OURS], rounds=1)


def test_against_shifted_values_of_aer(benchmark, judge, size, values):
    primitives = pytest.importorskip("qiskit_aer.primitives", reason="Aer is not installed")
    n = size(16, smallest=4)
    circuit, energy = chain(n), ising(n)
    ours = value_and_gradient(circuit, energy, **ONE_THREAD)
    shifts = np.pi / 2 * np.eye(ANGLES)[: SHIFTED // 2]
    pub = circuit, energy, np.concatenate([values + shifts, values - shifts])
    estimator = primitives.EstimatorV2(options={"backend_options": ONE_THREAD})

    def theirs():
        plus, minus = np.split(estimator.run([pub], precision=0.0).result()[0].data.evs, 2)
        return (plus - minus) / 2

    assert np.allclose(theirs(), ours(values)[1][: SHIFTED // 2], rtol=0, atol=1e-9)
    runs = {OURS: lambda: ours(values), "Aer": theirs}
    seconds = in_turn(runs, stopwatch, rounds=size(ROUNDS, smallest=1))
    ratios = [2 * ANGLES / SHIFTED * ratio for ratio in pair_ratios(seconds, "Aer", OURS)]
    judge(GOAL_AGAINST_AER, ratios, counted="pairs")
    benchmark.pedantic(runs[OURS], rounds=1)
