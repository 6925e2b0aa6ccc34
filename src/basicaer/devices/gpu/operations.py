"""What a stage does to amplitudes while they are in registers.

Operations act on wires. Only when they are encoded does a wire become a bit of the register's, the thread's or the
block's number. A condition ``{wire: value}`` says on which amplitudes an operation acts. Numbers have a last axis for
the sets that are bound together; it has size 1 where all sets have the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import mul
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Factor = complex | NDArray[np.complexfloating]  # a number for all sets, or ``factor[s]``

__all__ = [
    "OTHER_WIRE_ORDER",
    "ROUNDING",
    "Condition",
    "Diagonal",
    "Factors",
    "Flip",
    "Matrix",
    "Operation",
    "Rotation",
    "Table",
    "is_rounding",
    "stacked",
]

Condition = dict[int, bool]
ROUNDING = 1e-15  # what differs less from 0, or a factor from 1, is rounding
OTHER_WIRE_ORDER = [0, 2, 1, 3]  # rows and columns of a matrix on two wires if these change places


@dataclass(slots=True)
class Matrix:
    """A matrix on one or two wires in registers; ``wires[0]`` is the least significant bit of a row."""

    wires: tuple[int, ...]
    matrix: NDArray[np.complexfloating]
    condition: Condition

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
    """The matrix ``(1, -t; t, 1)`` on a wire in registers, where t is `tangent`, in each set.

    The matrix that was asked for is `scale` times this; all amplitudes have to be multiplied by it once.
    """

    wire: int
    tangent: NDArray[np.floating]
    scale: Factor

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
    factors: list[tuple[Condition, Factor]]

    @property
    def touched(self) -> set[int]:
        """Wires in registers that say where it acts. The others are in no register, so no operation changes them."""
        return set(self.inside)

    def parted(self) -> tuple[Factor, list[tuple[Condition, Factor]]]:
        """Return the product of the factors that have no condition of their own, and the others."""
        everywhere = reduce(mul, [factor for condition, factor in self.factors if not condition], 1.0 + 0j)
        return everywhere, [(condition, factor) for condition, factor in self.factors if condition]


@dataclass(slots=True)
class Diagonal(_ActsDiagonally):
    """Factors, each for amplitudes that fulfil its condition, which involves few wires outside of the registers."""

    factors: list[tuple[Condition, Factor]]

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
    factors: NDArray[np.complexfloating]
    condition: Condition
    columns: tuple[int, ...] | None = None

    @property
    def touched(self) -> set[int]:
        """Wires that say by what it multiplies, and where."""
        return {*self.wires, *self.condition}


Operation = Matrix | Rotation | Flip | Factors | Diagonal | Table


def is_rounding(factor: Factor) -> bool:
    """Tell whether a factor differs from 1 by rounding only, in all sets."""
    if isinstance(factor, complex):
        return abs(factor - 1) <= ROUNDING
    return bool((abs(factor - 1) <= ROUNDING).all())


def stacked(factors: Sequence[Factor]) -> NDArray[np.complexfloating]:
    """Return ``numbers[i, s]``, factor i in set s."""
    if all(isinstance(factor, complex) for factor in factors):  # true of all segments that are bound by themselves
        return np.array(factors)[:, None]
    return np.stack(np.broadcast_arrays(*map(np.atleast_1d, factors)))
