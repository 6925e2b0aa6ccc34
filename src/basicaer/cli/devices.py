"""What `basicaer info` shows: versions, the devices, and why the GPU is off."""

from __future__ import annotations

import sys
from importlib import metadata
from typing import TYPE_CHECKING

from rich.console import Console

from basicaer._version import __version__
from basicaer.cli.inputs import refusal
from basicaer.devices.cpu.device import NumpyDevice
from basicaer.devices.gpu.probe import probe_gpu
from basicaer.devices.memory import largest_state
from basicaer.devices.registry import gpu_device
from basicaer.errors import BasicAerError
from basicaer.options import Precision
from basicaer.wording import counted, readable

if TYPE_CHECKING:
    from basicaer.engine.device import Device

__all__ = ["show_devices"]


def show_devices() -> None:
    """Print what there is."""
    console = Console(highlight=False)
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("qiskit", "numpy"))
    console.print(f"basicaer {__version__}, {versions}, Python {sys.version.split()[0]}")
    try:
        cpu = NumpyDevice()
    except BasicAerError as error:  # a variable of the environment is wrong
        raise refusal(error) from error
    console.print(f"CPU: {counted(cpu.threads, 'thread')}, {_room(cpu)}", soft_wrap=True)
    probe = probe_gpu()
    if probe.problem:
        console.print(f"GPU: off, {probe.problem}", soft_wrap=True, markup=False)
    for number, card in enumerate(probe.cards):
        room = "" if probe.problem else f"; {_room(gpu_device(number))}"
        console.print(f"GPU {card}{room}", soft_wrap=True, markup=False)
    if probe.cupy:
        driver = f", driver for {probe.platform} {probe.driver}, runtime {probe.runtime}" if probe.driver else ""
        console.print(f"  CuPy {probe.cupy}{driver}")
    if probe.cards and probe.kernel_cache:
        console.print(f"  kernels are kept in {probe.kernel_cache}", soft_wrap=True, markup=False)


def _room(device: Device) -> str:
    free = device.free_bytes()
    fits = ", ".join(f"{largest_state(device, precision, free)} in {precision} precision" for precision in Precision)
    return f"{readable(free)} free; qubits that fit: {fits}"
