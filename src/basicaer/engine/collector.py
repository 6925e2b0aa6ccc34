"""Pauses Python's garbage collector where many objects are made that are needed for long."""

from __future__ import annotations

import contextlib
import gc
import os
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["collector_paused"]

_MANY = 5_000  # objects; with fewer, the collector takes too little time to matter


class _Pauses:
    """The pauses of this process that have not ended; other threads' garbage in cycles waits for the last of them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0
        self._was_enabled = False

    def begin(self) -> None:
        with self._lock:
            self._count += 1
            if self._count == 1:
                self._was_enabled = gc.isenabled()
                gc.disable()

    def end(self) -> None:
        with self._lock:
            self._count -= 1
            if not self._count and self._was_enabled:
                gc.enable()

    def end_all(self) -> None:
        """End all pauses in a forked process, which has none of the threads that would."""
        self._lock = threading.Lock()
        if self._count and self._was_enabled:
            gc.enable()
        self._count = 0


_pauses = _Pauses()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pauses.end_all)


@contextlib.contextmanager
def collector_paused(objects: int) -> Iterator[None]:
    """Pause the collector while a block makes `objects` objects; if they are few, this does nothing.

    The collector looks through all objects of the process again and again while their number grows, which takes a
    seventh of the time to run a circuit of 100,000 gates on 10 qubits. None of those objects is in a cycle.
    """
    if objects < _MANY:
        yield
        return
    _pauses.begin()
    try:
        yield
    finally:
        _pauses.end()
