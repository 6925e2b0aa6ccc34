"""Jobs that are saved when they have to stop: cancelled, at their time limit, or on SIGTERM."""

import pickle
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from basicaer import BasicAer, BasicAerError, BasicAerJob, JobTimeLimitError, job_state, termination
from basicaer.engine.monitor import Monitor, current_monitor
from basicaer.engine.suspended import Suspension
from basicaer.errors import Cancelled
from basicaer.payload import OpaquePayload
from basicaer.persistence import folder as folder_module
from basicaer.persistence.persister import load_job
from basicaer.simulation import Persistence
from basicaer.simulators import running as running_module
from conftest import DEVICES
from jobs import GUARD, until
from test_saving import BACKEND, layers, outcome, run, work_of

NEVER = 1e9  # seconds between two saves


@pytest.fixture(autouse=True)
def _quick_disk(monkeypatch):
    monkeypatch.setattr(folder_module.os, "fsync", lambda _file: None)


@pytest.fixture(params=["CPU-tiny-tiles", "GPU-emulated"])
def device(request, monkeypatch):
    device = DEVICES[request.param]()
    monkeypatch.setattr(running_module, "choose_device", lambda *_, **__: (device, "a test wants it"))
    return device


class StopsWithin(Monitor):
    """Has to stop in the middle of a pass: it is cancelled then, or its time has passed."""

    def __init__(self, passes=None, clock=None, timeout=None):
        super().__init__(timeout)
        self.clock = clock
        self.left = passes
        self.advanced = 0.0

    def advance(self, passes):
        super().advance(passes)
        self.advanced += passes
        if self.left is not None and self.advanced > self.left:
            if self.clock is None:
                self.cancel()
            else:
                self.clock.now += 95


@pytest.mark.parametrize("passes", [0.1, 2.3])
def test_a_job_that_is_cancelled_within_a_pass_is_saved_after_it(passes, device, tmp_path):
    work, monitor = work_of([layers(9, depth=8)]), StopsWithin(passes)
    whole = StopsWithin()
    want = outcome(run(work, monitor=whole))
    with pytest.raises(Cancelled):
        run(work, Persistence(str(tmp_path), NEVER), monitor)
    assert monitor.advanced == pytest.approx(int(passes) + 1)
    assert (tmp_path / "running.save").is_file()
    rest = StopsWithin()
    assert outcome(run(load_job(tmp_path)[1], Persistence(str(tmp_path), NEVER), rest)) == want
    assert rest.advanced == pytest.approx(whole.advanced - monitor.advanced)  # nothing is done twice


@pytest.mark.parametrize(("margin", "passes"), [(0.0, 2), (10.0, 1), (99.0, 1)])
def test_a_job_at_its_time_limit_is_saved_and_says_where(margin, passes, device, clock, tmp_path):
    work = work_of([layers(9, depth=8)])
    monitor = StopsWithin(0, clock, timeout=100.0)
    monitor.start()
    with pytest.raises(JobTimeLimitError) as caught:
        run(work, Persistence(str(tmp_path), NEVER, margin=margin), monitor)
    assert 0 < monitor.advanced <= passes
    assert (tmp_path / "running.save").is_file()
    early = f"stopped {margin:g} s before" if margin else "reached"
    error = pickle.loads(pickle.dumps(caught.value))  # noqa: S301  # as it comes from a worker process
    assert error.reached.startswith(f"The job {early} its time limit of 100 s in phase 'gates'")
    assert error.message == f"{error.reached}; it is saved, and BasicAer.resume('{tmp_path}') continues it."
    assert error.saved_in == str(tmp_path)
    assert outcome(run(load_job(tmp_path)[1], Persistence(str(tmp_path), NEVER))) == outcome(run(work))


def test_a_job_that_is_resumed_says_so_too(clock, tmp_path):
    work = work_of([layers(12, depth=8)])
    with pytest.raises(Cancelled):
        run(work, Persistence(str(tmp_path), NEVER), StopsWithin(0))
    monitor = StopsWithin(0, clock, timeout=50.0)
    monitor.start()
    clock.now += 60
    with pytest.raises(JobTimeLimitError, match=r"it is saved, and BasicAer\.resume"):
        run(load_job(tmp_path)[1], Persistence(str(tmp_path), NEVER), monitor)


