"""Holds the BLAS that NumPy uses to one thread while states are worked on.

The products here are thin, and OpenBLAS with several threads can take ten times as long on them as with one, most of
all when other work keeps the cores busy. Its number of threads is a setting of the whole process: limits that overlap,
as those of several jobs do, must be counted, or the last one out leaves the user's process at one thread for good.
"""

from __future__ import annotations

import os
import threading
from functools import cache
from typing import TYPE_CHECKING, Any

from threadpoolctl import ThreadpoolController

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["single_threaded_blas"]


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()  # once: it looks through every library that is loaded, which takes milliseconds


class _SingleThreadedBlas:
    """A context that any number of threads may be in at once; the last to leave restores what the first found."""

    def __init__(self) -> None:
        self._start_outside()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._start_outside)

    def _start_outside(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._limit: Any = None

    def __enter__(self) -> None:
        with self._lock:
            if not self._inside:
                self._limit = _controller().limit(limits=1, user_api="blas")
            self._inside += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._limit.restore_original_limits()


single_threaded_blas = _SingleThreadedBlas()
