"""What a job carries to where it runs, and the function that runs there."""

from __future__ import annotations

import contextlib
import threading
import time
import traceback
import warnings
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from basicaer.calibration import measured_crossover
from basicaer.compile.modifiers import formula_numbers
from basicaer.devices.cpu.device import NumpyDevice
from basicaer.devices.memory import check_fits, check_saves, check_shots
from basicaer.devices.registry import choose_device
from basicaer.engine.checkpoint import Checkpoint, current_checkpoint
from basicaer.engine.execute import Request, execute, lost
from basicaer.engine.program import Measure, Reset, Segment, walk
from basicaer.engine.sampling import SHOTS_AT_ONCE
from basicaer.engine.suspended import PlannedOtherwiseError
from basicaer.engine.together import evolved, outcomes, structure
from basicaer.errors import BasicAerError, BasicAerWarning, LostNormError
from basicaer.plan.planner import plan_segment
from basicaer.result import chopped, counts_of, experiment_of, joined, memory_of, on_all_qubits, result_of, saved_of

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray
    from qiskit.result import Result
    from qiskit.result.models import ExperimentResult

    from basicaer.engine.device import Device, State
    from basicaer.engine.execute import Outcome
    from basicaer.engine.program import Program
    from basicaer.engine.suspended import Suspended
    from basicaer.options import DeviceOptions, Precision
    from basicaer.persistence.saver import JobSaver

__all__ = [
    "SECONDS_PER_AMPLITUDE",
    "SECONDS_PER_GATE",
    "Ended",
    "Experiment",
    "GoingOn",
    "Saving",
    "Work",
    "check_room",
    "run_work",
]

_QUICK_SECONDS = 1e-3  # a hop to another thread costs 0.4 ms: below this the caller's thread is the better place
SECONDS_PER_GATE = 8e-6
SECONDS_PER_AMPLITUDE = 1e-8  # of a gate
_SECONDS_PER_SHOT = 3e-7
_SECONDS_PER_PRODUCT = 1e-8  # of two numbers, where a wide matrix is applied and, before, checked and reordered
_FEWEST_TOGETHER = 4  # two or three gain little, or nothing
_SECONDS_TOGETHER = 0.1  # predicted: so often it is told what is finished


@dataclass(frozen=True, slots=True)
class Experiment:
    """One program with the settings to run it."""

    program: Program
    header: dict[str, Any]
    shots: int
    seed: int
    memory: bool
    precision: Precision
    devices: DeviceOptions
    chop_threshold: float
    initial: NDArray[np.complexfloating] | None
    lowering_seconds: float
    device_name: str = "CPU"  # that is expected: what `auto` means is decided where it runs
    on_device: bool = False  # whether a state stays where it was made

    @property
    def predicted_seconds(self) -> float:
        """A rough guess, good enough to tell the tiny from the rest; infinite where control flow leaves it open."""
        if not self.program.is_straight:
            return float("inf")
        amplitudes = 2**self.program.state_qubits
        per_gate = SECONDS_PER_GATE + SECONDS_PER_AMPLITUDE * amplitudes
        seconds = self.shots * _SECONDS_PER_SHOT
        for operation in self.program.body:
            gates = operation.gates if isinstance(operation, Segment) else ()
            widest = max([len(gate.targets) for gate in gates], default=0)
            seconds += max(len(gates), 1) * per_gate + 2**widest * amplitudes * _SECONDS_PER_PRODUCT
        return seconds


class Ended(NamedTuple):
    """What came of an experiment, as far as the experiment does not say it itself.

    Attributes
    ----------
    data
        As `ExperimentResultData` has it.
    saved
        What was saved of the state on the way; see `basicaer.result.saved_of`.
    time_taken, simulation_seconds
        With and without the making of the result.
    device, device_reason
        Where it ran, and why there.
    """

    data: dict[str, Any]
    saved: list[dict[str, Any]]
    time_taken: float
    simulation_seconds: float
    device: str
    device_reason: str

    def of(self, experiment: Experiment) -> dict[str, Any]:
        """Return all that is known of an experiment, as `basicaer.result.experiment_of` takes it."""
        program = experiment.program
        places = {save.label: None if save.over_idle else save.places for save in program.saves}
        return {
            "name": experiment.header.get("name", program.name),
            "shots": experiment.shots,
            "seed": experiment.seed,
            "seed_simulator": experiment.seed,
            "time_taken": self.time_taken,
            "header": experiment.header,
            "data": self.data,
            "saved": [one | {"places": places[one["label"]]} for one in self.saved],
            "metadata": {
                "device": self.device,
                "device_reason": self.device_reason,
                "precision": str(experiment.precision),
                "simulated_qubits": program.state_qubits,
                "lowering_seconds": experiment.lowering_seconds,
                "simulation_seconds": self.simulation_seconds,
                **self._as_aer_says_it(experiment),
            },
        }

    def _as_aer_says_it(self, experiment: Experiment) -> dict[str, Any]:
        """Return what Aer's metadata says of an experiment too, under Aer's names and in its forms."""
        program, is_unitary = experiment.program, "unitary" in self.data
        n_qubits, threads, is_planned = program.state_qubits, 1, True
        if self.device == NumpyDevice.name:
            threads, is_planned = _on_cpu(
                experiment.devices.threads, n_qubits * (2 if is_unitary else 1), experiment.precision
            )
        return {
            "method": "unitary" if is_unitary else "statevector",
            "num_qubits": n_qubits,
            "active_input_qubits": list(program.qubits),
            # Whether the outcomes of all shots are drawn from one state: only these make states of their own.
            "measure_sampling": program.is_straight
            or not any(isinstance(operation, Measure | Reset) for operation in walk(program.body)),
            # Whether gates run in passes that hold many, as they do in all but small states.
            "fusion": {"enabled": is_planned},
            "parallel_state_update": threads,
            "time_taken": self.time_taken,
        }


