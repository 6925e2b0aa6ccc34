"""What is done to a tile, piece by piece, and one pass of a plan: where its tiles lie and the work on each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from basicaer.engine.bits import extract_bits

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from basicaer.devices.cpu.phases import Phases

    Buffers = tuple[NDArray[Any], NDArray[Any]]  # the tile, and room for another; both complex

__all__ = ["BoundPass", "Buffers", "Multiply", "Phase", "Take", "Work"]


class Work(Protocol):
    """One piece of work on a tile."""

    def __call__(self, buffers: Buffers, base: int, /) -> Buffers:
        """Do it to the first buffer; return the buffers with the outcome first.

        `base` is the index of the tile's first amplitude in the state.
        """


class Take(NamedTuple):
    """Reorders each part of a tile in elements of some type, or in rows of several: ``new[i] = old[source[i]]``."""

    source: NDArray[np.intp]
    element: np.dtype[Any]
    row: int

    def __call__(self, buffers: Buffers, _base: int) -> Buffers:
        tile, room = buffers
        shape = (-1, len(self.source)) if self.row == 1 else (-1, len(self.source), self.row)
        old, new = tile.view(self.element).reshape(shape), room.view(self.element).reshape(shape)
        np.take(old, self.source, axis=1, out=new, mode="clip")
        return room, tile


class Multiply(NamedTuple):
    """Multiplies a tile by the matrix that wires outside of it select.

    Attributes
    ----------
    matrices
        ``matrices[s]`` is for the value s of the outside selectors; its axes broadcast with `shape`.
    places
        Where the outside selectors stand in an amplitude's index.
    shape
        The tile in numbers of the matrices' type. The last three axes are the rows that the matrices mix, parts of
        these, and what stands side by side in a part; or, where the matrices are `transposed`, parts, what stands one
        after another in a part, and the columns that they mix. The axes before are batches.
    """

    matrices: NDArray[Any]
    places: tuple[int, ...]
    shape: tuple[int, ...]
    transposed: bool

    def __call__(self, buffers: Buffers, base: int) -> Buffers:
        tile, room = buffers
        matrix = self.matrices[extract_bits(base, self.places)]
        old, new = tile.view(matrix.dtype).reshape(self.shape), room.view(matrix.dtype).reshape(self.shape)
        if self.transposed:
            np.matmul(old, matrix, out=new)
        else:
            np.matmul(matrix, old.swapaxes(-3, -2), out=new.swapaxes(-3, -2))
        return room, tile


class Phase(NamedTuple):
    """Multiplies a tile by the factors of diagonal gates."""

    phases: Phases

    def __call__(self, buffers: Buffers, base: int) -> Buffers:
        self.phases.apply(buffers[0], base)
        return buffers


class BoundPass(NamedTuple):
    """One pass, ready to run.

    Attributes
    ----------
    tile_size
        Amplitudes of a tile.
    row
        Amplitudes that lie side by side in the state and in the tile.
    rows
        ``rows[r]`` is the row of the state, counted from the tile's first, that is row r of a tile.
    occupied
        The rows of a tile that may hold anything but zeros; None for all.
    bases
        The index of the first amplitude of each tile that may hold anything but zeros.
    work
        What is done to each tile.
    """

    tile_size: int
    row: int
    rows: NDArray[np.intp]
    occupied: NDArray[np.intp] | None
    bases: NDArray[np.intp]
    work: tuple[Work, ...]

    def run(self, vector: NDArray[Any], number: int, buffers: Buffers, poll: Callable[[], None]) -> Buffers:
        """Read tile `number` from the state, work on it, polling between pieces, and write it back; return buffers.

        What a poll that raises leaves behind is of no use to anybody.
        """
        base = int(self.bases[number])
        tile = buffers[0]
        seen, rows = vector.reshape(-1, self.row), self.rows + base // self.row
        if self.occupied is None:
            np.take(seen, rows, axis=0, out=tile.reshape(-1, self.row), mode="clip")
        else:
            tile[:] = 0
            tile.reshape(-1, self.row)[self.occupied] = seen[rows[self.occupied]]
        for work in self.work:
            poll()
            buffers = work(buffers, base)
        seen[rows] = buffers[0].reshape(-1, self.row)
        return buffers
