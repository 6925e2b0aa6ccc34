"""What a person sees of a plan: which gates run in which pass over the state, and what that will take."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from os import PathLike

    from matplotlib.figure import Figure

    from basicaer.options import Precision

__all__ = ["CircuitPlan", "Kind", "ShownGate", "ShownStep", "Stage"]


class Kind(StrEnum):
    """In which way a gate acts, and so how cheap it is."""

    DIAGONAL = "diagonal"  # multiplies basis states by phases
    PERMUTATION = "permutation"  # brings each basis state to one other
    X_TYPE = "X-type"  # a function of Pauli X on some qubits, diagonal on its others
    GENERAL = "general"  # anything else


class ShownGate(NamedTuple):
    """A gate in a stage, or one of the three parts that a gate with many controls is cut into.

    `targets` and `controls` are circuit qubits, by the same rule as the tile of its stage.
    """

    name: str
    kind: Kind
    targets: tuple[int, ...]
    controls: tuple[int, ...]


class ShownStep(NamedTuple):
    """Gates that are applied together: as one matrix on `matrix`, circuit qubits; without a matrix where it is ()."""

    gates: tuple[ShownGate, ...]
    matrix: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Stage:
    """One pass over the state, or, where `tile` is empty, gates that are applied one by one.

    Qubits are the circuit's numbers. A swap moves no amplitude, two qubits only change places; so a place is named
    after the qubit that is there when the stage begins. In a unitary of n qubits, n + j is bit j of a column's number.

    Attributes
    ----------
    inside
        The loops and branches that it stands in, such as ``for x10 > if``; empty where it runs once for certain.
    tile
        Qubits of a tile: all gates that do more than multiply by phases act within these. Ascending.
    steps
        What is done to each tile, in order.
    tiles
        How many tiles are worked on: those that hold nothing but zeros are not.
    bytes
        Read from memory and written to it.
    flops
        Real operations: 8 * 2**k on each amplitude for a matrix on k qubits, 6 for a multiplication by a phase.
    seconds
        Predicted.
    """

    inside: str
    tile: tuple[int, ...]
    steps: tuple[ShownStep, ...]
    tiles: int
    bytes: int
    flops: int
    seconds: float

    @property
    def gates(self) -> tuple[ShownGate, ...]:
        """Its gates in the order in which they act."""
        return tuple(gate for step in self.steps for gate in step.gates)

    @property
    def kinds(self) -> Counter[Kind]:
        """How many gates of each kind it has."""
        return Counter(gate.kind for gate in self.gates)

    @property
    def matrices(self) -> tuple[int, ...]:
        """The numbers of qubits of its matrices, in order."""
        return tuple(len(step.matrix) for step in self.steps if step.matrix)


@dataclass(frozen=True, slots=True)
class CircuitPlan:
    """What will happen when a circuit is run; ``print`` it, or `draw` it.

    Loops are counted as if they went round once, and branches as if all were taken. Predictions are for the gates:
    measurements, sampling, what is saved on the way and handing over amplitudes come on top.

    Attributes
    ----------
    name
        The circuit's.
    n_qubits
        Qubits of the state: those that anything acts on; of a unitary, twice the circuit's.
    qubits
        For each of them the number that it has in `stages`.
    n_gates
        Gates, swaps included.
    swaps
        How many of them only exchange the places of two qubits.
    stages
        Passes, and stretches of gates that are applied one by one, in order.
    memory
        Bytes of the state and of the tiles that threads work on. Where shots part at a measurement, copies of the
        state come on top, up to half of the memory that is free.
    device, device_reason
        Where it runs, and why there.
    threads
        How many threads may work on the state.
    free_parameters
        Names of the parameters without a value; the plan is the same for all values.
    unitary
        Whether the state is a unitary, its columns one after another.
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
    free_parameters: tuple[str, ...] = ()
    unitary: bool = False

    @property
    def passes(self) -> tuple[Stage, ...]:
        """The stages that are passes over the state; none on few qubits, where gates are applied one by one."""
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
    def seconds(self) -> float:
        """Predicted seconds."""
        return sum(stage.seconds for stage in self.stages)

    def __repr__(self) -> str:
        return (
            f"<CircuitPlan of '{self.name}': {self.n_qubits} qubits, {self.n_gates} gates, {len(self.passes)} passes>"
        )

    def __str__(self) -> str:
        from basicaer.plan_view.table import table_of  # it needs rich, which only those who print should load

        return table_of(self)

    def draw(self, filename: str | PathLike[str] | None = None) -> Figure:
        """Draw the gates over the passes, coloured by kind; needs matplotlib, the extra `plot`.

        Time runs to the right, in rows one below another where there is much of it. What is shaded is the tile; gates
        in a frame are applied together, as one matrix on the qubits that the frame encloses.

        Parameters
        ----------
        filename
            Where to write the picture as well, in the format that its ending says.

        Returns
        -------
        matplotlib.figure.Figure

        Raises
        ------
        BasicAerError
            If matplotlib is missing, or the picture cannot be written.
        """
        from basicaer.plan_view.picture import picture_of

        return picture_of(self, filename)
