"""Many small states that go through gates of the same structure, each with numbers of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, overload

from basicaer.engine.program import Segment

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from basicaer.engine.device import State
    from basicaer.engine.plan import Plan

__all__ = ["Batch", "SegmentBatch"]


class SegmentBatch(Sequence[Segment]):
    """Segments of one structure: a sequence of them, and their numbers gate by gate.

    Parameters
    ----------
    template
        One of them.
    data
        ``data[g][i]`` is the data of gate g in segment i; a gate that is not named has the template's in all.
    size
        How many there are.
    """

    def __init__(self, template: Segment, data: dict[int, NDArray[np.complex128]], size: int) -> None:
        self.template = template
        self.data = data
        self._size = size

    def __len__(self) -> int:
        return self._size

    @overload
    def __getitem__(self, index: int) -> Segment: ...
    @overload
    def __getitem__(self, index: slice) -> SegmentBatch: ...
    def __getitem__(self, index: int | slice) -> Segment | SegmentBatch:
        if isinstance(index, slice):
            data = {number: values[index] for number, values in self.data.items()}
            return SegmentBatch(self.template, data, len(range(self._size)[index]))
        index = range(self._size)[index]
        gates = list(self.template.gates)
        for number, values in self.data.items():
            gates[number] = gates[number]._replace(data=values[index])
        return Segment(tuple(gates))


class Batch(Protocol):
    """States of `n_qubits` qubits side by side, as a device's ``new_batch`` makes them. Not for sharing among threads.

    Like a `State`, it polls the checkpoint that it was made with as it goes.
    """

    n_qubits: int

    def __len__(self) -> int:
        """Return how many states there are."""

    def run(self, segments: SegmentBatch, plan: Plan | None) -> None:
        """Apply to the i-th state the gates of ``segments[i]``, as the plan of their structure says."""

    def block_weights(self, block_qubits: int) -> NDArray[np.float64]:
        """Return ``w[i, b]``: for state i what `State.block_weights` returns."""

    def expectations(self, x: int, zs: Sequence[int]) -> NDArray[np.float64]:
        """Return ``values[i, j]``: for state i what `State.expectations` returns for ``zs[j]``."""

    def state(self, number: int) -> State:
        """Return one of the states, to be read as long as the batch is not changed."""
