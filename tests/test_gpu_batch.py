"""Many states changed together on the GPU, emulated or not, each against naive application of its own gates."""

import gc

import numpy as np
import pytest

import reference
from basicaer.devices.gpu import amplitudes
from basicaer.devices.gpu.device import CupyDevice
from basicaer.engine.monitor import Monitor
from basicaer.engine.program import Form, Gate, Segment
from basicaer.engine.sampling import sample_indices
from basicaer.errors import BasicAerError, Cancelled
from basicaer.options import Precision
from basicaer.plan.planner import plan_segment
from conftest import TINY_SHAPES, new_emulated_cupy
from emulated_gpu import why_unavailable
from plan_checks import in_program_order, random_gates

pytestmark = pytest.mark.skipif(why_unavailable() is not None, reason=f"kernels cannot run here: {why_unavailable()}")

COUNT = 5


@pytest.fixture
def cupy():
    return new_emulated_cupy()


@pytest.fixture
def device(cupy):
    return CupyDevice(cupy=cupy, shapes=TINY_SHAPES)


def with_other_numbers(gates, seed):
    """The same gates with other matrices and phases, as other parameters would give them; permutations stay."""
    random = np.random.default_rng(seed)
    new = []
    for gate in gates:
        data = gate.data
        if gate.form is Form.MATRIX and set(gate.target_actions) <= {"G"}:
            data = reference.random_unitary(len(data), int(random.integers(2**31)))
        elif gate.form is Form.DIAGONAL:
            data = np.exp(1j * random.uniform(0, 6, len(data)))
        new.append(gate._replace(data=data))
    return new


def batch_of(device, gates_of_each, n, precision=Precision.DOUBLE, monitor=None):
    """A batch on which gates have been run, and the plan for them."""
    segments = [Segment(tuple(gates)) for gates in gates_of_each]
    plan = plan_segment(segments[0], n, device.costs(n, precision))
    batch = device.new_batch(n, precision, len(segments), monitor)
    batch.run(segments, plan)
    return batch, plan


def layers(n, seed):
    """Rotations on every qubit and a chain of CX, twice."""
    random = np.random.default_rng(seed)
    gates = []
    for _ in range(2):
        for q in range(n):
            c, s = np.cos(angle := random.uniform(0, 6)), np.sin(angle)
            gates.append(Gate("ry", "G", (q,), Form.MATRIX, np.array([[c, -s], [s, c]], complex)))
        gates += [Gate("cx", "X", (q + 1,), Form.PERMUTATION, np.array([1, 0]), (q,), 1) for q in range(n - 1)]
    return gates


@pytest.mark.parametrize("n", [1, 3, 5, 8])
@pytest.mark.parametrize("widest", [2, 3])
def test_each_state_has_its_own_numbers(n, widest, tiny_gpu, precision, tolerance):
    """Gates run from |0...0>, and others from there; some gates need launches of their own."""
    gates = random_gates(np.random.default_rng([n, widest]), n, 20, widest=widest)
    each = [with_other_numbers(gates, seed) for seed in range(COUNT)]
    batch, plan = batch_of(tiny_gpu, each, n, precision)
    batch.run([Segment(tuple(gates)) for gates in reversed(each)], plan)
    assert len(batch) == COUNT
    for number in range(COUNT):
        want = in_program_order([*each[number], *each[-1 - number]], reference.zero(n))
        assert np.allclose(batch.state(number).amplitudes(), want, rtol=0, atol=4 * tolerance)


def test_a_small_circuit_is_one_launch_with_a_block_for_each_state(cupy, device):
    n, registers, *_ = TINY_SHAPES[Precision.DOUBLE]
    batch, _ = batch_of(device, [layers(n, seed) for seed in range(COUNT)], n)
    assert [(one.grid, one.kernel) for one in cupy.gpu.launches[1:]] == [
        ((1, COUNT), "make_constants<double>"),
        ((1, COUNT), f"run_pass<double, {registers}>"),
    ]
    assert batch.state(1).layout() == batch.state(4).layout()


