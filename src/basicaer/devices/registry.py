"""Chooses the device of a run and says why: the one that was asked for, or else the fastest on which the state fits."""

from __future__ import annotations

import os
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from basicaer.devices.cpu.device import NumpyDevice
from basicaer.devices.gpu.probe import forget_after_fork, probe_gpu
from basicaer.errors import DeviceFailedError, DeviceUnavailableError, warn
from basicaer.options import DeviceChoice, DeviceOptions
from basicaer.wording import readable

if TYPE_CHECKING:
    from collections.abc import Callable

    from basicaer.devices.gpu.device import CupyDevice
    from basicaer.engine.device import Device
    from basicaer.options import Precision

    Crossover = Callable[[NumpyDevice, CupyDevice, Precision], int | None]

__all__ = [
    "KINDS",
    "SMALLEST_ON_GPU",
    "DeviceKind",
    "choose_device",
    "device_after_failure",
    "gpu_device",
    "why_no_gpu",
]

SMALLEST_ON_GPU = 12  # qubits; a CPU finishes a smaller circuit before a GPU has launched its first kernel


def why_no_gpu() -> str:
    """Return why no GPU can be used here, and what would change that; an empty text if one can."""
    return probe_gpu().problem


@lru_cache
def gpu_device(number: int) -> CupyDevice:
    """Return the device of a GPU; it is always the same object, so that kernels are compiled and loaded only once."""
    from basicaer.devices.gpu.device import CupyDevice

    return CupyDevice(number)


def _forget_after_fork() -> None:
    """Let a process that was forked find out anew what it can use; CUDA does not survive a fork."""
    forget_after_fork()
    gpu_device.cache_clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)


class DeviceKind(NamedTuple):
    """What is known of a kind of device before one is made.

    Attributes
    ----------
    problem
        Returns why the device that options ask for cannot be used here, and what would change that; an empty text if
        it can.
    make
        Returns the device that options ask for.
    """

    problem: Callable[[DeviceOptions], str]
    make: Callable[[DeviceOptions], Device]


def _numbered_gpu(options: DeviceOptions) -> CupyDevice:
    count = len(probe_gpu().cards)
    if options.gpu >= count:
        raise DeviceUnavailableError(
            f"GPU {options.gpu} of target_gpus is not there; the driver sees {count}, numbered from 0."
        )
    return gpu_device(options.gpu)


def _problem_of_gpu(options: DeviceOptions) -> str:
    return why_no_gpu() or _numbered_gpu(options).card.problem


KINDS = {
    DeviceChoice.CPU: DeviceKind(lambda _options: "", lambda options: NumpyDevice(options.threads)),
    DeviceChoice.GPU: DeviceKind(_problem_of_gpu, _numbered_gpu),
}
"""The kinds of devices that can be asked for. A device has the name of its kind."""


def choose_device(
    options: DeviceOptions, n_qubits: int, precision: Precision, crossover: Crossover, *, ahead: bool = False
) -> tuple[Device, str]:
    """Return the device for a state of `n_qubits`, and why it is that one.

    Parameters
    ----------
    crossover
        Returns the number of qubits from which on a GPU is faster than the CPU here; None if that is not known yet.
    ahead
        Whether this only foresees what a run will choose, perhaps in another process: then no card is touched.

    Raises
    ------
    DeviceUnavailableError
        If a device is asked for and cannot be used; the message says why.
    """
    if options.choice is not DeviceChoice.AUTO:
        kind = KINDS[options.choice]
        if problem := kind.problem(options):
            raise DeviceUnavailableError(
                f"device='{options.choice}' cannot be used: {problem}; device='CPU' works everywhere."
            )
        return kind.make(options), f"device='{options.choice}' was asked for"
    cpu = NumpyDevice(options.threads)
    try:
        if problem := _problem_of_gpu(options):
            return cpu, f"no GPU: {problem}"
        if n_qubits < SMALLEST_ON_GPU:
            return cpu, f"the CPU is faster below {SMALLEST_ON_GPU} qubits"
        return _faster(options, n_qubits, precision, crossover, cpu, ahead=ahead)
    except DeviceFailedError as error:
        return cpu, f"no GPU: {str(error).rstrip('.')}"


def _faster(  # as `choose_device`
    options: DeviceOptions,
    n_qubits: int,
    precision: Precision,
    crossover: Crossover,
    cpu: NumpyDevice,
    *,
    ahead: bool,
) -> tuple[Device, str]:
    """Return the GPU or the CPU, whichever is faster and has room, and why."""
    gpu = _numbered_gpu(options)
    needed = precision.amplitude_bytes * 2**n_qubits + gpu.scratch_bytes(precision)
    if needed > (free := gpu.expected_free_bytes() if ahead else gpu.free_bytes()):
        return cpu, f"the state needs {readable(needed)}, and GPU {options.gpu} has {readable(free)} free"
    least = crossover(cpu, gpu, precision)
    if least is None:
        return cpu, "it has not been measured yet from how many qubits on the GPU is faster"
    if n_qubits < least:
        return cpu, f"the CPU is faster below {least} qubits, as measured here"
    return gpu, f"GPU {options.gpu} is faster from {least} qubits on, as measured here"


def device_after_failure(
    options: DeviceOptions, n_qubits: int, precision: Precision, failed: DeviceFailedError, subject: str
) -> tuple[Device, str]:
    """Return the device on which something runs again after one has failed, and why it is that one; warn of it.

    Parameters
    ----------
    subject
        What runs again, as the subject of a sentence.

    Raises
    ------
    DeviceFailedError
        The same, if its device was asked for by name, or if the state does not fit on the CPU.
    """
    cpu = NumpyDevice(options.threads)
    needed = precision.amplitude_bytes * 2**n_qubits + cpu.scratch_bytes(precision)
    if options.choice is not DeviceChoice.AUTO or needed > cpu.free_bytes():
        raise failed
    warn(f"{failed} With device='auto', {subject} runs on the CPU.")
    return cpu, f"GPU {options.gpu} failed"
