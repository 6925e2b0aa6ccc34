"""A job as a future of Python, for `concurrent.futures.as_completed` and whatever else takes futures."""

from __future__ import annotations

import math
import time
from concurrent.futures import CancelledError, Future, wait
from typing import TYPE_CHECKING, Any, NoReturn

from qiskit.providers import JobStatus

from basicaer.errors import BasicAerError, JobStateError, shown
from basicaer.latch import slice_until
from basicaer.notebooks import shortened
from basicaer.options import check_option

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from qiskit.providers import JobV1

    from basicaer.job_state import JobState

__all__ = ["JobFuture"]


class JobFuture(Future[Any]):
    """The future that `BasicAerJob.future` returns.

    Its `done` is that of Python's futures: it is True however the job has ended.

    Parameters
    ----------
    job
        The job.
    check_may_wait
        Raises an error if this thread must not wait for the job.
    cancelled_by_interrupts
        Makes a context in which an interrupt does to the job what it does where one waits for the job itself.
    """

    def __init__(
        self,
        job: JobV1,
        check_may_wait: Callable[[], None],
        cancelled_by_interrupts: Callable[[], AbstractContextManager[None]],
    ) -> None:
        super().__init__()
        self._job = job
        self._check_may_wait = check_may_wait
        self._cancelled_by_interrupts = cancelled_by_interrupts

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._job!r}>"

    def __reduce__(self) -> Any:
        return self._job.__reduce__()  # raises an error that says why

    def cancel(self) -> bool:
        """Cancel the job; the future is done when the job has stopped."""
        return bool(self._job.cancel())

    def running(self) -> bool:
        """Tell whether the job is running."""
        return bool(self._job.running())

    def result(self, timeout: float | None = None) -> Any:
        """Wait for the job and return its result; see `concurrent.futures.Future.result`.

        Raises
        ------
        BasicAerError
            If `timeout` is not a number.
        JobStateError
            If a callback of a job waits for a job that has not ended.
        """
        self._wait(timeout)
        try:
            return super().result(0)
        finally:
            # The traceback of the job's error has this frame, which would keep the future and the job in memory.
            del self

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Wait for the job and return its exception; see `concurrent.futures.Future.exception`.

        Raises
        ------
        BasicAerError, JobStateError
            As for `result`.
        """
        self._wait(timeout)
        return super().exception(0)

    def _wait(self, timeout: float | None) -> None:
        """Wait for the job; raise what `result` and `exception` both raise if there is neither."""
        seconds = check_option("wait", timeout, "timeout")
        self._check_may_wait()
        deadline = time.monotonic() + (math.inf if seconds is None else seconds)
        with self._cancelled_by_interrupts():
            while (rest := slice_until(deadline)) > 0 and wait([self], rest).not_done:
                pass
        if not self.done():
            raise shortened(TimeoutError(f"Job {self._job.job_id()} has not ended after {seconds:g} s; it goes on."))
        if self.cancelled():
            raise shortened(CancelledError(f"Job {self._job.job_id()} was cancelled."))

    def add_done_callback(self, fn: Callable[[Future[Any]], object]) -> None:
        """Call a function with the future when the job has ended; see `concurrent.futures.Future.add_done_callback`.

        Raises
        ------
        BasicAerError
            If `fn` is not a function.
        """
        if not callable(fn):
            raise BasicAerError(f"add_done_callback() takes a function of the future, not {shown(fn)}.")
        super().add_done_callback(fn)

    def set_result(self, result: Any) -> NoReturn:  # noqa: ARG002
        """Refuse a result: it is that of the job.

        Raises
        ------
        JobStateError
            Always; as the methods that follow do.
        """
        self._refuse()

    def set_exception(self, exception: BaseException | None) -> NoReturn:  # noqa: ARG002
        """Refuse an exception: it is that of the job."""
        self._refuse()

    def set_running_or_notify_cancel(self) -> NoReturn:
        """Refuse to begin: the job has begun, or will."""
        self._refuse()

    @staticmethod
    def _refuse() -> NoReturn:
        raise JobStateError("The future of a job takes its outcome from the job alone; make a Future of your own.")

    def take(self, state: JobState, result_of: Callable[[Any], Any]) -> None:
        """Take the outcome of the job, which has ended in a state; `result_of` makes the result of it."""
        if state.final is JobStatus.CANCELLED:
            super().cancel()
            super().set_running_or_notify_cancel()  # wakes those who wait for several futures
        elif state.error is not None:  # it is not raised here: its traceback would keep the job alive
            super().set_exception(state.error)
        else:
            try:
                super().set_result(result_of(state.joined_outcomes()))
            except Exception as error:  # noqa: BLE001  # it is raised where the result is requested
                super().set_exception(error)
