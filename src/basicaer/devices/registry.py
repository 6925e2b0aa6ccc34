"""Chooses the device of a run: by what was asked for, then by what is there, fits and is faster; and says why."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from basicaer.devices.cpu.device import NumpyDevice
from basicaer.devices.gpu.probe import probe_gpu
from basicaer.errors import DeviceUnavailableError
from basicaer.options import DeviceChoice, DeviceOptions
from basicaer.wording import readable

if TYPE_CHECKING:
    from collections.abc import Callable

    from basicaer.devices.gpu.device import CupyDevice
    from basicaer.engine.device import Device
    from basicaer.options import Precision

    Crossover = Callable[[NumpyDevice, CupyDevice, Precision], int | None]

__all__ = ["SMALLEST_ON_GPU", "choose_device", "gpu_device", "why_no_gpu"]

SMALLEST_ON_GPU = 12  # qubits: what is smaller is over on a CPU in the time that a GPU needs to answer at all


def why_no_gpu() -> str:
    """Return why no GPU is used here, and what would change that; empty where one can be used."""
    return probe_gpu().problem


@lru_cache
def gpu_device(number: int) -> CupyDevice:
    """Return the device of a GPU; always the same one, so that its kernels are compiled and loaded once."""
    from basicaer.devices.gpu.device import CupyDevice

    return CupyDevice(number)


def choose_device(
    options: DeviceOptions, n_qubits: int, precision: Precision, crossover: Crossover
) -> tuple[Device, str]:
    """Return the device for a state of `n_qubits`, and why it is that one.

    Parameters
    ----------
    crossover
        Tells from how many qubits on a GPU is faster than the CPU here; None if that is not known yet.

    Raises
    ------
    DeviceUnavailableError
        If a GPU is asked for and cannot be used; the message says why.
    """
    cpu = NumpyDevice(options.threads)
    if options.choice is DeviceChoice.CPU:
        return cpu, "device='CPU' was asked for"
    probe = probe_gpu()
    if options.choice is DeviceChoice.GPU:
        if probe.problem:
            raise DeviceUnavailableError(
                f"device='GPU' cannot be used: {probe.problem}; device='CPU' works everywhere."
            )
        _check_number(options.gpu, len(probe.cards))
        return gpu_device(options.gpu), "device='GPU' was asked for"
    if probe.problem:
        return cpu, f"no GPU: {probe.problem}"
    if n_qubits < SMALLEST_ON_GPU:
        return cpu, f"the CPU is faster below {SMALLEST_ON_GPU} qubits"
    _check_number(options.gpu, len(probe.cards))
    gpu = gpu_device(options.gpu)
    needed = precision.amplitude_bytes * 2**n_qubits + gpu.scratch_bytes(precision)
    if needed > (free := gpu.free_bytes()):
        return cpu, f"the state needs {readable(needed)}, and GPU {options.gpu} has {readable(free)} free"
    least = crossover(cpu, gpu, precision)
    if least is None:
        return cpu, "it has not been measured yet from how many qubits on the GPU is faster"
    if n_qubits < least:
        return cpu, f"the CPU is faster below {least} qubits, as measured here"
    return gpu, f"GPU {options.gpu} is faster from {least} qubits on, as measured here"


def _check_number(number: int, count: int) -> None:
    if number >= count:
        raise DeviceUnavailableError(
            f"GPU {number} of target_gpus is not there; the driver sees {count}, numbered from 0."
        )
