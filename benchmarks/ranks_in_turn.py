"""What `test_distributed.py` starts under mpiexec: one process with two threads and two ranks with one, in turn.

Its arguments are what is measured, a family of circuits, the number of qubits and that of rounds. It prints JSON: for
``times``, ``one`` and ``ranks``, the seconds of each round; for ``chunks``, ``aer`` and ``ranks``; for ``stops``, the
seconds from `cancel` on one rank until all have ended. While one process works, the others sleep: a rank that waits for
a message takes a core.
"""

from __future__ import annotations

import json
import sys
import time
from functools import partial
from random import Random
from typing import TYPE_CHECKING

from families import FAMILIES

from basicaer import BasicAer

if TYPE_CHECKING:
    from collections.abc import Callable

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

    def seconds_in_chunks(self, circuit: QuantumCircuit) -> float:
        """Return the seconds of a run by Aer on the first rank, with a chunk and a thread for each rank."""
        self._wait()
        started = time.perf_counter()
        if self.rank == 0:
            from qiskit_aer import AerSimulator

            qubits = circuit.num_qubits - self._size.bit_length() + 1
            chunks = {"blocking_enable": True, "blocking_qubits": qubits, "max_parallel_threads": self._size}
            AerSimulator(method="statevector", **chunks).run(circuit, seed_simulator=1).result()
        seconds = time.perf_counter() - started
        self._wait()
        return seconds

    def times(self, circuit: QuantumCircuit, rounds: int) -> dict[str, list[float]]:
        """Measure a circuit in one process and on all ranks."""
        one = partial(self.seconds_of, circuit, distributed=False)
        return self._in_turn(
            {"one": one, "ranks": partial(self.seconds_of, circuit, distributed=True)}, circuit, rounds
        )

    def chunks(self, circuit: QuantumCircuit, rounds: int) -> dict[str, list[float]]:
        """Measure a circuit by Aer, in chunks, and on all ranks."""
        aer = partial(self.seconds_in_chunks, circuit)
        return self._in_turn(
            {"aer": aer, "ranks": partial(self.seconds_of, circuit, distributed=True)}, circuit, rounds
        )

    @staticmethod
    def _in_turn(
        measured: dict[str, Callable[[], float]], circuit: QuantumCircuit, rounds: int
    ) -> dict[str, list[float]]:
        """Return the seconds of each round; the first one warms up and is left out."""
        found: dict[str, list[float]] = {which: [] for which in measured}
        circuit.measure_all()
        for number in range(rounds + 1):
            for which, run in measured.items():
                seconds = run()
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
    measure = {"times": ranks.times, "chunks": ranks.chunks, "stops": ranks.stops}[what]
    told = measure(FAMILIES[family](int(n_qubits)), int(rounds))
    if ranks.rank == 0:
        print(json.dumps(told))
