"""Qiskit's BasicSimulator, which uses NumPy only. It takes part up to 16 qubits; beyond, it takes minutes.

Timed: all of `run(...).result()`. Not timed: `transpile` at level 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qiskit import transpile
from qiskit.providers.basic_provider import BasicSimulator

from peers.systems.entry import Entry

if TYPE_CHECKING:
    from qiskit import QuantumCircuit


class Basic:
    name = "BasicSimulator"
    distribution = "qiskit"
    precisions = ("double",)
    largest = 16

    def __init__(self, threads: int) -> None:
        """Ignore the number of threads: its arithmetic is `einsum`, which uses one."""

    def entries(self, circuit: QuantumCircuit, precision: str, shots: int) -> list[Entry]:  # noqa: ARG002
        simulator = BasicSimulator()
        measured = transpile(circuit.measure_all(inplace=False), simulator, optimization_level=0)

        def run():
            return simulator.run(measured, shots=shots).result()

        def amplitudes():
            run()
            # It returns counts only, but keeps the state from which it has drawn the shots.
            return simulator._statevector.reshape(-1)  # noqa: SLF001

        return [Entry("", run, amplitudes)]
