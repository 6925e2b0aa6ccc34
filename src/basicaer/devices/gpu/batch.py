"""Many small states side by side in a card's memory, changed together: parameter sets of a circuit, or shots."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np

from basicaer.devices.gpu.adjoint import CupyReversible
from basicaer.devices.gpu.state import CupyState
from basicaer.devices.likeness import are_alike, largest_distance
from basicaer.engine.device import SegmentBatch, segment_batch

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from basicaer.engine.device import Generators
    from basicaer.engine.plan import Plan
    from basicaer.engine.program import Segment

__all__ = ["CupyBatch"]

_MARK_QUBITS = 6  # probabilities of this many qubits tell states apart before they are compared


class CupyBatch(CupyReversible):
    """States that have a plan in common. One launch changes all of them: a small state is one block of it.

    The cost of a launch is paid once for many circuits, each of which would leave most of a card idle by itself.
    """

    def __len__(self) -> int:
        return self._count

    def run(self, segments: SegmentBatch | Sequence[Segment], plan: Plan | None) -> None:
        """Apply to the i-th state the gates of ``segments[i]``.

        Parameters
        ----------
        segments
            One for each state, all with the structure that `plan` was made for. They are bound to the plan together.
        """
        if len(segments) != self._count:
            raise ValueError(f"{len(segments)} segments for {self._count} states")
        together = segments if isinstance(segments, SegmentBatch) else segment_batch(segments)
        self._run(together, plan, counted=False)

    def weights(self, qubit: int) -> NDArray[np.float64]:
        return self._weights([qubit])

    def norms(self) -> NDArray[np.float64]:
        norms: NDArray[np.float64] = self.weights(0).sum(axis=1)
        return norms

    def collapse(self, qubit: int, outcomes: NDArray[np.bool_], probabilities: NDArray[np.float64]) -> None:
        """Project `qubit` of state i onto ``outcomes[i]``, whose probability is ``probabilities[i]``; renormalise."""
        self._collapse(qubit, outcomes, probabilities)

    def block_weights(self, block_qubits: int) -> NDArray[np.float64]:
        """Return ``w[i, b]``, for state i the sum of the probabilities of the indices with b above `block_qubits`."""
        return self._weights(range(block_qubits, self.n_qubits))

    def expectations(self, masks: Sequence[tuple[int, int]]) -> NDArray[np.float64]:
        return self._expectations(masks)

    def take(self, numbers: NDArray[np.intp]) -> Self:
        with self._working("copying states"):
            vector = self._queue.gather([self._part(number) for number in numbers.tolist()])
        return self._with(vector, len(numbers))

    def join(self, others: Sequence[Self]) -> Self:
        batches = [self, *others]
        for batch in batches:
            batch.in_order()
        with self._working("copying states"):
            vector = self._queue.gather([batch._vector for batch in batches])  # noqa: SLF001  # a member of the same class
        return self._with(vector, sum(map(len, batches)))

    def layout(self) -> dict[str, Any]:
        return {}  # `undo` needs nothing of it

    def operated(self, masks: Sequence[tuple[int, int]], factors: NDArray[np.float64]) -> Self:
        return self._operated(masks, factors)

    def undo(  # as the contract has it
        self,
        bras: Sequence[Self],
        segments: SegmentBatch,
        plan: Plan | None,
        start: Mapping[str, Any],
        generators: Generators,
        *,
        is_last: bool = False,
    ) -> dict[int, NDArray[np.complex128]]:
        del plan, start  # Gates are undone where their qubits stand now.
        return self._undo(bras, segments, generators, lambda _share: None, is_last=is_last)

    def alike(self, keys: NDArray[np.int64], *, up_to_phase: bool) -> NDArray[np.intp]:
        # Equal states have equal probabilities; only states that may be equal are brought to the host.
        digits = int(-np.log10(largest_distance(self._dtype))) - 1
        marks = np.column_stack([keys, self._weights(range(self.n_qubits)[-_MARK_QUBITS:]).round(digits)])
        mark = np.unique(marks, axis=0, return_inverse=True)[1].reshape(-1)  # NumPy 2.0 gives it another shape
        first = np.arange(len(self))
        self.in_order()
        for value in np.flatnonzero(np.bincount(mark) > 1):
            seen: list[tuple[int, NDArray[np.complexfloating]]] = []  # one state of each kind, with its number
            for number in np.flatnonzero(mark == value).tolist():
                with self._working("comparing states"):
                    own = self._queue.download(self._part(number))
                for other, amplitudes in seen:
                    if are_alike(amplitudes, own, up_to_phase=up_to_phase):
                        first[number] = other
                        break
                else:
                    seen.append((number, own))
        return first

    def _part(self, number: int) -> Any:
        """Return the amplitudes of one state."""
        start = range(self._count)[number] * 2**self._wires
        return self._vector[start : start + 2**self._wires]

    def _with(self, vector: Any, count: int) -> Self:
        """Return a batch of other states, which are laid out in the same way."""
        batch = object.__new__(type(self))
        batch.__dict__.update(self.__dict__)
        with self._working("copying states"):
            first = self._queue.upload(self._first(range(count)))
        batch.__dict__.update(_count=count, _vector=vector, _first_of_each=first)
        return batch

    @classmethod
    def of(cls, states: Sequence[CupyState]) -> Self:
        """Return a batch of copies of states."""
        for state in states:
            state.in_order()
        batch = object.__new__(cls)
        batch.__dict__.update(states[0].__dict__)
        with batch._working("copying states"):  # a member of the same class
            vector = batch._queue.gather([state._vector for state in states])  # noqa: SLF001
        return batch._with(vector, len(states))

    def state(self, number: int) -> CupyState:
        """Return one of the states, to be read; it shares the batch's memory."""
        one = object.__new__(CupyState)
        one.__dict__.update(self.__dict__)
        one.__dict__.update(_count=1, _vector=self._part(number), _shares_memory=True)
        return one