@pytest.mark.parametrize("device", ["CPU-tiny-tiles"], indirect=True)
def test_a_job_that_is_not_saved_stops_within_the_pass(device, clock):
    for monitor, error in ((StopsWithin(2.1), Cancelled), (StopsWithin(2.1, clock, timeout=10.0), JobTimeLimitError)):
        monitor.start()
        with pytest.raises(error) as caught:
            run(work_of([layers(9, depth=8)]), monitor=monitor)
        assert 2.1 < monitor.advanced < 3 - 0.1
    assert caught.value.message.endswith("; give a longer timeout= or none, or a smaller circuit or fewer shots.")
    assert caught.value.saved_in is None


def test_gates_without_a_plan_are_not_waited_for(tmp_path):
    """A small state cannot be saved between gates, of which there may be many."""
    circuit, polls = layers(5, depth=40), []

    class Counts(Monitor):
        def poll(self):
            polls.append(self._is_held)
            super().poll()

    run(work_of([circuit]), Persistence(str(tmp_path / "whole"), NEVER), Counts())
    assert len(polls) > 100
    held = [at for at, is_held in enumerate(polls) if is_held]
    assert len(held) < 20  # those while the result is written
    monitor = Counts()
    monitor.start()
    monitor.cancel()
    with pytest.raises(Cancelled):
        run(work_of([circuit]), Persistence(str(tmp_path / "cancelled"), NEVER), monitor)


def test_the_result_of_a_circuit_is_still_written_when_the_job_is_cancelled(tmp_path, monkeypatch):
    monitor, write = Monitor(), folder_module.JobFolder._write_file

    def cancelled_meanwhile(folder, path, parts):
        if path.name.startswith("circuit-0"):
            monitor.cancel()
        write(folder, path, parts)

    monkeypatch.setattr(folder_module.JobFolder, "_write_file", cancelled_meanwhile)
    with pytest.raises(Cancelled):
        run(work_of([layers(5), layers(6)]), Persistence(str(tmp_path), NEVER), monitor)
    assert sorted(path.name for path in tmp_path.glob("*.save")) == ["circuit-0.save", "job.save"]


def test_a_monitor_is_held_for_a_block_only():
    monitor = Monitor()
    monitor.start()
    monitor.cancel()
    with monitor.held():
        monitor.poll()
        assert monitor.must_stop
        with pytest.raises(Cancelled):
            monitor.stop()
    with pytest.raises(Cancelled):
        monitor.poll()


def test_messages_are_exchanged_while_a_monitor_is_held():
    class Link:
        interval = 0.0

        def exchange(self, _progress):
            return True

    monitor = Monitor(link=Link())
    with monitor.held():
        monitor.poll()
    assert monitor.must_stop
    with pytest.raises(Cancelled):
        monitor.poll()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"checkpoint_margin": 5}, "checkpoint_margin is for a job that is saved: give checkpoint_dir, or leave it"),
        ({"checkpoint_every": 5}, "checkpoint_every is for a job that is saved: give checkpoint_dir, or leave it out"),
        (
            {"checkpoint_margin": 5, "checkpoint_dir": "a"},
            r"checkpoint_margin \(5 s\) is the time before a time limit: give timeout too, or leave it out\.",
        ),
        ({"checkpoint_on_sigterm": True}, "checkpoint_on_sigterm is for a job that is saved: give checkpoint_dir"),
        (
            {"checkpoint_margin": 5, "timeout": 5, "checkpoint_dir": "a"},
            r"checkpoint_margin \(5 s\) must be less than timeout \(5 s\)\.",
        ),
        ({"checkpoint_margin": -1, "checkpoint_dir": "a"}, "checkpoint_margin must be a number of seconds, at least 0"),
        ({"checkpoint_on_sigterm": 1, "checkpoint_dir": "a"}, "checkpoint_on_sigterm must be True or False, not 1"),
    ],
)
def test_options_that_cannot_be_are_refused(options, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BasicAerError, match=words):
        BACKEND.run(layers(5), **options)
    if "timeout" in options:
        with pytest.raises(BasicAerError, match=words):
            BasicAer.resume(**options)


# The end of the interpreter.


@pytest.mark.parametrize("is_saved", [True, False])
def test_the_exit_of_the_interpreter_waits_for_jobs_that_are_saved_and_not_for_others(
    is_saved, one_thread, monkeypatch
):
    monkeypatch.setattr(job_state, "_EXIT_SECONDS", 0.0)
    began, go = threading.Event(), threading.Event()

    def work(_job_id, _payload):
        began.set()
        until(lambda: current_monitor.get().must_stop)
        go.wait(GUARD)
        raise Cancelled

    job = BasicAerJob(
        BACKEND,
        "job 7",
        work,
        lambda: None,
        prepare=lambda: OpaquePayload(None, is_saved=is_saved),
        executor=one_thread,
    )
    job.submit()
    assert began.wait(GUARD)
    real = job._state.ended.wait
    monkeypatch.setattr(
        job._state.ended, "wait", lambda seconds: (go.set() if seconds is None else None, real(seconds))
    )
    job_state._cancel_unfinished()
    assert job.in_final_state() == is_saved
    go.set()


