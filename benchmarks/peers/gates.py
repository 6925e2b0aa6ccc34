"""A circuit's gates in the one form from which each peer's circuit is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from qiskit.circuit import ControlledGate

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray
    from qiskit import QuantumCircuit


class Gate(NamedTuple):
    """A gate apart from its controls, so that CX, CCX and MCX are all the gate X with some number of controls."""

    name: str  # Qiskit's name of the gate without controls
    controls: tuple[int, ...]  # the gate acts where all of them are 1
    targets: tuple[int, ...]
    params: tuple[float, ...]
    matrix: NDArray[np.complexfloating]  # bit k of a row's or column's index belongs to targets[k]


def gates_of(circuit: QuantumCircuit) -> Iterator[Gate]:
    """Yield the gates of a circuit that has nothing else; the global phase is left out, as no count depends on it."""
    for instruction in circuit.data:
        gate = instruction.operation
        qubits = tuple(circuit.find_bit(qubit).index for qubit in instruction.qubits)
        base, n_controls = gate, 0
        if isinstance(gate, ControlledGate):
            base, n_controls = gate.base_gate, gate.num_ctrl_qubits
            if gate.ctrl_state != 2**n_controls - 1:
                raise NotImplementedError(f"{gate.name} with control state {gate.ctrl_state}")
        params = () if base.name == "unitary" else tuple(float(param) for param in base.params)
        yield Gate(base.name, qubits[:n_controls], qubits[n_controls:], params, base.to_matrix())
