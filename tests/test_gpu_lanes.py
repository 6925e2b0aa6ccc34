"""Matrices on two wires that a warp multiplies on tensor cores: which are in lanes, and that results are right."""

import itertools

import numpy as np
import pytest

import reference
from basicaer.devices.gpu.binding import bind
from basicaer.devices.gpu.device import CupyDevice
from basicaer.devices.gpu.encoding import Encoder
from basicaer.devices.gpu.lanes import with_lanes
from basicaer.devices.gpu.operations import Table
from basicaer.devices.gpu.recording import Stage
from basicaer.devices.gpu.shape import TileShape
from basicaer.devices.gpu.structs import NO_LANES
from basicaer.devices.gpu.thread_order import columns_apart, ordered_threads, rank, shared_columns
from basicaer.devices.numbers import GateNumbers
from basicaer.engine.program import Form, Gate, Segment
from basicaer.options import Precision
from basicaer.plan.planner import plan_segment
from conftest import MACHINE_CODE, emulated_gpu, gpu
from plan_checks import in_program_order

REGISTER_BITS = 4
SHAPES = {precision: TileShape(9, REGISTER_BITS, 3, uses_lanes=True) for precision in Precision}


def matrix(*targets, controls=()):
    return GateNumbers(Form.MATRIX, np.eye(2 ** len(targets)), targets, controls)


def diagonal(*targets):
    return GateNumbers(Form.DIAGONAL, np.ones(2 ** len(targets)), targets)


def stage(*gates, before=None):
    needed = dict.fromkeys(q for gate in gates if gate.form is Form.MATRIX for q in gate.targets)
    return Stage(list(needed), before, list(gates))


def names(stages):
    """Return the wires of what each stage does in registers, and in lanes."""
    return [([gate.targets for gate in one.gates], [gate.targets for gate in one.lane_gates]) for one in stages]


def test_a_stage_ends_with_a_matrix_in_lanes_if_no_other_gate_needs_its_wires_in_registers():
    found = with_lanes([stage(matrix(0, 1), matrix(2, 3), matrix(3))], REGISTER_BITS)
    assert names(found) == [([(0, 1)], [(2, 3), (3,)])]
    assert found[0].needed == [0, 1]
    assert found[0].lanes == (2, 3)
    chained = with_lanes([stage(matrix(0, 1), matrix(1, 2))], REGISTER_BITS)
    assert names(chained) == [([(0, 1), (1, 2)], [])]


@pytest.mark.parametrize(
    "after", [diagonal(1, 5), diagonal(0), matrix(5, controls=(1,)), Table((1,), None, {})], ids=str
)
def test_what_depends_on_its_wires_keeps_it_in_registers(after):
    gates = [matrix(0, 1), after]
    (found,) = with_lanes([Stage([0, 1, 5], None, gates)], REGISTER_BITS)
    assert (found.gates, found.lanes) == (gates, ())


@pytest.mark.parametrize("gates", [[matrix(0, 1), matrix(0, controls=(1,))], [matrix(1, controls=(0,)), matrix(0, 1)]])
def test_a_controlled_matrix_on_its_wires_keeps_it_in_registers(gates):
    """The product of matrices in lanes is one matrix, and has no condition."""
    (found,) = with_lanes([Stage([0, 1], None, gates)], REGISTER_BITS)
    assert (found.gates, found.lanes) == (gates, ())


@pytest.mark.parametrize("gate", [matrix(0, 1, controls=(5,)), matrix(0), diagonal(0, 1)], ids=str)
def test_other_gates_than_matrices_on_two_wires_are_in_no_lanes(gate):
    assert not with_lanes([stage(gate)], REGISTER_BITS)[0].lanes


def test_matrices_move_to_a_stage_that_has_room_and_stages_without_gates_are_left_out():
    stages = [stage(matrix(0, 1), matrix(2, 3)), stage(matrix(4, 5), matrix(6, 7)), stage(matrix(8, 9))]
    assert names(with_lanes(stages, REGISTER_BITS)) == [([(0, 1), (4, 5)], [(2, 3)]), ([(8, 9)], [(6, 7)])]


def test_matrices_do_not_move_past_what_they_do_not_commute_with():
    stages = [stage(matrix(0, 1)), stage(diagonal(0, 4), matrix(4, 5))]
    assert names(with_lanes(stages, REGISTER_BITS)) == [([], [(0, 1)]), ([(0, 4)], [(4, 5)])]
    stages = [stage(matrix(0, 1)), stage(matrix(2, 5)), Stage([3], None, [matrix(3)])]
    assert names(with_lanes(stages, REGISTER_BITS)) == [([(2, 5)], [(0, 1)]), ([(3,)], [])]


def test_nothing_moves_past_a_permutation():
    stages = [stage(matrix(0, 1)), stage(matrix(2, 3), before="a permutation")]
    assert names(with_lanes(stages, REGISTER_BITS)) == [([], [(0, 1)]), ([], [(2, 3)])]


def test_wires_in_lanes_are_the_lowest_of_a_thread_and_in_different_banks():
    wires = tuple(range(12))
    for lanes in itertools.combinations(wires, 2):
        columns = columns_apart(wires, [lanes, (3, 5)], 3)
        assert sorted(columns.values()) == sorted(shared_columns(12, 3))
        others = [wire for wire in wires if wire not in lanes][:6]
        order = ordered_threads([*lanes, *others], others[-2:], [columns], 3, lanes)
        assert order[:2] == lanes
        assert set(others[-2:]) <= set(order[:5])
        assert rank(columns[wire] & 7 for wire in order[:3]) == 3


