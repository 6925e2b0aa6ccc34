"""States that are larger than a device's memory: in files for the CPU, in the host's memory for a GPU."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from basicaer.devices.cpu.device import NumpyDevice
from basicaer.devices.memory import free_host_bytes
from basicaer.devices.spilled.amplitudes import Workshop
from basicaer.devices.spilled.chunks import BUFFERS
from basicaer.devices.spilled.on_cpu import ChunksInMemory
from basicaer.devices.spilled.state import SpilledState
from basicaer.devices.spilled.state_file import StateFile, disk_of, free_disk_bytes
from basicaer.engine.bits import highest_position
from basicaer.engine.monitor import Monitor

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from basicaer.devices.gpu.card import Card
    from basicaer.devices.gpu.device import CupyDevice
    from basicaer.devices.spilled.chunks import ChunkDevice, Store
    from basicaer.engine.device import Batch, State
    from basicaer.engine.plan import Costs, Planner
    from basicaer.engine.stages import StagePlanner
    from basicaer.options import Precision

__all__ = ["LAYOUT_NAME", "SpilledDevice"]

LAYOUT_NAME = "disk"
"""What all devices of this kind are called where states are saved."""

_USUAL_CHUNKS = 5  # qubits by which a state is larger than a chunk, if there is memory for such chunks
_SMALLEST_CHUNK = 20  # qubits: 16 MiB in double precision
_SHARE_OF_FREE = 2  # one part in so many of the free memory has chunks of a file, which the system keeps in the others


class SpilledDevice:
    """See `basicaer.engine.device.Device` for what each method promises.

    Parameters
    ----------
    folder
        Where files are made; None if states are in the host's memory, and `device` is a GPU.
    planner, stage_planner
        Make plans of what runs on each chunk, and of the stages in which chunks are read and written.
    device
        The device that works on chunks; by default the CPU.
    chunk_qubits
        The qubits of a chunk, at least 2; None chooses by the size of the state and the device's free memory.
    is_saved
        Whether the folder is that of a saved job, which can be resumed from a file there.
    """

    is_host = False  # the device has only chunks of a state
    axes = 1

    def __init__(
        self,
        folder: Path | None,
        planner: Planner,
        stage_planner: StagePlanner,
        *,
        device: NumpyDevice | CupyDevice | None = None,
        chunk_qubits: int | None = None,
        is_saved: bool = False,
    ) -> None:
        self._is_saved = is_saved
        self._device = device or NumpyDevice()
        self._chunks = _chunks_on(self._device)
        self.name = f"{self._device.name} and host memory" if folder is None else f"disk of {folder}"
        self.queue = self._device.queue
        self.threads = self._device.threads
        self.folder = folder
        self._new_store = _stores_in(folder, self._device, named=is_saved)
        self._planners = planner, stage_planner
        self._chunk_qubits = chunk_qubits
        self._workshops: dict[tuple[int, Precision, int], Workshop] = {}

    def chunk_bytes(self, n_qubits: int, precision: Precision) -> int:
        """Return how many bytes of the device's memory are used for chunks."""
        chunks: int = BUFFERS * precision.amplitude_bytes * 2 ** self.chunk_qubits(n_qubits, precision)
        return chunks

    def chunk_qubits(self, n_qubits: int, precision: Precision) -> int:
        """Return how many qubits a chunk has."""
        if self._chunk_qubits:
            return min(self._chunk_qubits, n_qubits)
        if self.folder is None:
            free = self._device.expected_free_bytes() - self._device.scratch_bytes(precision)
        else:
            free = free_host_bytes() // _SHARE_OF_FREE
        fits: int = max(highest_position(max(free // BUFFERS // precision.amplitude_bytes, 1)), _SMALLEST_CHUNK)
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
            how = self._chunks, *self._planners, precision, monitor
            self._workshops = {key: Workshop(self._new_store, chunk_qubits, *how, is_saved=self._is_saved)}
        return SpilledState.zero(self._workshops[key], n_qubits)

    @property
    def store_name(self) -> str:
        """What tells apart the places where states are, by how fast amplitudes are read from them and written there."""
        if self.folder is not None:
            return f"disk {disk_of(self.folder)}"
        return f"host memory beside {_card_of(self._device).name}"

    @property
    def moves_both_ways(self) -> bool:
        """Whether amplitudes are read and written at once in the time of one of both, as a bus allows and no disk."""
        return self.folder is None

    def seconds_to_move(self, amplitudes: int) -> tuple[float, float]:
        """Measure how long it takes to read so many amplitudes from where states are, and to write them there.

        Raises
        ------
        BasicAerError
            If there is no room for so many.
        """
        poll = Monitor().poll
        dtype: np.dtype[np.complexfloating] = np.dtype(np.complex128)
        store = self._new_store(amplitudes, dtype, poll)
        try:
            (chunk,) = self._chunks.buffers(1, amplitudes, dtype)
            store.write(0, np.ones(amplitudes, dtype), poll)  # since most stages replace what was written before
            store.write_through()
            times = [time.perf_counter()]
            for move in (store.read, store.write):
                move(0, chunk, poll)
                store.settle()
                store.write_through()
                times.append(time.perf_counter())
        finally:
            store.close()
        return times[1] - times[0], times[2] - times[1]

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
        if self.folder is None:
            return free_host_bytes()
        files = 2 if self._is_saved else 1  # two of them take turns
        return free_disk_bytes(self.folder) // files

    def expected_free_bytes(self) -> int:
        return self.free_bytes()

    def scratch_bytes(self, precision: Precision) -> int:
        del precision
        return 0  # chunks are on the device, and fit


def _stores_in(
    folder: Path | None, device: NumpyDevice | CupyDevice, *, named: bool
) -> Callable[[int, np.dtype[np.complexfloating], Callable[[], None]], Store]:
    """Return what makes stores: no method, since workshops have it, and files would stay until garbage is collected."""
    if folder is not None:
        return partial(StateFile, folder, named=named)
    from basicaer.devices.spilled.on_card import HostStore

    return partial(HostStore, _card_of(device))


def _card_of(device: NumpyDevice | CupyDevice) -> Card:
    assert not isinstance(device, NumpyDevice)  # The CPU has its states in files.  # noqa: S101
    return device.card


def _chunks_on(device: NumpyDevice | CupyDevice) -> ChunkDevice:
    if isinstance(device, NumpyDevice):
        return ChunksInMemory(device)
    from basicaer.devices.spilled.on_card import ChunksOnCard

    return ChunksOnCard(device)
