"""What the transpiler may leave as it is: every gate of the table, and whatever else is taken whole."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from qiskit.circuit import (
    AnnotatedOperation,
    BoxOp,
    BreakLoopOp,
    ContinueLoopOp,
    ControlledGate,
    Delay,
    ForLoopOp,
    IfElseOp,
    Instruction,
    Measure,
    Parameter,
    Reset,
    SwitchCaseOp,
    WhileLoopOp,
    library,
)
from qiskit.quantum_info import Clifford
from qiskit.transpiler import Target

from basicaer.compile.gates import GATES

if TYPE_CHECKING:
    from basicaer.compile.gates import GateRecord

__all__ = ["build_target"]

_MOST_CONTROLS = 4  # up to here the gates that `.control()` makes are listed by the names it gives them
_BY_CLASS = {
    "annotated": AnnotatedOperation,
    "clifford": Clifford,
    "diagonal": library.DiagonalGate,
    "hamiltonian": library.HamiltonianGate,
    "initialize": library.Initialize,
    "isometry": library.Isometry,
    "linear_function": library.LinearFunction,
    "mcmt": library.MCMTGate,
    "multiplexer": library.UCGate,
    "pauli": library.PauliGate,
    "PauliEvolution": library.PauliEvolutionGate,
    "permutation": library.PermutationGate,
    "qft": library.QFTGate,
    "set_statevector": Instruction,
    "state_preparation": library.StatePreparation,
    "ucrx": library.UCRXGate,
    "ucry": library.UCRYGate,
    "ucrz": library.UCRZGate,
    "unitary": library.UnitaryGate,
}
_SINCE_LATER_VERSIONS = {  # of Qiskit than 2.0
    "pauli_product_rotation": "PauliProductRotationGate",
    "pauli_product_measurement": "PauliProductMeasurement",
}
_CONTROL_FLOW = {
    "if_else": IfElseOp,
    "for_loop": ForLoopOp,
    "while_loop": WhileLoopOp,
    "switch_case": SwitchCaseOp,
    "break_loop": BreakLoopOp,
    "continue_loop": ContinueLoopOp,
    "box": BoxOp,
}
_NOT_UNITARY = {"initialize", "isometry", "set_statevector", "pauli_product_measurement"}


def _instance(record: GateRecord, **keys: Any) -> Any:
    assert record.gate_class is not None  # asked for those only  # noqa: S101
    return record.gate_class(*(Parameter(f"{record.name}_{i}") for i in range(record.parameters)), **keys)


@cache
def build_target(*, unitary_only: bool = False) -> Target:
    """Return a target without a size, so that no circuit is widened, and without costs.

    Parameters
    ----------
    unitary_only
        Whether to leave out what is no unitary operation.
    """
    target = Target(description="basicaer", num_qubits=None)
    of_qiskit = [record for record in GATES if record.gate_class is not None]
    by_class = {record.name: record.gate_class for record in of_qiskit if record.controls is None}  # any width
    by_class |= {"rv": library.RVGate}  # its parameters must be numbers
    by_class |= {name: getattr(library, kind) for name, kind in _SINCE_LATER_VERSIONS.items() if hasattr(library, kind)}
    for name, kind in (_BY_CLASS | by_class).items():
        if not (unitary_only and name in _NOT_UNITARY):
            target.add_instruction(kind, name=name)
    for record in of_qiskit:
        if record.name in by_class:
            continue
        gate = _instance(record)
        if gate.name not in target.operation_names:
            target.add_instruction(gate, name=gate.name)
        controls = record.controls or 0
        for state in range(2**controls - 1):
            opened = _instance(record, ctrl_state=state)
            if opened.name not in target.operation_names:
                target.add_instruction(opened, name=opened.name)
        for count in range(1, _MOST_CONTROLS + 1):
            name = f"{'c' * count if count < 3 else f'c{count}'}{record.name}"
            if not controls and record.kinds and name not in target.operation_names:
                target.add_instruction(ControlledGate, name=name)
    target.add_instruction(Delay(Parameter("delay")), name="delay")
    if not unitary_only:
        target.add_instruction(Measure(), name="measure")
        target.add_instruction(Reset(), name="reset")
        for name, kind in _CONTROL_FLOW.items():
            target.add_instruction(kind, name=name)
    return target
