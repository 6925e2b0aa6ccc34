"""The types of options, and the check of the value of each."""

from __future__ import annotations

import contextlib
import functools
import inspect
import math
import numbers
import os
import threading
from collections.abc import Mapping
from concurrent.futures import Executor
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

import numpy as np

from basicaer.errors import OptionValueError, UnknownOptionError, shown
from basicaer.wording import unknown_name

if TYPE_CHECKING:
    from collections.abc import Callable

_Function = TypeVar("_Function", bound="Callable[..., Any]")

__all__ = [
    "HOST_MEMORY",
    "NOT_SAVED",
    "SECONDS_BETWEEN_SAVES",
    "ArrayPlace",
    "DeviceChoice",
    "DeviceOptions",
    "Method",
    "Precision",
    "check_margin",
    "check_option",
    "check_options",
    "check_saving",
    "keywords_checked",
    "possible_threads",
]


HOST_MEMORY = "host"
"""The value of ``spill`` by which states that do not fit on a GPU are in the host's memory."""


class Precision(StrEnum):
    """The precision of amplitudes: complex128 or complex64."""

    DOUBLE = "double"
    SINGLE = "single"

    @property
    def amplitude_bytes(self) -> int:
        """The number of bytes of one amplitude."""
        return 16 if self is Precision.DOUBLE else 8


class DeviceChoice(StrEnum):
    """Where to run: on a certain device, or on whichever is best."""

    AUTO = "auto"
    CPU = "CPU"
    GPU = "GPU"


class Method(StrEnum):
    """How a circuit is simulated, by Aer's names: with one statevector for each history, or one density matrix."""

    AUTOMATIC = "automatic"
    STATEVECTOR = "statevector"
    DENSITY_MATRIX = "density_matrix"


class ArrayPlace(StrEnum):
    """Where a statevector is returned: in the host's memory, or in that of the device."""

    HOST = "host"
    DEVICE = "device"


class DeviceOptions(NamedTuple):
    """The options of the device.

    Attributes
    ----------
    choice
        Which one.
    threads
        How many threads work on one state; 0 is the default.
    gpu
        The number of the GPU.
    spill
        The folder for states that do not fit into memory, or `HOST_MEMORY`; empty if they are refused.
    gpus
        The GPUs among which states are divided that do not fit one of them.
    """

    choice: DeviceChoice = DeviceChoice.AUTO
    threads: int = 0
    gpu: int = 0
    spill: str = ""
    gpus: tuple[int, ...] = ()


class _Check(NamedTuple):
    """What an option must be, in words that follow "must be", and a function that converts its value or raises."""

    expected: str
    read: Callable[[Any], Any]


_MOST = 2**63 - 1  # most shots, threads or parts: the largest integer that an array of NumPy can hold
_MOST_SHOTS = 2**53  # floating-point numbers, of which probabilities make counts, are exact integers up to it
SECONDS_BETWEEN_SAVES = 60.0
"""The default of ``checkpoint_every``."""

NOT_SAVED: dict[str, Any] = {
    "checkpoint_dir": None,
    "checkpoint_every": SECONDS_BETWEEN_SAVES,
    "checkpoint_margin": 0.0,
    "checkpoint_on_sigterm": False,
}
"""The defaults of the options of saving a job."""

_OF_NOISE_MODELS = ("to_dict", "is_ideal")  # methods, of which noise models have one at least
_MOST_THREADS = 256  # or the number of cores, if larger; more threads would take memory and wait for one another


def possible_threads(wished: int) -> int:
    """Return how many threads may work on one state, where so many are wished."""
    return min(wished, max(_MOST_THREADS, os.cpu_count() or 1))


def _is_number(value: Any, kind: type) -> bool:
    """Tell whether a value is a number of a kind; no boolean and no time of NumPy counts as one."""
    return isinstance(value, kind) and not isinstance(value, bool | np.timedelta64)


