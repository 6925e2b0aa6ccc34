"""basicaer. Timed: all of `run(...).result()`, that is checks, lowering, planning, evolution and the counts.

What a first run of a circuit may leave behind for the next, a plan, is there, since one untimed run goes before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from basicaer import BasicAer
from peers.systems.entry import Entry

if TYPE_CHECKING:
    from qiskit import QuantumCircuit


class Ours:
    name = "basicaer"
    distribution = "basicaer"
    precisions = ("double", "single")
    largest = 64

    def __init__(self, threads: int) -> None:
        self.threads = threads

    def backend(self, kind: str, precision: str) -> Any:
        backend = BasicAer.get_backend(kind)
        backend.set_options(precision=precision)
        if hasattr(backend.options, "max_parallel_threads"):  # versions before it are timed with this benchmark too
            backend.set_options(max_parallel_threads=self.threads)
        return backend

    def entries(self, circuit: QuantumCircuit, precision: str, shots: int) -> list[Entry]:
        backend = self.backend("qasm_simulator", precision)
        measured = circuit.measure_all(inplace=False)

        def amplitudes():
            return np.asarray(self.backend("statevector_simulator", precision).run(circuit).result().get_statevector())

        return [Entry("", lambda: backend.run(measured, shots=shots).result(), amplitudes)]

    def plan(self, circuit: QuantumCircuit, precision: str) -> dict[str, int]:
        """Return what is foretold of a run, where this version foretells it."""
        backend = self.backend("qasm_simulator", precision)
        if not hasattr(backend, "plan"):
            return {}
        plan = backend.plan(circuit.measure_all(inplace=False))
        return {"passes": len(plan.passes), "bytes": plan.bytes, "flops": plan.flops}
