"""Shares the tiles of a pass among threads; NumPy releases the interpreter lock where it works on them.

States that are worked on at the same time share the threads that each of them would have alone, so that jobs beside
each other do not crowd the cores. How many there are is looked at after every pass.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import threading
from typing import TYPE_CHECKING

import numpy as np

from basicaer.devices.cpu.blas import single_threaded_blas

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from numpy.typing import NDArray

    from basicaer.devices.cpu.tiles import BoundPass
    from basicaer.engine.checkpoint import Checkpoint

__all__ = ["run_parts", "run_passes"]


def run_passes(
    passes: Sequence[BoundPass],
    vector: NDArray[np.complexfloating],
    threads: int,
    checkpoint: Checkpoint,
    *,
    counted: bool = True,
) -> None:
    """Run passes over a state one after another, the tiles of each on up to `threads` threads at a time.

    What comes out does not depend on the number of threads. `checkpoint` is polled before every tile, and every
    thread has stopped when this returns or raises. `counted` says whether the passes are progress.
    """
    with _crowd:
        while passes:
            crew = _Crew(passes, vector, threads, checkpoint, counted=counted)
            _run(crew)
            passes = passes[crew.pace.passes_done :]


def run_parts(work: Callable[[int], None], count: int, threads: int) -> None:
    """Call `work` with each number below `count`, on up to `threads` threads at a time, the caller's among them.

    Once a call raises, no other begins; all have ended when this returns or raises. The BLAS has one thread meanwhile.
    """
    parts = _Parts(work, count)
    with _crowd:
        helpers = [
            threading.Thread(target=parts.help, name="basicaer-parts", daemon=True)
            for _ in range(min(_crowd.share_of(threads), count) - 1)
        ]
        started: list[threading.Thread] = []
        try:
            with contextlib.suppress(RuntimeError):  # no more threads can be had: those that there are do
                for helper in helpers:
                    helper.start()
                    started.append(helper)
            parts.take()
        finally:
            parts.stopped = True
            for helper in started:
                helper.join()
    error, parts.error = parts.error, None  # whose traceback holds the parts
    if error is not None:
        raise error


class _Parts:
    """Parts of some work that threads take one after another, until all are taken or one has failed."""

    def __init__(self, work: Callable[[int], None], count: int) -> None:
        self._work, self._count = work, count
        self._numbers, self._lock = itertools.count(), threading.Lock()
        self.stopped = False
        self.error: BaseException | None = None

    def take(self) -> None:
        with single_threaded_blas:
            while not self.stopped:
                with self._lock:
                    number = next(self._numbers)
                if number >= self._count:
                    return
                self._work(number)

    def help(self) -> None:
        """Work as one of the helpers: an error is kept for the thread that they help."""
        try:
            self.take()
        except BaseException as error:  # noqa: BLE001  # whatever it is, it is raised where somebody waits for it
            self.error = error
            self.stopped = True


class _Crowd:
    """Counts the calls of `run_passes` and `run_parts` that are under way in this process."""

    def __init__(self) -> None:
        self._start_empty()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._start_empty)

    def _start_empty(self) -> None:
        self._lock = threading.Lock()
        self._calls = 0

    def __enter__(self) -> None:
        with self._lock:
            self._calls += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self._lock:
            self._calls -= 1

    def share_of(self, threads: int) -> int:
        """Return how many of so many threads each call may have now."""
        return max(1, threads // max(1, self._calls))


_crowd = _Crowd()


def _run(crew: _Crew) -> None:
    helpers = [
        threading.Thread(target=crew.help, name="basicaer-tiles", daemon=True) for _ in range(crew.pace.threads - 1)
    ]
    started: list[threading.Thread] = []
    try:
        for helper in helpers:
            helper.start()
            started.append(helper)
        crew.work()
    except threading.BrokenBarrierError:
        pass  # a helper failed: its error is raised below
    finally:
        crew.stop()
        for helper in started:
            helper.join()
        error, crew.error = crew.error, None  # whose traceback holds the crew, and that the state
    if error is not None:
        raise error


class _Pace:
    """How many threads a crew has, and how far it is.

    Apart from the crew, which would else hold itself through its barrier, and the state with it.

    Attributes
    ----------
    threads
        How many there are, the caller's own among them.
    passes_done
        How many passes are.
    is_to_change
        Whether there should be more threads, or fewer.
    """

    def __init__(self, wished: int, most: int) -> None:
        self._wished, self._most = wished, most
        self.threads = self._threads_now()
        self.passes_done = 0
        self.is_to_change = False

    def _threads_now(self) -> int:
        return min(_crowd.share_of(self._wished), self._most)

    def end_pass(self) -> None:
        """Note, for all threads, that they are through a pass."""
        self.passes_done += 1
        self.is_to_change = self.threads != self._threads_now()


class _Crew:
    """Threads that go through the same passes in step, until all are done or there should be more of them, or fewer."""

    def __init__(
        self,
        passes: Sequence[BoundPass],
        vector: NDArray[np.complexfloating],
        threads: int,
        checkpoint: Checkpoint,
        *,
        counted: bool,
    ) -> None:
        self._passes = passes
        self._vector = vector
        self._checkpoint = checkpoint
        self._counted = counted
        self.pace = _Pace(threads, max((len(step.bases) for step in passes), default=1))
        self._barrier = threading.Barrier(self.pace.threads, self.pace.end_pass)
        self._next = [itertools.count() for _ in passes]  # of each pass, the tile to be taken next
        self._lock = threading.Lock()
        self._stopped = False
        self.error: BaseException | None = None

    def work(self) -> None:
        """Take tiles until all passes are done, or another thread has stopped."""
        largest = max((step.tile_size for step in self._passes), default=0)
        room = (np.empty(largest, self._vector.dtype), np.empty(largest, self._vector.dtype))
        for step, numbers in zip(self._passes, self._next, strict=True):
            buffers = (room[0][: step.tile_size], room[1][: step.tile_size])
            while not self._stopped:
                with self._lock:
                    number = next(numbers)
                    if self._counted and number < len(step.bases):
                        self._checkpoint.advance(1 / len(step.bases))
                if number >= len(step.bases):
                    break
                self._checkpoint.poll()
                buffers = step.run(self._vector, number, buffers, self._checkpoint.poll)
            self._barrier.wait()
            if self.pace.is_to_change:
                return

    def help(self) -> None:
        """Work as one of the helpers: an error is kept for the thread that they help."""
        try:
            with single_threaded_blas:
                self.work()
        except threading.BrokenBarrierError:
            pass
        except BaseException as error:  # noqa: BLE001  # whatever it is, it is raised where somebody waits for it
            self.error = error
            self.stop()

    def stop(self) -> None:
        """Make every thread stop before its next tile."""
        self._stopped = True
        self._barrier.abort()
