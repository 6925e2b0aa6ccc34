"""Where the shots of a run part: branches, each of shots that have seen the same outcomes so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from basicaer.engine.classical import Value
    from basicaer.engine.device import State
    from basicaer.engine.program import Block, For, While

__all__ = ["Branch", "Frame", "History", "innermost_loop", "latest_first"]


class Frame(NamedTuple):
    """Where a branch stands: the next operation of a block, and what to go on with after the block."""

    block: Block
    at: int
    loop: For | While | None  # the loop whose body the block is
    iteration: int
    outer: Frame | None


class History(NamedTuple):
    """The measurement outcomes of a branch, latest first."""

    outcome: bool
    earlier: History | None


@dataclass(slots=True)
class Branch:
    """Shots that have seen the same outcomes so far."""

    shots: NDArray[np.int64]  # numbers of the shots, ascending
    frame: Frame | None
    state: State | None  # None: to be made again by running from the start
    bits: int = 0
    variables: Mapping[int, Value] = field(default_factory=dict)
    phase: complex = 1.0  # a global phase that is still to be applied to the state
    history: History | None = None
    prescribed: list[bool] = field(default_factory=list)  # outcomes still to be repeated, next one last
    step: int = 0  # operations that it has begun

    def outcomes(self) -> tuple[bool, ...]:
        """Return all that is decided of its measurements, oldest first: what has happened, then what is prescribed."""
        return (*_oldest_first(self.history), *reversed(self.prescribed))


def _oldest_first(history: History | None) -> tuple[bool, ...]:
    """Return the outcomes of a history, oldest first."""
    outcomes = []
    while history is not None:
        outcomes.append(history.outcome)
        history = history.earlier
    return tuple(reversed(outcomes))


def latest_first(outcomes: Iterable[bool]) -> History | None:
    """Return the history of outcomes that are given oldest first."""
    history = None
    for outcome in outcomes:
        history = History(outcome, history)
    return history


def innermost_loop(frame: Frame) -> Frame:
    """Return the frame, this one or an outer one, whose block is the body of the innermost loop."""
    while frame.loop is None:
        assert frame.outer is not None  # lowering puts break and continue inside loops only  # noqa: S101
        frame = frame.outer
    return frame
