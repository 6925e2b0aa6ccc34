"""States in files when something goes wrong: disks that are full or fail, folders that are not there, cancellations."""

import errno
import os
import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
from qiskit import QuantumCircuit

import reference
from basicaer import BasicAer, BasicAerError, JobTimeLimitError, spilling
from basicaer.devices.cpu.device import NumpyDevice
from basicaer.devices.spilled import device as spilled_device
from basicaer.devices.spilled import state_file
from basicaer.devices.spilled.chunks import BUFFERS, pass_over
from basicaer.devices.spilled.device import SpilledDevice
from basicaer.engine.monitor import Monitor
from basicaer.engine.program import Form, Gate, Segment
from basicaer.errors import Cancelled
from basicaer.options import Precision
from basicaer.plan.planner import plan_segment
from basicaer.plan.stages import plan_stages
from jobs import GUARD
from thread_ranks import comms

N = 8
GATES = Segment(tuple(Gate("u", "GG", (q, (q + 3) % N), Form.MATRIX, reference.random_unitary(4, q)) for q in range(N)))


@pytest.fixture(autouse=True)
def nothing_is_left(tmp_path):
    """No thread of the disk and no file outlives what they are for."""

    yield
    for thread in threading.enumerate():
        if thread.name.startswith("basicaer-spill"):
            thread.join(GUARD)
            assert not thread.is_alive()
    opened = [str(one.readlink()) for one in Path("/proc/self/fd").iterdir() if one.is_symlink()]
    assert not [name for name in opened if str(tmp_path) in name]


@pytest.fixture
def small(monkeypatch):
    """As if memory held no state, and chunks had 16 amplitudes."""
    monkeypatch.setattr(spilled_device, "_SMALLEST_CHUNK", 4)
    monkeypatch.setattr(spilled_device, "_USUAL_CHUNKS", 99)
    monkeypatch.setattr(NumpyDevice, "free_bytes", lambda _: 1)
    monkeypatch.setattr(spilling, "TOO_SMALL_TO_ASK", 0)
    monkeypatch.setattr(state_file, "_IN_MEMORY", frozenset())  # where temporary files are in memory


def new_state(folder, monitor=None):
    cpu = NumpyDevice(threads=2, tile_qubits=3)
    device = SpilledDevice(folder, plan_segment, plan_stages, device=cpu, chunk_qubits=4)
    return device.new_state(N, Precision.DOUBLE, monitor)


def circuit_of(n):
    circuit = QuantumCircuit(n)
    for q in range(n):
        circuit.h(q)
        circuit.cx(q, (q + 1) % n)
    circuit.measure_all()
    return circuit


def failing(call, after, error):
    """Return a call of the system that fails once it has been called so often."""
    left = [after]

    def fails(*arguments):
        left[0] -= 1
        if left[0] < 0:
            raise error
        return call(*arguments)

    return fails


IO_ERROR, FULL = OSError(errno.EIO, "Input/output error"), OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("name", ["missing", "file"])
def test_a_folder_that_is_none_is_refused_by_run(name, tmp_path, small, qasm):
    (tmp_path / "file").touch()
    with pytest.raises(BasicAerError, match=r"spill must be a folder in which files can be made, not '.*'"):
        qasm.run(circuit_of(N), spill=tmp_path / name).result()


def mount(place, kind):
    return SimpleNamespace(mountpoint=place, fstype=kind, device="a disk")


def test_files_that_are_in_memory_themselves_are_refused(tmp_path, small, monkeypatch, qasm):
    monkeypatch.undo()
    monkeypatch.setattr(NumpyDevice, "free_bytes", lambda _: 1)
    monkeypatch.setattr(spilling, "TOO_SMALL_TO_ASK", 0)
    mounted = [mount("/", "ext4"), mount(str(tmp_path), "tmpfs")]
    monkeypatch.setattr(psutil, "disk_partitions", lambda **_: mounted)
    (tmp_path / "inside").mkdir()
    with pytest.raises(BasicAerError, match=r"spill='.*inside' is a folder of tmpfs, whose files are in memory"):
        qasm.run(circuit_of(N), spill=tmp_path / "inside")
    mounted[1].mountpoint = str(tmp_path / "elsewhere")
    qasm.run(circuit_of(2), spill=tmp_path / "inside").result()


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="there is no /proc")
def test_a_folder_that_holds_no_files_is_refused(small, qasm):
    with pytest.raises(
        BasicAerError, match=r"not '/proc' \(it cannot be written\); make the folder, or choose another"
    ):
        qasm.run(circuit_of(N), spill="/proc")


