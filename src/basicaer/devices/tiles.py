"""What is done to a tile, piece by piece, and one pass of a plan: where its tiles lie and the work on each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from basicaer.engine.bits import extract_bits

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from basicaer.devices.phases import Phases

    Buffers = tuple[NDArray[Any], NDArray[Any]]  # the tile, and room for another; both complex

__all__ = ["BoundPass", "Buffers", "Join", "Multiply", "Phase", "Split", "Take", "Work"]


class Work(Protocol):
    """One piece of work on a tile."""

    def __call__(self, buffers: Buffers, base: int, /) -> Buffers:
        """Do it to the first buffer; return the buffers with the outcome first.

        `base` is the index of the tile's first amplitude in the state.
        """


class Take(NamedTuple):
    """Reorders a tile in elements of some type, or in rows of several: ``new[i] = old[source[i]]``."""

    source: NDArray[np.intp]
    element: np.dtype[Any]
    row: int

    def __call__(self, buffers: Buffers, _base: int) -> Buffers:
        tile, room = buffers
        old, new = tile.view(self.element), room.view(self.element)
        if self.row == 1:
            np.take(old, self.source, out=new, mode="clip")
        else:
            np.take(old.reshape(-1, self.row), self.source, axis=0, out=new.reshape(-1, self.row), mode="clip")
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
        The tile as batches of rows that the matrices mix or, where these are `transposed`, of columns; in real numbers
        where the matrices are real.
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
            np.matmul(matrix, old, out=new)
        return room, tile


class Phase(NamedTuple):
    """Multiplies a tile by the factors of diagonal gates."""

    phases: Phases

    def __call__(self, buffers: Buffers, base: int) -> Buffers:
        tile, room = buffers
        self.phases.apply(tile, base, room)
        return buffers


class Split(NamedTuple):
    """Sets real and imaginary parts apart: from now on bit `position` of an index says which of them a number is."""

    position: int

    def __call__(self, buffers: Buffers, _base: int) -> Buffers:
        tile, room = buffers
        together, apart = _together(tile, self.position), _apart(room, self.position)
        apart[:, 0] = together[:, :, 0]
        apart[:, 1] = together[:, :, 1]
        return room, tile


class Join(NamedTuple):
    """Undoes `Split`."""

    position: int

    def __call__(self, buffers: Buffers, _base: int) -> Buffers:
        tile, room = buffers
        apart, together = _apart(tile, self.position), _together(room, self.position)
        together[:, :, 0] = apart[:, 0]
        together[:, :, 1] = apart[:, 1]
        return room, tile


def _together(tile: NDArray[Any], position: int) -> NDArray[Any]:
    return tile.view(tile.real.dtype).reshape(-1, 2**position, 2)


def _apart(tile: NDArray[Any], position: int) -> NDArray[Any]:
    return tile.view(tile.real.dtype).reshape(-1, 2, 2**position)


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
