"""EstimatorV2: a sweep of many parameter sets of a small ansatz, and a transverse-field Ising model on a large one.

Both run in turn with Aer's, and are skipped where Aer is not installed. The rates are in parameter sets per second, and
in groups of Paulis that flip the same qubits. The limits are the times in which this machine copies the states once for
each gate that pairs amplitudes, and once for each group.
"""

from __future__ import annotations

import statistics

import numpy as np
import pytest
from harness.goals import at_most
from harness.timing import OURS, in_turn, pair_ratios, stopwatch
from qiskit.circuit.library import efficient_su2
from qiskit.quantum_info import SparsePauliOp

from basicaer import EstimatorV2

GOAL_FOR_A_SWEEP = at_most(1 / 3, "of the time of Aer's EstimatorV2")
GOAL_FOR_A_LARGE_STATE = at_most(1 / 2, "of the time of Aer's EstimatorV2")
QUBITS, SETS, LARGE, ROUNDS = 10, 1000, 22, 7
COPIED_BYTES = 32  # to read and write an amplitude


def ising(n: int) -> SparsePauliOp:
    terms = [("ZZ", [q, q + 1], 1.0) for q in range(n - 1)] + [("X", [q], 0.5) for q in range(n)]
    return SparsePauliOp.from_sparse_list(terms, n)


@pytest.fixture
def compared(benchmark, judge, size):
    """Return a function that times both estimators on a PUB, and returns the median seconds of ours."""
    aer = pytest.importorskip("qiskit_aer.primitives", reason="Aer is not installed").EstimatorV2()
    ours = EstimatorV2()
    rounds = size(ROUNDS, smallest=1)

    def compare(pub, goal) -> float:
        def values(estimator):
            return estimator.run([pub]).result()[0].data.evs

        assert np.allclose(values(ours), values(aer))
        seconds = in_turn({OURS: ours, "Aer": aer}, lambda one: stopwatch(lambda: values(one)), rounds=rounds)
        judge(goal, pair_ratios(seconds, OURS, "Aer"), counted="pairs")
        benchmark.pedantic(lambda: values(ours), rounds=rounds)
        return statistics.median(seconds[OURS])

    return compare


def test_a_sweep(benchmark, compared, limits, size):
    sets = size(SETS, smallest=5)
    ansatz = efficient_su2(QUBITS, reps=3, entanglement="linear")
    values = np.random.default_rng(1).uniform(0, 3, (sets, ansatz.num_parameters))
    median = compared((ansatz, ising(QUBITS), values), GOAL_FOR_A_SWEEP)
    pairing = sum(item.operation.name != "rz" for item in ansatz.decompose().data)
    least = pairing * sets * 2**QUBITS * COPIED_BYTES / limits.copy_bytes_per_s
    benchmark.extra_info["sets_per_s"] = round(sets / median)
    benchmark.extra_info["fraction_of_limit"] = round(least / median, 2)


def test_one_large_state(benchmark, compared, limits, size):
    n = size(LARGE, smallest=8)
    ansatz = efficient_su2(n, reps=1, entanglement="linear")
    bound = ansatz.assign_parameters(np.random.default_rng(1).uniform(0, 3, ansatz.num_parameters))
    median = compared((bound, ising(n)), GOAL_FOR_A_LARGE_STATE)
    groups = n + 1
    least = groups * 2**n * COPIED_BYTES / limits.copy_bytes_per_s
    benchmark.extra_info["groups_per_s"] = round(groups / median, 1)
    benchmark.extra_info["fraction_of_limit"] = round(least / median, 2)
