"""Finds out whether a GPU can be used through CuPy, and if not, why, and what the user can do about it."""

from __future__ import annotations

import ctypes
import importlib.metadata
import importlib.util
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

from basicaer.devices.gpu.kernel_cache import kernel_cache_folder
from basicaer.wording import readable

__all__ = ["GpuProbe", "probe_gpu"]

_CUPY_BUILDS = ("cupy", "cupy-cuda11x", "cupy-cuda12x", "cupy-cuda13x", "cupy-rocm-5-0", "cupy-rocm-7-0")
_INSTALL = "pip install 'basicaer[cuda13]' (or [cuda12] with an older driver)"
_ELSEWHERE = "set CUPY_CACHE_DIR to a folder that can be written"

# How many times as much arithmetic a card does in single precision as in double, by its compute capability. The source
# is the table "Throughput of Native Arithmetic Instructions" of the CUDA C++ Programming Guide, and for 10.3 the data
# sheet of HGX B300. The driver's own attribute is of no use: it says 32 where the guide gives 64.
_SINGLE_PER_DOUBLE = {
    **dict.fromkeys(("6.0", "7.0", "8.0", "9.0", "10.0"), 2),
    **dict.fromkeys(("5.0", "5.2", "6.1", "7.5"), 32),
    **dict.fromkeys(("8.6", "8.9", "10.3", "12.0", "12.1"), 64),
}


@dataclass(frozen=True, slots=True)
class GpuProbe:
    """What was found of a GPU and of the software that it needs.

    Attributes
    ----------
    problem
        Why no GPU can be used, and the remedy; empty if one can be used.
    cupy, driver, runtime
        Versions, empty where they are not known.
    cards
        One line per card: number, name, compute capability, memory, and what double precision costs if that is known.
    kernel_cache
        The folder where CuPy keeps compiled kernels.
    """

    problem: str = ""
    cupy: str = ""
    driver: str = ""
    runtime: str = ""
    cards: tuple[str, ...] = ()
    kernel_cache: str = ""


def _installed_builds() -> list[str]:
    """Return the CuPy packages that are installed, with their versions; two would overwrite each other's files."""
    found = []
    for name in _CUPY_BUILDS:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _load_compiler(cupy: Any) -> None:
    """Load NVRTC; CuPy before 14 does not look into NVIDIA's wheels, but finds what has been loaded from there."""
    try:
        cupy.cuda.nvrtc.getVersion()
    except RuntimeError:
        wheels = importlib.util.find_spec("nvidia")
        for folder in (wheels and wheels.submodule_search_locations) or ():
            for path in Path(folder).glob("*/lib/libnvrtc.so.*"):
                ctypes.CDLL(str(path))
        cupy.cuda.nvrtc.getVersion()


def _cuda_version(number: int) -> str:
    """Return a version of CUDA, which it gives as a number such as 12090, as people write it."""
    return f"{number // 1000}.{number % 1000 // 10}"


@cache
def probe_gpu() -> GpuProbe:
    """Look for CuPy, a driver that is new enough, a card and CUDA's compiler, in this order.

    The first that is missing is the problem. CUDA's headers may be missing: the kernels include none of them.
    """
    builds = _installed_builds()
    if len(builds) > 1:
        return GpuProbe(
            f"two CuPy builds are installed ({', '.join(builds)}), which break each other; uninstall all but one"
        )
    if importlib.util.find_spec("cupy") is None:
        return GpuProbe(f"CuPy is not installed; {_INSTALL}")
    try:
        import cupy

        version = str(cupy.__version__)
    except Exception as error:  # noqa: BLE001  # a broken or half-removed install raises anything
        reason = " ".join(str(error.__cause__ or error).split())  # CuPy wraps the reason in a banner of many lines
        if isinstance(error, OSError):  # CuPy makes its folder when it is imported
            return GpuProbe(f"CuPy cannot make the folder of its kernels ({reason}); {_ELSEWHERE}")
        return GpuProbe(f"CuPy does not import ({reason}); reinstall it: {_INSTALL}")
    try:
        driver = cupy.cuda.runtime.driverGetVersion()
        if driver == 0:  # there is none, so any other question would raise
            return GpuProbe("there is no NVIDIA driver; install one", version)
        runtime = cupy.cuda.runtime.runtimeGetVersion()
        known = partial(
            GpuProbe,
            cupy=version,
            driver=_cuda_version(driver),
            runtime=_cuda_version(runtime),
            kernel_cache=str(kernel_cache_folder()),
        )
        if driver // 1000 < runtime // 1000:  # with such a driver, all calls below would raise
            return known(
                f"the driver is for CUDA {_cuda_version(driver)} and CuPy for {_cuda_version(runtime)}; "
                f"update the driver, or {_INSTALL}"
            )
        count = cupy.cuda.runtime.getDeviceCount()
    except Exception as error:  # noqa: BLE001  # CuPy raises its own types, and ImportError-like ones for missing libraries
        remedy = "check nvidia-smi and CUDA_VISIBLE_DEVICES, or update the driver"
        return GpuProbe(f"no usable NVIDIA driver or device ({error}); {remedy}", version)
    if count == 0:
        return known("the driver sees no device; check nvidia-smi and CUDA_VISIBLE_DEVICES")
    cards = []
    for number in range(count):
        properties = cupy.cuda.runtime.getDeviceProperties(number)
        capability = f"{properties['major']}.{properties['minor']}"
        times = _SINGLE_PER_DOUBLE.get(capability)
        cost = f", arithmetic in double precision at 1/{times} of the speed of single" if times else ""
        cards.append(
            f"{number}: {properties['name'].decode()}, compute capability {capability}, "
            f"{readable(properties['totalGlobalMem'])}{cost}"
        )
    try:
        _load_compiler(cupy)
    except Exception as error:  # noqa: BLE001  # a RuntimeError for a missing library, and others for a broken one
        return known(f"CUDA's compiler NVRTC does not load ({error}); {_INSTALL}", cards=tuple(cards))
    return known(cards=tuple(cards))
