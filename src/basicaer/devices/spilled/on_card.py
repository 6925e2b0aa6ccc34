"""Chunks on a card, of states in the host's memory.

Each thread has a queue on the card. That of the thread that loads a chunk brings it up, that of the thread that works
on one computes, and that of the thread that stores one brings it down, all at the same time.
"""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from basicaer.devices.gpu.state import CupyState
from basicaer.engine.bits import highest_position
from basicaer.engine.monitor import Monitor
from basicaer.errors import BasicAerError
from basicaer.wording import readable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from basicaer.devices.gpu.card import Card, Queue
    from basicaer.devices.gpu.device import CupyDevice
    from basicaer.options import Precision

    _Poll = Callable[[], None]

__all__ = ["ChunksOnCard", "HostStore"]

_PIECE_BYTES = 2**26  # bytes of memory that are pinned between two polls, which takes some 20 ms
_MOST_IN_FLIGHT = 2**28  # bytes on the way that a thread waits for at a time: 10 ms of a bus with 25 GB/s


class _OnTheWay(threading.local):
    """How many bytes a thread has sent or fetched since it has waited."""

    size = 0


class HostStore:
    """The amplitudes of a state in pinned memory of the host; see `basicaer.devices.spilled.chunks.Store`.

    Pinned memory is what a card copies from and to by itself. It is taken in pieces, so that this can be cancelled.

    Raises
    ------
    BasicAerError
        If the host cannot give so much.
    """

    is_saved = False
    ends_late = False  # copies on their way need the memory

    def __init__(self, card: Card, amplitudes: int, dtype: np.dtype[np.complexfloating], poll: _Poll) -> None:
        self.amplitudes, self._dtype = amplitudes, dtype
        self._card = card
        self._each = min(_PIECE_BYTES // dtype.itemsize, amplitudes)
        self._pieces: list[NDArray[np.complexfloating]] = []
        self._on_the_way = _OnTheWay()
        for _ in range(amplitudes // self._each):
            poll()
            self._pieces.append(self._pinned())

    def _pinned(self) -> NDArray[np.complexfloating]:
        cuda = self._card.cupy.cuda
        with self._card.working("pinning memory of the host"):
            try:
                memory = cuda.PinnedMemory(self._each * self._dtype.itemsize)
            except cuda.runtime.CUDARuntimeError as error:
                self.close()
                why = error
            else:
                return np.frombuffer(cuda.PinnedMemoryPointer(memory, 0), self._dtype, self._each)
        raise BasicAerError(
            f"The host could not pin {readable(self.amplitudes * self._dtype.itemsize)} of memory for a state "
            f"({why}); close what else uses memory, use fewer qubits or precision='single'."
        )

    def _parts(self, start: int, count: int) -> Iterator[tuple[NDArray[np.complexfloating], slice]]:
        """Yield the parts of the memory from some index on, and which of `count` amplitudes each of them holds."""
        done = 0
        while done < count:
            piece, first = divmod(start + done, self._each)
            size = min(self._each - first, count - done)
            yield self._pieces[piece][first : first + size], slice(done, done + size)
            done += size

    def read(self, start: int, into: Any, poll: _Poll) -> None:
        for memory, part in self._parts(start, len(into)):
            poll()
            if isinstance(into, np.ndarray):
                into[part] = memory
            else:
                with self._moving(memory.nbytes) as queue:
                    queue.send(into[part], memory)

    def write(self, start: int, amplitudes: Any, poll: _Poll) -> None:
        for memory, part in self._parts(start, len(amplitudes)):
            poll()
            if isinstance(amplitudes, np.ndarray):
                memory[:] = amplitudes[part]
            else:
                with self._moving(memory.nbytes) as queue:
                    queue.fetch(amplitudes[part], memory)

    @contextlib.contextmanager
    def _moving(self, size: int) -> Iterator[Queue]:
        """Let the block begin a copy; wait if much is on the way, so that a cancelled job need not wait for it."""
        queue = self._card.queue("moving a state")
        with queue.working("moving a state"):
            yield queue
            self._on_the_way.size += size
            if self._on_the_way.size >= _MOST_IN_FLIGHT:
                self._wait(queue)

    def _wait(self, queue: Queue) -> None:
        self._on_the_way.size = 0
        queue.wait(asleep=True)

    def settle(self) -> None:
        if self._on_the_way.size:
            queue = self._card.queue("moving a state")
            with queue.working("moving a state"):
                self._wait(queue)

    def write_through(self) -> None:
        self.settle()

    def close(self) -> None:
        self._pieces = []


class ChunksOnCard:
    """See `basicaer.devices.spilled.chunks.ChunkDevice` for what each method promises."""

    def __init__(self, device: CupyDevice) -> None:
        self.device = device

    @property
    def _queue(self) -> Queue:
        return self.device.card.queue("making chunks of a state")

    def buffers(self, count: int, size: int, dtype: np.dtype[np.complexfloating]) -> list[Any]:
        with self._queue.working("making room for chunks of a state"):
            return [self._queue.empty_state(size, dtype) for _ in range(count)]

    def state(
        self,
        chunk: Any,
        n_qubits: int,
        precision: Precision,
        monitor: Monitor,
        *,
        untouched: Iterable[int] = (),
        place: Sequence[int] | None = None,
    ) -> CupyState:
        how = self.device.card, self.device.shapes[precision], n_qubits, precision, monitor
        return CupyState.on(chunk, *how, untouched=untouched, place=place)

    def begin(self, chunk: Any, poll: _Poll) -> None:
        self.clear(chunk, poll)
        with self._queue.working("clearing a chunk of a state"):
            self._queue.fill(chunk[:1], np.ones(1, chunk.dtype))

    def clear(self, part: Any, poll: _Poll) -> None:
        poll()
        with self._queue.working("clearing a chunk of a state"):
            self._queue.clear(part)

    def clear_but(self, chunk: Any, precision: Precision, values: Mapping[int, int], poll: _Poll) -> None:
        poll()
        zeros = [position for position, value in values.items() if not value]
        state = self.state(chunk, highest_position(len(chunk)), precision, Monitor(), untouched=zeros)
        state.bring_into_order()  # This writes the zeros.
        for position in values.keys() - zeros:
            state.collapse(position, outcome=True, probability=1.0)
        self.finish()

    def finish(self) -> None:
        with self._queue.working("working on a chunk of a state"):
            self._queue.wait(asleep=True)