@lru_cache(maxsize=64)
def _on_cpu(threads: int, n_qubits: int, precision: Precision) -> tuple[int, bool]:
    """Return how many threads may work on a state on the CPU, and whether its gates are planned."""
    device = NumpyDevice(threads)
    return device.threads, device.costs(n_qubits, precision) is not None


class Saving(NamedTuple):
    """Where and how often a job is saved, and whether it goes on from there."""

    folder: str
    every: float
    resume: bool = False


class GoingOn(NamedTuple):
    """Where a job that was saved goes on.

    Attributes
    ----------
    position
        Of the experiment that was running.
    device
        The kind of device that it was running on.
    suspended
        Where it was.
    restore
        Gives a new state, on the same device, what the state was.
    """

    position: int
    device: str
    suspended: Suspended
    restore: Callable[[State], None]


@dataclass(frozen=True, slots=True)
class Work:
    """The payload of a job: everything that is needed to run it, and nothing that belongs to a backend."""

    backend_name: str
    backend_version: str
    qobj_id: str
    returns: str  # "counts", "statevector" or "unitary"
    experiments: tuple[Experiment, ...]
    header: dict[str, Any] | None = None
    saving: Saving | None = None

    @property
    def is_quick(self) -> bool:
        """Whether all of it is over sooner than it would take to hand it to another thread."""
        left = _QUICK_SECONDS if self.saving is None else -1.0
        for experiment in self.experiments:
            left -= experiment.predicted_seconds
            if left < 0:
                return False
        return True

    @property
    def gpu(self) -> int | None:
        """The number of the GPU that all of it is expected to run on; None where there is no such."""
        numbers = {one.devices.gpu if one.device_name == "GPU" else None for one in self.experiments}
        return numbers.pop() if len(numbers) == 1 else None

    def split(self, parts: int) -> list[Work]:
        """Return the experiments in order as at most so many payloads of about equal predicted time."""
        seconds = [min(experiment.predicted_seconds, 1e9) for experiment in self.experiments]
        ends = list(accumulate(seconds))
        groups: dict[int, list[Experiment]] = {}
        for experiment, own, end in zip(self.experiments, seconds, ends, strict=True):
            number = int((end - own / 2) / ends[-1] * parts) if ends[-1] else 0
            groups.setdefault(number, []).append(experiment)
        return [replace(self, experiments=tuple(group)) for group in groups.values()]

    def partial(self, job_id: str, finished: Mapping[int, dict[str, Any]]) -> Result:
        """Return a result of the experiments that are finished, given by position as they were handed over.

        What does not fit into memory here is left out.
        """
        made = {}
        for position, experiment in finished.items():
            with contextlib.suppress(BasicAerError, MemoryError):
                made[position] = experiment_of(experiment)
        return self.result(job_id, made, 0.0)

    def result(self, job_id: str, finished: Mapping[int, ExperimentResult], seconds: float) -> Result:
        """Return a result of the experiments that are finished, given by position."""
        return result_of(
            [finished[position] for position in sorted(finished)],
            seconds,
            backend_name=self.backend_name,
            backend_version=self.backend_version,
            job_id=job_id,
            qobj_id=self.qobj_id,
            header=self.header,
        )

    @staticmethod
    def join(results: Sequence[Result]) -> Result:
        """Return the results of payloads that were split, in their order, as one."""
        return joined(results)


