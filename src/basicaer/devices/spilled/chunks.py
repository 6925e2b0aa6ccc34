"""How the file of a state is divided into chunks, and how chunks come into memory and go back beside the work on them.

A *position* is a bit of an amplitude's place in the file. Those that are *local* number the amplitudes of a chunk,
lowest first; the others make the number of the chunk.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, NamedTuple

from basicaer.engine.bits import deposit_bits, has_bit, shifted_up
from basicaer.errors import Cancelled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from basicaer.devices.spilled.cosets import Cosets
    from basicaer.devices.spilled.state_file import StateFile

    Buffer = NDArray[np.complexfloating]
    Poll = Callable[[], None]

__all__ = ["BUFFERS", "Division", "division_with", "load_chunk", "pass_over", "store_chunk"]

BUFFERS = 3
"""Chunks in memory: one is read, one is worked on and one is written."""

_SECONDS_BETWEEN_POLLS = 5e-3


class Division(NamedTuple):
    """Which positions are local, and which make the number of a chunk; both ascending."""

    local: tuple[int, ...]
    others: tuple[int, ...]

    @property
    def run_qubits(self) -> int:
        """The number of lowest positions that are all local: so many amplitudes of a chunk lie side by side."""
        return next((j for j, position in enumerate(self.local) if position != j), len(self.local))

    def numbers(self, fixed: Mapping[int, int]) -> list[int]:
        """Return the numbers of the chunks that are not 0, where some positions have one value in all that is not."""
        held = [(j, fixed[position]) for j, position in enumerate(self.others) if position in fixed]
        free = [j for j, position in enumerate(self.others) if position not in fixed]
        first = sum(shifted_up(value, j) for j, value in held)
        return [deposit_bits(number, free) + first for number in range(2 ** len(free))]

    def runs(self, number: int, fixed: Mapping[int, int]) -> Iterator[tuple[slice, int, bool]]:
        """Yield the runs of a chunk: where each is in the chunk and in the file, and whether it may be other than 0."""
        size, high = 2**self.run_qubits, self.local[self.run_qubits :]
        start = deposit_bits(number, self.others)
        held = [(j, fixed[position]) for j, position in enumerate(high) if position in fixed]
        for run in range(2 ** len(high)):
            counts = all(has_bit(run, j) == value for j, value in held)
            yield slice(run * size, (run + 1) * size), start + deposit_bits(run, high), counts


def division_with(wanted: Iterable[int], n_qubits: int, n_local: int) -> Division:
    """Return a division in which these positions are local, and otherwise the lowest ones, so that runs are long."""
    local = set(wanted)
    for position in range(n_qubits):
        if len(local) == n_local:
            break
        local.add(position)
    return Division(tuple(sorted(local)), tuple([p for p in range(n_qubits) if p not in local]))


def load_chunk(  # noqa: PLR0917  # what, from where, and where to
    file: StateFile, division: Division | Cosets, number: int, fixed: Mapping[int, int], into: Buffer, poll: Poll
) -> None:
    """Read a chunk; what the file has where it must be 0 does not count."""
    for part, at, counts in division.runs(number, fixed):
        if counts:
            file.read(at, into[part], poll)
        else:
            poll()
            into[part] = 0
    for position, value in fixed.items():
        if position < division.run_qubits:
            poll()
            into.reshape(-1, 2, 2**position)[:, 1 - value] = 0


def store_chunk(  # noqa: PLR0917  # what, from where, and where to
    file: StateFile, division: Division, number: int, fixed: Mapping[int, int], chunk: Buffer, poll: Poll
) -> None:
    """Write a chunk, except where it must be 0."""
    for part, at, counts in division.runs(number, fixed):
        if counts:
            file.write(at, chunk[part], poll)


def pass_over(  # noqa: PLR0917  # the three parts of the work, on what, and where
    numbers: Sequence[int],
    buffers: Sequence[Buffer],
    load: Callable[[int, Buffer, Poll], None],
    work: Callable[[int, Buffer], None],
    store: Callable[[int, Buffer, Poll], None] | None,
    poll: Poll,
) -> None:
    """Bring chunks into memory, work on each in this thread, and store them; two other threads read and write.

    All has ended when this returns or raises.

    Parameters
    ----------
    numbers
        The chunks, in their order.
    load, store
        Read and write a chunk in another thread, and call the function that they are given before each piece.
    poll
        Called every few milliseconds while this waits for the disk.
    """
    stopped = threading.Event()

    def check() -> None:
        if stopped.is_set():
            raise Cancelled

    def begin(place: int) -> Future[None] | None:
        if place >= len(numbers):
            return None
        return threads.submit(load, numbers[place], buffers[place % BUFFERS], check)

    with ThreadPoolExecutor(2, "basicaer-spill") as threads:
        try:
            stores: list[Future[None]] = []
            loading = begin(0)
            for place, number in enumerate(numbers):
                if len(stores) >= BUFFERS - 1:  # the buffer into which the next chunk comes
                    _await(stores[1 - BUFFERS], poll)
                loaded, loading = loading, begin(place + 1)
                _await(loaded, poll)
                buffer = buffers[place % BUFFERS]
                work(number, buffer)
                if store is not None:
                    stores.append(threads.submit(store, number, buffer, check))
            for one in stores[-BUFFERS:]:
                _await(one, poll)
        except BaseException:
            stopped.set()
            raise


def _await(future: Future[None] | None, poll: Poll) -> None:
    """Wait until a thread has done its part, and raise what it raises."""
    assert future is not None  # there is one for each chunk  # noqa: S101
    while not future.done():
        poll()
        wait([future], _SECONDS_BETWEEN_POLLS)
    future.result()
