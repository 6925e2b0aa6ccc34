"""Declarations and assignments: a variable gets a value that is known, bits of the circuit get any."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from openqasm3 import ast

from basicaer.errors import shown
from basicaer.openqasm.decisions import Bit, Branch, Truth, Undecided, bits_in, choose, combine
from basicaer.openqasm.expressions import places, valueless
from basicaer.openqasm.importer import Store
from basicaer.openqasm.names import Names
from basicaer.openqasm.operators import BUILTIN
from basicaer.openqasm.sources import error_at
from basicaer.openqasm.symbols import BitRegister, Parameter, Qubit, QubitRegister, Variable
from basicaer.openqasm.values import Bits, NoValueError, Type, Value, converted, number_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


__all__ = ["Assignments", "is_call", "leaf_of"]


class Assignments(Names):
    """Works out declarations and assignments.

    Attributes
    ----------
    _inputs
        The values of inputs, by name.
    """

    _inputs: Mapping[str, float]

    def _declare_qubits(self, node: ast.QubitDeclaration) -> None:
        name = node.qubit.name
        size = None if node.size is None else self._size(node.size)
        declaration = ast.QubitDeclaration(node.qubit, None if size is None else ast.IntegerLiteral(size))
        declaration.span = node.span
        self._check.visit(declaration)
        qubits = (Qubit(name, None),) if size is None else tuple(Qubit(name, i) for i in range(size))
        self._add(node, name, QubitRegister(qubits, is_single=size is None))
        self._make(node, declaration)

    def _size(self, node: Any) -> int:
        size = self._expressions.integer(node, "a number of bits")
        if size < 0:
            raise error_at(node, f"a number of bits cannot be negative, as {shown(size)} is")
        return size

    def _declare(self, node: Any, type_: Any, name: str, initial: Any) -> None:
        if isinstance(type_, ast.StretchType):
            raise error_at(node, "'stretch' is not supported; use a 'duration'")
        if isinstance(type_, ast.BitType):
            self._declare_bits(node, type_, name, initial)
            return
        known = self._expressions.type_of(type_)
        if isinstance(initial, ast.QuantumMeasurement):
            raise error_at(node, f"'{name}' is no bit, so nothing can be measured into it")
        self._spend(node, math.prod(known.shape))
        value = None if initial is None else self._known(initial, known, name)
        if value is None and known.shape:
            value = _unset(known.shape)
        self._add(node, name, Variable(known, value))

    def _known(self, node: Any, type_: Type, name: str) -> Value:
        self._spend(node, math.prod(type_.shape))
        try:
            with valueless(node):
                value = converted(self._expressions.value(node), type_)
        except Undecided as asked:
            raise _unknown(node, name) from asked
        if any(bits_in(value)):
            raise _unknown(node, name)
        return value

    def _declare_constant(self, node: ast.ConstantDeclaration) -> None:
        name = node.identifier.name
        type_ = self._expressions.type_of(node.type)
        if isinstance(node.init_expression, ast.QuantumMeasurement):
            raise error_at(node, f"'{name}' is a constant, so nothing can be measured into it")
        value = self._known(node.init_expression, type_, name)
        self._add(node, name, Variable(type_, value, is_constant=True))

    def _declare_input_or_output(self, node: ast.IODeclaration) -> None:
        name = node.identifier.name
        if node.io_identifier is ast.IOKeyword.output:
            self._declare(node, node.type, name, None)
            return
        type_ = self._expressions.type_of(node.type)
        if name in self._inputs:
            with valueless(node):
                value = _input(self._inputs[name], type_)
            self._add(node, name, Variable(type_, value, is_constant=True))
        elif type_.kind in {"float", "angle"} and not type_.shape:
            self._add(node, name, Parameter(node.identifier))
            self._make(node, ast.IODeclaration(node.io_identifier, _sized(node.type, type_.size), node.identifier))
        else:
            raise error_at(node, f"the input '{name}' needs a value; give it with --bind {name}=NUMBER")

    def _declare_bits(self, node: Any, type_: ast.BitType, name: str, initial: Any) -> None:
        size = None if type_.size is None else self._size(type_.size)
        call = self._calls[-1] if self._calls else None
        width = 1 if size is None else size
        if call is not None and call.target_name == name and len(call.target) == width and len(self._scopes) == 2:
            register = BitRegister(call.target, is_single=size is None)
            for bit in register.bits:
                self._write(bit, None)
        elif len(self._scopes) == 1:
            register = self._new_bits(node, name, size)
        else:
            register = self._own_bits(node, name, size)
        self._add(node, name, register)
        if isinstance(initial, ast.QuantumMeasurement):
            self._measure_into(node, self._qubits(initial.qubit), register)
        elif initial is not None:
            self._assign_bits(node, register, initial)

    def _assign(self, node: ast.ClassicalAssignment) -> None:
        name = node.lvalue if isinstance(node.lvalue, ast.Identifier) else node.lvalue.name
        symbol = self._symbol(name)
        operator = node.op.name.removesuffix("=")
        value = node.rvalue
        if operator == "~":
            raise error_at(node, "'~=' is not supported; write '= ~' and the name")
        if operator:
            value = ast.BinaryExpression(ast.BinaryOperator[operator], _as_expression(node.lvalue), node.rvalue)
            value.span = node.span
        if isinstance(symbol, BitRegister):
            self._assign_bits(node, self._target(node.lvalue), value)
            return
        if not isinstance(symbol, Variable) or symbol.is_constant:
            wrong = "is not defined" if symbol is None else "cannot be assigned to"
            raise error_at(node, f"'{name.name}' {wrong}")
        if isinstance(node.lvalue, ast.Identifier):
            self._write(symbol, self._known(value, symbol.type, name.name))
        else:
            self._assign_element(node, symbol, value)

    def _assign_element(self, node: Any, symbol: Variable, value: Any) -> None:
        """Assign to elements of an array, or to bits of a bit string that is known."""
        name, type_ = node.lvalue.name.name, symbol.type
        indices = [one for index in node.lvalue.indices for one in (index if isinstance(index, list) else [index])]
        if type_.kind == "bit" and not type_.shape and isinstance(symbol.value, Bits) and len(indices) == 1:
            at = self._positions(node, indices[0], len(symbol.value))
            bits = list(symbol.value)
            width = None if isinstance(at, int) else len(at)
            new = self._known(value, Type("bit", width), name)
            for place, bit in zip(places(at), new if isinstance(new, Bits) else [new], strict=True):
                bits[place] = bit
            self._write(symbol, Bits(bits))
            return
        if not type_.shape or len(indices) > len(type_.shape):
            raise error_at(node, f"'{name}' has no such element")
        chosen = [self._positions(node, index, size) for index, size in zip(indices, type_.shape, strict=False)]
        inner = type_.shape[len(indices) :]
        shape = (*(len(one) for one in chosen if not isinstance(one, int)), *inner)
        new = self._known(value, Type(type_.kind, type_.size, shape), name)
        if isinstance(symbol.value, list):  # otherwise the array depends on a measurement, and still does afterwards
            self._note(symbol)
            _put(symbol.value, chosen, new)

    def _assign_bits(self, node: Any, target: BitRegister, value: Any) -> None:
        type_ = Type("bit", None if target.is_single else len(target.bits))
        if is_call(value):
            result = self._called(value, target)
            if result is None:
                raise error_at(value, f"'{value.name.name}' returns nothing")
            self._store(node, target, lambda: converted(result, type_))
        else:
            with self._expressions.calling(value):
                self._store(node, target, lambda: converted(self._expressions.evaluated(value), type_))

    def _store(self, node: Any, target: BitRegister, value: Callable[[], Value]) -> None:
        """Store values into bits, each after all that read what it held before."""
        self._spend(node, len(target.bits))
        with valueless(node):
            cases = self._expressions.all_cases(lambda: _tuple_of(value()))
            new = {bit: leaf_of(cases, i) for i, bit in enumerate(target.bits)}
            new = {bit: truth for bit, truth in new.items() if truth != Branch(bit, low=False, high=True, cases=2)}
            in_order, in_circles = _ordered({bit: set(bits_in(truth)) - {bit} for bit, truth in new.items()})
            self._make(node, *(Store(bit, new[bit]) for bit in in_order))
            if in_circles:  # bits that read one another in a circle: one case for each combination of values
                everything = combine(lambda *truths: truths, *(new[bit] for bit in in_circles))
                self._make_cases(node, _stores(everything, in_circles))
        for bit, truth in new.items():
            self._write(bit, truth if isinstance(truth, bool) else None)


def is_call(node: Any) -> bool:
    """Tell whether an expression is a call of a function that the program defines."""
    return isinstance(node, ast.FunctionCall) and node.name.name not in BUILTIN


def _unknown(node: Any, name: str) -> Exception:
    words = f"'{name}' would get a value that depends on a measurement; only bits can, so declare it as 'bit'"
    return error_at(node, words)


def _as_expression(node: Any) -> Any:
    """Return what is assigned to as an expression."""
    if isinstance(node, ast.Identifier):
        return node
    expression: Any = node.name
    for index in node.indices:
        expression = ast.IndexExpression(expression, index)
        expression.span = node.span
    return expression


def _ordered(read: dict[Bit, set[Bit]]) -> tuple[list[Bit], list[Bit]]:
    """Return bits in an order in which each is written after it is read, and those for which there is no such order.

    Parameters
    ----------
    read
        For each bit that is written, the other bits that are read for it.
    """
    readers = dict.fromkeys(read, 0)
    for others in read.values():
        for other in others & readers.keys():
            readers[other] += 1
    ready = [bit for bit, count in readers.items() if count == 0]
    for bit in ready:  # the list grows in this loop
        for other in sorted(read[bit] & readers.keys(), key=lambda one: one.number):
            readers[other] -= 1
            if readers[other] == 0:
                ready.append(other)
    return ready, [bit for bit, count in readers.items() if count]


def _tuple_of(value: Value) -> tuple[Truth, ...]:
    return tuple(value) if isinstance(value, Bits) else (value,)


def leaf_of(cases: Any, place: int) -> Any:
    """Return one of the truth values that stand at the ends of a tree together."""
    if isinstance(cases, Branch):
        return choose(cases.bit, leaf_of(cases.low, place), leaf_of(cases.high, place))
    return cases[place]


def _stores(cases: Any, bits: list[Bit]) -> Any:
    """Return a tree of stores into bits for a tree of what they hold then."""
    if isinstance(cases, Branch):
        return choose(cases.bit, _stores(cases.low, bits), _stores(cases.high, bits))
    return [Store(bit, truth) for bit, truth in zip(bits, cases, strict=True)]


def _unset(shape: tuple[int, ...]) -> Any:
    """Return an array whose elements have no values yet."""
    if not shape:
        return None
    return [_unset(shape[1:]) for _ in range(shape[0])]


def _put(array: Any, chosen: list[int | list[int]], value: Any) -> None:
    """Put a value, or an array of them, into chosen elements of an array."""
    at, *rest = chosen
    for place, one in [(at, value)] if isinstance(at, int) else zip(at, value, strict=True):
        if rest:
            _put(array[place], rest, one)
        else:
            array[place] = one


def _input(number: float, type_: Type) -> Value:
    """Return the value of an input; a real number is taken as it is."""
    if type_.kind in {"float", "angle"}:
        return float(number)
    whole = int(number)
    value = converted(whole, type_)
    if whole != number or number_of(value) != whole:
        given = whole if whole == number and abs(whole) < 2**64 else number
        raise NoValueError(f"an input of type '{type_}' cannot be {shown(given)}")
    return value


def _sized(type_: Any, size: int | None) -> Any:
    sized = type(type_)(None if size is None else ast.IntegerLiteral(size))
    sized.span = type_.span
    return sized
