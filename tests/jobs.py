"""What the tests of jobs share: jobs made by hand, an executor that does as it is told, a clock that stands still."""

import threading
import time
from concurrent.futures import Executor, Future
from functools import partial

import numpy as np
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit.classical import expr, types
from qiskit.result import Result

from basicaer import BasicAer, BasicAerJob
from basicaer.engine.monitor import current_monitor
from basicaer.executor import DaemonThreadExecutor
from basicaer.watching import draw_in_background

NEXT_TO_NOTHING = 1e-12
GUARD = 30  # seconds after which a test that hangs fails; no test waits for it otherwise
BACKEND = BasicAer.get_backend("qasm_simulator")
OUTCOME = Result(backend_name="made by hand", success=True, results=[])


def valid_qobj():
    instructions = [{"name": "h", "qubits": [0]}, {"name": "measure", "qubits": [0], "memory": [0]}]
    return {
        "qobj_id": "coin",
        "schema_version": "1.3.0",
        "type": "QASM",
        "header": {"description": "one toss"},
        "config": {"shots": 10, "memory_slots": 1, "n_qubits": 1},
        "experiments": [{"instructions": instructions}],
    }


def new_job(fn, *, qobj=None, progress=False, **keys):
    """Make a job by hand; with `progress` it shows a bar, as the jobs of `run` do."""
    keys |= {"bar": draw_in_background} if progress else {}
    return BasicAerJob(BACKEND, "job 7", fn, valid_qobj() if qobj is None else qobj, **keys)


def submitted(fn, **keys):
    job = new_job(fn, **keys)
    job.submit()
    return job


def succeed(_job_id, _payload):
    return OUTCOME


def unless_it_hangs(call):
    """Return what a call returns, or fail if it never does."""
    executor = DaemonThreadExecutor(1)
    outcome = executor.submit(call)
    executor.shutdown(wait=False)
    return outcome.result(GUARD)


def until(condition):
    """Return when something is so that another thread sees to, or fail if it never is."""
    deadline = time.monotonic() + GUARD
    while not condition():
        assert time.monotonic() < deadline


class Held:
    """A job's function that says when it has begun, and goes on when it is let go."""

    def __init__(self):
        self.began = threading.Event()
        self.go = threading.Event()
        self.polls = True
        self.calls = []

    def __call__(self, job_id, payload):
        self.calls.append((job_id, payload))
        self.began.set()
        assert self.go.wait(GUARD)
        if self.polls:
            current_monitor.get().poll()
        return OUTCOME


class ManualExecutor(Executor):
    """Makes its calls when it is told to: an executor of a kind that jobs know nothing of."""

    def __init__(self):
        self.waiting = []
        self.running = []

    def __len__(self):  # an executor may be false
        return len(self.waiting)

    def submit(self, fn, /, *args, **kwargs):
        future = Future()
        self.waiting.append((future, partial(fn, *args, **kwargs)))
        return future

    def start(self):
        future, call = self.waiting.pop(0)
        if future.set_running_or_notify_cancel():
            self.running.append((future, call))

    def finish(self):
        future, call = self.running.pop(0)
        try:
            outcome = call()
        except BaseException as error:  # noqa: BLE001  # as every executor does
            future.set_exception(error)
        else:
            future.set_result(outcome)

    def run_all(self):
        while self.waiting:
            self.start()
        while self.running:
            self.finish()


class Clock:
    """In place of the module `time`: stands still but for what a test lets pass."""

    def __init__(self):
        self.now = 1000.0

    def monotonic(self):
        return self.now

    time = monotonic


def polled_limit(_job_id, _payload):
    monitor = current_monitor.get()
    monitor.poll()
    return monitor.timeout


def bell(name):
    circuit = QuantumCircuit(2, name=name)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.measure_all()
    return circuit


def endless():
    """Longer than any test waits for."""
    circuit = QuantumCircuit(18, name="endless")
    with circuit.for_loop(range(10**6)):
        for q in range(18):
            circuit.ry(0.1, q)
            circuit.cx(q, (q + 1) % 18)
    circuit.measure_all()
    return circuit


def dividing_by_zero(name):
    register = ClassicalRegister(2, "zero")
    circuit = QuantumCircuit(QuantumRegister(1), register, name=name)
    with circuit.if_test(expr.equal(expr.div(expr.lift(1, types.Uint(2)), register), 1)):
        circuit.x(0)
    circuit.measure(0, 0)
    return circuit


class InGates:
    """A callback that notes what it is told, and when gates are first run."""

    def __init__(self):
        self.told = []
        self.begun = threading.Event()

    def __call__(self, progress):
        self.told.append(progress)
        if progress.phase == "gates" and progress.experiment == progress.experiments - 1:
            self.begun.set()


def layers(n, depth=4):
    circuit = QuantumCircuit(n, name="layers")
    for layer in range(depth):
        circuit.ry(0.1 + layer, range(n))
        circuit.cx(range(n - 1), range(1, n))
    circuit.measure_all()
    return circuit


def check_alike(got, want, path="result"):
    """Check that results agree: numbers but for rounding, since branches may have gone side by side; all else exactly.

    Of dictionaries by outcome, whoever leaves out what is next to nothing may have left out one more.
    """
    if isinstance(want, dict):
        assert isinstance(got, dict), path
        for key in {*got, *want}:
            if key in got and key in want:
                check_alike(got[key], want[key], f"{path}[{key!r}]")
            else:
                assert abs(got.get(key, want.get(key))) < NEXT_TO_NOTHING, f"{path}[{key!r}]"
    elif isinstance(want, np.ndarray):
        check_alike(got.tolist(), want.tolist(), path)
    elif isinstance(want, list | tuple):
        assert len(got) == len(want), path
        for place, (one, other) in enumerate(zip(got, want, strict=True)):
            check_alike(one, other, f"{path}[{place}]")
    elif isinstance(want, float | complex):
        assert abs(got - want) < NEXT_TO_NOTHING, path
    else:
        assert got == want, path
