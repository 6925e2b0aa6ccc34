"""What a stage does to amplitudes while they are in registers.

Operations act on wires. Only when they are encoded does a wire become a bit of the register's, the thread's or the
block's number. A condition ``{wire: value}`` says on which amplitudes an operation acts. Numbers are places on a
`Tape`, or products of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from basicaer.devices.gpu.steps import Places, Product
    from basicaer.devices.gpu.tape import TurnPlaces

    Entries = list[list[Product]]  # ``matrix[row][column]``

__all__ = [
    "OTHER_WIRE_ORDER",
    "Condition",
    "Diagonal",
    "Factors",
    "Flip",
    "Matrix",
    "Operation",
    "Rotation",
    "Table",
]

Condition = dict[int, bool]
OTHER_WIRE_ORDER = [0, 2, 1, 3]  # rows and columns of a matrix on two wires if these change places


@dataclass(slots=True)
class Matrix:
    """A matrix on one or two wires in registers, or on the two lowest bits of the thread's number.

    ``wires[0]`` is the least significant bit of a row.
    """

    wires: tuple[int, ...]
    matrix: Entries
    condition: Condition

    def entries(self, low: int) -> list[Product]:
        """Return the entries of a matrix on two wires row by row, of which wire `low` is the least significant bit."""
        order = range(4) if self.wires[0] == low else OTHER_WIRE_ORDER
        return [self.matrix[row][column] for row in order for column in order]

    @property
    def changed(self) -> set[int]:
        """Wires whose value it may change: it does not act diagonally on them."""
        return set(self.wires)

    @property
    def touched(self) -> set[int]:
        """Wires that it changes, and wires that say where or how it acts."""
        return {*self.wires, *self.condition}


@dataclass(slots=True)
class Rotation:
    """The matrix ``(1, -t; t, 1)`` on a wire in registers, where t is the tangent of a turn.

    The matrix that was asked for is `scale` times this; all amplitudes have to be multiplied by it once.
    """

    wire: int
    turn: TurnPlaces
    scale: Product

    @property
    def changed(self) -> set[int]:
        """The wire that it mixes."""
        return {self.wire}

    @property
    def touched(self) -> set[int]:
        """The wire that it mixes."""
        return {self.wire}


@dataclass(slots=True)
class Flip:
    """X on a wire in registers, for amplitudes in which the sum modulo 2 of the wires of `parity` is `value`.

    The sum of no wires is 0, so without any X acts everywhere if `value` is False.
    """

    wire: int
    condition: Condition
    parity: frozenset[int] = frozenset()
    value: bool = False

    @property
    def changed(self) -> set[int]:
        """The wire that it flips."""
        return {self.wire}

    @property
    def touched(self) -> set[int]:
        """The wire that it flips, and wires that say where."""
        return {self.wire, *self.condition, *self.parity}


class _ActsDiagonally:
    __slots__ = ()

    @property
    def changed(self) -> set[int]:
        """None: it acts diagonally."""
        return set()


@dataclass(slots=True)
class Factors(_ActsDiagonally):
    """Factors for amplitudes whose register number fulfils `inside`, each where its own condition holds.

    These conditions are on wires outside of the registers, so that a thread multiplies its amplitudes once, by the
    product of the factors whose conditions it fulfils.
    """

    inside: Condition
    factors: list[tuple[Condition, Product]]

    @property
    def touched(self) -> set[int]:
        """Wires in registers that say where it acts. The others are in no register, so no operation changes them."""
        return set(self.inside)

    def parted(self) -> tuple[Product, list[tuple[Condition, Product]]]:
        """Return the product of the factors that have no condition of their own, and the others."""
        everywhere = tuple(chain.from_iterable(factor for condition, factor in self.factors if not condition))
        return everywhere, [(condition, factor) for condition, factor in self.factors if condition]


@dataclass(slots=True)
class Diagonal(_ActsDiagonally):
    """Factors, each for amplitudes that fulfil its condition, which involves few wires outside of the registers."""

    factors: list[tuple[Condition, Product]]

    @property
    def touched(self) -> set[int]:
        """Wires that say where it acts."""
        return {wire for condition, _ in self.factors for wire in condition}


@dataclass(slots=True)
class Table(_ActsDiagonally):
    """Multiplies by ``factors[i]``, where bit j of i is the value of ``wires[j]``, in registers or not.

    With `columns`, i is instead the combination (exclusive or) of ``columns[j]`` for those ``wires[j]`` that are 1.
    """

    wires: tuple[int, ...]
    factors: Places
    condition: Condition
    columns: tuple[int, ...] | None = None

    @property
    def touched(self) -> set[int]:
        """Wires that say by what it multiplies, and where."""
        return {*self.wires, *self.condition}


Operation = Matrix | Rotation | Flip | Factors | Diagonal | Table
