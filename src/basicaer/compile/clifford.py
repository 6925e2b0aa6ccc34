"""Tells whether a program is a Clifford circuit, which simulators of stabilizers run at sizes where no state fits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qiskit.exceptions import QiskitError
from qiskit.quantum_info import Clifford

from basicaer.compile.modifiers import matrix_of
from basicaer.engine.program import Prepare, Save, Segment, SetState, walk

if TYPE_CHECKING:
    from collections.abc import Hashable

    from basicaer.engine.program import Gate, Program

__all__ = ["is_clifford"]

_MOST_QUBITS = 3  # Gates on more qubits are taken for others, since their matrices are large.


def is_clifford(program: Program) -> bool:
    """Tell whether a program has Clifford gates, measurements, resets and control flow only."""
    known: dict[Hashable, bool] = {}
    for operation in walk(program.body):
        if isinstance(operation, Prepare | SetState | Save):
            return False
        for gate in operation.gates if isinstance(operation, Segment) else ():
            shape = (gate.form, gate.data.tobytes(), len(gate.targets), len(gate.controls), gate.control_state)
            if shape not in known:
                known[shape] = _is_clifford_gate(gate)
            if not known[shape]:
                return False
    return True


def _is_clifford_gate(gate: Gate) -> bool:
    qubits = (*gate.targets, *gate.controls)
    if gate.formula is not None or len(qubits) > _MOST_QUBITS:
        return False
    try:
        Clifford.from_matrix(matrix_of([gate], qubits))
    except QiskitError:
        return False
    return True
