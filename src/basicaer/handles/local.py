"""Handles for work that shares memory with its job, and for work that is beyond reach."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from basicaer.engine.checkpoint import Checkpoint, Progress
from basicaer.handles.base import Told

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future
    from contextlib import AbstractContextManager

    from basicaer.handles.base import Listener

__all__ = ["LocalHandle", "UnknownHandle"]


class LocalHandle:
    """For threads: the checkpoint itself."""

    can_cancel = True

    def __init__(self, timeout: float | None, listener: Listener | None) -> None:
        self._checkpoint = Checkpoint(timeout, Told(listener) if listener is not None else None)

    def for_worker(self) -> LocalHandle:
        return self

    def at_work(self) -> AbstractContextManager[Checkpoint]:
        return nullcontext(self._checkpoint)

    def cancel(self) -> None:
        self._checkpoint.cancel()

    def has_started(self) -> bool:
        return self._checkpoint.started

    def progress(self) -> Progress:
        return self._checkpoint.progress()

    def finished(self) -> dict[int, Any]:
        return {}

    def when_done(self, future: Future[Any], settle: Callable[[Future[Any]], None]) -> None:
        future.add_done_callback(settle)

    def close(self) -> None:
        pass


class _Limit:
    """All that goes to an executor of a kind that is not known."""

    def __init__(self, timeout: float | None) -> None:
        self._timeout = timeout

    def at_work(self) -> AbstractContextManager[Checkpoint]:
        return nullcontext(Checkpoint(self._timeout))


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

    def when_done(self, future: Future[Any], settle: Callable[[Future[Any]], None]) -> None:
        future.add_done_callback(settle)

    def close(self) -> None:
        pass
