"""Runs one circuit with its state in a file, in a process whose memory is limited, and measures the disk beside it.

The limit is a control group of Linux, which also counts what the system keeps of the file in memory.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from qiskit import QuantumCircuit

from basicaer import BasicAer, spilling
from basicaer.devices.cpu.device import NumpyDevice
from basicaer.devices.spilled.state_file import StateFile

if TYPE_CHECKING:
    from collections.abc import Iterator

SHOTS = 1000
_PIECE = 2**22  # amplitudes written at a time to measure the disk


class Spilled(NamedTuple):
    """What was measured.

    Attributes
    ----------
    seconds, predicted
        Of the run, and what its plan predicted.
    read, written
        Bytes of the file.
    disk_read, disk_write
        Bytes that the disk moves in a second, one after another.
    resident
        The most bytes of memory that the process had at a time.
    """

    seconds: float
    predicted: float
    read: int
    written: int
    disk_read: float
    disk_write: float
    resident: int

    @property
    def of_disk(self) -> float:
        """The time of the run as a multiple of what the disk needs for the same bytes."""
        return self.seconds / (self.read / self.disk_read + self.written / self.disk_write)


def ansatz(n: int) -> QuantumCircuit:
    """Three layers of RY and a chain of CX."""
    random = np.random.default_rng(n)
    circuit = QuantumCircuit(n)
    for _ in range(3):
        for q in range(n):
            circuit.ry(random.uniform(0, 3), q)
        for q in range(n - 1):
            circuit.cx(q, q + 1)
    return circuit


@contextmanager
def limited_memory(limit: int) -> Iterator[Path | None]:
    """Yield the folder of a new control group inside that of this process, or None if there can be none."""
    own = [line.split(":", 2) for line in Path("/proc/self/cgroup").read_text("ascii").splitlines()]
    inside = next((path for _, kinds, path in own if "memory" in kinds.split(",")), None)
    group = Path(f"/sys/fs/cgroup/memory{inside}/basicaer-{os.getpid()}")
    try:
        group.mkdir()
        (group / "memory.limit_in_bytes").write_text(str(limit))
    except OSError:
        yield None
        return
    try:
        yield group
    finally:
        group.rmdir()


def spilled_run(name: str, n: int, limit: int, group: Path | None) -> Spilled:
    """Run a circuit in a process of its own, which joins a control group first."""
    command = [sys.executable, "-m", "spilled", name, str(n), str(limit), str(group or "")]
    done = subprocess.run(command, cwd=Path(__file__).parent, check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603
    return Spilled(**json.loads(done.stdout.splitlines()[-1]))


def _disk(folder: Path, size: int) -> tuple[float, float]:
    """Return how many bytes the disk reads and writes in a second, in a file of so many bytes."""
    piece = np.ones(min(_PIECE, size // 16), complex)
    file = StateFile(folder, size // 16, piece.dtype, _no_poll)
    starts = range(0, file.amplitudes, len(piece))
    try:
        started = time.perf_counter()
        for start in starts:
            file.write(start, piece, _no_poll)
        file.write_through()
        written = time.perf_counter()
        for start in starts:
            file.read(start, piece, _no_poll)
        return size / (time.perf_counter() - written), size / (written - started)
    finally:
        file.close()


def _no_poll() -> None:
    """Nothing is cancelled here."""


def _main(name: str, n: int, limit: int, group: str) -> None:
    from families import qft

    if group:
        Path(group, "cgroup.procs").write_text(str(os.getpid()))
    else:
        NumpyDevice.free_bytes, spilling.TOO_SMALL_TO_ASK = (lambda _: 1), 0
    moved = {"read": 0, "write": 0}

    def count(kind: str) -> None:
        method = getattr(StateFile, kind)

        def counted(self: StateFile, start: int, amplitudes: np.ndarray, poll: object) -> None:
            moved[kind] += amplitudes.nbytes
            method(self, start, amplitudes, poll)

        setattr(StateFile, kind, counted)

    circuit = {"qft": qft, "ansatz": ansatz}[name](n)
    circuit.measure_all()
    backend = BasicAer.get_backend("qasm_simulator")
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        disk_read, disk_write = _disk(Path(folder), min(2 * limit, 16 * 2**n))
        predicted = backend.plan(circuit, spill=folder).seconds
        count("read")
        count("write")
        started = time.perf_counter()
        backend.run(circuit, shots=SHOTS, seed_simulator=1, spill=folder).result()
        seconds = time.perf_counter() - started
    resident = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = Spilled(seconds, predicted, moved["read"], moved["write"], disk_read, disk_write, resident)
    sys.stdout.write(json.dumps(found._asdict()) + "\n")


if __name__ == "__main__":
    _main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