def test_a_state_that_no_disk_holds_is_refused_with_what_would_fit(tmp_path, qasm):
    circuit = QuantumCircuit(60)
    circuit.h(range(60))
    circuit.measure_all()
    with pytest.raises(BasicAerError, match=r"needs 16384 PiB for 60 qubits .* on the disk of .*; \d+ qubits fit"):
        qasm.run(circuit, spill=tmp_path)


@pytest.mark.parametrize("free", [True, False], ids=["at first", "meanwhile"])
def test_a_full_disk_is_noticed_before_anything_runs(free, tmp_path, monkeypatch):
    if free:
        monkeypatch.setattr(state_file, "free_disk_bytes", lambda _: 100)
    else:
        monkeypatch.setattr(os, "posix_fallocate", failing(os.posix_fallocate, 0, FULL))
    with pytest.raises(BasicAerError, match=r"A state of 4 KiB has no room in spill='.*', where .* are free; delete"):
        new_state(tmp_path)


def test_a_quota_is_named(tmp_path, monkeypatch):
    quota = OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))
    monkeypatch.setattr(os, "posix_fallocate", failing(os.posix_fallocate, 0, quota))
    with pytest.raises(
        BasicAerError, match=r"A state of 4 KiB cannot be kept in spill='.*' \(Disk quota exceeded\); ch"
    ):
        new_state(tmp_path)


@pytest.mark.parametrize("after", [0, 1, 17, 40])
@pytest.mark.parametrize(("call", "error"), [("preadv", IO_ERROR), ("pwritev", FULL), ("pwritev", IO_ERROR)])
def test_a_disk_that_fails_is_named_and_nothing_hangs(call, error, after, tmp_path, monkeypatch):
    state = new_state(tmp_path)
    state.load(reference.random_state(N))
    monkeypatch.setattr(os, call, failing(getattr(os, call), after, error))
    done = "read" if call == "preadv" else "written"
    with pytest.raises(BasicAerError, match=rf"cannot be {done} \({error.strerror}\), and is lost; check that disk"):
        state.run(GATES, None)
    state.release()


def test_the_file_has_no_name(tmp_path):
    state = new_state(tmp_path)
    assert not any(tmp_path.iterdir())
    state.release()


def test_a_file_that_has_become_shorter_is_noticed(tmp_path):
    state = new_state(tmp_path)
    state.load(reference.random_state(N))
    os.ftruncate(state._file._file.fileno(), 100)
    with pytest.raises(BasicAerError, match=r"cannot be read \(the file has become shorter\)"):
        state.weights(0)
    state.release()


def test_what_the_system_moves_in_parts_is_whole(tmp_path, monkeypatch):
    preadv, pwritev = os.preadv, os.pwritev
    monkeypatch.setattr(os, "preadv", lambda file, parts, at: preadv(file, [parts[0][:40]], at))
    monkeypatch.setattr(os, "pwritev", lambda file, parts, at: pwritev(file, [parts[0][:24]], at))
    state = new_state(tmp_path)
    state.load(vector := reference.random_state(N))
    state.run(GATES, None)
    monkeypatch.undo()
    for gate in GATES.gates:
        vector = reference.apply(vector, gate.data, gate.targets)
    assert np.allclose(state.amplitudes(), vector, rtol=0, atol=1e-12)


def test_circuits_that_had_finished_are_kept(tmp_path, small, monkeypatch, qasm):
    monkeypatch.setattr(os, "posix_fallocate", failing(os.posix_fallocate, 1, FULL))
    job = qasm.run([circuit_of(N), circuit_of(N), circuit_of(N)], spill=tmp_path, seed_simulator=1)
    with pytest.raises(BasicAerError, match="has no room in spill="):
        job.result()
    kept = job.partial_result()
    assert len(kept.results) == 1
    assert sum(kept.get_counts(0).values()) == 1024


class Stops(Monitor):
    """Cancels itself at a certain poll."""

    def __init__(self, after):
        super().__init__()
        self.left = after

    def poll(self):
        self.left -= 1
        if self.left <= 0:
            self.cancel()
        super().poll()


def everything(state):
    state.load(reference.random_state(N))
    state.run(GATES, None)
    state.weights(3)
    state.probabilities((7, 0))
    state.expectations([(255, 3), (1, 2)])
    state.copy().release()
    state.bring_into_order()
    state.block_probabilities(0, 2)
    state.read()


@pytest.mark.parametrize("after", [1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233])
def test_a_cancellation_at_any_poll_ends_all_threads(after, tmp_path):
    monitor = Stops(10**9)
    state = new_state(tmp_path, monitor)
    monitor.left = after
    with pytest.raises(Cancelled):
        everything(state)
    state.release()


