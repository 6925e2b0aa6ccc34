"""Carries out the tasks of a gradient's job, in whichever process or thread its executor has chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from basicaer.calibration import measured_crossover
from basicaer.devices.registry import choose_device, device_after_failure
from basicaer.engine.adjoint import Adjoint
from basicaer.engine.error_patterns import NoisySweep
from basicaer.engine.monitor import Monitor, current_monitor
from basicaer.engine.sweeps import Sweep
from basicaer.errors import BasicAerError, Cancelled, DeviceFailedError, JobTimeLimitError, warn
from basicaer.gradients.by_patterns import by_patterns
from basicaer.gradients.payload import Differentiated, SweepBegun
from basicaer.gradients.persister import GradientPersister
from basicaer.gradients.sums import gradients_of
from basicaer.options import Precision
from basicaer.persistence.persister import failures_of_resumed
from basicaer.plan.planner import plan_segment
from basicaer.primitives.payload import Estimated
from basicaer.primitives.running import run_task
from basicaer.sharing import all_fit, working_together
from basicaer.wording import counted

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from basicaer.devices.distributed.comm import Comm
    from basicaer.engine.device import Device
    from basicaer.engine.sweeps import AdjointSums
    from basicaer.gradients.payload import GradientTask, Shifts
    from basicaer.primitives.payload import PrimitivePayload

__all__ = ["check_room_on_ranks", "run_gradient", "run_resumed_gradient"]

_LARGEST_DEVIATION = {Precision.SINGLE: 1e-3, Precision.DOUBLE: 1e-9}


def run_gradient(job_id: str, payload: PrimitivePayload[GradientTask]) -> list[Differentiated]:
    """Differentiate the circuits of all tasks; the function of every gradient's job."""
    monitor = current_monitor.get() or Monitor()
    monitor.expect_experiments(len(payload.tasks))
    with working_together(payload.ranks, monitor):
        return _with_saves(job_id, payload, monitor)


def _with_saves(job_id: str, payload: PrimitivePayload[GradientTask], monitor: Monitor) -> list[Differentiated]:
    kept = None if payload.persistence is None else GradientPersister(payload, job_id, monitor)
    try:
        return _Run(payload, monitor, kept).run()
    except (Cancelled, JobTimeLimitError):
        if kept is not None:
            kept.write_noted()
        raise
    finally:
        if kept is not None:
            kept.close()


def run_resumed_gradient(job_id: str, payload: PrimitivePayload[GradientTask]) -> list[Differentiated]:
    """Go on with a job that was persisted; the function of every gradient's job that is resumed.

    Raises
    ------
    BasicAerError
        If it fails. It also replaces any other error, since the circuit has been accepted before.
    """
    assert payload.persistence is not None  # a resumed job has it  # noqa: S101
    with failures_of_resumed(payload.persistence.folder):
        return run_gradient(job_id, payload)


def check_room_on_ranks(task: GradientTask, device: Device, precision: Precision, ranks: Comm) -> None:
    """Refuse a task whose two states do not fit each rank, given the device of this one; every rank raises the same."""
    if isinstance(task.how, Sweep | NoisySweep) and not all_fit(device, task.n_qubits + 1, precision, ranks):
        raise BasicAerError(
            f"A gradient of circuit '{task.name}' needs room on every rank for two states of "
            f"{counted(task.n_qubits, 'qubit')}, which some have not; start fewer ranks on a host, or use "
            "precision='single'."
        )


