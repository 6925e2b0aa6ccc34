"""States after measurements: projected however small the other part is, and never made of what is no number."""

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit.classical import expr, types

import reference
from basicaer import BasicAerError, EstimatorV2, SamplerV2
from basicaer.compile.lower import lower
from basicaer.devices.cpu.device import NumpyDevice
from basicaer.engine.execute import execute
from basicaer.engine.monitor import Monitor
from basicaer.engine.program import Segment
from basicaer.engine.request import Request
from basicaer.options import Precision
from basicaer.plan.planner import plan_segment

TINY = 1e-9  # an amplitude whose square, added to 1, leaves it 1


def nearly(outcome, n, qubit):
    """A state in which a qubit is `outcome` but for a tiny part, the others being entangled with it."""
    other = np.flatnonzero((np.arange(2**n) >> qubit & 1) != outcome)
    vector = reference.random_state(n, seed=5)
    vector[other] = 0
    vector /= np.linalg.norm(vector)
    vector[other] = TINY * np.exp(1j * np.arange(len(other))) / np.sqrt(len(other))
    return vector, other


@pytest.mark.parametrize("outcome", [0, 1])
@pytest.mark.parametrize("n", [1, 4, 12])
@pytest.mark.parametrize("how", ["at the end", "in the middle", "reset"])
@pytest.mark.parametrize("precision", ["double", "single"])
def test_nothing_is_left_of_the_other_outcome(statevector, outcome, n, how, precision):
    vector, other = nearly(outcome, n, qubit=n - 1)
    circuit = QuantumCircuit(n, 1)
    if how == "reset":
        circuit.reset(n - 1)
    else:
        circuit.measure(n - 1, 0)
    if how == "in the middle":
        with circuit.if_test((circuit.clbits[0], 1 - outcome)):
            circuit.z(0)
    options = {"initial_statevector": vector, "precision": precision, "chop_threshold": 0.0}
    state = statevector.run(circuit, **options).result().get_statevector()
    want = vector.copy()
    want[other] = 0
    want /= np.linalg.norm(want)
    if how == "reset" and outcome:
        want = want.reshape(2, -1)[::-1].reshape(-1)
        other = np.arange(2 ** (n - 1), 2**n)
    assert not state[other].any()
    assert np.allclose(state, want, rtol=0, atol=1e-6 if precision == "single" else 1e-14)


def writes_nothing(_circuit):
    pass


def measures_an_idle_qubit(circuit):
    circuit.measure(0, 0)


def stores_to_a_bit(circuit):
    circuit.store(circuit.clbits[0], expr.lift(False))  # noqa: FBT003


def measures_in_a_loop(circuit):
    with circuit.for_loop(range(2)):
        circuit.measure(0, 0)


def stores_in_a_branch(circuit):
    with circuit.if_test((circuit.clbits[1], 1)):
        circuit.store(circuit.clbits[0], expr.lift(True))  # noqa: FBT003


def stores_to_a_variable(circuit):
    circuit.add_var("v", expr.Value(3, types.Uint(4)))


WRITING = [measures_an_idle_qubit, stores_to_a_bit, measures_in_a_loop, stores_in_a_branch]


@pytest.mark.parametrize("write", WRITING)
def test_whoever_writes_bits_has_counts_and_memory(statevector, write):
    circuit = QuantumCircuit(2, 2)
    circuit.x(1)
    write(circuit)
    result = statevector.run(circuit, shots=5, memory=True).result()
    assert result.get_counts() == {"00": 5}
    assert result.get_memory() == ["00"] * 5


@pytest.mark.parametrize("write", [writes_nothing, stores_to_a_variable])
def test_whoever_writes_none_has_no_counts(statevector, write):
    circuit = QuantumCircuit(2, 2)
    circuit.x(1)
    write(circuit)
    assert "counts" not in statevector.run(circuit).result().data()


@pytest.mark.parametrize("written", [True, False], ids=["memory", "register only"])
def test_a_qobj_that_writes_memory_has_counts(statevector, written):
    bfunc = {"name": "bfunc", "mask": "0x1", "relation": "==", "val": "0x0", "register": 1}
    instructions = [{"name": "x", "qubits": [1]}, bfunc | ({"memory": 1} if written else {})]
    qobj = {
        "qobj_id": "1",
        "schema_version": "1.3.0",
        "type": "QASM",
        "header": {},
        "config": {"memory_slots": 2, "n_qubits": 2, "shots": 4},
        "experiments": [{"instructions": instructions}],
    }
    data = statevector.run(qobj).result().data()
    assert data.get("counts") == ({"0x2": 4} if written else None)


