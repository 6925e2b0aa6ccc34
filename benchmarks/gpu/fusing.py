"""Fuses a circuit into few matrices, for simulators that read and write the whole state for each matrix.

Our planner chooses which gates become one matrix, as if a tile were the whole state. Then matrices are merged as long
as the result is not too wide. If merging the gates themselves gives fewer matrices than that, these are taken instead.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from basicaer.devices.cpu.fusion import product_matrices
from basicaer.devices.cpu.gatewise import Gatewise
from basicaer.devices.numbers import GateNumbers, numbers_of
from basicaer.engine.bits import has_bit
from basicaer.engine.plan import Costs, Part, PlannedGate, Product
from basicaer.engine.program import Form
from basicaer.plan.planner import plan_segment

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from basicaer.engine.plan import Plan
    from basicaer.engine.program import Gate, Segment


class Matrix(NamedTuple):
    """A matrix on `targets` that acts where every control has its value.

    ``targets[0]`` is the least significant bit of a row's index.
    """

    data: NDArray[np.complexfloating]  # a matrix, or in one dimension the diagonal of a diagonal matrix
    targets: tuple[int, ...]
    controls: tuple[int, ...] = ()
    values: tuple[bool, ...] = ()

    @property
    def is_diagonal(self) -> bool:
        """Whether `data` is only the diagonal."""
        return self.data.ndim == 1


@dataclass(slots=True)
class _Group:
    """Gates that become one matrix."""

    gates: list[GateNumbers] = field(default_factory=list)
    wires: set[int] = field(default_factory=set)
    mixed: set[int] = field(default_factory=set)  # the wires on which the gates are not diagonal

    def joined(self, other: _Group) -> _Group:
        return _Group(self.gates + other.gates, self.wires | other.wires, self.mixed | other.mixed)

    def commutes_with(self, other: _Group) -> bool:
        return not (self.wires & other.wires & (self.mixed | other.mixed))


def fused(segment: Segment, n: int, *, widest: int, widest_diagonal: int) -> tuple[list[Matrix], tuple[int, ...]]:
    """Return matrices whose product is the segment.

    Parameters
    ----------
    widest, widest_diagonal
        The most qubits of a matrix, and of a diagonal one. A gate on more qubits is a matrix of its own, with controls.

    Returns
    -------
    matrices
        In the order in which they act.
    wire_of
        ``wire_of[q]`` is the wire on which qubit q is at the end.
    """
    plan = _plan(segment, n, widest)
    groups = [_group(gate, segment.gates[i]) for gate, i in zip(plan.gates, plan.origins, strict=True)]
    planned: list[_Group] = []
    for step in (step for current in plan.passes for step in current.steps):
        single = [groups[i] for i in step.gates]
        together = _Group()
        for group in single:
            together = together.joined(group)
        planned += [together] if isinstance(step, Product) and len(together.wires) <= widest else single
    best = min(
        (_merged(candidate, widest, widest_diagonal) for candidate in (planned, groups)),
        key=len,
    )
    return [_matrix(group) for group in best], plan.wire_of


def unfused(segment: Segment, n: int) -> tuple[list[Matrix], tuple[int, ...]]:
    """Return a matrix for each gate, with the gate's controls, and ``wire_of`` as `fused` does; swaps are left out."""
    plan = _plan(segment, n, 1)
    matrices = []
    for planned, origin in zip(plan.gates, plan.origins, strict=True):
        # The planner splits a gate with many controls into three parts, of which one has all of its wires.
        if planned.part in {Part.WHOLE, Part.EIGENVALUES}:
            whole = planned._replace(part=Part.WHOLE, paired=planned.targets)
            matrices.append(_matrix(_group(whole, segment.gates[origin])))
    return matrices, plan.wire_of


def _plan(segment: Segment, n: int, widest: int) -> Plan:
    costs = Costs(
        tile_qubits=n,
        shared_qubits=0,
        product=(1.0,) * (widest + 1),  # A matrix of any width reads and writes the state once.
        rearrange=0.0,
        multiply=1.0,
        move=1.0,
        step_seconds=0.0,
        selectors=0,
    )
    return plan_segment(segment, n, costs)


def _group(planned: PlannedGate, gate: Gate) -> _Group:
    numbers = numbers_of(planned, gate)
    mixed = set() if numbers.form is Form.DIAGONAL else set(planned.paired)
    if planned.part not in {Part.WHOLE, Part.EIGENVALUES}:
        mixed = set(numbers.targets)
    return _Group([numbers], {*numbers.targets, *numbers.controls}, mixed)


def _merged(groups: Iterable[_Group], widest: int, widest_diagonal: int) -> list[_Group]:
    """Join each group to the last earlier one that has all of its wires, or else to the earliest that has room."""
    made: list[_Group] = []
    for group in groups:
        place = None
        for at in reversed(range(len(made))):
            earlier = made[at]
            wires = earlier.wires | group.wires
            if len(wires) <= (widest if earlier.mixed or group.mixed else widest_diagonal):
                place = at
                if wires == earlier.wires:
                    break
            if not earlier.commutes_with(group):
                break
        if place is None:
            made.append(group)
        else:
            made[place] = made[place].joined(group)
    return made


def _matrix(group: _Group) -> Matrix:
    wires = tuple(sorted(group.wires)) or (0,)
    if len(group.gates) == 1 and group.gates[0].controls:
        return _controlled(group.gates[0])
    if group.mixed:
        return Matrix(product_matrices(group.gates, wires, ())[0], wires)
    place = {wire: j for j, wire in enumerate(wires)}
    diagonal = np.ones(2 ** len(wires), complex)
    gatewise = Gatewise(len(wires), diagonal.dtype)
    for gate in group.gates:
        targets, controls = (tuple(place[wire] for wire in them) for them in (gate.targets, gate.controls))
        gatewise.apply(diagonal, gate._replace(targets=targets, controls=controls), lambda: None)
    return Matrix(diagonal, wires)


def _controlled(gate: GateNumbers) -> Matrix:
    """Return a gate as a matrix on its targets, with controls."""
    values = tuple(has_bit(gate.control_state, j) for j in range(len(gate.controls)))
    if not gate.targets:  # The gate is a phase, and one of its controls becomes the target.
        factor = complex(gate.data.reshape(-1)[0])
        diagonal = np.array([1, factor] if values[-1] else [factor, 1])
        return Matrix(diagonal, gate.controls[-1:], gate.controls[:-1], values[:-1])
    data = gate.data
    if gate.form is Form.PERMUTATION:
        data = np.zeros((len(gate.data),) * 2)
        data[gate.data, np.arange(len(gate.data))] = 1
    return Matrix(np.asarray(data, complex), gate.targets, gate.controls, values)
