"""Runs the PUBs of a primitive's job, in whichever process or thread its executor has chosen.

Parameter sets of a small circuit run as a batch, as many at a time as suits the device; those of a larger circuit run
one after another.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np

from basicaer.calibration import measured_crossover
from basicaer.compile.modifiers import formula_numbers
from basicaer.devices.memory import check_values
from basicaer.devices.registry import choose_device, device_after_failure
from basicaer.engine.density import DensityDevice
from basicaer.engine.device import segment_batch
from basicaer.engine.draws import generator, seed_of_experiment
from basicaer.engine.execute import execute, lost
from basicaer.engine.method import MethodChoice
from basicaer.engine.monitor import Monitor, current_monitor
from basicaer.engine.program import OverShots, Phase, Save, SavedQuantity, Segment, Store
from basicaer.engine.request import Request
from basicaer.engine.sampling import SHOTS_AT_ONCE, classical_values, sample_in_any_order, words_of
from basicaer.engine.saved import ALL_SHOTS
from basicaer.engine.splitting import NoRoomError
from basicaer.engine.superoperators import density_segments
from basicaer.engine.together import common_structure, evolve
from basicaer.engine.trajectories import Trajectories
from basicaer.errors import DeviceFailedError, LostNormError
from basicaer.options import Method
from basicaer.plan.planner import plan_segment
from basicaer.primitives.payload import Estimated, Sampled, SamplerTask, shots_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from basicaer.compile.sweep import ProgramSweep
    from basicaer.engine.device import Batch, Device, SegmentBatch
    from basicaer.engine.program import Program
    from basicaer.engine.request import Outcome, Stratum
    from basicaer.primitives.payload import EstimatorTask, PrimitivePayload, Task

    _Evaluate = Callable[[Program, "_SweepRun", int, dict[str, Any], Sequence[tuple[int, int]]], NDArray[np.float64]]

__all__ = ["run_primitive", "run_task"]

_LABEL = "values"
_SHOTS_STORED = 2**14  # shots whose outcomes are stored at once
_FIRST_SHOTS = 500  # Shots without errors have a known weight, so that fewer than for a variance of 1 may do.
_FEWEST_OTHERS = 8  # shots from which a standard deviation is estimated
_MARGIN = 1.1  # more shots are taken than seem to be needed for a precision


def run_primitive(_job_id: str, payload: PrimitivePayload[Task]) -> list[Sampled | Estimated]:
    """Run every PUB and return their results; the function of every primitive's job."""
    monitor = current_monitor.get() or Monitor()
    monitor.expect_experiments(len(payload.tasks))
    results: list[Sampled | Estimated] = []
    position = 0  # position of the task's first parameter set among the sets of all tasks
    for number, task in enumerate(payload.tasks):
        results.append(run_task(task, payload, monitor, number, position))
        position += task.sweep.size
        monitor.finish_experiment(number, None)
    return results


def run_task(
    task: SamplerTask | EstimatorTask, payload: PrimitivePayload[Any], monitor: Monitor, number: int, position: int
) -> Sampled | Estimated:
    """Run one task of a job.

    Parameters
    ----------
    number
        Its number in the job.
    position
        The position of its first set of values among the sets of all tasks.
    """
    qubits = task.evolved_qubits
    device, _ = choose_device(payload.devices, qubits, payload.precision, measured_crossover)
    try:
        return _result_of(task, _SweepRun(task, payload, device, monitor), number, position)
    except DeviceFailedError as error:
        failed = error.with_traceback(None)  # a traceback holds the memory of the states
    device, _ = device_after_failure(payload.devices, qubits, payload.precision, failed, f"PUB {number}")
    return _result_of(task, _SweepRun(task, payload, device, monitor), number, position)


def _result_of(task: SamplerTask | EstimatorTask, run: _SweepRun, number: int, position: int) -> Sampled | Estimated:
    """Run a task, of this number in the job, whose first set has this position among the sets of all tasks."""
    if isinstance(task, SamplerTask):
        return _sampled(task, run, position)
    return _estimated(task, run, number, position)


