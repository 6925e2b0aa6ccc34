"""Pauses Python's garbage collector where many objects are made that are needed for long."""

from __future__ import annotations

import contextlib
import gc
import os
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

__all__ = ["OBJECTS_OF_EXPERIMENT", "collector_paused"]

OBJECTS_OF_EXPERIMENT = 25  # kept of a small circuit that is prepared for a job, about
_MANY = 5_000  # objects; with fewer, the collector takes too little time to matter
_FROZEN_BY_PYTHON = 1_000  # objects, at most; Python 3.12 freezes 375 of its own at its start


class _Pauses:
    """The pauses of this process that have not ended; other threads' garbage in cycles waits for the last of them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0
        self._was_enabled = False

    def __enter__(self) -> None:
        with self._lock:
            self._count += 1
            if self._count == 1:
                self._was_enabled = gc.isenabled()
                gc.disable()

    def __exit__(self, *_raised: object) -> None:
        with self._lock:
            self._count -= 1
            if not self._count and self._was_enabled:
                _make_old()
                gc.enable()

    def end_all(self) -> None:
        """End all pauses in a forked process, which has none of the threads that would."""
        self._lock = threading.Lock()
        if self._count and self._was_enabled:
            gc.enable()
        self._count = 0


def _make_old() -> None:
    """Count all objects among the old ones, so that the next collection does not look through those of the pause."""
    if gc.get_freeze_count() < _FROZEN_BY_PYTHON:  # else objects that the program has frozen would lose that state
        gc.freeze()
        gc.unfreeze()


_pauses = _Pauses()
_NO_PAUSE = contextlib.nullcontext()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pauses.end_all)


def collector_paused(objects: int) -> AbstractContextManager[None]:
    """Return what pauses the collector while a block makes `objects` objects; if they are few, it does nothing.

    The collector looks through all objects of the process again and again while their number grows, which takes a
    seventh of the time to run a circuit of 100,000 gates on 10 qubits. None of those objects is in a cycle.
    """
    return _pauses if objects >= _MANY else _NO_PAUSE
