"""Expectation values of products of Paulis in states that are rows of one array, chunk by chunk.

Products that flip the same bits need the same products of each amplitude with its partner, and differ only in signs.
All that are asked for are computed while a chunk is in the caches. The signs are a product of two factors, for the
upper and for the lower bits within a chunk, so that many Pauli products are computed by one matrix product.
"""

from __future__ import annotations

import threading
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from basicaer.devices.cpu.gatewise import weight
from basicaer.devices.cpu.threads import run_parts
from basicaer.engine.bits import (
    extract_bits,
    has_bit,
    highest_position,
    lowest_bits,
    mask_of,
    parities,
    parity,
    positions_of,
    shifted_down,
)
from basicaer.engine.paulis import by_flips

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

__all__ = ["Observables", "expectations", "expectations_of_each"]

_CHUNK_QUBITS = 16  # 2**16 amplitudes are read between two polls
_LOWER_BITS = 8  # of an index within a chunk; the signs for all masks of so many bits are kept
_SHORT_ROW_BITS = 4  # rows of fewer than 2**4 amplitudes are short
_MOST_TOGETHER = 1024  # Pauli products with the same flips that are computed together; bounds the memory
_FLIPS_OF_A_SPAN = 32  # each span has buffers of its own, which take as long to allocate as two products to compute
_SPANS = 64  # parts that are summed separately, so that results do not depend on the number of threads


class _Room(NamedTuple):
    """Buffers of one thread: for the partners of what is read of a chunk, and for products."""

    there: NDArray[np.complex128]
    products: NDArray[np.float64]

    @classmethod
    def of(cls, amplitudes: int) -> _Room:
        """Return buffers for so many amplitudes, those of all states together."""
        return cls(np.empty(amplitudes, np.complex128), np.empty(2 * amplitudes))


