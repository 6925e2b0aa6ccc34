"""The progress of a job, as its user sees it."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Progress"]

_NEARLY = 0.99  # the largest fraction of a circuit that is shown as done before its result is made


class Progress(NamedTuple):
    """How far a job is.

    Attributes
    ----------
    phase
        ``"queued"``, ``"planning"``, ``"gates"``, ``"sampling"`` or ``"results"``, and for gradients ``"observables"``
        and ``"backwards"``; at the end ``"ended"`` or, if the job was cancelled or has failed, ``"stopped"``.
    experiment, experiments
        The number of finished circuits, and the number of all circuits.
    passes, total_passes
        The number of passes over the state that are done, which may be a fraction, and the number of all passes of the
        current circuit, including those of its save instructions. The total is None if control flow leaves it open.
    shots, total_shots
        The number of shots of the current circuit whose outcome is known, and the number of all its shots.
    elapsed
        Seconds since a worker began; 0 before that.
    remaining
        Predicted seconds until the current circuit is finished; None if there is no prediction.
    phases
        Each phase that was entered, and the seconds spent in it so far, for all circuits together.
    """

    phase: str = "queued"
    experiment: int = 0
    experiments: int = 0
    passes: float = 0.0
    total_passes: int | None = None
    shots: int = 0
    total_shots: int = 0
    elapsed: float = 0.0
    remaining: float | None = None
    phases: tuple[tuple[str, float], ...] = ()

    @property
    def fraction(self) -> float:
        """The part of the job that is done, from 0 to 1, as far as it is known; all circuits count the same."""
        if self.phase == "ended":
            return 1.0
        within = 0.0
        if self.total_passes:
            within = min(self.passes / self.total_passes, _NEARLY)
        elif self.total_shots:
            within = min(self.shots / self.total_shots, _NEARLY)
        return min((self.experiment + within) / max(self.experiments, 1), 1.0)
