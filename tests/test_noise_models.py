"""Noise models as people make them, as dictionaries and files, and as devices report them."""

import copy
import json
import pickle
import warnings
from math import exp
from types import SimpleNamespace

import numpy as np
import pytest
from qiskit.circuit import Barrier, Delay, Measure, Parameter
from qiskit.circuit.library import CXGate, CZGate, IGate, SXGate, XGate
from qiskit.providers.fake_provider import GenericBackendV2
from qiskit.quantum_info import SuperOp, average_gate_fidelity
from qiskit.transpiler import InstructionProperties, QubitProperties, Target

import superoperators
from basicaer.compile.noise_model import read_model
from basicaer.errors import BasicAerError, BasicAerWarning
from basicaer.noise import (
    NoiseModel,
    PauliError,
    PauliLindbladError,
    QuantumError,
    ReadoutError,
    amplitude_damping_error,
    coherent_unitary_error,
    depolarizing_error,
    device_errors,
    pauli_error,
    reset_error,
    thermal_relaxation_error,
)

READOUT = ReadoutError([[0.9, 0.1], [0.3, 0.7]])
NOTHING = QuantumError(IGate())


def superoperator(model, name, qubits):
    return superoperators.of_channels(read_model(model).after(name, qubits), len(qubits))


def dictionary(error, **others):
    return {"errors": [{**error.to_dict(), "operations": ["x"], **others}]}


def whole_model():
    model = NoiseModel(["x", "cx"])
    model.add_all_qubit_quantum_error(depolarizing_error(0.1, 2), ["cx", CZGate(label="near")])
    model.add_all_qubit_quantum_error(amplitude_damping_error(0.2), SXGate())
    model.add_quantum_error(PauliLindbladError(["XX", "IZ"], [0.1, 0.2]), "cx", [1, 0])
    model.add_quantum_error(coherent_unitary_error(np.diag([1, 1j])), "sx", (2,))
    model.add_quantum_error(NOTHING, "sx", (3,))
    model.add_quantum_error(NOTHING, "y", (3,))
    model.add_all_qubit_readout_error(READOUT)
    model.add_readout_error(READOUT.tensor(READOUT), [0, 1])
    return model


def test_a_model_has_the_layout_of_aer():
    entries = whole_model().to_dict()["errors"]
    assert [(one["type"], one["operations"], one.get("gate_qubits")) for one in entries] == [
        ("qerror", ["cx"], None),
        ("qerror", ["near"], None),
        ("qerror", ["sx"], None),
        ("plerror", ["cx"], [(1, 0)]),
        ("qerror", ["sx"], [(2,)]),
        ("qerror", ["sx"], [(3,)]),
        ("roerror", ["measure"], None),
        ("roerror", ["measure"], [(0, 1)]),
    ]
    keys = {"type", "id", "operations", "instructions", "probabilities"}
    assert [set(one) - {"gate_qubits"} for one in entries[:3]] == 3 * [keys]
    assert entries[3]["rates"] == [0.1, 0.2]
    assert entries[3]["instructions"][1] == [{"name": "pauli", "params": ["IZ"], "qubits": [0, 1]}]
    assert isinstance(entries[2]["instructions"][0][0]["params"][0], np.ndarray)


def test_a_model_says_what_it_has():
    model = whole_model()
    assert model.basis_gates == ["cx", "cz", "sx", "x", "y"]
    assert model.noise_instructions == ["cx", "measure", "near", "sx"]
    assert model.noise_qubits == [0, 1, 2]
    assert not model.is_ideal()
    assert repr(model) == (
        "<NoiseModel: cx on all qubits (1 exception); near on all qubits; sx on all qubits (2 exceptions); "
        "readout on all qubits (1 exception)>"
    )
    assert repr(NoiseModel()) == "<NoiseModel: ideal>"
    assert repr(NoiseModel.from_backend(device())) == (
        "<NoiseModel: cx on 1 tuple of qubits; sx on 2 tuples of qubits; readout on 2 tuples of qubits; "
        "1 transpiler pass>"
    )
    assert NoiseModel().basis_gates == ["cx", "id", "rz", "sx"]
    assert NoiseModel().is_ideal()


