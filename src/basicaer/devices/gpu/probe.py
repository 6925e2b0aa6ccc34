"""Finds out whether a GPU can be used through CuPy, and if not, why, and what the user can do about it."""

from __future__ import annotations

import ctypes
import importlib.util
import re
import sys
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from basicaer.devices.gpu.causes import Cause, extra_for, install, install_again, install_compiler, no_cupy
from basicaer.devices.gpu.kernel_cache import kernel_cache_folder
from basicaer.devices.gpu.surroundings import hiding_variable, is_cut_off, look_around
from basicaer.wording import readable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from basicaer.devices.gpu.surroundings import Surroundings

__all__ = ["GpuProbe", "forget_after_fork", "probe_gpu"]

_NOT_INITIALIZED, _NO_DEVICE, _DRIVER_MISMATCH = 3, 100, 803  # numbers of errors of CUDA
_OLDEST_CUPY = (13, 6)
_AGAIN = "--force-reinstall --no-deps"  # the flags of pip that write the files of a package anew
_OLDEST_CUDA = 12000
_OLDEST_CARD_OF_CUDA_13 = (7, 5)
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
    tool: str
    compiler: str

    def version(self, number: int) -> str:
        """Return a version as people write it: CUDA gives 12.9 as the number 12090, ROCm gives 7.0.5 as 70051831."""
        if self.name == "CUDA":
            return f"{number // 1000}.{number % 1000 // 10}"
        return f"{number // 10**7}.{number // 10**5 % 100}"


_CUDA = _Platform("CUDA", "NVIDIA", "nvidia-smi", "CUDA's compiler NVRTC")
_ROCM = _Platform("ROCm", "AMD", "rocminfo", "ROCm's compiler hipRTC")
_INSTALL_ROCM = "install ROCm 7"


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


def _problem_without_cupy(found: Surroundings) -> str:
    """Return what can be said before CuPy is imported: first of the machine, then of the packages."""
    builds = list(found.builds)
    for_amd = [build for build in builds if "rocm" in build]
    if sys.platform == "darwin":
        return Cause.MACOS.sentence()
    if not found.nvidia and not found.has_rocm and not for_amd:
        if found.has_driver_outside:
            return Cause.NO_ACCESS.sentence()
        return (Cause.CARD_WITHOUT_DRIVER if found.has_card else Cause.NO_DRIVER).sentence()
    if found.nvidia and not found.has_rocm:
        if found.nvidia < _OLDEST_CUDA:
            return Cause.OLD_DRIVER.sentence(driver=_CUDA.version(found.nvidia))
        if hidden := hiding_variable(_CUDA.maker, surely=True):
            return _hidden(hidden, _CUDA)
    extra = extra_for(found.nvidia)
    if len(builds) > 1:
        listed = ", ".join(f"{build} {version}" for build, version in found.builds.items())
        return Cause.TWO_BUILDS.sentence(builds=listed, command=install(extra, builds))
    if not builds:
        return "" if _is_there() else no_cupy(extra)
    (build,) = builds
    if for_amd and found.nvidia and not found.has_rocm:
        return Cause.OTHER_MAKER.sentence(build=build, maker=_ROCM.maker, command=install(extra, builds))
    if not for_amd and not found.nvidia and build != "cupy":
        return Cause.OTHER_MAKER.sentence(build=build, maker=_CUDA.maker, command=install(extra, builds))
    version = found.builds[build]
    if tuple(map(int, re.findall(r"\d+", version)[:2])) < _OLDEST_CUPY:
        command = install_again(build, found.nvidia, "--upgrade")
        return Cause.OLD_CUPY.sentence(build=build, version=version, command=command)
    if not _is_there():
        return Cause.FILES_GONE.sentence(build=build, command=install_again(build, found.nvidia, _AGAIN))
    return ""


def _is_there() -> bool:
    """Tell whether CuPy can be imported; a folder without its first file is the rest of an uninstalled one."""
    spec = importlib.util.find_spec("cupy")
    return spec is not None and spec.origin is not None


def _hidden(hidden: tuple[str, str], platform: _Platform) -> str:
    variable, value = hidden
    tool = "nvidia-smi -L" if platform is _CUDA else platform.tool
    return Cause.HIDDEN.sentence(variable=variable, value=value, tool=tool)


def _import_problem(error: Exception, found: Surroundings) -> str:
    reason = " ".join(str(error.__cause__ or error).split())  # CuPy wraps the reason in a banner of many lines
    if isinstance(error, OSError):  # CuPy makes its folder when it is imported
        return Cause.NO_FOLDER.sentence(error=reason)
    if not found.builds:  # only a folder is left of it
        command = install(extra_for(found.nvidia))
    else:
        (build,) = found.builds
        if "rocm" in build:
            return Cause.NO_IMPORT.sentence(error=reason, remedy=_INSTALL_ROCM)
        command = install_again(build, found.nvidia, _AGAIN)
    return Cause.NO_IMPORT.sentence(error=reason, remedy=f"install it again: {command}")


