"""The operators and the functions of OpenQASM 3, on values of any kind."""

from __future__ import annotations

import cmath
import math
import operator
from typing import TYPE_CHECKING, Any

from openqasm3 import ast

from basicaer.engine.bits import shifted_down
from basicaer.openqasm.decisions import Branch, combine
from basicaer.openqasm.values import (
    MOST_NUMBER_BITS,
    Angle,
    Bits,
    Duration,
    Formula,
    NoValueError,
    Unsigned,
    Value,
    angle_of,
    bits_of_number,
    is_integer,
    number_of,
    truth_of,
)
from basicaer.wording import counted

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["BUILTIN", "binary", "function", "integer_of", "unary"]

_REAL = {
    "arccos": math.acos,
    "arcsin": math.asin,
    "arctan": math.atan,
    "ceiling": lambda number: float(math.ceil(number)),
    "cos": math.cos,
    "exp": math.exp,
    "floor": lambda number: float(math.floor(number)),
    "log": math.log,
    "sin": math.sin,
    "sqrt": math.sqrt,
    "tan": math.tan,
}
_COMPLEX = {name: getattr(cmath, name) for name in ("cos", "exp", "log", "sin", "sqrt", "tan")}
_OF_PARAMETERS: dict[str, Callable[[Any], Any]] = {  # functions that Qiskit's parameters have
    **{name: operator.methodcaller(name) for name in ("arccos", "arcsin", "arctan", "cos", "exp", "log", "sin", "tan")},
    "sqrt": lambda parameter: parameter**0.5,
}
BUILTIN = frozenset({*_REAL, "mod", "popcount", "rotl", "rotr", "real", "imag"})

_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
_BITWISE: dict[str, Callable[[Any, Any], Any]] = {"&": operator.and_, "|": operator.or_, "^": operator.xor}
_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "**": operator.pow,
}


