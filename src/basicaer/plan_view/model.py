"""A plan as it is shown: which gates run in which pass over the state, and how long that will take."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from basicaer.engine.expected_errors import ExpectedErrors
    from basicaer.options import Precision

__all__ = ["Division", "GateKind", "PlanFacts", "ShownGate", "ShownStep", "ShownStop", "Stage"]


class GateKind(StrEnum):
    """How a gate acts on basis states, which decides how fast it is."""

    DIAGONAL = "diagonal"  # multiplies basis states by phases
    PERMUTATION = "permutation"  # maps each basis state to another one
    X_TYPE = "X-type"  # a function of Pauli X on some qubits, diagonal on its others
    GENERAL = "general"  # anything else


class ShownGate(NamedTuple):
    """A gate in a stage, or one of the three parts into which a gate with many controls is split.

    `targets` and `controls` are numbered as in the tile of its stage.
    """

    name: str
    kind: GateKind
    targets: tuple[int, ...]
    controls: tuple[int, ...]


class ShownStep(NamedTuple):
    """Gates that are applied together: as one matrix on the qubits `matrix`, or without a matrix if that is empty."""

    gates: tuple[ShownGate, ...]
    matrix: tuple[int, ...]


class ShownStop(NamedTuple):
    """A measurement or a reset of a qubit, between two stages: `name` is ``"measure"`` or ``"reset"``."""

    name: str
    qubit: int


@dataclass(frozen=True, slots=True)
class Stage:
    """One pass over the state or, if `tile` is empty, gates that are applied one by one.

    Where the state is in a file, it is what is done to each chunk before it is written back, and tiles are chunks.

    Qubits are numbered as in the circuit. A swap moves no amplitude but relabels two qubits, so the places in a stage
    are numbered by the qubits that are there when the stage begins. In a unitary of n qubits, n + j is bit j of a
    column's number.

    Attributes
    ----------
    inside
        The loops and branches around the stage, such as ``for x10 > if``; empty if it runs exactly once.
    tile
        The qubits of a tile, ascending: all gates but diagonal ones act within these.
    steps
        What is applied to each tile, in order.
    tiles
        The number of tiles that are processed; a tile of zeros is not.
    bytes
        Bytes read from memory and written to it.
    flops
        Real operations: for each amplitude 8 * 2**k for a matrix on k qubits, and 6 for a multiplication by a phase.
    seconds
        Predicted time, with everything that it reads in the processor's cache.
    before
        The measurements and resets between the stage before and this one.
    """

    inside: str
    tile: tuple[int, ...]
    steps: tuple[ShownStep, ...]
    tiles: int
    bytes: int
    flops: int
    seconds: float
    before: tuple[ShownStop, ...] = ()

    @property
    def gates(self) -> tuple[ShownGate, ...]:
        """Its gates in the order in which they act."""
        return tuple(gate for step in self.steps for gate in step.gates)

    @property
    def kinds(self) -> Counter[GateKind]:
        """How many gates of each kind it has."""
        return Counter(gate.kind for gate in self.gates)

    @property
    def matrices(self) -> tuple[int, ...]:
        """The numbers of qubits of its matrices, in order."""
        return tuple(len(step.matrix) for step in self.steps if step.matrix)


class Division(NamedTuple):
    """How a state is divided among ranks, each of which has an equal part.

    Attributes
    ----------
    ranks
        The number of ranks.
    rank_bytes
        Bytes of the part of each rank.
    exchanges
        For each exchange the share of its part that a rank sends.
    """

    ranks: int
    rank_bytes: int
    exchanges: tuple[float, ...]

    @property
    def sent_bytes(self) -> int:
        """Bytes that each rank sends in all exchanges."""
        return int(sum(self.exchanges) * self.rank_bytes)


@dataclass(frozen=True, slots=True)
class PlanFacts:
    """The fields of a plan, from which its table and its picture are made.

    `basicaer.plan_view.circuit_plan.CircuitPlan` adds printing and drawing, and describes the fields.
    """

    name: str
    n_qubits: int
    qubits: tuple[int, ...]
    n_gates: int
    swaps: int
    stages: tuple[Stage, ...]
    memory: int
    precision: Precision
    device: str
    device_reason: str
    threads: int
    seconds: float
    first_seconds: float
    free_parameters: tuple[str, ...] = ()
    unitary: bool = False
    density_matrix: bool = False
    after: tuple[ShownStop, ...] = ()
    errors: ExpectedErrors | None = None
    division: Division | None = None
    spilled: int = 0

    @property
    def passes(self) -> tuple[Stage, ...]:
        """The stages that are passes over the state; none on few qubits, since gates are applied one by one there."""
        return tuple(stage for stage in self.stages if stage.tile)

    @property
    def bytes(self) -> int:
        """Bytes read from memory and written to it."""
        return sum(stage.bytes for stage in self.stages)

    @property
    def flops(self) -> int:
        """Real floating-point operations; see `Stage`."""
        return sum(stage.flops for stage in self.stages)

    @property
    def gate_seconds(self) -> float:
        """Predicted seconds of the gates by themselves."""
        return sum(stage.seconds for stage in self.stages)
