"""Aer's own errors and noise models: ours are the same, and each is read as the other."""

import functools
import warnings

import numpy as np
import pytest
import qiskit_aer
import qiskit_aer.noise as aer
from qiskit import QuantumCircuit, transpile
from qiskit.providers.fake_provider import GenericBackendV2
from qiskit.quantum_info import SuperOp
from qiskit.transpiler import PassManager
from qiskit_ibm_runtime import fake_provider

import superoperators
from basicaer import BasicAer
from basicaer import noise as ours
from basicaer.compile.noise_model import read_model
from noise_constructors import CALLS, PAIRS, check_error


@pytest.mark.parametrize("name", CALLS)
def test_an_error_is_that_of_aer(name):
    mine, theirs = (CALLS[name](noise) for noise in (ours, aer))
    want = SuperOp(theirs).data
    assert np.allclose(SuperOp(mine).data, want, atol=1e-12)
    entries = [error.to_dict() for error in (mine, theirs)]
    assert entries[0].keys() == entries[1].keys()
    assert entries[0]["type"] == entries[1]["type"]
    assert len(entries[0]["instructions"]) == len(entries[1]["instructions"])
    label = "named" if mine.num_qubits > 1 else "x"
    for model, error in ((ours.NoiseModel(), mine), (ours.NoiseModel(), theirs), (aer.NoiseModel(), theirs)):
        model.add_all_qubit_quantum_error(error, label)
        channels = read_model(model).after(label, tuple(range(mine.num_qubits)))
        assert np.allclose(superoperators.of_channels(channels, mine.num_qubits), want, atol=1e-12)


@pytest.mark.parametrize(("name", "site"), PAIRS)
def test_an_error_of_aer_acts_wherever_it_can(name, site):
    check_error(CALLS[name](aer), site)


def test_a_readout_error_is_that_of_aer():
    probabilities = [[0.9, 0.1], [0.3, 0.7]]
    mine, theirs = (noise.ReadoutError(probabilities) for noise in (ours, aer))
    assert mine.to_dict() == theirs.to_dict()
    wide = (error.tensor(noise.ReadoutError(np.eye(2))) for error, noise in ((mine, ours), (theirs, aer)))
    assert np.allclose(*(error.probabilities for error in wide))
    model = ours.NoiseModel()
    model.add_readout_error(theirs, [0])
    assert np.allclose(read_model(model).readout((0,)), probabilities)


def filled(noise):
    model = noise.NoiseModel()
    model.add_all_qubit_quantum_error(noise.depolarizing_error(0.1, 2), ["cx", "cz"])
    model.add_quantum_error(noise.thermal_relaxation_error(50, 70, 10), ["sx", "lx"], [1])
    model.add_quantum_error(noise.PauliLindbladError(["XX"], [0.1]), "cx", [1, 0])
    model.add_all_qubit_readout_error([[0.9, 0.1], [0.3, 0.7]])
    model.add_readout_error([[0.8, 0.2], [0.3, 0.7]], [2])
    return model


def compared(mine, theirs, atol=1e-9):
    """Compare each error of two models, as we read it, and the layouts of their dictionaries."""
    both = [model.to_dict(serializable=True)["errors"] for model in (mine, theirs)]
    places = [sorted((one["type"], one["operations"], one.get("gate_qubits") or []) for one in all_) for all_ in both]
    assert places[0] == places[1]
    errors = [read_model(model) for model in (mine, theirs)]
    for kind, [name], gate_qubits in places[0]:
        qubits = tuple(gate_qubits[0]) if gate_qubits else (5, 6)[: 1 if kind == "roerror" else 2]
        if kind == "roerror":
            assert np.allclose(*(one.readout(qubits) for one in errors), atol=atol)
        else:
            found = [superoperators.of_channels(one.after(name, qubits), len(qubits)) for one in errors]
            assert np.abs(found[0] - found[1]).max() < atol


def test_a_model_is_that_of_aer():
    mine, theirs = filled(ours), filled(aer)
    compared(mine, theirs)
    assert mine.basis_gates == theirs.basis_gates
    assert mine.noise_instructions == sorted(theirs.noise_instructions)
    assert mine.noise_qubits == sorted(theirs.noise_qubits)


def test_models_are_converted_in_both_directions():
    mine, theirs = filled(ours), filled(aer)
    compared(ours.NoiseModel.from_dict(theirs.to_dict()), theirs)
    compared(ours.NoiseModel.from_dict(theirs.to_dict(serializable=True)), theirs)
    no_generators = {"errors": [one for one in mine.to_dict()["errors"] if one["type"] != "plerror"]}
    compared(ours.NoiseModel.from_dict(no_generators), aer.NoiseModel.from_dict(no_generators))


