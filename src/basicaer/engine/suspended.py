"""Runs that are saved between two passes over the state, and resumed, perhaps in another process."""

from __future__ import annotations

import hashlib
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias

from basicaer.errors import BasicAerError

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from basicaer.engine.classical import Value
    from basicaer.engine.device import State
    from basicaer.engine.groups import Place, Step
    from basicaer.engine.plan import Plan

__all__ = [
    "PlannedOtherwiseError",
    "Resumable",
    "RunPersister",
    "Suspended",
    "SuspendedShots",
    "Suspension",
    "Waiting",
    "check_passes_done",
]


class Waiting(NamedTuple):
    """Rows of the records that are still to be run from the start.

    Attributes
    ----------
    rows
        Their numbers, ascending.
    saved_until
        The place up to which saves have been done for them; None if they have not begun.
    """

    rows: NDArray[np.int64]
    saved_until: Place | None


class Suspended(NamedTuple):
    """A run between two passes: what `execute` needs to go on, besides the state itself.

    Attributes
    ----------
    rows, steps, variables, global_phase, saved_until
        Those of the branch that was running, as in `Group`; the place as `Frame.steps` describes it.
    plan
        A digest of the plan of the segment that it was running.
    passes
        How many passes were done.
    waiting
        All other rows that have not ended.
    words
        What all rows have recorded; see `Records`.
    amplitudes
        The final state of the last shot, if it is known.
    saved
        What has been saved so far, as `Saved` records it.
    """

    rows: NDArray[np.int64]
    steps: tuple[Step, ...]
    variables: dict[int, Value]
    global_phase: complex
    saved_until: Place | None
    plan: str
    passes: float
    waiting: tuple[Waiting, ...]
    words: NDArray[np.uint64]
    amplitudes: NDArray[np.complexfloating] | None
    saved: dict[str, dict[int, Any]]


class SuspendedShots(NamedTuple):
    """A run of shots whose errors are drawn first. It needs no state: what a shot draws gives its state again.

    Attributes
    ----------
    is_done
        Whether each shot has been recorded.
    first, attempts
        The first of the shots that were running, and what they have drawn; see `Attempts`.
    is_usual, usual_weight
        Those of the shots without errors; see `Stratum`.
    words, saved
        As in `Suspended`.
    """

    is_done: NDArray[np.bool_]
    first: int
    attempts: NDArray[np.int32]
    is_usual: NDArray[np.bool_]
    usual_weight: float
    words: NDArray[np.uint64]
    saved: dict[str, dict[int, Any]]


class RunPersister(Protocol):
    """Keeps runs that are suspended."""

    def persist(self, suspended: Callable[[], Suspended | SuspendedShots], state: State | None) -> None:
        """Keep a run if it is time to, or if it must stop; only then is `suspended` called.

        Parameters
        ----------
        state
            The state of the branch that is running, if the run needs one to go on.

        Raises
        ------
        Cancelled, JobTimeLimitError
            If it must stop.
        """


Resumable: TypeAlias = "tuple[Suspended | SuspendedShots, Callable[[State], None]]"
"""A run that was suspended, and what restores its state."""


class PlannedOtherwiseError(BasicAerError):
    """A run was suspended within a plan that is another one here, as on another kind of processor."""


class Suspension:
    """Saves a run after passes over its state, and resumes a run where it was saved.

    Parameters
    ----------
    persister
        Saves the run now and then; None if it is not saved.
    resume
        A run that was suspended, and what restores its state; None where the run begins from the start.

    Attributes
    ----------
    resume
        The run to resume, as given; None once the state is restored.
    shots
        The shots to resume, if their errors are drawn first; there is no other run to resume then.
    plan
        A digest of the plan of the segment that is running.
    """

    def __init__(self, persister: RunPersister | None, resume: Resumable | None) -> None:
        self.resume: tuple[Suspended, Callable[[State], None]] | None = None
        self.shots: SuspendedShots | None = None
        match resume:
            case SuspendedShots() as shots, _:
                self.shots = shots
            case Suspended() as suspended, restore:
                self.resume = suspended, restore
        self.plan = ""
        self._persister = persister
        self._expected: str | None = None  # the digest that the plan of the next segment must have

    @property
    def is_persisted(self) -> bool:
        """Whether the run is saved now and then."""
        return self._persister is not None

    @property
    def is_within_plan(self) -> bool:
        """Whether the state was just restored, so that the next segment goes on in the middle of its plan."""
        return self._expected is not None

    def restore(self, state: State) -> None:
        """Give the branch that was running its state back, now that it is where it was suspended."""
        assert self.resume is not None  # callers make sure of it  # noqa: S101
        suspended, restore = self.resume
        self.resume, self._expected = None, suspended.plan
        restore(state)

    def check_restored(self) -> None:
        """Check that a resumed run has come to where it was suspended before it draws or ends.

        Raises
        ------
        BasicAerError
            If it has not. All outcomes up to there are determined, so the saved files were changed.
        """
        if self.resume is not None or self._expected is not None:
            raise _damaged("its circuit does not come to where it was saved")

    def after_pass(
        self, plan: Plan | None, suspended: Callable[[], Suspended], state: State
    ) -> Callable[[], None] | None:
        """Return the function to call after each pass over the state; None if the run is not saved.

        Parameters
        ----------
        plan
            The plan of the segment of the program that is about to run.
        suspended
            Returns the run as it stands.

        Raises
        ------
        PlannedOtherwiseError
            If the segment was suspended while it ran by another plan.
        """
        if self._persister is None and self._expected is None:
            return None
        self.plan = _digest(plan)
        if self._expected not in {None, self.plan}:
            raise PlannedOtherwiseError("The saved job was planned differently there; run it from the start.")
        self._expected = None
        return None if self._persister is None else partial(self.pass_done, suspended, state)

    def pass_done(self, suspended: Callable[[], Suspended | SuspendedShots], state: State | None) -> None:
        """Let the persister save the run."""
        assert self._persister is not None  # it is called only if there is a persister  # noqa: S101
        self._persister.persist(suspended, state)


def check_passes_done(done: int, passes: int) -> None:
    """Check that a state that was restored is not further than the end of its segment.

    Raises
    ------
    BasicAerError
        If it is.
    """
    if done > passes:
        raise _damaged(f"{done} passes of {passes} are said to be done")


def _damaged(why: str) -> BasicAerError:
    return BasicAerError(f"The saved job is damaged ({why}); run it again from the start.")


def _digest(plan: Plan | None) -> str:
    return hashlib.blake2b(repr(plan).encode(), digest_size=16).hexdigest()
