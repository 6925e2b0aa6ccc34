"""Resumes saved jobs, in one process or with several ranks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from basicaer.errors import BasicAerError, OptionValueError
from basicaer.gradients.job import GradientJob
from basicaer.gradients.persister import CHECKS
from basicaer.gradients.running import run_resumed_gradient
from basicaer.job import BasicAerJob
from basicaer.options import check_margin, check_options
from basicaer.persistence.persister import check_room_of, read_job
from basicaer.simulation import Persistence, SimulationPayload
from basicaer.simulators.ranks import left_together, resumed_by_rank, settings_of_rank, submitted_with_ranks
from basicaer.simulators.running import run_resumed
from basicaer.submission import submit_job

if TYPE_CHECKING:
    from collections.abc import Callable

    from basicaer.devices.distributed.comm import Comm

__all__ = ["resume_job"]


def resume_job(get_backend: Callable[..., Any], options: dict[str, Any]) -> BasicAerJob:
    """Resume a job on a backend of `get_backend`; see `basicaer.provider.BasicAerProvider.resume` for the options."""
    settings = check_options(options)
    check_margin(settings)
    folder, every, margin = (settings.pop(f"checkpoint_{name}") for name in ("dir", "every", "margin"))
    if folder is None:
        raise OptionValueError("resume() takes the folder of a saved job, not None.")
    persistence = Persistence(str(folder), every, margin)
    if not settings["distributed"]:
        return _submitted(get_backend, *_job_in(folder), persistence, settings)
    if settings["executor"] is not None:
        raise OptionValueError("executor cannot be given together with distributed; leave it out.")
    return submitted_with_ranks(
        settings["distributed"], lambda ranks: _resumed_by_ranks(get_backend, persistence, settings, ranks)
    )


def _job_in(folder: Path) -> tuple[str, Any]:
    job_id, payload, ended = read_job(folder, CHECKS)
    check_room_of(folder, payload, ended, CHECKS)
    return job_id, payload


def _resumed_by_ranks(
    get_backend: Callable[..., Any], persistence: Persistence, settings: dict[str, Any], ranks: Comm | None
) -> BasicAerJob:
    """Resume the part of a rank, of a job that rank 0 reads."""
    folder = Path(persistence.folder)
    if ranks is None:
        return _submitted(get_backend, *_job_in(folder), persistence, settings)
    job_id, payload, ended = ranks.broadcast(read_job(folder, CHECKS) if ranks.rank == 0 else None)
    if not isinstance(payload, SimulationPayload):
        raise BasicAerError(
            f"The job in {folder} is that of a gradient, which one process runs; leave out distributed."
        )
    of_job = ranks.again()
    payload = resumed_by_rank(payload, of_job)
    check_room_of(folder, payload, ended)
    return left_together(
        _submitted(get_backend, job_id, payload, persistence, settings_of_rank(settings, ranks)), of_job
    )


def _submitted(
    get_backend: Callable[..., Any], job_id: str, payload: Any, persistence: Persistence, settings: dict[str, Any]
) -> BasicAerJob:
    def no_qobj() -> None:
        raise BasicAerError(
            f"Job {job_id} was resumed from {persistence.folder}, which does not hold its circuits as a Qobj."
        )

    is_gradient = not isinstance(payload, SimulationPayload)
    return submit_job(
        GradientJob if is_gradient else BasicAerJob,
        get_backend() if is_gradient else get_backend(payload.backend_name),
        run_resumed_gradient if is_gradient else run_resumed,
        no_qobj,
        prepare=lambda: replace(payload, persistence=persistence),
        settings=settings,
        job_id=job_id,
    )
