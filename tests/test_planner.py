"""Plans replayed: whatever order a plan chooses does what program order does, and has the form that it promises."""

import numpy as np
import pytest

import reference
from basicaer.engine.plan import Monomials, Part, Product
from basicaer.engine.program import Form
from basicaer.plan.planner import plan_segment
from plan_checks import (
    applied,
    costs_of,
    differences,
    flip,
    gate,
    hadamard,
    in_program_order,
    kinds_of_steps,
    matrix_of,
    phase,
    random_gate,
    random_gates,
    replayed,
    scheduled,
    segment,
    swap,
)


def plan_of(gates, n, costs, **options):
    return plan_segment(segment(gates), n, costs, **options)


def all_differences(gates, n, costs):
    return differences(plan_of(gates, n, costs), gates, costs)


# What the expectations come from.


@pytest.mark.parametrize("seed", range(30))
def test_the_quick_naive_application_is_the_slow_one(seed):
    random = np.random.default_rng(seed)
    n = 1 + seed % 5
    chosen = random_gate(random, n)
    matrix = matrix_of(chosen.form, chosen.data)
    vector = reference.random_state(n, seed)
    where = chosen.targets, chosen.controls, chosen.control_state
    assert np.allclose(matrix @ matrix.conj().T, np.eye(len(matrix)))
    want = reference.apply(vector, matrix, *where)
    assert np.allclose(applied(vector, matrix, *where), want)
    assert np.allclose(in_program_order([chosen], vector), want)


@pytest.mark.parametrize("seed", range(40))
def test_random_gates_act_as_they_say(seed):
    """Diagonal on Z targets: commutes with Pauli Z there; on X targets with Pauli X; on G targets with neither."""
    chosen = random_gate(np.random.default_rng(seed), 5)
    matrix = matrix_of(chosen.form, chosen.data)
    k = len(chosen.targets)
    for j, action in enumerate(chosen.target_actions):
        pauli = {"Z": np.diag([1, -1]), "X": np.array([[0, 1], [1, 0]])}
        for name, own in pauli.items():
            there = np.kron(np.eye(2 ** (k - 1 - j)), np.kron(own, np.eye(2**j)))
            commutes = np.allclose(there @ matrix, matrix @ there)
            assert commutes or action != name, chosen


# Random programs.


@pytest.mark.parametrize("shared_qubits", range(4))
@pytest.mark.parametrize("tile_qubits", range(3, 7))
@pytest.mark.parametrize("n", range(1, 10))
def test_any_plan_does_what_program_order_does(n, tile_qubits, shared_qubits):
    random = np.random.default_rng([n, tile_qubits, shared_qubits])
    for size in (4, 12, 30):
        costs = costs_of(tile_qubits, shared_qubits, selectors=int(random.integers(4)))
        gates = random_gates(random, n, size, widest=3 if size == 30 else 5)
        assert not all_differences(gates, n, costs)


@pytest.mark.parametrize("n", [6, 8])
def test_narrow_gates_in_long_programs(n):
    """One- and two-qubit gates: many fit into each product, and much is reordered."""
    random = np.random.default_rng(n)
    for tile_qubits in (3, 4, 5):
        costs = costs_of(tile_qubits, shared_qubits=1)
        gates = random_gates(random, n, 120, widest=2)
        plan = plan_of(gates, n, costs)
        assert not differences(plan, gates, costs)
        assert scheduled(plan) != sorted(scheduled(plan))
        assert kinds_of_steps(plan) == {Product, Monomials}
        assert any(
            len(step.gates) > 3 for current in plan.passes for step in current.steps if isinstance(step, Product)
        )


@pytest.mark.parametrize("widest", range(1, 7))
def test_no_matrix_is_wider_than_the_costs_have_one_for_unless_a_gate_is(widest):
    random = np.random.default_rng(widest)
    n, costs = 8, costs_of(tile_qubits=6, widest=widest)
    for _ in range(5):
        assert not all_differences(random_gates(random, n, 40, widest=2), n, costs)


# Widths.


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 6])
def test_as_many_qubits_as_a_tile_one_more_or_fewer(n):
    costs = costs_of(tile_qubits=4, shared_qubits=2)
    gates = random_gates(np.random.default_rng(n), n, 40, widest=2)
    plan = plan_of(gates, n, costs)
    assert not differences(plan, gates, costs)
    assert {len(current.tile) for current in plan.passes} == {min(n, 4)}
    if n <= 4:
        assert len(plan.passes) == 1


