"""Handles for work that shares memory with its job, and for work that is beyond reach."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

from basicaer.engine.checkpoint import Checkpoint
from basicaer.engine.progress import Progress
from basicaer.handles.base import PlainHandle

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from basicaer.handles.base import Told

__all__ = ["LocalHandle", "UnknownHandle"]


class LocalHandle(PlainHandle):
    """For threads: the checkpoint itself."""

    can_cancel = True

    def __init__(self, timeout: float | None, told: Told | None) -> None:
        self._checkpoint = Checkpoint(timeout, told)

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


class _Limit:
    """All that goes to an executor of a kind that is not known."""

    def __init__(self, timeout: float | None) -> None:
        self._timeout = timeout

    def at_work(self) -> AbstractContextManager[Checkpoint]:
        return nullcontext(Checkpoint(self._timeout))


class UnknownHandle(PlainHandle):
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
