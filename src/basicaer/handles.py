"""How a job and the work that it has sent away stay in touch: one kind of handle for each family of executors."""

from __future__ import annotations

import concurrent.futures
import logging
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Protocol

from basicaer.engine.checkpoint import Checkpoint, Progress
from basicaer.executor import DaemonThreadExecutor

if TYPE_CHECKING:
    from collections.abc import Callable

    Listener = Callable[[Progress], Any]

__all__ = ["Handle", "LocalHandle", "Told", "UnknownHandle", "handle_for"]

_THREADS = (DaemonThreadExecutor, ThreadPoolExecutor)
_INTERPRETERS = getattr(concurrent.futures, "InterpreterPoolExecutor", ())  # since Python 3.14, derived from threads
_CALLBACK_SECONDS = 0.1  # between two calls of a job's callback

_log = logging.getLogger("basicaer")


class Handle(Protocol):
    """A job's end of the connection to where it runs.

    Attributes
    ----------
    can_cancel
        Whether work that has started can be cancelled through it.
    """

    can_cancel: bool

    def for_worker(self) -> Any:
        """Return what the worker gets: something with a method ``checkpoint()``, to be sent as the executor sends."""

    def cancel(self) -> None:
        """Ask the work to stop."""

    def has_started(self) -> bool | None:
        """Tell whether a worker has begun; None if only the executor knows."""

    def progress(self) -> Progress:
        """Return how far the work is, as far as that is known."""

    def finished(self) -> dict[int, Any]:
        """Return what the worker has handed over of its finished experiments, by their positions."""

    def close(self) -> None:
        """Note that the work has ended, however it did."""


class Told:
    """Passes progress on to a callback, whose failures are its own."""

    interval = _CALLBACK_SECONDS

    def __init__(self, listener: Listener) -> None:
        self._listener: Listener | None = listener

    def exchange(self, progress: Progress) -> bool:
        """Call the callback; one that fails is logged and not called again."""
        if self._listener is not None:
            try:
                self._listener(progress)
            except Exception:  # noqa: BLE001  # whatever it is, it must not end the job
                self._listener = None
                _log.exception("The callback of a job failed and is not called again; the job goes on.")
        return False

    def deliver(self, position: int, experiment: Any) -> None:
        """Keep nothing: who shares memory with the work has its results anyway."""


class LocalHandle:
    """For threads: the checkpoint itself."""

    can_cancel = True

    def __init__(self, timeout: float | None, listener: Listener | None) -> None:
        self._checkpoint = Checkpoint(timeout, Told(listener) if listener else None)

    def for_worker(self) -> LocalHandle:
        return self

    def checkpoint(self) -> Checkpoint:
        """Return the checkpoint to work with."""
        return self._checkpoint

    def cancel(self) -> None:
        self._checkpoint.cancel()

    def has_started(self) -> bool:
        return self._checkpoint.started

    def progress(self) -> Progress:
        return self._checkpoint.progress()

    def finished(self) -> dict[int, Any]:
        return {}

    def close(self) -> None:
        pass


class _Limit:
    """All that goes to an executor of a kind that is not known."""

    def __init__(self, timeout: float | None) -> None:
        self._timeout = timeout

    def checkpoint(self) -> Checkpoint:
        return Checkpoint(self._timeout)


class UnknownHandle:
    """For executors of a kind that is not known: work is beyond reach once it has started."""

    can_cancel = False

    def __init__(self, timeout: float | None) -> None:
        self._timeout = timeout

    def for_worker(self) -> _Limit:
        return _Limit(self._timeout)

    def cancel(self) -> None:
        pass

    def has_started(self) -> None:
        return None

    def progress(self) -> Progress:
        return Progress()

    def finished(self) -> dict[int, Any]:
        return {}

    def close(self) -> None:
        pass


def handle_for(executor: Executor, timeout: float | None, listener: Listener | None) -> Handle:
    """Return a handle for work on an executor.

    Parameters
    ----------
    timeout
        Seconds that the work may take; None for no limit.
    listener
        Called with the progress now and then, from some thread; None if nobody listens.
    """
    if isinstance(executor, _THREADS) and not isinstance(executor, _INTERPRETERS):
        return LocalHandle(timeout, listener)
    return UnknownHandle(timeout)
