"""Each rule of the planner broken once: the replay of `plan_checks` must see it, or it would see nothing."""

import inspect
import itertools
import sys
import textwrap

import numpy as np
import pytest

from basicaer.engine.lru_cache import LruCache
from basicaer.plan import actions, bundles, local_wires, planner, steps
from plan_checks import costs_of, differences, random_gates, segment

B, L = bundles.Bundles, bundles._Layers
PROGRAMS = 60  # at most; most mutations show within three
CHOICES = 20_000  # of wires, where 3,000 do for all programs: some broken rules leave a planner that never ends


class Endless(Exception):  # noqa: N818
    """A plan is not getting any further."""


@pytest.fixture
def break_rule(monkeypatch):
    """Put a function or method in place whose source has one part replaced, wherever the planner has it by name."""

    def break_rule(function, right, wrong):
        source = textwrap.dedent(inspect.getsource(function))
        assert source.count(right) == 1, f"{function.__name__} no longer says {right!r} once: {source.count(right)}"
        home = sys.modules[function.__module__]
        namespace = dict(vars(home))
        code = "from __future__ import annotations\n" + source.replace(right, wrong)
        exec(compile(code, home.__file__, "exec"), namespace)  # noqa: S102
        for owner in (bundles, B, L, actions, local_wires, planner, planner._Planning, steps):
            if vars(owner).get(function.__name__) is function:
                monkeypatch.setattr(owner, function.__name__, namespace[function.__name__])

    monkeypatch.setattr(planner, "_plans", LruCache(most=1, most_in_all=0))
    return break_rule


@pytest.fixture(autouse=True)
def choices(monkeypatch):
    """Stop a plan that makes too many choices."""
    made = itertools.count()
    choose_wires = local_wires.choose_wires

    def counted(*args, **keys):
        if next(made) > CHOICES:
            raise Endless
        return choose_wires(*args, **keys)

    monkeypatch.setattr(planner, "choose_wires", counted)
    monkeypatch.setattr(steps, "choose_wires", counted)


def first_difference():
    """What is wrong with the first plan of many with which anything is."""
    for seed in range(PROGRAMS):
        random = np.random.default_rng(seed)
        n, size = int(random.integers(4, 9)), int(random.integers(8, 40))
        # Tiles that fit into one matrix, and tiles that need several.
        costs = costs_of(tile_qubits=int(random.choice([3, 6])), shared_qubits=1, selectors=int(random.integers(1, 4)))
        gates = random_gates(random, n, size, widest=2)
        try:
            plan = planner.plan_segment(segment(gates), n, costs)
        except Endless as error:
            return [repr(error)]
        if found := differences(plan, gates, costs):
            return found
    return []


def test_nothing_is_wrong_as_long_as_nothing_is_broken(break_rule):
    assert not first_difference()


NEEDS = [
    pytest.param("need |= for_z[q]", "pass", id="z-waits-for-nothing"),
    pytest.param("need |= for_x[q]", "pass", id="x-waits-for-nothing"),
    pytest.param("need |= for_g[q]", "pass", id="g-waits-for-nothing"),
    pytest.param("for_z[q] = for_x[q] = for_g[q] = need", "for_x[q] = for_g[q] = need", id="z-after-g"),
    pytest.param("for_z[q] = for_x[q] = for_g[q] = need", "for_z[q] = for_g[q] = need", id="x-after-g"),
    pytest.param("for_z[q] = for_x[q] = for_g[q] = need", "for_z[q] = for_x[q] = need", id="g-after-g"),
    pytest.param("for_z[q] |= need\n            for_g[q] |= need", "for_g[q] |= need", id="z-after-x"),
    pytest.param("for_z[q] |= need\n            for_g[q] |= need", "for_z[q] |= need", id="g-after-x"),
    pytest.param("for_x[q] |= need\n            for_g[q] |= need", "for_g[q] |= need", id="x-after-z"),
    pytest.param("for_x[q] |= need\n            for_g[q] |= need", "for_x[q] |= need", id="g-after-z"),
    pytest.param("need = blocked\n", "continue\n", id="blocked-not-noted"),
    pytest.param("x_mask | g_mask", "g_mask", id="x-not-paired"),
    pytest.param("x_mask | g_mask", "x_mask", id="g-not-paired"),
    pytest.param("if need or not (", "if not (", id="boundary-permutation-that-waits"),
    pytest.param(" and not wires_mask & ~boundary", "", id="boundary-permutation-that-reaches-outside"),
    pytest.param("permutes and boundary", "boundary", id="boundary-for-what-does-not-permute"),
    pytest.param("not wires_mask & ~dead", "wires_mask & dead", id="wires-that-are-not-dead"),
]