@pytest.mark.parametrize("form", [Form.MATRIX, Form.PERMUTATION])
@pytest.mark.parametrize("width", [3, 4, 5, 6])
def test_gates_wider_than_what_a_tile_has_room_for(form, width):
    """Of 4 wires 2 are to be shared: a gate on 3 breaks the rule, one on 5 needs a larger tile."""
    n, costs = 8, costs_of(tile_qubits=4, shared_qubits=2, widest=2)
    random = np.random.default_rng(width)
    gates = random_gates(random, n, 12, widest=2)
    for at in (2, 7, 11):
        qubits = [int(q) for q in random.permutation(n)[:width]]
        data = reference.random_unitary(2**width, at) if form is Form.MATRIX else random.permutation(2**width)
        gates.insert(at, gate(form, data, qubits))
    plan = plan_of(gates, n, costs_of(tile_qubits=4, shared_qubits=2))
    assert not differences(plan, gates, costs_of(tile_qubits=4, shared_qubits=2))
    assert max(len(current.tile) for current in plan.passes) == max(4, width)
    assert not differences(plan_of(gates[:1], n, costs), gates[:1], costs)


def test_a_gate_on_all_qubits_of_a_state_much_wider_than_a_tile():
    n, costs = 9, costs_of(tile_qubits=3, shared_qubits=3)
    random = np.random.default_rng(1)
    gates = [
        *random_gates(random, n, 6, widest=2),
        gate(Form.PERMUTATION, random.permutation(2**n), random.permutation(n)),
        gate(Form.DIAGONAL, np.exp(1j * random.normal(size=2**n)), random.permutation(n)),
        *random_gates(random, n, 6, widest=2),
    ]
    plan = plan_of(gates, n, costs)
    assert not differences(plan, gates, costs)
    assert max(len(current.tile) for current in plan.passes) == n


def test_a_gate_with_more_selectors_than_a_product_may_have_is_one_by_itself():
    n, costs = 6, costs_of(tile_qubits=3, selectors=1)
    first = gate(Form.DIAGONAL, np.exp(1j * np.arange(32)), range(5))
    block = np.eye(32, dtype=complex)
    block[np.ix_([15, 31], [15, 31])] = reference.random_unitary(2)
    gates = [hadamard(4), gate(Form.MATRIX, block, range(5), actions="ZZZZG"), hadamard(4), first, hadamard(4)]
    plan = plan_of(gates, n, costs)
    assert not differences(plan, gates, costs)
    assert {len(step.selectors) for step in plan.passes[0].steps if isinstance(step, Product)} == {0, 4}


# Swaps and controls.


def test_a_swap_moves_nothing_and_what_follows_is_on_the_other_wire():
    gates = [hadamard(0), swap(0, 3), hadamard(0), swap(3, 1), flip(1, 0), swap(2, 0)]
    plan = plan_of(gates, 4, costs_of(tile_qubits=3))
    assert not differences(plan, gates, costs_of(tile_qubits=3))
    assert [(origin, gate.targets, gate.controls) for origin, gate in zip(plan.origins, plan.gates, strict=True)] == [
        (0, (0,), ()),
        (2, (3,), ()),
        (4, (0,), (3,)),
    ]
    assert plan.wire_of == (2, 0, 3, 1)


def test_nothing_but_swaps_needs_no_pass():
    plan = plan_of([swap(0, 1), swap(1, 2)], 3, costs_of())
    assert not plan.passes
    assert plan.wire_of == (1, 2, 0)


def test_a_controlled_swap_and_a_larger_permutation_are_no_swaps():
    gates = [
        gate(Form.PERMUTATION, [0, 2, 1, 3], (0, 1), (2,), 1),
        gate(Form.PERMUTATION, [0, 2, 1, 3, 4, 6, 5, 7], (0, 1, 2)),
        gate(Form.PERMUTATION, [0, 3, 1, 2], (0, 1)),
    ]
    plan = plan_of(gates, 5, costs_of())
    assert len(plan.gates) == 3
    assert plan.wire_of == tuple(range(5))
    assert not differences(plan, gates, costs_of())


