"""Matrices on one wire as rotations between diagonals, the form that takes the least arithmetic.

A unitary matrix is diag(1, p) R diag(1, q) times a number, where R = (1, -t; t, 1) takes one multiply-add for each real
number. Diagonals between rotations are multiplied with each other beforehand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from basicaer.devices.gpu.operations import ROUNDING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Numbers = NDArray[np.complexfloating]

__all__ = ["Turn", "turned"]

_UNITARY = 1e-12  # a matrix that differs no more from a multiple of a unitary one is taken for it
_STEEPEST = 1 + 1e-9  # Tangents that should be 1 exceed it by rounding.
_ON_THE_AXIS = 1e-9  # what differs less from an imaginary number is taken for it when a sign is chosen


class Turn(NamedTuple):
    """A matrix as ``scale * diag(1, after) X**flips R**times diag(1, before)``; numbers have an axis for the sets.

    R is the matrix ``(1, -t; t, 1)``, where t is `tangent`. It is at most 1, so that products of many such matrices
    stay within the range of numbers.
    """

    scale: Numbers
    before: Numbers
    tangent: NDArray[np.floating]
    times: int
    flips: bool
    after: Numbers


def turned(matrices: Sequence[Numbers]) -> list[Turn | None]:
    """Return matrices ``matrix[row, column, s]`` as turns; None for one that is no multiple of a unitary one."""
    if not matrices:
        return []
    sets = max(matrix.shape[-1] for matrix in matrices)
    stack = np.stack([np.broadcast_to(matrix, (2, 2, sets)) for matrix in matrices], axis=2)  # [row, column, number, s]
    size = abs(stack)
    norm = np.hypot(size[0, 0], size[1, 0])
    differs = abs(np.hypot(size[0, 1], size[1, 1]) - norm) > _UNITARY * norm
    leans = abs((stack[:, 0].conj() * stack[:, 1]).sum(axis=0)) > _UNITARY * norm**2
    is_unitary = ~(differs | leans | (norm == 0)).any(axis=-1)
    is_gentle = (size[1, 0] <= _STEEPEST * size[0, 0]).all(axis=-1)
    is_steep = (size[0, 0] <= _STEEPEST * size[1, 0]).all(axis=-1) & ~is_gentle
    with np.errstate(divide="ignore", invalid="ignore"):  # in matrices that are neither
        turns = _gentle(np.where(is_steep[:, None], stack[::-1], stack), is_steep)
    found: list[Turn | None] = []
    for number, matrix in enumerate(matrices):
        if not is_unitary[number]:
            found.append(None)
        elif is_gentle[number] or is_steep[number]:
            found.append(turns[number])
        else:
            found.append(_halved(matrix))
    return found


def _gentle(stack: Numbers, flips: NDArray[np.bool_]) -> list[Turn]:
    """Return matrices with their larger numbers on the diagonal as turns, each followed by X where it `flips`."""
    scale = stack[0, 0]
    beside, below = stack[1, 0] / scale, stack[1, 1] / scale
    steep = abs(beside)
    ratio = beside / below
    is_real = abs(ratio.imag) <= ROUNDING  # Then no diagonal is needed before the rotation.
    direction = np.where(is_real, 1, beside / np.where(is_real, 1, steep))
    # Of both signs always the same one is chosen, so that diagonals between rotations about X cancel.
    is_other = (direction.real < -_ON_THE_AXIS) | (abs(direction.real) <= _ON_THE_AXIS) & (direction.imag > 0)
    sign = np.where(is_other, -1, 1)
    after = np.where(is_real, below, sign * direction)
    before = np.where(is_real, 1, below / after)
    tangent = np.where(is_real, ratio.real, sign * steep)
    times = np.where((steep <= ROUNDING).all(axis=-1), 0, 1)
    scale = np.where(flips[:, None], scale * after, scale)
    after = np.where(flips[:, None], after.conj(), after)
    each = zip(scale, before, tangent, times.tolist(), flips.tolist(), after, strict=True)
    return [Turn(*parts) for parts in each]


def _halved(matrix: Numbers) -> Turn:
    """Return a matrix as two turns by half of the angle, which suits any angles."""
    size = abs(matrix)
    norm = np.hypot(size[0, 0], size[1, 0])
    upper = _direction(matrix[0, 0], size[0, 0], np.ones_like(matrix[0, 0]))
    lower = _direction(matrix[1, 0], size[1, 0], matrix[1, 1])
    lower = lower / abs(lower)
    is_steep = size[0, 1] > size[1, 1]
    before = np.where(is_steep, -matrix[0, 1] / upper, matrix[1, 1] / lower)
    before = before / abs(before)
    sign = np.where(before.real < 0, -1, 1)
    half = np.arctan2(size[1, 0], size[0, 0]) / 2
    scale, after = norm * np.cos(half) ** 2 * upper, sign * lower / upper
    return Turn(scale, sign * before, sign * np.tan(half), 2, flips=False, after=after)


def _direction(number: Numbers, size: NDArray[np.floating], otherwise: Numbers) -> Numbers:
    """Return a number over its size, or another one where it is 0."""
    return np.where(size > ROUNDING, number / np.where(size > ROUNDING, size, 1), otherwise)
