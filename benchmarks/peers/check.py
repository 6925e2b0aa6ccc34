"""Compares the final states of all simulators with Qiskit's own, before any of them is timed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from harness.fidelity import require_same_state
from qiskit.quantum_info import Statevector

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from qiskit import QuantumCircuit

    from peers.systems import System

QUBITS = 10


def check(family: Callable[[int], QuantumCircuit], systems: Iterable[System], precision: str) -> None:
    """Compare all systems in all their settings at 10 qubits; end the program if one is wrong.

    The circuit is preceded by a random gate on each qubit, because some wrong circuits are right on |0...0>: a QFT
    without its phases, for example.
    """
    random = np.random.default_rng(8)
    circuit = family(QUBITS).copy_empty_like()
    for q in range(QUBITS):
        circuit.u(*random.uniform(0.3, 2.8, 3), q)
    circuit.compose(family(QUBITS), inplace=True)
    expected = Statevector(circuit).data
    for system in systems:
        for entry in system.entries(circuit, precision, shots=2):
            who = f"{system.name}, {entry.setting}" if entry.setting else system.name
            require_same_state(who, entry.amplitudes(), expected, precision, f"{family.__name__} at {QUBITS} qubits")
