"""A flag that is set once and that threads can wait for, also where Ctrl-C may come at any moment."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections import deque

__all__ = ["Latch", "slice_until"]

_SECONDS = 0.1  # between two looks for an interrupt


def slice_until(deadline: float) -> float:
    """Return how many seconds a thread may sleep at a time before a deadline of `time.monotonic`.

    An interrupt that comes when the interpreter has just looked for one, or that another thread receives, does not wake
    a thread that acquires a lock. Between two slices the interpreter looks again.
    """
    return min(_SECONDS, deadline - time.monotonic())


class Latch:
    """A flag that is set once; an interrupt of a thread that waits for it does no harm to the others.

    All threads that use a `threading.Event` share one lock, which Python code acquires. An interrupt that comes just
    then leaves that lock acquired for good, and the thread that would set the event hangs. Here each waiting thread has
    a lock of its own, which nobody else acquires.
    """

    def __init__(self) -> None:
        self._is_set = False
        self._waiting: deque[threading.Lock] = deque()  # a lock for each waiting thread, acquired until the flag is set

    def is_set(self) -> bool:
        """Tell whether the flag is set."""
        return self._is_set

    def set(self) -> None:
        """Set the flag and wake all threads that wait for it."""
        self._is_set = True
        with contextlib.suppress(IndexError):  # `pop` fails when no thread is left
            while True:
                self._waiting.pop().release()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until the flag is set, at most some seconds; return whether it is."""
        deadline = time.monotonic() + (math.inf if seconds is None else seconds)
        turn = threading.Lock()
        turn.acquire()
        self._waiting.append(turn)
        try:
            # A thread that sets the flag after a look at it finds the lock and releases it.
            while not self._is_set and (left := slice_until(deadline)) > 0 and not turn.acquire(timeout=left):
                pass
        finally:
            with contextlib.suppress(ValueError):  # `set` has taken the lock already
                self._waiting.remove(turn)
        return self._is_set
