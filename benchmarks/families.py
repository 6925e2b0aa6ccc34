"""The circuits that are timed, by name and number of qubits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit.library import quantum_volume
from qiskit.synthesis import synth_qft_full

if TYPE_CHECKING:
    from collections.abc import Callable


def ghz(n: int) -> QuantumCircuit:
    """One Hadamard and a chain of CX."""
    circuit = QuantumCircuit(n)
    circuit.h(0)
    for q in range(n - 1):
        circuit.cx(q, q + 1)
    return circuit


def ansatz(n: int, layers: int = 3) -> QuantumCircuit:
    """Layers of RY, RZ and a chain of CX, as variational circuits have them."""
    random = np.random.default_rng(0)
    circuit = QuantumCircuit(n)
    for _ in range(layers):
        for q in range(n):
            circuit.ry(random.random(), q)
            circuit.rz(random.random(), q)
        for q in range(n - 1):
            circuit.cx(q, q + 1)
    return circuit


def volume(n: int) -> QuantumCircuit:
    """Quantum volume of depth 4: random two-qubit unitaries on random pairs."""
    return quantum_volume(n, 4, seed=1)


def qft(n: int) -> QuantumCircuit:
    """The quantum Fourier transform, in gates."""
    return synth_qft_full(n)


FAMILIES: dict[str, Callable[[int], QuantumCircuit]] = {"ghz": ghz, "ansatz": ansatz, "volume": volume, "qft": qft}
