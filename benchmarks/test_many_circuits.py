"""Many different small circuits: the time for each one must not depend on how many came before.

Jobs are timed in turn with Aer, and skipped where Aer is not installed. The rate is in circuits per second. Almost all
of the time is bookkeeping, so it has no limit of the machine to be compared with; instead the last tenth of the
circuits is compared with the first.
"""

from __future__ import annotations

import os
import statistics
from functools import partial
from itertools import count

import numpy as np
import pytest
from harness.goals import at_most
from harness.timing import OURS, in_turn, pair_ratios, stopwatch
from qiskit import QuantumCircuit

from basicaer import BasicAer

GOAL = at_most(1 / 2, "of AerSimulator's time")
GOAL_FOR_THE_LAST = at_most(1.2, "of the first tenth's time, for the last tenth of the circuits")
CIRCUITS = int(os.environ.get("BASICAER_CIRCUITS", "5000"))  # 100,000 take minutes.
SHOTS, ROUNDS = 100, 5


def circuits(seed: int, count: int) -> list[QuantumCircuit]:
    """Return circuits of two qubits, each with an angle of its own."""
    made = []
    for angle in np.random.default_rng(seed).uniform(0, 3, count).tolist():
        circuit = QuantumCircuit(2, 2)
        circuit.h(0)
        circuit.rx(angle, 1)
        circuit.cx(0, 1)
        circuit.measure([0, 1], [0, 1])
        made.append(circuit)
    return made


def run(backend, job: list[QuantumCircuit]) -> None:
    backend.run(job, shots=SHOTS).result()


def test_one_job(benchmark, judge, size):
    aer = pytest.importorskip("qiskit_aer", reason="Aer is not installed").AerSimulator()
    ours = BasicAer.get_backend("qasm_simulator")
    n_circuits, seeds = size(CIRCUITS, smallest=20), count()

    def seconds_of(backend) -> float:
        fresh = circuits(next(seeds), n_circuits)
        return stopwatch(partial(run, backend, fresh))

    seconds = in_turn({"Aer": aer, OURS: ours}, seconds_of, rounds=size(ROUNDS, smallest=1))
    judge(GOAL, pair_ratios(seconds, OURS, "Aer"), counted="pairs")
    benchmark.extra_info["circuits_per_s"] = round(n_circuits / statistics.median(seconds[OURS]))
    benchmark.pedantic(run, setup=lambda: ((ours, circuits(next(seeds), n_circuits)), {}), rounds=1)


def test_one_after_another(benchmark, judge, size):
    """Jobs of one circuit each."""
    ours = BasicAer.get_backend("qasm_simulator")
    made = circuits(1, size(CIRCUITS, smallest=20))
    times = []

    def run_all():
        times.extend(stopwatch(partial(run, ours, [one])) for one in made)

    for circuit in circuits(2, 10):
        run(ours, [circuit])  # warm-up
    benchmark.pedantic(run_all, rounds=1)
    tenth = max(len(made) // 10, 1)
    judge(GOAL_FOR_THE_LAST, [statistics.median(times[-tenth:]) / statistics.median(times[:tenth])])
    benchmark.extra_info["ms_per_circuit"] = round(statistics.median(times) * 1e3, 3)
