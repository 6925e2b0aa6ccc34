"""States on a card that go back through gates: observables applied to them, and sums that derivatives need."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from basicaer.devices.gpu.amplitudes import MOST_PARTS, CupyAmplitudes
from basicaer.devices.gpu.pauli_groups import signed_groups
from basicaer.devices.gpu.stops import stops
from basicaer.devices.gpu.structs import MOST_THREAD_BITS, MOST_THREADS, TERM, TRANSITION
from basicaer.devices.transitions import ProductSums, SmallGate
from basicaer.engine.bits import bit_at, deposit_bits, has_bit, mask_of
from basicaer.engine.device import SegmentBatch
from basicaer.engine.paulis import by_flips
from basicaer.engine.program import Form, Segment
from basicaer.engine.unitaries import inverse

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from basicaer.devices.gpu.stops import Run, Stop
    from basicaer.engine.device import Generators
    from basicaer.engine.program import Gate

__all__ = ["CupyReversible"]

_MOST_BLOCKS = 1024  # blocks that sum side by side, enough for every multiprocessor of a card
_SUM_BYTES = 16  # a complex sum in double precision
_TURNS = np.array([1, 1j, -1, -1j])  # i**(number of Ys)


class CupyReversible(CupyAmplitudes):
    """States that observables are applied to, and that go back through gates together with what comes of that."""

    def _operated(self, masks: Sequence[tuple[int, int]], factors: NDArray[np.float64]) -> Self:
        """Return new states: to state s, products of Paulis are applied with the factors ``factors[s]``, and summed."""
        order = [place for places in by_flips(masks).values() for place in places]
        x, z = np.array([masks[place] for place in order], np.int64).reshape(-1, 2).T
        turned = factors[:, order] * _TURNS[np.bitwise_count(x & z) % 4]
        terms = np.zeros(len(order), TERM)
        terms["flips"], terms["signs"] = deposit_bits(x, self._place), deposit_bits(z, self._place)
        made = object.__new__(type(self))
        made.__dict__.update(self.__dict__, _shares_memory=False)
        with self._working("applying an observable"):
            self._write_zeros()
            made._vector = self._queue.empty_state(self._vector.size, self._dtype)
            made._zero = self._zero
            uploaded = self._queue.upload(terms)
            for states, first in self._in_turn():
                own = self._queue.upload(turned[states.start : states.stop].astype(np.complex128))
                arguments = uploaded, np.uint32(len(terms)), own, np.uint64(len(terms)), first, made._vector
                self._go_through("apply_terms", 2**self._wires, *arguments, states=len(states))
            self._queue.wait()  # until then the kernel reads what was uploaded
        return made

    def overlaps(self, bras: Sequence[Self]) -> NDArray[np.complex128]:
        """Return ``overlaps[b, s]``, which is ``<bra|ket>`` of state s and that of bra b."""
        return np.stack([self._signed_sums(bra, [0])[:, 0] for bra in bras])

    def _undo(
        self,
        bras: Sequence[Self],
        segments: SegmentBatch,
        generators: Generators,
        advance: Callable[[float], None],
        *,
        is_last: bool,
    ) -> dict[int, NDArray[np.complex128]]:
        """Do what `State.undo` and `Batch.undo` do.

        Parameters
        ----------
        advance
            Called with the share of the gates that are undone, each time that some are.
        """
        gates = segments.template.gates
        found: dict[int, NDArray[np.complex128]] = {}
        for stop in stops(gates, generators, self.n_qubits):
            if stop.undone:
                undone = _undone(stop.undone, segments)
                is_over = is_last and len(found) == len(generators)  # The ket alone tells how much accuracy is lost.
                for states in (self,) if is_over else (self, *bras):
                    states._run(undone, None, counted=False)  # noqa: SLF001  # a member of the same class
            advance(len(stop.undone) / len(gates))
            found |= self._sums_at(stop, bras, segments, generators)
        return found

    def _sums_at(
        self, stop: Stop, bras: Sequence[Self], segments: SegmentBatch, generators: Generators
    ) -> dict[int, NDArray[np.complex128]]:
        """Return the sums of the gates at a stop, by their numbers."""
        found: dict[int, NDArray[np.complex128]] = {}
        for run in stop.runs:
            matrices = np.stack([self._transitions(bra, run, segments) for bra in bras])[:, :, None]
            found |= _sums_of_run(run, matrices, segments, generators)
        if stop.diagonals:
            found |= self._sums_of_diagonals(stop.diagonals, bras, segments.template.gates, generators)
        return found

    def _transitions(self, bra: Self, run: Run, segments: SegmentBatch) -> NDArray[np.complex128]:
        """Return ``matrices[s, row, column]``, the transition matrix of state s on the qubits of a run, ascending."""
        wires = len(run.qubits)
        record, blocks = self._transition(run, segments.template.gates[run.gates[0]])
        rows = []
        with self._working("summing for derivatives"):
            self._write_zeros()
            bra._write_zeros()
            uploaded = self._queue.upload(record)
            count = 2 * 4**wires  # doubles
            for states, first in self._in_turn(max(1, MOST_PARTS // (blocks * count))):
                parts = self._queue.empty(len(states) * blocks * count, np.float64)
                self._kernels.launch(
                    "sum_transitions",
                    blocks,
                    MOST_THREADS,
                    *(self._vector, bra._vector, uploaded, first, parts),
                    shared_bytes=2 * _SUM_BYTES * MOST_THREADS,
                    states=len(states),
                )
                sums = self._added(parts, len(states), count, blocks)
                rows.append(sums.view(np.complex128).reshape(len(states), 2**wires, 2**wires))
        return np.concatenate(rows).swapaxes(1, 2)  # the kernel's rows run fastest

    def _transition(self, run: Run, gate: Gate) -> tuple[NDArray[Any], int]:
        """Return how a run's matrix is summed, and by how many blocks; `gate` is that of a run with controls."""
        places = [self._place[qubit] for qubit in sorted(run.qubits)]
        controls = [self._place[qubit] for qubit in run.controls]
        others = [place for place in range(self._wires) if place not in places and place not in controls]
        low = others[: MOST_THREAD_BITS - len(places)]
        rest = others[len(low) :]
        record = np.zeros((), TRANSITION)
        thread = sorted([*places, *low])  # adjacent threads read adjacent amplitudes, as far as these belong to a tile
        order = [*places, *low]
        record["thread"][: len(thread)] = [bit_at(place) for place in thread]
        record["slot"][: len(thread)] = [bit_at(order.index(place)) for place in thread]
        record["rest"][: len(rest)] = [bit_at(place) for place in rest]
        record["on"] = mask_of(place for j, place in enumerate(controls) if has_bit(gate.control_state, j))
        record["wires"], record["tile_bits"], record["rest_bits"] = len(places), len(thread), len(rest)
        return record, min(2 ** len(rest), _MOST_BLOCKS)

    def _sums_of_diagonals(
        self, numbers: Sequence[int], bras: Sequence[Self], gates: Sequence[Gate], generators: Generators
    ) -> dict[int, NDArray[np.complex128]]:
        """Return the sums of diagonal gates, each a sum of signs; sums with the same signs are taken once."""
        spectra = {number: _spectra(gates[number], generators[number]) for number in numbers}
        masks = sorted({mask for number in numbers for mask in spectra[number][0]})
        column = {mask: j for j, mask in enumerate(masks)}
        sums = np.stack([self._signed_sums(bra, masks) for bra in bras])  # sums[b, s, mask]
        found = {}
        for number in numbers:
            own, factors = spectra[number]  # factors[s, a, mask]
            terms = sums[:, :, None, [column[mask] for mask in own]] * factors
            found[number] = terms.sum(axis=-1)
        return found

    def _signed_sums(self, bra: Self, masks: Sequence[int]) -> NDArray[np.complex128]:
        """Return ``sums[s, m]`` of conj(bra[i]) * ket[i], times -1 where i has an odd number of the bits of mask m."""
        found = np.empty((self._count, len(masks)), np.complex128)
        for numbers, group in signed_groups(masks, self._place, self._wires):
            with self._working("summing for derivatives"):
                self._write_zeros()
                bra._write_zeros()
                sums = self._pauli_sums(group, bra._vector)
            found[:, numbers] = sums[:, 0::2] + 1j * sums[:, 1::2]
        return found