def test_ctrl_c_ends_the_wait_at_the_exit_without_a_word(one_thread, held, monkeypatch):
    job = BasicAerJob(
        BACKEND, "job 7", held, lambda: None, prepare=lambda: OpaquePayload(None, is_saved=True), executor=one_thread
    )
    job.submit()
    assert held.began.wait(GUARD)
    waits = []

    def interrupt(seconds):
        waits.append(seconds)
        raise KeyboardInterrupt

    with monkeypatch.context() as interrupted:
        interrupted.setattr(job._state.ended, "wait", interrupt)
        job_state._cancel_unfinished()
    assert waits == [None]


# SIGTERM.


needs_signals = pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="signals are sent as on POSIX")


@pytest.fixture
def ends(monkeypatch):
    """A user's own handler of SIGTERM: the list of what it has seen."""
    seen = []
    before = signal.signal(signal.SIGTERM, lambda number, _frame: seen.append(number))
    monkeypatch.setattr(termination, "_saver", termination._Saver())
    yield seen
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def sent(monkeypatch):
    """Sends SIGTERM within the second pass of a job, and waits for what follows from it."""
    passes, pass_done = [], Suspension.pass_done

    def send(suspension, suspended, state):
        passes.append(1)
        pass_done(suspension, suspended, state)
        if len(passes) == 2:
            until(lambda: signal.getsignal(signal.SIGTERM) == termination._saver._handle)  # `run` is about to return
            signal.pthread_kill(threading.main_thread().ident, signal.SIGTERM)
            until(lambda: current_monitor.get().must_stop)

    monkeypatch.setattr(Suspension, "pass_done", send)
    return passes


@needs_signals
def test_sigterm_saves_a_job_and_then_does_what_it_did_before(ends, sent, tmp_path, one_thread):
    folder = tmp_path / "job"
    job = BACKEND.run(
        layers(18, depth=6),
        device="CPU",
        executor=one_thread,
        checkpoint_dir=folder,
        checkpoint_every=NEVER,
        checkpoint_on_sigterm=True,
        seed_simulator=5,
    )
    job.wait_for_final_state(GUARD)
    assert job.cancelled()
    until(lambda: ends)
    assert ends == [signal.SIGTERM]
    assert (folder / "running.save").is_file()
    again = BasicAer.resume(folder, checkpoint_on_sigterm=True).result(GUARD)
    assert again.get_counts() == BACKEND.run(layers(18, depth=6), seed_simulator=5).result(GUARD).get_counts()
    signal.raise_signal(signal.SIGTERM)  # when there is nothing to save any more
    assert ends == [signal.SIGTERM] * 2


class FakeJob:
    """A job that stops when it is told to."""

    def __init__(self, *, can_cancel=True):
        self._state = self
        self.final = None
        self.stopped = threading.Event()
        self.let_gone = threading.Event()
        self.asked = threading.Event()
        self._can_cancel = can_cancel

    def cancel(self):
        self.asked.set()
        return self._can_cancel

    def hold(self):
        assert not self.asked.is_set()

    def let_go(self):
        self.let_gone.set()

    def end(self):
        self.final = "CANCELLED"
        self.stopped.set()


@needs_signals
def test_a_second_sigterm_is_passed_on_at_once(ends):
    job = FakeJob()
    termination.save_on_sigterm(job)
    signal.raise_signal(signal.SIGTERM)
    assert job.asked.wait(GUARD)
    assert ends == []
    signal.raise_signal(signal.SIGTERM)
    assert ends == [signal.SIGTERM]
    job.end()
    assert job.let_gone.wait(GUARD)


ENDS = "while not termination.is_saving(): pass"  # and then comes to its end

