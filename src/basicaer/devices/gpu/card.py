"""One card: its memory, its kernels, and the queue in which a thread's launches and copies are done in order."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from basicaer.devices.gpu.errors import reported
from basicaer.devices.gpu.kernel_cache import load_kernels
from basicaer.devices.gpu.kernels import kernel_names
from basicaer.devices.gpu.memory import StateMemory
from basicaer.errors import BasicAerError
from basicaer.wording import readable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from basicaer.options import Precision

__all__ = ["MOST_STATES", "Card", "Kernels", "Queue"]

MOST_STATES = 65535  # states of a launch; the y axis of a grid cannot be longer
_SHARED_BYTES_UNASKED = 48 * 1024  # with CUDA, a kernel that needs more shared memory has to be told
_MULTIPLYING = ((8, 0), (9, 0))  # compute capabilities: see `Card.multiplies_matrices`
_ALIGNMENT = 16  # bytes; each array in an upload begins at a multiple


class Card:
    """A card, as the driver numbers it.

    Parameters
    ----------
    number
        The driver's number of the card.
    cupy
        The module, or what stands in for it.

    Attributes
    ----------
    name
        What the maker calls it.
    properties
        What CUDA or ROCm tells of it.
    memory
        Where states are.
    problem
        Why it cannot be used in this process any more; empty as long as it can.
    is_used
        Whether this process has used it: only then does it hold a CUDA context, which takes some 500 MB of the card.
    """

    def __init__(self, number: int, cupy: Any) -> None:
        self.number = number
        self.cupy = cupy
        with reported(cupy, number, "being looked at"):
            self.properties: dict[str, Any] = cupy.cuda.runtime.getDeviceProperties(number)
        self.name: str = self.properties["name"].decode()
        self._kernels: dict[tuple[Precision, int], Kernels] = {}
        self.memory = StateMemory(cupy, number, int(self.properties["totalGlobalMem"]))
        self.problem = ""
        self.is_used = False
        self._lock = threading.Lock()
        self._queues = threading.local()

    @contextlib.contextmanager
    def working(self, doing: str) -> Iterator[None]:
        """Make this CuPy's current card for a while; errors say what was being done."""
        with reported(self.cupy, self.number, doing, self._lose), self.cupy.cuda.Device(self.number):
            self.is_used = True
            yield

    def _lose(self, problem: str) -> None:
        self.problem = problem

    def free_bytes(self) -> int:
        """Return how many bytes a new state can have."""
        with self.working("telling how much memory is free"):
            return self.memory.free_bytes()

    def shared_memory(self) -> tuple[int, int, int]:
        """Return bytes: what a block may have, what all on a multiprocessor have, and what each block loses of it.

        ROCm has other names than CUDA, or gives 0 under CUDA's.
        """
        known = self.properties
        block = known.get("sharedMemPerBlockOptin") or known["sharedMemPerBlock"]
        all_blocks = known.get("sharedMemPerMultiprocessor") or known["maxSharedMemoryPerMultiProcessor"]
        return block, all_blocks, known.get("reservedSharedMemPerBlock", 0)

    @property
    def multiplies_matrices(self) -> bool:
        """Whether its warps multiply matrices in double precision at twice the rate of other arithmetic.

        Tensor cores do so in the cards for data centres of two generations. All others have them for other numbers
        only, or at no higher rate, and the kernels have no code for these.
        """
        capability = self.properties["major"], self.properties["minor"]
        return not self.cupy.cuda.runtime.is_hip and capability in _MULTIPLYING

    def queue(self, doing: str) -> Queue:
        """Return the calling thread's queue, made now if there is none; if that fails, the error says what for.

        All states of a thread share it, since CuPy's pool hands out freed memory again on the same stream only.
        """
        if not hasattr(self._queues, "own"):
            with self.working(doing):
                self._queues.own = Queue(self, self.cupy.cuda.Stream(non_blocking=True))
        own: Queue = self._queues.own
        return own

    def kernels(self, precision: Precision, register_bits: int) -> Kernels:
        """Return the kernels of a precision, compiled now if they are not yet; only while `working`."""
        with self._lock:
            key = precision, register_bits
            if key not in self._kernels:
                self._kernels[key] = Kernels(self.cupy, precision, register_bits, self.shared_memory()[0])
            return self._kernels[key]


