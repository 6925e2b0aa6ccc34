"""THE gate table: the numbers of every gate of Qiskit's standard library, their inverse and their derivatives.

Lowering, the transpiler target, the Qobj reader and the tests all loop over `GATES`; adding a gate is one line. The
matrices follow the documentation of `qiskit.circuit.library`, with qubit 0 as the least significant bit of a row.
"""

from __future__ import annotations

import cmath
import math
from dataclasses import dataclass
from functools import partial
from math import isfinite, pi, sqrt
from typing import TYPE_CHECKING

import numpy as np
from qiskit.circuit import library

from basicaer.engine.program import Form
from basicaer.errors import BasicAerError, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from numpy.typing import NDArray

    # How a gate's numbers depend on one of its angles: the highest frequency, or a function that returns the generator.
    Angle = float | Callable[..., NDArray[Any]]

__all__ = ["BY_CLASS", "BY_NAME", "GATES", "GateRecord", "inverted"]


@dataclass(frozen=True, slots=True)
class GateRecord:
    """One gate of the table.

    Attributes
    ----------
    name
        Qiskit's name, which is the Qobj's name too.
    gate_class
        The Qiskit class; None for a name that only a Qobj uses.
    kinds
        How the gate acts on each target; see `basicaer.engine.program.Gate`.
    form
        The form in which its numbers are given.
    controls
        The number of leading qubits that are controls; None if all qubits but the targets are.
    angles
        One entry for each parameter, which is an angle in radians.

        A number f says that each of the gate's numbers is a combination of ``exp(-1j * f * angle)``, 1 and
        ``exp(1j * f * angle)``: 1/2 for a rotation, 1 for a phase. A function of all parameters returns the generator
        itself (see `generators`), where the numbers have no such form.
    constant, function
        The numbers of a gate without parameters, or the function of the parameters that returns them.
    """

    name: str
    gate_class: type | None
    kinds: str
    form: Form
    controls: int | None
    angles: tuple[Angle, ...]
    constant: NDArray[Any] | None
    function: Callable[..., Sequence[Any]] | None

    @property
    def parameters(self) -> int:
        """The number of real parameters that the gate takes."""
        return len(self.angles)

    def data(self, parameters: Sequence[float] = ()) -> NDArray[Any]:
        """Return the gate's numbers, without its controls, in its `form`; the parameters must be finite."""
        if self.constant is not None:
            return self.constant
        assert self.function is not None  # a record has one or the other  # noqa: S101
        if not isfinite(sum(map(abs, parameters))):  # some functions add parameters, so that sums must be finite too
            raise self._too_large(parameters)
        return np.array(self.function(*parameters), complex)

    def inverse(self, parameters: Sequence[float] = ()) -> NDArray[Any]:
        """Return the numbers of the inverse, without controls, in the same `form`."""
        return inverted(self.form, self.data(parameters))

    def generators(self, parameters: Sequence[float]) -> list[NDArray[np.complex128]]:
        """Return for each angle the anti-Hermitian A with ``dU/dangle = A U``, without controls, in the same `form`.

        U is the gate without its controls. Under controls the derivative is ``A U`` where the controls are on and 0
        elsewhere, so that the derivative of a controlled gate is exact as well.

        The derivative of a combination of 1 and ``exp(+-1j * f * angle)`` is exactly f/2 times the difference of its
        values a quarter of a turn of ``f * angle`` ahead and behind (Mitarai et al. 2018, arXiv:1803.00745, for
        f = 1/2). It is as accurate as the sum of the angle and such a quarter.
        """
        undone = self.inverse(parameters)
        found = []
        for place, angle in enumerate(self.angles):
            if callable(angle):
                found.append(angle(*parameters))
                continue
            quarter = pi / 2 / angle
            ahead, behind = (
                self.data([*parameters[:place], parameters[place] + step, *parameters[place + 1 :]])
                for step in (quarter, -quarter)
            )
            derivative = (ahead - behind) * (angle / 2)
            found.append(derivative * undone if self.form is Form.DIAGONAL else derivative @ undone)
        return found

    def data_for_each(self, *parameters: NDArray[np.float64]) -> NDArray[np.complex128]:
        """Return the gate's numbers for many values of its parameters: ``data[i]`` for ``parameters[j][i]``."""
        assert self.function is not None  # gates without parameters are the same for all  # noqa: S101
        with np.errstate(all="ignore"):  # numbers that are not finite are refused below
            rows = self.function(*parameters)
        shape = np.shape(self.data([0.5] * len(parameters)))
        data = np.empty((len(parameters[0]), *shape), complex)
        for place in np.ndindex(shape):
            entry: Any = rows
            for index in place:
                entry = entry[index]
            data[(slice(None), *place)] = entry
        if not np.isfinite(data).all():
            raise self._too_large([values.tolist() for values in parameters])
        return data

    def _too_large(self, parameters: Sequence[Any]) -> BasicAerError:
        return BasicAerError(
            f"Gate '{self.name}' has parameters {shown(list(parameters))}, which are not all finite, or too large to "
            "add."
        )


