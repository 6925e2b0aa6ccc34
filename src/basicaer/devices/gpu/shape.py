"""How a card holds a tile: how many amplitudes it has in all, in a thread's registers, and in a line of memory."""

from __future__ import annotations

from typing import NamedTuple

from basicaer.engine.bits import highest_position
from basicaer.options import Precision

__all__ = ["TileShape", "usual_shape"]


class TileShape(NamedTuple):
    """Powers of two, given by their exponents.

    Attributes
    ----------
    tile_bits
        A tile has at most 2**tile_bits amplitudes.
    register_bits
        A thread holds 2**register_bits of them in registers.
    row_bits
        2**row_bits amplitudes are 128 bytes: a line of memory, and what the banks of shared memory serve at a time.
    uses_lanes
        Whether warps multiply matrices on two wires in lanes, which tensor cores do.
    """

    tile_bits: int
    register_bits: int
    row_bits: int
    uses_lanes: bool = False


def usual_shape(
    precision: Precision, per_block: int, per_multiprocessor: int, reserved: int, *, multiplies_matrices: bool = False
) -> TileShape:
    """Return the largest tile with which two blocks share a multiprocessor, up to 64 KiB.

    Parameters
    ----------
    per_block, per_multiprocessor
        Bytes of shared memory that a block may have, and that all blocks on a multiprocessor share.
    reserved
        Bytes of each block that the driver keeps for itself.
    multiplies_matrices
        Whether warps multiply matrices in double precision: see `Card.multiplies_matrices`.
    """
    registers, rows = (4, 3) if precision is Precision.DOUBLE else (5, 4)
    most = min(2**16, per_block, per_multiprocessor // 2 - reserved)
    uses_lanes = multiplies_matrices and precision is Precision.DOUBLE
    return TileShape(highest_position(most // precision.amplitude_bytes), registers, rows, uses_lanes)
