"""Submits the tasks of a gradient's job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from basicaer.gradients.running import run_gradient
from basicaer.job import BasicAerJob
from basicaer.primitives.base import devices_of, expected_device
from basicaer.primitives.payload import PrimitivePayload
from basicaer.submission import submit_job

if TYPE_CHECKING:
    from collections.abc import Sequence

    from basicaer.gradients.payload import GradientTask
    from basicaer.primitives.estimator import EstimatorV2

__all__ = ["submit_tasks"]

_Job = TypeVar("_Job", bound=BasicAerJob)


def submit_tasks(
    job_class: type[_Job], tasks: Sequence[GradientTask], estimator: EstimatorV2, settings: dict[str, Any]
) -> _Job:
    """Submit tasks as a job of some class."""
    widest = max((task.n_qubits for task in tasks), default=0)
    payload = PrimitivePayload(
        tuple(tasks),
        estimator._seed_of_run(),  # noqa: SLF001  # a class of this package
        devices_of(settings),
        settings["precision"],
        expected_device(widest, settings).queue,
    )

    def no_qobj() -> None:
        """Stand in for the circuits of a job: `GradientJob.qobj` says that there is no Qobj."""

    backend = estimator._backend  # noqa: SLF001  # a class of this package
    return submit_job(job_class, backend, run_gradient, no_qobj, prepare=lambda: payload, settings=settings)
