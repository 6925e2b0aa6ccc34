"""Programs, settings and results as JSON with arrays beside it; no pickle: such a file can do nothing but be read.

What is read has the types that the classes declare; `basicaer.persistence.checks` looks at the rest.
"""

from __future__ import annotations

import dataclasses
import reprlib
import typing
from collections.abc import Sequence
from enum import Enum
from fractions import Fraction
from functools import cache
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from basicaer.engine import classical, program
from basicaer.errors import BasicAerError
from basicaer.options import DeviceChoice, DeviceOptions, Precision
from basicaer.simulators.work import Experiment, Work

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["check_types", "decoded", "encoded"]

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

_FORMS: dict[str, Any] = {  # in which a value of each kind is written; a record as the dictionary of its fields
    "array": int,
    **dict.fromkeys(("complex", "Fraction", "range", "tuple", "frozenset", "dict"), list),
    **{name: str for name, kind in _RECORDS.items() if issubclass(kind, Enum)},
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


def decoded(value: Any, arrays: list[Any]) -> Any:
    """Return what `encoded` was given; each array is taken from `arrays` once, and None is left in its place.

    Raises
    ------
    Exception
        Of any kind, if it is nothing that `encoded` returns.
    """

    def inner(part: Any) -> Any:
        return decoded(part, arrays)

    if isinstance(value, list):
        return [inner(part) for part in value]
    if not isinstance(value, dict):
        return value
    kind, held = value[_KIND], value[_VALUE]
    if type(held) is not _FORMS.get(kind, dict):
        raise ValueError(f"{kind} cannot be {reprlib.repr(held)}")
    match kind:
        case "array":
            if held < 0 or arrays[held] is None:
                raise ValueError(f"there is no array {held} for this place")
            array, arrays[held] = arrays[held], None
            return array
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
    if issubclass(record, Enum):
        return record(held)
    fields = {field: inner(part) for field, part in held.items()}
    check_types(record, fields)
    return record(**fields)


def check_types(record: Any, fields: Mapping[str, Any]) -> None:
    """Check that the fields of a record have the types that it declares.

    Raises
    ------
    ValueError
        Naming one that has not.
    """
    for name, hint in _hints(record).items():
        if name in fields and not _is_of(fields[name], hint):
            raise ValueError(f"{name} of {record.__name__} cannot be {reprlib.repr(fields[name])}")


@cache
def _hints(record: Any) -> dict[str, Any]:
    names = {
        **vars(program),
        **vars(classical),
        **_RECORDS,
        "np": np,
        "NDArray": NDArray,
        "Any": Any,
        "Sequence": Sequence,
    }
    return typing.get_type_hints(record, localns=names)


def _is_of(value: Any, hint: Any) -> bool:
    """Tell whether a value is of a type, in the forms in which the records declare theirs."""
    if hint is Any:
        return True
    kind, inner = typing.get_origin(hint) or hint, typing.get_args(hint)
    if kind in {typing.Union, UnionType}:
        return any(_is_of(value, one) for one in inner)
    if kind in _NUMBERS:
        return type(value) in _NUMBERS[kind]
    if not isinstance(value, kind):
        return False
    if isinstance(value, range):  # of whole numbers, and perhaps very many
        return True
    if kind is np.ndarray:
        (scalar,) = typing.get_args(inner[1])
        return scalar is Any or issubclass(value.dtype.type, scalar)
    if kind is tuple and inner[-1] is not ...:
        return len(value) == len(inner) and all(map(_is_of, value, inner))
    if kind is dict and inner:
        return all(_is_of(key, inner[0]) and _is_of(part, inner[1]) for key, part in value.items())
    return not inner or all(_is_of(part, inner[0]) for part in value)


_NUMBERS: dict[Any, set[type]] = {  # what may stand for each: numbers that are whole are written as they are
    bool: {bool},
    int: {int},
    float: {int, float},
    complex: {int, float, complex},
    NoneType: {NoneType},
}