def inverted(form: Form, data: NDArray[Any]) -> NDArray[Any]:
    """Return the numbers of the inverse of a unitary, in the same form."""
    return np.argsort(data) if form is Form.PERMUTATION else data.conj().T  # a diagonal has one axis: T changes nothing


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


def _u(theta: float, phi: float, lam: float) -> Sequence[Sequence[complex]]:
    c, s = cos(theta / 2), sin(theta / 2)
    return [[c, -exp(1j * lam) * s], [exp(1j * phi) * s, exp(1j * (phi + lam)) * c]]


def _cu(theta: float, phi: float, lam: float, gamma: float) -> Sequence[Sequence[complex]]:
    return [[exp(1j * gamma) * entry for entry in row] for row in _u(theta, phi, lam)]


def _p(lam: float) -> Sequence[complex]:
    return [1, exp(1j * lam)]


def _r(theta: float, phi: float) -> Sequence[Sequence[complex]]:
    c, s = cos(theta / 2), -1j * sin(theta / 2)
    return [[c, exp(-1j * phi) * s], [exp(1j * phi) * s, c]]


def _rx(theta: float) -> Sequence[Sequence[complex]]:
    c, s = cos(theta / 2), -1j * sin(theta / 2)
    return [[c, s], [s, c]]


def _ry(theta: float) -> Sequence[Sequence[complex]]:
    c, s = cos(theta / 2), sin(theta / 2)
    return [[c, -s], [s, c]]


def _rz(phi: float) -> Sequence[complex]:
    return [exp(-0.5j * phi), exp(0.5j * phi)]


def _rv(x: float, y: float, z: float) -> Sequence[Sequence[complex]]:
    angle = hypot(x, hypot(y, z))
    c, s = cos(angle / 2), sin_half_over(angle)
    return [[c - 1j * z * s, (-y - 1j * x) * s], [(y - 1j * x) * s, c + 1j * z * s]]


def _rv_generator(axis: int, x: float, y: float, z: float) -> NDArray[np.complex128]:
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


def _rxx(theta: float) -> Sequence[Sequence[complex]]:
    c, s = cos(theta / 2), -1j * sin(theta / 2)
    return [[c, 0, 0, s], [0, c, s, 0], [0, s, c, 0], [s, 0, 0, c]]


def _ryy(theta: float) -> Sequence[Sequence[complex]]:
    c, s = cos(theta / 2), 1j * sin(theta / 2)
    return [[c, 0, 0, s], [0, c, -s, 0], [0, -s, c, 0], [s, 0, 0, c]]


def _rzz(theta: float) -> Sequence[complex]:
    even, odd = exp(-0.5j * theta), exp(0.5j * theta)
    return [even, odd, odd, even]


def _rzx(theta: float) -> Sequence[Sequence[complex]]:
    c, s = cos(theta / 2), 1j * sin(theta / 2)
    return [[c, 0, -s, 0], [0, c, 0, s], [-s, 0, c, 0], [0, s, 0, c]]


def _xx_plus_yy(theta: float, beta: float) -> Sequence[Sequence[complex]]:
    c, s = cos(theta / 2), -1j * sin(theta / 2)
    return [[1, 0, 0, 0], [0, c, exp(-1j * beta) * s, 0], [0, exp(1j * beta) * s, c, 0], [0, 0, 0, 1]]


def _xx_minus_yy(theta: float, beta: float) -> Sequence[Sequence[complex]]:
    c, s = cos(theta / 2), -1j * sin(theta / 2)
    return [[c, 0, 0, exp(-1j * beta) * s], [0, 1, 0, 0], [0, 0, 1, 0], [exp(1j * beta) * s, 0, 0, c]]


