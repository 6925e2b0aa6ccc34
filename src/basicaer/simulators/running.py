"""Runs the experiments of a simulator's job, in whichever process or thread its executor has chosen."""

from __future__ import annotations

import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from basicaer.calibration import measured_crossover
from basicaer.compile.modifiers import formula_numbers
from basicaer.devices.distributed.alone import one_rank
from basicaer.devices.distributed.device import IN_PARTS, divides
from basicaer.devices.memory import check_shots
from basicaer.devices.registry import device_after_failure
from basicaer.devices.spilled.device import LAYOUT_NAME, SpilledDevice
from basicaer.engine.exactly import mean_values, outcome_probabilities
from basicaer.engine.execute import execute
from basicaer.engine.monitor import Monitor, current_monitor
from basicaer.engine.request import Request
from basicaer.engine.sampling import SHOTS_AT_ONCE
from basicaer.engine.suspended import PlannedOtherwiseError, SuspendedShots
from basicaer.engine.together import common_structure, evolve_programs, outcomes
from basicaer.errors import DeviceFailedError, warn
from basicaer.persistence.job_persister import JobPersister
from basicaer.persistence.of_ranks import RanksPersister
from basicaer.persistence.persister import failures_of_resumed
from basicaer.plan.planner import plan_segment
from basicaer.records import DeviceUse, ExperimentOutcome
from basicaer.result import qiskit_experiment, saved_of
from basicaer.sharing import gpus_together, in_parts, on_gpus, qubits_of_rank, shared, working_together
from basicaer.simulators.outcomes import data_of, finished_experiment
from basicaer.spilling import choose_device

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Sequence

    from qiskit.result import Result
    from qiskit.result.models import ExperimentResult

    from basicaer.devices.distributed.comm import Comm
    from basicaer.engine.device import Device
    from basicaer.engine.request import Outcome
    from basicaer.options import Precision
    from basicaer.persistence.job_persister import Continuation
    from basicaer.simulation import Experiment, SimulationPayload

    _Chosen = tuple[Device, str]

__all__ = ["run_resumed", "run_simulation"]

_SMALLEST_BATCH = 4  # experiments: two or three gain little or nothing by running as one batch
_BATCH_SECONDS = 0.1  # expected time of one batch; the job can report finished experiments only between batches


def run_simulation(job_id: str, payload: SimulationPayload) -> Result:
    """Run every experiment and return the result; the function of every job that a backend makes.

    Raises
    ------
    BasicAerError
        If an experiment fails. Like any other exception, it has as ``partial`` a result of the experiments that had
        finished.
    """
    monitor = current_monitor.get() or Monitor()
    monitor.expect_experiments(len(payload.experiments))
    started = time.perf_counter()
    simulation = _Simulation(job_id, payload, monitor)
    try:
        with working_together(payload.ranks, monitor, simulation.look):
            simulation.run()
    except Exception as error:
        seconds = time.perf_counter() - started
        error.partial = payload.result(job_id, simulation.finished, seconds)  # type: ignore[attr-defined]
        _clear_frames(error)
        raise
    finally:
        simulation.close()
    return payload.result(job_id, simulation.finished, time.perf_counter() - started)


def run_resumed(job_id: str, payload: SimulationPayload) -> Result:
    """Run a job that was persisted; the function of every job that is resumed.

    Raises
    ------
    BasicAerError
        If an experiment fails. It also replaces any other error, since the circuits have run before or were refused.
    """
    assert payload.persistence is not None  # a resumed job has it  # noqa: S101
    with failures_of_resumed(payload.persistence.folder):
        return run_simulation(job_id, payload)


def _clear_frames(error: BaseException) -> None:
    """Release what an error's tracebacks refer to: the job keeps the error, and the error would keep the state."""
    current: BaseException | None = error
    while current is not None:
        traceback.clear_frames(current.__traceback__)
        current = current.__context__


