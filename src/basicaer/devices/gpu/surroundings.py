"""What can be seen of GPUs, drivers and CuPy packages without importing CuPy, and without using a card."""

from __future__ import annotations

import contextlib
import ctypes
import importlib.metadata
import os
import sys
from pathlib import Path
from typing import NamedTuple

__all__ = ["Surroundings", "hiding_variable", "is_cut_off", "look_around"]

_BUILDS = ("cupy", "cupy-cuda11x", "cupy-cuda12x", "cupy-cuda13x", "cupy-rocm-5-0", "cupy-rocm-7-0")
_ROOT = Path("/")
_NVIDIA = "0x10de"  # the number of NVIDIA on the PCI bus
_DISPLAY = "0x03"  # how the class of a graphics card on the PCI bus begins
_HIDING = {"NVIDIA": ("CUDA_VISIBLE_DEVICES",), "AMD": ("HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES")}
_OF_NONE = {"", "-1", "NoDevFiles"}  # how values of such a variable begin that hide all GPUs


class Surroundings(NamedTuple):
    """What was found.

    Attributes
    ----------
    builds
        The CuPy packages that are installed, with their versions.
    nvidia
        The newest CUDA that NVIDIA's driver can run, 12040 for 12.4; 0 if there is no driver.
    has_rocm
        Whether AMD's ROCm is installed.
    has_card
        Whether the machine has a card of NVIDIA, as far as the system says so.
    has_driver_outside
        Whether NVIDIA's driver is loaded, be it out of reach of a container.
    """

    builds: dict[str, str]
    nvidia: int
    has_rocm: bool
    has_card: bool
    has_driver_outside: bool


def look_around() -> Surroundings:
    """Look for CuPy packages, drivers and cards; this makes no CUDA context, so the process may still be forked."""
    return Surroundings(
        builds=_installed_builds(),
        nvidia=_nvidia_driver(),
        has_rocm=any(name in os.environ for name in ("ROCM_PATH", "ROCM_HOME")) or (_ROOT / "opt/rocm").exists(),
        has_card=any(map(_is_nvidia_card, (_ROOT / "sys/bus/pci/devices").glob("*"))),
        has_driver_outside=(_ROOT / "proc/driver/nvidia/version").exists(),
    )


def hiding_variable(maker: str, *, surely: bool) -> tuple[str, str] | None:
    """Return the variable that hides GPUs of a maker, and its value; None if there is none.

    Parameters
    ----------
    surely
        Whether the value must be one that hides all GPUs; otherwise, since none is seen, any value is suspect.
    """
    for name in _HIDING[maker]:
        value = os.environ.get(name)
        if value is not None and (not surely or value.partition(",")[0].strip() in _OF_NONE):
            return name, value
    return None


def is_cut_off() -> bool:
    """Tell whether the files through which Linux reaches NVIDIA's cards are missing, as in a container without GPUs."""
    return sys.platform == "linux" and not any((_ROOT / "dev" / name).exists() for name in ("nvidiactl", "dxg"))


def _installed_builds() -> dict[str, str]:
    found = {}
    for name in _BUILDS:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


def _nvidia_driver() -> int:
    """Ask the driver's own library for its version, the one question that needs no CUDA context."""
    try:
        library = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return 0
    version = ctypes.c_int()
    return version.value if library.cuDriverGetVersion(ctypes.byref(version)) == 0 else 0


def _is_nvidia_card(device: Path) -> bool:
    try:
        vendor, kind = ((device / name).read_text("utf-8") for name in ("vendor", "class"))
    except OSError:
        return False
    return vendor.strip() == _NVIDIA and kind.startswith(_DISPLAY)
