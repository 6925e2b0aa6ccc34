"""Works an OpenQASM 3 program out, as far as its values are known before it runs.

Afterwards there are no constants, variables, arrays and functions, and no loops but those over measured bits: what is left
are qubits, bits, gates and their definitions, measurements, and choices, all of which Qiskit's importer takes.
"""

from __future__ import annotations

import math
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

from openqasm3 import ast

from basicaer.errors import shown
from basicaer.openqasm.decisions import Bit, Branch, Truth, Undecided, bits_in, choose, combine
from basicaer.openqasm.expressions import BUILTIN, CONSTANTS, Expressions, depends_on, places, valueless
from basicaer.openqasm.importer import Decision, Store, operand_of
from basicaer.openqasm.sources import error_at
from basicaer.openqasm.symbols import BitRegister, Call, Loop, Parameter, Qubit, QubitRegister, Symbol, Variable
from basicaer.openqasm.values import Bits, Duration, Formula, NoValueError, Type, Value, converted, number_of, truth_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from basicaer.openqasm.checks import Check

__all__ = ["elaborated"]

_MOST_STATEMENTS = 1_000_000  # that are worked out or made

_UNSUPPORTED = {
    "CalibrationDefinition": "pulse calibrations ('defcal') are not supported",
    "CalibrationGrammarDeclaration": "pulse calibrations ('defcalgrammar') are not supported",
    "CalibrationStatement": "pulse calibrations ('cal') are not supported",
    "ExternDeclaration": "'extern' functions are not supported; write the function in OpenQASM with 'def'",
}


class _Left(Exception):  # noqa: N818  # how control flows, not a fault
    """The rest of a block of the circuit is never reached."""


class _Break(Exception):  # noqa: N818
    """The loop that is being written out ends."""


class _Continue(Exception):  # noqa: N818
    """The iteration that is being written out ends."""


class _End(Exception):  # noqa: N818
    """The program ends."""


class _Return(Exception):  # noqa: N818
    """A function ends, with its value."""

    def __init__(self, value: Value | None) -> None:
        super().__init__(value)
        self.value = value


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


