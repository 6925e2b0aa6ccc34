"""The state of a submitted job: its parts at the executor, and how the job ends as they do.

This module also knows all futures of this process that have not ended. A future keeps its callbacks for good, so that
one which referred to the job would never release it; instead, the callback looks the job up here.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import threading
import time
from concurrent.futures.process import BrokenProcessPool
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from qiskit.providers import JobStatus

from basicaer.callbacks import in_callback, running_callback
from basicaer.engine.monitor import current_monitor
from basicaer.engine.progress import Progress
from basicaer.errors import Cancelled, JobStateError, WorkerLostError
from basicaer.latch import Latch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future

    from basicaer.handles.base import Handle, WorkerEnd
    from basicaer.payload import Payload

__all__ = ["JobState", "Part"]

_EXIT_SECONDS = 1.0  # how long the interpreter's exit may wait for cancelled jobs
_DASK_WORKER_LOST = "KilledWorker"  # the type that Dask raises for a dead worker; loky raises a BrokenProcessPool

_log = logging.getLogger("basicaer")


def _call_in_worker(fn: Callable[[str, Any], Any], job_id: str, argument: Any, worker_end: WorkerEnd) -> Any:
    """Call a job's function where its executor runs it.

    If the job was cancelled, this is returned rather than raised: Dask would log an exception as a failure.
    """
    with worker_end.at_work() as monitor:
        token = current_monitor.set(monitor)
        try:
            monitor.start()
            return fn(job_id, argument)
        except Cancelled as stopped:
            return stopped.with_traceback(None)
        finally:
            current_monitor.reset(token)


class Part(NamedTuple):
    """A piece of a job's work that is sent to the executor by itself."""

    payload: Payload
    handle: Handle


