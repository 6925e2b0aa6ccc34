"""From how many qubits on a GPU is faster than the CPU: measured once on each machine, and kept in a file.

It only decides which device `device="auto"` takes. Plans never depend on it.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from basicaer._version import __version__
from basicaer.devices.registry import SMALLEST_ON_GPU
from basicaer.engine.program import Form, Gate, Segment
from basicaer.plan.planner import plan_segment

if TYPE_CHECKING:
    from basicaer.devices.cpu.device import NumpyDevice
    from basicaer.devices.gpu.device import CupyDevice
    from basicaer.engine.device import Device
    from basicaer.options import Precision

__all__ = ["calibration_file", "known_crossover", "measured_crossover"]

_SIZES = range(SMALLEST_ON_GPU, 23, 2)
_RUNS = 4  # the first one compiles and plans
_lock = threading.Lock()


def calibration_file() -> Path:
    """Return the file that keeps what was measured."""
    import platformdirs

    return Path(platformdirs.user_cache_dir("basicaer")) / "calibration.json"


def known_crossover(cpu: NumpyDevice, gpu: CupyDevice, precision: Precision) -> int | None:
    """Return from how many qubits on the GPU is faster, if it has been measured."""
    return _read().get(_key(cpu, gpu, precision))


def measured_crossover(cpu: NumpyDevice, gpu: CupyDevice, precision: Precision) -> int:
    """Return from how many qubits on the GPU is faster, measured now if it has not been: that takes some seconds.

    What is timed is a layered circuit of rotations and CX chains on states of more and more qubits.
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


def _seconds(device: Device, segment: Segment, n_qubits: int, precision: Precision) -> float:
    """Return the least time that a run takes, to the sums that sampling begins with."""
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
    """Keep what was measured, if a file can be written; else it is measured again by the next process."""
    file = calibration_file()
    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        new = file.with_suffix(f".{os.getpid()}")
        new.write_text(json.dumps(measured, indent=1), "utf-8")
        new.replace(file)
