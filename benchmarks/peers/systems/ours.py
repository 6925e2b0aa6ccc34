"""basicaer.

Timed: all of `run(...).result()`, that is checks, lowering, planning, evolution and counts. An untimed run precedes, so
the plan that the first run of a circuit leaves for the next ones is there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from harness.timing import OURS

from basicaer import BasicAer
from peers.systems.entry import Entry

if TYPE_CHECKING:
    from qiskit import QuantumCircuit


class Ours:
    name = OURS
    distribution = "basicaer"
    precisions = ("double", "single")
    largest = 64

    def __init__(self, threads: int) -> None:
        self.threads = threads

    def backend(self, kind: str, precision: str) -> Any:
        backend = BasicAer.get_backend(kind)
        backend.set_options(precision=precision)
        if hasattr(backend.options, "max_parallel_threads"):  # This benchmark also times versions without the option.
            backend.set_options(max_parallel_threads=self.threads)
        return backend

    def entries(self, circuit: QuantumCircuit, precision: str, shots: int) -> list[Entry]:
        backend = self.backend("qasm_simulator", precision)
        measured = circuit.measure_all(inplace=False)

        def amplitudes():
            return np.asarray(self.backend("statevector_simulator", precision).run(circuit).result().get_statevector())

        return [Entry("", lambda: backend.run(measured, shots=shots).result(), amplitudes)]

    def plan(self, circuit: QuantumCircuit, precision: str) -> dict[str, int]:
        """Return the predicted passes, bytes and operations of a run; nothing for a version that has no plans."""
        backend = self.backend("qasm_simulator", precision)
        if not hasattr(backend, "plan"):
            return {}
        plan = backend.plan(circuit.measure_all(inplace=False))
        return {"passes": len(plan.passes), "bytes": plan.bytes, "flops": plan.flops}