def _on_one_state(size: int, state: int, partner: int, block: Sequence[Sequence[complex]]) -> NDArray[np.complex128]:
    """Return an identity whose rows and columns of two basis states are replaced by a 2x2 block."""
    matrix = np.eye(size, dtype=complex)
    matrix[np.ix_([state, partner], [state, partner])] = block
    return matrix


def _rccx() -> NDArray[np.complex128]:
    matrix = _on_one_state(8, 3, 7, [[0, -1j], [1j, 0]])
    matrix[5, 5] = -1
    return matrix


def _rcccx() -> NDArray[np.complex128]:
    matrix = _on_one_state(16, 7, 15, [[0, 1], [-1, 0]])
    matrix[3, 3], matrix[11, 11] = 1j, -1j
    return matrix


_PERMUTATION, _DIAGONAL, _MATRIX = Form.PERMUTATION, Form.DIAGONAL, Form.MATRIX
_H = np.array([[1, 1], [1, -1]]) / sqrt(2)
_SX = np.array([[1 + 1j, 1 - 1j], [1 - 1j, 1 + 1j]]) / 2
_ECR = np.array([[0, 1, 0, 1j], [1, 0, -1j, 0], [0, 1j, 0, 1], [-1j, 0, 1, 0]]) / sqrt(2)
_T = exp(0.25j * pi)

_HALF, _FULL = 0.5, 1.0  # the frequencies of a rotation and of a phase
_RV = tuple(partial(_rv_generator, axis) for axis in range(3))

