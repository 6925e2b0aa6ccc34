"""THE gate table: the numbers of every gate of Qiskit's standard library, their inverse and their derivatives.

Lowering, the transpiler target, the Qobj reader and the tests all loop over `GATES`; adding a gate is one line. The
matrices follow the documentation of `qiskit.circuit.library`, with qubit 0 as the least significant bit of a row.
"""

from __future__ import annotations

import cmath
from dataclasses import dataclass
from functools import partial
from math import isfinite, pi, sqrt
from typing import TYPE_CHECKING

import numpy as np
from qiskit.circuit import library

from basicaer.compile import gate_numbers as numbers
from basicaer.engine.program import Form
from basicaer.engine.unitaries import inverted
from basicaer.errors import BasicAerError, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from numpy.typing import NDArray

    # How a gate's numbers depend on one of its angles: the highest frequency, or a function that returns the generator.
    Angle = float | Callable[..., NDArray[Any]]

__all__ = ["BY_CLASS", "BY_NAME", "GATES", "GateRecord"]


@dataclass(frozen=True, slots=True)
class GateRecord:
    """One gate of the table.

    Attributes
    ----------
    name
        Qiskit's name, which is the Qobj's name too.
    gate_class
        The Qiskit class; None for a name that only a Qobj uses.
    target_actions
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
    target_actions: str
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
        if not isfinite(sum(map(abs, parameters))):  # some functions add parameters, so their sum must be finite too
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
        return self.generators_for_each(*map(np.array, parameters))

    def generators_for_each(self, *parameters: NDArray[np.float64]) -> list[NDArray[np.complex128]]:
        """Return `generators` for arrays of the parameters: ``generators[angle][i]`` for all ``parameters[j][i]``."""
        undone = self.data_for_each(*parameters).conj()
        if self.form is not Form.DIAGONAL:
            undone = undone.swapaxes(-1, -2)
        found = []
        for place, angle in enumerate(self.angles):
            if callable(angle):
                each = [angle(*own) for own in zip(*(one.reshape(-1).tolist() for one in parameters), strict=True)]
                found.append(np.array(each, complex).reshape(undone.shape))
                continue
            quarter = pi / 2 / angle
            ahead, behind = (
                self.data_for_each(*parameters[:place], parameters[place] + step, *parameters[place + 1 :])
                for step in (quarter, -quarter)
            )
            derivative = (ahead - behind) * (angle / 2)
            found.append(derivative * undone if self.form is Form.DIAGONAL else derivative @ undone)
        return found

    def data_for_each(self, *parameters: NDArray[np.float64]) -> NDArray[np.complex128]:
        """Return the gate's numbers for arrays of its parameters: ``data[i]`` for all ``parameters[j][i]``."""
        assert self.function is not None  # gates without parameters are the same for all  # noqa: S101
        with np.errstate(all="ignore"):  # numbers that are not finite are refused below
            rows = self.function(*parameters)
        shape = np.shape(self.data([0.5] * len(parameters)))
        data = np.empty((*parameters[0].shape, *shape), complex)
        for place in np.ndindex(shape):
            entry: Any = rows
            for index in place:
                entry = entry[index]
            data[(..., *place)] = entry
        if not np.isfinite(data).all():
            raise self._too_large([values.tolist() for values in parameters])
        return data

    def _too_large(self, parameters: Sequence[Any]) -> BasicAerError:
        return BasicAerError(
            f"Gate '{self.name}' has parameters {shown(list(parameters))}, which are not all finite, or too large to "
            "add."
        )


_PERMUTATION, _DIAGONAL, _MATRIX = Form.PERMUTATION, Form.DIAGONAL, Form.MATRIX
_H = np.array([[1, 1], [1, -1]]) / sqrt(2)
_SX = np.array([[1 + 1j, 1 - 1j], [1 - 1j, 1 + 1j]]) / 2
_ECR = np.array([[0, 1, 0, 1j], [1, 0, -1j, 0], [0, 1j, 0, 1], [-1j, 0, 1, 0]]) / sqrt(2)
_T = cmath.exp(0.25j * pi)

_HALF, _FULL = 0.5, 1.0  # the frequencies of a rotation and of a phase
_RV = tuple(partial(numbers.rv_generator, axis) for axis in range(3))

