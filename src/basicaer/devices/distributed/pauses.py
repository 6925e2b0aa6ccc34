"""What is left of a segment whose run was saved between two stages, or within a long one.

The gates that are done are known by their numbers, and wires are where they are. So any number of ranks can go on,
whatever stages they make of the gates that are left.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from basicaer.engine.program import Segment

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from basicaer.engine.stages import Stage, Stages

__all__ = ["Left", "left_of", "pieces_of"]

_GATES_BETWEEN_PAUSES = 512  # some passes of a rank, so that a run stops soon and loses little


class Left(NamedTuple):
    """The gates that are left of a segment, on the wires of its qubits.

    Attributes
    ----------
    numbers
        ``numbers[g]`` is the number that gate g of `segment` has in the stages of the whole segment.
    wire_of
        As in the `Stages` of the whole segment.
    """

    segment: Segment
    numbers: Sequence[int]
    wire_of: tuple[int, ...]


def left_of(segment: Segment, stages: Stages, done: Collection[int]) -> Left:
    """Return what is left when gates are done, given stages of the segment, in which numbers mean the same as in any.

    Raises
    ------
    ValueError
        If there are no such gates.
    """
    gone = set(done)
    if not gone.issubset(range(len(stages.gates))):
        raise ValueError("gates are said to be done that are not there")
    numbers = [number for number in range(len(stages.gates)) if number not in gone]
    gates = []
    for number in numbers:
        planned = stages.gates[number]
        gate = segment.gates[stages.origins[number]]
        gates.append(gate._replace(targets=planned.targets, controls=planned.controls))
    return Left(Segment(tuple(gates)), numbers, stages.wire_of)


def pieces_of(stage: Stage, *, may_pause: bool) -> Iterator[Stage]:
    """Yield a stage in pieces after which a run may be saved, each with the exchange of the whole; else in one."""
    most = _GATES_BETWEEN_PAUSES if may_pause else max(len(stage.gates), 1)
    for first in range(0, max(len(stage.gates), 1), most):
        yield stage._replace(gates=stage.gates[first : first + most])
