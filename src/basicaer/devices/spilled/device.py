"""The CPU with states in files: those that are larger than memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from basicaer.devices.cpu.device import NumpyDevice
from basicaer.devices.memory import free_host_bytes
from basicaer.devices.spilled.amplitudes import Workshop
from basicaer.devices.spilled.chunks import BUFFERS
from basicaer.devices.spilled.state import SpilledState
from basicaer.devices.spilled.state_file import free_disk_bytes
from basicaer.engine.bits import highest_position
from basicaer.engine.monitor import Monitor

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from basicaer.engine.device import Batch, State
    from basicaer.engine.plan import Costs, Planner
    from basicaer.engine.stages import StagePlanner
    from basicaer.options import Precision

__all__ = ["LAYOUT_NAME", "SpilledDevice"]

LAYOUT_NAME = "disk"
"""What all devices of this kind are called where states are saved."""

_USUAL_CHUNKS = 5  # qubits by which a state is larger than a chunk, if there is memory for such chunks
_SMALLEST_CHUNK = 20  # qubits: 16 MiB in double precision
_SHARE_OF_FREE = 2  # one part in so many of the free memory goes to chunks; the system keeps the file in the others


class SpilledDevice:
    """See `basicaer.engine.device.Device` for what each method promises.

    Parameters
    ----------
    folder
        Where files are made.
    planner, stage_planner
        Make plans of what runs on each chunk, and of the stages in which chunks are read and written.
    device
        The device that works on chunks.
    chunk_qubits
        The qubits of a chunk, at least 2; None chooses by the size of the state and the memory that is free.
    is_saved
        Whether the folder is that of a saved job, which can be resumed from a file there.
    """

    is_host = False  # memory has only chunks of a state
    queue: int | None = None
    axes = 1

    def __init__(
        self,
        folder: Path,
        planner: Planner,
        stage_planner: StagePlanner,
        *,
        device: NumpyDevice | None = None,
        chunk_qubits: int | None = None,
        is_saved: bool = False,
    ) -> None:
        self._is_saved = is_saved
        self.name = f"disk of {folder}"
        self._device = device or NumpyDevice()
        self.threads = self._device.threads
        self.folder = folder
        self._planners = planner, stage_planner
        self._chunk_qubits = chunk_qubits
        self._workshops: dict[tuple[int, Precision, int], Workshop] = {}

    def chunk_bytes(self, n_qubits: int, precision: Precision) -> int:
        """Return how many bytes of memory are used for chunks."""
        chunks: int = BUFFERS * precision.amplitude_bytes * 2 ** self.chunk_qubits(n_qubits, precision)
        return chunks

    def chunk_qubits(self, n_qubits: int, precision: Precision) -> int:
        """Return how many qubits a chunk has."""
        if self._chunk_qubits:
            return min(self._chunk_qubits, n_qubits)
        room = free_host_bytes() // _SHARE_OF_FREE // BUFFERS // precision.amplitude_bytes
        fits: int = max(highest_position(max(room, 1)), _SMALLEST_CHUNK)
        return min(fits, max(n_qubits - _USUAL_CHUNKS, _SMALLEST_CHUNK), n_qubits)

    def costs_of_chunks(self, n_qubits: int, precision: Precision) -> Costs | None:
        """Return the costs by which the gates of a stage are planned on a chunk."""
        return self._device.costs(self.chunk_qubits(n_qubits, precision), precision)

    def layout_name(self, precision: Precision) -> str:
        del precision
        return LAYOUT_NAME  # wherever the folder is

    def new_state(self, n_qubits: int, precision: Precision, monitor: Monitor | None = None) -> State:
        monitor = monitor or Monitor()
        key = n_qubits, precision, id(monitor)
        if key not in self._workshops:
            chunk_qubits = self.chunk_qubits(n_qubits, precision)
            how = self._device, *self._planners, precision, monitor
            self._workshops = {key: Workshop(self.folder, chunk_qubits, *how, is_saved=self._is_saved)}
        return SpilledState.zero(self._workshops[key], n_qubits)

    def note_saved(self) -> None:
        """Note that the state whose layout was taken last can be restored from now on, and none before it need be."""
        for workshop in self._workshops.values():
            workshop.note_saved()

    def new_batch(self, n_qubits: int, precision: Precision, count: int, monitor: Monitor | None = None) -> Batch:
        raise NotImplementedError  # `most_states` says that it has no batches

    def batch_of(self, states: Sequence[State], precision: Precision, monitor: Monitor) -> Batch:
        raise NotImplementedError  # as above

    def most_states(self, n_qubits: int, precision: Precision) -> int:
        del n_qubits, precision
        return 0

    def costs(self, n_qubits: int, precision: Precision) -> Costs | None:
        del n_qubits, precision
        return None  # each segment is planned stage by stage when it runs

    def undoing_costs(self, n_qubits: int, precision: Precision) -> Costs | None:
        del n_qubits, precision
        return None  # nothing is undone

    def most_undone(self, n_qubits: int, precision: Precision) -> int:
        del n_qubits, precision
        return 0

    def runs_by_plan(self, n_gates: int, n_qubits: int, precision: Precision, *, any_untouched: bool) -> bool:
        del n_gates, n_qubits, precision, any_untouched
        return False

    def gate_seconds(self, n_qubits: int, precision: Precision) -> float:
        return self._device.gate_seconds(n_qubits, precision)

    def free_bytes(self) -> int:
        files = 2 if self._is_saved else 1  # two of them take turns
        return free_disk_bytes(self.folder) // files

    def expected_free_bytes(self) -> int:
        return self.free_bytes()

    def scratch_bytes(self, precision: Precision) -> int:
        del precision
        return 0  # chunks are in memory, and fit
