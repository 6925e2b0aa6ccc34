"""The gates of a stage for each chunk that it changes: those of a rank whose number is that of the chunk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from basicaer.devices.distributed.rank_gates import gates_of_rank, matrix_of
from basicaer.engine.device import segment_batch
from basicaer.engine.program import Form, Segment

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from basicaer.devices.distributed.rank_gates import Places
    from basicaer.engine.device import SegmentBatch
    from basicaer.engine.program import Gate
    from basicaer.engine.stages import Stage, Stages

__all__ = ["segments_of_chunks"]


def segments_of_chunks(  # noqa: PLR0917  # a stage, what it is a part of, and the chunks
    stage: Stage,
    stages: Stages,
    segment: Segment,
    places: Sequence[Places],
    first: Sequence[Gate | None],
    poll: Callable[[], None],
) -> SegmentBatch:
    """Return what acts on each of some chunks, all with the same structure, so that it is planned and fused once.

    Parameters
    ----------
    places
        Where wires are for each chunk.
    first
        A gate that acts on each chunk before all others, or None.
    """
    of_chunks: list[list[Gate]] = [[] if gate is None else [gate] for gate in first]
    for number in stage.gates:
        alone, planned = stage._replace(gates=(number,)), stages.gates[number]
        if all(places[0].is_local(wire) for wire in (*planned.targets, *planned.controls)):
            same = gates_of_rank(alone, stages, segment, places[0], poll)
            for gates in of_chunks:
                gates.extend(same)
        else:
            differing = [gates_of_rank(alone, stages, segment, of_chunk, poll)[0] for of_chunk in places]
            for gates, gate in zip(of_chunks, _with_numbers(differing), strict=True):
                gates.append(gate)
    return segment_batch([Segment(tuple(gates)) for gates in of_chunks])


def _with_numbers(gates: Sequence[Gate]) -> Sequence[Gate]:
    """Return the same gate of all chunks; as matrices if it permutes differently, which segments alike must not."""
    if gates[0].form is Form.PERMUTATION and any((gate.data != gates[0].data).any() for gate in gates):
        return [gate._replace(form=Form.MATRIX, data=matrix_of(gate.form, gate.data)) for gate in gates]
    return gates