class _SweepRun:
    """The parameter sets of one task's circuit on their device.

    Attributes
    ----------
    batch_size
        How many parameter sets run at a time as a batch; 0 if they run one after another.
    """

    def __init__(self, task: Task, payload: PrimitivePayload[Any], device: Device, monitor: Monitor) -> None:
        self.sweep = sweep = task.sweep
        self.density = task.choice.is_density
        self.device = device
        self.seed = payload.seed
        self.precision = payload.precision
        self.monitor = monitor
        # That of the last run, if it has one.
        self.stratum: Stratum | None = None
        qubits = task.evolved_qubits
        most = self.device.most_states(qubits, payload.precision)
        straight = self.has_one_structure() if self.density else _is_straight(sweep)
        # One small state is a batch, too: its gates are then applied as in any batch, and rounded in the same way.
        is_worthwhile = sweep.size > 1 or self.device.costs(qubits, payload.precision) is None
        differ = bool(sweep.segments or sweep.programs)
        self.batch_size = most if straight and differ and is_worthwhile and most > 1 else 0

    def batches(self) -> Iterator[tuple[slice, Batch]]:
        """Yield slices of the parameter sets, each with their final states."""
        template = self.sweep.structure
        device = DensityDevice(self.device) if self.density else self.device
        self.monitor.enter("gates")
        for start in range(0, self.sweep.size, self.batch_size):
            part = slice(start, min(start + self.batch_size, self.sweep.size))
            self.monitor.poll()
            yield (
                part,
                evolve(
                    self.segments(part),
                    part.stop - part.start,
                    template.state_qubits * device.axes,
                    device,
                    plan_segment,
                    self.precision,
                    self.monitor,
                ),
            )

    def has_one_structure(self) -> bool:
        """Tell whether the density matrices of all sets can run as a batch."""
        sweep = self.sweep
        if any(
            isinstance(operation, Store) for operation in sweep.structure.body
        ):  # a batch has no bits before the end
            return False
        if sweep.template is not None:
            return common_structure(sweep.template, density=True) is not None
        kinds = {tuple(map(type, program.body)) for program in sweep.programs}  # some may lack a phase
        found = {common_structure(program, density=True) for program in sweep.programs}
        return len(kinds) == len(found) == 1 and None not in found

    def take_statevectors(self, reason: str) -> MethodChoice:
        """Go on with statevectors instead of density matrices."""
        self.density, self.batch_size = False, 0
        return MethodChoice(Method.STATEVECTOR, reason)

    def segments(self, part: slice) -> list[SegmentBatch]:
        """Return the gates of some of the parameter sets. Phases are left out: they change nothing that is read."""
        sweep, size = self.sweep, part.stop - part.start
        template = sweep.structure
        if not self.density:
            places = [place for place, operation in enumerate(template.body) if isinstance(operation, Segment)]
            return [sweep.segments_at(place)[part] for place in places]
        if sweep.template is not None:
            own = {place: segments[part] for place, segments in sweep.segments.items()}
        else:
            own = {}
            for place, operations in enumerate(zip(*(program.body for program in sweep.programs[part]), strict=True)):
                some = [one for one in operations if isinstance(one, Segment)]
                if some:
                    own[place] = segment_batch(some)
        return density_segments(template, own, size, self.monitor.poll)

    def execute(self, number: int, program: Program, **how: Any) -> Outcome:
        """Run the program of one parameter set by itself; `number` is its position among all sets of the job."""
        seed = seed_of_experiment(self.seed, number)
        request = Request(program, self.precision, seed=seed, density=self.density, **how)
        return execute(request, self.device, plan_segment, self.monitor, numbers_of=formula_numbers)


def _is_straight(sweep: ProgramSweep) -> bool:
    """Tell whether the programs of a sweep have nothing but gates before their measurements."""
    return sweep.template is not None and all(
        isinstance(operation, Segment | Phase) for operation in sweep.template.body
    )


