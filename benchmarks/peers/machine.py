"""What is timed on: the processor, the versions, and how fast memory and matrix products are at this moment."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import psutil
from threadpoolctl import threadpool_info, threadpool_limits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_DTYPES = {"double": np.complex128, "single": np.complex64}


class Limits(NamedTuple):
    """What no simulator of this machine can be faster than, unless its work fits into the caches."""

    copy_bytes_per_s: float  # read and written bytes together
    matmul_flops_per_s: dict[str, float]  # real operations, for products of complex matrices in each precision

    def seconds(self, n_bytes: int, flops: int, precision: str) -> float:
        """Return the least time that so much work takes."""
        return max(n_bytes / self.copy_bytes_per_s, flops / self.matmul_flops_per_s[precision])


def measure_limits(threads: int) -> Limits:
    """Measure both with so many threads at once, each with arrays of its own: 128 MiB to copy, 768 x 768 to multiply.

    One product a thread rather than one by all threads of a BLAS: it is the more of the two, and it is how states are
    worked on.
    """
    n_bytes, size = 2**27, 768
    sources = [np.ones(n_bytes, np.uint8) for _ in range(threads)]
    targets = [np.ones(n_bytes, np.uint8) for _ in range(threads)]
    copied = _best_seconds(threads, lambda i: np.copyto(targets[i], sources[i]))
    matmul = {}
    with threadpool_limits(1, user_api="blas"):
        for precision, dtype in _DTYPES.items():
            factors = [np.ones((size, size), dtype) for _ in range(threads)]
            products = [np.empty((size, size), dtype) for _ in range(threads)]

            def multiply(i: int, factors=factors, products=products) -> None:
                np.matmul(factors[i], factors[i], out=products[i])

            matmul[precision] = 8 * size**3 * threads / _best_seconds(threads, multiply)
    return Limits(2 * n_bytes * threads / copied, matmul)


def _best_seconds(threads: int, work: Callable[[int], None]) -> float:
    with ThreadPoolExecutor(threads) as pool:
        taken = []
        for _ in range(7):
            started = time.perf_counter()
            list(pool.map(work, range(threads)))
            taken.append(time.perf_counter() - started)
    return min(taken)


def processor() -> str:
    """Return the processor's model name."""
    try:
        found = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text("ascii"), re.MULTILINE)
    except OSError:
        found = None
    return found[1].strip() if found else platform.processor() or platform.machine()


def blas() -> str:
    """Return which BLAS NumPy multiplies with, and for which processors the kernels are that it has chosen."""
    found = [library for library in threadpool_info() if library["user_api"] == "blas"]
    own = [library for library in found if "numpy" in library["filepath"]]  # the others bring BLAS of their own
    for library in own or found:
        names = (library["internal_api"], library["version"], library.get("architecture"))
        return " ".join(name for name in names if name)
    return "unknown"


def machine_name() -> str:
    """Return processor and number of cores in a form for file names; the host's own name is nobody's business."""
    return re.sub(r"[^a-z0-9]+", "-", f"{processor()} {os.cpu_count()} cores".lower()).strip("-")


def busy_elsewhere() -> float:
    """Return which part of all cores was at work in the last moment: with others' work, as ours is at rest then.

    It is told with each result, as other work slows most those whose threads wait for each other at every gate: on two
    cores that others used too, Aer with two threads took five times as long for a QFT of 10 qubits as it did otherwise.
    """
    return psutil.cpu_percent(0.3) / 100


def versions(distributions: Iterable[str]) -> dict[str, str]:
    """Return the versions of Python, of NumPy, Qiskit and the distributions that are installed."""
    found = {"python": platform.python_version()}
    for name in sorted({*distributions, "numpy", "qiskit"}):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def commit() -> str:
    """Return the checkout's commit, with a plus where sources differ from it."""
    try:
        head = _git("rev-parse", "--short=10", "HEAD")
        changed = _git("status", "--porcelain", "--", ":/src", ":/benchmarks/*.py")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return head + ("+" if changed else "")


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=Path(__file__).parent, capture_output=True, check=True, text=True)  # noqa: S603, S607
    return done.stdout.strip()
