"""What `test_distributed.py` starts under mpiexec: one process with two threads and two ranks with one, in turn.

Prints JSON with ``one`` and ``ranks``, the seconds of each round, and ``stopped``, the seconds from `cancel` on one
rank until all have ended. While one process works, the others sleep: a rank that waits for a message takes a core.
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
_REPEATS = 200  # of a circuit, so that it is cancelled before it ends


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

    def measured(self, name: str, qubits: int, rounds: int) -> dict[str, list[float]]:
        """Measure a family of circuits; the first round warms up and is left out."""
        circuit = FAMILIES[name](qubits)
        long = circuit.repeat(_REPEATS).decompose()
        circuit.measure_all()
        long.measure_all()
        found: dict[str, list[float]] = {"one": [], "ranks": []}
        for number in range(rounds + 1):
            for which, distributed in (("one", False), ("ranks", True)):
                seconds = self.seconds_of(circuit, distributed=distributed)
                if number:
                    found[which].append(seconds)
        return found | {"stopped": [self.seconds_to_stop(long, number) for number in range(2 * rounds)]}


if __name__ == "__main__":
    ranks = Ranks()
    told = ranks.measured(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
    if ranks.rank == 0:
        print(json.dumps(told))
