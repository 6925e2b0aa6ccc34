"""Trains a quantum neural network in PyTorch to tell points inside of a circle from those outside of it."""

import torch
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector

from basicaer.torch import CircuitLayer

N_QUBITS, LAYERS, STEPS = 2, 4, 60

# Inputs are loaded before every layer, so that the outputs can depend on them in more than one wave.
inputs, weights = ParameterVector("x", 2), ParameterVector("w", 2 * N_QUBITS * LAYERS)
circuit = QuantumCircuit(N_QUBITS)
angles = iter(weights)
for _ in range(LAYERS):
    for qubit in range(N_QUBITS):
        circuit.rx(inputs[qubit], qubit)
        circuit.ry(next(angles), qubit)
        circuit.rz(next(angles), qubit)
    circuit.cz(0, 1)

torch.manual_seed(1)
points = 2 * torch.rand(200, 2) - 1
is_inside = (points.square().sum(dim=1) < 0.64).float()
known, new = slice(0, 150), slice(150, 200)

model = torch.nn.Sequential(CircuitLayer(circuit, ["ZI", "IZ"], inputs=inputs), torch.nn.Linear(2, 1))
loss_of = torch.nn.BCEWithLogitsLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
for step in range(1, STEPS + 1):
    optimizer.zero_grad()
    loss = loss_of(model(3 * points[known]).squeeze(1), is_inside[known])
    loss.backward()  # one sweep back for both outputs, with all points as a batch
    optimizer.step()
    if step % 15 == 0:
        print(f"step {step}: loss {loss.item():.3f}")

with torch.no_grad():
    right = ((model(3 * points[new]).squeeze(1) > 0) == (is_inside[new] > 0.5)).float().mean()
print(f"right for {right:.0%} of the points it has not seen")
