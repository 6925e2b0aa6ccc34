"""Matrices on one wire as rotations between diagonals, the form that takes the least arithmetic.

A unitary matrix is diag(1, p) R diag(1, q) times a number, where R = (1, -t; t, 1) takes one multiply-add for each real
number. Diagonals between rotations are multiplied with each other beforehand.

Functions of this module take the four numbers of matrices, row by row, as arrays ``numbers[s, m]``, for matrix m in
set s.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, Self

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Numbers = NDArray[np.complex128]

__all__ = ["ROUNDING", "TURN_NUMBERS", "TurnKind", "are_all", "kinds_of", "turn_numbers"]

ROUNDING = 1e-15  # what differs less from 0, or a factor from 1, is rounding
TURN_NUMBERS = 6  # `turn_numbers` returns so many.

_UNITARY = 1e-12  # a matrix that differs no more from a multiple of a unitary one is taken for it
_STEEPEST = 1 + 1e-9  # Tangents that should be 1 exceed it by rounding.
_ON_THE_AXIS = 1e-9  # what differs less from an imaginary number is taken for it when a sign is chosen


class TurnKind(Enum):
    """How a matrix is written as ``scale * diag(1, after) X**flips R**times diag(1, before)``.

    R is the matrix ``(1, -t; t, 1)``. Its tangent t is at most 1, so that products of many such matrices stay within
    the range of numbers.
    """

    DIAGONAL = 0, False
    ANTIDIAGONAL = 0, True
    GENTLE = 1, False
    STEEP = 1, True
    HALVED = 2, False  # for any angle

    times: int
    flips: bool

    def __new__(cls, times: int, flips: bool) -> Self:  # noqa: FBT001  # what the formula above has
        kind = object.__new__(cls)
        kind._value_ = times, flips
        kind.times, kind.flips = times, flips
        return kind


_SINGLE = [TurnKind.DIAGONAL, TurnKind.ANTIDIAGONAL, TurnKind.GENTLE, TurnKind.STEEP]


def kinds_of(matrices: Sequence[Numbers], *, any_angle: bool) -> list[TurnKind | None]:
    """Return the kind of each matrix, which suits all sets; None for one that is no multiple of a unitary one.

    Parameters
    ----------
    any_angle
        Whether the kinds should suit any angle.
    """
    kinds = _kinds(any_angle=any_angle)
    return [kinds[first] for first in _first_that_fit(matrices, any_angle=any_angle).tolist()]


def are_all(kind: TurnKind | None, matrices: Sequence[Numbers], *, any_angle: bool) -> bool:
    """Tell whether `kinds_of` would return this kind for all matrices."""
    number = _kinds(any_angle=any_angle).index(kind)
    return bool((_first_that_fit(matrices, any_angle=any_angle) == number).all())


def _kinds(*, any_angle: bool) -> list[TurnKind | None]:
    """Return the kinds in the order in which they are preferred, those first that exclude all others."""
    return [None, *([] if any_angle else _SINGLE), TurnKind.HALVED]


def _first_that_fit(matrices: Sequence[Numbers], *, any_angle: bool) -> NDArray[np.intp]:
    """Return for each matrix the number of the first of `_kinds` that suits it in all sets."""
    upper, right, lower, last = matrices
    norm = _squared(upper) + _squared(lower)  # the square of that of a column
    differs = abs(_squared(right) + _squared(last) - norm) > 2 * _UNITARY * norm
    leans = _squared(upper.conj() * right + lower.conj() * last) > (_UNITARY * norm) ** 2
    fits = [(differs | leans | (norm == 0)).any(axis=0)]
    if not any_angle:
        size, beside = abs(upper), abs(lower)
        for kind in _SINGLE:
            small, large = (size, beside) if kind.flips else (beside, size)
            fits.append((small <= (_STEEPEST if kind.times else ROUNDING) * large).all(axis=0))
    fits.append(np.ones_like(fits[0]))
    return np.asarray(np.argmax(fits, axis=0))


def turn_numbers(kind: TurnKind, matrices: Sequence[Numbers]) -> tuple[NDArray[Any], ...]:
    """Return the scale, the numbers before and after, the tangent t, ``1 + t**2``, and a shear as kernels read it."""
    if kind is TurnKind.HALVED:
        scale, before, after, tangent = _halved(*matrices)
    else:
        upper, right, lower, last = matrices
        rows = (lower, last, upper, right) if kind.flips else (upper, right, lower, last)
        scale, before, after, tangent = _turned(*rows)
        if kind.flips:
            scale, after = scale * after, after.conj()
    real = tangent.real
    more = 1 + real**2
    return scale, before, after, tangent, more + 0j, -real + 1j * (real / more)


def _turned(upper: Numbers, right: Numbers, lower: Numbers, last: Numbers) -> tuple[NDArray[Any], ...]:
    """Return matrices with their larger numbers on the diagonal as one rotation each."""
    del right  # it follows from the others
    beside, below = lower / upper, last / upper
    steep = abs(beside)
    ratio = beside / below
    is_real = abs(ratio.imag) <= ROUNDING  # Then no diagonal is needed before the rotation.
    direction = np.where(is_real, 1, beside / np.where(is_real, 1, steep))
    # Of both signs always the same one is chosen, so that diagonals between rotations about X cancel.
    is_other = (direction.real < -_ON_THE_AXIS) | (abs(direction.real) <= _ON_THE_AXIS) & (direction.imag > 0)
    sign = np.where(is_other, -1, 1)
    after = np.where(is_real, below, sign * direction)
    before = np.where(is_real, 1, below / after)
    return upper, before, after, np.where(is_real, ratio.real, sign * steep) + 0j


def _halved(upper: Numbers, right: Numbers, lower: Numbers, last: Numbers) -> tuple[NDArray[Any], ...]:
    """Return matrices as two rotations by half of the angle each, which suits any angles."""
    size, beside = np.sqrt(_squared(upper)), np.sqrt(_squared(lower))
    norm = np.sqrt(size * size + beside * beside)
    first = _direction(upper, size, np.ones_like(upper)).conj()  # Products take less time than quotients.
    second = _direction(lower, beside, last * (1 / norm))
    is_steep = beside > size
    before = np.where(is_steep, -right * first, last * second.conj()) * (1 / np.where(is_steep, beside, size))
    sign = np.where(before.real < 0, -1.0, 1.0)
    scale = first.conj() * ((norm + size) / 2)  # the square of the cosine of half of the angle, of a unitary matrix
    return scale, before * sign, second * first * sign, sign * (beside / (norm + size)) + 0j


def _squared(numbers: Numbers) -> NDArray[np.float64]:
    squares: NDArray[np.float64] = numbers.real**2 + numbers.imag**2
    return squares


def _direction(number: Numbers, size: NDArray[np.float64], otherwise: Numbers) -> Numbers:
    """Return a number over its size, or another one where it is 0."""
    is_large = size > ROUNDING
    return np.where(is_large, number * (1 / np.where(is_large, size, 1)), otherwise)
