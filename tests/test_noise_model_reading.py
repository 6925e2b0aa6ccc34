"""Models as `run` reads them: which instruction has which errors, what is read again, and every mistake in them."""

import copy
import gc
import json
import pickle
from types import SimpleNamespace

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit.library import CXGate, IGate, UGate
from qiskit.quantum_info import Operator, SuperOp

import superoperators
from basicaer.compile import noise_model
from basicaer.compile.gates import GATES
from basicaer.compile.noise_model import read_model
from basicaer.errors import BasicAerError
from basicaer.noise import NoiseModel, PauliLindbladError, ReadoutError, depolarizing_error, pauli_error
from reference import random_unitary

FLIP = {"name": "x", "qubits": [0]}
NOTHING = {"name": "id", "qubits": [0]}


def entry(*terms, probabilities=None, names=("sx",), **others):
    """An error of equally probable terms."""
    given = probabilities or [1 / len(terms)] * len(terms)
    return {"type": "qerror", "operations": list(names), "instructions": list(terms), "probabilities": given, **others}


def model_of(*entries, **others):
    return {"errors": list(entries), **others}


def flips(p, **others):
    return entry([NOTHING], [FLIP], probabilities=[1 - p, p], **others)


def chance(channels):
    """The probability that something happens in the only channel."""
    [channel] = channels
    return pytest.approx(1 - channel.probabilities[0])


def test_an_error_of_certain_qubits_replaces_that_of_all_qubits():
    errors = read_model(
        model_of(flips(0.1), flips(0.2, gate_qubits=[(3,)]), flips(0.3, names=["cx"], gate_qubits=[(0, 1)]))
    )
    assert chance(errors.after("sx", (0,))) == 0.1
    assert chance(errors.after("sx", (3,))) == 0.2
    assert chance(errors.after("cx", (0, 1))) == 0.3
    assert errors.after("cx", (1, 0)) == ()
    assert errors.after("x", (0,)) == ()
    assert errors.names == {"sx", "cx"}
    assert errors.basis_gates is None


def test_errors_of_the_same_instruction_act_one_after_another():
    errors = read_model(model_of(flips(0.1), flips(0.2), flips(0.3, names=["x", "sx"], gate_qubits=[(0,), (1,)])))
    assert [channel.probabilities[1] for channel in errors.after("sx", (5,))] == pytest.approx([0.1, 0.2])
    assert chance(errors.after("sx", (1,))) == 0.3
    assert chance(errors.after("x", (0,))) == 0.3


def test_a_readout_error_of_certain_qubits_replaces_that_of_all_qubits():
    one, two = [[0.9, 0.1], [0.3, 0.7]], np.full((4, 4), 0.25)
    errors = read_model(
        model_of(
            {"type": "roerror", "operations": ["measure"], "probabilities": one},
            {"type": "roerror", "operations": ["measure"], "probabilities": two, "gate_qubits": [(0, 2)]},
            {"type": "roerror", "operations": ["measure"], "probabilities": np.eye(2), "gate_qubits": [[1]]},
        )
    )
    assert np.array_equal(errors.readout((7,)), one)
    assert np.array_equal(errors.readout((1,)), np.eye(2))
    assert np.array_equal(errors.readout((0, 2)), two)
    assert errors.readout((2, 0)) is None
    assert errors.wide_readouts == ((0, 2),)
    assert errors.names == frozenset()


@pytest.mark.parametrize("record", [one for one in GATES if one.target_actions], ids=lambda record: record.name)
def test_any_gate_of_the_table_may_be_an_error(record):
    width = (2 if record.controls is None else record.controls) + len(record.target_actions)
    qubits, angles = list(range(width))[::-1], [0.3 * (i + 1) for i in range(record.parameters)]
    given = model_of(entry([{"name": record.name, "qubits": qubits, "params": angles}]))
    channels = read_model(given).after("sx", tuple(range(width)))
    circuit = QuantumCircuit(width)
    gate_class = {"CX": CXGate, "U": UGate, "u0": IGate}.get(record.name, record.gate_class)
    angles = [] if record.name == "u0" else angles
    circuit.append(gate_class(*angles, *([2] if record.controls is None else [])), qubits)
    assert np.allclose(superoperators.of_channels(channels, width), SuperOp(Operator(circuit)).data)


def test_matrices_may_be_arrays_or_lists_of_pairs_or_of_real_numbers():
    matrix, real = random_unitary(4, 3), np.array([[0, 1], [1, 0]])
    pairs = np.stack([matrix.real, matrix.imag], axis=-1).tolist()
    for given, on in ((matrix, [1, 0]), (pairs, [1, 0]), (real, [0]), (real.tolist(), [0])):
        errors = read_model(model_of(entry([{"name": "unitary", "qubits": on, "params": [given]}])))
        want = superoperators.of_matrices([matrix if len(on) == 2 else real], on, 2)
        assert np.allclose(superoperators.of_channels(errors.after("sx", (0, 1)), 2), want)


