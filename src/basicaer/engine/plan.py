"""The form of a plan: a segment cut into passes over the state, and what a device says its work costs.

A plan speaks of *wires*. Wire ``w`` is the place that qubit ``w`` has when the segment begins; a swap of two qubits
moves no amplitude, it only exchanges which wires the two are on.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple, Protocol, Self

if TYPE_CHECKING:
    from array import array
    from collections.abc import Callable

    from basicaer.engine.program import Segment

__all__ = ["Costs", "Monomials", "Part", "Pass", "Plan", "PlannedGate", "Planner", "Product", "Step"]


class Part(Enum):
    """Which part of a gate is meant, where ``U = V D V*`` was split because of its many controls."""

    WHOLE = "whole"
    INTO_EIGENBASIS = "into eigenbasis"  # V*, on the targets alone
    EIGENVALUES = "eigenvalues"  # D, diagonal, with the controls
    OUT_OF_EIGENBASIS = "out of eigenbasis"  # V, on the targets alone

    __hash__ = object.__hash__  # see `Form`


class PlannedGate(NamedTuple):
    """A gate of the segment, or a part of one, on the wires that its qubits have by then."""

    part: Part
    targets: tuple[int, ...]
    controls: tuple[int, ...]
    paired: tuple[int, ...]  # the wires that it may take out of |0>: all targets but those that it acts on diagonally

    @classmethod
    def whole(cls, kinds: str, targets: tuple[int, ...], controls: tuple[int, ...]) -> Self:
        """Return a gate that is not split, and that acts on its targets in the ways `kinds`; see `Gate`."""
        if "Z" not in kinds:
            return cls(Part.WHOLE, targets, controls, targets)
        paired = tuple([wire for wire, kind in zip(targets, kinds, strict=True) if kind != "Z"])
        return cls(Part.WHOLE, targets, controls, paired)


class Product(NamedTuple):
    """Gates that are applied together, as one matrix on `wires`.

    There is one such matrix for each basis state of `selectors`, other wires on which the gates act diagonally.
    """

    gates: tuple[int, ...]  # numbers in the plan's gates, in the order in which they act
    wires: tuple[int, ...]
    selectors: tuple[int, ...]


class Monomials(NamedTuple):
    """Gates that only permute basis states and multiply them by phases; what they permute is within the tile."""

    gates: tuple[int, ...]


Step = Product | Monomials


class Pass(NamedTuple):
    """What is done to each tile in one read and write of the whole state.

    A tile is the amplitudes that differ only in the values of `tile`, ascending wires. Gates may act diagonally on
    wires outside of it.
    """

    tile: tuple[int, ...]
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """A segment, planned.

    Attributes
    ----------
    gates
        The segment's gates as the steps refer to them, in program order; swaps are not among them.
    origins
        ``origins[i]`` is the number in the segment of the gate that ``gates[i]`` is, or is a part of.
    passes
        What to do, in order.
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

    def untouched_after(self, untouched: frozenset[int]) -> frozenset[int]:
        """Return the qubits that are still in |0> after all passes, from those that are before."""
        left = untouched.difference(*map(self.taken_out_of_zero, self.passes))
        return frozenset(q for q, wire in enumerate(self.wire_of) if wire in left)


@dataclass(frozen=True, slots=True)
class Costs:
    """What work costs on a class of devices, for choosing between plans: seconds per amplitude, on one core.

    Shipped, never timed at run time: so a plan, and with it every rounding, is the same on every run.

    Attributes
    ----------
    tile_qubits
        Qubits of a tile.
    shared_qubits
        Qubits of a tile that should have been in the tile before, so that memory is read in whole cache lines.
    product
        ``product[k]`` is the cost of a complex matrix on k qubits.
    rearrange
        Bringing the amplitudes of a tile into another order.
    multiply
        Multiplying the amplitudes of a tile by phases.
    move
        Reading a tile from memory and writing it back.
    step_seconds
        Of each step on each tile, whatever its size.
    selectors
        Most selectors that a product may have.
    """

    tile_qubits: int
    shared_qubits: int
    product: tuple[float, ...]
    rearrange: float
    multiply: float
    move: float
    step_seconds: float
    selectors: int

    @property
    def widest_product(self) -> int:
        """Qubits of the largest matrix that gates are fused into."""
        return len(self.product) - 1

    def of_product(self, qubits: int) -> float:
        """Return the cost of a matrix; one that a wide gate forces takes twice as long for every qubit more."""
        beyond = max(0, qubits - self.widest_product)
        return self.product[min(qubits, self.widest_product)] * 2.0**beyond


class Planner(Protocol):
    """Makes plans; handed to `execute`, since the plans of loop bodies are needed at run time."""

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

        With `discard_phases` what only changes phases at the segment's end is left out.
        """
