"""How many passes well-known families take, and how much work it is to plan them: upper bounds, none of them a time."""

import random
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest

from basicaer.engine.lru_cache import LruCache
from basicaer.engine.program import Form, Gate, Segment
from basicaer.plan import planner, steps
from basicaer.plan.planner import plan_segment
from plan_checks import costs_of, faults

N = 28
NUMBERS = {"Z": np.ones(2), "ZZ": np.ones(4), "X": np.array([1, 0]), "G": np.eye(2), "GG": np.eye(4)}
FORMS = {"Z": Form.DIAGONAL, "ZZ": Form.DIAGONAL, "X": Form.PERMUTATION, "G": Form.MATRIX, "GG": Form.MATRIX}


def gates_of(*rows):
    """Make gates of (actions, targets, controls); the numbers never matter to a plan."""
    return [
        Gate("test", actions, targets, FORMS[actions], NUMBERS[actions], controls)
        for actions, targets, controls in rows
    ]


def rotations():
    return [("G", (q,), ()) for q in range(N)]


def chain(kind):
    return [(kind, (q + 1,), (q,)) for q in range(N - 1)]


def fourier_transform():
    rows = []
    for q in reversed(range(N)):
        rows.append(("G", (q,), ()))
        rows += [("Z", (q,), (lower,)) for lower in reversed(range(q))]
    return rows


def ghz():
    return [("G", (0,), ()), *chain("X")]


def qaoa_of_a_complete_graph():
    pairs = [("ZZ", (a, b), ()) for a in range(N) for b in range(a + 1, N)]
    return [*rotations(), *pairs, *rotations()]


def ising(steps_of_time):
    return ([("ZZ", (q, q + 1), ()) for q in range(N - 1)] + rotations()) * steps_of_time


def ansatz(kind, layers):
    return (rotations() + chain(kind)) * layers + rotations()


def quantum_volume(layers):
    rows, shuffled = [], random.Random(1)  # noqa: S311
    for _ in range(layers):
        qubits = shuffled.sample(range(N), N)
        rows += [("GG", pair, ()) for pair in zip(qubits[::2], qubits[1::2], strict=True)]
    return rows


def random_grid(layers):
    """4 rows of 7 qubits: rotations, then CZ between neighbours, horizontally twice and vertically twice in turn."""
    rows = rotations()
    for layer in range(layers):
        rows += rotations()
        for q in range(N):
            row, column = divmod(q, 7)
            if layer % 4 < 2 and column < 6 and column % 2 == layer % 2:
                rows.append(("Z", (q + 1,), (q,)))
            if layer % 4 >= 2 and row < 3 and row % 2 == layer % 2:
                rows.append(("Z", (q + 7,), (q,)))
    return rows


class Family(NamedTuple):
    rows: Callable
    parameters: tuple
    passes: int  # at most, with tiles of 12 qubits of which 3 are shared


FAMILIES = {
    "Fourier transform": Family(fourier_transform, (), 3),
    "GHZ": Family(ghz, (), 3),
    "QAOA, complete graph": Family(qaoa_of_a_complete_graph, (), 5),
    "Ising x10": Family(ising, (10,), 5),
    "ansatz, CZ x10": Family(ansatz, ("Z", 10), 5),
    "ansatz, CX x10": Family(ansatz, ("X", 10), 7),
    "quantum volume x10": Family(quantum_volume, (10,), 11),
    "quantum volume x28": Family(quantum_volume, (28,), 28),
    "random grid x20": Family(random_grid, (20,), 9),
}
PROPORTIONS = costs_of(tile_qubits=12, shared_qubits=3)


@pytest.mark.parametrize("name", FAMILIES)
def test_passes(name):
    family = FAMILIES[name]
    gates = gates_of(*family.rows(*family.parameters))
    plan = plan_segment(Segment(tuple(gates)), N, PROPORTIONS)
    assert len(plan.passes) <= family.passes
    assert not faults(plan, gates, PROPORTIONS)


def test_a_fourier_transforms_swaps_take_no_pass():
    rows = fourier_transform()
    swaps = [Gate("swap", "GG", (q, N - 1 - q), Form.PERMUTATION, np.array([0, 2, 1, 3])) for q in range(N // 2)]
    plan = plan_segment(Segment((*gates_of(*rows), *swaps)), N, PROPORTIONS)
    assert len(plan.passes) <= 3
    assert plan.wire_of == tuple(reversed(range(N)))
    assert len(plan.gates) == len(rows)


# Planning 6,000 gates takes 200 ms. What that time goes to is counted here, which is the same on every machine.


@pytest.fixture
def work(monkeypatch):
    """Count the gates that the scans of a plan look at, and the pairs of needs that its choices compare."""
    counted = {"gates looked at": 0, "needs compared": 0, "scans": 0}
    true_runnable, true_choice = planner.runnable_gates, planner.choose_wires

    def looked_at(todo):
        for number in todo:
            counted["gates looked at"] += 1
            yield number

    def runnable_gates(actions, waiting, *args):
        counted["scans"] += 1
        return true_runnable(actions, looked_at(waiting), *args)

    def choose_wires(need_counts, *args, **keys):
        counted["needs compared"] += len(need_counts) ** 2
        return true_choice(need_counts, *args, **keys)

    for module in (planner, steps):
        monkeypatch.setattr(module, "runnable_gates", runnable_gates)
        monkeypatch.setattr(module, "choose_wires", choose_wires)
    monkeypatch.setattr(planner, "_plans", LruCache(most=1, most_in_all=0))
    return counted


@pytest.mark.parametrize(
    ("rows", "copies"), [(ansatz("X", 1), 73), (ansatz("Z", 1), 73), (ising(1), 109)], ids=["CX", "CZ", "Ising"]
)
def test_planning_a_long_chain_is_little_work(rows, copies, work):
    gates = gates_of(*rows * copies)
    assert 5900 < len(gates) < 6100
    plan_segment(Segment(tuple(gates)), N, costs_of(tile_qubits=16, shared_qubits=4))
    assert work["gates looked at"] < 14 * len(gates)
    assert work["scans"] < 450
    assert work["needs compared"] < 420_000


@pytest.mark.parametrize("name", FAMILIES)
def test_planning_any_family_is_bounded_by_its_gates(name, work):
    """A few ways to cut a pass are tried where there are few gates; each looks a few times at each of them."""
    family = FAMILIES[name]
    gates = gates_of(*family.rows(*family.parameters))
    plan_segment(Segment(tuple(gates)), N, PROPORTIONS)
    assert work["gates looked at"] < 60 * len(gates)
    assert work["needs compared"] < 700 * len(gates)
