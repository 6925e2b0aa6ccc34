"""Maps the qubits, bits and variables of one circuit or control-flow body to those of the program."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from basicaer.compile.noise import CircuitNoise
    from basicaer.compile.values import Counter, Values
    from basicaer.engine.classical import Value

__all__ = ["Scope"]


@dataclass(slots=True)
class Scope:
    """How the qubits, bits and variables of one circuit, definition or body map to those of the program.

    Attributes
    ----------
    qubits
        ``qubits[q]`` is the state qubit of a `Qubit`; None if it is idle.
    bits
        ``bits[c]`` is the number of a `Clbit`.
    place
        The place of the circuit, for messages: "circuit 'x', in if_else".
    values
        The values of the circuit's parameters.
    in_loop
        Whether break and continue have a loop to refer to.
    slots, inputs
        The slot of each real-time variable, and the values given for input variables. All scopes of a program share
        them, since a variable is the same object in every body that sees it.
    labels
        The labels of the save instructions so far, which all scopes share too.
    circuit_qubits, last_phase
        How many qubits the whole circuit has, and its global phase as a factor, which is applied at its very end.
    noise, numbers
        The errors of instructions, if there are any. Then ``numbers[q]`` is the circuit's number of a `Qubit`.
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
    noise: CircuitNoise | None = None
    numbers: dict[Any, int] = field(default_factory=dict)

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
            self.noise,
            {inner: self.numbers[outer] for inner, outer in zip(body.qubits, instruction.qubits, strict=True)}
            if self.noise is not None
            else {},
        )

    def counting(self, parameter: Any, value: Counter | float) -> Scope:
        """Return the scope of the body of a for loop that gives values to a parameter."""
        return replace(self, values=self.values.with_value(parameter, value))

    def new_slot(self) -> int:
        """Return a slot that no variable has."""
        return self.slots.setdefault(object(), len(self.slots))

    def slot(self, variable: Any) -> int:
        """Return the slot of a real-time variable; a new one the first time that it is asked for."""
        return self.slots.setdefault(variable, len(self.slots))
