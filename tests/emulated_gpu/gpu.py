"""The emulated card: its settings, a record of what it was asked to do, and failures that tests inject."""

import gc
import threading
import weakref
from dataclasses import dataclass

from emulated_gpu.errors import CUDARuntimeError, OutOfMemoryError
from emulated_gpu.pool import Pool

# These are an H200's; `totalGlobalMem` is added.
_PROPERTIES = {
    "name": b"Emulated GPU",
    "major": 9,
    "minor": 0,
    "multiProcessorCount": 132,
    "sharedMemPerBlock": 48 << 10,
    "sharedMemPerBlockOptin": 227 << 10,
    "sharedMemPerMultiprocessor": 228 << 10,
    "reservedSharedMemPerBlock": 1 << 10,
    "regsPerBlock": 1 << 16,
    "regsPerMultiprocessor": 1 << 16,
    "maxThreadsPerBlock": 1024,
    "maxThreadsPerMultiProcessor": 2048,
    "maxBlocksPerMultiProcessor": 32,
    "warpSize": 32,
    "l2CacheSize": 60 << 20,
    "clockRate": 1980000,
    "memoryClockRate": 3201000,
    "memoryBusWidth": 6144,
}
# What ROCm tells of an MI210 in place of some of these.
_HIP_PROPERTIES = {
    "gcnArchName": b"gfx90a:sramecc+:xnack-",
    "sharedMemPerBlock": 64 << 10,
    "maxSharedMemoryPerMultiProcessor": 64 << 10,
    "warpSize": 64,
}
_ONLY_CUDAS = ("sharedMemPerBlockOptin", "sharedMemPerMultiprocessor", "reservedSharedMemPerBlock")
_OUT_OF_MEMORY, _LAUNCH_FAILURE = 2, 719
_POOL_UNIT = 512  # CuPy's pool hands out multiples of it


@dataclass(frozen=True)
class Launch:
    """A launch and how it was asked for; only a counting build has `counts`."""

    kernel: str
    grid: tuple
    block: tuple
    shared_bytes: int
    stream: int
    counts: object = None


@dataclass(frozen=True)
class Copy:
    """A copy of `bytes`; `kind` is "host to device", "device to host" or "device to device"."""

    kind: str
    bytes: int
    stream: int


