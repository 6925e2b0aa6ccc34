"""What a save can read of a state: for each kind of reading, how it is done, and the time and memory it takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from basicaer.engine.bits import all_ones, deposit_bits, extract_bits, mask_of
from basicaer.engine.density import DensityState
from basicaer.engine.program import OverShots, SavedQuantity
from basicaer.errors import BasicAerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from basicaer.engine.device import State
    from basicaer.engine.monitor import Monitor
    from basicaer.engine.program import Save

__all__ = ["kept_bytes", "passes_of", "read", "shape_of"]

_BITS_OF_INT64 = 63  # bits of an int64 without the sign
_ROWS_PER_PASS = 16  # summing this many rows of a density matrix takes about as long as a pass
_NEGLIGIBLE = 1e3  # in units of the precision: the share of the norm that a factor may leave unexplained
_BLOCK_QUBITS = 16  # amplitudes of this many qubits are read between two polls
_SINGLE_BYTES, _DOUBLE_BYTES = 8, 16  # bytes of a real and of a complex number


class _Reader(NamedTuple):
    """How one kind of reading is done.

    Attributes
    ----------
    read
        Returns the value that is saved.
    shape
        Returns the shape of the value; () for one number.
    passes
        Returns how many passes over the state the reading takes; only roughly, except for Paulis.
    kept_bytes
        Returns the bytes of the value, given those of the whole state.
    advances
        Whether `read` itself tells the monitor of its passes.
    """

    read: Callable[[Save, State, complex, Monitor], Any]
    shape: Callable[[Save], tuple[int, ...]]
    passes: Callable[[Save], int]
    kept_bytes: Callable[[Save, int], int]
    advances: bool = False


def read(save: Save, state: State, global_phase: complex, monitor: Monitor) -> Any:
    """Return what is to be saved of a state, without changing it; poll the monitor, and report progress to it.

    Parameters
    ----------
    global_phase
        A global phase that is still to be applied to the state.
    """
    reader = _READERS[save.quantity]
    value = reader.read(save, state, global_phase, monitor)
    if not reader.advances:
        monitor.advance(reader.passes(save))
    return value


def shape_of(save: Save) -> tuple[int, ...]:
    """Return the shape of the value that a save reads of a state; () for one number."""
    return _READERS[save.quantity].shape(save) if save.quantity in _READERS else ()


def passes_of(save: Save) -> int:
    """Return how many passes over the state a save takes; 0 if it reads no state."""
    return _READERS[save.quantity].passes(save) if save.quantity in _READERS else 0


def kept_bytes(save: Save, state_bytes: int, shots: int) -> int:
    """Return the bytes that a save keeps of a state of `state_bytes`; those of all shots if it keeps each of them."""
    if save.quantity not in _READERS:  # it reads no state
        return 0
    return _READERS[save.quantity].kept_bytes(save, state_bytes) * (shots if save.over_shots is OverShots.EACH else 1)


# Amplitudes.


def _amplitudes(save: Save, state: State, global_phase: complex, monitor: Monitor) -> NDArray[Any]:
    values = _chosen(save, state, monitor) if save.numbers else _over_idle(_of_active(save, state, monitor), save)
    if (factor := global_phase * save.global_phase) != 1.0:
        values *= factor
    return values


def _unitary(save: Save, state: State, global_phase: complex, monitor: Monitor) -> NDArray[Any]:
    del monitor  # the state polls its own monitor
    columns: NDArray[Any] = state.read()
    if (factor := global_phase * save.global_phase) != 1.0:
        columns *= factor
    return columns


def _squares(save: Save, state: State, global_phase: complex, monitor: Monitor) -> NDArray[np.float64]:
    del global_phase  # a modulus has no phase
    if isinstance(state, DensityState):
        return _probabilities_of_chosen(save, state)
    values = _chosen(save, state, monitor).astype(np.complex128)
    squares: NDArray[np.float64] = values.real**2 + values.imag**2
    return squares


def _probabilities_of_chosen(save: Save, state: DensityState) -> NDArray[np.float64]:
    """Return the probabilities of the basis states that a save names by their indices."""
    of_active, flips_idle = _indices(save)
    chosen = state.probabilities(_active(save))[of_active]
    chosen[flips_idle] = 0
    return chosen


def _indices(save: Save) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return the indices that a save names, on its active qubits, and whether any of its idle qubits is 1 in them."""
    numbers = np.array(save.numbers, np.int64 if len(save.qubits) < _BITS_OF_INT64 else object)
    idle = mask_of(place for place, qubit in enumerate(save.qubits) if qubit is None)
    return extract_bits(numbers, save.places).astype(np.int64), numbers & idle != 0


