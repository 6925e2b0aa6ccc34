"""Persists a job now and then while it runs, and finds out where a persisted job continues."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

import numpy as np

from basicaer._version import __version__
from basicaer.calibration import known_crossover
from basicaer.errors import BasicAerError, Cancelled, reason_of, shown, warn
from basicaer.persistence.checks import check_payload
from basicaer.persistence.codec import decoded, encoded
from basicaer.persistence.folder import JOB, RUNNING, JobFolder, circuit_name
from basicaer.sharing import qubits_of_rank, shared
from basicaer.simulation import SimulationPayload, check_room
from basicaer.spilling import choose_device

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
    from pathlib import Path

    from basicaer.engine.monitor import Monitor
    from basicaer.persistence.folder import Record

__all__ = [
    "PayloadChecks",
    "Persister",
    "check_room_of",
    "failures_of_resumed",
    "load_job",
    "read_job",
    "saved_new",
]

_Outcome = TypeVar("_Outcome")

_SECONDS_BETWEEN_FILES = 1.0


@contextlib.contextmanager
def saved_new(folder: Path, job_id: str) -> Iterator[Callable[[Any], None]]:
    """Yield a function that writes a new job into a folder, which must be empty or missing.

    What it has written is removed if the block fails: nobody gets the job then.
    """
    job_folder = JobFolder(folder, _no_poll)
    is_written = False

    def write(payload: Any) -> None:
        nonlocal is_written
        arrays: list[Any] = []
        content = {"versions": _versions(), "payload": encoded(dataclasses.replace(payload, persistence=None), arrays)}
        job_folder.begin(job_id, content, arrays)
        is_written = True

    try:
        yield write
    except BaseException:
        if is_written:
            job_folder.discard()
        raise


class PayloadChecks(NamedTuple):
    """How a payload that was read is checked.

    Attributes
    ----------
    content
        Called with the payload; raises a ValueError that names what cannot be.
    room
        Called with the payload and a function that tells whether the circuit at a position has ended; raises a
        BasicAerError if another one does not fit into memory.
    """

    content: Callable[[Any], None]
    room: Callable[[Any, Callable[[int], bool]], None]


def load_job(folder: Path, others: Mapping[type, PayloadChecks] | None = None) -> tuple[str, Any]:
    """Return the id and the payload of a persisted job, which fits into memory here.

    Parameters
    ----------
    others
        The types of payloads that there may be besides that of simulators, and how they are checked.

    Raises
    ------
    BasicAerError
        If the folder holds no job, or one that is damaged, that runs, that another version has written, or that does
        not fit into memory here.
    """
    job_id, payload, ended = read_job(folder, others)
    check_room_of(folder, payload, ended, others)
    return job_id, payload


def read_job(folder: Path, others: Mapping[type, PayloadChecks] | None = None) -> tuple[str, Any, frozenset[int]]:
    """Return the id and the payload of a persisted job, and the positions of circuits that have ended; see `load_job`.

    Raises
    ------
    BasicAerError
        As `load_job` does, but for the memory.
    """
    job_folder = JobFolder(folder, _no_poll)
    job_id, content, arrays, *_ = job_folder.read_job()
    job_folder.lock()
    job_folder.unlock()
    with job_folder.damage_reported(JOB):
        written_by, written_with = (content["versions"][name] for name in ("basicaer", "numpy"))
        if written_by != __version__:
            raise BasicAerError(
                f"The job in {folder} was saved by basicaer {shown(written_by)}, this is {__version__}; "
                "install that version to resume it, or run it again."
            )
        payload = decoded(content["payload"], arrays)
        checks = _checks(payload, folder, others)
        if not isinstance(job_id, str) or not job_id.isprintable() or checks is None:
            raise ValueError("it is not a job")
        checks.content(payload)
    if written_with != np.__version__:
        warn(
            f"The job in {folder} was saved with NumPy {shown(written_with)}, this is {np.__version__}; "
            "the last digits may differ."
        )
    of_circuits = itertools.takewhile(lambda position: job_folder.has(circuit_name(position)), itertools.count())
    return job_id, payload, frozenset(of_circuits)


def check_room_of(
    folder: Path, payload: Any, ended: Collection[int], others: Mapping[type, PayloadChecks] | None = None
) -> None:
    """Check that the circuits of a payload that have not ended fit into memory here, as `run` does.

    Raises
    ------
    BasicAerError
        If one does not.
    """
    if (checks := _checks(payload, folder, others)) is not None:
        checks.room(payload, ended.__contains__)


def _checks(payload: Any, folder: Path, others: Mapping[type, PayloadChecks] | None) -> PayloadChecks | None:
    of_simulators = PayloadChecks(check_payload, partial(_check_room, folder))
    return {SimulationPayload: of_simulators, **(others or {})}.get(type(payload))


def _check_room(folder: Path, payload: SimulationPayload, has_ended: Callable[[int], bool]) -> None:
    """Check that the circuits that are still to be run fit into memory here, as `run` does."""
    for position, experiment in enumerate(payload.experiments):
        if not has_ended(position):
            qubits = experiment.program.state_qubits * (2 if payload.returns == "unitary" else 1)
            of_rank = qubits_of_rank(qubits, payload.ranks)
            choice = experiment.devices, of_rank, experiment.precision, known_crossover
            chosen = choose_device(*choice, ahead=True, saved_in=folder)
            device, _ = shared(chosen, qubits, payload.ranks)
            program, precision, shots = experiment.program, experiment.precision, experiment.shots
            check_room(device, program, precision, shots, payload.returns, memory=experiment.memory, is_persisted=True)


class Persister(Generic[_Outcome]):
    """Persists one job in a folder: outcomes of circuits that have ended, and what is known of the one that is running.

    Parameters
    ----------
    folder
        The folder of the job.
    job_id
        The job's id; records of another job are refused.
    interval
        Seconds between two records of the circuit that is running.
    monitor
        Polled while files are written and read; it says when the circuit that is running must stop.
    """

    def __init__(self, folder: Path, job_id: str, interval: float, monitor: Monitor) -> None:
        self._job_folder = JobFolder(folder, monitor.poll)
        self._monitor = monitor
        self._folder = folder
        self._job_id = job_id
        self._interval = interval
        self._last = time.monotonic()
        self._unwritten: list[tuple[int, _Outcome]] = []  # circuits that have ended: position and outcome
        self._position = 0
        self._device = ""
        self._file_saved: Callable[[], None] | None = None
        self._is_lost = False  # whether the folder holds this job no more

    def close(self) -> None:
        """Leave the folder to whoever resumes the job."""
        self._job_folder.unlock()

    def note_running(self, position: int, device: str, file_saved: Callable[[], None] | None = None) -> None:
        """Note which circuit runs from now on, and on which kind of device.

        Parameters
        ----------
        file_saved
            Called when a state has been saved, if states lie in files there: a file takes no time to be saved, so that
            this is done each second at least.
        """
        self._position, self._device, self._file_saved = position, device, file_saved

    def finish(self, position: int, outcome: _Outcome) -> None:
        """Persist the outcome of a circuit, the next one in order."""
        self._unwritten.append((position, outcome))
        with self._monitor.held():
            self._is_written(self._write_ended)

    def _ended(self, count: int, kind: type[_Outcome], check: Callable[[_Outcome, int], None]) -> list[_Outcome]:
        """Lock the folder; return the outcomes of the circuits that have ended, of `count` that there are.

        Parameters
        ----------
        kind
            The type of outcomes.
        check
            Called with an outcome and its position; raises a ValueError that names what cannot be.
        """
        ended: list[_Outcome] = []
        if not self._is_in_folder():
            return ended
        self._job_folder.lock()
        for position in range(count):
            name = circuit_name(position)
            if not self._job_folder.has(name):
                break
            with self._job_folder.damage_reported(name):
                record = self._read(name)
                outcome = decoded(record.content, record.arrays)
                if not isinstance(outcome, kind):
                    raise ValueError("it is not the outcome of a circuit")  # noqa: TRY004  # the type of all errors about damage
                check(outcome, position)
                ended.append(outcome)
        return ended

    def _running(self, position: int) -> tuple[dict[str, Any], Record] | None:
        """Return the record of the circuit at a position, which was running; None if it is of one that has ended."""
        record = self._read(RUNNING)
        running = decoded(record.content, record.arrays)
        of, device = running["position"], running["device"]
        if type(of) is not int or of not in range(position + 1) or not isinstance(device, str):
            raise ValueError(f"circuit {of} cannot have been running on {device}")
        return None if of < position else (running, record)

    def _has_running(self) -> bool:
        """Tell whether there is a record of the circuit that was running."""
        return not self._is_lost and self._job_folder.has(RUNNING)

    def _is_in_folder(self) -> bool:
        """Tell whether the folder still holds this job; once it does not, nothing is written to it any more."""
        if not self._is_lost and not self._job_folder.holds(self._job_id):
            self._is_lost = True
            self._monitor.saved_in = None
            warn(
                f"The job is not saved any more, since {self._folder} was deleted or holds another job; it goes on and "
                "cannot be resumed."
            )
        return not self._is_lost

    def _remove_states(self, *, but: str = "") -> None:
        """Remove the files of states from the folder, except one with a name, as long as it holds this job."""
        if self._is_in_folder():
            self._job_folder.remove_states(but=but)

    def _is_due(self) -> bool:
        """Tell whether the interval has passed."""
        interval = self._interval if self._file_saved is None else min(self._interval, _SECONDS_BETWEEN_FILES)
        return time.monotonic() - self._last >= interval

    def _write_running(self, content: dict[str, Any], state: Iterable[Any] = ()) -> bool:
        """Write what is known of the circuit that is running, and first what has ended; tell whether it could be."""

        def write() -> None:
            self._write_outcomes()
            if not self._is_in_folder():
                return
            self._write(RUNNING, {"position": self._position, "device": self._device, **content}, state)
            if self._file_saved is not None:
                self._file_saved()

        return self._is_written(write)

    def _read(self, name: str) -> Record:
        record = self._job_folder.read(name)
        if record.job_id != self._job_id:
            raise ValueError(f"{name}.save belongs to another job")
        return record

    def _write_outcomes(self) -> None:
        """Write the outcomes of circuits that have ended, first those that could not be written when they ended."""
        while self._unwritten and self._is_in_folder():
            position, outcome = self._unwritten[0]
            self._write(circuit_name(position), outcome)
            self._job_folder.remove(RUNNING)
            del self._unwritten[0]

    def _write_ended(self) -> None:
        """Write the outcomes of circuits that have ended, and remove the parts and files of their states."""
        self._write_outcomes()
        if self._is_in_folder() and not self._job_folder.has(RUNNING):
            self._job_folder.remove_parts()
            self._job_folder.remove_states()

    def _write(self, name: str, content: Any, state: Iterable[Any] = ()) -> None:
        arrays: list[Any] = []
        self._job_folder.write(name, self._job_id, encoded(content, arrays), arrays, state)

    def _is_written(self, write: Callable[[], None]) -> bool:
        """Tell whether something could be written; warn of an error, since the job can run without being persisted."""
        try:
            write()
        except OSError as error:
            with contextlib.suppress(OSError):  # then it is not known
                if not self._is_in_folder():
                    return False
            warn(f"The job could not be saved in {self._folder} ({error}); it goes on, and the previous save is kept.")
            return False
        finally:
            self._last = time.monotonic()
        return not self._is_lost


@contextlib.contextmanager
def failures_of_resumed(folder: str) -> Iterator[None]:
    """Turn any error of a resumed job into one sentence, since what it does has been accepted before.

    Raises
    ------
    BasicAerError
        In place of other errors, with what they have as ``partial``.
    """
    try:
        yield
    except (BasicAerError, Cancelled, Warning):  # a warning that was turned into an error is no sign of damage
        raise
    except Exception as error:
        remedy = "free some memory and resume it again" if isinstance(error, MemoryError) else "run it from the start"
        failure = BasicAerError(
            f"The job in {folder} cannot be resumed ({reason_of(error)}), possibly because it is damaged; {remedy}."
        )
        failure.partial = getattr(error, "partial", None)
        raise failure from error


def _versions() -> dict[str, str]:
    return {"basicaer": __version__, "numpy": np.__version__}


def _no_poll() -> None:
    """Poll nothing, where little is read."""
