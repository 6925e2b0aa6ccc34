"""Circuits of one structure run together, with the outcomes that each has by itself."""

import numpy as np
import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Parameter
from qiskit.circuit.library import PermutationGate, UnitaryGate

from basicaer import BasicAerError
from basicaer.compile.lower import lower
from basicaer.engine.together import common_structure
from basicaer.library import save_statevector
from basicaer.simulators import experiments, running
from conftest import DEVICES
from qobjs import experiment, instruction, measure, qobj_of

SHOTS = 300


@pytest.fixture(params=DEVICES)
def on_device(request, monkeypatch):
    """Run everything on one device."""
    device = DEVICES[request.param]()
    for module in (experiments, running):
        monkeypatch.setattr(module, "choose_device", lambda *_, **__: (device, "a test wants it"))


@pytest.fixture
def evolved(monkeypatch):
    """The names of the circuits that were evolved together, one list for each time."""
    seen = []
    real = running.evolve_programs

    def evolving(programs, *args, **keys):
        seen.append([program.name for program in programs])
        return real(programs, *args, **keys)

    monkeypatch.setattr(running, "evolve_programs", evolving)
    return seen


def every_kind(number, *, first=0.0):
    """Gates of every form on some qubits of more, with angles of their own; two registers, a qubit that is idle."""
    random = np.random.default_rng(number)
    a, b, c = random.uniform(-3, 3, 3).tolist()
    circuit = QuantumCircuit(
        QuantumRegister(5, "q"), ClassicalRegister(3, "c"), ClassicalRegister(2, "d"), name=f"circuit {number}"
    )
    circuit.global_phase = a
    circuit.h([0, 2, 3])
    circuit.ry(first, 0)  # by 0 too
    circuit.rz(a, 2)
    circuit.cx(0, 2)
    circuit.u(a, b, c, 3)
    circuit.rzz(b, 0, 3)
    circuit.swap(2, 3)
    circuit.append(UnitaryGate(np.linalg.qr(random.normal(size=(4, 4)) + 1j * random.normal(size=(4, 4)))[0]), [3, 0])
    circuit.crx(c, 3, 0, ctrl_state=0)
    circuit.ccx(0, 2, 3)
    circuit.cp(b, 2, 0)
    circuit.measure([3, 1, 0, 2], [4, 0, 2, 1])
    return circuit


def other(number):
    circuit = QuantumCircuit(2, 2, name=f"other {number}")
    circuit.ry(0.3 * number, 0)
    circuit.cx(0, 1)
    circuit.measure([0, 1], [1, 0])
    return circuit


def seeds_of(result):
    return [one.seed_simulator for one in result.results]


@pytest.mark.usefixtures("on_device")
@pytest.mark.parametrize("memory", [False, True])
@pytest.mark.parametrize("precision", ["double", "single"])
@pytest.mark.parametrize("shots", [5, SHOTS])
def test_each_has_the_outcomes_that_it_has_by_itself(qasm, evolved, memory, precision, shots):
    circuits = [make(number) for number in range(5) for make in (every_kind, other)]
    options = {"shots": shots, "memory": memory, "precision": precision}
    result = qasm.run(circuits, seed_simulator=11, **options).result()
    assert evolved == [[f"{kind} {number}" for number in range(5)] for kind in ("circuit", "other")]
    assert [one.name for one in result.results] == [circuit.name for circuit in circuits]
    evolved.clear()
    for circuit, seed in zip(circuits, seeds_of(result), strict=True):
        alone = qasm.run(circuit, seed_simulator=seed, **options).result()
        assert alone.get_counts() == result.get_counts(circuit.name)
        if memory:
            assert alone.get_memory() == result.get_memory(circuit.name)
    assert not evolved


@pytest.mark.usefixtures("on_device")
@pytest.mark.parametrize("shots", [1, 5, SHOTS])
def test_circuits_of_the_same_gates_are_each_measured_in_their_own_way(qasm, evolved, shots):
    """The same outcome of three qubits is another value of the classical bits for each way of measuring."""
    ways = ([0, 1, 2], [2, 0, 1], [1, 2], [0], [2, 3, 1])
    circuits = []
    for number, slots in enumerate(ways):
        circuit = QuantumCircuit(3, 4, name=f"way {number}")
        circuit.x(1)
        circuit.rz(0.1 * number, 0)
        circuit.measure(range(len(slots)), slots)
        circuits.append(circuit)
    counts = qasm.run(circuits, shots=shots).result().get_counts()
    assert [len(names) for names in evolved] == [len(ways)]
    assert counts == [{f"{2 ** slots[1] if slots[1:] else 0:04b}": shots} for slots in ways]


