"""Matrices on two wires that a warp multiplies on tensor cores: their wires are in lanes, not in registers.

A stage ends with such a matrix. It takes half of the time of one on registers and leaves room there for other gates, so
that there are fewer stages.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from basicaer.devices.gpu.operations import Table
from basicaer.devices.gpu.rewriting import paired_by
from basicaer.engine.program import Form

if TYPE_CHECKING:
    from collections.abc import Sequence

    from basicaer.devices.gpu.recording import Stage
    from basicaer.devices.numbers import GateNumbers

__all__ = ["acts_on", "with_lanes"]

_MOST_LOOKED_AT = 4  # stages from which gates may move to an earlier one


def acts_on(gate: GateNumbers | Table) -> tuple[int, ...]:
    """Return all wires that a gate changes or depends on."""
    return gate.wires if isinstance(gate, Table) else (*gate.targets, *gate.controls)


def with_lanes(stages: Sequence[Stage], register_bits: int) -> list[Stage]:
    """Return stages that do the same, each with a matrix in lanes if one can be there.

    Matrices move to earlier stages that have room for them; stages of which nothing is left are left out.
    """
    left = list(stages)
    found: list[Stage] = []
    if not any(len(_changed(gate)) == 2 for stage in stages for gate in stage.gates):
        return left
    while left:
        stage = left.pop(0)
        found.append(stage)
        _move_to_lanes(stage)
        _fill(stage, left[:_MOST_LOOKED_AT], register_bits)
        left = [later for later in left if later.gates or later.before is not None]
    return found


def _changed(gate: GateNumbers | Table) -> tuple[int, ...]:
    """Return the wires on which a gate does not act diagonally."""
    return () if isinstance(gate, Table) else paired_by(gate)


def _is_matrix_on(wires: set[int], gate: GateNumbers | Table) -> bool:
    """Tell whether a gate is a matrix, without controls, on some of the wires."""
    if isinstance(gate, Table) or gate.controls:
        return False
    return gate.form is Form.MATRIX and wires.issuperset(gate.targets)


def _pair_of(gate: GateNumbers | Table) -> set[int]:
    """Return the wires of a matrix on two wires without controls; none for any other gate."""
    wires = set(acts_on(gate))
    return wires if len(wires) == len(_changed(gate)) == 2 and _is_matrix_on(wires, gate) else set()


def _keep(stage: Stage, gates: list[GateNumbers | Table]) -> None:
    """Leave a stage only some of its gates in registers, with no more wires than these need."""
    stage.gates = gates
    stage.needed = list(dict.fromkeys(wire for gate in gates for wire in _changed(gate)))


def _move_to_lanes(stage: Stage) -> None:
    """Let a stage end with the last of its matrices on two wires that no other gate needs in registers."""
    for wires in filter(None, map(_pair_of, reversed(stage.gates))):
        moved: list[GateNumbers] = []
        kept: list[GateNumbers | Table] = []
        for gate in stage.gates:
            if not isinstance(gate, Table) and _is_matrix_on(wires, gate):
                moved.append(gate)
            elif wires.isdisjoint(acts_on(gate) if moved else _changed(gate)):
                kept.append(gate)
            else:
                break
        else:
            stage.lanes, stage.lane_gates = tuple(sorted(wires)), moved
            _keep(stage, kept)
            return


def _fill(stage: Stage, following: Sequence[Stage], register_bits: int) -> None:
    """Move matrices on two wires to a stage that has room from following ones, past gates that commute with them."""
    touched = set[int]()  # those of gates that stay
    for later in following:
        if later.before is not None:
            return
        kept: list[GateNumbers | Table] = []
        for gate in later.gates:
            if not touched.isdisjoint(acts_on(gate)) or not _takes(stage, gate, register_bits):
                kept.append(gate)
                touched.update(acts_on(gate))
        if len(kept) < len(later.gates):
            _keep(later, kept)


def _takes(stage: Stage, gate: GateNumbers | Table, register_bits: int) -> bool:
    """Add a matrix on two wires to a stage, at its end, if it has room; tell whether it has."""
    wires = _pair_of(gate)
    if not wires or isinstance(gate, Table):
        return False
    if wires == set(stage.lanes):
        stage.lane_gates.append(gate)
    elif not stage.lanes and wires.isdisjoint(stage.needed):
        stage.lanes, stage.lane_gates = gate.targets, [gate]
    elif wires.isdisjoint(stage.lanes) and len(wires.union(stage.needed)) <= register_bits:
        _keep(stage, [*stage.gates, gate])
    else:
        return False
    return True