def test_numbers_that_would_make_other_operations_share_operations_that_suit_all(cupy, device):
    """A rotation by 0 is real, and a phase of 1 is none; all states have a gate that must be by itself."""
    n = 5
    each = [[*layers(n, seed)] for seed in range(4)]
    for number, gates in enumerate(each):
        data = reference.random_unitary(2, number) if number % 2 else np.eye(2, dtype=complex)
        gates.insert(3, Gate("u", "G", (0,), Form.MATRIX, data))
        gates.append(Gate("p", "Z", (1,), Form.DIAGONAL, np.array([1, 1 if number < 2 else 1j])))
        gates.append(Gate("uuu", "GGG", (4, 0, 2), Form.MATRIX, reference.random_unitary(8, number)))
    batch, _ = batch_of(device, each, n)
    launched = [launch.grid for launch in cupy.gpu.launches if launch.kernel.startswith("run_pass")]
    assert {grid[1] for grid in launched} == {4}
    for number, gates in enumerate(each):
        assert np.allclose(batch.state(number).amplitudes(), in_program_order(gates, reference.zero(n)), atol=1e-12)


def test_a_gate_by_itself_clears_what_has_not_been_written(tiny_gpu):
    n, x = 4, Gate("x", "X", (3,), Form.PERMUTATION, np.array([1, 0]))
    each = []
    for number in range(4):
        real = np.array([[0.6, -0.8], [0.8, 0.6]], complex)
        first = Gate("u", "G", (0,), Form.MATRIX, real if number % 2 else reference.random_unitary(2, number))
        wide = Gate("uuu", "GGG", (1, 2, 3), Form.MATRIX, reference.random_unitary(8, number))
        each.append([first, wide, x])
    batch, _ = batch_of(tiny_gpu, each, n)
    for number, gates in enumerate(each):
        assert np.allclose(batch.state(number).amplitudes(), in_program_order(gates, reference.zero(n)), atol=1e-12)


def test_the_same_segment_is_bound_once(device, monkeypatch):
    bound = []
    real = amplitudes.bind
    monkeypatch.setattr(amplitudes, "bind", lambda *given, **keys: bound.append(1) or real(*given, **keys))
    gates = layers(4, 1)
    segment = Segment(tuple(gates))
    plan = plan_segment(segment, 4, device.costs(4, Precision.DOUBLE))
    batch = device.new_batch(4, Precision.DOUBLE, COUNT)
    batch.run([segment] * COUNT, plan)
    assert len(bound) == 1
    want = in_program_order(gates, reference.zero(4))
    assert all(np.allclose(batch.state(i).amplitudes(), want, atol=1e-12) for i in range(COUNT))


def test_sets_of_numbers_are_bound_together(device, monkeypatch):
    bound = []
    real = amplitudes.recorded
    monkeypatch.setattr(amplitudes, "recorded", lambda *given, **keys: bound.append(real(*given, **keys)) or bound[-1])
    batch_of(device, [layers(6, seed) for seed in range(COUNT)], 6)
    (recipe,) = bound
    assert len(recipe.launches.numbers) == COUNT


def test_more_states_than_a_launch_takes_are_several_launches(cupy, device, monkeypatch):
    monkeypatch.setattr(amplitudes, "MOST_STATES", 2)
    each = [layers(6, seed) for seed in range(COUNT)]
    batch, _ = batch_of(device, each, 6)
    values = batch.expectations([(3, 6)])[:, 0]
    batch.collapse(2, np.arange(COUNT) % 2 == 1, np.full(COUNT, 0.5))
    assert max(launch.grid[1] for launch in cupy.gpu.launches) == 2
    for number, gates in enumerate(each):
        want = in_program_order(gates, reference.zero(6))
        assert values[number] == pytest.approx(pauli_value(want, 3, 6), abs=1e-12)
        kept = want * ((np.arange(2**6) >> 2 & 1) == number % 2) * 2**0.5
        assert np.allclose(batch.state(number).amplitudes(), kept, atol=1e-12)


def pauli_value(vector, x, z):
    """<v| product of X at the bits of x, Z at those of z, Y at both |v>, from what each does to a basis state."""
    i = np.arange(len(vector))
    signs = np.array([(-1) ** (int(k) & z).bit_count() for k in i])
    return (np.vdot(vector[i ^ x], signs * vector) * 1j ** (x & z).bit_count()).real


