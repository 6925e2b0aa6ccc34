"""What PyTorch and JAX ask of a `CompiledGradient`: arrays in and out, with the derivatives by all parameters."""

from __future__ import annotations

import weakref
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from basicaer.engine.kept_states import kept_states
from basicaer.errors import BasicAerError, shown
from basicaer.gradients.compiled import CompiledGradient
from basicaer.primitives.compiled import check_shape

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["KeptState", "check_function", "gives_gradients", "jacobian_at", "shape_at", "values_at", "vjp_at"]


def check_function(function: Any) -> None:
    """Check that `expectations` is given what it takes."""
    if not isinstance(function, CompiledGradient):
        raise BasicAerError(f"expectations() takes what value_and_gradient() returns, not {shown(function)}.")


def gives_gradients(function: CompiledGradient) -> bool:
    """Tell whether derivatives are to be computed along with the values, and not by a sweep of their own later.

    For one observable they are all that a vector-Jacobian product needs.
    """
    return bool(prod(function.shape) == 1)


def shape_at(function: CompiledGradient, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape of expectation values at parameter values of some shape.

    Raises
    ------
    PubError
        If parameter values have another shape.
    """
    name = function._circuit.name  # noqa: SLF001  # a class of this package
    check_shape(shape, len(function.parameters), name)
    return (*shape[:-1], *function.shape)


def jacobian_at(function: CompiledGradient, values: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the expectation values of one observable, and derivatives in the shape of the parameter values."""
    found = function.submit(values).result()
    return found.values, _by_all(function, found.gradients).reshape(np.shape(values))


class KeptState:
    """The final states of a function's evaluation, kept until they are used or this object is gone."""

    def __init__(self) -> None:
        self.name = kept_states.new_name()
        weakref.finalize(self, kept_states.drop, self.name)


def values_at(function: CompiledGradient, values: NDArray[Any], kept: KeptState | None) -> NDArray[np.float64]:
    """Return the expectation values; states are kept for `vjp_at` if there is room for them."""
    return function.values(values) if kept is None else function._values(values, kept.name)  # noqa: SLF001  # as above


def vjp_at(
    function: CompiledGradient, values: NDArray[Any], cotangent: NDArray[Any], kept: KeptState | None = None
) -> NDArray[np.float64]:
    """Return a vector-Jacobian product, in the shape of the parameter values."""
    found = function._vjp(values, cotangent, None if kept is None else kept.name)  # noqa: SLF001  # as above
    return _by_all(function, found)


def _by_all(function: CompiledGradient, gradients: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return derivatives by all parameters, of which those by parameters that are not wanted are 0."""
    whole = np.zeros((*gradients.shape[:-1], len(function.parameters)))
    whole[..., [function.parameters.index(one) for one in function.wanted]] = gradients
    return whole
