"""A job as a future of Python, for `concurrent.futures.as_completed` and whatever else takes futures."""

from __future__ import annotations

from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from qiskit.providers import JobStatus

if TYPE_CHECKING:
    from collections.abc import Callable

    from basicaer.job_state import JobState

__all__ = ["JobFuture"]


class JobFuture(Future[Any]):
    """The future that `BasicAerJob.future` returns.

    Its `done` is that of Python's futures: it is True however the job has ended.

    Parameters
    ----------
    cancel, running
        The methods of the job.
    """

    def __init__(self, cancel: Callable[[], bool], running: Callable[[], bool]) -> None:
        super().__init__()
        self._cancel_job = cancel
        self._is_running = running

    def cancel(self) -> bool:
        """Cancel the job; the future is done when the job has stopped."""
        return self._cancel_job()

    def running(self) -> bool:
        """Tell whether the job is running."""
        return self._is_running()

    def take(self, state: JobState, result_of: Callable[[Any], Any]) -> None:
        """Take the outcome of the job, which has ended in a state; `result_of` makes the result of it."""
        if state.final is JobStatus.CANCELLED:
            super().cancel()
            self.set_running_or_notify_cancel()  # wakes those who wait for several futures
        elif state.error is not None:  # it is not raised here: its traceback would keep the job alive
            self.set_exception(state.error)
        else:
            try:
                self.set_result(result_of(state.joined_outcomes()))
            except Exception as error:  # noqa: BLE001  # it is raised where the result is requested
                self.set_exception(error)
