"""Stands in for CuPy's `RawModule`: finds kernels by name and launches them."""

import ctypes
import json
import math
import threading
from pathlib import Path

import numpy as np

from emulated_gpu.errors import CUDADriverError
from emulated_gpu.gpu import Launch
from emulated_gpu.memory import DeviceArray

_MOST_THREADS = 1024
_MOST_SHARED_BYTES_UNASKED = 48 << 10

_launching = threading.Lock()  # what kernels know of the launch that they are in is one for all threads


class Counts(ctypes.Structure):
    """What a launch asked of memory. This is the struct of counting.h, which explains each field."""

    _fields_ = (
        *[
            (name, ctypes.c_uint64)
            for name in (
                *["accesses", "sectors_loaded", "sectors_stored", "bytes_loaded", "bytes_stored", "shared_wavefronts"],
                *["shared_ideal_wavefronts", "barriers", "multiply_adds"],
            )
        ],
        ("worst_conflict_degree", ctypes.c_double),
    )

    def __repr__(self):
        return f"Counts({', '.join(f'{name}={getattr(self, name)}' for name, _ in self._fields_)})"


def compile_using_nvrtc(gpu, source, options=(), *, name_expressions=()):
    """Return what stands for machine code, and the symbol of each name expression. What it holds is compiled later."""
    gpu.check()
    gpu.compilations += 1
    symbols = {name: f"_Z{number}" for number, name in enumerate(name_expressions)}
    return json.dumps({"code": source, "options": options, "symbols": symbols}).encode(), symbols


class RawModule:
    """A text that is compiled when its first function is asked for, as with CuPy, or a file of machine code.

    Every kernel's name expression must be given with a text; the functions of a file are asked for by their symbols.
    """

    def __init__(self, gpu, build, *, counting, code=None, path=None, options=(), backend="nvrtc", name_expressions=()):
        if not isinstance(options, tuple):
            raise TypeError("options must be a tuple")
        if (code is None) == (path is None):
            raise TypeError("exactly one of code and path must be given")
        self._gpu = gpu
        self._path, self._name_of = path, {name: name for name in name_expressions}
        self._code, self._options = code, options
        self._build, self._counting = build, counting
        self._shared_bytes_allowed = {}  # by name, since on a card it belongs to the function, not to the object

    def get_function(self, name):
        self._gpu.check()
        if self._code is None:
            held = json.loads(Path(self._path).read_bytes())
            self._code, self._options = held["code"], tuple(held["options"])
            self._name_of = {symbol: expression for expression, symbol in held["symbols"].items()}
        library = self._build(self._gpu, self._code, tuple(self._name_of.values()), self._options)
        if name not in self._name_of or (name := self._name_of[name]) not in library:
            raise CUDADriverError(500, name)
        return RawKernel(self._gpu, name, library, self._shared_bytes_allowed, counting=self._counting)


class RawKernel:
    def __init__(self, gpu, name, library, shared_bytes_allowed, *, counting):
        self._gpu = gpu
        self.name = name
        self._library = library
        self._shared_bytes_allowed = shared_bytes_allowed
        self._counting = counting

    @property
    def max_dynamic_shared_size_bytes(self):
        if self._gpu.is_hip:  # what ROCm answers is not known here, and nobody has to ask
            raise CUDADriverError(98)
        return self._shared_bytes_allowed.get(self.name, _MOST_SHARED_BYTES_UNASKED)

    @max_dynamic_shared_size_bytes.setter
    def max_dynamic_shared_size_bytes(self, size):
        if self._gpu.is_hip:
            raise CUDADriverError(98)
        if not 0 <= size <= self._gpu.most_shared_bytes:
            raise CUDADriverError(1, f"a block has at most {self._gpu.most_shared_bytes} bytes of shared memory")
        self._shared_bytes_allowed[self.name] = size

    def __call__(self, grid, block, args, *, shared_mem=0):
        gpu = self._gpu
        gpu.check()
        self._check_shape(grid, block, shared_mem)
        values = self._values(args)
        stream = gpu.current_stream()
        counts = Counts() if self._counting else None
        runs = gpu.start_launch(stream)
        with gpu.lock:
            seed = (gpu.seed + len(gpu.launches)) % 2**64
            gpu.launches.append(Launch(self.name, grid, block, shared_mem, stream.ptr, counts))
        if not runs:
            return
        pointers = (ctypes.c_void_p * len(values))(*[value.ctypes.data for value in values])
        shape = {"grid": (*grid, 1)[:2], "threads": block[0], "shared_bytes": shared_mem}
        with _launching:
            why = self._library.launch(self.name, pointers, **shape, seed=seed, counts=counts)
        if why:
            gpu.report_launch_failure(f"{self.name}: {why}")

    def _check_shape(self, grid, block, shared_mem):
        if not (isinstance(grid, tuple) and isinstance(block, tuple)):
            raise TypeError("grid and block must be tuples")
        if len(grid) > 2 or math.prod(block) != block[0]:
            raise NotImplementedError("the emulator has grids of two dimensions and blocks of one")
        limits = (2**31 - 1, 65535)
        if not all(1 <= size <= limit for size, limit in zip(grid, limits, strict=False)):
            raise CUDADriverError(1, f"a grid of {grid} blocks")
        if not 1 <= block[0] <= _MOST_THREADS:
            raise CUDADriverError(1, f"a block of {block[0]} threads")
        allowed = self._gpu.most_shared_bytes if self._gpu.is_hip else self.max_dynamic_shared_size_bytes
        if not 0 <= shared_mem <= allowed:
            raise CUDADriverError(1, f"{shared_mem} bytes of shared memory, {allowed} allowed")

    def _values(self, args):
        """Return the arguments as NumPy values. A card takes their bytes on trust; here they must fit the kernel."""
        parameters = self._library.parameters(self.name)
        if len(args) != len(parameters):
            raise TypeError(f"{self.name} takes {len(parameters)} arguments, not {len(args)}")
        values = []
        for position, (argument, wanted) in enumerate(zip(args, parameters, strict=True)):
            if isinstance(argument, DeviceArray):
                value, kind = np.array(argument.data.ptr, np.uint64), "p"
            elif isinstance(argument, np.generic):
                value, kind = np.array(argument), {"V": "s", "c": "s"}.get(argument.dtype.kind, argument.dtype.kind)
            else:
                raise TypeError(
                    f"argument {position} of {self.name} is a {type(argument).__name__}: neither array nor NumPy scalar"
                )
            if (kind, value.nbytes) != wanted:
                raise TypeError(
                    f"argument {position} of {self.name} is {kind}{value.nbytes}, the kernel takes "
                    + "".join(map(str, wanted))
                )
            values.append(value)
        return values
