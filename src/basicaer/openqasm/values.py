"""The classical values of OpenQASM 3, and their conversion when they are assigned or cast to a type."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
from openqasm3 import ast

from basicaer.engine.bits import lowest_bits
from basicaer.errors import shown
from basicaer.openqasm.decisions import Branch, Truth, Undecided, choose, combine
from basicaer.wording import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = [
    "MOST_NUMBER_BITS",
    "Angle",
    "Bits",
    "Duration",
    "Formula",
    "NoValueError",
    "Type",
    "Unsigned",
    "Value",
    "angle_of",
    "bits_of_number",
    "cases_of",
    "check_type",
    "converted",
    "is_integer",
    "is_number",
    "number_of",
    "truth_of",
]

MOST_NUMBER_BITS = 4096  # bits of an intermediate integer, which is exact until it is assigned
_WORD = 64  # the bits of an integer type without a size
_FLOATS: dict[int, Any] = {16: np.float16, 32: np.float32, 64: np.float64}
_NANOSECONDS = {"s": 1e9, "ms": 1e6, "us": 1e3, "ns": 1.0}


class NoValueError(Exception):
    """An expression has no value; the message says why."""


class Bits(tuple[Truth, ...]):
    """A bit string, from its least significant bit on; each bit may depend on bits of the circuit."""

    __slots__ = ()

    def number(self) -> int:
        """Return the unsigned number that the bits are."""
        for bit in self:
            if isinstance(bit, Branch):
                raise Undecided(bit.bit)
        return int("".join("1" if bit else "0" for bit in reversed(self)) or "0", 2)


class Unsigned(int):
    """A number of a type ``uint``; bits beyond its size are dropped."""

    size: int

    def __new__(cls, number: int, size: int) -> Unsigned:  # noqa: PYI034  # Python 3.10 has no Self
        """Return the number in the lowest `size` bits of a number."""
        made = super().__new__(cls, lowest_bits(number, size))
        made.size = size
        return made


class Angle(float):
    """A number of a type ``angle``, in [0, 2π); so are the sums and multiples of such numbers."""

    size: int | None

    def __new__(cls, number: float, size: int | None) -> Angle:  # noqa: PYI034  # Python 3.10 has no Self
        """Return a number that is in the range already."""
        made = super().__new__(cls, number)
        made.size = size
        return made


class Duration(NamedTuple):
    """A length of time in a unit; the length of the unit "dt" is unknown."""

    value: float
    unit: str

    def in_unit(self, unit: str) -> float:
        """Return the number of units."""
        if self.unit == unit:
            return self.value
        if "dt" in {self.unit, unit}:
            raise NoValueError("a duration in 'dt' and one in seconds cannot be compared")
        return self.value * _NANOSECONDS[self.unit] / _NANOSECONDS[unit]


@dataclass
class Formula(ast.Expression):
    """A number that depends on parameters of the circuit: an operation on numbers, parameters and formulas."""

    operation: Callable[..., Any]
    operands: tuple[Any, ...]


# A bool, int, float or complex; `Bits`; a `Branch`, which is a truth value; a `Duration`; a list, which is an array; a
# `Formula`, or an identifier, which is a parameter of the circuit. None where there is no value yet.
Value: TypeAlias = Any


@dataclass(frozen=True)
class Type:
    """A classical type: its kind ("int", "bit", ...), its size in bits if it has one, and the shape of an array."""

    kind: str
    size: int | None = None
    shape: tuple[int, ...] = ()

    def __str__(self) -> str:
        if self.shape:
            return f"array[{Type(self.kind, self.size)}, {', '.join(map(str, self.shape))}]"
        return self.kind if self.size is None else f"{self.kind}[{self.size}]"


def is_integer(value: Value) -> bool:
    """Tell whether a value is a whole number; a truth value is none."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: Value) -> bool:
    """Tell whether a value is a number, or a truth value, which counts as 0 or 1."""
    return isinstance(value, int | float | complex)


def number_of(value: Value) -> Any:
    """Return the number that a value is, also that of bits.

    Raises
    ------
    Undecided
        If it depends on a bit.
    NoValueError
        If it is no number.
    """
    if isinstance(value, Branch):
        raise Undecided(value.bit)
    if isinstance(value, Bits):
        return value.number()
    if isinstance(value, int | float | complex):
        return int(value) if isinstance(value, bool) else value
    raise NoValueError(f"{_described(value)} is not a number that is known before the program runs")


def truth_of(value: Value) -> Truth:
    """Return whether a value counts as true."""
    if isinstance(value, Bits):
        return _any_of(value)
    if isinstance(value, bool | Branch):
        return value
    return bool(number_of(value) != 0)


def _any_of(bits: Iterable[Truth]) -> Truth:
    found: Truth = False
    for bit in bits:
        found = combine(lambda one, other: one or other, found, bit)
    return found


def bits_of_number(number: int, width: int) -> Bits:
    """Return the lowest bits of a number in two's complement."""
    return Bits(digit == "1" for digit in f"{lowest_bits(number, width):0{width}b}"[::-1] if width)


def cases_of(value: Value, result: Callable[[Value], Any]) -> Any:
    """Return the result of a value, or a tree of results for a truth value that depends on bits."""
    if not isinstance(value, Branch):
        return result(value)
    return choose(value.bit, cases_of(value.low, result), cases_of(value.high, result))


