"""The card that is measured: its name, its versions, time on it, and how fast it copies."""

from __future__ import annotations

import importlib
import platform
import re
import statistics
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

_HERE = Path(__file__).parent
_COPY_BYTES = 2**32
_FILL_THREADS, _MOST_FILL_BLOCKS = 256, 2**14
_REALS = {np.dtype(np.complex128): "double", np.dtype(np.complex64): "float"}


class Card:
    """The first GPU, or the one that the tests emulate on the CPU: there everything runs and no time means anything."""

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
        """The card's own name, and how much memory it has."""
        properties = self.cupy.cuda.runtime.getDeviceProperties(0)
        return f"{properties['name'].decode()}, {properties['totalGlobalMem'] / 2**30:.0f} GiB"

    @property
    def file_name(self) -> str:
        """The same in a form for file names."""
        return re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")

    def versions(self) -> dict[str, str]:
        """Return the versions of all that has a part in the times."""
        runtime = self.cupy.cuda.runtime
        found = {"python": platform.python_version(), "numpy": np.__version__, "cupy": self.cupy.__version__}
        found |= {"driver": _driver(), "cuda_of_driver": _cuda(runtime.driverGetVersion())}
        found["cuda_runtime"] = _cuda(runtime.runtimeGetVersion())
        for peer in ("custatevec-cu13", "custatevec-cu12", "qiskit-aer-gpu", "qiskit-aer"):
            try:
                found[peer] = version(peer)
            except PackageNotFoundError:
                continue
        return found

    def seconds(self, work: Callable[[], object]) -> float:
        """Return how long work takes, by two events around it on the default stream.

        Work on another stream is to be over when it returns.
        """
        start, end = self.cupy.cuda.Event(), self.cupy.cuda.Event()
        start.record()
        work()
        end.record()
        end.synchronize()
        return float(self.cupy.cuda.get_elapsed_time(start, end)) * 1e-3

    def median_seconds(self, work: Callable[[], object], rounds: int) -> float:
        """Return the median, after three rounds of which nobody looks at the time."""
        for _ in range(3):
            work()
        self.cupy.cuda.Device(0).synchronize()
        return statistics.median(self.seconds(work) for _ in range(rounds))

    def copy_bytes_per_s(self, *, rounds: int = 15) -> float:
        """Return the bandwidth of a copy within the card, read and written bytes together; of 4 GiB if they fit."""
        runtime = self.cupy.cuda.runtime
        free, _ = runtime.memGetInfo()
        size = 2**24 if self.emulated else min(_COPY_BYTES, 2 ** (free // 3).bit_length() // 2)
        source, target = self.cupy.empty(size, np.uint8), self.cupy.empty(size, np.uint8)
        self.randomise(source.view(np.complex128))  # memory that is all alike may be copied faster than states are

        def copy() -> None:
            stream = self.cupy.cuda.get_current_stream().ptr
            runtime.memcpyAsync(target.data.ptr, source.data.ptr, size, runtime.memcpyDeviceToDevice, stream)

        return 2 * size / self.median_seconds(copy, rounds)

    def randomise(self, vector: Any) -> None:
        """Fill a complex array with a random state of norm nearly 1, the same for the same size, on the card itself."""
        real = _REALS[np.dtype(vector.dtype)]
        if real not in self._fill:
            code = (_HERE / "fill.cu").read_text("utf-8")
            names = (f"fill<{real}>",)
            module = self.cupy.RawModule(code=code, options=("--std=c++17",), name_expressions=names)
            self._fill[real] = module.get_function(names[0])
        size = 2 * vector.size
        blocks = min(-(-size // _FILL_THREADS), _MOST_FILL_BLOCKS)
        scale = np.float64((1.5 / vector.size) ** 0.5)  # of numbers that are spread evenly between -scale and scale
        self._fill[real]((blocks,), (_FILL_THREADS,), (vector, np.uint64(size), scale))
        self.cupy.cuda.Device(0).synchronize()

    def forget_memory(self) -> None:
        """Give back what is not in use."""
        self.cupy.get_default_memory_pool().free_all_blocks()


def _cuda(number: int) -> str:
    return f"{number // 1000}.{number % 1000 // 10}"


def _driver() -> str:
    """Return the version of the driver itself, which CUDA does not tell."""
    try:
        found = re.search(r"Kernel Module\D*([\d.]+)", Path("/proc/driver/nvidia/version").read_text("utf-8"))
    except OSError:
        return "unknown"
    return found[1] if found else "unknown"
