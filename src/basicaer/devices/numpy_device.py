"""The CPU device: amplitudes in one NumPy array in logical order, changed in place a block at a time."""

from __future__ import annotations

import contextlib
import itertools
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np

from basicaer.devices.blas import single_threaded_blas
from basicaer.devices.memory import free_host_bytes, readable
from basicaer.engine.bits import has_bit
from basicaer.engine.program import Form
from basicaer.errors import BasicAerError
from basicaer.options import Precision

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from basicaer.engine.checkpoint import Checkpoint
    from basicaer.engine.program import Gate, Segment

    _Scratch = tuple[NDArray[Any], NDArray[Any]]  # two arrays of a block each, or of a gate's rows if that is more

__all__ = ["NumpyDevice", "NumpyState"]

_BLOCK_QUBITS = 16  # 2**16 amplitudes are 1 MiB in double: a block and its scratch stay in the second-level cache
_FEW_AMPLITUDES = 2**11
_NO_LIMIT = contextlib.nullcontext()  # so small a product is never given to several threads
_FEW_TARGETS = 4  # up to here a diagonal or a preparation goes row by row, skipping what does not change
_DTYPES: dict[Precision, np.dtype[Any]] = {
    Precision.DOUBLE: np.dtype(np.complex128),
    Precision.SINGLE: np.dtype(np.complex64),
}


class _Blocks(NamedTuple):
    """How to walk through a state in blocks of rows: one row for each basis state of the target qubits.

    ``shape`` gives the state one axis per target, per control, and per run of other qubits, highest qubit first.
    ``place`` takes the controls out, and its last entry keeps what is left an array, even of one amplitude; ``loops``
    are the axes where a block's number goes, with their sizes.
    ``order`` then brings the targets to the front, the last target first, so that the row's number is little-endian.
    """

    shape: tuple[int, ...]
    place: tuple[Any, ...]
    loops: tuple[tuple[int, int], ...]
    order: tuple[int, ...]


@lru_cache(maxsize=4096)
def _blocks(n: int, targets: tuple[int, ...], controls: tuple[int, ...], control_state: int) -> _Blocks:
    control_value = {q: int(has_bit(control_state, j)) for j, q in enumerate(controls)}
    others = [q for q in range(n) if q not in control_value and q not in targets]
    inside = set(others[: max(0, _BLOCK_QUBITS - len(targets))])  # the lowest other qubits make up a block
    shape: list[int] = []
    place: list[int | slice] = []
    loops: list[int] = []  # places of the axes that are walked through
    axis_of_target: dict[int, int] = {}
    kept = 0  # axes that are left when controls and loops are taken out
    run = ""  # what the axis that is being widened is: "loop", "inside", or nothing
    for q in reversed(range(n)):
        role = "inside" if q in inside else "loop" if q in others else "alone"
        if role == run:
            shape[-1] *= 2
            continue
        run = role if role != "alone" else ""
        shape.append(2)
        place.append(control_value.get(q, slice(None)) if role != "loop" else 0)
        if role == "loop":
            loops.append(len(shape) - 1)
        elif q not in control_value:
            if q in targets:
                axis_of_target[q] = kept
            kept += 1
    front = [axis_of_target[q] for q in reversed(targets)]
    order = (*front, *(axis for axis in range(kept) if axis not in front))
    return _Blocks(tuple(shape), (*place, ...), tuple((axis, shape[axis]) for axis in loops), order)