def _whole(least: int, most: int = _MOST, written: str = "2**63 - 1") -> _Check:
    """Return the check of an integer in a range; `written` is the upper end as the message shows it."""

    def read(value: Any) -> int:
        if not _is_number(value, numbers.Integral) or value < least:
            raise ValueError
        if value > most:
            raise ValueError(f"it may be {written} at most")
        return int(value)

    return _Check(f"a whole number of at least {least}", read)


def _threads(value: Any) -> int:
    return possible_threads(_whole(0).read(value))


def _seconds(value: Any) -> float:
    if not _is_number(value, numbers.Real) or not 0 < float(value) < math.inf:
        raise ValueError
    return float(value)


def _wait(value: Any) -> float | None:
    """Return how long to wait; None means for ever, as does a time longer than the system can wait."""
    if not _is_number(value, numbers.Real) or value != value:  # noqa: PLR0124  # only NaN is not equal to itself
        raise ValueError
    return None if value >= threading.TIMEOUT_MAX else float(max(value, 0))


def _at_least_0(value: Any) -> float:
    if not _is_number(value, numbers.Real) or not float(value) >= 0:
        raise ValueError
    return float(value)


def _finite(value: Any) -> float:
    number = _at_least_0(value)
    if math.isinf(number):
        raise ValueError
    return number


def _of_kind(value: Any, kind: Any) -> Any:
    if not isinstance(value, kind):
        raise TypeError
    return value


def _folder(value: Any) -> Path:
    if not os.fspath(_of_kind(value, str | os.PathLike)):
        raise ValueError
    path = Path(value).absolute()
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        path.lstat()  # raises an error if the system does not accept the path, as with a zero byte or if it is too long
    return path


def _place_of_states(value: Any) -> str | Path:
    """Return the path of a folder, or `HOST_MEMORY`; a folder of that name is given as ``./host``."""
    return HOST_MEMORY if isinstance(value, str) and value == HOST_MEMORY else _folder(value)


def _noise_model(value: Any) -> Any:
    """Return what may be a noise model, which is read with the circuits."""
    if not isinstance(value, Mapping) and not any(callable(getattr(value, name, None)) for name in _OF_NOISE_MODELS):
        raise TypeError
    return value


def _callback(value: Any) -> Any:
    if not callable(value):
        raise TypeError
    return value


def _power_of_two(value: Any) -> int:
    number: int = _whole(1).read(value)
    if number.bit_count() != 1:
        raise ValueError
    return number


def _ranks(value: Any) -> Any:
    """Return whether to run with other ranks, or those that a program has made itself."""
    return value if callable(getattr(value, "together", None)) else bool(_of_kind(value, bool | np.bool_))


def _gpus(value: Any) -> tuple[int, ...]:
    listed = tuple(_of_kind(value, list | tuple))
    if not listed or not all(type(number) is int and 0 <= number <= _MOST for number in listed):
        raise ValueError
    if len(set(listed)) < len(listed):
        raise ValueError
    return listed


def _word(words: type[StrEnum]) -> _Check:
    def read(value: Any) -> StrEnum:
        return next(word for word in words if _of_kind(value, str).lower() == word.lower())

    return _Check(f"one of {', '.join(repr(str(word)) for word in words)}", read)


def _or_none(check: _Check, before: str = " or ") -> _Check:
    return _Check(f"{check.expected}{before}None", lambda value: None if value is None else check.read(value))


_SECONDS = _Check("a positive number of seconds", _seconds)
_SEED = _whole(0, 10**4000, "10**4000")  # Python refuses to print longer numbers: the limit is 4,300 digits
_TRUTH = _Check("True or False", lambda value: bool(_of_kind(value, bool | np.bool_)))

