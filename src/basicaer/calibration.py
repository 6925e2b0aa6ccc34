"""Measures the size from which a GPU is faster than the CPU, and how fast spilled states move, once on each machine.

The size decides only which device `device="auto"` chooses, and the rates what times a plan predicts. What a plan does
never depends on them.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from basicaer._version import __version__
from basicaer.devices.registry import SMALLEST_ON_GPU
from basicaer.engine.program import Form, Gate, Segment
from basicaer.plan.planner import plan_segment

if TYPE_CHECKING:
    from basicaer.devices.cpu.device import NumpyDevice
    from basicaer.devices.gpu.device import CupyDevice
    from basicaer.devices.spilled.device import SpilledDevice
    from basicaer.engine.device import Device
    from basicaer.options import Precision

__all__ = [
    "StoreRates",
    "calibration_file",
    "known_crossover",
    "known_store_rates",
    "measured_crossover",
    "store_rates",
]

_SIZES = range(SMALLEST_ON_GPU, 23, 2)
_MOVED_AMPLITUDES = 2**22  # amplitudes of which rates are measured: 64 MiB
_RUNS = 4  # the first run is not counted, since it compiles and plans
_lock = threading.Lock()


def calibration_file() -> Path:
    """Return the file in which measured numbers are stored."""
    import platformdirs

    return Path(platformdirs.user_cache_dir("basicaer")) / "calibration.json"


def known_crossover(cpu: NumpyDevice, gpu: CupyDevice, precision: Precision) -> int | None:
    """Return the number of qubits from which the GPU is faster; None if it has not been measured."""
    return _read().get(_key(cpu, gpu, precision))


def measured_crossover(cpu: NumpyDevice, gpu: CupyDevice, precision: Precision) -> int:
    """Return the number of qubits from which the GPU is faster; if it is not known, measure it, which takes seconds.

    The measurement runs layers of rotations and CX chains on states of more and more qubits.
    """
    with _lock:
        known = known_crossover(cpu, gpu, precision)
        if known is not None:
            return known
        found = _SIZES.stop
        for n_qubits in _SIZES:
            segment = _layers(n_qubits)
            if _seconds(gpu, segment, n_qubits, precision) <= _seconds(cpu, segment, n_qubits, precision):
                found = n_qubits
                break
        _write(_read() | {_key(cpu, gpu, precision): found})
        return found


class StoreRates(NamedTuple):
    """How many bytes of a state are read and written in a second where it is, if the device has only chunks of it."""

    read: int
    write: int
    both_ways: bool

    def seconds(self, read: float, written: float) -> float:
        """Return how long it takes to read and to write so many bytes."""
        times = read / self.read, written / self.write
        return max(times) if self.both_ways else sum(times)


def known_store_rates(device: SpilledDevice) -> StoreRates | None:
    """Return the rates of where a device has its states; None if they have not been measured."""
    known = _read()
    read, write = (known.get(key) for key in _keys_of_store(device))
    return None if read is None or write is None else StoreRates(read, write, device.moves_both_ways)


def store_rates(device: SpilledDevice) -> StoreRates:
    """Return the rates of where a device has its states; if they are not known, measure them, which takes a second.

    Raises
    ------
    BasicAerError
        If there is no room to measure.
    """
    with _lock:
        if (rates := known_store_rates(device)) is None:
            size = 16 * _MOVED_AMPLITUDES
            read, write = (int(size / seconds) + 1 for seconds in device.seconds_to_move(_MOVED_AMPLITUDES))
            rates = StoreRates(read, write, device.moves_both_ways)
            _write(_read() | dict(zip(_keys_of_store(device), rates[:2], strict=True)))
        return rates


def _keys_of_store(device: SpilledDevice) -> tuple[str, str]:
    key = f"basicaer {__version__}, {device.store_name}"
    return f"{key}, read", f"{key}, write"


def _seconds(device: Device, segment: Segment, n_qubits: int, precision: Precision) -> float:
    """Return the shortest time of a run, up to the sums of probabilities that sampling begins with."""
    times = []
    costs = device.costs(n_qubits, precision)
    for _ in range(_RUNS):
        started = time.perf_counter()
        state = device.new_state(n_qubits, precision)
        plan = None if costs is None else plan_segment(segment, n_qubits, costs)
        state.run(segment, plan)
        state.block_weights(n_qubits // 2)
        state.release()
        times.append(time.perf_counter() - started)
    return min(times[1:])


def _layers(n_qubits: int) -> Segment:
    cosine, sine = np.cos(0.3), np.sin(0.3)
    rotation = np.array([[cosine, -sine], [sine, cosine]], complex)
    gates = []
    for _ in range(3):
        gates += [Gate("ry", "G", (q,), Form.MATRIX, rotation) for q in range(n_qubits)]
        gates += [Gate("cx", "X", (q + 1,), Form.PERMUTATION, np.array([1, 0]), (q,), 1) for q in range(n_qubits - 1)]
    return Segment(tuple(gates))


def _key(cpu: NumpyDevice, gpu: CupyDevice, precision: Precision) -> str:
    return f"basicaer {__version__}, {gpu.card.name}, {cpu.threads} threads, {precision}"


def _read() -> dict[str, int]:
    try:
        read = json.loads(calibration_file().read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return {key: value for key, value in read.items() if isinstance(value, int)} if isinstance(read, dict) else {}


def _write(measured: dict[str, int]) -> None:
    """Store what was measured, if the file can be written; otherwise the next process measures again."""
    file = calibration_file()
    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        new = file.with_suffix(f".{os.getpid()}")
        new.write_text(json.dumps(measured, indent=1), "utf-8")
        new.replace(file)
