"""Submits what a simulator has prepared: in one process or together with other ranks, saved or not."""

from __future__ import annotations

import contextlib
import uuid
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from basicaer.devices.limits import usable_cores
from basicaer.errors import OptionValueError
from basicaer.job import BasicAerJob
from basicaer.persistence.of_ranks import saved_together
from basicaer.persistence.persister import saved_new
from basicaer.simulation import Persistence
from basicaer.simulators.ranks import check_same, left_together, on_any_rank, parts_of, settings_of_rank
from basicaer.simulators.running import run_simulation
from basicaer.submission import submit_job

if TYPE_CHECKING:
    from collections.abc import Callable

    from qiskit.providers import BackendV2

    from basicaer.devices.distributed.comm import Comm
    from basicaer.simulation import SimulationPayload

__all__ = ["submitted"]


def submitted(
    backend: BackendV2, qobj: Any, prepare: Callable[[], SimulationPayload], settings: dict[str, Any]
) -> BasicAerJob:
    """Return the job of a backend, submitted.

    Parameters
    ----------
    qobj
        What the job says it runs: a Qobj, or a function that makes one.
    prepare
        Makes the payload; it is called once the Qobj has been checked.
    settings
        All options of `run`.
    """
    parts = settings["max_parallel_experiments"] or usable_cores()
    submit = partial(submit_job, BasicAerJob, backend, run_simulation, qobj, settings=settings, parts=parts)
    persistence = None if settings["checkpoint_dir"] is None else _persistence(settings)
    if ranks := settings["distributed"]:
        of_rank = settings_of_rank(settings, ranks)
        return _submitted_together(partial(submit, settings=of_rank), prepare, ranks, persistence, settings)
    if persistence is None:
        return submit(prepare=prepare)
    job_id = str(uuid.uuid4())
    # The worker would write it too late: a job that is stopped while it waits can be resumed, too.
    with saved_new(Path(persistence.folder), job_id) as save:

        def prepare_saved() -> SimulationPayload:
            payload = replace(prepare(), persistence=persistence)
            save(payload)
            return payload

        return submit(prepare=prepare_saved, job_id=job_id)


def _submitted_together(
    submit: Callable[..., BasicAerJob],
    prepare: Callable[[], SimulationPayload],
    ranks: Comm,
    persistence: Persistence | None,
    settings: dict[str, Any],
) -> BasicAerJob:
    """Submit the job of one rank, after all ranks have seen that theirs are the same."""
    made: list[Comm] = []
    job_id = ranks.broadcast(str(uuid.uuid4()))
    saving = saved_together(Path(persistence.folder), job_id, ranks) if persistence else contextlib.nullcontext()
    with saving as save:

        def prepare_together() -> SimulationPayload:
            payload = replace(prepare(), persistence=persistence)
            check_same(parts_of(payload.experiments), ranks)
            if save is not None:
                save(on_any_rank(payload, settings["max_parallel_threads"]))
            made.append(ranks.again())
            return replace(payload, ranks=made[0])

        return left_together(submit(prepare=prepare_together, job_id=job_id), made[0])


def _persistence(settings: dict[str, Any]) -> Persistence:
    gpus = 1 if settings["distributed"] else len(settings["target_gpus"] or (0,))  # ranks have one each
    if settings["max_parallel_experiments"] != 1 or gpus > 1:
        raise OptionValueError(
            "checkpoint_dir saves circuits that run one after another; leave out max_parallel_experiments and give one "
            "of target_gpus at most."
        )
    folder, interval, margin = (settings[f"checkpoint_{name}"] for name in ("dir", "every", "margin"))
    return Persistence(str(folder), interval, margin)
