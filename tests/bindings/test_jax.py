"""Functions of JAX: values and derivatives, under its transforms."""

import logging

import jax
import numpy as np
import pytest
from jax import numpy as jnp

from basicaer import BasicAerError, CompiledGradient, PubError, value_and_gradient
from basicaer.jax import expectations


@pytest.fixture(params=[False, True], ids=["float32", "float64"])
def atol(request):
    with jax.enable_x64(request.param):
        yield 1e-12 if request.param else 1e-5


@pytest.mark.parametrize("compiled", [lambda function: function, jax.jit], ids=["at once", "jit"])
def test_values_and_derivatives_under_every_transform(function, points, atol, compiled):
    one = lambda values: expectations(function, values)  # noqa: E731
    values = jnp.asarray(points)
    want, gradients = function(np.asarray(values, float))
    found = compiled(one)(values)
    assert found.dtype == values.dtype
    assert np.allclose(found, want, rtol=0, atol=atol)
    assert np.allclose(compiled(jax.vmap(one))(values), want, rtol=0, atol=atol)
    assert np.allclose(compiled(jax.vmap(jax.jacrev(one)))(values), gradients, rtol=0, atol=atol)
    summed = compiled(jax.grad(lambda values: (one(values) ** 2).sum()))(values)
    weighed = 2 * np.reshape(want, (4, -1, 1)) * gradients.reshape(4, -1, 3)
    assert np.allclose(summed, weighed.sum(axis=1), rtol=0, atol=atol)


def test_a_map_runs_as_one_batch(circuit, points, monkeypatch):
    function = value_and_gradient(circuit, ["ZX", "IZ"])
    shapes, whole = [], CompiledGradient.values
    monkeypatch.setattr(
        CompiledGradient, "values", lambda self, values: (shapes.append(values.shape), whole(self, values))[1]
    )
    jax.vmap(lambda values: expectations(function, values))(jnp.asarray(points)).block_until_ready()
    assert shapes == [(4, 3)]


def test_bad_shapes_are_refused_outside_of_the_callback(function):
    compiled = jax.jit(lambda values: expectations(function, values))
    with pytest.raises(PubError, match="has 3 parameters, and is given values of shape"):
        compiled(jnp.zeros(2))
    with pytest.raises(PubError, match="real numbers, not of complex"):
        compiled(jnp.zeros(3, complex))
    with pytest.raises(BasicAerError, match="what value_and_gradient"):
        expectations(None, jnp.zeros(3))


def test_what_fails_inside_is_nan_and_logged(function, caplog):
    with caplog.at_level(logging.ERROR, "basicaer.jax"):
        found = jax.jit(lambda values: expectations(function, values))(jnp.array([jnp.nan, 0, 0]))
        assert np.isnan(found).all()
    assert "not finite" in caplog.text


def test_a_second_derivative_is_refused(function, points):
    with pytest.raises((TypeError, ValueError)):
        jax.hessian(lambda values: expectations(function, values))(jnp.asarray(points[0]))
