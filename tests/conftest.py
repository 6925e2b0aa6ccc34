"""Fixtures that tests share: every device and precision, executors and a clock for jobs, evenly spread shots, files."""

from __future__ import annotations

import gc
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
import pytest

import machine_code
from basicaer import BasicAer, calibration
from basicaer.devices.cpu.device import NumpyDevice
from basicaer.devices.gpu.device import CupyDevice
from basicaer.devices.gpu.probe import probe_gpu
from basicaer.devices.gpu.shape import TileShape
from basicaer.engine import execute, splitting, together
from basicaer.engine import monitor as monitor_module
from basicaer.engine.ensemble import Ensemble
from basicaer.engine.program import Segment
from basicaer.executor import DaemonThreadExecutor
from basicaer.openqasm.loading import load_circuit
from basicaer.options import Precision
from basicaer.plan.planner import plan_segment
from emulated_gpu.stand_in import EmulatedCupy
from jobs import Clock, Held, ManualExecutor

MACHINE_CODE = os.environ.get("BASICAER_MACHINE_CODE")  # `nox -s machine_code` sets it: 90 is sm_90

# Tiles are tiny in all but the first, so that every plan has many passes and tiles. Machine code is that of the kernels
# that a card runs, where threads have more registers.
TINY_SHAPES = {Precision.DOUBLE: TileShape(5, 2, 1), Precision.SINGLE: TileShape(6, 3, 2)}
if MACHINE_CODE:
    TINY_SHAPES = {Precision.DOUBLE: TileShape(6, 4, 2), Precision.SINGLE: TileShape(7, 5, 2)}
DEVICES = {
    "CPU": NumpyDevice,
    "CPU-tiny-tiles": lambda: NumpyDevice(threads=3, tile_qubits=3),
    "GPU-emulated": lambda: emulated_gpu(TINY_SHAPES),
    "GPU": lambda: gpu(),  # noqa: PLW0108  # defined below
}
TINY_GPUS = {"GPU-emulated": DEVICES["GPU-emulated"], "GPU": lambda: gpu(tiny=True)}
TOLERANCE = {Precision.DOUBLE: 1e-12, Precision.SINGLE: 2e-6}


def pytest_collection_finish():
    """Spare the garbage collector what is there before the first test: modules, and thousands of collected tests."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _nothing_is_calibrated(tmp_path_factory):
    """Keep what has been measured of this machine out of the tests, which could depend on it."""
    file = tmp_path_factory.mktemp("cache") / "calibration.json"
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(calibration, "calibration_file", lambda: file)
        yield


def new_emulated_cupy():
    if MACHINE_CODE:
        return EmulatedCupy(build=machine_code.MachineCode(int(MACHINE_CODE)))
    return EmulatedCupy(sanitize=os.environ.get("BASICAER_SANITIZED") == "1")  # `nox -s sanitized` sets it


emulated_cupy = cache(new_emulated_cupy)


def emulated_gpu(shapes=None):
    """The GPU device, unchanged, driving kernels that run on the CPU."""
    if shutil.which("g++") is None:
        pytest.skip("there is no g++ to compile the kernels for the CPU")
    return CupyDevice(cupy=emulated_cupy(), shapes=shapes)


@cache
def gpu(*, tiny=False):
    """The card of this machine, if it has one."""
    if problem := probe_gpu().problem:
        pytest.skip(f"there is no GPU to test on: {problem}")
    return CupyDevice(shapes=TINY_SHAPES if tiny else None)


@pytest.fixture(params=DEVICES)
def device(request):
    return DEVICES[request.param]()


@pytest.fixture(params=TINY_GPUS)
def tiny_gpu(request):
    """The GPU device with tiny tiles: emulated, and on the card of this machine, if it has one."""
    return TINY_GPUS[request.param]()


@pytest.fixture(params=list(Precision), ids=str)
def precision(request):
    return request.param


@pytest.fixture
def run(device, precision):
    """Run gates on a state as `execute` does, along a plan where the device wants one."""

    def run(state, gates, monitor=None):
        segment, n, plan = Segment(tuple(gates)), state.n_qubits, None
        if device.runs_by_plan(len(gates), n, precision, any_untouched=state.any_untouched):
            plan = plan_segment(segment, n, device.costs(n, precision))
        if monitor is not None:
            state._monitor = monitor
        state.run(segment, plan)

    return run


@pytest.fixture
def tolerance(precision):
    return TOLERANCE[precision]


@pytest.fixture
def qasm():
    return BasicAer.get_backend("qasm_simulator")


@pytest.fixture
def statevector():
    return BasicAer.get_backend("statevector_simulator")


@pytest.fixture
def unitary():
    return BasicAer.get_backend("unitary_simulator")


class EvenDraws:
    """In place of a random generator: n draws are n numbers spread evenly, so that counts are probabilities.

    They come shuffled, always in the same way, so that draws one after another are not correlated; what shots draw at a
    place is shuffled in a way of its own.
    """

    def __init__(self, _seed: int, shots: int = 0) -> None:
        self._shuffle = np.random.default_rng(0)
        self._shots = shots

    def random(self, size: int) -> np.ndarray:
        return self._shuffle.permutation((np.arange(size) + 0.5) / size)

    def of_shots(self, place, loops, shots: np.ndarray) -> np.ndarray:
        shuffle = np.random.default_rng([place, *loops])
        return shuffle.permutation((np.arange(self._shots) + 0.5) / self._shots)[shots]


def even_within(numbers, draws):
    """Spread the draws evenly among those of each number, in the order that they have."""
    even = np.empty(len(draws))
    for number in np.unique(numbers):
        own = np.flatnonzero(numbers == number)
        even[own] = (np.argsort(np.argsort(draws[own])) + 0.5) / len(own)
    return even


def even_ones(draws, branch, p_one):
    """In place of `splitting.ones_of`: within each branch the draws are spread evenly."""
    return (even_within(branch, draws) < p_one[branch]).astype(np.intp)


def even_found(ensemble, numbers, draws):
    """In place of `Ensemble.found`: within each state the draws are spread evenly."""
    return FOUND(ensemble, numbers, even_within(numbers, draws))


FOUND = Ensemble.found


def draw_evenly(monkeypatch):
    monkeypatch.setattr(execute, "Draws", EvenDraws)
    monkeypatch.setattr(Ensemble, "found", even_found)
    monkeypatch.setattr(splitting, "ones_of", even_ones)
    monkeypatch.setattr(together, "generator", EvenDraws)


@pytest.fixture
def loaded(tmp_path):
    """A function that writes an OpenQASM program, and the files that it includes, and loads it."""

    def load(text, inputs=None, **beside):
        for name, included in beside.items():
            (tmp_path / f"{name}.inc").write_text(included, "utf-8")
        path = tmp_path / "program.qasm"
        path.write_text(text, "utf-8")
        return load_circuit(path, inputs)

    return load


@pytest.fixture
def even_draws(monkeypatch):
    draw_evenly(monkeypatch)


@pytest.fixture
def manual():
    executor = ManualExecutor()
    yield executor
    executor.run_all()


@pytest.fixture(params=[DaemonThreadExecutor, ThreadPoolExecutor], ids=lambda kind: kind.__name__)
def one_thread(request):
    with request.param(1) as executor:
        yield executor


@pytest.fixture
def held(one_thread):  # let go before the executor waits for it
    held = Held()
    yield held
    held.go.set()


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(monitor_module, "time", clock)
    return clock
