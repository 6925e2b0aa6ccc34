"""Operations beyond the gate table: each as Qiskit itself understands it, none silently skipped."""

import warnings

import numpy as np
import pytest
from qiskit import QuantumCircuit, transpile
from qiskit.circuit import (
    AnnotatedOperation,
    ControlModifier,
    Gate,
    Instruction,
    InverseModifier,
    Operation,
    PowerModifier,
    library,
)
from qiskit.quantum_info import (
    Operator,
    Pauli,
    SparsePauliOp,
    Statevector,
    random_clifford,
    random_unitary,
)
from qiskit.synthesis import LieTrotter, MatrixExponential, SuzukiTrotter

import reference
from basicaer.compile.lower import lower
from basicaer.compile.modifiers import power
from basicaer.compile.paulis import pauli_rotation
from basicaer.engine.program import Form, Prepare, Reset, Segment
from basicaer.errors import BasicAerError
from plan_checks import matrix_of, random_gates

PHASES = np.exp(1j * np.arange(16) ** 2)
OPERATIONS = {
    "unitary": library.UnitaryGate(random_unitary(8, seed=1)),
    "unitary, controlled": library.UnitaryGate(random_unitary(4, seed=2)).control(2, ctrl_state=1, annotated=False),
    "diagonal": library.DiagonalGate(list(PHASES)),
    "permutation": library.PermutationGate([3, 0, 2, 4, 1]),
    "pauli": library.PauliGate("XIYZ"),
    "global phase, controlled": library.GlobalPhaseGate(0.4).control(2, annotated=False),
    "mcx, many controls": library.MCXGate(6, ctrl_state=37),
    "mcx with clean ancillas": None,
    "mcx with dirty ancillas": None,
    "mcphase": library.MCPhaseGate(0.3, 5),
    "mcmt": library.MCMTGate(library.ZGate(), 2, 3),
    "mcmt, open": library.MCMTGate(library.RYGate(0.3), 2, 2, ctrl_state=1),
    "qft": library.QFTGate(4),
    "qft, controlled": library.QFTGate(3).control(2, annotated=False),
    "qft, annotated": library.QFTGate(3).control(2, annotated=True),
    "annotated": AnnotatedOperation(
        library.QFTGate(2), [ControlModifier(1, 0), PowerModifier(-3), ControlModifier(2, 1), InverseModifier()]
    ),
    "annotated, power": AnnotatedOperation(library.RXGate(0.3), [PowerModifier(0.5), ControlModifier(1)]),
    "annotated, power 0": AnnotatedOperation(library.SXGate(), [PowerModifier(0)]),
    "annotated clifford": AnnotatedOperation(random_clifford(2, seed=5), [ControlModifier(1)]),
    "inverse": library.iSwapGate().inverse(annotated=True),
    "dcx, inverse": AnnotatedOperation(library.DCXGate(), [InverseModifier()]),
    "clifford": random_clifford(4, seed=3),
    "linear function": library.LinearFunction([[1, 1, 0], [0, 1, 1], [0, 0, 1]]),
    "hamiltonian": library.HamiltonianGate(np.diag([1.0, 2.0, 3.0, 4.0]) + 0.5, 0.3),
    "uniformly controlled ry": library.UCRYGate([0.1, 0.2, 0.3, 0.4]),
    "uniformly controlled": library.UCGate([random_unitary(2, seed=i).data for i in range(4)]),
    "isometry": library.Isometry(random_unitary(4, seed=9).data, 0, 0),
    "state preparation": library.StatePreparation([0.6, 0, 0, 0.8j]),
    "r": library.RVGate(0.3, -0.4, 0.5),
    "rv 0": library.RVGate(0, 0, 0),
    "ms": library.MSGate(3, 0.4),
    "half adder": library.HalfAdderGate(2),
    "and": library.AndGate(3, [1, -1, 1]),
    "controlled definition with a phase": None,
    "pauli evolution": library.PauliEvolutionGate(SparsePauliOp(["XYZ", "IZZ", "III"], [0.3, -0.5, 0.2]), time=0.7),
    "pauli evolution, wide": library.PauliEvolutionGate(SparsePauliOp("XYZZYXZ"), time=0.4),
    "pauli evolution, suzuki": library.PauliEvolutionGate(
        SparsePauliOp(["XX", "ZI", "IY"]), time=0.7, synthesis=SuzukiTrotter(order=4, reps=2)
    ),
    "pauli evolution, exact": library.PauliEvolutionGate(
        SparsePauliOp(["XX", "ZI"]), time=0.7, synthesis=MatrixExponential()
    ),
    "pauli evolution of a list": library.PauliEvolutionGate(
        [SparsePauliOp(["XX", "YY"]), SparsePauliOp("ZI")], time=0.2, synthesis=LieTrotter(reps=3)
    ),
}
with warnings.catch_warnings(action="ignore"):  # deprecated, and in old circuits all the same
    OPERATIONS["mcx with clean ancillas"] = library.MCXVChain(4)
    OPERATIONS["mcx with dirty ancillas"] = library.MCXVChain(4, dirty_ancillas=True)
