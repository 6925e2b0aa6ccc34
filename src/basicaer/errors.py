"""The exceptions that basicaer raises."""

from __future__ import annotations

import contextlib
import linecache
import reprlib
import sys
import traceback
import warnings
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from qiskit.exceptions import QiskitError
from qiskit.providers.exceptions import JobError, JobTimeoutError, QiskitBackendNotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import FrameType

    from qiskit.result import Result

__all__ = [
    "BackendNotFoundError",
    "BasicAerError",
    "BasicAerWarning",
    "Cancelled",
    "DeviceFailedError",
    "DeviceUnavailableError",
    "JobStateError",
    "JobTimeLimitError",
    "JobWaitTimeoutError",
    "LostNormError",
    "NothingMeasuredWarning",
    "OptionValueError",
    "PubError",
    "QobjValidationError",
    "UnknownOptionError",
    "WorkerLostError",
    "at_border",
    "in_few_lines",
    "printable",
    "reason_of",
    "shown",
    "users_lines",
    "warn",
]

_NOT_THE_USERS = {"basicaer", "concurrent", "contextlib", "multiprocessing", "threading"}  # packages of frames
_DIGITS_PER_BIT = 0.30103
_LONGEST_REASON = 300  # characters
_REPR = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = 100
_REPR.maxlong = 50


def printable(words: str) -> str:
    """Return words on one line, with characters that cannot be printed as escapes: names may contain anything."""
    if words.isprintable():
        return words
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in words)


class BasicAerError(QiskitError):
    """Something that basicaer cannot do, in one sentence that names the thing and the remedy.

    Attributes
    ----------
    partial : qiskit.result.Result or None
        The experiments that were finished before this one failed; set on what ``BasicAerJob.result()`` raises.
    """

    partial: Result | None = None

    def __init__(self, *message: str) -> None:
        super().__init__(*map(printable, message))

    def __str__(self) -> str:
        """Return the message as it is; Qiskit's base class would put it in quotes."""
        return str(self.message)

    def _render_traceback_(self) -> list[str]:
        """Return the lines that IPython shows; a plain program shows every frame."""
        return in_few_lines(self, traceback.walk_tb(self.__traceback__))


class BackendNotFoundError(BasicAerError, QiskitBackendNotFoundError):
    """`BasicAer` has no simulator of this name; the message suggests one."""


class UnknownOptionError(BasicAerError, AttributeError):
    """There is no option of this name, wherever it was given or set.

    It is an AttributeError too, which the ``set_options`` of Qiskit's backends raises.
    """


class OptionValueError(BasicAerError, ValueError, TypeError):
    """An option cannot have this value, or not together with another option; the message says which it can have.

    It is a ValueError and a TypeError of Python too, whether the value or its type is wrong.
    """


class PubError(BasicAerError, ValueError, TypeError):
    """A PUB, or a part of one, that cannot be read; it has the types that Qiskit's own primitives raise then."""


class DeviceUnavailableError(BasicAerError):
    """A device was asked for by name and is not usable here; the message says why."""


class DeviceFailedError(BasicAerError):
    """A device failed while it was used; the message says what it was doing. ``device="auto"`` goes on with the CPU."""


class LostNormError(BasicAerError):
    """The amplitudes of a state are NaN, or are all zero."""


class QobjValidationError(BasicAerError):
    """A Qobj that a user gave breaks the schema; the message names the path and the rule."""


class JobStateError(BasicAerError, JobError):
    """A job was asked for something that is not possible in its state, such as a second submission."""


class JobWaitTimeoutError(BasicAerError, JobTimeoutError, TimeoutError):
    """The job has not ended in the ``timeout`` given to ``wait_for_final_state``; it goes on.

    It is a TimeoutError of Python too, which ``result`` raises.
    """


class JobTimeLimitError(BasicAerError):
    """The work of a job took longer than the ``timeout`` given to `run`; the message says how far it got.

    Attributes
    ----------
    reached : str
        How far it got: the message without the remedy.
    saved_in : str or None
        The folder in which the job is saved and from which it can be resumed; None if it is not saved.
    """

    reached: str = ""
    saved_in: str | None = None

    @classmethod
    def after(cls, reached: str, remedy: str, saved_in: str | None = None) -> JobTimeLimitError:
        """Return the error of a job that got so far."""
        error = cls(f"{reached}; {remedy}.")
        error.reached, error.saved_in = printable(reached), saved_in
        return error


