"""Submits the tasks of a gradient's job."""

from __future__ import annotations

import uuid
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from basicaer.gradients.running import run_gradient
from basicaer.job import BasicAerJob
from basicaer.options import NOT_SAVED, check_options, check_saving
from basicaer.persistence.persister import saved_new
from basicaer.primitives.base import devices_of, expected_device
from basicaer.primitives.payload import PrimitivePayload
from basicaer.simulation import Persistence
from basicaer.submission import submit_job

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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
    tasks: Sequence[GradientTask],
    estimator: EstimatorV2,
    settings: dict[str, Any],
    saving: Mapping[str, Any] = NOT_SAVED,
) -> _Job:
    """Submit tasks as a job of some class.

    Parameters
    ----------
    saving
        Options of saving the job; those of a backend have no effect, as on all jobs of primitives.
    """
    settings = settings | check_options(dict(saving))
    check_saving(settings)
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
    submit = partial(submit_job, job_class, backend, run_gradient, no_qobj, prepare=lambda: payload, settings=settings)
    if folder is None:
        return submit()
    job_id = str(uuid.uuid4())
    with saved_new(Path(folder), job_id) as save:
        save(payload)
        return submit(job_id=job_id)
