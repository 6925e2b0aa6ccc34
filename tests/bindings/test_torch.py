"""Functions and layers of PyTorch: derivatives, batches, types, transforms, and training."""

import gc

import numpy as np
import pytest
import torch

from basicaer import BasicAerError, CompiledGradient, PubError, value_and_gradient
from basicaer.engine import adjoint
from basicaer.engine.kept_states import kept_states
from basicaer.noise import NoiseModel, pauli_error
from basicaer.torch import CircuitLayer, expectations


@pytest.mark.parametrize("shape", [(3,), (2, 3), (2, 2, 3)])
def test_derivatives_are_those_of_differences(function, shape):
    torch.manual_seed(4)
    values = torch.randn(*shape, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda values: expectations(function, values), values)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_results_have_the_type_that_was_given_and_are_computed_in_double(function, points, dtype):
    values = torch.tensor(points, dtype=dtype, requires_grad=True)
    found = expectations(function, values)
    found.sum().backward()
    want, gradients = function(values.detach().to(torch.float64).numpy())
    assert found.dtype == values.grad.dtype == dtype
    torch.testing.assert_close(found.detach(), torch.tensor(want, dtype=dtype))
    whole = torch.tensor(gradients.reshape(4, -1, 3).sum(axis=1))
    torch.testing.assert_close(values.grad, whole.to(dtype))


def test_whole_numbers_become_the_default_type(function):
    assert expectations(function, [1, 2, 3]).dtype == torch.get_default_dtype()


def test_maps_and_jacobians_of_torch_func(function, points):
    values = torch.tensor(points)
    one = lambda values: expectations(function, values)  # noqa: E731
    assert torch.equal(torch.func.vmap(one)(values), one(values))
    found = torch.func.vmap(torch.func.jacrev(one))(values)
    torch.testing.assert_close(found, torch.tensor(function(points)[1]))


def count(monkeypatch, name):
    calls = []
    whole = getattr(CompiledGradient, name)
    monkeypatch.setattr(
        CompiledGradient, name, lambda *given, **named: (calls.append(given), whole(*given, **named))[1]
    )
    return calls


def test_a_product_of_many_outputs_takes_one_sweep_and_one_output_takes_no_second(circuit, points, monkeypatch):
    calls = count(monkeypatch, "_submitted")
    for observables, sweeps in ((["ZX", "IZ", "YY"], [False, True]), ("ZX", [False])):
        function = value_and_gradient(circuit, observables)
        calls.clear()
        values = torch.tensor(points, requires_grad=True)
        expectations(function, values).square().sum().backward()
        assert [cotangent is not None for _, _, cotangent, *_ in calls] == sweeps


def test_the_way_back_begins_where_the_values_were_read(circuit, points, monkeypatch):
    """States are kept if there is room for them, until they are used or the graph is gone."""
    evolved = []
    forwards = adjoint._OneSweep._forwards
    monkeypatch.setattr(adjoint._OneSweep, "_forwards", lambda self: (evolved.append(1), forwards(self))[1])
    function = value_and_gradient(circuit, ["ZX", "IZ"])
    values = torch.tensor(points, requires_grad=True)
    found = expectations(function, values)
    found.sum().backward(retain_graph=True)
    assert len(evolved) == 1
    first = values.grad.clone()
    found.sum().backward()
    assert len(evolved) == 2  # the states were used up
    torch.testing.assert_close(values.grad, 2 * first, rtol=0, atol=1e-14)
    torch.testing.assert_close(first, torch.tensor(function(points)[1].sum(axis=1)), rtol=0, atol=1e-12)
    unused = expectations(function, values)
    assert kept_states._kept
    del unused, found
    gc.collect()
    assert not kept_states._kept
    monkeypatch.setattr("basicaer.devices.cpu.device.NumpyDevice.free_bytes", lambda _: 2**6)
    evolved.clear()
    expectations(function, values).sum().backward()
    assert len(evolved) == 2


