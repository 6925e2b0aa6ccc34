"""Divides Pauli products into groups, each with the way of `pauli_sums` that is the fastest for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from basicaer.devices.cpu.pauli_sums import ROW_BITS, Dotted, Gathered, Multiplied, read_bits
from basicaer.engine.bits import highest_positions, lowest_bits, parities

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from basicaer.devices.cpu.pauli_sums import PauliSums

__all__ = ["grouped_sums"]

_MOST_TOGETHER = 1024  # Pauli products with the same x that are computed together; bounds the memory
_MOST_IN_ROWS = 32  # products that are gathered in rows by one group; with more, there are too few groups for threads


def grouped_sums(masks: NDArray[np.int64], chunk_bits: int) -> list[PauliSums]:
    """Return Pauli products in groups, each with its way to be computed on chunks of so many bits.

    Parameters
    ----------
    masks
        ``masks[j]`` is x and z of product j.
    """
    families = _families(*masks.T)
    apart = families.xs & ~lowest_bits(-1, chunk_bits)
    flips_within = np.where(apart != 0, (families.xs & ~apart) != 0, np.bitwise_count(families.xs) > 1)
    pivots = highest_positions(families.xs)
    in_rows = flips_within & (pivots >= ROW_BITS) & (chunk_bits > ROW_BITS)
    groups: list[PauliSums] = []
    for some in _alike(families, apart, pivots, np.flatnonzero(in_rows)):
        xs, places, odd = families.of(some)
        groups.append(Gathered(xs, masks[places, 1], places, chunk_bits, odd=odd))
    for number in np.flatnonzero(~in_rows).tolist():
        xs, places, odd = families.alone(number)
        zs, pivot = masks[places, 1], int(pivots[number])
        without_signs = zs.size == 1 and pivot >= 0 and not read_bits(int(zs[0, 0]), pivot, chunk_bits)
        kind = Dotted if without_signs and not flips_within[number] else Multiplied
        groups.append(kind(xs, zs, places, chunk_bits, odd=odd))
    # Those with the same partners one after another, which are in the caches.
    groups.sort(key=lambda group: group.apart)
    return groups


class _Families(NamedTuple):
    """Families of products that flip the same bits and have all an odd number of Ys, or all an even one.

    Attributes
    ----------
    xs, odd
        The bits that family f flips, and whether the number of Ys is odd.
    firsts, counts
        The products of family f are at the places ``order[firsts[f]]`` to ``order[firsts[f] + counts[f] - 1]``.
    order
        The places of all products, family by family.
    """

    xs: NDArray[np.int64]
    odd: NDArray[np.int64]
    firsts: NDArray[np.intp]
    counts: NDArray[np.intp]
    order: NDArray[np.intp]

    def of(self, numbers: NDArray[np.intp]) -> tuple[NDArray[np.int64], NDArray[np.intp], bool]:
        """Return the xs of families of one size and parity, ``places[f, j]`` of their products, and whether odd."""
        first = numbers[0]
        places = self.order[self.firsts[numbers][:, None] + np.arange(self.counts[first])]
        return self.xs[numbers], places, bool(self.odd[first])

    def alone(self, number: int) -> tuple[NDArray[np.int64], NDArray[np.intp], bool]:
        """Return the same of one family, without copies: many observables have such families only."""
        first = self.firsts[number]
        places = self.order[first : first + self.counts[number]]
        return self.xs[number : number + 1], places[None], bool(self.odd[number])


def _families(xs: NDArray[np.int64], zs: NDArray[np.int64]) -> _Families:
    odd = parities(xs & zs)
    order = np.lexsort([odd, xs])
    firsts = np.flatnonzero(_numbers_in_runs(np.array([odd, xs])[:, order]) % _MOST_TOGETHER == 0)
    counts = np.append(firsts[1:], len(order)) - firsts
    return _Families(xs[order[firsts]], odd[order[firsts]], firsts, counts, order)


def _alike(
    families: _Families, apart: NDArray[np.int64], pivots: NDArray[np.intp], numbers: NDArray[np.intp]
) -> Iterator[NDArray[np.intp]]:
    """Yield the numbers of families that can be gathered together, those that read the same rows one after another."""
    if not len(numbers):
        return
    xs, odd, counts = families.xs[numbers], families.odd[numbers], families.counts[numbers]
    keys = np.array([pivots[numbers], counts, odd, lowest_bits(xs, ROW_BITS), apart[numbers]])
    order = np.lexsort(keys)
    at_once = np.maximum(_MOST_IN_ROWS // counts[order], 1)
    begins = np.flatnonzero(_numbers_in_runs(keys[:, order]) % at_once == 0)
    yield from np.split(numbers[order], begins[1:])


def _numbers_in_runs(keys: NDArray[np.int64]) -> NDArray[np.intp]:
    """Return for each column of sorted keys how many equal ones stand before it."""
    is_new = np.ones(keys.shape[1], np.bool_)
    is_new[1:] = (keys[:, 1:] != keys[:, :-1]).any(axis=0)
    number = np.arange(keys.shape[1])
    return number - np.maximum.accumulate(np.where(is_new, number, 0))