class _Simulation:
    """The experiments of one job while they run.

    Attributes
    ----------
    finished
        The results of the experiments that are finished, by position.
    """

    def __init__(self, job_id: str, payload: SimulationPayload, monitor: Monitor) -> None:
        self.finished: dict[int, ExperimentResult] = {}
        self._payload = payload
        self._monitor = monitor
        self._has_failed = threading.Event()
        self._continuation: Continuation | None = None
        self._persister: JobPersister | None = None
        if payload.persistence is not None:
            where = Path(payload.persistence.folder), job_id, payload.persistence.interval, monitor
            self._persister = JobPersister(*where) if payload.ranks is None else RanksPersister(*where, payload.ranks)

    @property
    def look(self) -> Callable[[], None] | None:
        """What looks for warnings of other ranks, if the job is saved."""
        return self._persister.look if isinstance(self._persister, RanksPersister) else None

    def run(self) -> None:
        """Run all experiments; those on different GPUs beside each other."""
        if self._persister is not None:
            self._begin_persistence(self._persister)
        positions_on: dict[int, list[int]] = {}  # positions_on[number of the GPU] = positions of experiments
        for position, experiment in enumerate(self._payload.experiments):
            positions_on.setdefault(experiment.devices.gpu, []).append(position)
        if len(positions_on) == 1:
            self._run_some(range(len(self._payload.experiments)))
            return
        with ThreadPoolExecutor(len(positions_on)) as pool:
            for future in as_completed([pool.submit(self._run_some, some) for some in positions_on.values()]):
                if future.exception() is not None:
                    self._has_failed.set()
                future.result()

    def close(self) -> None:
        """Leave the folder of a persisted job to whoever resumes it."""
        if self._persister is not None:
            self._persister.close()

    def _begin_persistence(self, persister: JobPersister) -> None:
        """Take over the folder of the job, and finish the experiments that had ended when it was saved."""
        persistence = self._payload.persistence
        assert persistence is not None  # a persister has it  # noqa: S101
        self._monitor.stop_early(persistence.margin)
        self._monitor.saved_in = persistence.folder
        ended, self._continuation = persister.resume(self._payload)
        for position, outcome in enumerate(ended):
            self._finish(position, outcome)

    def _run_some(self, positions: Sequence[int]) -> None:
        """Run some experiments, unless they are finished already."""
        for group in _groups(self._payload, [position for position in positions if position not in self.finished]):
            try:
                self._run_group(group)
            except DeviceFailedError as error:
                if self._payload.ranks is not None:
                    raise
                failed = error.with_traceback(None)  # a traceback holds the memory of the state
                left = [position for position in group if position not in self.finished]
                one = self._payload.experiments[left[0]]
                n_qubits = self._n_qubits(one)
                instead = device_after_failure(one.devices, n_qubits, one.precision, failed, "what it was doing")
                self._run_group(left, instead)
            if self._has_failed.is_set():
                return

    def _run_group(self, group: Sequence[int], instead: _Chosen | None = None) -> None:
        """Run the experiments of a group; on another device than the usual one if there is one `instead`."""
        for position, outcome in self._outcomes(group, instead):
            self._finish(position, outcome)
            if self._persister is not None:
                self._persister.finish(position, outcome)
            if self._has_failed.is_set():
                return

    def _finish(self, position: int, outcome: ExperimentOutcome) -> None:
        """Keep the outcome of an experiment, and hand it over to the job."""
        experiment = finished_experiment(self._payload.experiments[position], outcome)
        self.finished[position] = qiskit_experiment(experiment, self._monitor.poll)
        self._monitor.finish_experiment(position, experiment)

    def _outcomes(self, group: Sequence[int], instead: _Chosen | None) -> Iterator[tuple[int, ExperimentOutcome]]:
        """Run the experiments of a group; yield the position and outcome of each."""
        first = self._payload.experiments[group[0]]
        if len(group) > 1:
            n_qubits = self._n_qubits(first)
            device, reason = instead or self._device_for(first)
            states, seconds = device.most_states(n_qubits, first.precision), first.predicted_seconds
            while group and (most := min(states, int(_BATCH_SECONDS / seconds))) >= _SMALLEST_BATCH:
                some, group = group[:most], group[most:]
                started = time.perf_counter()
                yield from self._batch_outcomes(some, device, reason)
                # The prediction is for a circuit that runs by itself, and sets of a batch share most of the work.
                seconds = min(seconds, (time.perf_counter() - started) / len(some))
        for position in group:
            yield position, self._outcome(position, instead)

    def _batch_outcomes(
        self, positions: Sequence[int], device: Device, reason: str
    ) -> Iterator[tuple[int, ExperimentOutcome]]:
        """Run experiments of one structure as a batch of states."""
        experiments = [self._payload.experiments[position] for position in positions]
        programs, first, monitor = [one.program for one in experiments], experiments[0], self._monitor
        use = _use_of(device, reason, self._n_qubits(first), first.precision)
        started = time.perf_counter()
        monitor.enter("gates")
        monitor.poll()
        batch = evolve_programs(
            programs,
            device,
            plan_segment,
            precision=first.precision,
            monitor=monitor,
            density=first.is_density,
        )
        share = (time.perf_counter() - started) / len(positions)
        monitor.enter("sampling")
        engine_outcomes = outcomes(
            programs,
            batch,
            shots=first.shots,
            seeds=[experiment.seed for experiment in experiments],
            keep_order=first.memory,
            monitor=monitor,
        )
        started = time.perf_counter()
        for position, experiment, outcome in zip(positions, experiments, engine_outcomes, strict=True):
            yield position, self._converted(experiment, outcome, use, started - share)
            monitor.enter("sampling")
            started = time.perf_counter()

    def _outcome(self, position: int, instead: _Chosen | None) -> ExperimentOutcome:
        """Run one experiment by itself."""
        experiment = self._payload.experiments[position]
        n_qubits = self._n_qubits(experiment)
        device, reason = instead or self._device_for(experiment, position)
        started = time.perf_counter()
        gpus = (
            [] if instead or self._payload.ranks else gpus_together(experiment.devices, n_qubits, experiment.precision)
        )
        if gpus:
            device, reason = gpus[0], f"the state is divided among {len(gpus)} GPUs, as one has no room for it"
            outcome = on_gpus(gpus, self._monitor, partial(self._executed, position))
        else:
            outcome = self._executed(position, device, self._monitor)
        return self._converted(experiment, outcome, _use_of(device, reason, n_qubits, experiment.precision), started)

    def _executed(self, position: int, device: Device, monitor: Monitor) -> Outcome:
        """Return the engine's outcome of an experiment on a device."""
        experiment, returns = self._payload.experiments[position], self._payload.returns
        program = experiment.program
        n_qubits = self._n_qubits(experiment)
        layout_name = device.layout_name(experiment.precision)
        if self._persister is not None:
            file_saved = device.note_saved if isinstance(device, SpilledDevice) else None
            self._persister.note_running(position, layout_name, file_saved)
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
            density=experiment.is_density,
        )
        run = partial(
            execute,
            request,
            device,
            plan_segment,
            monitor,
            numbers_of=formula_numbers,
            persister=self._persister,
            team=self._team(n_qubits),
            check_shots=partial(
                check_shots,
                f"Circuit '{program.name}', whose outcomes are too many for shots to be split among them,",
                experiment.shots,
            ),
        )
        exact: dict[str, dict[int, Any]] = {}
        how: dict[str, Any] = {"device": device, "planner": plan_segment, "monitor": monitor}
        how["numbers_of"] = formula_numbers
        if experiment.is_density and not program.is_straight_for_density:
            monitor.enter("gates")
            exact |= mean_values(request, **how)
        if program.outcomes_save is not None:  # come first, since they may be refused
            monitor.enter("gates")
            exact[program.outcomes_save.label] = outcome_probabilities(request, **how)
        outcome = None
        if self._continuation is not None and self._continuation.position == position:
            # It serves once: what it refers to is overwritten as soon as this run is persisted.
            continuation, self._continuation = self._continuation, None
            outcome = _continued(continuation, layout_name, program.name, run)
        if outcome is None:
            outcome = run()
        outcome.saved.update(exact)
        return outcome

    def _device_for(self, experiment: Experiment, position: int | None = None) -> _Chosen:
        """Return the device of an experiment, and why it is that one; see `choose_device`."""
        n_qubits, ranks = self._n_qubits(experiment), self._payload.ranks
        of_rank = qubits_of_rank(n_qubits, ranks)
        persistence, continued = self._payload.persistence, self._continuation
        before = ""  # the kind of device of one process that the experiment was running on
        if ranks is None and continued is not None and continued.position == position:
            before = continued.device
        chosen = choose_device(
            experiment.devices,
            of_rank,
            experiment.precision,
            measured_crossover,
            saved_in=None if persistence is None else Path(persistence.folder),
            on_disk=before == LAYOUT_NAME,
        )
        if before == IN_PARTS:
            return in_parts(chosen[0], one_rank()), f"{chosen[1]}; the state was divided among ranks before"
        return shared(chosen, n_qubits, ranks)

    def _team(self, n_qubits: int) -> Comm | None:
        """Return the ranks that share the shots of an experiment, if each has all of its states."""
        ranks = self._payload.ranks
        is_shared = ranks is not None and self._persister is None and not divides(n_qubits, ranks.size)
        return ranks if is_shared else None

    def _n_qubits(self, experiment: Experiment) -> int:
        """Return how many qubits the state has that is evolved for an experiment."""
        is_matrix = experiment.is_density or self._payload.returns == "unitary"
        return experiment.program.state_qubits * (2 if is_matrix else 1)

    def _converted(
        self, experiment: Experiment, outcome: Outcome, device: DeviceUse, started: float
    ) -> ExperimentOutcome:
        """Return the engine's outcome of an experiment as that of the experiment.

        Parameters
        ----------
        started
            When the experiment began, on the clock of `time.perf_counter`.
        """
        seconds = time.perf_counter() - started
        self._monitor.enter("results")
        data = data_of(experiment, self._payload.returns, outcome, self._monitor.poll)
        saved = saved_of(outcome, experiment.program.saves) if outcome.saved else ()
        return ExperimentOutcome(data, saved, time.perf_counter() - started, seconds, device)