def check_room(device: Device, program: Program, precision: Precision, shots: int, returns: str) -> None:
    """Check that a circuit, what it saves, and what comes of it fit into memory.

    Parameters
    ----------
    returns
        As of `Work`.

    Raises
    ------
    BasicAerError
        If anything does not; with the bytes that are needed and free.
    """
    what, is_unitary = f"Circuit '{program.name}'", returns == "unitary"
    n_qubits = program.state_qubits if returns == "counts" else program.circuit_qubits
    check_fits(device, what, n_qubits, precision, unitary=is_unitary)
    check_saves(device, what, program, precision, shots, unitary=is_unitary)
    check_shots(what, shots)


def run_work(job_id: str, work: Work) -> Result:
    """Run every experiment and return the result; the function of every job that a backend makes.

    Raises
    ------
    BasicAerError
        From an experiment; its ``partial`` is a result of those that had finished, as it is with any other exception.
    """
    checkpoint = current_checkpoint.get() or Checkpoint()
    checkpoint.expect_experiments(len(work.experiments))
    started = time.perf_counter()
    finished: dict[int, ExperimentResult] = {}

    saver = _saver_of(job_id, work, checkpoint)
    resume = None

    def finish(position: int, ended: Ended) -> None:
        experiment = ended.of(work.experiments[position])
        finished[position] = experiment_of(experiment, checkpoint.poll)
        checkpoint.finish_experiment(position, experiment)

    def run_some(positions: Sequence[int]) -> None:
        for group in _groups(work, [position for position in positions if position not in finished]):
            going_on = resume if resume and resume.position == group[0] else None
            for position, ended in _results(work, group, checkpoint, _Keeping(saver, going_on)):
                finish(position, ended)
                if saver is not None:
                    saver.finish(position, ended)
                if failed.is_set():
                    return

    failed = threading.Event()
    on_gpu: dict[int, list[int]] = {}
    for position, experiment in enumerate(work.experiments):
        on_gpu.setdefault(experiment.devices.gpu, []).append(position)
    try:
        if saver is not None:
            resume = _begin_saving(saver, work, finish)
        if len(on_gpu) == 1:
            run_some(range(len(work.experiments)))
        else:  # one thread for each GPU
            with ThreadPoolExecutor(len(on_gpu)) as pool:
                for future in as_completed([pool.submit(run_some, positions) for positions in on_gpu.values()]):
                    if future.exception() is not None:
                        failed.set()
                    future.result()
    except Exception as error:
        error.partial = work.result(job_id, finished, time.perf_counter() - started)  # type: ignore[attr-defined]
        _empty_frames(error)
        raise
    finally:
        if saver is not None:
            saver.close()
    return work.result(job_id, finished, time.perf_counter() - started)


def _empty_frames(error: BaseException) -> None:
    """Let go of what an error's tracebacks hold: the job keeps the error, which would keep the state."""
    seen: BaseException | None = error
    while seen is not None:
        traceback.clear_frames(seen.__traceback__)
        seen = seen.__context__


def _groups(work: Work, positions: Sequence[int]) -> Iterator[list[int]]:
    """Yield the positions of experiments that run together: each group in order, where its first one stands."""
    if work.returns != "counts" or work.saving is not None or len(positions) == 1:
        yield from ([position] for position in positions)
        return
    groups: dict[Hashable, list[int]] = {}
    for position in positions:
        one = work.experiments[position]
        common = structure(one.program) if one.initial is None and one.shots <= SHOTS_AT_ONCE else None
        key = position if common is None else (common, one.devices, one.precision, one.shots, one.memory)
        groups.setdefault(key, []).append(position)
    found = list(groups.values())
    together = [group for group in found if len(group) >= _FEWEST_TOGETHER]
    alone = [[position] for group in found if len(group) < _FEWEST_TOGETHER for position in group]
    yield from sorted([*together, *alone])


def _results(
    work: Work, group: Sequence[int], checkpoint: Checkpoint, keeping: _Keeping
) -> Iterator[tuple[int, Ended]]:
    """Run the experiments of a group; yield the position of each and what came of it."""
    first = work.experiments[group[0]]
    n_qubits, most = first.program.state_qubits, 0
    if len(group) > 1:
        device, reason = choose_device(first.devices, n_qubits, first.precision, measured_crossover)
        most = min(device.most_states(n_qubits, first.precision), int(_SECONDS_TOGETHER / first.predicted_seconds))
    if most < _FEWEST_TOGETHER:
        for position in group:
            yield position, _run(work, position, checkpoint, keeping)
        return
    for start in range(0, len(group), most):
        part = group[start : start + most]
        started = time.perf_counter()
        checkpoint.enter("gates")
        checkpoint.poll()
        programs = [work.experiments[position].program for position in part]
        batch = evolved(programs, device, plan_segment, precision=first.precision, checkpoint=checkpoint)
        share = (time.perf_counter() - started) / len(part)
        checkpoint.enter("sampling")
        found = outcomes(
            programs,
            batch,
            shots=first.shots,
            seeds=[work.experiments[position].seed for position in part],
            keep_order=first.memory,
            checkpoint=checkpoint,
        )
        started = time.perf_counter()
        for position, outcome in zip(part, found, strict=True):
            experiment = work.experiments[position]
            told = device.name, reason
            yield position, _result(experiment, work.returns, outcome, told, started - share, checkpoint)
            checkpoint.enter("sampling")
            started = time.perf_counter()


