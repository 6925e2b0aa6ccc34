"""Programs of one structure with many sets of numbers: what depends on the structure alone is made once.

The numbers of gates that take parameters are functions of these, which are evaluated for all gates of a kind and for
all sets at once.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from basicaer.engine.device import SegmentBatch
from basicaer.engine.program import Segment, leaves, with_leaves

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from basicaer.compile.gates import GateRecord
    from basicaer.engine.program import Program

    Numbers = dict[int, list[NDArray[np.complex128]]]
    """``numbers[place][group][s, g]``: the numbers of gate g of a group in set s, in the segment at that place."""

__all__ = ["CompiledProgram", "Flow", "compiled", "which_are_real"]


class Flow(NamedTuple):
    """The parameters on which the numbers of a gate depend.

    Attributes
    ----------
    place, gate
        The place of the gate's segment among the leaves of the body, and that of the gate in the segment.
    record
        The gate's record in the table.
    columns
        The columns of its parameters.
    """

    place: int
    gate: int
    record: GateRecord
    columns: tuple[int, ...]


class _Group(NamedTuple):
    """Gates of one kind in one segment, and ``columns[g, j]``, the column of parameter j of gate g."""

    record: GateRecord
    gates: list[int]
    columns: NDArray[np.intp]


class CompiledProgram(NamedTuple):
    """A program, and how others of its structure differ from it.

    Attributes
    ----------
    template
        One of the programs. Gates that have real numbers in it have real ones in all of them.
    groups
        The gates that differ, by the places of their segments.
    """

    template: Program
    groups: dict[int, tuple[_Group, ...]]

    def numbers(self, parameters: NDArray[np.float64]) -> Numbers:
        """Return the numbers of all gates that differ, where ``parameters[s, c]`` is column c in set s.

        Raises
        ------
        BasicAerError
            If parameters are not finite, or too large to add.
        """
        return {
            place: [record.data_for_each(*(parameters[:, own] for own in columns.T)) for record, _, columns in groups]
            for place, groups in self.groups.items()
        }

    def segments(self, numbers: Numbers) -> dict[int, SegmentBatch]:
        """Return the segments that differ, by their places, with their numbers in each set."""
        found = {}
        leaves_of_template = leaves(self.template.body)
        for place, groups in self.groups.items():
            segment = leaves_of_template[place]
            assert isinstance(segment, Segment)  # flows lead to segments only  # noqa: S101
            own = [(group.gates, data) for group, data in zip(groups, numbers[place], strict=True)]
            found[place] = SegmentBatch(segment, own, len(numbers[place][0]))
        return found

    def program(self, numbers: Numbers) -> Program:
        """Return the program of the first set."""
        segments = {place: some[0] for place, some in self.segments(numbers).items()}
        return replace(self.template, body=with_leaves(self.template.body, segments))

    def with_template(self, numbers: Numbers) -> CompiledProgram:
        """Return the same with the program of the first set as the template."""
        segments = {place: Segment(tuple(some[0].gates)) for place, some in self.segments(numbers).items()}
        return CompiledProgram(replace(self.template, body=with_leaves(self.template.body, segments)), self.groups)


def which_are_real(numbers: Numbers) -> bytes:
    """Return for each gate whether its numbers are real in all sets."""
    return b"".join(
        (own.imag == 0).all(axis=(0, *range(2, own.ndim))).tobytes() for groups in numbers.values() for own in groups
    )


def compiled(template: Program, flows: Iterable[Flow]) -> CompiledProgram:
    """Return a program, of which some gates differ, as a compiled one."""
    grouped: dict[int, dict[str, list[Flow]]] = {}
    for flow in flows:
        grouped.setdefault(flow.place, {}).setdefault(flow.record.name, []).append(flow)
    groups = {
        place: tuple(
            _Group(some[0].record, [one.gate for one in some], np.array([one.columns for one in some], np.intp))
            for some in of_place.values()
        )
        for place, of_place in grouped.items()
    }
    return CompiledProgram(template, groups)
