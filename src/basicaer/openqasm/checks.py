"""Finds parts of an OpenQASM 3 program that take too much time or memory, or that the importer would misread."""

from __future__ import annotations

import contextlib
import operator
from typing import TYPE_CHECKING, Any, NamedTuple

from openqasm3 import ast

from basicaer.errors import BasicAerError, shown
from basicaer.openqasm.sources import MOST_BITS, error_at, number_in, wrong_count
from basicaer.openqasm.trees import names_in

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Check", "NotWrittenOutError"]

_MOST_INSTRUCTIONS = 1_000_000  # gates that one defined gate may stand for; the importer copies them for each call
_MOST_OPERANDS = 10_000_000  # operands of all statements and aliases together, written out for each qubit of a register
_WORD = 64  # the bits of an integer type without a size
_CONTROLS = (ast.GateModifierName.ctrl, ast.GateModifierName.negctrl)
_ARITHMETIC = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.floordiv}


class NotWrittenOutError(BasicAerError):
    """The importer would misread something; its values must be worked out first."""


class _Gate(NamedTuple):
    parameters: int
    instructions: int = 1  # number of gates that it stands for


_STANDARD = {  # gates of "stdgates.inc", by number of parameters
    name: _Gate(count)
    for count, names in {
        0: "x y z h s sdg t tdg sx cx cy cz ch swap ccx cswap CX id",
        1: "p rx ry rz cp crx cry crz phase cphase u1",
        2: "u2",
        3: "u3",
        4: "cu",
    }.items()
    for name in names.split()
}


class Check:
    """The walk through a program. The importer itself refuses what this does not check."""

    def __init__(self) -> None:
        self._bits = {"qubits": 0, "classical bits": 0}  # numbers declared so far
        self._gates = {"U": _Gate(3)}  # gates known so far
        self._instructions = 0  # number of gates that the calls so far stand for
        self._around: list[type[ast.QASMNode]] = []  # types of the nodes around the current one, the innermost last
        self._widths: dict[str, int] = {}  # upper bounds on the widths of the registers and aliases so far
        self._operands = 0  # number of operands to which the statements so far are written out
        self._loops: list[str] = []  # variables of the loops around the current node

    def visit(self, node: Any) -> None:
        """Check a node and what is inside it."""
        before = self._instructions
        match node:
            case ast.Include():  # "stdgates.inc" is the only file included here
                self._gates |= _STANDARD
            case ast.QubitDeclaration(size=size):
                self._declare(node, node.qubit.name, "qubits", size)
            case ast.ClassicalDeclaration(type=ast.BitType(size=size)):
                self._declare(node, node.identifier.name, "classical bits", size)
            case ast.Identifier() if node.name.startswith("$"):  # a hardware qubit: all lower ones are made, too
                self._count(node, "qubits", max(0, number_in(node.name[1:]) + 1 - self._bits["qubits"]))
            case ast.AliasStatement():
                self._widths[node.target.name] = self._write_out(node, [node.value])
            case ast.QuantumGate():
                self._call(node)
                self._check_controls(node)
                self._write_out(node, node.qubits)
            case ast.QuantumPhase():
                self._check_controls(node)
                self._write_out(node, node.qubits)
            case ast.QuantumBarrier() | ast.DelayInstruction():
                self._write_out(node, node.qubits)
            case ast.QuantumReset(qubits=qubits) | ast.QuantumMeasurement(qubit=qubits):
                self._write_out(node, [qubits])
        _check_meaning(node, self._around, self._loops)
        self._around.append(type(node))
        if isinstance(node, ast.ForInLoop):
            self._loops.append(node.identifier.name)
        self._visit_all(vars(node).values())
        if isinstance(node, ast.ForInLoop):
            self._loops.pop()
        self._around.pop()
        if isinstance(node, ast.QuantumGateDefinition):
            self._define(node, self._instructions - before)
            self._instructions = before

    def _visit_all(self, parts: Iterable[Any]) -> None:
        for part in parts:
            if isinstance(part, ast.QASMNode):
                self.visit(part)
            elif isinstance(part, list | tuple):  # indices stand in lists of lists
                self._visit_all(part)

    def _declare(self, node: ast.Statement, name: str, kind: str, size: ast.Expression | None) -> None:
        self._widths[name] = 1 if size is None else _number(size)
        self._count(node, kind, self._widths[name])

    def _write_out(self, node: Any, operands: Iterable[Any]) -> int:
        """Count a statement once for each qubit or bit of its operands, and return how many they are at most."""
        if ast.QuantumGateDefinition in self._around:  # qubits of a gate may have the names of registers
            return 1
        width = sum(map(self._width, operands))
        self._operands += width
        if self._operands > _MOST_OPERANDS:
            words = f"more than {_MOST_OPERANDS} qubits or bits would be written out; use loops or smaller registers"
            raise error_at(node, words)
        return width

    def _width(self, node: Any) -> int:
        match node:
            case ast.Identifier():
                return self._widths.get(node.name, 1)
            case ast.IndexedIdentifier():
                return 1 if _is_one(node.indices[-1]) else self._width(node.name)
            case ast.IndexExpression():
                return 1 if _is_one(node.index) else self._width(node.collection)
            case ast.Concatenation():
                return self._width(node.lhs) + self._width(node.rhs)
        return 1

    def _count(self, node: ast.QASMNode, kind: str, more: int) -> None:
        self._bits[kind] += more
        if self._bits[kind] > MOST_BITS:
            raise error_at(node, f"there would be more than {MOST_BITS} {kind} in all; use fewer")

    def _call(self, node: ast.QuantumGate) -> None:
        name, got = node.name.name, len(node.arguments)
        gate = self._gates.get(name)
        if gate is None:
            return
        if gate.parameters != got:
            raise error_at(node, wrong_count(name, gate.parameters, got))
        self._instructions += gate.instructions

    def _define(self, node: ast.QuantumGateDefinition, instructions: int) -> None:
        name = node.name.name
        if instructions > _MOST_INSTRUCTIONS:
            raise error_at(node, f"'{name}' stands for more than {_MOST_INSTRUCTIONS} gates; use loops in their place")
        self._gates[name] = _Gate(len(node.arguments), instructions)

    @staticmethod
    def _check_controls(node: ast.QuantumGate | ast.QuantumPhase) -> None:
        """Refuse more controls than there are qubits, before a gate of that many is made."""
        for modifier in node.modifiers:
            if modifier.modifier in _CONTROLS and modifier.argument is not None:
                controls = _number(modifier.argument)
                if not 0 <= controls <= len(node.qubits):
                    raise error_at(
                        node, f"{shown(controls)} controls do not fit the number of qubits, {len(node.qubits)}"
                    )


