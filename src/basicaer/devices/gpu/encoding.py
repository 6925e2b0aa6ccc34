"""Operations of a stage -> the structures that `run_pass` reads."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from basicaer.devices.gpu.operations import Factors, Flip, Matrix, Operation, Table
from basicaer.devices.gpu.structs import MOST_BLOCK_BITS, MOST_REGISTER_BITS, MOST_THREAD_BITS, OperationKind
from basicaer.engine.bits import mask_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

__all__ = ["Encoder", "Recorded"]


@dataclass
class Recorded:
    """What the launches of a run read, collected: each kind of structure in one list."""

    passes: list[NDArray[Any]] = field(default_factory=list)
    stages: list[NDArray[Any]] = field(default_factory=list)
    operations: list[tuple[int, ...]] = field(default_factory=list)
    columns: list[NDArray[np.uint32]] = field(default_factory=list)
    constants: list[NDArray[Any]] = field(default_factory=list)
    constants_size: int = 0

    def add_constants(self, numbers: NDArray[Any]) -> int:
        """Add complex numbers; return where they are."""
        at = self.constants_size
        self.constants.append(numbers.reshape(-1))
        self.constants_size += numbers.size
        return at


class Encoder:
    """Turns operations on wires into those on bits of the register's, the thread's and the block's number.

    Parameters
    ----------
    registers, threads, outside
        The wires that these bits stand for, lowest first.
    """

    def __init__(
        self, recorded: Recorded, registers: Sequence[int], threads: Sequence[int], outside: Sequence[int]
    ) -> None:
        self._recorded = recorded
        self._bits = (tuple(registers), tuple(threads), tuple(outside))
        self._where = {wire: (part, bit) for part, wires in enumerate(self._bits) for bit, wire in enumerate(wires)}

    def add(self, operation: Operation) -> None:
        """Add an operation."""
        match operation:
            case Matrix(wires, matrix, condition) if len(wires) == 1:
                kind, numbers = _classified(matrix)
                self._put(kind, condition, bit=self._register(wires[0]), at=self._recorded.add_constants(numbers))
            case Matrix(wires, matrix, condition):
                low = self._brought_together(wires)
                if self._register(wires[0]) != low:
                    order = [0, 2, 1, 3]
                    matrix = matrix[np.ix_(order, order)]
                self._put(OperationKind.PAIR, condition, bit=low, at=self._recorded.add_constants(matrix))
            case Flip(wire, condition, parity, value):
                masks = [mask_of(self._where[w][1] for w in parity if self._where[w][0] == part) for part in range(3)]
                holds = (r for r in range(2 ** len(self._bits[0])) if (r & masks[0]).bit_count() % 2 == value)
                bit = self._register(wire)
                self._put(OperationKind.FLIP, condition, bit=bit, at=mask_of(holds), columns=masks[2], threads=masks[1])
            case Factors(inside, factors):
                everywhere = complex(np.prod([factor for condition, factor in factors if not condition]))
                others = [(condition, factor) for condition, factor in factors if condition]
                at = self._recorded.add_constants(np.array([everywhere, *(factor for _, factor in others)]))
                for number, (condition, _) in enumerate(others, start=1):
                    self._put(OperationKind.FACTOR, condition, at=at + number)
                self._put(OperationKind.PHASE, inside, at=at)
            case Table(wires, factors, condition, combined):
                columns = np.zeros(MOST_REGISTER_BITS + MOST_THREAD_BITS + MOST_BLOCK_BITS, np.uint32)
                first = (MOST_THREAD_BITS, 0, MOST_THREAD_BITS + MOST_REGISTER_BITS)
                for j, wire in enumerate(wires):
                    part, bit = self._where[wire]
                    columns[first[part] + bit] = combined[j] if combined else 2**j
                self._recorded.columns.append(columns)
                at = self._recorded.add_constants(factors)
                self._put(
                    OperationKind.TABLE, condition, at=at, columns=(len(self._recorded.columns) - 1) * len(columns)
                )

    def registers(self) -> list[int]:
        """Return the wire of each register bit after what was added."""
        return sorted(self._bits[0], key=self._register)

    def _brought_together(self, wires: Sequence[int]) -> int:
        """Bring two wires to register bits 0 and 1, or 2 and 3, unless they are there; return the lower bit."""
        bits = sorted(map(self._register, wires))
        if bits in ([0, 1], [2, 3]):
            return bits[0]
        low = bits[0] - bits[0] % 2 if bits[0] < 4 and bits[0] - bits[0] % 2 + 1 < len(self._bits[0]) else 0
        free = [bit for bit in (low, low + 1) if bit not in bits]
        for wire in wires:
            if self._register(wire) not in {low, low + 1}:
                self._swap(wire, free.pop())
        return low

    def _swap(self, wire: int, bit: int) -> None:
        """Make a wire in registers change places with the one that is register bit `bit`."""
        was = self._register(wire)
        other = next(other for other, where in self._where.items() if where == (0, bit))
        self._put(OperationKind.SWAP, {}, bit=min(bit, was), other=max(bit, was))
        self._where[wire], self._where[other] = (0, bit), (0, was)

    def _register(self, wire: int) -> int:
        part, bit = self._where[wire]
        assert part == 0, f"wire {wire} is not in registers"  # noqa: S101  # planned so
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
        on, want = [0, 0, 0], [0, 0, 0]
        for wire, value in condition.items():
            part, position = self._where[wire]
            on[part] |= mask_of((position,))
            want[part] |= mask_of((position,)) if value else 0
        row = (int(kind), bit, other, 0, on[0], want[0], on[1], want[1], on[2], want[2], at, columns, threads)
        self._recorded.operations.append(row)


def _classified(matrix: NDArray[Any]) -> tuple[OperationKind, NDArray[Any]]:
    """Return how a matrix on one wire is applied with the least arithmetic, and the numbers for it."""
    (a, b), (c, d) = matrix.tolist()
    if not (a.imag or b.imag or c.imag or d.imag):
        return OperationKind.REAL, np.array([complex(a.real, b.real), complex(c.real, d.real)])
    if not (a.imag or d.imag or b.real or c.real):
        return OperationKind.CROSSED, np.array([complex(a.real, b.imag), complex(c.imag, d.real)])
    return OperationKind.DENSE, matrix
