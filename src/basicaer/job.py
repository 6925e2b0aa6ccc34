"""`BasicAerJob`: a simulation that can be waited for, timed out, watched, and cancelled while it runs."""

from __future__ import annotations

import atexit
import contextlib
import itertools
import logging
import os
import threading
import time
import warnings
import weakref
from concurrent.futures import CancelledError, Executor, Future
from concurrent.futures.process import BrokenProcessPool
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, NoReturn, Self, cast

from qiskit.providers import JobError, JobStatus, JobTimeoutError, JobV1
from qiskit.providers.jobstatus import JOB_FINAL_STATES

from basicaer.engine.checkpoint import current_checkpoint
from basicaer.engine.progress import Progress
from basicaer.errors import BasicAerWarning, Cancelled, WorkerLostError
from basicaer.executor import DaemonThreadExecutor, executor_of_gpu
from basicaer.handles import handle_for
from basicaer.handles.base import Told
from basicaer.options import check_option
from basicaer.qobj import QasmQobj, validate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    from qiskit.result import Result

    from basicaer.handles.base import Handle, WorkerEnd

__all__ = ["BasicAerJob", "jobs"]

_EXIT_SECONDS = 1.0  # how long the interpreter's exit may wait for cancelled jobs
_BAR_SECONDS = 1.0  # and whoever waits for a job that has ended, for its bar to be drawn to the end
_DASK_LOST = "KilledWorker"  # what Dask raises for a worker that died; loky's error is a BrokenProcessPool

_log = logging.getLogger("basicaer")


def _call(fn: Callable[[str, Any], Any], job_id: str, payload: Any, worker_end: WorkerEnd) -> Any:
    """Run a job's function where its executor runs it.

    That the job was cancelled is returned, not raised: Dask would log it as a failure.
    """
    with worker_end.at_work() as checkpoint:
        token = current_checkpoint.set(checkpoint)
        try:
            checkpoint.start()
            return fn(job_id, payload)
        except Cancelled as stopped:
            return stopped.with_traceback(None)
        finally:
            current_checkpoint.reset(token)


class _Part(NamedTuple):
    """A piece of a job's work, sent to its executor by itself."""

    payload: Any
    handle: Handle


