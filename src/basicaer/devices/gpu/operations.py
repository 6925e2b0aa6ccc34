"""Gates -> the operations of a stage: what is done to amplitudes while they are in registers.

Wires are held as they are; where each is found, in registers, in the thread's or the block's number, is settled later.
A condition ``{wire: value}`` says where an operation acts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from basicaer.engine.bits import extract_bits, has_bit, mask_of, positions_of
from basicaer.engine.program import Form

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from basicaer.devices.cpu.gatewise import GateNumbers
    from basicaer.devices.gpu.affine import Affine

__all__ = [
    "MOST_SPLIT_TARGETS",
    "Factors",
    "Flip",
    "Matrix",
    "Operation",
    "StageOperations",
    "Table",
    "by_diagonal_targets",
    "condition_of",
    "moved_before",
    "without_known",
]

MOST_SPLIT_TARGETS = 4  # diagonals on more are looked up in a table
_MOST_PARITIES = 6  # that a table is made for
_MOST_LOOKED_BACK = 64  # operations among which an X looks for one that it can be part of

Condition = dict[int, bool]
_Key = frozenset[tuple[int, bool]]
_EVERYWHERE: _Key = frozenset()


@dataclass(slots=True)
class Matrix:
    """A matrix on one or two wires in registers; ``wires[0]`` is the least significant bit of a row."""

    wires: tuple[int, ...]
    matrix: NDArray[np.complexfloating]
    condition: Condition

    @property
    def changed(self) -> set[int]:
        """Wires on which it acts otherwise than diagonally."""
        return set(self.wires)

    @property
    def touched(self) -> set[int]:
        """Wires that it acts on or depends on; for factors, those in registers."""
        return {*self.wires, *self.condition}


@dataclass(slots=True)
class Flip:
    """X on a wire in registers where the wires of `parity`, of which 1 is the sum modulo 2, have it as `value` says.

    Without any the sum is 0, so X acts everywhere if `value` is False.
    """

    wire: int
    condition: Condition
    parity: frozenset[int] = frozenset()
    value: bool = False

    @property
    def changed(self) -> set[int]:
        """Wires on which it acts otherwise than diagonally."""
        return {self.wire}

    @property
    def touched(self) -> set[int]:
        """Wires that it acts on or depends on; for factors, those in registers."""
        return {self.wire, *self.condition, *self.parity}


@dataclass(slots=True)
class Factors:
    """Multiplies by factors, each with its own condition outside of the registers, where `inside` holds in these."""

    inside: Condition
    factors: list[tuple[Condition, complex]]

    @property
    def changed(self) -> set[int]:
        """Wires on which it acts otherwise than diagonally."""
        return set()

    @property
    def touched(self) -> set[int]:
        """Wires that it acts on or depends on; for factors, those in registers."""
        return set(self.inside)


@dataclass(slots=True)
class Table:
    """Multiplies by ``factors[i]``, bit j of i being the value of ``wires[j]``, anywhere.

    With `columns`, i is instead the combination of ``columns[j]`` for those ``wires[j]`` that are 1.
    """

    wires: tuple[int, ...]
    factors: NDArray[np.complexfloating]
    condition: Condition
    columns: tuple[int, ...] | None = None

    @property
    def changed(self) -> set[int]:
        """Wires on which it acts otherwise than diagonally."""
        return set()

    @property
    def touched(self) -> set[int]:
        """Wires that it acts on or depends on; for factors, those in registers."""
        return {*self.wires, *self.condition}


Operation = Matrix | Flip | Factors | Table


def without_known(gate: GateNumbers, known: Mapping[int, bool]) -> GateNumbers | None:
    """Return what a gate is where some wires that it acts on diagonally have known values; None if it does nothing."""
    if not gate.targets and gate.form is not Form.DIAGONAL:  # a phase, in another form
        if gate.form is Form.PERMUTATION:
            return None
        gate = gate._replace(form=Form.DIAGONAL, data=gate.data.reshape(1))
    if not known:
        return gate
    controls: list[int] = []
    state = 0
    for j, wire in enumerate(gate.controls):
        value = has_bit(gate.control_state, j)
        if wire not in known:
            state += value * 2 ** len(controls)
            controls.append(wire)
        elif known[wire] != value:
            return None
    data, targets = gate.data, gate.targets
    if gate.form is Form.DIAGONAL and any(wire in known for wire in targets):
        index = tuple(int(known[wire]) if wire in known else slice(None) for wire in reversed(targets))
        data = data.reshape((2,) * len(targets))[index].reshape(-1)
        targets = tuple(wire for wire in targets if wire not in known)
    return gate._replace(data=data, targets=targets, controls=tuple(controls), control_state=state)


def by_diagonal_targets(gate: GateNumbers, diagonal: Sequence[int]) -> list[GateNumbers]:
    """Return a gate as one for each value of the targets, given by number, on which it acts diagonally."""
    size = len(gate.data)
    rest = [j for j in range(len(gate.targets)) if j not in diagonal]
    targets = tuple([gate.targets[j] for j in rest])
    controls = gate.controls + tuple([gate.targets[j] for j in diagonal])
    pieces = []
    for value in range(2 ** len(diagonal)):
        rows = [row for row in range(size) if extract_bits(row, diagonal) == value]
        if gate.form is Form.PERMUTATION:
            data = np.array([extract_bits(int(gate.data[row]), rest) for row in rows])
        else:
            data = gate.data[np.ix_(rows, rows)]
        state = gate.control_state + value * 2 ** len(gate.controls)
        pieces.append(gate._replace(data=data, targets=targets, controls=controls, control_state=state))
    return pieces


def condition_of(gate: GateNumbers) -> Condition:
    """Return where a gate acts, by its controls."""
    return {wire: has_bit(gate.control_state, j) for j, wire in enumerate(gate.controls)}


def moved_before(gate: GateNumbers, permutation: Affine) -> GateNumbers | Table | None:
    """Return what has the effect of a diagonal gate after a permutation if it acts before; None if that is too large.

    A phase by the parity of wires, such as RZ between two ladders of CX, so needs no exchange on either side.
    """
    wires = (*gate.targets, *gate.controls)
    traced = [permutation.traced(wire) for wire in wires]
    k = len(gate.targets)
    indices = np.arange(2**k) ^ mask_of(j for j, (_, flip) in enumerate(traced[:k]) if flip)
    if all(mask.bit_count() == 1 for mask, _ in traced):
        stood = [mask.bit_length() - 1 for mask, _ in traced]
        return gate._replace(
            data=gate.data[indices],
            targets=tuple(stood[:k]),
            controls=tuple(stood[k:]),
            control_state=gate.control_state ^ mask_of(j for j, (_, flip) in enumerate(traced[k:]) if flip),
        )
    condition: Condition = {}
    parities = [mask for mask, _ in traced[:k]]
    factors = gate.data[indices]
    for j, (mask, flip) in enumerate(traced[k:]):
        value = has_bit(gate.control_state, j) != flip
        if mask.bit_count() == 1:
            condition[mask.bit_length() - 1] = value
        else:
            parities.append(mask)
            ones = np.ones(len(factors))
            factors = np.concatenate([ones, factors] if value else [factors, ones])
        if len(parities) > _MOST_PARITIES:
            return None
    columns: dict[int, int] = {}
    for j, mask in enumerate(parities):
        for wire in positions_of(mask):
            columns[wire] = columns.get(wire, 0) | mask_of((j,))
    return Table(tuple(columns), factors, condition, tuple(columns.values()))


class StageOperations:
    """Collects the operations of one stage, merging those that can be.

    Diagonal gates wait as long as possible: all that act on the same amplitudes of a thread cost one product each.
    """

    def __init__(self, registers: Sequence[int]) -> None:
        self._registers = frozenset(registers)
        self._done: list[Operation] = []
        self._waiting: dict[_Key, dict[_Key, complex]] = {}  # [condition in registers][condition elsewhere] -> factor

    def add(self, gate: GateNumbers | Table) -> None:
        """Add a gate; a matrix or permutation has at most two targets, all in registers."""
        if isinstance(gate, Table):
            self._done.append(gate)
            return
        condition = condition_of(gate)
        if gate.form is Form.DIAGONAL:
            self._add_diagonal(gate, condition)
        elif gate.form is Form.PERMUTATION and len(gate.targets) == 1:
            if gate.data[0] == 1:
                self._add_flip(gate.targets[0], condition)
        else:
            matrix = gate.data
            if gate.form is Form.PERMUTATION:
                matrix = np.zeros((4, 4))
                matrix[gate.data, np.arange(4)] = 1
            self._add_matrix(Matrix(gate.targets, matrix, condition))

    def scalar(self) -> complex:
        """Return the factor that every amplitude still has to be multiplied by, and forget it."""
        everywhere = self._waiting.get(_EVERYWHERE, {})
        return everywhere.pop(_EVERYWHERE, 1.0)

    def operations(self) -> list[Operation]:
        """Return all operations, in order."""
        self._flush(None)
        return self._done

    def _add_diagonal(self, gate: GateNumbers, condition: Condition) -> None:
        targets = gate.targets
        if len(targets) > MOST_SPLIT_TARGETS:
            self._done.append(Table(targets, gate.data, condition))
            return
        if len(targets) == 1 and not condition and self._absorbed(targets[0], *gate.data):
            return
        for mask, factor in _split(gate.data):
            on = condition | {targets[j]: True for j in positions_of(mask)}
            if len(on) == 1:
                ((wire, value),) = on.items()
                if self._absorbed(wire, *((1, factor) if value else (factor, 1))):
                    continue
            inside = frozenset((wire, value) for wire, value in on.items() if wire in self._registers)
            outside = frozenset(on.items()) - inside
            group = self._waiting.setdefault(inside, {})
            group[outside] = group.get(outside, 1.0) * factor

    def _absorbed(self, wire: int, zero: complex, one: complex) -> bool:
        """Try to make factors for a wire's two values part of an earlier matrix; all that waits commutes with them."""
        for earlier in reversed(self._done):
            if wire in earlier.touched:
                if isinstance(earlier, Matrix) and not earlier.condition:
                    factors = np.array([zero, one])
                    if len(earlier.wires) == 2:
                        factors = np.tile(factors, 2) if wire == earlier.wires[0] else np.repeat(factors, 2)
                    earlier.matrix = factors[:, None] * earlier.matrix
                    return True
                return False
        return False

    def _add_flip(self, wire: int, condition: Condition) -> None:
        """Add X, as part of an earlier one on the same wire where all in between commutes with it."""
        new = Flip(wire, condition)
        if len(condition) == 1:
            ((control, value),) = condition.items()
            new = Flip(wire, {}, frozenset((control,)), value)
        self._flush({wire})
        for at in reversed(range(max(0, len(self._done) - _MOST_LOOKED_BACK), len(self._done))):
            earlier = self._done[at]
            if isinstance(earlier, Flip) and (earlier.wire, earlier.condition) == (
                wire,
                condition if len(condition) > 1 else {},
            ):
                parity, acts = earlier.parity ^ new.parity, earlier.value == new.value
                if parity or not acts:
                    self._done[at] = Flip(wire, new.condition, parity, acts)
                else:
                    del self._done[at]
                return
            if not (earlier.changed.isdisjoint(new.touched) and new.changed.isdisjoint(earlier.touched)):
                break
        self._done.append(new)

    def _add_matrix(self, new: Matrix) -> None:
        if not new.condition:
            for wire in new.wires:  # what waits on one of its wires alone is part of it
                for value in (False, True):
                    group = self._waiting.get(frozenset({(wire, value)}), {})
                    if set(group) == {_EVERYWHERE}:
                        factors = np.ones(2, complex)
                        factors[int(value)] = group.pop(_EVERYWHERE)
                        new.matrix = new.matrix @ _spread(Matrix((wire,), np.diag(factors), {}), new.wires)
        self._flush(new.changed)
        if not new.condition:
            at = len(self._done)
            while at > 0:
                at -= 1
                earlier = self._done[at]
                if earlier.touched.isdisjoint(new.wires):
                    continue
                if not isinstance(earlier, Matrix) or earlier.condition:
                    break
                if set(new.wires) <= set(earlier.wires):
                    earlier.matrix = _spread(new, earlier.wires) @ earlier.matrix
                    return
                if not set(earlier.wires) <= set(new.wires):
                    break
                new.matrix = new.matrix @ _spread(earlier, new.wires)
                del self._done[at]
        self._done.append(new)

    def _flush(self, wires: set[int] | None) -> None:
        """Emit the diagonal gates that wait and act in registers on any of the wires; all for None."""
        for inside in list(self._waiting):
            if wires is None or any(wire in wires for wire, _ in inside):
                factors = [
                    (dict(outside), factor) for outside, factor in self._waiting.pop(inside).items() if factor != 1
                ]
                if factors:
                    self._done.append(Factors(dict(inside), factors))


def _split(diagonal: NDArray[np.complexfloating]) -> Iterator[tuple[int, complex]]:
    """Write a diagonal as a product of factors, each acting where all bits of a mask are 1: yield mask and factor."""
    rest: list[complex] = diagonal.tolist()
    bit = 1
    while bit < len(rest):  # where the bit is 1: what is left besides the factors that do not depend on it
        for index in range(len(rest)):
            if index & bit:
                rest[index] /= rest[index ^ bit]
        bit *= 2
    for mask, factor in enumerate(rest):
        if abs(factor - 1) > 1e-15:
            yield mask, factor


def _spread(part: Matrix, wires: Sequence[int]) -> NDArray[np.complexfloating]:
    """Return a matrix as one on `wires`, which hold all of its own."""
    if part.wires == tuple(wires):
        return part.matrix
    if len(part.wires) == 2:  # the same two, the other way round
        order = [0, 2, 1, 3]
        return part.matrix[np.ix_(order, order)]
    if part.wires[0] == wires[0]:
        return np.kron(np.eye(2), part.matrix)
    return np.kron(part.matrix, np.eye(2))
