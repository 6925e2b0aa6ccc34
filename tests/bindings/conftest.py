"""What runs here calls basicaer from PyTorch, JAX and PennyLane, and all of it runs: see `nox -s bindings`."""

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector

from basicaer import value_and_gradient
from none_skipped import pytest_make_collect_report, pytest_runtest_makereport  # noqa: F401


@pytest.fixture
def circuit():
    """Three parameters, one of them in two gates and one in a product."""
    angle = ParameterVector("angle", 3)
    circuit = QuantumCircuit(2)
    circuit.ry(angle[0], 0)
    circuit.cx(0, 1)
    circuit.rx(angle[1] * angle[2], 1)
    circuit.rzz(angle[2], 0, 1)
    circuit.ry(0.3, 0)
    return circuit


@pytest.fixture(params=["ZX", ["XX"], ["ZX", "IZ"]], ids=["one", "list of one", "two"])
def function(request, circuit):
    return value_and_gradient(circuit, request.param)


@pytest.fixture
def points():
    return np.random.default_rng(3).normal(size=(4, 3))
