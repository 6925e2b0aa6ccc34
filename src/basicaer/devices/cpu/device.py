"""The CPU: how it splits and plans work on states, and what that costs."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from basicaer.devices.cpu.batch import NumpyBatch
from basicaer.devices.cpu.blas import has_small_kernels
from basicaer.devices.cpu.state import ROW_QUBITS, NumpyState, allocation
from basicaer.devices.limits import default_threads
from basicaer.devices.memory import free_host_bytes
from basicaer.engine.monitor import Monitor
from basicaer.engine.plan import Costs
from basicaer.options import Precision

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from basicaer.engine.device import State

__all__ = ["NumpyDevice"]

_DTYPES: dict[Precision, np.dtype[Any]] = {
    Precision.DOUBLE: np.dtype(np.complex128),
    Precision.SINGLE: np.dtype(np.complex64),
}

_PLANNED_FROM = 10  # qubits; in smaller states, applying a gate costs less than planning and fusing it
_FEW_GATES = 2  # up to this many gates are applied one by one, unless a qubit in |0> makes passes cheaper
_TILE_SIZES = ((14, 14), (16, 14), (17, 15), (21, 16))  # (most qubits of a state, qubits of its tiles)
_LARGEST_TILE = 17  # qubits; 2**17 amplitudes are 2 MiB in double precision, so two tiles stay in the caches
_LARGEST_BATCHED = 18  # qubits; a larger state keeps the cores busy by itself
_BATCH_AMPLITUDES = 2**21  # amplitudes of a batch: 32 MiB in double precision

# Seconds per amplitude for a matrix on 0, 1, ... qubits, by precision and by whether OpenBLAS has small real kernels.
# Measured within runs of 24 qubits on one core of an EPYC (Zen 5, 1 MiB of second-level cache), with NumPy 2.4 and
# OpenBLAS 0.3.31 on one thread: with its kernels for AVX2 (False) and with those for AVX-512 (True).
_PRODUCTS = {
    (Precision.DOUBLE, False): (0.6e-9, 1.9e-9, 2.1e-9, 3.0e-9, 4.5e-9, 7.3e-9, 13.3e-9),
    (Precision.SINGLE, False): (0.3e-9, 0.8e-9, 1.0e-9, 1.3e-9, 2.0e-9, 3.4e-9, 6.4e-9),
    (Precision.DOUBLE, True): (0.6e-9, 0.6e-9, 0.65e-9, 0.75e-9, 1.2e-9, 2.25e-9, 5.6e-9),
    (Precision.SINGLE, True): (0.3e-9, 0.5e-9, 0.5e-9, 0.5e-9, 0.65e-9, 1.15e-9, 2.3e-9),
}
# Seconds per amplitude to rearrange it and to multiply it by a phase, in the same runs.
_REARRANGE = {Precision.DOUBLE: 1.0e-9, Precision.SINGLE: 0.8e-9}
_MULTIPLY = {Precision.DOUBLE: 0.8e-9, Precision.SINGLE: 0.5e-9}
_CALL_SECONDS, _GATE_SECONDS = 8e-6, 1e-8  # a gate that is applied by itself: in any case, and per amplitude


class NumpyDevice:
    """The CPU. It needs only NumPy, so it is always available.

    Parameters
    ----------
    threads
        How many threads may work on one state at a time; 0 means as many as `default_threads` says.
    tile_qubits
        Qubits of a tile; smaller states run gate by gate. None chooses by the number of qubits of the state.
    """

    name = "CPU"
    is_host = True
    queue: int | None = None
    axes = 1

    def __init__(self, threads: int = 0, *, tile_qubits: int | None = None) -> None:
        self.threads = threads or default_threads()
        self._tile_qubits = tile_qubits

    def layout_name(self, precision: Precision) -> str:
        del precision
        return self.name

    def new_state(self, n_qubits: int, precision: Precision, monitor: Monitor | None = None) -> NumpyState:
        dtype = _DTYPES[precision]
        with allocation(dtype.itemsize * 2**n_qubits):
            vector = np.zeros(2**n_qubits, dtype)
        vector[0] = 1
        return NumpyState(vector, n_qubits, self.threads, monitor or Monitor(), untouched=range(n_qubits))

    def new_batch(self, n_qubits: int, precision: Precision, count: int, monitor: Monitor | None = None) -> NumpyBatch:
        dtype = _DTYPES[precision]
        with allocation(dtype.itemsize * count * 2**n_qubits):
            states = np.zeros((count, 2**n_qubits), dtype)
        states[:, 0] = 1
        return self._batch_from(states, n_qubits, monitor or Monitor(), untouched=range(n_qubits))

    def batch_of(self, states: Sequence[State], precision: Precision, monitor: Monitor) -> NumpyBatch:
        n_qubits, dtype = states[0].n_qubits, _DTYPES[precision]
        with allocation(dtype.itemsize * len(states) * 2**n_qubits):
            amplitudes = np.empty((len(states), 2**n_qubits), dtype)
        for row, state in zip(amplitudes, states, strict=True):
            row[:] = state.read()
        return self._batch_from(amplitudes, n_qubits, monitor)

    def _batch_from(
        self,
        states: NDArray[np.complexfloating],
        n_qubits: int,
        monitor: Monitor,
        *,
        untouched: Iterable[int] = (),
    ) -> NumpyBatch:
        def as_state(vector: NDArray[np.complexfloating], place: Sequence[int]) -> NumpyState:
            state = NumpyState(vector, n_qubits, 1, monitor, untouched=(), place=place)
            state.shares_memory = True
            return state

        return NumpyBatch(states, n_qubits, self.threads, monitor, as_state, untouched=untouched)

    def most_states(self, n_qubits: int, precision: Precision) -> int:
        del precision
        return _BATCH_AMPLITUDES // 2**n_qubits if n_qubits <= _LARGEST_BATCHED else 0

    def costs(self, n_qubits: int, precision: Precision) -> Costs | None:
        if self._tile_qubits:
            size = self._tile_qubits
            return _costs(size, precision, has_small_kernels()) if n_qubits >= size else None
        if n_qubits < _PLANNED_FROM:
            return None
        size = min(n_qubits, _usual_tile(n_qubits))
        return _costs(size, precision, has_small_kernels())

    def undoing_costs(self, n_qubits: int, precision: Precision) -> Costs:
        size = min(n_qubits, self._tile_qubits or _usual_tile(n_qubits))
        return _costs(size, precision, has_small_kernels())

    def most_undone(self, n_qubits: int, precision: Precision) -> int:
        return self.most_states(n_qubits, precision)

    def runs_by_plan(self, n_gates: int, n_qubits: int, precision: Precision, *, any_untouched: bool) -> bool:
        return self.costs(n_qubits, precision) is not None and (n_gates > _FEW_GATES or any_untouched)

    def gate_seconds(self, n_qubits: int, precision: Precision) -> float:
        del precision
        return seconds_per_gate(2**n_qubits)

    def free_bytes(self) -> int:
        return free_host_bytes()

    def expected_free_bytes(self) -> int:
        return self.free_bytes()

    def scratch_bytes(self, precision: Precision) -> int:
        two_tiles: int = 2 * precision.amplitude_bytes * 2**_LARGEST_TILE
        return two_tiles * (self.threads + 1)


def seconds_per_gate(amplitudes: int) -> float:
    """Return about how long a gate takes that is applied by itself to a state of so many amplitudes."""
    return _CALL_SECONDS + _GATE_SECONDS * amplitudes


def _usual_tile(n_qubits: int) -> int:
    return next((size for up_to, size in _TILE_SIZES if n_qubits <= up_to), _LARGEST_TILE)


@lru_cache
def _costs(tile_qubits: int, precision: Precision, small_kernels: bool) -> Costs:  # noqa: FBT001  # part of the cache's key
    return Costs(
        tile_qubits=tile_qubits,
        shared_qubits=ROW_QUBITS,
        product=_PRODUCTS[precision, small_kernels],
        rearrange=_REARRANGE[precision],
        multiply=_MULTIPLY[precision],
        move=3.0e-9,
        step_seconds=3e-6,
        selectors=3,
    )
