"""Finds out whether a GPU can be used through CuPy, and if not, why, and what the user can do about it."""

from __future__ import annotations

import ctypes
import importlib.metadata
import importlib.util
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

from basicaer.devices.gpu.kernel_cache import kernel_cache_folder
from basicaer.wording import readable

__all__ = ["GpuProbe", "forget_after_fork", "probe_gpu"]

_CUPY_BUILDS = ("cupy", "cupy-cuda11x", "cupy-cuda12x", "cupy-cuda13x", "cupy-rocm-5-0", "cupy-rocm-7-0")
_INSTALL = "pip install 'basicaer[cuda13]' (or [cuda12] with an older driver)"
_INSTALL_ROCM = "install ROCm 7, which has it"
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


# How many times as much arithmetic a card does in single precision as in double, by its compute capability. The source
# is the table "Throughput of Native Arithmetic Instructions" of the CUDA C++ Programming Guide, and for 10.3 the data
# sheet of HGX B300. The driver's own attribute is of no use: it says 32 where the guide gives 64.
_SINGLE_PER_DOUBLE = {
    **dict.fromkeys(("6.0", "7.0", "8.0", "9.0", "10.0"), 2),
    **dict.fromkeys(("5.0", "5.2", "6.1", "7.5"), 32),
    **dict.fromkeys(("8.6", "8.9", "10.3", "12.0", "12.1"), 64),
}


class _Platform(NamedTuple):
    """What a CuPy is built for, and the words of messages about it."""

    name: str
    maker: str
    checks: str
    compiler: str
    install_compiler: str

    def version(self, number: int) -> str:
        """Return a version as people write it: CUDA gives 12.9 as the number 12090, ROCm gives 7.0.5 as 70051831."""
        if self.name == "CUDA":
            return f"{number // 1000}.{number % 1000 // 10}"
        return f"{number // 10**7}.{number // 10**5 % 100}"


_CUDA = _Platform("CUDA", "NVIDIA", "check nvidia-smi and CUDA_VISIBLE_DEVICES", "CUDA's compiler NVRTC", _INSTALL)
_ROCM = _Platform("ROCm", "AMD", "check rocminfo and HIP_VISIBLE_DEVICES", "ROCm's compiler hipRTC", _INSTALL_ROCM)


@dataclass(frozen=True, slots=True)
class GpuProbe:
    """What was found of a GPU and of the software that it needs.

    Attributes
    ----------
    problem
        Why no GPU can be used, and the remedy; empty if one can be used.
    cupy, driver, runtime
        Versions, empty where they are not known.
    platform
        What CuPy is built for: CUDA or ROCm.
    cards
        One line per card: number, name, architecture, memory, and what double precision costs if that is known.
    kernel_cache
        The folder where compiled kernels are kept; empty with ROCm, with which CuPy compiles them in each process.
    """

    problem: str = ""
    cupy: str = ""
    driver: str = ""
    runtime: str = ""
    platform: str = "CUDA"
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
            # NVRTC of CUDA 13.0 does not find the library of its built-in functions, which is therefore loaded first.
            for library in ("libnvrtc-builtins.so.*", "libnvrtc.so.*"):
                for path in Path(folder).glob(f"*/lib/{library}"):
                    ctypes.CDLL(str(path))
        cupy.cuda.nvrtc.getVersion()


def _card(cupy: Any, number: int) -> str:
    """Return the line of a card."""
    properties = cupy.cuda.runtime.getDeviceProperties(number)
    cost = ""
    if cupy.cuda.runtime.is_hip:
        architecture = properties["gcnArchName"].decode().partition(":")[0]
    else:
        capability = f"{properties['major']}.{properties['minor']}"
        architecture = f"compute capability {capability}"
        if times := _SINGLE_PER_DOUBLE.get(capability):
            cost = f", arithmetic in double precision at 1/{times} of the speed of single"
    memory = readable(properties["totalGlobalMem"])
    return f"{number}: {properties['name'].decode()}, {architecture}, {memory}{cost}"


@cache
def probe_gpu() -> GpuProbe:
    """Look for CuPy, a driver that is new enough, a card and a compiler, in this order.

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
        remedy = "install ROCm 7" if "cupy-rocm" in "".join(builds) else f"reinstall it: {_INSTALL}"
        return GpuProbe(f"CuPy does not import ({reason}); {remedy}")
    platform = _ROCM if cupy.cuda.runtime.is_hip else _CUDA
    known = partial(GpuProbe, cupy=version, platform=platform.name)
    try:
        driver = cupy.cuda.runtime.driverGetVersion()
        if driver == 0:  # there is none, so any other question would raise
            return known(f"there is no {platform.maker} driver; install one")
        runtime = cupy.cuda.runtime.runtimeGetVersion()
        versions = {"driver": platform.version(driver), "runtime": platform.version(runtime)}
        known = partial(known, **versions)
        if platform is _CUDA:
            known = partial(known, kernel_cache=str(kernel_cache_folder()))
            if driver // 1000 < runtime // 1000:  # with such a driver, all calls below would raise
                return known(
                    f"the driver is for CUDA {versions['driver']} and CuPy for {versions['runtime']}; "
                    f"update the driver, or {_INSTALL}"
                )
        _of_process["has_used_cuda"] = True
        count = cupy.cuda.runtime.getDeviceCount()
    except Exception as error:  # noqa: BLE001  # CuPy raises its own types, and ImportError-like ones for missing libraries
        if getattr(error, "status", None) == _NOT_INITIALIZED:
            return known(_FORKED)
        remedy = f"{platform.checks}, or update the driver"
        return GpuProbe(
            f"no usable {platform.maker} driver or device ({error}); {remedy}", cupy=version, platform=platform.name
        )
    if count == 0:
        return known(f"the driver sees no device; {platform.checks}")
    cards = tuple(_card(cupy, number) for number in range(count))
    try:
        _load_compiler(cupy)
    except Exception as error:  # noqa: BLE001  # a RuntimeError for a missing library, and others for a broken one
        return known(f"{platform.compiler} does not load ({error}); {platform.install_compiler}", cards=cards)
    return known(cards=cards)