# name, class, controls, target actions, form, numbers (or the function of the parameters), angles
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
    ("p", library.PhaseGate, 0, "Z", _DIAGONAL, numbers.p, (_FULL,)),
    ("rx", library.RXGate, 0, "X", _MATRIX, numbers.rx, (_HALF,)),
    ("ry", library.RYGate, 0, "G", _MATRIX, numbers.ry, (_HALF,)),
    ("rz", library.RZGate, 0, "Z", _DIAGONAL, numbers.rz, (_HALF,)),
    ("r", library.RGate, 0, "G", _MATRIX, numbers.r, (_HALF, _FULL)),
    ("rv", library.RVGate, 0, "G", _MATRIX, numbers.rv, _RV),
    ("u", library.UGate, 0, "G", _MATRIX, numbers.u, (_HALF, _FULL, _FULL)),
    ("u1", library.U1Gate, 0, "Z", _DIAGONAL, numbers.p, (_FULL,)),
    ("u2", library.U2Gate, 0, "G", _MATRIX, numbers.u2, (_FULL, _FULL)),
    ("u3", library.U3Gate, 0, "G", _MATRIX, numbers.u, (_HALF, _FULL, _FULL)),
    ("global_phase", library.GlobalPhaseGate, 0, "", _DIAGONAL, numbers.global_phase, (_FULL,)),
    ("swap", library.SwapGate, 0, "GG", _PERMUTATION, [0, 2, 1, 3], ()),
    ("dcx", library.DCXGate, 0, "GG", _PERMUTATION, [0, 2, 3, 1], ()),
    ("iswap", library.iSwapGate, 0, "GG", _MATRIX, numbers.on_one_state(4, 1, 2, [[0, 1j], [1j, 0]]), ()),
    ("ecr", library.ECRGate, 0, "GX", _MATRIX, _ECR, ()),
    ("rxx", library.RXXGate, 0, "XX", _MATRIX, numbers.rxx, (_HALF,)),
    ("ryy", library.RYYGate, 0, "GG", _MATRIX, numbers.ryy, (_HALF,)),
    ("rzz", library.RZZGate, 0, "ZZ", _DIAGONAL, numbers.rzz, (_HALF,)),
    ("rzx", library.RZXGate, 0, "ZX", _MATRIX, numbers.rzx, (_HALF,)),
    ("xx_plus_yy", library.XXPlusYYGate, 0, "GG", _MATRIX, numbers.xx_plus_yy, (_HALF, _FULL)),
    ("xx_minus_yy", library.XXMinusYYGate, 0, "GG", _MATRIX, numbers.xx_minus_yy, (_HALF, _FULL)),
    ("rccx", library.RCCXGate, 0, "ZZG", _MATRIX, numbers.rccx(), ()),
    ("rcccx", library.RC3XGate, 0, "ZZZG", _MATRIX, numbers.rcccx(), ()),
    ("ch", library.CHGate, 1, "G", _MATRIX, _H, ()),
    ("cx", library.CXGate, 1, "X", _PERMUTATION, [1, 0], ()),
    ("cy", library.CYGate, 1, "G", _MATRIX, [[0, -1j], [1j, 0]], ()),
    ("cz", library.CZGate, 1, "Z", _DIAGONAL, [1, -1], ()),
    ("cs", library.CSGate, 1, "Z", _DIAGONAL, [1, 1j], ()),
    ("csdg", library.CSdgGate, 1, "Z", _DIAGONAL, [1, -1j], ()),
    ("csx", library.CSXGate, 1, "X", _MATRIX, _SX, ()),
    ("cp", library.CPhaseGate, 1, "Z", _DIAGONAL, numbers.p, (_FULL,)),
    ("crx", library.CRXGate, 1, "X", _MATRIX, numbers.rx, (_HALF,)),
    ("cry", library.CRYGate, 1, "G", _MATRIX, numbers.ry, (_HALF,)),
    ("crz", library.CRZGate, 1, "Z", _DIAGONAL, numbers.rz, (_HALF,)),
    ("cu", library.CUGate, 1, "G", _MATRIX, numbers.cu, (_HALF, _FULL, _FULL, _FULL)),
    ("cu1", library.CU1Gate, 1, "Z", _DIAGONAL, numbers.p, (_FULL,)),
    ("cu3", library.CU3Gate, 1, "G", _MATRIX, numbers.u, (_HALF, _FULL, _FULL)),
    ("cswap", library.CSwapGate, 1, "GG", _PERMUTATION, [0, 2, 1, 3], ()),
    ("ccx", library.CCXGate, 2, "X", _PERMUTATION, [1, 0], ()),
    ("ccz", library.CCZGate, 2, "Z", _DIAGONAL, [1, -1], ()),
    ("c3x", library.C3XGate, 3, "X", _PERMUTATION, [1, 0], ()),
    ("c3sx", library.C3SXGate, 3, "X", _MATRIX, _SX, ()),
    ("c4x", library.C4XGate, 4, "X", _PERMUTATION, [1, 0], ()),
    ("mcx", library.MCXGate, None, "X", _PERMUTATION, [1, 0], ()),
    ("mcphase", library.MCPhaseGate, None, "Z", _DIAGONAL, numbers.p, (_FULL,)),
    ("mcu1", library.MCU1Gate, None, "Z", _DIAGONAL, numbers.p, (_FULL,)),
    # Names that only a Qobj uses.
    ("u0", None, 0, "Z", _DIAGONAL, lambda _length: [1, 1], (_FULL,)),
    ("U", None, 0, "G", _MATRIX, numbers.u, (_HALF, _FULL, _FULL)),
    ("CX", None, 1, "X", _PERMUTATION, [1, 0], ()),
)


def _record(row: tuple[str, type | None, int | None, str, Form, Any, tuple[Angle, ...]]) -> GateRecord:
    name, gate_class, controls, actions, form, given, angles = row
    if callable(given):
        return GateRecord(name, gate_class, actions, form, controls, angles, None, given)
    constant = np.array(given, int if form is Form.PERMUTATION else complex)
    constant.flags.writeable = False  # all programs share it
    return GateRecord(name, gate_class, actions, form, controls, angles, constant, None)


GATES = tuple(_record(row) for row in _ROWS)
BY_NAME = {record.name: record for record in GATES}
BY_CLASS = {record.gate_class: record for record in GATES if record.gate_class is not None}
