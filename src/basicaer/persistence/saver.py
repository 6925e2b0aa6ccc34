"""Saves a job now and then while it runs, and finds out where a saved one is to go on."""

from __future__ import annotations

import contextlib
import dataclasses
import time
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from basicaer._version import __version__
from basicaer.calibration import known_crossover
from basicaer.devices.registry import choose_device
from basicaer.engine.suspended import Suspended
from basicaer.errors import BasicAerError, BasicAerWarning, Cancelled, reason_of, shown
from basicaer.persistence.checks import check_ended, check_layout, check_suspended, check_work
from basicaer.persistence.codec import check_types, decoded, encoded
from basicaer.persistence.store import JOB, RUNNING, Store, circuit_name
from basicaer.simulators.work import Ended, GoingOn, Work, check_room, run_work

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from qiskit.result import Result

    from basicaer.engine.device import State
    from basicaer.persistence.store import Saved

__all__ = ["JobSaver", "load_work", "run_saved"]


def _versions() -> dict[str, str]:
    return {"basicaer": __version__, "numpy": np.__version__}


def load_work(folder: Path) -> tuple[str, Work]:
    """Return the id and the work of a saved job.

    Raises
    ------
    BasicAerError
        If the folder holds none, or one that is damaged, runs, is of another version, or does not fit into memory here.
    """
    store = Store(folder, _no_poll)
    job_id, content, arrays, *_ = store.job()
    store.hold()
    store.let_go()
    with store.sound(JOB):
        saved_by, saved_with = (content["versions"][name] for name in ("basicaer", "numpy"))
        if saved_by != __version__:
            raise BasicAerError(
                f"The job in {folder} was saved by basicaer {shown(saved_by)}, this is {__version__}; "
                "install that version to go on with it, or run it again."
            )
        work = decoded(content["work"], arrays)
        if not isinstance(job_id, str) or not job_id.isprintable() or not isinstance(work, Work):
            raise ValueError("it is no job")
        check_work(work)
    _check_room(work, store)
    if saved_with != np.__version__:
        warnings.warn(
            f"The job in {folder} was saved with NumPy {shown(saved_with)}, this is {np.__version__}; "
            "the last digits may differ.",
            BasicAerWarning,
            stacklevel=3,
        )
    return job_id, work


def _check_room(work: Work, store: Store) -> None:
    """Check that the circuits that are still to be run fit into memory here, as `run` does."""
    for position, experiment in enumerate(work.experiments):
        if not store.has(circuit_name(position)):
            qubits = experiment.program.state_qubits * (2 if work.returns == "unitary" else 1)
            device, _ = choose_device(experiment.devices, qubits, experiment.precision, known_crossover)
            check_room(device, experiment.program, experiment.precision, experiment.shots, work.returns)


def run_saved(job_id: str, work: Work) -> Result:
    """Run a job that was saved; the function of every job that is resumed.

    Raises
    ------
    BasicAerError
        As from `run_work`, and in place of any other error: the circuits have run before, or would have been refused.
    """
    try:
        return run_work(job_id, work)
    except (BasicAerError, Cancelled, Warning):  # a warning that is made an error says no word of damage
        raise
    except Exception as error:
        assert work.saving is not None  # it is resumed  # noqa: S101
        remedy = "free some memory and resume it again" if isinstance(error, MemoryError) else "run it from the start"
        failure = BasicAerError(
            f"The job in {work.saving.folder} cannot go on ({reason_of(error)}), perhaps since it is damaged; {remedy}."
        )
        failure.partial = getattr(error, "partial", None)
        raise failure from error


