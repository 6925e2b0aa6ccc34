"""How far shots with errors are. What they have drawn is enough to save and resume a run, since it gives their states.

A proposal of errors is accepted or rejected once the norm of a state is known, which takes most of the time of a run.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import numpy as np

from basicaer.engine.request import Stratum
from basicaer.engine.suspended import SuspendedShots
from basicaer.engine.team import of_all
from basicaer.errors import Cancelled, JobTimeLimitError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from basicaer.engine.monitor import Monitor
    from basicaer.engine.records import Records
    from basicaer.engine.saved import Saved
    from basicaer.engine.suspended import Suspension
    from basicaer.engine.team import Team

__all__ = ["MOST_ATTEMPTS", "ShotProgress"]

MOST_ATTEMPTS = 10**4
"""More proposals than this are never rejected: each is accepted with a probability of a half or so."""


class ShotProgress:
    """Which shots of a run have been recorded, and what the others have drawn.

    Parameters
    ----------
    stretches
        How many stretches the program has.
    suspension
        Saves the run now and then; the shots that it resumes are taken as far as they were.
    """

    def __init__(
        self, records: Records, saved: Saved, stretches: int, suspension: Suspension, monitor: Monitor
    ) -> None:
        self._records, self._saved, self._monitor = records, saved, monitor
        self._suspension = suspension
        count = len(records.shots)
        self._is_done = np.zeros(count, bool)
        self._is_usual = np.zeros(count, bool)
        self._usual_weight = 0.0
        self._first = 0
        # `_attempts[k, i]` is how many proposals of shot `_first + i` were rejected in stretch k; if one was accepted
        # then, it is -1 minus that.
        self._attempts = np.zeros((stretches, 0), np.int32)
        self._resumed = suspension.shots
        if self._resumed is not None:
            records.words = self._resumed.words
            saved.records = self._resumed.saved
            self._is_done, self._is_usual = self._resumed.is_done, self._resumed.is_usual
            self._usual_weight = self._resumed.usual_weight
            monitor.finish_shots(int(self._is_done.sum()))

    def begin(self, first: int, end: int) -> NDArray[np.int64]:
        """Begin with some shots; return the numbers of those that have not been recorded, ascending."""
        resumed = self._resumed
        self._first = first
        if resumed is not None and resumed.first == first:
            self._attempts = resumed.attempts
        else:
            self._attempts = np.zeros((len(self._attempts), end - first), np.int32)
        return first + np.flatnonzero(~self._is_done[first:end])

    def rejected(self, stretch: int, shots: NDArray[np.int64]) -> NDArray[np.int32]:
        """Return how many proposals of each shot have been rejected in a stretch."""
        attempts = self._attempts[stretch, shots - self._first]
        found: NDArray[np.int32] = np.maximum(attempts, ~attempts)
        return found

    def is_accepted(self, stretch: int, shots: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return whether a proposal of each shot has been accepted in a stretch."""
        accepted: NDArray[np.bool_] = self._attempts[stretch, shots - self._first] < 0
        return accepted

    def decide(self, stretch: int, shots: NDArray[np.int64], attempt: int, accepted: NDArray[np.bool_]) -> None:
        """Note which shots have had a proposal accepted; those of the others are rejected."""
        self._attempts[stretch, shots - self._first] = np.where(accepted, ~attempt, attempt + 1)
        self._save()

    def finish(self, shots: NDArray[np.int64]) -> None:
        """Note that shots have been recorded."""
        self._is_done[shots] = True
        self._monitor.finish_shots(len(shots))
        self._save()

    def note_usual(self, shots: NDArray[np.int64], weight: float) -> None:
        """Note shots without errors, and how likely a shot is one of them."""
        self._is_usual[shots], self._usual_weight = True, weight

    def join(self, team: Team) -> None:
        """Take over what other ranks know of the shots that they have followed."""
        self._monitor.finish_shots(int((~self._is_done).sum()))
        self._is_done[:] = True
        self._records.words = of_all(team, self._records.words)
        self._is_usual = of_all(team, self._is_usual)
        self._usual_weight = max(team.gather(self._usual_weight, "the shots without errors"))

    def stratum(self) -> Stratum | None:
        """Return the shots without errors; None if there are none."""
        return Stratum(self._usual_weight, self._is_usual) if self._is_usual.any() else None

    @contextlib.contextmanager
    def saved_when_stopped(self) -> Iterator[None]:
        """Save the run if it has to stop within the block; what is noted of it agrees at all times."""
        try:
            yield
        except (Cancelled, JobTimeLimitError):
            self._save()
            raise

    def _save(self) -> None:
        if self._suspension.is_persisted:
            with self._monitor.held():
                self._suspension.pass_done(self._suspended, None)

    def _suspended(self) -> SuspendedShots:
        return SuspendedShots(
            self._is_done,
            self._first,
            self._attempts,
            self._is_usual,
            self._usual_weight,
            self._records.words,
            self._saved.records,
        )
