"""Places the gates of a plan in its picture: in columns, and in bands below one another."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import sqrt
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from basicaer.plan_view.model import PlanFacts, ShownGate, ShownStop, Stage

__all__ = ["Block", "Strip", "bands_of", "laid_out", "runs"]

_HEAD = 2.0  # height of the names of passes above a band, approximately, in rows
_GAP = 1  # columns between two passes
_ASPECT = 1.7  # width to height of the picture, if it has more than one band
_SHORTEST = 26  # columns; a picture with at most this many has one band


class Block(NamedTuple):
    """The place of a step: columns from `start` to before `end`, and the column of each of its gates."""

    gates: tuple[ShownGate, ...]
    matrix: tuple[int, ...]  # the qubits of the matrix as which the gates are applied, if they are
    columns: tuple[int, ...]
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Strip:
    """The place of a stage, and its number among the passes; 0 if it is no pass.

    Without a stage, it is the place of the measurements and resets between two stages, which are in `stops`.
    """

    stage: Stage | None
    number: int
    blocks: tuple[Block, ...]
    stops: tuple[ShownStop, ...] = ()

    @property
    def start(self) -> int:
        """Its first column."""
        return self.blocks[0].start

    @property
    def end(self) -> int:
        """The column after its last."""
        return self.blocks[-1].end


def laid_out(plan: PlanFacts, row_of: Mapping[int, int]) -> list[Strip]:
    """Give each gate a column: steps follow one another, and gates of a step share a column if they do not overlap."""
    strips: list[Strip] = []
    number = 0

    def stop(stops: tuple[ShownStop, ...]) -> None:
        if stops:
            column = strips[-1].end + _GAP if strips else 0
            strips.append(Strip(None, 0, (Block((), (), (), column, column + 1),), stops))

    for stage in plan.stages:
        stop(stage.before)
        column = strips[-1].end + _GAP if strips else 0
        number += bool(stage.tile)
        # Gates that are applied one by one belong to no step, so that they may share columns as if they were one step.
        steps = [(step.gates, step.matrix) for step in stage.steps] if stage.tile else [(stage.gates, ())]
        blocks: list[Block] = []
        for gates, matrix in steps:
            blocks.append(_block(gates, matrix, blocks[-1].end if blocks else column, row_of))
        strips.append(Strip(stage, number if stage.tile else 0, tuple(blocks)))
    stop(plan.after)
    return strips


def _block(gates: tuple[ShownGate, ...], matrix: tuple[int, ...], start: int, row_of: Mapping[int, int]) -> Block:
    free = [start] * len(row_of)  # free[row] = the first column with room in that row
    columns = []
    for gate in gates:
        rows = [row_of[qubit] for qubit in (*gate.targets, *gate.controls)]
        span = range(min(rows), max(rows) + 1)
        column = max(free[row] for row in span)
        for row in span:
            free[row] = column + 1
        columns.append(column)
    return Block(gates, matrix, tuple(columns), start, max(free))


def bands_of(strips: Sequence[Strip], rows: int) -> list[tuple[int, int]]:
    """Wrap the columns as lines of text are wrapped, between steps if possible: (first, end) of each band.

    Parameters
    ----------
    rows
        Number of rows, one for each qubit.
    """
    blocks = [block for strip in strips for block in strip.blocks]
    total = blocks[-1].end if blocks else _SHORTEST
    bands = max(1, round(sqrt(total / (_ASPECT * (rows + _HEAD)))))
    longest = max(-(-total // bands), _SHORTEST)
    wrapped: list[tuple[int, int]] = []
    first = 0
    while total - first > longest * 1.1:
        last = max((block.end for block in blocks if first < block.end <= first + longest), default=first)
        if last - first < longest / 2:  # the next step is so long that it is split
            last = first + longest
        wrapped.append((first, last))
        first = next((block.start for block in blocks if block.start >= last), last) if _ends(blocks, last) else last
    if first < total:
        wrapped.append((first, total))
    return wrapped


def _ends(blocks: Iterable[Block], column: int) -> bool:
    return any(block.end == column for block in blocks)


def runs(rows: Iterable[int]) -> list[tuple[int, int]]:
    """Return the first and the last row of each group of adjacent rows.

    >>> runs([5, 0, 1, 2])
    [(0, 2), (5, 5)]
    """
    ordered = sorted(rows)
    breaks = [(a, b) for a, b in pairwise(ordered) if b > a + 1]
    starts, ends = [*ordered[:1], *(b for _, b in breaks)], [*(a for a, _ in breaks), *ordered[-1:]]
    return list(zip(starts, ends, strict=True))