def test_a_superoperator_is_a_channel():
    operators = superoperators.random_kraus(1, 3, 5)
    matrix = superoperators.of_matrices(operators, [0], 1)
    channels = read_model(model_of(entry([{"name": "superop", "qubits": [0], "params": [matrix]}]))).after("sx", (0,))
    assert np.allclose(superoperators.of_channels(channels, 1), matrix)


def test_lindblad_generators_are_channels_of_two_terms():
    error = PauliLindbladError(["XY", "IZ", "II"], [0.1, 0.2, 0.3])
    given = {**error.to_dict(), "operations": ["cz"]}
    channels = read_model(model_of(given)).after("cz", (4, 2))
    assert [channel.terms[1][0].letters for channel in channels] == ["YX", "Z"]
    assert np.allclose(superoperators.of_channels(channels, 2), superoperators.of_entry(given, 2))


class Foreign:
    """A model as another package might have it; it counts how often it is asked, and is equal to any other."""

    basis_gates = ("cx", "sx")

    def __init__(self, *entries):
        self.entries = list(entries)
        self.asked = []

    def __eq__(self, other):
        return True

    __hash__ = None

    def to_dict(self):
        Foreign.asked = getattr(Foreign, "asked", 0) + 1
        return model_of(*self.entries)


@pytest.fixture
def foreign():
    Foreign.asked = 0
    return Foreign(flips(0.1))


def test_a_model_is_read_once_and_anew_after_it_was_changed(foreign):
    errors = read_model(foreign)
    assert read_model(foreign) is errors
    assert errors.basis_gates == ("cx", "sx")
    assert Foreign.asked == 1
    other = copy.deepcopy(foreign)
    assert read_model(other) is not errors
    foreign.entries.append(flips(0.2, names=["x"]))
    assert chance(read_model(foreign).after("x", (0,))) == 0.2
    foreign.entries[1] = flips(0.3, names=["x"])
    assert chance(read_model(foreign).after("x", (0,))) == 0.3
    foreign.entries[1]["probabilities"] = [0.6, 0.4]
    assert chance(read_model(foreign).after("x", (0,))) == 0.4
    foreign.entries[1]["probabilities"][:] = [0.5, 0.5]
    assert chance(read_model(foreign).after("x", (0,))) == 0.5


def test_what_was_read_goes_with_its_model():
    before = len(noise_model._kept)
    read_model(Foreign(flips(0.1)))
    gc.collect()
    assert len(noise_model._kept) <= before


def test_a_model_that_contains_itself_is_read(foreign):
    foreign.entries_again = [foreign.entries]
    foreign.entries_again.append(foreign.entries_again)
    assert read_model(foreign) is read_model(foreign)


def test_an_object_that_cannot_be_referred_to_weakly_is_read_each_time():
    class Slotted:
        __slots__ = ()

        def to_dict(self):
            return model_of(flips(0.1))

    assert chance(read_model(Slotted()).after("sx", (0,))) == 0.1


def test_an_error_is_reduced_when_it_is_needed_and_once(monkeypatch):
    asked = []
    reduce = noise_model.channels_of_entry
    monkeypatch.setattr(noise_model, "channels_of_entry", lambda one, place: asked.append(place) or reduce(one, place))
    unreadable = entry([{"name": "unknown", "qubits": [0]}], names=["y"])
    errors = read_model(model_of(flips(0.1), flips(0.2, names=["x"]), unreadable))
    assert asked == []
    for qubit in (0, 1, 0):
        assert chance(errors.after("sx", (qubit,))) == 0.1
    assert len(asked) == 1


def test_our_models_are_read_without_their_dictionary(monkeypatch):
    model = NoiseModel()
    model.add_all_qubit_quantum_error(depolarizing_error(0.1, 2), "cx")
    model.add_quantum_error(pauli_error([("X", 0.2), ("I", 0.8)]), "sx", [1])
    model.add_readout_error(ReadoutError([[0.9, 0.1], [0.3, 0.7]]), [1])
    want = read_model(model.to_dict())
    monkeypatch.setattr(NoiseModel, "to_dict", None)
    with pytest.raises(BasicAerError, match="is not a noise model"):
        read_model(model)
    monkeypatch.setattr(NoiseModel, "to_dict", lambda _: pytest.fail("the whole model was asked for"))
    errors = read_model(model)
    for name, qubits in (("cx", (3, 4)), ("sx", (1,)), ("sx", (0,))):
        assert errors.after(name, qubits) == want.after(name, qubits)
    assert np.array_equal(errors.readout((1,)), want.readout((1,)))
    model.add_quantum_error(pauli_error([("X", 0.3), ("I", 0.7)]), "sx", [0])
    assert chance(read_model(model).after("sx", (0,))) == 0.3


