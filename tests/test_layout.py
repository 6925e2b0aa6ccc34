"""States whose amplitudes lie in another order than their indices say: nothing that reads or writes them minds."""

import numpy as np
import pytest

import reference
from basicaer.devices.cpu import state as numpy_state
from basicaer.devices.cpu.device import NumpyDevice
from basicaer.engine.program import Form
from basicaer.engine.sampling import sample_indices
from basicaer.errors import Cancelled
from basicaer.plan.planner import plan_segment
from plan_checks import gate, hadamard, in_program_order, phase, random_gates, segment, swap


class Laid(NumpyDevice):
    """The device that these tests are about, and its state and vector after gates that leave an odd layout."""

    def run(self, state, gates, precision):
        own = segment(gates)
        state.run(own, plan_segment(own, state.n_qubits, self.costs(state.n_qubits, precision)))


def odd_state(n, tile_qubits, precision, *, swaps=True, zero=False, seed=0):
    """Make a state by many gates, and its vector; `zero` leaves some qubits that nothing has touched."""
    device = Laid(3, tile_qubits=tile_qubits)
    random = np.random.default_rng([n, seed])
    used = n - 3 if zero else n
    gates = random_gates(random, used, 20, widest=2)
    gates += [swap(*random.permutation(n)[:2].tolist()) for _ in range(n)] if swaps else []
    state = device.new_state(n, precision)
    vector = reference.zero(n)
    if not zero:
        vector = reference.random_state(n, seed)
        state.load(vector)
    device.run(state, gates, precision)
    assert state._place != tuple(range(n))
    return device, state, in_program_order(gates, vector)


CASES = [(10, 4, {}), (10, 4, {"zero": True}), (11, 5, {"swaps": False}), (11, 6, {}), (12, 4, {"zero": True})]
IDS = ["10", "10-zero", "11-write-backs", "11", "12-zero"]
every_case = pytest.mark.parametrize(("n", "tile_qubits", "how"), CASES, ids=IDS)


@pytest.fixture
def small_chunks(monkeypatch):
    """Read states in chunks as small as a few amplitudes, as large ones are."""
    monkeypatch.setattr(numpy_state, "_CHUNK_QUBITS", 6)


def one_probability(vector, qubit):
    one = np.arange(len(vector)) // 2**qubit % 2 == 1
    return float((abs(vector[one]) ** 2).sum() / (abs(vector) ** 2).sum())


