"""Holds the BLAS that NumPy uses to one thread while states are worked on.

The matrices here are thin. With several threads OpenBLAS can take ten times as long for their products as with one,
above all when other work keeps the cores busy. The number of threads is a setting of the whole process. The limits of
several jobs overlap, so they are counted; otherwise the job that ends last would leave the process at one thread.

Since version 3.8 threadpoolctl lets only one Python thread change the setting, and ignores all others silently. Jobs
begin and end on any thread, so this rule is lifted around each change. If OpenBLAS uses OpenMP, each thread has a
setting of its own, which is made in each thread.
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
    """Return threadpoolctl's controllers of BLAS; cached, because searching all loaded libraries takes milliseconds."""
    return tuple(ThreadpoolController().select(user_api="blas").lib_controllers)


@cache
def has_small_kernels() -> bool:
    """Tell whether there are special kernels for small real matrices, two or three times as fast as the others.

    OpenBLAS has them for processors with AVX-512, and for real numbers only.
    """
    return any(getattr(library, "architecture", None) in _WITH_SMALL_KERNELS for library in _libraries())


def _is_per_thread(library: Any) -> bool:
    return getattr(library, "threading_layer", None) == "openmp"


def _set_threads(library: Any, threads: int) -> None:
    """Set a library's number of threads, whichever thread set it last."""
    give_up_control = getattr(library, "clear_controlling_thread", None)  # missing before threadpoolctl 3.8
    if give_up_control is None:
        library.set_num_threads(threads)
        return
    give_up_control(force=True)
    library.set_num_threads(threads)
    give_up_control(force=True)


class _SingleThreadedBlas:
    """A context that many threads may be in at once; the last to leave restores what the first one found."""

    def __init__(self) -> None:
        self._start_outside()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._start_outside)

    def _start_outside(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._found: list[tuple[Any, int]] = []  # the libraries with one setting for all threads, and that setting
        self._own = threading.local()  # .found: in each thread, the same for libraries with a setting for each thread

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
