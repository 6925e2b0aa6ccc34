"""What a program keeps of its state on the way: read from the state, and gathered over shots and branches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from basicaer.engine.bits import deposit_bits, extract_bits, mask_of
from basicaer.engine.paulis import pauli_values
from basicaer.engine.program import Over, Reading
from basicaer.errors import BasicAerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from basicaer.engine.checkpoint import Checkpoint
    from basicaer.engine.device import State
    from basicaer.engine.program import Save

__all__ = ["ALL_SHOTS", "Saves", "passes_of", "read"]

ALL_SHOTS = -1
"""Stands where the value of the classical bits does for what is saved on condition of them."""

_BITS_OF_INT64 = 63  # without the sign
_ROWS_PER_PASS = 16  # of a density matrix: so many take about as long to sum up as a pass
_SEPARATE = 1e3  # times the precision: of the norm, to be explained by a factor
_BLOCK_QUBITS = 16  # of the amplitudes that are looked at between two polls


def passes_of(save: Save) -> int:
    """Return how many passes over the state the reading takes, roughly where it is not of Paulis."""
    match save.reading:
        case Reading.PAULIS | Reading.EXPECTATION | Reading.VARIANCE:
            return len({x for x, _ in _masks(save)})
        case Reading.DENSITY_MATRIX:
            rows: int = 2 ** len(_active(save))
            return max(rows // _ROWS_PER_PASS, 1)
        case _:
            return 1


def read(save: Save, state: State, phase: complex, checkpoint: Checkpoint) -> Any:
    """Return what is to be saved of a state, which stays as it is; poll now and then, and say what is done.

    Parameters
    ----------
    phase
        A global phase that is still to be applied to the state.
    """
    match save.reading:
        case Reading.AMPLITUDES | Reading.UNITARY:
            chosen = _chosen(save, state, checkpoint) if save.numbers else _all(save, state, checkpoint)
            if (factor := phase * save.phase) != 1.0:
                chosen *= factor
            value = chosen
        case Reading.SQUARES:
            chosen = _chosen(save, state, checkpoint).astype(np.complex128)
            value = chosen.real**2 + chosen.imag**2
        case Reading.PROBABILITIES:
            value = _over_idle(_probabilities(state, _active(save), checkpoint.poll), save)
        case Reading.DENSITY_MATRIX:
            rows = _over_idle(_density_matrix(state, _active(save), passes_of(save), checkpoint), save)
            return _over_idle(rows.T, save).T
        case Reading.PAULIS | Reading.EXPECTATION | Reading.VARIANCE:
            return _of_paulis(save, state, checkpoint)
    checkpoint.advance(passes_of(save))
    return value


def _active(save: Save) -> tuple[int, ...]:
    return tuple(qubit for qubit in save.qubits if qubit is not None)


def _over_idle(values: NDArray[Any], save: Save) -> NDArray[Any]:
    """Widen the first axis from the active qubits of a save to all of them: idle ones are |0>."""
    if len(save.places) == len(save.qubits) or not save.over_idle:
        return values
    widened = np.zeros((2 ** len(save.qubits), *values.shape[1:]), values.dtype)
    widened[deposit_bits(np.arange(len(values)), save.places)] = values
    return widened


def _all(save: Save, state: State, checkpoint: Checkpoint) -> NDArray[Any]:
    """Return all amplitudes, in the order of the save's qubits; an array of its own."""
    if save.reading is Reading.UNITARY:
        return state.copy().amplitudes()
    return _over_idle(_of_active(save, state, checkpoint), save)


def _of_active(save: Save, state: State, checkpoint: Checkpoint) -> NDArray[Any]:
    """Return the amplitudes of a save's active qubits, in their order; an array of its own."""
    amplitudes = state.copy().amplitudes()
    qubits = _active(save)
    if len(qubits) < state.n_qubits:
        return _factor(amplitudes, qubits, save, checkpoint)
    if qubits != tuple(range(len(qubits))):
        amplitudes = amplitudes[deposit_bits(np.arange(len(amplitudes)), qubits)]
    return amplitudes


