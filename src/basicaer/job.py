"""`BasicAerJob`: a simulation that can be waited for, timed out, watched, and cancelled while it runs."""

from __future__ import annotations

import atexit
import concurrent.futures
import os
import threading
import time
from concurrent.futures import CancelledError, Executor, Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, ClassVar

from qiskit.providers import JobError, JobStatus, JobTimeoutError, JobV1
from qiskit.providers.jobstatus import JOB_FINAL_STATES

from basicaer.engine.checkpoint import Checkpoint, current_checkpoint
from basicaer.errors import Cancelled
from basicaer.executor import DaemonThreadExecutor
from basicaer.qobj import QasmQobj, validate

if TYPE_CHECKING:
    from collections.abc import Callable

    from qiskit.result import Result

__all__ = ["BasicAerJob"]

_THREADS = (DaemonThreadExecutor, ThreadPoolExecutor)
_INTERPRETERS = getattr(concurrent.futures, "InterpreterPoolExecutor", ())  # since Python 3.14, derived from threads
_EXIT_SECONDS = 1.0  # how long the interpreter's exit may wait for cancelled jobs


def _call(fn: Callable[[str, Any], Any], job_id: str, payload: Any, handle: Checkpoint | float | None) -> Any:
    """Run a job's function where its executor runs it.

    Parameters
    ----------
    handle
        The job's checkpoint, where the worker shares memory with the job; else only its time limit in seconds.
    """
    checkpoint = handle if isinstance(handle, Checkpoint) else Checkpoint(handle)
    token = current_checkpoint.set(checkpoint)
    try:
        checkpoint.start()
        return fn(job_id, payload)
    finally:
        current_checkpoint.reset(token)


