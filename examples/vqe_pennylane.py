"""Finds the ground state energy of a spin chain with PennyLane on basicaer."""

import numpy as np
import pennylane as qml
from pennylane import numpy as pnp

N_QUBITS, LAYERS, STEPS = 4, 3, 60

wires = range(N_QUBITS)
hamiltonian = qml.sum(*(-qml.Z(q) @ qml.Z(q + 1) for q in wires[:-1]), *(-qml.X(q) for q in wires))
device = qml.device("basicaer.qubit", wires=N_QUBITS)


@qml.qnode(device)
def energy(angles: pnp.tensor) -> qml.measurements.ExpectationMP:
    """Return the energy of the chain."""
    for layer in angles:
        for qubit in wires:
            qml.RY(layer[qubit], wires=qubit)
        for qubit in wires[:-1]:
            qml.CNOT(wires=[qubit, qubit + 1])
    return qml.expval(hamiltonian)


angles = pnp.array(np.random.default_rng(1).uniform(-0.5, 0.5, (LAYERS + 1, N_QUBITS)), requires_grad=True)
optimizer = qml.AdamOptimizer(0.1)
for step in range(1, STEPS + 1):
    angles, before = optimizer.step_and_cost(energy, angles)  # one sweep there and back for all derivatives
    if step % 20 == 0:
        print(f"step {step}: energy {before:.4f}")

lowest = np.linalg.eigvalsh(qml.matrix(hamiltonian, wire_order=wires))[0]
print("within 1 % of the ground state" if energy(angles) < 0.99 * lowest else f"not yet at {lowest:.4f}")
