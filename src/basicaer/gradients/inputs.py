"""What users give to be differentiated, checked: parameters, their values, and cotangents."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from qiskit.circuit import Parameter, ParameterExpression

from basicaer.errors import PubError, at_border, shown
from basicaer.primitives.compiled import check_shape
from basicaer.wording import unknown_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

__all__ = ["read_cotangent", "read_values", "wanted_parameters"]


def read_values(values: Any, count: int, name: str) -> NDArray[np.float64]:
    """Return values of a circuit's parameters as an array whose last axis is for them, checked.

    Parameters
    ----------
    count, name
        The number of parameters, and the circuit's name.
    """
    with at_border(lambda _: PubError(f"Parameter values must be an array of real numbers, not {shown(values)}.")):
        if values is None or np.iscomplexobj(values):
            raise TypeError
        array = np.asarray(values, float)
    check_shape(array.shape, count, name)
    if not np.isfinite(array).all():
        raise PubError(f"Circuit '{name}' is given parameter values that are not finite numbers.")
    return array


def wanted_parameters(
    parameters: Iterable[Parameter | str] | None, of_circuit: Sequence[Parameter], name: str
) -> tuple[int, ...]:
    """Return the numbers of the parameters by which is differentiated."""
    if parameters is None:
        return tuple(range(len(of_circuit)))
    with at_border(lambda _: PubError(f"parameters must be a list of parameters or names, not {shown(parameters)}.")):
        given = list(parameters)
    names = [one.name for one in of_circuit]
    found = []
    for one in given:
        if not isinstance(one, Parameter | str):
            kind = "an expression" if isinstance(one, ParameterExpression) else "not a parameter"
            raise PubError(f"parameters are parameters or their names, and {shown(one)} is {kind}.")
        called = one if isinstance(one, str) else one.name
        if called not in names or (isinstance(one, Parameter) and of_circuit[names.index(called)] != one):
            raise PubError(unknown_name(f"parameter of circuit '{name}'", called, names))
        found.append(names.index(called))
    if len(set(found)) < len(found):
        raise PubError("A parameter is named twice in parameters; name each once.")
    return tuple(found)


def read_cotangent(cotangent: Any, shape: tuple[int, ...], observables: tuple[int, ...]) -> NDArray[np.float64]:
    """Return ``cotangent[s, o]`` for set s of values and observable o, checked.

    Parameters
    ----------
    shape, observables
        The shapes of the sets and of the observables.
    """
    with at_border(lambda _: PubError(f"The cotangent must be an array of real numbers, not {shown(cotangent)}.")):
        if np.iscomplexobj(cotangent):
            raise TypeError
        array = np.asarray(cotangent, float)
    expected = (*shape, *observables)
    if array.shape != expected:
        raise PubError(
            f"The cotangent has shape {array.shape}, and the expectation values have {expected}; give it a number "
            "for each of them."
        )
    return array.reshape(prod(shape), prod(observables))
