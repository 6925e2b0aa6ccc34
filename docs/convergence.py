"""Computes and draws how a VQE and a quantum neural network converge with gradients, for the page on them."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.circuit.library import efficient_su2
from qiskit.quantum_info import SparsePauliOp
from scipy.optimize import minimize

from basicaer import value_and_gradient

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

__all__ = ["convergence_picture", "qnn_losses", "vqe_energies"]

_QUBITS, _VQE_STEPS, _QNN_STEPS = 8, 60, 60


def vqe_energies() -> tuple[dict[str, list[float]], float]:
    """Return the energies of a spin chain after each step of two optimisers, and the lowest there is."""
    n = _QUBITS
    chain = SparsePauliOp.from_sparse_list(
        [("ZZ", [i, i + 1], -1.0) for i in range(n - 1)] + [("X", [i], -0.8) for i in range(n)], n
    )
    ansatz = efficient_su2(n, reps=3, entanglement="linear")
    function = value_and_gradient(ansatz, chain)
    start = np.random.default_rng(5).uniform(-0.5, 0.5, ansatz.num_parameters)
    found: dict[str, list[float]] = {}
    steps = [start]
    minimize(function, start, jac=True, method="L-BFGS-B", callback=steps.append, options={"maxiter": _VQE_STEPS})
    found["L-BFGS-B"] = function.values(np.array(steps)).tolist()
    steps = list(adam(lambda values: function(values)[1], start, _VQE_STEPS))
    found["Adam"] = function.values(np.array(steps)).tolist()
    return found, float(np.linalg.eigvalsh(chain.to_matrix())[0])


def qnn_losses() -> tuple[list[float], list[float]]:
    """Return the losses of a network on points that it is trained with and on others, after each step.

    It is to tell points inside of a circle from those outside, as that of `examples/qnn_torch.py`, and has all points
    of a step in one batch. A vector-Jacobian product gives the gradient of the loss.
    """
    inputs, weights = ParameterVector("x", 2), ParameterVector("w", 16)
    circuit, angles = QuantumCircuit(2), iter(weights)
    for _ in range(4):
        for qubit in range(2):
            circuit.rx(inputs[qubit], qubit)
            circuit.ry(next(angles), qubit)
            circuit.rz(next(angles), qubit)
        circuit.cz(0, 1)
    function = value_and_gradient(circuit, "ZZ", parameters=list(weights))
    random = np.random.default_rng(1)
    points = random.uniform(-1, 1, (200, 2))
    is_inside = np.where((points**2).sum(axis=1) < 0.64, 1.0, -1.0)
    known, new = slice(0, 150), slice(150, 200)
    order = [parameter in list(weights) for parameter in function.parameters]

    def rows(values: NDArray[np.float64], some: slice) -> NDArray[np.float64]:
        whole = np.empty((len(points[some]), len(order)))
        whole[:, order], whole[:, ~np.array(order)] = values, 3 * points[some]
        return whole

    def loss(values: NDArray[np.float64], some: slice) -> float:
        return float(((function.values(rows(values, some)) - is_inside[some]) ** 2).mean())

    def slope(values: NDArray[np.float64]) -> NDArray[np.float64]:
        result = function.submit(rows(values, known)).result()
        residues = 2 * (result.values - is_inside[known]) / len(is_inside[known])
        gradient: NDArray[np.float64] = residues @ result.gradients
        return gradient

    steps = list(adam(slope, random.uniform(-1, 1, len(weights)), _QNN_STEPS))
    return [loss(values, known) for values in steps], [loss(values, new) for values in steps]


def adam(
    slope: Callable[[NDArray[np.float64]], NDArray[np.float64]], values: NDArray[np.float64], steps: int
) -> Iterator[NDArray[np.float64]]:
    """Yield values, and those after each step down a slope (Kingma and Ba 2014, arXiv:1412.6980)."""
    mean, square = np.zeros_like(values), np.zeros_like(values)
    yield values
    for step in range(1, steps + 1):
        own = slope(values)
        mean, square = 0.9 * mean + 0.1 * own, 0.99 * square + 0.01 * own**2
        values = values - 0.1 * (mean / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.99**step)) + 1e-9)
        yield values


def convergence_picture() -> bytes:
    """Return the picture: distances from the lowest energy, and losses, over steps."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    energies, lowest = vqe_energies()
    for name, own in energies.items():
        left.plot(own, label=name)
    left.axhline(lowest, color="grey", linestyle="--", label="lowest energy")
    left.set(title=f"VQE of a chain of {_QUBITS} spins", xlabel="step", ylabel="energy")
    known, new = qnn_losses()
    right.plot(known, label="points it is trained with")
    right.plot(new, label="other points")
    right.set(title="network that recognises a circle", xlabel="step", ylabel="mean squared error", ylim=(0, None))
    for axes in (left, right):
        axes.legend()
        axes.spines[["top", "right"]].set_visible(False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=160)
    return buffer.getvalue()
