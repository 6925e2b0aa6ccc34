"""Expectation values of products of Paulis in a state that is one array: chunk by chunk, on several threads.

Pauli products that flip the same bits need the same products of each amplitude with its partner, and differ only in
signs. The signs are a product of two factors, for the upper and for the lower bits within a chunk, so that many Pauli
products are computed by one matrix product.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from basicaer.devices.cpu.gatewise import weight
from basicaer.devices.cpu.threads import run_parts
from basicaer.engine.bits import (
    bit_at,
    extract_bits,
    has_bit,
    highest_position,
    lowest_bits,
    parities,
    parity,
    positions_of,
    shifted_down,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

__all__ = ["expectations", "signs_of", "signs_of_ys"]

_CHUNK_QUBITS = 16  # 2**16 amplitudes are read between two polls
_FEW_AMPLITUDES = 2**12  # up to this many amplitudes are read at once
_MOST_PAULIS = 1024  # Pauli products that are computed together; bounds the memory and the time between two polls
_SPANS = 64  # parts that are summed separately, so that results do not depend on the number of threads


def signs_of_ys(x: int, zs: Sequence[int]) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Return for each Pauli product whether it has an odd number of Ys, and the sign that its Ys contribute.

    Since Y = iXZ, the expectation value is a sum over the real parts of ``conj(state[i ^ x]) * state[i]`` if the number
    of Ys is even, and over the imaginary parts if it is odd.
    """
    odd = np.array([parity(x & z) for z in zs], bool)
    return odd, np.array([(1j ** ((x & z).bit_count() + parity(x & z))).real for z in zs])


def signs_of(values: NDArray[np.int64], masks: NDArray[np.int64] | int) -> NDArray[np.float64]:
    """Return the signs that Zs on the bits of `masks` give to `values`: -1 if an odd number of these bits is set."""
    return 1 - 2 * parities(values & masks).astype(np.float64)


def expectations(
    vector: NDArray[np.complexfloating], x: int, zs: Sequence[int], threads: int, poll: Callable[[], None]
) -> NDArray[np.float64]:
    """Return what `State.expectations` returns, for masks of index bits of `vector`; poll before each chunk."""
    if len(vector) <= _FEW_AMPLITUDES:
        poll()
        return _of_few(vector, x, zs)
    values = []
    for start in range(0, len(zs), _MOST_PAULIS):
        values.append(_of_many(vector, x, zs[start : start + _MOST_PAULIS], threads, poll))  # noqa: PERF401  # see `held`
    return np.concatenate(values)


def _of_few(vector: NDArray[np.complexfloating], x: int, zs: Sequence[int]) -> NDArray[np.float64]:
    """Return the expectation values in a small state, where any preparation would take longer than it saves."""
    index = np.arange(len(vector))
    here = vector.astype(np.complex128, copy=False)
    products = here[index ^ x].conj() * here if x else here.conj() * here
    values = np.array([np.dot(products, signs_of(index, z)) * 1j ** (x & z).bit_count() for z in zs])
    return values.real / weight(here)


def _of_many(
    vector: NDArray[np.complexfloating], x: int, zs: Sequence[int], threads: int, poll: Callable[[], None]
) -> NDArray[np.float64]:
    held = [vector]  # emptied at the end, because the traceback of an error refers to `work`, which would keep it
    pairs = _pairs(len(vector), x)
    odd, y_signs = signs_of_ys(x, zs)
    kinds = [(np.flatnonzero(odd == kind), kind) for kind in (False, True)]
    groups = [
        (which, kind, _Signs.of([zs[j] for j in which.tolist()], pairs.bits)) for which, kind in kinds if which.size
    ]
    spans = np.array_split(pairs.starts, min(_SPANS, len(pairs.starts)))
    sums, norms = np.zeros((len(spans), len(zs))), np.zeros(len(spans))
    masks = np.array(zs, np.int64)

    def work(number: int) -> None:
        room = pairs.room()
        for start in spans[number].tolist():
            poll()
            here, there, norm = pairs.read(held[0], start, room)
            norms[number] += norm
            outside = signs_of(masks, start)
            for which, imaginary, sign in groups:
                sums[number, which] += outside[which] * sign.sums(_products(here, there, room, imaginary=imaginary))

    try:
        run_parts(work, len(spans), threads)
    finally:
        held.clear()
    values: NDArray[np.float64] = sums.sum(axis=0) * y_signs * (2 if x else 1) / norms.sum()
    return values


class _Room(NamedTuple):
    """The buffers of one thread."""

    here: NDArray[np.complex128]
    there: NDArray[np.complex128]
    products: NDArray[np.float64]


