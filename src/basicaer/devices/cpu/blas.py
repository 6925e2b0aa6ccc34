"""Holds the BLAS that NumPy uses to one thread while states are worked on.

The products here are thin, and OpenBLAS with several threads can take ten times as long on them as with one, most of
all when other work keeps the cores busy. Its number of threads is a setting of the whole process: limits that overlap,
as those of several jobs do, must be counted, or the last one out leaves the user's process at one thread for good.

From 3.8 on threadpoolctl lets one Python thread set it and ignores all others, without a word. Jobs begin and end on
any thread, so that rule is lifted around each setting. Where OpenBLAS works through OpenMP the setting is each
thread's own, and made in each.
"""

from __future__ import annotations

import os
import threading
from functools import cache
from typing import TYPE_CHECKING, Any

from threadpoolctl import ThreadpoolController

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["has_small_kernels", "single_threaded_blas"]

_WITH_SMALL_KERNELS = {"SkylakeX", "Cooperlake", "SapphireRapids"}  # what OpenBLAS calls processors with AVX-512


@cache
def _libraries() -> tuple[Any, ...]:
    """Return threadpoolctl's controllers of BLAS; once, since to look through all that is loaded takes milliseconds."""
    return tuple(ThreadpoolController().select(user_api="blas").lib_controllers)


@cache
def has_small_kernels() -> bool:
    """Tell whether small real matrices are multiplied by kernels of their own, two or three times as fast as others.

    OpenBLAS has them for processors with AVX-512, and for real numbers only.
    """
    return any(getattr(library, "architecture", None) in _WITH_SMALL_KERNELS for library in _libraries())


def _is_per_thread(library: Any) -> bool:
    return getattr(library, "threading_layer", None) == "openmp"


def _set_threads(library: Any, threads: int) -> None:
    """Set a library's number of threads, whichever thread set it last."""
    give_up_control = getattr(library, "clear_controlling_thread", None)  # not there before threadpoolctl 3.8
    if give_up_control is None:
        library.set_num_threads(threads)
        return
    give_up_control(force=True)
    library.set_num_threads(threads)
    give_up_control(force=True)


class _SingleThreadedBlas:
    """A context that any number of threads may be in at once; the last to leave restores what the first found."""

    def __init__(self) -> None:
        self._start_outside()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._start_outside)

    def _start_outside(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._found: list[tuple[Any, int]] = []  # libraries with one setting for all, and what it was
        self._own = threading.local()  # for each thread, the same of libraries with a setting for each

    def __enter__(self) -> None:
        with self._lock:
            if not self._inside:
                self._found = self._limit(per_thread=False)
            self._inside += 1
        self._own.found = [*getattr(self._own, "found", []), self._limit(per_thread=True)]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for library, threads in self._own.found.pop():
            _set_threads(library, threads)
        with self._lock:
            self._inside -= 1
            if not self._inside:
                for library, threads in self._found:
                    _set_threads(library, threads)

    @staticmethod
    def _limit(*, per_thread: bool) -> list[tuple[Any, int]]:
        found = []
        for library in _libraries():
            if _is_per_thread(library) == per_thread:
                found.append((library, library.get_num_threads()))
                _set_threads(library, 1)
        return found


single_threaded_blas = _SingleThreadedBlas()
