"""The arrays that `run_pass` reads, as they are collected."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from basicaer.devices.gpu.structs import TABLE_BITS
from basicaer.devices.gpu.tape import Rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from basicaer.devices.gpu.tape import Tape

__all__ = ["PassArrays"]

_CONSTANTS_ALIGNED = 2  # A constant has at least 8 bytes, and some are read at 16 bytes a time.
_PLACE_BITS = 16  # A tile has at most 2**16 bytes, and so fewer places.


@dataclass
class PassArrays:
    """The arrays that `run_pass` reads, as they are collected.

    Attributes
    ----------
    tape
        Where the numbers are that constants are products of.
    constants, constants_size
        The constants in pieces, and how many there are.
    """

    tape: Tape
    passes: list[NDArray[Any]] = field(default_factory=list)
    stages: list[NDArray[Any]] = field(default_factory=list)
    operations: list[tuple[int, ...]] = field(default_factory=list)
    conditions: list[tuple[int, ...]] = field(default_factory=list)
    columns: list[NDArray[Any]] = field(default_factory=list)
    factors: list[tuple[int, int, int, int]] = field(default_factory=list)
    rotations: list[tuple[int, int, int, int]] = field(default_factory=list)
    places: list[NDArray[np.uint32]] = field(default_factory=list)
    tables: list[NDArray[np.uint64]] = field(default_factory=list)
    constants: list[Rows] = field(default_factory=list)
    constants_size: int = 0

    def add_constants(self, rows: Rows, before: int = 0, aligned: int = _CONSTANTS_ALIGNED) -> int:
        """Add constants; return where those behind the first few begin, at a multiple of an even number."""
        more = -(self.constants_size + before) % aligned
        padding = Rows(np.zeros(more, np.intp), np.zeros(0, np.intp))
        self.constants += [padding, rows]
        at = self.constants_size + more + before
        self.constants_size = at - before + len(rows.lengths)
        return at

    def rows(self) -> Rows:
        """Return all constants, an even number of them, so that those of each set are aligned."""
        none = Rows(np.zeros(self.constants_size % _CONSTANTS_ALIGNED, np.intp), np.zeros(0, np.intp))
        return Rows(*(np.concatenate(parts) for parts in zip(*self.constants, none, strict=True)))

    def add_tables(self, columns: Sequence[int], flip: int) -> int:
        """Add tables of what a number adds to an index, given its columns and what is always added.

        Return where they begin. There is a table for each byte of the number, with a value for each that it may have.
        """
        at = len(self.tables)
        for first in range(0, max(len(columns), 1), TABLE_BITS):
            own = [*columns[first : first + TABLE_BITS], *[0] * TABLE_BITS][:TABLE_BITS]
            self.tables.append(_combined(own, flip if first == 0 else 0, np.uint64))
        return int(at * 2**TABLE_BITS)

    def add_places(self, put: Sequence[int], get: Sequence[int], flips: tuple[int, int]) -> int:
        """Add a table of the places that each thread writes to and reads from; return where it begins.

        Parameters
        ----------
        put, get
            The columns of the bits of the thread's number.
        flips
            What is combined with all places.
        """
        at = sum(map(len, self.places))
        put_flip, get_flip = flips
        columns = [own + other * 2**_PLACE_BITS for own, other in zip(put, get, strict=True)]
        self.places.append(_combined(columns, put_flip + get_flip * 2**_PLACE_BITS, np.uint32))
        return at


def _combined(columns: Sequence[int], flip: int, kind: type[Any]) -> NDArray[Any]:
    """Return for each number what its columns are combined to, and what is always combined."""
    values = np.array([flip], kind)
    for column in columns:
        values = np.concatenate([values, values ^ kind(column)])
    return values
