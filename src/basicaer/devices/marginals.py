"""The probabilities of the values of some qubits, summed on the host from those of all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from basicaer.engine.bits import deposit_bits, extract_bits

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from basicaer.engine.device import State

__all__ = ["summed_by_blocks"]

_BLOCK_QUBITS = 16  # amplitudes of this many qubits are read between two polls


def summed_by_blocks(state: State, qubits: Sequence[int], poll: Callable[[], None]) -> NDArray[np.float64]:
    """Return what `State.probabilities` returns, block by block."""
    inside = min(state.n_qubits, _BLOCK_QUBITS)
    low = [qubit for qubit in qubits if qubit < inside]
    high = [qubit for qubit in qubits if qubit >= inside]
    summed = tuple(inside - 1 - qubit for qubit in range(inside) if qubit not in low)
    value_of_low = deposit_bits(np.arange(2 ** len(low)), [qubits.index(qubit) for qubit in sorted(low)])
    probabilities = np.zeros(2 ** len(qubits))
    if state.n_qubits > inside:
        state.bring_into_order()
    for block in range(2 ** (state.n_qubits - inside)):
        poll()
        part = state.block_probabilities(block, inside).reshape((2,) * inside).sum(axis=summed)
        value = extract_bits(block, [qubit - inside for qubit in high])
        probabilities[deposit_bits(value, [qubits.index(qubit) for qubit in high]) + value_of_low] += part.reshape(-1)
    return probabilities
