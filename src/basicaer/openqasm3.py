"""OpenQASM 3: what is read in any time or memory, or refused in riddles, is checked before it is made a circuit.

The parser and the importer are the two that Qiskit's `qasm3.loads` calls; the check walks the tree between them.
"""

from __future__ import annotations

import contextlib
import io
import operator
from typing import TYPE_CHECKING, Any, NamedTuple

import openqasm3
import qiskit_qasm3_import
from openqasm3 import ast
from openqasm3.visitor import QASMVisitor
from qiskit.exceptions import QiskitError

from basicaer.errors import BasicAerError, shown
from basicaer.openqasm2 import MOST_BITS, number_in, wrong_count

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

__all__ = ["parse_openqasm3"]

_MOST_INSTRUCTIONS = 1_000_000  # that a gate of the program's own stands for: the importer copies them for each call
_CONTROLS = (ast.GateModifierName.ctrl, ast.GateModifierName.negctrl)
_ARITHMETIC = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.floordiv}


class _Gate(NamedTuple):
    parameters: int
    instructions: int = 1  # that it stands for


_STANDARD = {  # the gates of "stdgates.inc", by their numbers of parameters
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


def parse_openqasm3(text: str) -> QuantumCircuit:
    """Return the circuit of a program.

    Raises
    ------
    BasicAerError
        For sizes that are too large and calls that do not fit their gates, with the place.
    QiskitError
        With the parser's own words, for whatever else it is that a bad program makes happen.
    """
    try:
        with contextlib.redirect_stderr(io.StringIO()):  # the parser prints some errors as well as raising them
            program = openqasm3.parse(text)
            _Check().visit(program)
            return qiskit_qasm3_import.convert(program)
    except (QiskitError, MemoryError, RecursionError):
        raise
    except Exception as error:  # a syntax error, often without a word, or anything
        raise QiskitError(str(error) or _where(error)) from error


def _where(error: BaseException) -> str:
    """Return the place of a syntax error, which the parser leaves in the error's cause."""
    for reason in getattr(error.__cause__, "args", ()):
        token = getattr(reason, "offendingToken", None)
        if token is not None:
            return f"{token.line},{token.column}: syntax error at '{token.text}'"
    return "syntax error"


class _Check(QASMVisitor[None]):
    """The walk through a program; what it passes over, the importer refuses by itself."""

    def __init__(self) -> None:
        self._bits = {"qubits": 0, "classical bits": 0}  # declared so far
        self._gates = {"U": _Gate(3)}  # known so far
        self._instructions = 0  # that the calls so far stand for

    def visit(self, node: Any, _context: None = None) -> None:
        """Check a node and what is inside it."""
        before = self._instructions
        match node:
            case ast.Include():  # of no other file than this one
                self._gates |= _STANDARD
            case ast.QubitDeclaration(size=size):
                self._declare(node, "qubits", size)
            case ast.ClassicalDeclaration(type=ast.BitType(size=size)):
                self._declare(node, "classical bits", size)
            case ast.Identifier() if node.name.startswith("$"):  # of the hardware, with all that are numbered below it
                self._count(node, "qubits", max(0, number_in(node.name[1:]) + 1 - self._bits["qubits"]))
            case ast.QuantumGate():
                self._call(node)
                self._check_controls(node)
            case ast.QuantumPhase():
                self._check_controls(node)
        self.generic_visit(node)
        if isinstance(node, ast.QuantumGateDefinition):
            self._define(node, self._instructions - before)
            self._instructions = before

    def _declare(self, node: ast.Statement, kind: str, size: ast.Expression | None) -> None:
        self._count(node, kind, 1 if size is None else _number(size))

    def _count(self, node: ast.QASMNode, kind: str, more: int) -> None:
        self._bits[kind] += more
        if self._bits[kind] > MOST_BITS:
            raise _error(node, f"there would be more than {MOST_BITS} {kind} in all; use fewer")

    def _call(self, node: ast.QuantumGate) -> None:
        name, got = node.name.name, len(node.arguments)
        gate = self._gates.get(name)
        if gate is None:
            return
        if gate.parameters != got:
            raise _error(node, wrong_count(name, gate.parameters, got))
        self._instructions += gate.instructions

    def _define(self, node: ast.QuantumGateDefinition, instructions: int) -> None:
        name = node.name.name
        if instructions > _MOST_INSTRUCTIONS:
            raise _error(node, f"'{name}' stands for more than {_MOST_INSTRUCTIONS} gates; use loops in their place")
        self._gates[name] = _Gate(len(node.arguments), instructions)

    @staticmethod
    def _check_controls(node: ast.QuantumGate | ast.QuantumPhase) -> None:
        """Refuse more controls than there are qubits, before a gate of that many is made."""
        for modifier in node.modifiers:
            if modifier.modifier in _CONTROLS and modifier.argument is not None:
                controls = _number(modifier.argument)
                if not 0 <= controls <= len(node.qubits):
                    raise _error(
                        node, f"{shown(controls)} controls do not fit the number of qubits, {len(node.qubits)}"
                    )


def _number(node: ast.Expression) -> int:
    """Return the value of an expression that says how many bits or controls to make."""
    if isinstance(node, ast.IntegerLiteral | ast.BitstringLiteral):
        return node.value
    if isinstance(node, ast.UnaryExpression) and node.op.name == "-":
        return -_number(node.expression)
    if isinstance(node, ast.BinaryExpression) and node.op.name in _ARITHMETIC:
        value: int = _ARITHMETIC[node.op.name](_number(node.lhs), _number(node.rhs))
        return value
    raise _error(node, "a number of bits or controls must be written in whole numbers, without names")


def _error(node: Any, words: str) -> BasicAerError:
    return BasicAerError(f"{node.span.start_line},{node.span.start_column}: {words}")
