"""The machine that is timed: its processor, and how fast its memory and its matrix products are at this moment."""

from __future__ import annotations

import os
import platform
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import psutil
from harness.environment import in_file_names
from harness.timing import stopwatch
from threadpoolctl import threadpool_info, threadpool_limits

if TYPE_CHECKING:
    from collections.abc import Callable

_DTYPES = {"double": np.complex128, "single": np.complex64}
_COPY_BYTES = 2**27  # for each thread: more than fits into any cache
_MATRIX_SIZE = 768
_TRIALS = 7


class Limits(NamedTuple):
    """The limits that no simulator on this machine can exceed, unless its work fits into the caches."""

    copy_bytes_per_s: float  # bytes read and bytes written, together
    matmul_flops_per_s: dict[str, float]  # real operations in products of complex matrices, by precision

    def seconds(self, n_bytes: int, flops: int, precision: str) -> float:
        """Return the least time that this amount of work takes."""
        return max(n_bytes / self.copy_bytes_per_s, flops / self.matmul_flops_per_s[precision])


def measure_limits(threads: int) -> Limits:
    """Measure both limits with this many threads, each of which has arrays of its own.

    Each thread multiplies matrices of its own, rather than a BLAS dividing one product among all threads: that is
    faster, and it is how states are worked on.
    """
    sources = [np.ones(_COPY_BYTES, np.uint8) for _ in range(threads)]
    copies = [np.ones(_COPY_BYTES, np.uint8) for _ in range(threads)]
    copied = _best_seconds(threads, lambda i: np.copyto(copies[i], sources[i]))
    matmul = {}
    with threadpool_limits(1, user_api="blas"):
        for precision, dtype in _DTYPES.items():
            factors = [np.ones((_MATRIX_SIZE, _MATRIX_SIZE), dtype) for _ in range(threads)]
            products = [np.empty((_MATRIX_SIZE, _MATRIX_SIZE), dtype) for _ in range(threads)]

            def multiply(i: int, factors=factors, products=products) -> None:
                np.matmul(factors[i], factors[i], out=products[i])

            matmul[precision] = 8 * _MATRIX_SIZE**3 * threads / _best_seconds(threads, multiply)
    return Limits(2 * _COPY_BYTES * threads / copied, matmul)


def _best_seconds(threads: int, work: Callable[[int], None]) -> float:
    with ThreadPoolExecutor(threads) as pool:
        return min(stopwatch(lambda: list(pool.map(work, range(threads)))) for _ in range(_TRIALS))


def processor() -> str:
    """Return the processor's model name."""
    try:
        found = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text("ascii"), re.MULTILINE)
    except OSError:
        found = None
    return found[1].strip() if found else platform.processor() or platform.machine()


def blas() -> str:
    """Return the BLAS that NumPy uses, and the processor architecture whose kernels it has chosen."""
    found = [library for library in threadpool_info() if library["user_api"] == "blas"]
    own = [library for library in found if "numpy" in library["filepath"]]  # Other packages load a BLAS of their own.
    for library in own or found:
        names = (library["internal_api"], library["version"], library.get("architecture"))
        return " ".join(name for name in names if name)
    return "unknown"


def machine_name() -> str:
    """Return processor and number of cores in a form for file names; a host name would say who measured."""
    return in_file_names(f"{processor()} {os.cpu_count()} cores")


class OtherWork:
    """What other programs do on the machine from when this is made.

    Each result says so, because other work slows some simulators more than others: those whose threads wait for each
    other at every gate. On two cores that other programs used too, Aer with two threads took five times as long for a
    QFT of 10 qubits as on free ones.
    """

    def __init__(self) -> None:
        self._own = psutil.Process()
        self._began = self._clocks()

    def fraction(self) -> float:
        """Return the fraction of the time of all cores that other programs have used."""
        idle, own, whole = (now - then for now, then in zip(self._clocks(), self._began, strict=True))
        return max(0.0, (whole - idle - own) / whole) if whole else 0.0

    def _clocks(self) -> tuple[float, float, float]:
        """Return the seconds that all cores have been idle, have worked for this program, and have run in all.

        Its work includes that of processes which it has started, such as ranks, once they have ended.
        """
        cores, own = psutil.cpu_times(), self._own.cpu_times()
        idle = cores.idle + getattr(cores, "iowait", 0.0)  # which other systems than Linux do not count
        guests = getattr(cores, "guest", 0.0) + getattr(cores, "guest_nice", 0.0)  # are part of user and nice
        # Other systems than Linux do not count what processes did that this one started and that have ended.
        started = getattr(own, "children_user", 0.0) + getattr(own, "children_system", 0.0)
        return idle, own.user + own.system + started, sum(cores) - guests
