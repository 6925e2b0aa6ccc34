"""Device memory, arrays in it, and pinned host memory."""

import ctypes
import math
import mmap
import weakref

import numpy as np

from emulated_gpu.errors import CUDARuntimeError
from emulated_gpu.gpu import Copy

_ALIGNMENT = 512  # every allocation is aligned so, as in CuPy's pool
_GARBAGE = 0xFF  # NaN for floats, so that it shows when what nobody wrote is read
_libc = ctypes.CDLL(None)
_libc.free.argtypes = [ctypes.c_void_p]


def _release(gpu, pointer, size, part):
    _libc.free(pointer)
    gpu.release(size, part)


def _lazy_region(size):
    """Return zeros that take memory where they are touched, and may be more than there is."""
    no_reserve = getattr(mmap, "MAP_NORESERVE", 0x4000)  # Python has the name from 3.13 on; this is Linux's number
    return mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | no_reserve)


class DeviceMemory:
    """An allocation of exactly `size` bytes, so that AddressSanitizer notices accesses behind it; see `Memory`.

    It is counted as taken from the pool or, if it is a `Memory`, from the driver.
    """

    def __init__(self, gpu, size):
        self.size = size
        self.ptr = 0
        if size == 0:
            gpu.check()
            return
        part = self._taken(gpu, size)
        if size >= gpu.lazy_bytes:
            self._region = _lazy_region(size)
            self.ptr = ctypes.addressof(ctypes.c_char.from_buffer(self._region))
            weakref.finalize(self, gpu.release, size, part).atexit = False
            with gpu.lock:
                gpu.memories.add(self)
            return
        pointer = ctypes.c_void_p()
        if _libc.posix_memalign(ctypes.byref(pointer), ctypes.c_size_t(_ALIGNMENT), ctypes.c_size_t(size)):
            gpu.release(size, part)
            raise MemoryError(f"the host has no {size} bytes")
        self.ptr = pointer.value
        ctypes.memset(self.ptr, _GARBAGE, size)
        weakref.finalize(self, _release, gpu, self.ptr, size, part).atexit = False
        with gpu.lock:
            gpu.memories.add(self)

    def _taken(self, gpu, size):
        return gpu.allocate(size)


class Memory(DeviceMemory):
    """Memory from the driver itself, not from the pool."""

    def _taken(self, gpu, size):
        gpu.allocate_directly(size)


class UnownedMemory:
    """A piece of memory that lives as long as its owner, to which this refers."""

    def __init__(self, ptr, size, owner, device_id=-1):
        self.ptr, self.size, self.device_id = ptr, size, device_id
        self._owner = owner


class DevicePointer:
    """A place in an allocation: what arrays have as `data`."""

    def __init__(self, mem, offset):
        self.mem = mem
        self.ptr = mem.ptr + offset if mem.ptr else 0