def _is_one(index: Any) -> bool:
    """Tell whether an index stands for a single element."""
    return isinstance(index, list) and not any(isinstance(one, ast.RangeDefinition) for one in index)


def _check_meaning(node: Any, around: list[type[ast.QASMNode]], loops: list[str]) -> None:
    """Refuse what the importer accepts but would misread."""
    match node:
        case ast.ForInLoop() if ast.QuantumGateDefinition in around:
            wrong = "a loop in a gate must be written out"  # its variable would become a parameter of the gate
        case ast.QuantumPhase(qubits=[]) if ast.ForInLoop in around:
            wrong = "a global phase in a loop must be written out"  # the importer would add it only once
        case ast.RangeDefinition() if around[-1:] != [ast.ForInLoop] and not _is_written_out(node):
            wrong = "a range of indices must be written in whole numbers"  # negative indices would be misread
        case ast.BinaryExpression(op=ast.BinaryOperator(name="/")) if _is_quotient_below_zero(node):
            wrong = "a quotient of negative integers must be worked out"  # it must be rounded towards zero
        case ast.BinaryExpression(op=ast.BinaryOperator(name="/")) if _is_quotient_in_loop(node, loops):
            wrong = "a quotient of integers must be worked out"  # the importer rounds no quotient of loop variables
        case ast.ForInLoop() if not _fits(node):
            wrong = "a value that does not fit the type of a loop's variable must be worked out"  # it must wrap around
        case _:
            return
    raise _not_written_out(node, wrong)


def _is_written_out(node: ast.RangeDefinition) -> bool:
    return all(one is None or isinstance(one, ast.IntegerLiteral) for one in (node.start, node.end, node.step))


def _is_quotient_below_zero(node: ast.BinaryExpression) -> bool:
    try:
        return _number(node.lhs) < 0 or _number(node.rhs) < 0
    except NotWrittenOutError:
        return False


def _is_quotient_in_loop(node: ast.BinaryExpression, loops: list[str]) -> bool:
    """Tell whether a quotient is one of integers that depend on the variables of loops."""
    return _is_integer(node, loops) and not names_in(node).isdisjoint(loops)


def _is_integer(node: Any, names: list[str]) -> bool:
    match node:
        case ast.IntegerLiteral():
            return True
        case ast.Identifier():
            return node.name in names
        case ast.UnaryExpression():
            return _is_integer(node.expression, names)
        case ast.BinaryExpression():
            return _is_integer(node.lhs, names) and _is_integer(node.rhs, names)
    return False


def _fits(node: ast.ForInLoop) -> bool:
    """Tell whether the variable of a loop can hold all values that it is given."""
    match node.set_declaration, node.type:
        case ast.RangeDefinition(start=start, end=end), ast.IntType() | ast.UintType():
            values = [one for one in (start, end) if one is not None]
        case ast.DiscreteSet(values=values), ast.IntType() | ast.UintType():
            pass
        case _:  # the importer refuses other loops
            return True
    size = _WORD if node.type.size is None else _number(node.type.size)
    if size not in range(1, _WORD + 1):
        return False
    least, most = (-(2 ** (size - 1)), 2 ** (size - 1)) if isinstance(node.type, ast.IntType) else (0, 2**size)
    return all(least <= _number(value) < most for value in values)


def _not_written_out(node: Any, words: str) -> NotWrittenOutError:
    return NotWrittenOutError(error_at(node, words).message)


def _number(node: ast.Expression) -> int:
    """Return the value of an expression that says how many bits or controls to make."""
    if isinstance(node, ast.IntegerLiteral | ast.BitstringLiteral):
        return node.value
    if isinstance(node, ast.UnaryExpression) and node.op.name == "-":
        return -_number(node.expression)
    if isinstance(node, ast.BinaryExpression) and node.op.name in _ARITHMETIC:
        with contextlib.suppress(ZeroDivisionError):
            value: int = _ARITHMETIC[node.op.name](_number(node.lhs), _number(node.rhs))
            return value
    raise _not_written_out(node, "a number of bits or controls must be written in whole numbers, without names")
