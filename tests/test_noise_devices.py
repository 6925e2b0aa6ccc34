"""Noise on every device: each kind of error, wherever it may act, has the outcomes that it has on the CPU."""

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.quantum_info import Pauli

from basicaer import BasicAer, noise
from basicaer.compile.lower import lower
from basicaer.compile.noise import CircuitNoise
from basicaer.compile.noise_model import read_model
from basicaer.devices.cpu.device import NumpyDevice
from basicaer.engine.trajectories import Trajectories
from basicaer.library import save_density_matrix, save_expectation_value
from basicaer.noise import (
    NoiseModel,
    ReadoutError,
    amplitude_damping_error,
    coherent_unitary_error,
    depolarizing_error,
    kraus_error,
    pauli_error,
    reset_error,
    thermal_relaxation_error,
)
from basicaer.simulators import running as running_module
from jobs import check_alike
from noise_constructors import CALLS, SITES, check_error

QUBITS, SHOTS = 7, 24
TURN = np.array([[np.cos(0.2), -np.sin(0.2)], [np.sin(0.2), np.cos(0.2)]])
FOURIER = np.exp(np.outer(range(4), range(4)) * np.pi / 2j) / 2
# Errors that are this likely are not drawn before their state is read.
STRONG = [np.diag(row) @ FOURIER for row in np.eye(4)]
ERRORS = {
    "Paulis": (depolarizing_error(0.1, 1), depolarizing_error(0.1, 2)),
    "mixed unitaries": (pauli_error([("X", 0.1), ("I", 0.9)]).compose(coherent_unitary_error(TURN)), None),
    "resets": (reset_error(0.1, 0.05), reset_error(0.1).tensor(reset_error(0.05))),
    "damping": (amplitude_damping_error(0.1), amplitude_damping_error(0.1).tensor(depolarizing_error(0.1, 1))),
    "relaxation, long T2": (thermal_relaxation_error(50, 80, 5), None),
    "Kraus, strong": (amplitude_damping_error(0.02), kraus_error(STRONG)),
}


def model(kind):
    one, two = ERRORS[kind]
    noise_model = NoiseModel()
    noise_model.add_all_qubit_quantum_error(one, ["ry", "reset"])
    if two is not None:
        noise_model.add_all_qubit_quantum_error(two, "cx")
    noise_model.add_all_qubit_readout_error(ReadoutError([[0.9, 0.1], [0.2, 0.8]]))
    return noise_model


def layers(qubits, *, ends):
    circuit = QuantumCircuit(qubits, qubits)
    for layer in range(2):
        for q in range(qubits):
            circuit.ry(0.3 + layer + q, q)
        circuit.cx(range(qubits - 1), range(1, qubits))
    if ends:
        save_expectation_value(circuit, Pauli("XZ"), [0, qubits - 1], "mean")
        circuit.measure(range(qubits), range(qubits))
    return circuit


def with_feedback(qubits):
    circuit = layers(qubits, ends=False)
    circuit.measure([0, qubits - 1], [0, 1])
    circuit.reset(1)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.ry(0.7, range(qubits))
        circuit.cx(0, qubits - 1)
    circuit.measure(range(qubits), range(qubits))
    return circuit


def outcomes(device, monkeypatch, circuit, kind, **options):
    monkeypatch.setattr(running_module, "choose_device", lambda *_, **__: (device, "a test wants it"))
    backend = BasicAer.get_backend("qasm_simulator", seed_simulator=3, shots=SHOTS, memory=True)
    return backend.run(circuit, noise_model=model(kind), **options).result().data(0)


@pytest.mark.filterwarnings("ignore:The noise model has no errors")
@pytest.mark.parametrize("kind", ERRORS)
@pytest.mark.parametrize("place", ["gates", "feedback"])
def test_outcomes_are_those_of_the_cpu(device, monkeypatch, kind, place):
    circuit = layers(QUBITS, ends=True) if place == "gates" else with_feedback(QUBITS)
    found, want = (
        outcomes(one, monkeypatch, circuit, kind, method="statevector") for one in (device, NumpyDevice(threads=1))
    )
    check_alike(found, want)
    assert len(set(want["memory"])) > SHOTS / 2


@pytest.mark.parametrize("kind", ERRORS)
def test_errors_are_drawn_first_where_they_can_be(kind):
    program = lower(layers(QUBITS, ends=True), noise=CircuitNoise(read_model(model(kind))))
    assert (Trajectories.of(program) is None) == (kind == "Kraus, strong")


@pytest.mark.filterwarnings("ignore:The noise model has no errors")
@pytest.mark.parametrize("kind", ["damping", "resets"])
@pytest.mark.parametrize("place", ["gates", "feedback"])
def test_density_matrices_are_those_of_the_cpu(device, monkeypatch, kind, place):
    circuit = layers(4, ends=False) if place == "gates" else with_feedback(4)
    save_density_matrix(circuit, label="matrix")
    found, want = (
        outcomes(one, monkeypatch, circuit, kind, method="density_matrix") for one in (device, NumpyDevice(threads=1))
    )
    check_alike(found, want)
    matrix = np.asarray(want["matrix"])
    assert np.trace(matrix).real == pytest.approx(1)
    assert np.trace(matrix @ matrix).real < 0.9


EACH = [*((name, "gate") for name in CALLS), *(("composed", site) for site in SITES if site != "gate")]


@pytest.mark.parametrize(("name", "site"), EACH)
def test_every_error_and_every_place_are_those_of_superoperators(device, monkeypatch, name, site):
    monkeypatch.setattr(running_module, "choose_device", lambda *_, **__: (device, "a test wants it"))
    check_error(CALLS[name](noise), site)