with_phase = QuantumCircuit(2, global_phase=0.7)
with_phase.h(0)
with_phase.cx(0, 1)
OPERATIONS["controlled definition with a phase"] = with_phase.to_gate().control(2, ctrl_state=2, annotated=False)
if hasattr(library, "PauliProductRotationGate"):
    OPERATIONS["pauli product rotation"] = library.PauliProductRotationGate(Pauli("-XIYZ"), 0.6)


def in_a_circuit(operation, seed=0):
    """A state without symmetries, then the operation on shuffled qubits; ancillas of a chain stay |0>."""
    n = operation.num_qubits + 1
    qubits = [int(q) for q in np.random.default_rng(seed).permutation(n)][: operation.num_qubits]
    circuit = QuantumCircuit(n)
    ancillas = {qubits[i] for i in range(5, operation.num_qubits)} if type(operation) is library.MCXVChain else set()
    for q in set(range(n)) - ancillas:
        circuit.ry(0.3 + 0.2 * q, q)
        circuit.p(0.5 * q, q)
    circuit.append(operation, qubits)
    return circuit


def as_synthesised(circuit):
    """With a Pauli evolution as its definition, which is what is run; its `to_matrix` may be the exact exponential."""
    return circuit.decompose("PauliEvolution")


@pytest.mark.parametrize("name", OPERATIONS)
def test_operation_is_what_qiskit_says(statevector, name):
    circuit = in_a_circuit(OPERATIONS[name])
    want = Statevector(as_synthesised(circuit)).data
    assert np.allclose(statevector.run(circuit).result().get_statevector(), want, atol=1e-10)


def test_a_pauli_rotation_of_few_letters_is_one_diagonal_between_basis_changes():
    circuit = QuantumCircuit(4)
    circuit.append(library.PauliEvolutionGate(SparsePauliOp("XZYX"), time=0.3), range(4))
    (segment,) = lower(circuit).body
    assert [len(gate.targets) for gate in segment.gates] == [1, 1, 1, 4, 1, 1, 1]


@pytest.mark.parametrize("letters", ["X", "ZX", "XZ", "YIX", "IZY", "XYZXYZ", "XYZXYZX", "III"])
def test_pauli_rotation_is_the_exponential(letters):
    from scipy.linalg import expm

    n = len(letters)
    matrix = Pauli(letters[::-1]).to_matrix()
    want = expm(-0.35j * matrix) @ reference.random_state(n)
    got = reference.random_state(n)
    for gate in pauli_rotation(letters, range(n), 0.7):
        data = np.diag(gate.data) if gate.form is Form.DIAGONAL else gate.data
        data = np.eye(2)[gate.data] if gate.form is Form.PERMUTATION else data
        got = reference.apply(got, data, gate.targets, gate.controls, gate.control_state)
    assert np.allclose(got, want)


def test_pauli_product_measurement_is_its_definition(qasm):
    if not hasattr(library, "PauliProductMeasurement"):
        pytest.skip("this Qiskit has no PauliProductMeasurement")
    circuit = QuantumCircuit(2, 3)
    circuit.h(0)
    circuit.cx(0, 1)
    for bit, label in enumerate(("XX", "-ZZ", "YY")):  # a Bell state's own: +1, -1 negated, -1
        circuit.append(library.PauliProductMeasurement(Pauli(label)), [0, 1], [bit])
    assert qasm.run(circuit, shots=20).result().get_counts() == {"110": 20}


