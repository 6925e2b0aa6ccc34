"""Density matrices on any device: each is held there as a state of twice the qubits.

Entry (r, c) of a density matrix of n qubits is amplitude ``r + 2**n * c``. How gates act on it is described in
`engine/superoperators.py`. What is read are probabilities, from the diagonal, and a few entries beside it, so that
devices need nothing for density matrices but to read amplitudes. All of it is relative to the trace, which errors and
gates preserve.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np

from basicaer.engine.bits import deposit_bits, extract_bits, signs
from basicaer.engine.irreversible import Irreversible
from basicaer.engine.monitor import Monitor
from basicaer.engine.sampling import last_with_weight

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from basicaer.engine.device import Batch, Device, Generators, SegmentBatch, State
    from basicaer.engine.plan import Costs, Plan
    from basicaer.engine.program import Segment
    from basicaer.options import Precision

__all__ = ["DensityBatch", "DensityDevice", "DensityState"]

_ENTRIES_AT_ONCE = 2**18  # entries whose indices are made at a time


class DensityState(Irreversible):
    """A density matrix of `n_qubits` qubits; see `basicaer.engine.device.State` for what each method promises.

    Parameters
    ----------
    state
        The state of twice the qubits that holds it, which belongs to it from then on.
    """

    def __init__(self, state: State, monitor: Monitor) -> None:
        self.held_as = state
        self.n_qubits = state.n_qubits // 2
        self._size = 2**self.n_qubits
        self._monitor = monitor

    @property
    def any_untouched(self) -> bool:
        return self.held_as.any_untouched

    def set_identity(self) -> None:
        self.held_as.set_identity()

    def load(self, amplitudes: NDArray[np.complexfloating]) -> None:
        """Become the density matrix of a statevector, or one that `read` has returned."""
        if len(amplitudes) == self._size:
            amplitudes = np.outer(amplitudes.conj(), amplitudes).reshape(-1)
        self.held_as.load(amplitudes)

    def run(self, segment: Segment, plan: Plan | None, after_pass: Callable[[], None] | None = None) -> None:
        self.held_as.run(segment, plan, after_pass)

    def prepare(self, qubits: tuple[int, ...], amplitudes: NDArray[np.complexfloating]) -> None:
        self.held_as.prepare(qubits, amplitudes)
        self.held_as.prepare(tuple([qubit + self.n_qubits for qubit in qubits]), amplitudes.conj())

    def weights(self, qubit: int) -> tuple[float, float]:
        zero, one = self.probabilities((qubit,)).tolist()
        return zero, one

    def collapse(self, qubit: int, *, outcome: bool, probability: float) -> None:
        self.held_as.collapse(qubit, outcome=outcome, probability=probability)
        self.held_as.collapse(qubit + self.n_qubits, outcome=outcome, probability=probability)

    def bring_into_order(self) -> None:
        """Do nothing: blocks are read entry by entry."""

    def block_weights(self, block_qubits: int) -> NDArray[np.float64]:
        weights: NDArray[np.float64] = self._diagonal().reshape(-1, 2**block_qubits).sum(axis=1)
        return weights

    def block_probabilities(self, block: int, block_qubits: int) -> NDArray[np.float64]:
        return self._diagonal(block * 2**block_qubits, 2**block_qubits)

    def probabilities(self, qubits: Sequence[int]) -> NDArray[np.float64]:
        diagonal = self._diagonal()
        if tuple(qubits) == tuple(range(self.n_qubits)):
            return diagonal
        values = extract_bits(np.arange(self._size), qubits)
        return np.bincount(values, diagonal, 2 ** len(qubits)).astype(np.float64, copy=False)

    def indices_of_draws(
        self, block_qubits: int, blocks: NDArray[np.int64], thresholds: NDArray[np.float64]
    ) -> NDArray[np.int64]:
        indices = np.empty(len(blocks), np.int64)
        for block in np.unique(blocks).tolist():
            own = blocks == block
            ends = self.block_probabilities(block, block_qubits).cumsum()
            found = last_with_weight(ends, ends.searchsorted(thresholds[own], side="right"))
            indices[own] = found + block * 2**block_qubits
        return indices

    def expectations(self, masks: Sequence[tuple[int, int]]) -> NDArray[np.float64]:
        values = np.empty(len(masks))
        j = np.arange(self._size)
        trace = self._diagonal().sum()
        for flips in dict.fromkeys(x for x, _ in masks):
            # The Pauli takes basis state j to i**(number of Ys) * (-1)**(bits of z in j) times basis state j ^ x.
            entries = self._entries(j, j ^ flips)
            for number, (x, z) in enumerate(masks):
                if x == flips:
                    summed = (entries * signs(j, z)).sum()
                    values[number] = (1j ** (x & z).bit_count() * summed).real / trace
            self._monitor.advance(1)
        return values

    def density_matrix(
        self, qubits: Sequence[int], advance: Callable[[float], None] = lambda _share: None
    ) -> NDArray[np.complex128]:
        """Return the density matrix of some qubits, ``qubits[0]`` least significant; of trace 1.

        Parameters
        ----------
        advance
            Called with each share of the work that is done.
        """
        own = deposit_bits(np.arange(2 ** len(qubits)), qubits)
        if len(own) == self._size:
            self._monitor.poll()
            columns = self.held_as.read().astype(np.complex128, copy=False).reshape(self._size, self._size)
            matrix: NDArray[np.complex128] = columns.T[np.ix_(own, own)]
            advance(1.0)
        else:
            matrix = np.zeros((len(own), len(own)), complex)
            others = [qubit for qubit in range(self.n_qubits) if qubit not in qubits]
            for rest in deposit_bits(np.arange(2 ** len(others)), others).tolist():
                for start in range(0, len(own), max(_ENTRIES_AT_ONCE // len(own), 1)):
                    some = slice(start, start + max(_ENTRIES_AT_ONCE // len(own), 1))
                    matrix[some] += self._entries(own[some, None] + rest, own + rest)
                advance(2.0 ** -len(others))
        matrix /= np.trace(matrix).real
        return matrix

    def read(self, indices: NDArray[np.int64] | None = None) -> NDArray[np.complexfloating]:
        """Return the entries as they are held, column by column."""
        return self.held_as.read(indices)

    def amplitudes(self) -> NDArray[np.complexfloating]:
        return self.held_as.amplitudes()

    def device_array(self) -> Any:
        return self.held_as.device_array()

    def layout(self) -> dict[str, Any]:
        return self.held_as.layout()

    def amplitude_parts(self) -> Iterator[NDArray[np.complexfloating]]:
        return self.held_as.amplitude_parts()

    def restore(self, layout: Mapping[str, Any], parts: Iterable[bytes]) -> None:
        self.held_as.restore(layout, parts)

    def read_part(self, qubits: Sequence[int], value: int, part: int, out: NDArray[np.complexfloating]) -> None:
        self.held_as.read_part(qubits, value, part, out)

    def write_part(self, qubits: Sequence[int], value: int, part: int, amplitudes: NDArray[np.complexfloating]) -> None:
        self.held_as.write_part(qubits, value, part, amplitudes)

    def copy(self) -> Self:
        return type(self)(self.held_as.copy(), self._monitor)

    def release(self) -> None:
        self.held_as.release()

    def _diagonal(self, first: int = 0, count: int | None = None) -> NDArray[np.float64]:
        """Return the probabilities of some indices; rounding may make entries negative, which count as 0."""
        i = np.arange(first, self._size if count is None else first + count)
        return np.maximum(self._entries(i, i).real.astype(np.float64, copy=False), 0.0)

    def _entries(self, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> NDArray[np.complexfloating]:
        self._monitor.poll()
        return self.held_as.read(rows + self._size * columns)


class DensityBatch:
    """Density matrices that are changed together; see `basicaer.engine.device.Batch` for what each method promises.

    Parameters
    ----------
    batch
        The batch of states of twice the qubits that holds them.
    """

    def __init__(self, batch: Batch, monitor: Monitor) -> None:
        self.held_as = batch
        self.n_qubits = batch.n_qubits // 2
        self._monitor = monitor

    def __len__(self) -> int:
        return len(self.held_as)

    def run(self, segments: SegmentBatch, plan: Plan | None) -> None:
        self.held_as.run(segments, plan)

    def block_weights(self, block_qubits: int) -> NDArray[np.float64]:
        return np.array([state.block_weights(block_qubits) for state in self._each()])

    def expectations(self, masks: Sequence[tuple[int, int]]) -> NDArray[np.float64]:
        silent = self._monitor.silent()
        return np.array([DensityState(self.held_as.state(i), silent).expectations(masks) for i in range(len(self))])

    def weights(self, qubit: int) -> NDArray[np.float64]:
        return np.array([state.weights(qubit) for state in self._each()])

    def norms(self) -> NDArray[np.float64]:
        """Return the traces."""
        traces: NDArray[np.float64] = self.block_weights(self.n_qubits)[:, 0]
        return traces

    def collapse(self, qubit: int, outcomes: NDArray[np.bool_], probabilities: NDArray[np.float64]) -> None:
        self.held_as.collapse(qubit, outcomes, probabilities)
        self.held_as.collapse(qubit + self.n_qubits, outcomes, probabilities)

    def take(self, numbers: NDArray[np.intp]) -> Self:
        return type(self)(self.held_as.take(numbers), self._monitor)

    def join(self, others: Sequence[Self]) -> Self:
        return type(self)(self.held_as.join([other.held_as for other in others]), self._monitor)

    def alike(self, keys: NDArray[np.int64], *, up_to_phase: bool) -> NDArray[np.intp]:
        del up_to_phase  # density matrices have no global phase
        return self.held_as.alike(keys, up_to_phase=False)

    def state(self, number: int) -> DensityState:
        return DensityState(self.held_as.state(number), self._monitor)

    def layout(self) -> dict[str, Any]:
        return self.held_as.layout()

    def operated(self, masks: Sequence[tuple[int, int]], factors: NDArray[np.float64]) -> Self:
        raise NotImplementedError  # errors cannot be undone, so that no gradient asks for it

    def overlaps(self, bras: Sequence[Self]) -> NDArray[np.complex128]:
        raise NotImplementedError  # as above

    def undo(
        self,
        bras: Sequence[Self],
        segments: SegmentBatch,
        plan: Plan | None,
        start: Mapping[str, Any],
        generators: Generators,
        *,
        is_last: bool = False,
    ) -> dict[int, NDArray[np.complex128]]:
        raise NotImplementedError  # as above

    def _each(self) -> Iterator[DensityState]:
        return map(self.state, range(len(self)))


class DensityDevice:
    """Holds density matrices on another device; see `basicaer.engine.device.Device` for what each method promises.

    Numbers of qubits are those of the states that hold them, which are twice as many as the density matrices have.
    """

    axes = 2

    def __init__(self, device: Device) -> None:
        self._device = device
        self.name = device.name
        self.is_host = device.is_host
        self.threads = device.threads
        self.queue = device.queue

    def layout_name(self, precision: Precision) -> str:
        return self._device.layout_name(precision)

    def new_state(self, n_qubits: int, precision: Precision, monitor: Monitor | None = None) -> DensityState:
        monitor = monitor or Monitor()
        return DensityState(self._device.new_state(n_qubits, precision, monitor), monitor)

    def new_batch(
        self, n_qubits: int, precision: Precision, count: int, monitor: Monitor | None = None
    ) -> DensityBatch:
        monitor = monitor or Monitor()
        return DensityBatch(self._device.new_batch(n_qubits, precision, count, monitor), monitor)

    def batch_of(self, states: Sequence[State], precision: Precision, monitor: Monitor) -> DensityBatch:
        held = [state.held_as for state in states if isinstance(state, DensityState)]  # all are its own
        return DensityBatch(self._device.batch_of(held, precision, monitor), monitor)

    def most_states(self, n_qubits: int, precision: Precision) -> int:
        return self._device.most_states(n_qubits, precision)

    def costs(self, n_qubits: int, precision: Precision) -> Costs | None:
        return self._device.costs(n_qubits, precision)

    def undoing_costs(self, n_qubits: int, precision: Precision) -> Costs | None:
        return self._device.undoing_costs(n_qubits, precision)

    def most_undone(self, n_qubits: int, precision: Precision) -> int:
        return self._device.most_undone(n_qubits, precision)

    def runs_by_plan(self, n_gates: int, n_qubits: int, precision: Precision, *, any_untouched: bool) -> bool:
        return self._device.runs_by_plan(n_gates, n_qubits, precision, any_untouched=any_untouched)

    def gate_seconds(self, n_qubits: int, precision: Precision) -> float:
        return self._device.gate_seconds(n_qubits, precision)

    def free_bytes(self) -> int:
        return self._device.free_bytes()

    def expected_free_bytes(self) -> int:
        return self._device.expected_free_bytes()

    def scratch_bytes(self, precision: Precision) -> int:
        return self._device.scratch_bytes(precision)
