"""Stages of a state that is divided among ranks: what each must keep to, and how little the ranks send."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from basicaer.compile.lower import lower
from basicaer.engine.bits import mask_of
from basicaer.engine.program import Form, Gate, Segment
from basicaer.errors import BasicAerError
from basicaer.plan.actions import conflicts, pieces_of, structure
from basicaer.plan.stages import plan_stages

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
N = 30

# families[name][ranks] = (exchanges, local states that each rank sends), for 30 qubits.
MOST = {
    "qft": {2: (0, 0), 8: (1, 0.75), 64: (1, 0.97)},
    "ghz": {2: (0, 0), 8: (1, 0.75), 64: (1, 0.97)},
    "qaoa_complete": {2: (1, 0.5), 8: (1, 0.875), 64: (1, 0.985)},
    "qaoa_regular": {2: (1, 0.5), 8: (1, 0.875), 64: (1, 0.985)},
    "ansatz_cx_chain": {2: (1, 0.5), 8: (1, 0.875), 64: (1, 0.985)},
    "ansatz_cz_chain": {2: (1, 0.5), 8: (1, 0.875), 64: (1, 0.985)},
    "ansatz_cx_all": {2: (3, 1.5), 8: (3, 2.625), 64: (3, 2.954)},
    "tfim": {2: (1, 0.5), 8: (1, 0.875), 64: (1, 0.985)},
    "volume": {2: (2, 1), 8: (2, 1.75), 64: (3, 2.907)},
    "grid": {2: (2, 1), 8: (2, 1.75), 64: (2, 1.969)},
    "grover": {2: (8, 4), 8: (8, 7), 64: (8, 7.875)},
    "uccsd": {2: (0, 0), 8: (0, 0), 64: (0, 0)},
}
MOST_OF_ALL = {8: (22, 19.3)}  # the sums over the families
NUMBERS = {"Z": np.ones(2), "X": np.array([1, 0]), "G": np.eye(2), "GG": np.eye(4), "GGG": np.eye(8), "ZZ": np.ones(4)}
FORMS = {"Z": Form.DIAGONAL, "ZZ": Form.DIAGONAL, "X": Form.PERMUTATION}
SWAP = Gate("swap", "GG", (0, 3), Form.PERMUTATION, np.array([0, 2, 1, 3]))


@pytest.fixture(scope="module")
def families():
    spec = importlib.util.spec_from_file_location("families_of_stages", BENCHMARKS / "families.py")
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module.FAMILIES
    del sys.modules[spec.name]


def gates_of(*rows):
    return [
        Gate("test", actions, targets, FORMS.get(actions, Form.MATRIX), NUMBERS[actions], controls)
        for actions, targets, controls in rows
    ]


def random_gates(n, count, seed):
    random = np.random.default_rng(seed)
    rows = []
    for _ in range(count):
        actions = random.choice(["Z", "X", "G", "GG", "ZZ"])
        qubits = random.permutation(n)[: len(actions) + random.integers(3)].tolist()
        rows.append((actions, tuple(qubits[: len(actions)]), tuple(qubits[len(actions) :])))
    return [gate if i % 7 else SWAP for i, gate in enumerate(gates_of(*rows))]


def faults(stages, gates, rank_qubits, *, from_zero):
    """What is wrong with stages, by what they promise; nothing that they are made with is used but the actions."""
    found = []
    pieces = pieces_of(structure(gates), stages.n_qubits, split=False)
    actions, held = pieces.actions, list(stages.ranks)
    done, seen = set(), []
    if len(held) != rank_qubits:
        found.append("wrong number of global wires")
    for number, stage in enumerate(stages.stages):
        for out, into in zip(*stage.exchange, strict=True):
            if into not in held or out in held:
                found.append(f"exchange {number} of a wire that is not where it is said to be")
            else:
                held[held.index(into)] = out
        first_touch = 0
        for gate in stage.gates:
            action = actions[gate]
            alone = from_zero and number == 0 and len(action.wires) == 1 and not action.wires_mask & first_touch
            if action.pairs & mask_of(held) and not alone:
                found.append(f"gate {gate} pairs amplitudes of several ranks")
            if not alone:
                first_touch |= action.wires_mask
            found += [
                f"gate {gate} overtakes gate {earlier}"
                for earlier in set(range(gate)) - done
                if conflicts(action, actions[earlier].z_mask, actions[earlier].x_mask, actions[earlier].g_mask)
            ]
            done.add(gate)
            seen.append(gate)
    if sorted(seen) != list(range(len(actions))):
        found.append("a gate runs never or twice")
    return found


@pytest.mark.parametrize("name", MOST)
def test_families_exchange_seldom(families, name):
    segment, *more = lower(families[name](N), keep_idle=True).body
    assert not more
    for ranks, (exchanges, sent) in MOST[name].items():
        stages = plan_stages(segment, N, ranks.bit_length() - 1, None)
        assert stages.exchanges <= exchanges
        assert stages.sent <= sent


def test_all_families_together_exchange_seldom(families):
    segments = [lower(family(N), keep_idle=True).body[0] for family in families.values()]
    for ranks, (exchanges, sent) in MOST_OF_ALL.items():
        every = [plan_stages(segment, N, ranks.bit_length() - 1, None) for segment in segments]
        assert sum(stages.exchanges for stages in every) <= exchanges
        assert sum(stages.sent for stages in every) <= sent


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("rank_qubits", [1, 2, 3])
def test_stages_keep_to_the_order_of_the_program_and_to_local_wires(seed, rank_qubits):
    n = 6
    gates = random_gates(n, 40, seed)
    stages = plan_stages(Segment(tuple(gates)), n, rank_qubits, None)
    assert not faults(stages, gates, rank_qubits, from_zero=True)
    ranks = tuple(np.random.default_rng(seed).permutation(n)[:rank_qubits].tolist())
    stages = plan_stages(Segment(tuple(gates)), n, rank_qubits, ranks)
    assert stages.ranks == ranks
    assert not faults(stages, gates, rank_qubits, from_zero=False)


def test_gates_on_wires_that_are_local_run_before_anything_is_sent():
    gates = gates_of(*[("G", (q,), ()) for q in range(6)])
    stages = plan_stages(Segment(tuple(gates)), 6, 2, (1, 4))
    assert [stage.gates for stage in stages.stages] == [(0, 2, 3, 5), (1, 4)]
    assert stages.exchanges == 1


def test_a_product_needs_no_exchange():
    gates = gates_of(*[("G", (q,), ()) for q in range(6)], *[("Z", (q,), ((q + 1) % 6,)) for q in range(6)])
    assert plan_stages(Segment(tuple(gates)), 6, 3, None).exchanges == 0


def test_swaps_move_no_amplitudes():
    stages = plan_stages(Segment((SWAP, SWAP, SWAP)), 4, 2, (0, 1))
    assert stages.exchanges == 0
    assert stages.wire_of == (3, 1, 2, 0)


def test_wires_that_leave_soonest_are_on_the_lowest_bits():
    rows = [("GGG", (0, 1, 2), ()), ("GGG", (5, 1, 2), ()), ("GGG", (5, 4, 2), ()), ("GGG", (5, 4, 3), ())]
    stages = plan_stages(Segment(tuple(gates_of(*rows))), 6, 3, None)
    assert stages.ranks == (5, 4, 3)


def test_what_ranks_hold_at_the_end_is_told():
    rows = [("GG", (0, 1), ()), ("GG", (2, 3), ())]
    stages = plan_stages(Segment((*gates_of(*rows), SWAP)), 4, 2, (2, 3))
    assert stages.stages[1].exchange == ((0, 1), (2, 3))
    assert stages.ranks_after == (3, 1)  # the swap puts qubit 3 where qubit 0 was


def test_a_gate_that_is_too_wide_is_refused_with_what_would_work():
    gates = gates_of(("GGG", (0, 1, 2), ()))
    with pytest.raises(BasicAerError, match="of 3 qubits together, and each of 8 ranks holds 2 qubits of 5; run it on"):
        plan_stages(Segment(tuple(gates)), 5, 3, None)
    assert plan_stages(Segment(tuple(gates)), 5, 2, None).exchanges == 0


@pytest.mark.parametrize("ranks", [None, (2, 3)])
@pytest.mark.parametrize("others", [(), (("X", (0,), ()), ("G", (3,), ()))])
def test_a_gate_on_no_wire_runs_in_the_first_stage(ranks, others):
    factor = Gate("global_phase", "", (), Form.DIAGONAL, np.array([1j]))
    made = plan_stages(Segment((*gates_of(*others), factor)), 4, 2, ranks)
    assert len(others) in made.stages[0].gates
