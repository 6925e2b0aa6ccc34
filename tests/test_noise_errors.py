"""Every error against superoperators of Qiskit, what can be done with errors, and every mistake in making one."""

import copy
import pickle
from math import exp, sqrt

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Measure, Parameter, Reset
from qiskit.circuit.library import (
    CXGate,
    HGate,
    IGate,
    MCPhaseGate,
    PauliGate,
    PermutationGate,
    RXGate,
    UGate,
    UnitaryGate,
    XGate,
)
from qiskit.quantum_info import Clifford, Kraus, Operator, Pauli, SuperOp, average_gate_fidelity

import superoperators
from basicaer.compile.noise_model import read_model
from basicaer.errors import BasicAerError
from basicaer.noise import (
    PauliError,
    PauliLindbladError,
    QuantumError,
    ReadoutError,
    amplitude_damping_error,
    coherent_unitary_error,
    depolarizing_error,
    kraus_error,
    mixed_unitary_error,
    pauli_error,
    phase_amplitude_damping_error,
    phase_damping_error,
    reset_error,
    thermal_relaxation_error,
)
from reference import random_unitary

ONE, LOWER, RAISE = np.eye(2), np.array([[0, 1], [0, 0]]), np.array([[0, 0], [1, 0]])
FIRST, SECOND, WIDE = random_unitary(2, 1), random_unitary(2, 2), random_unitary(4, 3)
OPERATORS = superoperators.random_kraus(2, 3, 5)


def superoperator(matrices):
    return SuperOp(Kraus([np.array(matrix, complex) for matrix in matrices])).data


def relaxed(t1, t2, time, ones):
    """The superoperator of relaxation, from the populations and the coherence that are left (columns stacked)."""
    stay, coherence = exp(-time / t1), exp(-time / t2)
    matrix = np.diag([ones + (1 - ones), coherence, coherence, 0]).astype(complex)
    matrix[0, 0], matrix[3, 0] = 1 - ones * (1 - stay), ones * (1 - stay)
    matrix[0, 3], matrix[3, 3] = (1 - ones) * (1 - stay), 1 - (1 - ones) * (1 - stay)
    return matrix


def depolarized(p, n):
    size = 2**n
    mixed = np.eye(size).ravel()
    return (1 - p) * np.eye(size**2) + p / size * np.outer(mixed, mixed)


def damped(a, b, ones):
    rest = sqrt(1 - a - b)
    down = [np.diag([1, rest]), sqrt(a) * LOWER, np.diag([0, sqrt(b)])]
    up = [np.diag([rest, 1]), sqrt(a) * RAISE, np.diag([sqrt(b), 0])]
    return superoperator([*(sqrt(1 - ones) * one for one in down), *(sqrt(ones) * one for one in up)])


