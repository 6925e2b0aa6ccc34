"""Expectation values on the GPU: what they read, whatever the number of products, of states and of blocks."""

import numpy as np
import pytest

import reference
from basicaer.devices.gpu import amplitudes, pauli_groups
from basicaer.devices.gpu.device import CupyDevice
from basicaer.options import Precision
from conftest import TINY_SHAPES
from emulated_gpu import EmulatedCupy, why_unavailable

pytestmark = pytest.mark.skipif(why_unavailable() is not None, reason=f"kernels cannot run here: {why_unavailable()}")

N = 9
TOLERANCE = {Precision.DOUBLE: 1e-13, Precision.SINGLE: 1e-6}


def launches_of(cupy, state, masks):
    """The launches that sum, and what they make."""
    before = len(cupy.gpu.launches)
    values = state.expectations(masks)
    return [launch for launch in cupy.gpu.launches[before:] if "sum_pauli" in launch.kernel], values


@pytest.mark.parametrize("precision", Precision, ids=str)
@pytest.mark.parametrize("x", [0, 1, 2**12 - 1, 2**11])
def test_all_products_that_flip_the_same_bits_take_one_reading(precision, x):
    cupy = EmulatedCupy(counting=True)
    state = CupyDevice(cupy=cupy).new_state(12, precision)
    state.load(reference.random_state(12, 1))
    launches, _ = launches_of(cupy, state, [(x, z) for z in range(256)])
    assert len(launches) == (1 if x == 0 else 2)  # the norm is one more
    counts = launches[-1].counts
    assert launches[-1].grid == (1, 1)
    assert counts.bytes_loaded == precision.amplitude_bytes * 2**12
    # Where the lowest bit tells the two amplitudes of a summand apart, they share a sector: the cache has the second.
    assert 32 * counts.sectors_loaded == counts.bytes_loaded * (2 if x == 1 else 1)
    assert counts.worst_conflict_degree == 1


def test_a_whole_observable_asks_for_the_norm_once_and_waits_once_for_each_group():
    cupy = EmulatedCupy()
    state = CupyDevice(cupy=cupy).new_state(N, Precision.DOUBLE)
    masks = [(x, z) for x in (3, 5, 64) for z in range(40)]
    launches, _ = launches_of(cupy, state, masks)
    assert len(launches) == 1 + 3
    assert [copy.kind for copy in cupy.gpu.copies].count("device to host") == 1 + 3


@pytest.mark.parametrize("precision", Precision, ids=str)
@pytest.mark.parametrize(("most_blocks", "most_products", "most_parts"), [(1, 4096, 2**21), (3, 7, 60), (512, 1, 1)])
def test_blocks_products_and_states_may_be_split(precision, most_blocks, most_products, most_parts, monkeypatch):
    monkeypatch.setattr(pauli_groups, "_MOST_BLOCKS", most_blocks)
    monkeypatch.setattr(pauli_groups, "_MOST_PRODUCTS", most_products)
    monkeypatch.setattr(amplitudes, "MOST_PARTS", most_parts)
    device = CupyDevice(cupy=EmulatedCupy(), shapes=TINY_SHAPES)
    vectors = [reference.random_state(N, seed) for seed in range(3)]
    states = []
    for vector in vectors:
        states.append(device.new_state(N, precision))
        states[-1].load(vector)
    masks = [(x, z) for x in (0, 1, 40, 2**N - 1) for z in range(0, 2**N, 31)]
    want = [[reference.expectation(vector, x, z) for x, z in masks] for vector in vectors]
    found = device.batch_of(states, precision, None).expectations(masks)
    assert np.allclose(found, want, rtol=0, atol=TOLERANCE[precision])
    assert np.allclose(states[1].expectations(masks), want[1], rtol=0, atol=TOLERANCE[precision])


def test_states_smaller_than_a_tile_are_summed_too():
    device = CupyDevice(cupy=EmulatedCupy())
    for n in range(1, 6):
        state = device.new_state(n, Precision.SINGLE)
        state.load(vector := reference.random_state(n, n))
        masks = [(x, z) for x in range(2**n) for z in range(2**n)][::3]
        want = [reference.expectation(vector, x, z) for x, z in masks]
        assert np.allclose(state.expectations(masks), want, rtol=0, atol=1e-6)