def _use_of(device: Device, reason: str, n_qubits: int, precision: Precision) -> DeviceUse:
    return DeviceUse(device.name, reason, device.threads, device.costs(n_qubits, precision) is not None)


def _groups(payload: SimulationPayload, positions: Sequence[int]) -> Iterator[list[int]]:
    """Yield the positions of experiments that may run as a batch; groups are ordered by their first experiment."""
    if payload.returns != "counts" or payload.persistence is not None or len(positions) == 1:
        yield from ([position] for position in positions)
        return
    groups: dict[Hashable, list[int]] = {}
    for position in positions:
        one = payload.experiments[position]
        may_join = one.initial is None and one.shots <= SHOTS_AT_ONCE
        common = common_structure(one.program, density=one.is_density) if may_join else None
        alike = (common, one.devices, one.precision, one.shots, one.memory, one.method)
        key = position if common is None else alike
        groups.setdefault(key, []).append(position)
    found = list(groups.values())
    batches = [group for group in found if len(group) >= _SMALLEST_BATCH]
    singles = [[position] for group in found if len(group) < _SMALLEST_BATCH for position in group]
    yield from sorted([*batches, *singles])


def _continued(continuation: Continuation, layout_name: str, name: str, run: Callable[..., Outcome]) -> Outcome | None:
    """Run a program from where it was persisted; return None, with a warning, if it has to start from the beginning."""
    # What shots have drawn is the same on all devices, and their run has saved no state.
    if continuation.device == layout_name or isinstance(continuation.suspended, SuspendedShots):
        try:
            return run(resume=(continuation.suspended, continuation.restore))
        except PlannedOtherwiseError:
            layout_name = f"{layout_name} of another kind"
    # Each device lays its states out in its own way, and a plan is made for one device.
    warn(
        f"The job was saved on the {continuation.device} and continues on the {layout_name}: circuit '{name}' starts "
        "from the beginning, and its last digits may differ."
    )
    return None
