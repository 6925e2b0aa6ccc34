"""What names mean inside one circuit or control-flow body: its qubits, bits and variables as the program's numbers."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from basicaer.compile.values import Counter, Values
    from basicaer.engine.classical import Value

__all__ = ["Scope"]


@dataclass(slots=True)
class Scope:
    """How one circuit's own names map to the program's.

    Attributes
    ----------
    qubits
        ``qubits[q]`` is the state qubit of a `Qubit`, or None where it is idle.
    bits
        ``bits[c]`` is the number of a `Clbit`.
    slots, inputs
        For each real-time variable of the program its slot, and the value given for an input variable; shared by all
        scopes of a program, since a variable is the same object in every body that sees it.
    values
        What the parameters of the circuit stand for.
    labels
        Those of the save instructions so far; shared likewise.
    circuit_qubits, last_phase
        How many qubits the whole circuit has, and the global phase that is applied at its very end, as a factor.
    place
        Where this is, for messages: "circuit 'x', in if_else".
    in_loop
        Whether break and continue have a loop to refer to.
    """

    qubits: dict[Any, int | None]
    bits: dict[Any, int]
    place: str
    values: Values
    in_loop: bool = False
    slots: dict[Any, int] = field(default_factory=dict)
    inputs: dict[Any, Value] = field(default_factory=dict)
    labels: set[str] = field(default_factory=set)
    circuit_qubits: int = 0
    last_phase: complex = 1.0

    def inside(self, body: Any, instruction: Any, *, loop: bool = False) -> Scope:
        """Return the scope of a control-flow body that stands in this one."""
        return Scope(
            {inner: self.qubits[outer] for inner, outer in zip(body.qubits, instruction.qubits, strict=True)},
            {inner: self.bits[outer] for inner, outer in zip(body.clbits, instruction.clbits, strict=True)},
            f"{self.place}, in {instruction.name}",
            self.values,
            self.in_loop or loop,
            self.slots,
            self.inputs,
            self.labels,
            self.circuit_qubits,
            self.last_phase,
        )

    def counting(self, parameter: Any, value: Counter | float) -> Scope:
        """Return this scope as the body of a for loop sees it, where a parameter has values of its own."""
        return replace(self, values=self.values.with_value(parameter, value))

    def new_slot(self) -> int:
        """Return a slot that no variable has."""
        return self.slots.setdefault(object(), len(self.slots))

    def slot(self, variable: Any) -> int:
        """Return the slot of a real-time variable, a new one at first sight."""
        return self.slots.setdefault(variable, len(self.slots))
