"""Many small states side by side in a card's memory, changed together: parameter sets of a circuit, or shots."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from basicaer.devices.gpu.amplitudes import CupyAmplitudes
from basicaer.devices.gpu.state import CupyState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from basicaer.engine.plan import Plan
    from basicaer.engine.program import Segment

__all__ = ["CupyBatch"]


class CupyBatch(CupyAmplitudes):
    """States that have a plan in common. One launch changes all of them: a small state is one block of it.

    So the cost of a launch is paid once for many circuits, each of which by itself would leave most of a card idle.
    """

    def __len__(self) -> int:
        return self._count

    def run(self, segments: Sequence[Segment], plan: Plan | None) -> None:
        """Apply to the i-th state the gates of ``segments[i]``.

        Parameters
        ----------
        segments
            One for each state, all with the structure that `plan` was made for. If several states have the same object,
            it is bound to the plan once. Where numbers give states different operations (a rotation by 0 has none),
            there is a launch for each kind of state.
        """
        if len(segments) != self._count:
            raise ValueError(f"{len(segments)} segments for {self._count} states")
        self._run(segments, plan, counted=False)

    def probabilities_of_one(self, qubit: int) -> NDArray[np.float64]:
        """Return each state's probability of measuring 1, relative to its norm."""
        zero, one = self._weights([qubit]).T
        return np.asarray(one / (zero + one))

    def collapse(self, qubit: int, outcomes: NDArray[np.bool_], probabilities: NDArray[np.float64]) -> None:
        """Project `qubit` of state i onto ``outcomes[i]``, whose probability is ``probabilities[i]``; renormalise."""
        self._collapse(qubit, outcomes, probabilities)

    def block_weights(self, block_qubits: int) -> NDArray[np.float64]:
        """Return ``w[i, b]``, for state i the sum of the probabilities of the indices with b above `block_qubits`."""
        return self._weights(range(block_qubits, self.n_qubits))

    def expectations(self, x: int, zs: Sequence[int]) -> NDArray[np.float64]:
        """Return ``values[i, j]``: for state i what `State.expectations` returns for ``zs[j]``."""
        return np.stack([self._expectations(x, z) for z in zs], axis=1)

    def state(self, number: int) -> CupyState:
        """Return one of the states, to be read.

        It shares the batch's memory, so the batch is not to be used once the state was changed.
        """
        one = object.__new__(CupyState)
        one.__dict__.update(self.__dict__)
        start = range(self._count)[number] * 2**self._wires
        one.__dict__.update(_count=1, _vector=self._vector[start : start + 2**self._wires])
        return one