@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize("controls", range(6))
@pytest.mark.parametrize("width", [1, 2])
def test_a_gate_with_three_controls_or_more_is_split_unless_it_is_diagonal(form, controls, width):
    n, costs = 8, costs_of(tile_qubits=3)
    random = np.random.default_rng(controls)
    data = {
        Form.MATRIX: reference.random_unitary(2**width, controls),
        Form.DIAGONAL: np.exp(1j * random.normal(size=2**width)),
        Form.PERMUTATION: np.array([1, 0] if width == 1 else [1, 2, 0, 3]),
    }[form]
    for control_state in {0, 2**controls - 1, 2**controls // 3}:
        qubits = [int(q) for q in random.permutation(n)]
        split = gate(form, data, qubits[:width], qubits[width : width + controls], control_state)
        gates = [*random_gates(random, n, 5, 2), split, *random_gates(random, n, 5, 2)]
        assert not all_differences(gates, n, costs)
        parts = [planned.part for planned in plan_of([split], n, costs).gates]
        whole = form is Form.DIAGONAL or controls < 3
        assert parts == [Part.WHOLE] if whole else [Part.INTO_EIGENBASIS, Part.EIGENVALUES, Part.OUT_OF_EIGENBASIS]


@pytest.mark.parametrize("form", [Form.MATRIX, Form.PERMUTATION])
def test_a_wide_gate_with_many_controls_is_held_whole(form):
    n, costs = 11, costs_of(tile_qubits=4)
    random = np.random.default_rng(4)
    data = reference.random_unitary(2**7) if form is Form.MATRIX else random.permutation(2**7)
    wide = gate(form, data, (9, 0, 3, 6, 1, 4, 8), (7, 2, 10), 0b010)
    gates = [*random_gates(random, n, 4, 2), wide, *random_gates(random, n, 4, 2)]
    plan = plan_of(gates, n, costs)
    assert not differences(plan, gates, costs)
    assert next(current.tile for current in plan.passes if len(current.tile) > 4) == (0, 1, 2, 3, 4, 6, 7, 8, 9, 10)


# Phases at the end.


@pytest.mark.parametrize("seed", range(40))
def test_discarded_phases_change_no_probability(seed):
    random = np.random.default_rng(seed)
    n = int(random.integers(2, 8))
    costs = costs_of(tile_qubits=3)
    gates = random_gates(random, n, 12, widest=2)
    plan = plan_of(gates, n, costs, discard_phases=True)
    vector = reference.random_state(n, seed)
    got, want = (abs(state) ** 2 for state in (replayed(plan, gates, vector), in_program_order(gates, vector)))
    assert np.allclose(got, want, atol=1e-12)
    dropped = set(range(len(plan.gates))).difference(scheduled(plan))
    assert len(scheduled(plan)) == len(set(scheduled(plan)))
    assert all(
        plan.gates[number].part is Part.EIGENVALUES or gates[plan.origins[number]].form is Form.DIAGONAL
        for number in dropped
    )
    assert all(plan.gates[number].part is Part.WHOLE for number in dropped)  # something follows each part


def test_the_phases_that_are_discarded_are_all_that_nothing_follows():
    gates = [hadamard(0), phase(1, 0), phase(2, 0, 1), hadamard(2), flip(2, 1), phase(3, 2), phase(4, 1, 2), swap(1, 3)]
    costs = costs_of(tile_qubits=2)
    assert set(scheduled(plan_of(gates, 4, costs, discard_phases=True))) == {0, 3, 4}
    assert set(scheduled(plan_of([*gates, flip(1)], 4, costs, discard_phases=True))) == {0, 3, 4, 7}
    followed = [*gates, hadamard(3)]  # where qubit 1 was
    assert set(scheduled(plan_of(followed, 4, costs, discard_phases=True))) == {0, 2, 3, 4, 6, 7}
    assert set(scheduled(plan_of(gates, 4, costs))) == set(range(7))


def test_nothing_but_phases_takes_one_pass_or_none():
    gates = [phase(1, q, (q + 3) % 7) for q in range(7)]
    costs = costs_of(tile_qubits=3)
    plan = plan_of(gates, 7, costs)
    assert [current.steps for current in plan.passes] == [(Monomials(tuple(range(7))),)]
    assert not differences(plan, gates, costs)
    assert not plan_of(gates, 7, costs, discard_phases=True).passes


def test_a_segment_without_gates_has_a_plan_without_passes():
    assert plan_of([], 5, costs_of()).passes == ()


def test_phases_without_qubits_are_kept():
    gates = [gate(Form.DIAGONAL, [1j], ()), hadamard(0), gate(Form.DIAGONAL, [-1], ()), hadamard(0)]
    assert not all_differences(gates, 1, costs_of())
    assert not all_differences(gates[:1], 1, costs_of())
