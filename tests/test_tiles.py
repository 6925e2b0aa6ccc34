"""Planned runs on tiny tiles against naive application: many passes, odd layouts, several threads, both precisions."""

import numpy as np
import pytest

import reference
from basicaer.devices.cpu import binding, recipe
from basicaer.devices.cpu import state as numpy_state
from basicaer.devices.cpu.device import NumpyDevice
from basicaer.engine.execute import execute
from basicaer.engine.monitor import Monitor
from basicaer.engine.program import Form, Gate, Program, Segment
from basicaer.engine.request import Request
from basicaer.options import Precision
from basicaer.plan.planner import plan_segment
from plan_checks import (
    flip,
    gate,
    hadamard,
    in_program_order,
    phase,
    random_gate,
    random_gates,
    random_of_actions,
    swap,
)


@pytest.fixture
def runs(monkeypatch):
    """What has been given to the threads: for each run its passes."""
    seen = []
    run_passes = numpy_state.run_passes

    def recorded(passes, *args, **keys):
        seen.append(passes)
        run_passes(passes, *args, **keys)

    monkeypatch.setattr(numpy_state, "run_passes", recorded)
    return seen


def set_small_kernels(monkeypatch, *, to):
    for module in (binding, recipe):
        monkeypatch.setattr(module, "has_small_kernels", lambda: to)


@pytest.fixture(params=[True, False], ids=["small-kernels", "no-small-kernels"])
def kernels(request, monkeypatch):
    """Bring groups to the low end, as on processors with AVX-512, or leave them where they are."""
    set_small_kernels(monkeypatch, to=request.param)


def rotation(angle):
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def state_after(gates, n, tile_qubits, precision, *, initial=None, threads=3):
    """Run a program of one segment as a job does."""
    program = Program("test", tuple(range(n)), n, 0, 0, (Segment(tuple(gates)),), ())
    device = NumpyDevice(threads, tile_qubits=tile_qubits)
    request = Request(program, precision, shots=1, seed=0, initial=initial, keep_state=True)
    return execute(request, device, plan_segment, Monitor()).amplitudes


def check(gates, n, tile_qubits, precision, tolerance):
    """Compare with program order, from |0...0> and from any state; where not a qubit is |0>, all tiles are there."""
    vector = reference.random_state(n, seed=n)
    for initial, start in ((None, reference.zero(n)), (vector, vector)):
        got = state_after(gates, n, tile_qubits, precision, initial=initial)
        assert np.allclose(got, in_program_order(gates, start), rtol=0, atol=tolerance)


@pytest.mark.usefixtures("kernels")
@pytest.mark.parametrize("n", range(1, 13))
def test_random_circuits(n, precision, tolerance):
    random = np.random.default_rng(n)
    for tile_qubits in range(1, min(n, 6) + 1):
        check(random_gates(random, n, 16, widest=3), n, tile_qubits, precision, tolerance)


@pytest.mark.usefixtures("kernels")
@pytest.mark.parametrize("n", [7, 10])
def test_long_random_circuits_of_narrow_gates(n, precision, tolerance, runs):
    for tile_qubits in (3, 5):
        gates = random_gates(np.random.default_rng([n, tile_qubits]), n, 150, widest=2)
        check(gates, n, tile_qubits, precision, 4 * tolerance)
    passes = [step for run in runs for step in run]
    assert len(passes) > 60
    assert sum(len(step.bases) > 2 for step in passes) > 50
    assert len({step.row for step in passes}) > 2


@pytest.mark.parametrize("n", [8, 9])
def test_gates_of_three_to_six_qubits(n, precision, tolerance):
    random = np.random.default_rng(n)
    for tile_qubits in (3, 5, 7):
        gates = [
            gate(Form.MATRIX, reference.random_unitary(2**k, k), random.permutation(n)[:k].tolist())
            for k in random.permutation([3, 3, 4, 4, 5, 6]).tolist()
        ]
        check(gates, n, tile_qubits, precision, tolerance)


@pytest.mark.usefixtures("kernels")
@pytest.mark.parametrize("tile_qubits", [7, 8, 9, 10])
def test_tiles_in_which_many_products_follow_one_another(tile_qubits, precision, tolerance):
    """Some find their wires side by side and some do not, with selectors inside and outside, real and complex."""
    n = 10
    for seed in range(6):
        random = np.random.default_rng([tile_qubits, seed])
        gates = random_gates(random, n, 60, widest=2)
        gates += [gate(Form.MATRIX, rotation(random.uniform(-3, 3)), (int(q),)) for q in random.permutation(n)]
        gates += [flip(*random.permutation(n)[:2].tolist()) for _ in range(10)] if seed % 2 else []
        check(gates, n, tile_qubits, precision, 2 * tolerance)


