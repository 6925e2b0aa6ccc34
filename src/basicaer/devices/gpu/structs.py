"""The structures that kernels read, as NumPy sees them; the sources in `kernels/` say what each field holds."""

from __future__ import annotations

from enum import IntEnum

import numpy as np

__all__ = [
    "EXCHANGE",
    "EXCHANGE_AFTER_BARRIER",
    "MOST_BLOCK_BITS",
    "MOST_REGISTER_BITS",
    "MOST_THREAD_BITS",
    "OPERATION",
    "PASS",
    "STAGE",
    "WALK",
    "WIDE",
    "Kind",
]

MOST_REGISTER_BITS = 5
MOST_THREAD_BITS = 10
MOST_BLOCK_BITS = 32
EXCHANGE, EXCHANGE_AFTER_BARRIER = 1, 2


class Kind(IntEnum):
    """What an operation does."""

    FACTOR = 0
    PHASE = 1
    TABLE = 2
    FLIP = 3
    DENSE = 4
    REAL = 5
    CROSSED = 6
    PAIR = 7
    SWAP = 8


def _structure(**fields: tuple[str, int]) -> np.dtype[np.void]:
    return np.dtype([(name, kind, (count,)) if count > 1 else (name, kind) for name, (kind, count) in fields.items()])


PASS = _structure(
    load_thread=("u8", MOST_THREAD_BITS),
    load_register=("u8", MOST_REGISTER_BITS),
    load_block=("u8", MOST_BLOCK_BITS),
    load_flip=("u8", 1),
    store_thread=("u8", MOST_THREAD_BITS),
    store_register=("u8", MOST_REGISTER_BITS),
    store_block=("u8", MOST_BLOCK_BITS),
    store_flip=("u8", 1),
    zero=("u8", 1),
    thread_bits=("u4", 1),
    register_bits=("u4", 1),
    block_bits=("u4", 1),
    first_stage=("u4", 1),
    stages=("u4", 1),
    store_after_barrier=("u4", 1),
)
STAGE = _structure(
    put_thread=("u2", MOST_THREAD_BITS),
    put_register=("u2", MOST_REGISTER_BITS),
    get_thread=("u2", MOST_THREAD_BITS),
    get_register=("u2", MOST_REGISTER_BITS),
    get_block=("u2", MOST_BLOCK_BITS),
    get_flip=("u2", 1),
    get_block_bits=("u2", 1),
    exchange=("u2", 1),
    reserved=("u2", 1),
    first_operation=("u4", 1),
    operations=("u4", 1),
)
OPERATION = _structure(
    kind=("u1", 1),
    bit=("u1", 1),
    other=("u1", 1),
    reserved=("u1", 1),
    on_register=("u2", 1),
    want_register=("u2", 1),
    on_thread=("u2", 1),
    want_thread=("u2", 1),
    on_block=("u4", 1),
    want_block=("u4", 1),
    at=("u4", 1),
    columns=("u4", 1),
    threads=("u4", 1),
)
WIDE = _structure(
    target=("u8", 16),
    rest=("u8", 40),
    on=("u8", 1),
    targets=("u4", 1),
    rest_bits=("u4", 1),
    groups_each=("u4", 1),
    reserved=("u4", 1),
)
WALK = _structure(
    thread=("u8", 8),
    block=("u8", 40),
    loop=("u8", 40),
    thread_bits=("u4", 1),
    block_bits=("u4", 1),
    loop_bits=("u4", 1),
    summed=("u4", 1),
    sum=("u4", 8),
    sums=("u4", 1),
    reserved=("u4", 1),
)
