"""Chooses the device of a simulator's run, which is a folder on a disk if a state does not fit into memory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from basicaer.devices import registry
from basicaer.devices.cpu.device import NumpyDevice
from basicaer.devices.spilled.device import SpilledDevice
from basicaer.devices.spilled.state_file import check_folder, why_no_files
from basicaer.errors import BasicAerError
from basicaer.plan.planner import plan_segment
from basicaer.plan.stages import plan_stages
from basicaer.wording import readable

if TYPE_CHECKING:
    from basicaer.devices.registry import Crossover
    from basicaer.engine.device import Device
    from basicaer.options import DeviceOptions, Precision

__all__ = ["choose_device"]


def choose_device(
    options: DeviceOptions, n_qubits: int, precision: Precision, crossover: Crossover, *, ahead: bool = False
) -> tuple[Device, str]:
    """Return the device for a state of `n_qubits`, and why it is that one; as the registry does, but for ``spill``.

    Raises
    ------
    BasicAerError
        Also if the state has to be spilled and there are no files for that on this system, or not in this folder.
    """
    device, reason = registry.choose_device(options, n_qubits, precision, crossover, ahead=ahead)
    if not options.spill:
        return device, reason
    needed = precision.amplitude_bytes * 2**n_qubits + device.scratch_bytes(precision)
    if needed <= (free := device.expected_free_bytes() if ahead else device.free_bytes()):
        return device, reason
    if problem := why_no_files():
        raise BasicAerError(f"spill={options.spill!r} cannot be used: {problem}.")
    check_folder(folder := Path(options.spill))
    spilled = SpilledDevice(folder, plan_segment, plan_stages, device=NumpyDevice(options.threads))
    return spilled, f"the state needs {readable(needed)}, and {readable(free)} of memory are free"
