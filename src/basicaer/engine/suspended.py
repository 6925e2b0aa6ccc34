"""Runs that are kept between two passes over the state, and gone on with, perhaps in another process."""

from __future__ import annotations

import contextlib
import hashlib
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from basicaer.errors import BasicAerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np
    from numpy.typing import NDArray

    from basicaer.engine.device import State
    from basicaer.engine.plan import Plan

__all__ = ["PlannedOtherwiseError", "Saver", "Suspended", "Suspension", "Unread", "check_passes_done"]

_NOTHING = contextlib.nullcontext()


class Suspended(NamedTuple):
    """A run between two passes: what `execute` needs to go on, besides the state itself.

    Attributes
    ----------
    shots, outcomes
        Of the branch that was running: its shots, and what is decided of its measurements, oldest first; of these some
        may still lie ahead.
    step
        How many operations that branch had begun.
    plan
        A digest of the plan of the segment that it was running.
    pending
        Shots and outcomes of each branch that waits; these are run again from the start.
    generator
        The state of the random generator.
    values, counts, value_of_shot, amplitudes
        The outcome so far, as in `Outcome`.
    saved
        What has been saved so far, as `Saves` records it.
    """

    shots: NDArray[np.int64]
    outcomes: tuple[bool, ...]
    step: int
    plan: str
    pending: tuple[tuple[NDArray[np.int64], tuple[bool, ...]], ...]
    generator: dict[str, Any]
    values: list[int]
    counts: list[int]
    value_of_shot: NDArray[np.int64] | None
    amplitudes: NDArray[np.complexfloating] | None
    saved: dict[str, dict[int, Any]]


class Saver(Protocol):
    """Keeps runs that are suspended."""

    def save(self, suspended: Callable[[], Suspended], state: State) -> None:
        """Keep a run, if it is time to; only then is `suspended` called."""


class PlannedOtherwiseError(BasicAerError):
    """A run was suspended within a plan that is another one here, as on another kind of processor."""


class Suspension:
    """What a run knows of being kept, and of where it is to go on.

    Parameters
    ----------
    saver
        Keeps the run now and then; None if nobody does.
    resume
        A run that was suspended, and what restores its state; None where it begins from the start.

    Attributes
    ----------
    resume
        As given, until the state is restored.
    plan
        A digest of the plan of the segment that runs.
    """

    def __init__(self, saver: Saver | None, resume: tuple[Suspended, Callable[[State], None]] | None) -> None:
        self.resume = resume
        self.plan = ""
        self._saver = saver
        self._expected: str | None = None  # the digest that the plan of the next segment must have
        self._in_segment = False  # whether a segment of the program runs, so that the run may be suspended

    @property
    def is_kept(self) -> bool:
        """Whether anybody keeps the run."""
        return self._saver is not None

    def restore(self, state: State) -> None:
        """Give the branch that was running its state back, now that it is where it was suspended."""
        assert self.resume is not None  # that is when it is called  # noqa: S101
        suspended, restore = self.resume
        self.resume, self._expected = None, suspended.plan
        restore(state)

    def check_restored(self) -> None:
        """Check that no run draws or ends that has not come to where it was suspended.

        Raises
        ------
        BasicAerError
            If it has not: the outcomes up to there are all prescribed, unless somebody has changed them.
        """
        if self.resume is not None or self._expected is not None:
            raise _damaged("its circuit does not come to where it was saved")

    def segment(self, plan: Plan | None) -> contextlib.AbstractContextManager[None]:
        """Return what is to be around the running of a segment of the program.

        Raises
        ------
        PlannedOtherwiseError
            On entering it, if the segment was suspended while it ran by another plan.
        """
        return self._watched(plan) if self.is_kept or self._expected is not None else _NOTHING

    @contextlib.contextmanager
    def _watched(self, plan: Plan | None) -> Iterator[None]:
        self.plan = _digest(plan)
        if self._expected not in {None, self.plan}:
            raise PlannedOtherwiseError("The saved job was planned otherwise than it is here; run it from the start.")
        self._expected = None
        self._in_segment = True
        yield
        self._in_segment = False

    def pause(self, suspended: Callable[[], Suspended], state: State) -> None:
        """Let the run be kept, where it stands in a segment of the program."""
        if self._in_segment and self._saver is not None:
            self._saver.save(suspended, state)


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


class Unread:
    """In place of a state, while a branch goes again through operations whose outcome is known and will be restored."""

    n_qubits = 0

    def __getattr__(self, _name: str) -> Callable[..., None]:
        return lambda *_arguments, **_keys: None

    def weights(self, _qubit: int) -> tuple[float, float]:
        """Return anything: the outcome is prescribed."""
        return 0.5, 0.5