@pytest.mark.parametrize("serializable", [False, True])
def test_a_dictionary_makes_the_same_model(serializable):
    model = whole_model()
    dictionary = model.to_dict(serializable=serializable)
    if serializable:
        dictionary = json.loads(json.dumps(dictionary))
    again = NoiseModel.from_dict({**dictionary, "basis_gates": model.basis_gates})
    assert again.to_dict(serializable=True)["errors"][3]["type"] == "plerror"
    for name, qubits in (("cx", (0, 1)), ("cx", (1, 0)), ("near", (0, 1)), ("sx", (2,)), ("sx", (3,)), ("sx", (4,))):
        assert np.allclose(superoperator(model, name, qubits), superoperator(again, name, qubits), atol=1e-14)
        assert np.allclose(superoperator(model, name, qubits), superoperator(dictionary, name, qubits), atol=1e-14)
    for qubits in ((0,), (0, 1)):
        assert np.allclose(read_model(model).readout(qubits), read_model(again).readout(qubits))


def test_a_file_makes_the_same_model(tmp_path):
    model = NoiseModel.from_backend(device(), temperature=40)
    model.add_all_qubit_quantum_error(amplitude_damping_error(0.2), "h")
    model.save(tmp_path / "model.json")
    again = NoiseModel.load(tmp_path / "model.json")
    assert again == model
    assert again.noise_passes[0].to_dict() == model.noise_passes[0].to_dict()
    again.add_all_qubit_quantum_error(reset_error(0.1), "y")
    assert again != model


def test_models_are_copied_and_sent_to_other_processes():
    for model in (whole_model(), NoiseModel.from_backend(device())):
        assert copy.deepcopy(model) == model
        assert pickle.loads(pickle.dumps(model)) == model  # noqa: S301  # our own
        assert model != 3


def test_the_error_of_certain_qubits_replaces_that_of_all_qubits_even_if_it_does_nothing():
    model = whole_model()
    assert np.allclose(superoperator(model, "sx", (3,)), np.eye(4))
    assert np.allclose(superoperator(model, "sx", (4,)), SuperOp(amplitude_damping_error(0.2)).data)
    assert read_model(model).after("y", (3,)) == ()
    model.add_readout_error(np.eye(2), [5])
    assert np.array_equal(read_model(model).readout((5,)), np.eye(2))
    assert model.noise_qubits == [0, 1, 2]
    assert model.to_dict()["errors"][-1]["gate_qubits"] == [(5,)]


def test_errors_that_do_nothing_add_nothing():
    model = NoiseModel()
    model.add_all_qubit_quantum_error(NOTHING, "x")
    model.add_quantum_error(NOTHING, "x", [0])
    model.add_all_qubit_readout_error(np.eye(2))
    model.add_readout_error(np.eye(2), [0])
    assert model.is_ideal()
    assert model.to_dict() == {"errors": []}


def test_a_second_error_acts_after_the_first_and_a_warning_says_so():
    model, first, second = NoiseModel(), reset_error(0.1), pauli_error([("X", 0.2), ("I", 0.8)])
    model.add_all_qubit_quantum_error(first, "x")
    with pytest.warns(BasicAerWarning, match="'x' on all qubits had an error already; the new error acts after it"):
        model.add_all_qubit_quantum_error(second, "x")
    assert np.allclose(superoperator(model, "x", (0,)), SuperOp(first).compose(SuperOp(second)).data)
    model.add_quantum_error(first, "x", [3])
    with pytest.warns(BasicAerWarning, match="'x' on qubit 3 had an error already"):
        model.add_quantum_error(PauliError(["X", "I"], [0.2, 0.8]), "x", [3])
    assert np.allclose(superoperator(model, "x", (3,)), SuperOp(first).compose(SuperOp(second)).data)
    model.add_quantum_error(first, "y", [3])
    with pytest.warns(BasicAerWarning, match="'y' has errors of its own on qubit 3"):
        model.add_all_qubit_quantum_error(first, ["y"])


