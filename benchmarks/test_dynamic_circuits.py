"""Circuits with measurements, resets and conditions in the middle, in turn with Aer.

The goals are shares of Aer's time. Aer runs shot by shot here; basicaer runs shots with the same past as one, and small
states side by side. Outcomes are compared by their probabilities, where both give only a few.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pytest
from harness.goals import at_most
from harness.timing import OURS, in_turn, pair_ratios, stopwatch
from qiskit import QuantumCircuit

from basicaer import BasicAer

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = 7
THREADS = 2
FEW_OUTCOMES = 20  # so few are compared one by one


def measured_again_and_again(times: int) -> QuantumCircuit:
    """Return a Hadamard gate and a measurement into the same bit, so many times."""
    circuit = QuantumCircuit(1, 1)
    for _ in range(times):
        circuit.h(0)
        circuit.measure(0, 0)
    return circuit


def measured_into_bits_of_their_own(times: int) -> QuantumCircuit:
    """Return a Hadamard gate and a measurement into the next bit, so many times."""
    circuit = QuantumCircuit(1, times)
    for i in range(times):
        circuit.h(0)
        circuit.measure(0, i)
    return circuit


def measured_and_reset(times: int) -> QuantumCircuit:
    """Return a qubit that is entangled with another, measured and reset, so many times."""
    circuit = QuantumCircuit(2, times)
    for i in range(times):
        circuit.h(0)
        circuit.cx(0, 1)
        circuit.measure(0, i)
        circuit.reset(0)
    return circuit


def repetition_code(rounds: int, *, with_t: bool, distance: int = 5) -> QuantumCircuit:
    """Return rounds of syndrome measurements of a repetition code, with corrections that depend on them."""
    checks = distance - 1
    circuit = QuantumCircuit(distance + checks, checks + distance)
    circuit.h(0)
    for data in range(1, distance):
        circuit.cx(0, data)
    for _ in range(rounds):
        for check in range(checks):
            ancilla = distance + check
            if with_t:
                circuit.t(check)
            circuit.cx(check, ancilla)
            circuit.cx(check + 1, ancilla)
            circuit.measure(ancilla, check)
            with circuit.if_test((circuit.clbits[check], 1)):
                circuit.x(check)
                circuit.x(ancilla)
    circuit.measure(range(distance), range(checks, checks + distance))
    return circuit


def monitored(layers: int, *, share: float, feedback: bool, n: int = 10) -> QuantumCircuit:
    """Return random layers after each of which a share of the qubits is measured."""
    random = np.random.default_rng(1)
    circuit = QuantumCircuit(n, n)
    for layer in range(layers):
        for q in range(n):
            circuit.u(*random.uniform(0, 3, 3), q)
        for q in range(layer % 2, n - 1, 2):
            circuit.cx(q, q + 1)
        for q in range(n):
            if random.random() < share:
                circuit.measure(q, q)
                if feedback:
                    with circuit.if_test((circuit.clbits[q], 1)):
                        circuit.x(q)
    circuit.measure(range(n), range(n))
    return circuit


def repeated_until_success(_times: int) -> QuantumCircuit:
    """Return a preparation that is repeated until its measurement gives 0."""
    circuit = QuantumCircuit(2, 2)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.measure(1, 0)
    with circuit.while_loop((circuit.clbits[0], 1)):
        circuit.reset([0, 1])
        circuit.h(0)
        circuit.cx(0, 1)
        circuit.measure(1, 0)
    circuit.measure(0, 1)
    return circuit


class Case(NamedTuple):
    """A circuit, its size, the shots, and the largest share of Aer's time that is good enough."""

    circuit: Callable[[int], QuantumCircuit]
    size: int
    shots: int
    share: float


CASES = {
    "into the same bit, 50": Case(measured_again_and_again, 50, 1000, 1 / 2),
    "into the same bit, 200": Case(measured_again_and_again, 200, 1000, 1 / 2),
    "into distinct bits, 50": Case(measured_into_bits_of_their_own, 50, 1000, 1 / 2),
    "measured and reset, 20": Case(measured_and_reset, 20, 1000, 1 / 2),
    "repetition code": Case(partial(repetition_code, with_t=False), 20, 1000, 1 / 2),
    "repetition code with T": Case(partial(repetition_code, with_t=True), 20, 1000, 1 / 2),
    "monitored, 1 in 10": Case(partial(monitored, share=0.1, feedback=False), 10, 500, 1 / 3),
    "monitored, 1 in 10, feedback": Case(partial(monitored, share=0.1, feedback=True), 10, 500, 1 / 3),
    "monitored, 3 in 10": Case(partial(monitored, share=0.3, feedback=False), 10, 500, 1 / 2),
    "until success": Case(repeated_until_success, 1, 10_000, 1 / 100),
}


@pytest.mark.parametrize("name", CASES)
def test_dynamic_circuit(name, benchmark, judge, size):
    aer = pytest.importorskip("qiskit_aer", reason="Aer is not installed").AerSimulator(max_parallel_threads=THREADS)
    ours = BasicAer.get_backend("qasm_simulator", max_parallel_threads=THREADS)
    case = CASES[name]
    circuit, shots = case.circuit(size(case.size, smallest=2)), size(case.shots, smallest=20)

    def run(backend):
        return backend.run(circuit, shots=shots, seed_simulator=1).result()

    check_alike(*(run(backend).get_counts() for backend in (aer, ours)), shots)  # a warm-up, too
    backends = {"Aer": aer, OURS: ours}
    seconds = in_turn(backends, lambda backend: stopwatch(partial(run, backend)), rounds=size(ROUNDS, smallest=1))
    judge(at_most(case.share, "of AerSimulator's time"), pair_ratios(seconds, OURS, "Aer"), counted="pairs")
    benchmark.pedantic(run, args=(ours,), rounds=1)


def check_alike(theirs: dict[str, int], own: dict[str, int], shots: int) -> None:
    """Check that the counts of both agree as well as chance allows, where there are few outcomes."""
    assert sum(theirs.values()) == sum(own.values()) == shots
    if len(theirs) <= FEW_OUTCOMES:
        for outcome in {*theirs, *own}:
            a, b = theirs.get(outcome, 0), own.get(outcome, 0)
            assert abs(a - b) <= 6 * (a + b) ** 0.5, f"{outcome}: {a} and {b}"