def test_a_model_of_aer_is_read_once_and_anew_after_it_was_changed():
    model = filled(aer)
    errors = read_model(model)
    assert read_model(model) is errors
    model.add_all_qubit_quantum_error(aer.reset_error(0.1), "x")
    assert read_model(model).after("x", (0,))
    model.add_quantum_error(aer.reset_error(0.2), "x", [3])
    assert read_model(model).after("x", (3,))[0].probabilities[1] == pytest.approx(0.2)
    model.add_readout_error([[0.5, 0.5], [0.5, 0.5]], [2])
    assert read_model(model).readout((2,))[0, 0] == 0.5


BACKENDS = {
    "generic": lambda: GenericBackendV2(4, seed=3),
    "generic, other gates": lambda: GenericBackendV2(3, ["ecr", "rz", "sx", "x"], seed=4),
    "Manila": fake_provider.FakeManilaV2,
    "Lagos": fake_provider.FakeLagosV2,
    "Burlington": fake_provider.FakeBurlingtonV2,  # gates u1, u2 and u3
    "Melbourne": fake_provider.FakeMelbourneV2,
    "fractional gates": fake_provider.FakeFractionalBackend,  # with control flow
    "Auckland": fake_provider.FakeAuckland,
    "Sherbrooke": fake_provider.FakeSherbrooke,
    "Torino": fake_provider.FakeTorino,
}
COMPARED = 60  # entries of a model, since superoperators take long


@functools.cache
def both_models(name, temperature=0):
    """Our noise model of a device and that of Aer, which takes seconds."""
    backend = BACKENDS[name]()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # ours warns of gates that relax more than their reported error allows
        return tuple(noise.NoiseModel.from_backend(backend, temperature=temperature) for noise in (ours, aer))


@pytest.mark.parametrize(("name", "temperature"), [*((name, 0) for name in BACKENDS), ("generic", 60), ("Manila", 60)])
def test_the_noise_of_a_device_is_that_of_aer(name, temperature):
    mine, theirs = both_models(name, temperature)
    both = [{place_of(one): one for one in model.to_dict()["errors"]} for model in (mine, theirs)]
    assert both[0].keys() == both[1].keys()  # no error is missing and none is too many
    chosen = sorted(both[0])[:: len(both[0]) // COMPARED + 1]
    compared(*(ours.NoiseModel.from_dict({"errors": [errors[one] for one in chosen]}) for errors in both))
    circuit = QuantumCircuit(2)
    circuit.delay(3, 0, "us")
    circuit.delay(5, 1, "us")
    delayed = [PassManager(one._custom_noise_passes).run(circuit) for one in (mine, theirs)]
    assert np.allclose(*(SuperOp(one).data for one in delayed), atol=1e-9)
    assert len(delayed[0].data) == 4


def place_of(error):
    [qubits] = error["gate_qubits"]
    return error["type"], error["operations"][0], tuple(qubits)


@pytest.mark.parametrize("of", ["ours", "Aer's"])
def test_a_small_circuit_on_a_model_of_133_qubits_has_the_probabilities_of_aer(of):
    circuit = QuantumCircuit(4)
    circuit.h(0)
    for qubit in range(3):
        circuit.cx(qubit, qubit + 1)
    circuit.rx(0.7, range(4))
    circuit.measure_all()
    circuit = transpile(circuit, BACKENDS["Torino"](), seed_transpiler=3)
    mine, theirs = both_models("Torino")
    model = mine if of == "ours" else theirs
    simulator = qiskit_aer.AerSimulator(method="density_matrix", noise_model=theirs)
    measured = [circuit.find_bit(one.qubits[0]).index for one in circuit.data if one.operation.name == "measure"]
    saving = circuit.remove_final_measurements(inplace=False)
    saving.save_probabilities(measured)
    want = simulator.run(saving).result().data(0)["probabilities"]
    for qubit in measured:  # the recorded values are wrong now and then
        want = read_with(read_model(model).readout((qubit,)), measured.index(qubit), want)
    backend = BasicAer.get_backend("qasm_simulator", noise_model=model, seed_simulator=5, shots=20_000)
    for method in ("density_matrix", "statevector"):
        counts = backend.run(circuit, method=method).result().get_counts()
        got = np.array([counts.get(f"{value:04b}", 0) for value in range(16)])
        chi_squared = ((got - 20_000 * want) ** 2 / (20_000 * want)).sum()
        assert chi_squared < 56  # at 15 degrees of freedom, one of a million is larger


def read_with(matrix, bit, probabilities):
    """Return how likely each value is recorded if a bit of it is read with errors: row i is for the true value i."""
    by_bit = probabilities.reshape(-1, 2, 2**bit)
    return np.einsum("aib,ij->ajb", by_bit, matrix).reshape(-1)


def test_an_error_of_aer_can_be_given_in_a_circuit():
    circuit = QuantumCircuit(1)
    circuit.append(aer.amplitude_damping_error(0.3), [0])
    error = ours.QuantumError(circuit)
    assert np.allclose(SuperOp(error).data, SuperOp(aer.amplitude_damping_error(0.3)).data)
