"""Many different small circuits in one job: what one costs must not depend on how many came before.

Goal: half of Aer's time for the job, in turn with it, ratios pair by pair; skipped where Aer is not installed. The rate
is in circuits per second. What a circuit costs is almost all bookkeeping, so no limit of the machine is put beside it:
instead the last tenth of the circuits is compared with the first.
"""

from __future__ import annotations

import os
import statistics
import time
from functools import partial

import numpy as np
import pytest
from qiskit import QuantumCircuit

from basicaer import BasicAer

CIRCUITS = int(os.environ.get("BASICAER_CIRCUITS", "5000"))  # 100,000 take minutes
SHOTS, GOAL, ROUNDS = 100, 1 / 2, 5


def circuits(seed: int, count: int = CIRCUITS) -> list[QuantumCircuit]:
    """Circuits of two qubits, no two of which have the same angle."""
    made = []
    for angle in np.random.default_rng(seed).uniform(0, 3, count).tolist():
        circuit = QuantumCircuit(2, 2)
        circuit.h(0)
        circuit.rx(angle, 1)
        circuit.cx(0, 1)
        circuit.measure([0, 1], [0, 1])
        made.append(circuit)
    return made


def seconds(run) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def run_ours(job: list[QuantumCircuit]) -> None:
    BasicAer.get_backend("qasm_simulator").run(job, shots=SHOTS).result()


def run_theirs(aer, job: list[QuantumCircuit]) -> None:
    aer.run(job, shots=SHOTS).result()


def test_one_job(benchmark):
    aer = pytest.importorskip("qiskit_aer", reason="Aer is not installed").AerSimulator()
    pairs = []
    for seed in range(ROUNDS):
        theirs = seconds(partial(run_theirs, aer, circuits(seed)))
        pairs.append(seconds(partial(run_ours, circuits(seed + ROUNDS))) / theirs)
    ratio = statistics.median(pairs)
    benchmark.pedantic(run_ours, setup=lambda: ((circuits(2 * ROUNDS),), {}), rounds=1)
    benchmark.extra_info["goal"] = f"at most {GOAL:.2f} of the time of AerSimulator"
    benchmark.extra_info["ratio"] = round(ratio, 3)
    if benchmark.stats:
        benchmark.extra_info["circuits_per_s"] = round(CIRCUITS / benchmark.stats.stats.median)
    print(f"\n{CIRCUITS} circuits: {ratio:.2f} of the time of Aer's, goal {GOAL:.2f}")


def test_one_after_another(benchmark):
    """Jobs of one circuit each: the goal is that the last tenth costs what the first does."""
    made = circuits(1)
    times = []

    def run_all():
        times.extend(seconds(partial(run_ours, [one])) for one in made)

    run_ours(circuits(2, 10))
    benchmark.pedantic(run_all, rounds=1)
    tenth = max(CIRCUITS // 10, 1)
    ratio = statistics.median(times[-tenth:]) / statistics.median(times[:tenth])
    benchmark.extra_info["goal"] = "the last tenth at most 1.2 times the first"
    benchmark.extra_info["ratio"] = round(ratio, 3)
    print(f"\nlast tenth over first: {ratio:.2f}, {statistics.median(times) * 1e3:.3f} ms each")