WAITS = """
import asyncio, os, signal, sys, threading
from concurrent.futures import as_completed
from qiskit import QuantumCircuit
from basicaer import BasicAer, termination, watch
from basicaer.engine.monitor import Monitor

circuit = QuantumCircuit(16)
for layer in range(60):
    circuit.ry(.1 + layer, range(16))
    circuit.cx(range(15), range(1, 16))
circuit.measure_all()
backend = BasicAer.get_backend("qasm_simulator", device="CPU", max_parallel_threads=1)
go = threading.Event()

def hold(progress):  # until the signal has come
    go.wait()

def run(number):
    folder = f"{{sys.argv[1]}}/{{number}}"
    return backend.run(circuit, checkpoint_dir=folder, checkpoint_on_sigterm=True, callback=hold)

kill = signal.pthread_kill

def late(thread, number):  # the main thread has all the time to go on before the signal comes
    for job in jobs:
        job._state.stopped.wait()
    threading.Event().wait(0.2)
    kill(thread, number)

termination.signal.pthread_kill = late
jobs = [run(number) for number in range(2)]

def end():
    os.kill(os.getpid(), signal.SIGTERM)
    while not termination.is_saving():
        pass
    go.set()

threading.Thread(target=end, daemon=True).start()
{wait}
print("went on", flush=True)
"""


@pytest.mark.slow
@needs_signals
@pytest.mark.parametrize(
    "wait",
    [
        "jobs[0].result()",
        "jobs[0].wait_for_final_state()",
        "watch(jobs[0])",
        "jobs[0].future().exception()",
        "list(as_completed([job.future() for job in jobs]))",
        "async def both(): await asyncio.gather(*jobs)\nasyncio.run(both())",
        ENDS,
    ],
)
def test_no_way_of_waiting_sees_the_end_of_a_job_before_the_signal_is_passed_on(wait, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", WAITS.format(wait=wait), tmp_path],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout) == (-signal.SIGTERM, "went on\n" if wait == ENDS else ""), done.stderr
    assert all((tmp_path / str(number) / "job.save").is_file() for number in range(2))


@needs_signals
def test_a_job_that_cannot_be_cancelled_is_not_waited_for(ends):
    job = FakeJob(can_cancel=False)
    termination.save_on_sigterm(job)
    signal.raise_signal(signal.SIGTERM)
    until(lambda: ends)
    assert job.asked.is_set()
    job.end()


@needs_signals
def test_a_handler_that_is_set_later_is_called_too(ends):
    termination.save_on_sigterm(first := FakeJob())
    later = []
    signal.signal(signal.SIGTERM, lambda number, _frame: later.append(number))
    first.end()
    termination.save_on_sigterm(second := FakeJob())
    signal.raise_signal(signal.SIGTERM)
    assert second.asked.wait(GUARD)
    second.end()
    until(lambda: later)
    assert (later, ends) == ([signal.SIGTERM], [])


@needs_signals
def test_a_signal_that_does_not_wake_the_main_thread_is_sent_again(ends, monkeypatch):
    kill, sent = signal.pthread_kill, []
    monkeypatch.setattr(
        signal, "pthread_kill", lambda *thread_and_signal: sent.append(1) or len(sent) == 1 or kill(*thread_and_signal)
    )
    termination.save_on_sigterm(job := FakeJob())
    signal.raise_signal(signal.SIGTERM)
    job.end()
    until(lambda: ends)
    assert len(sent) == 2


DIES = """
import signal, sys, threading
from basicaer import termination
sys.path.insert(0, {tests!r})
from test_saving_stops import FakeJob
job = FakeJob()
if {ignored}:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
termination.save_on_sigterm(job)
threading.Thread(target=lambda: (job.asked.wait(), print("saved", flush=True), job.end())).start()
signal.raise_signal(signal.SIGTERM)
job.stopped.wait()
threading.Event().wait({ignored} and 0.01 or None)
print("goes on")
"""


@pytest.mark.slow
@needs_signals
@pytest.mark.parametrize("ignored", [False, True])
def test_without_a_handler_the_process_ends_by_the_signal_once_the_job_is_saved(ignored):
    code = DIES.format(tests=str(Path(__file__).parent), ignored=ignored)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert (done.stdout, done.returncode) == (("saved\ngoes on\n", 0) if ignored else ("saved\n", -signal.SIGTERM))


def test_outside_of_the_main_thread_it_is_refused_before_anything_runs(tmp_path):
    caught = []

    def submit():
        try:
            BACKEND.run(layers(5), checkpoint_dir=tmp_path / "job", checkpoint_on_sigterm=True)
        except BasicAerError as error:
            caught.append(error.message)

    thread = threading.Thread(target=submit)
    thread.start()
    thread.join(GUARD)
    assert caught[0].startswith(
        "checkpoint_on_sigterm needs run() to be called in the main thread, where Python handles"
    )
    assert not (tmp_path / "job").exists()


def test_a_forked_child_has_no_jobs_to_save(ends):
    termination.save_on_sigterm(FakeJob())
    termination._saver._start_empty()  # as in a child
    signal.raise_signal(signal.SIGTERM)
    assert ends == [signal.SIGTERM]