CONSTRUCTED = {
    "depolarizing, 1 qubit": (depolarizing_error(0.3, 1), depolarized(0.3, 1)),
    "depolarizing, 2 qubits": (depolarizing_error(0.3, 2), depolarized(0.3, 2)),
    "depolarizing, all": (depolarizing_error(4 / 3, 1), depolarized(4 / 3, 1)),
    "pauli": (
        pauli_error([("X", 0.1), (Pauli("Y"), 0.2), ("I", 0.7)]),
        superoperator([sqrt(0.1) * Pauli("X").to_matrix(), sqrt(0.2) * Pauli("Y").to_matrix(), sqrt(0.7) * ONE]),
    ),
    "pauli, 2 qubits": (
        pauli_error([("XY", 0.25), ("-ZI", 0.75)]),
        superoperator([sqrt(0.25) * Pauli("XY").to_matrix(), sqrt(0.75) * Pauli("ZI").to_matrix()]),
    ),
    "reset": (
        reset_error(0.1, 0.3),
        superoperator(
            [sqrt(0.6) * ONE]
            + [sqrt(0.1) * one for one in (np.diag([1, 0]), LOWER)]
            + [sqrt(0.3) * one for one in (np.diag([0, 1]), RAISE)]
        ),
    ),
    "relaxation, short T2": (thermal_relaxation_error(50, 30, 7, 0.2), relaxed(50, 30, 7, 0.2)),
    "relaxation, T2 = T1": (thermal_relaxation_error(50, 50, 7), relaxed(50, 50, 7, 0)),
    "relaxation, long T2": (thermal_relaxation_error(50, 80, 7, 0.2), relaxed(50, 80, 7, 0.2)),
    "relaxation, T2 = 2 T1": (thermal_relaxation_error(50, 100, 7), relaxed(50, 100, 7, 0)),
    "relaxation, only dephasing": (thermal_relaxation_error(np.inf, 80, 7), relaxed(np.inf, 80, 7, 0)),
    "relaxation, none": (thermal_relaxation_error(np.inf, np.inf, 7), np.eye(4)),
    "amplitude damping": (amplitude_damping_error(0.3), damped(0.3, 0, 0)),
    "amplitude damping, excited": (amplitude_damping_error(0.3, 0.2), damped(0.3, 0, 0.2)),
    "phase damping": (phase_damping_error(0.3), damped(0, 0.3, 0)),
    "both": (phase_amplitude_damping_error(0.3, 0.2, 0.4), damped(0.3, 0.2, 0.4)),
    "both, as written": (phase_amplitude_damping_error(0.3, 0.2, 0.4, canonical_kraus=False), damped(0.3, 0.2, 0.4)),
    "coherent": (coherent_unitary_error(WIDE), superoperator([WIDE])),
    "mixed unitary": (
        mixed_unitary_error([(FIRST, 0.2), (ONE, 0.5), (SECOND, 0.3)]),
        superoperator([sqrt(0.2) * FIRST, sqrt(0.5) * ONE, sqrt(0.3) * SECOND]),
    ),
    "kraus": (kraus_error(OPERATORS), superoperator(OPERATORS)),
    "kraus, canonical": (kraus_error(list(OPERATORS), canonical_kraus=True), superoperator(OPERATORS)),
    "Pauli error": (
        PauliError(["XY", "II", "XY"], [0.1, 0.8, 0.1]),
        superoperator([sqrt(0.2) * Pauli("XY").to_matrix(), sqrt(0.8) * np.eye(4)]),
    ),
    "Pauli-Lindblad error": (
        PauliLindbladError(["XY", "IZ"], [0.1, 0.2]),
        np.linalg.multi_dot(
            [
                (1 - p) * np.eye(16) + p * superoperator([Pauli(label).to_matrix()])
                for label, p in (("XY", (1 - exp(-0.2)) / 2), ("IZ", (1 - exp(-0.4)) / 2))
            ]
        ),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CONSTRUCTED)
def test_an_error_is_the_channel_of_its_formula(name):
    error, want = CONSTRUCTED[name]
    n = error.num_qubits
    assert want.shape == (4**n, 4**n)
    assert np.abs(SuperOp(error).data - want).max() < 1e-12
    entry = error.to_dict()
    assert np.abs(superoperators.of_entry(entry, n) - want).max() < 1e-12
    channels = read_model({"errors": [{**entry, "operations": ["x"]}]}).after("x", tuple(range(n)))
    assert np.abs(superoperators.of_channels(channels, n) - want).max() < 1e-12
    assert error.ideal() == np.allclose(want, np.eye(4**n))
    assert error == QuantumError([(SuperOp(want), 1.0)])
    assert type(error).from_dict(entry) == error
    for copied in (copy.deepcopy(error), pickle.loads(pickle.dumps(error))):  # noqa: S301  # our own
        assert copied == error
        assert copied.id == error.id


def test_the_probabilities_of_a_mixture_are_those_of_the_formula():
    assert depolarizing_error(0.3, 1).probabilities == pytest.approx([1 - 0.225, 0.075, 0.075, 0.075])
    reset = 1 - exp(-7 / 50)
    flip = (1 - reset) * (1 - exp(-7 * (1 / 30 - 1 / 50))) / 2
    want = [1 - reset - flip, flip, reset * 0.8, reset * 0.2]
    assert thermal_relaxation_error(50, 30, 7, 0.2).probabilities == pytest.approx(want)
    weak = thermal_relaxation_error(1e6, 1e6, 1e-9)  # no digits are lost
    assert weak.probabilities[1] == pytest.approx(1e-15, rel=1e-12)


CIRCUIT = QuantumCircuit(2)
CIRCUIT.h(1)
CIRCUIT.barrier()
CIRCUIT.reset(0)
CIRCUIT.append(CXGate(ctrl_state=0), [1, 0])
UNUSED = QuantumCircuit(2)
UNUSED.x(0)


@pytest.mark.parametrize(
    "made",
    [
        XGate(), RXGate(0.3), CXGate(), CXGate(ctrl_state=0), HGate().control(2, annotated=False),
        PauliGate("XZ"), Pauli("Y"), Pauli("-XZ"),
        UnitaryGate(WIDE), Operator(WIDE), Reset(), PermutationGate([1, 2, 0]), CIRCUIT, UNUSED, QuantumCircuit(2),
        Kraus(list(OPERATORS)), SuperOp(superoperator(OPERATORS)), Kraus([FIRST]).to_instruction(),
        SuperOp(superoperator(OPERATORS)).to_instruction(), Clifford(CXGate()), depolarizing_error(0.1, 2),
        depolarizing_error(0.1, 2).to_instruction(), UNUSED.to_instruction(), CIRCUIT.to_instruction(),
    ],
    ids=lambda made: type(made).__name__,
)  # fmt: skip
def test_an_error_may_be_made_of_anything_that_acts_on_qubits(made):
    want = SuperOp(made).data
    for error in (QuantumError(made), QuantumError([(made, 1.0)])):
        assert np.allclose(error.to_quantumchannel().data, want)
        assert np.allclose(superoperators.of_entry(error.to_dict(), error.num_qubits), want)


@pytest.mark.parametrize(
    ("name", "params", "want"),
    [
        ("CX", [], CXGate()),
        ("U", [0.1, 0.2, 0.3], UGate(0.1, 0.2, 0.3)),
        ("mcphase", [0.3], MCPhaseGate(0.3, 2)),
        ("rx", [0.3], RXGate(0.3)),
        ("superop", [superoperator(OPERATORS)], SuperOp(superoperator(OPERATORS))),
    ],
)
def test_any_instruction_of_a_dictionary_can_be_shown_as_a_circuit(name, params, want):
    instruction = {"name": name, "qubits": list(range(want.num_qubits)), "params": params}
    error = QuantumError.from_dict({"type": "qerror", "instructions": [[instruction]], "probabilities": [1.0]})
    assert SuperOp(error) == SuperOp(want)


def test_instructions_may_be_given_with_their_qubits():
    listed = [(XGate(), [1]), (CXGate(), [1, 0]), (Reset(), [2])]
    circuit = QuantumCircuit(3)
    circuit.x(1)
    circuit.cx(1, 0)
    circuit.reset(2)
    want = 0.25 * SuperOp(circuit).data + 0.75 * np.eye(64)
    for rest in (IGate(), (IGate(), [2])):
        error = QuantumError([(listed, 0.25), (rest, 0.75)])
        assert np.allclose(SuperOp(error).data, want)
    assert QuantumError((XGate(), [1])).num_qubits == 2


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (reset_error(0.1, 0.2), coherent_unitary_error(FIRST)),
        (kraus_error(OPERATORS), mixed_unitary_error([(WIDE, 0.5), (np.eye(4), 0.5)])),
        (PauliError(["X", "I"], [0.1, 0.9]), PauliError(["Z", "Y"], [0.4, 0.6])),
        (PauliError(["XY", "IZ"], [0.1, 0.9]), PauliError(["ZX", "YI"], [0.4, 0.6])),
        (PauliLindbladError(["XY", "IZ"], [0.1, 0.2]), PauliLindbladError(["XY", "ZZ"], [0.3, 0.2])),
    ],
    ids=["different", "two qubits", "Paulis", "Paulis on two qubits", "generators"],
)
def test_errors_are_composed_as_superoperators(first, second):
    a, b = SuperOp(first), SuperOp(second)
    assert SuperOp(first.compose(second)) == a.compose(b) == SuperOp(first & second)
    assert SuperOp(first.dot(second)) == a.dot(b) == SuperOp(first @ second)
    assert SuperOp(first.compose(second, front=True)) == a.compose(b, front=True)
    assert SuperOp(first.tensor(second)) == a.tensor(b) == SuperOp(first ^ second)
    assert SuperOp(first.expand(second)) == a.expand(b)
    assert SuperOp(first.power(3)) == a.power(3) == SuperOp(first**3)
    wide = first.tensor(first)
    n = first.num_qubits
    qubits = list(range(n, 2 * n))[::-1]
    assert SuperOp(wide.compose(second, qargs=qubits)) == SuperOp(wide).compose(b, qargs=qubits)
    assert type(first.compose(second)) is type(first)