def test_from_zero_few_tiles_are_visited_at_first(runs):
    n = 12
    state_after([*map(hadamard, range(n)), *(flip(q, q - 1) for q in range(1, n))], n, 4, Precision.DOUBLE)
    visited = [len(step.bases) for step in runs[0]]
    assert visited[0] == 1
    assert visited == sorted(visited)
    runs.clear()
    vector = reference.random_state(n)
    state_after([*map(hadamard, range(n))], n, 4, Precision.DOUBLE, initial=vector)
    assert {len(step.bases) for step in runs[0]} == {2**8}


# Diagonal gates, inside the tile and far outside of it.


@pytest.mark.parametrize("width", [1, 2, 7, 8, 9, 10, 11])
@pytest.mark.parametrize("controls", [0, 1, 2])
def test_wide_diagonals_between_passes(width, controls, precision, tolerance):
    """What moves wires runs before and after, so that a diagonal's wires stand elsewhere in every pass."""
    n = 11
    random = np.random.default_rng([width, controls])
    gates = [*map(hadamard, range(n))]
    for _ in range(3):
        qubits = [int(q) for q in random.permutation(n)]
        k = min(width, n - controls)
        data = np.exp(1j * random.uniform(-3, 3, 2**k))
        state = int(random.integers(2**controls))
        gates.append(gate(Form.DIAGONAL, data, qubits[:k], qubits[k : k + controls], state))
        gates += [hadamard(int(q)) for q in random.permutation(n)]
    check(gates, n, 5, precision, tolerance)


@pytest.mark.parametrize("n", [10, 12])
def test_many_small_phases_that_reach_over_all_qubits(n, precision, tolerance):
    """More wires than fit into one table, and more than into one cluster, in one product of phases."""
    random = np.random.default_rng(n)
    gates = [*map(hadamard, range(n))]
    for _ in range(2):
        gates += [phase(random.uniform(-3, 3), a, b) for a in range(n) for b in range(a + 1, n)]
        gates += [phase(random.uniform(-3, 3), *random.permutation(n)[:k].tolist()) for k in (1, 3, 5, 8)]
        gates += [hadamard(int(q)) for q in random.permutation(n)]
    for tile_qubits in (3, 8):
        check(gates, n, tile_qubits, precision, tolerance)


def test_phases_and_permutations_in_turn(precision, tolerance):
    """Within one tile: what permutes may pass phases by only where they share no target."""
    n = 9
    for seed in range(12):
        random = np.random.default_rng(seed)
        gates = [hadamard(int(q)) for q in random.permutation(n)]
        for _ in range(30):
            a, b, c = random.permutation(n)[:3].tolist()
            match random.integers(4):
                case 0:
                    gates.append(phase(random.uniform(-3, 3), a, b))
                case 1:
                    gates.append(flip(a, b))
                case 2:
                    gates.append(gate(Form.PERMUTATION, random.permutation(4), (a, b), (c,), int(random.integers(2))))
                case 3:
                    gates.append(gate(Form.DIAGONAL, np.exp(1j * random.uniform(-3, 3, 8)), (a, b, c)))
        check(gates, n, 5, precision, tolerance)


# Controls and permutations.


@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize("controls", [1, 2, 3, 6, 9])
def test_controls_inside_and_outside_of_the_tile(form, controls, precision, tolerance):
    n = 11
    random = np.random.default_rng(controls)
    gates = [*map(hadamard, range(n))]
    for _ in range(4):
        qubits = random.permutation(n).tolist()
        data = {
            Form.MATRIX: random_of_actions(random, "GG"),
            Form.DIAGONAL: np.exp(1j * random.uniform(-3, 3, 4)),
            Form.PERMUTATION: random.permutation(4),
        }[form]
        gates.append(gate(form, data, qubits[:2], qubits[2 : 2 + controls], int(random.integers(2**controls))))
        gates += [random_gate(random, n, 1) for _ in range(3)]
    for tile_qubits in (3, 5):
        check(gates, n, tile_qubits, precision, 2 * tolerance)


