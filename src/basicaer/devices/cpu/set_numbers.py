"""The numbers of a plan's gates, for one or many sets at once: arrays whose first axis is the set.

What is the same in all sets has a first axis of size 1, which NumPy broadcasts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from basicaer.devices.numbers import numbers_of
from basicaer.engine.plan import Part
from basicaer.engine.program import Form

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from basicaer.devices.numbers import GateNumbers
    from basicaer.engine.device import SegmentBatch
    from basicaer.engine.plan import Plan

__all__ = ["Chains", "SetNumbers", "of_sets"]


def of_sets(array: NDArray[Any], axis: int, sets: slice) -> NDArray[Any]:
    """Return the part of an array for some sets, which have this axis; all of it where all sets have the same."""
    return array if array.shape[axis] == 1 else array[(slice(None),) * axis + (sets,)]


class SetNumbers:
    """The numbers of the gates of a plan.

    Parameters
    ----------
    gates
        Those gates of the plan that are asked for, in one of the sets.
    plan, segments
        What says which numbers differ between the sets; None if there is one set only.

    Attributes
    ----------
    size
        The number of sets.
    """

    def __init__(
        self, gates: Mapping[int, GateNumbers], plan: Plan | None = None, segments: SegmentBatch | None = None
    ) -> None:
        self._gates = gates
        self._plan = plan
        self._segments = segments
        self._varying = {} if segments is None else segments.data
        self.size = 1 if segments is None else len(segments)

    def varies(self, gate: int) -> bool:
        """Tell whether a gate of the plan has different numbers in different sets."""
        return self._plan is not None and self._plan.origins[gate] in self._varying

    def of(self, gate: int) -> NDArray[Any]:
        """Return ``data[s]``, the numbers of a gate of the plan in set s."""
        if self._plan is None or self._segments is None or not self.varies(gate):
            data: NDArray[Any] = self._gates[gate].data
            return data[None]
        origin, planned = self._plan.origins[gate], self._plan.gates[gate]
        if planned.part is Part.WHOLE:
            return self._varying[origin]
        template = self._segments.template.gates[origin]
        rows = [numbers_of(planned, template._replace(data=data)).data for data in self._varying[origin]]
        return np.array(rows)


class Chains:
    """Gates that follow one another on one wire, multiplied for all such chains at once."""

    def __init__(self) -> None:
        self._gates: list[int] = []
        self._data: list[NDArray[Any]] = []  # of each gate, in the set that the recipe was made with
        self._places: dict[Form, list[int]] = {form: [] for form in Form}  # in these lists, by the form of the gates
        self._members: list[list[int]] = []  # for each chain its gates, by their places in these lists
        self._matrices: NDArray[np.complexfloating] | None = None

    def add(self, gates: Sequence[tuple[int, GateNumbers]]) -> int:
        """Add a chain, whose first gate acts first; return its number."""
        self._members.append(list(range(len(self._gates), len(self._gates) + len(gates))))
        for number, (form, data, *_) in gates:
            self._places[form].append(len(self._gates))
            self._gates.append(number)
            self._data.append(data)
        return len(self._members) - 1

    def matrices(self, numbers: SetNumbers) -> NDArray[np.complexfloating]:
        """Return ``matrices[s, c]``, the 2x2 matrix of chain c in set s."""
        if not self._members:
            return np.empty((1, 0, 2, 2), complex)
        if self._matrices is None:
            self._matrices = self._of_template()
        single = self._matrices
        if any(map(numbers.varies, self._gates)):
            single = np.repeat(single, numbers.size, axis=0)
            for form in (Form.MATRIX, Form.DIAGONAL):
                places = [place for place in self._places[form] if numbers.varies(self._gates[place])]
                if places:
                    data = np.stack([numbers.of(self._gates[place]) for place in places], axis=1)
                    single[:, places] = data if form is Form.MATRIX else _on_diagonals(data)
        found: NDArray[np.complexfloating] = single[:, [members[0] for members in self._members]]
        for depth in range(1, max(map(len, self._members))):
            chains = [chain for chain, members in enumerate(self._members) if len(members) > depth]
            later, before = single[:, [self._members[chain][depth] for chain in chains]], found[:, chains]
            found[:, chains] = later[..., :1] * before[..., :1, :] + later[..., 1:] * before[..., 1:, :]
        return found

    def _of_template(self) -> NDArray[np.complexfloating]:
        """Return ``matrices[0, place]``, the matrix of each gate in the set that the recipe was made with."""
        matrices = np.zeros((1, len(self._gates), 2, 2), complex)
        for form, places in self._places.items():
            if not places:
                continue
            data = np.array([self._data[place] for place in places])
            if form is Form.PERMUTATION:
                data = np.eye(2)[data]  # either permutation is its own inverse
            matrices[0, places] = _on_diagonals(data) if form is Form.DIAGONAL else data
        return matrices


def _on_diagonals(data: NDArray[Any]) -> NDArray[Any]:
    """Return diagonals, which are along the last axis, as matrices."""
    matrices = np.zeros((*data.shape, 2), complex)
    matrices[..., [0, 1], [0, 1]] = data
    return matrices
