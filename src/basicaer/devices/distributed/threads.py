"""Ranks that are threads of one process, each with a GPU of its own: they share a state that does not fit one of them.

What they exchange goes through the memory of the host, a slice at a time.
"""

from __future__ import annotations

import pickle
import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from basicaer.devices.distributed.comm import Comm

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

__all__ = ["Hub", "ThreadTransport", "on_threads", "thread_ranks"]


class Hub:
    """What the threads share: one place for each, and a barrier at which they wait for one another.

    Parameters
    ----------
    patience
        Seconds that a thread waits before it raises an error; None for ever, as every rank comes to every vote.
    """

    def __init__(self, size: int, patience: float | None = None) -> None:
        self.size, self.patience = size, patience
        self.places: list[Any] = [None] * size
        self.barrier = threading.Barrier(size)
        self.warned_by: list[set[int]] = [set() for _ in range(size)]
        self.following: Hub | None = None  # the hub of what `again` makes

    def wait(self) -> None:
        """Wait until all threads are here."""
        self.barrier.wait(self.patience)


class ThreadTransport:
    """See `basicaer.devices.distributed.comm.Transport`."""

    def __init__(self, hub: Hub, rank: int) -> None:
        self.rank, self.size = rank, hub.size
        self._hub = hub

    def gather(self, thing: Any) -> list[Any]:
        self._hub.places[self.rank] = pickle.dumps(thing)  # each gets a copy, as between processes
        self._hub.wait()
        things = [pickle.loads(one) for one in self._hub.places]  # noqa: S301  # this process has made it
        self._hub.wait()
        return things

    def swap(self, partner: int, out: NDArray[Any], into: NDArray[Any]) -> None:
        self._hub.places[self.rank] = out
        self._hub.wait()
        np.copyto(into, self._hub.places[partner])
        self._hub.wait()

    def warn(self) -> None:
        for rank, warned_by in enumerate(self._hub.warned_by):
            if rank != self.rank:
                warned_by.add(self.rank)

    def is_warned(self) -> bool:
        return bool(self._hub.warned_by[self.rank])

    def forget(self, ranks: Sequence[int]) -> None:
        self._hub.warned_by[self.rank] -= set(ranks)

    def again(self) -> ThreadTransport:
        if self.rank == 0:
            self._hub.following = Hub(self.size, self._hub.patience)
        self._hub.wait()
        following = self._hub.following
        assert following is not None  # rank 0 has made it  # noqa: S101
        self._hub.wait()
        return ThreadTransport(following, self.rank)

    def close(self) -> None:
        """Do nothing: there is nothing to give back."""


def thread_ranks(size: int, patience: float | None = None) -> list[Comm]:
    """Return the `Comm` of each of some ranks."""
    hub = Hub(size, patience)
    return [Comm(ThreadTransport(hub, rank)) for rank in range(size)]


def on_threads(size: int, work: Callable[[Comm], Any]) -> Any:
    """Let ranks work at the same time, the first in this thread; return what it has made.

    Raises
    ------
    BaseException
        What the first rank raises, which ends together with the others.
    """
    own, *others = thread_ranks(size)

    def of_other(ranks: Comm) -> None:
        try:
            work(ranks)
        except BaseException as error:  # noqa: BLE001  # the first rank raises it, too
            error.__traceback__ = None  # it would hold the memory of the state

    threads = [threading.Thread(target=of_other, args=(ranks,), daemon=True) for ranks in others]
    for thread in threads:
        thread.start()
    try:
        return work(own)
    finally:
        for thread in threads:
            thread.join()
