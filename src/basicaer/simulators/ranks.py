"""Jobs that all ranks run together: with whom, and what they must have in common."""

from __future__ import annotations

import contextlib
import hashlib
import json
import signal
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple, Self, TypeVar
from weakref import WeakKeyDictionary

from basicaer.devices.distributed.comm import Host, check_equal
from basicaer.devices.distributed.mpi import world
from basicaer.devices.gpu.probe import probe_gpu
from basicaer.errors import OptionValueError
from basicaer.executor import DaemonThreadExecutor
from basicaer.options import ArrayPlace, check_option
from basicaer.persistence.codec import encoded
from basicaer.rank_pool import RankPool

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from basicaer.devices.distributed.comm import Comm
    from basicaer.engine.program import Program
    from basicaer.job import BasicAerJob
    from basicaer.simulation import Experiment, SimulationPayload

__all__ = [
    "HeldInterrupts",
    "ImaginedRanks",
    "check_call",
    "check_same",
    "check_with_ranks",
    "executor_of",
    "imagined_ranks",
    "left_together",
    "on_any_rank",
    "parts_of",
    "planned_ranks",
    "resumed_by_rank",
    "settings_of_rank",
    "submitted_with_ranks",
    "without_name",
]

_Job = TypeVar("_Job", bound="BasicAerJob")

_OF_THE_OUTCOME = frozenset(
    {
        *("shots", "memory", "seed_simulator", "parameter_binds", "initial_statevector", "initial_unitary"),
        *("chop_threshold", "array", "precision", "noise_model", "method", "checkpoint_dir", "checkpoint_on_sigterm"),
    }
)

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


def imagined_ranks(executor: Any) -> Any:
    """Return ranks like those of a `RankPool`, for which a job is prepared here; None for other executors."""
    if not isinstance(executor, RankPool):
        return None
    return ImaginedRanks(executor.size, host=Host(executor.on_host, 0, 0))


def planned_ranks(ranks: int, distributed: Any) -> int:
    """Return for how many ranks to plan: as many as are given, or as there are where that is asked for."""
    value = check_option("distributed", distributed)
    others = world() if value is True else value or None
    return ranks if ranks > 1 or others is None else int(others.size)


def submitted_with_ranks(distributed: Any, submit: Callable[[Comm | None], _Job]) -> _Job:
    """Let ranks prepare and submit a job together; an interrupt meanwhile cancels it on all of them.

    Parameters
    ----------
    distributed
        The value of the option, which says what the ranks are.
    submit
        Called with the ranks, or None if there are no others; returns the job of this rank.
    """
    if distributed is False:
        return submit(None)
    with HeldInterrupts() as held:
        ranks = _ranks_of(distributed)
        with contextlib.nullcontext() if ranks is None else ranks.together():
            job = submit(ranks)
    if held.seen:
        job.cancel()  # on all ranks
        raise KeyboardInterrupt
    return job


def _ranks_of(value: Any) -> Comm | None:
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


def check_call(simulator: str, run_input: Any, options: Mapping[str, Any], ranks: Comm) -> None:
    """Refuse a call of `run` for which ranks give other simulators, numbers of circuits or options of the outcome.

    Raises
    ------
    BasicAerError
        Naming the ranks that differ from the first, and in what; every rank raises the same.
    """
    circuits = run_input if isinstance(run_input, list | tuple) else [run_input]
    facts: dict[str, Any] = {"the simulator": simulator, "the number of circuits": len(circuits)}
    for number, circuit in enumerate(circuits):  # ranks with circuits of other sizes would not prepare them in step
        facts[f"circuit {number}"] = getattr(circuit, "num_qubits", None)
    for name, value in options.items():
        if name in _OF_THE_OUTCOME:
            facts[name] = value if isinstance(value, bool | int | float | str | None) else "given"
    check_equal(ranks.gather(facts, "a call of run()"))


def check_same(parts: Mapping[str, Any], ranks: Comm) -> None:
    """Refuse a job of which the ranks have different circuits or options; every rank raises the same.

    Parameters
    ----------
    parts
        What must be the same, by what a message calls it, in a form that jobs are saved in.

    Raises
    ------
    BasicAerError
        Naming the ranks that differ from the first, and in what.
    """
    check_equal(ranks.gather({name: _digest(part) for name, part in parts.items()}, "circuits"))


def parts_of(experiments: Sequence[Experiment]) -> dict[str, Any]:
    """Return what must be the same on all ranks for the experiments of a job, for `check_same`."""
    parts: dict[str, Any] = {}
    for number, one in enumerate(experiments):
        options = one.shots, one.memory, one.precision, one.chop_threshold, one.method
        parts |= {
            f"circuit {number}": without_name(one.program),
            f"the options of circuit {number}": options,
            f"the seed of circuit {number}": one.seed,
            f"the initial state of circuit {number}": one.initial,
        }
    return parts


def without_name(program: Program) -> Program:
    """Return a program without its name, since Qiskit numbers circuits that are given none."""
    return replace(program, name="")


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
    """Let other ranks know, in a thread that waits for them, if a job ends that has never begun; return the job.

    A program does not end before its thread: MPI may crash if it is shut down while a thread speaks with other ranks.
    """
    job.add_done_callback(lambda _job: threading.Thread(target=ranks.leave_unbegun).start())
    return job


def on_any_rank(payload: SimulationPayload, threads: int) -> SimulationPayload:
    """Return the payload of a rank as it is saved, without what only this rank has; `threads` as in the options."""
    return replace(payload, experiments=tuple([_with_devices(one, threads=threads) for one in payload.experiments]))


def resumed_by_rank(payload: SimulationPayload, ranks: Comm) -> SimulationPayload:
    """Return a payload that was saved as this rank runs it."""
    host, cards = ranks.host, len(probe_gpu().cards)
    gpu = host.number % cards if cards else 0
    experiments = [
        _with_devices(one, threads=one.devices.threads or host.threads, gpu=gpu, spill="")
        for one in payload.experiments
    ]
    return replace(payload, experiments=tuple(experiments), ranks=ranks)


def _with_devices(experiment: Experiment, **changed: Any) -> Experiment:
    return replace(experiment, devices=experiment.devices._replace(**changed))


def _digest(part: Any) -> str:
    arrays: list[NDArray[Any]] = []
    digest = hashlib.blake2b(json.dumps(encoded(part, arrays)).encode(), digest_size=16)
    for array in arrays:
        digest.update(f"{array.dtype} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