@pytest.mark.parametrize(
    ("error", "size"),
    [
        (depolarizing_error(0.1, 2), 16),
        (PauliError(["XY", "ZI", "II"], [0.1, 0.2, 0.7]), 4),
        (reset_error(0.1, 0.2), 3),
        (amplitude_damping_error(0.1), 1),
        (coherent_unitary_error(FIRST).compose(reset_error(0.1)).compose(depolarizing_error(0.1, 1)), None),
        (QuantumError(IGate()), 1),
    ],
    ids=["depolarizing", "Paulis", "reset", "Kraus", "mixed", "nothing"],
)
def test_powers_have_no_more_terms_than_needed(error, size):
    power = error.power(3)
    assert SuperOp(power) == SuperOp(error).power(3)
    assert size is None or power.size == size


def test_a_pauli_lindblad_error_has_powers_and_an_inverse():
    error = PauliLindbladError(["XX", "ZI", "XX", "II"], [0.1, 0.2, 0.3, 0.4])
    assert error.power(0.5).compose(error.power(0.5)) == error
    assert error.compose(error.inverse()).simplify().ideal()
    assert not error.inverse().is_cptp()
    assert sorted(error.simplify().generators.to_labels()) == ["XX", "ZI"]
    assert error.simplify() == error
    assert SuperOp(error.to_pauli_error()) == SuperOp(error)


