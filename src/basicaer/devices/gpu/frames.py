"""Which amplitude each register holds while gates that permute basis states linearly move nothing.

X, CX and the like make the value of a wire in registers another function of the register's number.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from basicaer.engine.bits import bit_at, combine, has_bit, mask_of, parity, positions_of

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Frame"]


class Frame:
    """The values of the wires in registers, as functions of the numbers by which an amplitude is found.

    Wire j of those in registers is 1 in register r where the parity of ``r & rows[j]`` differs from ``flipped[j]``, for
    threads that see registers as they are. Other threads see r as ``r ^ view``.

    Attributes
    ----------
    of_thread, of_block
        Bit b of a view is the parity of those bits of the thread's number that are in ``of_thread[b]``, and of the
        block's that are in ``of_block[b]``.
    partners
        Registers r and ``r ^ partners[j]`` differ in the value of wire j alone.
    """

    def __init__(self, bits: int) -> None:
        self.rows = [bit_at(j) for j in range(bits)]
        self.flipped = [False] * bits
        self.of_thread = [0] * bits
        self.of_block = [0] * bits
        self.partners = [bit_at(j) for j in range(bits)]

    @property
    def is_plain(self) -> bool:
        """Whether each wire is the register's bit of its own."""
        plain = all(row == bit_at(j) for j, row in enumerate(self.rows))
        return plain and not any((*self.flipped, *self.of_thread, *self.of_block))

    def add(self, wire: int, others: Sequence[int], *, flip: bool) -> None:
        """Add the values of other wires in registers to that of a wire, modulo 2, and flip it besides or not."""
        for other in others:
            self.rows[wire] ^= self.rows[other]
            self.flipped[wire] ^= self.flipped[other]
            self.partners[other] ^= self.partners[wire]
        self.flipped[wire] ^= flip

    def turn_view(self, wire: int, thread: int, block: int) -> None:
        """Flip a wire where the parity of a mask of the thread's and one of the block's number is odd."""
        for bit in positions_of(self.partners[wire]):
            self.of_thread[bit] ^= thread
            self.of_block[bit] ^= block

    def ones(self, wire: int) -> int:
        """Return the registers in which a wire is 1, as the mask of their numbers."""
        return _ones(self.rows[wire], self.flipped[wire], len(self.rows))

    def seen(self, columns: Sequence[int]) -> tuple[list[int], list[int], list[int], int]:
        """Return where amplitudes are, given the column that is combined into their place for each wire that is 1.

        Returns
        -------
        register, thread, block
            The columns for the bits of the three numbers, up to the highest that counts; those of the wires that the
            bits of the thread's and the block's number stand for come to them.
        flip
            What is always combined.
        """
        register = [
            combine(mask_of(j for j, row in enumerate(self.rows) if has_bit(row, bit)), columns)
            for bit in range(len(self.rows))
        ]
        flip = combine(mask_of(j for j, flipped in enumerate(self.flipped) if flipped), columns)
        return register, _transposed(self.of_thread, register), _transposed(self.of_block, register), flip


@lru_cache
def _ones(row: int, flipped: bool, bits: int) -> int:  # noqa: FBT001  # It is called with what a frame holds.
    return mask_of(r for r in range(bit_at(bits)) if parity(r & row) != flipped)


def _transposed(masks: Sequence[int], columns: Sequence[int]) -> list[int]:
    """Return for each bit of a number the combination of those columns whose mask has the bit."""
    bits = max(mask.bit_length() for mask in masks) if masks else 0
    return [combine(mask_of(b for b, mask in enumerate(masks) if has_bit(mask, bit)), columns) for bit in range(bits)]
