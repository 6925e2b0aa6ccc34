"""The numbers of gates, as functions of their parameters where they have any.

A function of parameters returns rows of a matrix, or the factors of a diagonal. Those that `GateRecord.data_for_each`
calls take an array for each parameter as well.
"""

# ruff: noqa: D103  # each function is named after its gate

from __future__ import annotations

import cmath
import math
from math import pi
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from numpy.typing import NDArray

# The functions below take a number or an array of numbers. NumPy's own take twenty times as long for one number.


def cos(angle: Any) -> Any:
    """Return the cosine."""
    return math.cos(angle) if isinstance(angle, float) else np.cos(angle)


def sin(angle: Any) -> Any:
    """Return the sine."""
    return math.sin(angle) if isinstance(angle, float) else np.sin(angle)


def hypot(a: Any, b: Any) -> Any:
    """Return the root of the sum of the squares, which may be too large for a float."""
    return math.hypot(a, b) if isinstance(a, float) else np.hypot(a, b)


def sin_half_over(angle: Any) -> Any:
    """Return ``sin(angle / 2) / angle``, which is 1/2 at 0."""
    if isinstance(angle, float):
        return math.sin(angle / 2) / angle if angle else 0.5
    return np.divide(np.sin(angle / 2), angle, out=np.full_like(angle, 0.5), where=angle != 0)


def exp(exponent: Any) -> Any:
    """Return the exponential, as a complex number."""
    return cmath.exp(exponent) if isinstance(exponent, complex) else np.exp(exponent)


def u(theta: float, phi: float, lam: float) -> Sequence[Sequence[complex]]:
    c, s = cos(theta / 2), sin(theta / 2)
    return [[c, -exp(1j * lam) * s], [exp(1j * phi) * s, exp(1j * (phi + lam)) * c]]


def u2(phi: float, lam: float) -> Sequence[Sequence[complex]]:
    return u(pi / 2, phi, lam)


def cu(theta: float, phi: float, lam: float, gamma: float) -> Sequence[Sequence[complex]]:
    return [[exp(1j * gamma) * entry for entry in row] for row in u(theta, phi, lam)]


def p(lam: float) -> Sequence[complex]:
    return [1, exp(1j * lam)]


def global_phase(phase: float) -> Sequence[complex]:
    return [exp(1j * phase)]


def r(theta: float, phi: float) -> Sequence[Sequence[complex]]:
    c, s = cos(theta / 2), -1j * sin(theta / 2)
    return [[c, exp(-1j * phi) * s], [exp(1j * phi) * s, c]]


def rx(theta: float) -> Sequence[Sequence[complex]]:
    c, s = cos(theta / 2), -1j * sin(theta / 2)
    return [[c, s], [s, c]]


def ry(theta: float) -> Sequence[Sequence[complex]]:
    c, s = cos(theta / 2), sin(theta / 2)
    return [[c, -s], [s, c]]


def rz(phi: float) -> Sequence[complex]:
    return [exp(-0.5j * phi), exp(0.5j * phi)]


def rv(x: float, y: float, z: float) -> Sequence[Sequence[complex]]:
    angle = hypot(x, hypot(y, z))
    c, s = cos(angle / 2), sin_half_over(angle)
    return [[c - 1j * z * s, (-y - 1j * x) * s], [(y - 1j * x) * s, c + 1j * z * s]]


def rv_generator(axis: int, x: float, y: float, z: float) -> NDArray[np.complex128]:
    """Return the generator of RV for one component of its vector.

    It is ``-i/2 (J e) . sigma``, where e is the unit vector of the axis and J the left Jacobian of rotations
    (Barfoot, State Estimation for Robotics, 2017, equation 7.77).
    """
    vector, unit = np.array([x, y, z]), np.eye(3)[axis]
    angle = hypot(x, hypot(y, z))
    c, s = cos(angle / 2), sin_half_over(angle)
    sinc = 2 * s * c  # sin(angle) / angle
    direction = vector / angle if angle else vector
    nx, ny, nz = sinc * unit + 2 * s**2 * np.cross(vector, unit) + (1 - sinc) * direction[axis] * direction
    return -0.5j * np.array([[nz, nx - 1j * ny], [nx + 1j * ny, -nz]])


def rxx(theta: float) -> Sequence[Sequence[complex]]:
    c, s = cos(theta / 2), -1j * sin(theta / 2)
    return [[c, 0, 0, s], [0, c, s, 0], [0, s, c, 0], [s, 0, 0, c]]


def ryy(theta: float) -> Sequence[Sequence[complex]]:
    c, s = cos(theta / 2), 1j * sin(theta / 2)
    return [[c, 0, 0, s], [0, c, -s, 0], [0, -s, c, 0], [s, 0, 0, c]]


def rzz(theta: float) -> Sequence[complex]:
    even, odd = exp(-0.5j * theta), exp(0.5j * theta)
    return [even, odd, odd, even]


def rzx(theta: float) -> Sequence[Sequence[complex]]:
    c, s = cos(theta / 2), 1j * sin(theta / 2)
    return [[c, 0, -s, 0], [0, c, 0, s], [-s, 0, c, 0], [0, s, 0, c]]


def xx_plus_yy(theta: float, beta: float) -> Sequence[Sequence[complex]]:
    c, s = cos(theta / 2), -1j * sin(theta / 2)
    return [[1, 0, 0, 0], [0, c, exp(-1j * beta) * s, 0], [0, exp(1j * beta) * s, c, 0], [0, 0, 0, 1]]


def xx_minus_yy(theta: float, beta: float) -> Sequence[Sequence[complex]]:
    c, s = cos(theta / 2), -1j * sin(theta / 2)
    return [[c, 0, 0, exp(-1j * beta) * s], [0, 1, 0, 0], [0, 0, 1, 0], [exp(1j * beta) * s, 0, 0, c]]


def on_one_state(size: int, state: int, partner: int, block: Sequence[Sequence[complex]]) -> NDArray[np.complex128]:
    """Return an identity whose rows and columns of two basis states are replaced by a 2x2 block."""
    matrix = np.eye(size, dtype=complex)
    matrix[np.ix_([state, partner], [state, partner])] = block
    return matrix


def rccx() -> NDArray[np.complex128]:
    matrix = on_one_state(8, 3, 7, [[0, -1j], [1j, 0]])
    matrix[5, 5] = -1
    return matrix


def rcccx() -> NDArray[np.complex128]:
    matrix = on_one_state(16, 7, 15, [[0, 1], [-1, 0]])
    matrix[3, 3], matrix[11, 11] = 1j, -1j
    return matrix
