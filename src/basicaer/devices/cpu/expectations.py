"""Expectation values of products of Paulis in a state that is one array: chunk by chunk, on several threads.

All that flip the same bits share the products of each amplitude with its partner. Of these, what each Pauli adds with
its signs is a product with two matrices of signs, those of the upper and of the lower bits within a chunk, so that many
Paulis are one matrix product.
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

_CHUNK_QUBITS = 16  # of what is read between two polls
_FEW_AMPLITUDES = 2**12  # so many are read in one go
_MOST_PAULIS = 1024  # that are read together, so that memory and time between two polls are bounded
_SPANS = 64  # each summed by itself, whichever thread does it, so that results do not depend on how many there are


def signs_of_ys(x: int, zs: Sequence[int]) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Return of each Pauli whether imaginary parts count, and the sign that those of its Ys bring.

    With an even number of Ys the real parts of ``conj(state[i ^ x]) * state[i]`` count, else the imaginary parts.
    """
    odd = np.array([parity(x & z) for z in zs], bool)
    return odd, np.array([(1j ** ((x & z).bit_count() + parity(x & z))).real for z in zs])


def signs_of(values: NDArray[np.int64], masks: NDArray[np.int64] | int) -> NDArray[np.float64]:
    """Return the signs that Zs on the bits of `masks` give to `values`: -1 where an odd number of these bits is set."""
    return 1 - 2 * parities(values & masks).astype(np.float64)


def expectations(
    vector: NDArray[np.complexfloating], x: int, zs: Sequence[int], threads: int, poll: Callable[[], None]
) -> NDArray[np.float64]:
    """Return what `State.expectations` does, for masks of the bits of an index of `vector`; poll before each chunk."""
    if len(vector) <= _FEW_AMPLITUDES:
        poll()
        return _of_few(vector, x, zs)
    values = []
    for start in range(0, len(zs), _MOST_PAULIS):
        values.append(_of_many(vector, x, zs[start : start + _MOST_PAULIS], threads, poll))  # noqa: PERF401  # see `held`
    return np.concatenate(values)


def _of_few(vector: NDArray[np.complexfloating], x: int, zs: Sequence[int]) -> NDArray[np.float64]:
    """Return the expectation values in a small state, where to prepare anything takes longer than it saves."""
    index = np.arange(len(vector))
    here = vector.astype(np.complex128, copy=False)
    products = here[index ^ x].conj() * here if x else here.conj() * here
    values = np.array([np.dot(products, signs_of(index, z)) * 1j ** (x & z).bit_count() for z in zs])
    return values.real / weight(here)


def _of_many(
    vector: NDArray[np.complexfloating], x: int, zs: Sequence[int], threads: int, poll: Callable[[], None]
) -> NDArray[np.float64]:
    held = [vector]  # emptied in the end: an error that is kept has functions in its traceback that would hold it
    pairs = _pairs(len(vector), x)
    odd, turns = signs_of_ys(x, zs)
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
    values: NDArray[np.float64] = sums.sum(axis=0) * turns * (2 if x else 1) / norms.sum()
    return values


class _Room(NamedTuple):
    """What a thread works in."""

    here: NDArray[np.complex128]
    there: NDArray[np.complex128]
    products: NDArray[np.float64]


class _Pairs(NamedTuple):
    """Where the amplitudes of one half of the pairs i and i ^ x stand, and their partners; or all, where x is 0.

    Attributes
    ----------
    starts
        The first indices of the chunks that are read for the half.
    size
        Amplitudes of a chunk.
    apart
        By which bits the chunk of the partners differs.
    row
        Amplitudes that stay side by side.
    here, there
        The rows of a chunk that are read; None for all, in their order.
    bits
        Those of an index in a chunk that tell its amplitudes of the half apart.
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
        """Return the amplitudes from one chunk, those of their partners, and the weight of all that was read."""
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
    if low == x:  # the half is that of each chunk's amplitudes whose highest bit of these is not set
        half = rows & bit_at(pivot - row_bits) == 0
        bits = tuple(bit for bit in within if bit != pivot)
        return _Pairs(starts, chunk, 0, row, rows[half], partners[half], bits)
    starts = starts[[not has_bit(start, pivot) for start in starts.tolist()]]
    return _Pairs(starts, chunk, x - low, row, None, partners if low else None, within)


def _products(
    here: NDArray[np.complex128], there: NDArray[np.complex128], room: _Room, *, imaginary: bool
) -> NDArray[np.float64]:
    """Return two numbers for each amplitude, the sum of which is that part of ``conj(there) * here``."""
    out = room.products
    if imaginary:
        np.multiply(here.imag, there.real, out=out[:, 0])
        np.multiply(here.real, there.imag, out=out[:, 1])
        np.negative(out[:, 1], out=out[:, 1])
    else:
        np.multiply(here.view(np.float64).reshape(-1, 2), there.view(np.float64).reshape(-1, 2), out=out)
    return out


class _Signs(NamedTuple):
    """The signs of some Paulis within a chunk: products of one for the upper and one for the lower bits.

    Attributes
    ----------
    upper
        ``upper[u, j]``, for the value u of the upper bits and Pauli j.
    lower
        ``lower[l, k]``, for the value l of the lower bits, each twice; and for each k another sequence of signs.
    which
        ``which[j]`` is the k of Pauli j.
    """

    upper: NDArray[np.float64]
    lower: NDArray[np.float64]
    which: NDArray[np.intp]

    @classmethod
    def of(cls, zs: Sequence[int], bits: tuple[int, ...]) -> _Signs:
        """Return the signs of Paulis with these masks, whose amplitudes `bits` tell apart."""
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
        """Return the sum of all products with the signs of each Pauli."""
        summed = products.reshape(len(self.upper), -1) @ self.lower
        sums: NDArray[np.float64] = np.einsum("uj,uj->j", self.upper, summed[:, self.which])
        return sums