class JobState:
    """What is known of a job from its submission on.

    Attributes
    ----------
    times
        See `BasicAerJob`.
    parts, futures
        The parts of the job's work, and the executor's future of each; empty before the job is submitted.
    final
        How the job has ended; None before. It is written once and last of all, and so read without the lock.
    error
        What the job has failed with.
    stopped
        Set when no part runs any more.
    ended
        Set when the job has ended: when it has stopped, unless that is held back.
    is_inherited
        Whether the job belongs to the process that this one was forked from.
    """

    def __init__(self, job_id: str) -> None:
        self.times = {"created": time.time()}
        self.parts: tuple[Part, ...] = ()
        self.futures: tuple[Future[Any], ...] = ()
        self.final: JobStatus | None = None
        self.error: BaseException | None = None
        self.stopped = Latch()
        self.ended = Latch()
        self.is_inherited = False
        self._job_id = job_id
        self._payload: Payload | None = None
        self._lock = threading.Lock()  # guards what follows, and how the job ends
        self._is_taken = False  # whether a submission has begun or succeeded
        self._unfinished_parts = 0
        self._is_held = False
        self._is_cancelled = False
        self._outcomes: dict[int, Any] = {}  # _outcomes[part] = its result, or a result of what it had finished
        self._last_progress = Progress()
        self._when_ended: list[Callable[[], None]] = []

    @property
    def is_saved(self) -> bool:
        """Whether the job is saved when it is cancelled."""
        return self._payload is not None and self._payload.is_saved

    # Submission.

    def take(self) -> None:
        """Begin a submission, of which there may be one.

        Raises
        ------
        JobStateError
            If there was one before.
        """
        with self._lock:
            if self._is_taken:
                raise JobStateError(f"Job {self._job_id} was submitted already; run the circuits again for a new job.")
            self._is_taken = True

    def give_back(self) -> None:
        """Note that a submission has failed, so that there may be another."""
        self.times.pop("submitted", None)
        with self._lock:
            self._is_taken = False

    def send(
        self, fn: Callable[[str, Any], Any], payload: Payload, parts: Sequence[Part], start: Callable[..., Any]
    ) -> tuple[Future[Any], ...]:
        """Send the parts of a payload to the executor, whose method `start` is; return their futures.

        Raises
        ------
        JobStateError
            If the executor returns something that is not a future.
        WorkerLostError
            If it is a pool that has lost a process before.
        """
        self._payload, self.parts, self._unfinished_parts = payload, tuple(parts), len(parts)
        self.times["submitted"] = time.time()
        futures: list[Future[Any]] = []
        try:
            for part in self.parts:
                future = start(_call_in_worker, fn, self._job_id, part.payload.argument, part.handle.for_worker())
                futures.append(self._checked(future))
        except BaseException as error:
            for part in self.parts:  # all of them: after an interrupt the executor may hold work without our future
                part.handle.cancel()
                part.handle.close()
            for part, future in zip(self.parts, futures, strict=False):
                if part.handle.cancels_futures:
                    future.cancel()
            if isinstance(error, BrokenProcessPool):
                # Some pools raise the same exception object again and again: its traceback would keep the job alive.
                raise WorkerLostError(
                    f"The executor takes no more jobs, since a worker process of it has died ({error}). "
                    "Run the job again, on a new executor."
                ) from error.with_traceback(None)
            raise
        return tuple(futures)

    def _checked(self, future: Any) -> Future[Any]:
        if not hasattr(future, "add_done_callback"):
            raise JobStateError(f"The executor returned {future!r} for job {self._job_id}, which is not a future.")
        return cast("Future[Any]", future)

    def watch(self, futures: tuple[Future[Any], ...], job: object) -> None:
        """Take notice of how the futures end, and keep the job alive until they have; calling it again does no harm."""
        self.futures = futures
        for number, future in enumerate(futures):
            _unfinished[future] = _Unfinished(self, number, job)
        for part, future in zip(self.parts, futures, strict=True):
            part.handle.when_done(future, _conclude)

    def check_submitted(self) -> None:
        """Check that the job was submitted by this process.

        Raises
        ------
        JobStateError
            If it was not.
        """
        if self.is_inherited:
            raise JobStateError(
                f"Job {self._job_id} runs in the process that this one was forked from; run it again here."
            )
        if not self.futures:
            raise JobStateError(f"Job {self._job_id} has not been submitted; call submit() first.")

    def check_may_wait(self) -> None:
        """Check that this thread may wait for the job.

        Raises
        ------
        JobStateError
            If the job has not ended and this thread runs a callback: jobs may need the thread, and the job that calls
            goes on only after its callback.
        """
        if self.final is None and in_callback():
            raise JobStateError(
                f"A callback cannot wait for job {self._job_id}, since jobs may need the thread that it runs in; wait "
                "for the job elsewhere, or give it a callback with its add_done_callback()."
            )

    # While it runs.

    def cancel(self) -> bool:
        """Cancel the job as `BasicAerJob.cancel` says."""
        can_cancel = all(part.handle.can_cancel for part in self.parts)
        with self._lock:
            if self.final is not None:
                return False
            if can_cancel:
                self._is_cancelled = True
        if can_cancel:
            self._stop_parts()
            return True
        for future in self.futures:  # the executor drops the work or, once it has started, cannot be reached
            future.cancel()
        return self._is_cancelled

    def _stop_parts(self) -> None:
        """Stop all parts; not under the lock, since cancelling a future may end with a call of `conclude_part`."""
        for part, future in zip(self.parts, self.futures, strict=True):
            never_begins = part.handle.cancel()
            # The handle's word comes first: some futures, as Dask's, accept a cancel while their work runs on.
            has_begun = never_begins is False
            if not has_begun and part.handle.cancels_futures and future.cancel():
                continue
            if never_begins:
                _conclude(future, withdrawn=True)

    def is_running(self) -> bool:
        """Tell whether any part has started.

        Raises
        ------
        JobStateError
            If only the executor's future knows that, and it does not say.
        """
        started = [part.handle.has_started() for part in self.parts]
        try:
            return any(
                bool(future.running() or (future.done() and not future.cancelled())) if known is None else known
                for known, future in zip(started, self.futures, strict=True)
            )
        except Exception as error:
            raise JobStateError(f"The future of job {self._job_id} does not say whether it is running.") from error

    def progress(self) -> Progress:
        """Return how far the job is, or how far it was when it ended."""
        return self._total_progress() if self.final is None else self._last_progress

    def _total_progress(self) -> Progress:
        parts = [part.handle.progress() for part in self.parts]
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

    # How it ends.

    def conclude_part(self, number: int, outcome: Any, error: BaseException | None) -> None:
        """Note how a part has ended; when the last part has, decide how the job has.

        The first part that is cancelled or fails decides; the other parts are stopped then.
        """
        part = self.parts[number]
        if error is not None:
            outcome = getattr(error, "partial", None)
            if outcome is None and (finished := part.handle.finished()):
                try:
                    outcome = part.payload.partial_result(self._job_id, finished)
                except Exception:  # noqa: BLE001  # the job must end even if something fails here, such as memory
                    _log.exception("No result can be made of what job %s had finished.", self._job_id)
        part.handle.close()
        with self._lock:
            self._outcomes[number] = outcome
            is_first = error is not None and self.error is None and not self._is_cancelled
            if is_first and isinstance(error, Cancelled):
                self._is_cancelled = True
            elif is_first:
                self.error = error
            self._unfinished_parts -= 1
            if self._unfinished_parts == 0:
                self.stopped.set()
        self._end_if_stopped()
        if is_first and not self.stopped.is_set():
            self._stop_parts()

    def hold(self) -> None:
        """Let nobody see that the job ends before `let_go` is called."""
        with self._lock:
            self._is_held = True

    def let_go(self) -> None:
        """End a hold; the job ends now if it has stopped meanwhile."""
        with self._lock:
            self._is_held = False
        self._end_if_stopped()

    def _end_if_stopped(self) -> None:
        """Let the job end if it has stopped and is not held, and call those who wait for that."""
        with self._lock:
            if self._is_held or self.final is not None or not self.stopped.is_set():
                return
            self._conclude_job()
            waiting, self._when_ended = self._when_ended, []
        with running_callback():
            for call in waiting:
                call()

    def when_ended(self, call: Callable[[], None]) -> None:
        """Make a call, which raises nothing, when the job has ended; at once if it has."""
        with self._lock:
            if self.final is None:
                self._when_ended.append(call)
                return
        call()

    def _conclude_job(self) -> None:
        if self.error is not None and not self._is_cancelled:
            if type(self.error).__name__ == _DASK_WORKER_LOST or isinstance(self.error, BrokenProcessPool):
                lost = self._worker_lost(self.error)
                lost.__cause__ = self.error
                self.error = lost
            with contextlib.suppress(AttributeError, TypeError):  # some exceptions allow no new attribute
                self.error.partial = self.joined_outcomes()  # type: ignore[union-attr]
        self.times["ended"] = time.time()
        final = JobStatus.CANCELLED if self._is_cancelled else JobStatus.DONE if self.error is None else JobStatus.ERROR
        phase, remaining = ("ended", 0.0) if final is JobStatus.DONE else ("stopped", None)
        self._last_progress = self._total_progress()._replace(phase=phase, remaining=remaining)
        if self._last_progress.elapsed:
            self.times["started"] = self.times["ended"] - self._last_progress.elapsed
        self.times.update(self._last_progress.phases)
        self.final = final
        _log.debug("Job %s has ended as %s.", self._job_id, self.final.name)
        self.ended.set()

    def _worker_lost(self, error: BaseException) -> WorkerLostError:
        reason = str(error) or type(error).__name__
        remedy = ", on a new executor" if isinstance(error, BrokenProcessPool) else ""
        if not any(part.handle.has_started() for part in self.parts):
            return WorkerLostError(
                f"A worker process of the executor has died before job {self._job_id} began ({reason}). "
                f"Run the job again{remedy}."
            )
        return WorkerLostError(
            f"The worker process of job {self._job_id} has died ({reason}), possibly out of memory; "
            f"what it had finished is in partial_result(). Run the rest again{remedy}."
        )

    def joined_outcomes(self) -> Any:
        """Return what all parts have finished as one result; None if nothing is known of it."""
        outcomes = [self._outcomes[number] for number in sorted(self._outcomes)]
        if len(outcomes) == 1:
            return outcomes[0]
        known = [outcome for outcome in outcomes if outcome is not None]
        return self._payload.join(known) if known and self._payload is not None else None

    def leave_to_parent(self) -> None:
        """Note that this process was forked from the one in which the job runs."""
        self.is_inherited = True
        self._lock = threading.Lock()  # a thread of the parent may hold the old one for good


