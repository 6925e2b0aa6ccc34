"""The simulators that are timed. The docstring of each module says which part of its work is timed and which is not.

All have the same task: from a circuit that was prepared once, as a user would keep it, to 100 shots of all qubits. What
a simulator allows its user to do beforehand, such as translation and optimisation, is not timed. No state is copied
out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from peers.systems.aer import Aer
from peers.systems.basic_simulator import Basic
from peers.systems.lightning import Lightning
from peers.systems.ours import Ours
from peers.systems.qsim import Qsim
from peers.systems.qulacs import Qulacs

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

    from peers.systems.entry import Entry

SHOTS = 100


class System(Protocol):
    """A simulator; its constructor imports its package, and raises ImportError where that is not installed."""

    name: str
    distribution: str  # the package's name for pip
    precisions: tuple[str, ...]  # "double", "single" or both
    largest: int  # the number of qubits up to which it is timed

    def __init__(self, threads: int) -> None: ...

    def entries(self, circuit: QuantumCircuit, precision: str, shots: int) -> list[Entry]:
        """Return the circuit prepared to run, once for each setting that may be the fastest."""


SYSTEMS: dict[str, type[System]] = {s.name: s for s in (Ours, Aer, Qulacs, Lightning, Qsim, Basic)}
