"""Operations of a stage -> the structures that `run_pass` reads.

To add a kind of operation, see "Adding an operation" in kernels/README.md.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple, assert_never

import numpy as np

from basicaer.devices.gpu.frames import Frame
from basicaer.devices.gpu.layers import Layer
from basicaer.devices.gpu.operations import (
    Diagonal,
    Factors,
    Flip,
    Matrix,
    Operation,
    Rotation,
    Table,
)
from basicaer.devices.gpu.structs import (
    COLUMNS,
    GROUP_BITS,
    MOST_PAIRED_BITS,
    MOST_ROTATIONS,
    MOST_THREAD_BITS,
    NO_TABLES,
    LayerDiagonal,
    OperationKind,
)
from basicaer.devices.gpu.tape import Rows, rows_of, rows_where
from basicaer.engine.bits import (
    all_ones,
    bit_at,
    has_bit,
    lowest_bits,
    mask_of,
    parity,
    positions_of,
    shifted_down,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from basicaer.devices.gpu.operations import Condition
    from basicaer.devices.gpu.pass_arrays import PassArrays
    from basicaer.devices.gpu.steps import Product

__all__ = ["Encoder", "Places"]

_REGISTER, _THREAD, _BLOCK = range(3)  # the three numbers by which an amplitude is found


class Places(NamedTuple):
    """Where amplitudes are put or stored: what is combined for each bit of the three numbers, and always."""

    register: list[int]
    thread: list[int]
    block: list[int]
    flip: int


class Encoder:
    """Turns operations on wires into those on bits of the register's, the thread's and the block's number.

    Wires that are flipped are renamed, and no amplitude moves: see `Frame`. Amplitudes move only before operations that
    need each wire to be a bit of the register's number, such as those on two wires.

    Parameters
    ----------
    arrays
        Where the operations, and the numbers that they need, are added.
    registers, threads, outside
        The wires that the bits of these numbers stand for, lowest first.
    """

    def __init__(
        self, arrays: PassArrays, registers: Sequence[int], threads: Sequence[int], outside: Sequence[int]
    ) -> None:
        self._arrays = arrays
        self._registers = tuple(registers)
        self._outside = tuple(outside)
        self.threads = tuple(threads)
        self._frame = Frame(len(registers))
        self._renamed: list[Flip] = []  # what the frame stands for: it moved no amplitudes
        self._shown = [(0, 0)] * len(registers)  # masks of the thread's and block's number for each bit of `view`
        self._layer = Layer()
        self._bit_of = {  # _bit_of[wire] = (the number that it is a bit of, the bit's position)
            wire: (number, bit)
            for number, wires in ((_REGISTER, registers), (_THREAD, threads), (_BLOCK, outside))
            for bit, wire in enumerate(wires)
        }

    def add(self, operation: Operation) -> None:
        """Add an operation; `finish` has to follow the last one."""
        match operation:
            case Rotation(wire, turn):
                self._show()
                if len(self._layer.rotations) == MOST_ROTATIONS:
                    self.finish()
                self._layer.rotate(self._frame, self._register(wire), turn)
            case Flip(condition=condition) if not condition:
                self._rename(operation)
            case Diagonal(factors):
                self.finish()
                self._show()
                self._layer.selectors, self._layer.acts = self._by_register([condition for condition, _ in factors])
                self._layer.factors = [factor for _, factor in factors]
                is_view = any((*self._frame.of_thread, *self._frame.of_block))
                self._layer.kind = LayerDiagonal.DIAGONAL_BY_VIEW if is_view else LayerDiagonal.DIAGONAL
            case Flip():
                self._settle()
                self._move(operation)
            case Matrix(wires, matrix, condition) if len(wires) == 1:
                self._settle()
                at = self._arrays.add_constants(rows_of([entry for row in matrix for entry in row]))
                self._put(OperationKind.DENSE, condition, bit=self._register(wires[0]), at=at)
            case Matrix(wires, condition=condition):
                self._settle()
                if len(self._registers) > MOST_PAIRED_BITS:
                    self._bring_together(wires)
                low, high = sorted(wires, key=self._register)
                at = self._arrays.add_constants(rows_of(operation.entries(low)))
                bits = {"bit": self._register(low), "other": self._register(high)}
                self._put(OperationKind.PAIR, condition, **bits, at=at)
            case Factors(inside):
                self.finish()
                if inside:
                    self._show()
                self._add_phase(operation)
            case Table():
                self.finish()
                self._show()
                self._add_table(operation)
            case _:
                assert_never(operation)

    def finish(self) -> None:
        """Put down the layer that is being made, if there is one."""
        layer, self._layer = self._layer, Layer()
        constants = layer.constants(len(self._registers))
        if constants is None:
            return
        first = len(self._arrays.rotations)
        self._arrays.rotations += layer.rotations
        self._put(
            OperationKind.LAYER,
            {},
            bit=mask_of(layer.shears),
            other=int(layer.kind),
            registers=layer.selecting,
            at=self._arrays.add_constants(*constants),
            columns=first,
            rotations=len(layer.rotations),
        )

    def add_lanes(self, matrix: Matrix) -> int:
        """Add the constants of a matrix on the two lowest bits of the thread's number; return where they begin.

        It acts after all operations.
        """
        if any(lowest_bits(mask, len(matrix.wires)) for mask in self._frame.of_thread):
            self.settle_views()  # amplitudes of different lanes that are multiplied must be in the same registers
        return self._arrays.add_constants(rows_of(matrix.entries(self.threads[0])))

    def settle_views(self) -> None:
        """Let all threads see registers as they are, by moving amplitudes; only `places` and `add_lanes` may follow."""
        frame = self._frame
        for bit, (thread, block) in enumerate(zip(frame.of_thread, frame.of_block, strict=True)):
            if thread or block:
                self._put(OperationKind.FLIP, {}, bit=bit, columns=block, threads=thread)
        frame.of_thread, frame.of_block = ([0] * len(frame.rows) for _ in range(2))

    def places(self, columns: Mapping[int, int]) -> Places:
        """Return where amplitudes are now, given for each wire what is combined into their place where it is 1."""
        register, thread, block, flip = self._frame.seen([columns[wire] for wire in self._by_bit()])
        of_thread, of_block = ([columns.get(wire, 0) for wire in wires] for wires in (self.threads, self._outside))
        for own, more in ((of_thread, thread), (of_block, block)):
            for bit, column in enumerate(more):
                own[bit] ^= column
        return Places(register, of_thread, of_block, flip)

    def _add_phase(self, operation: Factors) -> None:
        """Add a `PHASE`, with tables for bits of the thread's and the block's number that have several factors."""
        everywhere, others = operation.parted()
        groups: dict[int, list[tuple[Condition, Product]]] = {}
        for condition, factor in others:
            groups.setdefault(self._group(condition), []).append((condition, factor))
        grouped = sorted(group for group, own in groups.items() if group >= 0 and len(own) > 1)
        left = [(condition, by) for condition, by in others if self._group(condition) not in grouped]
        pieces = [rows_of([everywhere]), *map(self._table, map(groups.__getitem__, grouped))]
        pieces.append(rows_of([factor for _, factor in left]))
        at = self._arrays.add_constants(Rows(*(np.concatenate(parts) for parts in zip(*pieces, strict=True))))
        first = len(self._arrays.factors)
        self._arrays.factors += [self._conditions(condition) for condition, _ in left]
        mask = mask_of(grouped)
        self._put(
            OperationKind.PHASE,
            operation.inside,
            bit=lowest_bits(mask, 8),
            other=shifted_down(mask, 8),
            at=at,
            columns=first,
            threads=len(left),
            rotations=len(grouped),
        )

    def _group(self, condition: Condition) -> int:
        """Return the number of the bits to which a condition on a single wire belongs; -1 for any other."""
        if len(condition) > 1:
            return -1
        ((wire, _),) = condition.items()
        return self._position(wire) // GROUP_BITS

    def _position(self, wire: int) -> int:
        """Return the position of a wire outside of registers among the bits of the thread's and the block's number."""
        number, position = self._bit_of[wire]
        return position + (MOST_THREAD_BITS if number == _BLOCK else 0)

    def _table(self, factors: Sequence[tuple[Condition, Product]]) -> Rows:
        """Return the product of factors, each for a value of one of the same few bits, for all values of these."""
        conditions = [next(iter(condition.items())) for condition, _ in factors]
        bits = [(self._position(wire) % GROUP_BITS, value) for wire, value in conditions]
        acts = np.array([[has_bit(number, bit) == value for number in range(2**GROUP_BITS)] for bit, value in bits])
        return rows_where(acts, [factor for _, factor in factors])

    def _rename(self, flip: Flip) -> None:
        """Let a wire have another value in each register, and move no amplitudes."""
        bit, masks, others = self._register(flip.wire), self._masks(flip), []
        for wire in flip.parity:
            number, position = self._bit_of[wire]
            if number == _REGISTER:
                others.append(position)
        self._frame.add(bit, others, flip=not flip.value)
        self._frame.turn_view(bit, masks[_THREAD], masks[_BLOCK])
        self._renamed.append(flip)

    def _show(self) -> None:
        """Let threads see registers as the frame says, which they need only now."""
        changes: dict[tuple[int, int], int] = {}  # [masks of the thread's and block's number] = the bits that they turn
        frame = self._frame
        for bit, (was, *masks) in enumerate(zip(self._shown, frame.of_thread, frame.of_block, strict=True)):
            change = was[0] ^ masks[0], was[1] ^ masks[1]
            changes[change] = changes.get(change, 0) | bit_at(bit)
        changes.pop((0, 0), None)
        if changes:
            self.finish()  # what comes before sees registers as it did
            self._shown = list(zip(frame.of_thread, frame.of_block, strict=True))
        for (thread, block), mask in changes.items():
            self._put(OperationKind.VIEW, {}, other=mask, columns=block, threads=thread)

    def _settle(self) -> None:
        """Make each wire a bit of the register's number again, by moving amplitudes if any wire was renamed."""
        self.finish()
        frame, self._frame = self._frame, Frame(len(self._registers))
        renamed, self._renamed = self._renamed, []
        if frame.is_plain:
            return
        self._show()
        for flip in renamed:
            self._move(flip)

    def _masks(self, flip: Flip) -> list[int]:
        """Return masks of the three numbers: the parity of all these bits says where X acts."""
        masks = [0, 0, 0]
        for wire in flip.parity:
            number, bit = self._bit_of[wire]
            masks[number] |= bit_at(bit)
        return masks

    def _by_register(self, conditions: Sequence[Condition]) -> tuple[list[int], list[NDArray[np.bool_]]]:
        """Return the bits of other numbers than the register's that conditions depend on, and where each holds.

        It is ``acts[c][r]`` for condition c and register r, and then the same for each other value of these bits.
        """
        asked = {wire: None for condition in conditions for wire in condition}
        wires = [wire for wire in asked if self._bit_of[wire][0] != _REGISTER]
        size = 2 ** len(self._registers)
        acts = [
            _acted_on(self._where(condition), size, tuple([condition.get(wire) for wire in wires]))
            for condition in conditions
        ]
        return list(map(self._position, wires)), acts

    def _where(self, condition: Condition) -> int:
        """Return the mask of the registers in which those wires of a condition that are in registers fulfil it."""
        found = every = all_ones(2 ** len(self._registers))
        for wire, value in condition.items():
            number, bit = self._bit_of[wire]
            if number == _REGISTER:
                ones = self._frame.ones(bit)
                found &= ones if value else every ^ ones
        return found

    def _by_bit(self) -> list[int]:
        """Return the wire of each register bit, while each is one; operations may have swapped wires."""
        return sorted(self._registers, key=self._register)

    def _move(self, flip: Flip) -> None:
        """Add an operation that moves amplitudes to where a wire is flipped."""
        masks = self._masks(flip)
        registers = range(2 ** len(self._registers))
        acts = mask_of(r for r in registers if parity(r & masks[_REGISTER]) == flip.value)
        bit = self._register(flip.wire)
        self._put(OperationKind.FLIP, flip.condition, bit=bit, at=acts, columns=masks[_BLOCK], threads=masks[_THREAD])

    def _add_table(self, table: Table) -> None:
        columns = np.zeros((), COLUMNS)
        of_block = [0] * len(self._outside)
        always = 0
        for j, wire in enumerate(table.wires):
            number, bit = self._bit_of[wire]
            column = table.columns[j] if table.columns else bit_at(j)
            if number == _REGISTER:
                always ^= column if self._frame.flipped[bit] else 0
                for position in positions_of(self._frame.rows[bit]):
                    columns["of_register"][position] ^= column
            elif number == _THREAD:
                columns["of_thread"][bit] = column
            else:
                of_block[bit] = column
        columns["of_block"] = self._arrays.add_tables(of_block, 0) if any(of_block) else NO_TABLES
        self._arrays.columns.append(columns)
        factors = table.factors[np.arange(len(table.factors)) ^ always]
        at = self._arrays.add_constants(Rows(np.ones_like(factors), factors))
        self._put(OperationKind.TABLE, table.condition, at=at, columns=len(self._arrays.columns) - 1)

    def _bring_together(self, wires: Sequence[int]) -> None:
        """Bring two wires to register bits 0 and 1, or 2 and 3, unless they are there."""
        bits = sorted(map(self._register, wires))
        if bits in ([0, 1], [2, 3]):
            return
        low = 2 if bits[0] in (2, 3) and len(self._registers) > 3 else 0  # keeps one of them in place if possible
        free = [bit for bit in (low, low + 1) if bit not in bits]
        for wire in wires:
            if self._register(wire) not in {low, low + 1}:
                self._swap(wire, free.pop())

    def _swap(self, wire: int, bit: int) -> None:
        """Make a wire in registers change places with the one that is register bit `bit`."""
        was = self._register(wire)
        other = next(other for other, found in self._bit_of.items() if found == (_REGISTER, bit))
        self._put(OperationKind.SWAP, {}, bit=min(bit, was), other=max(bit, was))
        self._bit_of[wire], self._bit_of[other] = (_REGISTER, bit), (_REGISTER, was)

    def _register(self, wire: int) -> int:
        """Return the register bit that a wire is."""
        number, bit = self._bit_of[wire]
        assert number == _REGISTER, f"wire {wire} is not in registers"  # noqa: S101  # the stage was planned so
        return bit

    def _put(
        self,
        kind: OperationKind,
        condition: Condition,
        *,
        bit: int = 0,
        other: int = 0,
        at: int = 0,
        columns: int = 0,
        threads: int = 0,
        rotations: int = 0,
        registers: int | None = None,
    ) -> None:
        """Add an `OPERATION` that acts where a condition holds, and its `CONDITION`."""
        registers = self._where(condition) if registers is None else registers
        self._arrays.operations.append((int(kind), bit, other, rotations, registers, at, columns))
        self._arrays.conditions.append((*self._conditions(condition), threads))

    def _conditions(self, condition: Condition) -> tuple[int, int, int, int]:
        """Return a condition on other wires as bits and their values, for the number of the thread and of the block."""
        on, want = [0, 0, 0], [0, 0, 0]
        for wire, value in condition.items():
            number, position = self._bit_of[wire]
            on[number] |= bit_at(position)
            want[number] |= bit_at(position) if value else 0
        return on[_THREAD], want[_THREAD], on[_BLOCK], want[_BLOCK]


@lru_cache(maxsize=4096)
def _acted_on(registers: int, size: int, selected: tuple[bool | None, ...]) -> NDArray[np.bool_]:
    """Tell for each register, and in turn for each value of selectors, whether a factor acts.

    Parameters
    ----------
    registers
        A mask of those on which it acts, of `size`.
    selected
        ``selected[j]`` is the value that selector j has to have; None if it may have any.
    """
    acts = np.array([has_bit(registers, r) for r in range(size)])
    for value in selected:
        acts = np.concatenate([acts if value in (None, other) else np.zeros_like(acts) for other in (False, True)])
    return acts