class BasicAerJob(JobV1):
    """One submission to a simulator, which runs by itself and reports what came of it.

    A backend's `run` returns a job that is submitted already. Cancelling, waiting and asking for the status may be done
    from any thread. Used as a context manager, a job is cancelled where the block is left by an exception.

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
        Where to run: any `concurrent.futures.Executor`; by default the class's own ``_executor``, daemon threads, of
        which each GPU has one for itself. A job can be cancelled while it runs on threads, processes and Dask; on an
        executor of an unknown kind, only before it starts.
    timeout
        Seconds that the work may take, from its start; then the job ends as ERROR.
    callback
        Called with the job's `Progress` now and then, from another thread, or in this one if the job runs here. If it
        raises anything, it is not called again, and the job goes on; `result` and `wait_for_final_state` then give a
        `BasicAerWarning` that names what it raised, once, in the thread of whoever waits. Ctrl-C is no failure of it.
    parts
        Into how many pieces the work may be split, to run beside each other on the executor.
    cancel_on_interrupt
        Whether an interrupt (Ctrl-C) while somebody waits for the job cancels it, too.
    progress
        Whether a bar shows how far the job is, from `submit` until it has ended; only in a terminal or notebook.

    Attributes
    ----------
    times : dict
        When the job was ``"created"``, ``"submitted"``, ``"started"`` by a worker and ``"ended"``, as far as it was:
        seconds since the epoch. And, once it has ended, the seconds that its work spent in ``"planning"``,
        ``"gates"``, ``"sampling"`` and ``"results"``, of parts beside each other the sum; nothing of the work is known
        from an executor of an unknown kind.
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
        callback: Callable[[Progress], Any] | None = None,
        parts: int = 1,
        cancel_on_interrupt: bool = True,
        progress: bool = False,
    ) -> None:
        super().__init__(backend, job_id)
        self._fn = fn
        self._qobj = qobj
        self._prepare = prepare
        self._runs_on = self._executor if executor is None else executor
        self._timeout = timeout
        self._told = None if callback is None else Told(callback)
        self._most_parts = parts
        self.cancel_on_interrupt = cancel_on_interrupt
        self._shows_bar = progress
        self._bar: threading.Thread | None = None
        self.times = {"created": time.time()}
        self._payload: Any = None
        self._parts: tuple[_Part, ...] = ()
        self._lock = threading.Lock()  # guards what follows
        self._submitted = False
        self._futures: tuple[Future[Result], ...] = ()
        self._left = 0  # parts that have not ended
        self._cancelling = False
        self._inherited = False  # whether it belongs to the process that this one was forked from
        self._outcomes: dict[int, Result | None] = {}  # by part: what it gave, or what it had finished
        self._error: BaseException | None = None
        self._last_progress = Progress()
        self._final: JobStatus | None = None
        self._ended = threading.Event()
        _live[next(_numbers)] = self

    def __repr__(self) -> str:
        try:
            state = self.status().name
        except JobError:
            state = "in the parent process" if self._inherited else "unknown" if self._futures else "not submitted"
        return f"<{type(self).__name__} {self.job_id()} on {getattr(self.backend(), 'name', None)}: {state}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            f"Job {self.job_id()} belongs to the process that runs it and cannot be pickled or copied; pass on its "
            "result, or save it with checkpoint_dir."
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None and self._futures:
            self.cancel()

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
            payload = self._payload = self._qobj if self._prepare is None else self._prepare()
            pieces = payload.split(self._most_parts) if self._most_parts > 1 else [payload]
            start = self._runs_on.submit
            if self._runs_on is self._executor and isinstance(self._runs_on, DaemonThreadExecutor):
                if (gpu := getattr(payload, "gpu", None)) is not None:
                    start = executor_of_gpu(gpu).submit
                elif len(pieces) == 1 and getattr(payload, "is_quick", False):
                    start = DaemonThreadExecutor.call_here
            self._parts = tuple(
                [_Part(piece, handle_for(self._runs_on, self._timeout, self._told)) for piece in pieces]
            )
            self._left = len(pieces)
            self.times["submitted"] = time.time()
            futures = self._send(start)
        except BaseException:
            self.times.pop("submitted", None)
            with self._lock:
                self._submitted = False
            raise
        _log.debug("Job %s was submitted in %d part(s).", self.job_id(), len(futures))
        try:
            self._register(futures)
        except BaseException:  # an interrupt: nobody will have the job, and could stop it
            self._register(futures)
            self.cancel()
            raise

    def _register(self, futures: tuple[Future[Result], ...]) -> None:
        """Take notice of the futures' ends; once or more often."""
        self._futures = futures
        for number, future in enumerate(futures):
            _unfinished[future] = self, number
        for part, future in zip(self._parts, futures, strict=True):
            part.handle.when_done(future, _settle)
        if self._shows_bar and self._bar is None:
            from basicaer.watching import draw_beside

            self._bar = draw_beside(self)

    def _send(self, start: Callable[..., Future[Result]]) -> tuple[Future[Result], ...]:
        futures: list[Future[Result]] = []
        try:
            for part in self._parts:
                future = start(_call, self._fn, self.job_id(), part.payload, part.handle.for_worker())
                futures.append(self._checked(future))
        except BaseException as error:
            for part in self._parts:  # of an interrupted one, the executor may have the work and we no future
                part.handle.cancel()
                part.handle.close()
            for part, future in zip(self._parts, futures, strict=False):
                if part.handle.cancels_futures:
                    future.cancel()
            if isinstance(error, BrokenProcessPool):
                raise WorkerLostError(
                    f"The executor takes no more jobs, since a worker process of it has died ({error}). "
                    "Run the job again, on a new executor."
                ) from error.with_traceback(None)  # some pools raise one error again and again: it would hold the job
            raise
        return tuple(futures)

    def _checked(self, future: Any) -> Future[Result]:
        if not hasattr(future, "add_done_callback"):
            raise JobError(f"The executor {self._runs_on!r} gave {future!r} for a job's work, which is no future.")
        return cast("Future[Result]", future)

    def _settle(self, number: int, outcome: Result | None, error: BaseException | None) -> None:
        """Note how a part has ended; with the last one, decide, once, how the job has.

        Of the parts, the first one that is cancelled or fails decides; what the others do is of no use any more.
        """
        part = self._parts[number]
        if error is not None:
            outcome = getattr(error, "partial", None)
            if outcome is None and (finished := part.handle.finished()):
                try:
                    outcome = part.payload.partial(self.job_id(), finished)
                except Exception:  # noqa: BLE001  # for want of memory, say: the job must end all the same
                    _log.exception("What job %s had finished cannot be made a result.", self.job_id())
        part.handle.close()
        with self._lock:
            self._outcomes[number] = outcome
            is_first = error is not None and self._error is None and not self._cancelling
            if is_first and isinstance(error, Cancelled):
                self._cancelling = True
            elif is_first:
                self._error = error
            self._left -= 1
            if self._left == 0:
                self._decide()
                return
        if is_first:
            self._stop()

    def _decide(self) -> None:
        if self._error is not None and not self._cancelling:
            if type(self._error).__name__ == _DASK_LOST or isinstance(self._error, BrokenProcessPool):
                lost = self._lost(self._error)
                lost.__cause__ = self._error
                self._error = lost
            with contextlib.suppress(AttributeError, TypeError):  # not every exception lets itself be added to
                self._error.partial = self._joined()  # type: ignore[union-attr]
        self.times["ended"] = time.time()
        final = JobStatus.CANCELLED if self._cancelling else JobStatus.DONE if self._error is None else JobStatus.ERROR
        phase, remaining = ("ended", 0.0) if final is JobStatus.DONE else ("stopped", None)
        self._last_progress = self._total_progress()._replace(phase=phase, remaining=remaining)
        if self._last_progress.elapsed:
            self.times["started"] = self.times["ended"] - self._last_progress.elapsed
        self.times.update(self._last_progress.phases)
        self._final = final  # last of all, since it is read without the lock
        _log.debug("Job %s has ended as %s.", self.job_id(), self._final.name)
        self._ended.set()

    def _lost(self, error: BaseException) -> WorkerLostError:
        words = str(error) or type(error).__name__
        remedy = ", on a new executor" if isinstance(error, BrokenProcessPool) else ""
        if not any(part.handle.has_started() for part in self._parts):
            return WorkerLostError(
                f"A worker process of the executor has died before job {self.job_id()} began ({words}). "
                f"Run the job again{remedy}."
            )
        return WorkerLostError(
            f"The worker process of job {self.job_id()} has died ({words}), perhaps for want of memory; "
            f"what it had finished is in partial_result(). Run the rest again{remedy}."
        )

    def _joined(self) -> Result | None:
        """Return what all parts have finished as one result."""
        outcomes = [self._outcomes[number] for number in sorted(self._outcomes)]
        if len(outcomes) == 1:
            return outcomes[0]
        known = [outcome for outcome in outcomes if outcome is not None]
        joined: Result | None = self._payload.join(known) if known else None
        return joined

    def _submission(self) -> tuple[Future[Result], ...]:
        if self._inherited:
            raise JobError(f"Job {self.job_id()} runs in the process that this one was forked from; run it again here.")
        if not self._futures:
            raise JobError(f"Job {self.job_id()} has not been submitted; call submit() first.")
        return self._futures

    def result(self, timeout: float | None = None) -> Result:
        """Wait for the job and return its result.

        Parameters
        ----------
        timeout
            Seconds to wait at most, any number; None for as long as it takes. The job goes on if they pass.

        Raises
        ------
        BasicAerError
            If `timeout` is no number.
        JobError
            If the job was not submitted, or belongs to the process that this one was forked from.
        concurrent.futures.TimeoutError
            If the job has not ended in `timeout` seconds.
        concurrent.futures.CancelledError
            If the job was cancelled.
        KeyboardInterrupt
            If the wait is interrupted, at once; the job is cancelled then unless ``cancel_on_interrupt`` is False.
        Exception
            Whatever the simulation raised; its ``partial`` is a `Result` of the experiments that were finished.
        """
        seconds = check_option("wait", timeout, "timeout")
        self._submission()
        with self._cancelled_by_interrupts():
            if self._final is None and not self._ended.wait(seconds):
                raise TimeoutError(f"Job {self.job_id()} has not ended after {seconds:g} s; it goes on.")
            self._wait_for_bar()
        self._warn_of_callback()
        if self._final is JobStatus.CANCELLED:
            raise CancelledError(f"Job {self.job_id()} was cancelled.")
        if self._error is not None:
            error = self._error
            try:
                raise error
            finally:
                del self, error  # the error's traceback holds this frame, and would hold the job that holds the error
        return cast("Result", self._joined())

    @contextlib.contextmanager
    def _cancelled_by_interrupts(self) -> Iterator[None]:
        try:
            yield
        except KeyboardInterrupt:
            if self.cancel_on_interrupt:
                self.cancel()
            raise

    def _warn_of_callback(self) -> None:
        if self._told is not None and self._told.failure is not None:
            failure, self._told.failure = self._told.failure, None
            warnings.warn(
                f"The callback of job {self.job_id()} failed ({failure}) and was not called again; the job went on.",
                BasicAerWarning,
                stacklevel=3,
            )

    def _wait_for_bar(self) -> None:
        """Let the bar come to its end, so that what is printed next stands below it."""
        if self._bar is not None:
            self._bar.join(_BAR_SECONDS)

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
        return self._joined()

    def progress(self) -> Progress:
        """Return how far the job is; of a job in several parts, all of them together.

        Raises
        ------
        JobError
            If the job was not submitted.
        """
        self._submission()
        return self._total_progress() if self._final is None else self._last_progress

    def _total_progress(self) -> Progress:
        parts = [part.handle.progress() for part in self._parts]
        if len(parts) == 1:
            return parts[0]
        begun = [part for part in parts if part.phase != "queued"]
        running = next((part for part in begun if part.experiment < part.experiments), (begun or parts)[0])
        phases: dict[str, float] = {}
        for name, seconds in (phase for part in parts for phase in part.phases):
            phases[name] = phases.get(name, 0.0) + seconds
        return running._replace(
            experiment=sum(part.experiment for part in parts),
            experiments=sum(part.experiments for part in parts),
            elapsed=max(part.elapsed for part in parts),
            phases=tuple(phases.items()),
        )

    def cancel(self) -> bool:
        """Stop the job: it does not start if it is waiting, and stops at its next checkpoint if it is running.

        On threads it stops within a fraction of a millisecond on small states and some milliseconds on large ones (see
        `Checkpoint`), on other processes once the worker has asked again, which it does every 10 ms or more, and on
        Dask once the word has come to it. What was computed is lost, but for finished experiments (`partial_result`)
        and what was saved. On an executor of an unknown kind a job that has started is not stopped.

        Returns
        -------
        bool
            True exactly if the job will end as CANCELLED.

        Raises
        ------
        JobError
            If the job was not submitted.
        """
        futures = self._submission()
        can_cancel = all(part.handle.can_cancel for part in self._parts)
        with self._lock:
            if self._final is not None:
                return False
            if can_cancel:
                self._cancelling = True
        if can_cancel:
            self._stop()
            return True
        for future in futures:  # taken out of the queue, or beyond reach
            future.cancel()
        return self._cancelling

    def _stop(self) -> None:
        """Stop all parts; outside of the lock, since a future that is cancelled calls `_settle`."""
        for part, future in zip(self._parts, self._futures, strict=True):
            never_begins = part.handle.cancel()
            # What the handle knows goes first: a future may take a cancel for done while its work runs, as Dask's does.
            has_begun = never_begins is False
            if not has_begun and part.handle.cancels_futures and future.cancel():
                continue
            if never_begins:
                _settle(future, withdrawn=True)

    def status(self) -> JobStatus:
        """Return where the job is: QUEUED, RUNNING, DONE, CANCELLED or ERROR.

        A running job that was cancelled is RUNNING until it has stopped.

        Raises
        ------
        JobError
            If the job was not submitted, or its executor's future does not say where it is.
        """
        futures = self._submission()
        if self._final is not None:
            return self._final
        started = [part.handle.has_started() for part in self._parts]
        try:
            running = any(
                bool(future.running() or (future.done() and not future.cancelled())) if known is None else known
                for known, future in zip(started, futures, strict=True)
            )
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
            Seconds to wait at most, any number; None for as long as it takes.
        wait
            Seconds between two calls of `callback`.
        callback
            Called with the job's id, its status and itself as long as it has not ended.

        Raises
        ------
        BasicAerError
            If `timeout` or `wait` is no number.
        JobError
            If the job was not submitted.
        JobTimeoutError
            If it has not ended in `timeout` seconds.
        KeyboardInterrupt
            As `result` does.
        """
        seconds, pause = check_option("wait", timeout, "timeout"), check_option("wait", wait)
        deadline = None if seconds is None else time.monotonic() + seconds
        with self._cancelled_by_interrupts():
            while (status := self.status()) not in JOB_FINAL_STATES:
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    raise JobTimeoutError(f"Job {self.job_id()} has not ended after {seconds:g} s; it goes on.")
                if callback is not None:
                    callback(self.job_id(), status, self)
                limits = [limit for limit in (pause, left) if limit is not None]
                self._ended.wait(min(limits, default=None))
            self._wait_for_bar()
        self._warn_of_callback()

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


_live: weakref.WeakValueDictionary[int, BasicAerJob] = weakref.WeakValueDictionary()  # in the order they were made
_numbers = itertools.count()
_unfinished: dict[Future[Any], tuple[BasicAerJob, int]] = {}  # parts that have not ended: their jobs and numbers


def jobs() -> list[BasicAerJob]:
    """Return the jobs that this process has submitted and that somebody holds or that have not ended, oldest first."""
    held = [reference() for reference in _live.valuerefs()]  # which other threads may add to meanwhile
    return [job for job in held if job is not None and "submitted" in job.times and not job._inherited]  # noqa: SLF001


def _settle(future: Future[Any], *, withdrawn: bool = False) -> None:
    """Tell a future's job that it is done, or that its work was withdrawn; only the first time counts.

    A future keeps its callbacks: one that held the job would never let go.
    """
    job, number = _unfinished.pop(future, (None, 0))
    if job is None:
        return
    outcome = None
    error: BaseException | None = Cancelled()
    if not withdrawn and not future.cancelled() and (error := future.exception()) is None:
        outcome = future.result()
        if isinstance(outcome, Cancelled):
            outcome, error = None, outcome
    job._settle(number, outcome, error)  # noqa: SLF001  # the module's own class


def _inherit() -> None:
    """In a forked child: what has not ended runs in the parent, and its locks may be held for good."""
    for job, _ in _unfinished.values():
        job._inherited = True  # noqa: SLF001  # the module's own class
        job._lock = threading.Lock()  # noqa: SLF001
    _unfinished.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_inherit)


@atexit.register
def _cancel_unfinished() -> None:
    """Stop what still runs when the interpreter exits, so that no daemon thread computes into its end."""
    stopped = [job for job in {job for job, _ in _unfinished.values()} if job.cancel()]
    deadline = time.monotonic() + _EXIT_SECONDS
    for job in stopped:
        job._ended.wait(max(0.0, deadline - time.monotonic()))  # noqa: SLF001  # the module's own class
