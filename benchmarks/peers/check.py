"""Makes sure that nobody is timed on a wrong circuit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from qiskit.quantum_info import Statevector

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from qiskit import QuantumCircuit

    from peers.systems import System

QUBITS = 10
INFIDELITY = {"double": 1e-10, "single": 1e-4}


def check(family: Callable[[int], QuantumCircuit], systems: Iterable[System], precision: str) -> None:
    """Compare the final states of all systems, in all settings, with Qiskit's own at 10 qubits.

    A random gate on each qubit goes before the circuit: from |0...0> much would be right by chance, such as a QFT
    without its phases.
    """
    random = np.random.default_rng(8)
    circuit = family(QUBITS).copy_empty_like()
    for q in range(QUBITS):
        circuit.u(*random.uniform(0.3, 2.8, 3), q)
    circuit.compose(family(QUBITS), inplace=True)
    expected = Statevector(circuit).data
    for system in systems:
        for entry in system.entries(circuit, precision, shots=2):
            infidelity = 1 - abs(np.vdot(expected, entry.amplitudes())) ** 2
            if not abs(infidelity) < INFIDELITY[precision]:
                raise SystemExit(
                    f"{system.name} ({precision}, {entry.setting or 'its one setting'}) was given or made a wrong "
                    f"circuit: its state for {family.__name__} at {QUBITS} qubits differs by {infidelity:.1e}."
                )