def collapsed(vector, qubit, outcome):
    kept = np.where(np.arange(len(vector)) // 2**qubit % 2 == outcome, vector, 0)
    return kept / np.linalg.norm(kept)


@every_case
def test_probability_and_collapse_of_every_qubit(n, tile_qubits, how, precision, tolerance):
    _, state, vector = odd_state(n, tile_qubits, precision, **how)
    for qubit in range(n):
        zero, one = state.weights(qubit)
        assert one == pytest.approx(one_probability(vector, qubit), abs=tolerance)
        outcome = one > 0.5
        copy = state.copy()
        copy.collapse(qubit, outcome=outcome, probability=one if outcome else zero)
        assert np.allclose(copy.amplitudes(), collapsed(vector, qubit, outcome), rtol=0, atol=4 * tolerance)


def test_gates_one_by_one_find_their_qubits_in_each_layout(precision, tolerance):
    """The same segment, whose gates are made ready once for each layout."""
    gates = random_gates(np.random.default_rng(3), 10, 12, widest=3)
    own = segment(gates)
    for seed in range(3):
        _, state, vector = odd_state(10, 4, precision, seed=seed)
        state.run(own, None)
        assert np.allclose(state.amplitudes(), in_program_order(gates, vector), rtol=0, atol=4 * tolerance)


@every_case
def test_blocks_of_every_size(n, tile_qubits, how, *, precision, tolerance, small_chunks):
    _, state, vector = odd_state(n, tile_qubits, precision, **how)
    probabilities = abs(vector) ** 2
    for ordered in (False, True):
        for block_qubits in range(n + 1):
            blocks = probabilities.reshape(-1, 2**block_qubits)
            assert np.allclose(state.block_weights(block_qubits), blocks.sum(axis=1), rtol=0, atol=4 * tolerance)
            for block in {0, len(blocks) // 3, len(blocks) - 1}:
                got = state.block_probabilities(block, block_qubits)
                assert np.allclose(got, blocks[block], rtol=0, atol=tolerance), (block, block_qubits)
        if not ordered:
            state.bring_into_order()
            assert state._place == tuple(range(n))


@every_case
def test_settling_changes_nothing_but_the_layout(n, tile_qubits, how, *, precision, tolerance, small_chunks):
    device, state, vector = odd_state(n, tile_qubits, precision, **how)
    state.bring_into_order()
    state.bring_into_order()  # there is nothing left to do
    gates = random_gates(np.random.default_rng(1), n, 20, widest=2)
    device.run(state, gates, precision)
    assert np.allclose(state.amplitudes(), in_program_order(gates, vector), rtol=0, atol=2 * tolerance)


@pytest.mark.parametrize("seed", range(12))
def test_any_order_is_undone_in_few_passes_over_small_tiles(seed, precision, monkeypatch, small_chunks):
    n = 12
    passes = []
    run_passes = numpy_state.run_passes
    monkeypatch.setattr(
        numpy_state,
        "run_passes",
        lambda steps, *args, **keys: (passes.extend(steps), run_passes(steps, *args, **keys)),
    )
    device = Laid(2, tile_qubits=4)
    random = np.random.default_rng(seed)
    order = random.permutation(n)
    vector = reference.random_state(n, seed)
    state = device.new_state(n, precision)
    state.load(vector)
    gates = [swap(int(q), int(order[q])) for q in range(n) if q != order[q]]
    device.run(state, gates, precision)
    assert not passes
    state.bring_into_order()
    assert 0 < len(passes) <= 8
    assert {step.tile_size for step in passes} == {2**6}
    want = in_program_order(gates, vector)
    assert np.array_equal(state.amplitudes(), want.astype(np.complex64) if precision.amplitude_bytes == 8 else want)


def test_settling_may_be_stopped(precision):
    _, state, _ = odd_state(11, 5, precision)
    state._monitor.cancel()
    with pytest.raises(Cancelled):
        state.bring_into_order()


@every_case
def test_a_copy_has_the_layout_and_goes_its_own_way(n, tile_qubits, how, precision, tolerance):
    device, state, vector = odd_state(n, tile_qubits, precision, **how)
    copy = state.copy()
    for_state, for_copy = (random_gates(np.random.default_rng(seed), n, 12, widest=2) for seed in (1, 2))
    device.run(state, for_state, precision)
    device.run(copy, for_copy, precision)
    assert np.allclose(state.amplitudes(), in_program_order(for_state, vector), rtol=0, atol=2 * tolerance)
    assert np.allclose(copy.amplitudes(), in_program_order(for_copy, vector), rtol=0, atol=2 * tolerance)


@every_case
def test_loading_forgets_layout_and_untouched_qubits(n, tile_qubits, how, precision, tolerance):
    device, state, _ = odd_state(n, tile_qubits, precision, **how)
    vector = reference.random_state(n, seed=5)
    state.load(vector)
    gates = [hadamard(0), phase(1, 0, n - 1), hadamard(n - 1)]
    device.run(state, gates, precision)
    assert np.allclose(state.amplitudes(), in_program_order(gates, vector), rtol=0, atol=tolerance)


@pytest.mark.parametrize("swaps", [False, True])
def test_preparing_untouched_qubits_and_going_on(swaps, precision, tolerance):
    """They are no longer |0>, so the tiles in which they are not have to be read."""
    n = 10
    device = Laid(3, tile_qubits=4)
    state = device.new_state(n, precision)
    first = [hadamard(0), hadamard(4), *([swap(0, 9), swap(1, 4)] if swaps else [])]
    device.run(state, first, precision)
    qubits, amplitudes = (7, 2, 8), reference.random_state(3)
    state.prepare(qubits, amplitudes)
    gates = random_gates(np.random.default_rng(4), n, 20, widest=2)
    device.run(state, gates, precision)
    vector = reference.prepare(in_program_order(first, reference.zero(n)), qubits, amplitudes)
    assert np.allclose(state.amplitudes(), in_program_order(gates, vector), rtol=0, atol=tolerance)


def test_one_gate_by_itself_touches_its_qubits(precision, tolerance):
    """A segment of few gates on a state without a plan of its own, then a plan that counts on what is still |0>."""
    n = 9
    device = Laid(2, tile_qubits=4)
    state = device.new_state(n, precision)
    vector = reference.zero(n)
    for gates in (
        [hadamard(3)],
        [gate(Form.MATRIX, reference.random_unitary(4), (8, 0))],
        [swap(8, 5), phase(1, 5, 3)],
        [hadamard(q) for q in (1, 5, 8)],
    ):
        state.run(segment(gates), None)
        vector = in_program_order(gates, vector)
        more = [hadamard(2), phase(0.4, 2, 3, 8), hadamard(2), swap(0, 2)]
        device.run(state, more, precision)
        vector = in_program_order(more, vector)
    assert np.allclose(state.amplitudes(), vector, rtol=0, atol=tolerance)


@every_case
def test_collapsing_and_going_on(n, tile_qubits, how, precision, tolerance):
    device, state, vector = odd_state(n, tile_qubits, precision, **how)
    for qubit in (0, n // 2, n - 1):
        zero, one = state.weights(qubit)
        outcome = one > 0.5
        state.collapse(qubit, outcome=outcome, probability=one if outcome else zero)
        vector = collapsed(vector, qubit, outcome)
        gates = random_gates(np.random.default_rng(qubit), n, 8, widest=2)
        device.run(state, gates, precision)
        vector = in_program_order(gates, vector)
    assert np.allclose(state.amplitudes(), vector, rtol=0, atol=8 * tolerance)


@every_case
def test_draws_fall_where_the_logical_order_says(n, tile_qubits, how, precision, small_chunks):
    """Few draws read blocks out of order, many bring the state into order first."""
    for draws in (np.array([0.03, 0.31, 0.62, 0.97]), (np.arange(3000) + 0.5) / 3000):
        _, state, vector = odd_state(n, tile_qubits, precision, **how)
        got = sample_indices(state, draws)
        ends = np.cumsum(abs(vector) ** 2)
        slack = 1e-5
        assert np.all(ends[got] >= draws - slack)
        assert np.all(ends[got] - abs(vector[got]) ** 2 <= draws + slack)


def test_the_identity_in_an_odd_layout(precision, tolerance):
    """A state of twice the qubits, of which the upper half is never paired."""
    n = 10
    device = Laid(3, tile_qubits=4)
    state = device.new_state(n, precision)
    state.set_identity()
    gates = [*random_gates(np.random.default_rng(2), 5, 30, widest=3), swap(0, 3), hadamard(0)]
    device.run(state, gates, precision)
    columns = [in_program_order(gates, column) for column in np.eye(2**5)]
    assert np.allclose(state.amplitudes().reshape(2**5, 2**5), columns, rtol=0, atol=tolerance)
