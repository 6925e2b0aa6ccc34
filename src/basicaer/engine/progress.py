"""How far a job is, as the people who watch it see it."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Progress"]

_NEARLY = 0.99  # the largest part of a circuit that is shown as done before its result is made


class Progress(NamedTuple):
    """How far a job is.

    Attributes
    ----------
    phase
        ``"queued"``, ``"planning"``, ``"gates"``, ``"sampling"`` or ``"results"``; then ``"ended"`` or, of a job that
        was cancelled or has failed, ``"stopped"``.
    experiment, experiments
        How many circuits are finished, and how many there are.
    passes, total_passes
        Passes over the state that are done, a part of one counted as such, and how many there are in the circuit that
        runs now, those of its save instructions among them; the total is None where control flow leaves it open.
    shots, total_shots
        Shots of the circuit that runs now whose outcome is known, and how many there are.
    elapsed
        Seconds since a worker began; 0 before.
    remaining
        Predicted seconds until the circuit that runs now is finished; None where that cannot be told.
    phases
        Each phase that was entered, and the seconds spent in it so far, of all circuits.
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
        """The part of the whole job that is done, from 0 to 1, as far as can be told; each circuit counts the same."""
        if self.phase == "ended":
            return 1.0
        within = 0.0
        if self.total_passes:
            within = min(self.passes / self.total_passes, _NEARLY)
        elif self.total_shots:
            within = min(self.shots / self.total_shots, _NEARLY)
        return min((self.experiment + within) / max(self.experiments, 1), 1.0)