@pytest.mark.parametrize(
    "given", [[0.6, 0, 0, 0.8j], "+1", "r0", 2, Statevector([0, 0.6, 0.8, 0])], ids=["vector", "+1", "r0", "2", "state"]
)
def test_initialize_in_every_form(statevector, given):
    circuit = QuantumCircuit(3)
    circuit.h(1)
    circuit.initialize(given, [2, 0])
    want = Statevector(circuit).data
    assert np.allclose(statevector.run(circuit).result().get_statevector(), want)


def test_initialize_at_the_start_needs_no_reset():
    circuit = QuantumCircuit(3)
    circuit.h(0)
    circuit.initialize([0.6, 0.8], 1)
    circuit.reset(2)
    body = lower(circuit).body
    assert not [operation for operation in body if isinstance(operation, Reset)]
    assert [operation.qubits for operation in body if isinstance(operation, Prepare)] == [(1,)]


def test_given_initial_state_makes_resets_necessary():
    circuit = QuantumCircuit(1)
    circuit.reset(0)
    assert lower(circuit, keep_idle=True).body == (Reset(0),)


def test_initialize_inside_a_body_resets():
    circuit = QuantumCircuit(1, 1)
    with circuit.for_loop(range(2)):
        circuit.initialize([0.6, 0.8], 0)
    assert [type(operation) for operation in lower(circuit).body[0].bodies[0]] == [Reset, Prepare]


def test_set_statevector_by_name(statevector):
    class SetStatevector(Instruction):
        def __init__(self, vector):
            super().__init__("set_statevector", 3, 0, [vector])

        def validate_parameter(self, parameter):
            return parameter

    vector = reference.random_state(3)
    circuit = QuantumCircuit(3, 1, global_phase=1)
    circuit.h(0)
    circuit.append(library.GlobalPhaseGate(0.3), [])
    with circuit.if_test((circuit.clbits[0], 0)):
        circuit.append(library.GlobalPhaseGate(0.2), [])
    circuit.append(SetStatevector(vector), range(3))
    circuit.x(1)
    want = reference.apply(vector, np.array([[0, 1], [1, 0]]), (1,)) * np.exp(1j)
    assert np.allclose(statevector.run(circuit).result().get_statevector(), want)
    measured = QuantumCircuit(3, 1)
    measured.measure(0, 0)
    measured.append(SetStatevector(vector), range(3))
    assert not lower(measured).final, "what is measured before the state is replaced cannot wait"
    for bad in (2 * vector, np.full(8, np.nan), ["x"] * 8, vector.reshape(2, 4), vector[:4]):
        circuit = QuantumCircuit(3)
        circuit.append(SetStatevector(bad), range(3))
        with pytest.raises(BasicAerError, match=r"set_statevector.*amplitudes of norm 1"):
            statevector.run(circuit)
    wrong = QuantumCircuit(3)
    wrong.append(SetStatevector(vector), [1, 0, 2])
    with pytest.raises(BasicAerError, match=r"set_statevector.*all qubits in order.*2\*\*3"):
        statevector.run(wrong)


def test_global_phase_of_circuits_gates_and_bodies(statevector):
    circuit = QuantumCircuit(1, 1, global_phase=0.4)
    circuit.append(library.GlobalPhaseGate(0.2), [])
    with circuit.if_test((circuit.clbits[0], 0)):
        circuit.append(library.GlobalPhaseGate(0.1), [])
    assert np.allclose(statevector.run(circuit).result().get_statevector(), [np.exp(0.7j), 0])


def test_circuit_without_qubits(statevector):
    assert np.allclose(statevector.run(QuantumCircuit(global_phase=0.5)).result().get_statevector(), [np.exp(0.5j)])


