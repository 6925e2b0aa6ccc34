"""A job as a future of Python, for `concurrent.futures.as_completed` and whatever else takes futures."""

from __future__ import annotations

import math
import time
from concurrent.futures import Future, wait
from typing import TYPE_CHECKING, Any, NoReturn

from qiskit.providers import JobStatus

from basicaer.errors import JobStateError
from basicaer.latch import slice_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from basicaer.job_state import JobState

__all__ = ["JobFuture"]


class JobFuture(Future[Any]):
    """The future that `BasicAerJob.future` returns.

    Its `done` is that of Python's futures: it is True however the job has ended.

    Parameters
    ----------
    cancel, running
        The methods of the job.
    check_may_wait
        Raises an error if this thread must not wait for the job.
    cancelled_by_interrupts
        Makes a context in which an interrupt does to the job what it does where one waits for the job itself.
    """

    def __init__(
        self,
        cancel: Callable[[], bool],
        running: Callable[[], bool],
        check_may_wait: Callable[[], None],
        cancelled_by_interrupts: Callable[[], AbstractContextManager[None]],
    ) -> None:
        super().__init__()
        self._cancel_job = cancel
        self._is_running = running
        self._check_may_wait = check_may_wait
        self._cancelled_by_interrupts = cancelled_by_interrupts

    def cancel(self) -> bool:
        """Cancel the job; the future is done when the job has stopped."""
        return self._cancel_job()

    def running(self) -> bool:
        """Tell whether the job is running."""
        return self._is_running()

    def result(self, timeout: float | None = None) -> Any:
        """Wait for the job and return its result; see `concurrent.futures.Future.result`.

        Raises
        ------
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
        JobStateError
            As for `result`.
        """
        self._wait(timeout)
        return super().exception(0)

    def _wait(self, timeout: float | None) -> None:
        self._check_may_wait()
        deadline = time.monotonic() + (math.inf if timeout is None else timeout)
        with self._cancelled_by_interrupts():
            while (seconds := slice_until(deadline)) > 0 and wait([self], seconds).not_done:
                pass

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
