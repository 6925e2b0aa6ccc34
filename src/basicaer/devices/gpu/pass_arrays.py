"""The arrays that `run_pass` reads, as they are collected."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from basicaer.devices.gpu.structs import TABLE_BITS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["PassArrays"]


@dataclass
class PassArrays:
    """The arrays that `run_pass` reads, as they are collected.

    Attributes
    ----------
    constants, constants_size
        The constants in pieces ``piece[c, s]``, where s is the set, and how many there are in a set.
    """

    passes: list[NDArray[Any]] = field(default_factory=list)
    stages: list[NDArray[Any]] = field(default_factory=list)
    operations: list[tuple[int, ...]] = field(default_factory=list)
    columns: list[NDArray[Any]] = field(default_factory=list)
    factors: list[tuple[int, int, int, int]] = field(default_factory=list)
    rotations: list[tuple[int, int, int, int]] = field(default_factory=list)
    block_tables: list[NDArray[np.uint64]] = field(default_factory=list)
    constants: list[NDArray[Any]] = field(default_factory=list)
    constants_size: int = 0

    def add_constants(self, numbers: NDArray[Any]) -> int:
        """Add complex numbers, whose last axis is that of the sets; return where they begin."""
        at = self.constants_size
        self.constants.append(numbers.reshape(-1, numbers.shape[-1]))
        self.constants_size += len(self.constants[-1])
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
