"""The gates of a stage as one rank applies them to its own amplitudes.

What a gate does on global wires is known to a rank, since these are the bits of its number. All ranks get gates of the
same forms, so that they make the same plan and lay their amplitudes out alike: a gate whose controls are off on a rank
becomes the identity there. Only a swap may make a difference, since plans leave it out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from basicaer.engine.bits import deposit_bits, extract_bits, has_bit, mask_of
from basicaer.engine.program import Form, Gate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

    from basicaer.engine.plan import PlannedGate
    from basicaer.engine.program import Segment
    from basicaer.engine.stages import Stage, Stages

__all__ = ["Places", "gates_of_rank", "matrix_of", "scaling", "start_of_product", "taken_alone"]


class Places:
    """Where wires are: at the positions of local qubits or, behind these, at the bits of the rank's number.

    Parameters
    ----------
    place
        ``place[w]`` of wire w: below `n_local` a local qubit, else ``n_local + bit``.
    """

    def __init__(self, place: Sequence[int], n_local: int, rank: int) -> None:
        self.place = place
        self.n_local = n_local
        self._rank = rank

    def is_local(self, wire: int) -> bool:
        """Tell whether a wire is local."""
        return self.place[wire] < self.n_local

    @property
    def rank(self) -> int:
        """The number of this rank."""
        return self._rank

    def value(self, wire: int) -> bool:
        """Return the value that a global wire has on this rank."""
        return has_bit(self._rank, self.place[wire] - self.n_local)

    def is_one_here(self, wire: int) -> bool:
        """Tell whether a wire is global, and 1 on this rank."""
        return not self.is_local(wire) and self.value(wire)

    def local(self, wires: Iterable[int]) -> tuple[int, ...]:
        """Return the local qubits of those wires that are local."""
        return tuple([self.place[wire] for wire in wires if self.is_local(wire)])


def gates_of_rank(
    stage: Stage, stages: Stages, segment: Segment, places: Places, poll: Callable[[], None]
) -> list[Gate]:
    """Return the gates of a stage on local qubits."""
    gates = []
    for number in stage.gates:
        poll()
        gates.append(_on_rank(segment.gates[stages.origins[number]], stages.gates[number], places))
    return gates


def _on_rank(gate: Gate, planned: PlannedGate, places: Places) -> Gate:
    """Return a gate without its global wires; it acts diagonally on these."""
    targets, controls = places.local(planned.targets), places.local(planned.controls)
    if len(targets) == len(planned.targets) and len(controls) == len(planned.controls):
        return gate._replace(targets=targets, controls=controls)
    wanted = {control: has_bit(gate.control_state, j) for j, control in enumerate(planned.controls)}
    is_on = all(places.value(control) == value for control, value in wanted.items() if not places.is_local(control))
    state = mask_of(j for j, value in enumerate(v for c, v in wanted.items() if places.is_local(c)) if value)
    on_targets = zip(gate.target_actions, planned.targets, strict=True)
    actions = "".join([action for action, wire in on_targets if places.is_local(wire)])
    form, data = gate.form, _restricted(gate, planned.targets, places)
    return Gate(gate.name, actions, targets, form, data if is_on else _identity(form, data), controls, state)


def _restricted(gate: Gate, targets: Sequence[int], places: Places) -> NDArray[Any]:
    """Return the numbers of a gate on its local targets, for the values that the others have on this rank."""
    kept = [j for j, wire in enumerate(targets) if places.is_local(wire)]
    held = mask_of(j for j, wire in enumerate(targets) if places.is_one_here(wire))
    rows = deposit_bits(np.arange(2 ** len(kept)), kept) + held
    match gate.form:
        case Form.MATRIX:
            return gate.data[np.ix_(rows, rows)]
        case Form.DIAGONAL:
            return gate.data[rows]
        case Form.PERMUTATION:
            return extract_bits(gate.data[rows], kept)


def _identity(form: Form, data: NDArray[Any]) -> NDArray[Any]:
    """Return the numbers of a gate of the same form that does nothing."""
    match form:
        case Form.MATRIX:
            return np.eye(len(data), dtype=data.dtype)
        case Form.DIAGONAL:
            return np.ones_like(data)
        case Form.PERMUTATION:
            return np.arange(len(data))


def matrix_of(form: Form, data: NDArray[Any]) -> NDArray[np.complex128]:
    """Return the numbers of a gate as a matrix."""
    match form:
        case Form.MATRIX:
            return data
        case Form.DIAGONAL:
            return np.diag(data)
        case Form.PERMUTATION:
            return np.eye(len(data), dtype=complex)[np.argsort(data)]


def taken_alone(stage: Stage, stages: Stages, places: Places) -> tuple[list[tuple[int, int]], Stage]:
    """Take those gates out of the first stage that act on single global wires.

    They can be applied before all others: in that stage, gates on several wires act diagonally on global ones, and so
    does a gate on a single one that comes after them.

    Returns
    -------
    tuple
        The wire and the number of each of these gates, and the stage without them.
    """
    alone: list[tuple[int, int]] = []
    others = []
    for number in stage.gates:
        wires = (*stages.gates[number].targets, *stages.gates[number].controls)
        if len(wires) == 1 and not places.is_local(wires[0]):
            alone.append((wires[0], number))
        else:
            others.append(number)
    return alone, stage._replace(gates=tuple(others))


def start_of_product(gates: Iterable[tuple[int, Gate]], places: Places) -> complex:
    """Return the amplitude with which a rank begins, if gates act on |0...0> before all others.

    Parameters
    ----------
    gates
        The global wire of each gate, which acts on no other, and the gate.
    """
    zero = np.array([1, 0], complex)
    qubits: dict[int, NDArray[np.complex128]] = {}  # qubits[w] = the state of wire w by itself
    for wire, gate in gates:
        matrix = matrix_of(gate.form, gate.data)
        if gate.controls:  # it has no target: a phase for one value of the control
            phases = (1, matrix[0, 0]) if gate.control_state else (matrix[0, 0], 1)
            matrix = np.diag(phases)
        qubits[wire] = matrix @ qubits.get(wire, zero)
    amplitude = 1 + 0j
    for wire in range(len(places.place)):
        if not places.is_local(wire):
            amplitude *= complex(qubits.get(wire, zero)[int(places.value(wire))])
    return amplitude


def scaling(factor: complex) -> Gate:
    """Return a gate that multiplies every amplitude of a rank."""
    return Gate("scaling", "", (), Form.DIAGONAL, np.array([factor], complex))
