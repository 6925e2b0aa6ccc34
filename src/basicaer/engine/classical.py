"""Classical expressions of a program: small immutable trees over the classical bits and variables, and their values.

Types follow OpenQASM 3: a bool is a Python bool, a uint a Python int below 2**width, a float a Python float and a
duration an exact `Fraction` of seconds (so that 1000 ns and 1 us are equal).
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from basicaer.engine.bits import all_ones, extract_bits, has_bit, with_bit
from basicaer.errors import BasicAerError, shown
from basicaer.wording import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

__all__ = [
    "OPERATORS",
    "Apply",
    "Bits",
    "ClassicalState",
    "Constant",
    "Expression",
    "Lookup",
    "Value",
    "Variable",
    "evaluate",
]

Value = bool | int | float | Fraction


@dataclass(frozen=True, slots=True)
class ClassicalState:
    """The values of the classical bits and variables in one branch of a run.

    Bit ``c`` of `bits` is classical bit ``c``; ``variables[slot]`` is the value that was last stored in that slot.
    """

    bits: int
    variables: Mapping[int, Value]


@dataclass(frozen=True, slots=True)
class Constant:
    """A literal."""

    value: Value


@dataclass(frozen=True, slots=True)
class Bits:
    """Classical bits read as a number, ``positions[0]`` least significant, or as a bool if `single` is set."""

    positions: tuple[int, ...]
    single: bool = False


@dataclass(frozen=True, slots=True)
class Variable:
    """A real-time variable, known by its slot; `name` is for messages."""

    slot: int
    name: str


@dataclass(frozen=True, slots=True)
class Apply:
    """An operator of `OPERATORS` applied to operands; a uint has `width` bits, and None means any other type."""

    name: str
    operands: tuple[Expression, ...]
    width: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Lookup:
    """A number of a table: ``table[i, j]`` if variable 0 is ``values[0][i]`` and variable 1 is ``values[1][j]``."""

    table: NDArray[Any]
    variables: tuple[Variable, ...]
    values: tuple[Sequence[int], ...]


Expression = Constant | Bits | Variable | Apply | Lookup


def _multiply(a: Value, b: Value) -> Value:
    if isinstance(a, Fraction) or isinstance(b, Fraction):
        return Fraction(a) * Fraction(b)
    return a * b


def _divide(a: Value, b: Value) -> Value:
    if b == 0:
        raise BasicAerError("A classical expression divides by zero; guard the division with a test.")
    if isinstance(a, Fraction):
        return float(a / b) if isinstance(b, Fraction) else a / Fraction(b)
    return a // b if isinstance(a, int) else a / b


def _shift_left(a: int, b: int, width: int) -> int:
    return a << b if b < width else 0  # without the test, a huge number might be made only to be cut off


def _position(position: int, width: int) -> int:
    if position >= width:
        raise BasicAerError(
            f"A classical expression takes bit {shown(position)} of {counted(width, 'bit')}, numbered from 0; "
            "guard it with a test."
        )
    return position


OPERATORS: dict[str, Callable[..., Value]] = {
    "bit_not": operator.invert,
    "logic_not": operator.not_,
    "negate": operator.neg,
    "bit_and": operator.and_,
    "bit_or": operator.or_,
    "bit_xor": operator.xor,
    "logic_and": lambda a, b: bool(a) and bool(b),
    "logic_or": lambda a, b: bool(a) or bool(b),
    "equal": operator.eq,
    "not_equal": operator.ne,
    "less": operator.lt,
    "less_equal": operator.le,
    "greater": operator.gt,
    "greater_equal": operator.ge,
    "shift_left": _shift_left,
    "shift_right": operator.rshift,
    "add": operator.add,
    "sub": operator.sub,
    "mul": _multiply,
    "div": _divide,
    "position": _position,
    "index": has_bit,
    "set_index": lambda value, position, on: with_bit(value, position, on=bool(on)),
    "to_bool": bool,
    "to_uint": int,
    "to_float": float,
}


def evaluate(expression: Expression, state: ClassicalState) -> Value:
    """Return the value of `expression` for the bits and variables of `state`.

    Raises
    ------
    BasicAerError
        For a variable without a stored value, a division by zero, a bit beyond the width, and any other operands for
        which an operator has no value.
    """
    match expression:
        case Constant(value):
            return value
        case Bits(positions, single):
            number = extract_bits(state.bits, positions)
            return bool(number) if single else number
        case Lookup(table, variables, values):
            at = [v.index(evaluate(variable, state)) for variable, v in zip(variables, values, strict=True)]
            return float(table[tuple(at)])
        case Variable(slot, name):
            if slot not in state.variables:
                raise BasicAerError(f"Variable '{name}' is read before anything was stored in it; store a value first.")
            return state.variables[slot]
        case Apply(name, operands, width):
            given = [evaluate(operand, state) for operand in operands]
            try:
                value = OPERATORS[name](*given)
            except (ArithmeticError, ValueError) as error:  # for example, the integer of an infinite float
                told = " and ".join(map(shown, given))
                raise BasicAerError(f"A classical expression has no value: '{name}' of {told}.") from error
            return value if width is None else int(value) & all_ones(width)
