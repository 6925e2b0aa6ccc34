"""Whole runs, from `run` to counts, beside Qiskit's BasicSimulator. Goal: not slower at any size from 2 to 20 qubits.

Each pair takes turns, so that a machine that gets slower slows both; `extra_info` holds the goal, the median of the
ratios pair by pair, and the rate in amplitudes times gates per second.
"""

from __future__ import annotations

import statistics
import time

import pytest
from families import SMALL_FAMILIES
from qiskit import transpile
from qiskit.providers.basic_provider import BasicSimulator

from basicaer import BasicAer

SHOTS = 100
OURS = BasicAer.get_backend("qasm_simulator")
THEIRS = BasicSimulator()


def seconds(run) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


@pytest.mark.parametrize("n", [2, 3, 4, 6, 8, 10, 12, 14, 16, 18, 20])
@pytest.mark.parametrize("family", SMALL_FAMILIES)
def test_run(benchmark, family, n):
    circuit = SMALL_FAMILIES[family](n)
    circuit.measure_all()
    for_theirs = transpile(circuit, THEIRS, optimization_level=0)

    def ours():
        return OURS.run(circuit, shots=SHOTS).result()

    def theirs():
        return THEIRS.run(for_theirs, shots=SHOTS).result()

    ours(), theirs()  # what is made once is not what is compared
    ratios = []

    def in_turn():
        ratios.append(seconds(ours) / seconds(theirs))

    rounds = 40 if n <= 10 else 5
    for _ in range(rounds):
        in_turn()
    benchmark.extra_info["goal"] = "ratio to BasicSimulator at most 1"
    benchmark.extra_info["ratio"] = round(statistics.median(ratios), 3)
    benchmark.pedantic(ours, rounds=rounds)
    median = benchmark.stats.stats.median if benchmark.stats else 0
    if median:
        benchmark.extra_info["amplitudes_times_gates_per_s"] = round(2**n * circuit.size() / median)
    print(f"\n{family} {n}: ratio {benchmark.extra_info['ratio']}")