@pytest.mark.parametrize("made", [PauliError, PauliLindbladError])
def test_a_wider_error_may_come_second(made):
    narrow, wide = made(["X", "Y"], [0.1, 0.9]), made(["XZ", "IY"], [0.3, 0.7])
    want = SuperOp(np.eye(16)).compose(SuperOp(narrow), qargs=[0]).compose(SuperOp(wide))
    assert SuperOp(narrow.compose(wide)) == want == SuperOp(QuantumError(narrow).compose(wide))


def test_a_pauli_error_is_simplified():
    error = PauliError(["XX", "II", "XX", "ZZ"], [0.1, 0.5, 0.4, 0.0])
    assert error.simplify().size == 2
    assert error.simplify() == error
    assert error != PauliError(["XX", "II"], [0.4, 0.6])
    assert PauliError(["XX", "II"], [-0.1, 1.1]).is_tp()
    assert not PauliError(["XX", "II"], [-0.1, 1.1]).is_cptp()
    assert not PauliError(["XX"], [0.5]).is_cptp()
    assert PauliError(["-II", "XX"], [1.0, 0.0]).ideal()
    assert repr(PauliError(["-XY"], [1.0])) == "PauliError(['XY'], [1.0])"


def test_the_terms_of_an_error_can_be_looked_at():
    error = QuantumError([(XGate(), 0.25), (CIRCUIT, 0.75), (IGate(), 0)])
    assert (error.size, error.num_qubits) == (2, 2)
    circuit, probability = error.error_term(1)
    assert probability == 0.75
    assert SuperOp(circuit) == SuperOp(CIRCUIT) == SuperOp(error.circuits[1])
    assert repr(error) == "<QuantumError on 2 qubits, 2 terms>"
    assert str(pauli_error([("XI", 0.25), ("II", 0.75)])) == (
        "QuantumError on 2 qubits:\n  0.25: pauli XI on 0, 1\n  0.75: pauli II on 0, 1"
    )
    assert str(depolarizing_error(0.1, 3)).endswith("  and 44 terms more")


