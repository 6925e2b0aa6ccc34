"""Where the shots of a run part: groups of branches that stand at the same place of the program.

A *branch* is shots that share one state. The branches of a group go on together.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from basicaer.engine.classical import ClassicalState, evaluate
from basicaer.engine.draws import number_of
from basicaer.engine.program import For, While, children

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from basicaer.engine.classical import Expression, Value
    from basicaer.engine.ensemble import Ensemble
    from basicaer.engine.program import Block, Operation
    from basicaer.engine.records import Records

__all__ = ["Frame", "Group", "Place", "Step", "frame_at", "innermost_loop"]

Place = tuple[float, ...]
"""Orders the places of a program by when they are reached; see `Frame.order`."""


class Step(NamedTuple):
    """One frame of a place in a program, as numbers."""

    at: int
    child: int
    iteration: int


class Frame(NamedTuple):
    """Where a branch stands: the next operation of a block, and what to go on with after the block.

    Attributes
    ----------
    loop
        The loop whose body the block is.
    iteration
        The iteration of that loop.
    child
        The block's number among those of the operation that it belongs to.
    """

    block: Block
    at: int = 0
    loop: For | While | None = None
    iteration: int = 0
    child: int = 0
    outer: Frame | None = None

    @property
    def operation(self) -> Operation | None:
        """The next operation; None at the end of the block."""
        return self.block[self.at] if self.at < len(self.block) else None

    def order(self) -> Place:
        """Return numbers that are the smaller, compared from the left, the sooner this place is reached.

        A branch inside a block comes before those that have left it, so that it can catch up with them.
        """
        numbers: list[float] = []
        frame: Frame | None = self
        while frame is not None:
            inside = 0.0 if frame is self else 0.5  # its current operation has begun, so it stands before `at`
            numbers += [frame.at - inside, frame.iteration, frame.child]
            frame = frame.outer
        numbers.reverse()
        return tuple(numbers)

    def steps(self) -> tuple[Step, ...]:
        """Return this place as numbers, from the program's body inwards."""
        own = Step(self.at, self.child, self.iteration)
        return (own,) if self.outer is None else (*self.outer.steps(), own)

    def loops(self) -> tuple[int, ...]:
        """Return the iteration of each loop that this place is in, outermost first."""
        outer = () if self.outer is None else self.outer.loops()
        return outer if self.loop is None else (*outer, self.iteration)

    def number(self) -> int:
        """Return a number for this place, whatever the iterations of the loops that it is in; above 0."""
        if self.outer is None:
            return self.at + 1
        return _number_of(tuple([(step.at, step.child) for step in self.steps()]))

    def outermost(self) -> Frame:
        """Return the frame of the program's body."""
        frame = self
        while frame.outer is not None:
            frame = frame.outer
        return frame

    def next(self) -> Frame:
        """Return the place after the next operation."""
        return Frame(self.block, self.at + 1, self.loop, self.iteration, self.child, self.outer)


@lru_cache(maxsize=256)
def _number_of(places: tuple[tuple[int, int], ...]) -> int:
    """Return the number of a place inside of blocks: the next operation of each, and which block it is."""
    return number_of(repr([*places]).encode()) | 1


def frame_at(body: Block, steps: tuple[Step, ...]) -> Frame:
    """Return the place that `Frame.steps` has described.

    Raises
    ------
    ValueError
        If there is no such place.
    """
    frame: Frame | None = None
    blocks: tuple[Block, ...]
    for step in steps:
        if frame is None:
            frame, blocks, most = Frame(body, step.at), (body,), 1
        else:
            operation = frame.block[frame.at - 1] if frame.at else None
            blocks = () if operation is None else children(operation)
            loop = operation if isinstance(operation, For | While) else None
            most = loop.iterations if isinstance(loop, For) else 1 if loop is None else step.iteration + 1
            if not (0 <= step.child < len(blocks) and 0 <= step.iteration < most):
                break
            block = loop.body(step.iteration) if isinstance(loop, For) else blocks[step.child]
            frame = Frame(block, step.at, loop, step.iteration, step.child, frame)
        if not 0 <= step.at <= len(frame.block):
            break
    else:
        if frame is not None:
            return frame
    raise ValueError("there is no such place in the program")


def innermost_loop(frame: Frame) -> Frame:
    """Return the frame, this one or an outer one, whose block is the body of the innermost loop."""
    while frame.loop is None:
        assert frame.outer is not None  # lowering puts break and continue inside loops only  # noqa: S101
        frame = frame.outer
    return frame


