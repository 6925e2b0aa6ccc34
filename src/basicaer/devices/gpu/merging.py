"""The gates of a stage as few operations: what can be one operation is merged."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
)
from basicaer.devices.gpu.rewriting import condition_of
from basicaer.devices.gpu.structs import MOST_SELECTORS
from basicaer.devices.gpu.tape import NOTHING, ONE, ZERO
from basicaer.engine.bits import has_bit, positions_of, with_bit
from basicaer.engine.program import Form

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from basicaer.devices.gpu.operations import Entries
    from basicaer.devices.gpu.steps import Places, Product
    from basicaer.devices.gpu.tape import Tape
    from basicaer.devices.numbers import GateNumbers

__all__ = ["Owed", "StageOperations"]

_MOST_SPLIT_TARGETS = 4  # a diagonal on more targets is looked up in a table
_MOST_FACTORS = 64  # A product that the card makes for each register has no more; a longer one is made beforehand.
_LEAST_OWED = 2.0**-30  # A factor that is put off is no less; single precision reaches 2**-126.
_MOST_LOOKED_BACK = 64  # operations among which an X looks for one that it can be part of


_Key = frozenset[tuple[int, bool]]  # a hashable condition
_EVERYWHERE: _Key = frozenset()


class Owed:
    """What all amplitudes still have to be multiplied by.

    Until then they are too large, but never so much that they exceed the range of numbers.
    """

    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self._factors: Product = ()
        self._size = 1.0

    def add(self, factor: Product) -> None:
        """Put a factor off."""
        if factor:
            self._factors += factor
            self._size *= self._tape.least_size(factor)

    @property
    def is_due(self) -> bool:
        """Whether no more can be put off."""
        return self._size < _LEAST_OWED

    def paid(self) -> Product:
        """Return what is owed, after which nothing is owed any more."""
        factors, self._factors, self._size = self._factors, (), 1.0
        return factors if len(factors) <= _MOST_FACTORS else (self._tape.single(factors),)


class StageOperations:
    """Collects the operations of one stage, merging those that can be.

    Diagonal gates wait as long as possible: all that act on the same amplitudes of a thread cost one product each.

    Parameters
    ----------
    registers
        The wires that the stage holds in registers.
    tape
        Where the numbers of gates are.
    """

    def __init__(self, registers: Sequence[int], tape: Tape) -> None:
        self._registers = frozenset(registers)
        self._tape = tape
        self._done: list[Operation] = []
        # _waiting[condition in registers][condition elsewhere] = the factor
        self._waiting: dict[_Key, dict[_Key, Product]] = {}

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
            rows = gate.data.tolist()
            if gate.form is Form.PERMUTATION:  # column c has its 1 in row ``rows[c]``
                matrix: Entries = [[() if rows[column] == row else NOTHING for column in range(4)] for row in range(4)]
            else:
                matrix = [[_product(number) for number in row] for row in rows]
            self._add_matrix(Matrix(gate.targets, matrix, condition))

    def operations(self, owed: Owed) -> list[Operation]:
        """Return all operations, in order.

        Parameters
        ----------
        owed
            By what every amplitude still has to be multiplied before these; afterwards, after these.
        """
        everywhere = self._waiting.get(_EVERYWHERE, {})
        owed.add(everywhere.pop(_EVERYWHERE, ()))
        self._flush(None)
        return _paid(self._in_rounds(list(self._turned())), owed)

    def _add_diagonal(self, gate: GateNumbers, condition: Condition) -> None:
        targets = gate.targets
        if len(targets) > _MOST_SPLIT_TARGETS or self._tape.has_zero(gate.data):
            self._done.append(Table(targets, gate.data, condition))
            return
        if len(targets) == 1 and not condition and self._is_absorbed(targets[0], *_products(gate.data)):
            return
        for mask, factor in self._split(gate.data):
            on = condition | {targets[j]: True for j in positions_of(mask)}
            if len(on) == 1:
                ((wire, value),) = on.items()
                if self._is_absorbed(wire, *(((), factor) if value else (factor, ()))):
                    continue
            inside = frozenset((wire, value) for wire, value in on.items() if wire in self._registers)
            outside = frozenset(on.items()) - inside
            group = self._waiting.setdefault(inside, {})
            group[outside] = group.get(outside, ()) + factor

    def _is_absorbed(self, wire: int, zero: Product, one: Product) -> bool:
        """Try to make factors for a wire's two values part of an earlier matrix, and tell whether they are.

        What waits is diagonal and commutes with them, so only the operations that are done may stand in the way.
        """
        for earlier in reversed(self._done):
            if wire in earlier.touched:
                if isinstance(earlier, Matrix) and not earlier.condition:
                    position = earlier.wires.index(wire)
                    for row, entries in enumerate(earlier.matrix):
                        factor = one if has_bit(row, position) else zero
                        earlier.matrix[row] = [_times(entry, factor) for entry in entries]
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
        for position, wire in enumerate(new.wires):
            for value in (False, True):
                group = self._waiting.get(frozenset({(wire, value)}), {})
                if set(group) == {_EVERYWHERE}:
                    factor = group.pop(_EVERYWHERE)
                    new.matrix = [
                        [
                            _times(entry, factor) if has_bit(column, position) == value else entry
                            for column, entry in enumerate(entries)
                        ]
                        for entries in new.matrix
                    ]

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
                earlier.matrix = self._multiplied(_spread(new, earlier.wires), earlier.matrix)
                return True
            if not set(earlier.wires) <= set(new.wires):
                break
            new.matrix = self._multiplied(new.matrix, _spread(earlier, new.wires))
            del self._done[at]
        return False

    def _flush(self, wires: set[int] | None) -> None:
        """Emit the diagonal gates that wait and act in registers on any of the wires; all for None."""
        for inside in list(self._waiting):
            if wires is None or any(wire in wires for wire, _ in inside):
                waiting = self._waiting.pop(inside).items()
                factors = [(dict(outside), by) for outside, by in waiting if not self._tape.is_one(by)]
                if factors:
                    self._done.append(Factors(dict(inside), factors))

    def _multiplied(self, later: Entries, earlier: Entries) -> Entries:
        """Return the product of two matrices."""
        columns = list(zip(*earlier, strict=True))
        return [[self._tape.added(map(_times, row, column)) for column in columns] for row in later]

    def _split(self, diagonal: Places) -> Iterator[tuple[int, Product]]:
        """Write a diagonal as factors, each acting where all bits of a mask are 1: yield mask and factor."""
        rest = _products(diagonal)
        for bit in range((len(rest) - 1).bit_length()):
            for index in range(len(rest)):
                if has_bit(index, bit):  # divide out the factors that do not depend on this bit
                    rest[index] = self._tape.divided(rest[index], rest[with_bit(index, bit, on=False)])
        for mask, factor in enumerate(rest):
            if not self._tape.is_one(factor):
                yield mask, factor

    def _turned(self) -> Iterator[Operation]:
        """Yield operations, with unitary matrices on one wire as rotations between diagonals."""
        single = [one for one in self._done if isinstance(one, Matrix) and len(one.wires) == 1 and not one.condition]
        turns = self._tape.turned([[*one.matrix[0], *one.matrix[1]] for one in single])
        turn_of = dict(zip(map(id, single), turns, strict=True))
        for operation in self._done:
            turn = turn_of.get(id(operation))
            if turn is None:
                yield operation
                continue
            (wire,) = operation.touched
            before, after, scale = (turn.before,), (turn.after,), (turn.scale,)
            if not self._tape.is_one(before):
                yield Factors({wire: True}, [({}, before)])
            for number in range(turn.kind.times):
                yield Rotation(wire, turn, () if number else scale)
            if not turn.kind.times:
                yield Factors({}, [({}, scale)])
            if turn.kind.flips:
                yield Flip(wire, {})
            if not self._tape.is_one(after):
                yield Factors({wire: True}, [({}, after)])

    def _with_diagonals(self, operations: Sequence[Operation], *, sheared: bool) -> Iterator[Operation]:
        """Yield diagonal operations, with those that depend on registers and on few other wires as one, the last one.

        Parameters
        ----------
        sheared
            Whether rotations follow that need a diagonal.
        """
        taken: list[tuple[Condition, Product]] = []
        left: list[Factors] = []
        many = [one for one in operations if isinstance(one, Factors)]
        yield from (one for one in operations if not isinstance(one, Factors))
        wires = _selecting(many)
        for one in many:
            taken += [(one.inside | outside, factor) for outside, factor in one.factors if outside.keys() <= wires]
            rest = [(outside, factor) for outside, factor in one.factors if not outside.keys() <= wires]
            if rest:
                left.append(Factors(one.inside, rest))
        if len(many) - len(left) + sheared > 1 or wires:
            yield from left
            if taken:
                yield Diagonal([(condition, factor) for condition, factor in taken if not self._tape.is_one(factor)])
        else:
            yield from many

    def _in_rounds(self, operations: Sequence[Operation]) -> Iterator[Operation]:
        """Yield operations such that as many diagonal ones as possible follow one another."""
        for diagonal, others in _rounds(operations):
            yield from self._with_diagonals(diagonal, sheared=sum(isinstance(one, Rotation) for one in others) > 1)
            yield from others


def _paid(operations: Iterator[Operation], owed: Owed) -> list[Operation]:
    """Let operations that multiply all amplitudes make up for the scales of rotations, and return all of them."""
    found: list[Operation] = []
    for operation in operations:
        found.append(operation)
        if isinstance(operation, Rotation):
            owed.add(operation.scale)
        elif isinstance(operation, Diagonal):
            operation.factors.append(({}, owed.paid()))
        if owed.is_due:
            found.append(Factors({}, [({}, owed.paid())]))
    return found


def _rounds(operations: Sequence[Operation]) -> list[tuple[list[Operation], list[Operation]]]:
    """Return operations in *rounds*, each of which has diagonal operations first, which all commute, then others.

    Operations that commute may change places, so each goes into the earliest round that it can be in.
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
    return rounds


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


def _product(place: int) -> Product:
    """Return the number at a place as a product; 1 is that of no numbers."""
    return () if place == ONE else (place,)


def _products(places: Places) -> list[Product]:
    return [_product(place) for place in places.tolist()]


def _times(entry: Product, factor: Product) -> Product:
    return NOTHING if ZERO in entry or ZERO in factor else entry + factor


def _spread(part: Matrix, wires: Sequence[int]) -> Entries:
    """Return a matrix as one on `wires`, which hold all of its own."""
    if part.wires == tuple(wires):
        return part.matrix
    if len(part.wires) == 2:
        return [[part.matrix[row][column] for column in OTHER_WIRE_ORDER] for row in OTHER_WIRE_ORDER]
    own = wires.index(part.wires[0])

    def entry(row: int, column: int) -> Product:
        if has_bit(row, 1 - own) != has_bit(column, 1 - own):
            return NOTHING
        return part.matrix[has_bit(row, own)][has_bit(column, own)]

    return [[entry(row, column) for column in range(4)] for row in range(4)]
