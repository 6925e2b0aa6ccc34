"""Handles for work that shares memory with its job, and for work that cannot be reached once it runs."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

from basicaer.engine.monitor import Monitor
from basicaer.engine.progress import Progress
from basicaer.handles.base import PlainHandle

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from basicaer.handles.base import ProgressCallback

__all__ = ["LocalHandle", "UnknownHandle"]


class LocalHandle(PlainHandle):
    """The handle for threads: job and worker share the monitor."""

    can_cancel = True

    def __init__(self, timeout: float | None, callback: ProgressCallback | None) -> None:
        self._monitor = Monitor(timeout, callback)

    def for_worker(self) -> LocalHandle:
        return self

    def at_work(self) -> AbstractContextManager[Monitor]:
        return nullcontext(self._monitor)

    def cancel(self) -> None:
        self._monitor.cancel()

    def has_started(self) -> bool:
        return self._monitor.started

    def progress(self) -> Progress:
        return self._monitor.progress()


class _TimeLimit:
    """The worker's end on an executor of an unknown kind: it knows only the time limit."""

    def __init__(self, timeout: float | None) -> None:
        self._timeout = timeout

    def at_work(self) -> AbstractContextManager[Monitor]:
        return nullcontext(Monitor(self._timeout))


class UnknownHandle(PlainHandle):
    """The handle for executors of an unknown kind: work cannot be reached once it has started."""

    can_cancel = False

    def __init__(self, timeout: float | None) -> None:
        self._timeout = timeout

    def for_worker(self) -> _TimeLimit:
        return _TimeLimit(self._timeout)

    def cancel(self) -> None:
        pass

    def has_started(self) -> None:
        return None

    def progress(self) -> Progress:
        return Progress()
