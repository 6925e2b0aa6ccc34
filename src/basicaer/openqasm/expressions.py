"""The values of OpenQASM 3 expressions, as far as they are known before the program runs.

Parameters of the circuit stay names in a `Formula`. A truth value that depends on bits of the circuit is a tree of
decisions; where a number depends on bits, `decided` tries both values of each bit.
"""

from __future__ import annotations

import math
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from openqasm3 import ast

from basicaer.errors import shown
from basicaer.openqasm.decisions import Bit, Branch, TooManyCasesError, Undecided, bits_in, choose
from basicaer.openqasm.operators import BUILTIN, binary, function, integer_of, unary
from basicaer.openqasm.sources import error_at
from basicaer.openqasm.values import (
    Bits,
    Duration,
    NoValueError,
    Type,
    Value,
    bits_of_number,
    cases_of,
    check_type,
    converted,
    truth_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = ["CONSTANTS", "Expressions", "places", "valueless"]

CONSTANTS = {"pi": math.pi, "π": math.pi, "tau": math.tau, "τ": math.tau, "euler": math.e, "ℇ": math.e}
_MOST_DEPTH = 12  # bits whose values are tried at a time


@contextmanager
def valueless(node: Any) -> Iterator[None]:
    """Turn errors about missing values into errors that name the place."""
    try:
        yield
    except NoValueError as error:
        raise error_at(node, str(error)) from error
    except TooManyCasesError as error:
        raise error_at(node, "this depends on too many bits; use fewer, or compare registers one by one") from error
    except ZeroDivisionError as error:
        raise error_at(node, "division by zero") from error
    except (ValueError, OverflowError) as error:  # for example, a function outside its domain
        raise error_at(node, f"this has no value ({error})") from error


class Expressions:
    """Evaluates expressions; callbacks give the values of names and the results of the program's functions.

    Parameters
    ----------
    value_of_name
        The value of an identifier.
    call
        Calls a function that the program defines.
    spend
        Called with every operation and the number of steps that it took.
    """

    def __init__(
        self,
        value_of_name: Callable[[ast.Identifier], Value],
        call: Callable[[ast.FunctionCall], Value | None],
        spend: Callable[[Any, int], None],
    ) -> None:
        self._value_of_name = value_of_name
        self._call = call
        self._spend = spend
        self._assumed: dict[Bit, bool] = {}
        self._results: dict[int, Value] = {}  # _results[id(call)] = result of that call in the current expression

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
        """Return the value of an expression that must be an integer; error messages call it ``what``."""
        with valueless(node):
            value = self.value(node)
            return integer_of(value, what)

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
        value = self._evaluated(node)
        self._spend(node, _steps_of(value))
        return value

    def _evaluated(self, node: Any) -> Value:
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
                    return unary(node.op.name, self.evaluated(node.expression))
                case ast.BinaryExpression():
                    left = self.evaluated(node.lhs)
                    if node.op.name in {"&&", "||"}:
                        left = truth_of(left)
                        if left is (node.op.name == "||"):  # as in C, the other side is not evaluated
                            return left
                    return binary(node.op.name, left, self.evaluated(node.rhs))
                case ast.FunctionCall():
                    if id(node) in self._results:
                        return self._results[id(node)]
                    return function(node.name.name, [self.evaluated(argument) for argument in node.arguments])
                case ast.Cast():
                    return converted(self.evaluated(node.argument), self.type_of(node.type))
                case ast.SizeOf():
                    return self._size_of(node)
                case ast.ArrayLiteral():
                    return [self.evaluated(value) for value in node.values]
                case ast.IndexExpression():
                    return self.indexed(self.evaluated(node.collection), node.index)
        what = "'durationof'" if isinstance(node, ast.DurationOf) else f"an expression of this kind ({_kind(node)})"
        raise error_at(node, f"{what} is not supported")

    def _size_of(self, node: ast.SizeOf) -> int:
        value = self.evaluated(node.target)
        dimension = 0 if node.index is None else integer_of(self.evaluated(node.index), "a dimension")
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
                    step = 1 if index.step is None else integer_of(self.evaluated(index.step), "the step of a range")
                    ends = (0, length - 1) if step > 0 else (length - 1, 0)
                    start, end = (
                        ends[side] if one is None else _place(self.evaluated(one), length)
                        for side, one in enumerate((index.start, index.end))
                    )
                    chosen = inclusive(start, step, end)
                    self._spend(index, len(chosen))
                    return list(chosen)
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
                raise NoValueError("a loop iterates over a range, a set, an array or bits")
            return values


def depends_on(bit: Bit) -> str:
    """Return what is wrong where a value must be known before the program runs, and is not."""
    name = bit.name if bit.index is None else f"{bit.name}[{bit.index}]"
    return f"this depends on the bit '{name}', and must be known before the program runs"


def _steps_of(value: Value) -> int:
    """Return how many steps it takes to make a value; arrays are counted where they are copied."""
    match value:
        case Bits():
            return sum(bit.cases if isinstance(bit, Branch) else 1 for bit in value)
        case Branch():
            return value.cases
        case int():
            return 1 + value.bit_length() // 64
    return 1


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


def _place(value: Value, length: int) -> int:
    at = integer_of(value, "an index")
    if not -length <= at < length:
        raise NoValueError(f"the index {shown(at)} is outside of the {length} elements")
    return at % length
