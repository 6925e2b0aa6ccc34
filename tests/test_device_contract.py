"""What every device's state promises (engine/device.py), tested once over all devices and precisions."""

import itertools
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest

import reference
from basicaer.devices import marginals
from basicaer.devices.cpu import gatewise
from basicaer.devices.cpu.device import NumpyDevice
from basicaer.devices.gpu import state as gpu_state
from basicaer.engine.device import SegmentBatch
from basicaer.engine.monitor import Monitor
from basicaer.engine.program import Form, Gate, Segment
from basicaer.errors import BasicAerError, Cancelled
from basicaer.options import Precision
from basicaer.plan.planner import plan_segment
from conftest import DEVICES

SWAP = [0, 2, 1, 3]


BLOCK_SIZES = {"whole": 16, "tiny-blocks": 3}


def pytest_generate_tests(metafunc):
    """Run a test of states with each size of blocks on the CPU; only its devices have these blocks."""
    if "block_size" in metafunc.fixturenames:
        pairs = [(device, size) for device in DEVICES for size in BLOCK_SIZES if size == "whole" or "CPU" in device]
        metafunc.parametrize(("device", "block_size"), pairs, indirect=True)
    elif "device" in metafunc.fixturenames:
        metafunc.parametrize("device", DEVICES, indirect=True)


@pytest.fixture
def device(request):
    return DEVICES[request.param]()


@pytest.fixture
def block_size(request, monkeypatch):
    """With tiny blocks every operation walks through many, as on a large state."""
    size = BLOCK_SIZES[request.param]
    monkeypatch.setattr(gatewise, "_BLOCK_QUBITS", size)
    if request.param == "tiny-blocks":
        monkeypatch.setattr(gatewise, "FEW_AMPLITUDES", 2)
    gatewise._blocks.cache_clear()
    yield
    gatewise._blocks.cache_clear()


