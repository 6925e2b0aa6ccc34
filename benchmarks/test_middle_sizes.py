"""Circuits of 10 to 18 qubits with one set of numbers after another, where what surrounds the arithmetic counts.

The ansatz has RY and RZ on each qubit and a chain of CX, three times; its values are new each time. All comparisons are
made in turn.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pytest
from harness.goals import at_most
from harness.timing import OURS, in_turn, pair_ratios, stopwatch
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.quantum_info import SparsePauliOp

from basicaer import BasicAer, EstimatorV2, SamplerV2
from test_primitives import ising

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS, THREADS, SHOTS = 7, 2, 100
OPTIONS = {"backend_options": {"max_parallel_threads": THREADS}}


def ansatz(n: int, layers: int = 3) -> QuantumCircuit:
    angles = iter(ParameterVector("angles", 2 * n * layers))
    circuit = QuantumCircuit(n)
    for _ in range(layers):
        for q in range(n):
            circuit.ry(next(angles), q)
            circuit.rz(next(angles), q)
        for q in range(n - 1):
            circuit.cx(q, q + 1)
    return circuit


@pytest.fixture
def compared(benchmark, judge, size):
    """Return a function that times two callables in turn, after a warm-up, and judges the share of the first."""
    rounds = size(ROUNDS, smallest=1)

    def compare(ours: Callable[[], object], other: Callable[[], object], share: float, of_what: str) -> None:
        calls = {OURS: ours, "other": other}
        for call in calls.values():
            call()
        seconds = in_turn(calls, stopwatch, rounds=rounds)
        judge(at_most(share, of_what), pair_ratios(seconds, OURS, "other"), counted="pairs")
        benchmark.pedantic(ours, rounds=1)

    return compare


@pytest.fixture
def aers_estimator():
    primitives = pytest.importorskip("qiskit_aer.primitives", reason="Aer is not installed")
    return primitives.EstimatorV2(options=OPTIONS)


@pytest.mark.parametrize("sweep", [(10, 1000, 0.1), (14, 200, 0.2), (18, 50, 0.25)], ids="{0[0]} qubits".format)
def test_a_sweep_of(sweep, compared, aers_estimator, size):
    qubits, sets, share = sweep
    n, sets = size(qubits, smallest=4), size(sets, smallest=3)
    circuit, operator, random = ansatz(n), ising(n), np.random.default_rng(n)

    def run(estimator):
        values = random.uniform(0, 3, (sets, circuit.num_parameters))
        return estimator.run([(circuit, operator, values)]).result()

    ours = EstimatorV2(options=OPTIONS)
    compared(partial(run, ours), partial(run, aers_estimator), share, "of the time of Aer's EstimatorV2")


@pytest.mark.parametrize(("terms", "share"), [(1_000, 0.1), (10_000, 1 / 30)], ids=["1,000 terms", "10,000 terms"])
def test_an_observable_of(terms, share, compared, aers_estimator, size):
    n, terms = size(16, smallest=4), size(terms, smallest=5)
    circuit, random = ansatz(n), np.random.default_rng(terms)
    labels = ["".join(random.choice(list("IXYZ"), n)) for _ in range(terms)]
    operator = SparsePauliOp(labels, random.normal(size=terms))
    values = random.uniform(0, 3, circuit.num_parameters)

    def run(estimator):
        return estimator.run([(circuit, operator, values)]).result()

    ours = EstimatorV2(options=OPTIONS)
    assert np.allclose(*(run(one)[0].data.evs for one in (ours, aers_estimator)))
    compared(partial(run, ours), partial(run, aers_estimator), share, "of the time of Aer's EstimatorV2")


def test_parameter_binds(compared, size):
    n, sets = size(10, smallest=4), size(500, smallest=5)
    circuit, random = ansatz(n), np.random.default_rng(n)
    circuit.measure_all()
    backend, sampler = BasicAer.get_backend("qasm_simulator", max_parallel_threads=THREADS), SamplerV2(options=OPTIONS)

    def new_values():
        return random.uniform(0, 3, (sets, circuit.num_parameters))

    def bind():
        columns = dict(zip(circuit.parameters, new_values().T.tolist(), strict=True))
        return backend.run(circuit, parameter_binds=[columns], shots=SHOTS).result()

    compared(bind, lambda: sampler.run([(circuit, new_values())], shots=SHOTS).result(), 1, "of the time of SamplerV2")


def test_a_run_with_new_angles(compared, size):
    """What surrounds the gates takes less than the gates themselves: against a run whose numbers have been seen."""
    n, random = size(16, smallest=4), np.random.default_rng(1)
    circuit = ansatz(n)
    circuit.measure_all()
    backend = BasicAer.get_backend("qasm_simulator", max_parallel_threads=THREADS)
    rounds = size(ROUNDS, smallest=1) + 2
    fresh = iter([circuit.assign_parameters(random.uniform(0, 3, circuit.num_parameters)) for _ in range(rounds)])
    seen = circuit.assign_parameters(random.uniform(0, 3, circuit.num_parameters))

    def run(bound):
        return backend.run(bound, shots=SHOTS).result()

    run(seen)
    compared(lambda: run(next(fresh)), lambda: run(seen), 2, "of the time of a circuit that was run before")


def test_single_precision_from_a_basis_state(compared, size):
    """A Heisenberg chain, in which amplitudes arise that are denormal in single precision."""
    n = size(20, smallest=4)
    circuit = QuantumCircuit(n)
    circuit.x(range(0, n, 2))
    for _ in range(10):
        for first in (0, 1):
            for q in range(first, n - 1, 2):
                for gate in (circuit.rxx, circuit.ryy, circuit.rzz):
                    gate(0.1, q, q + 1)
    backend = BasicAer.get_backend("statevector_simulator", max_parallel_threads=THREADS)

    def run(precision):
        return backend.run(circuit, precision=precision).result()

    compared(partial(run, "single"), partial(run, "double"), 1, "of the time in double precision")