@dataclass(slots=True, eq=False)
class Group:
    """Branches that stand at the same place.

    Attributes
    ----------
    frame
        The place of the branches; None at the end of the program.
    ensemble
        The state of each branch.
    rows
        The rows of `Records` that belong to them, ascending.
    branch
        ``branch[i]`` is the branch that ``rows[i]`` belongs to.
    variables
        The variables of each branch.
    global_phases
        For each branch a global phase that is still to be applied to its state.
    saved_until
        The place up to which the rows have been saved for already, when they came through before; None otherwise.
    """

    frame: Frame | None
    ensemble: Ensemble
    rows: NDArray[np.int64]
    branch: NDArray[np.intp]
    variables: list[Mapping[int, Value]]
    global_phases: NDArray[np.complex128]
    saved_until: Place | None = None

    def __len__(self) -> int:
        return len(self.ensemble)

    def order(self) -> Place:
        """Return where the group stands, so that groups can be put in order."""
        assert self.frame is not None  # groups that have ended are finished at once  # noqa: S101
        return self.frame.order()

    def reached(self, frame: Frame) -> Place:
        """Return the place up to which rows that stand at a frame have been saved for: it, or one from before."""
        here = frame.order()
        return here if self.saved_until is None else max(here, self.saved_until)

    def first_rows(self) -> NDArray[np.int64]:
        """Return one row of each branch."""
        first = np.empty(len(self), np.int64)
        first[self.branch[::-1]] = self.rows[::-1]
        return first

    def rows_of_each(self) -> list[NDArray[np.int64]]:
        """Return the rows of each branch, ascending."""
        if len(self) == 1:
            return [self.rows]
        order = np.argsort(self.branch, kind="stable")
        return np.split(self.rows[order], np.searchsorted(self.branch[order], np.arange(1, len(self))))

    def values(self, expression: Expression, records: Records) -> list[Value]:
        """Return the value that an expression has for each branch."""
        known: dict[int, Value] = {}  # known[bits] = the value for branches without variables
        found = []
        for row, variables in zip(self.first_rows().tolist(), self.variables, strict=True):
            bits = records.number(row)
            if variables or bits not in known:
                known[bits] = evaluate(expression, ClassicalState(bits, variables))
            found.append(known[bits])
        return found

    def keep(self, numbers: NDArray[np.intp], branch: NDArray[np.intp]) -> None:
        """Go on with these of the branches, some perhaps several times.

        Parameters
        ----------
        branch
            ``branch[i]`` is the new branch that ``rows[i]`` belongs to.
        """
        self.ensemble = self.ensemble.taken(numbers)
        self.variables = [self.variables[number] for number in numbers.tolist()]
        self.global_phases = self.global_phases[numbers]
        self.branch = branch

    def split_off(self, leaves: NDArray[np.bool_]) -> Group:
        """Return the branches that leave as a group of their own; there must be others, which stay."""
        ensembles = self.ensemble.parted(leaves)
        number = np.empty(len(leaves), np.intp)  # number[i] = the number of branch i in its new group
        number[leaves], number[~leaves] = np.arange(leaves.sum()), np.arange((~leaves).sum())
        goes = leaves[self.branch]
        leaving, staying = np.flatnonzero(goes), np.flatnonzero(~goes)  # faster than masks
        variables = self.variables
        going = Group(
            self.frame,
            ensembles[0],
            self.rows[leaving],
            number[self.branch[leaving]],
            [own for own, goes in zip(variables, leaves.tolist(), strict=True) if goes],
            self.global_phases[leaves],
            self.saved_until,
        )
        self.ensemble = ensembles[1]
        self.rows, self.branch = self.rows[staying], number[self.branch[staying]]
        self.variables = [own for own, goes in zip(variables, leaves.tolist(), strict=True) if not goes]
        self.global_phases = self.global_phases[~leaves]
        return going

    def join(self, others: Sequence[Group]) -> None:
        """Take in the branches of other groups, which stand at the same place."""
        groups = [self, *others]
        ends = np.cumsum([len(group) for group in groups])
        branch = np.concatenate([g.branch + end - len(g) for g, end in zip(groups, ends.tolist(), strict=True)])
        rows = np.concatenate([group.rows for group in groups])
        order = np.argsort(rows, kind="stable")
        self.rows, self.branch = rows[order], branch[order]
        self.ensemble = self.ensemble.joined([other.ensemble for other in others])
        self.variables = [own for group in groups for own in group.variables]
        self.global_phases = np.concatenate([group.global_phases for group in groups])
