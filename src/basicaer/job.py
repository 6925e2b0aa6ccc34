"""`BasicAerJob`: a simulation that can be waited for, limited in time, watched, and cancelled while it runs."""

from __future__ import annotations

import contextlib
import itertools
import logging
import time
import weakref
from concurrent.futures import CancelledError
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, Self, cast

from qiskit.providers import JobStatus, JobV1
from qiskit.providers.jobstatus import JOB_FINAL_STATES

from basicaer.callbacks import running_callback
from basicaer.errors import BasicAerError, JobStateError, JobWaitTimeoutError, shown, warn
from basicaer.executor import DaemonThreadExecutor, executor_of_gpu
from basicaer.foreign_names import missing_attribute
from basicaer.handles import handle_for
from basicaer.handles.base import ProgressCallback
from basicaer.job_future import JobFuture
from basicaer.job_state import JobState, Part
from basicaer.notebooks import shorten, shortened
from basicaer.options import check_option, keywords_checked
from basicaer.payload import OpaquePayload
from basicaer.qobj import QasmQobj, validate

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Generator, Iterator
    from concurrent.futures import Executor, Future
    from types import TracebackType

    from qiskit.result import Result

    from basicaer.engine.progress import Progress
    from basicaer.payload import Payload

__all__ = ["BasicAerJob", "jobs"]

_SECONDS_BETWEEN_LOOKS = 0.2  # after which an event loop looks for interrupts
_BAR_SECONDS = 1.0  # how long `result` also waits for the job's bar to be finished

_log = logging.getLogger("basicaer")


