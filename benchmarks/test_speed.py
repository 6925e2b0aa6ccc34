"""Whole runs of the families, from `run` to 100 counts, with how near they come to the limits of the machine.

`extra_info` holds the goal, which the peers are measured for in `nox -s bench -- peers`; the rate in amplitudes times
gates per second; and the fraction of the limit, that is the least time in which the plan's bytes can be moved and its
operations done by this machine in this run, divided by the time taken. 24 qubits are slow: `-m "slow or not slow"`.
"""

from __future__ import annotations

import pytest
from families import FAMILIES
from peers.goals import goal_at

from basicaer import BasicAer

SHOTS = 100


@pytest.mark.parametrize("precision", ["double", "single"])
@pytest.mark.parametrize("n", [16, 20, pytest.param(24, marks=pytest.mark.slow)])
@pytest.mark.parametrize("family", FAMILIES)
def test_family(benchmark, limits, family, n, precision):
    backend = BasicAer.get_backend("qasm_simulator")
    backend.set_options(precision=precision)
    circuit = FAMILIES[family](n)
    measured = circuit.measure_all(inplace=False)
    plan = backend.plan(measured)
    least = limits.seconds(plan.bytes, plan.flops, precision)
    benchmark.extra_info["goal"] = goal_at(n, precision)
    benchmark.extra_info["passes"] = len(plan.passes)

    benchmark.pedantic(lambda: backend.run(measured, shots=SHOTS).result(), rounds=5, warmup_rounds=1)

    if benchmark.stats:
        median = benchmark.stats.stats.median
        benchmark.extra_info["amplitudes_times_gates_per_s"] = round(2**n * circuit.size() / median)
        benchmark.extra_info["fraction_of_limit"] = round(least / median, 3)
        print(f"\n{family} {n} {precision}: {least / median:.0%} of the limit, {len(plan.passes)} passes")
