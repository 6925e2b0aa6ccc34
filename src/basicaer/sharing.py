"""Chooses the device for a state that several ranks may share: with whom each shares its host, and who has what."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from basicaer.devices.distributed.alone import one_rank
from basicaer.devices.distributed.device import DistributedDevice, divides
from basicaer.devices.distributed.threads import on_threads
from basicaer.devices.registry import KINDS, why_no_gpu
from basicaer.engine.bits import highest_position
from basicaer.options import DeviceChoice, DeviceOptions
from basicaer.plan.planner import plan_segment
from basicaer.plan.stages import plan_stages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from basicaer.devices.distributed.comm import Comm
    from basicaer.engine.device import Device
    from basicaer.engine.monitor import Monitor
    from basicaer.options import Precision

__all__ = [
    "all_fit",
    "gpus_together",
    "in_parts",
    "on_gpus",
    "options_of_rank",
    "qubits_of_rank",
    "shared",
    "working_together",
]


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


def gpus_together(devices: DeviceOptions, n_qubits: int, precision: Precision, *, ahead: bool = False) -> list[Device]:
    """Return the GPUs that have room for a state together, if the options name several and one alone has not.

    Parameters
    ----------
    ahead
        As for `basicaer.devices.registry.choose_device`.
    """
    is_out_of_question = devices.choice is DeviceChoice.CPU or (devices.choice is DeviceChoice.AUTO and why_no_gpu())
    if is_out_of_question or not devices.gpus[1:]:
        return []
    gpus = [KINDS[DeviceChoice.GPU].make(devices._replace(gpu=number)) for number in devices.gpus]

    def has_room(device: Device, qubits: int) -> bool:
        needed: int = precision.amplitude_bytes * 2**qubits + device.scratch_bytes(precision)
        return needed <= (device.expected_free_bytes() if ahead else device.free_bytes())

    own = next(gpu for gpu, number in zip(gpus, devices.gpus, strict=True) if number == devices.gpu)
    rank_qubits = highest_position(len(gpus))
    several = gpus[: 2**rank_qubits]
    is_divided = divides(n_qubits, len(several)) and not has_room(own, n_qubits)
    together = [in_parts(gpu, one_rank()) for gpu in several]  # with room for the buffers of exchanges
    return several if is_divided and all(has_room(one, n_qubits - rank_qubits) for one in together) else []


def on_gpus(gpus: Sequence[Device], monitor: Monitor, work: Callable[[Device, Monitor], Any]) -> Any:
    """Let each GPU have a part of the states of some work, which a thread for each does; return what it makes."""

    def of_rank(ranks: Comm) -> Any:
        own = monitor if ranks.rank == 0 else monitor.silent()
        with working_together(ranks, own):
            return work(in_parts(gpus[ranks.rank], ranks), own)

    return on_threads(len(gpus), of_rank)


def in_parts(device: Device, ranks: Comm) -> DistributedDevice:
    """Return the device for states that are divided among ranks, given the device of this rank."""
    return DistributedDevice(device, ranks, plan_segment, plan_stages)
