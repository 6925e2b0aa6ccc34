"""Qiskit's BasicSimulator, NumPy only. Timed: all of `run(...).result()`. Outside: `transpile` at level 0.

That is given up to 16 qubits; beyond them it takes minutes.
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
        """It has no option for threads: its arithmetic is `einsum`, in one."""

    def entries(self, circuit: QuantumCircuit, precision: str, shots: int) -> list[Entry]:  # noqa: ARG002
        simulator = BasicSimulator()
        measured = transpile(circuit.measure_all(inplace=False), simulator, optimization_level=0)

        def run():
            return simulator.run(measured, shots=shots).result()

        def amplitudes():
            run()
            # It returns counts only, but shots are drawn from a state that it still has.
            return simulator._statevector.reshape(-1)  # noqa: SLF001

        return [Entry("", run, amplitudes)]
