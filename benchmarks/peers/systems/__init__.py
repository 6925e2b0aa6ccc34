"""The simulators that are timed. Each module says what of its work is inside the timing and what is outside.

All are given the same task: from the circuit as its user would keep it, prepared once, to 100 shots of all qubits. What
a simulator lets its user do beforehand, such as translation and optimisation, is outside. No state is copied out.
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
    """A simulator; making one imports its package, which raises ImportError where that is not installed."""

    name: str
    distribution: str  # as pip knows it
    precisions: tuple[str, ...]  # of "double" and "single"
    largest: int  # number of qubits

    def __init__(self, threads: int) -> None: ...

    def entries(self, circuit: QuantumCircuit, precision: str, shots: int) -> list[Entry]:
        """Return the circuit made ready, once for each setting that may be the fastest."""


OURS = Ours.name
SYSTEMS: dict[str, type[System]] = {s.name: s for s in (Ours, Aer, Qulacs, Lightning, Qsim, Basic)}
