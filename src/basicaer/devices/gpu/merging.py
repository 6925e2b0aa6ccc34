"""The gates of a stage as few operations: what can be one operation is merged."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from basicaer.devices.gpu.operations import OTHER_WIRE_ORDER, Condition, Factors, Flip, Matrix, Operation, Table
from basicaer.devices.gpu.rewriting import condition_of
from basicaer.engine.bits import has_bit, positions_of, with_bit
from basicaer.engine.program import Form

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from basicaer.devices.numbers import GateNumbers

__all__ = ["StageOperations"]

_MOST_SPLIT_TARGETS = 4  # a diagonal on more targets is looked up in a table
_MOST_LOOKED_BACK = 64  # operations among which an X looks for one that it can be part of
_NO_FACTOR = 1e-15  # a factor that differs less from 1 is rounding

_Key = frozenset[tuple[int, bool]]  # a hashable condition
_EVERYWHERE: _Key = frozenset()


class StageOperations:
    """Collects the operations of one stage, merging those that can be.

    Diagonal gates wait as long as possible: all that act on the same amplitudes of a thread cost one product each.

    Parameters
    ----------
    registers
        The wires that the stage holds in registers.
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
            if gate.data[0] == 1:  # it is X; otherwise it does nothing
                self._add_flip(gate.targets[0], condition)
        else:
            matrix = gate.data
            if gate.form is Form.PERMUTATION:
                matrix = np.zeros((4, 4))
                matrix[gate.data, np.arange(4)] = 1
            self._add_matrix(Matrix(gate.targets, matrix, condition))

    def take_scalar(self) -> complex:
        """Return the factor by which every amplitude still has to be multiplied, and forget it."""
        everywhere = self._waiting.get(_EVERYWHERE, {})
        return everywhere.pop(_EVERYWHERE, 1.0)

    def operations(self) -> list[Operation]:
        """Return all operations, in order."""
        self._flush(None)
        return self._done

    def _add_diagonal(self, gate: GateNumbers, condition: Condition) -> None:
        targets = gate.targets
        if len(targets) > _MOST_SPLIT_TARGETS:
            self._done.append(Table(targets, gate.data, condition))
            return
        if len(targets) == 1 and not condition and self._is_absorbed(targets[0], *gate.data):
            return
        for mask, factor in _split(gate.data):
            on = condition | {targets[j]: True for j in positions_of(mask)}
            if len(on) == 1:
                ((wire, value),) = on.items()
                if self._is_absorbed(wire, *((1, factor) if value else (factor, 1))):
                    continue
            inside = frozenset((wire, value) for wire, value in on.items() if wire in self._registers)
            outside = frozenset(on.items()) - inside
            group = self._waiting.setdefault(inside, {})
            group[outside] = group.get(outside, 1.0) * factor

    def _is_absorbed(self, wire: int, zero: complex, one: complex) -> bool:
        """Try to make factors for a wire's two values part of an earlier matrix, and tell whether they are.

        What waits is diagonal and commutes with them, so only the operations that are done may stand in the way.
        """
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
            if isinstance(earlier, Flip) and (earlier.wire, earlier.condition) == (wire, new.condition):
                # Together they flip where exactly one of them does, which is where the sum of their parities says so.
                parity, value = earlier.parity ^ new.parity, earlier.value == new.value
                if parity or not value:
                    self._done[at] = Flip(wire, new.condition, parity, value)
                else:  # they undo each other
                    del self._done[at]
                return
            if not (earlier.changed.isdisjoint(new.touched) and new.changed.isdisjoint(earlier.touched)):
                break
        self._done.append(new)

    def _add_matrix(self, new: Matrix) -> None:
        if not new.condition:
            self._absorb_waiting(new)
        self._flush(new.changed)
        if new.condition or not self._is_merged(new):
            self._done.append(new)

    def _absorb_waiting(self, new: Matrix) -> None:
        """Make the factors that wait and depend on a single wire of a new matrix part of it."""
        for wire in new.wires:
            for value in (False, True):
                group = self._waiting.get(frozenset({(wire, value)}), {})
                if set(group) == {_EVERYWHERE}:
                    factors = np.ones(2, complex)
                    factors[int(value)] = group.pop(_EVERYWHERE)
                    new.matrix = new.matrix @ _spread(Matrix((wire,), np.diag(factors), {}), new.wires)

    def _is_merged(self, new: Matrix) -> bool:
        """Make a new matrix part of an earlier one if one has all its wires, and tell whether it is.

        On the way back, earlier matrices on some of its wires become part of the new one.
        """
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
                return True
            if not set(earlier.wires) <= set(new.wires):
                break
            new.matrix = new.matrix @ _spread(earlier, new.wires)
            del self._done[at]
        return False

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
    for bit in range((len(rest) - 1).bit_length()):
        for index in range(len(rest)):
            if has_bit(index, bit):  # divide out the factors that do not depend on this bit
                rest[index] /= rest[with_bit(index, bit, on=False)]
    for mask, factor in enumerate(rest):
        if abs(factor - 1) > _NO_FACTOR:
            yield mask, factor


def _spread(part: Matrix, wires: Sequence[int]) -> NDArray[np.complexfloating]:
    """Return a matrix as one on `wires`, which hold all of its own."""
    if part.wires == tuple(wires):
        return part.matrix
    if len(part.wires) == 2:
        return part.matrix[np.ix_(OTHER_WIRE_ORDER, OTHER_WIRE_ORDER)]
    if part.wires[0] == wires[0]:
        return np.kron(np.eye(2), part.matrix)
    return np.kron(part.matrix, np.eye(2))