def integer_of(value: Value, what: str) -> int:
    """Return the integer that a value is; what it may not be is said of ``what``."""
    if isinstance(value, Bits | Branch):
        value = number_of(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise NoValueError(f"{what} must be an integer that is known before the program runs")
    return value


def unary(name: str, value: Value) -> Value:
    """Return what an operator makes of a value."""
    if name == "-":
        if isinstance(value, Formula | ast.Identifier):
            return Formula(operator.neg, (value,))
        if isinstance(value, Duration):
            return Duration(-value.value, value.unit)
        number = _numeric(value, "-")
        return angle_of(-number, number.size) if isinstance(number, Angle) else -number
    if name == "~" and isinstance(value, Bits):
        return Bits(combine(operator.not_, bit) for bit in value)
    if name == "~" and is_integer(value):
        return Unsigned(~value, value.size) if isinstance(value, Unsigned) else ~value
    if name == "~" and not isinstance(value, bool | Branch):
        raise NoValueError("'~' takes bits or an integer")
    return combine(operator.not_, truth_of(value))


def binary(name: str, left: Value, right: Value) -> Value:
    """Return what an operator makes of two values."""
    if name in {"&&", "||"}:
        both = name == "&&"
        return combine(lambda one, other: (one and other) if both else (one or other), truth_of(left), truth_of(right))
    if name in _BITWISE:
        return _bitwise(name, left, right)
    if name in {"<<", ">>"}:
        return _shifted(name, left, right)
    if name in _COMPARISONS:
        return _compared(name, left, right)
    if isinstance(left, Duration) or isinstance(right, Duration):
        return _of_durations(name, left, right)
    if isinstance(left, Formula | ast.Identifier) or isinstance(right, Formula | ast.Identifier):
        if name not in _ARITHMETIC:
            raise NoValueError(f"'{name}' needs numbers that are known before the program runs")
        operands = tuple(
            one if isinstance(one, Formula | ast.Identifier) else _numeric(one, name) for one in (left, right)
        )
        return Formula(_ARITHMETIC[name], operands)
    return _arithmetic(name, _numeric(left, name), _numeric(right, name))


def _numeric(value: Value, name: str) -> Any:
    if isinstance(value, Bits):
        raise NoValueError(f"'{name}' takes numbers, not bits; cast them to 'uint[{len(value)}]' first")
    return number_of(value)


def _arithmetic(name: str, left: Any, right: Any) -> Any:
    if is_integer(left) and is_integer(right):
        _check_length(name, left, right)
        if name in {"/", "%"}:  # rounds towards zero, as C does
            quotient = abs(left) // abs(right) * (1 if (left < 0) == (right < 0) else -1)
            return quotient if name == "/" else left - right * quotient
    if name == "%":
        if isinstance(left, complex) or isinstance(right, complex):
            raise NoValueError("'%' takes no complex numbers")
        return math.fmod(left, right)
    result = _ARITHMETIC[name](left, right)
    if isinstance(left, Angle) or isinstance(right, Angle):
        return _of_angles(name, left, right, result)
    if isinstance(result, complex) and not isinstance(left, complex) and not isinstance(right, complex):
        raise NoValueError("a negative number to the power of a fraction is not real")
    return result


def _of_angles(name: str, left: Any, right: Any, result: Any) -> Any:
    """Return a sum or a multiple of angles as an angle, and any other result as it is."""
    if isinstance(left, Angle) and isinstance(right, Angle):
        if name not in {"+", "-"}:
            return result
        return angle_of(result, None if left.size is None or right.size is None else max(left.size, right.size))
    angle, other = (left, right) if isinstance(left, Angle) else (right, left)
    is_multiple = is_integer(other) and (name == "*" or (name == "/" and angle is left))
    return angle_of(result, angle.size) if is_multiple else result


def _check_length(name: str, left: int, right: int) -> None:
    """Refuse numbers that would take any memory."""
    bits = {"*": left.bit_length() + right.bit_length(), "**": left.bit_length() * max(right, 0)}.get(name, 0)
    if bits > MOST_NUMBER_BITS and abs(left) > 1:
        raise NoValueError(f"a number of more than {MOST_NUMBER_BITS} bits is too large")


def _bitwise(name: str, left: Value, right: Value) -> Value:
    if isinstance(left, Unsigned) and isinstance(right, Unsigned):
        return Unsigned(_BITWISE[name](int(left), int(right)), max(left.size, right.size))
    if is_integer(left) and is_integer(right):
        return _BITWISE[name](left, right)
    if isinstance(left, bool | Branch) and isinstance(right, bool | Branch):
        return combine(_BITWISE[name], left, right)
    if isinstance(left, Bits) and isinstance(right, Bits) and len(left) == len(right):
        return Bits(combine(_BITWISE[name], one, other) for one, other in zip(left, right, strict=True))
    raise NoValueError(f"'{name}' takes two integers, or bits of the same width")


def _shifted(name: str, left: Value, right: Value) -> Value:
    by = integer_of(right, "the number of places of a shift")
    if by < 0:
        raise NoValueError("the number of places of a shift cannot be negative")
    if isinstance(left, Bits):
        by, nothing = min(by, len(left)), [False] * min(by, len(left))
        return Bits([*nothing, *left[: len(left) - by]] if name == "<<" else [*left[by:], *nothing])
    if not is_integer(left):
        raise NoValueError(f"'{name}' takes bits or an integer")
    if isinstance(left, Unsigned):
        by = min(by, left.size)
        return Unsigned(left * 2**by if name == "<<" else shifted_down(int(left), by), left.size)
    if name == ">>":
        return shifted_down(left, min(by, MOST_NUMBER_BITS))
    if left.bit_length() + by > MOST_NUMBER_BITS:
        raise NoValueError(f"a number of more than {MOST_NUMBER_BITS} bits is too large")
    return left * 2**by


def _compared(name: str, left: Value, right: Value) -> Value:
    compare = _COMPARISONS[name]
    if isinstance(left, Duration) and isinstance(right, Duration):
        return compare(left.value, right.in_unit(left.unit))
    if name in {"==", "!="} and (isinstance(left, Bits | Branch) or isinstance(right, Bits | Branch)):
        return _equal(left, right) if name == "==" else combine(operator.not_, _equal(left, right))
    numbers = [number_of(left), number_of(right)]
    if name not in {"==", "!="} and any(isinstance(number, complex) for number in numbers):
        raise NoValueError(f"complex numbers cannot be compared by '{name}'")
    return compare(*numbers)


def _equal(left: Value, right: Value) -> Any:
    """Return whether two values are the same, bit by bit where one of them is bits."""
    if not isinstance(left, Bits | Branch):
        left, right = right, left
    bits = left if isinstance(left, Bits) else Bits((left,))
    other: Any = Bits((right,)) if isinstance(right, bool | Branch) else right
    if is_integer(other):
        if other not in range(2 ** len(bits)):
            return False
        other = bits_of_number(other, len(bits))
    if not isinstance(other, Bits):
        return number_of(bits) == number_of(other)
    if len(other) != len(bits):
        raise NoValueError(f"bit strings of {len(bits)} and {counted(len(other), 'bit')} cannot be compared")
    same: Any = True
    for one, two in zip(reversed(bits), reversed(other), strict=True):
        same = combine(lambda so_far, first, second: so_far and first == second, same, one, two)
    return same


def _of_durations(name: str, left: Value, right: Value) -> Value:
    match left, right:
        case Duration(), Duration() if name in {"+", "-"}:
            sign = 1 if name == "+" else -1
            return Duration(left.value + sign * right.in_unit(left.unit), left.unit)
        case Duration(), Duration() if name == "/":
            return left.value / right.in_unit(left.unit)
        case Duration(), _ if name in {"*", "/"}:
            return Duration(_ARITHMETIC[name](left.value, _numeric(right, name)), left.unit)
        case _, Duration() if name == "*":
            return Duration(_numeric(left, name) * right.value, right.unit)
    raise NoValueError(f"'{name}' cannot be applied to these durations")


def function(name: str, arguments: list[Value]) -> Value:
    """Return what a function of the language makes of its arguments."""
    if name in _REAL:
        (value,) = _arguments(name, arguments, 1)
        if isinstance(value, Formula | ast.Identifier):
            if name not in _OF_PARAMETERS:
                raise NoValueError(f"'{name}' needs a number that is known before the program runs")
            return Formula(_OF_PARAMETERS[name], (value,))
        number = _numeric(value, name)
        if not isinstance(number, complex):
            return _REAL[name](number)
        if name not in _COMPLEX:
            raise NoValueError(f"'{name}' takes no complex numbers")
        return _COMPLEX[name](number)
    if name == "mod":
        return binary("%", *_arguments(name, arguments, 2))
    if name in {"real", "imag"}:
        (value,) = _arguments(name, arguments, 1)
        number = complex(_numeric(value, name))
        return number.real if name == "real" else number.imag
    if name == "popcount":
        (value,) = _arguments(name, arguments, 1)
        if not isinstance(value, Bits | bool | Branch):
            raise NoValueError("'popcount' takes bits; cast a number to 'bit[n]' first")
        return int(number_of(value)).bit_count()
    value, by = _arguments(name, arguments, 2)
    if not isinstance(value, Bits):
        raise NoValueError(f"'{name}' takes bits; cast a number to 'bit[n]' first")
    places_left = (
        integer_of(by, "the number of places of a rotation") * (1 if name == "rotl" else -1) % max(len(value), 1)
    )
    return Bits(value[len(value) - places_left :] + value[: len(value) - places_left])


def _arguments(name: str, arguments: list[Value], count: int) -> list[Value]:
    if len(arguments) != count:
        raise NoValueError(f"'{name}' takes {count} argument{'s' * (count > 1)}, but got {len(arguments)}")
    return arguments
