"""The words that options are given in, and the check of one option at a time."""

from __future__ import annotations

import difflib
import math
import numbers
import os
from concurrent.futures import Executor
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np

from basicaer.errors import BasicAerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = [
    "AERS_ALONE",
    "ArrayPlace",
    "DeviceChoice",
    "DeviceOptions",
    "Precision",
    "check_options",
    "unknown_name",
    "without_aers",
]

_Word = TypeVar("_Word", bound=StrEnum)


class Precision(StrEnum):
    """Of the amplitudes: complex128 or complex64."""

    DOUBLE = "double"
    SINGLE = "single"

    @property
    def amplitude_bytes(self) -> int:
        """Bytes that one amplitude takes."""
        return 16 if self is Precision.DOUBLE else 8


class DeviceChoice(StrEnum):
    """Where to run: on a named device, or wherever is best."""

    AUTO = "auto"
    CPU = "CPU"
    GPU = "GPU"


class ArrayPlace(StrEnum):
    """Where a statevector is returned: in the host's memory, or where it was made."""

    HOST = "host"
    DEVICE = "device"


AERS_ALONE = frozenset(
    {
        "batched_shots_gpu",
        "batched_shots_gpu_max_qubits",
        "blocking_enable",
        "blocking_qubits",
        "chunk_swap_buffer_qubits",
        "cuStateVec_enable",
        "fusion_enable",
        "fusion_max_qubit",
        "fusion_threshold",
        "fusion_verbose",
        "max_parallel_shots",
        "num_threads_per_device",
        "runtime_parameter_bind_enable",
        "shot_branching_enable",
        "shot_branching_sampling_enable",
        "statevector_parallel_threshold",
        "statevector_sample_measure_opt",
    }
)
"""Options of Aer that say how it works, never what comes out: they are taken, and have no effect here."""


_OF_AER = AERS_ALONE | {"method", "noise_model"}


class DeviceOptions(NamedTuple):
    """What was said of the device: which, how many threads may work on one state (0: one on each core), which GPU."""

    choice: DeviceChoice = DeviceChoice.AUTO
    threads: int = 0
    gpu: int = 0


def unknown_name(kind: str, name: str, known: Iterable[str], taken: Iterable[str] = ()) -> str:
    """Return the sentence for a name that is not known, with the nearest one that is known or taken at least."""
    known = sorted(known)
    possible = [*known, *sorted(taken)]
    nearest = difflib.get_close_matches(name, possible, n=1, cutoff=0.5) or [
        one for one in possible if name and one.startswith(name)
    ]
    hint = f"did you mean '{nearest[0]}'?" if nearest else f"known are {', '.join(known)}."
    return f"Unknown {kind} '{name}': {hint}"


def without_aers(options: dict[str, Any], methods: Iterable[str]) -> dict[str, Any]:
    """Return options without those of Aer that change nothing here.

    Parameters
    ----------
    methods
        The methods of simulation that Aer has and that come to the same as what is done here.

    Raises
    ------
    BasicAerError
        For another method, and for a noise model.
    """
    if _OF_AER.isdisjoint(options):
        return options
    if options.get("noise_model") is not None:
        raise BasicAerError("noise_model must be None: noise is not simulated here.")
    method = options.get("method", "automatic")
    if method not in ("automatic", *methods):
        named = ", ".join(repr(one) for one in ("automatic", *methods))
        raise BasicAerError(
            f"method must be one of {named}, not {method!r}: only states of all amplitudes are simulated."
        )
    return {name: value for name, value in options.items() if name not in _OF_AER}


def _whole(name: str, value: Any, least: int) -> int:
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not whole or value < least:
        raise BasicAerError(f"{name} must be a whole number of at least {least}, not {value!r}.")
    return int(value)


def _seconds(name: str, value: Any) -> float:
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or value <= 0:
        or_none = " or None" if name == "timeout" else ""
        raise BasicAerError(f"{name} must be a positive number of seconds{or_none}, not {value!r}.")
    return float(value)


def _executor(name: str, value: Any) -> Executor | None:
    if value is not None and not isinstance(value, Executor):
        raise BasicAerError(f"{name} must be a concurrent.futures.Executor or None, not {value!r}.")
    return value


def _truth(name: str, value: Any) -> bool:
    if not isinstance(value, bool | np.bool_):
        raise BasicAerError(f"{name} must be True or False, not {value!r}.")
    return bool(value)


def _folder(name: str, value: Any) -> Path | None:
    if value is not None and (not isinstance(value, str | os.PathLike) or not os.fspath(value)):
        raise BasicAerError(f"{name} must be the path of a folder or None, not {value!r}.")
    return None if value is None else Path(value).absolute()


def _callback(name: str, value: Any) -> Callable[..., Any] | None:
    if value is not None and not callable(value):
        raise BasicAerError(f"{name} must be a function that takes a Progress, or None, not {value!r}.")
    return value  # type: ignore[no-any-return]


def _threshold(name: str, value: Any) -> float:
    if not isinstance(value, int | float | np.number) or isinstance(value, bool) or not value >= 0:
        raise BasicAerError(f"{name} must be a number of at least 0, not {value!r}.")
    return float(value)


def _gpus(name: str, value: Any) -> tuple[int, ...] | None:
    if value is None:
        return None
    listed = list(value) if isinstance(value, list | tuple) else []
    valid = all(type(number) is int and number >= 0 for number in listed)
    if not listed or not valid or len(set(listed)) < len(listed):
        raise BasicAerError(f"{name} must be a list of the numbers of GPUs, each once, or None, not {value!r}.")
    return tuple(listed)


def _word(name: str, value: Any, words: type[_Word]) -> _Word:
    if isinstance(value, words):
        return value
    for word in words:
        if isinstance(value, str) and value.lower() == word.lower():
            return word
    raise BasicAerError(f"{name} must be one of {', '.join(repr(str(w)) for w in words)}, not {value!r}.")


_CHECKS: dict[str, Callable[[str, Any], Any]] = {
    "shots": lambda name, value: _whole(name, value, 1),
    "default_shots": lambda name, value: _whole(name, value, 1),
    "seed": lambda name, value: None if value is None else _whole(name, value, 0),
    "seed_simulator": lambda name, value: None if value is None else _whole(name, value, 0),
    "timeout": lambda name, value: None if value is None else _seconds(name, value),
    "max_parallel_threads": lambda name, value: _whole(name, value, 0),
    "max_parallel_experiments": lambda name, value: _whole(name, value, 0),
    "checkpoint_dir": _folder,
    "checkpoint_every": _seconds,
    "executor": _executor,
    "callback": _callback,
    "progress": _truth,
    "cancel_on_interrupt": _truth,
    "memory": _truth,
    "chop_threshold": _threshold,
    "array": lambda name, value: _word(name, value, ArrayPlace),
    "device": lambda name, value: _word(name, value, DeviceChoice),
    "precision": lambda name, value: _word(name, value, Precision),
    "target_gpus": _gpus,
}


def check_options(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options with every value checked and in its own type; options not named here pass unchanged.

    Raises
    ------
    BasicAerError
        Naming the option, the value and what it may be.
    """
    return {name: _CHECKS[name](name, value) if name in _CHECKS else value for name, value in options.items()}