class Kernels:
    """The kernels of one precision, ready to be launched. They are compiled or loaded when this is made."""

    def __init__(self, cupy: Any, precision: Precision, register_bits: int, most_shared_bytes: int) -> None:
        self._most_shared_bytes = most_shared_bytes
        self._has_to_be_told = not cupy.cuda.runtime.is_hip
        names = kernel_names(precision, register_bits)
        loaded = load_kernels(cupy, tuple(names.values()))
        self._functions = {name: loaded[instance] for name, instance in names.items()}

    def launch(
        self, name: str, blocks: int, threads: int, *arguments: Any, shared_bytes: int = 0, states: int = 1
    ) -> None:
        """Launch a kernel in the current queue, on a grid of `blocks` in x and `states` in y."""
        if shared_bytes > self._most_shared_bytes:  # only multiply_wide, on cards older than compute capability 7.0
            raise BasicAerError(
                f"The kernel {name} needs {readable(shared_bytes)} of shared memory, and a block of this GPU has "
                f"{readable(self._most_shared_bytes)}; decompose the gate, or use precision='single' or device='CPU'."
            )
        function = self._functions[name]
        if (
            shared_bytes > _SHARED_BYTES_UNASKED
            and self._has_to_be_told
            and shared_bytes > function.max_dynamic_shared_size_bytes
        ):
            function.max_dynamic_shared_size_bytes = shared_bytes
        function((blocks, states), (threads,), arguments, shared_mem=shared_bytes)


class Queue:
    """A stream on a card: what is sent there, launches and copies, is done in order. Used while `working`."""

    def __init__(self, card: Card, stream: Any) -> None:
        self._card = card
        self._cupy = card.cupy
        self._stream = stream

    @contextlib.contextmanager
    def working(self, doing: str) -> Iterator[None]:
        """Make this CuPy's current card and stream for a while; errors say what was being done."""
        with self._card.working(doing), self._stream:
            yield

    def empty(self, size: int, dtype: Any) -> Any:
        """Return an array on the card, of whatever was in its memory."""
        return self._cupy.empty(size, dtype)

    def empty_state(self, size: int, dtype: np.dtype[Any]) -> Any:
        """Return an array for the amplitudes of states."""
        return self._card.memory.empty(size, dtype, self.wait)

    def handed_over(self, array: Any) -> Any:
        """Return an array of amplitudes that a user may keep; this one is not to be used afterwards."""
        self.wait()
        return self._card.memory.handed_over(array, self._copy, self.wait)

    def upload(self, array: NDArray[Any]) -> Any:
        """Copy a host array to the card; return a view on its bytes there."""
        return self.upload_together([array])[0]

    def upload_together(self, arrays: Sequence[NDArray[Any]]) -> list[Any]:
        """Copy host arrays to the card in one transfer from pinned memory; return a view on the bytes of each."""
        ends = np.cumsum([-(-max(array.nbytes, 1) // _ALIGNMENT) * _ALIGNMENT for array in arrays]).tolist()
        pinned = self._cupy.cuda.alloc_pinned_memory(ends[-1])
        host = np.frombuffer(pinned, np.uint8, ends[-1])
        starts = [0, *ends[:-1]]
        for start, array in zip(starts, arrays, strict=True):
            host[start : start + array.nbytes] = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
        buffer = self.empty(ends[-1], np.uint8)
        buffer.set(host, self._stream)
        self.wait()  # the pinned memory is freed when this returns
        return [buffer[start:end] for start, end in zip(starts, ends, strict=True)]

    def download(self, array: Any) -> NDArray[Any]:
        """Return a host copy of an array on the card."""
        copied: NDArray[Any] = array.get(stream=self._stream)
        self.wait()
        return copied

    def fill(self, array: Any, values: NDArray[Any]) -> None:
        """Copy a host array of the same type and size into one on the card."""
        array.set(values, self._stream)
        self.wait()  # the host array is read until then

    def send(self, array: Any, values: NDArray[Any]) -> None:
        """Begin to copy pinned memory of the host into an array on the card of the same type and size."""
        array.set(values, self._stream)

    def fetch(self, array: Any, into: NDArray[Any]) -> None:
        """Begin to copy an array on the card into pinned memory of the host of the same type and size."""
        array.get(stream=self._stream, out=into, blocking=False)

    def clear(self, array: Any) -> None:
        """Begin to fill an array with zeros."""
        self._cupy.cuda.runtime.memsetAsync(array.data.ptr, 0, array.nbytes, self._stream.ptr)

    def gather(self, parts: Sequence[Any]) -> Any:
        """Return an array of copies of arrays of amplitudes, one after another, on the card too."""
        copied = self.empty_state(sum(part.size for part in parts), parts[0].dtype)
        start = 0
        for part in parts:
            self._copy(copied[start : start + part.size], part)
            start += part.size
        self.wait()
        return copied

    def _copy(self, to: Any, part: Any) -> None:
        runtime = self._cupy.cuda.runtime
        runtime.memcpyAsync(to.data.ptr, part.data.ptr, part.nbytes, runtime.memcpyDeviceToDevice, self._stream.ptr)

    def mark(self, *, asleep: bool) -> Any:
        """Return an event that completes when everything queued so far has finished.

        Parameters
        ----------
        asleep
            Whether a thread that waits for it sleeps, instead of asking all the time.
        """
        event = self._cupy.cuda.Event(block=asleep, disable_timing=True)
        event.record(self._stream)
        return event

    def wait(self, *, asleep: bool = False) -> None:
        """Return when everything queued has finished; for `asleep` see `mark`."""
        if asleep:
            self.mark(asleep=True).synchronize()
        else:
            self._stream.synchronize()