def test_a_second_readout_error_replaces_the_first_and_a_warning_says_so():
    model, other = NoiseModel(), ReadoutError([[0.5, 0.5], [0.5, 0.5]])
    model.add_all_qubit_readout_error(READOUT)
    with pytest.warns(BasicAerWarning, match="Readout on all qubits had an error already; the new error replaces it"):
        model.add_all_qubit_readout_error(other)
    model.add_readout_error(READOUT, [1])
    with pytest.warns(BasicAerWarning, match="Readout on qubit 1 had an error already"):
        model.add_readout_error(other, [1])
    assert np.array_equal(read_model(model).readout((1,)), other.probabilities)
    with pytest.warns(BasicAerWarning) as caught:
        model.add_all_qubit_readout_error(READOUT)
    assert "Readout has errors of its own on qubit 1" in str(caught[1].message)
    assert caught[0].filename == __file__


def test_a_readout_error_of_all_qubits_that_does_nothing_removes_the_one_before():
    model = NoiseModel()
    model.add_all_qubit_readout_error(READOUT)
    with pytest.warns(BasicAerWarning, match="Readout on all qubits had an error already; the new error replaces it"):
        model.add_all_qubit_readout_error(np.eye(2))
    assert read_model(model).readout((0,)) is None
    assert model == NoiseModel()


@pytest.mark.parametrize("alone_first", [False, True])
def test_a_warning_names_the_qubits_that_are_read_alone_and_together(alone_first):
    both = READOUT.tensor(READOUT)
    model = NoiseModel()
    model.add_readout_error(*((READOUT, [1]) if alone_first else (both, [1, 2])))
    model.add_readout_error(READOUT, [0])
    with pytest.warns(BasicAerWarning, match=r"Readout errors of qubits \[1\] alone do not act") as caught:
        model.add_readout_error(*((both, [1, 2]) if alone_first else (READOUT, [1])))
    model.add_readout_error(READOUT, [3])
    assert len(caught) == 1


def test_a_dictionary_has_errors_that_do_nothing_but_exempt_qubits_from_those_that_they_have_alone(tmp_path):
    model = NoiseModel()
    model.add_readout_error(READOUT, [0])
    model.add_readout_error(np.eye(4), [0, 1], warnings=False)
    model.add_readout_error(np.eye(2), [5])
    model.save(tmp_path / "model.json")
    for read in (NoiseModel.from_dict(model.to_dict()), NoiseModel.load(tmp_path / "model.json")):
        assert read_model(read).wide_readouts == read_model(model).wide_readouts == ((0, 1),)
        assert read_model(read).readout((5,)) is None


def test_no_warning_is_given_if_none_is_wanted():
    model = NoiseModel()
    for _ in range(2):
        model.add_all_qubit_quantum_error(reset_error(0.1), "x", warnings=False)
        model.add_quantum_error(reset_error(0.1), "x", [0], warnings=False)
        model.add_all_qubit_readout_error(READOUT, warnings=False)
        model.add_readout_error(READOUT, [0], warnings=False)
        model.add_readout_error(READOUT.tensor(READOUT), [0, 1], warnings=False)


def test_labels_and_instructions_are_names_of_errors():
    model = NoiseModel()
    model.add_all_qubit_quantum_error(reset_error(0.1), [XGate(label="lx"), SXGate(), "h"])
    assert model.noise_instructions == ["h", "lx", "sx"]
    assert "x" in model.basis_gates
    assert "lx" not in model.basis_gates
    assert read_model(model).after("x", (0,)) == ()


