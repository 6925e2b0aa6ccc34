"""Submits the jobs of simulators, primitives and `resume` with the settings that concern a job."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, TypeVar

from basicaer.job import BasicAerJob
from basicaer.termination import check_main_thread, save_on_sigterm

if TYPE_CHECKING:
    from collections.abc import Callable

    from basicaer.payload import Payload

__all__ = ["submit_job"]

_Job = TypeVar("_Job", bound=BasicAerJob)
_PASSED_ON = ("executor", "timeout", "callback", "cancel_on_interrupt")


def submit_job(
    job_class: type[_Job],
    backend: Any,
    fn: Callable[[str, Any], Any],
    qobj: Any,
    *,
    prepare: Callable[[], Payload],
    settings: dict[str, Any],
    job_id: str | None = None,
    parts: int = 1,
) -> _Job:
    """Make a job, submit it and return it.

    Parameters
    ----------
    backend, fn, qobj, prepare, parts
        As for `BasicAerJob`.
    settings
        Checked options of `run`, of which ``executor``, ``timeout``, ``callback``, ``cancel_on_interrupt``,
        ``progress`` and, if it is there, ``checkpoint_on_sigterm`` are used.
    job_id
        The job's id; None for a new one.
    """
    is_saved_on_sigterm = settings.get("checkpoint_on_sigterm", False)
    if is_saved_on_sigterm:
        check_main_thread()
    bar = None
    if settings["progress"]:
        from basicaer.watching import draw_in_background  # most jobs show no bar, and tqdm takes a while to import

        bar = draw_in_background
    passed_on = {name: settings[name] for name in _PASSED_ON}
    job = job_class(backend, job_id or str(uuid.uuid4()), fn, qobj, prepare=prepare, parts=parts, bar=bar, **passed_on)
    job.submit()
    if is_saved_on_sigterm:
        save_on_sigterm(job)
    return job
