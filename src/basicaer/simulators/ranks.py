"""Jobs that all ranks run together: with whom, what they must have in common, and on which devices."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary

from basicaer.devices.distributed.comm import Host
from basicaer.devices.distributed.device import DistributedDevice, divides
from basicaer.devices.distributed.mpi import world
from basicaer.engine.bits import highest_position
from basicaer.errors import BasicAerError, OptionValueError
from basicaer.executor import DaemonThreadExecutor
from basicaer.options import ArrayPlace, DeviceOptions, check_option
from basicaer.persistence.codec import encoded
from basicaer.plan.planner import plan_segment
from basicaer.plan.stages import plan_stages
from basicaer.wording import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from basicaer.devices.distributed.comm import Comm
    from basicaer.engine.device import Device
    from basicaer.simulation import Experiment

__all__ = [
    "ImaginedRanks",
    "check_same",
    "check_with_ranks",
    "executor_of",
    "options_of_rank",
    "qubits_of_rank",
    "ranks_of",
    "shared",
]


_executors: WeakKeyDictionary[Comm, DaemonThreadExecutor] = WeakKeyDictionary()


class ImaginedRanks(NamedTuple):
    """Ranks that are only planned for: each of them has what this process has. They exchange nothing."""

    size: int
    rank: int = 0
    host: Host = Host(1, 0, 0)

    def gather(self, thing: Any) -> list[Any]:
        """Return what each of them would give."""
        return [thing] * self.size


def ranks_of(value: Any) -> Comm | None:
    """Return the ranks that the value of the option ``distributed`` stands for, to be used once; None for no others."""
    value = check_option("distributed", value)
    ranks = world() if value is True else value or None
    return None if ranks is None else ranks.again()


def check_with_ranks(settings: dict[str, Any]) -> None:
    """Refuse checked options with which a job cannot be run by several ranks."""
    why = {
        "executor": settings["executor"] is not None and "each rank runs its part in its own process",
        "checkpoint_dir": settings["checkpoint_dir"] is not None and "jobs of several ranks cannot be saved yet",
        "max_parallel_experiments": settings["max_parallel_experiments"] != 1 and "all ranks run one circuit at a time",
        "array": settings.get("array") is ArrayPlace.DEVICE and "no device has all of the state",
    }
    for name, reason in why.items():
        if reason:
            raise OptionValueError(f"{name} cannot be given together with distributed, since {reason}; leave it out.")


def check_same(experiments: Sequence[Experiment], ranks: Comm) -> None:
    """Refuse a job of which the ranks have different circuits, options or seeds; every rank raises the same.

    Raises
    ------
    BasicAerError
        Naming the ranks that differ from the first.
    """
    digests = ranks.gather(_digest(experiments))
    others = [str(rank) for rank, digest in enumerate(digests) if digest != digests[0]]
    if others:
        which = f"{counted(len(others), 'rank').partition(' ')[2]} {', '.join(others)}"
        raise BasicAerError(
            f"All ranks must run the same circuits with the same options and seed, but {which} "
            f"{'has' if len(others) == 1 else 'have'} others than rank 0; let every rank run the same script with the "
            "same input."
        )


def executor_of(ranks: Comm) -> DaemonThreadExecutor:
    """Return the executor of a rank's jobs, which run one after another: in this order on all ranks."""
    return _executors.get(ranks.root) or _executors.setdefault(ranks.root, DaemonThreadExecutor(1))


def _digest(experiments: Sequence[Experiment]) -> str:
    """Return what is the same for experiments with the same outcome."""
    arrays: list[NDArray[Any]] = []
    parts = []
    for one in experiments:
        program = replace(one.program, name="")  # Qiskit numbers circuits that are given no name
        options = one.shots, one.memory, one.precision, one.chop_threshold, one.initial, one.method
        parts.append((program, one.seed, *options))
    digest = hashlib.blake2b(json.dumps(encoded(parts, arrays)).encode(), digest_size=16)
    for array in arrays:
        digest.update(f"{array.dtype} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


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
    divided = DistributedDevice(device, ranks, plan_segment, plan_stages)
    return divided, f"{reason}; the state is divided among {ranks.size} ranks"