# name, class, controls, kinds of the targets, form, numbers (or the function of the parameters), angles
_ROWS: tuple[tuple[str, type | None, int | None, str, Form, Any, tuple[Angle, ...]], ...] = (
    ("id", library.IGate, 0, "Z", _DIAGONAL, [1, 1], ()),
    ("h", library.HGate, 0, "G", _MATRIX, _H, ()),
    ("x", library.XGate, 0, "X", _PERMUTATION, [1, 0], ()),
    ("y", library.YGate, 0, "G", _MATRIX, [[0, -1j], [1j, 0]], ()),
    ("z", library.ZGate, 0, "Z", _DIAGONAL, [1, -1], ()),
    ("s", library.SGate, 0, "Z", _DIAGONAL, [1, 1j], ()),
    ("sdg", library.SdgGate, 0, "Z", _DIAGONAL, [1, -1j], ()),
    ("t", library.TGate, 0, "Z", _DIAGONAL, [1, _T], ()),
    ("tdg", library.TdgGate, 0, "Z", _DIAGONAL, [1, _T.conjugate()], ()),
    ("sx", library.SXGate, 0, "X", _MATRIX, _SX, ()),
    ("sxdg", library.SXdgGate, 0, "X", _MATRIX, _SX.conj().T, ()),
    ("p", library.PhaseGate, 0, "Z", _DIAGONAL, _p, (_FULL,)),
    ("rx", library.RXGate, 0, "X", _MATRIX, _rx, (_HALF,)),
    ("ry", library.RYGate, 0, "G", _MATRIX, _ry, (_HALF,)),
    ("rz", library.RZGate, 0, "Z", _DIAGONAL, _rz, (_HALF,)),
    ("r", library.RGate, 0, "G", _MATRIX, _r, (_HALF, _FULL)),
    ("rv", library.RVGate, 0, "G", _MATRIX, _rv, _RV),
    ("u", library.UGate, 0, "G", _MATRIX, _u, (_HALF, _FULL, _FULL)),
    ("u1", library.U1Gate, 0, "Z", _DIAGONAL, _p, (_FULL,)),
    ("u2", library.U2Gate, 0, "G", _MATRIX, lambda phi, lam: _u(pi / 2, phi, lam), (_FULL, _FULL)),
    ("u3", library.U3Gate, 0, "G", _MATRIX, _u, (_HALF, _FULL, _FULL)),
    ("global_phase", library.GlobalPhaseGate, 0, "", _DIAGONAL, lambda phase: [exp(1j * phase)], (_FULL,)),
    ("swap", library.SwapGate, 0, "GG", _PERMUTATION, [0, 2, 1, 3], ()),
    ("dcx", library.DCXGate, 0, "GG", _PERMUTATION, [0, 2, 3, 1], ()),
    ("iswap", library.iSwapGate, 0, "GG", _MATRIX, _on_one_state(4, 1, 2, [[0, 1j], [1j, 0]]), ()),
    ("ecr", library.ECRGate, 0, "GX", _MATRIX, _ECR, ()),
    ("rxx", library.RXXGate, 0, "XX", _MATRIX, _rxx, (_HALF,)),
    ("ryy", library.RYYGate, 0, "GG", _MATRIX, _ryy, (_HALF,)),
    ("rzz", library.RZZGate, 0, "ZZ", _DIAGONAL, _rzz, (_HALF,)),
    ("rzx", library.RZXGate, 0, "ZX", _MATRIX, _rzx, (_HALF,)),
    ("xx_plus_yy", library.XXPlusYYGate, 0, "GG", _MATRIX, _xx_plus_yy, (_HALF, _FULL)),
    ("xx_minus_yy", library.XXMinusYYGate, 0, "GG", _MATRIX, _xx_minus_yy, (_HALF, _FULL)),
    ("rccx", library.RCCXGate, 0, "ZZG", _MATRIX, _rccx(), ()),
    ("rcccx", library.RC3XGate, 0, "ZZZG", _MATRIX, _rcccx(), ()),
    ("ch", library.CHGate, 1, "G", _MATRIX, _H, ()),
    ("cx", library.CXGate, 1, "X", _PERMUTATION, [1, 0], ()),
    ("cy", library.CYGate, 1, "G", _MATRIX, [[0, -1j], [1j, 0]], ()),
    ("cz", library.CZGate, 1, "Z", _DIAGONAL, [1, -1], ()),
    ("cs", library.CSGate, 1, "Z", _DIAGONAL, [1, 1j], ()),
    ("csdg", library.CSdgGate, 1, "Z", _DIAGONAL, [1, -1j], ()),
    ("csx", library.CSXGate, 1, "X", _MATRIX, _SX, ()),
    ("cp", library.CPhaseGate, 1, "Z", _DIAGONAL, _p, (_FULL,)),
    ("crx", library.CRXGate, 1, "X", _MATRIX, _rx, (_HALF,)),
    ("cry", library.CRYGate, 1, "G", _MATRIX, _ry, (_HALF,)),
    ("crz", library.CRZGate, 1, "Z", _DIAGONAL, _rz, (_HALF,)),
    ("cu", library.CUGate, 1, "G", _MATRIX, _cu, (_HALF, _FULL, _FULL, _FULL)),
    ("cu1", library.CU1Gate, 1, "Z", _DIAGONAL, _p, (_FULL,)),
    ("cu3", library.CU3Gate, 1, "G", _MATRIX, _u, (_HALF, _FULL, _FULL)),
    ("cswap", library.CSwapGate, 1, "GG", _PERMUTATION, [0, 2, 1, 3], ()),
    ("ccx", library.CCXGate, 2, "X", _PERMUTATION, [1, 0], ()),
    ("ccz", library.CCZGate, 2, "Z", _DIAGONAL, [1, -1], ()),
    ("c3x", library.C3XGate, 3, "X", _PERMUTATION, [1, 0], ()),
    ("c3sx", library.C3SXGate, 3, "X", _MATRIX, _SX, ()),
    ("c4x", library.C4XGate, 4, "X", _PERMUTATION, [1, 0], ()),
    ("mcx", library.MCXGate, None, "X", _PERMUTATION, [1, 0], ()),
    ("mcphase", library.MCPhaseGate, None, "Z", _DIAGONAL, _p, (_FULL,)),
    ("mcu1", library.MCU1Gate, None, "Z", _DIAGONAL, _p, (_FULL,)),
    # Names that only a Qobj uses.
    ("u0", None, 0, "Z", _DIAGONAL, lambda _length: [1, 1], (_FULL,)),
    ("U", None, 0, "G", _MATRIX, _u, (_HALF, _FULL, _FULL)),
    ("CX", None, 1, "X", _PERMUTATION, [1, 0], ()),
)


def _record(row: tuple[str, type | None, int | None, str, Form, Any, tuple[Angle, ...]]) -> GateRecord:
    name, gate_class, controls, kinds, form, numbers, angles = row
    if callable(numbers):
        return GateRecord(name, gate_class, kinds, form, controls, angles, None, numbers)
    constant = np.array(numbers, int if form is Form.PERMUTATION else complex)
    constant.flags.writeable = False  # all programs share it
    return GateRecord(name, gate_class, kinds, form, controls, angles, constant, None)


GATES = tuple(_record(row) for row in _ROWS)
BY_NAME = {record.name: record for record in GATES}
BY_CLASS = {record.gate_class: record for record in GATES if record.gate_class is not None}
