"""Qiskit's importer of OpenQASM 3, which here also takes formulas, decisions and stores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from openqasm3 import ast
from qiskit.circuit.classical import expr
from qiskit_qasm3_import import ConversionError
from qiskit_qasm3_import.converter import ConvertVisitor

from basicaer.openqasm.decisions import Bit, Branch, Truth
from basicaer.openqasm.values import Formula

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

__all__ = ["Decision", "Importer", "Store", "operand_of"]


@dataclass
class Decision(ast.Expression):
    """A condition over bits of the circuit."""

    truth: Truth


@dataclass
class Store(ast.Statement):
    """Puts a truth value into a bit of the circuit."""

    bit: Bit
    truth: Truth


def operand_of(name: str, index: int | None, span: ast.Span | None) -> ast.Identifier | ast.IndexedIdentifier:
    """Return a bit or a qubit as the operand of a statement."""
    identifier = ast.Identifier(name)
    identifier.span = span
    if index is None:
        return identifier
    operand = ast.IndexedIdentifier(identifier, [[ast.IntegerLiteral(index)]])
    operand.span = span
    return operand


class Importer(ConvertVisitor):
    """Makes the circuit of a program; an error without a place gets the place of the last node visited."""

    def __init__(self) -> None:
        super().__init__()
        self._span: ast.Span | None = None

    def circuit_of(self, program: ast.Program) -> QuantumCircuit:
        """Return the circuit of a program.

        Raises
        ------
        ConversionError
            If the program cannot be a circuit; the message begins with the place.
        """
        try:
            return self.convert(program).circuit
        except (ConversionError, MemoryError, RecursionError):
            raise
        except Exception as error:
            words = str(getattr(error, "message", error)) or type(error).__name__
            place = f"{self._span.start_line},{self._span.start_column}: " if self._span else ""
            raise ConversionError(place + words) from error

    def visit(self, node: Any, context: Any = None) -> Any:
        """Convert a node."""
        self._span = node.span or self._span
        return super().visit(node, context)

    def visit_Store(self, node: Store, context: Any) -> Any:  # noqa: N802  # the importer looks for this name
        """Add a store into a bit."""
        context.circuit.store(self._clbit(node.bit, context), self._condition(node.truth, context))
        return context

    def _resolve_condition(self, node: Any, context: Any) -> Any:
        if not isinstance(node, Decision):
            return super()._resolve_condition(node, context)
        match node.truth:
            case Branch(bit=bit, low=bool(), high=bool(high)):
                return self._clbit(bit, context), high
        return self._condition(node.truth, context)

    def _resolve_angle(self, node: Any, context: Any) -> Any:
        if not isinstance(node, Formula):
            return super()._resolve_angle(node, context)
        operands = [
            self._resolve_angle(one, context) if isinstance(one, ast.Expression) else one for one in node.operands
        ]
        return node.operation(*operands)

    def _clbit(self, bit: Bit, context: Any) -> Any:
        operand: Any = operand_of(bit.name, bit.index, self._span)
        return self._resolve_carg(operand, context)

    def _condition(self, truth: Truth, context: Any) -> expr.Expr:
        if isinstance(truth, bool):
            return expr.lift(truth)
        bit = expr.lift(self._clbit(truth.bit, context))
        low, high = truth.low, truth.high
        match low, high:
            case False, True:
                return bit
            case True, False:
                return expr.logic_not(bit)
            case False, _:
                return expr.logic_and(bit, self._condition(high, context))
            case _, False:
                return expr.logic_and(expr.logic_not(bit), self._condition(low, context))
            case True, _:
                return expr.logic_or(expr.logic_not(bit), self._condition(high, context))
            case _, True:
                return expr.logic_or(bit, self._condition(low, context))
        return expr.logic_or(
            expr.logic_and(bit, self._condition(high, context)),
            expr.logic_and(expr.logic_not(bit), self._condition(low, context)),
        )