def test_a_gate_that_only_borrows_a_name_goes_by_its_definition(statevector):
    """Names are no identity: a user's own gate called 'h' that flips is a flip."""

    class Mine(Gate):
        def __init__(self, name):
            super().__init__(name, 1, [])

        def _define(self):
            self.definition = QuantumCircuit(1)
            self.definition.x(0)

    for name in ("h", "id", "measure", "unitary", "barrier", "set_statevector"):
        circuit = QuantumCircuit(1)
        circuit.append(Mine(name), [0])
        assert np.allclose(statevector.run(circuit).result().get_statevector(), [0, 1]), name


def test_matrix_is_used_where_there_is_no_definition(statevector):
    class Matrix(Gate):
        def __init__(self, matrix):
            super().__init__("mine", 2, [])
            self._matrix = matrix

        def __array__(self, dtype=None, copy=None):
            return self._matrix

    matrix = reference.random_unitary(4)
    circuit = QuantumCircuit(2)
    circuit.append(Matrix(matrix), [1, 0])
    want = reference.apply(reference.zero(2), matrix, (1, 0))
    assert np.allclose(statevector.run(circuit).result().get_statevector(), want)
    circuit.append(Matrix(2 * matrix), [1, 0])
    with pytest.raises(BasicAerError, match="Unknown instruction 'mine' on 2 qubits"):
        statevector.run(circuit)


@pytest.mark.parametrize("made", [np.eye(4), np.full((2, 2), np.nan), "no numbers", [1, [2]]], ids=str)
def test_a_matrix_that_fits_no_gate_is_not_used(statevector, made):
    class Odd(Gate):
        def __init__(self):
            super().__init__("odd", 1, [])

        def to_matrix(self):
            return made

    circuit = QuantumCircuit(1)
    circuit.append(Odd(), [0])
    with pytest.raises(BasicAerError, match="Unknown instruction 'odd'"):
        statevector.run(circuit)


def test_a_matrix_is_taken_without_asking_for_a_definition(statevector, monkeypatch):
    """Qiskit synthesises a unitary's definition, which takes longer than to apply the matrix."""
    monkeypatch.setattr(library.UnitaryGate, "_define", None)
    circuit = QuantumCircuit(2)
    circuit.unitary(reference.random_unitary(4), [1, 0])
    want = reference.apply(reference.zero(2), reference.random_unitary(4), (1, 0))
    assert np.allclose(statevector.run(circuit).result().get_statevector(), want)


def test_a_unitary_that_is_none_is_said(statevector):
    circuit = QuantumCircuit(1, name="bad")
    for off, fine in ((1.0, False), (1e-4, False), (np.nan, False), (4e-6, True)):  # Qiskit's own tolerance is 1e-5
        circuit.clear()
        circuit.append(library.UnitaryGate(np.diag([1 + off, 1]), check_input=False), [0])
        if fine:
            assert statevector.run(circuit).result().success
            continue
        with pytest.raises(BasicAerError, match=r"The matrix of 'unitary' \(circuit 'bad'\) is not unitary"):
            statevector.run(circuit)


def test_definitions_nested_too_deeply_are_said(statevector):
    class Endless(Gate):
        def __init__(self):
            super().__init__("endless", 1, [])

        def _define(self):
            self.definition = QuantumCircuit(1)
            self.definition.append(Endless(), [0])

    circuit = QuantumCircuit(1)
    circuit.append(Endless(), [0])
    with pytest.raises(BasicAerError, match="are nested too deeply"):
        statevector.run(circuit)


def test_unknown_instruction_is_named_with_its_place(qasm):
    inner = QuantumCircuit(2, name="inner")
    inner.append(Instruction("mystery", 2, 0, []), [0, 1])
    circuit = QuantumCircuit(2, 1, name="outer")
    circuit.measure(0, 0)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.append(inner.to_instruction(), [0, 1])
    with pytest.raises(
        BasicAerError, match=r"Unknown instruction 'mystery' on 2 qubits.*'outer', in if_else, in inner"
    ):
        qasm.run(circuit)


