"""The numbers of gates that are planned: each gate by itself, or the parts into which a plan has split it."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from basicaer.engine.plan import Part
from basicaer.engine.program import Form
from basicaer.engine.unitaries import eigen_decomposition, eigenvalues

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from basicaer.engine.plan import Plan, PlannedGate
    from basicaer.engine.program import Gate, Segment

__all__ = ["GateNumbers", "ListedGates", "PlanGates", "data_of_sets", "eigen", "numbers_of"]

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


def data_of_sets(planned: PlannedGate, gate: Gate, data: NDArray[Any]) -> NDArray[Any]:
    """Return ``numbers[s]``, the numbers that a planned gate has where its gate has the numbers ``data[s]``."""
    if planned.part is Part.WHOLE:
        return data
    return np.array([numbers_of(planned, gate.with_data(own)).data for own in data])


class ListedGates:
    """Gates that are given with their numbers.

    Attributes
    ----------
    wires
        What has the targets and controls of each gate.
    """

    def __init__(self, gates: Sequence[GateNumbers]) -> None:
        self.wires = gates

    def numbers(self, gates: Iterable[int]) -> Iterator[GateNumbers]:
        """Return what has the form, the numbers and the control state of each of some gates."""
        return map(self.wires.__getitem__, gates)


class PlanGates:
    """The gates of a plan, with the numbers that they have in one segment.

    Nothing is kept of a gate that is not split: the garbage collector would look at all these objects again and again.

    Attributes
    ----------
    plan, segment
        The plan, and what it was made for.
    wires
        What has the targets and controls of each gate.
    """

    def __init__(self, plan: Plan, segment: Segment) -> None:
        self.plan = plan
        self.segment = segment
        self.wires: Sequence[PlannedGate] = plan.gates
        self._parts: dict[int, GateNumbers] = {}

    def __getitem__(self, gate: int) -> GateNumbers:
        if self.wires[gate].part is Part.WHOLE:
            return numbers_of(self.wires[gate], self._whole(gate))
        part = self._parts.get(gate)
        if part is None:
            part = self._parts[gate] = numbers_of(self.wires[gate], self._whole(gate))
        return part

    def numbers(self, gates: Iterable[int]) -> Iterator[Gate | GateNumbers]:
        """Return what has the form, numbers and control state of each of some gates; of whole ones, no new objects.

        Targets and controls are in `wires`.
        """
        wires, wholes, origins, whole = self.wires, self.segment.gates, self.plan.origins, Part.WHOLE
        for gate in gates:
            yield wholes[origins[gate]] if wires[gate].part is whole else self[gate]

    def _whole(self, gate: int) -> Gate:
        return self.segment.gates[self.plan.origins[gate]]


def eigen(gate: Gate) -> tuple[NDArray[Any], NDArray[np.complexfloating]]:
    """Return ``V`` and the diagonal of ``D`` with ``U = V D V*`` for the unitary U on a gate's targets."""
    if gate.form is Form.PERMUTATION:
        matrix = np.zeros((len(gate.data),) * 2)
        matrix[gate.data, np.arange(len(gate.data))] = 1
    else:
        matrix = gate.data
    if set(gate.target_actions) == {"X"}:
        hadamards: NDArray[Any] = reduce(np.kron, [_HADAMARD] * len(gate.targets))
        return hadamards, eigenvalues(matrix, hadamards)  # the eigenvectors of every such gate
    return eigen_decomposition(matrix)