class _Elaboration:
    def __init__(self, program: ast.Program, inputs: Mapping[str, float], check: Check) -> None:
        self._program = program
        self._inputs = inputs
        self._check = check
        self._statements = 0  # worked out or made so far
        self._made: list[Any] = []  # where the next statement of the result goes
        self._declarations: list[Any] = []  # of bits that the statement at the top needs in front of it
        self._scopes: list[dict[str, Symbol]] = [{}]  # the names that can be seen, the innermost last
        self._calls: list[Call] = []
        self._loops: list[Loop] = []
        self._is_in_gate = False
        self._regions = 0  # choices and loops of the circuit that this stands in
        self._depth = 0  # the same, and those that may have been left before this is reached
        self._written: list[dict[Bit, bool | None]] = [{}]  # for each region, what the bits written in it held before
        self._count_of_bits = 0
        self._names = set(_names_in(program))
        self._own: dict[int, list[BitRegister]] = {}  # bits made for a node of the tree, in use or not
        self._owner: dict[Bit, BitRegister] = {}  # of each of those bits, the register
        self._used: set[BitRegister] = set()
        self._held: list[BitRegister] = []  # what the statement that is worked out still reads
        self._expressions = Expressions(self._value_of_name, self._called)

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

    # Statements.

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

    def _dispatch(self, node: Any) -> None:
        match node:
            case ast.QuantumGate() | ast.QuantumPhase():
                self._gate(node)
            case ast.QuantumMeasurementStatement():
                self._measure(node)
            case ast.QuantumReset():
                self._make(node, *(ast.QuantumReset(one) for one in self._operands(node.qubits)))
            case ast.QuantumBarrier():
                self._make(node, ast.QuantumBarrier([one for qubits in node.qubits for one in self._operands(qubits)]))
            case ast.DelayInstruction():
                qubits = [one for qubits in node.qubits for one in self._operands(qubits)]
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
                self._add(node, node.target.name, self._register(node.value))
            case ast.ClassicalAssignment():
                self._assign(node)
            case ast.ExpressionStatement():
                if _is_call(node.expression):
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
                self._add(node, node.name.name, node)
            case ast.Include():
                self._make(node, ast.Include(node.filename))
            case ast.Pragma():
                pass  # it tells other tools something
            case _:
                kind = type(node).__name__
                raise error_at(node, _UNSUPPORTED.get(kind, f"a statement of this kind ({kind}) is not supported"))

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

    def _make(self, node: Any, *statements: Any) -> None:
        """Add statements to the result; they stand where the node stands."""
        self._count(node, len(statements))
        for statement in statements:
            statement.span = node.span
        self._made.extend(statements)

    def _count(self, node: Any, more: int) -> None:
        self._statements += more
        if self._statements > _MOST_STATEMENTS:
            raise error_at(node, f"more than {_MOST_STATEMENTS} statements would have to be worked out; use fewer")

    @contextmanager
    def _made_apart(self) -> Iterator[list[Any]]:
        """Collect what is made into a list of its own."""
        outer, self._made = self._made, []
        try:
            yield self._made
        finally:
            self._made = outer

    # Names.

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
            case Variable(value=None):
                raise error_at(node, f"'{node.name}' has no value yet; assign it one first")
            case Variable(value=value) if value is not None:
                return value
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

    # Qubits and bits.

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
                if isinstance(first, QubitRegister) and isinstance(second, QubitRegister):
                    return QubitRegister(first.qubits + second.qubits, is_single=False)
                if isinstance(first, BitRegister) and isinstance(second, BitRegister):
                    return BitRegister(first.bits + second.bits, is_single=False)
                raise error_at(node, "qubits and bits cannot be concatenated")
        raise error_at(node, "only qubits and bits can stand here")

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

    def _target(self, node: Any) -> BitRegister:
        """Return the bits that a statement writes to."""
        register = self._bits_of(node)
        if register.is_constant:
            raise error_at(node, "this is an argument that is no copy; copy it to bits of the function first")
        return register

    def _bits_of(self, node: Any) -> BitRegister:
        with self._expressions.calling(node):
            register = self._register(node)
        if not isinstance(register, BitRegister):
            raise error_at(node, "this is no bit of the circuit")
        return register

    # Quantum statements.

    def _gate(self, node: ast.QuantumGate | ast.QuantumPhase) -> None:
        """Make a gate once for each set of operands; where something depends on bits, one for each outcome."""
        with valueless(node), self._expressions.calling(node):
            cases = self._expressions.all_cases(lambda: self._gates(node))
        self._make_cases(node, cases)

    def _make_cases(self, node: Any, cases: Any) -> None:
        if isinstance(cases, Branch):
            halves = []
            for half in (cases.low, cases.high):
                with self._made_apart() as made:
                    self._make_cases(node, half)
                halves.append(made)
            truth = Branch(cases.bit, low=False, high=True, cases=2)
            self._make_if(node, truth, halves[1], halves[0])
        else:
            self._make(node, *cases)

    def _gates(self, node: ast.QuantumGate | ast.QuantumPhase) -> list[Any]:
        registers = [self._register(qubits) for qubits in node.qubits]
        for register, qubits in zip(registers, node.qubits, strict=True):
            if not isinstance(register, QubitRegister):
                raise error_at(qubits, "this is no qubit")
        widths = {len(one.qubits) for one in registers if isinstance(one, QubitRegister) and not one.is_single}
        if len(widths) > 1:
            raise error_at(node, f"the operands have different widths ({', '.join(map(str, sorted(widths)))})")
        modifiers = [
            ast.QuantumGateModifier(one.modifier, None if one.argument is None else self._number(one.argument))
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

    def _measure_into(self, node: Any, qubits: QubitRegister, target: BitRegister) -> None:
        if len(qubits.qubits) != len(target.bits):
            raise error_at(
                node,
                f"{_counted(len(qubits.qubits), 'qubit')} cannot be measured into {_counted(len(target.bits), 'bit')}",
            )
        for qubit, bit in zip(qubits.qubits, target.bits, strict=True):
            measurement = ast.QuantumMeasurement(operand_of(*qubit, node.span))
            measurement.span = node.span
            operand = operand_of(bit.name, bit.index, node.span)
            self._make(node, ast.QuantumMeasurementStatement(measurement, operand))
            self._write(bit, None)

    def _box(self, node: ast.Box) -> None:
        duration = None if node.duration is None else self._duration(node.duration)
        made: list[Any] = []
        try:
            with self._made_apart() as made:
                self._block(node.body)
        finally:
            box = ast.Box(duration, made)
            box.annotations = node.annotations
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

    # Declarations.

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
        value = None if initial is None else self._known(initial, known, name)
        if value is None and known.shape:
            value = _unset(known.shape)
        self._add(node, name, Variable(known, value, is_constant=False, depth=self._depth))

    def _known(self, node: Any, type_: Type, name: str) -> Value:
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
        self._add(node, name, Variable(type_, value, is_constant=True, depth=self._depth))

    def _declare_input_or_output(self, node: ast.IODeclaration) -> None:
        name = node.identifier.name
        if node.io_identifier is ast.IOKeyword.output:
            self._declare(node, node.type, name, None)
            return
        type_ = self._expressions.type_of(node.type)
        if name in self._inputs:
            with valueless(node):
                value = _input(self._inputs[name], type_)
            self._add(node, name, Variable(type_, value, is_constant=True, depth=0))
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

    def _new_bits(self, node: Any, name: str, size: int | None) -> BitRegister:
        """Declare bits of the circuit."""
        written = ast.BitType(None if size is None else ast.IntegerLiteral(size))
        declaration = ast.ClassicalDeclaration(written, ast.Identifier(name))
        declaration.span = node.span
        self._check.visit(declaration)
        first, self._count_of_bits = self._count_of_bits, self._count_of_bits + (1 if size is None else size)
        indices = [None] if size is None else range(size)
        bits = tuple(Bit(name, index, first + i) for i, index in enumerate(indices))
        self._count(node, 1)
        self._declarations.append(declaration)
        return BitRegister(bits, is_single=size is None)

    def _own_bits(self, node: Any, name: str, size: int | None) -> BitRegister:
        """Return bits of the circuit for a name inside of a function or a block: those of an earlier time, if free."""
        registers = self._own.setdefault(id(node), [])
        width = (1 if size is None else size, size is None)
        for register in registers:
            if register not in self._used and (len(register.bits), register.is_single) == width:
                break
        else:
            register = self._new_bits(node, self._free_name(name), size)
            registers.append(register)
            self._owner.update(dict.fromkeys(register.bits, register))
        self._used.add(register)
        for bit in register.bits:
            self._write(bit, None)
        return register

    def _free_name(self, name: str) -> str:
        """Return a name that the program does not use."""
        number = 0
        free = name
        while free in self._names:
            number += 1
            free = f"{name}_{number}"
        self._names.add(free)
        return free

    # Assignments.

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
        if symbol.depth < self._depth:
            raise error_at(
                node,
                f"whether '{name.name}' is assigned to depends on a measurement; only bits can be assigned to here",
            )
        if isinstance(node.lvalue, ast.Identifier):
            symbol.value = self._known(value, symbol.type, name.name)
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
            symbol.value = Bits(bits)
            return
        if not type_.shape or len(indices) > len(type_.shape):
            raise error_at(node, f"'{name}' has no such element")
        chosen = [self._positions(node, index, size) for index, size in zip(indices, type_.shape, strict=False)]
        inner = type_.shape[len(indices) :]
        shape = (*(len(one) for one in chosen if not isinstance(one, int)), *inner)
        _put(symbol.value, chosen, self._known(value, Type(type_.kind, type_.size, shape), name))

    def _assign_bits(self, node: Any, target: BitRegister, value: Any) -> None:
        type_ = Type("bit", None if target.is_single else len(target.bits))
        if _is_call(value):
            result = self._called(value, target)
            if result is None:
                raise error_at(value, f"'{value.name.name}' returns nothing")
            self._store(node, target, lambda: converted(result, type_))
        else:
            with self._expressions.calling(value):
                self._store(node, target, lambda: converted(self._expressions.evaluated(value), type_))

    def _store(self, node: Any, target: BitRegister, value: Callable[[], Value]) -> None:
        """Store values into bits, each after all that read what it held before."""
        with valueless(node):
            cases = self._expressions.all_cases(lambda: _tuple_of(value()))
            left = {bit: _leaf(cases, i) for i, bit in enumerate(target.bits)}
            left = {bit: truth for bit, truth in left.items() if truth != Branch(bit, low=False, high=True, cases=2)}
            while left:
                read = {bit: {other for other in bits_in(truth) if other is not bit} for bit, truth in left.items()}
                ready = next((bit for bit in left if not any(bit in others for others in read.values())), None)
                if ready is None:  # they go round in a circle: one case for each of their values
                    everything = combine(lambda *truths: truths, *left.values())
                    self._make_cases(node, _stores(everything, tuple(left)))
                    break
                self._make(node, Store(ready, left.pop(ready)))
        for bit, truth in zip(target.bits, (_leaf(cases, i) for i in range(len(target.bits))), strict=True):
            if truth != Branch(bit, low=False, high=True, cases=2):
                self._write(bit, truth if isinstance(truth, bool) else None)

    def _write(self, bit: Bit, content: bool | None) -> None:  # noqa: FBT001  # what a bit holds
        self._written[-1].setdefault(bit, bit.content)
        bit.content = content

    # Choices and loops.

    def _condition(self, node: Any) -> Truth:
        truth: Truth = self._expressions.decided(node, truth_of)
        return truth

    def _branch(self, node: Any, truth: Truth, then: Callable[[], None], otherwise: Callable[[], None]) -> None:
        """Go on with one of two blocks; where a measurement decides, make both."""
        if isinstance(truth, bool):
            (then if truth else otherwise)()
            return
        made = []
        written: set[Bit] = set()
        for work in (then, otherwise):
            with self._region() as (block, bits):
                work()
            made.append(block)
            written.update(bits)
        self._forget(written)
        self._make_if(node, truth, *made)

    def _make_if(self, node: Any, truth: Truth, then: list[Any], otherwise: list[Any]) -> None:
        if not then:
            truth, then, otherwise = combine(lambda one: not one, truth), otherwise, []
        if then:
            condition = Decision(truth)
            condition.span = node.span
            self._make(node, ast.BranchingStatement(condition, then, otherwise))

    @contextmanager
    def _region(self) -> Iterator[tuple[list[Any], dict[Bit, bool | None]]]:
        """Make what may be run or not; afterwards the bits that it writes hold what they held before."""
        outer = self._depth
        self._regions += 1
        self._depth += 1
        self._written.append({})
        written = self._written[-1]
        try:
            with self._made_apart() as made, suppress(_Left):
                yield made, written
        finally:
            self._regions -= 1
            self._depth = outer
            self._written.pop()
            for bit, content in written.items():
                bit.content = content
            if (
                self._loops
                and self._loops[-1].is_written_out
                and (self._loops[-1].is_broken or self._loops[-1].is_continued)
            ):
                self._depth += 1  # what follows is run if the loop has not been left

    def _forget(self, bits: Iterable[Bit]) -> None:
        for bit in bits:
            self._write(bit, None)

    def _switch(self, node: ast.SwitchStatement) -> None:
        target = self._expressions.decided(node.target, _as_integer)
        cases = [
            ({self._expressions.integer(label, "a case") for label in labels}, block) for labels, block in node.cases
        ]

        def go(number: int) -> None:
            if number == len(cases):
                self._block(node.default.statements if node.default is not None else ())
                return
            labels, block = cases[number]
            truth = combine(lambda value: value in labels, target)
            self._branch(node, truth, lambda: self._block(block.statements), lambda: go(number + 1))

        go(0)

    def _for(self, node: ast.ForInLoop) -> None:
        type_ = self._expressions.type_of(node.type)
        name = node.identifier.name

        def iteration(value: Value) -> None:
            with valueless(node):
                constant = Variable(type_, converted(value, type_), is_constant=False, depth=self._depth)
            with self._scope() as scope:
                scope[name] = constant
                self._block(node.block)

        values = self._expressions.values_in(node.set_declaration)
        self._written_out(node, (partial(iteration, value) for value in values))

    def _while(self, node: ast.WhileLoop) -> None:
        """Write a loop out while its condition is known; from where it depends on a measurement on, make a loop."""
        is_endless = not any(_names_in(node.while_condition))  # but for a break

        def iterations() -> Iterator[Callable[[], None]]:
            while True:
                before = len(self._made)
                truth = self._condition(node.while_condition)
                if truth is False:
                    return
                if isinstance(truth, bool) and not is_endless:
                    yield lambda: self._block(node.block)
                    continue
                if len(self._made) != before:
                    raise error_at(node, "a function in the condition of a loop cannot do anything to qubits or bits")
                yield lambda: self._make_while(node)
                return

        self._written_out(node, iterations())

    def _make_while(self, node: ast.WhileLoop) -> None:
        loop = Loop(is_written_out=False, regions=self._regions + 1)
        self._loops.append(loop)
        try:
            while True:  # until nothing is taken as known that an earlier iteration may have changed
                loop.is_broken = False
                truth = self._condition(node.while_condition)
                with self._region() as (made, written):
                    self._block(node.block)
                changed = [bit for bit in written if bit.content is not None]
                self._forget(written)
                if not changed:
                    break
        finally:
            self._loops.pop()
        if truth is True and not loop.is_broken:
            raise error_at(node, "this loop never ends")
        condition = Decision(truth)
        condition.span = node.span
        self._make(node, ast.WhileLoop(condition, made))

    def _written_out(self, node: Any, iterations: Iterable[Callable[[], None]]) -> None:
        """Make the iterations of a loop one after another.

        Where a measurement decides whether the loop is left, all of it becomes a loop of one iteration, which can be
        left; where one decides whether an iteration is left, that iteration becomes such a loop.
        """
        loop = Loop(is_written_out=True, regions=self._regions)
        depth = self._depth
        self._loops.append(loop)
        self._written.append({})
        made: list[Any] = []
        was_continued = False
        try:
            with self._made_apart() as made:
                for iteration in iterations:
                    self._count(node, 1)
                    start = self._depth
                    with self._made_apart() as block:
                        try:
                            iteration()
                        except _Continue:
                            pass
                        finally:
                            made.extend([self._once(node, block)] if loop.is_continued else block)
                    was_continued = was_continued or loop.is_continued
                    loop.is_continued = False
                    if not loop.is_broken:
                        self._depth = start
        except _Break:
            pass
        finally:
            self._loops.pop()
            self._depth = depth
            written = self._written.pop()
            for bit, content in written.items():
                self._written[-1].setdefault(bit, content)
            if loop.is_broken or was_continued or loop.is_continued:
                self._forget(written)
            self._make(node, *[self._once(node, made)] if loop.is_broken else made)

    def _once(self, node: Any, block: list[Any]) -> ast.ForInLoop:
        once = ast.ForInLoop(
            ast.IntType(None), ast.Identifier(self._free_name("once")), ast.DiscreteSet([ast.IntegerLiteral(0)]), block
        )
        once.span = node.span
        return once

    def _leave(self, node: ast.BreakStatement | ast.ContinueStatement) -> NoReturn:
        loop = self._loops[-1]
        is_break = isinstance(node, ast.BreakStatement)
        if self._regions == loop.regions and loop.is_written_out and not (is_break and loop.is_continued):
            raise _Break if is_break else _Continue
        if loop.is_written_out and (loop.is_continued if is_break else loop.is_broken):
            raise error_at(
                node, "'break' and 'continue' cannot both depend on a measurement in one loop; use one of them"
            )
        loop.is_broken = loop.is_broken or is_break
        loop.is_continued = loop.is_continued or not is_break
        self._make(node, ast.BreakStatement() if is_break or loop.is_written_out else ast.ContinueStatement())
        raise _Left

    # Functions.

    def _called(self, node: Any, target: BitRegister | None = None) -> Any:
        """Work out a call of a function that the program defines; return its value."""
        function = self._symbol(node.name)
        if not isinstance(function, ast.SubroutineDefinition):
            raise error_at(node, f"'{node.name.name}' is no function that is defined")
        if len(function.arguments) != len(node.arguments):
            takes = _counted(len(function.arguments), "argument")
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
                takes = _counted(1 if size is None else size, "qubit")
                raise error_at(given, f"'{name}' takes {takes}, but got {len(qubits.qubits)}")
            return QubitRegister(qubits.qubits, is_single=size is None)
        if isinstance(argument.type, ast.ArrayReferenceType):
            return self._array_argument(argument, given)
        type_ = self._expressions.type_of(argument.type)
        if type_.kind == "bit":
            return self._bits_argument(function, argument, given, type_)
        return Variable(type_, self._known(given, type_, name), is_constant=False, depth=self._depth)

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
        return Variable(symbol.type, symbol.value, is_constant=True, depth=self._depth)

    def _bits_argument(self, function: Any, argument: Any, given: Any, type_: Type) -> Symbol:
        """Return the caller's bits themselves, if they are named and the function only reads them; else a copy."""
        name = argument.name.name
        is_written = name in _written_in(function.body)
        if not is_written and isinstance(given, ast.Identifier | ast.IndexExpression) and self._names_bits(given):
            register = self._bits_of(given)
            if (len(register.bits), register.is_single) != (type_.size or 1, type_.size is None):
                raise error_at(given, f"'{name}' takes a value of type '{type_}'")
            return BitRegister(register.bits, register.is_single, is_constant=True)
        if not is_written:
            cases = self._expressions.decided(given, lambda value: converted(value, type_))
            if not any(bits_in(cases)):
                return Variable(type_, cases, is_constant=False, depth=self._depth)
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
            raise error_at(node, "this function has no type of what it returns; write it behind '->'")
        if not isinstance(node.expression, ast.QuantumMeasurement):
            type_ = call.return_type
            raise _Return(self._expressions.decided(node.expression, lambda value: converted(value, type_)))
        qubits = self._qubits(node.expression.qubit)
        register = BitRegister(call.target, is_single=qubits.is_single)
        if len(call.target) != len(qubits.qubits):
            register = self._own_bits(node, "measured", None if qubits.is_single else len(qubits.qubits))
            self._held.append(register)
        self._measure_into(node, qubits, register)
        bits = Bits(map(self._expressions.truth_of_bit, register.bits))
        raise _Return(bits[0] if register.is_single else bits)


def _is_call(node: Any) -> bool:
    return isinstance(node, ast.FunctionCall) and node.name.name not in BUILTIN


def _names_in(node: Any) -> Iterator[str]:
    """Yield the names in a part of a program."""
    if isinstance(node, ast.Identifier):
        yield node.name
    elif isinstance(node, list | tuple):
        for part in node:
            yield from _names_in(part)
    elif isinstance(node, ast.QASMNode):
        for part in vars(node).values():
            yield from _names_in(part)


def _written_in(node: Any) -> set[str]:
    """Return the names that a part of a program writes to, in whatever scope."""
    if isinstance(node, list | tuple):
        return set().union(*map(_written_in, node))
    if not isinstance(node, ast.QASMNode):
        return set()
    names: set[str] = set().union(*map(_written_in, vars(node).values()))
    target = getattr(node, "lvalue", None) or getattr(node, "target", None)
    if isinstance(node, ast.ClassicalAssignment | ast.QuantumMeasurementStatement | ast.AliasStatement):
        names.update(_names_in(node.value if isinstance(node, ast.AliasStatement) else target))
    return names


def _returned_name(function: ast.SubroutineDefinition) -> str | None:
    """Return the name that every return of a function returns, if it is declared in the function's outermost block."""
    returned = [
        one.expression.name if isinstance(one.expression, ast.Identifier) else None
        for one in _returns_in(function.body)
    ]
    declared = [one.identifier.name for one in function.body if isinstance(one, ast.ClassicalDeclaration)]
    return returned[0] if len(set(returned)) == 1 and returned[0] in declared else None


def _returns_in(node: Any) -> Iterator[ast.ReturnStatement]:
    if isinstance(node, ast.ReturnStatement):
        yield node
    elif isinstance(node, list | tuple):
        for part in node:
            yield from _returns_in(part)
    elif isinstance(node, ast.QASMNode):
        for part in vars(node).values():
            yield from _returns_in(part)


def _unknown(node: Any, name: str) -> Exception:
    words = f"'{name}' would get a value that depends on a measurement; only bits can, so declare it as 'bit'"
    return error_at(node, words)


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _as_integer(value: Value) -> int:
    number = number_of(value)
    if not isinstance(number, int):
        raise NoValueError("what a switch looks at must be an integer")
    return number


def _as_expression(node: Any) -> Any:
    """Return what is assigned to as an expression."""
    if isinstance(node, ast.Identifier):
        return node
    expression: Any = node.name
    for index in node.indices:
        expression = ast.IndexExpression(expression, index)
        expression.span = node.span
    return expression


def _tuple_of(value: Value) -> tuple[Truth, ...]:
    return tuple(value) if isinstance(value, Bits) else (value,)


def _leaf(cases: Any, place: int) -> Any:
    """Return one of the truth values that stand at the ends of a tree together."""
    if isinstance(cases, Branch):
        return choose(cases.bit, _leaf(cases.low, place), _leaf(cases.high, place))
    return cases[place]


def _stores(cases: Any, bits: tuple[Bit, ...]) -> Any:
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
        return number
    if number != int(number):
        raise NoValueError(f"an input of type '{type_}' cannot be {number}")
    return converted(int(number), type_)


def _sized(type_: Any, size: int | None) -> Any:
    sized = type(type_)(None if size is None else ast.IntegerLiteral(size))
    sized.span = type_.span
    return sized
