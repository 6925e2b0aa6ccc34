"""Finds out whether a GPU can be used through CuPy, and if not, why, and what the user can do about it."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from basicaer.wording import readable

__all__ = ["GpuProbe", "forget_after_fork", "probe_gpu"]

_CUPY_BUILDS = ("cupy", "cupy-cuda11x", "cupy-cuda12x", "cupy-cuda13x", "cupy-rocm-5-0", "cupy-rocm-7-0")
_INSTALL = "pip install 'basicaer[cuda13]' (or [cuda12] with an older driver)"
_ELSEWHERE = "set CUPY_CACHE_DIR to a folder that can be written"
_FORKED = (
    "this process was forked from one that had used CUDA, which does not survive that; start workers in another way, "
    "as ProcessPoolExecutor(mp_context=multiprocessing.get_context('spawn')) does"
)
_NOT_INITIALIZED = 3  # the number of the error that CUDA raises in such a process
_of_process = {"has_used_cuda": False, "is_forked": False}


def forget_after_fork() -> None:
    """Note in a process that was just forked whether CUDA can still be used."""
    _of_process["is_forked"] |= _of_process["has_used_cuda"]
    probe_gpu.cache_clear()


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
        One line per card: number, name, compute capability, memory.
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


def _cuda_version(number: int) -> str:
    """Return a version of CUDA, which it gives as a number such as 12090, as people write it."""
    return f"{number // 1000}.{number % 1000 // 10}"


@cache
def probe_gpu() -> GpuProbe:
    """Look for CuPy, a driver that is new enough, a card and CUDA's compiler, in this order.

    The first that is missing is the problem. CUDA's headers may be missing: the kernels include none of them.
    """
    if _of_process["is_forked"]:
        return GpuProbe(_FORKED)
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
        cache_folder = os.environ.get("CUPY_CACHE_DIR", str(Path.home() / ".cupy" / "kernel_cache"))
        known = partial(
            GpuProbe,
            cupy=version,
            driver=_cuda_version(driver),
            runtime=_cuda_version(runtime),
            kernel_cache=cache_folder,
        )
        if driver // 1000 < runtime // 1000:  # with such a driver, all calls below would raise
            return known(
                f"the driver is for CUDA {_cuda_version(driver)} and CuPy for {_cuda_version(runtime)}; "
                f"update the driver, or {_INSTALL}"
            )
        _of_process["has_used_cuda"] = True
        count = cupy.cuda.runtime.getDeviceCount()
    except Exception as error:  # noqa: BLE001  # CuPy raises its own types, and ImportError-like ones for missing libraries
        if getattr(error, "status", None) == _NOT_INITIALIZED:
            return GpuProbe(_FORKED, version)
        remedy = "check nvidia-smi and CUDA_VISIBLE_DEVICES, or update the driver"
        return GpuProbe(f"no usable NVIDIA driver or device ({error}); {remedy}", version)
    if count == 0:
        return known("the driver sees no device; check nvidia-smi and CUDA_VISIBLE_DEVICES")
    cards = []
    for number in range(count):
        properties = cupy.cuda.runtime.getDeviceProperties(number)
        cards.append(
            f"{number}: {properties['name'].decode()}, compute capability {properties['major']}.{properties['minor']}, "
            f"{readable(properties['totalGlobalMem'])}"
        )
    try:
        cupy.cuda.nvrtc.getVersion()
    except Exception as error:  # noqa: BLE001  # a RuntimeError for a missing library, and others for a broken one
        return known(f"CUDA's compiler NVRTC does not load ({error}); {_INSTALL}", cards=tuple(cards))
    return known(cards=tuple(cards))