def random_gate(random, n):
    """Return a gate, most often a matrix on two wires."""
    wires = [int(q) for q in random.permutation(n)]
    kind = random.choice(5, p=[0.5, 0.15, 0.15, 0.1, 0.1])
    if kind == 0:
        return Gate("u", "GG", tuple(wires[:2]), Form.MATRIX, reference.random_unitary(4, random.integers(1000)))
    if kind == 1:
        return Gate("u", "G", tuple(wires[:1]), Form.MATRIX, reference.random_unitary(2, random.integers(1000)))
    if kind == 2:
        return Gate("cx", "X", tuple(wires[:1]), Form.PERMUTATION, np.array([1, 0]), (wires[1],), 1)
    if kind == 3:
        return Gate("d", "ZZ", tuple(wires[:2]), Form.DIAGONAL, np.exp(1j * random.normal(size=4)))
    return Gate("cu", "GG", tuple(wires[:2]), Form.MATRIX, reference.random_unitary(4, 3), (wires[2],), 1)


@pytest.fixture(params=["GPU-emulated", "GPU"])
def device(request):
    if request.param == "GPU-emulated":
        if MACHINE_CODE == "75":
            pytest.skip("the kernels have no code for it for compute capability 7.5")
        return emulated_gpu(SHAPES)
    if not gpu().card.multiplies_matrices:
        pytest.skip("the kernels have no code for it for this card")
    return CupyDevice(shapes=SHAPES)


@pytest.mark.parametrize("seed", range(12))
def test_random_circuits(device, seed):
    """From any state, or from |0...0>, where some wires are known to be 0."""
    random = np.random.default_rng([18, seed])
    n = int(random.integers(9, 12))
    gates = [random_gate(random, n) for _ in range(40)]
    segment, start = Segment(tuple(gates)), reference.random_state(n, seed=seed) if seed % 3 else reference.zero(n)
    plan = plan_segment(segment, n, device.costs(n, Precision.DOUBLE))
    bound = bind(plan, segment, SHAPES[Precision.DOUBLE], tuple(range(n)), frozenset())
    assert (bound.stages["lanes"] != NO_LANES).any()
    state = device.new_state(n, Precision.DOUBLE)
    if seed % 3:
        state.load(start)
    state.run(segment, plan)
    assert np.allclose(state.amplitudes(), in_program_order(gates, start), rtol=0, atol=1e-12)


def unitary(*wires, seed=1):
    return Gate("u", "G" * len(wires), wires, Form.MATRIX, reference.random_unitary(2 ** len(wires), seed))


def test_lanes_that_see_registers_in_other_orders_bring_them_into_one(device, monkeypatch):
    """CX by a wire in lanes has exchanged registers in some of them; the matrix multiplies what is in the same one."""
    settled = []
    settle = Encoder.settle_views
    monkeypatch.setattr(Encoder, "settle_views", lambda self: settled.append(self) or settle(self))
    n, (control, other), targets = 9, (4, 5), (2, 6, 3, 8)
    flips = [Gate("cx", "X", (q,), Form.PERMUTATION, np.array([1, 0]), (control,), 1) for q in targets]
    gates = [*map(unitary, targets), *flips, *map(unitary, targets), unitary(control, other)]
    segment, start = Segment(tuple(gates)), reference.random_state(n, seed=5)
    state = device.new_state(n, Precision.DOUBLE)
    state.load(start)
    state.run(segment, plan_segment(segment, n, device.costs(n, Precision.DOUBLE)))
    assert settled
    assert np.allclose(state.amplitudes(), in_program_order(gates, start), rtol=0, atol=1e-12)


@pytest.mark.parametrize("first", [0, 1])
def test_controlled_matrices_beside_a_matrix_on_both_of_their_wires(device, first):
    n = 9
    controlled = Gate("cu", "G", (4,), Form.MATRIX, reference.random_unitary(2, 7), (5,), 1)
    gates = [unitary(4, 5), controlled] if first else [controlled, unitary(4, 5)]
    segment, start = Segment(tuple(gates)), reference.random_state(n, seed=6)
    state = device.new_state(n, Precision.DOUBLE)
    state.load(start)
    state.run(segment, plan_segment(segment, n, device.costs(n, Precision.DOUBLE)))
    assert np.allclose(state.amplitudes(), in_program_order(gates, start), rtol=0, atol=1e-12)


def test_each_state_of_a_batch_has_its_own_matrices(device):
    n, wires = 10, [(q, q + 1) for layer in range(4) for q in range(layer % 2, 9, 2)]

    def circuit(number):
        return [unitary(*own, seed=[number, gate]) for gate, own in enumerate(wires)]

    each = [circuit(number) for number in range(3)]
    segments = [Segment(tuple(gates)) for gates in each]
    batch = device.new_batch(n, Precision.DOUBLE, len(each))
    batch.run(segments, plan_segment(segments[0], n, device.costs(n, Precision.DOUBLE)))
    for number, gates in enumerate(each):
        want = in_program_order(gates, reference.zero(n))
        assert np.allclose(batch.state(number).amplitudes(), want, rtol=0, atol=1e-12)
