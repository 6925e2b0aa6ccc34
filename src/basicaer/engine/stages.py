"""The form of the stages of a segment whose state is divided among ranks.

Each of 2**r ranks has the amplitudes of one value of r *global* wires: the bits of the rank's number. All other wires
are *local*. Gates run on a rank by itself as long as they pair amplitudes only on local wires; they may act diagonally
on global ones. A stage is what can run before wires have to be exchanged. As in a `Plan`, wire ``w`` is the place of
qubit ``w`` at the beginning of the segment.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from array import array
    from collections.abc import Callable, Iterator

    from basicaer.engine.plan import PlannedGate
    from basicaer.engine.program import Segment

__all__ = ["Exchange", "Stage", "StagePlanner", "Stages"]


class Exchange(NamedTuple):
    """Wires that change places: ``into[i]`` becomes local in the place of ``out[i]``, which becomes global."""

    out: tuple[int, ...]
    into: tuple[int, ...]

    @property
    def sent(self) -> float:
        """How much each rank sends, as a part of its amplitudes: all but those that it has already."""
        return 1 - 2.0 ** -len(self.into)


class Stage(NamedTuple):
    """What each rank does by itself, after an exchange that may be empty.

    Attributes
    ----------
    gates
        Indices of gates of the `Stages`, in the order in which they act.
    """

    exchange: Exchange
    gates: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Stages:
    """The stages of a segment.

    Attributes
    ----------
    gates
        The gates of the segment, in program order, whole and without swaps.
    origins
        ``gates[i]`` is gate ``origins[i]`` of the segment.
    ranks
        ``ranks[j]`` is the wire that bit j of the rank's number holds before the first stage.
    stages
        The stages, in order.
    wire_of
        ``wire_of[q]`` is the wire that qubit q is on at the end.
    """

    n_qubits: int
    gates: tuple[PlannedGate, ...]
    origins: array[int]
    ranks: tuple[int, ...]
    stages: tuple[Stage, ...]
    wire_of: tuple[int, ...]

    def with_held(self) -> Iterator[tuple[Stage, tuple[int, ...]]]:
        """Yield each stage, and the wires that the bits of the rank's number hold meanwhile."""
        held = self.ranks
        for stage in self.stages:
            out_of = dict(zip(stage.exchange.into, stage.exchange.out, strict=True))
            held = tuple([out_of.get(wire, wire) for wire in held])
            yield stage, held

    @property
    def ranks_after(self) -> tuple[int, ...]:
        """The qubits that the bits of the rank's number hold after the last stage."""
        *_, (_, held) = self.with_held()  # there is a stage at least
        return tuple([self.wire_of.index(wire) for wire in held])

    @property
    def exchanges(self) -> int:
        """How often wires are exchanged."""
        return sum(1 for stage in self.stages if stage.exchange.into)

    @property
    def sent(self) -> float:
        """How much each rank sends in all, as a multiple of its amplitudes."""
        return sum(stage.exchange.sent for stage in self.stages)


class StagePlanner(Protocol):
    """Plans stages. A device is given one because it needs stages for the wires that are global when a segment runs."""

    def __call__(
        self,
        segment: Segment,
        n_qubits: int,
        rank_qubits: int,
        ranks: tuple[int, ...] | None,
        *,
        poll: Callable[[], None] = lambda: None,
    ) -> Stages:
        """Return the stages of a segment.

        Parameters
        ----------
        rank_qubits
            The number of global wires.
        ranks
            The wires that are global, as in `Stages`. None if the state is |0...0>: then the planner chooses them, and
            gates on single qubits that are the first on their wire may stand in the first stage also where their wire
            is global, since each rank can begin with its part of a product.
        poll
            Called before each stage, and at least every tenth of a second between gates.

        Raises
        ------
        BasicAerError
            If a gate pairs amplitudes on more wires than are local.
        """
