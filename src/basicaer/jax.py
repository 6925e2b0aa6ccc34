"""Expectation values of circuits as functions of JAX; needs ``pip install basicaer[jax]``.

Values and derivatives are computed in float64 outside of JAX, by callbacks, and returned in the type that was given.
They work under ``jit``, ``grad``, ``vmap`` and ``jacrev``.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
from jax import numpy as jnp

from basicaer.errors import PubError
from basicaer.gradients.autodiff import check_function, gives_gradients, jacobian_at, shape_at, vjp_at

if TYPE_CHECKING:
    from collections.abc import Callable

    from basicaer.gradients import CompiledGradient

__all__ = ["expectations"]

_logger = logging.getLogger(__name__)


def expectations(function: CompiledGradient, values: Any) -> jax.Array:
    """Return expectation values at parameter values, which JAX can differentiate once, backwards.

    One value for each set of parameters is computed along with its derivatives, if these are asked for. If there are
    several observables, the vector-Jacobian product is computed, which takes as long as for one of them.

    Parameters
    ----------
    function
        What `value_and_gradient` returns.
    values
        Array of shape (..., number of parameters): one set of values, or many, which run as a batch. So do the sets
        that ``jax.vmap`` makes. The derivatives by parameters that `function` leaves out are 0.

    Returns
    -------
    jax.Array
        Of shape ``(..., *function.shape)``. It is NaN if the computation failed, since JAX does not say what becomes of
        exceptions; the error is logged by ``logging.getLogger("basicaer.jax")``.

    Raises
    ------
    BasicAerError
        For anything that `function` would refuse and that does not depend on the values themselves.

    Examples
    --------
    >>> import jax
    >>> from qiskit import QuantumCircuit
    >>> from qiskit.circuit import Parameter
    >>> from basicaer import value_and_gradient
    >>> from basicaer.jax import expectations
    >>> circuit = QuantumCircuit(1)
    >>> _ = circuit.ry(Parameter("angle"), 0)
    >>> function = value_and_gradient(circuit, "Z")
    >>> energy = jax.jit(lambda angle: expectations(function, angle))
    >>> round(float(jax.grad(energy)(jax.numpy.array([0.5]))[0]), 4)
    -0.4794
    """
    check_function(function)
    array = jnp.asarray(values)
    if jnp.issubdtype(array.dtype, jnp.complexfloating):
        raise PubError(f"Parameter values must be an array of real numbers, not of {array.dtype}.")
    if not jnp.issubdtype(array.dtype, jnp.floating):
        array = array.astype(float)
    shape_at(function, array.shape)
    found: jax.Array = _expectations(function, array)
    return found


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _expectations(function: CompiledGradient, values: jax.Array) -> jax.Array:
    shape = jax.ShapeDtypeStruct(shape_at(function, values.shape), values.dtype)
    return _called(function.values, shape, values)


def _forwards(function: CompiledGradient, values: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Return the values, and what the way back needs: derivatives, or else the parameter values."""
    if not gives_gradients(function):
        return _expectations(function, values), values
    shape = shape_at(function, values.shape)
    shapes = (jax.ShapeDtypeStruct(shape, values.dtype), jax.ShapeDtypeStruct(values.shape, values.dtype))
    found, gradients = _called(partial(jacobian_at, function), shapes, values)
    return found, gradients


def _backwards(function: CompiledGradient, kept: jax.Array, cotangent: jax.Array) -> tuple[jax.Array]:
    if gives_gradients(function):
        return (cotangent.reshape(*kept.shape[:-1], 1) * kept,)
    shape = jax.ShapeDtypeStruct(kept.shape, kept.dtype)
    return (_called(partial(vjp_at, function), shape, kept, cotangent),)


_expectations.defvjp(_forwards, _backwards)


def _called(function: Callable[..., Any], shapes: Any, *arrays: jax.Array) -> Any:
    """Call a function of NumPy's arrays; axes that `jax.vmap` maps come first in all of them."""

    def call(*given: Any) -> Any:
        whole = [np.asarray(one, float) for one in given]
        batch = whole[0].shape[: whole[0].ndim - arrays[0].ndim]

        def like(shape: Any, found: Any) -> Any:
            return np.broadcast_to(np.asarray(found, shape.dtype), (*batch, *shape.shape))

        try:
            return jax.tree.map(like, shapes, function(*whole))
        except Exception:
            _logger.exception("Expectation values could not be computed, and are NaN.")
            return jax.tree.map(lambda shape: like(shape, np.nan), shapes)

    return jax.pure_callback(call, shapes, *arrays, vmap_method="broadcast_all")
