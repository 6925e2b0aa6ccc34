"""What a saved job must be besides of the right types: sizes that agree, numbers that name something that is there.

A file may say anything, and its checksum with it. What passes here is a job that could have been saved, so that nothing
of it can end in an error that nobody understands, or in counts of another number of shots.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from basicaer.compile.gates import BY_NAME
from basicaer.engine.classical import OPERATORS, Apply, Bits, Lookup, Variable
from basicaer.engine.draws import generator
from basicaer.engine.program import (
    Break,
    Continue,
    For,
    Form,
    If,
    Measure,
    Over,
    Phase,
    Prepare,
    Program,
    Reading,
    Reset,
    Save,
    Segment,
    SetState,
    Store,
    Switch,
    While,
    children,
    saves_in,
    walk,
)
from basicaer.engine.saved import ALL_SHOTS
from basicaer.simulators import QasmSimulator, StatevectorSimulator, UnitarySimulator

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from basicaer.engine.classical import Expression
    from basicaer.engine.program import Block, Formula, Gate, Operation
    from basicaer.engine.suspended import Suspended
    from basicaer.simulators.work import Ended, Experiment, Work

__all__ = ["check_ended", "check_layout", "check_suspended", "check_work"]

_MOST_QUBITS = 62  # of a state: its indices are int64
_MOST_BITS = 2**24  # and qubits that idle: more than any circuit has that fits into memory
_MOST_REPEATS = 2**63
_RETURNS = {kind._name: kind._returns for kind in (QasmSimulator, StatevectorSimulator, UnitarySimulator)}  # noqa: SLF001  # its own family


def _demand(true: bool, what: str) -> None:  # noqa: FBT001  # as of an assertion
    if not true:
        raise ValueError(what)


def _demand_numbers(numbers: Sequence[Any], end: int, what: str) -> None:
    """Demand that these are whole numbers from 0 to below `end`, each once."""
    whole = all(type(number) is int and 0 <= number < end for number in numbers)
    _demand(whole and len(set(numbers)) == len(numbers), f"{what} cannot be {numbers}")


def check_work(work: Work) -> None:
    """Check what a job has to do.

    Raises
    ------
    ValueError
        Naming what cannot be.
    """
    _demand(_RETURNS.get(work.backend_name) == work.returns, f"{work.backend_name} does not return {work.returns}")
    _demand(bool(work.experiments) and work.saving is None, "there are no circuits")
    _demand(len({experiment.devices.gpu for experiment in work.experiments}) == 1, "circuits run side by side")
    for experiment in work.experiments:
        _check_experiment(experiment, is_unitary=work.returns == "unitary")


def _check_experiment(experiment: Experiment, *, is_unitary: bool) -> None:
    program, header = experiment.program, experiment.header
    _check_program(program)
    _demand(not (is_unitary and program.writes_memory), "a unitary cannot measure")
    set_axes = {one.axes for one in walk(program.body) if isinstance(one, SetState)}
    _demand(set_axes <= {2 if is_unitary else 1}, "another kind of state is set")
    slots = header.get("memory_slots")
    is_header = type(slots) is int and 0 <= slots <= program.memory_slots and isinstance(header.get("name", ""), str)
    _demand(is_header, "the header is not that of the circuit")
    for label in header.get("creg_sizes", ()):
        is_pair = len(label) == 2 and type(label[0]) is str and type(label[1]) is int and label[1] >= 0
        _demand(is_pair, "creg_sizes are not names and sizes")
    numbers = (experiment.chop_threshold, experiment.lowering_seconds)
    _demand(min(*numbers) >= 0 and not math.isnan(sum(numbers)), "chop_threshold or lowering_seconds is no number")
    whole = (experiment.shots - 1, experiment.seed, experiment.devices.threads, experiment.devices.gpu)
    _demand(min(whole) >= 0 and not experiment.on_device, "shots, a seed or the device is out of range")
    if experiment.initial is not None:
        size = 2 ** (program.state_qubits * (2 if is_unitary else 1))
        _demand(experiment.initial.shape == (size,), "the initial state is of another size")


def _check_program(program: Program) -> None:
    sizes = (program.circuit_qubits, program.memory_slots, program.bits)
    _demand(min(sizes) >= 0 and max(sizes) <= _MOST_BITS and program.memory_slots <= program.bits, "sizes are no sizes")
    _demand_numbers(program.qubits, program.circuit_qubits, "qubits")
    is_sorted = list(program.qubits) == sorted(program.qubits)
    _demand(is_sorted and program.state_qubits <= _MOST_QUBITS, "the qubits are not those of a state")
    _check_block(program.body, program, in_loop=False)
    for measure in program.final:
        _check_operation(measure, program)
    _demand(program.saves == saves_in(program.body), "the saves are not those of the circuit")


def _check_block(block: Block, program: Program, *, in_loop: bool) -> None:
    for operation in block:
        _demand(in_loop or not isinstance(operation, Break | Continue), "something leaves a loop that is none")
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
            _demand(operation.open == is_open, "a segment is open that is not")
        case Phase():
            _demand(np.isfinite(operation.factor), "a phase is no number")
        case Measure():
            _demand_numbers([operation.qubit], n, "the qubit of a measurement")
            _demand_numbers(sorted(set(operation.bits)), program.bits, "the bits of a measurement")
        case Reset():
            _demand_numbers([operation.qubit], n, "the qubit of a reset")
        case Prepare():
            _demand_numbers(operation.qubits, n, "the qubits of a preparation")
            _check_array(operation.amplitudes, (2 ** len(operation.qubits),))
        case SetState(amplitudes, axes):
            _demand(axes in {1, 2}, f"no state has {axes} axes")
            _check_array(amplitudes, (2 ** (n * axes),))
        case Save():
            _check_save(operation, n)
        case Store():
            _demand_numbers(operation.bits, program.bits, "the bits that are stored to")
            _demand(
                bool(operation.bits) if operation.slot is None else operation.slot >= 0, "there is nothing to store to"
            )
            _check_expression(operation.expression, program.bits)
        case If() | While():
            _check_expression(operation.condition, program.bits)
        case Switch():
            _check_expression(operation.target, program.bits)
        case For():
            _demand(0 <= operation.repeats < _MOST_REPEATS, f"a loop cannot be repeated {operation.repeats} times")
            counted = operation.iterations if operation.slot is not None else 0
            _demand((operation.slot or 0) >= 0, "the variable of a loop has no place")
            _demand(len(operation.values) == counted, "a loop has other values")


def _check_gate(gate: Gate, n: int, bits: int) -> None:
    rows = 2 ** len(gate.targets)
    _demand_numbers((*gate.targets, *gate.controls), n, f"the qubits of gate {gate.name}")
    _demand(len(gate.kinds) == len(gate.targets) and set(gate.kinds) <= set("XZG"), f"gate {gate.name} acts in no way")
    _demand(0 <= gate.control_state < 2 ** len(gate.controls), f"gate {gate.name} has another number of controls")
    _check_array(gate.data, (rows, rows) if gate.form is Form.MATRIX else (rows,))
    if gate.formula is not None:
        _check_formula(gate.formula, bits)
    if gate.form is Form.PERMUTATION:
        _demand(sorted(gate.data.tolist()) == list(range(rows)), f"gate {gate.name} is no permutation")


def _check_formula(formula: Formula, bits: int) -> None:
    record = BY_NAME.get(formula.gate)
    is_known = record is not None and record.parameters == len(formula.parameters) > 0
    _demand(is_known, f"there is no gate {formula.gate} of {len(formula.parameters)} parameters")
    for parameter in formula.parameters:
        _check_expression(parameter, bits)


def _check_array(array: NDArray[Any], shape: tuple[int, ...]) -> None:
    _demand(array.shape == shape and bool(np.isfinite(array).all()), f"an array of shape {shape} has {array.shape}")


def _check_save(save: Save, n: int) -> None:
    active = [qubit for qubit in save.qubits if qubit is not None]
    _demand_numbers(active, n, f"the qubits of save {save.label}")
    match save.reading:
        case Reading.AMPLITUDES | Reading.SQUARES:
            _demand(len(active) == n, f"save {save.label} is not of all qubits")
            indices = sorted(set(save.numbers))
            _demand_numbers(indices, 2 ** len(save.qubits), f"the amplitudes of save {save.label}")
        case Reading.PAULIS | Reading.EXPECTATION | Reading.VARIANCE:
            for terms in save.numbers if save.reading is Reading.VARIANCE else [save.numbers]:
                for x, z, *factor in terms:
                    _demand_numbers(sorted({x, z}), 2**n, f"the Paulis of save {save.label}")
                    is_sum = save.reading is not Reading.PAULIS
                    _demand(list(map(type, factor)) == [float] * is_sum, f"save {save.label} is no sum of Paulis")


def _check_expression(expression: Expression, bits: int) -> None:
    match expression:
        case Bits():
            _demand_numbers(expression.positions, bits, "the bits of an expression")
        case Variable():
            _demand(expression.slot >= 0, "a variable has no place")
        case Lookup():
            _demand(expression.table.shape == tuple(map(len, expression.values)), "a table has another size")
            _demand(len(expression.values) == len(expression.variables), "a table is of other variables")
            for variable in expression.variables:
                _check_expression(variable, bits)
        case Apply():
            _demand(expression.name in OPERATORS, f"there is no operator {expression.name}")
            _demand(0 <= (expression.width or 0) <= _MOST_BITS, f"{expression.name} has no width {expression.width}")
            for operand in expression.operands:
                _check_expression(operand, bits)


def check_ended(ended: Ended, position: int, work: Work) -> None:
    """Check what came of a circuit.

    Raises
    ------
    ValueError
        Naming what cannot be.
    """
    experiment = work.experiments[position]
    program, data, slots = experiment.program, ended.data, experiment.program.memory_slots
    seconds = (ended.time_taken, ended.simulation_seconds)
    _demand(min(seconds) >= 0 and all(map(math.isfinite, seconds)), "a result has taken no time")
    _demand(ended.device.isprintable() and ended.device_reason.isprintable(), "the device has no name")
    has_counts = work.returns == "counts" or (work.returns == "statevector" and program.writes_memory)
    parts = ((work.returns, True), ("counts", has_counts), ("memory", has_counts and experiment.memory))
    _demand(data.keys() == {name for name, is_there in parts if is_there}, "there is no result")
    if has_counts:
        _check_values(data["counts"], slots)
        numbers = list(data["counts"].values())
        _demand(all(type(number) is int and number > 0 for number in numbers), "counts are no numbers")
        _demand(sum(numbers) == (experiment.shots if slots else 0), "counts are of another number of shots")
    if "memory" in data:
        of_shots = data["counts"] if slots else {"0x0": experiment.shots}
        is_memory = isinstance(data["memory"], list) and Counter(data["memory"]) == of_shots
        _demand(is_memory, "the memory is not that of the counts")
    if work.returns != "counts":
        rows = 2**program.circuit_qubits
        shape = (rows, rows) if work.returns == "unitary" else (rows,)
        state = data[work.returns]
        is_state = state.dtype.itemsize == experiment.precision.amplitude_bytes and state.dtype.kind == "c"
        _demand(is_state and state.shape == shape, f"the {work.returns} is of another size")
    saves = {save.label: save for save in program.saves}
    for saved in ended.saved:
        save = saves[saved["label"]]
        _demand(saved["form"] == save.form, f"save {save.label} has another form")
        _check_saved(save, saved["values"], slots)


def _check_values(values: Iterable[str], slots: int) -> None:
    """Check that these are values of the memory slots, in hexadecimal."""
    for value in values:
        number = int(value, 16)
        _demand(hex(number) == value and number < 2**slots, f"{value} is no value of {slots} classical bits")


def _check_saved(save: Save, values: Any, slots: int) -> None:
    if save.conditional:
        _check_values(values, slots)
    for value in values.values() if save.conditional else [values]:
        _demand(isinstance(value, list) == (save.over is Over.EACH), f"save {save.label} is not over {save.over.value}")
        _demand(not isinstance(value, list) or bool(value), f"save {save.label} has no values")
        for one in value if isinstance(value, list) else [value]:
            _check_value(save, one)


def _check_value(save: Save, value: Any) -> None:
    """Check that this is what `basicaer.engine.readings.read` gives."""
    rows, count = 2 ** len(save.qubits if save.over_idle else save.places), len(save.numbers)
    match save.reading:
        case Reading.UNITARY:
            shape: tuple[int, ...] = (rows**2,)
        case Reading.AMPLITUDES:
            shape = (count or rows,)
        case Reading.SQUARES | Reading.PAULIS:
            shape = (count,)
        case Reading.PROBABILITIES:
            shape = (rows,)
        case Reading.DENSITY_MATRIX:
            shape = (rows, rows)
        case Reading.EXPECTATION:
            shape = ()
        case Reading.VARIANCE:
            shape = (2,)
    is_array = isinstance(value, np.ndarray if shape else float) and np.shape(value) == shape
    _demand(is_array and bool(np.isfinite(value).all()), f"save {save.label} has something else than {shape} numbers")


def check_suspended(suspended: Suspended, experiment: Experiment) -> None:
    """Check what came of a circuit that was running.

    Raises
    ------
    ValueError, TypeError, KeyError
        Naming what cannot be.
    """
    bits, saves = experiment.program.bits, {save.label: save for save in experiment.program.saves}
    _check_generator(suspended.generator, experiment.seed)
    _demand(suspended.step > 0, f"it cannot have begun {suspended.step} operations")
    _demand(all(history for _, history in suspended.pending), "a branch waits that is none")
    values, counts = suspended.values, suspended.counts
    _demand(all(0 <= value < 2**bits for value in values), f"there are values of more than {bits} bits")
    _demand(len(values) == len(counts) and min(counts, default=1) > 0, "counts are not those of the values")
    left = [suspended.shots, *(shots for shots, _ in suspended.pending)]
    _demand(all(shots.ndim == 1 and len(shots) and bool((np.diff(shots) > 0).all()) for shots in left), "no shots")
    together = np.concatenate(left)
    _demand(len(together) + sum(counts) == experiment.shots, "shots are lost or too many")
    _demand(together.min() >= 0 and together.max() < experiment.shots, "shots are out of range")
    _demand(len(np.unique(together)) == len(together), "shots are there twice")
    _demand((suspended.value_of_shot is not None) == experiment.memory, "the memory is that of another circuit")
    if suspended.value_of_shot is not None:
        known = np.delete(suspended.value_of_shot, together)
        _demand(suspended.value_of_shot.shape == (experiment.shots,), "the memory is of another number of shots")
        _demand(
            np.array_equal(np.bincount(known, minlength=len(counts)), counts), "the memory is not that of the counts"
        )
    if suspended.amplitudes is not None:
        _check_array(suspended.amplitudes, (2**experiment.program.state_qubits,))
    for label, record in suspended.saved.items():
        _demand(bool(record), f"save {label} is empty")
        for key, kept in record.items():
            _demand(
                0 <= key < 2**bits if saves[label].conditional else key == ALL_SHOTS, f"save {label} has a stray value"
            )
            _check_kept(saves[label], kept, experiment.shots)


def _check_generator(state: Mapping[str, Any], seed: int) -> None:
    """Check that this is what `basicaer.engine.sampling.generator_state` gives, of a generator with this seed."""
    fresh = generator_state(generator(seed))
    _demand(state.keys() == fresh.keys() and state["key"] == fresh["key"], "the generator is that of another seed")
    ends = {"buffer_pos": len(fresh["buffer"]) + 1, "has_uint32": 2, "uinteger": 2**32}
    for name, end in ends.items():
        _demand_numbers([state[name]], end, f"{name} of the generator")
    for name in ("counter", "buffer"):
        _demand(len(state[name]) == len(fresh[name]), f"{name} of the generator has another length")
        _demand_numbers(sorted(set(state[name])), 2**64, f"{name} of the generator")


def _check_kept(save: Save, kept: Any, shots: int) -> None:
    """Check one record of `basicaer.engine.saved.Saved`."""
    match save.over:
        case Over.EACH:
            _demand(bool(kept), f"save {save.label} has no values")
            for of_shots, value in kept:
                _demand(of_shots.ndim == 1 and of_shots.dtype == np.int64, f"save {save.label} is not of shots")
                _demand(of_shots.min() >= 0 and of_shots.max() < shots, f"save {save.label} is of other shots")
                _check_value(save, value)
            return
        case Over.LAST:
            shot, value = kept
            _demand_numbers([shot], shots, f"the shot of save {save.label}")
        case _:
            count, value = kept
            _demand(type(count) is int and 0 < count < _MOST_REPEATS, f"save {save.label} is of {count} shots")
    _check_value(save, value)


def check_layout(layout: Mapping[str, Any], fresh: Mapping[str, Any], given: int, amplitude_bytes: int) -> None:
    """Check that a state can be given back to one that is new.

    Parameters
    ----------
    fresh
        The layout of the new one.
    given
        How many bytes of amplitudes there are.

    Raises
    ------
    ValueError
        Naming what cannot be.
    """
    place, wires = layout["place"], len(fresh["place"])
    _demand_numbers(place, wires, "places")
    _demand_numbers(layout["zero"], wires, "wires that are still 0")
    _demand_numbers([layout["passes_done"]], _MOST_REPEATS, "the passes that are done")
    _demand(layout.keys() == fresh.keys() and len(place) == wires, "the layout is that of another state")
    _demand(given == 2**wires * amplitude_bytes, f"{given} bytes are no state of {wires} qubits")