@pytest.mark.parametrize("name", ["superop", "kraus", "roerror"])
def test_errors_in_a_circuit_that_are_none_are_refused(qasm, name):
    circuit = QuantumCircuit(1, 1, name="noisy")
    circuit.append(Instruction(name, 1, 1, [np.eye(3)]), [0], [0])
    with pytest.raises(BasicAerError, match=rf"'{name}' \(circuit 'noisy'\) "):
        qasm.run(circuit)


def test_unknown_operation_without_definition_is_named(qasm):
    class Odd(Operation):
        name = "odd"
        num_qubits = 1
        num_clbits = 0

    circuit = QuantumCircuit(1)
    circuit.append(Odd(), [0])
    with pytest.raises(BasicAerError, match="Unknown instruction 'odd'"):
        qasm.run(circuit)


def test_break_outside_of_a_loop_is_said(qasm):
    from qiskit.circuit import BreakLoopOp

    circuit = QuantumCircuit(1, 1)
    circuit.append(BreakLoopOp(1, 0), [0])
    with pytest.raises(BasicAerError, match="break_loop stands outside of any loop"):
        qasm.run(circuit)


def test_unbound_parameters_are_named(qasm):
    from qiskit.circuit import Parameter

    circuit = QuantumCircuit(1, name="open")
    circuit.rx(Parameter("beta"), 0)
    circuit.rz(Parameter("alpha"), 0)
    with pytest.raises(BasicAerError, match=r"circuit 'open': 'alpha', 'beta'; bind them"):
        qasm.run(circuit)


def test_idle_qubits_cost_nothing(qasm, statevector):
    circuit = QuantumCircuit(127, 127)
    for q in (3, 50, 90, 126):
        circuit.x(q)
    circuit.barrier()
    circuit.delay(10, 7)
    circuit.id(8)
    circuit.reset(9)
    circuit.measure(range(127), range(127))
    result = qasm.run(circuit, shots=5).result()
    assert result.results[0].metadata["simulated_qubits"] == 4
    want = "".join("1" if q in (3, 50, 90, 126) else "0" for q in reversed(range(127)))
    assert result.get_counts() == {want: 5}

    small = QuantumCircuit(4)
    small.h(3)
    small.cx(3, 1)
    result = statevector.run(small).result()
    assert result.results[0].metadata["simulated_qubits"] == 2
    assert np.allclose(result.get_statevector(), Statevector(small).data)


def test_a_qubit_idle_in_every_body_is_idle(qasm):
    circuit = QuantumCircuit(30, 1)
    with circuit.for_loop(range(2)):
        circuit.h(29)
        circuit.measure(29, 0)
        with circuit.if_test((circuit.clbits[0], 1)):
            circuit.x(28)
            circuit.barrier(range(30))
    assert qasm.run(circuit).result().results[0].metadata["simulated_qubits"] == 2


SPLIT = {  # goes by its definition here too, or is one of too many open control states to list
    "mcx with clean ancillas",
    "mcx with dirty ancillas",
    "mcx, many controls",
    "qft, controlled",
    "ms",
    "half adder",
    "and",
    "controlled definition with a phase",
}


@pytest.mark.filterwarnings("ignore::scipy.sparse.SparseEfficiencyWarning")  # from Qiskit's own exponential
@pytest.mark.parametrize("level", [0, 3])
@pytest.mark.parametrize("name", sorted(OPERATIONS.keys() - SPLIT))
def test_transpile_leaves_whole_what_is_taken_whole(qasm, name, level):
    circuit = QuantumCircuit(OPERATIONS[name].num_qubits)
    circuit.append(OPERATIONS[name], range(circuit.num_qubits))
    done = transpile(circuit, qasm, optimization_level=level)
    assert done.num_qubits == circuit.num_qubits
    assert done.size() <= 1, done.count_ops()


@pytest.mark.parametrize("level", range(4))
def test_transpile_does_not_widen_and_does_not_change_outcomes(qasm, unitary, level):
    circuit = QuantumCircuit(3)
    circuit.h(0)
    circuit.cry(0.4, 0, 2, ctrl_state=0)
    circuit.append(library.MCXGate(2), [2, 0, 1])
    circuit.append(random_clifford(3, seed=1), range(3))
    done = transpile(circuit, qasm, optimization_level=level)
    assert done.num_qubits == 3
    got = unitary.run(done).result().get_unitary()
    assert Operator(got).equiv(Operator(circuit.decompose("clifford")))


