"""A million shots of 22 qubits, nearly every one of which is a key of its own in the dictionary of counts.

The time is the difference between runs of a million shots and of one shot, in turn, because evolution is part of both.
The limit is the time of one extra read of the state.
"""

from __future__ import annotations

import statistics

import numpy as np
from harness.goals import at_most
from harness.timing import in_turn, stopwatch
from qiskit import QuantumCircuit

from basicaer import BasicAer

QUBITS, SHOTS, ROUNDS = 22, 10**6, 5
SECONDS, SECONDS_PER_KEY = 0.2, 0.6e-6  # the goals for the shots, and for the dictionary of counts on top


def with_random_phases(n: int) -> QuantumCircuit:
    """Return a circuit all outcomes of which are equally likely."""
    random = np.random.default_rng(9)
    circuit = QuantumCircuit(n)
    circuit.h(range(n))
    for q in range(n):
        circuit.p(random.uniform(0, 2 * np.pi), q)
    circuit.measure_all()
    return circuit


def test_a_million_shots(benchmark, judge, limits, size):
    n, shots = size(QUBITS, smallest=8), size(SHOTS, smallest=100)
    backend = BasicAer.get_backend("qasm_simulator")
    circuit = with_random_phases(n)

    def many():
        return backend.run(circuit, shots=shots, seed_simulator=1).result()

    def one():
        return backend.run(circuit, shots=1, seed_simulator=1).result()

    keys = len(many().get_counts())
    one()  # warm-up
    rounds = size(ROUNDS, smallest=1)
    seconds = in_turn({"many": many, "one": one}, stopwatch, rounds=rounds)
    sampling = [a - b for a, b in zip(seconds["many"], seconds["one"], strict=True)]
    told = f"{SECONDS} s and {SECONDS_PER_KEY * 1e6:.1f} us for each of {keys} keys"
    judge(at_most(SECONDS + SECONDS_PER_KEY * keys, f"s to sample {shots} shots: {told}"), sampling, counted="pairs")
    median = statistics.median(sampling)
    benchmark.extra_info["shots_per_s"] = round(shots / median)
    benchmark.extra_info["fraction_of_limit"] = round(2**n * 16 / limits.copy_bytes_per_s / median, 3)
    benchmark.pedantic(many, rounds=rounds)
