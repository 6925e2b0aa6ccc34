"""Where the branches of a group go: into the bodies of control flow, round loops, and out of them again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from basicaer.engine.groups import Frame, innermost_loop
from basicaer.engine.program import Break, Continue, For, If, Measure, Reset, Switch, While

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from basicaer.engine.classical import Expression, Value
    from basicaer.engine.group_queue import GroupQueue
    from basicaer.engine.groups import Group
    from basicaer.engine.program import Block
    from basicaer.engine.records import Records

    Cases = tuple[tuple[frozenset[Value] | None, Block], ...]

__all__ = ["ControlFlow"]


class ControlFlow:
    """Moves groups from one operation of the program to the next.

    Parameters
    ----------
    records
        The classical bits, on which conditions depend.
    queue
        Takes the groups of branches that go another way than the group that is running.
    """

    def __init__(self, records: Records, queue: GroupQueue) -> None:
        self._records = records
        self._queue = queue

    def leave_block(self, group: Group, frame: Frame) -> None:
        """Take a group that has come to the end of a block into the next iteration of a loop, or out of the block."""
        match frame.loop:
            case For() as loop if frame.iteration + 1 < loop.iterations:
                self._iterate(group, loop, frame.iteration + 1, frame.outer)
            case While(condition, body) as loop:
                next_iteration = Frame(body, 0, loop, frame.iteration + 1, 0, frame.outer)
                self._part(group, condition, next_iteration, frame.outer)
            case _:
                group.frame = frame.outer

    def go_on(self, group: Group, frame: Frame) -> None:
        """Take a group from an operation, which has been carried out, to the next one, which may be in a body."""
        after = frame.next()
        match frame.operation:
            case If(condition, then, otherwise):
                self._part(group, condition, _inside(then, 0, after), _inside(otherwise, 1, after))
            case Switch(target, cases):
                self._switch(group, target, cases, after)
            case For() as loop if loop.iterations:
                self._iterate(group, loop, 0, after)
            case While(condition, body) as loop:
                self._part(group, condition, Frame(body, 0, loop, 0, 0, after), after)
            case Measure() | Reset() if not len(group.rows):  # no rows are left to run
                group.frame = None
            case Break():
                group.frame = innermost_loop(frame).outer
            case Continue():
                inner = innermost_loop(frame)
                group.frame = inner._replace(at=len(inner.block))
            case _:
                group.frame = after

    def _iterate(self, group: Group, loop: For, iteration: int, outer: Frame | None) -> None:
        """Begin an iteration of a for loop."""
        if loop.slot is not None:
            group.variables = [{**own, loop.slot: loop.values[iteration]} for own in group.variables]
        group.frame = Frame(loop.body(iteration), 0, loop, iteration, 0, outer)

    def _part(self, group: Group, condition: Expression, where_true: Frame | None, where_false: Frame | None) -> None:
        """Send the branches of a group for which a condition holds to one place, the others to another."""
        holds = np.array([bool(value) for value in group.values(condition, self._records)])
        if holds.all() or not holds.any():
            group.frame = where_true if holds[0] else where_false
            return
        self._go_apart(group, [(holds, where_true), (~holds, where_false)])

    def _switch(self, group: Group, target: Expression, cases: Cases, after: Frame) -> None:
        values = group.values(target, self._records)
        number_of = [
            next((number for number, (held, _) in enumerate(cases) if held is None or value in held), None)
            for value in values
        ]
        destinations = []
        for number in sorted(set(number_of), key=lambda one: len(cases) if one is None else one):
            chosen = np.array([own == number for own in number_of])
            destinations.append((chosen, after if number is None else _inside(cases[number][1], number, after)))
        self._go_apart(group, destinations)

    def _go_apart(self, group: Group, destinations: Sequence[tuple[NDArray[np.bool_], Frame | None]]) -> None:
        """Send the branches of a group to several places; it goes on itself with those of the last."""
        left = np.arange(len(group))
        for chosen, frame in destinations[:-1]:
            going = group.split_off(chosen[left])
            going.frame = frame
            left = left[~chosen[left]]
            self._queue.add(going)
        group.frame = destinations[-1][1]


def _inside(block: Block, child: int, after: Frame) -> Frame:
    """Return the beginning of a block; the place after its operation where it is empty."""
    return Frame(block, 0, None, 0, child, after) if block else after
