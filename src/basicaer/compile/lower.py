"""A Qiskit circuit -> `Program`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
from qiskit.circuit import (
    CASE_DEFAULT,
    Barrier,
    BoxOp,
    BreakLoopOp,
    ContinueLoopOp,
    Delay,
    ForLoopOp,
    IfElseOp,
    Instruction,
    Parameter,
    SwitchCaseOp,
    WhileLoopOp,
    library,
)
from qiskit.circuit import Gate as QiskitGate
from qiskit.circuit import (
    Measure as QiskitMeasure,
)
from qiskit.circuit import (
    Reset as QiskitReset,
)
from qiskit.circuit import (
    Store as QiskitStore,
)
from qiskit.circuit.classical import expr

from basicaer.compile.builder import BlockBuilder, with_final_measurements
from basicaer.compile.classical import lower_condition, lower_expression, lower_index, lower_target
from basicaer.compile.gates import BY_NAME
from basicaer.compile.matrices import is_unitary
from basicaer.compile.saves import SAVES, is_save, lower_save
from basicaer.compile.scope import Scope
from basicaer.compile.table_gates import phase_gates, record_gates, table_gates
from basicaer.compile.unitary import definition_of, gates_of, with_numbers
from basicaer.compile.values import Counter, Values, Varies
from basicaer.engine.classical import Apply, Bits, Constant, Variable
from basicaer.engine.program import (
    Break,
    Continue,
    For,
    If,
    Measure,
    Prepare,
    Program,
    SetState,
    Store,
    Switch,
    While,
    saves_in,
)
from basicaer.errors import BasicAerError, at_border

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from qiskit import QuantumCircuit

    from basicaer.engine.classical import Value
    from basicaer.engine.program import Block

__all__ = ["lower"]

_LEAVE_IDLE = {"barrier": Barrier, "delay": Delay, "measure": QiskitMeasure, "reset": QiskitReset, "id": library.IGate}
_ITEMS_AT_ONCE = 1024  # between two polls, some milliseconds
_MANY_ITEMS = 5_000
_MOST_BLOCKS = 10**5  # of a loop that is written out
_MEASURES = re.compile(r"measure(_.*)?\Z")
_SETTING = {"set_statevector": 1, "set_unitary": 2}  # Aer's, known by name: axes of what they set


def lower(
    circuit: QuantumCircuit,
    items: Sequence[Any] | None = None,
    *,
    keep_idle: bool = False,
    values: Values | None = None,
    inputs: Mapping[Any, Value] | None = None,
) -> Program:
    """Turn a circuit into a program; the circuit stays as it is.

    Parameters
    ----------
    circuit
        Any circuit, transpiled or not.
    items
        Its ``data``, where they have been looked up already.
    keep_idle
        Whether to simulate idle qubits too, as a given initial state needs.
    values
        Of its parameters.
    inputs
        Values of its input variables.

    Raises
    ------
    BasicAerError
        Naming the parameter without a value, the instruction that is not known and its place, or what a gate of the
        user's own has raised.
    """
    place = f"circuit '{circuit.name}'"
    try:
        with at_border(lambda why: BasicAerError(f"C{place[1:]} cannot be read: {why}; correct it.")):
            return _lowered(circuit, items, place, keep_idle, Values() if values is None else values, inputs or {})
    except BasicAerError as error:
        if isinstance(error.__cause__, RecursionError):
            raise BasicAerError(
                f"The definitions or control-flow bodies of {place} stand inside one another too deeply to be read; "
                "write some of them out."
            ) from error
        raise


def _lowered(  # noqa: PLR0917  # only `lower` calls it
    circuit: QuantumCircuit,
    items: Sequence[Any] | None,
    place: str,
    keep_idle: bool,  # noqa: FBT001  # likewise
    values: Values,
    inputs: Mapping[Any, Value],
) -> Program:
    if circuit.num_parameters:
        unbound = {one for one in circuit.parameters if one not in values} - _loop_parameters(circuit)
        names = ", ".join(sorted(f"'{parameter.name}'" for parameter in unbound))
        if unbound:
            raise BasicAerError(
                f"Parameters without a value in {place}: {names}; bind them with assign_parameters or parameter_binds."
            )
    if items is None:  # each look at `data` makes instructions anew; all of a very long circuit would take much memory
        items = circuit.data if len(circuit.data) > _MANY_ITEMS else list(circuit.data)
    active = sorted(range(circuit.num_qubits) if keep_idle else _active(circuit, items))
    number = {q: i for i, q in enumerate(active)}
    phase = phase_gates(circuit.global_phase, place, values)
    scope = Scope(
        {qubit: number.get(q) for q, qubit in enumerate(circuit.qubits)},
        {bit: c for c, bit in enumerate(circuit.clbits)},
        place,
        values,
        inputs=dict(inputs),
        circuit_qubits=circuit.num_qubits,
        last_phase=complex(phase[0].data[0]) if phase else 1.0,
    )
    lowering = _Lowering(starts_at_zero=not keep_idle)
    lowering.store_inputs(circuit, scope)
    lowering.items(items, scope)
    lowering.builder.add_gates(phase)  # last, so that it is there even if an instruction replaces the state
    body, final = with_final_measurements(lowering.builder.block())
    clbits = circuit.num_clbits
    return Program(circuit.name, tuple(active), circuit.num_qubits, clbits, clbits, body, final, saves_in(body))


def _loop_parameters(circuit: QuantumCircuit) -> set[Any]:
    """Return the parameters that for loops give values to; Qiskit 2.0 counts them among a circuit's own."""
    found = set()
    for item in circuit.data:
        if item.is_control_flow():
            if isinstance(item.operation, ForLoopOp) and isinstance(item.operation.params[1], Parameter):
                found.add(item.operation.params[1])
            found.update(*(_loop_parameters(body) for body in item.operation.blocks))
    return found


