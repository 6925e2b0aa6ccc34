"""Long circuits: planning is work in proportion to their gates, whatever these are, and any order is still right.

Work is counted, not timed: each time that anything of the planner looks at an item.
"""

import random

import numpy as np
import pytest

import reference
from basicaer.engine.lru_cache import LruCache
from basicaer.plan import actions, bundles, local_wires, planner
from basicaer.plan.planner import plan_segment
from plan_checks import costs_of, differences, flip, gate, hadamard, phase, random_gates, scheduled, segment, swap
from test_plan_counts import gates_of

N = 12
COSTS = costs_of(tile_qubits=10, shared_qubits=3)


class Counting(list):
    """Items that count how often any is looked at."""

    looks = 0

    def __getitem__(self, number):
        self.looks += 1
        return super().__getitem__(number)


@pytest.fixture
def counted(monkeypatch):
    """The actions of all gates that are planned from now on."""
    made = []
    pieces_of = planner.pieces_of

    def counting(*args):
        pieces = pieces_of(*args)
        made.append(Counting(pieces.actions))
        return pieces._replace(actions=made[-1])

    monkeypatch.setattr(planner, "pieces_of", counting)
    monkeypatch.setattr(planner, "_plans", LruCache(most=1, most_in_all=0))
    return made


def anything(chosen, wires):
    match chosen.randrange(4):
        case 0:
            return ("G", (chosen.choice(wires),), ())
        case 1:
            return ("Z", (chosen.choice(wires),), ())
        case 2:
            return ("X", (chosen.choice(wires),), ())
        case _:
            control, target = chosen.sample(wires, 2)
            return ("X", (target,), (control,))


def rows_of(size, *rows_for):
    """Call the functions in turn, each for one gate, until there are so many."""
    return [rows_for[number % len(rows_for)](number) for number in range(size)]


def some(chosen, wires, most):
    return tuple(chosen.sample(wires, chosen.randint(2, most)))


