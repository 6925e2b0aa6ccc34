"""A layer in the making: a diagonal and rotations that `run_pass` takes as one operation."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from basicaer.devices.gpu.structs import MOST_SELECTORS, LayerDiagonal
from basicaer.engine.bits import bit_at, has_bit, mask_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from basicaer.devices.gpu.frames import Frame

__all__ = ["Layer"]

_NEVER = 63  # Neither the thread's nor the block's number has a bit at this position.


@dataclass
class Layer:
    """A `LAYER` in the making.

    Attributes
    ----------
    diagonal, kind, selectors
        ``diagonal[r, s]`` is the factor for register r in set s; None if there is none. There are more such numbers for
        each value of `selectors`, bits of the thread's number or, from MOST_THREAD_BITS on, of the block's.
    shears
        ``shears[b]`` is in each set the tangent of the rotation of register bit b.
    rotations, tangents
        The `ROTATION` of each other rotation, and its tangent in each set.
    """

    diagonal: NDArray[np.complexfloating] | None = None
    kind: LayerDiagonal = LayerDiagonal.NO_DIAGONAL
    selectors: list[int] = field(default_factory=list)
    shears: dict[int, NDArray[np.floating]] = field(default_factory=dict)
    rotations: list[tuple[int, int, int, int]] = field(default_factory=list)
    tangents: list[NDArray[np.floating]] = field(default_factory=list)

    @property
    def selecting(self) -> int:
        """The selectors, a byte for each."""
        return int.from_bytes([*self.selectors, *[_NEVER] * (MOST_SELECTORS - len(self.selectors))], "little")

    def rotate(self, frame: Frame, wire: int, tangent: NDArray[np.floating]) -> None:
        """Add a rotation of a wire in registers, as two shears if the wire is a bit of the register's number."""
        bit = bit_at(wire)
        is_plain = frame.rows[wire] == frame.partners[wire] == bit and not frame.of_thread[wire] | frame.of_block[wire]
        if is_plain and wire not in self.shears and not self.rotations:
            self.shears[wire] = -tangent if frame.flipped[wire] else tangent
        else:
            self.rotations.append((frame.partners[wire], frame.ones(wire), frame.rows[wire], 0))
            self.tangents.append(tangent)

    def numbers(self, register_bits: int) -> NDArray[np.complexfloating] | None:
        """Return the constants of the layer, in each set; None if there is nothing to do."""
        self._complete(register_bits)
        pieces = []
        if self.shears:
            tangent = np.stack(np.broadcast_arrays(*self.shears.values()))  # tangent[j, s] is that of shear j in set s.
            more = 1 + tangent**2
            shears = np.zeros((register_bits, tangent.shape[1]), complex)
            shears[list(self.shears)] = -tangent + 1j * (tangent / more)
            pieces.append(shears)
        tangents = self.tangents + [np.zeros(1)] * (len(self.tangents) % 2)
        pieces += [(one + 1j * other)[None] for one, other in zip(tangents[::2], tangents[1::2], strict=True)]
        if self.diagonal is not None:
            diagonal = self.diagonal
            if self.shears:
                is_set = _is_set(len(diagonal), tuple(self.shears))
                diagonal = diagonal * np.where(is_set[..., None], 1, more[:, None]).prod(axis=0)
            pieces.append(diagonal)
        if not pieces:
            return None
        if (sets := max(piece.shape[1] for piece in pieces)) > 1:
            pieces = [np.broadcast_to(piece, (len(piece), sets)) for piece in pieces]
        return np.concatenate(pieces)

    def _complete(self, register_bits: int) -> None:
        """Add the diagonal that shears need, if there is none; a single one is a rotation instead, which needs none."""
        if self.diagonal is not None or not self.shears:
            return
        registers = range(bit_at(register_bits))
        if len(self.shears) > 1:
            self.diagonal, self.kind = np.ones((len(registers), 1), complex), LayerDiagonal.DIAGONAL
            return
        ((bit, tangent),) = self.shears.items()
        self.shears.clear()
        ones = mask_of(r for r in registers if has_bit(r, bit))
        self.rotations.insert(0, (bit_at(bit), ones, bit_at(bit), 0))
        self.tangents.insert(0, tangent)


@lru_cache
def _is_set(size: int, bits: tuple[int, ...]) -> NDArray[np.bool_]:
    """Tell for each bit in which of the numbers below `size` it is set."""
    return np.array([[has_bit(number, bit) for number in range(size)] for bit in bits])
