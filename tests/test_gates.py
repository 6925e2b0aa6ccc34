"""Every gate of the table, on every order of qubits, with and without further controls."""

import functools

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.quantum_info import Operator

import reference
from basicaer import BasicAer
from basicaer.compile.gates import BY_CLASS, BY_NAME, GATES
from basicaer.compile.lower import lower
from basicaer.engine.program import Form, Phase
from basicaer.errors import BasicAerError
from basicaer.options import Precision

ANGLES = (0.3, -1.1, 2.7, 0.9)
LIBRARY = [record for record in GATES if record.gate_class is not None]


def gate_of(record, **keys):
    if record.controls is None:  # any number of controls: three are enough here
        angles = ANGLES[: record.parameters]
        return record.gate_class(*angles, 3, **keys)
    return record.gate_class(*ANGLES[: record.parameters], **keys)


def matrix_of(record, data=None):
    """The table's own numbers, or others of the same form, as a matrix without controls."""
    data = record.data(ANGLES[: record.parameters]) if data is None else data
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
def test_target_actions_say_how_the_gate_acts(record):
    """Z: commutes with Z there; X: commutes with X there; and no gate is called G that is one of these."""
    matrix = matrix_of(record)
    k = len(record.target_actions)
    assert matrix.shape == (2**k, 2**k)
    assert np.allclose(matrix.conj().T @ matrix, np.eye(2**k))
    for target, action in enumerate(record.target_actions):
        commutes = {}
        for letter, pauli in {"Z": np.diag([1, -1]), "X": np.array([[0, 1], [1, 0]])}.items():
            whole = np.kron(np.kron(np.eye(2 ** (k - 1 - target)), pauli), np.eye(2**target))
            commutes[letter] = np.allclose(whole @ matrix, matrix @ whole)
        assert action in {letter for letter, yes in commutes.items() if yes} or (
            action == "G" and not any(commutes.values())
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
@pytest.mark.parametrize("precision", [Precision.DOUBLE], ids=str)
def test_gate_under_two_more_controls(record, control_state, final_state, tolerance):
    """One precision is enough: the device contract has controlled gates of every form in both."""
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


PARAMETERIZED = [record for record in LIBRARY if record.angles]


def many_of(record, angles):
    """Gates of a kind, each with its own angles and followed by others, so that none is merged into the next."""
    n = gate_of(record).num_qubits + 1
    circuit = QuantumCircuit(n)
    for number, own in enumerate(angles):
        gate = record.gate_class(*own, 3) if record.controls is None else record.gate_class(*own)
        circuit.append(gate, [(number + q) % n for q in range(gate.num_qubits)])
        circuit.h(number % n)
    return circuit


@pytest.mark.parametrize("record", PARAMETERIZED, ids=lambda record: record.name)
def test_gates_of_a_kind_have_the_numbers_that_each_has_by_itself(record):
    """Numbers are made one by one for a few gates, together for many, and in all sets at once for parameters."""
    angles = np.random.default_rng(len(record.name)).uniform(-4, 4, (20, record.parameters))
    want = Operator(many_of(record, angles)).data
    few, many = (many_of(record, angles[:count]) for count in (3, 20))
    of_few, of_many = ([gate for one in lower(c).body for gate in getattr(one, "gates", ())] for c in (few, many))
    for one, other in zip(of_few, of_many, strict=False):
        assert (one.name, one.targets, one.controls) == (other.name, other.targets, other.controls)
        assert np.allclose(one.data, other.data, rtol=0, atol=1e-15)
    vector = ParameterVector("angles", angles.size)
    compiled = many_of(record, np.array(vector).reshape(angles.shape))
    simulator = BasicAer.get_backend("unitary_simulator")
    (alone,) = [simulator.run(many).result().get_unitary()]
    sets = [dict(zip(vector, own.flat, strict=True)) for own in (angles + 0.5, angles)]
    bound = simulator.run([compiled], parameter_binds=[{p: [one[p] for one in sets] for p in vector}]).result()
    assert np.allclose(alone, want, rtol=0, atol=1e-12)
    assert np.allclose(bound.get_unitary(1), want, rtol=0, atol=1e-12)


def test_the_gate_with_a_number_that_is_not_finite_is_named_among_many():
    circuit = QuantumCircuit(1)
    for angle in (*range(30), float("inf"), *range(30)):
        circuit.rx(float(angle), 0)
    with pytest.raises(BasicAerError, match=r"Gate 'rx' has parameters \[inf\], which are not all finite"):
        lower(circuit)
    circuit = QuantumCircuit(1)
    for angle in range(20):
        circuit.u(0, *((1.7e308, 1.7e308) if angle == 7 else (-1.7e308, 0)), 0)
    with pytest.raises(BasicAerError, match=r"Gate 'u' has parameters \[0.*, 1.7e\+308, 1.7e\+308\], which"):
        lower(circuit)


CONTROLLED = [r for r in LIBRARY if r.controls != 0]


@pytest.mark.parametrize("record", CONTROLLED, ids=lambda record: record.name)
def test_every_control_state(record, final_state, tolerance):
    controls = record.controls or 3
    matrix = matrix_of(record)
    n = controls + len(record.target_actions)
    vector = reference.random_state(n)
    for state in range(2**controls):
        circuit = QuantumCircuit(n)
        circuit.append(gate_of(record, ctrl_state=state), range(n))
        want = reference.apply(vector, matrix, range(controls, n), range(controls), state)
        assert np.allclose(final_state(circuit, vector), want, atol=tolerance), state


def angles_of(record):
    """Sets of angles of a gate: random ones, zeros, and nearly zero."""
    random = np.random.default_rng(len(record.name))
    sets = [*random.normal(scale=3, size=(4, record.parameters)), np.zeros(record.parameters)]
    return [angles.tolist() for angles in (*sets, sets[0] * 1e-9)] if record.parameters else [[]]


@pytest.mark.parametrize("record", GATES, ids=lambda record: record.name)
def test_a_gate_and_its_inverse_undo_each_other(record):
    controls = range(3 if record.controls is None else record.controls)
    targets = range(len(controls), len(controls) + len(record.target_actions))
    vector = reference.random_state(len(controls) + len(targets))
    for angles in angles_of(record):
        gate, inverse = matrix_of(record, record.data(angles)), matrix_of(record, record.inverse(angles))
        for first, second in ((gate, inverse), (inverse, gate)):
            moved = reference.apply(vector, first, targets, controls)
            assert np.allclose(reference.apply(moved, second, targets, controls), vector, rtol=0, atol=1e-14)


# Of a central difference of order 8: the weights of the values at 1, 2, 3 and 4 steps (Fornberg 1988, table 1).
WEIGHTS = (4 / 5, -1 / 5, 4 / 105, -1 / 280)
STEP = 0.02


@pytest.mark.parametrize("record", [r for r in GATES if r.parameters], ids=lambda record: record.name)
def test_generators_are_those_of_the_derivatives_by_each_angle(record):
    """The whole gate with its controls, for which Qiskit's matrix is taken where it has one, is differentiated."""
    controls = range(3 if record.controls is None else record.controls)
    targets = range(len(controls), len(controls) + len(record.target_actions))
    vector = reference.random_state(len(controls) + len(targets))

    def moved(angles):
        if record.gate_class is None:
            return reference.apply(vector, matrix_of(record, record.data(angles)), targets, controls)
        gate = record.gate_class(*angles, *([len(controls)] if record.controls is None else []))
        return reference.apply(vector, Operator(gate).data, range(gate.num_qubits))

    for angles in angles_of(record):
        generators = record.generators(angles)
        assert len(generators) == record.parameters
        for place, generator in enumerate(generators):
            want = 0
            for number, weight in enumerate(WEIGHTS, 1):
                for sign in (1, -1):
                    shifted = [*angles[:place], angles[place] + sign * number * STEP, *angles[place + 1 :]]
                    want = want + sign * weight / STEP * moved(shifted)
            assert generator.shape == record.data(angles).shape
            matrix = matrix_of(record, generator)
            assert np.allclose(matrix, -matrix.conj().T, rtol=0, atol=1e-14)
            # Where a control is off, the reference leaves amplitudes as they are; the derivative there is zero.
            unmoved = reference.apply(moved(angles), np.zeros_like(matrix), targets, controls)
            got = reference.apply(moved(angles), matrix, targets, controls) - unmoved
            assert np.allclose(got, want, rtol=0, atol=1e-12)


def test_table_names_are_unique_and_cover_qiskits_standard_gates():
    from qiskit.circuit.library import get_standard_gate_name_mapping

    assert len(BY_NAME) == len(GATES)
    assert len(BY_CLASS) == len(LIBRARY)
    for name, gate in get_standard_gate_name_mapping().items():
        if name not in {"delay", "measure", "reset"}:
            assert gate.base_class in BY_CLASS, name


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("p", [np.inf]), ("u", [-1.7e308, 1.7e308, 1.7e308]), ("rv", [1.7e308, -1.7e308, 0.0])],
)
def test_parameters_that_are_too_large_are_refused_by_the_gates_name(name, parameters):
    with pytest.raises(BasicAerError, match=f"Gate '{name}' has parameters .* not all finite, or too large to add"):
        BY_NAME[name].data(parameters)


def test_constant_numbers_cannot_be_changed_by_accident():
    with pytest.raises(ValueError, match="read-only"):
        BY_NAME["h"].data()[0, 0] = 2
