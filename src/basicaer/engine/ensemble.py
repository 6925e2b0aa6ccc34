"""The states of branches that stand at the same place of a program, changed together.

Small states are kept as a batch of the device's, whose gates run on all of them at once; others one by one.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from basicaer.engine.device import SegmentBatch, segment_batch
from basicaer.engine.program import Form, Gate, Segment
from basicaer.engine.sampling import sample_in_any_order, sample_side_by_side

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from basicaer.engine.device import Batch, Device, State
    from basicaer.engine.monitor import Monitor
    from basicaer.engine.plan import Plan
    from basicaer.options import Precision

__all__ = ["MOST_AMPLITUDES", "Ensemble"]

_FEW = 2  # up to this many states stay separate when they part, since they may soon take different paths
_FLIP = np.array([[0, 1], [1, 0]], complex)
MOST_AMPLITUDES = 2**24
"""Limit of a batch, which is copied as a whole when its states part: 256 MiB in double precision."""


class Ensemble:
    """States of the same number of qubits.

    Parameters
    ----------
    states
        The states, which belong to the ensemble from then on.
    """

    def __init__(self, device: Device, states: list[State] | Batch, precision: Precision, monitor: Monitor) -> None:
        self._device = device
        self._precision = precision
        self._monitor = monitor
        self._states = states
        self._wires = (states[0] if isinstance(states, list) else states).n_qubits * device.axes

    def __len__(self) -> int:
        return len(self._states)

    @property
    def single(self) -> State | None:
        """The state, where there is only one."""
        return self._states[0] if isinstance(self._states, list) and len(self._states) == 1 else None

    def state(self, number: int) -> State:
        """Return one of the states, to be read."""
        return self._states[number] if isinstance(self._states, list) else self._states.state(number)

    def each(self) -> Iterator[State]:
        """Yield the states, to be changed one by one."""
        self._one_by_one()
        assert isinstance(self._states, list)  # for the type checker  # noqa: S101
        yield from self._states

    def run(self, segments: Sequence[Segment], planned: Callable[[State | None], Plan | None]) -> None:
        """Apply to each state its own segment, or the same one to all where there is only one.

        Parameters
        ----------
        planned
            Returns the plan for a state, or for a batch where None is given.
        """
        if isinstance(self._states, list):
            for number, state in enumerate(self._states):
                segment = segments[number if len(segments) > 1 else 0]
                state.run(segment, planned(state))
            return
        if isinstance(segments, SegmentBatch) and len(segments) == len(self):
            together = segments
        else:
            together = SegmentBatch(segments[0], (), len(self)) if len(segments) == 1 else segment_batch(segments)
        self._states.run(together, planned(None))

    def flip(
        self, qubit: int, flipped: NDArray[np.bool_], planned: Callable[[Segment, State | None], Plan | None]
    ) -> None:
        """Apply X to a qubit of those states that are to be flipped."""
        if not flipped.any():
            return
        template = _flipping(qubit)
        if isinstance(self._states, list):
            for state, flips in zip(self._states, flipped, strict=True):
                if flips:
                    state.run(template, planned(template, state))
            return
        matrices = np.where(flipped[:, None, None], _FLIP, np.eye(2))
        self._states.run(SegmentBatch(template, [((0,), matrices[:, None])], len(self)), planned(template, None))

    def multiply(
        self,
        qubits: tuple[int, ...],
        matrices: NDArray[np.complex128],
        planned: Callable[[Segment, State | None], Plan | None],
    ) -> None:
        """Apply ``matrices[i]`` to some qubits of state i."""
        template = _multiplying(qubits)
        changes = (matrices != np.eye(matrices.shape[1])).any(axis=(1, 2))
        if not changes.any():
            return
        if isinstance(self._states, list):
            for state, matrix, is_changed in zip(self._states, matrices, changes.tolist(), strict=True):
                if is_changed:
                    segment = Segment((template.gates[0].with_data(matrix),))
                    state.run(segment, planned(segment, state))
            return
        self._states.run(SegmentBatch(template, [((0,), matrices[:, None])], len(self)), planned(template, None))

    def weights(self, qubit: int) -> NDArray[np.float64]:
        """Return ``w[i, v]``, the squared norm of the part of state i where a qubit is v."""
        if isinstance(self._states, list):
            return np.array([state.weights(qubit) for state in self._states])
        return self._states.weights(qubit)

    def expectations(self, masks: Sequence[tuple[int, int]]) -> NDArray[np.float64]:
        """Return ``values[i, j]``, the expectation value of the product of Paulis ``masks[j]`` in state i."""
        if isinstance(self._states, list):
            return np.array([state.expectations(masks) for state in self._states])
        return self._states.expectations(masks)

    def norms(self) -> NDArray[np.float64]:
        """Return the squared norm of each state."""
        if isinstance(self._states, list):
            return np.array([sum(state.weights(0)) for state in self._states])
        return self._states.norms()

    def collapse(self, qubit: int, outcomes: NDArray[np.bool_], probabilities: NDArray[np.float64]) -> None:
        """Project a qubit of state i onto ``outcomes[i]``, whose probability is ``probabilities[i]``; renormalise."""
        if not isinstance(self._states, list):
            self._states.collapse(qubit, outcomes, probabilities)
            return
        for state, outcome, probability in zip(self._states, outcomes.tolist(), probabilities.tolist(), strict=True):
            state.collapse(qubit, outcome=outcome, probability=probability)

    def taken(self, numbers: NDArray[np.intp]) -> Ensemble:
        """Return these states in this order, some perhaps several times. This consumes the ensemble."""
        if len(numbers) == len(self) and (numbers == np.arange(len(self))).all():
            return self
        if len(numbers) > _FEW and self._fits_a_batch(len(numbers)):
            self._side_by_side()
        if not isinstance(self._states, list):
            if len(numbers) > 1:
                return self._with(self._states.take(numbers))
            return self._with([self._states.state(int(numbers[0])).copy()])
        used = np.bincount(numbers, minlength=len(self))
        for state, times in zip(self._states, used.tolist(), strict=True):
            if not times:
                state.release()
        states = []
        for number in numbers.tolist():
            used[number] -= 1
            states.append(self._states[number].copy() if used[number] else self._states[number])
        return self._with(states)

    def copies(self, numbers: NDArray[np.intp]) -> Ensemble:
        """Return copies of these states in this order, some perhaps several times."""
        if isinstance(self._states, list):
            states = [self._states[number].copy() for number in numbers.tolist()]
            if len(states) > 1 and self._fits_a_batch(len(states)):
                return self._with(self._device.batch_of(states, self._precision, self._monitor))
            return self._with(states)
        if len(numbers) > 1:
            return self._with(self._states.take(numbers))
        return self._with([self._states.state(int(numbers[0])).copy()])

    def parted(self, going: NDArray[np.bool_]) -> tuple[Ensemble, Ensemble]:
        """Return the states that go, and those that stay. This consumes the ensemble."""
        chosen, others = np.flatnonzero(going), np.flatnonzero(~going)
        if isinstance(self._states, list):
            return (self._with([self._states[i] for i in chosen]), self._with([self._states[i] for i in others]))
        return self.taken(chosen), self.taken(others)  # each result is a copy of a part of the batch

    def joined(self, others: Sequence[Ensemble]) -> Ensemble:
        """Return the states of all ensembles, this one's first. This consumes all of them."""
        ensembles = [self, *others]
        if not self._fits_a_batch(sum(map(len, ensembles))):
            return self._with([state for ensemble in ensembles for state in ensemble.each()])
        if all(isinstance(ensemble._states, list) for ensemble in ensembles):  # noqa: SLF001  # a member of the same class
            states = [state for ensemble in ensembles for state in ensemble.each()]
            return self._with(self._device.batch_of(states, self._precision, self._monitor))
        first, *rest = [ensemble._side_by_side() for ensemble in ensembles]  # noqa: SLF001  # as above
        return self._with(first.join(rest))

    def found(self, numbers: NDArray[np.intp], draws: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return the index that each draw falls on in its state.

        Parameters
        ----------
        numbers
            Draw d is one from state ``numbers[d]``.
        draws
            Numbers in [0, 1), in any order.
        """
        if not isinstance(self._states, list):
            return sample_side_by_side(self._states.block_weights(0), numbers, draws)
        if len(self) == 1:
            return sample_in_any_order(self._states[0], draws)
        found = np.empty(len(draws), np.int64)
        order = np.argsort(numbers, kind="stable")
        ends = np.searchsorted(numbers[order], np.arange(len(self) + 1))
        for state, (start, stop) in zip(self._states, pairwise(ends.tolist()), strict=True):
            own = order[start:stop]
            if len(own):
                found[own] = sample_in_any_order(state, draws[own])
        return found

    def alike(self, keys: NDArray[np.int64], *, up_to_phase: bool) -> NDArray[np.intp] | None:
        """Return for each state the number of the first that is the same, among those of the same key.

        None where all are different, or where it is not worth looking.
        """
        if isinstance(self._states, list) and not self._fits_a_batch(len(self)):
            return None
        return self._side_by_side().alike(keys, up_to_phase=up_to_phase)

    def mix(self, number: NDArray[np.intp], weights: NDArray[np.float64]) -> None:
        """Let the first state of each number be the mean of all states i of this ``number[i]``: density matrices.

        Parameters
        ----------
        weights
            ``weights[i]`` is how much state i counts.
        """
        for own in [np.flatnonzero(number == one) for one in np.unique(number)]:
            if len(own) > 1:
                self._one_by_one()
                assert isinstance(self._states, list)  # for the type checker  # noqa: S101
                shares = (weights[own] / weights[own].sum()).tolist()
                mean = sum(self._states[i].read() * share for i, share in zip(own.tolist(), shares, strict=True))
                self._states[own[0]].load(np.asarray(mean))

    def release(self) -> None:
        """Give the memory back."""
        if isinstance(self._states, list):
            for state in self._states:
                state.release()

    def _with(self, states: list[State] | Batch) -> Ensemble:
        return Ensemble(self._device, states, self._precision, self._monitor)

    def _fits_a_batch(self, count: int) -> bool:
        if count * 2**self._wires > MOST_AMPLITUDES:
            return False
        return count <= self._device.most_states(self._wires, self._precision)

    def _side_by_side(self) -> Batch:
        if isinstance(self._states, list):
            self._states = self._device.batch_of(self._states, self._precision, self._monitor)
        return self._states

    def _one_by_one(self) -> None:
        if not isinstance(self._states, list):
            self._states = [self._states.state(number).copy() for number in range(len(self._states))]


@lru_cache(maxsize=256)
def _multiplying(qubits: tuple[int, ...]) -> Segment:
    """Return a complex matrix on some qubits as a segment; always the same object, as for `_flipping`."""
    matrix = np.eye(2 ** len(qubits)) * 1j
    return Segment((Gate("error", "G" * len(qubits), qubits, Form.MATRIX, matrix),))


@lru_cache(maxsize=64)
def _flipping(qubit: int) -> Segment:
    """Return X on a qubit as a segment; always the same object, for which devices keep what they have bound."""
    return Segment((Gate("x", "X", (qubit,), Form.MATRIX, _FLIP),))
