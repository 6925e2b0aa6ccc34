"""Each rule of the planner broken once: the replay of `plan_checks` must see it, or it would see nothing."""

import inspect
import itertools
import sys
import textwrap

import numpy as np
import pytest

from basicaer.engine.kept import Kept
from basicaer.plan import bundles, closure, items, planner, steps
from plan_checks import costs_of, differences, random_gates, segment

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
        for owner in (bundles, bundles.Bundles, closure, items, planner, planner._Planning, steps):
            if vars(owner).get(function.__name__) is function:
                monkeypatch.setattr(owner, function.__name__, namespace[function.__name__])

    monkeypatch.setattr(planner, "_plans", Kept(most=1, most_in_all=0))
    return break_rule


@pytest.fixture(autouse=True)
def choices(monkeypatch):
    """Stop a plan that makes too many choices."""
    made = itertools.count()
    grow = closure.grow

    def counted(*args, **keys):
        if next(made) > CHOICES:
            raise Endless
        return grow(*args, **keys)

    monkeypatch.setattr(planner, "grow", counted)
    monkeypatch.setattr(steps, "grow", counted)


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
    pytest.param(" and not item.wires & ~boundary", "", id="boundary-permutation-that-reaches-outside"),
    pytest.param("permutes and boundary", "boundary", id="boundary-for-what-does-not-permute"),
]


@pytest.mark.parametrize(("right", "wrong"), NEEDS)
def test_a_broken_closure_is_seen(right, wrong, break_rule):
    break_rule(closure.needs, right, wrong)
    assert first_difference()


@pytest.mark.parametrize(
    "forgotten", ["item.z_mask & (x | g) or ", " or item.g_mask & (z | x | g)", "item.x_mask & (z | g) or "]
)
def test_a_conflict_that_is_not_seen_is_seen(forgotten, break_rule):
    break_rule(items.conflicts, forgotten, "")
    assert first_difference()


def test_taking_all_of_z_and_x_to_commute_is_seen(break_rule):
    break_rule(items.conflicts, "item.z_mask & (x | g) or item.x_mask & (z | g)", "(item.z_mask | item.x_mask) & g")
    assert first_difference()


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        pytest.param("            selectors |= outside\n", "", id="selectors-forgotten"),
        pytest.param("inside and (selectors | outside).bit_count() > most_selectors", "False", id="any-selectors"),
        pytest.param("            or skipped.in_the_way_of(item)\n", "", id="past-what-is-skipped"),
        pytest.param(" or before.in_the_way_of(item)", "", id="early-past-what-is-inside"),
        pytest.param("early = not need and (", "early = (", id="early-though-it-waits"),
        pytest.param("if not need & ~local", "", id="needs-not-local"),
    ],
)
def test_a_pass_cut_wrongly_is_seen(right, wrong, break_rule):
    break_rule(steps._divided, right, wrong)
    assert first_difference()


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        pytest.param("item.pairs or permutations.in_the_way_of(item)", "item.pairs", id="phases-left-behind"),
        pytest.param(
            "needs(items, todo, n_qubits, widest, tile)", "needs(items, todo, n_qubits, widest, -1)", id="all"
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
        pytest.param("plan", "(Monomials(tuple(self.todo)),) if self.todo else ()", "()", id="phases-lost"),
    ],
)
def test_passes_chosen_wrongly_are_seen(function, right, wrong, break_rule):
    break_rule(getattr(planner._Planning, function), right, wrong)
    assert first_difference()


@pytest.mark.parametrize(
    ("function", "right", "wrong"),
    [
        pytest.param("__init__", "if first < latest:", "if False:", id="whatever-is-between"),
        pytest.param(
            "__init__", "not (z_mask | x_mask | g_mask) & ~before.g_mask", "True", id="wires-that-are-not-mixed"
        ),
        pytest.param("__init__", 'layer[q], kind[q] = number, "g"', "layer[q] = number", id="kind-of-layer-lost"),
        pytest.param("__init__", 'if kind[q] != "x":', "if False:", id="x-begins-no-layer"),
        pytest.param("__init__", 'if kind[q] != "z":', "if False:", id="z-begins-no-layer"),
        pytest.param("__init__", "last[first] = number\n", "pass\n", id="all-but-the-last-lost"),
        pytest.param("gates_of", "gates.sort()", "", id="out-of-order"),
    ],
)
def test_bundles_made_wrongly_are_seen(function, right, wrong, break_rule):
    break_rule(getattr(bundles.Bundles, function), right, wrong)
    assert first_difference()


def test_a_swap_that_is_not_followed_is_seen(break_rule):
    break_rule(items.pieces_of, "wire_of[targets[0]], wire_of[targets[1]] = reversed(on_wires)", "pass")
    assert first_difference()


def test_controls_forgotten_on_the_eigenvalues_are_seen(break_rule):
    break_rule(items._pieces, '_item("Z" * len(targets), targets, controls)', '_item("Z" * len(targets), targets)')
    assert first_difference()
