"""Times what passes from ``job.cancel()`` until the job is in its final state, on states of several sizes.

Run as ``python latency.py`` in this folder, or ``nox -s bench -- latency``. Each trial starts a job on a circuit that
takes long, waits for a random part of a pass or of a measurement, cancels it and waits for its end. Goal on the CPU:
99 of 100 in at most 50 ms, at any size.

At 28 qubits the worker has noticed after some milliseconds, too; the rest is what the system takes to have the memory
of the state back, since a job has not ended before. Where other programs keep the cores busy (a line's "load" is how
many, on average), single trials wait for those.
"""

from __future__ import annotations

import json
import random
import time
from datetime import datetime
from pathlib import Path

import click
import numpy as np
import psutil
from peers.machine import machine_name
from qiskit import QuantumCircuit

from basicaer import BasicAer

GOAL_SECONDS = 0.05


def gates(n):
    """Layers of entangling gates: all passes."""
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


@click.command(help=__doc__)
@click.option("--sizes", default="20,24,28", show_default=True, help="Numbers of qubits.")
@click.option("--trials", default=100, show_default=True)
@click.option("--device", default="CPU", show_default=True)
@click.option(
    "--results", type=click.Path(path_type=Path), default=Path(__file__).parent / "results", show_default=True
)
def main(*, sizes, trials, device, results):
    backend = BasicAer.get_backend("qasm_simulator")
    draw = random.Random(1)  # noqa: S311  # moments to cancel at, no secrets
    click.echo(
        f"{'circuit':14}{'qubits':>7}{'trials':>7}{'p50':>10}{'p99':>10}{'max':>10}  goal: {GOAL_SECONDS * 1e3:g} ms"
    )
    for name, make in CIRCUITS.items():
        for n in map(int, sizes.split(",")):
            circuit = make(n)
            longest = 1e-9 * 2**n  # about a pass
            seconds = [trial(backend, circuit, draw.uniform(0, 4 * longest), device=device) for _ in range(trials)]
            found = [1e3 * second for second in seconds if second is not None]
            p50, p99, most = (float(np.quantile(found, part)) for part in (0.5, 0.99, 1.0))
            click.echo(f"{name:14}{n:7}{len(found):7}{p50:7.2f} ms{p99:7.2f} ms{most:7.2f} ms")
            line = {
                "benchmark": "cancel latency",
                "circuit": name,
                "n": n,
                "device": device,
                "trials": len(found),
                "p50_ms": p50,
                "p99_ms": p99,
                "max_ms": most,
                "goal_p99_ms": 1e3 * GOAL_SECONDS,
                "load": psutil.getloadavg()[0],
                "date": datetime.now().astimezone().isoformat(timespec="seconds"),
                "machine": machine_name(),
            }
            with (results / "cancel-latency.jsonl").open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
