"""A fresh circuit of many random gates. Goals: a first run within Aer's time, and 8 us a gate for a plan of any length.

A plan is made, bound and run one after another; what each takes is in `extra_info`, with the time of Aer, measured in
the same run, where it is installed. What planning and lowering hold at most is measured apart, since that makes them
slow.
"""

from __future__ import annotations

import random
import statistics
import time
import tracemalloc
from math import pi

import numpy as np
import pytest
from qiskit import QuantumCircuit

from basicaer import BasicAer
from basicaer.compile.lower import lower
from basicaer.devices.cpu.binding import bind, first_places
from basicaer.devices.cpu.device import NumpyDevice
from basicaer.devices.cpu.threads import run_passes
from basicaer.engine.checkpoint import Checkpoint
from basicaer.engine.program import Segment
from basicaer.options import Precision
from basicaer.plan import planner

QUBITS = 10
MICROSECONDS_PER_GATE = 8
MEBIBYTES = 300  # of a program and its plan, for a million gates


def random_circuit(gates: int) -> QuantumCircuit:
    chosen = random.Random(1)  # noqa: S311
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


def seconds(run) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


@pytest.mark.parametrize("gates", [10**4, 10**5, pytest.param(10**6, marks=pytest.mark.slow)])
def test_a_plan_of_many_gates(benchmark, gates):
    segment = next(operation for operation in lower(random_circuit(gates)).body if isinstance(operation, Segment))
    device = NumpyDevice()
    costs = device.costs(QUBITS, Precision.DOUBLE)
    plans = []

    def plan():
        planner._plans.clear()  # noqa: SLF001
        plans.append(planner.plan_segment(segment, QUBITS, costs))

    benchmark.pedantic(plan, rounds=3)
    place, zero, dtype = first_places(plans[-1]), frozenset(range(QUBITS)), np.dtype(complex)
    bound = []
    binding = seconds(lambda: bound.append(bind(plans[-1], segment, place, zero, dtype)))
    vector = np.zeros(2**QUBITS, dtype)
    vector[0] = 1
    running = seconds(lambda: run_passes(bound[0].passes, vector, device.threads, Checkpoint()))
    benchmark.extra_info["goal"] = f"at most {MICROSECONDS_PER_GATE} us a gate"
    benchmark.extra_info["binding_us_per_gate"] = round(binding / gates * 1e6, 2)
    benchmark.extra_info["running_us_per_gate"] = round(running / gates * 1e6, 2)
    if benchmark.stats:
        planning = benchmark.stats.stats.median
        benchmark.extra_info["planning_us_per_gate"] = round(planning / gates * 1e6, 2)
        print(f"\n{gates} gates: planned in {planning:.2f} s, bound in {binding:.2f} s, run in {running:.2f} s")


def test_a_first_run_beside_aer(benchmark):
    """Each run of ours is the first of a circuit of its own, in turn with one of Aer."""
    aer = pytest.importorskip("qiskit_aer").AerSimulator(method="statevector")
    ours = BasicAer.get_backend("qasm_simulator")
    circuit = random_circuit(10**5)
    circuit.measure_all()
    ratios = []

    def another_circuit():
        planner._plans.clear()  # noqa: SLF001
        circuit.rz(0.1, 0)

    def first_run():
        ours.run(circuit, shots=100).result()

    for _ in range(3):
        another_circuit()
        ratios.append(seconds(first_run) / seconds(lambda: aer.run(circuit, shots=100).result()))
    benchmark.pedantic(first_run, setup=another_circuit, rounds=3)
    benchmark.extra_info["goal"] = "ratio to Aer at most 1"
    benchmark.extra_info["ratio"] = round(statistics.median(ratios), 2)
    print(f"\nfirst runs of 100,000 gates: ratio {benchmark.extra_info['ratio']}")


@pytest.mark.slow
def test_memory_of_a_million_gates(benchmark):
    circuit = random_circuit(10**6)
    costs = NumpyDevice().costs(QUBITS, Precision.DOUBLE)

    def peak():
        planner._plans.clear()  # noqa: SLF001
        tracemalloc.start()
        program = lower(circuit)
        tracemalloc.reset_peak()
        for operation in program.body:
            if isinstance(operation, Segment):
                planner.plan_segment(operation, QUBITS, costs)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most / 2**20

    most = benchmark.pedantic(peak, rounds=1)
    benchmark.extra_info["goal"] = f"at most {MEBIBYTES} MiB"
    benchmark.extra_info["mebibytes"] = round(most)
    print(f"\na program of a million gates and its plan: {most:.0f} MiB, goal {MEBIBYTES} MiB")
