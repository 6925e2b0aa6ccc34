"""States in files: beside the disk's own bandwidth, in much less memory, cancelled; and states that fit, with spill."""

from __future__ import annotations

import os
import random
import time
from functools import cache

import pytest
from harness.goals import at_most
from harness.timing import in_turn, pair_ratios, stopwatch
from latency import GOAL, gates, percentile_99, trial
from spilled import Spilled, ansatz, limited_memory, spilled_run

from basicaer import BasicAer, spilling
from basicaer.devices.cpu.device import NumpyDevice

OF_DISK = at_most(1.5, "of the time that the disk needs for the bytes that are read and written")
RESIDENT = at_most(4, "GiB of resident memory, for a state of 16 GiB")
THAT_FIT = at_most(1.05, "of the processor time without spill")
MEMORY = 4 * 2**30


@cache
def run_in_file(name: str, n: int, *, is_limited: bool) -> Spilled:
    with limited_memory(MEMORY) as group:
        if group is None and is_limited:
            pytest.skip("no control group can be made here")
        return spilled_run(name, n, MEMORY, group if is_limited else None)


@pytest.mark.parametrize("name", ["qft", "ansatz"])
def test_30_qubits_in_a_file(name, benchmark, judge, size):
    run = run_in_file(name, size(30, smallest=8), is_limited=size(usual=True, smallest=False))
    benchmark.extra_info |= run._asdict()
    judge(OF_DISK, [run.of_disk])
    benchmark.pedantic(lambda: None, rounds=1)


@pytest.mark.parametrize("name", ["qft", "ansatz"])
def test_memory_of_30_qubits_in_a_file(name, benchmark, judge, size):
    run = run_in_file(name, size(30, smallest=8), is_limited=size(usual=True, smallest=False))
    judge(RESIDENT, [run.resident / 2**30])
    benchmark.pedantic(lambda: None, rounds=1)


@pytest.mark.parametrize("n", [10, 16, 22], ids=lambda n: f"{n} qubits")
def test_states_that_fit(n, benchmark, judge, size, tmp_path):
    circuit = ansatz(size(n, smallest=4))
    circuit.measure_all()
    backend = BasicAer.get_backend("qasm_simulator")
    options = {"without": {}, "with": {"spill": tmp_path}}

    def run(name):
        return backend.run(circuit, shots=10, **options[name]).result()

    run("with")
    seconds = in_turn(
        {name: name for name in options},
        lambda name: stopwatch(lambda: run(name), time.process_time),
        rounds=size(41, smallest=1),
    )
    judge(THAT_FIT, pair_ratios(seconds, "with", "without"), counted="pairs")
    benchmark.pedantic(run, args=("with",), rounds=1)


def test_cancelled_in_a_file(benchmark, judge, size, monkeypatch, tmp_path):
    monkeypatch.setattr(NumpyDevice, "free_bytes", lambda _: 1)
    monkeypatch.setattr(spilling, "TOO_SMALL_TO_ASK", 0)
    backend, circuit = BasicAer.get_backend("qasm_simulator"), gates(size(26, smallest=8))
    draw = random.Random(1)  # noqa: S311  # moments to cancel at, no secrets
    folder = size(os.getcwd(), smallest=tmp_path)  # noqa: PTH109  # temporary files may be in memory
    trials = [trial(backend, circuit, draw.uniform(0, 2), spill=folder) for _ in range(size(50, smallest=1))]
    milliseconds = [1e3 * seconds for seconds in trials if seconds is not None]
    judge(GOAL, milliseconds or [0.0], counted="trials", summary=percentile_99)
    benchmark.pedantic(lambda: None, rounds=1)
