"""The gates of a stage as few operations: what can be one operation is merged."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from basicaer.devices.gpu.operations import (
    OTHER_WIRE_ORDER,
    Condition,
    Diagonal,
    Factors,
    Flip,
    Matrix,
    Operation,
    Rotation,
    Table,
    is_rounding,
    stacked,
)
from basicaer.devices.gpu.rewriting import condition_of
from basicaer.devices.gpu.structs import MOST_SELECTORS
from basicaer.devices.gpu.turning import turned
from basicaer.engine.bits import has_bit, positions_of, with_bit
from basicaer.engine.program import Form

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from basicaer.devices.gpu.operations import Factor
    from basicaer.devices.numbers import GateNumbers

__all__ = ["StageOperations"]

_MOST_SPLIT_TARGETS = 4  # a diagonal on more targets is looked up in a table
_LEAST_OWED = 2.0**-30  # A factor that is put off is no less; single precision reaches 2**-126.
_MOST_LOOKED_BACK = 64  # operations among which an X looks for one that it can be part of


_Key = frozenset[tuple[int, bool]]  # a hashable condition
_EVERYWHERE: _Key = frozenset()
_ONE = 1.0 + 0j


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
        # _waiting[condition in registers][condition elsewhere] = the factor
        self._waiting: dict[_Key, dict[_Key, Factor]] = {}

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
                matrix = np.eye(4)[gate.data].T[..., None]  # column c has its 1 in row ``gate.data[c]``
            self._add_matrix(Matrix(gate.targets, matrix, condition))

    def operations(self, owed: Factor = _ONE) -> tuple[list[Operation], Factor]:
        """Return all operations, in order, and the factor by which every amplitude still has to be multiplied then.

        Parameters
        ----------
        owed
            That of the stages before.
        """
        everywhere = self._waiting.get(_EVERYWHERE, {})
        owed = owed * everywhere.pop(_EVERYWHERE, _ONE)
        self._flush(None)
        return _paid(_in_rounds(list(_turned(self._done))), owed)

    def _add_diagonal(self, gate: GateNumbers, condition: Condition) -> None:
        targets = gate.targets
        if len(targets) > _MOST_SPLIT_TARGETS:
            self._done.append(Table(targets, gate.data, condition))
            return
        if len(targets) == 1 and not condition and self._is_absorbed(targets[0], *_numbers(gate.data)):
            return
        for mask, factor in _split(gate.data):
            on = condition | {targets[j]: True for j in positions_of(mask)}
            if len(on) == 1:
                ((wire, value),) = on.items()
                if self._is_absorbed(wire, *((_ONE, factor) if value else (factor, _ONE))):
                    continue
            inside = frozenset((wire, value) for wire, value in on.items() if wire in self._registers)
            outside = frozenset(on.items()) - inside
            group = self._waiting.setdefault(inside, {})
            group[outside] = group[outside] * factor if outside in group else factor

    def _is_absorbed(self, wire: int, zero: Factor, one: Factor) -> bool:
        """Try to make factors for a wire's two values part of an earlier matrix, and tell whether they are.

        What waits is diagonal and commutes with them, so only the operations that are done may stand in the way.
        """
        for earlier in reversed(self._done):
            if wire in earlier.touched:
                if isinstance(earlier, Matrix) and not earlier.condition:
                    factors = stacked([zero, one])
                    if len(earlier.wires) == 2:
                        factors = factors[[0, 1, 0, 1] if wire == earlier.wires[0] else [0, 0, 1, 1]]
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
                    factors = stacked([_ONE, group.pop(_EVERYWHERE)] if value else [group.pop(_EVERYWHERE), _ONE])
                    diagonal = np.zeros((2, *factors.shape), complex)
                    diagonal[[0, 1], [0, 1]] = factors
                    new.matrix = _product(new.matrix, _spread(Matrix((wire,), diagonal, {}), new.wires))

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
                earlier.matrix = _product(_spread(new, earlier.wires), earlier.matrix)
                return True
            if not set(earlier.wires) <= set(new.wires):
                break
            new.matrix = _product(new.matrix, _spread(earlier, new.wires))
            del self._done[at]
        return False

    def _flush(self, wires: set[int] | None) -> None:
        """Emit the diagonal gates that wait and act in registers on any of the wires; all for None."""
        for inside in list(self._waiting):
            if wires is None or any(wire in wires for wire, _ in inside):
                waiting = self._waiting.pop(inside).items()
                factors = [(dict(outside), by) for outside, by in waiting if not is_rounding(by)]
                if factors:
                    self._done.append(Factors(dict(inside), factors))


def _in_rounds(operations: Sequence[Operation]) -> Iterator[Operation]:
    """Yield operations in an order in which as many diagonal ones as possible follow one another.

    Operations that commute may change places, so each goes into the earliest *round* that it can be in. A round has
    diagonal operations first, which all commute, then others.
    """
    changed: dict[int, int] = {}  # [wire] = the last round in which an operation changes it
    read: dict[int, int] = {}  # [wire] = the last round in which an operation depends on its value
    rounds: list[tuple[list[Operation], list[Operation]]] = []
    for operation in operations:
        touched, changes = operation.touched, operation.changed
        if changes:
            number = max([0, *(read.get(wire, 0) for wire in changes), *(changed.get(wire, 0) for wire in touched)])
        else:
            number = max([0, *(changed.get(wire, -1) + 1 for wire in touched)])
        if number == len(rounds):
            rounds.append(([], []))
        rounds[number][bool(changes)].append(operation)
        for wire in touched:
            last = changed if wire in changes else read
            last[wire] = max(number, last.get(wire, 0))
    for diagonal, others in rounds:
        yield from _with_diagonals(diagonal, sheared=sum(isinstance(one, Rotation) for one in others) > 1)
        yield from others


def _with_diagonals(operations: Sequence[Operation], *, sheared: bool) -> Iterator[Operation]:
    """Yield diagonal operations, with those that depend on registers and on few other wires as one, which comes last.

    Parameters
    ----------
    sheared
        Whether rotations follow that need a diagonal.
    """
    taken: list[tuple[Condition, Factor]] = []
    left: list[Factors] = []
    many = [one for one in operations if isinstance(one, Factors)]
    yield from (one for one in operations if not isinstance(one, Factors))
    wires = _selecting(many)
    for one in many:
        inside = [(one.inside | outside, factor) for outside, factor in one.factors if outside.keys() <= wires]
        rest = [(outside, factor) for outside, factor in one.factors if not outside.keys() <= wires]
        taken += inside
        if rest:
            left.append(Factors(one.inside, rest))
    if len(many) - len(left) + sheared > 1 or wires:
        yield from left
        if taken:
            yield Diagonal([(condition, factor) for condition, factor in taken if not is_rounding(factor)])
    else:
        yield from many


def _selecting(many: Sequence[Factors]) -> frozenset[int]:
    """Return the wires outside of the registers on which one diagonal should depend, to replace most operations."""
    asked = [frozenset(wire for outside, _ in one.factors for wire in outside) for one in many]
    few = [wires for wires in asked if wires and len(wires) <= MOST_SELECTORS]
    best, most = frozenset[int](), 0
    for chosen in dict.fromkeys(one | other for one in few for other in few if len(one | other) <= MOST_SELECTORS):
        saved = sum(wires <= chosen for wires in few)
        if saved > most:
            best, most = chosen, saved
    return best


def _turned(operations: Sequence[Operation]) -> Iterator[Operation]:
    """Yield operations, with unitary matrices on one wire as rotations between diagonals."""
    single = [one for one in operations if isinstance(one, Matrix) and len(one.wires) == 1 and not one.condition]
    turns = dict(zip(map(id, single), turned([one.matrix for one in single]), strict=True))
    for operation in operations:
        turn = turns.get(id(operation))
        if turn is None:
            yield operation
            continue
        (wire,) = operation.touched
        before, after, scale = _simplest(turn.before), _simplest(turn.after), _simplest(turn.scale)
        if not is_rounding(before):
            yield Factors({wire: True}, [({}, before)])
        for number in range(turn.times):
            yield Rotation(wire, turn.tangent, _ONE if number else scale)
        if not turn.times:
            yield Factors({}, [({}, scale)])
        if turn.flips:
            yield Flip(wire, {})
        if not is_rounding(after):
            yield Factors({wire: True}, [({}, after)])


def _paid(operations: Iterator[Operation], owed: Factor) -> tuple[list[Operation], Factor]:
    """Let operations that multiply all amplitudes make up for the scales of rotations, and return what is left.

    Until then amplitudes are too large, but never so much that they exceed the range of numbers.
    """
    found: list[Operation] = []
    for operation in operations:
        found.append(operation)
        if isinstance(operation, Rotation):
            owed = owed * operation.scale
        elif isinstance(operation, Diagonal):
            operation.factors.append(({}, owed))
            owed = _ONE
        if (abs(owed) if isinstance(owed, complex) else abs(owed).min()) < _LEAST_OWED:
            found.append(Factors({}, [({}, owed)]))
            owed = _ONE
    return found, owed


def _simplest(factor: NDArray[np.complexfloating]) -> Factor:
    """Return a factor that is given for each set; as a number if there is one set, which takes less time."""
    return complex(factor[0]) if len(factor) == 1 else factor


def _split(diagonal: NDArray[np.complexfloating]) -> Iterator[tuple[int, Factor]]:
    """Write a diagonal as a product of factors, each acting where all bits of a mask are 1: yield mask and factor."""
    rest: list[Factor] = _numbers(diagonal)
    for bit in range((len(rest) - 1).bit_length()):
        for index in range(len(rest)):
            if has_bit(index, bit):  # divide out the factors that do not depend on this bit
                rest[index] = rest[index] / rest[with_bit(index, bit, on=False)]
    for mask, factor in enumerate(rest):
        if not is_rounding(factor):
            yield mask, factor


def _numbers(diagonal: NDArray[np.complexfloating]) -> list[Factor]:
    """Return the rows of a diagonal as factors; Python's numbers take less time than arrays of one."""
    if diagonal.shape[1] == 1:
        return [complex(number) for number in diagonal[:, 0].tolist()]
    return list(diagonal)


def _product(later: NDArray[np.complexfloating], earlier: NDArray[np.complexfloating]) -> NDArray[np.complexfloating]:
    """Return the products of matrices, of each set with the other's of the same set."""
    product: NDArray[np.complexfloating]
    if later.shape[-1] == earlier.shape[-1] == 1:
        product = (later[..., 0] @ earlier[..., 0])[..., None]
        return product
    product = later[:, :1] * earlier[0]
    for j in range(1, len(earlier)):
        product = product + later[:, j : j + 1] * earlier[j]
    return product


def _spread(part: Matrix, wires: Sequence[int]) -> NDArray[np.complexfloating]:
    """Return a matrix as one on `wires`, which hold all of its own."""
    if part.wires == tuple(wires):
        return part.matrix
    if len(part.wires) == 2:
        return part.matrix[np.ix_(OTHER_WIRE_ORDER, OTHER_WIRE_ORDER)]
    spread = np.zeros((2, 2, 2, 2, part.matrix.shape[-1]), complex)  # the bits of the row and of the column, high first
    for other in range(2):
        if part.wires[0] == wires[0]:
            spread[other, :, other, :] = part.matrix
        else:
            spread[:, other, :, other] = part.matrix
    return spread.reshape(4, 4, -1)