class _Pairs(NamedTuple):
    """Where one amplitude of each pair i and i ^ x stands, and where its partner does; if x is 0, all amplitudes.

    Attributes
    ----------
    starts
        The first index of each chunk that is read for these amplitudes.
    size
        Amplitudes of a chunk.
    apart
        The index bits in which the chunk of the partners differs.
    row
        Amplitudes that are adjacent in both chunks.
    here, there
        The rows of a chunk that are read; None means all, in order.
    bits
        The bits of an index within a chunk that number the amplitudes that are read.
    """

    starts: NDArray[np.int64]
    size: int
    apart: int
    row: int
    here: NDArray[np.int64] | None
    there: NDArray[np.int64] | None
    bits: tuple[int, ...]

    def room(self) -> _Room:
        """Return buffers to read into."""
        count = 2 ** len(self.bits)
        return _Room(np.empty(count, np.complex128), np.empty(count, np.complex128), np.empty((count, 2)))

    def read(self, vector: NDArray[Any], start: int, room: _Room) -> tuple[NDArray[Any], NDArray[Any], float]:
        """Return the amplitudes of one chunk, their partners, and the sum of the squared moduli of both."""
        chunk = vector[start : start + self.size]
        here = self._rows(chunk, self.here, room.here)
        if self.there is None and not self.apart:
            return here, here, weight(here)
        other = start ^ self.apart
        there = self._rows(vector[other : other + self.size], self.there, room.there)
        return here, there, weight(here) + weight(there)

    def _rows(self, chunk: NDArray[Any], rows: NDArray[np.int64] | None, out: NDArray[Any]) -> NDArray[Any]:
        if rows is None:
            if chunk.dtype == out.dtype:
                return chunk
            out[:] = chunk
        elif chunk.dtype == out.dtype:
            np.take(chunk.reshape(-1, self.row), rows, axis=0, out=out.reshape(-1, self.row), mode="clip")
        else:
            out.reshape(-1, self.row)[:] = chunk.reshape(-1, self.row)[rows]
        return out


def _pairs(size: int, x: int) -> _Pairs:
    chunk_bits = min(highest_position(size), _CHUNK_QUBITS)
    chunk, within = 2**chunk_bits, tuple(range(chunk_bits))
    starts = np.arange(0, size, chunk)
    flips = list(positions_of(x))
    if not flips:
        return _Pairs(starts, chunk, 0, chunk, None, None, within)
    low, pivot = lowest_bits(x, chunk_bits), flips[-1]
    row_bits = min(flips[0], chunk_bits)
    row, rows = 2**row_bits, np.arange(2 ** (chunk_bits - row_bits))
    partners = rows ^ shifted_down(low, row_bits)
    if low == x:  # both partners are in the same chunk: the one whose highest flipped bit is 0 is read
        half = rows & bit_at(pivot - row_bits) == 0
        bits = tuple(bit for bit in within if bit != pivot)
        return _Pairs(starts, chunk, 0, row, rows[half], partners[half], bits)
    starts = starts[[not has_bit(start, pivot) for start in starts.tolist()]]
    return _Pairs(starts, chunk, x - low, row, None, partners if low else None, within)


def _products(
    here: NDArray[np.complex128], there: NDArray[np.complex128], room: _Room, *, imaginary: bool
) -> NDArray[np.float64]:
    """Return for each amplitude two numbers whose sum is the real or imaginary part of ``conj(there) * here``."""
    out = room.products
    if imaginary:
        np.multiply(here.imag, there.real, out=out[:, 0])
        np.multiply(here.real, there.imag, out=out[:, 1])
        np.negative(out[:, 1], out=out[:, 1])
    else:
        np.multiply(here.view(np.float64).reshape(-1, 2), there.view(np.float64).reshape(-1, 2), out=out)
    return out


class _Signs(NamedTuple):
    """The signs of some Pauli products within a chunk: a factor for the upper bits times a factor for the lower bits.

    Attributes
    ----------
    upper
        ``upper[u, j]``, for the value u of the upper bits and Pauli j.
    lower
        ``lower[2 * l + part, k]``, for the value l of the lower bits and part 0 or 1; no two columns k are equal.
    which
        ``lower[:, which[j]]`` is the column of Pauli j.
    """

    upper: NDArray[np.float64]
    lower: NDArray[np.float64]
    which: NDArray[np.intp]

    @classmethod
    def of(cls, zs: Sequence[int], bits: tuple[int, ...]) -> _Signs:
        """Return the signs of Pauli products with the masks `zs`, for amplitudes that are numbered by `bits`."""
        few = len(bits) // 2
        masks = np.array([extract_bits(z, bits) for z in zs])
        lower, which = np.unique(lowest_bits(masks, few), return_inverse=True)
        values = np.arange(2 ** (len(bits) - few))[:, None]
        return cls(
            signs_of(values, shifted_down(masks, few)),
            np.repeat(signs_of(values[: 2**few], lower), 2, axis=0),
            which.reshape(-1),
        )

    def sums(self, products: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return for each Pauli the sum of all products, with its signs."""
        summed = products.reshape(len(self.upper), -1) @ self.lower
        sums: NDArray[np.float64] = np.einsum("uj,uj->j", self.upper, summed[:, self.which])
        return sums
