"""Chooses the device for a state that several ranks may share: with whom each shares its host, and who has what."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from basicaer.devices.distributed.device import DistributedDevice, divides
from basicaer.engine.bits import highest_position
from basicaer.options import DeviceOptions
from basicaer.plan.planner import plan_segment
from basicaer.plan.stages import plan_stages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from basicaer.devices.distributed.comm import Comm
    from basicaer.engine.device import Device
    from basicaer.engine.monitor import Monitor
    from basicaer.options import Precision

__all__ = ["all_fit", "in_parts", "options_of_rank", "qubits_of_rank", "shared", "working_together"]


def options_of_rank(devices: DeviceOptions, ranks: Comm, gpus: Sequence[int]) -> DeviceOptions:
    """Return the options of a rank's device: ranks of one host share its cores and its GPUs."""
    host = ranks.host
    return DeviceOptions(devices.choice, devices.threads or host.threads, gpus[host.number % len(gpus)])


def qubits_of_rank(n_qubits: int, ranks: Comm | None) -> int:
    """Return how many qubits each rank has of a state."""
    return n_qubits if ranks is None else max(n_qubits - highest_position(ranks.size), 0)


def shared(chosen: tuple[Device, str], n_qubits: int, ranks: Comm | None) -> tuple[Device, str]:
    """Return the device for a state that ranks may share, given the device of this rank; and why it is that one."""
    if ranks is None:
        return chosen
    device, reason = chosen
    if not divides(n_qubits, ranks.size):
        return device, f"{reason}; the state is whole on each of {ranks.size} ranks"
    return in_parts(device, ranks), f"{reason}; the state is divided among {ranks.size} ranks"


def all_fit(device: Device, n_qubits: int, precision: Precision, ranks: Comm) -> bool:
    """Tell whether every rank can have a state by itself, given the device of this rank."""
    free = device.free_bytes() // (ranks.host.ranks if device.is_host else 1)
    needed = precision.amplitude_bytes * 2**n_qubits + device.scratch_bytes(precision)
    return all(ranks.gather(needed <= free, "free memory"))


@contextlib.contextmanager
def working_together(ranks: Comm | None, monitor: Monitor, look: Callable[[], None] | None = None) -> Iterator[None]:
    """Let all ranks end their work together; those that compute notice soon that another one has to stop.

    Parameters
    ----------
    look
        What to call now and then in place of the `look` of the ranks.
    """
    with contextlib.nullcontext() if ranks is None else ranks.together():
        monitor.look_also(look or (None if ranks is None else ranks.look))
        try:
            yield
        finally:
            monitor.look_also(None)


def in_parts(device: Device, ranks: Comm) -> DistributedDevice:
    """Return the device for states that are divided among ranks, given the device of this rank."""
    return DistributedDevice(device, ranks, plan_segment, plan_stages)
