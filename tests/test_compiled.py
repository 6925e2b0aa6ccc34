"""`backend.compile`: a function of a circuit's parameters, against an estimator that is given everything each time."""

import threading
from concurrent.futures import CancelledError

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter, ParameterVector
from qiskit.quantum_info import SparsePauliOp, Statevector

from basicaer import BasicAer, BasicAerError, EstimatorV2
from basicaer.devices.cpu.batch import NumpyBatch
from basicaer.primitives import PrimitiveJob
from jobs import GUARD

BACKEND = BasicAer.get_backend("statevector_simulator")
ENERGY = SparsePauliOp(["ZZI", "IXY", "XII"], [1.0, 0.5, -0.3])


def ansatz():
    angles = ParameterVector("angles", 4)
    circuit = QuantumCircuit(3, name="ansatz")
    circuit.ry(angles[0], 0)
    circuit.rz(2 * angles[1] - angles[0], 0)
    circuit.cx(0, 1)
    circuit.rx(angles[2].sin(), 1)
    circuit.cx(1, 2)
    circuit.u(angles[3], 0.3, angles[0] / 3, 2)
    return circuit


def test_values_have_the_shapes_of_sets_and_observables():
    circuit, random = ansatz(), np.random.default_rng(1)
    observables = [ENERGY, SparsePauliOp("ZII"), SparsePauliOp("IYI")]
    one, many = BACKEND.compile(circuit, ENERGY), BACKEND.compile(circuit, observables)
    assert one.parameters == list(circuit.parameters)
    assert (one.shape, many.shape) == ((), (3,))
    for shape in ((), (1,), (5,), (2, 3)):
        values = random.uniform(-3, 3, (*shape, 4))
        want = np.empty((*shape, 3))
        for place in np.ndindex(shape):
            state = Statevector(circuit.assign_parameters(values[place]))
            want[place] = [state.expectation_value(observable).real for observable in observables]
        assert np.allclose(one(values), want[..., 0], rtol=0, atol=1e-12)
        assert np.shape(many(values)) == (*shape, 3)
        assert np.allclose(many(values), want, rtol=0, atol=1e-12)
    assert isinstance(one(random.uniform(size=4)), float)
    assert one(np.empty((0, 4))).shape == (0,)


def test_values_are_those_of_an_estimator_bit_by_bit():
    values = np.random.default_rng(2).uniform(-3, 3, (7, 4))
    (estimated,) = EstimatorV2(BACKEND).run([(ansatz(), ENERGY, values)]).result()
    energy = BACKEND.compile(ansatz(), ENERGY)
    assert energy(values).tolist() == estimated.data.evs.tolist()
    assert [energy(row) for row in values] == estimated.data.evs.tolist()


def test_circuits_that_are_lowered_for_each_set():
    angle = Parameter("angle")
    circuit = QuantumCircuit(1, 1)
    circuit.ry(angle, 0)
    circuit.measure(0, 0)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.ry(angle / 2, 0)
    values = np.array([[0.3], [1.4]])
    (estimated,) = EstimatorV2().run([(circuit, "Z", values)]).result()
    assert BACKEND.compile(circuit, "Z")(values).tolist() == estimated.data.evs.tolist()


def test_a_circuit_without_parameters_has_one_value():
    circuit = QuantumCircuit(1)
    circuit.x(0)
    assert BACKEND.compile(circuit, "Z")([]) == -1


def test_later_changes_of_the_circuit_have_no_effect():
    circuit, angle = QuantumCircuit(1), Parameter("angle")
    circuit.ry(angle, 0)
    energy = BACKEND.compile(circuit, "Z")
    circuit.x(0)
    circuit.ry(Parameter("another"), 0)
    assert energy([0.5]) == pytest.approx(np.cos(0.5))


def test_a_time_limit_counts_from_each_call():
    backend = BasicAer.get_backend("statevector_simulator", timeout=0.5)
    energy = backend.compile(ansatz(), ENERGY)
    values = np.random.default_rng(3).uniform(-3, 3, (2, 4))
    for _ in range(3):
        assert np.isfinite(energy(values)).all()


def test_any_number_of_threads_may_call_it():
    energy = BACKEND.compile(ansatz(), ENERGY)
    values = np.random.default_rng(4).uniform(-3, 3, (6, 8, 4))
    found = [None] * 6

    def call(number):
        found[number] = [energy(row) for row in values[number]]

    threads = [threading.Thread(target=call, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(GUARD)
    assert found == energy(values).tolist()


def test_it_can_be_submitted_and_cancelled(monkeypatch):
    began, go, real = threading.Event(), threading.Event(), NumpyBatch.expectations

    def halted(batch, masks):
        began.set()
        assert go.wait(GUARD)
        return real(batch, masks)

    monkeypatch.setattr(NumpyBatch, "expectations", halted)
    job = BACKEND.compile(ansatz(), ENERGY).submit(np.zeros((6, 4)))
    assert isinstance(job, PrimitiveJob)
    assert began.wait(GUARD)
    assert job.cancel()
    go.set()
    with pytest.raises(CancelledError):
        job.result(GUARD)


@pytest.mark.parametrize(
    ("values", "why"),
    [
        (np.zeros(3), r"has 4 parameters, and is given values of shape \(3,\)"),
        (0.5, r"values of shape \(\)"),
        (np.zeros((4, 3)), r"values of shape \(4, 3\)"),
        ([0, 1, 2, np.nan], "not finite numbers"),
        (["a", "b", "c", "d"], "must be an array of numbers"),
        ([[0, 1, 2, 3], [0, 1]], "must be an array of numbers"),
    ],
)
def test_values_that_do_not_fit_are_refused(values, why):
    with pytest.raises(BasicAerError, match=why):
        BACKEND.compile(ansatz(), ENERGY)(values)


def test_what_cannot_be_compiled_is_refused():
    with pytest.raises(BasicAerError, match=r"observables have 1 qubit, and circuit 'ansatz' has 3"):
        BACKEND.compile(ansatz(), "Z")
    with pytest.raises(BasicAerError, match="observables for circuit 'ansatz' cannot be read"):
        BACKEND.compile(ansatz(), object())
    with pytest.raises(BasicAerError, match=r"compile\(\) takes a QuantumCircuit, not 3"):
        BACKEND.compile(3, "Z")
    wide = QuantumCircuit(60)
    wide.h(range(60))
    with pytest.raises(BasicAerError, match="for 60 qubits"):
        BACKEND.compile(wide, "Z" * 60)