class _Flips(NamedTuple):
    """Pauli products that flip the same bits, and either all have an even number of Ys or all an odd one.

    Since Y = iXZ, the expectation value is a sum over the real parts of ``conj(state[i ^ x]) * state[i]`` if the number
    of Ys is even, and over the imaginary parts if it is odd.

    Attributes
    ----------
    x
        The bits that are flipped.
    apart
        Those of them that number a chunk: partners are in different chunks if there are any.
    pivot
        The highest of these, or else of the others: only amplitudes for which it is 0 are read. None if x is 0.
    places
        The places of the products in the order in which they were asked for.
    zs
        The bits that give signs.
    turns
        The sign that each product's Ys contribute.
    upper, lower
        ``upper[u, j]`` and ``lower[l, j]``, the signs that the upper and the lower bits give to product j; only the
        bits of a chunk count that number what is read of it. The lower signs have two rows for each value, for the two
        numbers that make a product of two amplitudes.
    as_complex
        Whether amplitudes are multiplied as complex numbers, of which one part counts. Otherwise their parts are
        multiplied one by one, and summed: that is faster for real parts, unless few amplitudes are adjacent.
    """

    x: int
    apart: int
    pivot: int | None
    places: NDArray[np.intp]
    zs: NDArray[np.int64]
    turns: NDArray[np.float64]
    upper: NDArray[np.float64]
    lower: NDArray[np.float64]
    as_complex: bool

    def sums(
        self, here: NDArray[np.complexfloating], there: NDArray[np.complexfloating], room: _Room
    ) -> NDArray[np.float64]:
        """Return ``sums[s, j]`` of all that is read of state s for product j.

        Parameters
        ----------
        here, there
            A chunk of each state, and the chunk in which the partners are; both may be the same.
        """
        products = self._products(here, there, room)
        # One product for each state, since the rounding of a product of all would depend on their number.
        summed = np.matmul(products.reshape(len(here), -1, len(self.lower)), self.lower)
        summed *= self.upper
        sums: NDArray[np.float64] = summed.sum(axis=1)
        return sums

    def _products(
        self, here: NDArray[np.complexfloating], there: NDArray[np.complexfloating], room: _Room
    ) -> NDArray[np.float64]:
        """Return for each amplitude that is read two numbers, of which `lower` makes a part of the product."""
        within = self.x & ~self.apart
        if self.pivot is not None and not self.apart:
            shape = (len(here), -1, 2, 2**self.pivot)
            here, there = here.reshape(shape)[:, :, 0], there.reshape(shape)[:, :, 1]
            within &= ~mask_of((self.pivot,))
        if within:
            row = 2 ** min(positions_of(within))
            partners = np.arange(there.shape[-1] // row) ^ (within // row)
            rows = there.reshape(*there.shape[:-1], -1, row)
            there = np.take(
                rows, partners, axis=-2, out=room.there[: there.size].reshape(rows.shape), mode="clip"
            ).reshape(there.shape)
        products = room.products[: 2 * here.size]
        if self.as_complex:
            numbers = products.view(np.complex128).reshape(here.shape)
            np.conjugate(there, out=numbers)
            np.multiply(here, numbers, out=numbers)
            return products
        pairs = (*here.shape, 2)
        ours, theirs = (some.view(np.float64).reshape(pairs) for some in (here, there))
        np.multiply(ours, theirs, out=products.reshape(pairs))
        return products


class Observables:
    """Pauli products on states of some bits, and how they are computed.

    Parameters
    ----------
    masks
        x and z of each product, as for `State.expectations`, as masks of index bits.
    bits
        The number of index bits.
    """

    def __init__(self, masks: Sequence[tuple[int, int]], bits: int) -> None:
        self.count = len(masks)
        self.chunk_bits = min(bits, _CHUNK_QUBITS)
        self.flips: list[_Flips] = []
        for x, places in by_flips(masks).items():
            for odd in (False, True):
                chosen = [place for place in places if parity(x & masks[place][1]) == odd]
                for start in range(0, len(chosen), _MOST_TOGETHER):
                    some = chosen[start : start + _MOST_TOGETHER]
                    self.flips.append(self._flips(x, [masks[place][1] for place in some], some, odd=odd))
        # Those with the same partners one after another, so that these are in the caches.
        self.flips.sort(key=lambda one: one.apart)

    def _flips(self, x: int, zs: Sequence[int], places: Sequence[int], *, odd: bool) -> _Flips:
        apart = x & ~lowest_bits(-1, self.chunk_bits)
        pivot = max(positions_of(x), default=None)
        read = [bit for bit in range(self.chunk_bits) if bit != pivot]
        few = min(len(read), _LOWER_BITS)
        masks = np.array([extract_bits(z, read) for z in zs], np.int64)
        upper = _columns(_signs(len(read) - few), shifted_down(masks, few))
        as_complex = odd or (pivot is not None and pivot < _SHORT_ROW_BITS)
        table = _signs_of_parts(few, odd) if as_complex else _signs_of_sums(few)
        lower = _columns(table, lowest_bits(masks, few))
        turns = np.array([(1j ** ((x & z).bit_count() + parity(x & z))).real for z in zs])
        turns *= 2 if x else 1
        return _Flips(x, apart, pivot, np.array(places), np.array(zs, np.int64), turns, upper, lower, as_complex)

    def add_sums(
        self,
        states: NDArray[np.complexfloating],
        starts: Sequence[int],
        sums: NDArray[np.float64],
        poll: Callable[[], None],
        flips: slice = slice(None),
    ) -> None:
        """Add to ``sums[s]`` what the chunks that begin at some indices contribute to the values in state s."""
        size = 2**self.chunk_bits
        room = _Room.of(len(states) * size)
        for start in starts:
            here = states[:, start : start + size].astype(np.complex128, copy=False)
            for one in self.flips[flips]:
                poll()
                if one.apart and one.pivot is not None and has_bit(start, one.pivot):
                    continue
                there = here
                if one.apart:
                    other = start ^ one.apart
                    there = states[:, other : other + size].astype(np.complex128, copy=False)
                sums[:, one.places] += one.sums(here, there, room) * (one.turns * _sign_of(one.zs, start))


def expectations(
    vector: NDArray[np.complexfloating],
    masks: Sequence[tuple[int, int]],
    threads: int,
    poll: Callable[[], None],
    advance: Callable[[float], None] = lambda _passes: None,
) -> NDArray[np.float64]:
    """Return what `State.expectations` returns, for masks of index bits of `vector`; poll before each chunk.

    Parameters
    ----------
    advance
        Told the part of a pass that was done, where products with the same flips are one pass.
    """
    held = [vector]  # emptied at the end, because the traceback of an error refers to `work`, which would keep it
    observables = Observables(masks, highest_position(len(vector)))
    passes, lock = len({x for x, _ in masks}), threading.Lock()
    starts = np.arange(0, len(vector), 2**observables.chunk_bits)
    # A state of one chunk is shared out by products, a larger one by chunks.
    by_product = len(starts) == 1
    parts = np.arange(len(observables.flips)) if by_product else starts
    spans = np.array_split(parts, min(_SPANS, max(len(parts) // _FLIPS_OF_A_SPAN, 1) if by_product else len(parts)))
    sums = np.zeros((1 if by_product else len(spans), len(masks)))
    norms = np.zeros(len(spans))

    def work(number: int) -> None:
        states, span = held[0][None], spans[number]
        if by_product:
            observables.add_sums(states, [0], sums, poll, slice(int(span[0]), int(span[-1]) + 1))
            norms[number] = _norms(states)[0] if number == 0 else 0.0
        else:
            observables.add_sums(states, span.tolist(), sums[number : number + 1], poll)
            norms[number] = sum(_norms(states[:, start : start + 2**observables.chunk_bits])[0] for start in span)
        with lock:
            advance(passes / len(spans))

    try:
        run_parts(work, len(spans), threads)
    finally:
        held.clear()
    values: NDArray[np.float64] = sums.sum(axis=0) / norms.sum()
    return values


def expectations_of_each(
    states: NDArray[np.complexfloating], observables: Observables, poll: Callable[[], None]
) -> NDArray[np.float64]:
    """Return ``values[s, j]``, the expectation value of product j in state s, on one thread."""
    sums = np.zeros((len(states), observables.count))
    observables.add_sums(states, range(0, states.shape[1], 2**observables.chunk_bits), sums, poll)
    values: NDArray[np.float64] = sums / _norms(states)[:, None]
    return values


def _norms(states: NDArray[np.complexfloating]) -> NDArray[np.float64]:
    """Return the squared norm of each state; one by one, so that no rounding depends on their number."""
    return np.array([weight(state) for state in states])


def _columns(table: NDArray[np.float64], numbers: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return columns of a table; a single one, as most often, is not copied."""
    if len(numbers) == 1:
        return table[:, numbers[0] : numbers[0] + 1]
    return table[:, numbers]


def _sign_of(zs: NDArray[np.int64], index: int) -> NDArray[np.float64]:
    """Return the sign that Zs on each of some sets of bits give to an index."""
    signs: NDArray[np.float64] = 1 - 2 * parities(zs & index).astype(np.float64)
    return signs


@lru_cache(maxsize=2 * _LOWER_BITS)
def _signs(bits: int) -> NDArray[np.float64]:
    """Return ``signs[value, mask]``: -1 if an odd number of the bits in the mask are set in the value, else 1."""
    values = np.arange(2**bits)
    signs: NDArray[np.float64] = 1 - 2 * parities(np.bitwise_and.outer(values, values)).astype(np.float64)
    signs.flags.writeable = False  # it is shared
    return signs


@lru_cache(maxsize=2 * _LOWER_BITS)
def _signs_of_sums(bits: int) -> NDArray[np.float64]:
    """Return `_signs` for pairs of numbers, whose sum counts."""
    signs = np.repeat(_signs(bits), 2, axis=0)
    signs.flags.writeable = False  # it is shared
    return signs


@lru_cache(maxsize=4 * _LOWER_BITS)
def _signs_of_parts(bits: int, odd: bool) -> NDArray[np.float64]:  # noqa: FBT001  # part of the cache's key
    """Return `_signs` for complex numbers, of which the real or, for an odd number of Ys, the imaginary part counts."""
    signs = np.repeat(_signs(bits), 2, axis=0)
    signs[0 if odd else 1 :: 2] = 0
    signs.flags.writeable = False  # it is shared
    return signs