class DeviceArray:
    """Stands in for `cupy.ndarray` as far as it is used: contiguous, sliced and viewed, copied to and from the host."""

    def __init__(self, gpu, shape, dtype, memptr):
        self._gpu = gpu
        self.data = memptr
        self.shape = shape
        self.dtype = np.dtype(dtype)
        self.ndim = len(shape)
        self.size = math.prod(shape)
        self.itemsize = self.dtype.itemsize
        self.nbytes = self.size * self.itemsize

    def __len__(self):
        return self.shape[0]

    def __array__(self, *_, **__):
        raise TypeError("Implicit conversion to a NumPy array is not allowed. Please use `.get()`")

    def __getitem__(self, key):
        if not isinstance(key, slice) or self.ndim != 1:
            raise NotImplementedError("the emulator slices one-dimensional arrays only")
        start, stop, step = key.indices(self.size)
        if step != 1:
            raise NotImplementedError("the emulator's slices are contiguous")
        place = DevicePointer(self.data.mem, self.data.ptr - self.data.mem.ptr + start * self.itemsize)
        return DeviceArray(self._gpu, (max(stop - start, 0),), self.dtype, place)

    def view(self, dtype):
        dtype = np.dtype(dtype)
        if dtype.itemsize == self.itemsize:
            return DeviceArray(self._gpu, self.shape, dtype, self.data)
        last = self.shape[-1] * self.itemsize
        if last % dtype.itemsize:
            raise ValueError("itemsize of new dtype must divide the bytes of the last axis")
        return DeviceArray(self._gpu, (*self.shape[:-1], last // dtype.itemsize), dtype, self.data)

    def get(self, stream=None, order="C", out=None, blocking=True):  # noqa: FBT002  CuPy's signature
        stream = stream or self._gpu.current_stream()
        if out is None:
            out = np.empty(self.shape, self.dtype)
        elif not isinstance(out, np.ndarray):
            raise TypeError("Only numpy.ndarray can be obtained from cupy.ndarray")
        elif out.dtype != self.dtype:
            raise TypeError(f"{out.dtype} array cannot be obtained from {self.dtype} array")
        elif out.shape != self.shape:
            raise ValueError(f"Shape mismatch. Expected shape: {self.shape}, actual shape: {out.shape}")
        elif not out.flags.c_contiguous:
            raise RuntimeError("`out` cannot be specified when copying to non-contiguous ndarray")
        if self.size == 0:
            return out
        copy(self._gpu, out.ctypes.data, self.data.ptr, self.nbytes, kind="device to host", stream=stream.ptr)
        if blocking:
            stream.synchronize()
        return out

    def set(self, arr, stream=None):
        if not isinstance(arr, np.ndarray):
            raise TypeError("Only numpy.ndarray can be set to cupy.ndarray")
        if arr.dtype != self.dtype:
            raise TypeError(f"{arr.dtype} array cannot be set to {self.dtype} array")
        if arr.shape != self.shape:
            raise ValueError(f"Shape mismatch. Old shape: {self.shape}, new shape: {arr.shape}")
        stream = stream or self._gpu.current_stream()
        source = np.ascontiguousarray(arr)
        if self.size:
            copy(self._gpu, self.data.ptr, source.ctypes.data, self.nbytes, kind="host to device", stream=stream.ptr)


def empty(gpu, shape, dtype=float, order="C"):
    shape = tuple(int(n) for n in shape) if isinstance(shape, tuple | list) else (int(shape),)
    memory = DeviceMemory(gpu, math.prod(shape) * np.dtype(dtype).itemsize)
    return DeviceArray(gpu, shape, dtype, DevicePointer(memory, 0))


class PinnedMemory:
    """Pinned memory of the host from the driver itself, not from a pool; garbage at first."""

    def __init__(self, gpu, size, flags=0):
        del flags
        gpu.pin(size)
        self._bytes = bytearray(bytes([_GARBAGE]) * size)
        self.ptr = ctypes.addressof(ctypes.c_char.from_buffer(self._bytes)) if size else 0
        weakref.finalize(self, gpu.unpin, size).atexit = False


class PinnedMemoryPointer:
    """A place in pinned memory, which offers the rest of it as a writable buffer."""

    def __new__(cls, mem, offset):
        view = (ctypes.c_ubyte * (len(mem._bytes) - offset)).from_buffer(mem._bytes, offset)
        view.mem, view.ptr = mem, mem.ptr + offset
        return view


class PooledPinnedMemory(bytearray):
    """Host memory that offers a writable buffer; in multiples of 512 bytes, as CuPy's pool hands it out."""

    def __init__(self, size):
        super().__init__(bytes([_GARBAGE]) * (-(-size // 512) * 512))
        self.ptr = ctypes.addressof(ctypes.c_char.from_buffer(self)) if size else 0

    def size(self):
        return len(self)


def _check_place(gpu, pointer, size, side):
    """Raise unless the bytes lie in one allocation (side "device"), or apart from all of them (side "host")."""
    end = pointer + size
    with gpu.lock:
        memories = [(memory.ptr, memory.ptr + memory.size) for memory in gpu.memories]
    if side == "device":
        fits = any(first <= pointer and end <= last for first, last in memories)
    else:
        fits = not any(first < end and pointer < last for first, last in memories)
    if not fits:
        raise CUDARuntimeError(1, f"{size} bytes at {pointer:#x} are not all {side} memory")


def copy(gpu, to, source, size, *, kind, stream):
    """Copy, after looking at whether both ends are where `kind` says."""
    gpu.check()
    from_side, _, to_side = kind.partition(" to ")
    _check_place(gpu, source, size, from_side)
    _check_place(gpu, to, size, to_side)
    ctypes.memmove(to, source, size)
    with gpu.lock:
        gpu.copies.append(Copy(kind, size, stream))


def fill(gpu, pointer, value, size):
    gpu.check()
    _check_place(gpu, pointer, size, "device")
    ctypes.memset(pointer, value, size)
