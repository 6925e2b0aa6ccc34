"""The arrays that `run_pass` reads, as they are collected."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from basicaer.devices.gpu.structs import TABLE_BITS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from basicaer.devices.gpu.tape import Rows, Tape

__all__ = ["PassArrays"]


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
    columns: list[NDArray[Any]] = field(default_factory=list)
    factors: list[tuple[int, int, int, int]] = field(default_factory=list)
    rotations: list[tuple[int, int, int, int]] = field(default_factory=list)
    block_tables: list[NDArray[np.uint64]] = field(default_factory=list)
    constants: list[Rows] = field(default_factory=list)
    constants_size: int = 0

    def add_constants(self, rows: Rows) -> int:
        """Add constants; return where they begin."""
        at = self.constants_size
        self.constants.append(rows)
        self.constants_size += len(rows.lengths)
        return at

    def add_block_tables(self, columns: Sequence[int], flip: int) -> int:
        """Add tables of what the block's number adds to an index, given its columns and what is always added.

        Return where they begin. There is a table for each byte of the number, with a value for each that it may have.
        """
        at = len(self.block_tables)
        for first in range(0, max(len(columns), 1), TABLE_BITS):
            values = np.array([flip if first == 0 else 0], np.uint64)
            for column in [*columns[first : first + TABLE_BITS], *[0] * TABLE_BITS][:TABLE_BITS]:
                values = np.concatenate([values, values ^ np.uint64(column)])
            self.block_tables.append(values)
        return int(at * 2**TABLE_BITS)
