"""What an expression of OpenQASM 3 is worth, as far as that is known before the program runs.

Parameters of the circuit stay names in a `Formula`. A truth value that depends on bits of the circuit is a tree of
decisions; where a number depends on bits, `decided` tries both values of each bit.
"""

from __future__ import annotations

import cmath
import math
import operator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from openqasm3 import ast

from basicaer.errors import shown
from basicaer.openqasm.decisions import Bit, Branch, TooManyCasesError, Undecided, bits_in, choose, combine
from basicaer.openqasm.sources import error_at
from basicaer.openqasm.values import (
    MOST_NUMBER_BITS,
    Bits,
    Duration,
    Formula,
    NoValueError,
    Type,
    Value,
    bits_of_number,
    cases_of,
    check_type,
    converted,
    is_integer,
    number_of,
    truth_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = ["BUILTIN", "CONSTANTS", "Expressions", "places", "valueless"]

CONSTANTS = {"pi": math.pi, "π": math.pi, "tau": math.tau, "τ": math.tau, "euler": math.e, "ℇ": math.e}
_MOST_DEPTH = 12  # bits that are tried at a time

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
_OF_PARAMETERS: dict[str, Callable[[Any], Any]] = {  # of Qiskit's parameters
    **{name: operator.methodcaller(name) for name in ("arccos", "arcsin", "arctan", "cos", "exp", "log", "sin", "tan")},
    "sqrt": lambda parameter: parameter**0.5,
}
BUILTIN = frozenset({*_REAL, "mod", "popcount", "pow", "rotl", "rotr", "real", "imag"})

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


@contextmanager
def valueless(node: Any) -> Iterator[None]:
    """Say the place of what has no value."""
    try:
        yield
    except NoValueError as error:
        raise error_at(node, str(error)) from error
    except TooManyCasesError as error:
        raise error_at(node, "this depends on too many bits; use fewer, or compare registers one by one") from error
    except ZeroDivisionError as error:
        raise error_at(node, "division by zero") from error
    except (ValueError, OverflowError) as error:  # of a function outside of its domain
        raise error_at(node, f"this has no value ({error})") from error


class Expressions:
    """The values of expressions; what a name stands for, and what a function of the program returns, is asked for.

    Parameters
    ----------
    value_of_name
        The value of an identifier.
    call
        Calls a function that the program defines.
    """

    def __init__(
        self, value_of_name: Callable[[ast.Identifier], Value], call: Callable[[ast.FunctionCall], Value | None]
    ) -> None:
        self._value_of_name = value_of_name
        self._call = call
        self._assumed: dict[Bit, bool] = {}
        self._results: dict[int, Value] = {}  # of calls in the expression that is looked at, by the call's node

    # Asking for a value.

    def value(self, node: Any) -> Value:
        """Return the value of an expression.

        Raises
        ------
        Undecided
            If it is a number that depends on a bit.
        """
        with self.calling(node):
            return self.evaluated(node)

    def decided(self, node: Any, result: Callable[[Value], Any] = lambda value: value) -> Any:
        """Return a result of an expression's value, or a tree of decisions with a result at each end."""
        with self.calling(node), valueless(node):
            return self.all_cases(lambda: cases_of(self.evaluated(node), result))

    def all_cases(self, work: Callable[[], Any], depth: int = 0) -> Any:
        """Return a result, or a tree of decisions with a result at each end; for each it is worked out once."""
        try:
            return work()
        except Undecided as asked:
            bit = asked.bit
        if depth == _MOST_DEPTH:
            raise TooManyCasesError
        halves = []
        for is_set in (False, True):
            self._assumed[bit] = is_set
            try:
                halves.append(self.all_cases(work, depth + 1))
            finally:
                del self._assumed[bit]
        return choose(bit, *halves)

    def known(self, node: Any, type_: Type | None = None) -> Value:
        """Return the value of an expression, converted to a type; it must not depend on a bit."""
        try:
            with valueless(node):
                value = self.value(node)
                value = value if type_ is None else converted(value, type_)
        except Undecided as asked:
            raise error_at(node, depends_on(asked.bit)) from asked
        for bit in bits_in(value):
            raise error_at(node, depends_on(bit))
        return value

    def integer(self, node: Any, what: str) -> int:
        """Return the value of an expression that must be an integer; what it may not be is said of ``what``."""
        with valueless(node):
            value = self.value(node)
            return _integer(value, what)

    def type_of(self, node: Any) -> Type:
        """Return the type that a node of the tree stands for."""
        if isinstance(node, ast.ArrayType):
            base = self.type_of(node.base_type)
            shape = tuple(self.integer(size, "the size of an array") for size in node.dimensions)
            if any(size < 0 for size in shape) or math.prod(shape) > 10**6:
                raise error_at(node, f"an array cannot have the shape {shown(shape)}")
            return Type(base.kind, base.size, shape)
        kind = type(node).__name__.removesuffix("Type").lower()
        size = (
            node.base_type.size if isinstance(node, ast.ComplexType) and node.base_type else getattr(node, "size", None)
        )
        type_ = Type(kind, None if size is None else self.integer(size, "the size of a type"))
        if kind != "bit":
            with valueless(node):
                check_type(type_)
        return type_

    def truth_of_bit(self, bit: Bit) -> bool | Branch:
        """Return what a bit holds, or the tree that asks for it."""
        if bit.content is not None:
            return bit.content
        return self._assumed[bit] if bit in self._assumed else Branch(bit, low=False, high=True, cases=2)

    @contextmanager
    def calling(self, node: Any) -> Iterator[None]:
        """Call the functions of an expression first: each once, however often the expression is looked at."""
        outer = self._results
        results: dict[int, Value] = {}
        for call in _calls_in(node):
            result = self._call(call)
            if result is None:
                raise error_at(call, f"'{call.name.name}' returns nothing")
            results[id(call)] = result
        self._results = results
        try:
            yield
        finally:
            self._results = outer

    # The kinds of expressions.

    def evaluated(self, node: Any) -> Value:
        """Return the value of an expression whose functions have been called."""
        with valueless(node):
            match node:
                case ast.IntegerLiteral() | ast.FloatLiteral() | ast.BooleanLiteral():
                    return node.value
                case ast.ImaginaryLiteral():
                    return complex(0, node.value)
                case ast.BitstringLiteral():
                    return bits_of_number(node.value, node.width)
                case ast.DurationLiteral():
                    return Duration(node.value, node.unit.name)
                case ast.Identifier():
                    return self._value_of_name(node)
                case ast.UnaryExpression():
                    return _unary(node.op.name, self.evaluated(node.expression))
                case ast.BinaryExpression():
                    left = self.evaluated(node.lhs)
                    if node.op.name in {"&&", "||"}:
                        left = truth_of(left)
                        if left is (node.op.name == "||"):  # as in C, the other side may have no value then
                            return left
                    return binary(node.op.name, left, self.evaluated(node.rhs))
                case ast.FunctionCall():
                    if id(node) in self._results:
                        return self._results[id(node)]
                    return _function(node.name.name, [self.evaluated(argument) for argument in node.arguments])
                case ast.Cast():
                    return converted(self.evaluated(node.argument), self.type_of(node.type))
                case ast.SizeOf():
                    return self._size_of(node)
                case ast.ArrayLiteral():
                    return [self.evaluated(value) for value in node.values]
                case ast.IndexExpression():
                    return self.indexed(self.evaluated(node.collection), node.index)
                case ast.Concatenation():
                    return _joined(self.evaluated(node.lhs), self.evaluated(node.rhs))
        what = "'durationof'" if isinstance(node, ast.DurationOf) else f"an expression of this kind ({_kind(node)})"
        raise error_at(node, f"{what} is not supported")

    def _size_of(self, node: ast.SizeOf) -> int:
        value = self.evaluated(node.target)
        dimension = 0 if node.index is None else _integer(self.evaluated(node.index), "a dimension")
        for _ in range(dimension):
            value = value[0] if isinstance(value, list) and value else None
        if dimension < 0 or not isinstance(value, list | Bits):
            raise NoValueError("this has no such dimension")
        return len(value)

    def indexed(self, value: Value, index: Any) -> Value:
        """Return an element of bits or of an array, or several; the index is what stands in the brackets."""
        if isinstance(index, ast.DiscreteSet) or not isinstance(index, list):
            index = [index]
        for position, one in enumerate(index):
            if not isinstance(value, Bits | list):
                raise NoValueError("only bits and arrays have elements; cast a number to 'bit[n]' first")
            at = self.positions(one, len(value))
            if isinstance(at, int):
                value = value[at]
                continue
            rest = index[position + 1 :]
            chosen = [self.indexed(value[i], rest) if rest else value[i] for i in at]
            return Bits(chosen) if isinstance(value, Bits) else chosen
        if value is None:
            raise NoValueError("this element has no value yet; assign it one first")
        return value

    def positions(self, index: Any, length: int) -> int | list[int]:
        """Return the place that an index means among so many elements, or those of a range or a set."""
        with valueless(index):
            match index:
                case ast.RangeDefinition():
                    step = 1 if index.step is None else _integer(self.evaluated(index.step), "the step of a range")
                    ends = (0, length - 1) if step > 0 else (length - 1, 0)
                    start, end = (
                        ends[side] if one is None else _place(self.evaluated(one), length)
                        for side, one in enumerate((index.start, index.end))
                    )
                    return list(inclusive(start, step, end))
                case ast.DiscreteSet():
                    return [_place(self.evaluated(one), length) for one in index.values]
            value = self.evaluated(index)
            if isinstance(value, list):
                return [_place(one, length) for one in value]
            return _place(value, length)

    def values_in(self, node: Any) -> Sequence[Value]:
        """Return what a loop goes over."""
        with valueless(node):
            match node:
                case ast.RangeDefinition():
                    if node.start is None or node.end is None:
                        raise NoValueError("the range of a loop needs a start and an end")
                    parts = (node.start, node.step or ast.IntegerLiteral(1), node.end)
                    return inclusive(*(self.integer(part, "a part of a range") for part in parts))
                case ast.DiscreteSet():
                    return [self.known(value) for value in node.values]
            values = self.known(node)
            if not isinstance(values, list | Bits):
                raise NoValueError("a loop goes over a range, a set, an array or bits")
            return values


def depends_on(bit: Bit) -> str:
    """Return what is wrong where a value must be known before the program runs, and is not."""
    name = bit.name if bit.index is None else f"{bit.name}[{bit.index}]"
    return f"this depends on the bit '{name}', and must be known before the program runs; only bits can be assigned it"


def inclusive(start: int, step: int, end: int) -> range:
    """Return a range with its end, as OpenQASM 3 has it."""
    if step == 0:
        raise NoValueError("the step of a range cannot be 0")
    return range(start, end + (1 if step > 0 else -1), step)


def places(indices: int | list[int]) -> list[int]:
    """Return the places of one index or of several."""
    return [indices] if isinstance(indices, int) else indices


def _calls_in(node: Any) -> Iterator[ast.FunctionCall]:
    """Yield the outermost calls of a program's own functions in an expression."""
    if isinstance(node, ast.FunctionCall) and node.name.name not in BUILTIN:
        yield node
    elif isinstance(node, list):
        for part in node:
            yield from _calls_in(part)
    elif isinstance(node, ast.QASMNode):
        for part in vars(node).values():
            yield from _calls_in(part)


def _kind(node: Any) -> str:
    return type(node).__name__


def _integer(value: Value, what: str) -> int:
    if isinstance(value, Bits | Branch):
        value = number_of(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise NoValueError(f"{what} must be an integer that is known before the program runs")
    return value


def _place(value: Value, length: int) -> int:
    at = _integer(value, "an index")
    if not -length <= at < length:
        raise NoValueError(f"the index {shown(at)} is outside of the {length} elements")
    return at % length


def _joined(first: Value, second: Value) -> Value:
    if isinstance(first, list) and isinstance(second, list):
        return first + second
    parts = [Bits((one,)) if isinstance(one, bool | Branch) else one for one in (first, second)]
    if not all(isinstance(part, Bits) for part in parts):
        raise NoValueError("only bits and arrays can be concatenated")
    return Bits(parts[0] + parts[1])


# Operators.


def _unary(name: str, value: Value) -> Value:
    if name == "-":
        if isinstance(value, Formula | ast.Identifier):
            return Formula(operator.neg, (value,))
        if isinstance(value, Duration):
            return Duration(-value.value, value.unit)
        return -_numeric(value, "-")
    if name == "~" and isinstance(value, Bits):
        return Bits(combine(operator.not_, bit) for bit in value)
    if name == "~" and is_integer(value):
        return ~value
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
        if name in {"/", "%"}:  # towards zero, as C does
            quotient = abs(left) // abs(right) * (1 if (left < 0) == (right < 0) else -1)
            return quotient if name == "/" else left - right * quotient
    if name == "%":
        if isinstance(left, complex) or isinstance(right, complex):
            raise NoValueError("'%' takes no complex numbers")
        return math.fmod(left, right)
    result = _ARITHMETIC[name](left, right)
    if isinstance(result, complex) and not isinstance(left, complex) and not isinstance(right, complex):
        raise NoValueError("a negative number has no real power of a fraction")
    return result


def _check_length(name: str, left: int, right: int) -> None:
    """Refuse numbers that would take any memory."""
    bits = {"*": left.bit_length() + right.bit_length(), "**": left.bit_length() * max(right, 0)}.get(name, 0)
    if bits > MOST_NUMBER_BITS and abs(left) > 1:
        raise NoValueError(f"a number of more than {MOST_NUMBER_BITS} bits is too large")


def _bitwise(name: str, left: Value, right: Value) -> Value:
    if is_integer(left) and is_integer(right):
        return _BITWISE[name](left, right)
    if isinstance(left, bool | Branch) and isinstance(right, bool | Branch):
        return combine(_BITWISE[name], left, right)
    if isinstance(left, Bits) and isinstance(right, Bits) and len(left) == len(right):
        return Bits(combine(_BITWISE[name], one, other) for one, other in zip(left, right, strict=True))
    raise NoValueError(f"'{name}' takes two integers, or bits of the same width")


def _shifted(name: str, left: Value, right: Value) -> Value:
    by = _integer(right, "the number of places of a shift")
    if by < 0:
        raise NoValueError("the number of places of a shift cannot be negative")
    if isinstance(left, Bits):
        by, nothing = min(by, len(left)), [False] * min(by, len(left))
        return Bits([*nothing, *left[: len(left) - by]] if name == "<<" else [*left[by:], *nothing])
    if not is_integer(left):
        raise NoValueError(f"'{name}' takes bits or an integer")
    if name == ">>":
        return left // 2 ** min(by, MOST_NUMBER_BITS)
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
        raise NoValueError(f"bit strings of {len(bits)} and {len(other)} bits cannot be compared")
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


# Functions.


def _function(name: str, arguments: list[Value]) -> Value:
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
    if name in {"mod", "pow"}:
        return binary({"mod": "%", "pow": "**"}[name], *_arguments(name, arguments, 2))
    if name in {"real", "imag"}:
        (value,) = _arguments(name, arguments, 1)
        number = complex(_numeric(value, name))
        return number.real if name == "real" else number.imag
    if name == "popcount":
        (value,) = _arguments(name, arguments, 1)
        if not isinstance(value, Bits | bool | Branch):
            raise NoValueError("'popcount' takes bits; cast a number to 'bit[n]' first")
        number: Any = number_of(value)
        return int(number).bit_count()
    value, by = _arguments(name, arguments, 2)
    if not isinstance(value, Bits):
        raise NoValueError(f"'{name}' takes bits; cast a number to 'bit[n]' first")
    places_left = (
        _integer(by, "the number of places of a rotation") * (1 if name == "rotl" else -1) % max(len(value), 1)
    )
    return Bits(value[len(value) - places_left :] + value[: len(value) - places_left])


def _arguments(name: str, arguments: list[Value], count: int) -> list[Value]:
    if len(arguments) != count:
        raise NoValueError(f"'{name}' takes {count} argument{'s' * (count > 1)}, but got {len(arguments)}")
    return arguments
