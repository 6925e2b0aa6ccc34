"""Applies one gate at a time to an array of amplitudes, in place: for small states, and to fuse gates into matrices."""

from __future__ import annotations

import itertools
from functools import cached_property, lru_cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from basicaer.engine.bits import has_bit, highest_position
from basicaer.engine.program import Form

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray

    from basicaer.devices.numbers import GateNumbers

    _Scratch = tuple[NDArray[Any], NDArray[Any]]  # two arrays, each as large as a block or as the rows of a wider gate

__all__ = ["FEW_AMPLITUDES", "BoundGate", "Gatewise", "along_targets", "by_value", "rows_of", "squares", "weight"]

_BLOCK_QUBITS = 16  # 2**16 amplitudes are 1 MiB in double precision, so a block stays in the second-level cache
FEW_AMPLITUDES = 2**11  # up to this many amplitudes, a matrix is applied by one product with temporary arrays
_FEW_TARGETS = 4  # a diagonal on no more targets is applied row by row, skipping rows that do not change


class _Blocks(NamedTuple):
    """How to walk through a state in blocks of rows: one row for each basis state of the target qubits.

    ``shape`` gives the state one axis for each target, each control and each run of other qubits, highest qubit first.
    ``place`` is an index that selects the values of the controls; its last entry, an ellipsis, keeps the result an
    array, even of one amplitude. ``loops`` are the axes that number the blocks, with their sizes.
    ``order`` then moves the targets to the front, the last target first, so that a row's number is little-endian.
    """

    shape: tuple[int, ...]
    place: tuple[Any, ...]
    loops: tuple[tuple[int, int], ...]
    order: tuple[int, ...]


@lru_cache(maxsize=4096)
def _blocks(n: int, targets: tuple[int, ...], controls: tuple[int, ...], control_state: int) -> _Blocks:
    control_value = {q: int(has_bit(control_state, j)) for j, q in enumerate(controls)}
    others = [q for q in range(n) if q not in control_value and q not in targets]
    inside = set(others[: max(0, _BLOCK_QUBITS - len(targets))])  # the lowest other qubits are within a block
    shape: list[int] = []
    place: list[int | slice] = []
    loops: list[int] = []  # axes that number the blocks
    axis_of_target: dict[int, int] = {}
    kept = 0  # axes that are left without those of controls and loops
    run = ""  # the role of the axis that is being widened: "loop", "inside" or, if there is none, ""
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


def rows_of(
    vector: NDArray[Any], n: int, targets: tuple[int, ...], controls: tuple[int, ...] = (), control_state: int = 0
) -> Iterator[NDArray[Any]]:
    """Yield views ``rows[b_k-1, ..., b_0, ...]`` of the amplitudes whose targets have the values b, in blocks."""
    return _rows_in(vector, _blocks(n, targets, controls, control_state))


def _rows_in(vector: NDArray[Any], blocks: _Blocks) -> Iterator[NDArray[Any]]:
    array = vector.reshape(blocks.shape)
    place = list(blocks.place)
    for numbers in itertools.product(*(range(size) for _, size in blocks.loops)):
        for (axis, _), number in zip(blocks.loops, numbers, strict=True):
            place[axis] = number
        yield array[tuple(place)].transpose(blocks.order)


class BoundGate(NamedTuple):
    """A gate that is ready for arrays of one size and type: where the blocks of rows are, and what is done to each."""

    blocks: _Blocks
    act: Callable[[NDArray[Any], _Scratch], None]