def circuits(size):
    """Circuits that are hard to plan, as rows for `gates_of`."""
    chosen, wires = random.Random(1), list(range(N))  # noqa: S311
    last = ("G", (N - 1,), ())
    many = [anything(chosen, wires[:-1]) for _ in range(size)]
    return {
        "random": [anything(chosen, wires) for _ in range(size)],
        "one gate on a wire, at the end": [*many[:-1], last],
        "now and then a gate on a wire": [last if number % 99 == 98 else row for number, row in enumerate(many)],
        "all on one wire, and one on another": [*[(chosen.choice("GZX"), (0,), ()) for _ in range(size - 1)], last],
        "phases on a control": rows_of(
            size, lambda _: ("Z", (0,), ()), lambda _: ("G", (chosen.choice(wires[1:]),), (0,))
        ),
        "phases on controls, of all widths": rows_of(
            size,
            lambda _: ("Z", (chosen.randrange(2),), some(chosen, wires[2:7], 5)),
            lambda _: (chosen.choice("GX"), (chosen.choice(wires[7:]),), (chosen.randrange(7),)),
        ),
        "nothing but phases": [("Z", some(chosen, wires, 2)[:1], ()) for _ in range(size)],
        "nothing but wide phases": [("Z", (chosen.randrange(2),), some(chosen, wires[2:], 9)) for _ in range(size)],
        "layers": rows_of(
            size,
            lambda number: ("G", (number // 2 % N,), ()),
            lambda number: ("X", (number // 2 % N,), ((number // 2 + 1) % N,)),
        ),
        "layers on wires by themselves": rows_of(size, lambda number: ("GXZ"[number % 3], (number // 3 % N,), ())),
        "two halves": [
            ("X", (target,), (control,))
            for target, control in (chosen.sample(wires[:6] if n % 2 else wires[6:], 2) for n in range(size))
        ],
    }


@pytest.mark.parametrize("name", circuits(1000))
def test_planning_is_linear_in_gates(name, counted):
    for size in (4000, 8000):
        plan = plan_segment(segment(gates_of(*circuits(size)[name])), N, COSTS)
        assert sorted(scheduled(plan)) == list(range(size))
    once, twice = (made.looks for made in counted)
    assert twice < 2.4 * once + 4000
    assert twice < 160 * 8000


@pytest.mark.parametrize("name", ["random", "now and then a gate on a wire", "layers", "nothing but wide phases"])
def test_polls_come_after_little_work(name, counted):
    looks = [0]

    def poll():
        looks.append(counted[0].looks if counted else 0)

    plan_segment(segment(gates_of(*circuits(6000)[name])), N, COSTS, poll=poll)
    assert max(np.diff([*looks, counted[0].looks])) < 6 * planner._WINDOW


def test_gates_are_polled_between_before_there_is_anything_to_plan():
    polls = []
    gates = segment([hadamard(0)] * 10_000)
    actions.structure(gates.gates, lambda: polls.append(1))
    assert len(polls) == 5
    actions.pieces_of(actions.structure(gates.gates), 1, lambda: polls.append(1))
    assert len(polls) == 10


@pytest.fixture
def impatient(monkeypatch):
    """What a plan does only where there is much to look at, it does where there is little."""
    monkeypatch.setattr(planner, "_plans", LruCache(most=1, most_in_all=0))
    monkeypatch.setattr(local_wires, "_PATIENCE", 2)
    monkeypatch.setattr(local_wires, "_PATIENCE_FOR_EACH", 0)
    monkeypatch.setattr(local_wires, "_CANDIDATES", 2)
    monkeypatch.setattr(planner, "_WINDOW", 12)


@pytest.mark.parametrize("seed", range(12))
def test_any_plan_of_a_small_window_does_what_program_order_does(seed, impatient):
    chosen = np.random.default_rng(seed)
    n = int(chosen.integers(3, 8))
    costs = costs_of(int(chosen.integers(3, 7)), shared_qubits=0, selectors=int(chosen.integers(4)))
    gates = random_gates(chosen, n, 150, widest=int(chosen.integers(1, 5)))
    assert not differences(plan_segment(segment(gates), n, costs), gates, costs)


@pytest.mark.parametrize("n", [4, 6])
def test_a_plan_of_thousands_of_gates_does_what_program_order_does(n):
    chosen = np.random.default_rng(n)
    gates = random_gates(chosen, n, 5000, widest=2)
    costs = costs_of(tile_qubits=4)
    plan = plan_segment(segment(gates), n, costs)
    assert len(bundles_of(gates, n)) > planner._WINDOW
    assert not differences(plan, gates, costs)


def test_phases_that_nothing_waits_for_do_not_fill_the_window(impatient):
    """Here each is on wires of its own, so that they are not one; something waits for none of them before the end."""
    n = 9
    phases = [phase(0.1 * number, *[q for q in range(6) if number >> q & 1]) for number in range(1, 64)]
    gates = [each for some_phase in phases for each in (some_phase, hadamard(7), flip(8, 7), flip(7, 8))]
    gates += [hadamard(q) for q in range(6)]
    costs = costs_of(tile_qubits=3, shared_qubits=0)
    plan = plan_segment(segment(gates), n, costs)
    assert not differences(plan, gates, costs)
    assert len(plan.passes) < 40


# Bundles.


def bundles_of(gates, n=4):
    pieces = actions.pieces_of(actions.structure(gates), n)
    found = bundles.Bundles(pieces.actions, range(len(pieces.actions)), n)
    together = [found.gates_of([first]) for first in found.leaders]
    assert [found.size[first] for first in found.leaders] == [len(each) for each in together]
    return together


MIXED = gate(reference_form := hadamard(0).form, reference.random_unitary(4), (0, 1))
TOGETHER = {
    "the same gate again": ([hadamard(0), hadamard(0)], [(0, 1)]),
    "what follows on the only wire": ([hadamard(0), phase(1, 0), flip(0), hadamard(0)], [(0, 1, 2, 3)]),
    "what follows on some of the wires": ([MIXED, hadamard(0), phase(1, 1), flip(0, 1)], [(0, 1, 2, 3)]),
    "what comes before": ([phase(1, 0), hadamard(0)], [(0,), (1,)]),
    "phases on a control": ([phase(1, 0), flip(1, 0), phase(2, 0), flip(1, 0)], [(0, 2), (1, 3)]),
    "phases on both sides of a flip": ([phase(1, 0), flip(0), phase(2, 0)], [(0,), (1,), (2,)]),
    "phases on a target": ([phase(1, 1), flip(1, 0), phase(2, 1)], [(0,), (1,), (2,)]),
    "the same wires in another order": ([flip(1, 0), flip(0, 1)], [(0,), (1,)]),
    "what follows on another wire too": ([hadamard(0), flip(1, 0), hadamard(0)], [(0,), (1,), (2,)]),
    "one of two wires in between": ([MIXED, flip(2, 1), flip(1, 0)], [(0,), (1,), (2,)]),
    "what follows a permutation": (
        [gate(flip(0).form, [1, 2, 3, 0], (0, 1)), hadamard(0), gate(flip(0).form, [1, 2, 0, 3], (0, 1))],
        [(0,), (1,), (2,)],
    ),
    "a swap in between": ([hadamard(0), swap(0, 1), hadamard(1), hadamard(0)], [(0, 1), (2,)]),
    "nothing": ([], []),
}


@pytest.mark.parametrize("name", TOGETHER)
def test_gates_that_run_together_in_every_plan_are_one(name):
    gates, together = TOGETHER[name]
    assert bundles_of(gates) == together


@pytest.mark.parametrize("seed", range(20))
def test_all_gates_of_a_bundle_need_the_same_wires(seed):
    """Whichever gates have run: asked one by one, in the whole program."""
    chosen = np.random.default_rng(seed)
    gates = random_gates(chosen, 5, 60, widest=2)
    pieces = actions.pieces_of(actions.structure(gates), 5)
    for most in (1, 2, 3, 5):
        need, _ = local_wires.runnable_gates(pieces.actions, range(len(pieces.actions)), 5, most)
        for together in bundles_of(gates, 5):
            assert len({need.get(number) for number in together}) == 1


# What is shared.


def test_equal_gates_are_one_object_in_a_plan():
    gates = random_gates(np.random.default_rng(1), 4, 300, widest=1) * 3
    plan = plan_segment(segment(gates), 4, costs_of())
    assert len({id(planned) for planned in plan.gates}) == len(set(plan.gates)) < 200
    made = actions.pieces_of(actions.structure(gates), 4).actions
    assert len({id(item) for item in made}) == len(set(made)) < 100
