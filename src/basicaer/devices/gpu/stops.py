"""Where a way back through gates stops for sums: as few times as the wires of the gates allow."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from basicaer.devices.gpu.structs import MOST_TRANSITION_WIRES
from basicaer.engine.program import Form

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from basicaer.engine.program import Gate

__all__ = ["Run", "Stop", "stops"]

_MOST_SIGNED = 6  # qubits of a diagonal gate whose sums are made of sums with signs, 2**qubits of them at most


class Run(NamedTuple):
    """Gates, ascending, whose sums follow from one transition matrix.

    Attributes
    ----------
    gates
        Their numbers.
    qubits
        The qubits of the matrix.
    controls
        Those of a gate by itself that has too many for a matrix; it is taken where they are on.
    """

    gates: list[int]
    qubits: set[int]
    controls: tuple[int, ...] = ()


class Stop(NamedTuple):
    """A place on the way back.

    Attributes
    ----------
    undone
        The gates, ascending, that are undone after the stop before this one.
    runs
        Gates whose sums are taken here from transition matrices.
    diagonals
        Gates whose sums are taken here from sums with signs.
    """

    undone: list[int]
    runs: list[Run]
    diagonals: list[int]


@dataclass(slots=True)
class _Layer:
    """The gates whose sums are taken at one stop.

    Attributes
    ----------
    blocked
        Qubits of later gates that are not undone here, or on which no further gate is taken.
    signed
        Qubits of the diagonals.
    """

    runs: list[Run] = field(default_factory=list)
    diagonals: list[int] = field(default_factory=list)
    blocked: set[int] = field(default_factory=set)
    signed: set[int] = field(default_factory=set)

    def takes(self, number: int, gate: Gate, *, is_wanted: bool) -> bool:
        """Take a gate that comes before those that were taken, or leave it and block its qubits."""
        qubits = {*gate.targets, *gate.controls}
        touched = [run for run in self.runs if not qubits.isdisjoint(run.qubits)]
        if not qubits.isdisjoint(self.blocked):
            self.blocked |= qubits
            return False
        if is_wanted and not touched and gate.form is Form.DIAGONAL and 1 < len(qubits) <= _MOST_SIGNED:
            self.diagonals.append(number)
            self.signed |= qubits
            return True
        together = qubits.union(*(run.qubits for run in touched))
        if qubits.isdisjoint(self.signed) and len(together) <= MOST_TRANSITION_WIRES:
            gates = sorted([number, *(one for run in touched for one in run.gates)])
            self.runs = [run for run in self.runs if run not in touched] + [Run(gates, together)]
            return True
        self.blocked |= qubits
        if is_wanted and not touched and qubits.isdisjoint(self.signed):  # too wide for a matrix with its controls
            self.runs.append(Run([number], set(gate.targets), gate.controls))
            return True
        return False


def stops(gates: Sequence[Gate], wanted: Collection[int], n_qubits: int) -> Iterator[Stop]:
    """Yield where the way back through gates stops, and last what is undone after all sums.

    Parameters
    ----------
    wanted
        The gates whose sums are wanted.
    n_qubits
        As soon as all of so many qubits are blocked, no earlier gate is looked at.
    """
    left = list(range(len(gates)))
    taken: list[int] = []  # at the stop before; they are undone after it
    while True:
        left, free = _without_free(left, gates, wanted, n_qubits)
        undone = sorted([*taken, *free])
        layer = _Layer()
        kept: list[int] = []
        while left and len(layer.blocked) < n_qubits:
            number = left.pop()
            if not layer.takes(number, gates[number], is_wanted=number in wanted):
                kept.append(number)
        taken = [*layer.diagonals, *(number for run in layer.runs for number in run.gates)]
        runs = [run for run in layer.runs if any(gate in wanted for gate in run.gates)]
        yield Stop(undone, list(_packed(runs)), layer.diagonals)
        if not taken:
            return
        left += reversed(kept)


def _packed(runs: Sequence[Run]) -> Iterator[Run]:
    """Yield runs such that those that fit into one matrix together are one; the widest find their place first."""
    packed: list[Run] = []
    for run in sorted(runs, key=lambda one: (-len(one.qubits), one.gates)):
        if run.controls:
            yield run
            continue
        for place, one in enumerate(packed):
            if len(one.qubits) + len(run.qubits) <= MOST_TRANSITION_WIRES:
                packed[place] = Run(sorted([*one.gates, *run.gates]), one.qubits | run.qubits)
                break
        else:
            packed.append(run)
    yield from packed


def _without_free(
    left: list[int], gates: Sequence[Gate], wanted: Collection[int], n_qubits: int
) -> tuple[list[int], list[int]]:
    """Part gates into those that are left and those that no wanted gate comes after, which are undone at once."""
    kept, free = [], []
    blocked: set[int] = set()
    while left and len(blocked) < n_qubits:
        number = left.pop()
        qubits = {*gates[number].targets, *gates[number].controls}
        if number in wanted or not qubits.isdisjoint(blocked):
            blocked |= qubits
            kept.append(number)
        else:
            free.append(number)
    return [*left, *reversed(kept)], free
