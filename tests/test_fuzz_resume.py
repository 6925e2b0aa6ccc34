"""Random jobs that are stopped at random saves and gone on with, once or more often: nothing may come out otherwise."""

import os
import warnings

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.quantum_info import Pauli

from basicaer import BasicAer
from basicaer.devices.cpu.device import NumpyDevice
from basicaer.engine import trajectories
from basicaer.engine.monitor import current_monitor
from basicaer.engine.suspended import Suspension
from basicaer.errors import BasicAerWarning, Cancelled
from basicaer.library import save_expectation_value, save_probabilities, save_statevector
from basicaer.persistence import folder as folder_module
from basicaer.persistence.persister import load_job
from basicaer.simulation import Persistence
from basicaer.simulators import running as running_module
from jobs import GUARD, check_alike
from random_programs import program
from test_saving import StopsAfter, layers, run, with_errors_drawn_first, work_of

SHARE = float(os.environ.get("BASICAER_SOAK_SHARE", "1"))  # of the slow tests
BITS = 3
STATE_BYTES = 16
ALWAYS, NEVER = 1e-9, 1e9  # seconds between two saves
MOST_STOPS = 4
PASS_DONE = Suspension.pass_done


def random_circuit(random, n):
    """Layers of gates with measurements, resets, branches, loops and saves between them, in any order."""
    circuit = QuantumCircuit(n, BITS, name="random")
    circuit.compose(layers(n, int(random.integers(99)), measured=False, depth=1), inplace=True)
    for number in range(int(random.integers(3, 8))):
        qubit, bit = int(random.integers(n)), int(random.integers(BITS))
        match random.integers(7):
            case 0:
                circuit.reset(qubit)
            case 1:
                with circuit.if_test((circuit.clbits[bit], 1)):
                    circuit.compose(layers(n, number, measured=False, depth=1), inplace=True)
                    circuit.measure(qubit, (bit + 1) % BITS)
            case 2:
                angle = Parameter(f"angle {number}")
                with circuit.for_loop((3, 1), angle):
                    circuit.ry(angle / 5, range(n))
                    circuit.cx(qubit, (qubit + 1) % n)
                    circuit.measure(qubit, bit)
            case 3:
                pershot, conditional = random.integers(2, size=2).astype(bool).tolist()
                save_probabilities(circuit, [qubit], f"seen {number}", pershot=pershot, conditional=conditional)
                save_expectation_value(circuit, Pauli("X"), [qubit], f"mean {number}", conditional=conditional)
                save_statevector(circuit, f"last {number}")
            case 4:  # branches part, and have the same state again
                circuit.h(qubit)
                circuit.measure(qubit, bit)
                circuit.reset(range(n))
            case _:
                circuit.h(qubit)
                circuit.measure(qubit, bit)
        circuit.compose(layers(n, int(random.integers(99)), measured=False, depth=1), inplace=True)
    return circuit


def plain(value):
    """Everything that a result holds, as text."""
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [plain(one) for one in value]
    return np.asarray(getattr(value, "data", value)).tolist()


def seen(result):
    return [plain(one.data.to_dict()) for one in result.results]


@pytest.fixture(autouse=True)
def _quick_disk(monkeypatch):
    monkeypatch.setattr(folder_module.os, "fsync", lambda _file: None)


def random_jobs(random, monkeypatch):
    """Return the work of one or two random circuits on a simulator, by plans over tiny tiles."""
    n = int(random.integers(3, 6))
    tight(monkeypatch, random, n, tile_qubits=3)
    circuits = [random_circuit(random, n) for _ in range(int(random.integers(1, 3)))]
    return work_of(circuits, backend=either_backend(random), shots=40, memory=bool(random.integers(2)))


def random_errors(random, monkeypatch):
    """Return the work of a circuit whose errors are drawn before its states exist, of which a few run together."""
    n = int(random.integers(4, 7))
    tight(monkeypatch, random, n, tile_qubits=3)
    monkeypatch.setattr(trajectories, "MOST_AMPLITUDES", int(random.integers(1, 6)) * 2**n)
    monkeypatch.setattr(trajectories, "SHOTS_AT_ONCE", int(random.integers(30, 150)))
    return work_of([with_errors_drawn_first(n)], shots=100, memory=bool(random.integers(2)), method="statevector")


def random_program(random, monkeypatch):
    """Return the work of one of the programs that are checked against their exact outcomes."""
    drawn = program(int(random.integers(10**6)))
    tight(monkeypatch, random, drawn.circuit.num_qubits, tile_qubits=3)
    how = {"shots": 40, "memory": bool(random.integers(2)), "parameter_binds": [drawn.binds]}
    return work_of([drawn.circuit], backend=either_backend(random), **how)


def tight(monkeypatch, random, n, tile_qubits=None):
    """Let at most three branches have a state of their own while they wait, each time that a job goes on fewer or more.

    Others are run again from the start.
    """
    device = NumpyDevice(threads=1, tile_qubits=tile_qubits)

    def free_bytes(_self):
        return 2 * int(random.integers(4)) * STATE_BYTES * 2**n

    monkeypatch.setattr(NumpyDevice, "free_bytes", free_bytes)
    monkeypatch.setattr(running_module, "choose_device", lambda *_, **__: (device, "a test wants it"))
    monkeypatch.setattr("basicaer.simulation.check_saves", lambda *_args, **_keys: None)