class WorkerLostError(BasicAerError):
    """The process that a job ran in has died."""


class BasicAerWarning(UserWarning):
    """A circuit probably does not do what was meant, or a job ended but not cleanly."""

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


class NothingMeasuredWarning(BasicAerWarning):
    """A circuit has no measurements, so that its counts say nothing of it."""


def warn(message: str, kind: type[Warning] = BasicAerWarning) -> None:
    """Warn, and name the line of the user's program that led here; the caller's line where a worker has no other."""
    frame, level = sys._getframe(1), 2  # noqa: SLF001  # as `warnings` does
    while frame is not None:
        if str(frame.f_globals.get("__name__")).partition(".")[0] not in _NOT_THE_USERS:
            break
        frame, level = frame.f_back, level + 1  # type: ignore[assignment]  # the outermost frame has none
    warnings.warn(message, kind, stacklevel=2 if frame is None else level)


def users_lines(frames: Iterable[tuple[FrameType, int]]) -> list[tuple[str, int, str]]:
    """Return the function, the line and the code of each frame of the user's program.

    Frames of Python and of installed packages are left out, those of this package and what they call, and in IPython
    what comes before the code of the cell.

    Parameters
    ----------
    frames
        Frames with the numbers of their lines, outermost first, as `traceback.walk_tb` yields them.
    """
    found: list[tuple[str, int, str]] = []
    for frame, line in frames:
        code, names = frame.f_code, frame.f_globals
        package = str(names.get("__name__")).partition(".")[0]
        if package == "basicaer":
            break
        if package == "IPython":
            found.clear()
        elif not code.co_filename.startswith(_installed()):
            found.append((code.co_name, line, linecache.getline(code.co_filename, line, names).strip()))
    return found


@lru_cache(maxsize=1)
def _installed() -> tuple[str, ...]:
    """Return the folders of Python's own modules and of installed packages."""
    import sysconfig  # It reads files, and few errors are shown in a notebook.

    return tuple({sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")})


def in_few_lines(error: BaseException, frames: Iterable[tuple[FrameType, int]]) -> list[str]:
    """Return the lines that a notebook shows of an exception: the user's, its words and its notes."""
    lines = [f"{type(error).__name__}:"]
    for name, line, code in users_lines(frames):
        lines += [f"  {name}, line {line}:", f"    {code}"]
    return [*lines, str(error), *getattr(error, "__notes__", ())]


class Cancelled(Exception):  # noqa: N818  # an event that unwinds the worker, not a fault
    """Raised at a monitor of a cancelled job; unwinds the worker and never reaches a user."""

    partial: Result | None = None


def shown(value: Any) -> str:
    """Return a value as a message shows it: on one line, not too long, whatever its ``__repr__`` does."""
    try:
        return " ".join(_REPR.repr(value).split())
    except Exception:  # noqa: BLE001  # a __repr__ may raise anything
        if isinstance(value, int):  # Python writes no decimal number of more than 4,300 digits
            return f"a number of about {int(value.bit_length() * _DIGITS_PER_BIT) + 1} digits"
        return f"an object of type {type(value).__name__}"


def reason_of(error: BaseException) -> str:
    """Return what an exception says, as a part of a sentence: on one line, without the full stop."""
    try:
        words = str(error.message if isinstance(error, QiskitError) else error)
    except Exception:  # noqa: BLE001  # a __str__ may raise anything
        words = ""
    words = " ".join(words.split()).rstrip(".")
    if len(words) > _LONGEST_REASON:
        words = words[:_LONGEST_REASON] + " ..."
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.rstrip(".")
    kind = type(error).__name__
    return words if words and isinstance(error, QiskitError) else f"{kind}: {words}" if words else kind


@contextlib.contextmanager
def at_border(error_of: Callable[[str], BasicAerError]) -> Iterator[None]:
    """Turn whatever is raised while input from outside is read into an error of this package.

    Parameters
    ----------
    error_of
        Makes the error, from the reason in words. A `BasicAerError` passes unchanged, and so do exceptions that end a
        program.
    """
    try:
        yield
    except (BasicAerError, KeyboardInterrupt, SystemExit, GeneratorExit, MemoryError):
        raise
    except BaseException as error:  # a panic of Qiskit's parsers is not an Exception
        raise error_of(reason_of(error)) from error