def _chosen(save: Save, state: State, monitor: Monitor) -> NDArray[Any]:
    """Return the amplitudes that a save names by their indices, in the order of its qubits."""
    of_active, flips_idle = _indices(save)
    qubits = _active(save)
    if len(qubits) == state.n_qubits:
        chosen = state.read(deposit_bits(of_active, qubits))
    else:
        chosen = _factor(save, state, monitor)[of_active]
    chosen[flips_idle] = 0
    return chosen


def _of_active(save: Save, state: State, monitor: Monitor) -> NDArray[Any]:
    """Return the amplitudes of a save's active qubits, in their order."""
    qubits = _active(save)
    if len(qubits) < state.n_qubits:
        return _factor(save, state, monitor)
    if qubits == tuple(range(len(qubits))):
        return state.read()
    return state.read(deposit_bits(np.arange(2 ** len(qubits)), qubits))


def _factor(save: Save, state: State, monitor: Monitor) -> NDArray[Any]:
    """Return the state of a save's qubits if it is a factor of the whole: ``whole[i, j] = others[i] * factor[j]``.

    The factor of the other qubits is taken to be positive where it is largest.

    Raises
    ------
    BasicAerError
        If the state has no such factor, because these qubits are entangled with others.
    """
    qubits = _active(save)
    own = deposit_bits(np.arange(2 ** len(qubits)), qubits)  # own[j] = the index with value j on them, else 0
    whole = most = 0.0
    largest = 0  # index of the other qubits' basis state at which the state is largest
    for rest in _parts(state, qubits, monitor):
        rows = state.read(rest[:, None] + own)
        weights = np.einsum("ij,ij->i", rows.real, rows.real) + np.einsum("ij,ij->i", rows.imag, rows.imag)
        whole += float(weights.sum())
        if weights.max() > most:
            most, largest = float(weights.max()), int(rest[weights.argmax()])
    factor: NDArray[Any] = state.read(largest + own)
    factor /= most**0.5
    explained = 0.0
    for rest in _parts(state, qubits, monitor):
        overlaps = state.read(rest[:, None] + own) @ factor.conj()
        explained += float(np.vdot(overlaps, overlaps).real)
    if not explained > whole * (1 - _NEGLIGIBLE * np.finfo(factor.dtype).eps):
        raise BasicAerError(
            f"{save.form} (label '{save.label}') is given qubits that are entangled with others, so that they have no "
            "state of their own; give it all qubits, or use save_density_matrix."
        )
    return factor


# Probabilities and density matrices of some qubits.


def _probabilities(save: Save, state: State, global_phase: complex, monitor: Monitor) -> NDArray[np.float64]:
    del global_phase, monitor  # probabilities have no phase, and the state polls its own monitor
    probabilities = state.probabilities(_active(save))
    probabilities /= probabilities.sum()
    return _over_idle(probabilities, save)


def _density_matrix(save: Save, state: State, global_phase: complex, monitor: Monitor) -> NDArray[np.complex128]:
    """Return the density matrix of a save's qubits, ``qubits[0]`` least significant; of trace 1."""
    del global_phase  # a density matrix has no phase
    passes = passes_of(save)
    matrix = density_matrix(state, _active(save), monitor, lambda share: monitor.advance(passes * share))
    rows = _over_idle(matrix, save)
    return _over_idle(rows.T, save).T


def density_matrix(
    state: State, qubits: tuple[int, ...], monitor: Monitor, advance: Callable[[float], None] = lambda _share: None
) -> NDArray[np.complex128]:
    """Return the density matrix of some qubits of a state, ``qubits[0]`` least significant; of trace 1.

    Parameters
    ----------
    advance
        Called with each share of the work that is done.
    """
    if isinstance(state, DensityState):
        return state.density_matrix(qubits, advance)
    if state.n_qubits <= _BLOCK_QUBITS:  # reading all of it is faster than to name each index
        axes = state.read().astype(np.complex128, copy=False).reshape((2,) * state.n_qubits)
        rows = np.moveaxis(axes, [state.n_qubits - 1 - qubit for qubit in reversed(qubits)], range(len(qubits)))
        columns = rows.reshape(2 ** len(qubits), -1)
        whole: NDArray[np.complex128] = columns @ columns.conj().T
        advance(1.0)
        whole /= np.trace(whole).real
        return whole
    own = deposit_bits(np.arange(2 ** len(qubits)), qubits)  # own[i] = the index with value i on them, else 0
    matrix = np.zeros((len(own), len(own)), complex)
    for rest in _parts(state, qubits, monitor):
        columns = state.read(own[:, None] + rest).astype(np.complex128, copy=False)
        matrix += columns @ columns.conj().T
        advance(len(rest) * len(own) / 2**state.n_qubits)
    matrix /= np.trace(matrix).real
    return matrix


# Expectation values.


def _masks(save: Save) -> list[tuple[int, int]]:
    """Return x and z, as for `State.expectations`, of each Pauli that a save needs."""
    sums = save.numbers if save.quantity is SavedQuantity.VARIANCE else [save.numbers]
    return list(dict.fromkeys((x, z) for terms in sums for x, z, *_ in terms))


