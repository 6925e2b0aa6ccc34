"""The pieces of work that are done to a tile, and a pass of a plan: where its tiles are, and the work on each.

States with different sets of numbers are worked on at the same time: a buffer has a tile of each of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from basicaer.devices.cpu.set_numbers import of_sets
from basicaer.engine.bits import extract_bits

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from basicaer.devices.cpu.diagonals import BoundDiagonals

    Buffers = tuple[NDArray[Any], NDArray[Any]]  # (tiles, room), where tiles[s] is the tile of state s

__all__ = ["BoundPass", "Buffers", "MultiplyByDiagonal", "MultiplyByMatrix", "Reorder", "TileOperation"]


class TileOperation(Protocol):
    """One piece of work on a tile."""

    def __call__(self, buffers: Buffers, base: int, /) -> Buffers:
        """Work on the first buffer, and return both buffers with the result first.

        `base` is the index of the tile's first amplitude in the state.
        """

    def of_sets(self, sets: slice, /) -> TileOperation:
        """Return the work with the numbers of some sets, which may be views."""

    def inverse(self) -> TileOperation:
        """Return the work that undoes this one."""


class Reorder(NamedTuple):
    """Reorders the elements, or rows of elements, within each part of a tile: ``new[i] = old[source[i]]``."""

    source: NDArray[np.intp]
    element: np.dtype[Any]
    row: int

    def __call__(self, buffers: Buffers, _base: int) -> Buffers:
        tiles, room = buffers
        shape = (-1, len(self.source)) if self.row == 1 else (-1, len(self.source), self.row)
        old, new = tiles.view(self.element).reshape(shape), room.view(self.element).reshape(shape)
        np.take(old, self.source, axis=1, out=new, mode="clip")
        return room, tiles

    def of_sets(self, _sets: slice) -> Reorder:
        return self

    def inverse(self) -> Reorder:
        return self._replace(source=np.argsort(self.source))


class MultiplyByMatrix(NamedTuple):
    """Multiplies a tile by a matrix, which wires outside of the tile select.

    Attributes
    ----------
    matrices
        ``matrices[v, s]`` is used in state s if the selectors outside of the tile have the value v; its axes broadcast
        with `shape`.
    places
        The index bits of the selectors outside of the tile.
    shape
        The shape of a tile in numbers of the matrices' type. The last three axes are: rows, which the matrices mix;
        parts of a row; numbers of a part. If the matrices are `transposed`, they are: parts; rows of a part; columns,
        which the matrices mix. All axes before are batches.
    """

    matrices: NDArray[Any]
    places: tuple[int, ...]
    shape: tuple[int, ...]
    transposed: bool

    def __call__(self, buffers: Buffers, base: int) -> Buffers:
        tiles, room = buffers
        matrix = self.matrices[extract_bits(base, self.places)]
        shape = (len(tiles), *self.shape)
        old, new = tiles.view(matrix.dtype).reshape(shape), room.view(matrix.dtype).reshape(shape)
        if self.transposed:
            np.matmul(old, matrix, out=new)
        else:
            np.matmul(matrix, old.swapaxes(-3, -2), out=new.swapaxes(-3, -2))
        return room, tiles

    def of_sets(self, sets: slice) -> MultiplyByMatrix:
        return self._replace(matrices=of_sets(self.matrices, 1, sets))

    def inverse(self) -> MultiplyByMatrix:  # complex numbers as pairs of real ones have an orthogonal matrix
        return self._replace(matrices=np.ascontiguousarray(self.matrices.conj().swapaxes(-1, -2)))


class MultiplyByDiagonal(NamedTuple):
    """Multiplies a tile by the factors of diagonal gates."""

    diagonals: BoundDiagonals

    def __call__(self, buffers: Buffers, base: int) -> Buffers:
        self.diagonals.apply(buffers[0], base)
        return buffers

    def of_sets(self, sets: slice) -> MultiplyByDiagonal:
        return MultiplyByDiagonal(self.diagonals.of_sets(sets))

    def inverse(self) -> MultiplyByDiagonal:
        return MultiplyByDiagonal(self.diagonals.inverse())


class BoundPass(NamedTuple):
    """One pass, ready to run.

    Attributes
    ----------
    tile_size
        Amplitudes of a tile.
    row
        Amplitudes that are adjacent in the state and in the tile.
    rows
        Row r of a tile is row ``rows[r]`` of the state, counted from the first row of the tile.
    occupied
        The rows of a tile that may be other than zero; None means all.
    bases
        For each tile that may be other than zero, the index of its first amplitude.
    operations
        What is done to each tile.
    """

    tile_size: int
    row: int
    rows: NDArray[np.intp]
    occupied: NDArray[np.intp] | None
    bases: NDArray[np.intp]
    operations: tuple[TileOperation, ...]

    def of_sets(self, sets: slice) -> BoundPass:
        """Return the pass with the numbers of some sets."""
        return self._replace(operations=tuple([one.of_sets(sets) for one in self.operations]))

    def run(self, states: Sequence[NDArray[Any]], number: int, buffers: Buffers, poll: Callable[[], None]) -> Buffers:
        """Read tile `number` of states, work on it and write it back; poll between pieces; return the buffers.

        If a poll raises, the content of the states is undefined.

        Parameters
        ----------
        states
            One array, ``states[0][s]`` for set s.
        """
        (own,) = states
        base = int(self.bases[number])
        tiles = buffers[0]
        seen, rows = own.reshape(len(own), -1, self.row), self.rows + base // self.row
        if self.occupied is None:
            np.take(seen, rows, axis=1, out=tiles.reshape(len(tiles), -1, self.row), mode="clip")
        else:
            tiles[:] = 0
            tiles.reshape(len(tiles), -1, self.row)[:, self.occupied] = seen[:, rows[self.occupied]]
        for operation in self.operations:
            poll()
            buffers = operation(buffers, base)
        seen[:, rows] = buffers[0].reshape(len(tiles), -1, self.row)
        return buffers