class Gatewise:
    """Applies gates to arrays of 2**n amplitudes; holds the scratch arrays that they need."""

    def __init__(self, n: int, dtype: np.dtype[Any]) -> None:
        self.n = n
        self._dtype = dtype

    @cached_property
    def _scratch(self) -> _Scratch:  # many states are only measured, and need none
        block = 2 ** min(self.n, _BLOCK_QUBITS)
        return np.empty(block, self._dtype), np.empty(block, self._dtype)

    def bound(self, gate: GateNumbers) -> BoundGate:
        """Return a gate ready to be run, any number of times."""
        blocks = _blocks(self.n, gate.targets, gate.controls, gate.control_state)
        if gate.form is Form.MATRIX:
            return BoundGate(blocks, partial(_apply_matrix, gate.data.astype(self._dtype, copy=False)))
        if gate.form is Form.PERMUTATION:
            return BoundGate(blocks, partial(_apply_permutation, gate.data))
        if len(gate.targets) > _FEW_TARGETS:
            return BoundGate(blocks, partial(_apply_wide_diagonal, gate.data))
        changed = [(_row(i, len(gate.targets)), f) for i, f in enumerate(gate.data.tolist()) if f != 1]
        return BoundGate(blocks, partial(_apply_diagonal, changed))

    def run(self, bound: BoundGate, vector: NDArray[Any], poll: Callable[[], None]) -> None:
        """Apply a gate in place, polling before each block."""
        (shape, place, loops, order), act = bound
        if not loops:
            poll()
            act(vector.reshape(shape)[place].transpose(order), self._scratch)
            return
        for block in _rows_in(vector, bound.blocks):
            poll()
            if block.size > len(self._scratch[0]):  # a gate on more qubits than a block has
                self._scratch = (np.empty(block.size, vector.dtype), np.empty(block.size, vector.dtype))
            act(block, self._scratch)

    def apply(self, vector: NDArray[Any], gate: GateNumbers, poll: Callable[[], None]) -> None:
        """Apply a gate in place, once."""
        self.run(self.bound(gate), vector, poll)


def weight(amplitudes: NDArray[Any]) -> float:
    """Return the sum of the squared moduli, accumulated in float64 whatever the precision."""
    parts = np.ascontiguousarray(amplitudes).reshape(-1).astype(np.complex128, copy=False).view(np.float64)
    return float(np.dot(parts, parts))


def by_value(states: NDArray[Any], place: int) -> NDArray[np.floating]:
    """Return real and imaginary parts of some states, with an axis for the value of an index bit.

    ``values[s, h, v, l]``: of state s, the bits above it in h, the bit itself in v, and those below it, in pairs of a
    real and an imaginary part, in l.
    """
    return states.view(states.real.dtype).reshape(len(states), -1, 2, 2 ** (place + 1))


def squares(amplitudes: NDArray[Any]) -> NDArray[np.float64]:
    """Return the squared moduli, in float64 whatever the precision."""
    amplitudes = amplitudes.astype(np.complex128, copy=False)
    squared: NDArray[np.float64] = amplitudes.real**2 + amplitudes.imag**2
    return squared


@lru_cache(maxsize=256)
def _row(number: int, targets: int) -> tuple[int, ...]:
    """Return the index of a row along the axes of the targets, the last target first."""
    return tuple(int(has_bit(number, j)) for j in reversed(range(targets)))


def along_targets(values: NDArray[Any], targets: int, axes: int) -> NDArray[Any]:
    """Return an array with one value for each row in the shape that broadcasts over the rows."""
    return values.reshape((2,) * targets + (1,) * (axes - targets))


def _apply_matrix(matrix: NDArray[Any], rows: NDArray[Any], scratch: _Scratch) -> None:
    """Multiply the rows by a matrix.

    There are three ways, each used where it is the fastest (measured on two EPYC cores with one BLAS thread). Up to
    2**11 amplitudes it is one product with temporary arrays, which takes 2 us where the other ways take 10. Beyond, it
    is elementwise arithmetic for one qubit, since BLAS takes at least twice as long for so thin a matrix, and a product
    into scratch arrays for more qubits.
    """
    if rows.size <= FEW_AMPLITUDES:
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


def _apply_diagonal(changed: Iterable[tuple[Any, Any]], rows: NDArray[Any], _scratch: _Scratch) -> None:
    """Multiply each row that changes by its factor."""
    for row, factor in changed:
        rows[row] *= factor


def _apply_wide_diagonal(factors: NDArray[Any], rows: NDArray[Any], _scratch: _Scratch) -> None:
    """Multiply all rows by their factors at once."""
    targets = highest_position(len(factors))
    np.multiply(rows, along_targets(factors, targets, rows.ndim), out=rows, casting="same_kind")


def _apply_permutation(goes_to: NDArray[Any], rows: NDArray[Any], scratch: _Scratch) -> None:
    """Move row ``i`` to row ``goes_to[i]``."""
    targets = highest_position(len(goes_to))
    if targets == 1:
        rows[...] = rows[goes_to]  # both permutations of two rows are their own inverses
        return
    moves = [(old, new) for old, new in enumerate(goes_to.tolist()) if old != new]
    saved = scratch[0][: rows.size].reshape(rows.shape)
    for old, _ in moves:
        saved[_row(old, targets)] = rows[_row(old, targets)]
    for old, new in moves:
        rows[_row(new, targets)] = saved[_row(old, targets)]