def test_an_error_can_be_appended_to_a_circuit():
    circuit, other = QuantumCircuit(2), QuantumCircuit(2)
    circuit.append(amplitude_damping_error(0.3), [1])
    other.append(amplitude_damping_error(0.4), [1])
    [one] = circuit.data
    assert one.operation.name == "quantum_channel"
    assert SuperOp(circuit) == SuperOp(np.eye(16)).compose(SuperOp(amplitude_damping_error(0.3)), [1])
    assert circuit == copy.deepcopy(circuit)
    assert circuit != other
    assert SuperOp(circuit.decompose()) == SuperOp(circuit)


def test_an_error_has_the_fidelity_of_its_channel():
    assert average_gate_fidelity(SuperOp(depolarizing_error(0.3, 2))) == pytest.approx(1 - 0.3 * 3 / 4)


READOUT = [[0.9, 0.1], [0.3, 0.7]]
OTHER = [[0.6, 0.4], [0.2, 0.8]]


def test_readout_errors_are_composed_in_the_order_of_the_words():
    first, second = ReadoutError(READOUT), ReadoutError(OTHER)
    chance = sum(READOUT[0][k] * OTHER[k][1] for k in range(2))
    assert first.compose(second).probabilities[0, 1] == pytest.approx(chance)
    assert second.dot(first) == first.compose(second) == second.compose(first, front=True)
    assert first.power(2) == first.compose(first) == first**2
    wide = first.tensor(second)
    assert wide.probabilities[1, 2] == pytest.approx(READOUT[0][1] * OTHER[1][0])
    assert first.expand(second) == second ^ first
    assert (wide.num_qubits, wide.number_of_qubits) == (2, 2)
    assert ReadoutError(np.eye(4)).ideal()
    assert not first.ideal()


def test_a_readout_error_has_the_layout_of_aer():
    error = ReadoutError(READOUT)
    assert error.to_dict() == {"type": "roerror", "operations": ["measure"], "probabilities": READOUT}
    assert ReadoutError.from_dict(error.to_dict()) == error
    assert repr(error) == f"ReadoutError({READOUT})"
    instruction = error.to_instruction()
    assert (instruction.name, instruction.num_qubits, instruction.num_clbits) == ("roerror", 0, 1)
    assert np.allclose(instruction.params, READOUT)
    error.probabilities[0, 0] = 0
    assert error.probabilities[0, 0] == 0.9


def test_the_dictionary_of_an_error_is_a_copy():
    error = pauli_error([("X", 0.5), ("I", 0.5)])
    given = error.to_dict()
    given["instructions"][0][0]["name"] = "y"
    given["probabilities"][0] = 7
    assert error.to_dict()["instructions"][0][0]["name"] == "x"
    assert error.probabilities == [0.5, 0.5]


