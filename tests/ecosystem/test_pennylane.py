"""PennyLane's plugin for Qiskit: its devices on our backends, against PennyLane's own simulator."""

from math import sqrt

import pennylane as qml
import pytest
from pennylane import numpy as np

from basicaer import BasicAer

SHOTS = 20_000
POINT = np.array([0.4, 0.9], requires_grad=True)


def circuit(angles):
    qml.RX(angles[0], wires=0)
    qml.RY(angles[1], wires=1)
    qml.CNOT(wires=[0, 1])
    qml.Hadamard(wires=2)
    qml.CRZ(0.3, wires=[2, 0])
    qml.SWAP(wires=[1, 2])


def value(device):
    @qml.qnode(device, diff_method="parameter-shift")
    def node(angles):
        circuit(angles)
        return qml.expval(0.5 * qml.PauliZ(0) @ qml.PauliZ(2) + qml.PauliZ(2) @ qml.PauliX(1))

    return node


def probabilities(device):
    @qml.qnode(device)
    def node(angles):
        circuit(angles)
        return qml.probs(wires=[2, 0, 1])

    return node


def variance(device):
    @qml.qnode(device)
    def node(angles):
        circuit(angles)
        return qml.var(qml.PauliZ(2))

    return node


def gradient(device):
    return qml.grad(value(device))


EXACT = qml.device("default.qubit", wires=3)
everything = pytest.mark.parametrize("asked", [value, probabilities, variance, gradient])


@everything
@pytest.mark.parametrize("name", ["statevector_simulator", "unitary_simulator"])
def test_without_shots_the_aer_device_is_exact(name, asked):
    device = qml.device("qiskit.aer", wires=3, backend=BasicAer.get_backend(name), shots=None)
    assert np.allclose(asked(device)(POINT), asked(EXACT)(POINT), rtol=0, atol=1e-9)


@everything
@pytest.mark.parametrize("plugin", ["qiskit.aer", "qiskit.remote"])
def test_with_shots_a_device_draws_samples(plugin, asked, backend):
    device = qml.device(plugin, wires=3, backend=backend, shots=SHOTS)
    found, want = asked(device)(POINT), asked(EXACT)(POINT)
    assert np.allclose(found, want, rtol=0, atol=5 * 1.5 / sqrt(SHOTS))
    assert np.max(np.abs(want)) > 0.2


@pytest.mark.parametrize("plugin", ["qiskit.aer", "qiskit.remote"])
def test_without_shots_the_counting_simulator_draws_its_own_number(plugin, backend):
    with pytest.warns(UserWarning, match="analytic calculation"):
        found = value(qml.device(plugin, wires=3, backend=backend))(POINT)
    assert found == pytest.approx(value(EXACT)(POINT), abs=5 * 1.5 / sqrt(1024))


@pytest.mark.parametrize("plugin", ["qiskit.aer", "qiskit.remote"])
def test_angles_are_found_by_descent(plugin, backend):
    """To where the value is least, which is -1.5 for this one."""
    device = qml.device(plugin, wires=3, backend=backend, shots=2000)
    descent, angles = qml.GradientDescentOptimizer(0.4), POINT
    for _ in range(15):
        angles = descent.step(value(device), angles)
    assert value(EXACT)(angles) == pytest.approx(-1.5, abs=0.05)
