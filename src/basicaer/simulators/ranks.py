"""Jobs that all ranks run together: with whom, and what they must have in common."""

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
from basicaer.devices.distributed.mpi import world
from basicaer.devices.gpu.probe import probe_gpu
from basicaer.errors import OptionValueError
from basicaer.executor import DaemonThreadExecutor
from basicaer.options import ArrayPlace, check_option
from basicaer.persistence.codec import encoded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from basicaer.devices.distributed.comm import Comm
    from basicaer.job import BasicAerJob
    from basicaer.simulation import Experiment, SimulationPayload

__all__ = [
    "HeldInterrupts",
    "ImaginedRanks",
    "check_same",
    "check_with_ranks",
    "executor_of",
    "left_together",
    "on_any_rank",
    "ranks_of",
    "resumed_by_rank",
    "settings_of_rank",
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


def settings_of_rank(settings: dict[str, Any], ranks: Comm) -> dict[str, Any]:
    """Return the settings with which a rank submits its part of a job."""
    shows_progress = settings["progress"] and ranks.rank == 0  # one bar is enough
    return {**settings, "executor": executor_of(ranks), "progress": shows_progress}


def left_together(job: BasicAerJob, ranks: Comm) -> BasicAerJob:
    """Let other ranks know, in a thread that waits for them, if a job ends that has never begun; return the job."""
    job.add_done_callback(lambda _job: threading.Thread(target=ranks.leave_unbegun, daemon=True).start())
    return job


def on_any_rank(payload: SimulationPayload, threads: int) -> SimulationPayload:
    """Return the payload of a rank as it is saved, without what only this rank has; `threads` as in the options."""
    return replace(payload, experiments=tuple([_with_devices(one, threads=threads) for one in payload.experiments]))


def resumed_by_rank(payload: SimulationPayload, ranks: Comm) -> SimulationPayload:
    """Return a payload that was saved as this rank runs it."""
    host, cards = ranks.host, len(probe_gpu().cards)
    gpu = host.number % cards if cards else 0
    experiments = [
        _with_devices(one, threads=one.devices.threads or host.threads, gpu=gpu) for one in payload.experiments
    ]
    return replace(payload, experiments=tuple(experiments), ranks=ranks)


def _with_devices(experiment: Experiment, **changed: Any) -> Experiment:
    return replace(experiment, devices=experiment.devices._replace(**changed))


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
