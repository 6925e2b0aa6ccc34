"""Times how long a job takes to end after ``job.cancel()``, on states of several sizes.

Run as ``nox -s bench -- latency``, or as ``python latency.py`` in this folder. Each trial starts a job on a circuit
that takes long, waits for a random part of a pass or of a measurement, cancels the job and waits for its final state.

A job ends only when the memory of its state has been freed, and that is most of the time at 28 qubits, where the worker
notices the cancellation after some milliseconds, too. If other programs keep the cores busy, single trials wait for
those; the "load" in the results is the average number of busy programs.
"""

from __future__ import annotations

import random
import statistics
import time
from datetime import datetime

import click
import numpy as np
import psutil
from harness.goals import at_most
from harness.options import PATH, sizes_option
from harness.results import FOLDER, append
from peers.machine import machine_name
from qiskit import QuantumCircuit

from basicaer import BasicAer

GOAL = at_most(50, "ms from cancel to the final state, in 99 of 100 trials")


def gates(n):
    """Layers of entangling gates, so that a job is always in a pass."""
    circuit = QuantumCircuit(n, name="gates")
    for layer in range(40):
        for q in range(n):
            circuit.u(0.1 * q + layer, 0.2, 0.3, q)
        for q in range(n):
            circuit.cx(q, (q + 1 + layer % (n - 1)) % n)
    circuit.measure_all()
    return circuit


def measurements(n):
    """Measurements in the middle: sums over the state, projections and copies of it."""
    circuit = QuantumCircuit(n, 1, name="measurements")
    circuit.h(range(n))
    for q in range(n):
        circuit.measure(q, 0)
        circuit.h(q)
    return circuit


CIRCUITS = {"gates": gates, "measurements": measurements}


def trial(backend, circuit, delay, **options):
    """Return the seconds from cancel to the final state, or None if the job had ended before."""
    job = backend.run(circuit, shots=2, seed_simulator=1, **options)
    while job.progress().phase in {"queued", "planning"} and not job.in_final_state():
        time.sleep(1e-4)
    time.sleep(delay)
    started = time.perf_counter()
    if not job.cancel():
        return None
    job.wait_for_final_state()
    return time.perf_counter() - started


def percentile_99(values):
    return float(np.quantile(values, 0.99))


@click.command(help=__doc__)
@sizes_option("20,24,28")
@click.option("--trials", default=100, show_default=True)
@click.option("--device", default="CPU", show_default=True)
@click.option("--results", type=PATH, default=FOLDER, show_default=True, help="Folder.")
def main(*, sizes, trials, device, results):
    backend = BasicAer.get_backend("qasm_simulator")
    draw = random.Random(1)  # noqa: S311  # moments to cancel at, no secrets
    for name, make in CIRCUITS.items():
        for n in sizes:
            circuit = make(n)
            pass_seconds = 1e-9 * 2**n  # a rough estimate
            seconds = [trial(backend, circuit, draw.uniform(0, 4 * pass_seconds), device=device) for _ in range(trials)]
            milliseconds = [1e3 * second for second in seconds if second is not None]
            if not milliseconds:
                click.echo(f"{name} {n}: every job ended before it could be cancelled")
                continue
            click.echo(f"{name} {n}: {GOAL.verdict(milliseconds, counted='trials', summary=percentile_99)}")
            record = {
                "benchmark": "cancel latency",
                "circuit": name,
                "n": n,
                "device": device,
                "trials": len(milliseconds),
                "p50_ms": statistics.median(milliseconds),
                "p99_ms": percentile_99(milliseconds),
                "max_ms": max(milliseconds),
                "goal_p99_ms": GOAL.bound,
                "load": psutil.getloadavg()[0],
                "date": datetime.now().astimezone().isoformat(timespec="seconds"),
                "machine": machine_name(),
            }
            append(results / "cancel-latency.jsonl", record)


if __name__ == "__main__":
    main()
