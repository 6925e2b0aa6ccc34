"""Expectation values of circuits as functions and layers of PyTorch; needs ``pip install basicaer[torch]``.

Values and derivatives are computed in float64 on the device that basicaer's options name. Tensors may be of any real
type and lie on any device; results are of the type, and lie on the device, of what was given.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
import torch

from basicaer.errors import BasicAerError, PubError
from basicaer.gradients import CompiledGradient, value_and_gradient
from basicaer.gradients.autodiff import KeptState, check_function, gives_gradients, jacobian_at, values_at, vjp_at
from basicaer.wording import counted

if TYPE_CHECKING:
    from qiskit import QuantumCircuit
    from qiskit.circuit import Parameter
    from qiskit.primitives.containers.observables_array import ObservablesArrayLike

    from basicaer.option_types import JobRunOptions
    from basicaer.simulators.base import BasicAerSimulator

__all__ = ["CircuitLayer", "expectations"]


def expectations(function: CompiledGradient, values: Any) -> torch.Tensor:
    """Return expectation values at parameter values, as a tensor that can be differentiated once.

    One value for each set of parameters is computed along with its derivatives, if these are asked for. If there are
    several observables, ``backward`` computes the vector-Jacobian product, which takes as long as for one of them.

    Parameters
    ----------
    function
        What `value_and_gradient` returns.
    values
        Tensor of shape (..., number of parameters): one set of values, or many, which run as a batch. The derivatives
        by parameters that `function` leaves out are 0.

    Returns
    -------
    torch.Tensor
        Of shape ``(..., *function.shape)``.

    Raises
    ------
    BasicAerError
        For anything that `function` would refuse.

    Examples
    --------
    >>> import torch
    >>> from qiskit import QuantumCircuit
    >>> from qiskit.circuit import Parameter
    >>> from basicaer import value_and_gradient
    >>> from basicaer.torch import expectations
    >>> circuit = QuantumCircuit(1)
    >>> _ = circuit.ry(Parameter("angle"), 0)
    >>> function = value_and_gradient(circuit, "Z")
    >>> angle = torch.tensor([0.5], requires_grad=True)
    >>> expectations(function, angle).backward()
    >>> angle.grad
    tensor([-0.4794])
    """
    check_function(function)
    values = torch.as_tensor(values)
    if not values.is_floating_point():  # the core refuses complex numbers
        values = values if values.is_complex() else values.to(torch.get_default_dtype())
    found: torch.Tensor
    if torch.is_grad_enabled() and values.requires_grad and gives_gradients(function):
        found, _ = _ValuesAndGradients.apply(values, function)
    else:
        is_differentiated = torch.is_grad_enabled() and values.requires_grad
        found = _Values.apply(values, function, KeptState() if is_differentiated else None)
    return found


class CircuitLayer(torch.nn.Module):
    """A layer whose outputs are the expectation values of observables in a circuit.

    Parameters
    ----------
    circuit, observables
        As for `gradient`.
    inputs
        The parameters, or their names, that the inputs of the layer are the values of, in their order. All others are
        the weights of the layer, in the order of ``circuit.parameters``.
    weights
        The weights to begin with; None draws them uniformly from -pi to pi by PyTorch's generator.
    method, backend, run_options
        As for `gradient`.

    Attributes
    ----------
    weights : torch.nn.Parameter
        The weights.

    Examples
    --------
    >>> import torch
    >>> from qiskit import QuantumCircuit
    >>> from qiskit.circuit import Parameter
    >>> from basicaer.torch import CircuitLayer
    >>> circuit = QuantumCircuit(1)
    >>> _ = circuit.ry(Parameter("input"), 0)
    >>> _ = circuit.ry(Parameter("weight"), 0)
    >>> layer = CircuitLayer(circuit, ["Z"], inputs=["input"])
    >>> layer(torch.zeros(5, 1)).shape
    torch.Size([5, 1])
    """

    def __init__(
        self,
        circuit: QuantumCircuit,
        observables: ObservablesArrayLike,
        *,
        inputs: Iterable[Parameter | str] = (),
        weights: Any = None,
        method: str | None = None,
        backend: BasicAerSimulator | None = None,
        **run_options: Unpack[JobRunOptions],
    ) -> None:
        super().__init__()
        inputs = list(inputs) if isinstance(inputs, Iterable) and not isinstance(inputs, str) else [inputs]
        chosen = value_and_gradient(
            circuit, observables, parameters=inputs, method=method, backend=backend, **run_options
        ).wanted
        names = [one.name for one in circuit.parameters]
        own = [one for one in circuit.parameters if one not in chosen]
        # Without derivatives by inputs, which data do not need.
        self._by_weights = value_and_gradient(
            circuit, observables, parameters=own, method=method, backend=backend, **run_options
        )
        self._by_all = self._by_weights
        if chosen:
            self._by_all = value_and_gradient(circuit, observables, method=method, backend=backend, **run_options)
        self._name = circuit.name
        self._inputs = [names.index(one.name) for one in chosen]
        # Value j of the circuit is number `_order[j]` of the inputs followed by the weights.
        self._order = np.argsort([*self._inputs, *(names.index(one.name) for one in own)]).tolist()
        if weights is None:
            weights = torch.empty(len(own)).uniform_(-torch.pi, torch.pi)
        weights = torch.as_tensor(weights)
        if weights.shape != (len(own),):
            raise PubError(
                f"Circuit '{circuit.name}' has {counted(len(own), 'weight')}, and is given weights of shape "
                f"{tuple(weights.shape)}; give an array of shape ({len(own)},)."
            )
        weights = weights if weights.is_floating_point() else weights.to(torch.get_default_dtype())
        self.weights = torch.nn.Parameter(weights.detach().clone())

    def forward(self, inputs: torch.Tensor | None = None) -> torch.Tensor:
        """Return the expectation values.

        Parameters
        ----------
        inputs
            Tensor of shape (..., number of inputs); None for a circuit without inputs.

        Returns
        -------
        torch.Tensor
            Of shape (..., observables), where the observables have the shape that they were given in.
        """
        count = len(self._inputs)
        if inputs is None:
            inputs = self.weights.new_empty(0)
        if not inputs.ndim or inputs.shape[-1] != count:
            raise PubError(
                f"A layer of circuit '{self._name}' has {counted(count, 'input')}, and is given a tensor of shape "
                f"{tuple(inputs.shape)}; give one of shape (..., {count})."
            )
        function = self._by_all if inputs.requires_grad else self._by_weights
        weights = self.weights.expand(*inputs.shape[:-1], -1)
        return expectations(function, torch.cat([inputs, weights], dim=-1)[..., self._order])

    def extra_repr(self) -> str:
        """Return what the layer is shown with."""
        return repr(self._by_all)


class _Values(torch.autograd.Function):
    """Expectation values; backwards, a vector-Jacobian product by a sweep of its own."""

    @staticmethod
    def forward(values: torch.Tensor, function: CompiledGradient, kept: KeptState | None) -> torch.Tensor:
        return _like(values, values_at(function, _array(values), kept))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[torch.Tensor, CompiledGradient, Any], output: torch.Tensor) -> None:
        del output
        values, ctx.function, ctx.kept = inputs
        ctx.save_for_backward(values)

    @staticmethod
    def backward(ctx: Any, *cotangents: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        (values,) = ctx.saved_tensors
        return _Product.apply(values, cotangents[0], None, ctx.function, ctx.kept), None, None

    @staticmethod
    def vmap(
        info: Any, in_dims: Any, values: torch.Tensor, function: CompiledGradient, kept: KeptState | None
    ) -> tuple[torch.Tensor, int]:
        return _Values.apply(_leading(info, in_dims[0], values), function, kept), 0


class _ValuesAndGradients(torch.autograd.Function):
    """One expectation value for each set of values, with its derivatives from the same sweep."""

    @staticmethod
    def forward(values: torch.Tensor, function: CompiledGradient) -> tuple[torch.Tensor, torch.Tensor]:
        found, gradients = jacobian_at(function, _array(values))
        return _like(values, found), torch.from_numpy(gradients)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: tuple[torch.Tensor, torch.Tensor]) -> None:
        values, ctx.function = inputs
        _, gradients = output
        ctx.mark_non_differentiable(gradients)
        ctx.save_for_backward(values, gradients)

    @staticmethod
    def backward(ctx: Any, *cotangents: torch.Tensor) -> tuple[torch.Tensor, None]:
        values, gradients = ctx.saved_tensors
        return _Product.apply(values, cotangents[0], gradients, ctx.function, None), None

    @staticmethod
    def vmap(info: Any, in_dims: Any, values: torch.Tensor, function: CompiledGradient) -> tuple[Any, Any]:
        return _ValuesAndGradients.apply(_leading(info, in_dims[0], values), function), (0, 0)


class _Product(torch.autograd.Function):
    """The vector-Jacobian product, by a sweep or, if there is one observable, of the derivatives that are known.

    It takes `values` in both cases, so that PyTorch knows of what it would be a second derivative.
    """

    @staticmethod
    def forward(
        values: torch.Tensor,
        cotangent: torch.Tensor,
        gradients: torch.Tensor | None,
        function: CompiledGradient,
        kept: KeptState | None,
    ) -> torch.Tensor:
        if gradients is None:
            return _like(values, vjp_at(function, _array(values), _array(cotangent), kept))
        return _like(values, _array(cotangent).reshape(*values.shape[:-1], 1) * gradients.numpy())

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        """Keep nothing: there is no second derivative."""

    @staticmethod
    def backward(ctx: Any, *cotangents: torch.Tensor) -> None:
        del ctx, cotangents
        raise BasicAerError(
            "PyTorch can differentiate expectation values of basicaer once; for second derivatives, take differences "
            "of gradients."
        )

    @staticmethod
    def vmap(info: Any, in_dims: Any, *tensors: Any) -> tuple[torch.Tensor, int]:
        *given, function, _ = tensors  # states that are kept are those of other sets
        each = [None if one is None else _leading(info, axis, one) for one, axis in zip(given, in_dims, strict=False)]
        return _Product.apply(*each, function, None), 0


def _leading(info: Any, axis: int | None, tensor: torch.Tensor) -> torch.Tensor:
    """Return a tensor whose first axis is that of `torch.vmap`."""
    return tensor.expand(info.batch_size, *tensor.shape) if axis is None else tensor.movedim(axis, 0)


def _array(values: torch.Tensor) -> np.ndarray[Any, np.dtype[Any]]:
    values = values.detach().cpu()
    array: np.ndarray[Any, np.dtype[Any]] = (values if values.is_complex() else values.to(torch.float64)).numpy()
    return array


def _like(values: torch.Tensor, array: Any) -> torch.Tensor:
    """Return an array as a tensor of the type and on the device of another."""
    return torch.as_tensor(np.asarray(array), dtype=values.dtype, device=values.device)
