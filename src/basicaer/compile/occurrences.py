"""Circuits in which each occurrence of a parameter has become a parameter of its own, as derivatives need them.

A derivative by a parameter of a circuit is a sum over the gates in which it occurs. Gates that take parameters and are
not in the gate table are replaced by what they are made of, so that all occurrences are angles of gates of the table.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from qiskit.circuit import (
    AnnotatedOperation,
    ControlFlowOp,
    ControlModifier,
    ForLoopOp,
    InverseModifier,
    Parameter,
    ParameterExpression,
    PowerModifier,
)

from basicaer.compile.gates import BY_CLASS
from basicaer.compile.unitary import definition_of
from basicaer.errors import BasicAerError, at_border

if TYPE_CHECKING:
    from collections.abc import Callable

    from qiskit import QuantumCircuit

    from basicaer.compile.gates import GateRecord

__all__ = ["Occurrences", "occurrences_of"]


class Occurrences(NamedTuple):
    """A circuit with one parameter for each occurrence.

    Attributes
    ----------
    circuit
        The circuit, without global phases that depend on parameters.
    parameters
        Its parameters, one for each occurrence.
    expressions
        ``expressions[c]`` is what parameter c stands for: a parameter or an expression of the first circuit. After
        those of all parameters, there are the global phases that depend on parameters.
    written_out
        The names of the instructions that were replaced by what they are made of.
    angles
        ``angles[c]`` is the record of the gate that parameter c belongs to, and the number of the angle that it is.
    """

    circuit: QuantumCircuit
    parameters: list[Parameter]
    expressions: list[ParameterExpression]
    written_out: set[str]
    angles: list[tuple[GateRecord, int]]


def occurrences_of(circuit: QuantumCircuit, poll: Callable[[], None]) -> Occurrences:
    """Return a circuit in which each occurrence of a parameter is a parameter of its own.

    Parameters
    ----------
    circuit
        Any circuit; it is not changed.
    poll
        Called now and then.

    Raises
    ------
    BasicAerError
        If a gate with parameters is not made of gates of the table, or an expression depends on a for loop's parameter
        as well.
    """
    separation = _Separation(f"circuit '{circuit.name}'", poll)
    separated = separation.circuit(circuit, frozenset())
    return Occurrences(
        separated,
        separation.parameters,
        [*separation.expressions, *separation.phases],
        separation.written_out,
        separation.angles,
    )


class _Separation:
    def __init__(self, place: str, poll: Callable[[], None]) -> None:
        self.parameters: list[Parameter] = []
        self.expressions: list[ParameterExpression] = []
        self.phases: list[ParameterExpression] = []
        self.written_out: set[str] = set()
        self.angles: list[tuple[GateRecord, int]] = []
        self._place = place
        self._poll = poll

    def circuit(self, circuit: QuantumCircuit, counters: frozenset[Parameter]) -> QuantumCircuit:
        """Return a copy of a circuit or body; `counters` are the parameters of the for loops around it."""
        new = circuit.copy_empty_like()
        new.global_phase = self._fixed(circuit.global_phase)
        self._add(circuit, new, {bit: bit for bit in (*circuit.qubits, *circuit.clbits)}, counters)
        return new

    def _add(self, circuit: QuantumCircuit, new: QuantumCircuit, bits: dict[Any, Any], counters: Any) -> None:
        """Add the instructions of a circuit, or of a definition, to the new circuit, in which its bits are `bits`."""
        for item in circuit.data:
            self._poll()
            on, into = [bits[qubit] for qubit in item.qubits], [bits[clbit] for clbit in item.clbits]
            if not item.is_parameterized() and not item.is_control_flow():
                new.append(item.operation, on, into, copy=False)
                continue
            operation = item.operation
            if isinstance(operation, ControlFlowOp):
                inside = counters
                if isinstance(operation, ForLoopOp) and operation.params[1] is not None:
                    inside |= {operation.params[1]}
                bodies = [self.circuit(body, inside) for body in operation.blocks]
                new.append(operation.replace_blocks(bodies), on, into, copy=False)
                continue
            if isinstance(operation, AnnotatedOperation):
                operation = self._plain(operation)
            record = BY_CLASS.get(getattr(operation, "base_class", type(operation)))
            if record is not None:
                operation = operation.to_mutable()
                operation.params = [
                    self._separated(param, record, angle, counters) for angle, param in enumerate(operation.params)
                ]
                new.append(operation, on, copy=False)
                continue
            definition = definition_of(operation, self._place) if hasattr(operation, "definition") else None
            if definition is None:
                raise BasicAerError(
                    f"'{operation.name}' ({self._place}) has parameters and no definition, so it cannot be "
                    "differentiated; write it as gates of Qiskit's library."
                )
            self.written_out.add(operation.name)
            new.global_phase += self._fixed(definition.global_phase)
            inner = zip((*definition.qubits, *definition.clbits), (*on, *into), strict=True)
            self._add(definition, new, dict(inner), counters)

    def _fixed(self, phase: Any) -> float:
        """Return a global phase, or 0 if it depends on parameters: it is then kept apart."""
        if isinstance(phase, ParameterExpression) and phase.parameters:
            self.phases.append(phase)
            return 0.0
        return float(phase)

    def _plain(self, operation: AnnotatedOperation) -> Any:
        """Return an annotated operation without its modifiers, which Qiskit carries out by its own classes."""
        plain = operation.base_op
        if isinstance(plain, AnnotatedOperation):
            plain = self._plain(plain)
        with at_border(
            lambda why: BasicAerError(
                f"'{operation.name}' ({self._place}) has parameters and modifiers that cannot be written out: {why}; "
                "write it as gates of Qiskit's library."
            )
        ):
            for modifier in operation.modifiers:
                match modifier:
                    case InverseModifier():
                        plain = plain.inverse()
                    case ControlModifier(num_ctrl_qubits=count, ctrl_state=state):
                        plain = plain.control(count, ctrl_state=state, annotated=False)
                    case PowerModifier(power=power):
                        plain = plain.power(power)
        return plain

    def _separated(self, param: Any, record: GateRecord, angle: int, counters: Any) -> Any:
        if not isinstance(param, ParameterExpression) or not param.parameters:
            return float(param)
        if not counters.isdisjoint(param.parameters):
            if counters.issuperset(param.parameters):
                return param
            raise BasicAerError(
                f"'{param}' ({self._place}, in {record.name}) depends on the parameter of a for loop as well, so it "
                "cannot be differentiated; write the iterations of the loop out."
            )
        self.parameters.append(_angle(len(self.parameters)))
        self.expressions.append(param)
        self.angles.append((record, angle))
        return self.parameters[-1]


@cache
def _angle(number: int) -> Parameter:
    """Return the parameter with a number, the same for all circuits, so that equal circuits are compiled once."""
    return Parameter(f"angle {number:09}")  # in this order, Qiskit sorts them by their numbers