@pytest.mark.usefixtures("on_device", "even_draws")
def test_parameter_sets_run_together(qasm, evolved):
    p = Parameter("p")
    circuit = QuantumCircuit(1)
    circuit.ry(p, 0)
    circuit.measure_all()
    angles = np.linspace(0, np.pi, 7)
    result = qasm.run(circuit, parameter_binds=[{p: angles.tolist()}], shots=1000).result()
    assert [len(names) for names in evolved] == [7]
    ones = [counts.get("1", 0) / 1000 for counts in result.get_counts()]
    assert np.allclose(ones, np.sin(angles / 2) ** 2, rtol=0, atol=2e-3)


def test_experiments_of_a_qobj_run_with_those_of_as_many_shots(qasm, evolved):
    made = [
        experiment(instruction("ry", 0, params=[0.5 * number]), measure(0, 0), config={"shots": 10 + number % 2})
        for number in range(9)
    ]
    result = qasm.run(qobj_of(*made)).result()
    assert [len(names) for names in evolved] == [5, 4]
    assert [sum(counts.values()) for counts in result.get_counts()] == [10 + number % 2 for number in range(9)]


def turned(layers):
    circuit = QuantumCircuit(10, name=f"{layers} layers")
    for _ in range(layers):
        circuit.ry(0.1, range(10))
    circuit.measure_all()
    return circuit


def test_large_circuits_run_by_themselves(qasm, evolved):
    qasm.run([turned(600)] * 4, shots=1).result()
    assert not evolved


def test_a_few_run_in_their_order(qasm, evolved):
    qasm.run([other(0), every_kind(0), other(1), other(2)], shots=9).result()
    assert not evolved


def test_as_many_run_together_as_take_a_tenth_of_a_second(qasm, evolved):
    qasm.run([turned(20)] * 30, shots=1).result()
    assert [len(names) for names in evolved] == [27, 3]  # of 200 gates, 18 us each


def changed(change, circuit=None):
    circuit = circuit or QuantumCircuit(3, 3)
    circuit.h([0, 1])
    change(circuit)
    circuit.measure([0, 1, 2], [0, 1, 2])
    return common_structure(lower(circuit))


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda c: c.measure(0, 0) and c.x(0), id="measurement"),
        pytest.param(lambda c: c.reset(0), id="reset"),
        pytest.param(lambda c: c.initialize([0, 1], 2), id="preparation"),
        pytest.param(save_statevector, id="save"),
        pytest.param(lambda c: c.if_test((c.clbits[0], 0), QuantumCircuit(1), [0], []), id="control flow"),
    ],
)
def test_what_has_to_run_by_itself(change):
    assert changed(change) is None


@pytest.mark.parametrize(
    ("one", "another"),
    [
        pytest.param(lambda c: c.rx(0.1, 0), lambda c: c.rx(0.1, 1), id="targets"),
        pytest.param(lambda c: c.rx(0.1, 0), lambda c: c.rz(0.1, 0), id="form"),
        pytest.param(lambda c: c.cx(0, 1), lambda c: c.cx(0, 1, ctrl_state=0), id="control state"),
        pytest.param(lambda c: c.crx(1, 0, 1), lambda c: c.crx(1, 2, 1), id="controls"),
        pytest.param(lambda c: c.rx(0.1, 0), lambda c: (c.rx(0.1, 0), c.rx(0.1, 0)), id="number"),
        pytest.param(
            lambda c: c.append(PermutationGate([1, 2, 0]), [0, 1, 2]),
            lambda c: c.append(PermutationGate([2, 0, 1]), [0, 1, 2]),
            id="permutation",
        ),
    ],
)
def test_what_does_not_run_together(one, another):
    assert changed(one) != changed(another)
    assert changed(one) == changed(one)


def test_a_state_without_a_norm_is_named_and_those_before_it_are_kept(qasm, evolved, monkeypatch):
    real = running.evolve_programs

    def evolved_badly(*args, **keys):
        batch = real(*args, **keys)
        batch._states[2] = np.nan
        return batch

    monkeypatch.setattr(running, "evolve_programs", evolved_badly)
    job = qasm.run([other(number) for number in range(5)], shots=9)
    with pytest.raises(BasicAerError, match=r"state of circuit 'other 2' has become unusable"):
        job.result()
    assert [one.name for one in job.partial_result().results] == ["other 0", "other 1"]
    assert len(evolved) == 1
