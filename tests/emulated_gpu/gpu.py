"""The emulated card: its settings, a record of what it was asked to do, and failures that tests inject."""

import gc
import threading
import weakref
from dataclasses import dataclass

from emulated_gpu.errors import CUDARuntimeError, OutOfMemoryError

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
_LAUNCH_FAILURE = 719
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

    Memory is counted as CuPy's pool would, were it never fragmented: rounded up to 512 bytes, and what is freed stays
    in the pool until `free_all_blocks` or until an allocation does not fit.

    Attributes
    ----------
    total_bytes, taken_by_others
        Size of the memory, and how much of it other processes hold.
    no_driver, no_device
        Whether every call fails because there is none.
    driver_version, runtime_version, properties
        What is reported; `properties` goes over the emulator's own in `getDeviceProperties`.
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
    events_recorded, events_waited_for
        How many events were recorded, and how many were waited for; asking `done` is not waiting.
    launches_in_flight, most_launches_in_flight
        How many launches no call has waited for, now and at most.
    live_bytes
        Bytes that arrays hold, not rounded.
    """

    def __init__(self):
        self.total_bytes = 1 << 30
        self.taken_by_others = 0
        self.no_driver = self.no_device = False
        self.driver_version, self.runtime_version = 13000, 12090
        self.properties = {}
        self.errors_are_late, self.errors_stick = True, False
        self.lazy_bytes = float("inf")
        self.seed = 0
        self.launches, self.copies = [], []
        self.events_recorded = self.events_waited_for = 0
        self.launches_in_flight = self.most_launches_in_flight = 0
        self.live_bytes = 0
        self.lock = threading.RLock()  # reentrant: the garbage collector may free arrays at any moment
        self.memories = weakref.WeakSet()  # allocations that were not freed
        self.streams = threading.local()  # streams.entered is the stack of streams that the thread is in
        self.null_stream = None
        self.all_streams = []
        self._pool_used = self._pool_total = 0
        self._allocations_to_failure = self._launches_to_failure = 0
        self._launch_error, self._launch_error_is_late = None, True
        self._pending = None
        self._stuck = None

    # Failures that tests inject

    def fail_allocation(self, k=1):
        """Make the k-th allocation of device memory from now fail."""
        self._allocations_to_failure = k

    def fail_launch(self, k=1, error=None, *, late=True):
        """Make the k-th launch from now raise instead of running: a launch failure, unless `error` is given."""
        self._launches_to_failure = k
        self._launch_error = error or CUDARuntimeError(_LAUNCH_FAILURE, "injected")
        self._launch_error_is_late = late

    def recover(self):
        """Forget all errors, those that were raised and those that wait to be."""
        self._pending = self._stuck = None

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
        """Count `size` bytes as taken, or raise."""
        self.check()
        rounded = -(-size // _POOL_UNIT) * _POOL_UNIT
        with self.lock:
            self._allocations_to_failure -= 1
            if self._allocations_to_failure == 0 or not (self._fits(rounded) or self._fits_after_cleaning(rounded)):
                raise OutOfMemoryError(rounded, self._pool_total)
            self._pool_used += rounded
            self._pool_total = max(self._pool_total, self._pool_used)
            self.live_bytes += size

    def _fits(self, rounded):
        return max(self._pool_total, self._pool_used + rounded) + self.taken_by_others <= self.total_bytes

    def _fits_after_cleaning(self, rounded):
        self.free_all_blocks()
        if self._fits(rounded):
            return True
        gc.collect()
        self.free_all_blocks()
        return self._fits(rounded)

    def release(self, size):
        with self.lock:
            self._pool_used -= -(-size // _POOL_UNIT) * _POOL_UNIT
            self.live_bytes -= size

    def device_properties(self, device):
        self.check()
        if device != 0:
            raise CUDARuntimeError(101)
        return _PROPERTIES | {"totalGlobalMem": self.total_bytes} | self.properties

    @property
    def most_shared_bytes(self):
        return self.device_properties(0)["sharedMemPerBlockOptin"]

    # The memory pool's methods

    def used_bytes(self):
        return self._pool_used

    def total_pool_bytes(self):
        return self._pool_total

    def free_bytes(self):
        return self._pool_total - self._pool_used

    def free_all_blocks(self):
        with self.lock:
            self._pool_total = self._pool_used

    def memory_info(self):
        """Return (free, total) as the driver sees it: the pool's memory is taken, used or not."""
        self.check()
        return max(self.total_bytes - self.taken_by_others - self._pool_total, 0), self.total_bytes
