"""A layer in the making: a diagonal and rotations that `run_pass` takes as one operation."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from basicaer.devices.gpu.structs import MOST_SELECTORS, LayerDiagonal
from basicaer.devices.gpu.tape import MINUS_ONE, NOTHING, Rows, rows_of, rows_where
from basicaer.engine.bits import bit_at, has_bit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from basicaer.devices.gpu.frames import Frame
    from basicaer.devices.gpu.steps import Product
    from basicaer.devices.gpu.tape import TurnPlaces

__all__ = ["Layer"]

_NEVER = 63  # Neither the thread's nor the block's number has a bit at this position.


@dataclass
class Layer:
    """A `LAYER` in the making.

    Attributes
    ----------
    acts, factors
        Register r is multiplied by those ``factors[f]`` for which ``acts[f][r]``; there is no diagonal if `kind` says
        so. There are more registers for each value of `selectors`, bits of the thread's number or, from
        MOST_THREAD_BITS on, of the block's.
    shears
        ``shears[b]`` is the rotation of register bit b, and whether its tangent has the other sign.
    rotations, tangents
        The `ROTATION` of each other rotation, and its tangent.
    """

    acts: list[NDArray[np.bool_]] = field(default_factory=list)
    factors: list[Product] = field(default_factory=list)
    kind: LayerDiagonal = LayerDiagonal.NO_DIAGONAL
    selectors: list[int] = field(default_factory=list)
    shears: dict[int, tuple[TurnPlaces, bool]] = field(default_factory=dict)
    rotations: list[tuple[int, int, int, int]] = field(default_factory=list)
    tangents: list[Product] = field(default_factory=list)

    @property
    def selecting(self) -> int:
        """The selectors, a byte for each; 0 if there are none."""
        if not self.selectors:
            return 0
        return int.from_bytes([*self.selectors, *[_NEVER] * (MOST_SELECTORS - len(self.selectors))], "little")

    def rotate(self, frame: Frame, wire: int, turn: TurnPlaces) -> None:
        """Add a rotation of a wire in registers, as two shears if the wire is a bit of the register's number."""
        bit = bit_at(wire)
        is_plain = frame.rows[wire] == frame.partners[wire] == bit and not frame.of_thread[wire] | frame.of_block[wire]
        if is_plain and wire not in self.shears and not self.rotations:
            self.shears[wire] = turn, frame.flipped[wire]
        else:
            self.rotations.append((frame.partners[wire], frame.rows[wire], 0, 0))
            self.tangents.append((turn.tangent, MINUS_ONE) if frame.flipped[wire] else (turn.tangent,))

    def constants(self, register_bits: int) -> tuple[Rows, int, int] | None:
        """Return the constants of the layer; None if there are none.

        With them come how many stand before those of registers, and the number of which the place of these is a
        multiple: kernels combine it with that of the register and with `view`.
        """
        self._complete()
        first: list[Product] = []
        if self.shears:
            first += [NOTHING] * register_bits
            for bit, (turn, is_turned) in self.shears.items():
                first[bit] = (turn.shear, MINUS_ONE) if is_turned else (turn.shear,)
        rows = rows_of([*self.tangents, *first])
        before = len(rows.lengths)
        if self.kind is not LayerDiagonal.NO_DIAGONAL:
            size = bit_at(register_bits + len(self.selectors))
            acts = [*self.acts, *(~_is_set(size, bit) for bit in self.shears)]
            factors = [*self.factors, *((turn.more,) for turn, _ in self.shears.values())]
            diagonal = rows_where(np.array(acts, bool).reshape(-1, size), factors)
            rows = Rows(*(np.concatenate(pair) for pair in zip(rows, diagonal, strict=True)))
        aligned = bit_at(register_bits if self.kind is LayerDiagonal.DIAGONAL_BY_VIEW else 1)
        return (rows, before, aligned) if len(rows.lengths) else None

    def _complete(self) -> None:
        """Add the diagonal that shears need, if there is none; a single one is a rotation instead, which needs none."""
        if self.kind is not LayerDiagonal.NO_DIAGONAL or not self.shears:
            return
        if len(self.shears) > 1:
            self.kind = LayerDiagonal.DIAGONAL
            return
        ((bit, (turn, is_turned)),) = self.shears.items()
        self.shears.clear()
        self.rotations.insert(0, (bit_at(bit), bit_at(bit), 0, 0))
        self.tangents.insert(0, (turn.tangent, MINUS_ONE) if is_turned else (turn.tangent,))


@lru_cache
def _is_set(size: int, bit: int) -> NDArray[np.bool_]:
    """Tell in which of the numbers below `size` a bit is set."""
    return np.array([has_bit(number, bit) for number in range(size)])
