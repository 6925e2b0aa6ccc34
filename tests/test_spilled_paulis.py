"""Expectation values of states in files: the same as of the whole vector, from few and long reads."""

import numpy as np
import pytest

import reference
from basicaer.devices.cpu.device import NumpyDevice
from basicaer.devices.spilled.cosets import cosets_with
from basicaer.devices.spilled.device import SpilledDevice
from basicaer.devices.spilled.state_file import StateFile
from basicaer.options import Precision
from basicaer.plan.planner import plan_segment
from basicaer.plan.stages import plan_stages

N = 10


@pytest.fixture
def reads(monkeypatch):
    """The numbers of amplitudes that are read at a time."""
    counts, read = [], StateFile.read

    def counted(self, start, into, poll):
        counts.append(len(into))
        read(self, start, into, poll)

    monkeypatch.setattr(StateFile, "read", counted)
    return counts


def spilled(folder, chunk_qubits):
    cpu = NumpyDevice(threads=1, tile_qubits=3)
    device = SpilledDevice(folder, plan_segment, plan_stages, device=cpu, chunk_qubits=chunk_qubits)
    return device.new_state(N, Precision.DOUBLE)


def random_products(count, seed=0):
    return [tuple(pair) for pair in np.random.default_rng(seed).integers(0, 2**N, (count, 2)).tolist()]


@pytest.mark.parametrize("chunk_qubits", [2, 3, 6, N])
def test_random_products_have_the_values_of_the_vector(chunk_qubits, tmp_path):
    state, vector = spilled(tmp_path, chunk_qubits), reference.random_state(N)
    products = [*random_products(20), (0, 0), (2**N - 1, 0), (0, 2**N - 1)]
    state.load(vector)
    expected = [reference.expectation(vector, x, z) for x, z in products]
    assert np.allclose(state.expectations(products), expected, rtol=0, atol=1e-12)
    assert len(state.expectations([])) == 0


def test_what_a_measurement_has_left_out_does_not_count(tmp_path):
    state, vector, products = spilled(tmp_path, 4), reference.random_state(N), random_products(40)
    state.load(vector)
    for qubit in (N - 1, 0, 4):
        _, one = state.weights(qubit)
        state.collapse(qubit, outcome=True, probability=one)
        vector = reference.collapse(vector, qubit, 1)
    expected = [reference.expectation(vector, x, z) for x, z in products]
    assert np.allclose(state.expectations(products), expected, rtol=0, atol=1e-12)


def test_random_products_read_the_file_a_few_times_in_long_runs(tmp_path, reads):
    state = spilled(tmp_path, 7)
    state.load(reference.random_state(N))
    reads.clear()
    state.expectations(random_products(100))  # 97 different flips
    assert min(reads) >= 2**5
    assert sum(reads) == 13 * 2**N


def test_products_of_neighbours_read_the_file_as_often_as_two_qubits_of_a_chunk_allow(tmp_path, reads):
    state = spilled(tmp_path, 7)
    state.load(reference.random_state(N))
    reads.clear()
    state.expectations([(3 * 2**q, z * 2**q) for q in range(N - 1) for z in (0, 3)])
    assert sum(reads) == 3 * 2**N


def test_cosets_hold_each_amplitude_once():
    flips = [0b1010000000, 0b0110100001, 0b1100000000]
    cosets = cosets_with(flips, N, 6, 4)
    assert all(map(cosets.holds, flips[:2]))
    places = []
    for number in cosets.numbers({}):
        of_chunk = [start + i for _, start, _ in cosets.runs(number, {}) for i in range(2**4)]
        assert {place ^ flips[0] for place in of_chunk} == {place ^ flips[1] for place in of_chunk} == set(of_chunk)
        places += of_chunk
    assert sorted(places) == list(range(2**N))
