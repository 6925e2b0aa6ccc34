"""Works an OpenQASM 3 program out, as far as its values are known before it runs.

Afterwards there are no constants, variables, arrays and functions, and no loops but those over measured bits. What is
left are qubits, bits, gates and their definitions, measurements and choices, which Qiskit's importer takes.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from openqasm3 import ast

from basicaer.errors import shown
from basicaer.openqasm.assignments import is_call
from basicaer.openqasm.expressions import valueless
from basicaer.openqasm.functions import Functions
from basicaer.openqasm.importer import operand_of
from basicaer.openqasm.sources import error_at
from basicaer.openqasm.symbols import BitRegister, Parameter, Qubit, QubitRegister
from basicaer.openqasm.trees import names_in
from basicaer.openqasm.values import Duration, Formula

if TYPE_CHECKING:
    from collections.abc import Mapping

    from basicaer.openqasm.checks import Check

__all__ = ["elaborated"]

_UNSUPPORTED = {
    "CalibrationDefinition": "pulse calibrations ('defcal') are not supported",
    "CalibrationGrammarDeclaration": "pulse calibrations ('defcalgrammar') are not supported",
    "CalibrationStatement": "pulse calibrations ('cal') are not supported",
    "ExternDeclaration": "'extern' functions are not supported; write the function in OpenQASM with 'def'",
}


class _End(Exception):  # noqa: N818
    """The program ends."""


def elaborated(program: ast.Program, inputs: Mapping[str, float], check: Check) -> ast.Program:
    """Return a program that means the same to Qiskit's importer.

    Parameters
    ----------
    inputs
        The values of inputs, by name; real inputs may be left out.
    check
        Is shown every declaration before anything of its size is made.

    Raises
    ------
    BasicAerError
        If something must be known before the program runs and is not; with the place.
    """
    return _Elaboration(program, inputs, check).program()


def _check_once(node: Any, names: list[ast.Identifier]) -> None:
    """Refuse arguments that have the same name."""
    seen: set[str] = set()
    for one in names:
        if one.name in seen:
            raise error_at(node, f"two arguments are called '{one.name}'; give each a name of its own")
        seen.add(one.name)


class _Elaboration(Functions):
    """Works out statements of every kind."""

    def __init__(self, program: ast.Program, inputs: Mapping[str, float], check: Check) -> None:
        super().__init__(check, names_in(program))
        self._program = program
        self._inputs = inputs

    def program(self) -> ast.Program:
        """Return the simpler program."""
        result: list[Any] = []
        try:
            for statement in self._program.statements:
                self._made, self._declarations = [], []
                try:
                    self._statement(statement)
                finally:
                    result += self._declarations + self._made
        except _End:
            pass
        return ast.Program(result, self._program.version)

    def _dispatch(self, node: Any) -> None:
        match node:
            case ast.QuantumGate() | ast.QuantumPhase():
                self._gate(node)
            case ast.QuantumMeasurementStatement():
                self._measure(node)
            case ast.QuantumReset():
                self._make(node, *(ast.QuantumReset(one) for one in self._operands(node.qubits)))
            case ast.QuantumBarrier():
                operands = [one for qubits in node.qubits for one in self._operands(qubits)]
                self._count(node, len(operands))
                self._make(node, ast.QuantumBarrier(operands))
            case ast.DelayInstruction():
                qubits = [one for qubits in node.qubits for one in self._operands(qubits)]
                self._count(node, len(qubits))
                self._make(node, ast.DelayInstruction(self._duration(node.duration), qubits))
            case ast.Box():
                self._box(node)
            case ast.QubitDeclaration():
                self._declare_qubits(node)
            case ast.ClassicalDeclaration():
                self._declare(node, node.type, node.identifier.name, node.init_expression)
            case ast.ConstantDeclaration():
                self._declare_constant(node)
            case ast.IODeclaration():
                self._declare_input_or_output(node)
            case ast.AliasStatement():
                self._alias(node)
            case ast.ClassicalAssignment():
                self._assign(node)
            case ast.ExpressionStatement():
                if is_call(node.expression):
                    self._called(node.expression)
                else:
                    self._expressions.decided(node.expression, lambda _: None)
            case ast.BranchingStatement():
                condition = self._condition(node.condition)
                self._branch(node, condition, lambda: self._block(node.if_block), lambda: self._block(node.else_block))
            case ast.SwitchStatement():
                self._switch(node)
            case ast.ForInLoop():
                self._for(node)
            case ast.WhileLoop():
                self._while(node)
            case ast.CompoundStatement():
                self._block(node.statements)
            case ast.BreakStatement() | ast.ContinueStatement():
                self._leave(node)
            case ast.ReturnStatement():
                self._return(node)
            case ast.EndStatement():
                if self._depth:
                    raise error_at(node, "'end' cannot depend on a measurement; put what follows into the other branch")
                raise _End
            case ast.QuantumGateDefinition():
                self._define_gate(node)
            case ast.SubroutineDefinition():
                _check_once(node, [argument.name for argument in node.arguments])
                self._add(node, node.name.name, node)
            case ast.Include():
                self._make(node, ast.Include(node.filename))
            case ast.Pragma():
                pass  # pragmas are for other tools
            case _:
                kind = type(node).__name__
                raise error_at(node, _UNSUPPORTED.get(kind, f"a statement of this kind ({kind}) is not supported"))

    def _alias(self, node: ast.AliasStatement) -> None:
        register = self._register(node.value)
        if isinstance(register, BitRegister):  # a copy, since bits are freed when the scope of the original name ends
            register = BitRegister(register.bits, register.is_single, register.is_constant)
        self._add(node, node.target.name, register)

    def _gate(self, node: ast.QuantumGate | ast.QuantumPhase) -> None:
        """Make a gate once for each set of operands; where something depends on bits, one for each outcome."""
        with valueless(node), self._expressions.calling(node):
            cases = self._expressions.all_cases(lambda: self._gates(node))
        self._make_cases(node, cases)

    def _gates(self, node: ast.QuantumGate | ast.QuantumPhase) -> list[Any]:
        registers = [self._register(qubits) for qubits in node.qubits]
        for register, qubits in zip(registers, node.qubits, strict=True):
            if not isinstance(register, QubitRegister):
                raise error_at(qubits, "this is no qubit")
        widths = {len(one.qubits) for one in registers if isinstance(one, QubitRegister) and not one.is_single}
        if len(widths) > 1:
            raise error_at(node, f"the operands have different widths ({', '.join(map(str, sorted(widths)))})")
        modifiers = [
            ast.QuantumGateModifier(one.modifier, None if one.argument is None else self._known_number(one.argument))
            for one in node.modifiers
        ]
        if isinstance(node, ast.QuantumPhase):
            arguments = [self._number(node.argument)]
        else:
            if node.duration is not None:
                raise error_at(node, "the duration of a gate is not supported")
            arguments = [self._number(argument) for argument in node.arguments]
        count = widths.pop() if widths else 1
        self._count(node, count)
        made: list[Any] = []
        for i in range(count):
            operands = [
                operand_of(*one.qubits[0 if one.is_single else i], node.span)
                for one in registers
                if isinstance(one, QubitRegister)
            ]
            if isinstance(node, ast.QuantumPhase):
                made.append(ast.QuantumPhase(modifiers, arguments[0], operands))
            else:
                made.append(ast.QuantumGate(modifiers, node.name, arguments, operands))
        return made

    def _number(self, node: Any) -> Any:
        """Return the value of an expression as the importer reads it."""
        value = self._expressions.evaluated(node)
        if isinstance(value, ast.Identifier):
            return operand_of(value.name, None, node.span)
        if isinstance(value, Formula):
            value.span = node.span
            return value
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise error_at(node, "this must be a real number; cast bits to 'int' first")
        if not math.isfinite(value):
            raise error_at(node, f"this must be a finite number, not {shown(value)}")
        number: Any = ast.IntegerLiteral(abs(value)) if isinstance(value, int) else ast.FloatLiteral(abs(value))
        if value < 0:
            number = ast.UnaryExpression(ast.UnaryOperator["-"], number)
            number.expression.span = node.span
        number.span = node.span
        return number

    def _known_number(self, node: Any) -> Any:
        number = self._number(node)
        if isinstance(number, Formula | ast.Identifier):
            raise error_at(node, "the number of a modifier must be known before the program runs")
        return number

    def _duration(self, node: Any) -> ast.DurationLiteral:
        value = self._expressions.known(node)
        if not isinstance(value, Duration) or value.value < 0:
            raise error_at(node, "this must be a duration, such as '100ns', and not negative")
        literal = ast.DurationLiteral(value.value, ast.TimeUnit[value.unit])
        literal.span = node.span
        return literal

    def _measure(self, node: ast.QuantumMeasurementStatement) -> None:
        qubits = self._qubits(node.measure.qubit)
        if node.target is None:
            target = self._own_bits(node, "measured", None if qubits.is_single else len(qubits.qubits))
            self._held.append(target)
        else:
            target = self._target(node.target)
        self._measure_into(node, qubits, target)

    def _box(self, node: ast.Box) -> None:
        duration = None if node.duration is None else self._duration(node.duration)
        box = ast.Box(duration, [])
        box.annotations = node.annotations
        try:
            with self._made_apart() as box.body:
                self._block(node.body)
        finally:
            self._make(node, box)

    def _define_gate(self, node: ast.QuantumGateDefinition) -> None:
        with self._made_apart() as body, self._scope() as scope:
            for parameter in node.arguments:
                scope[parameter.name] = Parameter(parameter)
            for qubit in node.qubits:
                scope[qubit.name] = QubitRegister((Qubit(qubit.name, None),), is_single=True)
            self._is_in_gate = True
            try:
                self._block(node.body)
            finally:
                self._is_in_gate = False
        self._make(node, ast.QuantumGateDefinition(node.name, node.arguments, node.qubits, body))
