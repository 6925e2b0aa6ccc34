"""What `test_distributed.py` starts under mpiexec: one process with two threads and two ranks with one, in turn.

Its arguments are what is measured, a family of circuits, the number of qubits and that of rounds. It prints JSON: for
``times``, ``one`` and ``ranks``, the seconds of each round; for ``stops``, the seconds from `cancel` on one rank until
all have ended. While one process works, the others sleep: a rank that waits for a message takes a core.
"""

from __future__ import annotations

import json
import sys
import time
from random import Random
from typing import TYPE_CHECKING

from families import FAMILIES

from basicaer import BasicAer

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

_POLL_SECONDS = 2e-3
_LATEST_CANCEL = 0.5  # seconds after the start of a job
_REPEATS = 40  # of a circuit, so that it is cancelled before it ends


class Ranks:
    """The ranks that run this program."""

    def __init__(self) -> None:
        from mpi4py import MPI

        self._mpi = MPI
        self._comm = MPI.COMM_WORLD
        self.rank, self._size = self._comm.rank, self._comm.size
        self._backend = BasicAer.get_backend("qasm_simulator", seed_simulator=1)

    def _wait(self) -> None:
        """Meet the other ranks, asleep until they are there."""
        arrival = self._comm.Ibarrier()
        while not arrival.Test():
            time.sleep(_POLL_SECONDS)

    def seconds_of(self, circuit: QuantumCircuit, *, distributed: bool) -> float:
        """Return the seconds of a run on all ranks, or on the first with as many threads as there are ranks."""
        self._wait()
        started = time.perf_counter()
        if distributed:
            self._backend.run(circuit, distributed=True, max_parallel_threads=1).result()
        elif self.rank == 0:
            self._backend.run(circuit, max_parallel_threads=self._size).result()
        seconds = time.perf_counter() - started
        self._wait()
        return seconds

    def seconds_to_stop(self, circuit: QuantumCircuit, number: int) -> float:
        """Return the seconds from `cancel` on the last rank until the job has ended on all."""
        job = self._backend.run(circuit, distributed=True, max_parallel_threads=1)
        cancelled = 0.0
        if self.rank == self._size - 1:
            time.sleep(_LATEST_CANCEL * Random(number).random())  # noqa: S311  # it hides nothing
            cancelled = time.monotonic()
            job.cancel()
        job.wait_for_final_state()
        ended: float = self._comm.allreduce(time.monotonic(), self._mpi.MAX)
        return ended - float(self._comm.allreduce(cancelled, self._mpi.MAX))

    def times(self, circuit: QuantumCircuit, rounds: int) -> dict[str, list[float]]:
        """Measure a circuit; the first round warms up and is left out."""
        found: dict[str, list[float]] = {"one": [], "ranks": []}
        circuit.measure_all()
        for number in range(rounds + 1):
            for which, distributed in (("one", False), ("ranks", True)):
                seconds = self.seconds_of(circuit, distributed=distributed)
                if number:
                    found[which].append(seconds)
        return found

    def stops(self, circuit: QuantumCircuit, rounds: int) -> list[float]:
        """Measure how soon a job stops that runs a circuit again and again."""
        long = circuit.repeat(_REPEATS).decompose()
        long.measure_all()
        return [self.seconds_to_stop(long, number) for number in range(rounds)]


if __name__ == "__main__":
    ranks, (what, family, n_qubits, rounds) = Ranks(), sys.argv[1:]
    measure = {"times": ranks.times, "stops": ranks.stops}[what]
    told = measure(FAMILIES[family](int(n_qubits)), int(rounds))
    if ranks.rank == 0:
        print(json.dumps(told))