def _no_device(platform: _Platform) -> str:
    """Return why the driver shows no GPU."""
    if hidden := hiding_variable(platform.maker, surely=False):
        return _hidden(hidden, platform)
    if platform is _CUDA and is_cut_off():
        return Cause.NO_ACCESS.sentence()
    return Cause.NO_DEVICE.sentence(tool=platform.tool)


def _device_problem(error: Exception, platform: _Platform) -> str:
    """Return what an error means that the driver raises when it is asked for GPUs."""
    status = getattr(error, "status", None)
    if status == _NOT_INITIALIZED:
        return Cause.FORKED.sentence()
    if status == _NO_DEVICE:
        return _no_device(platform)
    if status == _DRIVER_MISMATCH and platform is _CUDA:
        return Cause.RESTART.sentence(error=error)
    return Cause.NOT_USABLE.sentence(maker=platform.maker, error=error, tool=platform.tool)


def _version_problem(builds: Iterable[str], driver: int, runtime: int) -> str:
    """Return why a driver of NVIDIA and a CuPy do not suit each other, or basicaer."""
    versions = {"driver": _CUDA.version(driver), "runtime": _CUDA.version(runtime)}
    if driver // 1000 < runtime // 1000:  # with such a driver, all other calls would raise
        return Cause.NEWER_CUPY.sentence(**versions, command=install(extra_for(driver), builds))
    if runtime < _OLDEST_CUDA:
        return Cause.OLDER_CUDA.sentence(**versions, command=install(extra_for(driver), builds))
    return ""


def _cards_problem(cupy: Any, count: int, builds: Iterable[str]) -> str:
    """Return why CuPy for CUDA 13 can use none of the cards; an empty text if it can use one."""
    properties = [cupy.cuda.runtime.getDeviceProperties(number) for number in range(count)]
    if any((card["major"], card["minor"]) >= _OLDEST_CARD_OF_CUDA_13 for card in properties):
        return ""
    card = properties[0]
    capability = f"{card['major']}.{card['minor']}"
    command = install("cuda12", builds)
    return Cause.OLD_CARD.sentence(card=card["name"].decode(), capability=capability, command=command)


@cache
def probe_gpu() -> GpuProbe:
    """Look for a driver, CuPy, a card and a compiler, in this order; the first that is missing is the problem.

    CUDA's headers may be missing: the kernels include none of them.
    """
    if _of_process["is_forked"]:
        return GpuProbe(Cause.FORKED.sentence())
    found = look_around()
    if problem := _problem_without_cupy(found):
        return GpuProbe(problem)
    try:
        import cupy

        version = str(cupy.__version__)
    except Exception as error:  # noqa: BLE001  # a broken or half-removed install raises anything
        return GpuProbe(_import_problem(error, found))
    platform = _ROCM if cupy.cuda.runtime.is_hip else _CUDA
    known = partial(GpuProbe, cupy=version, platform=platform.name)
    try:
        driver = cupy.cuda.runtime.driverGetVersion()
        if driver == 0:  # there is none, so any other question would raise
            return known((Cause.NO_AMD_DRIVER if platform is _ROCM else Cause.NO_DRIVER).sentence())
        runtime = cupy.cuda.runtime.runtimeGetVersion()
        known = partial(known, driver=platform.version(driver), runtime=platform.version(runtime))
        if platform is _CUDA:
            known = partial(known, kernel_cache=str(kernel_cache_folder()))
            if problem := _version_problem(found.builds, driver, runtime):
                return known(problem)
        _of_process["has_used_cuda"] = True
        count = cupy.cuda.runtime.getDeviceCount()
    except Exception as error:  # noqa: BLE001  # CuPy raises its own types, and ImportError-like ones for missing libraries
        return known(_device_problem(error, platform))
    if count == 0:
        return known(_no_device(platform))
    known = partial(known, cards=tuple(_card(cupy, number) for number in range(count)))
    if platform is _CUDA and runtime >= 13000 and (problem := _cards_problem(cupy, count, found.builds)):
        return known(problem)
    try:
        _load_compiler(cupy)
    except Exception as error:  # noqa: BLE001  # a RuntimeError for a missing library, and others for a broken one
        remedy = _INSTALL_ROCM + ", which has it" if platform is _ROCM else install_compiler(runtime)
        return known(Cause.NO_COMPILER.sentence(compiler=platform.compiler, error=error, remedy=remedy))
    return known()
