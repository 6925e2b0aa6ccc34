"""PennyLane's lightning.qubit, in complex128. It fuses no gates.

Timed: setting the state to |0...0>, the gate kernels one after another, and 100 samples. Not timed: translation, memory
for the state, and all of PennyLane. The kernels are called as `LightningStateVector` calls them, without its queue,
tape and device, which take longer than a small circuit does.

Lightning uses the threads of OpenMP, set by OMP_NUM_THREADS, if its wheel was built with OpenMP; that of 0.45.0 for
Linux used one thread.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from peers.gates import Gate, gates_of
from peers.systems.entry import Entry

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

_KERNELS = {  # (Qiskit's name, controls) -> kernel
    ("h", 0): "Hadamard",
    ("x", 0): "PauliX",
    ("sx", 0): "SX",
    ("rx", 0): "RX",
    ("ry", 0): "RY",
    ("rz", 0): "RZ",
    ("p", 0): "PhaseShift",
    ("rzz", 0): "IsingZZ",
    ("swap", 0): "SWAP",
    ("x", 1): "CNOT",
    ("x", 2): "Toffoli",
    ("z", 1): "CZ",
    ("p", 1): "ControlledPhaseShift",
}
_CONTROLLABLE = {"x": "PauliX", "z": "PauliZ", "p": "PhaseShift"}


class Lightning:
    name = "Lightning"
    distribution = "pennylane-lightning"
    precisions = ("double",)
    largest = 64

    def __init__(self, threads: int) -> None:  # noqa: ARG002
        from pennylane_lightning import lightning_qubit_ops

        self.kernels = lightning_qubit_ops

    def entries(self, circuit: QuantumCircuit, precision: str, shots: int) -> list[Entry]:  # noqa: ARG002
        n = circuit.num_qubits
        state = self.kernels.StateVectorC128(n)
        calls = [self._call(state, gate, n) for gate in gates_of(circuit)]
        measurements = self.kernels.MeasurementsC128(state)

        def run():
            state.resetStateVector()
            for kernel, arguments in calls:
                kernel(*arguments)
            return measurements.generate_samples(n, shots)

        def amplitudes():
            run()
            held = np.zeros(2**n, complex)
            state.getState(held)
            return held

        return [Entry("", run, amplitudes)]

    @staticmethod
    def _call(state: Any, gate: Gate, n: int) -> tuple[Any, tuple[Any, ...]]:
        """Return a kernel and its arguments; wire 0 is the most significant bit, and so is a matrix's first wire."""
        controls, targets = ([n - 1 - q for q in qubits] for qubits in (gate.controls, gate.targets))
        params, inverse = list(gate.params), False
        if (gate.name, len(controls)) in _KERNELS:
            return getattr(state, _KERNELS[gate.name, len(controls)]), (controls + targets, inverse, params)
        if not controls:
            return state.applyMatrix, (np.ascontiguousarray(gate.matrix), targets[::-1], inverse)
        ones = [True] * len(controls)
        if gate.name in _CONTROLLABLE:
            return getattr(state, _CONTROLLABLE[gate.name]), (controls, ones, targets, inverse, params)
        return state.applyControlledMatrix, (
            np.ascontiguousarray(gate.matrix),
            controls,
            ones,
            targets[::-1],
            inverse,
        )