def _factor(amplitudes: NDArray[Any], qubits: tuple[int, ...], save: Save, checkpoint: Checkpoint) -> NDArray[Any]:
    """Return the state of some qubits where it is a factor of the whole: ``whole[i, j] = others[i] * factor[j]``.

    The others' factor is taken to be positive where it is largest.

    Raises
    ------
    BasicAerError
        If it is no factor, since these qubits are entangled with others.
    """
    n = len(amplitudes).bit_length() - 1
    others = [qubit for qubit in range(n) if qubit not in qubits]
    own = deposit_bits(np.arange(2 ** len(qubits)), qubits)
    whole = most = 0.0
    largest = 0  # the index of the others' basis state in which these qubits have the largest part of the state
    for rest in _parts(others, len(own)):
        checkpoint.poll()
        rows = amplitudes[rest[:, None] + own]
        weights = np.einsum("ij,ij->i", rows.real, rows.real) + np.einsum("ij,ij->i", rows.imag, rows.imag)
        whole += float(weights.sum())
        if weights.max() > most:
            most, largest = float(weights.max()), int(rest[weights.argmax()])
    factor: NDArray[Any] = amplitudes[largest + own]
    factor /= most**0.5
    explained = 0.0
    for rest in _parts(others, len(own)):
        checkpoint.poll()
        overlaps = amplitudes[rest[:, None] + own] @ factor.conj()
        explained += float(np.vdot(overlaps, overlaps).real)
    if not explained > whole * (1 - _SEPARATE * np.finfo(amplitudes.dtype).eps):
        raise BasicAerError(
            f"{save.form} (label '{save.label}') is given qubits that are entangled with others, so that they have no "
            "state of their own; give it all qubits, or use save_density_matrix."
        )
    return factor


