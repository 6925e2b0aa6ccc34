"""The device of a rank, which has a part of each state."""

from __future__ import annotations

from typing import TYPE_CHECKING

from basicaer.devices.distributed.amplitudes import MOST_AT_ONCE, Rank
from basicaer.devices.distributed.state import DistributedState
from basicaer.engine.bits import highest_position
from basicaer.engine.monitor import Monitor
from basicaer.options import Precision

if TYPE_CHECKING:
    from collections.abc import Sequence

    from basicaer.devices.distributed.comm import Comm
    from basicaer.engine.device import Batch, Device, State
    from basicaer.engine.plan import Costs, Planner
    from basicaer.engine.stages import StagePlanner

__all__ = ["IN_PARTS", "DistributedDevice", "divides"]

IN_PARTS = "ranks that share a state"
"""How saved jobs call the device of a divided state: any number of ranks can go on with such a state."""

_LARGEST_BUFFERS = 2 * Precision.DOUBLE.amplitude_bytes * MOST_AT_ONCE
_SMALLEST_DIVIDED = 20  # qubits; a rank finishes a smaller state by itself before ranks have exchanged anything


def divides(n_qubits: int, ranks: int) -> bool:
    """Tell whether ranks divide a state of so many qubits; otherwise each has all of it."""
    return n_qubits >= max(_SMALLEST_DIVIDED, highest_position(ranks) + 1)


class DistributedDevice:
    """See `basicaer.engine.device.Device` for what each method promises. All ranks make one together.

    Parameters
    ----------
    device
        The device of this rank.
    planner, stage_planner
        Make plans of what each rank does by itself, and of the stages between which ranks exchange amplitudes.
    """

    is_host = False  # no host has all of a state
    queue: int | None = None
    axes = 1

    def __init__(self, device: Device, comm: Comm, planner: Planner, stage_planner: StagePlanner) -> None:
        self.name = device.name
        self.threads = device.threads
        self._device = device
        self._comm = comm
        self._planners = planner, stage_planner
        self._rank_qubits = highest_position(comm.size)

    def layout_name(self, precision: Precision) -> str:
        del precision
        return IN_PARTS

    def new_state(self, n_qubits: int, precision: Precision, monitor: Monitor | None = None) -> State:
        monitor = monitor or Monitor()
        local = self._device.new_state(n_qubits - self._rank_qubits, precision, monitor)
        rank = Rank(self._comm, self._device, *self._planners, precision, monitor)
        return DistributedState(local, rank, n_qubits)

    def new_batch(self, n_qubits: int, precision: Precision, count: int, monitor: Monitor | None = None) -> Batch:
        raise NotImplementedError  # `most_states` says that it has no batches

    def batch_of(self, states: Sequence[State], precision: Precision, monitor: Monitor) -> Batch:
        raise NotImplementedError  # it has no batches

    def most_states(self, n_qubits: int, precision: Precision) -> int:
        del n_qubits, precision
        return 0

    def costs(self, n_qubits: int, precision: Precision) -> Costs | None:
        del n_qubits, precision
        return None  # a segment is planned stage by stage, when it is known which qubits are local

    def undoing_costs(self, n_qubits: int, precision: Precision) -> Costs | None:
        del n_qubits, precision
        return None

    def most_undone(self, n_qubits: int, precision: Precision) -> int:
        del n_qubits, precision
        return 0

    def runs_by_plan(self, n_gates: int, n_qubits: int, precision: Precision, *, any_untouched: bool) -> bool:
        del n_gates, n_qubits, precision, any_untouched
        return False

    def gate_seconds(self, n_qubits: int, precision: Precision) -> float:
        return self._device.gate_seconds(n_qubits - self._rank_qubits, precision)

    def free_bytes(self) -> int:
        return self._of_all(self._device.free_bytes())

    def expected_free_bytes(self) -> int:
        return self._of_all(self._device.expected_free_bytes())

    def _of_all(self, free: int) -> int:
        """Return how many bytes a state may take in all, of which each rank has the same part."""
        own = free // self._comm.host.ranks if self._device.is_host else free
        own = max(own - _LARGEST_BUFFERS, 8 * own // 9)  # those for exchanges take an eighth of a smaller state
        least: int = min(self._comm.gather(own, "free memory"))
        return least * self._comm.size

    def scratch_bytes(self, precision: Precision) -> int:
        return self._device.scratch_bytes(precision) * self._comm.size