class BasicAerJob(JobV1):
    """One submission to a simulator, which runs by itself and reports what came of it.

    A backend's `run` returns a job that is submitted already. Cancelling, waiting and asking for the status may be done
    from any thread.

    Parameters
    ----------
    backend
        The simulator that the job belongs to.
    job_id
        A name for it.
    fn
        What to run: ``fn(job_id, payload)`` returns a `qiskit.result.Result`. It may poll
        `basicaer.engine.checkpoint.current_checkpoint` to be cancellable.
    qobj
        The Qobj submitted: a `QasmQobj`, a dictionary, or anything with ``to_dict()``. Or a function without arguments
        that assembles it, for a job made from circuits.
    prepare
        Called by `submit` in the caller's thread; returns the payload. By default the payload is the Qobj.
    executor
        Where to run: any `concurrent.futures.Executor`; by default the class's own ``_executor``, daemon threads. A job
        can be cancelled while it runs if the executor has threads; on any other, only before it starts.
    timeout
        Seconds that the work may take, from its start; then the job ends as ERROR.
    """

    _executor: ClassVar[Executor] = DaemonThreadExecutor()

    def __init__(
        self,
        backend: Any,
        job_id: str,
        fn: Callable[[str, Any], Result],
        qobj: Any,
        *,
        prepare: Callable[[], Any] | None = None,
        executor: Executor | None = None,
        timeout: float | None = None,
    ) -> None:
        super().__init__(backend, job_id)
        self._fn = fn
        self._qobj = qobj
        self._prepare = prepare
        self._runs_on = self._executor if executor is None else executor
        self._shares_memory = isinstance(self._runs_on, _THREADS) and not isinstance(self._runs_on, _INTERPRETERS)
        self._checkpoint = Checkpoint(timeout)
        self._lock = threading.Lock()  # guards the four that follow
        self._submitted = False
        self._future: Future[Result] | None = None
        self._cancelling = False
        self._final: JobStatus | None = None
        self._partial: Result | None = None
        self._ended = threading.Event()

    def submit(self) -> None:
        """Check a Qobj that was given, prepare the work and queue it.

        Raises
        ------
        JobError
            If the job was submitted before.
        QobjValidationError
            If the Qobj breaks the schema; nothing is queued.
        """
        with self._lock:
            if self._submitted:
                raise JobError(f"Job {self.job_id()} was submitted already; run the circuits again for a new job.")
            self._submitted = True
        try:
            if not callable(self._qobj):
                validate(self._qobj)
            payload = self._qobj if self._prepare is None else self._prepare()
            handle = self._checkpoint if self._shares_memory else self._checkpoint.timeout
            start = self._runs_on.submit
            is_default = self._runs_on is self._executor and isinstance(self._runs_on, DaemonThreadExecutor)
            if is_default and getattr(payload, "is_quick", False):
                start = DaemonThreadExecutor.call_here
            future = start(_call, self._fn, self.job_id(), payload, handle)
        except BaseException:
            with self._lock:
                self._submitted = False
            raise
        self._future = future
        _unfinished[future] = self
        future.add_done_callback(_settle)

    def _settle(self, future: Future[Result]) -> None:
        """Decide, once, how the job has ended; called when its future is done."""
        error = None if future.cancelled() else future.exception()
        with self._lock:
            if error is not None:
                self._partial = getattr(error, "partial", None)
            elif not future.cancelled():  # all was finished, even if a cancel came first
                self._partial = future.result()
            if future.cancelled() or self._cancelling or isinstance(error, Cancelled):
                self._final = JobStatus.CANCELLED
            else:  # last of all, since it is read without the lock
                self._final = JobStatus.DONE if error is None else JobStatus.ERROR
        self._ended.set()

    def _submission(self) -> Future[Result]:
        if self._future is None:
            raise JobError(f"Job {self.job_id()} has not been submitted; call submit() first.")
        return self._future

    def result(self, timeout: float | None = None) -> Result:
        """Wait for the job and return its result.

        Parameters
        ----------
        timeout
            Seconds to wait at most; None for as long as it takes. The job goes on if they pass.

        Raises
        ------
        JobError
            If the job was not submitted.
        concurrent.futures.TimeoutError
            If the job has not ended in `timeout` seconds.
        concurrent.futures.CancelledError
            If the job was cancelled.
        Exception
            Whatever the simulation raised; its ``partial`` is a `Result` of the experiments that were finished.
        """
        future = self._submission()
        if self._final is None and not self._ended.wait(timeout):
            raise TimeoutError(f"Job {self.job_id()} has not ended after {timeout:g} s; it goes on.")
        if self._final is JobStatus.CANCELLED:
            raise CancelledError(f"Job {self.job_id()} was cancelled.")
        try:
            return future.result()
        finally:
            del self, future  # an error's traceback holds this frame, and would hold the job that holds the error

    def partial_result(self) -> Result | None:
        """Return a `Result` of the experiments that were finished, of a job that has ended in any way.

        None if nothing is known of them, as when the job was cancelled before it began.

        Raises
        ------
        JobError
            If the job has not ended yet.
        """
        self._submission()
        if self._final is None:
            raise JobError(f"Job {self.job_id()} has not ended yet; wait for it with wait_for_final_state().")
        return self._partial

    def cancel(self) -> bool:
        """Stop the job: it does not start if it is waiting, and stops at its next checkpoint if it is running.

        While gates are applied, a checkpoint comes after every 2**16 amplitudes, so that it stops within milliseconds;
        while a state is measured or copied, after one pass over it. What was computed is lost, but for finished
        experiments (`partial_result`). On an executor whose workers do not share memory with the job, a job that has
        started is not stopped.

        Returns
        -------
        bool
            True exactly if the job will end as CANCELLED.

        Raises
        ------
        JobError
            If the job was not submitted.
        """
        future = self._submission()
        with self._lock:
            if self._final is not None:
                return False
            if self._shares_memory:
                self._cancelling = True
                self._checkpoint.cancel()
        accepted = future.cancel()  # takes it out of the queue; outside of the lock, since it calls _settle
        return accepted or self._shares_memory

    def status(self) -> JobStatus:
        """Return where the job is: QUEUED, RUNNING, DONE, CANCELLED or ERROR.

        A running job that was cancelled is RUNNING until it has stopped.

        Raises
        ------
        JobError
            If the job was not submitted, or its executor's future does not say where it is.
        """
        future = self._submission()
        if self._final is not None:
            return self._final
        if self._shares_memory:
            running = self._checkpoint.started
        else:
            try:
                running = bool(future.running() or (future.done() and not future.cancelled()))
            except Exception as error:
                raise JobError(f"The executor's future of job {self.job_id()} does not tell its state.") from error
        return JobStatus.RUNNING if running else JobStatus.QUEUED

    def wait_for_final_state(
        self,
        timeout: float | None = None,
        wait: float = 5,
        callback: Callable[[str, JobStatus, BasicAerJob], None] | None = None,
    ) -> None:
        """Wait until the job has ended in any way; return at once when it does.

        Parameters
        ----------
        timeout
            Seconds to wait at most.
        wait
            Seconds between two calls of `callback`.
        callback
            Called with the job's id, its status and itself as long as it has not ended.

        Raises
        ------
        JobError
            If the job was not submitted.
        JobTimeoutError
            If it has not ended in `timeout` seconds.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while (status := self.status()) not in JOB_FINAL_STATES:
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                raise JobTimeoutError(f"Job {self.job_id()} has not ended after {timeout:g} s; it goes on.")
            if callback is not None:
                callback(self.job_id(), status, self)
            self._ended.wait(wait if left is None else min(wait, left))

    def qobj(self) -> Any:
        """Return the Qobj submitted, or the circuits as one.

        Raises
        ------
        BasicAerError
            If a circuit has no form as a Qobj (control flow, mostly); the job runs all the same.
        """
        qobj = self._qobj
        if callable(qobj):
            qobj = self._qobj = qobj()
        return QasmQobj.from_dict(qobj) if isinstance(qobj, dict) else qobj


_unfinished: dict[Future[Any], BasicAerJob] = {}  # the submitted jobs that have not ended, by their futures
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_unfinished.clear)  # they run in the parent; their locks may be held for good


def _settle(future: Future[Any]) -> None:
    """Tell a future's job that it is done. A future keeps its callbacks: one that held the job would never let go."""
    _unfinished.pop(future)._settle(future)  # noqa: SLF001  # the module's own class


@atexit.register
def _cancel_unfinished() -> None:
    """Stop what still runs when the interpreter exits, so that no daemon thread computes into its end."""
    jobs = [job for job in list(_unfinished.values()) if job.cancel()]
    deadline = time.monotonic() + _EXIT_SECONDS
    for job in jobs:
        job._ended.wait(max(0.0, deadline - time.monotonic()))  # noqa: SLF001  # the module's own class
