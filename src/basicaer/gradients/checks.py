"""What a persisted job of a gradient must fulfil besides having the right types; see `basicaer.persistence.checks`."""

from __future__ import annotations

from itertools import chain
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from basicaer.engine.error_patterns import NoisySweep, why_no_patterns
from basicaer.engine.program import Channel, Form, Prepare, Segment, SetState, leaves
from basicaer.engine.sweeps import Sweep, is_undone
from basicaer.gradients.payload import GradientTask, PatternsBegun, Shifts, SweepBegun
from basicaer.persistence.program_checks import MOST_REPEATS, check_array, check_program, demand, demand_numbers
from basicaer.primitives.payload import Begun

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from basicaer.compile.differentiable import Chain
    from basicaer.engine.device import Generators, SegmentBatch
    from basicaer.engine.program import Program
    from basicaer.gradients.payload import Differentiated
    from basicaer.primitives.payload import EstimatorTask, PrimitivePayload

__all__ = ["check_begun", "check_differentiated", "check_payload"]

_STRUCTURE = ("targets", "controls", "control_state", "form", "target_actions")


def check_payload(payload: PrimitivePayload[Any]) -> None:
    """Check the payload of a job.

    Raises
    ------
    ValueError, KeyError
        Naming what cannot be.
    """
    is_one = len(payload.tasks) == 1 and isinstance(payload.tasks[0], GradientTask)
    demand(is_one and payload.persistence is None, "it is not the job of a gradient")
    whole = (payload.seed, payload.devices.threads, payload.devices.gpu, payload.gpu or 0)
    demand(min(whole) >= 0 and not payload.is_quick, "a seed or the device is out of range")
    _check_task(payload.tasks[0])


def check_begun(begun: Any, task: GradientTask) -> None:
    """Check how far a circuit was that was being differentiated.

    Raises
    ------
    ValueError
        Naming what cannot be.
    """
    how = task.how
    if isinstance(how, Sweep) and isinstance(begun, SweepBegun):
        found, (sets, upto, bras) = begun
        fresh = how.no_sums()
        _check_like(found.values, fresh.values)
        demand(found.sums.keys() == fresh.sums.keys(), "sums are of other segments")
        for place, of_place in fresh.sums.items():
            demand(found.sums[place].keys() == of_place.keys(), "sums are of other gates")
            for gate, own in of_place.items():
                _check_like(found.sums[place][gate], own)
        demand(0 <= sets <= how.size and (upto == 0 or sets < upto <= how.size), "other sets are done")
        demand(0 <= bras <= how.outputs, "other observables are done")
    elif isinstance(how, NoisySweep) and isinstance(begun, PatternsBegun):
        none = PatternsBegun.of_none(task)
        for name in ("means", "errors", "sums"):
            _check_like(getattr(begun, name), getattr(none, name))
        demand(0 <= begun.sets <= task.sets and 0 <= begun.done < MOST_REPEATS, "other sets are done")
        demand(begun.patterns >= 0 and 0 <= begun.cut <= 1, "there are other patterns of errors")
    elif isinstance(how, Shifts) and isinstance(begun, Begun):
        places = (how.task.sets.size,)
        check_array(begun.values, places)
        check_array(begun.stds, places)
        demand(0 <= begun.sets <= how.task.sweep.size, "other sets are done")
        demand(begun.shots is None or 0 < begun.shots < MOST_REPEATS, "there are no shots")
        _check_metadata(begun.how)
    else:
        raise ValueError("it was differentiated in another way")  # noqa: TRY004  # as for all damage


def check_differentiated(outcome: Differentiated, task: GradientTask) -> None:
    """Check what came of a circuit.

    Raises
    ------
    ValueError
        Naming what cannot be.
    """
    check_array(outcome.values, (task.sets, task.observables))
    outputs = (task.observables,) if task.cotangent is None else ()
    check_array(outcome.gradients, (task.sets, *outputs, task.chain.wanted))
    if outcome.errors is not None:
        check_array(outcome.errors, outcome.gradients.shape)
        demand(outcome.errors.dtype == float, "standard errors are numbers of another kind")
    is_state = isinstance(task.how, Sweep) and task.how.bras is not None
    demand(outcome.values.dtype == (complex if is_state else float), "values are numbers of another kind")
    demand(outcome.report == task.report, "it is reported in another form")
    _check_metadata(outcome.metadata)


def _check_like(array: NDArray[Any], fresh: NDArray[Any]) -> None:
    check_array(array, fresh.shape)
    demand(array.dtype == fresh.dtype, "sums are numbers of another kind")


def _check_metadata(metadata: dict[str, Any]) -> None:
    said = [value for value in metadata.values() if isinstance(value, str)]
    demand(all(map(str.isprintable, chain(metadata, said))), "metadata cannot be shown")


def _check_task(task: GradientTask) -> None:
    report = task.report
    demand(min((*report.shape, *report.observables), default=0) >= 0, "a shape is negative")
    demand(prod(report.shape) == task.sets, "there are other sets of values")
    demand(prod(report.observables) == task.observables and not report.requests, "there are other observables")
    demand(0 <= task.phases <= task.chain.size, "there are other global phases")
    _check_chain(task.chain, task.sets)
    if task.cotangent is not None:
        check_array(task.cotangent, (task.sets, task.observables))
    _check_metadata(task.metadata)
    if isinstance(task.how, NoisySweep):
        body = task.how.sweep.program.body
        _check_sweep(task, task.how.sweep, also=Channel)
        has_errors = any(isinstance(operation, Channel) for operation in body)
        demand(has_errors and not why_no_patterns(task.how.sweep.program), "its errors are other ones")
        demand(task.how.sweep.bras is None and 0 < task.how.shots < MOST_REPEATS, "there are no shots")
    elif isinstance(task.how, Sweep):
        _check_sweep(task, task.how, also=Prepare | SetState)
    else:
        _check_shifts(task, task.how)


