"""Saves a job now and then while it runs, and finds out where a saved one is to go on."""

from __future__ import annotations

import dataclasses
import time
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from basicaer._version import __version__
from basicaer.engine.suspended import Suspended
from basicaer.errors import BasicAerError, BasicAerWarning, Cancelled
from basicaer.saving.checks import check_finished, check_layout, check_suspended, check_work
from basicaer.saving.codec import check_types, decoded, encoded
from basicaer.saving.store import Store
from basicaer.simulators.work import Work, run_work

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from qiskit.result import Result

    from basicaer.engine.device import State

__all__ = ["JobSaver", "load_work", "run_saved"]


def _versions() -> dict[str, str]:
    return {"basicaer": __version__, "numpy": np.__version__}


def load_work(folder: Path) -> tuple[str, Work]:
    """Return the id and the work of a saved job.

    Raises
    ------
    BasicAerError
        If the folder holds none, or one that is damaged, runs, or is of another version.
    """
    store = Store(folder, _go_on)
    content, arrays = store.job()
    store.hold()
    store.let_go()
    with store.sound("job"):
        saved_by, saved_with = (str(content["versions"][name]) for name in ("basicaer", "numpy"))
        if saved_by != __version__:
            raise BasicAerError(
                f"The job in {folder} was saved by basicaer {saved_by}, this is {__version__}; "
                "install that version to go on with it, or run it again."
            )
        job_id, work = content["job_id"], decoded(content["work"], arrays)
        if not isinstance(job_id, str) or not isinstance(work, Work):
            raise ValueError("it is no job")  # noqa: TRY004  # what a file says is data
        check_work(work)
    if saved_with != np.__version__:
        warnings.warn(
            f"The job in {folder} was saved with NumPy {saved_with}, this is {np.__version__}; "
            "the last digits may differ.",
            BasicAerWarning,
            stacklevel=3,
        )
    return job_id, work


def run_saved(job_id: str, work: Work) -> Result:
    """Run a job that was saved; the function of every job that is resumed.

    Raises
    ------
    BasicAerError
        As from `run_work`, and in place of any other error: the circuits have run before, or would have been refused.
    """
    try:
        return run_work(job_id, work)
    except (BasicAerError, Cancelled):
        raise
    except Exception as error:
        assert work.saving is not None  # it is resumed  # noqa: S101
        remedy = "free some memory and resume it again" if isinstance(error, MemoryError) else "run it from the start"
        failure = BasicAerError(
            f"The job in {work.saving.folder} cannot go on ({error!r}), perhaps since it is damaged; {remedy}."
        )
        failure.partial = getattr(error, "partial", None)
        raise failure from error


class JobSaver:
    """Keeps one job in a folder.

    Parameters
    ----------
    folder
        Where to.
    every
        Seconds between two saves of a running experiment.
    poll
        Called while files are written and read.
    """

    def __init__(self, folder: Path, every: float, poll: Callable[[], None]) -> None:
        self._store = Store(folder, poll)
        self._folder = folder
        self._every = every
        self._last = time.monotonic()
        self._finished: dict[int, dict[str, Any]] = {}
        self._position = 0
        self._device = ""

    def begin(self, job_id: str, work: Work) -> None:
        """Write the work down, in a folder that is empty."""
        arrays: list[Any] = []
        job = {
            "versions": _versions(),
            "job_id": job_id,
            "work": encoded(dataclasses.replace(work, saving=None), arrays),
        }
        self._store.begin(job, arrays)

    def close(self) -> None:
        """Leave the folder to whoever goes on with the job."""
        self._store.let_go()

    def run(self, position: int, device: str) -> None:
        """Note which experiment runs, and on what."""
        self._position, self._device = position, device

    def finish(self, position: int, experiment: dict[str, Any]) -> None:
        """Keep what came of an experiment."""
        self._finished[position] = experiment
        self._write(None, None)

    def save(self, suspended: Callable[[], Suspended], state: State) -> None:
        """Keep the experiment that runs, if it is time to."""
        if time.monotonic() - self._last >= self._every:
            self._write(suspended(), state)

    def where(
        self, work: Work
    ) -> tuple[dict[int, dict[str, Any]], tuple[int, str, Suspended, Callable[[State], None]] | None]:
        """Hold the folder; return what is finished, and of what ran its position, device, and how to go on with it."""
        self._store.hold()
        newest = self._store.latest()
        if newest is None:
            return {}, None
        content, arrays, size, pieces = newest
        with self._store.sound("latest"):
            finished = decoded(content["finished"], arrays)
            running = decoded(content["running"], arrays)
            for position, experiment in finished.items():
                check_finished(position, experiment, work)
            self._finished = finished
            if running is None:
                return finished, None
            check_types(Suspended, running["suspended"])
            suspended = Suspended(**running["suspended"])
            layout, position, device = running["layout"], running["position"], running["device"]
            if type(position) is not int or position in finished or not isinstance(device, str):
                raise ValueError(f"circuit {position} cannot have been running on {device}")
            experiment = dict(enumerate(work.experiments))[position]
            check_suspended(suspended, experiment)

        def restore(state: State) -> None:
            with self._store.sound("latest"):
                check_layout(layout, state.layout(), size, experiment.precision.amplitude_bytes)
                state.restore(layout, pieces)

        return finished, (position, device, suspended, restore)

    def _write(self, suspended: Suspended | None, state: State | None) -> None:
        arrays: list[Any] = []
        running: dict[str, Any] | None = None
        parts: Iterable[Any] | None = None
        if suspended is not None and state is not None:
            running = {
                "position": self._position,
                "device": self._device,
                "suspended": suspended._asdict(),
                "layout": state.layout(),
            }
            parts = state.amplitude_parts()
        content = {"finished": encoded(self._finished, arrays), "running": encoded(running, arrays)}
        try:
            self._store.save(content, arrays, parts)
        except OSError as error:
            warnings.warn(
                f"The job could not be saved in {self._folder} ({error}); it goes on, and the save before stays.",
                BasicAerWarning,
                stacklevel=2,
            )
        self._last = time.monotonic()


def _go_on() -> None:
    """Poll nothing: what is read here is small."""
