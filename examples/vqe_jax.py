"""Finds the ground state energy of a spin chain with JAX: 4 starts at the same time, by `vmap`."""

import jax
import numpy as np
from jax import numpy as jnp
from qiskit.circuit.library import real_amplitudes
from qiskit.quantum_info import SparsePauliOp

from basicaer import value_and_gradient
from basicaer.jax import expectations

N_QUBITS, STEPS, RATE = 4, 150, 0.05

terms = [("ZZ", [q, q + 1], -1.0) for q in range(N_QUBITS - 1)] + [("X", [q], -1.0) for q in range(N_QUBITS)]
hamiltonian = SparsePauliOp.from_sparse_list(terms, N_QUBITS)
ansatz = real_amplitudes(N_QUBITS, entanglement="linear", reps=3)
energy = value_and_gradient(ansatz, hamiltonian)


@jax.jit
def step(angles: jax.Array, velocity: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Take a step of gradient descent with momentum, from all starts."""
    values, gradients = jax.vmap(jax.value_and_grad(lambda one: expectations(energy, one)))(angles)
    velocity = 0.8 * velocity - RATE * gradients
    return values, angles + velocity, velocity


angles = jax.random.uniform(jax.random.key(1), (4, ansatz.num_parameters), minval=-0.5, maxval=0.5)
velocity = jnp.zeros_like(angles)
for number in range(1, STEPS + 1):
    values, angles, velocity = step(angles, velocity)
    if number % 50 == 0:
        print(f"step {number}: energies {values.round(4)}")

lowest = np.linalg.eigvalsh(hamiltonian.to_matrix())[0]
print("within 1 % of the ground state" if values.min() < 0.99 * lowest else f"not yet at {lowest:.4f}")
