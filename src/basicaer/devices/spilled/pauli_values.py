"""Expectation values of products of Paulis in a state in a file: many of them from each time that the file is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from basicaer.devices.spilled.amplitudes import LONG_RUN_QUBITS, SpilledAmplitudes
from basicaer.devices.spilled.chunks import pass_over
from basicaer.devices.spilled.cosets import cosets_with
from basicaer.engine.bits import deposit_bits
from basicaer.engine.paulis import by_flips

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from basicaer.devices.spilled.chunks import Buffer
    from basicaer.devices.spilled.cosets import Cosets

__all__ = ["SpilledPauliValues"]


class SpilledPauliValues(SpilledAmplitudes):
    """A state in a file of which expectation values are read; see `basicaer.engine.device.State`."""

    def expectations(self, masks: Sequence[tuple[int, int]]) -> NDArray[np.float64]:
        placed = [(deposit_bits(x, self._place), deposit_bits(z, self._place)) for x, z in masks]
        values, norm = np.zeros(len(masks)), 1.0
        left = by_flips(placed)
        low = max(min(LONG_RUN_QUBITS, self._n_local - 2), 0)  # runs are long, and chunks hold some flips of other bits
        while left:
            cosets = cosets_with(left, self.n_qubits, self._n_local, low)
            now = [flips for flips in left if cosets.holds(flips)]
            places = [place for flips in now for place in left.pop(flips)]
            sums, norm = self._sums_over(cosets, [placed[place] for place in places])
            values[places] = sums / norm
            self._workshop.monitor.advance(len(now))
        return values

    def _sums_over(self, cosets: Cosets, masks: Sequence[tuple[int, int]]) -> tuple[NDArray[np.float64], float]:
        """Return the values of products that the cosets hold, times the squared norm of the file; and that norm."""
        sums, norm = np.zeros(len(masks)), 0.0

        def work(number: int, buffer: Buffer) -> None:
            nonlocal norm
            self._poll()
            chunk = self._chunk_state(buffer, cosets.chunk_qubits)
            if weight := sum(chunk.weights(0)):
                within = [cosets.within_chunk(x, z, number) for x, z in masks]
                values = chunk.expectations([(x, z) for x, z, _ in within])
                sums[:] += weight * values * np.array([sign for _, _, sign in within])
                norm += weight

        numbers, buffers = cosets.numbers(self._fixed_positions()), self._workshop.buffers(2**cosets.chunk_qubits)
        pass_over(numbers, buffers, self._loading(cosets), work, None, self._poll, ends_late=self._store.ends_late)
        return sums, norm
