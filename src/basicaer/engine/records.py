"""What the shots of a run have written to the classical bits.

A *row* is one shot, or any number of shots with the same past, or the probability of that past; see `Shots`.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any

import numpy as np

from basicaer.engine.bits import WORD_BITS, has_bit, mask_words, number_of_words, with_mask, word_and_mask

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["Records", "Shots"]


class Shots(Enum):
    """What the rows of a run stand for, and so what a measurement does to them."""

    DRAWN = "drawn"  # a row is one shot, which draws its own number
    SPLIT = "split"  # a row is a number of shots, which a draw splits among both outcomes
    WEIGHED = "weighed"  # a row is a probability, which is shared out exactly


class Records:
    """The classical bits of each row.

    Attributes
    ----------
    words
        Bit c of row r is bit ``c % 64`` of ``words[c // 64, r]``.
    shots
        ``shots[r]`` is the number of shots, or the probability, that row r stands for; 0 if it stands for nothing.
    names
        ``names[r]`` names row r in draws. A row that stands for something else later has another name then.
    used
        How many rows stand for something.
    """

    def __init__(self, bits: int, shots: NDArray[Any]) -> None:
        self.words = np.zeros((-(-bits // WORD_BITS), len(shots)), np.uint64)
        self.shots = shots
        self.names = np.arange(len(shots))
        self.used = self._next_name = len(shots)
        self._unused: list[int] = []

    def bit(self, rows: NDArray[np.int64], bit: int) -> NDArray[np.bool_]:
        """Return a bit of some rows."""
        word, mask = word_and_mask(bit)
        is_set: NDArray[np.bool_] = self.words[word, rows] & mask != 0
        return is_set

    def write(self, rows: NDArray[np.int64], bit: int, *, on: NDArray[np.bool_] | bool) -> None:
        """Write a bit of some rows."""
        word, mask = word_and_mask(bit)
        self.words[word, rows] = with_mask(self.words[word, rows], mask, on=on)

    def write_all(self, rows: NDArray[np.int64], bits: Sequence[int], on: NDArray[np.bool_]) -> None:
        """Write several bits of some rows: ``bits[j]`` of ``rows[i]`` becomes ``on[i, j]``."""
        places = [word_and_mask(bit) for bit in bits]
        for word in {word for word, _ in places}:
            own = [j for j, (of_bit, _) in enumerate(places) if of_bit == word]
            masks = np.array([places[j][1] for j in own])
            values = (on if len(own) == len(bits) else on[:, own]) @ masks
            self.words[word, rows] = self.words[word, rows] & ~masks.sum() | values

    def write_number(self, rows: NDArray[np.int64], bits: Sequence[int], number: int) -> None:
        """Write the bits of a number to some rows: bit j of it to ``bits[j]``."""
        for j, bit in enumerate(bits):
            self.write(rows, bit, on=has_bit(number, j))

    def clear(self, rows: NDArray[np.int64]) -> None:
        """Clear all bits of some rows."""
        self.words[:, rows] = 0

    def number(self, row: int) -> int:
        """Return all bits of a row as one number."""
        return number_of_words(self.words[:, row].tolist())

    def numbers(self) -> tuple[list[int], NDArray[np.int64]]:
        """Return the different values that rows have, ascending, and which of them each row has."""
        if not len(self.words):
            return [0], np.zeros(self.words.shape[1], np.int64)
        if len(self.words) == 1:
            found, which = np.unique(self.words[0], return_inverse=True)
            return found.tolist(), which
        order = np.lexsort(self.words)
        ordered = self.words[:, order]
        begins = np.concatenate([[True], (ordered[:, 1:] != ordered[:, :-1]).any(axis=0)])
        which = np.empty(len(order), np.int64)
        which[order] = np.cumsum(begins) - 1
        return [self.number(row) for row in order[begins].tolist()], which

    def live(self, rows: NDArray[np.int64], mask: int) -> NDArray[np.uint64]:
        """Return the bits of some rows that are set in a mask: ``live[w, i]`` is word w of ``rows[i]``."""
        found: NDArray[np.uint64] = self.words[:, rows] & mask_words(mask, len(self.words))[:, None]
        return found

    def split(self, rows: NDArray[np.int64], shots: NDArray[Any]) -> NDArray[np.int64]:
        """Give some shots of each row, or some of its probability, to a new one with the same past; return these."""
        new = self._new_rows(len(rows))
        self.shots[rows] -= shots
        self.shots[new] = shots
        self.words[:, new] = self.words[:, rows]
        return new

    def release(self, rows: NDArray[np.int64]) -> None:
        """Let some rows stand for nothing, so that others can use their places."""
        self.shots[rows] = 0
        self.used -= len(rows)
        self._unused += rows.tolist()

    def _new_rows(self, count: int) -> NDArray[np.int64]:
        lacking = count - len(self._unused)
        if lacking > 0:  # at least doubles the room, which keeps the time of copies per row constant
            first, more = len(self.shots), max(lacking, len(self.shots))
            self.shots = np.concatenate([self.shots, np.zeros(more, self.shots.dtype)])
            self.names = np.concatenate([self.names, np.zeros(more, np.int64)])
            self.words = np.concatenate([self.words, np.zeros((len(self.words), more), np.uint64)], axis=1)
            self._unused += range(first, first + more)
        new = np.array(self._unused[:count], np.int64)
        del self._unused[:count]
        self.names[new] = np.arange(self._next_name, self._next_name + count)
        self._next_name += count
        self.used += count
        return new
