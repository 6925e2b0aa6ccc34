"""Fixtures that all tests share: every device and precision, and shots spread evenly instead of at random."""

from __future__ import annotations

import numpy as np
import pytest

from basicaer import BasicAer
from basicaer.devices.numpy_device import NumpyDevice
from basicaer.engine import execute
from basicaer.options import Precision

DEVICES = {"CPU": NumpyDevice}
TOLERANCE = {Precision.DOUBLE: 1e-12, Precision.SINGLE: 2e-6}


@pytest.fixture(params=DEVICES)
def device(request):
    return DEVICES[request.param]()


@pytest.fixture(params=list(Precision), ids=str)
def precision(request):
    return request.param


@pytest.fixture
def tolerance(precision):
    return TOLERANCE[precision]


@pytest.fixture
def qasm():
    return BasicAer.get_backend("qasm_simulator")


@pytest.fixture
def statevector():
    return BasicAer.get_backend("statevector_simulator")


@pytest.fixture
def unitary():
    return BasicAer.get_backend("unitary_simulator")


class EvenDraws:
    """In place of a random generator: n draws are n numbers spread evenly, so that counts are probabilities.

    They come shuffled, always in the same way, so that draws one after another are not correlated.
    """

    def __init__(self, _seed: int) -> None:
        self._shuffle = np.random.default_rng(0)

    def random(self, size: int) -> np.ndarray:
        return self._shuffle.permutation((np.arange(size) + 0.5) / size)


@pytest.fixture
def even_draws(monkeypatch):
    monkeypatch.setattr(execute, "generator", EvenDraws)
