"""What a job asks of the handles on its work, and what of it those on other processes have in common."""

from __future__ import annotations

import contextlib
import logging
import signal
import threading
import time
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from basicaer.engine.progress import Progress
from basicaer.errors import reason_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future
    from contextlib import AbstractContextManager

    from basicaer.engine.checkpoint import Checkpoint

    Listener = Callable[[Progress], Any]

__all__ = ["Finished", "Handle", "PlainHandle", "RemoteHandle", "Told", "WorkerEnd"]

_CALLBACK_SECONDS = 0.1  # between two calls of a job's callback

_log = logging.getLogger("basicaer")


class WorkerEnd(Protocol):
    """What is sent to the worker along with the work."""

    def at_work(self) -> AbstractContextManager[Checkpoint]:
        """Return a context that gives the checkpoint to work with; the work ends with it."""


class Handle(Protocol):
    """A job's end of the connection to where it runs.

    Attributes
    ----------
    can_cancel
        Whether work that has started can be cancelled through it.
    cancels_futures
        Whether the future of work that waits may be cancelled. Not that of a process pool: when a worker dies, Python's
        (3.11 at least) sets an exception on every future, stumbles over one that was cancelled, and leaves the others
        waiting for ever.
    """

    can_cancel: bool
    cancels_futures: bool

    def for_worker(self) -> WorkerEnd:
        """Return what the worker gets, to be sent as the executor sends."""

    def cancel(self) -> bool | None:
        """Ask the work to stop.

        Returns
        -------
        bool or None
            True if it has not begun and never will, False if it had begun; None if only the executor knows.
        """

    def has_started(self) -> bool | None:
        """Tell whether a worker has begun; None if only the executor knows."""

    def progress(self) -> Progress:
        """Return how far the work is, as far as that is known."""

    def finished(self) -> dict[int, Any]:
        """Return what the worker has handed over of its finished experiments, by their positions."""

    def when_done(self, future: Future[Any], settle: Callable[[Future[Any]], None]) -> None:
        """Call a function with the work's future once that is done and everything was heard that the worker said."""

    def close(self) -> None:
        """Note that the work has ended, however it did."""


class Told:
    """Passes the progress of all parts of a job on to its callback, whose failures are its own.

    Attributes
    ----------
    failure
        Says how the callback has failed; None if it has not. Who waits for the job is to be warned: where the callback
        is called, a warning that is made an error would end the work or the connection to it.
    """

    interval = _CALLBACK_SECONDS

    def __init__(self, listener: Listener) -> None:
        self.failure: str | None = None
        self._listener: Listener | None = listener

    def exchange(self, progress: Progress) -> bool:
        """Call the callback; one that fails is not called again."""
        listener = self._listener
        if listener is not None:
            interrupts = _Interrupts()
            try:
                with interrupts:
                    listener(progress)
            except BaseException as error:  # whatever it is, it must not end the job
                self._listener = None
                if isinstance(error, KeyboardInterrupt) and interrupts.seen:
                    raise
                self.failure = self.failure or reason_of(error)
                _log.exception("The callback of a job failed and is not called again; the job goes on.")
        return False

    def deliver(self, position: int, experiment: Any) -> None:
        """Keep nothing: who shares memory with the work has its results anyway."""


class _Interrupts:
    """Notices whether Ctrl-C came in a block, since a KeyboardInterrupt does not say who raised it.

    Attributes
    ----------
    seen
        Whether it did; only in the main thread, which is where Python answers signals.
    """

    def __init__(self) -> None:
        self.seen = False
        self._before: Any = None

    def __enter__(self) -> None:
        if threading.current_thread() is threading.main_thread():
            before = signal.getsignal(signal.SIGINT)
            if callable(before):  # else no Python code answers
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
    """What a worker says when it has finished an experiment."""

    position: int
    experiment: Any


class PlainHandle:
    """What most handles do: they hand nothing over, need no last words and leave nothing to be closed."""

    cancels_futures = True

    def finished(self) -> dict[int, Any]:
        return {}

    def when_done(self, future: Future[Any], settle: Callable[[Future[Any]], None]) -> None:
        future.add_done_callback(settle)

    def close(self) -> None:
        pass


class RemoteHandle(PlainHandle):
    """What handles on work in other processes have in common: they know what they were told.

    Who derives from it notes in `_started` that a worker has begun, and calls `_hear` with what it says then.
    """

    can_cancel = True

    def __init__(self, told: Told | None) -> None:
        self._lock = threading.Lock()  # guards what follows
        self._cancelled = False
        self._started = False
        self._progress = Progress()
        self._finished: dict[int, Any] = {}
        self._told = told
        self._next_call = 0.0

    def has_started(self) -> bool:
        return self._started

    def progress(self) -> Progress:
        return self._progress

    def finished(self) -> dict[int, Any]:
        return self._finished

    def close(self) -> None:
        self._finished = {}

    def _hear(self, said: Progress | Finished) -> None:
        if not self._started:  # it was cancelled before, and only says good-bye
            return
        if isinstance(said, Finished):
            self._finished[said.position] = said.experiment
            return
        self._progress = said
        if self._told is not None and (now := time.monotonic()) >= self._next_call:
            self._next_call = now + self._told.interval
            self._call(self._told, said)

    def _call(self, told: Told, progress: Progress) -> None:
        told.exchange(progress)
