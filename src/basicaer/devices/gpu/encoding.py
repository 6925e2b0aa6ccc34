"""Operations of a stage -> the structures that `run_pass` reads.

To add a kind of operation, see "Adding an operation" in kernels/README.md.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, assert_never

import numpy as np

from basicaer.devices.gpu.operations import (
    OTHER_WIRE_ORDER,
    Diagonal,
    Factors,
    Flip,
    Matrix,
    Operation,
    Table,
    classified,
    stacked,
)
from basicaer.devices.gpu.structs import (
    MOST_BLOCK_BITS,
    MOST_REGISTER_BITS,
    MOST_THREAD_BITS,
    TABLE_BITS,
    OperationKind,
)
from basicaer.engine.bits import bit_at, mask_of, parity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from basicaer.devices.gpu.operations import Condition, Factor

__all__ = ["Encoder", "PassArrays"]

_REGISTER, _THREAD, _BLOCK = range(3)  # the three numbers by which an amplitude is found
_FIRST_COLUMN = {_THREAD: 0, _REGISTER: MOST_THREAD_BITS, _BLOCK: MOST_THREAD_BITS + MOST_REGISTER_BITS}  # in tables
_COLUMNS_OF_A_TABLE = MOST_THREAD_BITS + MOST_REGISTER_BITS + MOST_BLOCK_BITS


@dataclass
class PassArrays:
    """The arrays that `run_pass` reads, as they are collected.

    Attributes
    ----------
    constants, constants_size
        The constants in pieces ``piece[c, s]``, where s is the set, and how many there are in a set.
    """

    passes: list[NDArray[Any]] = field(default_factory=list)
    stages: list[NDArray[Any]] = field(default_factory=list)
    operations: list[tuple[int, ...]] = field(default_factory=list)
    columns: list[NDArray[np.uint32]] = field(default_factory=list)
    factors: list[tuple[int, int, int, int]] = field(default_factory=list)
    block_tables: list[NDArray[np.uint64]] = field(default_factory=list)
    constants: list[NDArray[Any]] = field(default_factory=list)
    constants_size: int = 0

    def add_constants(self, numbers: NDArray[Any]) -> int:
        """Add complex numbers, whose last axis is that of the sets; return where they begin."""
        at = self.constants_size
        self.constants.append(numbers.reshape(-1, numbers.shape[-1]))
        self.constants_size += len(self.constants[-1])
        return at

    def add_block_tables(self, columns: Sequence[int], flip: int) -> int:
        """Add tables of what the block's number adds to an index, given its columns and what is always added.

        Return where they begin. There is a table for each byte of the number, with a value for each that it may have.
        """
        at = len(self.block_tables)
        for first in range(0, max(len(columns), 1), TABLE_BITS):
            values = np.array([flip if first == 0 else 0], np.uint64)
            for column in [*columns[first : first + TABLE_BITS], *[0] * TABLE_BITS][:TABLE_BITS]:
                values = np.concatenate([values, values ^ np.uint64(column)])
            self.block_tables.append(values)
        return int(at * 2**TABLE_BITS)

    def add_columns(self, columns: NDArray[np.uint32]) -> int:
        """Add the columns of a table; return where they begin."""
        self.columns.append(columns)
        return (len(self.columns) - 1) * _COLUMNS_OF_A_TABLE


class Encoder:
    """Turns operations on wires into those on bits of the register's, the thread's and the block's number.

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
        self._bit_of = {  # _bit_of[wire] = (the number that it is a bit of, the bit's position)
            wire: (number, bit)
            for number, wires in ((_REGISTER, registers), (_THREAD, threads), (_BLOCK, outside))
            for bit, wire in enumerate(wires)
        }

    def add(self, operation: Operation) -> None:
        """Add an operation."""
        match operation:
            case Matrix(wires, matrix, condition) if len(wires) == 1:
                kind, numbers = classified(matrix)
                self._put(kind, condition, bit=self._register(wires[0]), at=self._arrays.add_constants(numbers))
            case Matrix(wires, matrix, condition):
                low = self._brought_together(wires)
                if self._register(wires[0]) != low:
                    matrix = matrix[np.ix_(OTHER_WIRE_ORDER, OTHER_WIRE_ORDER)]
                self._put(OperationKind.PAIR, condition, bit=low, at=self._arrays.add_constants(matrix))
            case Flip():
                self._add_flip(operation)
            case Factors(inside):
                everywhere, others = operation.parted()
                at = self._arrays.add_constants(stacked([everywhere, *(factor for _, factor in others)]))
                first = len(self._arrays.factors)
                self._arrays.factors += [self._conditions(condition)[2:] for condition, _ in others]
                self._put(OperationKind.PHASE, inside, at=at, columns=first, threads=len(others))
            case Diagonal(factors):
                self._put(OperationKind.DIAGONAL, {}, at=self._arrays.add_constants(self._by_register(factors)))
            case Table():
                self._add_table(operation)
            case _:
                assert_never(operation)

    def _by_register(self, factors: Sequence[tuple[Condition, Factor]]) -> NDArray[np.complexfloating]:
        """Return ``numbers[r, s]``, the product in set s of the factors for the amplitude in register r."""
        by_factor = stacked([factor for _, factor in factors])
        numbers = np.ones((2 ** len(self._registers), by_factor.shape[1]), complex)
        register = np.arange(len(numbers))
        for (condition, _), factor in zip(factors, by_factor, strict=True):
            on, want, *_ = self._conditions(condition)
            numbers[register & on == want] *= factor
        return numbers

    def registers(self) -> list[int]:
        """Return the wire of each register bit after all operations so far, which may have swapped wires."""
        return sorted(self._registers, key=self._register)

    def _add_flip(self, flip: Flip) -> None:
        mask = [0, 0, 0]  # masks for register, thread and block: the parity of these bits says where X acts
        for wire in flip.parity:
            number, bit = self._bit_of[wire]
            mask[number] |= bit_at(bit)
        registers = range(2 ** len(self._registers))
        acts = mask_of(r for r in registers if parity(r & mask[_REGISTER]) == flip.value)
        bit = self._register(flip.wire)
        self._put(OperationKind.FLIP, flip.condition, bit=bit, at=acts, columns=mask[_BLOCK], threads=mask[_THREAD])

    def _add_table(self, table: Table) -> None:
        columns = np.zeros(_COLUMNS_OF_A_TABLE, np.uint32)
        for j, wire in enumerate(table.wires):
            number, bit = self._bit_of[wire]
            columns[_FIRST_COLUMN[number] + bit] = table.columns[j] if table.columns else bit_at(j)
        at = self._arrays.add_constants(table.factors)
        self._put(OperationKind.TABLE, table.condition, at=at, columns=self._arrays.add_columns(columns))

    def _brought_together(self, wires: Sequence[int]) -> int:
        """Bring two wires to register bits 0 and 1, or 2 and 3, unless they are there; return the lower bit."""
        bits = sorted(map(self._register, wires))
        if bits in ([0, 1], [2, 3]):
            return bits[0]
        low = 2 if bits[0] in (2, 3) and len(self._registers) > 3 else 0  # keeps one of them in place if possible
        free = [bit for bit in (low, low + 1) if bit not in bits]
        for wire in wires:
            if self._register(wire) not in {low, low + 1}:
                self._swap(wire, free.pop())
        return low

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
        condition: Mapping[int, bool],
        *,
        bit: int = 0,
        other: int = 0,
        at: int = 0,
        columns: int = 0,
        threads: int = 0,
    ) -> None:
        """Add an `OPERATION` that acts where a condition holds."""
        reserved = 0
        conditions = self._conditions(condition)
        self._arrays.operations.append((int(kind), bit, other, reserved, *conditions, at, columns, threads))

    def _conditions(self, condition: Mapping[int, bool]) -> tuple[int, int, int, int, int, int]:
        """Return a condition as bits and their values, for the number of the register, the thread and the block."""
        on, want = [0, 0, 0], [0, 0, 0]
        for wire, value in condition.items():
            number, position = self._bit_of[wire]
            on[number] |= bit_at(position)
            want[number] |= bit_at(position) if value else 0
        return on[_REGISTER], want[_REGISTER], on[_THREAD], want[_THREAD], on[_BLOCK], want[_BLOCK]