def spoilt(circuit):
    """A program one of whose gates has entries that are no numbers, which lowering never lets through."""
    program = lower(circuit)
    (segment, *rest) = program.body
    gates = list(segment.gates)
    gates[1] = gates[1]._replace(data=np.full_like(gates[1].data, np.nan))
    object.__setattr__(program, "body", (Segment(tuple(gates)), *rest))
    return program


@pytest.mark.parametrize("n", [2, 12])
@pytest.mark.parametrize("how", ["at the end", "in the middle"])
def test_a_state_that_is_no_state_names_the_gate(n, how):
    circuit = QuantumCircuit(n, n, name="spoilt")
    circuit.h(range(n))
    circuit.ry(0.3, 0)
    circuit.data.insert(1, circuit.data.pop())
    circuit.measure(range(n), range(n))
    if how == "in the middle":
        circuit.h(0)
    request = Request(spoilt(circuit), Precision.DOUBLE, shots=10, seed=1)
    with pytest.raises(BasicAerError, match="circuit 'spoilt' has become unusable, since gate 'ry' has entries that"):
        execute(request, NumpyDevice(), plan_segment, Monitor())


def test_a_returned_state_that_is_no_state_names_the_gate(statevector, monkeypatch):
    circuit = QuantumCircuit(2, name="spoilt")
    circuit.h(0)
    circuit.ry(0.3, 1)
    monkeypatch.setattr("basicaer.compile.bound_circuits.lower_cached", lambda *_args, **_keys: spoilt(circuit))
    with pytest.raises(BasicAerError, match="circuit 'spoilt' has become unusable, since gate 'ry' has entries that"):
        statevector.run(circuit).result()


@pytest.mark.parametrize("angles", [(0.1, 1e308, 1e308), (1.0, 0.5, float("inf")), (float("nan"), 0.0, 0.0)])
def test_angles_that_make_no_numbers_are_refused_by_the_gates_name(qasm, angles):
    circuit = QuantumCircuit(1, 1)
    circuit.u(*angles, 0)
    with pytest.raises(BasicAerError, match=r"Gate 'u' has parameters .* not all finite, or too large"):
        qasm.run(circuit)
    controlled = QuantumCircuit(2)
    controlled.cu(*angles, 0.0, 0, 1)
    with pytest.raises(BasicAerError, match=r"Gate 'cu' has parameters .* not all finite, or too large"):
        qasm.run(controlled)


@pytest.mark.parametrize("length", [1e154, 1e200, 1e300])
def test_long_rotation_vectors_are_rotations(statevector, length):
    circuit = QuantumCircuit(1)
    circuit.rv(length, length / 2, 0, 0)
    assert np.linalg.norm(statevector.run(circuit).result().get_statevector()) == pytest.approx(1)


def test_rotation_vectors_may_be_parameters_of_many_sets():
    from qiskit.circuit import ParameterVector

    vector = ParameterVector("v", 3)
    circuit = QuantumCircuit(1)
    circuit.rv(*vector, 0)
    rows = [[0.3, 0.2, -1.0], [0.0, 0.0, 0.0], [1.0, 2.0, 3.0]]
    evs = EstimatorV2().run([(circuit, "Z", rows)]).result()[0].data.evs
    for row, value in zip(rows, evs, strict=True):
        state = reference_state(row)
        assert value == pytest.approx(abs(state[0]) ** 2 - abs(state[1]) ** 2)


def reference_state(row):
    from qiskit.quantum_info import Statevector

    circuit = QuantumCircuit(1)
    circuit.rv(*row, 0)
    return Statevector(circuit).data


def test_sets_whose_angles_overflow_are_refused():
    from qiskit.circuit import Parameter

    p = Parameter("p")
    circuit = QuantumCircuit(1)
    circuit.u(0.1, p, p, 0)
    circuit.measure_all()
    with pytest.raises(BasicAerError, match=r"Gate 'u' has parameters .* not all finite, or too large"):
        SamplerV2().run([(circuit, [[1e308], [0.1]])])
