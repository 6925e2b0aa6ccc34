"""Every barrier of the kernels is needed: without any one of them, results on the emulated GPU are wrong."""

import re

import numpy as np
import pytest

import reference
from basicaer.devices.gpu import kernel_cache, pauli_groups
from basicaer.devices.gpu.device import CupyDevice
from basicaer.devices.gpu.kernels import kernel_source
from basicaer.engine.program import Segment
from basicaer.options import Precision
from basicaer.plan.planner import plan_segment
from conftest import TINY_SHAPES
from emulated_gpu import EmulatedCupy, why_unavailable
from plan_checks import in_program_order, random_gates

pytestmark = pytest.mark.skipif(why_unavailable() is not None, reason=f"kernels cannot run here: {why_unavailable()}")

N = 8
BARRIERS = [match.start() for match in re.finditer(r"__syncthreads\(\)", kernel_source())]


@pytest.fixture(autouse=True)
def _few_blocks(monkeypatch):
    """Let each block sum the Paulis of several tiles."""
    monkeypatch.setattr(pauli_groups, "_MOST_BLOCKS", 2)


def is_right():
    """Run gates in many passes, wide ones among them; tell whether everything that is read of the state is right."""
    device = CupyDevice(cupy=EmulatedCupy(), shapes=TINY_SHAPES)
    for seed, widest in enumerate((2, 2, 2, 3, 4)):
        gates = random_gates(np.random.default_rng(seed), N, 60, widest=widest)
        segment = Segment(tuple(gates))
        state = device.new_state(N, Precision.DOUBLE)
        state.load(start := reference.random_state(N, seed))
        state.run(segment, plan_segment(segment, N, device.costs(N, Precision.DOUBLE)))
        want = in_program_order(gates, start)
        weights = abs(want) ** 2
        products = [(x, z) for x in (0, 1, 6) for z in range(0, 2**N, 5)]
        middle = weights.cumsum() - weights / 2
        checks = [
            np.allclose(state.block_weights(1), weights.reshape(-1, 2).sum(axis=1)),
            np.allclose(state.weights(6), weights.reshape(2, 2, -1).sum(axis=(0, 2))),
            np.allclose(state.expectations(products), [reference.expectation(want, *masks) for masks in products]),
            (state.indices_of_draws(N, np.zeros(2**N, np.int64), middle) == np.arange(2**N)).all(),
            np.allclose(state.amplitudes(), want),
        ]
        if not all(checks):
            return False
    return True


def test_with_all_barriers_all_is_right():
    assert is_right()


@pytest.mark.parametrize("at", BARRIERS, ids=range(len(BARRIERS)))
def test_without_a_barrier_something_is_wrong(at, monkeypatch):
    text = kernel_source()
    monkeypatch.setattr(kernel_cache, "kernel_source", lambda: text[:at] + text[at + len("__syncthreads()") :])
    assert not is_right()