class _Keeping(NamedTuple):
    """How an experiment is saved while it runs, and where it goes on if it was saved."""

    saver: JobSaver | None
    going_on: GoingOn | None


def _saver_of(job_id: str, work: Work, checkpoint: Checkpoint) -> JobSaver | None:
    """Return what saves a job, if it is to be saved."""
    if work.saving is None:
        return None
    from basicaer.persistence.saver import JobSaver

    return JobSaver(Path(work.saving.folder), job_id, work.saving.every, checkpoint.poll)


def _begin_saving(saver: JobSaver, work: Work, finish: Callable[[int, Ended], None]) -> GoingOn | None:
    """Begin to save a job, or find out where it goes on; `finish` the experiments that had ended then."""
    assert work.saving is not None  # it has a saver  # noqa: S101
    if not work.saving.resume:
        saver.begin(work)
        return None
    done, going_on = saver.resume(work)
    for position, ended in enumerate(done):
        finish(position, ended)
    return going_on


def _run(work: Work, position: int, checkpoint: Checkpoint, keeping: _Keeping) -> Ended:
    """Run an experiment by itself; return what came of it."""
    experiment, returns = work.experiments[position], work.returns
    program = experiment.program
    n_qubits = program.state_qubits * (2 if returns == "unitary" else 1)
    device, reason = choose_device(experiment.devices, n_qubits, experiment.precision, measured_crossover)
    kind = device.kind(experiment.precision)
    if keeping.saver is not None:
        keeping.saver.run(position, kind)
    started = time.perf_counter()
    request = Request(
        program,
        experiment.precision,
        experiment.shots,
        experiment.seed,
        initial=experiment.initial,
        unitary=returns == "unitary",
        keep_order=experiment.memory,
        keep_state=returns != "counts",
        on_device=experiment.on_device,
    )
    run = partial(execute, request, device, plan_segment, checkpoint, numbers_of=formula_numbers, saver=keeping.saver)
    outcome = _gone_on(keeping.going_on, kind, program.name, run) if keeping.going_on else None
    if outcome is None:
        outcome = run()
    return _result(experiment, returns, outcome, (device.name, reason), started, checkpoint)


def _gone_on(going_on: GoingOn, kind: str, name: str, run: Callable[..., Outcome]) -> Outcome | None:
    """Run a program from where it was saved; None, with a warning, where it has to start anew."""
    if going_on.device == kind:
        try:
            return run(resume=(going_on.suspended, going_on.restore))
        except PlannedOtherwiseError:
            kind = f"{kind} of another kind"
    # The layout of a state is its device's own, and a plan is made for it.
    warnings.warn(
        f"The job was saved on the {going_on.device} and goes on on the {kind}: circuit '{name}' starts anew, and its "
        "last digits may differ.",
        BasicAerWarning,
        stacklevel=2,
    )
    return None


def _result(  # noqa: PLR0917  # only those above call it
    experiment: Experiment,
    returns: str,
    outcome: Outcome,
    device: tuple[str, str],
    started: float,
    checkpoint: Checkpoint,
) -> Ended:
    """Return what came of an experiment.

    Parameters
    ----------
    device
        Its name, and why it was chosen.
    started
        When it began, on the clock of `time.perf_counter`.
    """
    seconds = time.perf_counter() - started
    program, poll = experiment.program, checkpoint.poll
    checkpoint.enter("results")
    data: dict[str, Any] = {}
    if returns == "counts" or (returns == "statevector" and program.writes_memory):
        data["counts"] = counts_of(outcome, program.memory_slots, poll) if program.memory_slots else {}
        if experiment.memory:
            data["memory"] = memory_of(outcome, program.memory_slots, poll)
    if outcome.amplitudes is not None:
        amplitudes = outcome.amplitudes
        if isinstance(amplitudes, np.ndarray):
            try:
                amplitudes = chopped(amplitudes, experiment.chop_threshold, poll)
            except LostNormError as error:
                raise lost(program, error) from error
        if returns == "statevector":
            data["statevector"] = on_all_qubits(amplitudes, program.qubits, program.circuit_qubits, poll)
        else:  # the columns stand one after another
            data["unitary"] = amplitudes.reshape(2**program.circuit_qubits, -1).T
    saved = saved_of(outcome, program.saves) if outcome.saved else []
    return Ended(data, saved, time.perf_counter() - started, seconds, *device)
