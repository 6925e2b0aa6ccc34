"""Sums over a chunk of a state that make expectation values of products of Paulis.

Since Y = iXZ, the expectation value of a product that flips the bits x is a sum over ``conj(state[i ^ x]) * state[i]``
with signs: over the real parts if the number of Ys is even, and over the imaginary parts if it is odd. Products that
flip the same bits differ in the signs only. Amplitudes are read only if the highest of these bits, the *pivot*, is 0.

There are three ways to compute these sums, each the fastest for what it is for; `pauli_groups` chooses.
"""

from __future__ import annotations

import threading
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from basicaer.engine.bits import (
    bit_at,
    has_bit,
    highest_position,
    lowest_bits,
    parities,
    shifted_down,
    without_bit,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ROW_BITS", "Chunks", "Dotted", "Gathered", "Multiplied", "PauliSums", "Room", "read_bits"]

_LOWER_BITS = 8  # bits of an index within a chunk; the signs for all masks of this many bits are kept
ROW_BITS = 4  # rows of fewer than 2**4 amplitudes are short
_MOST_GATHERED = 8  # values of x whose partners are gathered at once; with fewer, threads wait for one another

# (-i)**(number of Ys), by its remainder modulo 4. For an odd number a factor i is left out, by which the partners are
# multiplied instead.
_TURNS = np.array([1.0, -1.0, -1.0, 1.0])


class Chunks(NamedTuple):
    """A chunk of each state, which begins at the index `start`, and the chunks in which the partners are."""

    here: NDArray[np.complex128]
    there: NDArray[np.complex128]
    start: int


class Room(threading.local):
    """Buffers for the chunks of some states, of each thread its own, which grow to what is asked for."""

    def __init__(self) -> None:
        self._numbers = np.empty((2, 0), np.complex128)
        self._flipped: NDArray[np.complex128] = np.empty(0, np.complex128)
        self._key: tuple[int, ...] = ()

    def numbers(self, which: int, shape: tuple[int, ...]) -> NDArray[np.complex128]:
        """Return an array from buffer 0 or 1."""
        size = int(np.prod(shape))
        if size > self._numbers.shape[1]:
            self._numbers = np.empty((2, size), np.complex128)
        return self._numbers[which, :size].reshape(shape)

    def flipped(self, chunks: Chunks, apart: int, low: int, *, odd: bool) -> NDArray[np.complex128]:
        """Return the partners' chunks in rows in which the bits `low` are flipped, times i if `odd`."""
        there: NDArray[np.complex128] = chunks.there.reshape(len(chunks.there), -1, 2**ROW_BITS)
        if not low and not odd:
            return there
        key = (chunks.start, apart, low, odd)
        if key != self._key:  # otherwise they are those of the last call
            if self._flipped.size != there.size:
                self._flipped = np.empty(there.shape, np.complex128)
            if low:
                np.take(there, np.arange(2**ROW_BITS) ^ low, axis=-1, out=self._flipped, mode="clip")
                there = self._flipped
            if odd:
                np.multiply(there, 1j, out=self._flipped)
            self._key = key
        return self._flipped


class PauliSums(Protocol):
    """A group of Pauli products whose sums are computed together.

    Attributes
    ----------
    apart
        The flipped bits that number a chunk: partners are in different chunks if there are any.
    places
        The places of the products in the order in which they were asked for.
    """

    apart: int
    places: NDArray[np.intp]

    def sums(self, chunks: Chunks, room: Room) -> NDArray[np.float64]:
        """Return ``sums[s, j]``, what the chunk of state s adds to the value of product j, before it is normalized."""

    def reads(self, start: int) -> bool:
        """Tell whether anything is read of the chunk that begins at an index."""


class _Some:
    """What all of these have: products that flip the same bits, or different ones with the same pivot.

    Attributes
    ----------
    apart, places
        As for `PauliSums`.
    pivot
        The highest of the flipped bits that are apart, or else of the others; None if no bit is flipped.
    """

    def __init__(self, xs: NDArray[np.int64], zs: NDArray[np.int64], places: NDArray[np.intp], chunk_bits: int) -> None:
        """Take ``zs[g, j]``, the bits that give signs to product j of those that flip ``xs[g]``, and its place."""
        x = int(xs[0])
        self.places = places.reshape(-1)
        self.apart = x & ~lowest_bits(-1, chunk_bits)
        self.pivot = highest_position(x) if x else None
        self.zs = zs.reshape(-1)
        turns = _TURNS[np.bitwise_count(xs[:, None] & zs) % 4]
        self._turns = (turns * (2 if x else 1)).reshape(-1)

    def reads(self, start: int) -> bool:
        return not self.apart or self.pivot is None or not has_bit(start, self.pivot)

    def factors(self, start: int) -> NDArray[np.float64]:
        """Return for each product the factor of its sum over a chunk."""
        signs: NDArray[np.float64] = 1 - 2 * parities(self.zs & start).astype(np.float64)
        factors: NDArray[np.float64] = signs * self._turns
        return factors

    def halves(self, chunks: Chunks) -> tuple[NDArray[np.complex128], NDArray[np.complex128]]:
        """Return what is read of a chunk and, but for the other flipped bits, the partners: ``[s, upper, lower]``."""
        here, there, _ = chunks
        if self.pivot is None or self.apart:
            return here[:, None], there[:, None]
        shape = (len(here), -1, 2, 2**self.pivot)
        return here.reshape(shape)[:, :, 0], there.reshape(shape)[:, :, 1]


class Dotted(_Some):
    """One product without signs, as a Pauli X or Y is by itself: scalar products of the two halves."""

    def __init__(
        self, xs: NDArray[np.int64], zs: NDArray[np.int64], places: NDArray[np.intp], chunk_bits: int, *, odd: bool
    ) -> None:
        super().__init__(xs, zs, places, chunk_bits)
        self._odd = odd

    def sums(self, chunks: Chunks, room: Room) -> NDArray[np.float64]:
        del room
        here, there = self.halves(chunks)
        if here.shape[2] < 2**ROW_BITS:  # scalar products along the longer axis
            here, there = here.swapaxes(1, 2), there.swapaxes(1, 2)
        elif not self._odd:
            here, there = here.view(np.float64), there.view(np.float64)
        dots = np.vecdot(there, here)
        sums: NDArray[np.float64] = (dots.imag if self._odd else dots.real).sum(axis=1)[:, None]
        return sums * self.factors(chunks.start)


class Multiplied(_Some):
    """Products with the same x: amplitudes times partners, which the signs of all products then sum up.

    The signs are a product of two factors, for the upper and for the lower bits within a chunk, so that many products
    are computed by one matrix product. Amplitudes are multiplied as complex numbers, of which one part counts, or else
    their parts are multiplied one by one: that is faster for real parts, unless few amplitudes are adjacent.
    """

    def __init__(
        self, xs: NDArray[np.int64], zs: NDArray[np.int64], places: NDArray[np.intp], chunk_bits: int, *, odd: bool
    ) -> None:
        super().__init__(xs, zs, places, chunk_bits)
        self._within = int(xs[0]) & ~self.apart
        if self.pivot is not None and not self.apart:
            self._within &= ~bit_at(self.pivot)
        self._as_complex = odd or (self.pivot is not None and self.pivot < ROW_BITS)
        bits, few, masks = _read(self.zs, self.pivot, chunk_bits)
        self._upper = _columns(_signs(bits - few), shifted_down(masks, few))
        # Two rows for each value of the lower bits, for the two numbers that make a product of two amplitudes.
        table = _signs_of_parts(few, odd) if self._as_complex else _signs_of_sums(few)
        different, self._column = np.unique(lowest_bits(masks, few), return_inverse=True)
        self._lower = _columns(table, different)

    def sums(self, chunks: Chunks, room: Room) -> NDArray[np.float64]:
        products = self._products(chunks, room).reshape(len(chunks.here), -1, len(self._lower))
        # One product for each state, since the rounding of a product of all would depend on their number.
        summed = np.matmul(products, self._lower)
        if len(self._column) > 1:
            summed = summed[:, :, self._column]
        summed *= self._upper
        sums: NDArray[np.float64] = summed.sum(axis=1)
        return sums * self.factors(chunks.start)

    def _products(self, chunks: Chunks, room: Room) -> NDArray[np.float64]:
        here, there = self.halves(chunks)
        if self._within:
            partners = np.arange(there.shape[-1]) ^ self._within
            there = np.take(there, partners, axis=-1, out=room.numbers(0, there.shape), mode="clip")
        numbers = room.numbers(1, here.shape)
        if self._as_complex:
            np.conjugate(there, out=numbers)
            np.multiply(here, numbers, out=numbers)
        else:
            np.multiply(here.view(np.float64), there.view(np.float64), out=numbers.view(np.float64))
        return numbers.view(np.float64)


class Gathered(_Some):
    """Products with several x that have the pivot and the lowest bits in common: partners are gathered in rows.

    They come from one copy of the chunk in which the lowest bits are flipped already. Each x has the same number of
    products.
    """

    def __init__(
        self, xs: NDArray[np.int64], zs: NDArray[np.int64], places: NDArray[np.intp], chunk_bits: int, *, odd: bool
    ) -> None:
        super().__init__(xs, zs, places, chunk_bits)
        self._low = lowest_bits(int(xs[0]), ROW_BITS)
        self._flips = shifted_down(
            xs & ~self.apart, ROW_BITS
        )  # _flips[i] = the bits of a row's number that xs[i] flips
        self._odd = odd
        # The tables of signs are made when they are needed: for thousands of products they would fill hundreds of MB.
        bits, self._few, self._masks = _read(zs, self.pivot, chunk_bits)
        self._others = bits - self._few

    def sums(self, chunks: Chunks, room: Room) -> NDArray[np.float64]:
        rows = room.flipped(chunks, self.apart, self._low, odd=self._odd)
        here = chunks.here.reshape(rows.shape)
        number = np.arange(rows.shape[1])
        if self.pivot is not None and not self.apart:
            here = here.reshape(len(here), -1, 2, 2 ** (self.pivot - ROW_BITS), 2**ROW_BITS)[:, :, 0]
            number = number.reshape(-1, 2, 2 ** (self.pivot - ROW_BITS))[:, 0].reshape(-1)
        ours = here.reshape(len(here), 1, -1).view(np.float64)  # a copy if they are not adjacent: it is read for each x
        # The first axis of the tables is for the masks, so that their rows are copied: upper[g, value, j].
        upper = _signs(self._others)[shifted_down(self._masks, self._few)].swapaxes(1, 2)
        lower = _signs_by_mask(self._few)[lowest_bits(self._masks, self._few)].swapaxes(1, 2)
        found = np.empty((len(rows), *self._masks.shape))
        at_once = max(_MOST_GATHERED * 2**16 // chunks.here.size, 1)
        for start in range(0, len(self._flips), at_once):
            some = slice(start, start + at_once)
            partners = number ^ self._flips[some, None]
            shape = (len(rows), *partners.shape, 2**ROW_BITS)
            products = np.take(rows, partners, axis=1, out=room.numbers(0, shape), mode="clip").view(np.float64)
            products = products.reshape(len(rows), len(partners), -1)
            np.multiply(ours, products, out=products)
            summed = np.matmul(products.reshape(*products.shape[:2], -1, lower.shape[1]), lower[some])
            summed *= upper[some]
            found[:, some] = summed.sum(axis=2)
        return found.reshape(len(rows), -1) * self.factors(chunks.start)


def read_bits(z: int, pivot: int, chunk_bits: int) -> int:
    """Return the bits of a mask that number what is read of a chunk."""
    return lowest_bits(z, chunk_bits) & ~bit_at(pivot)


def _read(zs: NDArray[np.int64], pivot: int | None, chunk_bits: int) -> tuple[int, int, NDArray[np.int64]]:
    """Return how many bits number what is read of a chunk, how many of these are lower ones, and masks of them."""
    masks, bits = lowest_bits(zs, chunk_bits), chunk_bits
    if pivot is not None and pivot < chunk_bits:
        masks, bits = without_bit(masks, pivot), bits - 1
    return bits, min(bits, _LOWER_BITS), masks


def _columns(table: NDArray[np.float64], numbers: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return columns of a table; a single one, as most often, is not copied."""
    if len(numbers) == 1:
        return table[:, numbers[0] : numbers[0] + 1]
    return table[:, numbers]


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


@lru_cache(maxsize=2 * _LOWER_BITS)
def _signs_by_mask(bits: int) -> NDArray[np.float64]:
    """Return `_signs_of_sums` with a row for each mask."""
    signs = np.ascontiguousarray(_signs_of_sums(bits).T)
    signs.flags.writeable = False  # it is shared
    return signs


@lru_cache(maxsize=4 * _LOWER_BITS)
def _signs_of_parts(bits: int, odd: bool) -> NDArray[np.float64]:  # noqa: FBT001  # part of the cache's key
    """Return `_signs` for complex numbers, of which the real or, for an odd number of Ys, the imaginary part counts."""
    signs = np.repeat(_signs(bits), 2, axis=0)
    signs[0 if odd else 1 :: 2] = 0
    signs.flags.writeable = False  # it is shared
    return signs
