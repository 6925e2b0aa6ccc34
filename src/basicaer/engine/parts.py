"""Shots on their way through a program: those that have drawn errors, and the states that they share."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from basicaer.engine.device import SegmentBatch
    from basicaer.engine.ensemble import Ensemble
    from basicaer.engine.stretches import Errors

__all__ = ["Chosen", "Drawn", "Part", "Waiting", "different", "keys_of"]


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


class Drawn:
    """The errors that some shots of a part have drawn; those of one kind ask for the same state.

    Parameters
    ----------
    left
        The places of the shots in their part.
    state_of
        The state that each shot has at the beginning.
    x, z
        The Paulis of the shots at the end of the stretch.

    Attributes
    ----------
    names
        What is equal for shots of one kind, and for no others, whatever they have drawn before.
    first, kind
        One shot of each kind, and the kind of each shot.
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
        self.names = np.column_stack([state_of.astype(np.uint64), errors.names])
        self.first, self.kind = different(self.names)

    def named(self, kinds: NDArray[np.intp]) -> list[bytes]:
        """Return the names of some kinds as keys."""
        return keys_of(self.names[self.first[kinds]])


class Chosen:
    """What the shots of a part have drawn in the end, and which of them have."""

    def __init__(self, count: int) -> None:
        self.is_known = np.zeros(count, bool)
        self.names = np.zeros((count, 3), np.uint64)
        self.x, self.z = np.zeros((2, count), np.int64)
        self.is_usual = np.zeros(count, bool)
        self.row = np.zeros(count, np.intp)  # their places among those that drew with them
        self.attempt = np.zeros(count, np.intp)
        self.drawn: dict[int, Drawn] = {}  # drawn[i] = attempt i

    def add(self, drawn: Drawn, attempt: int, accepted: NDArray[np.bool_]) -> None:
        """Let those shots have what they have drawn whose proposals are accepted."""
        rows = np.flatnonzero(accepted)
        at = drawn.left[rows]
        self.names[at], self.x[at], self.z[at] = drawn.names[rows], drawn.x[rows], drawn.z[rows]
        self.is_usual[at] = drawn.errors.is_usual[rows]
        self.row[at], self.attempt[at], self.is_known[at] = rows, attempt, True
        self.drawn[attempt] = drawn


class Waiting:
    """States at the end of a stretch that wait for the shots in them to go on together.

    Attributes
    ----------
    numbers
        ``numbers[name]`` is the number of a state.
    ratios
        ``ratios[name]`` is by which factor the stretch changes the squared norm of a state, whether it waits or not.
    """

    def __init__(self) -> None:
        self.ratios: dict[bytes, float] = {}
        self.numbers: dict[bytes, int] = {}
        self._states: list[Ensemble | None] = []
        self._segments: list[SegmentBatch] = []
        self._norms: list[NDArray[np.float64]] = []

    def __len__(self) -> int:
        return len(self.numbers)

    def add(
        self, names: list[bytes], states: Ensemble | None, segments: SegmentBatch, norms: NDArray[np.float64]
    ) -> None:
        """Add states with their squared norms."""
        self.numbers |= {name: len(self.numbers) + i for i, name in enumerate(names)}
        self._states.append(states)
        self._segments.append(segments)
        self._norms.append(norms)

    def part(
        self, part: Part, chosen: Chosen, rows: NDArray[np.intp], numbers: NDArray[np.intp], *, is_last: bool
    ) -> Part:
        """Return shots of a part, by their places, that go on in the states of these numbers.

        Parameters
        ----------
        is_last
            Whether states are left out in which there is no shot: they may have no norm and cannot be measured.
        """
        kept = [one for one in self._states if one is not None]
        states = None if not kept else kept[0].joined(kept[1:]) if len(kept) > 1 else kept[0]
        norms = np.concatenate(self._norms)
        if is_last and states is not None:
            used, numbers = np.unique(numbers, return_inverse=True)
            states, norms = states.taken(used), norms[used]
        history = part.history if states is not None else (*part.history, self._segments[0])
        is_usual = chosen.is_usual[rows] & part.is_usual[rows]
        return Part(states, history, norms, part.shots[rows], numbers, chosen.x[rows], chosen.z[rows], is_usual)

    def release(self) -> None:
        """Give the memory of the states back."""
        for one in self._states:
            if one is not None:
                one.release()


def different(rows: NDArray[np.unsignedinteger]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the first of each kind of equal rows, and the kind of each row."""
    if not (rows != rows[:1]).any():  # This is so without errors, and is found faster than by sorting.
        return np.zeros(min(len(rows), 1), np.intp), np.zeros(len(rows), np.intp)
    whole = np.ascontiguousarray(rows).view(np.dtype((np.void, rows.shape[1] * rows.itemsize))).reshape(-1)
    _, first, kind = np.unique(whole, return_index=True, return_inverse=True)
    return first, kind.reshape(-1)


def keys_of(names: NDArray[np.uint64]) -> list[bytes]:
    """Return each row as a key of dictionaries."""
    return [name.tobytes() for name in names]