def _parts(others: Sequence[int], amplitudes_each: int) -> Iterator[NDArray[np.int64]]:
    """Yield the indices with all values of some qubits and 0 elsewhere, as many as are looked at between two polls."""
    step = max(2**_BLOCK_QUBITS // amplitudes_each, 1)
    for start in range(0, 2 ** len(others), step):
        yield deposit_bits(np.arange(start, min(start + step, 2 ** len(others))), others)


def _chosen(save: Save, state: State, checkpoint: Checkpoint) -> NDArray[Any]:
    """Return the amplitudes that a save names by their indices in the order of its qubits."""
    numbers = np.array(save.numbers, np.int64 if len(save.qubits) < _BITS_OF_INT64 else object)
    idle = mask_of(place for place, qubit in enumerate(save.qubits) if qubit is None)
    chosen: NDArray[Any] = _of_active(save, state, checkpoint)[extract_bits(numbers, save.places).astype(np.int64)]
    chosen[numbers & idle != 0] = 0
    return chosen


def _masks(save: Save) -> list[tuple[int, int]]:
    """Return x and z, as for `State.expectations`, of each Pauli that a save needs."""
    sums = save.numbers if save.reading is Reading.VARIANCE else [save.numbers]
    return list(dict.fromkeys((x, z) for terms in sums for x, z, *_ in terms))


def _of_paulis(save: Save, state: State, checkpoint: Checkpoint) -> Any:
    """Return the values of Paulis or of sums of them, each Pauli read once."""

    def expectations(x: int, zs: Sequence[int]) -> NDArray[np.float64]:
        values = state.expectations(x, zs)
        checkpoint.advance(1)
        return values

    masks = _masks(save)
    values = dict(zip(masks, pauli_values(masks, expectations), strict=True))

    def summed(terms: Sequence[tuple[int, int, float]]) -> float:
        return float(sum(factor * values[x, z] for x, z, factor in terms))

    match save.reading:
        case Reading.PAULIS:
            return np.array([values[one] for one in save.numbers])
        case Reading.EXPECTATION:
            return summed(save.numbers)
        case _:
            mean, square = map(summed, save.numbers)
            return np.array([mean, square - mean**2])


def _probabilities(state: State, qubits: tuple[int, ...], poll: Callable[[], None]) -> NDArray[np.float64]:
    """Return the probability of each value of some qubits, ``qubits[0]`` least significant; in sum 1."""
    inside = min(state.n_qubits, _BLOCK_QUBITS)
    low = [qubit for qubit in qubits if qubit < inside]
    high = [qubit for qubit in qubits if qubit >= inside]
    summed = tuple(inside - 1 - qubit for qubit in range(inside) if qubit not in low)
    value_of_low = deposit_bits(np.arange(2 ** len(low)), [qubits.index(qubit) for qubit in sorted(low)])
    probabilities = np.zeros(2 ** len(qubits))
    if state.n_qubits > inside:
        state.settle()
    for block in range(2 ** (state.n_qubits - inside)):
        poll()
        part = state.block_probabilities(block, inside).reshape((2,) * inside).sum(axis=summed)
        value = extract_bits(block, [qubit - inside for qubit in high])
        probabilities[deposit_bits(value, [qubits.index(qubit) for qubit in high]) + value_of_low] += part.reshape(-1)
    probabilities /= probabilities.sum()
    return probabilities


def _density_matrix(
    state: State, qubits: tuple[int, ...], passes: int, checkpoint: Checkpoint
) -> NDArray[np.complex128]:
    """Return the density matrix of some qubits, ``qubits[0]`` least significant; of trace 1."""
    amplitudes = state.copy().amplitudes()
    others = [qubit for qubit in range(state.n_qubits) if qubit not in qubits]
    own = deposit_bits(np.arange(2 ** len(qubits)), qubits)  # own[i] = the index with value i on the qubits, else 0
    matrix = np.zeros((len(own), len(own)), complex)
    for rest in _parts(others, len(own)):
        checkpoint.poll()
        columns = amplitudes[own[:, None] + rest].astype(np.complex128, copy=False)
        matrix += columns @ columns.conj().T
        checkpoint.advance(passes * len(rest) / 2 ** len(others))
    matrix /= np.trace(matrix).real
    return matrix


class Saves:
    """What has been saved so far.

    Parameters
    ----------
    records
        Where to go on: what `records` was then.

    Attributes
    ----------
    records
        By label and by the value of the classical bits, or `ALL_SHOTS`: for the last shot ``[shot, value]``; for each a
        list of ``[shots, value]``; for mean and sum ``[how many shots, sum over them]``.
    """

    def __init__(self, records: dict[str, dict[int, Any]] | None = None) -> None:
        self.records: dict[str, dict[int, Any]] = records or {}

    def add(self, save: Save, bits: int, shots: NDArray[np.int64], value: Any) -> None:
        """Add the value that some shots, ascending, have seen while their classical bits were `bits`."""
        key = bits if save.conditional else ALL_SHOTS
        record = self.records.setdefault(save.label, {})
        match save.over:
            case Over.LAST:
                last = int(shots[-1])
                if key not in record or record[key][0] <= last:
                    record[key] = [last, value]
            case Over.EACH:
                record.setdefault(key, []).append([shots, value])
            case _:
                count, total = record.get(key, (0, 0.0))
                record[key] = [count + len(shots), total + len(shots) * value]

    def finished(self, saves: Iterable[Save]) -> dict[str, dict[int, Any]]:
        """Return the values by label and by classical bits; of each shot a list, in the order of shots."""
        return {save.label: self._finished(save) for save in saves if save.label in self.records}

    def _finished(self, save: Save) -> dict[int, Any]:
        record = self.records[save.label]
        match save.over:
            case Over.LAST:
                return {key: value for key, (_, value) in record.items()}
            case Over.EACH:
                return {key: _in_order(parts) for key, parts in record.items()}
            case Over.MEAN:
                return {key: total / count for key, (count, total) in record.items()}
            case Over.SUM:
                return {key: total for key, (_, total) in record.items()}


def _in_order(parts: Iterable[tuple[NDArray[np.int64], Any]]) -> list[Any]:
    seen = [(shot, number, value) for number, (shots, value) in enumerate(parts) for shot in shots.tolist()]
    seen.sort(key=lambda one: one[:2])
    return [value for _, _, value in seen]
