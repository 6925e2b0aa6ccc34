"""Chooses the device of a simulator's run, which has states in a folder or in the host's memory if they do not fit."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

from basicaer.devices import registry
from basicaer.devices.cpu.device import NumpyDevice
from basicaer.devices.spilled.device import SpilledDevice
from basicaer.devices.spilled.state_file import check_folder, why_no_files
from basicaer.engine.device import TOO_SMALL_TO_ASK
from basicaer.errors import BasicAerError
from basicaer.options import HOST_MEMORY, DeviceChoice
from basicaer.plan.planner import plan_segment
from basicaer.plan.stages import plan_stages
from basicaer.wording import readable

if TYPE_CHECKING:
    from basicaer.devices.gpu.device import CupyDevice
    from basicaer.devices.registry import Crossover
    from basicaer.engine.device import Device
    from basicaer.options import DeviceOptions, Precision

__all__ = ["choose_device", "spilled_device"]


def choose_device(
    options: DeviceOptions,
    n_qubits: int,
    precision: Precision,
    crossover: Crossover,
    *,
    ahead: bool = False,
    saved_in: Path | None = None,
    on_disk: bool = False,
) -> tuple[Device, str]:
    """Return the device for a state of `n_qubits`, and why it is that one; as the registry does, but for ``spill``.

    Parameters
    ----------
    saved_in
        The folder of the job if it is saved, where the file is then.
    on_disk
        Whether the job goes on with a state in a file, whatever memory is free.

    Raises
    ------
    BasicAerError
        Also if the state has to be spilled and there are no files for that on this system, or not in this folder.
    """
    if on_disk:
        return spilled_device(options, saved_in), "the job was saved there"
    device, reason = registry.choose_device(options, n_qubits, precision, crossover, ahead=ahead)
    if not options.spill:
        return device, reason
    needed = precision.amplitude_bytes * 2**n_qubits + device.scratch_bytes(precision)
    if needed <= TOO_SMALL_TO_ASK or needed <= (free := device.expected_free_bytes() if ahead else device.free_bytes()):
        return device, reason
    reason = f"the state needs {readable(needed)}, and {readable(free)} of memory are free"
    return spilled_device(options, saved_in), reason


def spilled_device(options: DeviceOptions, saved_in: Path | None = None) -> SpilledDevice:
    """Return the device that has its states where ``spill`` says, or in the folder of a saved job.

    Raises
    ------
    BasicAerError
        If states cannot be there.
    """
    if options.spill == HOST_MEMORY:
        gpu = cast("CupyDevice", registry.KINDS[DeviceChoice.GPU].make(options))
        return SpilledDevice(None, plan_segment, plan_stages, device=gpu)
    if problem := why_no_files():
        raise BasicAerError(f"spill={options.spill!r} cannot be used: {problem}.")
    # The folder of a job is made when the job is submitted.
    folder = Path(options.spill) if saved_in is None else _first_that_exists(saved_in)
    check_folder(folder)
    cpu = NumpyDevice(options.threads)
    return SpilledDevice(folder, plan_segment, plan_stages, device=cpu, is_saved=saved_in is not None)


def _first_that_exists(folder: Path) -> Path:
    """Return a folder, or the nearest one above it that there is."""
    absolute = folder.absolute()
    return next((one for one in (absolute, *absolute.parents) if one.exists()), absolute)