def _of_paulis(save: Save, state: State, global_phase: complex, monitor: Monitor) -> Any:
    """Return the values of Paulis or of sums of them, each Pauli read once."""
    del global_phase, monitor  # an expectation value has no phase, and the state polls its own monitor
    masks = _masks(save)
    values = dict(zip(masks, state.expectations(masks), strict=True)) if masks else {}

    def summed(terms: Sequence[tuple[int, int, float]]) -> float:
        return float(sum(factor * values[x, z] for x, z, factor in terms))

    match save.quantity:
        case SavedQuantity.PAULIS:
            return np.array([values[one] for one in save.numbers])
        case SavedQuantity.EXPECTATION:
            return summed(save.numbers)
        case _:
            mean, square = map(summed, save.numbers)
            return np.array([mean, square - mean**2])


# Helpers that several readings share.


def _active(save: Save) -> tuple[int, ...]:
    return tuple(qubit for qubit in save.qubits if qubit is not None)


def _over_idle(values: NDArray[Any], save: Save) -> NDArray[Any]:
    """Widen the first axis from the active qubits of a save to all of them: idle ones are |0>."""
    if len(save.places) == len(save.qubits) or not save.over_idle:
        return values
    widened = np.zeros((2 ** len(save.qubits), *values.shape[1:]), values.dtype)
    widened[deposit_bits(np.arange(len(values)), save.places)] = values
    return widened


def _parts(state: State, qubits: tuple[int, ...], monitor: Monitor) -> Iterator[NDArray[np.int64]]:
    """Yield the indices with 0 on some qubits and all values on the others, a part of them at a time; polls."""
    others = [qubit for qubit in range(state.n_qubits) if qubit not in qubits]
    step = max(2 ** (_BLOCK_QUBITS - len(qubits)), 1)
    for start in range(0, 2 ** len(others), int(step)):
        monitor.poll()
        yield deposit_bits(np.arange(start, min(start + int(step), 2 ** len(others))), others)


def _one_pass(_save: Save) -> int:
    return 1


def _one_for_each_flip(save: Save) -> int:
    return len({x for x, _ in _masks(save)})


def _one_for_some_rows(save: Save) -> int:
    rows: int = 2 ** len(save.places)
    return max(rows // _ROWS_PER_PASS, 1)


def _bytes_of_amplitudes(save: Save, state_bytes: int) -> int:
    if save.numbers:
        return _bytes_of_numbers(save, state_bytes)
    widened: int = 2 ** (len(save.qubits) - len(save.places)) if save.over_idle else 1
    return state_bytes * widened


def _bytes_of_probabilities(save: Save, _state_bytes: int) -> int:
    values: int = 2 ** len(save.qubits if save.over_idle else save.places)
    return _SINGLE_BYTES * values


def _bytes_of_density_matrix(save: Save, _state_bytes: int) -> int:
    entries: int = 4 ** len(save.qubits)
    return _DOUBLE_BYTES * entries


def _bytes_of_numbers(save: Save, _state_bytes: int) -> int:
    return _DOUBLE_BYTES * max(len(save.numbers), 2)


def _rows(save: Save) -> int:
    """Return how many basis states the qubits of a save have."""
    return all_ones(len(save.qubits if save.over_idle else save.places)) + 1


def _one_for_each_number(save: Save) -> tuple[int, ...]:
    return (len(save.numbers),)


def _paulis(shape: Callable[[Save], tuple[int, ...]]) -> _Reader:
    return _Reader(_of_paulis, shape, _one_for_each_flip, _bytes_of_numbers, advances=True)


_READERS = {
    SavedQuantity.AMPLITUDES: _Reader(
        _amplitudes, lambda save: (len(save.numbers) or _rows(save),), _one_pass, _bytes_of_amplitudes
    ),
    SavedQuantity.UNITARY: _Reader(
        _unitary, lambda save: (_rows(save) ** 2,), _one_pass, lambda _save, state_bytes: state_bytes
    ),
    SavedQuantity.SQUARES: _Reader(_squares, _one_for_each_number, _one_pass, _bytes_of_numbers),
    SavedQuantity.PROBABILITIES: _Reader(
        _probabilities, lambda save: (_rows(save),), _one_pass, _bytes_of_probabilities
    ),
    SavedQuantity.DENSITY_MATRIX: _Reader(
        _density_matrix,
        lambda save: (_rows(save), _rows(save)),
        _one_for_some_rows,
        _bytes_of_density_matrix,
        advances=True,
    ),
    SavedQuantity.PAULIS: _paulis(_one_for_each_number),
    SavedQuantity.EXPECTATION: _paulis(lambda _save: ()),
    SavedQuantity.VARIANCE: _paulis(lambda _save: (2,)),
}
