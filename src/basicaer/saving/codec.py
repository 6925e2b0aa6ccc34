"""Programs, settings and results as JSON with arrays beside it; no pickle: such a file can do nothing but be read."""

from __future__ import annotations

import dataclasses
from enum import Enum
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from basicaer.engine import classical, program
from basicaer.errors import BasicAerError
from basicaer.options import DeviceChoice, DeviceOptions, Precision
from basicaer.simulators.work import Experiment, Work

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["decoded", "encoded"]

_KIND, _VALUE = "!", "is"  # the two keys of everything that JSON has no form for
_RECORDS: dict[str, Any] = {
    kind.__name__: kind
    for kind in (
        *(getattr(program, name) for name in program.__all__ if isinstance(getattr(program, name), type)),
        *(getattr(classical, name) for name in ("Apply", "Bits", "Constant", "Lookup", "Variable")),
        DeviceOptions,
        DeviceChoice,
        Precision,
        Experiment,
        Work,
    )
}


def encoded(value: Any, arrays: list[NDArray[Any]]) -> Any:
    """Return a value as JSON can hold it; arrays are added to `arrays` and referred to by their number there.

    Raises
    ------
    BasicAerError
        For an object that a job does not need to hold, as a circuit's metadata may.
    """

    def inner(part: Any) -> Any:
        return encoded(part, arrays)

    name = type(value).__name__
    if isinstance(value, Enum):
        return {_KIND: name, _VALUE: value.value}
    if _RECORDS.get(name) is type(value):
        named: Any = value
        fields = named._fields if isinstance(value, tuple) else [field.name for field in dataclasses.fields(named)]
        return {_KIND: name, _VALUE: {field: inner(getattr(value, field)) for field in fields}}
    match value:
        case None | bool() | int() | float() | str():
            return value
        case np.generic():
            return inner(value.item())
        case np.ndarray() if value.dtype.kind in "biufc":
            arrays.append(value)
            return {_KIND: "array", _VALUE: len(arrays) - 1}
        case complex():
            return {_KIND: "complex", _VALUE: [value.real, value.imag]}
        case Fraction():
            return {_KIND: "Fraction", _VALUE: [value.numerator, value.denominator]}
        case range():
            return {_KIND: name, _VALUE: [value.start, value.stop, value.step]}
        case list():
            return [inner(part) for part in value]
        case tuple() | frozenset():
            return {_KIND: name, _VALUE: [inner(part) for part in value]}
        case dict():
            return {_KIND: "dict", _VALUE: [[inner(key), inner(part)] for key, part in value.items()]}
    raise BasicAerError(
        f"A job that is saved cannot hold an object of type {name}; take it out of the circuit's metadata, or run "
        "without checkpoint_dir."
    )


def decoded(value: Any, arrays: Sequence[NDArray[Any]]) -> Any:
    """Return what `encoded` was given.

    Raises
    ------
    ValueError, TypeError, KeyError, IndexError
        If it is nothing that `encoded` returns.
    """

    def inner(part: Any) -> Any:
        return decoded(part, arrays)

    if isinstance(value, list):
        return [inner(part) for part in value]
    if not isinstance(value, dict):
        return value
    kind, held = value[_KIND], value[_VALUE]
    match kind:
        case "array":
            return arrays[held]
        case "complex":
            return complex(*held)
        case "range":
            return range(*held)
        case "Fraction":
            return Fraction(*held)
        case "tuple":
            return tuple(inner(part) for part in held)
        case "frozenset":
            return frozenset(inner(part) for part in held)
        case "dict":
            return {inner(key): inner(part) for key, part in held}
    record = _RECORDS[kind]
    return record(held) if issubclass(record, Enum) else record(**{field: inner(part) for field, part in held.items()})
