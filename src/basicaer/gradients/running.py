"""Carries out the tasks of a gradient's job, in whichever process or thread its executor has chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from basicaer.calibration import measured_crossover
from basicaer.devices.registry import choose_device, device_after_failure
from basicaer.engine.adjoint import Adjoint, Sweep
from basicaer.engine.monitor import Monitor, current_monitor
from basicaer.errors import DeviceFailedError, warn
from basicaer.gradients.payload import Differentiated
from basicaer.options import Precision
from basicaer.plan.planner import plan_segment
from basicaer.primitives.payload import Estimated
from basicaer.primitives.running import run_task

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from basicaer.engine.device import Device
    from basicaer.gradients.payload import GradientTask, Shifts
    from basicaer.primitives.payload import PrimitivePayload

__all__ = ["run_gradient"]

_LARGEST_DEVIATION = {Precision.SINGLE: 1e-3, Precision.DOUBLE: 1e-9}


def run_gradient(_job_id: str, payload: PrimitivePayload[GradientTask]) -> list[Differentiated]:
    """Differentiate the circuits of all tasks; the function of every gradient's job."""
    monitor = current_monitor.get() or Monitor()
    monitor.expect_experiments(len(payload.tasks))
    found = []
    for number, task in enumerate(payload.tasks):
        if isinstance(task.how, Sweep):
            found.append(_undone(task, task.how, payload, monitor, number))
        else:
            found.append(_shifted(task, task.how, payload, monitor, number))
        monitor.finish_experiment(number, None)
    return found


def _undone(
    task: GradientTask, sweep: Sweep, payload: PrimitivePayload[GradientTask], monitor: Monitor, number: int
) -> Differentiated:
    device, _ = choose_device(payload.devices, task.n_qubits, payload.precision, measured_crossover)
    try:
        return _by_adjoint(task, sweep, device, payload, monitor)
    except DeviceFailedError as error:
        failed = error.with_traceback(None)  # a traceback holds the memory of the states
    device, _ = device_after_failure(payload.devices, task.n_qubits, payload.precision, failed, f"gradient {number}")
    return _by_adjoint(task, sweep, device, payload, monitor)


def _by_adjoint(
    task: GradientTask, sweep: Sweep, device: Device, payload: PrimitivePayload[GradientTask], monitor: Monitor
) -> Differentiated:
    found = Adjoint(device, plan_segment, payload.precision, monitor).run(sweep)
    outputs = task.observables if sweep.cotangent is None and sweep.bras is None else 1
    by_occurrences = np.zeros((task.sets, outputs, task.chain.size), complex)
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
    metadata: dict[str, Any] = {"device": device.name, "precision": str(payload.precision)}
    if found.deviation is not None:
        metadata["deviation"] = found.deviation
        if not found.deviation <= _LARGEST_DEVIATION[payload.precision]:
            warn(
                f"The state of circuit '{task.name}' came back {found.deviation:.1g} away from where it began, so its "
                "gradient has lost accuracy; use precision='double', and gates that are unitary."
            )
    return Differentiated(
        found.values, gradients if sweep.cotangent is None else gradients[:, 0], task.metadata | metadata, task.report
    )


def _shifted(
    task: GradientTask, shifts: Shifts, payload: PrimitivePayload[GradientTask], monitor: Monitor, number: int
) -> Differentiated:
    estimated = run_task(shifts.task, payload, monitor, number, 0)
    assert isinstance(estimated, Estimated)  # its task is an estimator's  # noqa: S101
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
