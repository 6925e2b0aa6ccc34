"""Qulacs, in complex128, with the threads of OpenMP, set by OMP_NUM_THREADS.

Timed: setting the state to |0...0>, applying the circuit, and 100 samples. Not timed: translation, memory for the
state, and the optimiser, which merges gates into matrices.

Merging is not always faster, so circuits take part as given and merged into matrices on two qubits. Matrices on three
and four qubits took twice and three times as long at 16 and 20 qubits, so they are left out. So is `optimize_light`: it
was no faster than these, and merges without a bound, so that a gate controlled by all qubits becomes a matrix on all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from peers.gates import Gate, gates_of
from peers.systems.entry import Entry

if TYPE_CHECKING:
    from collections.abc import Callable

    from qiskit import QuantumCircuit


class Qulacs:
    name = "Qulacs"
    distribution = "qulacs"
    precisions = ("double",)
    largest = 64

    def __init__(self, threads: int) -> None:  # noqa: ARG002
        import qulacs

        self.qulacs = qulacs

    def entries(self, circuit: QuantumCircuit, precision: str, shots: int) -> list[Entry]:  # noqa: ARG002
        optimizer = self.qulacs.circuit.QuantumCircuitOptimizer()
        optimizations: dict[str, Callable[[Any], None]] = {
            "as given": lambda _: None,
            "merged up to 2": lambda translated: optimizer.optimize(translated, 2),
        }
        state = self.qulacs.QuantumState(circuit.num_qubits)
        return [self._entry(circuit, state, shots, *item) for item in optimizations.items()]

    def _entry(
        self, circuit: QuantumCircuit, state: Any, shots: int, setting: str, optimize: Callable[[Any], None]
    ) -> Entry:
        translated = self.qulacs.QuantumCircuit(circuit.num_qubits)
        for gate in gates_of(circuit):
            translated.add_gate(self._translated(gate))
        optimize(translated)

        def run():
            state.set_zero_state()
            translated.update_quantum_state(state)
            return state.sampling(shots)

        def amplitudes():
            run()
            return state.get_vector()

        return Entry(setting, run, amplitudes)

    def _translated(self, gate: Gate) -> Any:
        ours, make = (gate.name, len(gate.controls)), self.qulacs.gate
        # RotX(t) is exp(-i t X / 2), Qiskit's RX; Qulacs' own RX and PauliRotation have the other sign.
        special = {
            ("h", 0): make.H,
            ("x", 0): make.X,
            ("sx", 0): make.sqrtX,
            ("rx", 0): make.RotX,
            ("ry", 0): make.RotY,
            ("rz", 0): make.RotZ,
            ("p", 0): make.U1,
            ("u", 0): make.U3,
            ("x", 1): make.CNOT,
            ("x", 2): make.TOFFOLI,
            ("z", 1): make.CZ,
            ("swap", 0): make.SWAP,
            ("rzz", 0): lambda a, b, angle: make.PauliRotation([a, b], [3, 3], -angle),
        }
        if ours in special:
            return special[ours](*gate.controls, *gate.targets, *gate.params)
        matrix = make.DenseMatrix(list(gate.targets), gate.matrix)
        for control in gate.controls:
            matrix.add_control_qubit(control, 1)
        return matrix
