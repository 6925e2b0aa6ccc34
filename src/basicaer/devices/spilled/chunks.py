"""How a state is divided into chunks, and how chunks go to the device that works on them and back, beside that work.

The state is in a *store*: a file, of which chunks come into memory, or the host's memory, of which they go to a card. A
*position* is a bit of an amplitude's place there. Those that are *local* number the amplitudes of a chunk,
lowest first; the others make the number of the chunk.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from basicaer.engine.bits import deposit_bits, has_bit, shifted_up
from basicaer.errors import Cancelled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    import numpy as np

    from basicaer.devices.spilled.cosets import Cosets
    from basicaer.engine.device import Device, State
    from basicaer.engine.monitor import Monitor
    from basicaer.options import Precision

    Buffer = Any  # an array of amplitudes where chunks are worked on: NumPy's, or one on a card
    Poll = Callable[[], None]

__all__ = ["BUFFERS", "ChunkDevice", "Division", "Store", "division_with", "load_chunk", "pass_over", "store_chunk"]

BUFFERS = 3
"""Chunks on the device: one comes, one is worked on and one goes."""

_SECONDS_BETWEEN_POLLS = 5e-3


class Store(Protocol):
    """Where all amplitudes of a state are.

    Attributes
    ----------
    amplitudes
        How many there are.
    ends_late
        Whether a thread may still be reading or writing, which fails then, when it is closed and chunks are given up.
    """

    amplitudes: int
    ends_late: bool

    @property
    def is_saved(self) -> bool:
        """Whether a job that is resumed needs it, so that nothing may be written to it."""

    def read(self, start: int, into: Buffer, poll: Poll) -> None:
        """Fill an array, NumPy's or a part of a chunk, with the amplitudes from some index on, perhaps not at once."""

    def write(self, start: int, amplitudes: Buffer, poll: Poll) -> None:
        """Replace the amplitudes from some index on, perhaps not at once."""

    def settle(self) -> None:
        """Return when all is done that the calling thread has asked for."""

    def write_through(self) -> None:
        """Return when all that was written is where it belongs, and the system keeps none of it in memory besides."""

    def close(self) -> None:
        """Give the room back."""


class ChunkDevice(Protocol):
    """Works on chunks. Threads that load chunks call it, too."""

    @property
    def device(self) -> Device:
        """The device that works on them."""

    def buffers(self, count: int, size: int, dtype: np.dtype[np.complexfloating]) -> list[Buffer]:
        """Return room for chunks of so many amplitudes."""

    def state(
        self,
        chunk: Buffer,
        n_qubits: int,
        precision: Precision,
        monitor: Monitor,
        *,
        untouched: Iterable[int] = (),
        place: Sequence[int] | None = None,
    ) -> State:
        """Return a chunk as a state that changes it.

        Parameters
        ----------
        untouched
            Qubits that are |0>; where one of them is 1, the chunk is 0.
        place
            ``place[q]`` is the bit of a place in the chunk that is qubit q; by default they are in order.
        """

    def begin(self, chunk: Buffer, poll: Poll) -> None:
        """Let a chunk be |0...0>."""

    def clear(self, part: Buffer, poll: Poll) -> None:
        """Fill a part of a chunk with zeros."""

    def clear_but(self, chunk: Buffer, precision: Precision, values: Mapping[int, int], poll: Poll) -> None:
        """Fill a chunk with zeros wherever a bit of the place in it does not have its value, if ``values`` has one."""

    def finish(self) -> None:
        """Return when all is done that the calling thread has begun."""


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
    store: Store,
    chunks: ChunkDevice,
    division: Division | Cosets,
    number: int,
    fixed: Mapping[int, int],
    precision: Precision,
    into: Buffer,
    poll: Poll,
) -> None:
    """Read a chunk; what the store has where it must be 0 does not count."""
    try:
        for part, at, counts in division.runs(number, fixed):
            if counts:
                store.read(at, into[part], poll)
            else:
                chunks.clear(into[part], poll)
        if within := {position: value for position, value in fixed.items() if position < division.run_qubits}:
            chunks.clear_but(into, precision, within, poll)
    finally:
        store.settle()


def store_chunk(  # noqa: PLR0917  # what, from where, and where to
    store: Store, division: Division, number: int, fixed: Mapping[int, int], chunk: Buffer, poll: Poll
) -> None:
    """Write a chunk, except where it must be 0."""
    try:
        for part, at, counts in division.runs(number, fixed):
            if counts:
                store.write(at, chunk[part], poll)
    finally:
        store.settle()


def pass_over(  # noqa: PLR0917  # the three parts of the work, on what, and where
    numbers: Sequence[int],
    buffers: Sequence[Buffer],
    load: Callable[[int, Buffer, Poll], None],
    work: Callable[[int, Buffer], None],
    store: Callable[[int, Buffer, Poll], None] | None,
    poll: Poll,
    *,
    ends_late: bool = False,
) -> None:
    """Bring chunks to the device, work on each in this thread, and store them; two other threads read and write.

    All has ended when this returns.

    Parameters
    ----------
    numbers
        The chunks, in their order.
    load, store
        Read and write a chunk in another thread, and call the function that they are given before each piece.
    poll
        Called every few milliseconds while this waits for the disk.
    ends_late
        Whether this may raise while the other threads still end what they have begun.
    """
    stopped = threading.Event()

    def check() -> None:
        if stopped.is_set():
            raise Cancelled

    def begin(place: int) -> Future[None] | None:
        if place >= len(numbers):
            return None
        return threads.submit(load, numbers[place], buffers[place % BUFFERS], check)

    threads = ThreadPoolExecutor(2, "basicaer-spill")
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
        threads.shutdown(wait=not ends_late, cancel_futures=True)
        raise
    threads.shutdown()


def _await(future: Future[None] | None, poll: Poll) -> None:
    """Wait until a thread has done its part, and raise what it raises."""
    assert future is not None  # there is one for each chunk  # noqa: S101
    while not future.done():
        poll()
        wait([future], _SECONDS_BETWEEN_POLLS)
    future.result()
