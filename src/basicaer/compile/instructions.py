"""Lowers the instructions of a circuit, a definition or a control-flow body to the operations of a block."""

from __future__ import annotations

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

from basicaer.compile.builder import BlockBuilder
from basicaer.compile.classical import lower_condition, lower_expression, lower_index, lower_target
from basicaer.compile.gates import BY_NAME
from basicaer.compile.idle import measures_each_qubit
from basicaer.compile.matrices import is_unitary
from basicaer.compile.noise import NEVER_NOISY, NOISE_INSTRUCTIONS, errors_in
from basicaer.compile.saves import is_save, lower_save
from basicaer.compile.table_gates import StandardGates, phase_gates
from basicaer.compile.unitary import definition_of, gates_of, inner_circuit, with_numbers
from basicaer.compile.values import Counter, Varies
from basicaer.engine.classical import Apply, Bits, Constant, Variable
from basicaer.engine.program import Break, Continue, For, If, Measure, Prepare, SetState, Store, Switch, While
from basicaer.errors import BasicAerError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qiskit import QuantumCircuit

    from basicaer.compile.noise import CircuitNoise
    from basicaer.compile.scope import Scope
    from basicaer.engine.program import Block, Channel, Readout

__all__ = ["BlockLowering"]

_ITEMS_BETWEEN_POLLS = 1024  # some milliseconds
_MOST_BLOCKS = 10**5  # a loop of more iterations is not unrolled
_AXES_SET = {"set_statevector": 1, "set_unitary": 2}  # Aer's, known by name, and the axes of the array that they set


