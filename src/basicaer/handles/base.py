"""The interface of the handles on a job's parts, and the base of the handles for other processes."""

from __future__ import annotations

import contextlib
import logging
import signal
import threading
import time
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from basicaer.callbacks import running_callback
from basicaer.engine.progress import Progress
from basicaer.errors import reason_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future
    from contextlib import AbstractContextManager

    from basicaer.engine.monitor import Monitor
    from basicaer.records import FinishedExperiment

    Listener = Callable[[Progress], Any]

__all__ = ["Finished", "Handle", "PlainHandle", "ProgressCallback", "RemoteHandle", "WorkerEnd"]

_CALLBACK_SECONDS = 0.1  # least time between two calls of a job's callback

_log = logging.getLogger("basicaer")


class WorkerEnd(Protocol):
    """The worker's end of the connection, which is sent along with the work."""

    def at_work(self) -> AbstractContextManager[Monitor]:
        """Return a context that lasts as long as the work and gives it its monitor."""


class Handle(Protocol):
    """A job's end of the connection to where one of its parts runs.

    Attributes
    ----------
    can_cancel
        Whether work that has started can be cancelled through it.
    cancels_futures
        Whether the future of work that has not started may be cancelled. A process pool's may not: when a worker dies,
        the pool (of Python 3.11 at least) sets an exception on every future, fails at one that was cancelled, and
        leaves the others waiting for ever.
    """

    can_cancel: bool
    cancels_futures: bool

    def for_worker(self) -> WorkerEnd:
        """Return the worker's end, which the executor can send."""

    def cancel(self) -> bool | None:
        """Ask the work to stop.

        Returns
        -------
        bool or None
            True if it has not begun and never will, False if it has begun; None if only the executor knows.
        """

    def has_started(self) -> bool | None:
        """Tell whether a worker has begun; None if only the executor knows."""

    def progress(self) -> Progress:
        """Return how far the work is, as far as the job's end knows."""

    def finished(self) -> dict[int, FinishedExperiment | None]:
        """Return the finished experiments that the worker has handed over, by position."""

    def when_done(self, future: Future[Any], conclude: Callable[[Future[Any]], None]) -> None:
        """Call a function with the work's future once it is done and all messages of the worker have been received."""

    def close(self) -> None:
        """Note that the work has ended, in whatever way."""


class ProgressCallback:
    """Calls a job's callback with the progress of any part, and keeps the callback's exceptions from the job.

    It can be the link of a monitor.

    Attributes
    ----------
    failure
        The exception of the callback in words; None if there was none. The warning is left to whoever waits for the
        job: where the callback is called, a warning that was turned into an error would end the work or the connection.
    """

    interval = _CALLBACK_SECONDS

    def __init__(self, listener: Listener) -> None:
        self.failure: str | None = None
        self._listener: Listener | None = listener

    def exchange(self, progress: Progress) -> bool:
        """Call the callback, unless it has raised an exception before."""
        listener = self._listener
        if listener is not None:
            interrupts = _Interrupts()
            try:
                with interrupts, running_callback():
                    listener(progress)
            except BaseException as error:  # an error of the callback must not end the job
                self._listener = None
                if isinstance(error, KeyboardInterrupt) and interrupts.seen:
                    raise
                self.failure = self.failure or reason_of(error)
                _log.exception("The callback of a job failed and is not called again; the job goes on.")
        return False

    def deliver(self, position: int, experiment: FinishedExperiment | None) -> None:
        """Ignore a finished experiment: work that shares memory with its job loses nothing."""


class _Interrupts:
    """Notices whether Ctrl-C was pressed during a block, since a KeyboardInterrupt does not say who raised it.

    Attributes
    ----------
    seen
        Whether it was; known only in the main thread, in which Python handles signals.
    """

    def __init__(self) -> None:
        self.seen = False
        self._before: Any = None

    def __enter__(self) -> None:
        if threading.current_thread() is threading.main_thread():
            before = signal.getsignal(signal.SIGINT)
            if callable(before):  # otherwise no Python code handles the signal
                self._before = before
                with contextlib.suppress(ValueError):  # the main thread of a subinterpreter gets no signals
                    signal.signal(signal.SIGINT, self._answer)

    def _answer(self, number: int, frame: Any) -> None:
        self.seen = True
        self._before(number, frame)

    def __exit__(self, *_raised: object) -> None:
        if self._before is not None and signal.getsignal(signal.SIGINT) == self._answer:
            signal.signal(signal.SIGINT, self._before)


class Finished(NamedTuple):
    """The message in which a worker hands over a finished experiment."""

    position: int
    experiment: FinishedExperiment | None


class PlainHandle:
    """The base of most handles: nothing is handed over, no last messages are awaited, and nothing has to be closed."""

    cancels_futures = True

    def finished(self) -> dict[int, FinishedExperiment | None]:
        return {}

    def when_done(self, future: Future[Any], conclude: Callable[[Future[Any]], None]) -> None:
        future.add_done_callback(conclude)

    def close(self) -> None:
        pass


class RemoteHandle(PlainHandle):
    """The base of handles on work in other processes: they know what they have received from the worker.

    A derived class notes in `_started` that a worker has begun, and calls `_receive` with its messages from then on.
    """

    can_cancel = True

    def __init__(self, callback: ProgressCallback | None) -> None:
        self._lock = threading.Lock()  # guards what follows
        self._cancelled = False
        self._started = False
        self._progress = Progress()
        self._finished: dict[int, FinishedExperiment | None] = {}
        self._callback = callback
        self._next_call = 0.0

    def has_started(self) -> bool:
        return self._started

    def progress(self) -> Progress:
        return self._progress

    def finished(self) -> dict[int, FinishedExperiment | None]:
        return self._finished

    def close(self) -> None:
        self._finished = {}

    def _receive(self, message: Progress | Finished) -> None:
        if not self._started:  # the work was cancelled before it began; this is its last progress
            return
        if isinstance(message, Finished):
            self._finished[message.position] = message.experiment
            return
        self._progress = message
        if self._callback is not None and (now := time.monotonic()) >= self._next_call:
            self._next_call = now + self._callback.interval
            self._call(self._callback, message)

    def _call(self, callback: ProgressCallback, progress: Progress) -> None:
        callback.exchange(progress)
