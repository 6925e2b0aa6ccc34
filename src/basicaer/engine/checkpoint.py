"""The place between two pieces of work where a job may be stopped: one mechanism for cancellation and time limits."""

from __future__ import annotations

import contextvars
import time

from basicaer.errors import BasicAerError, Cancelled

__all__ = ["Checkpoint", "current_checkpoint"]


class Checkpoint:
    """Carried to wherever a job's work is done, and polled there.

    Cancellation is asked for from any thread with `cancel` and answered by the worker at its next `poll`, which raises.
    Work between two polls is not interrupted: on the CPU that is one block of a gate, or one pass that measures or
    copies a state.

    Parameters
    ----------
    timeout
        Seconds that the work itself may take, counted from `start`; None for no limit.

    Attributes
    ----------
    started
        Whether a worker has begun.
    """

    def __init__(self, timeout: float | None = None) -> None:
        self.timeout = timeout
        self.started = False
        self._cancelled = False
        self._deadline: float | None = None

    def start(self) -> None:
        """Note that a worker has begun; the time limit counts from here.

        Raises
        ------
        Cancelled
            If the job was cancelled before it began.
        """
        self.poll()
        if self.timeout is not None:
            self._deadline = time.monotonic() + self.timeout
        self.started = True

    def cancel(self) -> None:
        """Ask the worker to stop at its next poll."""
        self._cancelled = True

    def poll(self) -> None:
        """Raise if the work is to stop here, else return at once.

        Raises
        ------
        Cancelled
            If the job was cancelled.
        BasicAerError
            If the time limit has passed.
        """
        if self._cancelled:
            raise Cancelled
        if self._deadline is not None and time.monotonic() > self._deadline:
            raise TimeLimitError(
                f"The job reached its time limit of {self.timeout:g} s; give a longer timeout= or none, "
                "or a smaller circuit or fewer shots."
            )


class TimeLimitError(BasicAerError):
    """The work of a job took longer than the ``timeout`` that `run` was given."""


current_checkpoint: contextvars.ContextVar[Checkpoint | None] = contextvars.ContextVar(
    "basicaer_checkpoint", default=None
)
"""The checkpoint of the job whose function is running here, set where it runs (context does not travel to workers)."""
