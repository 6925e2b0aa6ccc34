"""A new circuit of many random gates: the time to plan each gate, the first run compared with Aer, and the memory.

A plan is made, bound and run one after another, and `extra_info` has the time of each. Aer runs in turn where it is
installed. Peak memory is measured in a benchmark of its own, because measuring it slows everything down.
"""

from __future__ import annotations

import random
import statistics
import tracemalloc
from math import pi

import numpy as np
import pytest
from harness.goals import at_most
from harness.timing import OURS, in_turn, pair_ratios, stopwatch
from qiskit import QuantumCircuit

from basicaer import BasicAer
from basicaer.compile.lower import lower
from basicaer.devices.cpu.device import NumpyDevice
from basicaer.devices.cpu.recipe import Recipe, first_places
from basicaer.devices.cpu.threads import run_passes
from basicaer.engine.monitor import Monitor
from basicaer.engine.program import Segment
from basicaer.options import Precision
from basicaer.plan import planner

GOAL = at_most(8, "us a gate to make a plan, whatever its length")
GOAL_BESIDE_AER = at_most(1, "of Aer's time, for the first run of a circuit")
GOAL_FOR_MEMORY = at_most(300, "MiB for the program of a million gates and its plan")
QUBITS, ROUNDS = 10, 3


def random_circuit(gates: int) -> QuantumCircuit:
    chosen = random.Random(1)  # noqa: S311  # gates to choose, no secrets
    circuit = QuantumCircuit(QUBITS)
    for _ in range(gates):
        match chosen.randrange(4):
            case 0:
                circuit.h(chosen.randrange(QUBITS))
            case 1:
                circuit.rz(chosen.uniform(0, 2 * pi), chosen.randrange(QUBITS))
            case 2:
                circuit.rx(chosen.uniform(0, 2 * pi), chosen.randrange(QUBITS))
            case _:
                circuit.cx(*chosen.sample(range(QUBITS), 2))
    return circuit


def forget_plans() -> None:
    planner._plans.clear()  # noqa: SLF001


@pytest.mark.parametrize("gates", [10**4, 10**5, pytest.param(10**6, marks=pytest.mark.slow)])
def test_a_plan_of_many_gates(benchmark, judge, size, gates):
    gates = size(gates, smallest=100)
    segment = next(operation for operation in lower(random_circuit(gates)).body if isinstance(operation, Segment))
    device = NumpyDevice()
    costs = device.costs(QUBITS, Precision.DOUBLE)

    def plan():
        return planner.plan_segment(segment, QUBITS, costs)

    seconds = []
    for _ in range(size(ROUNDS, smallest=1)):
        forget_plans()
        seconds.append(stopwatch(plan))
    made = plan()
    place, zero, dtype = first_places(made), frozenset(range(QUBITS)), np.dtype(complex)
    bound = []
    binding = stopwatch(lambda: bound.append(Recipe(made, segment, place, zero, dtype).bound()))
    vector = np.zeros(2**QUBITS, dtype)
    vector[0] = 1
    running = stopwatch(lambda: run_passes(bound[0].passes, [vector[None]], device.threads, Monitor()))
    judge(GOAL, [s / gates * 1e6 for s in seconds])
    benchmark.extra_info["binding_us_per_gate"] = round(binding / gates * 1e6, 2)
    benchmark.extra_info["running_us_per_gate"] = round(running / gates * 1e6, 2)
    benchmark.pedantic(plan, setup=forget_plans, rounds=size(ROUNDS, smallest=1))


def test_a_first_run_beside_aer(benchmark, judge, size):
    """Each of our runs is the first of its circuit, because a gate is added before."""
    aer = pytest.importorskip("qiskit_aer", reason="Aer is not installed").AerSimulator(method="statevector")
    ours = BasicAer.get_backend("qasm_simulator")
    circuit = random_circuit(size(10**5, smallest=100))
    circuit.measure_all()

    def change_the_circuit():
        forget_plans()
        circuit.rz(0.1, 0)

    def seconds_of(backend) -> float:
        change_the_circuit()
        return stopwatch(lambda: backend.run(circuit, shots=100).result())

    rounds = size(ROUNDS, smallest=1)
    seconds = in_turn({OURS: ours, "Aer": aer}, seconds_of, rounds=rounds)
    judge(GOAL_BESIDE_AER, pair_ratios(seconds, OURS, "Aer"), counted="pairs")
    benchmark.extra_info["median_s"] = round(statistics.median(seconds[OURS]), 3)
    benchmark.pedantic(lambda: ours.run(circuit, shots=100).result(), setup=change_the_circuit, rounds=rounds)


@pytest.mark.slow
def test_memory_of_a_million_gates(benchmark, judge, size):
    circuit = random_circuit(size(10**6, smallest=100))
    costs = NumpyDevice().costs(QUBITS, Precision.DOUBLE)

    def peak() -> float:
        forget_plans()
        tracemalloc.start()
        program = lower(circuit)
        tracemalloc.reset_peak()
        for operation in program.body:
            if isinstance(operation, Segment):
                planner.plan_segment(operation, QUBITS, costs)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most / 2**20

    judge(GOAL_FOR_MEMORY, [benchmark.pedantic(peak, rounds=1)])
