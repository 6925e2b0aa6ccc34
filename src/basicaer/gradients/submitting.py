"""Submits the tasks of a gradient's job."""

from __future__ import annotations

import uuid
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from basicaer.engine.error_patterns import NoisySweep
from basicaer.errors import OptionValueError
from basicaer.gradients.payload import Shifts
from basicaer.gradients.running import check_room_on_ranks, run_gradient
from basicaer.job import BasicAerJob
from basicaer.options import NOT_SAVED, check_options, check_saving
from basicaer.persistence.persister import saved_new
from basicaer.primitives.base import devices_of, expected_device, parts_of_task
from basicaer.primitives.payload import PrimitivePayload
from basicaer.simulation import Persistence
from basicaer.simulators.ranks import (
    check_same,
    left_together,
    settings_of_rank,
    submitted_with_ranks,
    without_name,
)
from basicaer.submission import submit_job

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from basicaer.devices.distributed.comm import Comm
    from basicaer.gradients.payload import GradientTask
    from basicaer.option_types import SavingOptions
    from basicaer.primitives.estimator import EstimatorV2

__all__ = ["saving_in", "submit_tasks"]

_Job = TypeVar("_Job", bound=BasicAerJob)


def saving_in(options: Mapping[str, Any]) -> tuple[dict[str, Any], SavingOptions]:
    """Return options without those of saving a job, and these by themselves."""
    saving = {name: value for name, value in options.items() if name in NOT_SAVED}
    others = {name: value for name, value in options.items() if name not in saving}
    return others, cast("SavingOptions", saving)


def submit_tasks(
    job_class: type[_Job],
    make: Callable[[], Sequence[GradientTask]],
    estimator: EstimatorV2,
    settings: dict[str, Any],
    saving: Mapping[str, Any] = NOT_SAVED,
    *,
    ranks: Comm | None = None,
) -> _Job:
    """Submit tasks as a job of some class.

    Parameters
    ----------
    make
        Makes the tasks. If ranks share them and it fails on one rank, it fails on all.
    saving
        Options of saving the job; those of a backend have no effect, as on all jobs of primitives.
    ranks
        Those that prepare the job together already; None if there are none, or if the settings say.
    """
    settings = settings | check_options(dict(saving))
    check_saving(settings)
    if settings["distributed"] and settings["checkpoint_dir"] is not None:
        raise OptionValueError("checkpoint_dir saves a gradient that one process takes; leave it out, or distributed.")

    def of_rank(ranks: Comm | None) -> _Job:
        return _submitted(job_class, make(), estimator, {**settings, "distributed": ranks or False})

    return of_rank(ranks) if ranks is not None else submitted_with_ranks(settings["distributed"], of_rank)


def _submitted(
    job_class: type[_Job], tasks: Sequence[GradientTask], estimator: EstimatorV2, settings: dict[str, Any]
) -> _Job:
    """Submit tasks with all options, checked, together with other ranks if there are any."""
    ranks: Comm | None = settings["distributed"] or None
    widest = max((task.n_qubits for task in tasks), default=0)
    folder, interval, margin = (settings[f"checkpoint_{name}"] for name in ("dir", "every", "margin"))
    payload = PrimitivePayload(
        tuple(tasks),
        estimator._seed_of_run(),  # noqa: SLF001  # a class of this package
        devices_of(settings),
        settings["precision"],
        expected_device(widest, settings).queue,
        persistence=None if folder is None else Persistence(str(folder), interval, margin),
    )

    def no_qobj() -> None:
        """Stand in for the circuits of a job: `GradientJob.qobj` says that there is no Qobj."""

    backend = estimator._backend  # noqa: SLF001  # a class of this package
    submit = partial(submit_job, job_class, backend, run_gradient, no_qobj)
    if ranks is not None:
        check_same({f"circuit {number}": _parts_of(task) for number, task in enumerate(tasks)}, ranks)
        for task in tasks:
            check_room_on_ranks(task, expected_device(task.n_qubits, settings), settings["precision"], ranks)
        of_job = ranks.again()
        shared = replace(payload, seed=ranks.broadcast(payload.seed), ranks=of_job)
        return left_together(submit(prepare=lambda: shared, settings=settings_of_rank(settings, ranks)), of_job)
    if folder is None:
        return submit(prepare=lambda: payload, settings=settings)
    job_id = str(uuid.uuid4())
    with saved_new(Path(folder), job_id) as save:
        save(payload)
        return submit(prepare=lambda: payload, settings=settings, job_id=job_id)


def _parts_of(task: GradientTask) -> Any:
    """Return what is the same for tasks with the same outcome, besides names."""
    how = task.how.sweep if isinstance(task.how, NoisySweep) else task.how
    if isinstance(how, Shifts):
        return parts_of_task(how.task), task.chain, task.cotangent
    own = how.segments, how.size, how.masks, how.factors, how.cotangent, how.generators, how.bras
    return without_name(how.program), own, task.chain