def test_what_was_read_can_be_sent_to_another_process():
    errors = pickle.loads(pickle.dumps(read_model(model_of(flips(0.1)))))  # noqa: S301  # our own
    assert chance(errors.after("sx", (0,))) == 0.1


def test_a_model_from_json_is_the_same_model():
    model = NoiseModel()
    model.add_all_qubit_quantum_error(depolarizing_error(0.1, 1).compose(superoperator_error()), "sx")
    text = json.dumps(model.to_dict(serializable=True))
    first, second = (read_model(one).after("sx", (0,)) for one in (model, json.loads(text)))
    assert [channel.probabilities for channel in first] == [channel.probabilities for channel in second]
    both = [superoperators.of_channels(channels, 1) for channels in (first, second)]
    assert np.allclose(*both, atol=1e-15)


def superoperator_error():
    return [(SuperOp(superoperators.of_matrices([random_unitary(2, 3)], [0], 1)), 1.0)]


def kraus(*matrices, qubits=(0,)):
    return entry([{"name": "kraus", "qubits": list(qubits), "params": [np.array(one) for one in matrices]}])


def readout(probabilities, **others):
    return {"type": "roerror", "operations": ["measure"], "probabilities": probabilities, **others}


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (3, "3 is not a noise model; give a NoiseModel"),
        (NoiseModel, "is not a noise model"),
        (depolarizing_error(0.1, 1), "is a single error; add it to a NoiseModel"),
        (SimpleNamespace(to_dict=lambda: 3), "its to_dict() returns 3"),
        (SimpleNamespace(to_dict=lambda: 1 / 0), "cannot be read: ZeroDivisionError"),
        ({}, "must have a list under 'errors'"),
        ({"errors": "sx"}, "must have a list under 'errors'"),
        (model_of(basis_gates="cx"), "basis_gates 'cx', which must be a list of names"),
        (model_of(flips(0.1), 3), "Error 1 of the noise model is 3; it must be a dictionary"),
        (model_of({"type": "error"}), "Error 0 of the noise model is {'type': 'error'}"),
        (model_of({"type": "qerror"}), "Error 0 of the noise model has operations None, which must be a"),
        (model_of(flips(0.1, names=[])), "names no instruction"),
        (model_of(flips(0.1, gate_qubits=[3])), "has gate_qubits [3], which must be a list of lists of qubits"),
        (model_of(flips(0.1, gate_qubits=[[-1]])), "has gate_qubits [[-1]]"),
        (model_of(flips(0.1, gate_qubits=[[]])), "has gate_qubits [[]]"),
        (model_of(flips(0.1, gate_qubits=[[1, 1]])), "has gate_qubits [1, 1], in which a qubit occurs twice"),
        (model_of({"type": "qerror", "operations": ["x"]}), "for 'x', must have lists under 'instr"),
        (model_of(flips(0.1), entry([FLIP], probabilities=[0.9], gate_qubits=[(4,)])),
         "Error 1 of the noise model, for 'sx' on qubit 4, has probabilities that sum to 0.9; they must sum to 1."),
        (model_of(entry([FLIP], probabilities=[float("nan")])), "which must be finite"),
        (model_of(entry([FLIP], probabilities=["1"])), "has probabilities ['1'], which must be numbers"),
        (model_of(entry([FLIP], [NOTHING], probabilities=[1.5, -0.5])), "has the probability -0.5, which"),
        (model_of({**PauliLindbladError(["X"], [-0.5]).to_dict(), "operations": ["x"]}), "has the rate -0.5, which"),
        (model_of(readout([[0.5, 0.5], [0.5, 0.6]])), "in row 1 that sum to 1.1, not 1"),
        (model_of(readout([[1.5, -0.5], [0.5, 0.5]])), "has the probability -0.5, which must not be negative"),
        (model_of(readout([[1]])), "of the shape (1, 1); for k qubits, give 2**k rows of 2**k numbers"),
        (model_of(readout([[0.5, 0.5], [1]])), "[[0.5, 0.5], [1]], which must be rows of finite real numbers"),
        (model_of(readout(np.eye(3))), "of the shape (3, 3)"),
        (model_of(readout(np.eye(4))), "has probabilities of 4 values; for 1 qubit there must be 2"),
        (model_of(readout(np.eye(2), gate_qubits=[(0, 1)])), "on qubits 0, 1, has probabilities of 2 values"),
        (model_of({**readout(np.eye(2)), "operations": ["x"]}), "is a readout error of ['x']; readout errors"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_a_wrong_model_is_refused_when_it_is_read(model, words):
    with pytest.raises(BasicAerError) as caught:
        read_model(model)
    assert words in str(caught.value)
    assert str(caught.value).count(". ") == 0


ON_TWO = {"name": "pauli", "qubits": [0, 1], "params": ["XX"]}


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (entry([ON_TWO]), "for 'sx', acts on 2 qubits, and the instruction has 1; name "),
        (entry([{"name": "x", "qubits": [1]}]), "acts on 2 qubits, and the instruction has 1"),
        (entry([FLIP], [NOTHING], probabilities=[1.0]), "and 1 in 'probabilities'; give as many"),
        (entry(FLIP), "has the term {'name': 'x', 'qubits': [0]}, which must be a list of dictionaries"),
        (entry([{"qubits": [0]}]), "has an instruction with the name None"),
        (entry([{"name": "x"}]), "has 'x' on the qubits None, which must be positions from 0 on"),
        (entry([{"name": "x", "qubits": [-1]}]), "has 'x' on the qubits [-1]"),
        (entry([{"name": "cx", "qubits": [0, 0]}]), "has 'cx' on the qubits (0, 0), which must differ"),
        (entry([{**FLIP, "condition": [0, 1]}]), "has 'x' with a condition"),
        (entry([{"name": "xx", "qubits": [0]}]), "Unknown instruction 'xx': did you mean"),
        (entry([{"name": "measure", "qubits": [0]}]), "Unknown instruction 'measure'"),
        (entry([{"name": "rx", "qubits": [0]}]), "has 'rx' with the parameters []; it takes 1 real number"),
        (entry([{"name": "rx", "qubits": [0], "params": [1j]}]), "has 'rx' with the parameters [1j]"),
        (entry([{"name": "rx", "qubits": [0], "params": [np.inf]}]), "which must be finite"),
        (entry([{"name": "cx", "qubits": [0]}]), "has 'cx' on 1 qubit; it acts on 2"),
        (entry([{"name": "x", "qubits": [0, 1]}]), "has 'x' on 2 qubits; it acts on 1"),
        (entry([{**ON_TWO, "params": ["X"]}]), "has 'pauli' with the parameters ['X']; give one string of 2 letters"),
        (entry([{**ON_TWO, "params": ["XA"]}]), "has 'pauli' with the parameters ['XA']"),
        (entry([{**ON_TWO, "params": []}]), "has 'pauli' with the parameters []"),
        (entry([{"name": "unitary", "qubits": [0]}]), "has 'unitary' with 0 parameters; give its matrix"),
        (entry([{"name": "unitary", "qubits": [0], "params": [np.ones((2, 2))]}]), "a matrix that is not unitary"),
        (entry([{"name": "unitary", "qubits": [0], "params": [np.eye(4)]}]),
         "has 'unitary' on 1 qubit with a matrix of the shape (4, 4); it must have 2 rows and 2 columns"),
        (entry([{"name": "unitary", "qubits": [0], "params": ["x"]}]), "the matrix 'x', which must be rows of finite"),
        (entry([{"name": "unitary", "qubits": [0], "params": [np.full((2, 2), np.nan)]}]), "must be rows of finite"),
        (kraus([[1, 0], [0, 0.5]]), "the trace: the sum of all K^+ K differs from the identity by 0.75"),
        (kraus(), "do not preserve the trace"),
        (kraus(np.eye(3)), "has 'kraus' on 1 qubit with a matrix of the shape (3, 3)"),
        (entry([{"name": "superop", "qubits": [0], "params": [-np.eye(4)]}]), "that is not a completely positive map"),
        (entry([{"name": "superop", "qubits": [0], "params": []}]), "has 'superop' with 0 parameters"),
        ({"type": "plerror", "operations": ["sx"], "instructions": [[{"name": "h", "qubits": [0]}]],
          "rates": [1]},
         "is a Pauli-Lindblad error, so each generator must be one Pauli string"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_a_wrong_error_is_refused_when_an_instruction_has_it(wrong, words):
    errors = read_model(model_of(flips(0.1, names=["x"]), wrong))
    errors.after("x", (0,))
    with pytest.raises(BasicAerError) as caught:
        errors.after("sx", (0,))
    assert str(caught.value).startswith("Error 1 of the noise model, for 'sx',")
    assert words in str(caught.value)
