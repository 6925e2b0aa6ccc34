"""NVIDIA's cuStateVec, which takes part with the faster of two ways: we fuse the gates, or its updater does.

The docstrings of custatevec_fused.py and custatevec_updater.py say what is timed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gpu.custatevec_fused import FusedCircuit
from gpu.custatevec_library import Library
from gpu.custatevec_updater import LibraryState, QueuedCircuit
from gpu.fusing import fused, unfused
from gpu.goals import PEER

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from basicaer.engine.program import Segment
    from gpu.card import Card

FUSIONS = ((5, 5), (5, 10), (4, 10), (3, 10))  # the most qubits of a matrix, and of a diagonal one
UPDATERS = (None, 4, 5, 6)  # the most qubits of a matrix that an updater makes; None lets it choose


class CuStateVec:
    """The library; its constructor raises ImportError where there is none."""

    name = PEER

    def __init__(self, card: Card, path: Path | None = None) -> None:
        self.library = Library(card, path)

    def entries(
        self, family: str, segment: Segment, n: int, vector: Callable[[], Any]
    ) -> list[FusedCircuit | QueuedCircuit]:
        """Return the circuit in each of our fusions, leaving out those with equal results, and for each updater."""
        del family
        entries: dict[tuple[Any, ...], FusedCircuit] = {}
        for widest, widest_diagonal in FUSIONS:
            matrices, wire_of = fused(segment, n, widest=widest, widest_diagonal=widest_diagonal)
            of_up_to = f"of up to {widest} qubits, diagonal ones of up to {widest_diagonal}"
            setting = f"custatevecApplyMatrix, fused by us into {len(matrices)} matrices {of_up_to}"
            circuit = FusedCircuit(self.library, setting, matrices=matrices, wire_of=wire_of, n=n, vector=vector)
            entries.setdefault(tuple((m.targets, m.controls) for m in matrices), circuit)
        return [*entries.values(), *self._queued(segment, n, vector)]

    def _queued(self, segment: Segment, n: int, vector: Callable[[], Any]) -> list[QueuedCircuit]:
        if not self.library.has_updater:
            return []
        matrices, wire_of = unfused(segment, n)
        state = LibraryState(self.library, n, vector().dtype)
        return [QueuedCircuit(state, matrices=matrices, wire_of=wire_of, widest=widest) for widest in UPDATERS]
