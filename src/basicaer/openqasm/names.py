"""Resolves the names in an OpenQASM 3 program to values, qubits and bits, in the scopes of the language."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from openqasm3 import ast

from basicaer.openqasm.decisions import Undecided
from basicaer.openqasm.expressions import CONSTANTS, Expressions, depends_on, places, valueless
from basicaer.openqasm.importer import operand_of
from basicaer.openqasm.output import Output
from basicaer.openqasm.sources import MOST_BITS, error_at
from basicaer.openqasm.symbols import LOST, BitRegister, Call, Parameter, Qubit, QubitRegister, Symbol, Variable
from basicaer.openqasm.values import Bits, Value

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from basicaer.openqasm.checks import Check

__all__ = ["Names", "counted"]


class Names(Output, ABC):
    """The scopes that a statement stands in, and the statements that are worked out in them."""

    def __init__(self, check: Check, names: Iterable[str]) -> None:
        super().__init__(check, names)
        self._scopes: list[dict[str, Symbol]] = [{}]  # visible names, the innermost scope last
        self._calls: list[Call] = []  # calls of functions, the innermost last
        self._is_in_gate = False
        self._held: list[BitRegister] = []  # results of functions that the statement still reads
        self._expressions = Expressions(self._value_of_name, self._called, self._spend)

    @abstractmethod
    def _dispatch(self, node: Any) -> None:
        """Work out a statement of any kind."""

    @abstractmethod
    def _called(self, node: Any, target: BitRegister | None = None) -> Value:
        """Work out a call of a function; a target is given if its bits take the result."""

    def _statement(self, node: Any) -> None:
        self._count(node, 1)
        held, self._held = self._held, []
        try:
            self._dispatch(node)
        except Undecided as asked:
            raise error_at(node, depends_on(asked.bit)) from asked
        finally:
            self._used.difference_update(self._held)
            self._held = held

    def _block(self, statements: Iterable[Any]) -> None:
        with self._scope():
            for statement in statements:
                self._statement(statement)

    @contextmanager
    def _scope(self) -> Iterator[dict[str, Symbol]]:
        scope: dict[str, Symbol] = {}
        self._scopes.append(scope)
        try:
            yield scope
        finally:
            self._scopes.pop()
            self._used.difference_update(one for one in scope.values() if isinstance(one, BitRegister))

    def _add(self, node: Any, name: str, symbol: Symbol) -> None:
        if name in self._scopes[-1]:
            raise error_at(node, f"'{name}' is already declared")
        self._scopes[-1][name] = symbol

    def _symbol(self, node: ast.Identifier) -> Symbol | None:
        for scope in reversed(self._scopes):
            if node.name in scope:
                symbol = scope[node.name]
                can_change = isinstance(symbol, QubitRegister | BitRegister) or (
                    isinstance(symbol, Variable) and not symbol.is_constant
                )
                if can_change and scope is self._scopes[0] and (self._calls or self._is_in_gate):
                    where = "a gate" if self._is_in_gate else "a function"
                    raise error_at(node, f"'{node.name}' cannot be seen in {where}; make it an argument")
                return symbol
        return None

    def _value_of_name(self, node: ast.Identifier) -> Value:
        symbol = self._symbol(node)
        match symbol:
            case Variable():
                return _value_of(node, symbol)
            case Parameter():
                return symbol.node
            case BitRegister():
                bits = Bits(map(self._expressions.truth_of_bit, symbol.bits))
                return bits[0] if symbol.is_single else bits
            case None if node.name in CONSTANTS:
                return CONSTANTS[node.name]
            case None:
                raise error_at(node, f"'{node.name}' is not defined")
        what = "qubits" if isinstance(symbol, QubitRegister) else "a function"
        raise error_at(node, f"'{node.name}' is {what}, which has no value")

    def _register(self, node: Any) -> QubitRegister | BitRegister:
        """Return the qubits or bits that a node names."""
        match node:
            case ast.Identifier():
                if node.name.startswith("$"):
                    return QubitRegister((Qubit(node.name, None),), is_single=True)
                symbol = self._symbol(node)
                if isinstance(symbol, QubitRegister | BitRegister):
                    return symbol
                wrong = "is no qubit or bit" if symbol is not None else "is not defined"
                raise error_at(node, f"'{node.name}' {wrong}")
            case ast.IndexedIdentifier():
                register = self._register(node.name)
                for index in node.indices:
                    register = self._part(node, register, index)
                return register
            case ast.IndexExpression():
                return self._part(node, self._register(node.collection), node.index)
            case ast.Concatenation():
                first, second = self._register(node.lhs), self._register(node.rhs)
                self._check_width(node, first, second)
                if isinstance(first, QubitRegister) and isinstance(second, QubitRegister):
                    return QubitRegister(first.qubits + second.qubits, is_single=False)
                if isinstance(first, BitRegister) and isinstance(second, BitRegister):
                    return BitRegister(first.bits + second.bits, is_single=False)
                raise error_at(node, "qubits and bits cannot be concatenated")
        raise error_at(node, "only qubits and bits can stand here")

    def _check_width(self, node: Any, *registers: QubitRegister | BitRegister) -> None:
        """Refuse a register that names the same qubits or bits over and over until it is too large."""
        width = sum(len(one.qubits if isinstance(one, QubitRegister) else one.bits) for one in registers)
        self._spend(node, width)
        if width > MOST_BITS:
            raise error_at(node, f"this would have {width} elements, and at most {MOST_BITS} are possible")

    def _part(self, node: Any, register: QubitRegister | BitRegister, index: Any) -> QubitRegister | BitRegister:
        if isinstance(index, list):
            if len(index) != 1:
                raise error_at(node, "a register has one index")
            index = index[0]
        if register.is_single:
            raise error_at(node, "this is a single one, which has no index")
        members: tuple[Any, ...] = register.qubits if isinstance(register, QubitRegister) else register.bits
        index_or_several = self._positions(node, index, len(members))
        chosen = tuple(members[place] for place in places(index_or_several))
        is_single = isinstance(index_or_several, int)
        if isinstance(register, QubitRegister):
            return QubitRegister(chosen, is_single)
        return BitRegister(chosen, is_single, register.is_constant)

    def _positions(self, node: Any, index: Any, length: int) -> int | list[int]:
        with valueless(node):
            return self._expressions.positions(index, length)

    def _qubits(self, node: Any) -> QubitRegister:
        with self._expressions.calling(node):
            register = self._register(node)
        if not isinstance(register, QubitRegister):
            raise error_at(node, "this is no qubit")
        return register

    def _operands(self, node: Any) -> list[Any]:
        return [operand_of(*qubit, node.span) for qubit in self._qubits(node).qubits]

    def _bits_of(self, node: Any) -> BitRegister:
        with self._expressions.calling(node):
            register = self._register(node)
        if not isinstance(register, BitRegister):
            raise error_at(node, "this is no bit of the circuit")
        return register

    def _target(self, node: Any) -> BitRegister:
        """Return the bits that a statement writes to."""
        register = self._bits_of(node)
        if register.is_constant:
            raise error_at(node, "this is an argument that is no copy; copy it to bits of the function first")
        return register

    def _measure_into(self, node: Any, qubits: QubitRegister, target: BitRegister) -> None:
        if len(qubits.qubits) != len(target.bits):
            raise error_at(
                node,
                f"{counted(len(qubits.qubits), 'qubit')} cannot be measured into {counted(len(target.bits), 'bit')}",
            )
        for qubit, bit in zip(qubits.qubits, target.bits, strict=True):
            measurement = ast.QuantumMeasurement(operand_of(*qubit, node.span))
            measurement.span = node.span
            operand = operand_of(bit.name, bit.index, node.span)
            self._make(node, ast.QuantumMeasurementStatement(measurement, operand))
            self._write(bit, None)


def _value_of(node: ast.Identifier, variable: Variable) -> Value:
    if variable.value is None:
        raise error_at(node, f"'{node.name}' has no value yet; assign it one first")
    if variable.value is LOST:
        raise error_at(node, f"the value of '{node.name}' depends on a measurement, and must be known here; use bits")
    return variable.value


def counted(count: int, what: str) -> str:
    """Return a number of things in words."""
    return f"{count} {what}{'' if count == 1 else 's'}"