class NumpyState:
    """A statevector in one array; see `basicaer.engine.device.State` for what each method promises."""

    def __init__(self, vector: NDArray[np.complexfloating], n_qubits: int) -> None:
        self.n_qubits = n_qubits
        self._vector = vector  # _vector[i] = amplitude of basis state i
        block = 2 ** min(n_qubits, _BLOCK_QUBITS)
        self._scratch: _Scratch = (np.empty(block, vector.dtype), np.empty(block, vector.dtype))

    def set_identity(self) -> None:
        self._vector[0] = 0
        self._vector[:: 2 ** (self.n_qubits // 2) + 1] = 1

    def load(self, amplitudes: NDArray[np.complexfloating]) -> None:
        np.copyto(self._vector, amplitudes, casting="same_kind")

    def run(self, segment: Segment, checkpoint: Checkpoint) -> None:
        with _NO_LIMIT if self._vector.size <= _FEW_AMPLITUDES else single_threaded_blas:
            for gate in segment.gates:
                checkpoint.poll()
                self._apply(gate, checkpoint)

    def prepare(self, qubits: tuple[int, ...], amplitudes: NDArray[np.complexfloating]) -> None:
        for rows in self._rows(qubits):
            zero = rows[(0,) * len(qubits)].copy()
            np.multiply(_along_targets(amplitudes, len(qubits), rows.ndim), zero, out=rows, casting="same_kind")

    def probability_of_one(self, qubit: int) -> float:
        zero = one = 0.0
        for rows in self._rows((qubit,)):
            zero += _weight(rows[0])
            one += _weight(rows[1])
        return one / (zero + one)

    def collapse(self, qubit: int, *, outcome: bool, probability: float) -> None:
        for rows in self._rows((qubit,)):
            rows[1 - outcome] = 0
            rows[int(outcome)] *= probability**-0.5

    def block_weights(self, block_qubits: int) -> NDArray[np.float64]:
        weights = np.empty(2 ** (self.n_qubits - block_qubits))
        for block in range(len(weights)):
            start = block * 2**block_qubits
            weights[block] = _weight(self._vector[start : start + 2**block_qubits])
        return weights

    def block_probabilities(self, block: int, block_qubits: int) -> NDArray[np.float64]:
        start = block * 2**block_qubits
        amplitudes = self._vector[start : start + 2**block_qubits].astype(np.complex128, copy=False)
        return amplitudes.real**2 + amplitudes.imag**2

    def amplitudes(self) -> NDArray[np.complexfloating]:
        vector, self._vector = self._vector, np.empty(0, self._vector.dtype)
        return vector

    def copy(self) -> Self:
        with _refusal(self._vector.nbytes):
            return type(self)(self._vector.copy(), self.n_qubits)

    def release(self) -> None:
        self._vector = np.empty(0, self._vector.dtype)
        self._scratch = (self._vector, self._vector)

    def _rows(
        self, targets: tuple[int, ...], controls: tuple[int, ...] = (), control_state: int = 0
    ) -> Iterator[NDArray[Any]]:
        """Yield views ``rows[b_k-1, ..., b_0, ...]`` on the amplitudes whose targets have the values b, in blocks."""
        shape, fixed, loops, order = _blocks(self.n_qubits, targets, controls, control_state)
        array = self._vector.reshape(shape)
        if not loops:
            yield array[fixed].transpose(order)
            return
        place = list(fixed)
        for numbers in itertools.product(*(range(size) for _, size in loops)):
            for (axis, _), number in zip(loops, numbers, strict=True):
                place[axis] = number
            yield array[tuple(place)].transpose(order)

    def _apply(self, gate: Gate, checkpoint: Checkpoint) -> None:
        rows_of = self._rows(gate.targets, gate.controls, gate.control_state)
        scratch = self._scratch
        if len(scratch[0]) < 2 ** len(gate.targets):
            wide = np.empty((2, 2 ** len(gate.targets)), self._vector.dtype)
            scratch = (wide[0], wide[1])
        if gate.form is Form.MATRIX:
            matrix = gate.data.astype(self._vector.dtype, copy=False)
            for rows in rows_of:
                checkpoint.poll()
                _apply_matrix(rows, matrix, scratch)
            return
        step = _apply_diagonal if gate.form is Form.DIAGONAL else _apply_permutation
        for rows in rows_of:
            checkpoint.poll()
            step(rows, gate.data, scratch)


def _weight(amplitudes: NDArray[Any]) -> float:
    """Return the sum of the squared moduli, accumulated in float64 whatever the precision."""
    parts = np.ascontiguousarray(amplitudes).reshape(-1).astype(np.complex128, copy=False).view(np.float64)
    return float(np.dot(parts, parts))


@lru_cache(maxsize=256)
def _row(number: int, targets: int) -> tuple[int, ...]:
    """Return the place of a row among the axes of the targets, the last target first."""
    return tuple(int(has_bit(number, j)) for j in reversed(range(targets)))


def _along_targets(values: NDArray[Any], targets: int, axes: int) -> NDArray[Any]:
    """Shape one value per row so that it multiplies whole rows."""
    return values.reshape((2,) * targets + (1,) * (axes - targets))


def _apply_matrix(rows: NDArray[Any], matrix: NDArray[Any], scratch: _Scratch) -> None:
    """Multiply the rows by a matrix.

    Three ways, each the fastest where it is taken (measured on two EPYC cores with one BLAS thread, one-qubit gates):
    up to 2**11 amplitudes one product with temporaries, 2 us where the others need 10; beyond, elementwise for one
    qubit, where BLAS takes twice as long or more on so thin a matrix; a product into scratch for more qubits.
    """
    if rows.size <= _FEW_AMPLITUDES:
        rows[...] = matrix.dot(rows.reshape(len(matrix), -1)).reshape(rows.shape)
    elif len(matrix) == 2:
        zero, one = rows[:1], rows[1:]
        (from_zero, from_one), (to_one, stay_one) = matrix.tolist()
        mixed, other = (half[: zero.size].reshape(zero.shape) for half in scratch)
        np.multiply(zero, from_zero, out=mixed)
        np.multiply(one, from_one, out=other)
        mixed += other
        np.multiply(zero, to_one, out=other)
        one *= stay_one
        one += other
        zero[...] = mixed
    else:
        gathered, product = (part[: rows.size] for part in scratch)
        np.copyto(gathered.reshape(rows.shape), rows)
        np.matmul(matrix, gathered.reshape(len(matrix), -1), out=product.reshape(len(matrix), -1))
        rows[...] = product.reshape(rows.shape)


def _apply_diagonal(rows: NDArray[Any], factors: NDArray[Any], _scratch: _Scratch) -> None:
    """Multiply each row by its factor."""
    targets = len(factors).bit_length() - 1
    if targets > _FEW_TARGETS:
        np.multiply(rows, _along_targets(factors, targets, rows.ndim), out=rows, casting="same_kind")
        return
    for number, factor in enumerate(factors.tolist()):
        if factor != 1:
            rows[_row(number, targets)] *= factor


def _apply_permutation(rows: NDArray[Any], goes_to: NDArray[Any], scratch: _Scratch) -> None:
    """Bring row ``i`` to row ``goes_to[i]``."""
    targets = len(goes_to).bit_length() - 1
    moves = [(old, new) for old, new in enumerate(goes_to.tolist()) if old != new]
    saved = scratch[0][: rows.size].reshape(rows.shape)
    for old, _ in moves:
        saved[_row(old, targets)] = rows[_row(old, targets)]
    for old, new in moves:
        rows[_row(new, targets)] = saved[_row(old, targets)]


@contextlib.contextmanager
def _refusal(size: int) -> Iterator[None]:
    """Say what was asked for where memory runs out, and keep the allocator's own words."""
    try:
        yield
    except MemoryError as error:
        raise BasicAerError(
            f"The CPU could not give {readable(size)} for a state ({error or 'out of memory'}); "
            "close what else uses memory, use fewer qubits or precision='single'."
        ) from error


class NumpyDevice:
    """The CPU. Needs nothing but NumPy and is therefore always there."""

    name = "CPU"

    def new_state(self, n_qubits: int, precision: Precision) -> NumpyState:
        dtype = _DTYPES[precision]
        with _refusal(dtype.itemsize * 2**n_qubits):
            vector = np.zeros(2**n_qubits, dtype)
        vector[0] = 1
        return NumpyState(vector, n_qubits)

    def free_bytes(self) -> int:
        return free_host_bytes()

    def scratch_bytes(self, precision: Precision) -> int:
        two_blocks: int = 2 * precision.amplitude_bytes * 2**_BLOCK_QUBITS
        return two_blocks
