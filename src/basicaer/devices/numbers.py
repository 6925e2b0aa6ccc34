"""The numbers of gates that are planned: each gate by itself, or the parts into which a plan has split it."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from basicaer.engine.plan import Part
from basicaer.engine.program import Form
from basicaer.engine.unitaries import eigen_decomposition, eigenvalues

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from basicaer.engine.plan import PlannedGate
    from basicaer.engine.program import Gate

__all__ = ["GateNumbers", "eigen", "numbers_of"]

_HADAMARD = np.array([[1, 1], [1, -1]]) / np.sqrt(2)


class GateNumbers(NamedTuple):
    """A gate by its numbers alone; the fields are those of `basicaer.engine.program.Gate`."""

    form: Form
    data: NDArray[Any]
    targets: tuple[int, ...]
    controls: tuple[int, ...] = ()
    control_state: int = 0


def numbers_of(planned: PlannedGate, gate: Gate) -> GateNumbers:
    """Return the numbers of a planned gate, a whole one or a part, on its wires."""
    if planned.part is Part.WHOLE:
        return GateNumbers(gate.form, gate.data, planned.targets, planned.controls, gate.control_state)
    vectors, values = eigen(gate)
    if planned.part is Part.EIGENVALUES:
        return GateNumbers(Form.DIAGONAL, values, planned.targets, planned.controls, gate.control_state)
    matrix = vectors if planned.part is Part.OUT_OF_EIGENBASIS else vectors.conj().T
    return GateNumbers(Form.MATRIX, matrix, planned.targets)


def eigen(gate: Gate) -> tuple[NDArray[Any], NDArray[np.complexfloating]]:
    """Return ``V`` and the diagonal of ``D`` with ``U = V D V*`` for the unitary U on a gate's targets."""
    if gate.form is Form.PERMUTATION:
        matrix = np.zeros((len(gate.data),) * 2)
        matrix[gate.data, np.arange(len(gate.data))] = 1
    else:
        matrix = gate.data
    if set(gate.kinds) == {"X"}:
        hadamards: NDArray[Any] = reduce(np.kron, [_HADAMARD] * len(gate.targets))
        return hadamards, eigenvalues(matrix, hadamards)  # the eigenvectors of every such gate
    return eigen_decomposition(matrix)