def _active(circuit: QuantumCircuit, items: Iterable[Any]) -> set[int]:
    """Return the qubits of a circuit that any of its items may take out of |0>."""
    number = {qubit: q for q, qubit in enumerate(circuit.qubits)}
    active: set[int] = set()
    for item in items:
        if len(active) == len(number):  # as in nearly every circuit, after a few of its instructions
            break
        if _leaves_idle(item):
            continue
        if item.is_control_flow():
            inner = {q for body in item.operation.blocks for q in _active(body, body.data)}
            active.update(number[item.qubits[q]] for q in inner)
        else:
            active.update(number[qubit] for qubit in item.qubits)
    return active


def _leaves_idle(item: Any) -> bool:
    kind = _LEAVE_IDLE.get(item.name)
    if kind is not None and isinstance(item.operation, kind):
        return True
    may_be = item.name in SAVES or _MEASURES.match(item.name)  # nearly nothing is: asked first, as it is cheaper
    return bool(may_be) and (is_save(item.operation) or _measures(item.operation))


def _measures(operation: Any) -> bool:
    """Tell whether an instruction measures qubit by qubit: of a name such as ``measure_2``, and made of nothing."""
    return (
        _MEASURES.match(operation.name) is not None
        and not isinstance(operation, QiskitGate)
        and operation.num_qubits == operation.num_clbits
        and operation.definition is None
    )