MEASURED = QuantumCircuit(1, 1)
MEASURED.measure(0, 0)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: depolarizing_error(1.4, 1), "param of depolarizing_error must be a number from 0 to 1.33333, not 1.4"),
        (lambda: depolarizing_error(-0.1, 1), "param of depolarizing_error must be a number from 0"),
        (lambda: depolarizing_error("a", 1), "not 'a'"),
        (lambda: depolarizing_error(float("nan"), 1), "not nan"),
        (lambda: depolarizing_error(0.1, 0), "num_qubits of depolarizing_error must be a number from 1 to 10, not 0"),
        (lambda: depolarizing_error(0.1, 1.5), "not 1.5"),
        (lambda: pauli_error([]), "pauli_error needs at least one pair"),
        (lambda: pauli_error([("X", 0.5), ("XX", 0.5)]), "Paulis on different numbers of qubits"),
        (lambda: pauli_error([("A", 1)]), "pauli_error has something that is not a Pauli"),
        (lambda: pauli_error([("X", 0.5)]), "The quantum error has probabilities that sum to 0.5; they must sum to 1."),
        (lambda: pauli_error([("X", 1.5), ("I", -0.5)]), "has the probability -0.5, which must not be negative"),
        (lambda: pauli_error(3), "pauli_error needs a list of pairs"),
        (lambda: reset_error(0.6, 0.6), "sum to 1.2; they must sum to at most 1"),
        (lambda: reset_error(1.1), "prob0 of reset_error must be a number from 0 to 1, not 1.1"),
        (lambda: reset_error(0, -1), "prob1 of reset_error"),
        (lambda: thermal_relaxation_error(0, 1, 1), "t1 of thermal_relaxation_error must be a number greater than 0"),
        (lambda: thermal_relaxation_error(1, -1, 1), "must be a number greater than 0, not -1"),
        (lambda: thermal_relaxation_error(1, 3, 1), "which is more than twice t1, 1"),
        (lambda: thermal_relaxation_error(1, 1, -1), "time of thermal_relaxation_error must be a number"),
        (lambda: thermal_relaxation_error(1, 1, 1, 2), "excited_state_population of thermal_relaxation_error must be"),
        (lambda: phase_amplitude_damping_error(0.6, 0.6), "param_amp and param_phase of phase_amplitude_damping"),
        (lambda: amplitude_damping_error(-0.1), "param_amp of phase_amplitude_damping_error must be a number"),
        (lambda: phase_damping_error(1.1), "param_phase of phase_amplitude_damping_error must be a number"),
        (lambda: amplitude_damping_error(0.1, 1.1), "excited_state_population of phase_amplitude"),
        (lambda: coherent_unitary_error(np.ones((2, 2))), "coherent_unitary_error has a matrix that is not unitary"),
        (lambda: coherent_unitary_error(np.eye(3)), "coherent_unitary_error has a matrix of the shape (3, 3)"),
        (lambda: coherent_unitary_error(3), "has a matrix 3, which must be rows of finite numbers"),
        (lambda: kraus_error(3), "kraus_error needs a list of matrices"),
        (lambda: kraus_error([[[np.nan, 0], [0, 1]]]), "has a matrix [[nan, 0], [0, 1]], which must be rows of finite"),
        (lambda: depolarizing_error(0.1, 40), "num_qubits of depolarizing_error must be a number from 1 to 10, not 40"),
        (lambda: thermal_relaxation_error(None, 1, 1), "must be a number greater than 0, not None"),
        (lambda: PauliLindbladError(["X"], [np.nan]), "A PauliLindbladError has rates [nan], which must be finite"),
        (lambda: PauliError(["X"], [np.inf]), "A PauliError has probabilities [inf], which must be finite"),
        (lambda: reset_error(0.1).compose(reset_error(0.1), qargs=1), "and qargs is [1]; give as many"),
        (lambda: reset_error(0.1).error_term("a"), "so there is no term 'a'"),
        (lambda: QuantumError([([(XGate(), [True])], 1.0)]), "An error cannot consist of"),
        (lambda: mixed_unitary_error([(np.eye(2), 0.5), (np.eye(4), 0.5)]), "matrices of different sizes"),
        (lambda: mixed_unitary_error([]), "mixed_unitary_error needs at least one pair"),
        (lambda: kraus_error([]), "kraus_error needs a list of matrices, and at least one"),
        (lambda: kraus_error([ONE, np.eye(4)]), "kraus_error has matrices of different sizes"),
        (lambda: kraus_error([[[1]]]), "kraus_error has a matrix of the shape (1, 1)"),
        (lambda: kraus_error([0.5 * ONE]), "The quantum error has Kraus operators that do not preserve the trace"),
        (lambda: QuantumError([]), "must have a term whose probability is not 0"),
        (lambda: QuantumError(3), "A quantum error cannot be made of 3; give pairs"),
        (lambda: QuantumError([(XGate(), "a")]), "give pairs of an operation and its probability"),
        (lambda: QuantumError([("x", 1.0)]), "An error cannot consist of 'x'"),
        (lambda: QuantumError([([("x", [0])], 1.0)]), "An error cannot contain 'x'"),
        (lambda: QuantumError([([(XGate(), 0)], 1.0)]), "An error cannot consist of"),
        (lambda: QuantumError([([(XGate(), [-1])], 1.0)]), "An error cannot consist of"),
        (lambda: QuantumError([([(CXGate(), [1, 1])], 1.0)]), "has 'cx' on the qubits (1, 1), which must differ"),
        (lambda: QuantumError(RXGate(Parameter("a"))), "An error has 'rx' with the parameters [Parameter(a)]"),
        (lambda: QuantumError(MEASURED), "has classical bits; remove them"),
        (lambda: QuantumError(Measure()), "An error cannot contain 'measure', which has classical bits"),
        (lambda: QuantumError([([(XGate(), [0, 1])], 1.0)]), "'x', which acts on 1 qubit, on the qubits [0, 1]"),
        (lambda: QuantumError(Operator(np.ones((2, 2)))), "which is neither unitary nor a channel"),
        (lambda: QuantumError(SuperOp(-np.eye(4))), "is not completely positive"),
        (lambda: QuantumError(SuperOp(0.5 * np.eye(4))), "do not preserve the trace"),
        (lambda: QuantumError.from_dict(ReadoutError(READOUT).to_dict()), "is not the dictionary of a quantum error"),
        (lambda: QuantumError.from_dict(3), "3 is not the dictionary of a quantum error"),
        (lambda: PauliError.from_dict(reset_error(0.1).to_dict()), "is given as a PauliError, so each term"),
        (lambda: PauliError.from_dict({}), "is not the dictionary of a PauliError, whose 'type' is 'qerror'"),
        (lambda: PauliLindbladError.from_dict({}), "is not the dictionary of a PauliLindbladError"),
        (lambda: PauliError(["X"], [0.5, 0.5]), "A PauliError has 1 Pauli and probabilities of the shape (2,)"),
        (lambda: PauliError(["A"], [1]), "A PauliError cannot be made of ['A']"),
        (lambda: PauliLindbladError(["X"], [[1]]), "A PauliLindbladError has 1 Pauli and rates of the shape (1, 1)"),
        (lambda: PauliLindbladError(["X"], [-1]).to_quantum_error(), "has the probability"),
        (lambda: PauliError(["X"], [1]).compose(XGate()), "is not a PauliError; convert it with to_quantum_error()"),
        (lambda: reset_error(0.1).compose(depolarizing_error(0.1, 2), qargs=[0, 1]), "give as many"),
        (lambda: reset_error(0.1).power(0), "must be a whole number from 1 on, not 0"),
        (lambda: reset_error(0.1).error_term(7), "has 2 terms, so there is no term 7"),
        (lambda: ReadoutError([[0.5, 0.6], [0, 1]]), "The readout error has probabilities in row 0 that sum"),
        (lambda: ReadoutError([[1.1, -0.1], [0, 1]]), "has the probability -0.1, which must not be negative"),
        (lambda: ReadoutError(np.eye(3)), "of the shape (3, 3)"),
        (lambda: ReadoutError("a"), "has probabilities 'a', which must be rows of finite real numbers"),
        (lambda: ReadoutError([]), "has probabilities [], which must be rows of finite real numbers"),
        (lambda: ReadoutError([[np.nan, 1], [0, 1]]), "[[nan, 1], [0, 1]], which must be rows of finite real numbers"),
        (lambda: ReadoutError(READOUT).compose(np.eye(4)), "of 1 qubit cannot be composed with one of 2"),
        (lambda: ReadoutError(READOUT).power(-1), "must be a whole number from 1 on"),
        (lambda: ReadoutError.from_dict({}), "is not the dictionary of a readout error"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_a_wrong_error_is_refused_in_one_sentence(make, words):
    with pytest.raises(BasicAerError) as caught:
        make()
    assert words in str(caught.value)