def _check_chain(own: Chain, sets: int) -> None:
    demand(own.size >= 0 <= own.wanted, "there are fewer parameters than none")
    count = len(own.slopes.T)
    check_array(own.slopes, (sets, count))
    for numbers, end in ((own.rows, own.size), (own.columns, own.wanted)):
        check_array(numbers, (count,))
        demand(bool(((numbers >= 0) & (numbers < end)).all()), "derivatives are by other parameters")


def _check_sweep(task: GradientTask, sweep: Any, *, also: Any) -> None:
    """Check a sweep, whose program has gates and `also` other operations."""
    program = sweep.program
    check_program(program)
    are_undone = sweep.signs is None and all(is_undone(one) or isinstance(one, also) for one in program.body)
    demand(are_undone and program.state_qubits == task.n_qubits, "its circuit is not one of gates")
    demand(sweep.size == task.sets, "there are other sets of values")
    _check_segments(sweep.segments, program, task.sets)
    for pair in sweep.masks:
        demand_numbers(sorted(set(pair)), 2**task.n_qubits, "Paulis")
    if sweep.bras is None:
        check_array(sweep.factors, (task.observables, len(sweep.masks)))
        demand((sweep.cotangent is None) == (task.cotangent is None), "there is another cotangent")
    else:
        check_array(sweep.bras, (task.sets, 2**task.n_qubits))
        demand(task.observables == 1 and not sweep.masks and sweep.cotangent is None, "there are observables")
        check_array(sweep.factors, (0, 0))
    if sweep.cotangent is not None:
        check_array(sweep.cotangent, (task.sets, task.observables))
    for place, generators in sweep.generators.items():
        _check_generators(generators, _segment_at(program, place), task.sets)
    for place, gate, number, occurrence in task.angles:
        demand(0 <= number < len(sweep.generators[place][gate]), "an angle has no generator")
        demand(0 <= occurrence < task.chain.size, "an angle has no parameter")


def _segment_at(program: Program, place: int) -> Segment:
    operations = leaves(program.body)
    demand(0 <= place < len(operations), f"there is nothing at place {place}")
    operation = operations[place]
    if not isinstance(operation, Segment):
        raise ValueError(f"there are no gates at place {place}")  # noqa: TRY004  # as for all damage
    return operation


def _check_segments(segments: Mapping[int, SegmentBatch], program: Program, sets: int) -> None:
    for place, some in segments.items():
        own = _segment_at(program, place).gates
        template = some.template.gates
        demand(len(some) == sets and len(own) == len(template), "there are other gates in some sets")
        for gate, other in zip(own, template, strict=True):
            alike = all(getattr(gate, name) == getattr(other, name) for name in _STRUCTURE)
            demand(alike, f"gate {other.name} is another one in some sets")
            check_array(other.data, gate.data.shape)
        demand_numbers([gate for gates, _ in some.groups for gate in gates], len(template), "gates that differ")
        for gates, numbers in some.groups:
            (shape,) = {template[gate].data.shape for gate in gates}
            check_array(numbers, (sets, len(gates), *shape))
        fixed = [(gate, other) for gate, other in zip(own, template, strict=True) if gate.form is Form.PERMUTATION]
        demand(all((gate.data == other.data).all() for gate, other in fixed), "permutations differ")


def _check_generators(generators: Generators, segment: Segment, sets: int) -> None:
    for number, some in generators.items():
        demand(0 <= number < len(segment.gates), f"there is no gate {number}")
        gate = segment.gates[number]
        rows = 2 ** len(gate.targets)
        for one in some:
            demand(len(one) in {1, sets}, "generators are of other sets")
            check_array(one, (len(one), rows) if gate.form is Form.DIAGONAL else (len(one), rows, rows))


def _check_shifts(task: GradientTask, shifts: Any) -> None:
    own = shifts.task
    _check_estimator_task(own)
    count = len(shifts.factors)
    check_array(shifts.factors, (count,))
    check_array(shifts.occurrences, (count,))
    in_range = (shifts.occurrences >= 0) & (shifts.occurrences < task.chain.size)
    demand(bool(in_range.all()), "shifts are of other parameters")
    demand(own.sweep.size == task.sets * (1 + count), "there are other shifted sets")
    demand(own.sets.size == own.sweep.size * task.observables, "there are other values")


def _check_estimator_task(task: EstimatorTask) -> None:
    sweep = task.sweep
    programs = sweep.programs if sweep.template is None else (sweep.template,)
    demand(len(programs) == (sweep.size if sweep.template is None else 1) > 0, "there are other circuits")
    for program in programs:
        check_program(program)
    if sweep.template is not None:
        _check_segments(sweep.segments, sweep.template, sweep.size)
    demand(task.precision >= 0 and task.choice.reason.isprintable(), "the precision is negative")
    for numbers, end in ((task.sets, sweep.size), (task.observables, len(task.terms))):
        check_array(numbers, task.shape)
        demand(bool(((numbers >= 0) & (numbers < end)).all()), "values are of other sets or observables")
    for x, z, factor in chain.from_iterable(task.terms):
        demand_numbers(sorted({x, z}), 2 ** programs[0].state_qubits, "Paulis")
        demand(bool(np.isfinite(factor)), "an observable is not finite")
