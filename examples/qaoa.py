"""Finds a maximum cut of a graph with QAOA: exact expectation values optimise the angles, samples give the cut."""

import itertools

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.quantum_info import SparsePauliOp

from basicaer import EstimatorV2, SamplerV2

EDGES = [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (5, 6), (6, 7), (7, 0), (0, 4), (1, 5), (2, 6), (3, 7)]
N_QUBITS, LAYERS, STEPS = 8, 3, 150


def cut(bits: str) -> int:
    """Return the number of edges between vertices marked 0 and vertices marked 1."""
    return sum(bits[-1 - a] != bits[-1 - b] for a, b in EDGES)


gammas, betas = ParameterVector("gamma", LAYERS), ParameterVector("beta", LAYERS)
circuit = QuantumCircuit(N_QUBITS)
circuit.h(range(N_QUBITS))
for gamma, beta in zip(gammas, betas, strict=True):
    for a, b in EDGES:
        circuit.rzz(gamma, a, b)
    circuit.rx(2 * beta, range(N_QUBITS))
terms = [("ZZ", edge, -0.5) for edge in EDGES] + [("", [], 0.5 * len(EDGES))]
operator = SparsePauliOp.from_sparse_list(terms, N_QUBITS)

# The optimiser is SPSA: each step goes along a random direction, by the difference of the values ahead and behind.
# Qiskit orders parameters by name, so the betas come first.
estimator, random = EstimatorV2(), np.random.default_rng(1)
angles = np.concatenate([np.linspace(0.5, 0.1, LAYERS), np.linspace(-0.2, -0.6, LAYERS)])
for step in range(STEPS):
    direction = random.choice([-1.0, 1.0], 2 * LAYERS)
    width = 0.1 / (step + 1) ** 0.1
    sides = angles + width * np.outer([1, -1], direction)
    ahead, behind = estimator.run([(circuit, operator, sides)]).result()[0].data.evs
    angles = angles + 0.02 / (1 + step / 50) ** 0.6 * (ahead - behind) / (2 * width) * direction

mean = estimator.run([(circuit, operator, angles)]).result()[0].data.evs
measured = circuit.measure_all(inplace=False)
counts = SamplerV2(seed=7).run([(measured, angles)], shots=1000).result()[0].data.meas.get_counts()
found = max(counts, key=cut)
best = max(cut("".join(bits)) for bits in itertools.product("01", repeat=N_QUBITS))
print(f"mean cut {mean:.2f}; a random assignment cuts {len(EDGES) / 2:.2f} edges on average")
print(f"best of 1000 samples: {found} cuts {cut(found)} of {len(EDGES)} edges; no cut has more than {best}")
