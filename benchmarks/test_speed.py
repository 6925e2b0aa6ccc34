"""Whole runs of the families, from `run` to 100 counts, in both precisions in turn.

`extra_info` has the fraction of the limit in each precision: the least time in which this machine, in this run, can
move the plan's bytes and do its operations, divided by the time taken. It also has the rate in amplitudes times gates
per second. The goals against other simulators are judged by `nox -s bench -- peers`. 24 qubits are slow, so they need
``-m "slow or not slow"``.
"""

from __future__ import annotations

import statistics

import pytest
from families import FAMILIES
from harness.goals import at_most
from harness.timing import in_turn, pair_ratios, stopwatch

from basicaer import BasicAer

GOAL = at_most(1, "of the time of double precision, in single precision")
SHOTS, ROUNDS = 100, 5
PRECISIONS = ("double", "single")


@pytest.mark.parametrize("n", [16, 20, pytest.param(24, marks=pytest.mark.slow)])
@pytest.mark.parametrize("family", FAMILIES)
def test_family(benchmark, judge, limits, size, family, n):  # noqa: PLR0917  # pytest passes fixtures by name
    n = size(n, smallest=6)
    circuit = FAMILIES[family](n)
    measured = circuit.measure_all(inplace=False)
    backends = {}
    for precision in PRECISIONS:
        backends[precision] = BasicAer.get_backend("qasm_simulator")
        backends[precision].set_options(precision=precision)

    def run(backend):
        return backend.run(measured, shots=SHOTS).result()

    for backend in backends.values():
        run(backend)  # warm-up
    rounds = size(ROUNDS, smallest=1)
    seconds = in_turn(backends, lambda backend: stopwatch(lambda: run(backend)), rounds=rounds)
    judge(GOAL, pair_ratios(seconds, "single", "double"), counted="pairs")
    for precision, backend in backends.items():
        plan, median = backend.plan(measured), statistics.median(seconds[precision])
        benchmark.extra_info[precision] = {
            "passes": len(plan.passes),
            "seconds": median,
            "amplitudes_times_gates_per_s": round(2**n * circuit.size() / median),
            "fraction_of_limit": round(limits.seconds(plan.bytes, plan.flops, precision) / median, 3),
        }
    benchmark.pedantic(run, args=(backends["double"],), rounds=rounds)
