"""Chunks in memory, which the CPU works on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from basicaer.devices.cpu.state import NumpyState, allocation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from basicaer.devices.cpu.device import NumpyDevice
    from basicaer.engine.monitor import Monitor
    from basicaer.options import Precision

    _Chunk = NDArray[np.complexfloating]

__all__ = ["ChunksInMemory"]

_CLEARED_AT_ONCE = 2**18  # amplitudes between two polls


class ChunksInMemory:
    """See `basicaer.devices.spilled.chunks.ChunkDevice` for what each method promises."""

    def __init__(self, device: NumpyDevice) -> None:
        self.device = device

    def buffers(self, count: int, size: int, dtype: np.dtype[np.complexfloating]) -> list[_Chunk]:
        with allocation(count * dtype.itemsize * size):
            return [np.empty(size, dtype) for _ in range(count)]

    def state(
        self,
        chunk: _Chunk,
        n_qubits: int,
        precision: Precision,
        monitor: Monitor,
        *,
        untouched: Iterable[int] = (),
        place: Sequence[int] | None = None,
    ) -> NumpyState:
        del precision  # its type says so
        return NumpyState(chunk, n_qubits, self.device.threads, monitor, untouched=untouched, place=place)

    def begin(self, chunk: _Chunk, poll: Callable[[], None]) -> None:
        self.clear(chunk, poll)
        chunk[0] = 1

    def clear(self, part: _Chunk, poll: Callable[[], None]) -> None:
        for start in range(0, len(part), _CLEARED_AT_ONCE):
            poll()
            part[start : start + _CLEARED_AT_ONCE] = 0

    def clear_but(
        self, chunk: _Chunk, precision: Precision, values: Mapping[int, int], poll: Callable[[], None]
    ) -> None:
        del precision
        for position, value in values.items():
            poll()
            chunk.reshape(-1, 2, 2**position)[:, 1 - value] = 0

    def finish(self) -> None:
        """Do nothing: nothing goes on beside the calling thread."""
