"""A flag that is set once and that threads can wait for, also where Ctrl-C may come at any moment."""

from __future__ import annotations

import contextlib
import threading
from collections import deque

__all__ = ["Latch"]


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
        turn = threading.Lock()
        turn.acquire()
        self._waiting.append(turn)
        try:
            # A thread that sets the flag after this look finds the lock and releases it.
            if not self._is_set:
                turn.acquire(timeout=-1 if seconds is None else max(0.0, seconds))
        finally:
            with contextlib.suppress(ValueError):  # `set` has taken the lock already
                self._waiting.remove(turn)
        return self._is_set
