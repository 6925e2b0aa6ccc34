"""Finds the ground state energy of a spin chain in a field, by gradient descent on exact expectation values."""

import numpy as np
from qiskit.circuit.library import real_amplitudes
from qiskit.quantum_info import SparsePauliOp

from basicaer import EstimatorV2

N_QUBITS, STEPS, RATE = 6, 120, 0.1

terms = [("ZZ", [q, q + 1], -1.0) for q in range(N_QUBITS - 1)] + [("X", [q], -1.0) for q in range(N_QUBITS)]
hamiltonian = SparsePauliOp.from_sparse_list(terms, N_QUBITS)
ansatz = real_amplitudes(N_QUBITS, entanglement="linear", reps=3)
estimator = EstimatorV2()

# The derivative with respect to a rotation angle is half the difference between the values a quarter turn ahead and a
# quarter turn behind. One job per step therefore computes all of these values, and the energy at the current angles.
around = np.pi / 2 * np.vstack([np.eye(ansatz.num_parameters), -np.eye(ansatz.num_parameters)])
angles = np.random.default_rng(1).uniform(-0.5, 0.5, ansatz.num_parameters)
mean, square = np.zeros_like(angles), np.zeros_like(angles)  # Adam's running averages of the gradient and its square
for step in range(1, STEPS + 1):
    values = estimator.run([(ansatz, hamiltonian, np.vstack([angles, angles + around]))]).result()[0].data.evs
    ahead, behind = np.split(values[1:], 2)
    gradient = (ahead - behind) / 2
    mean, square = 0.9 * mean + 0.1 * gradient, 0.99 * square + 0.01 * gradient**2
    angles = angles - RATE * (mean / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.99**step)) + 1e-9)
    if step % 30 == 0:
        print(f"step {step}: energy {values[0]:.4f}")

energy = estimator.run([(ansatz, hamiltonian, angles)]).result()[0].data.evs
lowest = np.linalg.eigvalsh(hamiltonian.to_matrix())[0]
print(f"found {energy:.4f}; the ground state has {lowest:.4f}, which is {(energy - lowest) / abs(lowest):.1%} lower")