def test_a_cancellation_is_noticed_while_the_disk_works(tmp_path, monkeypatch):
    monitor = Monitor()
    state = new_state(tmp_path, monitor)
    state.load(reference.random_state(N))
    goes_on, preadv = threading.Event(), os.preadv

    def slow(*arguments):
        monitor.cancel()
        assert goes_on.wait(30)
        return preadv(*arguments)

    poll = monitor.poll

    def polled():
        try:
            poll()
        except Cancelled:
            goes_on.set()  # only now the disk is done
            raise

    monitor.poll = polled
    monkeypatch.setattr(os, "preadv", slow)
    with pytest.raises(Cancelled):
        state.run(GATES, None)
    state.release()


def test_threads_of_the_disk_stop_before_their_next_piece():
    begun, stopped = [], []

    def load(number, _buffer, check):
        begun.append(number)
        try:
            for _ in range(10**7):
                check()
        except Cancelled:
            stopped.append(number)
            raise

    def poll():
        if begun:
            raise Cancelled

    with pytest.raises(Cancelled):
        pass_over([0, 1, 2], [None] * BUFFERS, load, None, None, poll)
    assert sorted(stopped) == sorted(begun)


def test_a_time_limit_ends_a_pass(tmp_path):
    monitor = Monitor(timeout=1000)
    state = new_state(tmp_path, monitor)
    state.load(reference.random_state(N))
    monitor.start()
    monitor._deadline = 0
    with pytest.raises(JobTimeLimitError, match="reached its time limit"):
        state.run(GATES, None)
    state.release()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"device": "GPU"}, "A folder in spill is for states on the CPU"),
        ({"max_parallel_experiments": 2}, "circuits run one after another"),
        ({"distributed": comms(1)[0]}, "several ranks are in memory: leave out spill"),
    ],
)
def test_options_that_exclude_spilling(options, words, tmp_path, monkeypatch, qasm):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BasicAerError, match=words):
        qasm.run(circuit_of(2), spill=tmp_path, **options)
    of_plan = {"ranks": 2} if "distributed" in options else options
    with pytest.raises(BasicAerError, match=words):
        qasm.plan(circuit_of(2), spill=tmp_path, **of_plan)


def test_simulators_that_return_all_amplitudes_do_not_spill(tmp_path):
    for name in ("statevector_simulator", "unitary_simulator"):
        with pytest.raises(BasicAerError, match=f"{name} has no option 'spill': it is one of qasm_simulator"):
            BasicAer.get_backend(name).run(circuit_of(2), spill=tmp_path)


def test_a_system_without_the_calls_is_named(tmp_path, small, monkeypatch, qasm):
    monkeypatch.delattr(os, "posix_fallocate")
    with pytest.raises(BasicAerError, match="states are spilled on Linux only, and this is"):
        qasm.run(circuit_of(N), spill=tmp_path).result()


def test_a_cancelled_job_does_not_wait_for_a_call_that_the_system_slows_down(tmp_path, monkeypatch):
    begun, goes_on, pwritev = threading.Event(), threading.Event(), os.pwritev

    def slow(*arguments):
        if threading.current_thread().name.startswith("basicaer-spill"):
            begun.set()
            assert goes_on.wait(GUARD)
        return pwritev(*arguments)

    class CancelledMeanwhile(Monitor):
        def poll(self):
            if begun.is_set():
                raise Cancelled

    state = new_state(tmp_path, CancelledMeanwhile())
    file = state._file._file
    monkeypatch.setattr(os, "pwritev", slow)
    with pytest.raises(Cancelled):
        state.run(GATES, None)
    state.release()
    assert not file.closed
    goes_on.set()
    for thread in threading.enumerate():
        if thread.name.startswith("basicaer-spill"):
            thread.join(GUARD)
    assert file.closed


def test_large_files_are_closed_beside_and_their_room_counts_as_free(tmp_path, monkeypatch):
    monkeypatch.setattr(state_file, "_SLOW_TO_CLOSE", 0)
    state = new_state(tmp_path)
    file, closed = state._file._file, threading.Event()
    monkeypatch.setattr(threading.Thread, "start", lambda _: closed.set())
    state.release()
    assert closed.is_set()
    assert not file.closed
    monkeypatch.undo()
    thread, _ = state_file._closing[-1]
    free = state_file.free_disk_bytes(tmp_path)
    thread.start()
    state_file._await_closed(lambda: None)
    assert free > 0
    assert file.closed
    assert not state_file._closing


def test_states_that_fit_stay_in_memory(tmp_path, qasm):
    result = qasm.run(circuit_of(N), spill=tmp_path).result()
    assert result.results[0].metadata["device"] == "CPU"