@pytest.mark.parametrize(("right", "wrong"), NEEDS)
def test_gates_that_run_too_early_are_seen(right, wrong, break_rule):
    break_rule(local_wires.runnable_gates, right, wrong)
    assert first_difference()


@pytest.mark.parametrize(
    "forgotten", ["action.z_mask & (x | g) or ", " or action.g_mask & (z | x | g)", "action.x_mask & (z | g) or "]
)
def test_a_conflict_that_is_not_seen_is_seen(forgotten, break_rule):
    break_rule(actions.conflicts, forgotten, "")
    assert first_difference()


def test_taking_all_of_z_and_x_to_commute_is_seen(break_rule):
    break_rule(
        actions.conflicts, "action.z_mask & (x | g) or action.x_mask & (z | g)", "(action.z_mask | action.x_mask) & g"
    )
    assert first_difference()


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        pytest.param("            selectors |= outside\n", "", id="selectors-forgotten"),
        pytest.param("inside and (selectors | outside).bit_count() > most_selectors", "False", id="any-selectors"),
        pytest.param("            or skipped.blocks(action)\n", "", id="past-what-is-skipped"),
        pytest.param(" or before.blocks(action)", "", id="early-past-what-is-inside"),
        pytest.param("early = not need and (", "early = (", id="early-though-it-waits"),
        pytest.param("if not need & elsewhere", "", id="needs-not-local"),
    ],
)
def test_a_pass_cut_wrongly_is_seen(right, wrong, break_rule):
    break_rule(steps._around_matrix, right, wrong)
    assert first_difference()


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        pytest.param("action.pairs or permutations.blocks(action)", "action.pairs", id="phases-left-behind"),
        pytest.param(
            "runnable_gates(actions, waiting, n_qubits, widest, tile)",
            "runnable_gates(actions, waiting, n_qubits, widest, -1)",
            id="all",
        ),
    ],
)
def test_a_pass_ended_wrongly_is_seen(right, wrong, break_rule):
    break_rule(steps.steps_of, right, wrong)
    assert first_difference()


@pytest.mark.parametrize(
    ("function", "right", "wrong"),
    [
        pytest.param("next_tile", "if not need & ~tile", "", id="gates-that-the-tile-does-not-hold"),
        pytest.param("can_share_enough", ">= self.costs.shared_qubits", ">= 0", id="nothing-shared"),
        pytest.param("plan", "set(runs).difference(chosen.left)", "set(runs)", id="gates-lost"),
        pytest.param("plan", "(Monomials(tuple(self.waiting)),) if self.waiting else ()", "()", id="phases-lost"),
    ],
)
def test_passes_chosen_wrongly_are_seen(function, right, wrong, break_rule):
    break_rule(getattr(planner._Planning, function), right, wrong)
    assert first_difference()


@pytest.mark.parametrize(
    ("function", "right", "wrong"),
    [
        pytest.param(B.__init__, "if leader < latest:", "if False:", id="whatever-is-between"),
        pytest.param(B.__init__, "not action.wires_mask & ~before.g_mask", "True", id="wires-that-are-not-mixed"),
        pytest.param(L.add, 'first[q], kind[q] = leader, "g"', "first[q] = leader", id="kind-of-layer-lost"),
        pytest.param(L.add, 'if kind[q] != "x":', "if False:", id="x-begins-no-layer"),
        pytest.param(L.add, 'if kind[q] != "z":', "if False:", id="z-begins-no-layer"),
        pytest.param(B._join, "self._last[leader] = number\n", "pass\n", id="all-but-the-last-lost"),
        pytest.param(B.gates_of, "gates.sort()", "", id="out-of-order"),
    ],
)
def test_bundles_made_wrongly_are_seen(function, right, wrong, break_rule):
    break_rule(function, right, wrong)
    assert first_difference()


def test_a_swap_that_is_not_followed_is_seen(break_rule):
    break_rule(actions.pieces_of, "wire_of[targets[0]], wire_of[targets[1]] = reversed(on_wires)", "pass")
    assert first_difference()


def test_controls_forgotten_on_the_eigenvalues_are_seen(break_rule):
    break_rule(
        actions._pieces, '_action("Z" * len(targets), targets, controls)', '_action("Z" * len(targets), targets)'
    )
    assert first_difference()