def test_segments_hold_all_gates_between_measurements():
    circuit = QuantumCircuit(2, 1)
    circuit.h(0)
    circuit.barrier()
    circuit.cx(0, 1)
    circuit.measure(0, 0)
    circuit.h(0)
    assert [len(op.gates) for op in lower(circuit).body if isinstance(op, Segment)] == [2, 1]


def wide_unitary(n):
    """A permutation with phases, as a matrix."""
    random = np.random.default_rng(n)
    matrix = np.zeros((2**n, 2**n), complex)
    matrix[random.permutation(2**n), np.arange(2**n)] = np.exp(1j * random.uniform(0, 6, 2**n))
    return matrix


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda matrix: matrix.__setitem__((3, slice(None)), 0), id="a row of zeros"),
        pytest.param(lambda matrix: matrix.__imul__(1.001), id="all too large"),
        pytest.param(lambda matrix: matrix.__setitem__((slice(None), 5), matrix[:, 4]), id="two columns alike"),
        pytest.param(lambda matrix: matrix.__setitem__((1, 1), 0.01), id="an entry too much"),
        pytest.param(lambda matrix: matrix.__setitem__((1, 1), np.nan), id="no number"),
    ],
)
def test_wide_matrices_that_are_not_unitary_are_refused(damage):
    gate = library.UnitaryGate(wide_unitary(9))
    circuit = QuantumCircuit(9)
    circuit.append(gate, range(9))
    assert len(lower(circuit).body[0].gates) == 1
    damage(gate.params[0])
    circuit = QuantumCircuit(9)
    circuit.append(gate, range(9))
    with pytest.raises(BasicAerError, match="not unitary"):
        lower(circuit)


@pytest.mark.parametrize(
    ("name", "width"), [("measure", 2), ("measure", 1), ("measure_2", 1), ("measure_reset_free", 3)]
)
@pytest.mark.parametrize("idle", [False, True])
def test_instructions_named_like_measurements_measure(qasm, name, width, idle):
    circuit = QuantumCircuit(width, width)
    if not idle:
        circuit.x(range(0, width, 2))
    circuit.append(Instruction(name, width, width, []), range(width), range(width))
    want = "".join("1" if not idle and q % 2 == 0 else "0" for q in reversed(range(width)))
    assert qasm.run(circuit, shots=7).result().get_counts() == {want: 7}
    assert lower(circuit).state_qubits == (0 if idle else len(range(0, width, 2)))


@pytest.mark.parametrize("kind", ["gate", "instruction", "measuring"])
@pytest.mark.parametrize("name", ["save_state", "save_expval", "measure_all_of_it"])
def test_what_is_made_of_something_is_no_save_or_measurement_whatever_its_name(qasm, kind, name):
    inner = QuantumCircuit(1, 1, name=name) if kind == "measuring" else QuantumCircuit(1, name=name)
    inner.x(0)
    if kind == "measuring":
        inner.measure(0, 0)
    circuit = QuantumCircuit(1, 1)
    made = inner.to_gate() if kind == "gate" else inner.to_instruction()
    circuit.append(made, [0], [0] if kind == "measuring" else [])
    circuit.measure(0, 0)
    assert qasm.run(circuit, shots=7).result().get_counts() == {"1": 7}


@pytest.mark.parametrize("seed", range(20))
def test_a_square_root_taken_twice_is_the_sequence(seed):
    """For gates of every form with controls of any state, on qubits in any order."""
    random = np.random.default_rng(seed)
    gates = random_gates(random, 4, 12)
    qubits = tuple(random.permutation(4).tolist())
    (root,) = power(gates, 0.5, qubits, "a sequence", lambda: None)
    vector = reference.random_state(4)
    want = vector
    for gate in gates:
        want = reference.apply(want, matrix_of(gate.form, gate.data), gate.targets, gate.controls, gate.control_state)
    once = reference.apply(vector, root.data, root.targets)
    assert np.allclose(reference.apply(once, root.data, root.targets), want, rtol=0, atol=1e-12)
