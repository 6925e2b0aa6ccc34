"""What ranks send one another and hold meanwhile: as little as the stages say."""

import tracemalloc

import numpy as np
import pytest

import reference
from basicaer.devices.cpu.device import NumpyDevice
from basicaer.devices.distributed import state as distributed_state
from basicaer.engine.program import Form, Gate, Segment
from basicaer.options import Precision
from basicaer.plan.planner import plan_segment
from basicaer.plan.stages import plan_stages
from thread_ranks import devices

SWAP = np.array([0, 2, 1, 3])


def mixing(n, qubits, seed=0):
    return [Gate("u", "G", (q,), Form.MATRIX, reference.random_unitary(2, seed + q)) for q in qubits if q < n]


def entangling(n):
    return [Gate("cx", "X", ((q + 1) % n,), Form.PERMUTATION, np.array([1, 0]), (q,), 1) for q in range(n)]


@pytest.fixture(params=[1, 2], ids=["2 ranks", "4 ranks"])
def rank_qubits(request):
    return request.param


@pytest.fixture
def device(rank_qubits):
    return devices(2**rank_qubits, lambda: NumpyDevice(threads=1, tile_qubits=3))


def comms_of(state):
    return [one._comm for one in state.of_rank]


def test_ranks_send_what_the_stages_say(device, rank_qubits):
    n = 8
    segment = Segment((*mixing(n, range(n)), *entangling(n), *mixing(n, range(n)), *entangling(n)))
    state = device.new_state(n, Precision.DOUBLE)
    state.run(segment, None)
    stages = plan_stages(segment, n, rank_qubits, None)
    assert stages.exchanges > 1
    for comm in comms_of(state):
        assert comm.sent_bytes == stages.sent * 16 * 2 ** (n - rank_qubits)


def test_what_follows_goes_on_where_the_qubits_are(device, rank_qubits):
    n = 8
    state = device.new_state(n, Precision.DOUBLE)
    state.load(reference.random_state(n))
    state.run(Segment((*mixing(n, range(n)),)), None)  # which leaves other qubits global than it began with
    before = [comm.sent_bytes for comm in comms_of(state)]
    held = {one._place.index(n - rank_qubits + bit) for one in state.of_rank for bit in range(rank_qubits)}
    state.run(Segment((*mixing(n, set(range(n)) - held),)), None)
    state.weights(min(held))
    state.probabilities([min(held), 0])
    state.collapse(min(held), outcome=True, probability=0.5)
    state.expectations([(0, 2 ** min(held))])
    assert [comm.sent_bytes for comm in comms_of(state)] == before


def test_an_exchange_takes_an_eighth_of_the_memory(device, rank_qubits):
    n = 19
    state = device.new_state(n, Precision.DOUBLE)
    state.load(np.full(2**n, 2 ** (-n / 2)))
    tracemalloc.start()
    try:
        state._make_local(range(n - rank_qubits, n))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert state.of_rank[0]._comm.swaps > 1
    assert peak < 1.1 * 16 * 2**n / 8  # of all ranks together


def test_ranks_that_are_laid_out_in_other_ways_bring_their_amplitudes_into_order_first(device, rank_qubits):
    n = 6
    vector = reference.random_state(n)
    state = device.new_state(n, Precision.DOUBLE)
    state.load(vector)
    local = state.of_rank[1]._local
    swap = Segment((Gate("swap", "GG", (0, 3), Form.PERMUTATION, SWAP),))
    local.run(swap, plan_segment(swap, n - rank_qubits, NumpyDevice(tile_qubits=3).costs(5, Precision.DOUBLE)))
    local.run(swap, None)  # so that only the layout has changed
    assert local.layout() != state.of_rank[0]._local.layout()
    state._make_local([n - 1])
    assert np.allclose(state.read(), vector, rtol=0, atol=1e-15)


@pytest.mark.parametrize(("draws", "sends"), [(3, False), (2000, True)])
def test_few_draws_are_found_without_an_exchange(device, rank_qubits, draws, sends, monkeypatch):
    n, block_qubits = 16, 7
    monkeypatch.setattr(distributed_state, "_READ_AT_ONCE", 2 ** (block_qubits + 1))  # two blocks
    vector = reference.random_state(n)
    state = device.new_state(n, Precision.DOUBLE)
    state.load(vector)
    for _ in range(2):  # so that some of the lowest qubits are global
        state._make_local(range(n - rank_qubits, n))
        state._make_local(range(block_qubits, n))
    before = [comm.swaps for comm in comms_of(state)]
    ends = np.cumsum((abs(vector) ** 2).reshape(-1, 2**block_qubits), axis=1)
    blocks = np.sort(np.random.default_rng(1).integers(len(ends), size=draws))
    thresholds = 0.5 * ends[blocks, -1]
    found = state.indices_of_draws(block_qubits, blocks, thresholds)
    want = [
        block * 2**block_qubits + np.searchsorted(ends[block], threshold, side="right")
        for block, threshold in zip(blocks, thresholds, strict=True)
    ]
    assert found.tolist() == want
    assert ([comm.swaps for comm in comms_of(state)] != before) is sends


@pytest.mark.parametrize("state", [0, 1])
def test_a_product_of_single_qubits_is_made_without_an_exchange(device, state):
    n = 5
    phases = [Gate("p", "", (), Form.DIAGONAL, np.array([np.exp(0.3j + 1j * q)]), (q,), state) for q in range(n)]
    flips = [Gate("x", "X", (q,), Form.PERMUTATION, np.array([1, 0])) for q in range(n)]
    diagonals = [Gate("d", "Z", (q,), Form.DIAGONAL, np.array([1, 1j**q])) for q in range(n)]
    gates = [*mixing(n, range(n)), *phases, *flips, *mixing(n, range(n), seed=9), *diagonals, *mixing(n, range(n))]
    want = reference.zero(n)
    for gate in gates:
        matrix = {Form.MATRIX: gate.data, Form.PERMUTATION: [[0, 1], [1, 0]]}.get(gate.form)
        matrix = np.diag(gate.data) if matrix is None else np.array(matrix)
        want = reference.apply(want, matrix, gate.targets, gate.controls, gate.control_state)
    made = device.new_state(n, Precision.DOUBLE)
    made.run(Segment(tuple(gates)), None)
    assert not any(comm.swaps for comm in comms_of(made))
    assert np.allclose(made.read(), want, rtol=0, atol=1e-14)


def test_products_that_flip_more_qubits_than_are_local(device, rank_qubits):
    n = 5
    flips = [2**n - 1, *([0b01111, 0b11101] if rank_qubits == 2 else [])]
    masks = [(x, z) for x in flips for z in range(2**n)]
    vector = reference.random_state(n)
    state = device.new_state(n, Precision.DOUBLE)
    state.load(vector)
    want = [reference.expectation(vector, x, z) for x, z in masks]
    assert np.allclose(state.expectations(masks), want, rtol=0, atol=1e-14)