@pytest.mark.parametrize("width", [5, 8, 10])
def test_wide_permutations(width, precision, tolerance):
    n = 10
    random = np.random.default_rng(width)
    gates = random_gates(random, n, 10, widest=2)
    gates.append(gate(Form.PERMUTATION, random.permutation(2**width), random.permutation(n)[:width].tolist()))
    gates += random_gates(random, n, 10, widest=2)
    for tile_qubits in (3, 6):
        check(gates, n, tile_qubits, precision, tolerance)


def test_mixed_kinds_swaps_and_controlled_swaps(precision, tolerance):
    n = 10
    random = np.random.default_rng(3)
    gates = [*map(hadamard, range(n))]
    for _ in range(60):
        a, b, c = random.permutation(n)[:3].tolist()
        match random.integers(5):
            case 0:
                gates.append(swap(a, b))
            case 1:
                gates.append(gate(Form.PERMUTATION, [0, 2, 1, 3], (a, b), (c,), int(random.integers(2))))
            case number:
                actions = ["XX", "ZX", "XG"][number - 2]
                gates.append(gate(Form.MATRIX, random_of_actions(random, actions), (a, b), actions=actions))
    for tile_qubits in (3, 4, 6):
        check(gates, n, tile_qubits, precision, 2 * tolerance)


def test_the_same_segment_twice_with_other_numbers(precision, tolerance):
    """The plan is the same object, and what was bound for it is not taken for the other numbers."""
    n = 8
    for angle in (0.3, 1.1, 0.3):
        rotations = [gate(Form.MATRIX, rotation(angle), (q,)) for q in range(n)]
        check([*rotations, *(phase(angle, q, (q + 1) % n) for q in range(n)), *rotations], n, 3, precision, tolerance)


# Threads.


@pytest.mark.parametrize("n", [12, 13])
def test_every_number_of_threads_gives_the_same_bits(n, precision, runs):
    gates = random_gates(np.random.default_rng(n), n, 40, widest=3)
    for initial in (None, reference.random_state(n)):
        one = state_after(gates, n, 5, precision, initial=initial, threads=1)
        for threads in (2, 3, 7):
            assert state_after(gates, n, 5, precision, initial=initial, threads=threads).tobytes() == one.tobytes()
    assert max(len(step.bases) for run in runs for step in run) >= 2**7


def run_and_keep_each_pass(state, segment, plan, kept):
    def keep():
        kept.append((state.layout(), [part.tobytes() for part in state.amplitude_parts()]))

    state.run(segment, plan, keep)


@pytest.mark.parametrize("flips", [False, True], ids=["same kernels", "other kernels"])
def test_a_state_goes_on_from_any_pass_however_later_ones_lay_it_out(monkeypatch, precision, tolerance, flips):
    n, device = 12, NumpyDevice(1, tile_qubits=9)
    gates = random_gates(np.random.default_rng(3), n, 120, widest=2)
    segment = Segment(tuple(gates))
    plan = plan_segment(segment, n, device.costs(n, precision))
    want = in_program_order(gates, reference.zero(n))
    kept = []
    set_small_kernels(monkeypatch, to=True)
    run_and_keep_each_pass(device.new_state(n, precision), segment, plan, kept)
    assert len(kept) == len(plan.passes) > 3
    set_small_kernels(monkeypatch, to=not flips)
    bound = recipe.Recipe(plan, segment, recipe.first_places(plan), frozenset(range(n)), np.dtype(complex)).bound()
    assert flips == any(
        layout["place"] != list(after.place) for (layout, _), after in zip(kept, bound.after, strict=True)
    )
    for layout, parts in kept:
        state = device.new_state(n, precision)
        state.restore(layout, parts)
        state.run(segment, plan)
        assert np.allclose(state.amplitudes(), want, rtol=0, atol=4 * tolerance)


def test_a_short_segment_goes_on_where_it_was_though_no_qubit_is_zero_any_more(precision, tolerance):
    device = NumpyDevice(1, tile_qubits=1)
    gates = [Gate("any", "G", (q,), Form.MATRIX, reference.random_unitary(2)) for q in range(2)]
    segment = Segment(tuple(gates))
    plan = plan_segment(segment, 2, device.costs(2, precision))
    kept = []
    run_and_keep_each_pass(device.new_state(2, precision), segment, plan, kept)
    assert [len(layout["zero"]) for layout, _ in kept] == [1, 0]
    for layout, parts in kept:
        state = device.new_state(2, precision)
        state.restore(layout, parts)
        state.run(segment, plan)
        assert np.allclose(state.amplitudes(), in_program_order(gates, reference.zero(2)), rtol=0, atol=tolerance)
