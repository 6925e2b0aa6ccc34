"""The symbols that the names of an OpenQASM 3 program stand for while it is worked out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from openqasm3 import ast

    from basicaer.openqasm.decisions import Bit
    from basicaer.openqasm.values import Type, Value

__all__ = ["LOST", "BitRegister", "Call", "Loop", "Parameter", "Qubit", "QubitRegister", "Symbol", "Variable"]

LOST = object()  # the value of a variable that depends on a measurement


class Qubit(NamedTuple):
    """A qubit of the circuit; without a place where it is declared by itself, or is one of the hardware's."""

    name: str
    place: int | None


class QubitRegister(NamedTuple):
    """Qubits under one name; ``is_single`` where the name is that of one qubit."""

    qubits: tuple[Qubit, ...]
    is_single: bool


@dataclass(eq=False)
class BitRegister:
    """Bits of the circuit under one name; ``is_single`` where the name is that of one bit."""

    bits: tuple[Bit, ...]
    is_single: bool
    is_constant: bool = False


@dataclass(eq=False)
class Variable:
    """A constant or variable.

    Attributes
    ----------
    value
        None before it has one; `LOST` where it depends on a measurement.
    """

    type: Type
    value: Value
    is_constant: bool = False


class Parameter(NamedTuple):
    """A parameter of the circuit or of a gate."""

    node: ast.Identifier


Symbol: TypeAlias = "Variable | Parameter | QubitRegister | BitRegister | ast.SubroutineDefinition"


@dataclass(eq=False)
class Loop:
    """A loop that is being worked out.

    Attributes
    ----------
    is_written_out
        Whether its iterations follow one another; otherwise it stays a loop of the circuit.
    regions
        How many choices that depend on measurements it stands in.
    broken_at, continued_at
        After how many writes a choice that depends on a measurement may leave it, or this iteration; None for never.
    """

    is_written_out: bool
    regions: int
    broken_at: int | None = None
    continued_at: int | None = None

    @property
    def may_be_left(self) -> bool:
        """Whether what follows in it is run only if a measurement has not left it."""
        return self.is_written_out and not (self.broken_at is None and self.continued_at is None)


@dataclass(eq=False)
class Call:
    """A function call that is being worked out.

    Attributes
    ----------
    target
        The bits that take what is returned; empty if they are not known.
    target_name
        The name of the function's own bits that are the target's, as they are returned in the end.
    depth
        How many choices that depend on measurements it stands in.
    """

    return_type: Type | None
    target: tuple[Bit, ...]
    target_name: str | None
    depth: int
