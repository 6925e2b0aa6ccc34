"""The form of a plan, which divides a segment into passes over the state, and the costs with which it is made.

A plan refers to *wires*. Wire ``w`` is the place of qubit ``w`` at the beginning of the segment. A swap of two qubits
moves no amplitudes; it only exchanges the wires of the two qubits.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple, Protocol, Self

if TYPE_CHECKING:
    from array import array
    from collections.abc import Callable, Iterable

    from basicaer.engine.program import Segment

__all__ = ["Costs", "Monomials", "Part", "Pass", "Plan", "PlannedGate", "Planner", "Product", "Step"]


class Part(Enum):
    """A part of a gate: a gate ``U = V D V*`` with many controls is split into three parts."""

    WHOLE = "whole"
    INTO_EIGENBASIS = "into eigenbasis"  # V*, on the targets alone
    EIGENVALUES = "eigenvalues"  # D, diagonal, with the controls
    OUT_OF_EIGENBASIS = "out of eigenbasis"  # V, on the targets alone

    __hash__ = object.__hash__  # the reason is given at `Form`


class PlannedGate(NamedTuple):
    """A gate of the segment, or a part of one, on the wires of its qubits at that point of the segment."""

    part: Part
    targets: tuple[int, ...]
    controls: tuple[int, ...]
    paired: tuple[int, ...]  # the wires that it may take out of |0>: the targets on which it does not act diagonally

    @classmethod
    def whole(cls, actions: str, targets: tuple[int, ...], controls: tuple[int, ...]) -> Self:
        """Return a gate that is not split; `actions` says how it acts on each target, as in `Gate`."""
        if "Z" not in actions:
            return cls(Part.WHOLE, targets, controls, targets)
        paired = tuple([wire for wire, action in zip(targets, actions, strict=True) if action != "Z"])
        return cls(Part.WHOLE, targets, controls, paired)


class Product(NamedTuple):
    """Gates that are applied together, as one matrix on `wires`.

    The gates may also act diagonally on other wires, the `selectors`; each basis state of these selects a matrix of its
    own.
    """

    gates: tuple[int, ...]  # indices of gates of the plan, in the order in which they act
    wires: tuple[int, ...]
    selectors: tuple[int, ...]


class Monomials(NamedTuple):
    """Gates that only permute basis states, on wires of the tile, and multiply them by phases, on any wires."""

    gates: tuple[int, ...]


Step = Product | Monomials


class Pass(NamedTuple):
    """The work that is done on each tile while the whole state is read and written once.

    A tile consists of the amplitudes that differ only in the values of the wires `tile`, which are ascending. Gates may
    act diagonally on wires outside of the tile.
    """

    tile: tuple[int, ...]
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """The plan of a segment.

    Attributes
    ----------
    gates
        The gates of the segment, in program order and without swaps; the steps refer to them by index.
    origins
        ``gates[i]`` is gate ``origins[i]`` of the segment, or a part of it.
    passes
        The passes, in order.
    wire_of
        ``wire_of[q]`` is the wire that qubit q is on at the end.
    """

    n_qubits: int
    gates: tuple[PlannedGate, ...]
    origins: array[int]
    passes: tuple[Pass, ...]
    wire_of: tuple[int, ...]

    def taken_out_of_zero(self, one: Pass) -> set[int]:
        """Return the wires that a pass may take out of |0>."""
        return {wire for step in one.steps for i in step.gates for wire in self.gates[i].paired}

    def wires_in_order(self, first: Iterable[int]) -> list[int]:
        """Return all wires: some in the order given, those that later passes have in their tiles, and the rest."""
        order = dict.fromkeys(first)
        for later in self.passes[1:]:
            order |= dict.fromkeys(later.tile)
        return list(order | dict.fromkeys(range(self.n_qubits)))

    def untouched_after(self, untouched: frozenset[int]) -> frozenset[int]:
        """Return the qubits that are still |0> after all passes, given those that are |0> before."""
        left = untouched.difference(*map(self.taken_out_of_zero, self.passes))
        return frozenset(q for q, wire in enumerate(self.wire_of) if wire in left)


@dataclass(frozen=True, slots=True)
class Costs:
    """The costs of work on a class of devices, by which plans are chosen: seconds per amplitude, on one core.

    The numbers are constants and never measured at run time, so that a plan, and every rounding with it, is the same on
    every run.

    Attributes
    ----------
    tile_qubits
        The number of qubits of a tile.
    shared_qubits
        The number of qubits that a tile should share with the tile before, so that memory is read in whole cache lines.
    product
        ``product[k]`` is the cost of a complex matrix on k qubits.
    rearrange
        The cost of bringing the amplitudes of a tile into another order.
    multiply
        The cost of multiplying the amplitudes of a tile by phases.
    move
        The cost of reading a tile from memory and writing it back.
    step_seconds
        The seconds that each step on each tile takes in addition, whatever the size of the tile.
    selectors
        The largest number of selectors of a product.
    lowest_qubits
        How many of the lowest qubits the first tile should have as if they were the tile before, so that a state
        is read in whole cache lines also where it does not begin as |0...0>.
    """

    tile_qubits: int
    shared_qubits: int
    product: tuple[float, ...]
    rearrange: float
    multiply: float
    move: float
    step_seconds: float
    selectors: int
    lowest_qubits: int = 0

    @property
    def widest_product(self) -> int:
        """The number of qubits of the largest matrix into which gates are fused."""
        return len(self.product) - 1

    def of_product(self, qubits: int) -> float:
        """Return the cost of a matrix; beyond `widest_product`, for wide gates, it doubles with each further qubit."""
        beyond = max(0, qubits - self.widest_product)
        return self.product[min(qubits, self.widest_product)] * 2.0**beyond


class Planner(Protocol):
    """Makes plans. `execute` is given a planner because it needs the plans of loop bodies at run time."""

    def __call__(
        self,
        segment: Segment,
        n_qubits: int,
        costs: Costs,
        *,
        discard_phases: bool = False,
        poll: Callable[[], None] = lambda: None,
    ) -> Plan:
        """Return a plan for a segment, calling `poll` at least before each pass and ten times a second.

        With `discard_phases`, gates that only change phases at the end of the segment are left out.
        """