class _Run:
    """The tasks of one job while they run."""

    def __init__(
        self, payload: PrimitivePayload[GradientTask], monitor: Monitor, kept: GradientPersister | None
    ) -> None:
        self._payload = payload
        self._monitor = monitor
        self._kept = kept

    def run(self) -> list[Differentiated]:
        """Differentiate the circuits that have not been differentiated before the job was saved."""
        found = [] if self._kept is None else self._kept.resume()
        for number, task in enumerate(self._payload.tasks):
            if number >= len(found):
                found.append(self._differentiated(task, number))
            self._monitor.finish_experiment(number, None)
        return found

    def _differentiated(self, task: GradientTask, number: int) -> Differentiated:
        if self._kept is not None:
            self._kept.begin(number)
        if isinstance(task.how, Sweep | NoisySweep):
            outcome = self._undone(task, task.how, number)
        else:
            estimated = run_task(task.how.task, self._payload, self._monitor, number, 0, kept=self._kept)
            assert isinstance(estimated, Estimated)  # its task is an estimator's  # noqa: S101
            outcome = _of_shifted(task, task.how, estimated)
        if self._kept is not None:
            self._kept.finish(number, outcome)
        return outcome

    def _undone(self, task: GradientTask, sweep: Sweep | NoisySweep, number: int) -> Differentiated:
        devices, precision = self._payload.devices, self._payload.precision
        device, _ = choose_device(devices, task.n_qubits, precision, measured_crossover)
        if self._payload.ranks is not None:
            check_room_on_ranks(task, device, precision, self._payload.ranks)
            return self._by_adjoint(task, sweep, device)
        try:
            return self._by_adjoint(task, sweep, device)
        except DeviceFailedError as error:
            failed = error.with_traceback(None)  # a traceback holds the memory of the states
        device, _ = device_after_failure(devices, task.n_qubits, precision, failed, f"gradient {number}")
        return self._by_adjoint(task, sweep, device)

    def _by_adjoint(self, task: GradientTask, sweep: Sweep | NoisySweep, device: Device) -> Differentiated:
        precision, kept = self._payload.precision, self._kept
        adjoint = Adjoint(device, plan_segment, precision, self._monitor, self._payload.ranks)
        begun = None if kept is None else kept.begun_on(device.layout_name(precision))
        if isinstance(sweep, NoisySweep):
            note = (lambda _begun: None) if kept is None else kept.note
            outcome = by_patterns(task, sweep, adjoint, self._payload.seed, begun, note)
            outcome.metadata.update(device=device.name, precision=str(precision))
            return outcome
        if kept is None:
            return _of_sums(task, sweep, adjoint.run(sweep), device, precision)
        found = adjoint.run(sweep, begun, lambda *so_far: kept.note(SweepBegun(*so_far)))
        return _of_sums(task, sweep, found, device, precision)


def _of_sums(
    task: GradientTask, sweep: Sweep, found: AdjointSums, device: Device, precision: Precision
) -> Differentiated:
    """Return the derivatives that follow from the sums of a sweep."""
    gradients = gradients_of(task, sweep, found)
    metadata: dict[str, Any] = {"device": device.name, "precision": str(precision)}
    if found.deviation is not None:
        metadata["deviation"] = found.deviation
        if not found.deviation <= _LARGEST_DEVIATION[precision]:
            warn(
                f"The state of circuit '{task.name}' came back {found.deviation:.1g} away from where it began, so its "
                "gradient has lost accuracy; use precision='double', and gates that are unitary."
            )
    return Differentiated(
        found.values, gradients if sweep.cotangent is None else gradients[:, 0], task.metadata | metadata, task.report
    )


def _of_shifted(task: GradientTask, shifts: Shifts, estimated: Estimated) -> Differentiated:
    """Return the derivatives that follow from values at shifted angles."""
    each = estimated.values.reshape(task.sets, -1, task.observables)
    values: NDArray[np.float64] = each[:, 0]
    by_occurrences = _by_occurrences(task, shifts, each[:, 1:] * shifts.factors[:, None])
    gradients = task.chain.by_parameters(by_occurrences).astype(complex)
    if task.cotangent is not None:
        gradients = (gradients * task.cotangent[:, :, None]).sum(axis=1)
    how = {f"simulation_{key}" if key.startswith("method") else key: value for key, value in estimated.how.items()}
    errors = None
    if estimated.stds.any():
        errors = _errors_of_shifted(task, shifts, estimated.stds.reshape(each.shape)[:, 1:])
        how["gradient_standard_error"] = float(errors.max(initial=0.0))
    return Differentiated(values, gradients, task.metadata | how, task.report, errors)


def _errors_of_shifted(task: GradientTask, shifts: Shifts, stds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the standard errors of derivatives from those of values, which are independent at different angles.

    Those of different observables are not, so that with a cotangent the result is what they are at most.
    """
    variances = _by_occurrences(task, shifts, (stds * shifts.factors[:, None]) ** 2)
    squared = task.chain._replace(slopes=task.chain.slopes**2)
    errors: NDArray[np.float64] = np.sqrt(squared.by_parameters(variances))
    return errors if task.cotangent is None else (errors * abs(task.cotangent)[:, :, None]).sum(axis=1)


def _by_occurrences(task: GradientTask, shifts: Shifts, shifted: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ``sums[s, o, c]`` for occurrence c from ``shifted[s, k, o]`` of its shifts k."""
    sums = np.zeros((task.chain.size, task.sets, task.observables))
    np.add.at(sums, shifts.occurrences, shifted.swapaxes(0, 1))
    return sums.transpose(1, 2, 0)