class _Lowering:
    """The walk through one block; control-flow bodies are walks of their own."""

    def __init__(self, *, starts_at_zero: bool) -> None:
        self.builder = BlockBuilder()
        self.starts_at_zero = starts_at_zero

    def circuit(self, circuit: QuantumCircuit, scope: Scope) -> None:
        """Lower every instruction of a circuit, definition or body."""
        # Its phase first, since a body may be left before its end.
        self.builder.add_gates(phase_gates(circuit.global_phase, scope.place, scope.values))
        self.items(circuit.data, scope)

    def items(self, items: Iterable[Any], scope: Scope) -> None:
        """Lower instructions that stand in one scope."""
        qubits, add, poll = scope.qubits, self.builder.add_gates, scope.values.poll
        shared: dict[Any, Any] = {}  # equal tuples of qubits, and equal gates without parameters, are one object
        for number, item in enumerate(items):
            if number % _ITEMS_AT_ONCE == 0:
                poll()
            record = BY_NAME.get(item.name)
            if record is None or not item.is_standard_gate():
                self.instruction(item, scope)
                continue
            on = tuple([qubits[qubit] for qubit in item.qubits])  # by far the most, so without looking any further
            on = shared.setdefault(on, on)
            if record.parameters:
                add(table_gates(record, on, item.params, scope.values, scope.place))
                continue
            gates = shared.get((record.name, on))
            if gates is None:
                gates = shared[record.name, on] = record_gates(record, on, (), None)
            add(gates)

    def instruction(self, item: Any, scope: Scope) -> None:
        """Lower one instruction that is not a standard gate."""
        operation = item.operation
        qubits = tuple([scope.qubits[qubit] for qubit in item.qubits])
        match operation:
            case QiskitMeasure():
                self.measure(qubits[0], scope.bits[item.clbits[0]])
            case QiskitGate():  # before anyone asks for a definition, which may take long to make
                self.builder.add_gates(gates_of(operation, qubits, scope.place, scope.values))  # type: ignore[arg-type]
            case Barrier() | Delay():
                pass
            case Instruction() if is_save(operation):
                self.builder.add(lower_save(operation, qubits, scope))
            case Instruction() if _measures(operation):
                for qubit, bit in zip(qubits, item.clbits, strict=True):
                    self.measure(qubit, scope.bits[bit])
            case QiskitReset():
                self.reset(qubits)
            case library.Initialize():
                self.reset(qubits)
                self.builder.add(Prepare(qubits, _initial_amplitudes(operation)))  # type: ignore[arg-type]
            case QiskitStore():
                self.store(operation, scope)
            case IfElseOp() | SwitchCaseOp() | ForLoopOp() | WhileLoopOp() | BoxOp():
                self.control_flow(item, operation, scope)
            case BreakLoopOp() | ContinueLoopOp():
                if not scope.in_loop:
                    raise BasicAerError(f"A {item.name} stands outside of any loop ({scope.place}).")
                self.builder.add(Break() if isinstance(operation, BreakLoopOp) else Continue())
            case Instruction(name=name) if name in _SETTING:
                self.set_state(operation, qubits, scope)
            case Instruction() if (
                defined := definition_of(with_numbers(operation, scope.values, scope.place), scope.place)
            ) is not None:
                self.circuit(defined, scope.inside(defined, item))
            case _:
                self.builder.add_gates(gates_of(operation, qubits, scope.place, scope.values))  # type: ignore[arg-type]

    def measure(self, qubit: int | None, bit: int) -> None:
        """Measure; an idle qubit gives 0."""
        if qubit is None:
            self.builder.add(Store(Constant(value=False), bits=(bit,)))
        else:
            self.builder.add(Measure(qubit, (bit,)))

    def reset(self, qubits: tuple[int | None, ...]) -> None:
        """Reset the qubits that are not |0> for certain."""
        self.builder.add_resets(qubits, starts_at_zero=self.starts_at_zero)

    def store_inputs(self, circuit: QuantumCircuit, scope: Scope) -> None:
        """Give the input variables of the whole circuit their values."""
        for variable in circuit.iter_input_vars():
            if variable not in scope.inputs:
                raise BasicAerError(
                    f"Input variable '{variable.name}' of {scope.place} has no value; give it one in parameter_binds."
                )
            self.builder.add(Store(Constant(scope.inputs[variable]), slot=scope.slot(variable)))

    def store(self, operation: Any, scope: Scope) -> None:
        """Store to a bit, a register, a variable, or one bit of the last two."""
        value = lower_expression(operation.rvalue, scope)
        goal = operation.lvalue
        if isinstance(goal, expr.Index):
            whole, position = lower_index(goal, scope)
            value = Apply("set_index", (whole, position, value))
            goal = goal.target
        match lower_target(goal, scope):
            case Bits(positions, _):
                self.builder.add(Store(value, bits=positions))
            case Variable(slot, _):
                self.builder.add(Store(value, slot=slot))

    def set_state(self, operation: Any, qubits: tuple[int | None, ...], scope: Scope) -> None:
        """Replace the state or the unitary; every qubit is active where this occurs."""
        n, axes = len(scope.qubits), _SETTING[operation.name]
        try:
            given = np.array(operation.params[0], complex)
        except (TypeError, ValueError):
            given = np.zeros(0)
        fits = qubits == tuple(range(n)) and given.shape == (2**n,) * axes
        if not fits or not (is_unitary(given, n) if axes > 1 else round(float(np.linalg.norm(given)), 10) == 1):
            what = f"a unitary matrix of 2**{n} rows" if axes > 1 else f"2**{n} amplitudes of norm 1"
            some = "." if axes > 1 else "; initialize sets some qubits only."
            raise BasicAerError(f"{operation.name} ({scope.place}) must be given all qubits in order and {what}{some}")
        self.builder.add(SetState(given.T.reshape(-1), axes))  # the columns one after another

    def body(self, circuit: QuantumCircuit, item: Any, scope: Scope, *, loop: bool = False) -> Block:
        """Lower a control-flow body."""
        inner = _Lowering(starts_at_zero=False)
        inner.circuit(circuit, scope.inside(circuit, item, loop=loop))
        return inner.builder.block()

    def control_flow(self, item: Any, operation: Any, scope: Scope) -> None:
        """Lower an operation that has bodies."""
        match operation:
            case IfElseOp():
                then, *otherwise = (self.body(body, item, scope) for body in operation.blocks)
                self.builder.add(If(lower_condition(operation.condition, scope), then, *otherwise))
            case SwitchCaseOp():
                cases = []
                for labels, body in operation.cases_specifier():
                    values = None if CASE_DEFAULT in labels else frozenset(labels)
                    cases.append((values, self.body(body, item, scope)))
                self.builder.add(Switch(lower_target(operation.target, scope), tuple(cases)))
            case WhileLoopOp():
                body = self.body(operation.blocks[0], item, scope, loop=True)
                self.builder.add(While(lower_condition(operation.condition, scope), body))
            case ForLoopOp():
                self.builder.add(self.for_loop(item, operation, scope))
            case BoxOp():
                self.circuit(operation.blocks[0], scope.inside(operation.blocks[0], item))

    def for_loop(self, item: Any, operation: Any, scope: Scope) -> For:
        """Lower a for loop, its body once; or once for each value where a number cannot be left open."""
        values, variable, body = operation.params
        values = values if isinstance(values, range) else tuple(values)
        times = _length(values, scope.place)
        if not times:
            return For(())
        if variable is None:
            return For((self.body(body, item, scope, loop=True),), times)
        if not isinstance(variable, Parameter):
            return For((self.body(body, item, scope, loop=True),), times, scope.slot(variable), values)
        counter = Counter(scope.new_slot(), variable.name, values)
        taken = set(scope.labels)
        try:
            block = self.body(body, item, scope.counting(variable, counter), loop=True)
        except Varies:
            return self.written_out(item, operation, scope, taken)
        return For((block,), times, counter.variable.slot, values) if counter.is_read else For((block,), times)

    def written_out(self, item: Any, operation: Any, scope: Scope, taken: set[str]) -> For:
        """Lower a for loop as one block for each value of its parameter."""
        values, variable, body = operation.params
        blocks: list[Block] = []
        for value in values:
            scope.values.poll()
            scope.labels.intersection_update(taken)  # what the body saves, it saves in every iteration
            if len(blocks) == _MOST_BLOCKS:
                raise BasicAerError(
                    f"A for_loop ({scope.place}) has more than {_MOST_BLOCKS} iterations and a gate whose numbers have "
                    "to be made for each of them before it is run; use shorter loops, or gates of Qiskit's library."
                )
            blocks.append(self.body(body, item, scope.counting(variable, value), loop=True))
        return For(tuple(blocks))


def _length(values: Any, place: str) -> int:
    try:
        return len(values)
    except OverflowError as error:
        raise BasicAerError(f"A for_loop ({place}) has 2**63 iterations or more; use a shorter one.") from error


def _initial_amplitudes(operation: Any) -> np.ndarray:
    """Return the vector that an `Initialize` stands for; it may be given as a vector, as labels or as a number."""
    parameters = operation.params
    if isinstance(parameters[0], str):
        from qiskit.quantum_info import Statevector

        return np.asarray(Statevector.from_label("".join(parameters)).data)
    if len(parameters) == 2**operation.num_qubits:
        return np.array(parameters, complex)
    amplitudes = np.zeros(2**operation.num_qubits, complex)
    amplitudes[int(np.real(parameters[0]))] = 1
    return amplitudes
