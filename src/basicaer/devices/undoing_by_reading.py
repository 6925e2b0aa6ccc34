"""Undoes segments on states of any device, which are read to sum up what derivatives need.

This is right for every device. It is slow for one that is not the host, since all amplitudes come to the host for each
few gates; a device with kernels of its own for such sums does not need it.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from basicaer.devices.operators import PauliOperator
from basicaer.devices.transitions import ProductSums, SmallGate
from basicaer.engine.bits import deposit_bits
from basicaer.engine.device import SegmentBatch
from basicaer.engine.program import Form, Segment
from basicaer.engine.unitaries import inverse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from basicaer.engine.device import Generators, State
    from basicaer.engine.program import Gate

__all__ = ["ReadStates", "amplitudes_operated", "sums_by_reading"]

_WIDEST = 4  # qubits of gates whose sums are taken together
_BLOCK_QUBITS = 16  # amplitudes of so many qubits are read between two polls


class ReadStates(Protocol):
    """States of some qubits that are read and changed together."""

    def read_each(self, indices: NDArray[np.int64]) -> NDArray[np.complex128]:
        """Return ``amplitudes[s, ...]`` at some indices of state s."""

    def run_each(self, segments: SegmentBatch) -> None:
        """Apply the gates of ``segments[s]`` to state s, one by one."""


class _Places(NamedTuple):
    """Where the gates of a run act: on the amplitudes ``own[v] + rest``, if `qubits` have the value v."""

    qubits: tuple[int, ...]
    own: NDArray[np.int64]
    others: tuple[int, ...]
    controls: tuple[int, ...]


def sums_by_reading(  # noqa: PLR0917  # the states, the gates, and what is wanted of them
    ket: ReadStates,
    bras: Sequence[ReadStates],
    n_qubits: int,
    segments: SegmentBatch,
    generators: Generators,
    poll: Callable[[], None],
) -> dict[int, NDArray[np.complex128]]:
    """Undo segments on kets and on bras, and return what `Batch.undo` returns."""
    gates = segments.template.gates
    found: dict[int, NDArray[np.complex128]] = {}
    for numbers in _runs(gates, generators):
        if any(number in generators for number in numbers):
            places = _places([gates[number] for number in numbers], n_qubits)
            matrices = _transitions(ket, bras, places, poll)
            small = [_small(number, segments, places) for number in numbers]
            own = [number for number in numbers if number in generators]
            sums = ProductSums(small, len(places.qubits), 0, own)
            found |= sums.sums(matrices, partial(_numbers, segments), generators)
        undone = _undone(numbers, segments)
        for states in (ket, *bras):
            states.run_each(undone)
    return found


def amplitudes_operated(
    state: State, masks: Sequence[tuple[int, int]], factors: NDArray[np.float64], poll: Callable[[], None]
) -> NDArray[np.complexfloating]:
    """Return the amplitudes of what `State.operated` returns."""
    amplitudes = state.read()[None]
    operator = PauliOperator(masks, factors[None], state.n_qubits)
    new = np.empty_like(amplitudes)
    for start in range(0, amplitudes.shape[1], operator.chunk):
        operator.apply(amplitudes, start, new, poll)
    operated: NDArray[np.complexfloating] = new[0]
    return operated


def _runs(gates: Sequence[Gate], generators: Generators) -> Iterator[list[int]]:
    """Yield the numbers of gates that follow one another on a few qubits, the last gates first, each run ascending.

    A gate with generators that is wider by itself stands alone; gates without are as many as there are.
    """
    run: list[int] = []
    qubits: set[int] = set()
    for number in reversed(range(len(gates))):
        own = {*gates[number].targets, *gates[number].controls}
        if run and len(qubits | own) > _WIDEST and (number in generators or any(one in generators for one in run)):
            yield run[::-1]
            run, qubits = [], set()
        run.append(number)
        qubits |= own
    if run:
        yield run[::-1]


def _places(gates: Sequence[Gate], n_qubits: int) -> _Places:
    controls: tuple[int, ...] = ()
    state = 0
    qubits = tuple(sorted({qubit for gate in gates for qubit in (*gate.targets, *gate.controls)}))
    if len(gates) == 1:  # it may be wide, and sums are taken only where its controls are on
        (gate,) = gates
        controls, state, qubits = gate.controls, gate.control_state, gate.targets
    own = deposit_bits(np.arange(2 ** len(qubits)), qubits) + deposit_bits(state, controls)
    others = tuple(qubit for qubit in range(n_qubits) if qubit not in qubits and qubit not in controls)
    return _Places(qubits, own, others, controls)


def _transitions(
    ket: ReadStates, bras: Sequence[ReadStates], places: _Places, poll: Callable[[], None]
) -> NDArray[np.complex128]:
    """Return ``matrices[b, s, 0, row, column]``, the transition matrices on the qubits of some gates."""
    own, others = places.own, places.others
    step = int(max(2 ** (_BLOCK_QUBITS - len(places.qubits)), 1))
    total: NDArray[np.complex128] | None = None
    for start in range(0, 2 ** len(others), step):
        poll()
        rest = deposit_bits(np.arange(start, min(start + step, 2 ** len(others))), others)
        rows = ket.read_each(own[:, None] + rest)
        of_bras = np.stack([bra.read_each(own[:, None] + rest) for bra in bras])
        part = rows @ of_bras.conj().swapaxes(-1, -2)
        total = part if total is None else total + part
    assert total is not None  # there is at least one block  # noqa: S101
    return total[:, :, None]


def _small(number: int, segments: SegmentBatch, places: _Places) -> SmallGate:
    gate = segments.template.gates[number]
    bit = {qubit: j for j, qubit in enumerate(places.qubits)}
    controls = () if places.controls else tuple([bit[qubit] for qubit in gate.controls])
    data = None if number in segments.data else gate.data
    targets = tuple([bit[qubit] for qubit in gate.targets])
    return SmallGate(number, gate.form, data, targets, controls, gate.control_state if controls else 0)


def _numbers(segments: SegmentBatch, gate: int) -> NDArray[Any]:
    """Return ``data[s]``, the numbers of a gate in each segment; one row if all have the same."""
    data: NDArray[Any] = segments.data[gate] if gate in segments.data else segments.template.gates[gate].data[None]
    return data


def _undone(numbers: Sequence[int], segments: SegmentBatch) -> SegmentBatch:
    """Return the inverse of some gates of segments."""
    gates = inverse([segments.template.gates[number] for number in numbers])
    groups = []
    for place, number in enumerate(reversed(numbers)):
        if number in segments.data:
            data = segments.data[number].conj()
            if gates[place].form is not Form.DIAGONAL:
                data = data.swapaxes(-1, -2)
            groups.append(((place,), data[:, None]))
    return SegmentBatch(Segment(tuple(gates)), groups, len(segments))
