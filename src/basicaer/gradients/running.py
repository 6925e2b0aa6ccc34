"""Carries out the tasks of a gradient's job, in whichever process or thread its executor has chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from basicaer.calibration import measured_crossover
from basicaer.devices.registry import choose_device, device_after_failure
from basicaer.engine.adjoint import Adjoint, Sweep
from basicaer.engine.monitor import Monitor, current_monitor
from basicaer.errors import Cancelled, DeviceFailedError, JobTimeLimitError, warn
from basicaer.gradients.payload import Differentiated, SweepBegun
from basicaer.gradients.persister import GradientPersister
from basicaer.options import Precision
from basicaer.persistence.persister import failures_of_resumed
from basicaer.plan.planner import plan_segment
from basicaer.primitives.payload import Estimated
from basicaer.primitives.running import run_task

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from basicaer.engine.adjoint import AdjointSums
    from basicaer.engine.device import Device
    from basicaer.gradients.payload import GradientTask, Shifts
    from basicaer.primitives.payload import PrimitivePayload

__all__ = ["run_gradient", "run_resumed_gradient"]

_LARGEST_DEVIATION = {Precision.SINGLE: 1e-3, Precision.DOUBLE: 1e-9}


def run_gradient(job_id: str, payload: PrimitivePayload[GradientTask]) -> list[Differentiated]:
    """Differentiate the circuits of all tasks; the function of every gradient's job."""
    monitor = current_monitor.get() or Monitor()
    monitor.expect_experiments(len(payload.tasks))
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
        if isinstance(task.how, Sweep):
            outcome = self._undone(task, task.how, number)
        else:
            estimated = run_task(task.how.task, self._payload, self._monitor, number, 0, kept=self._kept)
            assert isinstance(estimated, Estimated)  # its task is an estimator's  # noqa: S101
            outcome = _of_shifted(task, task.how, estimated)
        if self._kept is not None:
            self._kept.finish(number, outcome)
        return outcome

    def _undone(self, task: GradientTask, sweep: Sweep, number: int) -> Differentiated:
        devices, precision = self._payload.devices, self._payload.precision
        device, _ = choose_device(devices, task.n_qubits, precision, measured_crossover)
        try:
            return self._by_adjoint(task, sweep, device)
        except DeviceFailedError as error:
            failed = error.with_traceback(None)  # a traceback holds the memory of the states
        device, _ = device_after_failure(devices, task.n_qubits, precision, failed, f"gradient {number}")
        return self._by_adjoint(task, sweep, device)

    def _by_adjoint(self, task: GradientTask, sweep: Sweep, device: Device) -> Differentiated:
        precision, kept = self._payload.precision, self._kept
        adjoint = Adjoint(device, plan_segment, precision, self._monitor)
        if kept is None:
            return _of_sums(task, sweep, adjoint.run(sweep), device, precision)
        begun = kept.begun_on(device.layout_name(precision))
        found = adjoint.run(sweep, begun, lambda *so_far: kept.note(SweepBegun(*so_far)))
        return _of_sums(task, sweep, found, device, precision)


def _of_sums(
    task: GradientTask, sweep: Sweep, found: AdjointSums, device: Device, precision: Precision
) -> Differentiated:
    """Return the derivatives that follow from the sums of a sweep."""
    by_occurrences = np.zeros((task.sets, sweep.outputs, task.chain.size), complex)
    for place, gate, at, occurrence in task.angles:
        by_occurrences[:, :, occurrence] = found.sums[place][gate][:, :, at].T
    # Each global phase turns the whole state.
    outputs_of_state = found.values
    if sweep.cotangent is not None:
        outputs_of_state = (found.values * sweep.cotangent).sum(axis=1, keepdims=True)
    by_occurrences[:, :, task.chain.size - task.phases :] = 1j * outputs_of_state[:, :, None]
    if sweep.bras is None:
        by_occurrences *= 2
    gradients = task.chain.by_parameters(by_occurrences)
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
    by_occurrences = np.zeros((task.chain.size, task.sets, task.observables))
    weighed = each[:, 1:] * shifts.factors[:, None]
    np.add.at(by_occurrences, shifts.occurrences, weighed.swapaxes(0, 1))
    gradients = task.chain.by_parameters(by_occurrences.transpose(1, 2, 0)).astype(complex)
    if task.cotangent is not None:
        gradients = (gradients * task.cotangent[:, :, None]).sum(axis=1)
    how = {f"simulation_{key}" if key.startswith("method") else key: value for key, value in estimated.how.items()}
    return Differentiated(values, gradients, task.metadata | how, task.report)
