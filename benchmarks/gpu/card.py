"""The card that is measured: its name and versions, how long work takes on it, and how fast it copies."""

from __future__ import annotations

import importlib
import re
import statistics
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from harness.environment import in_file_names, versions

if TYPE_CHECKING:
    from collections.abc import Callable

_HERE = Path(__file__).parent
_COPY_BYTES, _EMULATED_COPY_BYTES = 2**32, 2**24
_WARM_UPS = 3
_PEERS = ("custatevec-cu13", "custatevec-cu12", "qiskit-aer-gpu", "qiskit-aer")
_FILL_THREADS, _MOST_FILL_BLOCKS = 256, 2**14
_REALS = {np.dtype(np.complex128): "double", np.dtype(np.complex64): "float"}


class Card:
    """The first GPU, or the one that the tests emulate on the CPU, where everything runs and times mean nothing."""

    def __init__(self, *, emulated: bool = False) -> None:
        if emulated:
            sys.path.append(str(_HERE.parents[1] / "tests"))
            self.cupy = importlib.import_module("emulated_gpu").EmulatedCupy()
        else:
            self.cupy = importlib.import_module("cupy")
        self.emulated = emulated
        self._fill: dict[str, Any] = {}

    @property
    def name(self) -> str:
        """The card's own name and the size of its memory."""
        properties = self.cupy.cuda.runtime.getDeviceProperties(0)
        return f"{properties['name'].decode()}, {properties['totalGlobalMem'] / 2**30:.0f} GiB"

    @property
    def file_name(self) -> str:
        """The same in a form for file names."""
        return in_file_names(self.name)

    def versions(self) -> dict[str, str]:
        """Return the versions of everything that times depend on."""
        runtime = self.cupy.cuda.runtime
        return versions(["numpy", *_PEERS]) | {
            "cupy": self.cupy.__version__,  # the distribution's name depends on the version of CUDA
            "driver": _driver(),
            "cuda_of_driver": _cuda(runtime.driverGetVersion()),
            "cuda_runtime": _cuda(runtime.runtimeGetVersion()),
        }

    def seconds(self, work: Callable[[], object]) -> float:
        """Return how long work takes, measured by two events around it on the default stream.

        Work on any other stream must have ended when `work` returns.
        """
        start, end = self.cupy.cuda.Event(), self.cupy.cuda.Event()
        start.record()
        work()
        end.record()
        end.synchronize()
        return float(self.cupy.cuda.get_elapsed_time(start, end)) * 1e-3

    def median_seconds(self, work: Callable[[], object], rounds: int) -> float:
        """Return the median of the rounds that follow a few untimed ones."""
        for _ in range(_WARM_UPS):
            work()
        self.cupy.cuda.Device(0).synchronize()
        return statistics.median(self.seconds(work) for _ in range(rounds))

    def copy_bytes_per_s(self, *, rounds: int = 15) -> float:
        """Return the bandwidth of a copy within the card, of 4 GiB if they fit; read and written bytes both count."""
        runtime = self.cupy.cuda.runtime
        free, _ = runtime.memGetInfo()
        size = _EMULATED_COPY_BYTES if self.emulated else min(_COPY_BYTES, 2 ** (free // 3).bit_length() // 2)
        source, target = self.cupy.empty(size, np.uint8), self.cupy.empty(size, np.uint8)
        self.randomise(source.view(np.complex128))  # Equal bytes may be copied faster than a state.

        def copy() -> None:
            stream = self.cupy.cuda.get_current_stream().ptr
            runtime.memcpyAsync(target.data.ptr, source.data.ptr, size, runtime.memcpyDeviceToDevice, stream)

        return 2 * size / self.median_seconds(copy, rounds)

    def randomise(self, vector: Any) -> None:
        """Fill a complex array, on the card itself, with a random state of norm nearly 1: one state for each size."""
        real = _REALS[np.dtype(vector.dtype)]
        if real not in self._fill:
            code = (_HERE / "fill.cu").read_text("utf-8")
            names = (f"fill<{real}>",)
            module = self.cupy.RawModule(code=code, options=("--std=c++17",), name_expressions=names)
            self._fill[real] = module.get_function(names[0])
        size = 2 * vector.size
        blocks = min(-(-size // _FILL_THREADS), _MOST_FILL_BLOCKS)
        scale = np.float64((1.5 / vector.size) ** 0.5)  # The numbers are spread evenly between -scale and scale.
        self._fill[real]((blocks,), (_FILL_THREADS,), (vector, np.uint64(size), scale))
        self.cupy.cuda.Device(0).synchronize()

    def forget_memory(self) -> None:
        """Return unused memory from CuPy's pool to the card."""
        self.cupy.get_default_memory_pool().free_all_blocks()


def _cuda(number: int) -> str:
    return f"{number // 1000}.{number % 1000 // 10}"


def _driver() -> str:
    """Return the version of the driver itself, for which CUDA has no function."""
    try:
        found = re.search(r"Kernel Module\D*([\d.]+)", Path("/proc/driver/nvidia/version").read_text("utf-8"))
    except OSError:
        return "unknown"
    return found[1] if found else "unknown"
