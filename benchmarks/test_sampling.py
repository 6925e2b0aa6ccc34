"""A million shots of 22 qubits. Goal: 0.2 s, and 0.6 us a key on top for the dictionary of counts.

What is told is the difference between runs of a million shots and of one, in turn: evolution is in both. The limit is
one extra read of the state.
"""

from __future__ import annotations

import statistics
import time

import numpy as np
from qiskit import QuantumCircuit

from basicaer import BasicAer

QUBITS, SHOTS = 22, 10**6
SECONDS, SECONDS_PER_KEY = 0.2, 0.6e-6


def with_random_phases(n: int) -> QuantumCircuit:
    """All outcomes equally likely, so that nearly every shot is a key of its own."""
    random = np.random.default_rng(9)
    circuit = QuantumCircuit(n)
    circuit.h(range(n))
    for q in range(n):
        circuit.p(random.uniform(0, 2 * np.pi), q)
    circuit.measure_all()
    return circuit


def seconds(run) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def test_a_million_shots(benchmark, limits):
    backend = BasicAer.get_backend("qasm_simulator")
    circuit = with_random_phases(QUBITS)

    def million():
        return backend.run(circuit, shots=SHOTS, seed_simulator=1).result()

    def one():
        return backend.run(circuit, shots=1, seed_simulator=1).result()

    keys = len(million().get_counts())
    one()
    rounds = 5
    taken = statistics.median(seconds(million) - seconds(one) for _ in range(rounds))
    goal = SECONDS + SECONDS_PER_KEY * keys
    read = 2**QUBITS * 16 / limits.copy_bytes_per_s
    benchmark.extra_info["goal"] = f"at most {SECONDS} s and {SECONDS_PER_KEY * 1e6:.1f} us for each of {keys} keys"
    benchmark.extra_info["seconds_of_sampling"] = round(taken, 3)
    benchmark.extra_info["shots_per_s"] = round(SHOTS / taken)
    benchmark.extra_info["fraction_of_limit"] = round(read / taken, 3)
    benchmark.pedantic(million, rounds=rounds)
    print(f"\na million shots of {QUBITS} qubits: {taken:.2f} s, goal {goal:.2f} s")