class JobSaver:
    """Keeps one job in a folder.

    Parameters
    ----------
    folder
        Where to.
    job_id
        Of the job; saves of another one are refused.
    every
        Seconds between two saves of a running experiment.
    poll
        Called while files are written and read.
    """

    def __init__(self, folder: Path, job_id: str, every: float, poll: Callable[[], None]) -> None:
        self._store = Store(folder, poll)
        self._folder = folder
        self._job_id = job_id
        self._every = every
        self._last = time.monotonic()
        self._unsaved: list[tuple[int, Ended]] = []  # what has ended: its position, and what came of it
        self._position = 0
        self._device = ""

    def begin(self, work: Work) -> None:
        """Write the work down, in a folder that is empty."""
        arrays: list[Any] = []
        content = {"versions": _versions(), "work": encoded(dataclasses.replace(work, saving=None), arrays)}
        self._store.begin(self._job_id, content, arrays)

    def close(self) -> None:
        """Leave the folder to whoever goes on with the job."""
        self._store.let_go()

    def run(self, position: int, device: str) -> None:
        """Note which experiment runs, and on what."""
        self._position, self._device = position, device

    def finish(self, position: int, ended: Ended) -> None:
        """Keep what came of an experiment, the next in order."""
        self._unsaved.append((position, ended))
        with self._trying():
            self._keep_ended()

    def save(self, suspended: Callable[[], Suspended], state: State) -> None:
        """Keep the experiment that runs, if it is time to."""
        if time.monotonic() - self._last < self._every:
            return
        running = {
            "position": self._position,
            "device": self._device,
            "suspended": suspended()._asdict(),
            "layout": state.layout(),
        }
        with self._trying():
            self._keep_ended()
            self._keep(RUNNING, running, state.amplitude_parts())

    def resume(self, work: Work) -> tuple[list[Ended], GoingOn | None]:
        """Hold the folder; return what came of the experiments that have ended, and where the next one goes on."""
        self._store.hold()
        done: list[Ended] = []
        for position in range(len(work.experiments)):
            name = circuit_name(position)
            if not self._store.has(name):
                break
            with self._store.sound(name):
                saved = self._read(name)
                fields = decoded(saved.content, saved.arrays)
                check_types(Ended, fields)
                done.append(Ended(**fields))
                check_ended(done[-1], position, work)
        if not self._store.has(RUNNING):
            return done, None
        with self._store.sound(RUNNING):
            return done, self._going_on(work, len(done))

    def _going_on(self, work: Work, position: int) -> GoingOn | None:
        """Return where an experiment goes on; None if what is saved is of one before it, which has finished since."""
        saved = self._read(RUNNING)
        running = decoded(saved.content, saved.arrays)
        of, device, layout = running["position"], running["device"], running["layout"]
        if type(of) is not int or of not in range(position + 1) or not isinstance(device, str):
            raise ValueError(f"circuit {of} cannot have been running on {device}")
        if of < position:
            return None
        check_types(Suspended, running["suspended"])
        suspended, experiment = Suspended(**running["suspended"]), work.experiments[position]
        check_suspended(suspended, experiment)

        def restore(state: State) -> None:
            with self._store.sound(RUNNING):
                check_layout(layout, state.layout(), saved.state_bytes, experiment.precision.amplitude_bytes)
                state.restore(layout, saved.state)

        return GoingOn(position, device, suspended, restore)

    def _read(self, name: str) -> Saved:
        saved = self._store.read(name)
        if saved.job_id != self._job_id:
            raise ValueError(f"{name}.save is another job's")
        return saved

    def _keep_ended(self) -> None:
        """Save what has ended, and before it what could not be saved when it did."""
        while self._unsaved:
            position, ended = self._unsaved[0]
            self._keep(circuit_name(position), ended._asdict())
            self._store.remove(RUNNING)
            del self._unsaved[0]

    def _keep(self, name: str, content: Any, state: Iterable[Any] = ()) -> None:
        arrays: list[Any] = []
        self._store.save(name, self._job_id, encoded(content, arrays), arrays, state)

    @contextlib.contextmanager
    def _trying(self) -> Iterator[None]:
        """Be around saving, which a job does not need."""
        try:
            yield
        except OSError as error:
            warnings.warn(
                f"The job could not be saved in {self._folder} ({error}); it goes on, and the save before stays.",
                BasicAerWarning,
                stacklevel=2,
            )
        self._last = time.monotonic()


def _no_poll() -> None:
    """Poll nothing: what is read here is small."""