class BasicAerJob(JobV1):
    """One submission to a simulator, which runs in the background.

    A backend's `run` returns a job that is already submitted. Any thread may cancel a job, wait for it and ask for its
    status. Used as a context manager, a job is cancelled if the block is left by an exception.

    In a coroutine, ``await job`` returns or raises what `result` does, without blocking the loop. If a task is
    cancelled while it awaits a job, the job is cancelled too, unless the task awaits ``asyncio.shield(job)``.

    Parameters
    ----------
    backend
        The simulator that the job belongs to.
    job_id
        The job's name.
    fn
        The function to run: ``fn(job_id, payload)`` returns a `qiskit.result.Result`. It may poll
        `basicaer.engine.monitor.current_monitor` to be cancellable.
    qobj
        The Qobj submitted: a `QasmQobj`, a dictionary, or anything with ``to_dict()``; or, for a job made from
        circuits, a function without arguments that assembles the Qobj.
    prepare
        Called by `submit` in the caller's thread; returns a `basicaer.payload.Payload`. By default the function is
        called with the Qobj itself.
    executor
        Where to run: any `concurrent.futures.Executor`; by default daemon threads, one of which is reserved for each
        GPU. A job can be cancelled while it runs on threads, processes and Dask; on an executor of an unknown kind,
        only before it starts.
    timeout
        Seconds that the work may take from its start; after that, the job ends as ERROR.
    callback
        Called with the job's `Progress` now and then, from another thread, or in this one if the job runs here. If it
        raises an exception, it is not called again and the job goes on; `result` and `wait_for_final_state` then give
        one `BasicAerWarning` that names the exception. Ctrl-C does not count as an exception of the callback.
    parts
        The number of parts, at most, into which the work is split to run beside each other on the executor.
    cancel_on_interrupt
        Whether an interrupt (Ctrl-C) during a wait for the job also cancels it.
    bar
        Called with the job when it has been submitted; starts a thread that shows how far the job is, and returns it,
        or None where nothing can be shown.

    Attributes
    ----------
    times : dict
        When the job was ``"created"``, ``"submitted"``, ``"started"`` by a worker and ``"ended"``, in seconds since the
        epoch, as far as these have happened. Once the job has ended, also the seconds that it spent in ``"planning"``,
        ``"gates"``, ``"sampling"`` and ``"results"``, added up over parts that ran beside each other. Nothing is known
        of the work on an executor of an unknown kind.
    """

    _executor: ClassVar[Executor] = DaemonThreadExecutor()

    def __init__(
        self,
        backend: Any,
        job_id: str,
        fn: Callable[[str, Any], Result],
        qobj: Any,
        *,
        prepare: Callable[[], Payload] | None = None,
        executor: Executor | None = None,
        timeout: float | None = None,
        callback: Callable[[Progress], Any] | None = None,
        parts: int = 1,
        cancel_on_interrupt: bool = True,
        bar: Callable[[BasicAerJob], threading.Thread | None] | None = None,
    ) -> None:
        super().__init__(backend, job_id)
        self._fn = fn
        self._qobj = qobj
        self._prepare = prepare
        self._runs_on = self._executor if executor is None else executor
        self._timeout = timeout
        self._callback = None if callback is None else ProgressCallback(callback)
        self._most_parts = parts
        self.cancel_on_interrupt = cancel_on_interrupt
        self._start_bar = bar
        self._bar: threading.Thread | None = None
        self._state = JobState(job_id)
        self.times = self._state.times
        _live[next(_numbers)] = self

    def __repr__(self) -> str:
        try:
            state = self.status().name
        except JobStateError:
            if self._state.is_inherited:
                state = "in the parent process"
            else:
                state = "unknown" if self._state.futures else "not submitted"
        return f"<{type(self).__name__} {self.job_id()} on {getattr(self.backend(), 'name', None)}: {state}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            f"Job {self.job_id()} belongs to the process that runs it and cannot be pickled or copied; pass on its "
            "result, or save it with checkpoint_dir."
        )

    if not TYPE_CHECKING:  # a type checker would let every name pass

        def __getattr__(self, name: str) -> Any:
            """Say what to do without an attribute that futures and other jobs have."""
            raise AttributeError(missing_attribute(type(self).__name__, name), name=name, obj=self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None and self._state.futures:
            self.cancel()

    def submit(self) -> None:
        """Check a Qobj that was given, prepare the work and queue it.

        Raises
        ------
        JobStateError
            If the job was submitted before.
        QobjValidationError
            If the Qobj breaks the schema; nothing is queued.
        """
        state = self._state
        state.take()
        try:
            if not callable(self._qobj):
                validate(self._qobj)
            payload: Payload = OpaquePayload(self._qobj) if self._prepare is None else self._prepare()
            pieces = payload.split(self._most_parts) if self._most_parts > 1 else [payload]
            parts = [Part(piece, handle_for(self._runs_on, self._timeout, self._callback)) for piece in pieces]
            futures = state.send(self._fn, payload, parts, self._start_function(payload, len(parts)))
        except BaseException:
            state.give_back()
            raise
        _log.debug("Job %s was submitted in %d part(s).", self.job_id(), len(futures))
        try:
            self._watch(futures)
        except BaseException:  # an interrupt: the caller will not get the job, and so could not cancel it
            self._watch(futures)
            self.cancel()
            raise

    def _start_function(self, payload: Payload, parts: int) -> Callable[..., Future[Any]]:
        """Return the method of an executor that starts the parts of a payload."""
        if self._runs_on is not self._executor or not isinstance(self._runs_on, DaemonThreadExecutor):
            return self._runs_on.submit
        if payload.gpu is not None:
            return executor_of_gpu(payload.gpu).submit
        return DaemonThreadExecutor.call_here if parts == 1 and payload.is_quick else self._runs_on.submit

    def _watch(self, futures: tuple[Future[Any], ...]) -> None:
        """Take notice of how the futures end, and show the bar; calling it again does no harm."""
        self._state.watch(futures, self)
        if self._start_bar is not None and self._bar is None:
            self._bar = self._start_bar(self)

    @keywords_checked
    def result(self, timeout: float | None = None) -> Result:
        """Wait for the job and return its result.

        Parameters
        ----------
        timeout
            Seconds to wait at most; None to wait without limit. If they pass, the job goes on.

        Raises
        ------
        BasicAerError
            If `timeout` is not a number.
        JobStateError
            If the job was not submitted, or belongs to the process that this one was forked from; or if it has not
            ended and this is called in a callback of a job, which must not wait.
        concurrent.futures.TimeoutError
            If the job has not ended in `timeout` seconds.
        concurrent.futures.CancelledError
            If the job was cancelled.
        KeyboardInterrupt
            If the wait is interrupted; the job is cancelled then unless ``cancel_on_interrupt`` is False.
        Exception
            Whatever the simulation raised; its ``partial`` is a `Result` of the experiments that were finished.
        """
        seconds = check_option("wait", timeout, "timeout")
        self._state.check_submitted()
        self._state.check_may_wait()
        with self._cancelled_by_interrupts():
            if self._state.final is None and not self._state.ended.wait(seconds):
                raise shortened(TimeoutError(f"Job {self.job_id()} has not ended after {seconds:g} s; it goes on."))
            self._wait_for_bar()
        self._warn_of_callback()
        if self._state.final is JobStatus.CANCELLED:
            raise shortened(CancelledError(f"Job {self.job_id()} was cancelled."))
        if self._state.error is not None:
            error = self._state.error
            try:
                raise error
            finally:
                del self, error  # the error's traceback refers to this frame, and the job refers to the error
        return self._result_of(self._state.joined_outcomes())

    def _result_of(self, outcome: Any) -> Any:
        """Return what a job's function has returned as the job's result."""
        return outcome

    def __await__(self) -> Generator[Any, None, Result]:
        return self._awaited().__await__()

    async def _awaited(self) -> Result:
        import asyncio  # takes 40 ms, and a program that gets here has it already

        loop, ended = asyncio.get_running_loop(), asyncio.Event()

        def tell(_: BasicAerJob) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed, and nobody waits any more
                loop.call_soon_threadsafe(ended.set)

        def look() -> None:
            """Wake the loop now and then: the interrupt of a notebook cancels this task, and does not wake the loop."""
            next_look[0] = loop.call_later(_SECONDS_BETWEEN_LOOKS, look)

        next_look = [loop.call_later(_SECONDS_BETWEEN_LOOKS, look)]
        self.add_done_callback(tell)
        try:
            await ended.wait()
        except asyncio.CancelledError:
            self.cancel()
            raise
        finally:
            next_look[0].cancel()
        try:
            return self.result()
        finally:
            del self  # as in `result`

    def add_done_callback(self, fn: Callable[[Self], object]) -> None:
        """Call a function with the job when the job has ended, in whatever way; at once if it has ended already.

        As with Python's futures, it is called in the thread in which the job ends, and an exception that it raises is
        logged and ignored. It must not wait for other jobs, which may need that thread.

        Raises
        ------
        BasicAerError
            If `fn` is not a function.
        JobStateError
            If the job was not submitted.
        """
        if not callable(fn):
            raise BasicAerError(f"add_done_callback() takes a function of the job, not {shown(fn)}.")
        if getattr(fn, "__module__", None) == "asyncio.tasks":  # it may be called in the thread of the loop only
            raise BasicAerError(
                "asyncio waits for tasks, not for jobs; asyncio.ensure_future(job) makes one of the job."
            )

        def call(_: Future[Any]) -> None:
            with running_callback():  # also where it is called at once, in this thread
                fn(self)

        self.future().add_done_callback(call)

    def future(self) -> Future[Any]:
        """Return the job as a future of Python, for `concurrent.futures.wait`, `as_completed` and the like.

        The future's `cancel` cancels the job. The future is done when the job has ended, and then has the same result
        or exception.

        Raises
        ------
        JobStateError
            If the job was not submitted.
        """
        self._state.check_submitted()
        future = JobFuture(self, self._state.check_may_wait, self._cancelled_by_interrupts)
        self._state.when_ended(partial(future.take, self._state, self._result_of))
        return future

    @contextlib.contextmanager
    def _cancelled_by_interrupts(self) -> Iterator[None]:
        try:
            yield
        except KeyboardInterrupt as interrupt:
            if self.cancel_on_interrupt:
                self.cancel()
            what = "was cancelled" if self.cancel_on_interrupt else "goes on; its cancel() stops it"
            shorten(interrupt, f"Job {self.job_id()} {what}.")
            raise

    def _warn_of_callback(self) -> None:
        if self._callback is not None and self._callback.failure is not None:
            failure, self._callback.failure = self._callback.failure, None
            warn(f"The callback of job {self.job_id()} failed ({failure}) and was not called again; the job went on.")

    def _wait_for_bar(self) -> None:
        """Wait until the bar is finished, so that what is printed next appears below it."""
        if self._bar is not None:
            self._bar.join(_BAR_SECONDS)

    def partial_result(self) -> Result | None:
        """Return a `Result` of the experiments that were finished before the job ended, in whatever way it did.

        None if nothing is known of them, for example if the job was cancelled before it began.

        Raises
        ------
        JobStateError
            If the job has not ended yet.
        """
        self._state.check_submitted()
        if self._state.final is None:
            raise JobStateError(f"Job {self.job_id()} has not ended yet; wait for it with wait_for_final_state().")
        outcome = self._state.joined_outcomes()
        return None if outcome is None else cast("Result", self._result_of(outcome))

    def progress(self) -> Progress:
        """Return how far the job is; the parts of a job that was split count together.

        Raises
        ------
        JobStateError
            If the job was not submitted.
        """
        self._state.check_submitted()
        return self._state.progress()

    def cancel(self) -> bool:
        """Stop the job: it does not start if it is waiting, and stops at its next monitor if it is running.

        On threads it stops within a fraction of a millisecond on small states and some milliseconds on large ones (see
        `Monitor`); in other processes when the worker next asks, which it does every 10 ms or more; on Dask as soon
        as the worker has been notified. What was computed is lost, except for finished experiments (`partial_result`)
        and a saved job. On an executor of an unknown kind, a job that has started is not stopped.

        Returns
        -------
        bool
            True exactly if the job will end as CANCELLED.

        Raises
        ------
        JobStateError
            If the job was not submitted.
        """
        self._state.check_submitted()
        return self._state.cancel()

    def status(self) -> JobStatus:
        """Return the status of the job: QUEUED, RUNNING, DONE, CANCELLED or ERROR.

        A running job that was cancelled is RUNNING until it has stopped.

        Raises
        ------
        JobStateError
            If the job was not submitted, or its executor's future does not say whether it is running.
        """
        self._state.check_submitted()
        if self._state.final is not None:
            return self._state.final
        return JobStatus.RUNNING if self._state.is_running() else JobStatus.QUEUED

    @keywords_checked
    def wait_for_final_state(
        self,
        timeout: float | None = None,
        wait: float = 5,
        callback: Callable[[str, JobStatus, BasicAerJob], None] | None = None,
    ) -> None:
        """Wait until the job has ended, in whatever way; return as soon as it has.

        Parameters
        ----------
        timeout
            Seconds to wait at most; None to wait without limit.
        wait
            Seconds between two calls of `callback`.
        callback
            Called with the job's id, the job's status and the job, until it has ended.

        Raises
        ------
        BasicAerError
            If `timeout` or `wait` is not a number.
        JobStateError
            As for `result`.
        JobWaitTimeoutError
            If it has not ended in `timeout` seconds.
        KeyboardInterrupt
            As for `result`.
        """
        seconds, pause = check_option("wait", timeout, "timeout"), check_option("wait", wait)
        self._state.check_submitted()
        self._state.check_may_wait()
        deadline = None if seconds is None else time.monotonic() + seconds
        with self._cancelled_by_interrupts():
            while (status := self.status()) not in JOB_FINAL_STATES:
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    raise JobWaitTimeoutError(f"Job {self.job_id()} has not ended after {seconds:g} s; it goes on.")
                if callback is not None:
                    callback(self.job_id(), status, self)
                limits = [limit for limit in (pause, left) if limit is not None]
                self._state.ended.wait(min(limits, default=None))
            self._wait_for_bar()
        self._warn_of_callback()

    def qobj(self) -> Any:
        """Return the Qobj that was submitted, or the submitted circuits as one.

        Raises
        ------
        BasicAerError
            If a circuit cannot be expressed as a Qobj, mostly because of control flow; the job itself can still run.
        """
        qobj = self._qobj
        if callable(qobj):
            qobj = self._qobj = qobj()
        return QasmQobj.from_dict(qobj) if isinstance(qobj, dict) else qobj


_live: weakref.WeakValueDictionary[int, BasicAerJob] = weakref.WeakValueDictionary()  # in order of creation
_numbers = itertools.count()


def jobs() -> list[BasicAerJob]:
    """Return the jobs of this process that have not ended or are still referred to, oldest first."""
    references = _live.valuerefs()  # a list of its own, since other threads may make jobs meanwhile
    found = [job for reference in references if (job := reference()) is not None]
    return [job for job in found if "submitted" in job.times and not job._state.is_inherited]  # noqa: SLF001
