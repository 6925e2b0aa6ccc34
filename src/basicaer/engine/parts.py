"""Shots on their way through a program: those that have drawn errors, and the states that they ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from basicaer.engine.device import SegmentBatch
    from basicaer.engine.ensemble import Ensemble
    from basicaer.engine.stretches import Errors

__all__ = ["Asking", "Part", "Waiting"]


class Part(NamedTuple):
    """Shots that stand at the beginning of a stretch.

    Attributes
    ----------
    states
        The states that they are in; None if there is no memory to keep them.
    history
        What has acted on the states so far, if they are not kept; there is only one then.
    norms
        The squared norm of each state.
    shots
        Numbers of shots, ascending.
    state_of
        The state of each shot.
    x, z
        The Paulis of each shot that its state lacks.
    is_usual
        Whether each shot has had the usual term of every channel so far.
    """

    states: Ensemble | None
    history: tuple[SegmentBatch, ...]
    norms: NDArray[np.float64]
    shots: NDArray[np.int64]
    state_of: NDArray[np.intp]
    x: NDArray[np.int64]
    z: NDArray[np.int64]
    is_usual: NDArray[np.bool_]


class Asking:
    """Shots that have drawn errors, and ask for the state that these lead to.

    Parameters
    ----------
    left
        The places of the shots in their part.
    x, z
        Their Paulis at the end of the stretch.
    state_of
        The state that each shot has at the beginning.

    Attributes
    ----------
    first
        One shot of each kind: those of a kind ask for the same state.
    draws
        The number with which each shot decides whether its proposal is accepted; None if none needs one.
    is_in
        Whether a shot has its state.
    """

    def __init__(
        self,
        left: NDArray[np.intp],
        state_of: NDArray[np.intp],
        errors: Errors,
        x: NDArray[np.int64],
        z: NDArray[np.int64],
    ) -> None:
        self.left, self.errors, self.x, self.z = left, errors, x, z
        names = np.column_stack([state_of.astype(np.uint64), errors.names])
        self.first, self._kind = _different(names)
        self._names = [name.tobytes() for name in names[self.first]]
        self._is_known = np.zeros(len(self.first), bool)
        self.draws: NDArray[np.float64] | None = None
        self.is_in = np.zeros(len(left), bool)

    def names(self, kinds: NDArray[np.intp]) -> list[bytes]:
        """Return the names of the states that some kinds ask for."""
        return [self._names[kind] for kind in kinds.tolist()]

    def unknown_kinds(self) -> NDArray[np.intp]:
        """Return the kinds that have not been answered."""
        return np.flatnonzero(~self._is_known)

    def answered(self, numbers: dict[bytes, int]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return the shots whose states are among those of these numbers, and the number of the state of each.

        Each shot is returned once.
        """
        found = np.array([numbers.get(name, -1) for name in self._names])
        found[self._is_known] = -1
        self._is_known |= found >= 0
        of_rows = found[self._kind]
        rows = np.flatnonzero(of_rows >= 0)
        return rows, of_rows[rows]


class Waiting:
    """States at the end of a stretch that wait for the shots in them to go on together."""

    def __init__(self) -> None:
        self.count = 0
        self._numbers: dict[bytes, int] = {}  # _numbers[name] = the number of a state
        self._states: list[Ensemble | None] = []
        self._segments: list[SegmentBatch] = []
        self._norms: list[NDArray[np.float64]] = []
        self._ratios = np.empty(0)
        self._rows: list[tuple[NDArray[Any], ...]] = []

    def add(
        self,
        names: list[bytes],
        states: Ensemble | None,
        segments: SegmentBatch,
        norms: NDArray[np.float64],
        ratios: NDArray[np.float64],
    ) -> None:
        """Add states, by their names, with their squared norms, and the ratios of these to those before."""
        self._numbers |= {name: self.count + i for i, name in enumerate(names)}
        self.count += len(names)
        self._states.append(states)
        self._segments.append(segments)
        self._norms.append(norms)
        self._ratios = np.concatenate([self._ratios, ratios])

    def let_in(self, asking: Asking) -> None:
        """Let shots have the states that they ask for, if these are here and their proposals are accepted."""
        rows, numbers = asking.answered(self._numbers)
        if asking.draws is not None:
            likely = self._ratios[numbers] * asking.errors.factors[rows]
            accepted = ~asking.errors.is_proposed[rows] | (asking.draws[rows] < likely)
            rows, numbers = rows[accepted], numbers[accepted]
        asking.is_in[rows] = True
        self._rows.append((asking.left[rows], numbers, asking.x[rows], asking.z[rows], asking.errors.is_usual[rows]))

    def parts(self, part: Part, *, is_last: bool) -> Iterator[Part]:
        """Yield the shots in these states, if there are any, as a part that goes on.

        Parameters
        ----------
        is_last
            Whether states are left out in which there is no shot: they may have no norm and cannot be measured.
        """
        rows, numbers, x, z, is_usual = (np.concatenate(columns) for columns in zip(*self._rows, strict=True))
        kept = [one for one in self._states if one is not None]
        if not len(rows):
            for one in kept:
                one.release()
            return
        states = None if not kept else kept[0].joined(kept[1:]) if len(kept) > 1 else kept[0]
        norms = np.concatenate(self._norms)
        if is_last and states is not None:
            used, numbers = np.unique(numbers, return_inverse=True)
            states, norms = states.taken(used), norms[used]
        history = part.history if states is not None else (*part.history, self._segments[0])
        order = np.argsort(rows)
        rows = rows[order]
        is_usual = is_usual[order] & part.is_usual[rows]
        yield Part(states, history, norms, part.shots[rows], numbers[order], x[order], z[order], is_usual)


def _different(rows: NDArray[np.uint64]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the first of each kind of equal rows, and the kind of each row."""
    whole = np.ascontiguousarray(rows).view(np.dtype((np.void, rows.shape[1] * rows.itemsize))).reshape(-1)
    _, first, kind = np.unique(whole, return_index=True, return_inverse=True)
    return first, kind.reshape(-1)
