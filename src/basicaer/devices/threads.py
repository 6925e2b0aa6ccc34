"""Shares the tiles of a pass among threads; NumPy releases the interpreter lock where it works on them."""

from __future__ import annotations

import itertools
import threading
from typing import TYPE_CHECKING

import numpy as np

from basicaer.devices.blas import single_threaded_blas

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from basicaer.devices.tiles import BoundPass
    from basicaer.engine.checkpoint import Checkpoint

__all__ = ["run_passes"]


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
    threads = min(threads, max((len(step.bases) for step in passes), default=1))
    crew = _Crew(passes, vector, threads, checkpoint, counted=counted)
    helpers = [threading.Thread(target=crew.help, name="basicaer-tiles", daemon=True) for _ in range(threads - 1)]
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
    if crew.error is not None:
        raise crew.error


class _Crew:
    """Threads that go through the same passes in step."""

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
        self._barrier = threading.Barrier(threads)
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
