"""A division of a file whose chunks hold every two amplitudes that some products of Paulis bring together.

Such a product flips bits of an amplitude's place. Bits of the lowest positions are flipped within a *run*, in which all
of these vary. The flips of the other bits span a space of vectors over {0, 1}, and a chunk has the runs of a *coset* of
that space: those from one of which all flips lead to the others. Its number is what the coset has in common.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from basicaer.engine.bits import (
    deposit_bits,
    extract_bits,
    has_bit,
    highest_position,
    lowest_bits,
    mask_of,
    parity,
    shifted_down,
    shifted_up,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from numpy.typing import NDArray

__all__ = ["Cosets", "cosets_with"]


class Cosets(NamedTuple):
    """How the file of a state of `n_qubits` qubits is divided.

    Attributes
    ----------
    run_qubits
        The number of lowest positions that vary within a run.
    basis
        The vectors that span the space, as masks of the positions from `run_qubits` on. The highest bit of each, its
        pivot, is in no other one.
    """

    n_qubits: int
    run_qubits: int
    basis: tuple[int, ...]

    @property
    def chunk_qubits(self) -> int:
        """The qubits of a chunk: the lowest number an amplitude within a run, the others the vectors to add."""
        return self.run_qubits + len(self.basis)

    @property
    def _pivots(self) -> list[int]:
        return [highest_position(vector) for vector in self.basis]

    @property
    def _others(self) -> list[int]:
        """The positions that number a coset: all that are neither within a run nor pivots."""
        pivots = self._pivots
        return [position for position in range(self.n_qubits - self.run_qubits) if position not in pivots]

    def _offsets(self) -> NDArray[np.int64]:
        """Return ``offsets[j]``, the vector that leads from the first run of a chunk to run j."""
        offsets = np.zeros(1, np.int64)
        for vector in self.basis:
            offsets = np.concatenate([offsets, offsets ^ vector])
        return offsets

    def _counting(self, first: int, fixed: Mapping[int, int]) -> NDArray[np.bool_]:
        """Tell for each run of the chunk whose first run is `first` whether it may be other than 0."""
        held = {position - self.run_qubits: value for position, value in fixed.items() if position >= self.run_qubits}
        wanted = mask_of(j for j, value in enumerate(held.values()) if value)
        counting: NDArray[np.bool_] = extract_bits(self._offsets() ^ first, list(held)) == wanted
        return counting

    def numbers(self, fixed: Mapping[int, int]) -> list[int]:
        """Return the numbers of the chunks that are not 0, where some positions have one value in all that is not."""
        others = self._others
        return [
            number for number in range(2 ** len(others)) if self._counting(deposit_bits(number, others), fixed).any()
        ]

    def runs(self, number: int, fixed: Mapping[int, int]) -> Iterator[tuple[slice, int, bool]]:
        """Yield the runs of a chunk: where each is in the chunk and in the file, and whether it may be other than 0."""
        size, first = 2**self.run_qubits, deposit_bits(number, self._others)
        counting = self._counting(first, fixed).tolist()
        for run, offset in enumerate(self._offsets().tolist()):
            yield slice(run * size, (run + 1) * size), shifted_up(first ^ offset, self.run_qubits), counting[run]

    def holds(self, flips: int) -> bool:
        """Tell whether a product that flips these positions brings no amplitudes of two chunks together."""
        return not _reduced(shifted_down(flips, self.run_qubits), self.basis)

    def within_chunk(self, x: int, z: int, number: int) -> tuple[int, int, int]:
        """Return what a product of Paulis is on a chunk, and the sign of it: ``(x, z, sign)``.

        Parameters
        ----------
        x, z
            The product, as masks of the positions in the file, of which the cosets hold the flips `x`.
        """
        high_x, high_z = shifted_down(x, self.run_qubits), shifted_down(z, self.run_qubits)
        within_x, within_z = lowest_bits(x, self.run_qubits), lowest_bits(z, self.run_qubits)
        ones = parity(high_z & deposit_bits(number, self._others))
        # A product has a factor i for each Y. Those in a chunk are as many up to an even number, each two a factor -1.
        factors = (high_x & high_z).bit_count()
        for j, vector in enumerate(self.basis):
            is_flipped, is_signed = has_bit(high_x, highest_position(vector)), parity(vector & high_z)
            within_x += shifted_up(int(is_flipped), self.run_qubits + j)
            within_z += shifted_up(is_signed, self.run_qubits + j)
            factors -= int(is_flipped and is_signed)
        return within_x, within_z, 1 - 2 * ((ones + factors // 2) % 2)


def cosets_with(flips: Iterable[int], n_qubits: int, chunk_qubits: int, run_qubits: int) -> Cosets:
    """Return cosets that hold as many of these flips, in their order, as chunks of so many qubits can.

    Parameters
    ----------
    flips
        Masks of positions in the file. The cosets hold the first one.
    run_qubits
        The lowest positions that vary within a run, fewer than the qubits of a chunk if those are fewer than all.
    """
    size = chunk_qubits - run_qubits
    basis: tuple[int, ...] = ()
    vectors = [shifted_down(one, run_qubits) for one in flips]
    units = [shifted_up(1, position) for position in range(n_qubits - run_qubits)]  # fill chunks up
    for vector in (*vectors, *units):
        if len(basis) == size:
            break
        if new := _reduced(vector, basis):
            pivot = highest_position(new)
            basis = (*(old ^ new if has_bit(old, pivot) else old for old in basis), new)
    return Cosets(n_qubits, run_qubits, tuple(sorted(basis)))


def _reduced(vector: int, basis: Iterable[int]) -> int:
    """Return a vector without what the basis spans of it: 0 if the basis spans all of it."""
    for one in basis:
        if has_bit(vector, highest_position(one)):
            vector ^= one
    return vector
