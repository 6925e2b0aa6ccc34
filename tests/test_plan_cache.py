"""Plans are kept by structure: what finds one again, what does not, how many are kept, and from several threads."""

import threading
from dataclasses import replace

import numpy as np
import pytest

import reference
from basicaer.engine.lru_cache import LruCache
from basicaer.engine.program import Form
from basicaer.plan import planner
from basicaer.plan.planner import plan_segment
from plan_checks import costs_of, differences, flip, gate, hadamard, phase, random_gates, segment, swap

COSTS = costs_of(tile_qubits=3)
N = 6


@pytest.fixture(autouse=True)
def kept(monkeypatch):
    """Nothing is kept at first, and nothing of the test's is kept afterwards."""
    plans = LruCache(most=128, most_in_all=200_000)
    monkeypatch.setattr(planner, "_plans", plans)
    return plans


def some_gates(seed=0):
    """The same structure for every seed, with other numbers."""
    return [
        hadamard(0),
        gate(Form.MATRIX, reference.random_unitary(4, seed), (1, 4)),
        phase(0.1 + seed, 2, 5),
        gate(Form.PERMUTATION, np.random.default_rng(seed).permutation(8), (3, 0, 5)),
        flip(2, 1, 3, 4, 5)._replace(control_state=seed % 16),
    ]


def test_the_same_structure_with_other_numbers_has_the_same_plan(kept):
    plan = plan_segment(segment(some_gates(0)), N, COSTS)
    for seed in range(1, 20):
        gates = some_gates(seed)
        assert plan_segment(segment(gates), N, COSTS) is plan
        assert not differences(plan, gates, COSTS)
    assert len(kept) == 1


def test_a_gates_name_is_not_part_of_its_structure():
    named = [chosen._replace(name="another") for chosen in some_gates()]
    assert plan_segment(segment(named), N, COSTS) is plan_segment(segment(some_gates()), N, COSTS)


def test_equal_costs_are_the_same_costs():
    plan = plan_segment(segment(some_gates()), N, COSTS)
    assert plan_segment(segment(some_gates()), N, replace(COSTS)) is plan


OTHERS = {
    "another target": lambda gates: [*gates[:-1], flip(0, 1, 3, 4, 5)],
    "targets in another order": lambda gates: [gates[0], gates[1]._replace(targets=(4, 1)), *gates[2:]],
    "another control": lambda gates: [*gates[:2], phase(0.1, 2, 4), *gates[3:]],
    "a control less": lambda gates: [*gates[:2], phase(0.1, 2), *gates[3:]],
    "another action": lambda gates: [gates[0]._replace(target_actions="X"), *gates[1:]],
    "another form": lambda gates: [*gates[:2], gates[2]._replace(form=Form.MATRIX, data=np.diag([1, 1j])), *gates[3:]],
    "another order": lambda gates: gates[::-1],
    "a gate more": lambda gates: [*gates, hadamard(0)],
    "a gate less": lambda gates: gates[1:],
    "nothing": lambda gates: [],
}


@pytest.mark.parametrize("name", OTHERS)
def test_another_structure_has_another_plan(name, kept):
    plan = plan_segment(segment(some_gates()), N, COSTS)
    gates = OTHERS[name](some_gates())
    other = plan_segment(segment(gates), N, COSTS)
    assert other is not plan
    assert len(kept) == 2
    assert not differences(other, gates, COSTS)


def test_a_permutation_of_a_swaps_structure_that_is_no_swap_has_another_plan(kept):
    """The one thing in a gate's numbers that a plan depends on."""
    swapped = [hadamard(0), swap(0, 1), hadamard(0)]
    other = [hadamard(0), gate(Form.PERMUTATION, [0, 1, 3, 2], (0, 1)), hadamard(0)]
    for gates in (swapped, other, swapped):
        assert not differences(plan_segment(segment(gates), N, COSTS), gates, COSTS)
    assert len(kept) == 2


def test_the_same_gates_on_another_state_or_device_or_for_counts_alone_have_other_plans(kept):
    gates = segment(some_gates())
    plans = [
        plan_segment(gates, N, COSTS),
        plan_segment(gates, N + 1, COSTS),
        plan_segment(gates, N, replace(COSTS, tile_qubits=4)),
        plan_segment(gates, N, replace(COSTS, multiply=9.0)),
        plan_segment(gates, N, COSTS, discard_phases=True),
    ]
    assert len(kept) == len({id(plan) for plan in plans}) == len(plans)


def segments(count):
    """Segments of one, two, three, ... gates."""
    return [segment([hadamard(q % N) for q in range(number + 1)]) for number in range(count)]


def test_so_many_plans_are_kept_and_those_used_last(kept):
    kept.most = 3
    first, second, third, fourth = segments(4)
    plans = [plan_segment(each, N, COSTS) for each in (first, second, third)]
    assert plan_segment(first, N, COSTS) is plans[0]  # now the second is the one not used for longest
    plan_segment(fourth, N, COSTS)
    assert len(kept) == 3
    assert plan_segment(first, N, COSTS) is plans[0]
    assert plan_segment(third, N, COSTS) is plans[2]
    assert plan_segment(second, N, COSTS) is not plans[1]


def test_so_many_gates_are_kept_in_all(kept):
    kept.most_in_all = 10
    for each in segments(6):
        plan_segment(each, N, COSTS)
        assert sum(len(plan.gates) for plan in kept) <= 10
    assert [len(plan.gates) for plan in kept] == [6]


def test_a_plan_of_more_gates_than_are_kept_is_kept_alone(kept):
    kept.most_in_all = 10
    long = segment([hadamard(q % N) for q in range(11)])
    for each in segments(3):
        plan_segment(each, N, COSTS)
    plan = plan_segment(long, N, COSTS)
    assert list(kept) == [plan]
    assert plan_segment(long, N, COSTS) is plan


def test_threads_share_plans_and_the_limits_hold(kept):
    kept.most = 4
    programs = [random_gates(np.random.default_rng(seed), N, 10, 2) for seed in range(8)]
    start = threading.Barrier(6)
    wrong = []

    def work(number):
        start.wait()
        for turn in range(24):
            gates = programs[(number + turn) % len(programs)]
            try:
                plan = plan_segment(segment(gates), N, COSTS)
                wrong.extend(differences(plan, gates, COSTS) if turn % 8 == 0 else [])
            except Exception as error:  # noqa: BLE001
                wrong.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert len(kept) == 4
