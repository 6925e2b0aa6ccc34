"""The transpiler target: every gate of the table, and all other instructions that run without being decomposed."""

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
from basicaer.compile.saves import SAVES
from basicaer.engine.program import SavedQuantity

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["build_target"]

_MOST_CONTROLS = 2  # controls of gates made by `.control()`; with more names in the target, `transpile` would be slow
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
_IN_LATER_VERSIONS = {  # gates of Qiskit versions later than 2.0
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


def _table_gates() -> dict[str, Any]:
    """Return the gates of the table by name: an instance of each, or its class if width or parameters vary."""
    gates: dict[str, Any] = {}
    for record in GATES:
        if record.gate_class is None:
            continue
        if record.controls is None or record.gate_class is library.RVGate:  # RV takes numbers, not parameters
            gates[record.name] = record.gate_class
            continue
        parameters = [Parameter(f"{record.name}_{i}") for i in range(record.parameters)]
        gates.setdefault(*_named(record.gate_class(*parameters)))
        for state in range(2**record.controls - 1):
            gates.setdefault(*_named(record.gate_class(*parameters, ctrl_state=state)))
    return gates


def _named(gate: Any) -> tuple[str, Any]:
    return gate.name, gate


def _controlled_names() -> Iterator[str]:
    """Yield the names that ``.control()`` gives to gates with few controls."""
    uncontrolled = [record for record in GATES if record.gate_class is not None and not record.controls]
    bases = [record.name for record in uncontrolled if record.target_actions]
    for count in range(1, _MOST_CONTROLS + 1):
        counted = "c" * count if count < 3 else f"c{count}"
        for name in (*(counted + base for base in bases), "c-unitary", "mcmt", "mcx"):
            yield name
            yield from (f"{name}_o{state}" for state in range(2**count - 1))


@cache
def build_target(*, unitary_only: bool = False, num_qubits: int | None = None) -> Target:
    """Return a target that has neither a coupling map nor error rates.

    Parameters
    ----------
    unitary_only
        Whether to leave out all operations that are not unitary.
    num_qubits
        The size of the target, to which `transpile` widens a circuit that is given an ``initial_layout``; None for no
        size, so that no circuit is widened.
    """
    taken_whole = _table_gates() | _BY_CLASS | {"delay": Delay(Parameter("delay"))}
    saves = [name for name, record in SAVES.items() if (record.quantity is SavedQuantity.UNITARY) == unitary_only]
    taken_whole |= dict.fromkeys(saves, Instruction)
    for name, kind in _IN_LATER_VERSIONS.items():
        if hasattr(library, kind):
            taken_whole[name] = getattr(library, kind)
    if not unitary_only:
        taken_whole |= _CONTROL_FLOW | {"measure": Measure(), "reset": Reset()}
    for name in _controlled_names():
        taken_whole.setdefault(name, ControlledGate)
    target = Target(description="basicaer", num_qubits=num_qubits)
    for name, kind in taken_whole.items():
        if not (unitary_only and name in _NOT_UNITARY):
            target.add_instruction(kind, name=name)
    return target