@pytest.fixture(params=["loaded", "evolved"])
def state_of(request, device, precision, run, block_size):
    """Make a state of given amplitudes, by loading them or by gates, which may leave another layout in the device."""

    def make(vector):
        n = len(vector).bit_length() - 1
        state = device.new_state(n, precision)
        if request.param == "loaded" or n < 2:
            state.load(vector)
            return state
        gates = [gate(Form.MATRIX, reference.random_unitary(4, seed), (seed, n - 1)) for seed in range(n - 1)]
        gates += [gate(Form.PERMUTATION, SWAP, (q, q + n // 2)) for q in range(n // 2)]
        before = vector
        for undone in reversed(gates):
            before = reference.apply(before, as_matrix(undone.form, undone.data).conj().T, undone.targets)
        state.load(before)
        run(state, gates)
        return state

    return make


def gate(form, data, targets, controls=(), control_state=0):
    return Gate("test", "G" * len(targets), tuple(targets), form, np.asarray(data), tuple(controls), control_state)


def as_matrix(form, data):
    if form is Form.DIAGONAL:
        return np.diag(data)
    if form is Form.PERMUTATION:
        return np.eye(len(data))[np.argsort(data)]
    return data


def numbers(form, k, seed):
    random = np.random.default_rng(seed)
    if form is Form.DIAGONAL:
        return np.exp(1j * random.normal(size=2**k))
    if form is Form.PERMUTATION:
        return random.permutation(2**k)
    return reference.random_unitary(2**k, seed)


def test_new_state_is_zero(device, precision):
    for n in range(5):
        amplitudes = device.new_state(n, precision).amplitudes()
        assert amplitudes.itemsize == precision.amplitude_bytes
        assert amplitudes.tolist() == reference.zero(n).tolist()


def test_load_copies(state_of, tolerance):
    vector = reference.random_state(3)
    state = state_of(vector)
    before = vector.copy()
    vector[:] = 0
    assert np.allclose(state.amplitudes(), before, atol=tolerance)


@pytest.fixture
def most_orders():
    """On how many orders of qubits a gate is tested."""
    return 6


@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize("targets", range(4))
@pytest.mark.parametrize("controls", range(3))
def test_gates_of_every_form_on_many_orders_of_qubits(
    form, targets, controls, *, run, state_of, tolerance, most_orders
):
    n = 5
    vector = reference.random_state(n)
    orders = reference.orders(n, targets + controls)
    for number, qubits in enumerate(orders[:: max(1, len(orders) // most_orders)]):
        data = numbers(form, targets, number)
        control_state = number % 2**controls
        state = state_of(vector)
        run(state, [gate(form, data, qubits[controls:], qubits[:controls], control_state)])
        want = reference.apply(vector, as_matrix(form, data), qubits[controls:], qubits[:controls], control_state)
        assert np.allclose(state.amplitudes(), want, atol=tolerance), qubits


@pytest.mark.parametrize("form", [Form.DIAGONAL, Form.MATRIX])
def test_gates_wider_than_a_block(form, run, state_of, tolerance):
    n, k = 7, 6
    vector = reference.random_state(n)
    data = numbers(form, k, seed=1)
    qubits = [5, 0, 3, 6, 1, 4]
    state = state_of(vector)
    run(state, [gate(form, data, qubits)])
    assert np.allclose(state.amplitudes(), reference.apply(vector, as_matrix(form, data), qubits), atol=tolerance)


def test_gates_run_in_order(run, state_of, tolerance):
    vector = reference.random_state(4)
    first, second = (gate(Form.MATRIX, reference.random_unitary(4, seed), (seed, 3)) for seed in (1, 2))
    state = state_of(vector)
    run(state, [first, second])
    want = reference.apply(reference.apply(vector, first.data, (1, 3)), second.data, (2, 3))
    assert np.allclose(state.amplitudes(), want, atol=tolerance)


def test_many_gates_are_made_ready_between_polls(precision):
    class Stopping(Monitor):
        polls = 0

        def poll(self):
            self.polls += 1
            if self.polls > 100:
                raise Cancelled

    state = NumpyDevice().new_state(3, precision, Stopping())
    gate = Gate("x", "X", (1,), Form.PERMUTATION, np.array([1, 0]))
    with pytest.raises(Cancelled):
        state.run(Segment((gate,) * 1000), None)
    assert state.amplitudes()[0] == 1  # no gate has been applied


def test_a_poll_between_gates_stops_the_run(run, state_of):
    class Stops(Monitor):
        polls = 0

        def poll(self):
            self.polls += 1
            if self.polls > 2:
                self.cancel()
            super().poll()

    monitor = Stops()
    state = state_of(reference.zero(8))
    with pytest.raises(Cancelled):
        run(state, [gate(Form.MATRIX, np.eye(4), (3 * q % 8, (3 * q + 1 + q // 8) % 8)) for q in range(56)], monitor)
    assert 3 <= monitor.polls <= 5  # each of three threads may have polled once more


@pytest.mark.parametrize("qubits", [(0,), (3,), (2, 0), (1, 4), (4, 1, 2), (0, 1, 2, 3, 4)])
def test_prepare(qubits, state_of, tolerance):
    n = 5
    others = reference.random_state(n)
    for q in qubits:
        others = reference.collapse(others, q, 0)
    amplitudes = reference.random_state(len(qubits), seed=3)
    state = state_of(others)
    state.prepare(qubits, amplitudes)
    assert np.allclose(state.amplitudes(), reference.prepare(others, qubits, amplitudes), atol=tolerance)


def test_probability_and_collapse_of_every_qubit(state_of, tolerance):
    for n, outcome in itertools.product((1, 2, 5), (False, True)):
        vector = reference.random_state(n, seed=n)
        for qubit in range(n):
            state = state_of(vector)
            zero, one = state.weights(qubit)
            assert one == pytest.approx(reference.probability_of_one(vector, qubit), abs=tolerance)
            assert zero + one == pytest.approx(1, abs=tolerance)
            state.collapse(qubit, outcome=outcome, probability=one if outcome else zero)
            assert np.allclose(state.amplitudes(), reference.collapse(vector, qubit, outcome), atol=tolerance)


def test_weights_are_squared_norms_however_small(state_of, tolerance):
    vector = reference.random_state(3)
    one = reference.probability_of_one(vector, 1)
    assert state_of(1.5 * vector).weights(1) == pytest.approx((2.25 * (1 - one), 2.25 * one), abs=3 * tolerance)
    assert state_of(np.array([1.0, 1e-9])).weights(0) == pytest.approx((1, 1e-18), rel=1e-6)
    assert state_of(np.array([1e-9, 1.0])).weights(0) == pytest.approx((1e-18, 1), rel=1e-6)


CX = Gate("cx", "X", (1,), Form.PERMUTATION, np.array([1, 0]), (0,), 1)
WIDE = Gate("uuu", "GGG", (1, 2, 3), Form.MATRIX, reference.random_unitary(8, 1))
UNDONE = {
    "X": [Gate("x", "X", (q,), Form.PERMUTATION, np.array([1, 0])) for q in (0, 1, 2, 3, 0, 1, 2, 3)],
    "CX": [CX, CX],
    "swaps": [Gate("swap", "GG", (0, 3), Form.PERMUTATION, np.array([0, 2, 1, 3]))] * 2,
    "X beside a wide gate": [*[Gate("x", "X", (0,), Form.PERMUTATION, np.array([1, 0]))] * 2, WIDE],
}


@pytest.mark.parametrize("name", UNDONE)
@pytest.mark.parametrize("planned", [False, True])
def test_gates_that_undo_each_other_leave_what_nothing_has_written_zero(device, precision, name, planned, tolerance):
    n, gates = 4, UNDONE[name]
    segment = Segment(tuple(gates))
    costs = device.costs(n, precision)
    plan = plan_segment(segment, n, costs) if planned and costs else None
    state = device.new_state(n, precision)
    state.run(segment, plan)
    want = reference.zero(n)
    for gate in gates:
        if gate.form is Form.MATRIX:
            want = reference.apply(want, gate.data, gate.targets)
    assert np.allclose(state.block_weights(0), abs(want) ** 2, rtol=0, atol=tolerance)
    assert np.allclose(state.amplitudes(), want, rtol=0, atol=tolerance)


@pytest.mark.parametrize("widths", [(1,) * 8, (1, 2, 1, 2, 1, 1), (2, 3, 2)])
@pytest.mark.parametrize("is_real", [False, True])
def test_matrices_need_not_be_unitary(widths, is_real, run, state_of, tolerance):
    """Operators of errors are not."""
    n, random = 6, np.random.default_rng(len(widths))
    want = reference.random_state(n)
    state, gates = state_of(want), []
    for number, width in enumerate(widths):
        data = random.normal(size=(2**width, 2**width)) * (1 if is_real else np.exp(1j * random.normal(size=2**width)))
        if number % 3 == 1:
            data[0] = 0  # what has the value 0 on all targets is lost
        qubits = tuple(random.permutation(n)[:width].tolist())
        gates.append(gate(Form.MATRIX, data.astype(complex) / abs(data).max(), qubits))
        want = reference.apply(want, gates[-1].data, qubits)
    run(state, gates)
    assert np.allclose(state.amplitudes(), want, rtol=0, atol=tolerance)


@pytest.mark.parametrize("qubits", [(), (3,), (5, 0), (1, 2, 0), (0, 1, 2, 3, 4, 5), (5, 4, 3, 2, 1, 0)])
@pytest.mark.parametrize("most", [0, 20])
def test_probabilities_of_some_qubits(state_of, qubits, most, tolerance, monkeypatch):
    monkeypatch.setattr(gpu_state, "_MOST_SUMMED_QUBITS", most)
    monkeypatch.setattr(marginals, "_BLOCK_QUBITS", 2)
    vector = reference.random_state(6)
    want = np.zeros(2 ** len(qubits))
    for index, amplitude in enumerate(vector):
        want[sum(reference.bit(index, q) * 2**j for j, q in enumerate(qubits))] += abs(amplitude) ** 2
    found = state_of(vector).probabilities(qubits)
    assert found.dtype == np.float64
    assert np.allclose(found, want, rtol=0, atol=tolerance)


def test_block_weights_and_probabilities_are_in_logical_order_and_float64(state_of, tolerance):
    vector = reference.random_state(6)
    probabilities = abs(vector) ** 2
    for block_qubits in range(7):
        state = state_of(vector)
        weights = state.block_weights(block_qubits)
        assert weights.dtype == np.float64
        assert np.allclose(weights, probabilities.reshape(-1, 2**block_qubits).sum(axis=1), atol=tolerance)
        for block in range(len(weights)):
            inside = state.block_probabilities(block, block_qubits)
            assert inside.dtype == np.float64
            want = probabilities[block * 2**block_qubits : (block + 1) * 2**block_qubits]
            assert np.allclose(inside, want, atol=tolerance)


def test_identity_has_the_column_in_the_upper_qubits(run, state_of, tolerance):
    state = state_of(reference.zero(6))
    state.set_identity()
    matrix = reference.random_unitary(8)
    run(state, [gate(Form.MATRIX, matrix, (0, 1, 2))])
    assert np.allclose(state.amplitudes().reshape(8, 8).T, matrix, atol=tolerance)


@pytest.mark.parametrize("shape", [None, (), (7,), (3, 4), (0,)], ids=["all", "one", "some", "a table", "none"])
def test_amplitudes_are_read_and_the_state_stays(run, state_of, tolerance, shape):
    vector = reference.random_state(6)
    state = state_of(vector)
    indices = None if shape is None else np.random.default_rng(1).integers(64, size=shape)
    found = state.read(None if indices is None else np.asarray(indices))
    assert isinstance(found, np.ndarray)
    assert found.shape == ((64,) if shape is None else shape)
    assert np.allclose(found, vector if shape is None else vector[indices], rtol=0, atol=4 * tolerance)
    found[...] = 0  # which is nobody else's
    run(state, [gate(Form.PERMUTATION, SWAP, (0, 5))])
    assert np.allclose(
        state.amplitudes(), reference.apply(vector, np.eye(4)[[0, 2, 1, 3]], (0, 5)), rtol=0, atol=4 * tolerance
    )


def test_amplitudes_of_qubits_that_nothing_has_touched_are_read(device, precision, run, tolerance):
    hadamard = np.array([[1, 1], [1, -1]]) / 2**0.5
    state = device.new_state(7, precision)
    run(state, [gate(Form.MATRIX, hadamard, (q,)) for q in (1, 4, 5)])
    seen = state.read(np.arange(128))
    assert np.allclose(seen, [(8**-0.5 if i & ~0b110010 == 0 else 0) for i in range(128)], rtol=0, atol=tolerance)


READINGS = {
    "all amplitudes": lambda state: state.read(),
    "in order": lambda state: state.bring_into_order(),
    "some amplitudes": lambda state: state.read(np.array([1, 2])),
}


@pytest.mark.parametrize("reading", READINGS)
def test_reading_a_state_of_a_batch_leaves_the_batch_as_it_is(device, precision, reading, tolerance):
    """Also where the qubits of the batch stand in another order than their numbers."""
    n, count = 5, 3
    costs, wanted = device.costs(n, precision), [reference.zero(n) for _ in range(count)]
    batch = device.new_batch(n, precision, count)
    swaps = [Gate("swap", "GG", pair, Form.PERMUTATION, np.array([0, 2, 1, 3])) for pair in ((0, 3), (1, 4))]
    for round_ in range(3):
        mixing = [gate(Form.MATRIX, reference.random_unitary(2, 7 * round_ + q), (q,)) for q in range(n)]
        for gates in ([*mixing, *swaps], swaps[:1]):
            segment = Segment(tuple(gates))
            batch.run(SegmentBatch(segment, (), count), plan_segment(segment, n, costs) if costs else None)
            for one in gates:
                matrix = as_matrix(one.form, one.data)
                wanted = [reference.apply(vector, matrix, one.targets) for vector in wanted]
            READINGS[reading](batch.state(round_))
    for number, vector in enumerate(wanted):
        assert np.allclose(batch.state(number).amplitudes(), vector, rtol=0, atol=tolerance)


@pytest.mark.parametrize("qubits", [(0,), (4,), (3, 1), (0, 2, 4)])
@pytest.mark.parametrize("size", [1, 2, 4])
def test_parts_of_a_state_are_exchanged_in_the_order_of_memory(qubits, size, state_of, tolerance):
    n = 5
    vectors = reference.random_state(n, seed=1), reference.random_state(n, seed=2)
    here, there = map(state_of, vectors)
    mine, theirs = 1, 2 ** len(qubits) - 2  # what is 1 on the first qubits here for what is there where it is not
    out, into = np.empty((2, size), here.read(np.arange(1)).dtype)
    for part in range(2**n // 2 ** len(qubits) // size):
        here.read_part(qubits, mine, part, out)
        there.read_part(qubits, theirs, part, into)
        here.write_part(qubits, mine, part, into)
        there.write_part(qubits, theirs, part, out)
    wanted = vectors[0].copy()
    for index in range(2**n):
        if [reference.bit(index, q) for q in qubits] == [1] + [0] * (len(qubits) - 1):
            flipped = index ^ sum(2**q for j, q in enumerate(qubits) if reference.bit(mine ^ theirs, j))
            wanted[index] = vectors[1][flipped]
    assert np.allclose(here.amplitudes(), wanted, rtol=0, atol=tolerance)


@pytest.mark.parametrize("planned", [False, True])
def test_qubits_of_which_parts_are_replaced_are_no_longer_known_to_be_zero(device, precision, planned, tolerance):
    n = 4
    state = device.new_state(n, precision)
    state.write_part((3,), 1, 0, np.full(8, 0.5, state.read(np.arange(1)).dtype))
    segment = Segment((gate(Form.PERMUTATION, [1, 0], (0,)), gate(Form.MATRIX, np.eye(2), (1,))))
    costs = device.costs(n, precision)
    state.run(segment, plan_segment(segment, n, costs) if planned and costs else None)
    assert np.allclose(state.amplitudes(), [0, 1, *[0] * 6, *[0.5] * 8], rtol=0, atol=tolerance)


def test_a_copy_is_independent(run, state_of, tolerance):
    vector = reference.random_state(3)
    state = state_of(vector)
    copy = state.copy()
    run(state, [gate(Form.PERMUTATION, [1, 0], (0,))])
    assert np.allclose(copy.amplitudes(), vector, atol=tolerance)


def test_gates_need_little_scratch(device, precision, run):
    """One state and at most 64 MiB: measured on a state so large that a copy of it would show."""
    n = 24 if precision is Precision.SINGLE else 23  # 128 MiB
    state = device.new_state(n, precision)
    gates = (
        gate(Form.MATRIX, reference.random_unitary(2), (0,)),
        gate(Form.MATRIX, reference.random_unitary(8), (n - 1, 0, 5)),
        gate(Form.DIAGONAL, numbers(Form.DIAGONAL, 6, 1), (1, 2, 3, 4, 5, n - 1)),
        gate(Form.PERMUTATION, [0, 2, 1, 3], (0, n - 1), (3,), 1),
    )
    tracemalloc.start()
    try:
        run(state, gates)
        state.weights(n - 1)
        state.collapse(0, outcome=False, probability=0.9)
        state.block_weights(12)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 64 * 2**20 < precision.amplitude_bytes * 2**n


DEAF_TO_NOTHING = {
    "load": lambda state: state.load(reference.random_state(6)),
    "set_identity": lambda state: state.set_identity(),
    "prepare": lambda state: state.prepare((1,), np.array([0.6, 0.8])),
    "weights": lambda state: state.weights(2),
    "collapse": lambda state: state.collapse(2, outcome=False, probability=1.0),
    "block_weights": lambda state: state.block_weights(3),
    "indices_of_draws": lambda state: state.indices_of_draws(3, np.array([0]), np.array([0.1])),
    "expectations": lambda state: state.expectations([(1, 2)]),
    "copy": lambda state: state.copy(),
    "read": lambda state: state.read(),
    "read some": lambda state: state.read(np.arange(3)),
}


@pytest.mark.parametrize("doing", DEAF_TO_NOTHING)
def test_all_that_goes_through_a_state_can_be_stopped(doing, device, precision):
    monitor = Monitor()
    state = device.new_state(6, precision, monitor)
    DEAF_TO_NOTHING[doing](state)
    monitor.cancel()
    with pytest.raises(Cancelled):
        DEAF_TO_NOTHING[doing](state)


@pytest.mark.parametrize("block_qubits", [0, 1, 3, 6])
def test_draws_are_found_in_their_blocks(block_qubits, device, precision, run):
    state = device.new_state(6, precision)
    vector = reference.random_state(6, seed=8)
    vector[[0, 1, 8, 17, 62, 63]] = 0  # places without probability, also at the ends of blocks
    ends = np.cumsum(abs(vector.reshape(-1, 2**block_qubits)) ** 2, axis=1)
    blocks = np.repeat(np.arange(len(ends)), 5)
    parts = np.tile([0.0, 0.2, 0.5, 0.999, 1.5], len(ends))  # the last is more than there is
    some = ends[:, -1][blocks] > 0
    blocks, parts = blocks[some], parts[some]
    targets = parts * ends[blocks, -1]
    gates = [gate(Form.PERMUTATION, [0, 2, 1, 3], (0, 5)), gate(Form.PERMUTATION, [1, 0], (3,))]
    moved = vector
    for one in gates:
        moved = reference.apply(moved, as_matrix(one.form, one.data), one.targets)
    state.load(moved)
    run(state, gates)  # each undoes itself, so that this is `vector` again, laid out in another order
    found = state.indices_of_draws(block_qubits, blocks, targets)
    for index, block, target in zip(found, blocks, targets, strict=True):
        inside = np.searchsorted(ends[block], target, side="right")
        last = np.flatnonzero(vector[block * 2**block_qubits :][: 2**block_qubits])[-1]
        assert index == block * 2**block_qubits + min(inside, last)


def test_expectation_values_of_many_products_at_once(state_of, tolerance):
    n = 6
    vector = reference.random_state(n, seed=3)
    masks = [(x, z) for x in (0, 1, 5, 32, 40, 63, 6) for z in range(0, 2**n, 3)]
    masks = [masks[i] for i in np.random.default_rng(0).permutation(len(masks))]
    want = [reference.expectation(vector, x, z) for x, z in masks]
    assert np.allclose(state_of(vector * 0.7).expectations(masks), want, rtol=0, atol=4 * tolerance)
    without_norm = [(x, z) for x, z in masks if x]
    want = [reference.expectation(vector, x, z) for x, z in without_norm]
    assert np.allclose(state_of(vector * 0.7).expectations(without_norm), want, rtol=0, atol=4 * tolerance)


def test_expectation_values_of_products_of_paulis(state_of, tolerance):
    n = 5
    vector = reference.random_state(n, seed=9)
    paulis = {
        "I": np.eye(2),
        "X": np.array([[0, 1], [1, 0]]),
        "Y": np.array([[0, -1j], [1j, 0]]),
        "Z": np.diag([1, -1]),
    }
    for number, names in enumerate(itertools.islice(itertools.product("IXYZ", repeat=n), 0, None, 31)):
        state = state_of(vector * (1.0 if number % 2 else 0.7))  # relative to the norm
        moved = vector
        for q, name in enumerate(names):
            moved = reference.apply(moved, paulis[name], (q,))
        x = sum(2**q for q, name in enumerate(names) if name in "XY")
        z = sum(2**q for q, name in enumerate(names) if name in "YZ")
        assert abs(state.expectations([(x, z)])[0] - np.vdot(vector, moved).real) < 4 * tolerance, names


def test_out_of_memory_is_said_in_a_sentence(device, precision, monkeypatch):
    n = 26
    if device.name == "GPU":
        if hasattr(device.card.cupy, "gpu"):
            device.card.cupy.gpu.fail_allocation(1, times=9)
        else:
            n = 40  # on a card: more than any has
        words = "GPU 0 ran out of memory while making a state .*; use fewer qubits"
    else:

        def refuse(*_args, **_keys):
            raise MemoryError("no room")

        monkeypatch.setattr(np, "zeros", refuse)
        words = r"could not give 1 GiB.*no room|could not give 512 MiB.*no room"
    with pytest.raises(BasicAerError, match=words):
        device.new_state(n, precision)
    if hasattr(device, "card") and hasattr(device.card.cupy, "gpu"):
        device.card.cupy.gpu.recover()


def test_precisions_have_their_types(device):
    assert device.new_state(1, Precision.DOUBLE).amplitudes().dtype == np.complex128
    assert device.new_state(1, Precision.SINGLE).amplitudes().dtype == np.complex64


PEAK = """
from qiskit import QuantumCircuit
from basicaer import BasicAer

def run(n):
    circuit = QuantumCircuit(n)
    circuit.h(range(n))
    for q in range(n - 1):
        circuit.cx(q, q + 1)
        circuit.rx(0.3, q)
    circuit.measure_all()
    backend = BasicAer.get_backend("qasm_simulator")
    backend.run(circuit, shots=100, max_parallel_threads=2).result()
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:"))

before = run(16)
print(run(26) - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the peak of resident memory is read as Linux counts it")
def test_a_run_of_26_qubits_takes_one_state_and_little_more():
    # A process is said to have been as large as the one that forked it (ru_maxrss); its memory was not (VmHWM).
    ballast = b"x" * 2**30
    done = subprocess.run([sys.executable, "-c", PEAK], capture_output=True, text=True, check=True)
    del ballast
    taken = int(done.stdout)
    state = 2**26 * 16
    assert 0.9 * state < taken < state + 64 * 2**20  # the smaller run has touched some that is used again