def converted(value: Value, type_: Type) -> Value:
    """Return what a variable of a type holds once a value is assigned, or a cast makes of it.

    Raises
    ------
    Undecided
        If the type is none of bits and the value depends on a bit.
    NoValueError
        If the value cannot be converted.
    """
    if type_.shape:
        return _array(value, type_)
    if isinstance(value, Formula | ast.Identifier) and type_.kind in {"float", "angle"}:
        return value
    if isinstance(value, list | Duration) != (type_.kind == "duration") or isinstance(value, list):
        raise NoValueError(f"{_described(value)} cannot become a value of type '{type_}'")
    match type_.kind:
        case "duration":
            return value
        case "bit":
            return _bits(value, type_)
        case "bool":
            truth = truth_of(value)
            if isinstance(truth, Branch):
                raise Undecided(truth.bit)
            return truth
        case "int" | "uint":
            return _wrapped(_whole(number_of(value)), type_)
        case "complex":
            number = complex(number_of(value))
            half = None if type_.size is None else type_.size
            return complex(_rounded(number.real, half), _rounded(number.imag, half))
    if isinstance(value, Bits):
        if type_.kind == "angle":
            return angle_of(math.tau * value.number() / 2 ** len(value), type_.size)
        raise NoValueError(f"{_described(value)} cannot become a value of type '{type_}'; cast it to 'uint' first")
    real = number_of(value)
    if isinstance(real, complex):
        raise NoValueError(f"a complex number cannot become a value of type '{type_}'; take 'real' or 'imag' of it")
    return angle_of(float(real), type_.size) if type_.kind == "angle" else _rounded(float(real), type_.size)


def _bits(value: Value, type_: Type) -> Value:
    if type_.size is None:
        if isinstance(value, Bits) and len(value) == 1:
            return value[0]
        if is_integer(value) and value not in {0, 1}:
            raise NoValueError(f"{_described(value)} does not fit into one bit")
        if isinstance(value, Bits | float | complex):
            raise NoValueError(f"{_described(value)} cannot become a value of type 'bit'")
        return truth_of(value)
    if isinstance(value, Bits):
        if len(value) != type_.size:
            raise NoValueError(f"{_described(value)} cannot become a value of type '{type_}', which has another width")
        return value
    if isinstance(value, Branch) or (isinstance(value, bool) and type_.size == 1):
        if type_.size != 1:
            raise Undecided(value.bit) if isinstance(value, Branch) else NoValueError("a single bit is not a register")
        return Bits((value,))
    if not is_number(value) or isinstance(value, float | complex):
        raise NoValueError(f"{_described(value)} cannot become a value of type '{type_}'")
    return bits_of_number(_whole(number_of(value)), type_.size)


def _whole(number: Any) -> int:
    """Return a number without its fraction."""
    if isinstance(number, complex):
        raise NoValueError("a complex number cannot become an integer")
    if isinstance(number, float) and not math.isfinite(number):
        raise NoValueError("an infinite number cannot become an integer")
    return int(number)


def _wrapped(number: int, type_: Type) -> int:
    size = _WORD if type_.size is None else type_.size
    if type_.kind == "uint":
        return Unsigned(number, size)
    number = lowest_bits(int(number), size)
    return number - 2**size if number >= 2 ** (size - 1) else number


def _rounded(number: float, size: int | None) -> float:
    if size is None:
        return number
    with np.errstate(over="ignore"):
        return float(_FLOATS[size](number))


def angle_of(number: float, size: int | None) -> Angle:
    """Return a number modulo 2π, rounded to a part of a turn if the type has a size."""
    if not math.isfinite(number):
        raise NoValueError("an infinite number cannot become an angle")
    turns = number / math.tau % 1
    if size is not None:
        turns = lowest_bits(round(turns * 2**size), size) / 2**size
    return Angle(math.tau * turns, size)


def _array(value: Value, type_: Type) -> list[Any]:
    size, *inner = type_.shape
    if not isinstance(value, list) or len(value) != size:
        got = f"{len(value)}" if isinstance(value, list) else _described(value)
        raise NoValueError(f"an array of {size} elements cannot be made of {got}")
    return [converted(one, Type(type_.kind, type_.size, tuple(inner))) for one in value]


def check_type(type_: Type) -> None:
    """Refuse sizes that a type cannot have."""
    if type_.kind in {"float", "complex"} and type_.size not in {None, *_FLOATS}:
        raise NoValueError(f"a 'float' has 16, 32 or 64 bits, not {shown(type_.size)}")
    if type_.size is not None and not 0 < type_.size <= MOST_NUMBER_BITS:
        raise NoValueError(f"a '{type_.kind}' cannot have {shown(type_.size)} bits; at most {MOST_NUMBER_BITS}")


def _described(value: Value) -> str:
    match value:
        case ast.Identifier():
            return f"the parameter '{value.name}'"
        case Formula():
            return "what depends on a parameter"
        case Bits():
            return f"a bit string of {counted(len(value), 'bit')}"
        case list():
            return "an array"
        case Duration():
            return "a duration"
    return f"the number {shown(value)}" if is_number(value) else "a bit"
