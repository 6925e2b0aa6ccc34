"""Expectation values of products of Paulis in a state that is divided among ranks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from basicaer.devices.distributed.amplitudes import DistributedAmplitudes
from basicaer.engine.bits import deposit_bits, lowest_bits, parity, positions_of, shifted_down, signs
from basicaer.engine.paulis import by_flips

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

__all__ = ["PauliValues"]

_COMPARED_AT_ONCE = 2**18  # amplitudes of two ranks


class PauliValues(DistributedAmplitudes):
    """A divided state of which expectation values are read.

    Z on a global qubit is a sign of the rank. Qubits that X or Y flip become local first, those of many products at
    once. Products that flip more qubits than are local compare the amplitudes of two ranks.
    """

    def expectations(self, masks: Sequence[tuple[int, int]]) -> NDArray[np.float64]:
        self._settle()
        values = np.empty(len(masks))
        left = by_flips(masks)
        while left:
            now = {flips: places for flips, places in left.items() if not self._split(flips)[1]}
            if now:
                places = [place for some in now.values() for place in some]
                values[places] = self._within_ranks([masks[place] for place in places])
            elif next(iter(left)).bit_count() <= self._n_local:
                self._make_local(positions_of(self._made_local_for(left)))
            else:
                flips, places = next(iter(left.items()))
                now = {flips: places}
                values[places] = self._across_ranks(flips, [masks[place][1] for place in places])
            left = {flips: places for flips, places in left.items() if flips not in now}
        values /= self._comm.sum(np.array([self._weight()]))
        return values

    def _weight(self) -> float:
        """Return the squared norm of what this rank has."""
        return sum(self._local.weights(0))

    def _split(self, mask: int) -> tuple[int, int]:
        """Return a mask of qubits as a mask of local qubits and one of the bits of the rank's number."""
        places = deposit_bits(mask, self._place)
        return lowest_bits(places, self._n_local), shifted_down(places, self._n_local)

    def _made_local_for(self, groups: Iterable[int]) -> int:
        """Return a mask of qubits that are local then, so that many groups of products flip local ones only."""
        wanted = 0
        for flips in groups:
            if (wanted | flips).bit_count() <= self._n_local:
                wanted |= flips
        return wanted

    def _within_ranks(self, masks: Sequence[tuple[int, int]]) -> NDArray[np.float64]:
        """Return the values, times the squared norm of the state, of products that flip local qubits only."""
        own = np.zeros(len(masks))
        if weight := self._weight():
            local = [(self._split(x)[0], self._split(z)[0]) for x, z in masks]
            turns = [1 - 2 * parity(self._split(z)[1] & self._comm.rank) for _, z in masks]
            own = weight * np.array(turns) * self._local.expectations(local)
        return self._comm.sum(own)

    def _across_ranks(self, flips: int, zs: Sequence[int]) -> NDArray[np.float64]:
        """Return the values, times the squared norm of the state, of products that flip the same qubits."""
        local, of_rank = self._split(flips)
        partner = self._comm.rank ^ of_rank
        sums = np.zeros(len(zs), complex)
        size = min(2**self._n_local, _COMPARED_AT_ONCE)
        theirs = np.empty(size, self._rank.dtype)
        for start in range(0, 2**self._n_local, size):
            # A product takes the amplitude at i of the partner to i ^ local here.
            i = np.arange(start, start + size)
            flipped = self._local.read(i ^ local)
            self._comm.swap(partner, self._local.read(i), theirs)
            products = flipped.conj() * theirs
            for number, z in enumerate(zs):
                sums[number] += np.sum(products * signs(i, self._split(z)[0]), dtype=complex)
        turns = [(1 - 2 * parity(self._split(z)[1] & partner)) * 1j ** (z & flips).bit_count() for z in zs]
        self._rank.monitor.advance(1)
        return self._comm.sum((sums * turns).real)
