"""A sweep of 1,000 parameter sets of a 10-qubit ansatz through EstimatorV2. Goal: a third of the time of Aer's.

Both in turn, ratios pair by pair; skipped where Aer is not installed. The rate is in parameter sets per second, the
limit what it takes to copy the states once for each of the gates that pair amplitudes.
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


def seconds(run) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def test_a_sweep(benchmark, limits):
    theirs = pytest.importorskip("qiskit_aer.primitives", reason="Aer is not installed").EstimatorV2()
    ansatz = efficient_su2(QUBITS, reps=3, entanglement="linear")
    terms = [("ZZ", [q, q + 1], 1.0) for q in range(QUBITS - 1)] + [("X", [q], 0.5) for q in range(QUBITS)]
    operator = SparsePauliOp.from_sparse_list(terms, QUBITS)
    values = np.random.default_rng(1).uniform(0, 3, (SETS, ansatz.num_parameters))
    ours = EstimatorV2()

    def run(estimator):
        return estimator.run([(ansatz, operator, values)]).result()[0].data.evs

    assert np.allclose(run(ours), run(theirs))
    rounds = 7
    ratio = statistics.median(seconds(lambda: run(ours)) / seconds(lambda: run(theirs)) for _ in range(rounds))
    benchmark.pedantic(lambda: run(ours), rounds=rounds)
    pairing = sum(item.operation.name != "rz" for item in ansatz.decompose().data)
    copies = pairing * SETS * 2**QUBITS * 32 / limits.copy_bytes_per_s
    benchmark.extra_info["goal"] = f"at most {GOAL:.2f} of the time of Aer's EstimatorV2"
    benchmark.extra_info["ratio"] = round(ratio, 3)
    if benchmark.stats:
        median = benchmark.stats.stats.median
        benchmark.extra_info["sets_per_s"] = round(SETS / median)
        benchmark.extra_info["fraction_of_limit"] = round(copies / median, 2)
    print(f"\n{SETS} sets of {QUBITS} qubits: {ratio:.2f} of the time of Aer's, goal {GOAL:.2f}")
