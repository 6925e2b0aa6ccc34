"""Whole runs, from `run` to counts, in turn with Qiskit's BasicSimulator, which must not be faster at any size.

`extra_info` also has the rate in amplitudes times gates per second.
"""

from __future__ import annotations

import statistics

import pytest
from families import SMALL_FAMILIES
from harness.goals import at_most
from harness.timing import OURS, in_turn, pair_ratios, stopwatch
from qiskit import transpile
from qiskit.providers.basic_provider import BasicSimulator

from basicaer import BasicAer

GOAL = at_most(1, "of BasicSimulator's time")
SHOTS = 100
SMALL, ROUNDS_OF_SMALL, ROUNDS = 10, 40, 5  # Up to SMALL qubits, a run is so short that it needs more rounds.


@pytest.mark.parametrize("n", [2, 3, 4, 6, 8, 10, 12, 14, 16, 18, 20])
@pytest.mark.parametrize("family", SMALL_FAMILIES)
def test_run(benchmark, judge, size, family, n):
    circuit = SMALL_FAMILIES[family](n)
    circuit.measure_all()
    backend, peer = BasicAer.get_backend("qasm_simulator"), BasicSimulator()
    transpiled = transpile(circuit, peer, optimization_level=0)

    def ours():
        return backend.run(circuit, shots=SHOTS).result()

    def theirs():
        return peer.run(transpiled, shots=SHOTS).result()

    ours(), theirs()  # warm-up
    rounds = size(ROUNDS_OF_SMALL if n <= SMALL else ROUNDS, smallest=1)
    seconds = in_turn({OURS: ours, peer.name: theirs}, stopwatch, rounds=rounds)
    judge(GOAL, pair_ratios(seconds, OURS, peer.name), counted="pairs")
    benchmark.extra_info["amplitudes_times_gates_per_s"] = round(
        2**n * circuit.size() / statistics.median(seconds[OURS])
    )
    benchmark.pedantic(ours, rounds=rounds)
