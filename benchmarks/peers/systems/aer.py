"""Qiskit Aer's statevector method, with fusion as it is by default.

Timed: all of `run(...).result()`, that is assembly, fusion, evolution and counts. Not timed: `transpile` at level 0 to
Aer's own gates, which keeps every gate of the families.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from qiskit import transpile

from peers.systems.entry import Entry

if TYPE_CHECKING:
    from qiskit import QuantumCircuit


class Aer:
    name = "Aer"
    distribution = "qiskit-aer"
    precisions = ("double", "single")
    largest = 64

    def __init__(self, threads: int) -> None:
        from qiskit_aer import AerSimulator

        self.simulators = {
            precision: AerSimulator(method="statevector", precision=precision, max_parallel_threads=threads)
            for precision in self.precisions
        }

    def entries(self, circuit: QuantumCircuit, precision: str, shots: int) -> list[Entry]:
        simulator = self.simulators[precision]
        measured = transpile(circuit.measure_all(inplace=False), simulator, optimization_level=0)

        def amplitudes():
            saved = measured.remove_final_measurements(inplace=False)
            saved.save_statevector()
            return np.asarray(simulator.run(saved).result().get_statevector())

        return [Entry("", lambda: simulator.run(measured, shots=shots).result(), amplitudes)]
