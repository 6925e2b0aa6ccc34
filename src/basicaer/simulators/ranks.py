"""Jobs that all ranks run together: with whom, what they must have in common, and on which devices."""

from __future__ import annotations

import contextlib
import hashlib
import json
import signal
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple, Self
from weakref import WeakKeyDictionary

from basicaer.devices.distributed.comm import Host, check_equal
from basicaer.devices.distributed.device import DistributedDevice, divides
from basicaer.devices.distributed.mpi import world
from basicaer.engine.bits import highest_position
from basicaer.errors import OptionValueError
from basicaer.executor import DaemonThreadExecutor
from basicaer.options import ArrayPlace, DeviceOptions, check_option
from basicaer.persistence.codec import encoded
from basicaer.plan.planner import plan_segment
from basicaer.plan.stages import plan_stages

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from basicaer.devices.distributed.comm import Comm
    from basicaer.engine.device import Device
    from basicaer.simulation import Experiment

__all__ = [
    "HeldInterrupts",
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

    def gather(self, thing: Any, about: str = "") -> list[Any]:
        """Return what each of them would give."""
        del about
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


def check_same(experiments: Sequence[Experiment], returns: str, ranks: Comm) -> None:
    """Refuse a job of which the ranks have different circuits, options or seeds; every rank raises the same.

    Raises
    ------
    BasicAerError
        Naming the ranks that differ from the first.
    """
    check_equal(ranks.gather(_digest(experiments, returns), "circuits"))


class HeldInterrupts:
    """Holds back Ctrl-C while ranks prepare a job: a rank that left would be waited for by the others for ever.

    Attributes
    ----------
    seen
        Whether it was pressed; known only in the main thread, in which Python handles signals.
    """

    def __init__(self) -> None:
        self.seen = False
        self._before: Any = None

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread() and callable(signal.getsignal(signal.SIGINT)):
            with contextlib.suppress(ValueError):  # the main thread of a subinterpreter gets no signals
                self._before = signal.signal(signal.SIGINT, self._note)
        return self

    def _note(self, _number: int, _frame: Any) -> None:
        self.seen = True

    def __exit__(self, *_raised: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)


def executor_of(ranks: Comm) -> DaemonThreadExecutor:
    """Return the executor of a rank's jobs, which run one after another: in this order on all ranks."""
    return _executors.get(ranks.root) or _executors.setdefault(ranks.root, DaemonThreadExecutor(1))


def _digest(experiments: Sequence[Experiment], returns: str) -> str:
    """Return what is the same for experiments with the same outcome."""
    arrays: list[NDArray[Any]] = []
    parts = []
    for one in experiments:
        program = replace(one.program, name="")  # Qiskit numbers circuits that are given no name
        options = one.shots, one.memory, one.precision, one.chop_threshold, one.initial, one.method
        parts.append((program, one.seed, *options))
    digest = hashlib.blake2b(json.dumps([returns, encoded(parts, arrays)]).encode(), digest_size=16)
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