@pytest.mark.parametrize("n", [2, 7])
def test_what_is_read_of_all_states_at_once(n, tiny_gpu, precision, tolerance):
    each = [layers(n, seed) for seed in range(COUNT)]
    batch, _ = batch_of(tiny_gpu, each, n, precision)
    vectors = [in_program_order(gates, reference.zero(n)) for gates in each]
    weights = np.array([abs(vector) ** 2 for vector in vectors])
    for x, z in ((0, 1), (1, 0), (3, 3), (2**n - 1, 1)):
        want = [pauli_value(vector, x, z) for vector in vectors]
        assert np.allclose(batch.expectations([(x, z)])[:, 0], want, atol=4 * tolerance)
    for block_qubits in range(n + 1):
        want = weights.reshape(COUNT, -1, 2**block_qubits).sum(axis=2)
        assert np.allclose(batch.block_weights(block_qubits), want, atol=4 * tolerance)
    of_values = weights.reshape(COUNT, -1, 2, 2).sum(axis=(1, 3))
    assert np.allclose(batch.weights(1), of_values, atol=4 * tolerance)


def test_shots_that_are_measured_in_the_middle(tiny_gpu, tolerance):
    """Each state goes on from an outcome of its own."""
    n = 6
    before, after = layers(n, 1), layers(n, 2)
    batch, plan = batch_of(tiny_gpu, [before] * COUNT, n)
    outcomes = np.array([True, False, True, True, False])
    weights = batch.weights(3)
    batch.collapse(3, outcomes, weights[np.arange(COUNT), outcomes.astype(int)])
    segment = Segment(tuple(after))
    batch.run([segment] * COUNT, plan)
    start = in_program_order(before, reference.zero(n))
    for number, outcome in enumerate(outcomes):
        projected = start * ((np.arange(2**n) >> 3 & 1) == outcome)
        want = in_program_order(after, projected / np.linalg.norm(projected))
        assert np.allclose(batch.state(number).amplitudes(), want, atol=1e-12)


def test_a_state_of_a_batch_is_sampled_as_one_by_itself(tiny_gpu):
    each = [layers(7, seed) for seed in range(3)]
    batch, plan = batch_of(tiny_gpu, each, 7)
    for number, gates in enumerate(each):
        alone = tiny_gpu.new_state(7, Precision.DOUBLE)
        alone.run(Segment(tuple(gates)), plan)
        draws = np.sort(np.random.default_rng(number).random(200))
        assert sample_indices(batch.state(number), draws).tolist() == sample_indices(alone, draws).tolist()


def test_memory_goes_back_and_polls_stop_a_batch(cupy, device):
    class Stops(Monitor):
        polls = 0

        def poll(self):
            self.polls += 1
            if self.polls > 5:  # two when it is made, one when it is bound, one when it runs; then one for each pass
                self.cancel()
            super().poll()

    each = [layers(8, seed) for seed in range(COUNT)]
    batch, _ = batch_of(device, each, 8)
    batch.release()
    del batch
    gc.collect()
    assert cupy.gpu.live_bytes == 0
    with pytest.raises(Cancelled):
        batch_of(device, each, 8, monitor=Stops())
    gc.collect()
    assert cupy.gpu.live_bytes == 0
    assert cupy.gpu.most_launches_in_flight == 3  # what makes constants, and two passes


def test_a_batch_that_does_not_fit_is_one_sentence(cupy, device):
    cupy.gpu.total_bytes = 2**27
    assert device.most_states(10, Precision.DOUBLE) == (2**27 - 2**26) // 2**14
    with pytest.raises(BasicAerError, match=r"GPU 0 ran out of memory while making a state .*precision='single'"):
        device.new_batch(10, Precision.DOUBLE, 2**14)


def test_a_segment_for_each_state_is_wanted(device):
    batch = device.new_batch(3, Precision.DOUBLE, 2)
    with pytest.raises(ValueError, match="3 segments for 2 states"):
        batch.run([Segment(())] * 3, None)