_CHECKS: dict[str, _Check] = {
    "shots": _whole(1, _MOST_SHOTS, "2**53"),
    "default_shots": _whole(1, _MOST_SHOTS, "2**53"),
    "default_precision": _Check("a number of at least 0", _finite),
    "seed": _or_none(_SEED),
    "seed_simulator": _or_none(_SEED),
    "timeout": _or_none(_SECONDS),
    "wait": _or_none(_Check("a number of seconds", _wait)),
    "max_parallel_threads": _whole(0)._replace(read=_threads),
    "max_parallel_experiments": _whole(0),
    "checkpoint_dir": _or_none(_Check("the path of a folder", _folder)),
    "checkpoint_every": _SECONDS,
    "spill": _or_none(_Check("the path of a folder, 'host'", _place_of_states), ", or "),
    "checkpoint_margin": _Check("a number of seconds, at least 0", _finite),
    "checkpoint_on_sigterm": _TRUTH,
    "executor": _or_none(_Check("a concurrent.futures.Executor", lambda value: _of_kind(value, Executor))),
    "callback": _or_none(_Check("a function that takes a Progress", _callback), ", or "),
    "progress": _TRUTH,
    "cancel_on_interrupt": _TRUTH,
    "memory": _TRUTH,
    "distributed": _Check("True or False", _ranks),
    "ranks": _Check("a power of 2", _power_of_two),
    "chop_threshold": _Check("a number of at least 0", _at_least_0),
    "array": _word(ArrayPlace),
    "device": _word(DeviceChoice),
    "precision": _word(Precision),
    "method": _word(Method),
    "noise_model": _or_none(_Check("a NoiseModel, what its to_dict() returns,", _noise_model)),
    "target_gpus": _or_none(_Check("a list of the numbers of GPUs, each once", _gpus), ", or "),
}


def check_option(name: str, value: Any, called: str | None = None) -> Any:
    """Return the value of one option, checked and in its own type; see `check_options`.

    Parameters
    ----------
    called
        What the message calls it, if that is not its name.
    """
    check = _CHECKS.get(name)
    if check is None:
        return value
    try:
        return check.read(value)
    except MemoryError:
        raise
    except Exception as error:
        reason = error.strerror if isinstance(error, OSError) else str(error) if type(error) is ValueError else ""
        why = f" ({reason})" if reason else ""
        raise OptionValueError(f"{called or name} must be {check.expected}, not {shown(value)}{why}.") from error


def check_saving(settings: dict[str, Any]) -> None:
    """Check that checked options of saving a job fit together.

    Raises
    ------
    OptionValueError
        If they do not.
    """
    if settings["checkpoint_dir"] is None:
        for name, default in NOT_SAVED.items():
            if settings[name] != default:
                raise OptionValueError(f"{name} is for a job that is saved: give checkpoint_dir, or leave it out.")
    check_margin(settings)


def check_margin(settings: dict[str, Any]) -> None:
    """Check that checked options leave time between the start of a job and when it is saved before its time limit.

    Raises
    ------
    OptionValueError
        If they do not.
    """
    margin, timeout = settings["checkpoint_margin"], settings["timeout"]
    if margin and timeout is None:
        raise OptionValueError(
            f"checkpoint_margin ({margin:g} s) is the time before a time limit: give timeout too, or leave it out."
        )
    if timeout is not None and margin >= timeout:
        raise OptionValueError(f"checkpoint_margin ({margin:g} s) must be less than timeout ({timeout:g} s).")


def check_options(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options with every value checked and in its own type; options without a check pass unchanged.

    Raises
    ------
    OptionValueError
        Naming the option, the value and what it may be, for any exception of the check.
    """
    return {name: check_option(name, value) for name, value in options.items()}


def keywords_checked(function: _Function) -> _Function:
    """Let a function refuse keyword arguments that it does not have by an `UnknownOptionError`, as `run` does."""
    known = [name for name in inspect.signature(function).parameters if name not in {"self", "cls"}]
    called = function.__qualname__.removesuffix(".__init__").rpartition(".")[2]

    @functools.wraps(function)
    def checked(*args: Any, **keywords: Any) -> Any:
        for name in keywords:
            if name not in known:
                raise UnknownOptionError(unknown_name(f"option of {called}()", name, known))
        try:
            return function(*args, **keywords)
        finally:
            del args, keywords  # the traceback of an error refers to this frame, and an argument may refer to the error

    return cast("_Function", checked)
