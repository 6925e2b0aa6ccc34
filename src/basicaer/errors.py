"""What basicaer raises when a user, a file or a machine asks for what cannot be done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qiskit.exceptions import QiskitError

if TYPE_CHECKING:
    from qiskit.result import Result

__all__ = [
    "BasicAerError",
    "BasicAerWarning",
    "Cancelled",
    "DeviceUnavailableError",
    "JobTimeLimitError",
    "LostNormError",
    "QobjValidationError",
    "WorkerLostError",
]


class BasicAerError(QiskitError):
    """Something that basicaer cannot do, in one sentence that names the thing and the remedy.

    Attributes
    ----------
    partial : qiskit.result.Result or None
        The experiments that were finished before this one failed; set on what ``BasicAerJob.result()`` raises.
    """

    partial: Result | None = None


class DeviceUnavailableError(BasicAerError):
    """A device was asked for by name and is not usable here; the message says why."""


class LostNormError(BasicAerError):
    """The amplitudes of a state are no numbers, or all zero."""


class QobjValidationError(BasicAerError):
    """A Qobj that a user gave breaks the schema; the message names the path and the rule."""


class JobTimeLimitError(BasicAerError):
    """The work of a job took longer than the ``timeout`` that `run` was given; the message says how far it came."""


class WorkerLostError(BasicAerError):
    """The process that a job ran in has died."""


class BasicAerWarning(UserWarning):
    """A circuit that runs but probably does not do what was meant, or a job that ends but not as smoothly."""


class Cancelled(Exception):  # noqa: N818  # an event that unwinds the worker, not a fault
    """Raised at a checkpoint of a cancelled job; unwinds the worker and never reaches a user."""

    partial: Result | None = None
