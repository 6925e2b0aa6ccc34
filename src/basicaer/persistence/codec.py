"""Programs, settings and results as JSON, with arrays beside it.

This is not pickle: reading such a file runs no code of it. What is read has the types that the classes declare;
`basicaer.persistence.checks` checks the rest.
"""

from __future__ import annotations

import dataclasses
import reprlib
import typing
from collections.abc import Mapping, Sequence
from enum import Enum
from fractions import Fraction
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from basicaer.engine import classical, program
from basicaer.engine.device import Generators, SegmentBatch
from basicaer.engine.groups import Place, Step
from basicaer.engine.suspended import Suspended, SuspendedShots, Waiting
from basicaer.errors import BasicAerError
from basicaer.options import DeviceChoice, DeviceOptions, Method, Precision
from basicaer.records import DeviceUse, ExperimentOutcome, ResultData, SavedValues
from basicaer.simulation import Experiment, SimulationPayload

__all__ = ["check_types", "decoded", "encoded", "register"]

_TYPE, _VALUE = "!", "is"  # the two keys of every value that JSON has no form for
_CLASSES: dict[str, Any] = {
    cls.__name__: cls
    for cls in (
        *(getattr(program, name) for name in program.__all__ if isinstance(getattr(program, name), type)),
        *(getattr(classical, name) for name in ("Apply", "Bits", "Constant", "Lookup", "Variable")),
        SegmentBatch,
        Step,
        Waiting,
        Suspended,
        SuspendedShots,
        DeviceOptions,
        DeviceChoice,
        Precision,
        Method,
        Experiment,
        DeviceUse,
        ExperimentOutcome,
        ResultData,
        SavedValues,
        SimulationPayload,
    )
}

_FORMS: dict[str, Any] = {  # the type in JSON of each type of value; a class is written as a dictionary of its fields
    "array": int,
    **dict.fromkeys(("complex", "Fraction", "range", "tuple", "frozenset", "dict"), list),
    **{name: str for name, cls in _CLASSES.items() if issubclass(cls, Enum)},
}


def register(*classes: Any) -> None:
    """Let saved jobs hold objects of more classes: enumerations, dataclasses and named tuples."""
    for cls in classes:
        _CLASSES[cls.__name__] = cls
        if issubclass(cls, Enum):
            _FORMS[cls.__name__] = str


def encoded(value: Any, arrays: list[NDArray[Any]]) -> Any:
    """Return a value in a form that JSON can hold; arrays are added to `arrays` and referred to by their number there.

    Raises
    ------
    BasicAerError
        For an object of a type that no job needs, which a circuit's metadata may hold.
    """

    def inner(part: Any) -> Any:
        return encoded(part, arrays)

    if isinstance(value, program.Segment):
        value = program.Segment(tuple(value.gates), value.open)  # plain gates, even if it is one of a batch
    name = type(value).__name__
    if isinstance(value, Enum):
        return {_TYPE: name, _VALUE: value.value}
    if _CLASSES.get(name) is type(value):
        return {_TYPE: name, _VALUE: {field: inner(getattr(value, field)) for field in _fields(_CLASSES[name])}}
    match value:
        case None | bool() | int() | float() | str():
            return value
        case np.generic():
            return inner(value.item())
        case np.ndarray() if value.dtype.kind in "biufc":
            arrays.append(value)
            return {_TYPE: "array", _VALUE: len(arrays) - 1}
        case complex():
            return {_TYPE: "complex", _VALUE: [value.real, value.imag]}
        case Fraction():
            return {_TYPE: "Fraction", _VALUE: [value.numerator, value.denominator]}
        case range():
            return {_TYPE: name, _VALUE: [value.start, value.stop, value.step]}
        case list():
            return [inner(part) for part in value]
        case tuple() | frozenset():
            return {_TYPE: name, _VALUE: [inner(part) for part in value]}
        case dict():
            return {_TYPE: "dict", _VALUE: [[inner(key), inner(part)] for key, part in value.items()]}
    raise BasicAerError(
        f"A job that is saved cannot hold an object of type {name}; take it out of the circuit's metadata, or run "
        "without checkpoint_dir."
    )


def decoded(value: Any, arrays: list[Any]) -> Any:
    """Return the value that `encoded` was given; each array is taken from `arrays` once, and None is left in its place.

    Raises
    ------
    Exception
        An exception of any type, if the value is not one that `encoded` returns.
    """

    def inner(part: Any) -> Any:
        return decoded(part, arrays)

    if isinstance(value, list):
        return [inner(part) for part in value]
    if not isinstance(value, dict):
        return value
    name, held = value[_TYPE], value[_VALUE]
    if type(held) is not _FORMS.get(name, dict):
        raise ValueError(f"{name} cannot be {reprlib.repr(held)}")
    match name:
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
    cls = _CLASSES[name]
    if issubclass(cls, Enum):
        return cls(held)
    fields = {field: inner(part) for field, part in held.items()}
    check_types(cls, fields)
    return cls(**fields)


def _fields(cls: Any) -> Sequence[str]:
    """Return the names of what an object of a class is made from."""
    if dataclasses.is_dataclass(cls):
        return [field.name for field in dataclasses.fields(cls)]
    fields: Sequence[str] = getattr(cls, "_fields", None) or list(cls.__annotations__)
    return fields


def check_types(cls: Any, fields: Mapping[str, Any]) -> None:
    """Check that the fields of an object have the types that its class declares.

    Raises
    ------
    ValueError
        Naming a field that has another type.
    """
    for name, hint in _hints(cls).items():
        if name in fields and not _is_of(fields[name], hint):
            raise ValueError(f"{name} of {cls.__name__} cannot be {reprlib.repr(fields[name])}")


@cache
def _hints(cls: Any) -> dict[str, Any]:
    names = {
        **vars(program),
        **vars(classical),
        **_CLASSES,
        "np": np,
        "NDArray": NDArray,
        "Any": Any,
        "Mapping": Mapping,
        "Sequence": Sequence,
        "Place": Place,
        "Generators": Generators,
    }
    return typing.get_type_hints(cls, localns=names)


def _is_of(value: Any, hint: Any) -> bool:
    """Tell whether a value is of a type, of which only the forms that the classes use are known."""
    if hint is Any or isinstance(hint, TypeVar):
        return True
    of, inner = typing.get_origin(hint) or hint, typing.get_args(hint)
    if hasattr(of, "__value__"):  # the alias of another type, as NDArray is from NumPy 2.5 on
        return _is_of(value, of.__value__[inner])
    if of in {typing.Union, UnionType}:
        return any(_is_of(value, one) for one in inner)
    if of in _NUMBERS:
        return type(value) in _NUMBERS[of]
    if of is Sequence:
        of = tuple | range  # as sequences are saved
    if of is Mapping:
        of = dict
    if not isinstance(value, of):
        return False
    if isinstance(value, range):  # it holds only integers, perhaps too many to look at
        return True
    if of is np.ndarray:
        (scalar,) = typing.get_args(inner[1])
        return scalar is Any or issubclass(value.dtype.type, scalar)
    if of is tuple and inner[-1] is not ...:
        return len(value) == len(inner) and all(map(_is_of, value, inner))
    if of is dict and inner:
        return all(_is_of(key, inner[0]) and _is_of(part, inner[1]) for key, part in value.items())
    return not inner or all(_is_of(part, inner[0]) for part in value)


_NUMBERS: dict[Any, set[type]] = {  # the types that a value may have for each declared one: 2.0 may be written as 2
    bool: {bool},
    int: {int},
    float: {int, float},
    complex: {int, float, complex},
    NoneType: {NoneType},
}
