"""What ranks that share a state exchange, as a plan shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from basicaer.engine.bits import highest_position
from basicaer.engine.program import Segment, SetState, walk
from basicaer.errors import OptionValueError
from basicaer.plan.stages import plan_stages
from basicaer.plan_view.model import Division
from basicaer.wording import counted

if TYPE_CHECKING:
    from basicaer.engine.program import Program
    from basicaer.options import Precision

__all__ = ["division_of"]


def division_of(program: Program, n_qubits: int, precision: Precision, ranks: int, *, starts_at_zero: bool) -> Division:
    """Return how a state is divided, with the exchanges of all segments, each counted once.

    Raises
    ------
    OptionValueError
        If there are more ranks than amplitudes of the state.
    """
    rank_qubits = highest_position(ranks)
    if n_qubits <= rank_qubits:
        raise OptionValueError(f"A state of {counted(n_qubits, 'qubit')} cannot be divided among {ranks} ranks.")
    top = tuple(range(n_qubits - rank_qubits, n_qubits))
    held = None if starts_at_zero else top
    exchanges = []
    for operation in walk(program.body):
        if isinstance(operation, SetState):
            held = top
        if isinstance(operation, Segment):
            stages = plan_stages(operation, n_qubits, rank_qubits, held)
            held = stages.ranks_after
            exchanges += [stage.exchange.sent for stage in stages.stages if stage.exchange.into]
    return Division(ranks, precision.amplitude_bytes * 2 ** (n_qubits - rank_qubits), tuple(exchanges))
