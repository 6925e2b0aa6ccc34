"""The structures that kernels read, as NumPy sees them. The sources in `kernels/` say what each field holds.

The limits are those of `kernels/limits.cuh`, under the same names.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np

__all__ = [
    "COLUMNS",
    "CONDITION",
    "FACTOR",
    "GROUP_BITS",
    "MOST_BLOCK_BITS",
    "MOST_INDEX_BITS",
    "MOST_PAIRED_BITS",
    "MOST_REGISTER_BITS",
    "MOST_ROTATIONS",
    "MOST_SELECTORS",
    "MOST_THREADS",
    "MOST_THREAD_BITS",
    "MOST_TRANSITIONS",
    "MOST_TRANSITION_TILE_BITS",
    "MOST_TRANSITION_WIRES",
    "MOST_WIDE_TARGETS",
    "NO_LANES",
    "NO_TABLES",
    "OPERATION",
    "PASS",
    "PAULIS",
    "PAULI_REGISTER_BITS",
    "ROTATION",
    "STAGE",
    "TABLE_BITS",
    "TERM",
    "TRANSITIONS",
    "TRAVERSAL",
    "WIDE",
    "Exchange",
    "LayerDiagonal",
    "OperationKind",
]

MOST_THREAD_BITS = 8
MOST_THREADS: int = 2**MOST_THREAD_BITS
MOST_REGISTER_BITS = 5
MOST_BLOCK_BITS = 30
MOST_INDEX_BITS = 40
MOST_WIDE_TARGETS = 12
MOST_TRANSITION_WIRES = 4
MOST_TRANSITIONS = 3
MOST_TRANSITION_TILE_BITS = 10
MOST_SELECTORS = 2
MOST_ROTATIONS = 255
GROUP_BITS = 4
MOST_PAIRED_BITS = 4
PAULI_REGISTER_BITS = 4
TABLE_BITS = 8
NO_TABLES = 2**32 - 1
NO_LANES = 2**32 - 1


class Exchange(IntEnum):
    """Whether amplitudes change hands before a stage, and whether threads wait for each other before they do."""

    NO_EXCHANGE = 0
    EXCHANGE = 1
    EXCHANGE_AFTER_BARRIER = 2


class OperationKind(IntEnum):
    """What an operation does; `kernels/pass.cu` says what numbers each takes."""

    PHASE = 0
    TABLE = 1
    FLIP = 2
    DENSE = 3
    VIEW = 4
    LAYER = 5
    PAIR = 6
    SWAP = 7


class LayerDiagonal(IntEnum):
    """Whether a `LAYER` multiplies by a number for each register, and whether threads see registers in other orders."""

    NO_DIAGONAL = 0
    DIAGONAL = 1
    DIAGONAL_BY_VIEW = 2


def _structure(**fields: str | tuple[str, int]) -> np.dtype[np.void]:
    """Return a structure type, given for each field its type or, for an array, type and length."""
    return np.dtype([(name, kind) if isinstance(kind, str) else (name, *kind) for name, kind in fields.items()])


PASS = _structure(
    load_register=("u8", MOST_REGISTER_BITS),
    store_register=("u8", MOST_REGISTER_BITS),
    zero="u8",
    load_threads="u4",
    store_threads="u4",
    load_blocks="u4",
    store_blocks="u4",
    thread_bits="u4",
    register_bits="u4",
    block_bits="u4",
    first_stage="u4",
    stages="u4",
    store_after_barrier="u4",
)
STAGE = _structure(
    put_register=("u4", MOST_REGISTER_BITS),
    get_register=("u4", MOST_REGISTER_BITS),
    places="u4",
    put_blocks="u4",
    get_blocks="u4",
    exchange="u4",
    first_operation="u4",
    operations="u4",
    lanes="u4",
    reserved="u4",
    unused="u4",
    spare="u4",
)
OPERATION = _structure(
    kind="u1",
    bit="u1",
    other="u1",
    rotations="u1",
    registers="u4",
    at="u4",
    columns="u4",
)
CONDITION = _structure(on_thread="u2", want_thread="u2", on_block="u4", want_block="u4", threads="u4")
COLUMNS = _structure(
    of_thread=("u4", MOST_THREAD_BITS),
    of_register=("u4", MOST_REGISTER_BITS),
    of_block="u4",
    reserved="u4",
    unused="u4",
)
FACTOR = _structure(on_thread="u4", want_thread="u4", on_block="u4", want_block="u4")
ROTATION = _structure(mask="u4", row="u4", reserved="u4", unused="u4")
WIDE = _structure(
    target=("u8", MOST_WIDE_TARGETS),
    rest=("u8", MOST_INDEX_BITS),
    on="u8",
    targets="u4",
    rest_bits="u4",
    groups_each="u4",
    reserved="u4",
)
TRAVERSAL = _structure(
    thread=("u8", MOST_THREAD_BITS),
    block=("u8", MOST_INDEX_BITS),
    loop=("u8", MOST_INDEX_BITS),
    thread_bits="u4",
    block_bits="u4",
    loop_bits="u4",
    summed="u4",
    sum=("u4", MOST_THREAD_BITS),
    sums="u4",
    reserved="u4",
)
PAULIS = _structure(signs="u8", imaginary="u4", reserved="u4")
TERM = _structure(flips="u8", signs="u8")
TRANSITIONS = _structure(
    lane=("u8", MOST_TRANSITION_TILE_BITS),
    rest=("u8", MOST_INDEX_BITS),
    on="u8",
    slot=("u4", MOST_TRANSITION_TILE_BITS),
    wires=("u4", MOST_TRANSITIONS),
    matrices="u4",
    tile_bits="u4",
    rest_bits="u4",
)
