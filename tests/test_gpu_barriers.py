"""Every barrier of the kernels is needed: without any one of them, results on the emulated GPU are wrong."""

import re

import pytest

from basicaer.devices.gpu import adjoint, kernel_cache, pauli_groups
from basicaer.devices.gpu.device import CupyDevice
from basicaer.devices.gpu.kernels import kernel_source
from basicaer.options import Precision
from conftest import TINY_SHAPES
from emulated_gpu import EmulatedCupy, why_unavailable
from everything_read import is_right

pytestmark = pytest.mark.skipif(why_unavailable() is not None, reason=f"kernels cannot run here: {why_unavailable()}")

N = 8
BARRIERS = [match.start() for match in re.finditer(r"__syncthreads\(\)", kernel_source())]


@pytest.fixture(autouse=True)
def _few_blocks(monkeypatch):
    """Let each block sum the Paulis, and the transition matrices, of several tiles."""
    monkeypatch.setattr(pauli_groups, "_MOST_BLOCKS", 2)
    monkeypatch.setattr(adjoint, "_MOST_BLOCKS", 2)


def is_right_here():
    return is_right(CupyDevice(cupy=EmulatedCupy(), shapes=TINY_SHAPES), N, Precision.DOUBLE)


def test_with_all_barriers_all_is_right():
    assert is_right_here()


@pytest.mark.slow  # each compiles the kernels anew
@pytest.mark.parametrize("at", BARRIERS, ids=range(len(BARRIERS)))
def test_without_a_barrier_something_is_wrong(at, monkeypatch):
    text = kernel_source()
    monkeypatch.setattr(kernel_cache, "kernel_source", lambda: text[:at] + text[at + len("__syncthreads()") :])
    assert not is_right_here()