class BlockLowering:
    """Lowers the instructions of one block in order; each control-flow body has a lowering of its own.

    Parameters
    ----------
    starts_at_zero
        Whether every qubit is |0> where the block begins.
    """

    def __init__(self, *, starts_at_zero: bool) -> None:
        self.builder = BlockBuilder()
        self.starts_at_zero = starts_at_zero

    def circuit(self, circuit: QuantumCircuit, scope: Scope) -> None:
        """Lower every instruction of a circuit, definition or body."""
        # The phase comes first, since a body may be left before its end.
        self.builder.add_gates(phase_gates(circuit.global_phase, scope.place, scope.values))
        self.items(circuit.data, scope)

    def items(self, items: Iterable[Any], scope: Scope) -> None:
        """Lower instructions that stand in one scope."""
        if scope.noise is not None:
            self.noisy_items(items, scope, scope.noise)
            return
        qubits, values, place = scope.qubits, scope.values, scope.place
        shared: dict[Any, Any] = {}  # makes equal tuples of qubits one object
        gates = StandardGates()
        for number, item in enumerate(items):
            if number % _ITEMS_BETWEEN_POLLS == 0:
                self.builder.add_gates(gates.taken())
                values.poll()
            record = BY_NAME.get(item.name)
            if record is None or not item.is_standard_gate():
                self.builder.add_gates(gates.taken())
                self.instruction(item, scope)
                continue
            # Most instructions are standard gates, whose operations need not be made.
            on = tuple([qubits[qubit] for qubit in item.qubits])
            on = shared.setdefault(on, on)
            gates.add(record, on, item.params if record.angles else (), values, place)
        self.builder.add_gates(gates.taken())

    def noisy_items(self, items: Iterable[Any], scope: Scope, noise: CircuitNoise) -> None:
        """Lower instructions that stand in one scope, and add their errors."""
        recorded: dict[int, tuple[int, ...]] = {}  # where the qubits are recorded that have just been measured
        for item in items:
            scope.values.poll()
            name = noise.key(item)
            numbers = tuple([scope.numbers[qubit] for qubit in item.qubits])
            qubits = tuple([scope.qubits[qubit] for qubit in item.qubits])
            operation = item.operation
            if isinstance(operation, QiskitMeasure) or measures_each_qubit(operation):
                self.add_each(noise.of_each(name, numbers, qubits))
                for number, qubit, bit in zip(numbers, qubits, item.clbits, strict=True):
                    if number in recorded:
                        self.add_each(noise.wide_readouts(recorded))
                        recorded = {}
                    self.measure(qubit, scope.bits[bit])
                    self.add_each(noise.readout(number, (scope.bits[bit],)))
                    recorded[number] = (scope.bits[bit],)
                continue
            self.add_each(noise.wide_readouts(recorded))
            recorded = {}
            if name not in noise.names and isinstance(operation, QiskitGate):
                inside = inner_circuit(operation, scope.place, scope.values)
                if inside is not None:
                    self.circuit(inside, scope.inside(inside, item))
                    continue
            self.instruction(item, scope)
            if item.name in NEVER_NOISY or item.is_control_flow():
                continue
            each = isinstance(operation, QiskitReset)
            self.add_each((noise.of_each if each else noise.of)(name, numbers, qubits))
        self.add_each(noise.wide_readouts(recorded))

    def add_each(self, operations: Iterable[Channel | Readout]) -> None:
        """Append errors."""
        for operation in operations:
            self.builder.add(operation)

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
            case Instruction() if measures_each_qubit(operation):
                for qubit, bit in zip(qubits, item.clbits, strict=True):
                    self.measure(qubit, scope.bits[bit])
            case QiskitReset():
                self.reset(qubits)
            case Instruction(name=name) if name in NOISE_INSTRUCTIONS:
                bits = [scope.bits[bit] for bit in item.clbits]
                self.add_each(errors_in(operation, qubits, bits, scope.place))
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
            case Instruction(name=name) if name in _AXES_SET:
                self.set_state(operation, qubits, scope)
            case Instruction() if (
                defined := definition_of(with_numbers(operation, scope.values, scope.place), scope.place)
            ) is not None:
                self.circuit(defined, scope.inside(defined, item))
            case _:
                self.builder.add_gates(gates_of(operation, qubits, scope.place, scope.values))  # type: ignore[arg-type]

    def measure(self, qubit: int | None, bit: int) -> None:
        """Measure a qubit; the outcome of an idle one is 0."""
        if qubit is None:
            self.builder.add(Store(Constant(value=False), bits=(bit,)))
        else:
            self.builder.add(Measure(qubit, (bit,)))

    def reset(self, qubits: tuple[int | None, ...]) -> None:
        """Reset the qubits that may not be in |0>."""
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
        target = operation.lvalue
        if isinstance(target, expr.Index):
            whole, position = lower_index(target, scope)
            value = Apply("set_index", (whole, position, value))
            target = target.target
        match lower_target(target, scope):
            case Bits(positions, _):
                self.builder.add(Store(value, bits=positions))
            case Variable(slot, _):
                self.builder.add(Store(value, slot=slot))

    def set_state(self, operation: Any, qubits: tuple[int | None, ...], scope: Scope) -> None:
        """Replace the state or the unitary; a circuit with this instruction has no idle qubits."""
        n, axes = len(scope.qubits), _AXES_SET[operation.name]
        try:
            given = np.array(operation.params[0], complex)
        except (TypeError, ValueError):
            given = np.zeros(0)
        fits = qubits == tuple(range(n)) and given.shape == (2**n,) * axes
        if not fits or not (is_unitary(given, n) if axes > 1 else round(float(np.linalg.norm(given)), 10) == 1):
            expected = f"a unitary matrix of 2**{n} rows" if axes > 1 else f"2**{n} amplitudes of norm 1"
            remedy = "." if axes > 1 else "; initialize sets some qubits only."
            raise BasicAerError(
                f"{operation.name} ({scope.place}) must be given all qubits in order and {expected}{remedy}"
            )
        self.builder.add(SetState(given.T.reshape(-1), axes))  # column after column

    def body(self, circuit: QuantumCircuit, item: Any, scope: Scope, *, loop: bool = False) -> Block:
        """Lower a control-flow body."""
        inner = BlockLowering(starts_at_zero=False)
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
        """Lower a for loop: its body once, or once for each value if a gate's numbers must be made beforehand."""
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
        labels_before = set(scope.labels)
        try:
            block = self.body(body, item, scope.counting(variable, counter), loop=True)
        except Varies:
            return self.unrolled(item, operation, scope, labels_before)
        return For((block,), times, counter.variable.slot, values) if counter.is_read else For((block,), times)

    def unrolled(self, item: Any, operation: Any, scope: Scope, labels_before: set[str]) -> For:
        """Lower a for loop as one block for each value of its parameter.

        Parameters
        ----------
        labels_before
            The labels of the saves before the loop; those in its body are the same in every iteration.
        """
        values, variable, body = operation.params
        blocks: list[Block] = []
        for value in values:
            scope.values.poll()
            scope.labels.intersection_update(labels_before)
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