def either_backend(random):
    return BasicAer.get_backend(("qasm_simulator", "statevector_simulator")[int(random.integers(2))])


def stopped_and_resumed(random, work, folder):
    """Run a job whole, and again with stops; return what came of both, and how often it was stopped."""
    want = seen(run(work))
    stops, saving = 0, Persistence(str(folder), 0.0)
    while stops < MOST_STOPS:
        try:
            result = run(work, saving, StopsAfter(int(random.integers(1, 12))))
        except Cancelled:
            stops += 1
            work = load_job(folder)[1]
            continue
        return seen(result), want, stops
    return seen(run(work, saving._replace(interval=NEVER))), want, stops


def cancelled_and_resumed(random, folder, monkeypatch):
    """Do the same to a job of 10 to 12 qubits as a user would, but that it is cancelled at a certain pause."""
    n, backend = int(random.integers(10, 13)), either_backend(random)
    tight(monkeypatch, random, n)
    how = {"shots": 40, "memory": bool(random.integers(2)), "seed_simulator": int(random.integers(99))}
    circuit = random_circuit(random, n)
    want, stops = seen(backend.run(circuit, **how).result(GUARD)), 0
    cancel_after(int(random.integers(1, 12)), monkeypatch)
    job = backend.run(circuit, checkpoint_dir=folder, checkpoint_every=ALWAYS, **how)
    while stops < MOST_STOPS:
        job.wait_for_final_state(GUARD)
        if not job.cancelled():
            break
        stops += 1
        cancel_after(int(random.integers(1, 12)), monkeypatch)
        job = BasicAer.resume(folder, checkpoint_every=ALWAYS)
    job.wait_for_final_state(GUARD)
    monkeypatch.setattr(Suspension, "pass_done", PASS_DONE)
    return seen((BasicAer.resume(folder) if job.cancelled() else job).result(GUARD)), want, stops


def cancel_after(passes, monkeypatch):
    """Have the next job cancelled after so many passes."""
    left = passes

    def pass_done(suspension, suspended, state):
        nonlocal left
        PASS_DONE(suspension, suspended, state)
        left -= 1
        if left == 0:
            current_monitor.get().cancel()

    monkeypatch.setattr(Suspension, "pass_done", pass_done)


def check(kind, seeds, tmp_path, monkeypatch):
    """Check that jobs of a kind end with the same outcome; return how often they were stopped."""
    stopped = 0
    for seed in seeds:
        random, folder = np.random.default_rng(seed), tmp_path / str(seed)
        with monkeypatch.context() as patched, warnings.catch_warnings():
            warnings.simplefilter("ignore", BasicAerWarning)  # of circuits that measure nothing
            if kind == "wide":
                got, want, stops = cancelled_and_resumed(random, folder, patched)
            else:
                make = {"layers": random_jobs, "programs": random_program, "errors": random_errors}[kind]
                got, want, stops = stopped_and_resumed(random, make(random, patched), folder)
        check_alike(got, want, f"seed {seed}")
        stopped += stops
    return stopped


@pytest.mark.parametrize(("kind", "count"), [("layers", 4), ("programs", 10), ("errors", 3), ("wide", 1)])
def test_some_jobs(kind, count, tmp_path, monkeypatch):
    assert check(kind, range(1000, 1000 + count), tmp_path, monkeypatch) > count // 4


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "count"), [("layers", 200), ("programs", 200), ("errors", 100), ("wide", 20)])
def test_many_jobs(kind, count, tmp_path, monkeypatch):
    count = max(10, int(count * SHARE))
    assert check(kind, range(1000, 1000 + count), tmp_path, monkeypatch) > count // 4


def test_nothing_is_saved_twice_where_a_job_goes_on_with_less_memory(tmp_path, monkeypatch):
    """Rows that had become one branch part again when they are run from the start, before the place of their saves."""
    copies = 3
    device = NumpyDevice(threads=1, tile_qubits=3)
    monkeypatch.setattr(NumpyDevice, "free_bytes", lambda _self: 2 * copies * STATE_BYTES * 2**4)
    monkeypatch.setattr(running_module, "choose_device", lambda *_, **__: (device, "a test wants it"))
    circuit = QuantumCircuit(4, BITS)
    circuit.h(0)
    circuit.reset(0)
    circuit.compose(layers(4, 1, measured=False, depth=1), inplace=True)
    save_expectation_value(circuit, Pauli("Z"), [0], "seen", pershot=True)
    circuit.h(1)
    circuit.measure(1, 1)
    circuit.compose(layers(4, 2, measured=False, depth=2), inplace=True)
    circuit.measure(2, 2)
    circuit.compose(layers(4, 3, measured=False, depth=1), inplace=True)
    work = work_of([circuit], shots=40)
    want = seen(run(work))
    for number in range(1, 8):
        saving, copies = Persistence(str(tmp_path / str(number)), 0.0), 3
        with pytest.raises(Cancelled):
            run(work, saving, StopsAfter(number))
        copies = 0
        check_alike(seen(run(load_job(tmp_path / str(number))[1], saving)), want, number)
