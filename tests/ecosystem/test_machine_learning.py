"""qiskit-machine-learning with our primitives: networks, their gradients, and a kernel, against the exact states."""

from math import sqrt

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.circuit.library import real_amplitudes, zz_feature_map
from qiskit.quantum_info import SparsePauliOp, Statevector
from qiskit_machine_learning.algorithms import NeuralNetworkClassifier
from qiskit_machine_learning.kernels import FidelityQuantumKernel
from qiskit_machine_learning.neural_networks import EstimatorQNN, SamplerQNN
from qiskit_machine_learning.optimizers import COBYLA
from qiskit_machine_learning.state_fidelities import ComputeUncompute

from basicaer import EstimatorGradient, EstimatorV2, SamplerV2

FEATURES, WEIGHTS = zz_feature_map(2, reps=1), real_amplitudes(2, reps=1)
POINTS = np.array([[0.1, 0.2], [0.4, 0.9], [1.2, 0.3]])
NUMBERS = np.array([0.3, 0.5, -0.2, 0.8])
OBSERVABLE = SparsePauliOp(["ZZ", "XI"], [1, 0.5])
SHOTS = 4000


def network():
    circuit = QuantumCircuit(2)
    circuit.compose(FEATURES, inplace=True)
    circuit.compose(WEIGHTS, inplace=True)
    return {"circuit": circuit, "input_params": FEATURES.parameters, "weight_params": WEIGHTS.parameters}


def state_of(point, numbers):
    return Statevector(FEATURES.assign_parameters(point).compose(WEIGHTS.assign_parameters(numbers)))


def slopes(function, at, step=1e-5):
    """The derivatives of a function by each of its numbers."""
    steps = step * np.eye(len(at))
    return np.stack([(function(at + one) - function(at - one)) / (2 * step) for one in steps], axis=-1)


@pytest.mark.parametrize("gradient", [None, EstimatorGradient()], ids=["their shifts", "our sweeps"])
def test_an_estimators_network_has_the_exact_values_and_slopes(gradient):
    exact = {"estimator": EstimatorV2(), "default_precision": 0.0, "gradient": gradient}
    ours = EstimatorQNN(**network(), observables=OBSERVABLE, input_gradients=True, **exact)

    def value(point, numbers):
        return state_of(point, numbers).expectation_value(OBSERVABLE).real

    assert np.allclose(ours.forward(POINTS, NUMBERS).ravel(), [value(x, NUMBERS) for x in POINTS], rtol=0, atol=1e-9)
    by_points, by_weights = ours.backward(POINTS, NUMBERS)
    want = [slopes(lambda x: value(x, NUMBERS), point) for point in POINTS]
    assert np.allclose(by_points[:, 0], want, rtol=0, atol=1e-7)
    want = [slopes(lambda numbers, x=point: value(x, numbers), NUMBERS) for point in POINTS]
    assert np.allclose(by_weights[:, 0], want, rtol=0, atol=1e-7)


def test_a_network_of_several_outputs_and_no_gradients_of_its_inputs():
    observables = [OBSERVABLE, SparsePauliOp("IZ")]
    how = {"estimator": EstimatorV2(), "default_precision": 0.0, "observables": observables}
    ours = EstimatorQNN(**network(), gradient=EstimatorGradient(), **how)
    theirs = EstimatorQNN(**network(), **how)
    by_points, by_weights = ours.backward(POINTS, NUMBERS)
    assert by_points is None
    assert by_weights.shape == (3, 2, 4)
    assert np.allclose(by_weights, theirs.backward(POINTS, NUMBERS)[1], rtol=0, atol=1e-12)


def test_a_samplers_network_has_the_probabilities_and_slopes():
    ours = SamplerQNN(**network(), sampler=SamplerV2(seed=3, default_shots=SHOTS))

    def probabilities(point, numbers):
        return state_of(point, numbers).probabilities()

    close = {"rtol": 0, "atol": 5 * sqrt(0.25 / SHOTS)}
    want = [probabilities(x, NUMBERS) for x in POINTS]
    assert np.allclose(ours.forward(POINTS, NUMBERS), want, **close)
    _, by_weights = ours.backward(POINTS, NUMBERS)
    want = [slopes(lambda numbers, x=point: probabilities(x, numbers), NUMBERS) for point in POINTS]
    assert np.allclose(by_weights, want, **close)
    assert np.ptp(want) > 0.5


def test_a_kernel_is_the_overlap_of_states():
    fidelity = ComputeUncompute(SamplerV2(seed=2, default_shots=SHOTS))
    kernel = FidelityQuantumKernel(feature_map=FEATURES, fidelity=fidelity, enforce_psd=False).evaluate(POINTS)
    states = np.array([Statevector(FEATURES.assign_parameters(point)).data for point in POINTS])
    assert np.allclose(kernel, np.abs(states.conj() @ states.T) ** 2, rtol=0, atol=5 * sqrt(0.25 / SHOTS))
    assert np.ptp(kernel) > 0.5


def test_a_classifier_learns_which_side_points_are_on():
    points = np.linspace(-1.2, 1.2, 8)[:, None]
    sides = np.sign(points).ravel()
    point, weight = Parameter("point"), Parameter("weight")
    turned = QuantumCircuit(1)
    turned.ry(point, 0)
    turned.ry(weight, 0)
    qnn = EstimatorQNN(circuit=turned, input_params=[point], weight_params=[weight], estimator=EstimatorV2(seed=1))
    classifier = NeuralNetworkClassifier(qnn, optimizer=COBYLA(maxiter=50), initial_point=np.array([0.1]))
    assert classifier.fit(points, sides).score(points, sides) == 1
    assert classifier.weights == pytest.approx([-np.pi / 2], abs=0.2)
