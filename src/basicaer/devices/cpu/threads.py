"""Shares the tiles of a pass among threads; NumPy releases the interpreter lock while it works on them.

States that are worked on at the same time share the threads that each of them would have alone, so that several jobs
do not use more threads than there are cores. The number of threads is adapted after every pass.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import threading
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from basicaer.devices.cpu.blas import single_threaded_blas
from basicaer.devices.cpu.denormals import without_denormals

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from numpy.typing import NDArray

    from basicaer.devices.cpu.tiles import Buffers
    from basicaer.engine.monitor import Monitor

__all__ = ["TilePass", "run_parts", "run_passes"]


class TilePass(Protocol):
    """A pass over states that are worked on together, tile by tile.

    Attributes
    ----------
    tile_size
        Amplitudes of a tile.
    bases
        For each tile the index of its first amplitude.
    """

    @property
    def tile_size(self) -> int:  # noqa: D102  # described above
        ...

    @property
    def bases(self) -> NDArray[np.intp]:  # noqa: D102
        ...

    def run(self, states: Any, number: int, buffers: Buffers, poll: Callable[[], None]) -> Buffers:
        """Work on tile `number` of the states, in two buffers with a tile for each; return the buffers."""


def run_passes(
    passes: Sequence[TilePass],
    states: Sequence[NDArray[np.complexfloating]],
    threads: int,
    monitor: Monitor,
    *,
    weight: float = 1.0,
) -> None:
    """Run passes over states one after another, the tiles of each on up to `threads` threads at a time.

    The result does not depend on the number of threads. `monitor` is polled before every tile, and every thread has
    stopped when this returns or raises.

    Parameters
    ----------
    states
        States of one size, which are worked on together.
    weight
        What each pass counts as, in the progress; 0 if it does not count.
    """
    with _crowd:
        while passes:
            crew = _Crew(passes, states, threads, monitor, weight)
            _run(crew)
            passes = passes[crew.pace.passes_done :]


def run_parts(task: Callable[[int], None], count: int, threads: int) -> None:
    """Call `task` with each number below `count`, on up to `threads` threads at a time, the caller's among them.

    Once a call raises, no other call begins; all have ended when this returns or raises. BLAS has one thread meanwhile.
    """
    parts = _Parts(task, count)
    with _crowd:
        helpers = [
            threading.Thread(target=parts.help, name="basicaer-parts", daemon=True)
            for _ in range(min(_crowd.share_of(threads), count) - 1)
        ]
        started: list[threading.Thread] = []
        try:
            with contextlib.suppress(RuntimeError):  # if the system has no more threads, fewer must suffice
                for helper in helpers:
                    helper.start()
                    started.append(helper)
            parts.take()
        finally:
            parts.stopped = True
            for helper in started:
                helper.join()
    error, parts.error = parts.error, None  # breaks a cycle: the error's traceback refers to the parts
    if error is not None:
        raise error


class _Parts:
    """The parts of a task; threads take one after another until all are taken or one has failed."""

    def __init__(self, task: Callable[[int], None], count: int) -> None:
        self._task, self._count = task, count
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
                self._task(number)

    def help(self) -> None:
        """Work in a helping thread; an error is kept for the thread that is helped."""
        try:
            self.take()
        except BaseException as error:  # noqa: BLE001  # it is raised in the thread that is helped
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
        """Return how many of `threads` threads each call may use now."""
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
        error, crew.error = crew.error, None  # breaks a cycle: the traceback refers to the crew and its state
    if error is not None:
        raise error


class _Pace:
    """How many threads a crew has, and how many passes it has done.

    This is an object of its own because the crew's barrier calls a method of it. If that were a method of the crew, the
    crew would refer to itself, and the state would stay in memory until the garbage collector runs.

    Attributes
    ----------
    threads
        The number of threads, including the caller's own.
    passes_done
        The number of passes that are done.
    is_to_change
        Whether the number of threads should change.
    """

    def __init__(self, wished: int, most: int) -> None:
        self._wished, self._most = wished, most
        self.threads = self._threads_now()
        self.passes_done = 0
        self.is_to_change = False

    def _threads_now(self) -> int:
        return min(_crowd.share_of(self._wished), self._most)

    def end_pass(self) -> None:
        """Count a pass, once all threads have finished it."""
        self.passes_done += 1
        self.is_to_change = self.threads != self._threads_now()


class _Crew:
    """Threads that run the same passes in step, until all are done or the number of threads should change."""

    def __init__(
        self,
        passes: Sequence[TilePass],
        states: Sequence[NDArray[np.complexfloating]],
        threads: int,
        monitor: Monitor,
        weight: float,
    ) -> None:
        self._passes = passes
        self._states = states
        self._monitor = monitor
        self._weight = weight
        self.pace = _Pace(threads, max((len(step.bases) for step in passes), default=1))
        self._barrier = threading.Barrier(self.pace.threads, self.pace.end_pass)
        self._next = [itertools.count() for _ in passes]  # _next[i] = the counter that gives the next tile of pass i
        self._lock = threading.Lock()
        self._stopped = False
        self.error: BaseException | None = None

    def work(self) -> None:
        """Take tiles until all passes are done, or another thread has stopped."""
        with without_denormals(self._states[0].dtype):
            self._take_tiles()

    def _take_tiles(self) -> None:
        largest = max((step.tile_size for step in self._passes), default=0)
        count = len(self._states)
        room = [np.empty(count * largest, self._states[0].dtype) for _ in range(2)]
        for step, numbers in zip(self._passes, self._next, strict=True):
            first, second = (one[: count * step.tile_size].reshape(count, -1) for one in room)
            buffers = first, second
            while not self._stopped:
                with self._lock:
                    number = next(numbers)
                    if self._weight and number < len(step.bases):
                        self._monitor.advance(self._weight / len(step.bases))
                if number >= len(step.bases):
                    break
                self._monitor.poll()
                buffers = step.run(self._states, number, buffers, self._monitor.poll)
            self._barrier.wait()
            if self.pace.is_to_change:
                return

    def help(self) -> None:
        """Work in a helping thread; an error is kept for the thread that is helped."""
        try:
            with single_threaded_blas:
                self.work()
        except threading.BrokenBarrierError:
            pass
        except BaseException as error:  # noqa: BLE001  # it is raised in the thread that is helped
            self.error = error
            self.stop()

    def stop(self) -> None:
        """Make every thread stop before its next tile."""
        self._stopped = True
        self._barrier.abort()
