"""States on a card that go back through gates: observables applied to them, and sums that derivatives need."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from basicaer.devices.gpu.amplitudes import MOST_PARTS, CupyAmplitudes
from basicaer.devices.gpu.pauli_groups import signed_groups
from basicaer.devices.gpu.stops import stops
from basicaer.devices.gpu.structs import (
    MOST_THREADS,
    MOST_TRANSITION_TILE_BITS,
    MOST_TRANSITIONS,
    TERM,
    TRANSITIONS,
)
from basicaer.devices.transitions import ProductSums, SmallGate
from basicaer.engine.bits import bit_at, deposit_bits, has_bit, highest_position, mask_of
from basicaer.engine.device import SegmentBatch
from basicaer.engine.paulis import by_flips
from basicaer.engine.program import Form, Segment
from basicaer.engine.unitaries import inverse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from basicaer.devices.gpu.stops import Run, Stop
    from basicaer.engine.device import Generators
    from basicaer.engine.program import Gate

__all__ = ["CupyReversible"]

_MOST_BLOCKS = 1024  # blocks that sum side by side, enough for every multiprocessor of a card
_PIECE_BYTES = 64  # Half a line: smaller pieces are read more slowly.
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
        gates = segments.template.gates
        for runs in self._read_together(stop.runs):
            each = [self._transitions(bra, runs, gates) for bra in bras]
            for run, matrices in zip(runs, zip(*each, strict=True), strict=True):
                found |= _sums_of_run(run, np.stack(matrices)[:, :, None], segments, generators)
        if stop.diagonals:
            found |= self._sums_of_diagonals(stop.diagonals, bras, gates, generators)
        return found

    def _read_together(self, runs: Sequence[Run]) -> Iterator[list[Run]]:
        """Yield runs whose matrices are summed in one reading of the states.

        Their qubits fit into a tile with the lowest index bits, so that memory is read in pieces of a few amplitudes.
        """
        adjacent = highest_position(_PIECE_BYTES // self._dtype.itemsize)
        readings: list[list[Run]] = []
        for run in runs:
            for own in readings:
                alone = run.controls or own[0].controls
                bits = {self._place[qubit] for one in (*own, run) for qubit in one.qubits}.union(range(adjacent))
                if not alone and len(own) < MOST_TRANSITIONS and len(bits) <= MOST_TRANSITION_TILE_BITS:
                    own.append(run)
                    break
            else:
                readings.append([run])
        yield from readings

    def _transitions(self, bra: Self, runs: Sequence[Run], gates: Sequence[Gate]) -> list[NDArray[np.complex128]]:
        """Return ``matrices[s, row, column]`` of each run: the transition matrix of state s on its qubits."""
        record, blocks = self._reading(runs, gates)
        sizes = [4 ** len(run.qubits) for run in runs]
        count = 2 * sum(sizes)  # doubles
        rows = []
        with self._working("summing for derivatives"):
            self._write_zeros()
            bra._write_zeros()
            uploaded = self._queue.upload(record)
            for states, first in self._in_turn(max(1, MOST_PARTS // (blocks * count))):
                parts = self._queue.empty(len(states) * blocks * count, np.float64)
                self._kernels.launch(
                    "sum_transitions",
                    blocks,
                    MOST_THREADS,
                    *(self._vector, bra._vector, uploaded, first, parts),
                    shared_bytes=_SUM_BYTES * max(2 * 2 ** int(record["tile_bits"]), MOST_THREADS * len(runs)),
                    states=len(states),
                )
                rows.append(self._added(parts, len(states), count, blocks).view(np.complex128))
        found = np.split(np.concatenate(rows).reshape(-1, sum(sizes)), np.cumsum(sizes)[:-1], axis=1)
        # The kernel's rows run fastest.
        return [
            own.reshape(len(own), 2 ** len(run.qubits), -1).swapaxes(1, 2) for own, run in zip(found, runs, strict=True)
        ]

    def _reading(self, runs: Sequence[Run], gates: Sequence[Gate]) -> tuple[NDArray[Any], int]:
        """Return how the matrices of some runs are summed, and by how many blocks."""
        first = runs[0]
        places = [self._place[qubit] for run in runs for qubit in sorted(run.qubits)]
        controls = [self._place[qubit] for qubit in first.controls]
        others = [place for place in range(self._wires) if place not in places and place not in controls]
        low = others[: MOST_TRANSITION_TILE_BITS - len(places)]
        rest = others[len(low) :]
        record = np.zeros((), TRANSITIONS)
        order = [*places, *low]
        lanes = sorted(order)  # adjacent threads read adjacent amplitudes, as far as these belong to a tile
        record["lane"][: len(lanes)] = [bit_at(place) for place in lanes]
        record["slot"][: len(lanes)] = [bit_at(order.index(place)) for place in lanes]
        record["rest"][: len(rest)] = [bit_at(place) for place in rest]
        state = gates[first.gates[0]].control_state  # A run with controls has one gate.
        record["on"] = mask_of(place for j, place in enumerate(controls) if has_bit(state, j))
        record["wires"][: len(runs)] = [len(run.qubits) for run in runs]
        record["matrices"], record["tile_bits"], record["rest_bits"] = len(runs), len(lanes), len(rest)
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
