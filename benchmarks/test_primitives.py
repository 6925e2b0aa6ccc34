"""EstimatorV2: a sweep of 1,000 parameter sets of a 10-qubit ansatz, and a transverse-field Ising model on one of 22.

Goals: a third and a half of the time of Aer's. Both in turn, ratios pair by pair; skipped where Aer is not installed.
The rates are in parameter sets, and in groups of Paulis that flip the same qubits, per second; the limits what it takes
to copy the states once for each of the gates that pair amplitudes, and for each of these groups.
"""

from __future__ import annotations

import statistics
import time

import numpy as np
import pytest
from qiskit.circuit.library import efficient_su2
from qiskit.quantum_info import SparsePauliOp

from basicaer import EstimatorV2

QUBITS, SETS, GOAL = 10, 1000, 1 / 3
LARGE, LARGE_GOAL = 22, 1 / 2
ROUNDS = 7


def seconds(run) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def ising(n: int) -> SparsePauliOp:
    terms = [("ZZ", [q, q + 1], 1.0) for q in range(n - 1)] + [("X", [q], 0.5) for q in range(n)]
    return SparsePauliOp.from_sparse_list(terms, n)


def compare(benchmark, pub, goal: float) -> float | None:
    """Time both estimators on a PUB; return the median seconds of ours where these are measured."""
    theirs = pytest.importorskip("qiskit_aer.primitives", reason="Aer is not installed").EstimatorV2()
    ours = EstimatorV2()

    def run(estimator):
        return estimator.run([pub]).result()[0].data.evs

    assert np.allclose(run(ours), run(theirs))
    ratio = statistics.median(seconds(lambda: run(ours)) / seconds(lambda: run(theirs)) for _ in range(ROUNDS))
    benchmark.pedantic(lambda: run(ours), rounds=ROUNDS)
    benchmark.extra_info["goal"] = f"at most {goal:.2f} of the time of Aer's EstimatorV2"
    benchmark.extra_info["ratio"] = round(ratio, 3)
    print(f"\n{pub[0].num_qubits} qubits: {ratio:.2f} of the time of Aer's, goal {goal:.2f}")
    return benchmark.stats.stats.median if benchmark.stats else None


def test_a_sweep(benchmark, limits):
    ansatz = efficient_su2(QUBITS, reps=3, entanglement="linear")
    values = np.random.default_rng(1).uniform(0, 3, (SETS, ansatz.num_parameters))
    median = compare(benchmark, (ansatz, ising(QUBITS), values), GOAL)
    pairing = sum(item.operation.name != "rz" for item in ansatz.decompose().data)
    copies = pairing * SETS * 2**QUBITS * 32 / limits.copy_bytes_per_s
    if median:
        benchmark.extra_info["sets_per_s"] = round(SETS / median)
        benchmark.extra_info["fraction_of_limit"] = round(copies / median, 2)


def test_one_large_state(benchmark, limits):
    ansatz = efficient_su2(LARGE, reps=1, entanglement="linear")
    bound = ansatz.assign_parameters(np.random.default_rng(1).uniform(0, 3, ansatz.num_parameters))
    median = compare(benchmark, (bound, ising(LARGE)), LARGE_GOAL)
    groups = LARGE + 1
    if median:
        benchmark.extra_info["groups_per_s"] = round(groups / median, 1)
        benchmark.extra_info["fraction_of_limit"] = round(groups * 2**LARGE * 32 / limits.copy_bytes_per_s / median, 2)