def _sums_of_run(
    run: Run, matrices: NDArray[np.complex128], segments: SegmentBatch, generators: Generators
) -> dict[int, NDArray[np.complex128]]:
    bit = {qubit: j for j, qubit in enumerate(sorted(run.qubits))}

    def small(number: int) -> SmallGate:
        gate = segments.template.gates[number]
        controls = () if run.controls else tuple([bit[qubit] for qubit in gate.controls])
        data = None if number in segments.data else gate.data
        targets = tuple([bit[qubit] for qubit in gate.targets])
        return SmallGate(number, gate.form, data, targets, controls, gate.control_state if controls else 0)

    own = [number for number in run.gates if number in generators]
    sums = ProductSums([small(number) for number in run.gates], len(bit), 0, own)
    return sums.sums(matrices, partial(_numbers, segments), generators)


def _spectra(gate: Gate, generators: Sequence[NDArray[Any]]) -> tuple[list[int], NDArray[np.complex128]]:
    """Return the masks of a diagonal gate's qubits, and ``factors[s, a, m]``: how generator a is made of their signs.

    A function of m bits is the sum over masks of their Walsh-Hadamard coefficients times their signs.
    """
    qubits = [*gate.targets, *gate.controls]
    size, bits = 2 ** len(gate.targets), len(qubits)
    whole = np.zeros((len(generators[0]), len(generators), 2**bits), complex)
    begin = size * gate.control_state
    whole[:, :, begin : begin + size] = np.stack(generators, axis=1)
    shaped = whole.reshape(*whole.shape[:2], *(2,) * bits)
    for axis in range(2, 2 + bits):
        zero, one = np.take(shaped, 0, axis), np.take(shaped, 1, axis)
        shaped = np.stack([zero + one, zero - one], axis) / 2
    return [int(deposit_bits(mask, qubits)) for mask in range(2**bits)], shaped.reshape(whole.shape)


def _numbers(segments: SegmentBatch, gate: int) -> NDArray[Any]:
    """Return ``data[s]``, the numbers of a gate in each segment; one row if all have the same."""
    data: NDArray[Any] = segments.data[gate] if gate in segments.data else segments.template.gates[gate].data[None]
    return data


def _undone(numbers: Sequence[int], segments: SegmentBatch) -> SegmentBatch:
    """Return the inverse of some gates of segments, which are given in ascending order."""
    gates = inverse([segments.template.gates[number] for number in numbers])
    groups = []
    for place, number in enumerate(reversed(numbers)):
        if number in segments.data:
            data = segments.data[number].conj()
            if segments.template.gates[number].form is Form.MATRIX:
                data = data.swapaxes(-1, -2)
            groups.append(((place,), data[:, None]))
    return SegmentBatch(Segment(tuple(gates)), groups, len(segments))