class EmulatedGpu:
    """What a test sets and reads; `EmulatedCupy` has it as `gpu`.

    Memory is counted as CuPy's pool does: rounded up to 512 bytes, and what is freed stays in the pool, for the same
    stream, until `free_all_blocks` or until an allocation does not fit. `cupy.cuda.Memory` is the driver's own.

    Attributes
    ----------
    total_bytes, taken_by_others
        Size of the memory, and how much of it other processes hold.
    no_driver, no_device
        Whether every call fails because there is none.
    driver_version, runtime_version, compiler_version, properties
        What is reported; `properties` goes over the emulator's own in `getDeviceProperties`.
    is_hip
        Whether the card is AMD's and CuPy is built for ROCm.
    errors_are_late
        Whether a kernel's failure is raised by the next call that waits, as on a card, instead of by the launch.
    errors_stick
        Whether every call after a failure raises it again, as on a card, until `recover`.
    lazy_bytes
        Allocations of so many bytes are zeros that take memory only where they are touched, and are not filled.
    seed
        The orders in which threads and blocks run are drawn from it; launch k takes `seed` + k.
    launches, copies
        All of them, in order.
    compilations
        How often `compile_using_nvrtc` was called.
    events_recorded, events_waited_for
        How many events were recorded, and how many were waited for; asking `done` is not waiting.
    launches_in_flight, most_launches_in_flight
        How many launches no call has waited for, now and at most.
    live_bytes
        Bytes that arrays hold, not rounded.
    most_pinned_bytes, pinned_bytes
        How much memory of the host can be pinned apart from the pool, and how much is now.
    """

    def __init__(self):
        self.total_bytes = 1 << 30
        self.taken_by_others = 0
        self.no_driver = self.no_device = False
        self.driver_version, self.runtime_version, self.compiler_version = 13000, 12090, (12, 9)
        self.properties = {}
        self.is_hip = False
        self.errors_are_late, self.errors_stick = True, False
        self.lazy_bytes = float("inf")
        self.seed = 0
        self.launches, self.copies = [], []
        self.compilations = 0
        self.events_recorded = self.events_waited_for = 0
        self.launches_in_flight = self.most_launches_in_flight = 0
        self.live_bytes = 0
        self.most_pinned_bytes, self.pinned_bytes = float("inf"), 0
        self.lock = threading.RLock()  # reentrant: the garbage collector may free arrays at any moment
        self.memories = weakref.WeakSet()  # allocations that were not freed
        self.streams = threading.local()  # streams.entered is the stack of streams that the thread is in
        self.null_stream = None
        self.all_streams = []
        self._pool = Pool()
        self._taken_directly = 0
        self._allocations_to_failure = self._failures_of_allocation = self._launches_to_failure = 0
        self._launch_error, self._launch_error_is_late = None, True
        self._pending = None
        self._stuck = None

    # Failures that tests inject

    def fail_allocation(self, k=1, *, times=1):
        """Make the k-th allocation of device memory from now fail, and as many after it as make up `times`."""
        self._allocations_to_failure, self._failures_of_allocation = k, times

    def fail_launch(self, k=1, error=None, *, late=True):
        """Make the k-th launch from now raise instead of running: a launch failure, unless `error` is given."""
        self._launches_to_failure = k
        self._launch_error = error or CUDARuntimeError(_LAUNCH_FAILURE, "injected")
        self._launch_error_is_late = late

    def recover(self):
        """Forget all errors, those that were raised and those that wait to be."""
        self._pending = self._stuck = None
        self._failures_of_allocation = 0

    # What the stand-in calls

    def check(self):
        """Raise if no call can succeed."""
        if self.no_driver:
            raise CUDARuntimeError(35)
        if self.no_device:
            raise CUDARuntimeError(100)
        if self._stuck:
            raise self._stuck

    def raise_late_error(self):
        """Raise what has gone wrong since the last call that waited for the device; called by those that wait."""
        self.check()
        error, self._pending = self._pending, None
        if error:
            self._raise(error)

    def _raise(self, error):
        if self.errors_stick:
            self._stuck = error
        raise error

    def current_stream(self):
        return (getattr(self.streams, "entered", None) or [self.null_stream])[-1]

    def start_launch(self, stream):
        """Return whether the launch should run; raise the error that was injected."""
        self.check()
        with self.lock:
            stream.launched += 1
            self.launches_in_flight += 1
            self.most_launches_in_flight = max(self.most_launches_in_flight, self.launches_in_flight)
            self._launches_to_failure -= 1
            if self._launches_to_failure != 0:
                return True
        self.report(self._launch_error, late=self._launch_error_is_late)
        return False

    def report_launch_failure(self, why):
        self.report(CUDARuntimeError(_LAUNCH_FAILURE, why), late=self.errors_are_late)

    def report(self, error, *, late):
        if late:
            self._pending = self._pending or error
        else:
            self._raise(error)

    def allocate(self, size):
        """Take `size` bytes from the pool, or raise; return what `release` wants."""
        self.check()
        rounded = -(-size // _POOL_UNIT) * _POOL_UNIT
        stream = self.current_stream().ptr
        with self.lock:
            if self._must_fail():
                raise OutOfMemoryError(rounded, self._pool.total)
            part = self._pool.take(rounded, stream)
            for make_room in (self._pool.free_all_blocks, gc.collect, self._pool.free_all_blocks):
                if part is None and self._fits(rounded):
                    part = self._pool.add(rounded, stream)
                if part is not None:
                    break
                make_room()
                part = self._pool.take(rounded, stream)
            if part is None and not self._fits(rounded):
                raise OutOfMemoryError(rounded, self._pool.total)
            self.live_bytes += size
            return part or self._pool.add(rounded, stream)

    def allocate_directly(self, size):
        """Take `size` bytes from the driver, or raise."""
        self.check()
        with self.lock:
            if self._must_fail() or not self._fits(size):
                raise CUDARuntimeError(_OUT_OF_MEMORY)
            self._taken_directly += size
            self.live_bytes += size

    def pin(self, size):
        """Pin memory of the host, or raise."""
        self.check()
        with self.lock:
            if self.pinned_bytes + size > self.most_pinned_bytes:
                raise CUDARuntimeError(_OUT_OF_MEMORY)
            self.pinned_bytes += size

    def unpin(self, size):
        with self.lock:
            self.pinned_bytes -= size

    def _must_fail(self):
        self._allocations_to_failure -= 1
        return 0 <= -self._allocations_to_failure < self._failures_of_allocation

    def _fits(self, size):
        return self._pool.total + self._taken_directly + size + self.taken_by_others <= self.total_bytes

    def release(self, size, part):
        """Give `size` bytes back to the pool, whose `part` they are, or to the driver."""
        with self.lock:
            self.live_bytes -= size
            if part is None:
                self._taken_directly -= size
            else:
                self._pool.give_back(part)

    def device_properties(self, device):
        self.check()
        if device != 0:
            raise CUDARuntimeError(101)
        own = _PROPERTIES | {"totalGlobalMem": self.total_bytes}
        if self.is_hip:
            own = {name: value for name, value in own.items() if name not in _ONLY_CUDAS} | _HIP_PROPERTIES
        return own | self.properties

    @property
    def most_shared_bytes(self):
        return self.device_properties(0)["sharedMemPerBlock" if self.is_hip else "sharedMemPerBlockOptin"]

    # The memory pool's methods

    def used_bytes(self):
        return self._pool.used

    def total_pool_bytes(self):
        return self._pool.total

    def free_bytes(self):
        return self._pool.total - self._pool.used

    def free_all_blocks(self):
        with self.lock:
            self._pool.free_all_blocks()

    def memory_info(self):
        """Return (free, total) as the driver sees it: the pool's memory is taken, used or not."""
        self.check()
        taken = self.taken_by_others + self._taken_directly + self._pool.total
        return max(self.total_bytes - taken, 0), self.total_bytes
