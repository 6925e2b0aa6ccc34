"""qiskit-algorithms with our primitives: minima, a cut, a phase and an amplitude that are known."""

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.circuit.library import real_amplitudes
from qiskit.quantum_info import SparsePauliOp
from qiskit_algorithms import (
    QAOA,
    VQE,
    AmplitudeEstimation,
    EstimationProblem,
    IterativeAmplitudeEstimation,
    PhaseEstimation,
)
from qiskit_algorithms.gradients import DerivativeType, ParamShiftEstimatorGradient, ReverseEstimatorGradient
from qiskit_algorithms.optimizers import COBYLA, SLSQP

from basicaer import EstimatorGradient, EstimatorV2, SamplerV2

HYDROGEN = SparsePauliOp(  # the molecule's two-qubit Hamiltonian at 0.735 Angstrom
    ["II", "IZ", "ZI", "ZZ", "XX"],
    [-1.052373245772859, 0.39793742484318045, -0.39793742484318045, -0.01128010425623538, 0.18093119978423156],
)
PROBABILITY = 0.2


@pytest.mark.parametrize("kind", [None, ParamShiftEstimatorGradient, EstimatorGradient])
def test_vqe_finds_the_ground_state(kind):
    estimator = EstimatorV2()
    gradient = None if kind is None else kind(estimator)
    ansatz = real_amplitudes(2, reps=1)
    vqe = VQE(estimator, ansatz, SLSQP(maxiter=100), initial_point=4 * [0.1], gradient=gradient)
    want = np.linalg.eigvalsh(HYDROGEN.to_matrix())[0]
    assert vqe.compute_minimum_eigenvalue(HYDROGEN).eigenvalue == pytest.approx(want, abs=1e-5)


@pytest.mark.parametrize("kind", list(DerivativeType), ids=str)
def test_a_gradient_is_that_of_the_packages_own_reverse_sweep(kind):
    """Of gates that it knows; in all parts of the complex derivative."""
    angles = ParameterVector("a", 6)
    circuit = QuantumCircuit(3)
    circuit.h(range(3))
    circuit.rx(angles[0], 0)
    circuit.ry(angles[1] * angles[0], 1)
    circuit.rzz(angles[2], 0, 2)
    circuit.cx(1, 2)
    circuit.rz(angles[3] + 0.2, 2)
    circuit.cz(2, 0)
    circuit.rx(angles[4], 1)
    circuit.ry(angles[5], 0)
    operators = [SparsePauliOp(["XIZ", "YYI"], [0.5, -1.0]), SparsePauliOp("ZZZ")]
    values = np.random.default_rng(1).normal(size=(2, 6))
    request = [circuit] * 2, operators, values
    ours = EstimatorGradient(derivative_type=kind).run(*request).result().gradients
    theirs = ReverseEstimatorGradient(derivative_type=kind).run(*request).result().gradients
    assert np.allclose(ours, theirs, rtol=0, atol=1e-12)


def test_qaoa_finds_the_largest_cut_of_a_ring():
    ring = SparsePauliOp.from_sparse_list([("ZZ", [i, (i + 1) % 4], 1) for i in range(4)], 4)
    sampler = SamplerV2(seed=3, default_shots=2000)
    qaoa = QAOA(sampler, COBYLA(maxiter=60), reps=1, initial_point=[0.5, 0.5])
    result = qaoa.compute_minimum_eigenvalue(ring)
    assert result.best_measurement["bitstring"] in {"0101", "1010"}
    assert result.best_measurement["value"] == -4
    assert result.eigenvalue == pytest.approx(-2, abs=0.2)  # of a ring, one layer reaches half of that


@pytest.mark.parametrize("sixteenths", [0, 1, 5, 15])
def test_phase_estimation_finds_a_phase_of_four_bits(sixteenths):
    gate, excited = QuantumCircuit(1), QuantumCircuit(1)
    gate.p(2 * np.pi * sixteenths / 16, 0)
    excited.x(0)
    assert PhaseEstimation(4, SamplerV2(seed=1)).estimate(gate, excited).phase == sixteenths / 16


@pytest.mark.parametrize(
    ("make", "attribute"),
    [
        (lambda sampler: AmplitudeEstimation(5, sampler=sampler), "mle"),
        (lambda sampler: IterativeAmplitudeEstimation(0.01, 0.05, sampler=sampler), "estimation"),
    ],
    ids=["canonical", "iterative"],
)
def test_amplitude_estimation_finds_a_probability(make, attribute):
    turned = QuantumCircuit(1)
    turned.ry(2 * np.arcsin(np.sqrt(PROBABILITY)), 0)
    result = make(SamplerV2(seed=1)).estimate(EstimationProblem(turned, objective_qubits=[0]))
    assert getattr(result, attribute) == pytest.approx(PROBABILITY, abs=0.01)
