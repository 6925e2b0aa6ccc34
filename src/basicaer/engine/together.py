"""Programs that differ in numbers only, run together as a batch of states.

What a small circuit costs is hardly arithmetic, so the gates of many are applied by the same few array operations. Each
program then draws its outcomes from a generator of its own, as it does by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from basicaer.engine.batch import SegmentBatch
from basicaer.engine.bits import with_bits
from basicaer.engine.classical import Constant
from basicaer.engine.execute import Outcome, lost
from basicaer.engine.program import Form, Phase, Segment, Store
from basicaer.engine.sampling import generator, sample_values, value_counts
from basicaer.errors import LostNormError

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence

    from basicaer.engine.batch import Batch
    from basicaer.engine.checkpoint import Checkpoint
    from basicaer.engine.device import Device, State
    from basicaer.engine.plan import Planner
    from basicaer.engine.program import Program
    from basicaer.options import Precision

__all__ = ["evolve", "evolved", "sampled", "structure"]


def structure(program: Program) -> Hashable | None:
    """Return what programs have in common that can run together; None for one that has to run by itself.

    Such a program has gates and then measurements only, and nothing but outcomes is wanted of it: phases do not show.
    """
    shape = []
    for operation in program.body:
        match operation:
            case Segment(gates, False):
                shape.append(
                    tuple(
                        [
                            (kinds, targets, form, controls, state, data.tobytes() if form is Form.PERMUTATION else b"")
                            for _, kinds, targets, form, data, controls, state, _ in gates
                        ]
                    )
                )
            case Phase() | Store(Constant(), slot=None):
                pass
            case _:
                return None
    return (program.state_qubits, tuple(shape)) if shape else None


def evolved(
    programs: Sequence[Program], device: Device, planner: Planner, *, precision: Precision, checkpoint: Checkpoint
) -> Batch:
    """Return the final states of programs of one structure."""
    segments = [
        _side_by_side(of_each)
        for of_each in zip(
            *([one for one in program.body if isinstance(one, Segment)] for program in programs), strict=True
        )
    ]
    return evolve(segments, len(programs), programs[0].state_qubits, device, planner, precision, checkpoint)


def evolve(  # noqa: PLR0917  # what, and where
    segments: Iterable[SegmentBatch],
    count: int,
    n_qubits: int,
    device: Device,
    planner: Planner,
    precision: Precision,
    checkpoint: Checkpoint,
) -> Batch:
    """Return `count` states that have gone through segments, one batch of these after another."""
    batch = device.new_batch(n_qubits, precision, count, checkpoint)
    costs = device.costs(n_qubits, precision)
    for one in segments:
        plan = None if costs is None else planner(one.template, n_qubits, costs, poll=checkpoint.poll)
        batch.run(one, plan)
    return batch


def _side_by_side(segments: Sequence[Segment]) -> SegmentBatch:
    """Return segments of one structure as a batch of them."""
    template = segments[0]
    data = {}
    for number, gates in enumerate(zip(*(segment.gates for segment in segments), strict=True)):
        first = gates[0]
        if first.form is not Form.PERMUTATION and any(gate is not first for gate in gates):
            numbers = np.array([gate.data for gate in gates])
            if (numbers != first.data).any():
                data[number] = numbers
    return SegmentBatch(template, data, len(segments))


def sampled(
    program: Program, state: State, *, shots: int, seed: int, keep_order: bool, checkpoint: Checkpoint
) -> Outcome:
    """Return what comes of a program's last measurements of its final state.

    Raises
    ------
    BasicAerError
        If the state has lost its norm.
    """
    bits = 0
    for operation in program.body:
        if isinstance(operation, Store):
            assert isinstance(operation.expression, Constant)  # it has a structure  # noqa: S101
            bits = with_bits(bits, operation.bits, int(operation.expression.value))
    draws = generator(seed).random(shots)
    which = None
    try:
        if keep_order:
            values, which, _ = sample_values(state, draws, program.final, bits)
            counts = np.bincount(which).tolist()
        else:
            values, counts = value_counts(state, draws, program.final, bits)
    except LostNormError as error:
        raise lost(program, error) from error
    checkpoint.finish_shots(shots)
    return Outcome(values, counts, which, None)
