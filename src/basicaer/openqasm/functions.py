"""Calls of functions: the statements of the function take the place of the call."""

from __future__ import annotations

from typing import Any, NoReturn

from openqasm3 import ast

from basicaer.openqasm.assignments import leaf_of
from basicaer.openqasm.decisions import Branch, bits_in
from basicaer.openqasm.flow import Flow
from basicaer.openqasm.names import counted
from basicaer.openqasm.sources import error_at
from basicaer.openqasm.symbols import BitRegister, Call, QubitRegister, Symbol, Variable
from basicaer.openqasm.trees import nodes_in, written_in
from basicaer.openqasm.values import Bits, Type, Value, converted

__all__ = ["Functions"]


class _Return(Exception):  # noqa: N818
    """A function ends, with its value."""

    def __init__(self, value: Value | None) -> None:
        super().__init__(value)
        self.value = value


class Functions(Flow):
    """Works out calls and returns."""

    def _called(self, node: Any, target: BitRegister | None = None) -> Any:
        """Work out a call of a function that the program defines; return its value."""
        function = self._symbol(node.name)
        if not isinstance(function, ast.SubroutineDefinition):
            raise error_at(node, f"'{node.name.name}' is no function that is defined")
        if len(function.arguments) != len(node.arguments):
            takes = counted(len(function.arguments), "argument")
            raise error_at(node, f"'{node.name.name}' takes {takes}, but got {len(node.arguments)}")
        scope = {
            argument.name.name: self._argument(function, argument, given)
            for argument, given in zip(function.arguments, node.arguments, strict=True)
        }
        read = {bit for symbol in scope.values() if isinstance(symbol, BitRegister) for bit in symbol.bits}
        takes_result = target is not None and not read.intersection(target.bits)
        call = Call(
            None if function.return_type is None else self._expressions.type_of(function.return_type),
            target.bits if target is not None and takes_result else (),
            _returned_name(function),
            self._depth,
        )
        scopes, self._scopes = self._scopes, [self._scopes[0]]
        loops, self._loops = self._loops, []
        self._calls.append(call)
        value: Value | None = None
        try:
            with self._scope() as inner:
                inner.update(scope)
                try:
                    for statement in function.body:
                        self._statement(statement)
                except _Return as returned:
                    value = returned.value
        finally:
            self._calls.pop()
            self._scopes, self._loops = scopes, loops
        kept = {self._owner[bit] for bit in bits_in(value) if bit in self._owner} - self._used
        self._used |= kept
        self._held += kept
        return value

    def _argument(self, function: ast.SubroutineDefinition, argument: Any, given: Any) -> Symbol:
        """Return what the name of an argument stands for in a call."""
        name = argument.name.name
        if isinstance(argument, ast.QuantumArgument):
            qubits = self._qubits(given)
            size = None if argument.size is None else self._size(argument.size)
            if len(qubits.qubits) != (1 if size is None else size):
                takes = counted(1 if size is None else size, "qubit")
                raise error_at(given, f"'{name}' takes {takes}, but got {len(qubits.qubits)}")
            return QubitRegister(qubits.qubits, is_single=size is None)
        if isinstance(argument.type, ast.ArrayReferenceType):
            return self._array_argument(argument, given)
        type_ = self._expressions.type_of(argument.type)
        if type_.kind == "bit":
            return self._bits_argument(function, argument, given, type_)
        return Variable(type_, self._known(given, type_, name))

    def _array_argument(self, argument: Any, given: Any) -> Symbol:
        name = argument.name.name
        symbol = self._symbol(given) if isinstance(given, ast.Identifier) else None
        if not isinstance(symbol, Variable) or not symbol.type.shape:
            raise error_at(given, f"'{name}' takes the name of an array")
        base = self._expressions.type_of(argument.type.base_type)
        wanted = argument.type.dimensions
        fits = (
            tuple(self._expressions.integer(size, "the size of an array") for size in wanted) == symbol.type.shape
            if isinstance(wanted, list)
            else self._expressions.integer(wanted, "a number of dimensions") == len(symbol.type.shape)
        )
        if not fits or (base.kind, base.size) != (symbol.type.kind, symbol.type.size):
            raise error_at(given, f"'{name}' takes another type of array than '{symbol.type}'")
        if argument.access is ast.AccessControl.mutable and not symbol.is_constant:
            return symbol
        return Variable(symbol.type, symbol.value, is_constant=True)

    def _bits_argument(self, function: Any, argument: Any, given: Any, type_: Type) -> Symbol:
        """Return the caller's bits themselves, if they are named and the function only reads them; else a copy."""
        name = argument.name.name
        is_written = name in written_in(function.body)
        if not is_written and isinstance(given, ast.Identifier | ast.IndexExpression) and self._names_bits(given):
            register = self._bits_of(given)
            if (len(register.bits), register.is_single) != (type_.size or 1, type_.size is None):
                raise error_at(given, f"'{name}' takes a value of type '{type_}'")
            return BitRegister(register.bits, register.is_single, is_constant=True)
        if not is_written:
            cases = self._expressions.decided(given, lambda value: converted(value, type_))
            if not any(bits_in(cases)):
                return Variable(type_, cases)
        copy = self._own_bits(argument, name, type_.size)
        self._assign_bits(given, copy, given)
        return copy

    def _names_bits(self, node: Any) -> bool:
        while isinstance(node, ast.IndexExpression):
            node = node.collection
        return isinstance(node, ast.Identifier) and isinstance(self._symbol(node), BitRegister)

    def _return(self, node: ast.ReturnStatement) -> NoReturn:
        if not self._calls:
            raise error_at(node, "'return' stands outside of a function")
        call = self._calls[-1]
        if self._depth > call.depth:
            raise error_at(node, "whether a function returns here depends on a measurement; return a bit at its end")
        if node.expression is None:
            raise _Return(None)
        if call.return_type is None:
            raise error_at(node, "this function has no return type; write one after '->'")
        if not isinstance(node.expression, ast.QuantumMeasurement):
            raise _Return(self._result(node.expression, call.return_type))
        qubits = self._qubits(node.expression.qubit)
        register = BitRegister(call.target, is_single=qubits.is_single)
        if len(call.target) != len(qubits.qubits):
            register = self._own_bits(node, "measured", None if qubits.is_single else len(qubits.qubits))
            self._held.append(register)
        self._measure_into(node, qubits, register)
        bits = Bits(map(self._expressions.truth_of_bit, register.bits))
        raise _Return(bits[0] if register.is_single else bits)

    def _result(self, node: Any, type_: Type) -> Value:
        """Return the value of what a function returns: bits that may depend on measurements, or what is known."""
        cases = self._expressions.decided(node, lambda value: converted(value, type_))
        if type_.kind == "bit":
            return cases if type_.size is None else Bits(leaf_of(cases, i) for i in range(type_.size))
        if isinstance(cases, Branch):
            raise error_at(node, "what this function returns depends on a measurement; only bits can, so return bits")
        return cases


def _returned_name(function: ast.SubroutineDefinition) -> str | None:
    """Return the name that every return of a function returns, if it is declared in the function's outermost block."""
    returned = [
        one.expression.name if isinstance(one.expression, ast.Identifier) else None
        for one in nodes_in(function.body, ast.ReturnStatement)
    ]
    declared = [one.identifier.name for one in function.body if isinstance(one, ast.ClassicalDeclaration)]
    return returned[0] if len(set(returned)) == 1 and returned[0] in declared else None
