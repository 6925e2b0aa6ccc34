"""Every gate of the table, on every order of qubits, with and without further controls."""

import functools

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.quantum_info import Operator

import reference
from basicaer.compile.gates import BY_CLASS, BY_NAME, GATES
from basicaer.compile.lower import lower
from basicaer.engine.program import Form, Phase

ANGLES = (0.3, -1.1, 2.7, 0.9)
LIBRARY = [record for record in GATES if record.gate_class is not None]


def gate_of(record, **keys):
    if record.controls is None:  # any number of controls: three are enough here
        angles = ANGLES[: record.parameters]
        return record.gate_class(*angles, 3, **keys)
    return record.gate_class(*ANGLES[: record.parameters], **keys)


def matrix_of(record):
    """The table's own numbers as a matrix, without controls."""
    data = record.data(ANGLES[: record.parameters])
    if record.form is Form.DIAGONAL:
        return np.diag(data)
    if record.form is Form.PERMUTATION:
        matrix = np.zeros((len(data), len(data)))
        matrix[data, np.arange(len(data))] = 1
        return matrix
    return data


@pytest.fixture
def final_state(device, precision, run):
    """Run a circuit of gates on a device, from a given vector."""
    return functools.partial(evolved, device, precision, run)


def evolved(device, precision, run, circuit, vector):
    program = lower(circuit, keep_idle=True)
    state = device.new_state(circuit.num_qubits, precision)
    state.load(vector)
    phase = 1
    for operation in program.body:
        if isinstance(operation, Phase):
            phase *= operation.factor
        else:
            run(state, operation.gates)
    return phase * state.amplitudes()


@pytest.mark.parametrize("record", GATES, ids=lambda record: record.name)
def test_kinds_say_how_the_gate_acts(record):
    """Z: commutes with Z there; X: commutes with X there; and no gate is called G that is one of these."""
    matrix = matrix_of(record)
    k = len(record.kinds)
    assert matrix.shape == (2**k, 2**k)
    assert np.allclose(matrix.conj().T @ matrix, np.eye(2**k))
    for target, kind in enumerate(record.kinds):
        commutes = {}
        for letter, pauli in {"Z": np.diag([1, -1]), "X": np.array([[0, 1], [1, 0]])}.items():
            whole = np.kron(np.kron(np.eye(2 ** (k - 1 - target)), pauli), np.eye(2**target))
            commutes[letter] = np.allclose(whole @ matrix, matrix @ whole)
        assert kind in {letter for letter, yes in commutes.items() if yes} or (
            kind == "G" and not any(commutes.values())
        )


@pytest.mark.parametrize("record", LIBRARY, ids=lambda record: record.name)
def test_gate_is_qiskits_gate_on_every_order_of_qubits(record, final_state, tolerance):
    gate = gate_of(record)
    n = gate.num_qubits + (1 if gate.num_qubits < 4 else 0)
    vector = reference.random_state(n)
    matrix = Operator(gate).data
    for qubits in reference.orders(n, gate.num_qubits):
        circuit = QuantumCircuit(n)
        circuit.append(gate, qubits)
        want = reference.apply(vector, matrix, qubits)
        assert np.allclose(final_state(circuit, vector), want, atol=tolerance), qubits


@pytest.mark.parametrize("record", LIBRARY, ids=lambda record: record.name)
@pytest.mark.parametrize("control_state", range(4))
def test_gate_under_two_more_controls(record, control_state, final_state, tolerance):
    gate = gate_of(record)
    if gate.num_qubits > 3:
        gate = record.gate_class(*ANGLES[: record.parameters], *([1] if record.controls is None else []))
    n = gate.num_qubits + 2
    matrix = Operator(gate).data
    vector = reference.random_state(n, seed=control_state)
    qubits = list(np.random.default_rng(control_state).permutation(n))
    circuit = QuantumCircuit(n)
    circuit.append(gate.control(2, ctrl_state=control_state, annotated=False), [int(q) for q in qubits])
    want = reference.apply(vector, matrix, qubits[2:], qubits[:2], control_state)
    assert np.allclose(final_state(circuit, vector), want, atol=tolerance)


CONTROLLED = [r for r in LIBRARY if r.controls != 0]


@pytest.mark.parametrize("record", CONTROLLED, ids=lambda record: record.name)
def test_every_control_state(record, final_state, tolerance):
    controls = record.controls or 3
    matrix = matrix_of(record)
    n = controls + len(record.kinds)
    vector = reference.random_state(n)
    for state in range(2**controls):
        circuit = QuantumCircuit(n)
        circuit.append(gate_of(record, ctrl_state=state), range(n))
        want = reference.apply(vector, matrix, range(controls, n), range(controls), state)
        assert np.allclose(final_state(circuit, vector), want, atol=tolerance), state


def test_table_names_are_unique_and_cover_qiskits_standard_gates():
    from qiskit.circuit.library import get_standard_gate_name_mapping

    assert len(BY_NAME) == len(GATES)
    assert len(BY_CLASS) == len(LIBRARY)
    for name, gate in get_standard_gate_name_mapping().items():
        if name not in {"delay", "measure", "reset"}:
            assert gate.base_class in BY_CLASS, name


def test_constant_numbers_cannot_be_changed_by_accident():
    with pytest.raises(ValueError, match="read-only"):
        BY_NAME["h"].data()[0, 0] = 2
