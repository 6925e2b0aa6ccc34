"""What is read of a state in a file: sums over all chunks, one after another, and single amplitudes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from basicaer.devices.memory import free_if_too_little
from basicaer.devices.spilled.pauli_values import SpilledPauliValues
from basicaer.engine.bits import deposit_bits, extract_bits, mask_of, shifted_down
from basicaer.engine.sampling import last_with_weight
from basicaer.errors import BasicAerError
from basicaer.wording import counted, readable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from basicaer.devices.distributed.rank_gates import Places
    from basicaer.devices.spilled.chunks import Division
    from basicaer.engine.device import State

__all__ = ["SpilledReadings"]

_READ_AT_ONCE = 2**18  # amplitudes


class SpilledReadings(SpilledPauliValues):
    """A state in a file that is measured, sampled and read; see `basicaer.engine.device.State`."""

    _wants_order = False  # whether many blocks will be read; see `bring_into_order`

    def weights(self, qubit: int) -> tuple[float, float]:
        sums = np.zeros(2)

        def see(places: Places, chunk: State) -> None:
            if places.is_local(qubit):
                sums[:] += chunk.weights(places.place[qubit])
            else:
                sums[int(places.value(qubit))] += sum(chunk.weights(0))

        self._visit((), see)
        zero, one = (sums * self._factor**2).tolist()
        return zero, one

    def bring_into_order(self) -> None:
        """Note that many blocks will be read. Draws find theirs in any order, without a pass that moves amplitudes."""
        self._wants_order = True

    def block_weights(self, block_qubits: int) -> NDArray[np.float64]:
        above = range(block_qubits, self.n_qubits)
        weights = np.zeros(2 ** len(above))

        def see(places: Places, chunk: State) -> None:
            local = [j for j, qubit in enumerate(above) if places.is_local(qubit)]
            first = mask_of(j for j, qubit in enumerate(above) if places.is_one_here(qubit))
            of_chunk = chunk.block_weights(chunk.n_qubits - len(local))
            weights[deposit_bits(np.arange(len(of_chunk)), local) + first] += of_chunk

        self._visit((), see)
        return weights * self._factor**2

    def probabilities(self, qubits: Sequence[int]) -> NDArray[np.float64]:
        probabilities = np.zeros(2 ** len(qubits))

        def see(places: Places, chunk: State) -> None:
            local = [j for j, qubit in enumerate(qubits) if places.is_local(qubit)]
            first = mask_of(j for j, q in enumerate(qubits) if places.is_one_here(q))
            of_chunk = chunk.probabilities(places.local(qubits))
            probabilities[deposit_bits(np.arange(len(of_chunk)), local) + first] += of_chunk

        self._visit((), see)
        return probabilities * self._factor**2

    def block_probabilities(self, block: int, block_qubits: int) -> NDArray[np.float64]:
        if self._wants_order:
            self._sort()
            self._wants_order = False
        read = self._read(np.arange(2**block_qubits) + block * 2**block_qubits)
        squares: NDArray[np.float64] = read.real.astype(float) ** 2 + read.imag.astype(float) ** 2
        return squares

    def indices_of_draws(
        self, block_qubits: int, blocks: NDArray[np.int64], thresholds: NDArray[np.float64]
    ) -> NDArray[np.int64]:
        indices = np.empty(len(blocks), np.int64)
        if block_qubits > self._n_local:
            for block in np.unique(blocks).tolist():
                own = blocks == block
                ends = self.block_probabilities(block, block_qubits).cumsum()
                found = last_with_weight(ends, ends.searchsorted(thresholds[own], side="right"))
                indices[own] = found + block * 2**block_qubits
            return indices
        firsts = blocks * 2**block_qubits
        at = deposit_bits(firsts, self._place)
        chunk_of = np.empty(0, np.int64)

        def hit(division: Division) -> list[int]:
            nonlocal chunk_of
            chunk_of = extract_bits(at, division.others)
            return [int(number) for number in np.unique(chunk_of)]

        def see(places: Places, chunk: State) -> None:
            own = chunk_of == places.rank
            local = [qubit for qubit in range(self.n_qubits) if places.is_local(qubit)]
            # The qubits within a block are the lowest local ones, so that each block is a block of its chunk.
            of_chunk = shifted_down(extract_bits(firsts[own], local), block_qubits)
            found = chunk.indices_of_draws(block_qubits, of_chunk, thresholds[own] / self._factor**2)
            others = mask_of(q for q in range(self.n_qubits) if places.is_one_here(q))
            indices[own] = deposit_bits(found, local) + others

        self._visit(range(block_qubits), see, hit)
        return indices

    def read(self, indices: NDArray[np.int64] | None = None) -> NDArray[np.complexfloating]:
        if indices is None:
            return self._read_all()
        flat = indices.reshape(-1)
        parts = [self._read(flat[start : start + _READ_AT_ONCE]) for start in range(0, len(flat), _READ_AT_ONCE)]
        return np.concatenate(parts or [np.empty(0, self._workshop.dtype)]).reshape(indices.shape)

    def _read_all(self) -> NDArray[np.complexfloating]:
        """Return all amplitudes, if there is memory for them."""
        needed = self._workshop.dtype.itemsize * 2**self.n_qubits
        if (free := free_if_too_little(needed)) is not None:
            raise BasicAerError(
                f"All amplitudes of {counted(self.n_qubits, 'qubit')} need {readable(needed)} of memory, where "
                f"{readable(free)} are free; ask for some amplitudes, probabilities or expectation values instead."
            )
        self._sort()
        whole = np.empty(2**self.n_qubits, self._workshop.dtype)
        for start in range(0, len(whole), _READ_AT_ONCE):
            whole[start : start + _READ_AT_ONCE] = self._read(np.arange(start, min(start + _READ_AT_ONCE, len(whole))))
        return whole

    def amplitudes(self) -> NDArray[np.complexfloating]:
        whole = self._read_all()
        self.release()
        return whole

    def device_array(self) -> NDArray[np.complexfloating]:
        return self.amplitudes()

    def release(self) -> None:
        self._store.close()