class _Unfinished(NamedTuple):
    """The part of a job that a future belongs to; `job` is there to stay alive."""

    state: JobState
    number: int
    job: object


_unfinished: dict[Future[Any], _Unfinished] = {}


def _conclude(future: Future[Any], *, withdrawn: bool = False) -> None:
    """Tell a future's job that it is done, or that its work was withdrawn; only the first call counts."""
    part = _unfinished.pop(future, None)
    if part is None:
        return
    outcome = None
    error: BaseException | None = Cancelled()
    if not withdrawn and not future.cancelled() and (error := future.exception()) is None:
        outcome = future.result()
        if isinstance(outcome, Cancelled):
            outcome, error = None, outcome
    part.state.conclude_part(part.number, outcome, error)


def _leave_to_parent() -> None:
    """Note in a forked child that all unfinished jobs run in the parent."""
    for part in _unfinished.values():
        part.state.leave_to_parent()
    _unfinished.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_to_parent)


@atexit.register
def _cancel_unfinished() -> None:
    """Stop what still runs when the interpreter exits, so that no daemon thread computes into its end.

    Jobs that are saved are awaited, others for a moment only. Ctrl-C ends the wait.
    """
    stopped = [state for state in {part.state for part in _unfinished.values()} if state.cancel()]
    deadline = time.monotonic() + _EXIT_SECONDS
    with contextlib.suppress(KeyboardInterrupt):
        for state in stopped:
            state.ended.wait(None if state.is_saved else max(0.0, deadline - time.monotonic()))