def _sampled(task: SamplerTask, run: _SweepRun, position: int) -> Sampled:
    sweep, shots = task.sweep, task.shots
    arrays = [np.zeros((sweep.size, shots, one.n_bytes), np.uint8) for one in task.registers]

    def store(number: int, values: list[int], which: NDArray[np.int64]) -> None:
        for register, array in zip(task.registers, arrays, strict=True):
            array[number] = register.bytes_of(values, run.monitor.poll)[which]

    run.monitor.expect(None, sweep.size * shots)
    if run.batch_size and shots <= SHOTS_AT_ONCE:
        final = sweep.structure.final
        at_once = max(_SHOTS_STORED // shots, 1)
        for part, batch in run.batches():
            run.monitor.enter("sampling")
            for first in range(part.start, part.stop, at_once):
                numbers = range(first, min(first + at_once, part.stop))
                indices = np.empty((len(numbers), shots), np.int64)
                for row, number in zip(indices, numbers, strict=True):
                    run.monitor.poll()
                    draws = generator(seed_of_experiment(run.seed, position + number)).random(shots)
                    try:
                        row[:] = sample_in_any_order(batch.state(number - part.start), draws)
                    except LostNormError as error:
                        raise lost(sweep.program(number), error) from error
                    run.monitor.finish_shots(shots)
                words = words_of(indices, final)
                if words is None:  # too many classical bits for NumPy's integers
                    for row, number in zip(indices, numbers, strict=True):
                        store(number, *classical_values(row, final, 0))
                    continue
                for register, array in zip(task.registers, arrays, strict=True):
                    array[numbers.start : numbers.stop] = register.bytes_of_words(words)
            run.monitor.enter("gates")
    else:
        for number in range(sweep.size):
            outcome = run.execute(position + number, sweep.program(number), shots=shots, keep_order=True)
            assert outcome.value_of_shot is not None  # keep_order asks for it  # noqa: S101
            store(number, outcome.values, outcome.value_of_shot)
    return Sampled(task.shape, task.metadata, shots, task.registers, arrays, dict(task.choice.metadata))


def _estimated(task: EstimatorTask, run: _SweepRun, number: int, position: int) -> Estimated:
    """Estimate the values of a task; for its number and position see `_result_of`."""
    try:
        values, stds, how = _estimates(task, run, _exact_values)
    except NoRoomError:
        taken: dict[str, Any] = {}
        if run.density:
            taken |= run.take_statevectors("outcomes are too many to follow each with a density matrix").metadata
        shots = shots_for(task.precision)
        if task.precision and Trajectories.of(task.sweep.program(0)) is not None:
            shots = min(shots, _FIRST_SHOTS)
        while True:
            values, stds, how = _estimates(task, run, partial(_values_of_shots, shots=shots, position=position))
            largest = float(stds.max(initial=0.0))
            if not task.precision or largest <= task.precision or shots >= SHOTS_AT_ONCE:
                break
            needed = _MARGIN * shots * (largest / task.precision) ** 2
            shots = min(max(ceil(needed), 2 * shots), SHOTS_AT_ONCE)
        how |= taken | {"shots": shots, "ensemble_standard_error": largest, "quantum_standard_error": 0.0}
        return Estimated(task.shape, task.metadata, task.precision, values, stds, how)
    if task.precision:
        values += generator(seed_of_experiment(run.seed, number)).normal(0.0, task.precision, len(values))
    return Estimated(task.shape, task.metadata, task.precision, values, np.full_like(values, task.precision), how)


def _estimates(
    task: EstimatorTask, run: _SweepRun, evaluate_program: _Evaluate
) -> tuple[NDArray[np.float64], NDArray[np.float64], dict[str, Any]]:
    """Return the value of each place of a task, its standard deviation, and what the metadata says of them."""
    sets, observables = task.sets.reshape(-1), task.observables.reshape(-1)
    values, stds = np.zeros(len(sets)), np.zeros(len(sets))
    how: dict[str, Any] = dict(task.choice.metadata)
    if run.density:
        how["simulation"] = "exact"
    if run.batch_size:  # otherwise each set's own run reports its passes
        run.monitor.expect(2 * -(-task.sweep.size // run.batch_size), 0)
    for part, evaluate in _evaluations(task, run, evaluate_program, how):
        run.monitor.advance(1 if run.batch_size else 0)
        here = np.flatnonzero((sets >= part.start) & (sets < part.stop))
        needed = np.unique(observables[here]).tolist()
        wanted = sorted({term[:2] for number in needed for term in task.terms[number]})
        column = {masks: j for j, masks in enumerate(wanted)}
        # found[shot, set, term]; there are no terms if every Pauli of the observables flips an idle qubit
        found = evaluate(wanted) if wanted else np.empty((1, part.stop - part.start, 0))
        run.monitor.advance(1 if run.batch_size else 0)
        for number in needed:
            run.monitor.poll()
            places = here[observables[here] == number]
            terms = task.terms[number]
            columns, factors = [column[x, z] for x, z, _ in terms], np.array([factor for *_, factor in terms])
            # of_shots[shot, place]; numbers that are adjacent are added in the same way for any number of places
            summands = np.ascontiguousarray(found[:, sets[places] - part.start][:, :, columns] * factors)
            of_shots = summands.sum(axis=2)
            bound = float(abs(factors).sum())
            values[places], stds[places] = _mean_and_error(of_shots, run.stratum, bound)
    return values, stds, how


def _mean_and_error(
    of_shots: NDArray[np.float64], stratum: Stratum | None, bound: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the mean over shots and its standard error; no shot has a value larger than `bound`.

    The weight of the shots without errors is known, so that only the others contribute to the error (stratified
    sampling after the fact, Cochran, Sampling Techniques, 1977, section 5A.9).
    """
    if len(of_shots) == 1:
        return of_shots[0], np.zeros(of_shots.shape[1])
    if stratum is None:
        return of_shots.mean(axis=0), of_shots.std(axis=0, ddof=1) / len(of_shots) ** 0.5
    usual, others, rest = of_shots[stratum.is_in], of_shots[~stratum.is_in], max(1 - stratum.weight, 0.0)
    mean = stratum.weight * usual[0]
    if len(others):
        mean = mean + rest * others.mean(axis=0)
    if len(others) < _FEWEST_OTHERS:  # too few to tell how much they differ
        return mean, np.full(len(mean), rest * bound / max(len(others), 1) ** 0.5)
    return mean, rest * others.std(axis=0, ddof=1) / len(others) ** 0.5


def _evaluations(
    task: EstimatorTask, run: _SweepRun, evaluate_program: _Evaluate, how: dict[str, Any]
) -> Iterator[tuple[slice, Callable[[Sequence[tuple[int, int]]], NDArray[np.float64]]]]:
    """Yield slices of the parameter sets, each with a function of Paulis that returns ``values[shot, set, Pauli]``."""
    if run.batch_size:
        for part, batch in run.batches():
            yield part, partial(_values_of_batch, batch)
        return
    for number in range(task.sweep.size):
        yield slice(number, number + 1), partial(evaluate_program, task.sweep.program(number), run, number, how)


def _values_of_batch(batch: Batch, wanted: Sequence[tuple[int, int]]) -> NDArray[np.float64]:
    return batch.expectations(wanted)[None]


def _saving(program: Program, wanted: Sequence[tuple[int, int]], over_shots: OverShots) -> Program:
    """Return a program that saves Paulis of its final state, and takes no measurements after that."""
    qubits = tuple(range(program.state_qubits))
    save = Save(_LABEL, "", SavedQuantity.PAULIS, qubits, tuple(wanted), over_shots, conditional=False)
    return replace(program, body=(*program.body, save), final=(), saves=(save,))


def _exact_values(
    program: Program, run: _SweepRun, number: int, how: dict[str, Any], wanted: Sequence[tuple[int, int]]
) -> NDArray[np.float64]:
    """Return the values of Paulis over all final states of a program, each with its probability.

    Raises
    ------
    NoRoomError
        If these are too many.
    """
    del number  # it only names draws, and an exact run draws nothing
    is_straight = program.is_straight
    over = OverShots.LAST if is_straight else OverShots.MEAN
    outcome = run.execute(0, _saving(program, wanted, over), shots=1, exact=not is_straight)
    if not is_straight:
        how["simulation"] = "exact"
        how["neglected_probability"] = max(how.get("neglected_probability", 0.0), outcome.cut)
    values: NDArray[np.float64] = outcome.saved[_LABEL][ALL_SHOTS]
    return values[None, None]


def _values_of_shots(  # the sets are bound one after another
    program: Program,
    run: _SweepRun,
    number: int,
    how: dict[str, Any],
    wanted: Sequence[tuple[int, int]],
    *,
    shots: int,
    position: int,
) -> NDArray[np.float64]:
    """Return the values of Paulis in the final state of each shot; `position` is that of the task's first set."""
    how["simulation"] = "shots"
    check_values(f"Circuit '{program.name}'", shots, len(wanted))
    outcome = run.execute(position + number, _saving(program, wanted, OverShots.EACH), shots=shots)
    run.stratum = outcome.stratum
    if outcome.stratum is not None:
        how["noiseless_weight"] = outcome.stratum.weight
    return np.array(outcome.saved[_LABEL][ALL_SHOTS])[:, None]