def test_generators_stay_generators():
    model, error = NoiseModel(), PauliLindbladError(["XX", "ZI"], [0.1, 0.2])
    for _ in range(2):
        model.add_all_qubit_quantum_error(error, "cx", warnings=False)
    [entry] = model.to_dict()["errors"]
    assert entry["type"] == "plerror"
    assert len(read_model(model).after("cx", (0, 1))) == 2


@pytest.mark.parametrize(
    ("add", "words"),
    [
        (lambda model: model.add_all_qubit_quantum_error(reset_error(0.1), "cx"), "acts on 1 qubit, and 'cx' on 2"),
        (lambda model: model.add_quantum_error(depolarizing_error(0.1, 2), "x", [0, 1]), "and 'x' on 1"),
        (lambda model: model.add_quantum_error(depolarizing_error(0.1, 2), "measure", [0, 1]), "and 'measure' on 1"),
        (lambda model: model.add_quantum_error(reset_error(0.1), "x", [0, 1]), "1 qubit and 2 qubits are given"),
        (lambda model: model.add_quantum_error(reset_error(0.1), "x", [-1]), "of qubits from 0 on, not [-1]"),
        (lambda model: model.add_quantum_error(depolarizing_error(0.1, 2), "cx", [1, 1]), "not [1, 1]"),
        (lambda model: model.add_quantum_error(reset_error(0.1), "x", 0), "not 0"),
        (lambda model: model.add_quantum_error(reset_error(0.1), "x", "0"), "not '0'"),
        (lambda model: model.add_quantum_error(reset_error(0.1), "x", [True]), "not [True]"),
        (lambda model: model.add_readout_error(READOUT, [10**30]), "not [1000000"),
        (lambda model: model.add_quantum_error(reset_error(0.1), 3, [0]), "instructions of Qiskit, not 3"),
        (lambda model: model.add_quantum_error(reset_error(0.1), "", [0]), "instructions of Qiskit, not ''"),
        (lambda model: model.add_quantum_error(reset_error(0.1), ["x", "barrier"], [0]), "'barrier' never has errors"),
        (lambda model: model.add_all_qubit_quantum_error(reset_error(0.1), "if_else"), "'if_else' never has errors"),
        (lambda model: model.add_all_qubit_quantum_error(reset_error(0.1), Barrier(1)), "'barrier' never has errors"),
        (lambda model: model.add_all_qubit_readout_error(reset_error(0.1)), "add it with add_quantum_error"),
        (lambda model: model.add_all_qubit_readout_error(ReadoutError), "has probabilities <class"),
        (lambda model: model.on(3), "on() takes one QuantumCircuit, not an object of type int"),
        (lambda model: model.save("missing/model.json"), "cannot be written to 'missing/model.json': No such file"),
        (lambda _: NoiseModel("cx"), "basis_gates must be a list of names of gates, not 'cx'"),
        (lambda _: NoiseModel([3]), "basis_gates must be a list of names of gates, not [3]"),
        (lambda _: read_model(reset_error(0.1)), "is a single error; add it to a NoiseModel"),
        (lambda _: read_model(dictionary(reset_error(0.1), gate_qubits=[[True]])), "has gate_qubits [[True]]"),
        (lambda model: model.add_quantum_error(reset_error(0.1), [], [0]), "the list is empty"),
        (lambda model: model.add_quantum_error(3, "x", [0]), "A quantum error cannot be made of 3"),
        (lambda model: model.add_quantum_error(READOUT, "x", [0]), "add it with add_readout_error"),
        (lambda model: model.add_all_qubit_quantum_error(PauliError(["X"], [0.5]), "x"), "is not a channel"),
        (lambda model: model.add_all_qubit_quantum_error(PauliLindbladError(["X"], [-1]), "x"), "is not a channel"),
        (lambda model: model.add_all_qubit_readout_error(READOUT.tensor(READOUT)), "must be one of 1 qubit, not 2"),
        (lambda model: model.add_readout_error(READOUT, [0, 1]), "acts on 1 qubit and 2 qubits are given"),
        (lambda model: model.add_readout_error([[1, 1], [0, 1]], [0]), "in row 0 that sum to 2, not 1"),
        (lambda _: NoiseModel.from_dict(dictionary(reset_error(0.1), probabilities=[1])),
         "Error 0 of the noise model has 2 terms"),
        (lambda _: NoiseModel.from_dict(dictionary(depolarizing_error(0.1, 2), gate_qubits=[[0]])),
         "Error 0 of the noise model acts on 2 qubits and has 1 qubit in gate_qubits"),
        (lambda _: NoiseModel.from_dict({"errors": 3}), "must have a list under 'errors'"),
        (lambda _: NoiseModel.load("missing.json"), "missing.json cannot be read: No such file"),
        (lambda _: NoiseModel.from_backend(3), "3 has no target; give a backend of version 2"),
        (lambda _: NoiseModel.from_backend(device(), temperature=-1), "temperature must be a number of mK"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_what_cannot_be_added_is_refused_in_one_sentence(add, words):
    with pytest.raises(BasicAerError) as caught:
        add(NoiseModel())
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[]", "has no noise model: it must be a JSON object"),
        ("{", "cannot be read: JSONDecodeError"),
        ('{"errors": [], "delays": [3]}', "The relaxation during delays in"),
        ('{"errors": [{"type": "qerror"}]}', "Error 0 of the noise model has operations None"),
    ],
)
def test_a_wrong_file_is_refused_in_one_sentence(tmp_path, text, words):
    path = tmp_path / "model.json"
    path.write_text(text)
    with pytest.raises(BasicAerError) as caught:
        NoiseModel.load(path)
    assert words in str(caught.value)


def test_foreign_transpiler_passes_are_not_saved(tmp_path):
    model = NoiseModel()
    model.noise_passes.append("pass")
    with pytest.raises(BasicAerError, match="has the transpiler pass 'pass', which cannot be saved"):
        model.save(tmp_path / "model.json")


T1, T2, TIME, FREQUENCY = 100e-6, 130e-6, 300e-9, 5e9


def device(error=0.01, time=TIME, t1=T1, t2=T2, readout=0.05):
    target = Target(dt=1e-9, qubit_properties=[QubitProperties(t1, t2, FREQUENCY), QubitProperties(t1, t1, FREQUENCY)])
    target.add_instruction(SXGate(), {(q,): InstructionProperties(time, error) for q in range(2)})
    target.add_instruction(CXGate(), {(0, 1): InstructionProperties(time, error), (1, 0): None})
    target.add_instruction(Measure(), {(q,): InstructionProperties(time, readout) for q in range(2)})
    target.add_instruction(Delay(Parameter("t")), {(q,): None for q in range(2)})
    return target


@pytest.mark.parametrize("qubits", [(0,), (1,), (0, 1)], ids=str)
@pytest.mark.parametrize("temperature", [0, 80])
def test_a_gate_of_a_device_has_the_infidelity_that_is_reported(qubits, temperature):
    model = NoiseModel.from_backend(device(), temperature=temperature)
    name = "sx" if len(qubits) == 1 else "cx"
    found = SuperOp(superoperator(model, name, qubits))
    assert 1 - average_gate_fidelity(found) == pytest.approx(0.01, abs=1e-12)
    population = 1 / (1 + exp(47.99243e-9 * FREQUENCY / temperature)) if temperature else 0
    parts = [SuperOp(thermal_relaxation_error(T1, T2 if q == 0 else T1, TIME, population)) for q in qubits]
    relaxation = parts[0] if len(parts) == 1 else parts[0].expand(parts[1])
    size = 2 ** len(qubits)
    fidelity = average_gate_fidelity(relaxation)
    parameter = size * (0.01 - (1 - fidelity)) / (size * fidelity - 1)
    want = SuperOp(depolarizing_error(parameter, len(qubits))).compose(relaxation)
    assert np.allclose(found.data, want.data, atol=1e-9)


def test_a_device_may_have_only_some_errors():
    everything = NoiseModel.from_backend(device())
    assert everything.noise_instructions == ["cx", "measure", "sx"]
    assert everything.basis_gates == ["cx", "delay", "measure", "sx"]
    assert len(everything.noise_passes) == 1
    assert read_model(everything).passes == tuple(everything.noise_passes)
    assert read_model(everything).after("cx", (1, 0)) == ()
    assert np.allclose(read_model(everything).readout((0,)), [[0.95, 0.05], [0.05, 0.95]])
    gates = NoiseModel.from_backend(device(), thermal_relaxation=False, readout_error=False)
    assert np.allclose(superoperator(gates, "sx", (0,)), SuperOp(depolarizing_error(0.02, 1)).data)
    assert gates.noise_passes == []
    assert gates.noise_instructions == ["cx", "sx"]
    relaxation = NoiseModel.from_backend(device(), gate_error=False, readout_error=False, delay=False)
    assert np.allclose(superoperator(relaxation, "sx", (0,)), SuperOp(thermal_relaxation_error(T1, T2, TIME)).data)
    assert relaxation.noise_passes == []
    none = NoiseModel.from_backend(device(), False, False, False)  # noqa: FBT003  # as with Aer
    assert none.is_ideal()


def test_the_two_readout_errors_of_a_device_may_differ():
    properties = SimpleNamespace(duration=TIME, error=0.3, prob_meas1_prep0=0.1, prob_meas0_prep1=0.2)
    fake = type("Fake", (), {"operation_names": ["measure"], "__getitem__": lambda *_: {(0,): properties}})()
    [(qubits, error)] = device_errors.readout_errors(fake)
    assert qubits == (0,)
    assert error == ReadoutError([[0.9, 0.1], [0.2, 0.8]])


def test_the_gates_that_relax_more_than_reported_are_counted():
    with pytest.warns(BasicAerWarning, match="3 gates of the device relax more than their reported error allows"):
        model = NoiseModel.from_backend(device(error=1e-4))
    assert np.allclose(superoperator(model, "sx", (0,)), SuperOp(thermal_relaxation_error(T1, T2, TIME)).data)


def test_impossible_properties_are_cut():
    model = NoiseModel.from_backend(device(error=1.0, t2=3 * T1))
    relaxation = SuperOp(thermal_relaxation_error(T1, 2 * T1, TIME))
    want = SuperOp(depolarizing_error(4 / 3, 1)).compose(relaxation)
    assert np.allclose(superoperator(model, "sx", (0,)), want.data, atol=1e-2)
    dephasing = NoiseModel.from_backend(device(t1=None), gate_error=False)
    assert np.allclose(superoperator(dephasing, "sx", (0,)), SuperOp(thermal_relaxation_error(np.inf, T2, TIME)).data)


def test_a_device_that_reports_nothing_is_refused():
    target = Target(num_qubits=1)
    target.add_instruction(XGate(), {(0,): None})
    words = "has no errors of gates, no durations of gates and T1 and T2 of qubits, no errors of measurements"
    with pytest.raises(BasicAerError, match=words):
        NoiseModel.from_backend(target)
    with pytest.raises(BasicAerError, match="has no errors of gates, so there is no noise"):
        NoiseModel.from_backend(target, readout_error=False, thermal_relaxation=False)


def test_the_errors_of_a_device_are_made_when_they_are_needed(monkeypatch):
    made = []
    make = device_errors.thermal_relaxation_error
    monkeypatch.setattr(device_errors, "thermal_relaxation_error", lambda *given: made.append(given) or make(*given))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = NoiseModel.from_backend(GenericBackendV2(20, seed=1))
    errors = read_model(model)
    assert made == []
    errors.after("cx", (3, 4))
    assert len(made) == 2


def test_a_generic_backend_has_noise():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = NoiseModel.from_backend(GenericBackendV2(3, seed=1))
    assert {"cx", "id", "measure", "sx", "x"} <= set(model.noise_instructions)  # "reset" too in newer versions
    assert model.noise_qubits == [0, 1, 2]