def test_sets_of_a_noisy_circuit_are_differentiated_each_at_its_own_values(circuit, points):
    """The patterns of errors of each set are sets of their own, whose states are not those of another one."""
    noise = NoiseModel(basis_gates=["rx", "ry", "rzz", "cx"])
    noise.add_all_qubit_quantum_error(pauli_error([("X", 0.1), ("I", 0.9)]), ["rx", "ry"])
    function = value_and_gradient(circuit, ["ZX", "IZ"], method="adjoint", noise_model=noise)
    values = torch.tensor(points, requires_grad=True)
    expectations(function, values).sum().backward()
    torch.testing.assert_close(values.grad, torch.tensor(function(points)[1].sum(axis=1)), rtol=0, atol=1e-12)
    assert not kept_states._kept


def test_values_alone_are_not_differentiated(circuit, points, monkeypatch):
    function = value_and_gradient(circuit, "ZX")
    values = torch.tensor(points, requires_grad=True)
    with torch.no_grad():
        monkeypatch.setattr(CompiledGradient, "vjp", None)
        found = expectations(function, values)
    assert not found.requires_grad
    assert np.array_equal(found.numpy(), function.values(points))


def test_a_second_derivative_is_refused_and_never_wrong(function, points):
    values = torch.tensor(points[0], requires_grad=True)
    (first,) = torch.autograd.grad(expectations(function, values).sum(), values, create_graph=True)
    with pytest.raises(BasicAerError, match="differentiate expectation values of basicaer once"):
        first.sum().backward()


def test_parameters_that_are_left_out_have_derivatives_of_0(circuit, points):
    values = torch.tensor(points, requires_grad=True)
    expectations(value_and_gradient(circuit, "ZX", parameters=["angle[1]"]), values).sum().backward()
    _, want = value_and_gradient(circuit, "ZX")(points)
    assert np.array_equal(values.grad.numpy(), want * [0, 1, 0])


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (torch.zeros(2), "has 3 parameters, and is given values of shape"),
        (torch.zeros(3, dtype=torch.complex64), "real numbers"),
        (torch.full((3,), torch.nan), "not finite"),
    ],
)
def test_bad_values_are_refused(function, values, sentence):
    with pytest.raises(PubError, match=sentence):
        expectations(function, values)


def test_a_layer_orders_inputs_and_weights_as_the_circuit_has_them(circuit, points):
    layer = CircuitLayer(circuit, ["ZX", "IZ"], inputs=["angle[2]", "angle[0]"], weights=[0.7])
    inputs = torch.tensor(points[:, :2], requires_grad=True)
    found = layer(inputs)
    sets = np.stack([points[:, 1], np.full(4, 0.7), points[:, 0]], axis=1)
    want, gradients = value_and_gradient(circuit, ["ZX", "IZ"])(np.asarray(sets))
    assert np.allclose(found.detach(), want, rtol=0, atol=1e-7)
    found.sum().backward()
    assert np.allclose(inputs.grad, gradients.sum(axis=1)[:, [2, 0]], rtol=0, atol=1e-6)
    assert np.allclose(layer.weights.grad, gradients.sum(axis=(0, 1))[1], rtol=0, atol=1e-6)


def test_a_layer_without_inputs_and_its_state(circuit):
    layer, other = CircuitLayer(circuit, "ZX"), CircuitLayer(circuit, "ZX")
    assert layer().shape == ()
    other.load_state_dict(layer.state_dict())
    assert torch.equal(layer(), other())
    assert "3 parameters" in repr(layer)


def test_a_layer_refuses_what_does_not_fit(circuit):
    with pytest.raises(PubError, match="2 weights, and is given weights of shape"):
        CircuitLayer(circuit, "ZX", inputs=["angle[0]"], weights=[1.0])
    with pytest.raises(PubError, match=r"1 input, and is given a tensor of shape \(2,\)"):
        CircuitLayer(circuit, "ZX", inputs=["angle[0]"])(torch.zeros(2))
    with pytest.raises(BasicAerError, match="what value_and_gradient"):
        expectations(circuit, torch.zeros(3))
