"""Runs the PUBs of a primitive's job, in whichever process or thread its executor has chosen.

Parameter sets of a small circuit run as a batch, as many at a time as suits the device; those of a larger circuit run
one after another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from basicaer.calibration import measured_crossover
from basicaer.devices.distributed.device import divides
from basicaer.devices.registry import device_after_failure
from basicaer.engine.draws import generator, seeds_of_experiments
from basicaer.engine.execute import lost
from basicaer.engine.monitor import Monitor, current_monitor
from basicaer.engine.sampling import SHOTS_AT_ONCE, classical_values, sample_in_any_order, words_of
from basicaer.errors import DeviceFailedError, LostNormError
from basicaer.primitives.estimating import estimated
from basicaer.primitives.payload import Sampled, SamplerTask
from basicaer.primitives.sweep_run import SweepRun
from basicaer.sharing import all_fit, in_parts, qubits_of_rank, working_together
from basicaer.spilling import choose_device

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from basicaer.engine.device import Device
    from basicaer.primitives.payload import Estimated, EstimatorTask, PrimitivePayload, Task
    from basicaer.primitives.sweep_run import KeptTask

__all__ = ["run_primitive", "run_task"]

_SHOTS_STORED = 2**14  # shots whose outcomes are stored at once


def run_primitive(_job_id: str, payload: PrimitivePayload[Task]) -> list[Sampled | Estimated]:
    """Run every PUB and return their results; the function of every primitive's job."""
    monitor = current_monitor.get() or Monitor()
    monitor.expect_experiments(len(payload.tasks))
    results: list[Sampled | Estimated] = []
    position = 0  # position of the task's first parameter set among the sets of all tasks
    with working_together(payload.ranks, monitor):
        for number, task in enumerate(payload.tasks):
            results.append(run_task(task, payload, monitor, number, position))
            position += task.sweep.size
            monitor.finish_experiment(number, None)
    return results


def run_task(
    task: SamplerTask | EstimatorTask,
    payload: PrimitivePayload[Any],
    monitor: Monitor,
    number: int,
    position: int,
    *,
    kept: KeptTask | None = None,
) -> Sampled | Estimated:
    """Run one task of a job.

    Parameters
    ----------
    number
        Its number in the job.
    position
        The position of its first set of values among the sets of all tasks.
    kept
        Keeps how far an estimator's task is, and where it was before; None if it is not saved.
    """
    qubits = task.evolved_qubits
    device, _ = choose_device(payload.devices, qubits, payload.precision, measured_crossover)
    if payload.ranks is not None:
        device = _shared_device(device, qubits, payload)
        return _result_of(task, SweepRun(task, payload, device, monitor, kept), number, position)
    try:
        return _result_of(task, SweepRun(task, payload, device, monitor, kept), number, position)
    except DeviceFailedError as error:
        failed = error.with_traceback(None)  # a traceback holds the memory of the states
    device, _ = device_after_failure(payload.devices, qubits, payload.precision, failed, f"PUB {number}")
    return _result_of(task, SweepRun(task, payload, device, monitor), number, position)


def _shared_device(device: Device, n_qubits: int, payload: PrimitivePayload[Any]) -> Device:
    """Return the device of this rank, or that of all ranks together for a state that does not fit each of them."""
    ranks, precision = payload.ranks, payload.precision
    if not divides(n_qubits, ranks.size) or all_fit(device, n_qubits, precision, ranks):
        return device
    of_rank, _ = choose_device(payload.devices, qubits_of_rank(n_qubits, ranks), precision, measured_crossover)
    return in_parts(of_rank, ranks)


def _result_of(task: SamplerTask | EstimatorTask, run: SweepRun, number: int, position: int) -> Sampled | Estimated:
    """Run a task, of this number in the job, whose first set has this position among the sets of all tasks."""
    if isinstance(task, SamplerTask):
        return _sampled(task, run, position)
    return estimated(task, run, number, position)


def _sampled(task: SamplerTask, run: SweepRun, position: int) -> Sampled:
    sweep, shots = task.sweep, task.shots
    arrays = [np.zeros((sweep.size, shots, one.n_bytes), np.uint8) for one in task.registers]

    def store(number: int, values: list[int], which: NDArray[np.int64]) -> None:
        for register, array in zip(task.registers, arrays, strict=True):
            array[number] = register.bytes_of(values, run.monitor.poll)[which]

    run.monitor.expect(None, len(run.sets) * shots)
    if run.batch_size and shots <= SHOTS_AT_ONCE:
        final = sweep.structure.final
        at_once = max(_SHOTS_STORED // shots, 1)
        seeds = seeds_of_experiments(run.seed, range(position, position + sweep.size))
        for part, batch in run.batches():
            run.monitor.enter("sampling")
            for first in range(part.start, part.stop, at_once):
                numbers = range(first, min(first + at_once, part.stop))
                indices = np.empty((len(numbers), shots), np.int64)
                for row, number in zip(indices, numbers, strict=True):
                    run.monitor.poll()
                    draws = generator(seeds[number]).random(shots)
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
        for number in run.sets:
            outcome = run.execute(position + number, sweep.program(number), shots=shots, keep_order=True)
            assert outcome.value_of_shot is not None  # keep_order asks for it  # noqa: S101
            store(number, outcome.values, outcome.value_of_shot)
    parts = run.of_ranks([array[run.sets.start : run.sets.stop] for array in arrays])
    if len(parts) > 1:
        arrays = [np.concatenate(of_register) for of_register in zip(*parts, strict=True)]
    return Sampled(task.shape, task.metadata, shots, task.registers, arrays, dict(task.choice.metadata))
