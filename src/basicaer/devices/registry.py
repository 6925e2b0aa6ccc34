"""Chooses the device of a run: by what was asked for, then by what is there; and says why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from basicaer.devices.gpu_probe import probe_gpu
from basicaer.devices.numpy_device import NumpyDevice
from basicaer.errors import DeviceUnavailableError
from basicaer.options import DeviceChoice

if TYPE_CHECKING:
    from basicaer.engine.device import Device

__all__ = ["choose_device", "why_no_gpu"]

_NO_KERNELS = "this version of basicaer has no CUDA kernels yet"


def why_no_gpu() -> str:
    """Return why no GPU is used here, and what would change that."""
    return probe_gpu().problem or _NO_KERNELS


def choose_device(choice: DeviceChoice, threads: int = 0) -> tuple[Device, str]:
    """Return the device for a choice, and why it is that one; on the CPU with `threads` threads, 0 for all cores.

    Raises
    ------
    DeviceUnavailableError
        If a GPU is asked for and none can be used; the message says why.
    """
    if choice is DeviceChoice.GPU:
        raise DeviceUnavailableError(f"device='GPU' cannot be used: {why_no_gpu()}; device='CPU' works everywhere.")
    if choice is DeviceChoice.CPU:
        return NumpyDevice(threads), "device='CPU' was asked for"
    return NumpyDevice(threads), f"no GPU: {why_no_gpu()}"
