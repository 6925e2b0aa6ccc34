"""Persists a job that several ranks run together, in a folder that all of them see.

Each rank writes the amplitudes that it has into a part of its own. Then rank 0 writes the record of the circuit that is
running, which names these parts: a save is valid from then on. The parts of the save before keep their names until the
next save, so that a rank may die at any moment. Everything else is written by rank 0 alone.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from basicaer.devices.distributed.device import IN_PARTS
from basicaer.errors import BasicAerError, Cancelled
from basicaer.persistence.folder import JOB, RUNNING, JobFolder, part_name
from basicaer.persistence.job_persister import JobPersister
from basicaer.persistence.persister import saved_new

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from basicaer.devices.distributed.comm import Comm
    from basicaer.engine.device import State
    from basicaer.engine.monitor import Monitor
    from basicaer.engine.suspended import Suspended, SuspendedShots
    from basicaer.persistence.job_persister import Continuation
    from basicaer.records import ExperimentOutcome
    from basicaer.simulation import SimulationPayload

__all__ = ["RanksPersister", "saved_together"]


@contextlib.contextmanager
def saved_together(folder: Path, job_id: str, ranks: Comm) -> Iterator[Callable[[Any], None]]:
    """Yield a function that writes a new job into a folder; see `saved_new`. All ranks call it together.

    Raises
    ------
    BasicAerError
        If another rank does not see the folder that rank 0 has written.
    """
    with saved_new(folder, job_id) if ranks.rank == 0 else contextlib.nullcontext(_nothing) as write:

        def save(payload: Any) -> None:
            write(payload)
            ranks.gather(None, "saving a new job")
            there = JobFolder(folder, lambda: None)
            if not there.has(JOB) or there.read_job().job_id != job_id:
                raise BasicAerError(
                    f"checkpoint_dir {folder} is not on a file system that all ranks share; give a folder that each of "
                    "them sees."
                )

        yield save


def _nothing(_payload: Any) -> None:
    """Write nothing: rank 0 does."""


class RanksPersister(JobPersister):
    """Persists a job of a simulator that several ranks run.

    Parameters
    ----------
    ranks
        With whom the job runs.
    """

    def __init__(self, folder: Path, job_id: str, interval: float, monitor: Monitor, ranks: Comm) -> None:
        super().__init__(folder, job_id, interval, monitor)
        self._ranks = ranks
        self._rank, self._size = ranks.rank, ranks.size
        self._saves = 0  # the number of the save that is valid

    def look(self) -> None:
        """Leave the work if another rank has warned this one, but let rank 0 save first what it has all of."""
        try:
            self._ranks.look()
        except Cancelled:
            self._monitor.cancel()
            if self._device == IN_PARTS:  # other ranks will not write their parts any more
                raise

    def persist(self, suspended: Callable[[], Suspended | SuspendedShots], state: State | None) -> None:
        """See `JobPersister`. If a state is divided, all ranks come here together, and all persist it or none."""
        if state is None or self._device != IN_PARTS:
            if self._rank == 0:
                super().persist(suspended, state)
            elif self._monitor.must_stop:
                self._monitor.stop()
            return
        must_stop = self._monitor.must_stop
        asked = self._ranks.gather((self._is_due(), must_stop), "saving")
        if asked[0][0] or any(stops for _, stops in asked):
            self._persist_together(suspended(), state)
        if must_stop:
            self._monitor.stop()

    def _persist_together(self, suspended: Suspended | SuspendedShots, state: State) -> None:
        number, layout = self._saves + 1, state.layout()

        def write_part() -> None:
            if self._is_in_folder():
                content = {"save": number, "rank": self._rank}
                self._write(part_name(number, self._rank), content, state.amplitude_parts())

        written = self._is_written(write_part)
        running = {"suspended": suspended, "layout": layout, "save": number, "parts": self._size}
        if all(self._ranks.gather(written, "saving parts")) and self._ranks.broadcast(
            self._rank == 0 and self._write_running(running)
        ):
            self._saves = number

    def finish(self, position: int, outcome: ExperimentOutcome) -> None:
        """Persist the outcome of a circuit, the next one in order."""
        if self._rank == 0:
            super().finish(position, outcome)

    def resume(self, payload: SimulationPayload) -> tuple[list[ExperimentOutcome], Continuation | None]:
        """Let rank 0 lock the folder; return on every rank what `JobPersister` returns."""
        ended, found = self._read_all(payload) if self._rank == 0 else ([], None)
        ended, running = self._ranks.broadcast((ended, found and found[0]))
        if running is None:
            return ended, None
        self._saves = running.get("save", 0)
        with self._job_folder.damage_reported(RUNNING):
            record = self._read(RUNNING)
            self._ranks.gather(None, "resuming")  # rank 0 removes the record when the circuit has ended
            return ended, self._continuation(payload, running, record)
