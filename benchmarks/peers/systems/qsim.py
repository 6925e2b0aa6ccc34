"""qsim, in complex64, the only precision that it has.

Timed: fusion, memory for the state, evolution and 100 samples, all of it in C++. Not timed: translation to Cirq and
from there to qsim's circuit, which `QSimSimulator.run` would repeat in Python each time. It takes part with fusion into
matrices on two, three and four qubits, because the fastest of these depends on circuit and size.
"""

from __future__ import annotations

from math import pi
from typing import TYPE_CHECKING, Any

import numpy as np

from peers.gates import Gate, gates_of
from peers.systems.entry import Entry

if TYPE_CHECKING:
    from qiskit import QuantumCircuit


class Qsim:
    name = "qsim"
    distribution = "qsimcirq"
    precisions = ("single",)
    largest = 64

    def __init__(self, threads: int) -> None:
        import cirq
        import qsimcirq

        self.cirq, self.qsimcirq = cirq, qsimcirq
        self.threads = threads

    def entries(self, circuit: QuantumCircuit, precision: str, shots: int) -> list[Entry]:  # noqa: ARG002
        qubits = self.cirq.LineQubit.range(circuit.num_qubits)
        translated = self.cirq.Circuit(self._translated(gate, qubits) for gate in gates_of(circuit))
        # In Cirq the first qubit of an order is the most significant bit.
        program, _ = self.qsimcirq.QSimCircuit(translated).translate_cirq_to_qsim(qubit_order=qubits[::-1])
        return [self._entry(program, fused, shots) for fused in (2, 3, 4)]

    def _entry(self, program: Any, fused: int, shots: int) -> Entry:
        options = self.qsimcirq.QSimOptions(max_fused_gate_size=fused, cpu_threads=self.threads).as_dict()
        options |= {"c": program, "s": 1}
        qsim = self.qsimcirq.qsim

        def amplitudes():
            return qsim.qsim_simulate_fullstate(options, 0).view(np.complex64)

        return Entry(f"fused up to {fused}", lambda: qsim.qsim_sample_final(options, shots), amplitudes)

    def _translated(self, gate: Gate, line: list[Any]) -> Any:
        cirq = self.cirq
        special = {
            "h": lambda: cirq.H,
            "x": lambda: cirq.X,
            "z": lambda: cirq.Z,
            "swap": lambda: cirq.SWAP,
            "rx": cirq.rx,
            "ry": cirq.ry,
            "rz": cirq.rz,
            "p": lambda angle: cirq.ZPowGate(exponent=angle / pi),
            "rzz": lambda angle: cirq.ZZPowGate(exponent=angle / pi, global_shift=-0.5),
        }
        if (gate.name, len(gate.controls)) in {("x", 1), ("z", 1), ("p", 1)}:
            # Cirq has gates for these, which qsim can fuse.
            exponent = gate.params[0] / pi if gate.params else 1
            make = cirq.CXPowGate if gate.name == "x" else cirq.CZPowGate
            return make(exponent=exponent)(*(line[q] for q in gate.controls + gate.targets))
        if gate.name in special:
            target, order = special[gate.name](*gate.params), gate.targets
        else:  # The first qubit of a matrix, too, is the most significant bit.
            target, order = cirq.MatrixGate(gate.matrix), gate.targets[::-1]
        if gate.controls:
            target = cirq.ControlledGate(target, num_controls=len(gate.controls))
        return target(*(line[q] for q in gate.controls + order))
