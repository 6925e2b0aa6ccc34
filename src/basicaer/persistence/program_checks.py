"""What a persisted program must fulfil besides having the right types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from basicaer.compile.gates import BY_NAME
from basicaer.engine.classical import OPERATORS, Apply, Bits, Lookup, Variable
from basicaer.engine.program import (
    Break,
    Channel,
    Continue,
    For,
    Form,
    If,
    Measure,
    Phase,
    Prepare,
    Readout,
    Reset,
    Save,
    SavedQuantity,
    Segment,
    SetState,
    Store,
    Switch,
    While,
    children,
    saves_in,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from basicaer.engine.classical import Expression
    from basicaer.engine.program import Block, Formula, Gate, Operation, Program

__all__ = ["MOST_REPEATS", "check_array", "check_program", "demand", "demand_numbers"]

_MOST_QUBITS = 62  # qubits of a state, whose indices are int64
_MOST_BITS = 2**24  # classical bits, or qubits with the idle ones: more than any circuit has that fits into memory
MOST_REPEATS = 2**63


def demand(condition: bool, otherwise: str) -> None:  # noqa: FBT001  # it reads like an assertion
    """Raise a ValueError with these words if a condition is not fulfilled."""
    if not condition:
        raise ValueError(otherwise)


def demand_numbers(numbers: Sequence[Any], end: int, what: str) -> None:
    """Demand distinct integers from 0 to below `end`."""
    whole = all(type(number) is int and 0 <= number < end for number in numbers)
    demand(whole and len(set(numbers)) == len(numbers), f"{what} cannot be {numbers}")


def check_program(program: Program) -> None:
    """Check a program.

    Raises
    ------
    ValueError
        Naming what cannot be.
    """
    sizes = (program.circuit_qubits, program.memory_slots, program.bits)
    are_sizes = min(sizes) >= 0 and max(sizes) <= _MOST_BITS and program.memory_slots <= program.bits
    demand(are_sizes, "the numbers of qubits and classical bits are out of range")
    demand_numbers(program.qubits, program.circuit_qubits, "qubits")
    is_sorted = list(program.qubits) == sorted(program.qubits)
    demand(is_sorted and program.state_qubits <= _MOST_QUBITS, "the qubits are not those of a state")
    _check_block(program.body, program, in_loop=False)
    for measure in program.final:
        _check_operation(measure, program)
    for readout in program.readouts:
        _check_operation(readout, program)
    demand(program.saves == saves_in(program.body), "the saves are not those of the circuit")


def _check_block(block: Block, program: Program, *, in_loop: bool) -> None:
    for operation in block:
        demand(in_loop or not isinstance(operation, Break | Continue), "a break or continue is outside of a loop")
        _check_operation(operation, program)
        for child in children(operation):
            _check_block(child, program, in_loop=in_loop or isinstance(operation, For | While))


def _check_operation(operation: Operation, program: Program) -> None:
    n = program.state_qubits
    match operation:
        case Segment():
            for gate in operation.gates:
                _check_gate(gate, n, program.bits)
            is_open = any(gate.formula is not None for gate in operation.gates)
            demand(operation.open == is_open, "a segment is marked open or closed, against its gates")
        case Phase():
            demand(np.isfinite(operation.factor), "a phase is not finite")
        case Measure():
            demand_numbers([operation.qubit], n, "the qubit of a measurement")
            demand_numbers(sorted(set(operation.bits)), program.bits, "the bits of a measurement")
        case Reset():
            demand_numbers([operation.qubit], n, "the qubit of a reset")
        case Channel():
            _check_channel(operation, n)
        case Readout():
            _check_readout(operation, program.bits)
        case Prepare():
            demand_numbers(operation.qubits, n, "the qubits of a preparation")
            check_array(operation.amplitudes, (2 ** len(operation.qubits),))
        case SetState(amplitudes, axes):
            demand(axes in {1, 2}, f"no state has {axes} axes")
            check_array(amplitudes, (2 ** (n * axes),))
        case Save():
            _check_save(operation, n)
        case Store():
            demand_numbers(operation.bits, program.bits, "the bits that are stored to")
            demand(
                bool(operation.bits) if operation.slot is None else operation.slot >= 0, "there is nothing to store to"
            )
            _check_expression(operation.expression, program.bits)
        case If() | While():
            _check_expression(operation.condition, program.bits)
        case Switch():
            _check_expression(operation.target, program.bits)
        case For():
            demand(0 <= operation.repeats < MOST_REPEATS, f"a loop cannot be repeated {operation.repeats} times")
            counted = operation.iterations if operation.slot is not None else 0
            demand((operation.slot or 0) >= 0, "the variable of a loop has no place")
            demand(len(operation.values) == counted, "a loop has other values")


def _check_channel(channel: Channel, n: int) -> None:
    rows, count = 2 ** len(channel.qubits), len(channel.operators)
    demand_numbers(channel.qubits, n, "the qubits of an error")
    check_array(channel.operators, (count, rows, rows))
    total = sum(operator.conj().T @ operator for operator in channel.operators)
    demand(bool(np.allclose(total, np.eye(rows))), "an error does not preserve the norm")
    known = len(channel.probabilities)
    check_array(channel.probabilities, (known,))
    demand(known <= count and bool((channel.probabilities >= 0).all()), "an error has impossible probabilities")
    check_array(channel.paulis, (2, known))
    demand(bool(((channel.paulis >= -1) & (channel.paulis < rows)).all()), "an error has impossible Paulis")


def _check_readout(readout: Readout, bits: int) -> None:
    rows = 2 ** len(readout.bits)
    demand(all(readout.bits), "a readout error has no bits")
    demand_numbers([bit for of_qubit in readout.bits for bit in of_qubit], bits, "the bits of a readout error")
    check_array(readout.matrix, (rows, rows))
    is_stochastic = bool((readout.matrix >= 0).all() and np.allclose(readout.matrix.sum(axis=1), 1))
    demand(is_stochastic, "a readout error has impossible probabilities")


def _check_gate(gate: Gate, n: int, bits: int) -> None:
    rows = 2 ** len(gate.targets)
    demand_numbers((*gate.targets, *gate.controls), n, f"the qubits of gate {gate.name}")
    is_known = len(gate.target_actions) == len(gate.targets) and set(gate.target_actions) <= set("XZG")
    demand(is_known, f"gate {gate.name} acts in an unknown way")
    demand(0 <= gate.control_state < 2 ** len(gate.controls), f"gate {gate.name} has another number of controls")
    check_array(gate.data, (rows, rows) if gate.form is Form.MATRIX else (rows,))
    if gate.formula is not None:
        _check_formula(gate.formula, bits)
    if gate.form is Form.PERMUTATION:
        demand(sorted(gate.data.tolist()) == list(range(rows)), f"gate {gate.name} is not a permutation")


def _check_formula(formula: Formula, bits: int) -> None:
    record = BY_NAME.get(formula.gate)
    is_known = record is not None and record.parameters == len(formula.parameters) > 0
    demand(is_known, f"there is no gate {formula.gate} of {len(formula.parameters)} parameters")
    for parameter in formula.parameters:
        _check_expression(parameter, bits)


def check_array(array: NDArray[Any], shape: tuple[int, ...]) -> None:
    """Demand an array of this shape without NaN and infinities."""
    demand(array.shape == shape and bool(np.isfinite(array).all()), f"an array of shape {shape} has {array.shape}")


def _check_save(save: Save, n: int) -> None:
    active = [qubit for qubit in save.qubits if qubit is not None]
    demand_numbers(active, n, f"the qubits of save {save.label}")
    match save.quantity:
        case SavedQuantity.AMPLITUDES | SavedQuantity.SQUARES:
            demand(len(active) == n, f"save {save.label} is not of all qubits")
            indices = sorted(set(save.numbers))
            demand_numbers(indices, 2 ** len(save.qubits), f"the amplitudes of save {save.label}")
        case SavedQuantity.PAULIS | SavedQuantity.EXPECTATION | SavedQuantity.VARIANCE:
            for terms in save.numbers if save.quantity is SavedQuantity.VARIANCE else [save.numbers]:
                for x, z, *factor in terms:
                    demand_numbers(sorted({x, z}), 2**n, f"the Paulis of save {save.label}")
                    is_sum = save.quantity is not SavedQuantity.PAULIS
                    demand(list(map(type, factor)) == [float] * is_sum, f"save {save.label} is not a sum of Paulis")


def _check_expression(expression: Expression, bits: int) -> None:
    match expression:
        case Bits():
            demand_numbers(expression.positions, bits, "the bits of an expression")
        case Variable():
            demand(expression.slot >= 0, "a variable has no place")
        case Lookup():
            demand(expression.table.shape == tuple(map(len, expression.values)), "a table has another size")
            demand(len(expression.values) == len(expression.variables), "a table is of other variables")
            for variable in expression.variables:
                _check_expression(variable, bits)
        case Apply():
            demand(expression.name in OPERATORS, f"there is no operator {expression.name}")
            demand(0 <= (expression.width or 0) <= _MOST_BITS, f"{expression.name} has no width {expression.width}")
            for operand in expression.operands:
                _check_expression(operand, bits)
