"""Jobs on every kind of executor, made by backends, forgotten, and at the end of their process."""

import contextlib
import gc
import itertools
import multiprocessing
import os
import pickle
import subprocess
import sys
import threading
import weakref
from concurrent.futures import CancelledError, Future, ProcessPoolExecutor

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.providers import JobError, JobStatus

from basicaer import BasicAer, BasicAerError, BasicAerJob, job_state
from basicaer.devices.cpu.device import NumpyDevice
from basicaer.devices.cpu.state import NumpyState
from basicaer.engine.monitor import Monitor, current_monitor
from basicaer.executor import DaemonThreadExecutor
from basicaer.handles.local import LocalHandle
from basicaer.simulators import running
from jobs import (
    BACKEND,
    GUARD,
    OUTCOME,
    ManualExecutor,
    bell,
    dividing_by_zero,
    new_job,
    polled_limit,
    submitted,
    succeed,
)

# Executors


def test_by_default_jobs_share_the_executor_of_their_class(manual, monkeypatch):
    assert isinstance(BasicAerJob._executor, DaemonThreadExecutor)
    threads = {submitted(lambda *_: threading.current_thread()).result(GUARD) for _ in range(9)}
    assert threads <= set(BasicAerJob._executor._threads)
    monkeypatch.setattr(BasicAerJob, "_executor", manual)
    job = submitted(succeed)
    assert len(manual.waiting) == 1
    manual.run_all()
    assert job.result(0) is OUTCOME
    quick = BACKEND.run(bell("quick"), shots=3)
    assert quick.status() is JobStatus.QUEUED
    manual.run_all()
    assert sum(quick.result(0).get_counts().values()) == 3


def test_a_backend_may_have_an_executor_and_a_run_another():
    of_backend, of_run = ManualExecutor(), ManualExecutor()
    backend = type(BACKEND)(executor=of_backend)
    first, second = backend.run(bell("a")), backend.run(bell("b"), executor=of_run)
    assert (len(of_backend.waiting), len(of_run.waiting)) == (1, 1)
    of_backend.run_all()
    assert (first.status(), second.status()) == (JobStatus.DONE, JobStatus.QUEUED)
    of_run.run_all()
    assert second.done()
    backend.set_options(executor=None)
    assert backend.run(bell("c")).result(GUARD).success
    assert len(of_backend.waiting) == 0


def test_what_is_no_executor_is_refused():
    with pytest.raises(BasicAerError, match=r"executor must be a concurrent\.futures\.Executor or None, not 'threads'"):
        BACKEND.run(bell("a"), executor="threads")


def test_on_an_unknown_executor_a_job_can_be_cancelled_before_it_starts(manual):
    calls = []
    job = submitted(lambda *call: calls.append(call), executor=manual)
    assert job.status() is JobStatus.QUEUED
    assert job.cancel() is True
    assert job.status() is JobStatus.CANCELLED
    assert job.cancel() is False
    with pytest.raises(CancelledError):
        job.result()
    manual.run_all()
    assert calls == []


def test_on_an_unknown_executor_a_job_that_has_started_is_not_cancelled(manual):
    job = submitted(succeed, executor=manual)
    manual.start()
    assert job.status() is JobStatus.RUNNING
    assert job.cancel() is False
    manual.finish()
    assert job.status() is JobStatus.DONE
    assert job.result(0) is OUTCOME
    assert job.cancel() is False


def test_to_an_unknown_executor_goes_nothing_that_cannot_be_pickled(manual):
    job = submitted(polled_limit, executor=manual, timeout=60)
    call = manual.waiting[0][1]
    assert pickle.loads(pickle.dumps(call))() == 60  # noqa: S301  # our own bytes
    manual.run_all()
    assert job.result(0) == 60


class Refuses(ManualExecutor):
    """Takes so many calls, and then does something else."""

    def __init__(self, calls, then):
        super().__init__()
        self.calls, self.then = calls, then

    def submit(self, fn, /, *args, **kwargs):
        self.calls -= 1
        return self.then() if self.calls < 0 else super().submit(fn, *args, **kwargs)


def no_room():
    raise OSError("no room at the inn")


def interrupt():
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("then", "error", "words"),
    [
        (no_room, OSError, "no room at the inn"),
        (interrupt, KeyboardInterrupt, None),
        (lambda: None, JobError, "returned None for job .*, which is not a future"),
    ],
)
def test_where_an_executor_does_not_take_all_parts_those_it_took_are_withdrawn(then, error, words):
    executor = Refuses(1, then)
    with pytest.raises(error, match=words):
        BACKEND.run([bell("a"), bell("b")], executor=executor, max_parallel_experiments=2)
    ((future, _),) = executor.waiting
    assert future.cancelled()
    assert job_state._unfinished == {}


def test_an_interrupt_of_run_after_the_work_was_sent_stops_it(one_thread, held, monkeypatch):
    """For nobody will have the job."""
    when_done = LocalHandle.when_done

    def interrupt_once(*given):
        monkeypatch.setattr(LocalHandle, "when_done", when_done)
        interrupt()

    monkeypatch.setattr(LocalHandle, "when_done", interrupt_once)
    job = new_job(held, executor=one_thread)
    with pytest.raises(KeyboardInterrupt):
        job.submit()
    held.go.set()
    job.wait_for_final_state(GUARD)
    assert job.cancelled()


def test_what_fn_returns_is_the_result_whatever_it_is(one_thread):
    for outcome in (None, 0, "text"):
        assert submitted(lambda *_, outcome=outcome: outcome, executor=one_thread).result(GUARD) is outcome


def test_a_monitor_belongs_to_one_job_and_to_no_other_code(one_thread):
    jobs = [submitted(lambda *_: current_monitor.get(), executor=one_thread) for _ in range(2)]
    monitors = [job.result(GUARD) for job in jobs]
    assert monitors == [job._state.parts[0].handle._monitor for job in jobs]
    assert one_thread.submit(current_monitor.get).result(GUARD) is None


def test_a_future_that_does_not_tell_its_state_is_a_job_error(manual, monkeypatch):
    class Silent(Future):
        def running(self):
            raise ConnectionError("no answer")

    monkeypatch.setitem(ManualExecutor.submit.__globals__, "Future", Silent)
    job = submitted(succeed, executor=manual)
    for ask in (job.status, job.running, job.in_final_state, job.wait_for_final_state):
        with pytest.raises(JobError, match="job 7 does not say whether it is running") as caught:
            ask()
        assert isinstance(caught.value.__cause__, ConnectionError)
    manual.run_all()
    assert job.status() is JobStatus.DONE


def test_processes_run_jobs_like_threads_and_send_their_failures_back():
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as pool:
        good = BACKEND.run(bell("first"), seed_simulator=5, executor=pool)
        bad = BACKEND.run([bell("first"), dividing_by_zero("second")], seed_simulator=5, executor=pool)
        here = BACKEND.run(bell("first"), seed_simulator=5).result(GUARD)
        assert good.result(GUARD).get_counts() == here.get_counts()
        with pytest.raises(BasicAerError, match="divides by zero") as caught:
            bad.result(GUARD)
        assert caught.value.partial.get_counts("first") == here.get_counts()
        assert bad.partial_result().get_counts("first") == here.get_counts()
        assert (good.status(), bad.status()) == (JobStatus.DONE, JobStatus.ERROR)
        assert good.cancel() is bad.cancel() is False


# Jobs that backends make


def big(name):
    circuit = QuantumCircuit(14, name=name)
    for qubit in range(100):
        circuit.h(qubit % 14)
        circuit.cx(qubit % 14, (qubit + 1) % 14)
    circuit.measure_all()
    return circuit


@pytest.fixture
def before(monkeypatch):
    """A dictionary: circuit's name -> what is to be called before that circuit is run, or sampled among others."""
    calls = {}

    def execute(request, *args, **keys):
        calls.get(request.program.name, lambda: None)()
        return run(request, *args, **keys)

    def outcomes(programs, *args, **keys):
        found = run_together(programs, *args, **keys)
        for program in programs:
            calls.get(program.name, lambda: None)()
            yield next(found)

    run, run_together = running.execute, running.outcomes
    monkeypatch.setattr(running, "execute", execute)
    monkeypatch.setattr(running, "outcomes", outcomes)
    return calls


@pytest.mark.parametrize("name", ["qasm_simulator", "statevector_simulator"])
def test_a_job_cancelled_in_the_middle_of_a_big_circuit_gives_its_memory_back(name, one_thread, monkeypatch):
    backend = BasicAer.get_backend(name)
    halted, go = threading.Event(), threading.Event()
    polls = itertools.count()
    made, released = [], []
    poll, new_state, release = Monitor.poll, NumpyDevice.new_state, NumpyState.release

    def poll_and_halt(monitor):
        if made and next(polls) == 5:
            halted.set()
            assert go.wait(GUARD)
        poll(monitor)

    monkeypatch.setattr(Monitor, "poll", poll_and_halt)
    monkeypatch.setattr(NumpyDevice, "new_state", lambda *args: made.append(new_state(*args)) or made[-1])
    monkeypatch.setattr(NumpyState, "release", lambda state: released.append(state) or release(state))
    job = backend.run(big("big"), executor=one_thread)
    assert halted.wait(GUARD)
    assert job.status() is JobStatus.RUNNING
    assert len(made) == 1
    assert released == []
    assert job.cancel() is True
    assert job.status() is JobStatus.RUNNING
    go.set()
    job.wait_for_final_state(GUARD)
    assert job.status() is JobStatus.CANCELLED
    assert released == made
    with pytest.raises(CancelledError):
        job.result()
    assert job.partial_result().results == []
    assert backend.run(bell("after"), executor=one_thread).result(GUARD).success


def test_a_later_experiment_that_fails_leaves_the_result_of_those_before_it(one_thread):
    job = BACKEND.run([bell("first"), dividing_by_zero("second"), bell("third")], shots=9, executor=one_thread)
    with pytest.raises(BasicAerError, match="divides by zero") as caught:
        job.result(GUARD)
    assert job.status() is JobStatus.ERROR
    partial_result = job.partial_result()
    assert caught.value.partial is partial_result
    assert [experiment.header["name"] for experiment in partial_result.results] == ["first"]
    assert sum(partial_result.get_counts("first").values()) == 9
    assert partial_result.job_id == job.job_id()


def test_a_failure_of_any_kind_carries_the_experiments_before_it(one_thread, before):
    def fail():
        raise MemoryError("no room")

    before["second"] = fail
    job = BACKEND.run([bell("first"), bell("second")], executor=one_thread)
    with pytest.raises(MemoryError, match="no room") as caught:
        job.result(GUARD)
    assert [experiment.header["name"] for experiment in caught.value.partial.results] == ["first"]


def test_a_job_cancelled_in_a_later_experiment_keeps_those_before_it(one_thread, before):
    begun, go = threading.Event(), threading.Event()
    before["second"] = lambda: (begun.set(), go.wait(GUARD))
    job = BACKEND.run([bell("first"), bell("second")], shots=9, executor=one_thread)
    assert begun.wait(GUARD)
    assert job.cancel()
    go.set()
    job.wait_for_final_state(GUARD)
    assert job.cancelled()
    assert [experiment.header["name"] for experiment in job.partial_result().results] == ["first"]
    assert sum(job.partial_result().get_counts("first").values()) == 9


@pytest.mark.parametrize("given", ["run", "backend"])
def test_a_backends_timeout_ends_its_jobs_and_keeps_what_was_finished(one_thread, before, clock, given):
    def let_time_pass():
        clock.now += 31

    before["second"] = let_time_pass
    options = {"timeout": 30, "executor": one_thread}
    backend = type(BACKEND)(**options) if given == "backend" else BACKEND
    job = backend.run([bell("first"), bell("second")], **(options if given == "run" else {}))
    with pytest.raises(BasicAerError, match="time limit of 30 s") as caught:
        job.result(GUARD)
    assert job.status() is JobStatus.ERROR
    assert [experiment.header["name"] for experiment in caught.value.partial.results] == ["first"]


def test_a_tiny_job_runs_inside_run_on_the_default_executor_only(one_thread, before):
    threads = []
    before["tiny"] = lambda: threads.append(threading.current_thread())
    job = BACKEND.run(bell("tiny"), shots=1)
    assert job.status() is JobStatus.DONE
    assert job.cancel() is False
    BACKEND.run(bell("tiny"), shots=1, executor=one_thread).result(GUARD)
    assert threads[0] is threading.current_thread()
    assert threads[1] in one_thread._threads


def test_a_big_job_does_not_run_inside_run(before):
    threads = []
    before["big"] = lambda: threads.append(threading.current_thread())
    BACKEND.run(big("big"), shots=1).result(GUARD)
    assert threads[0] in BasicAerJob._executor._threads


def test_a_wide_matrix_does_not_run_inside_run(before):
    threads = []
    before["wide"] = lambda: threads.append(threading.current_thread())
    wide = QuantumCircuit(9, name="wide")
    wide.unitary(np.eye(2**9), range(9))
    wide.measure_all()
    BACKEND.run(wide, shots=1).result(GUARD)
    assert threads[0] in BasicAerJob._executor._threads


def test_a_tiny_job_that_fails_does_so_in_result(before):
    def fail():
        raise MemoryError("no room")

    before["tiny"] = fail
    job = BACKEND.run(bell("tiny"), shots=1)
    assert job.status() is JobStatus.ERROR
    with pytest.raises(MemoryError, match="no room"):
        job.result()


def test_an_interrupt_in_a_tiny_job_interrupts_run(before):
    def interrupt():
        raise KeyboardInterrupt

    before["tiny"] = interrupt
    with pytest.raises(KeyboardInterrupt):
        BACKEND.run(bell("tiny"), shots=1)


def test_a_job_may_run_another_in_its_own_thread(one_thread):
    def outer(_job_id, _payload):
        monitor = current_monitor.get()
        counts = BACKEND.run(bell("tiny"), shots=3).result(0).get_counts()
        return current_monitor.get() is monitor, sum(counts.values())

    assert submitted(outer, executor=one_thread).result(GUARD) == (True, 3)


# Being forgotten


def finished(held):
    return held


def failed(held):
    def fail(*call):
        held(*call)
        raise ValueError

    return fail


@pytest.mark.parametrize("kind", [finished, failed])
@pytest.mark.parametrize("cancelled", [False, True], ids=["", "cancelled"])
@pytest.mark.parametrize("asked", [lambda job: job, BasicAerJob.future], ids=["", "future"])
def test_a_job_that_has_ended_goes_with_its_last_user_and_takes_its_result_along(
    one_thread, held, kind, cancelled, asked
):
    gc.collect()
    gc.disable()  # a result may be gigabytes: it must not wait for the collector
    try:
        job = submitted(kind(held), executor=one_thread)
        assert held.began.wait(GUARD)
        if cancelled:
            job.cancel()
        held.go.set()
        one_thread.shutdown()
        with contextlib.suppress(ValueError, CancelledError):
            asked(job).result(0)
        remembered = weakref.ref(job)
        del job
        assert remembered() is None
    finally:
        gc.enable()


def test_a_job_that_nobody_holds_runs_to_its_end_and_is_forgotten_then(one_thread, held):
    remembered = weakref.ref(submitted(held, executor=one_thread))
    assert held.began.wait(GUARD)
    gc.collect()
    assert remembered() is not None
    assert remembered() in {part.job for part in job_state._unfinished.values()}
    held.go.set()
    one_thread.shutdown()
    gc.collect()
    assert remembered() is None


# The end of the process, and its doubling

PREAMBLE = """
import os, signal, sys, threading
from basicaer import BasicAer, BasicAerJob
from basicaer import job_state
from basicaer.devices.limits import usable_cores
from basicaer.engine.monitor import current_monitor
from basicaer.errors import Cancelled
from qiskit import QuantumCircuit

begun = threading.Event()

def endless(job_id, payload):
    begun.set()
    try:
        while True:
            current_monitor.get().poll()
    except Cancelled:
        print("stopped\\n", end="", flush=True)  # in one piece, since others print as well
        raise

def deaf(job_id, payload):
    begun.set()
    threading.Event().wait()

def submitted(fn):
    job = BasicAerJob(None, "job 7", fn, lambda: None)
    job.submit()
    return job
"""


def python(script):
    """Run a script in a new interpreter; return its exit code and what it wrote."""
    done = subprocess.run(
        [sys.executable, "-c", PREAMBLE + script], capture_output=True, text=True, timeout=2 * GUARD, check=False
    )
    return done.returncode, done.stdout, done.stderr


def test_the_interpreter_exits_with_jobs_running_and_queued_and_stops_those_that_listen():
    script = """
jobs = [submitted(endless) for _ in range(usable_cores() + 2)]
begun.wait()
sys.exit(0)
"""
    code, output, errors = python(script)
    assert (code, errors) == (0, "")
    assert set(output.splitlines()) == {"stopped"}


def test_the_interpreter_exits_with_a_job_that_never_stops():
    script = """
job_state._EXIT_SECONDS = 0.01  # is one second otherwise
submitted(deaf)
begun.wait()
"""
    assert python(script) == (0, "", "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this platform")
def test_after_a_fork_the_child_can_run_jobs_and_exit_whatever_the_parent_was_doing():
    script = """
bell = QuantumCircuit(2)
bell.h(0)
bell.cx(0, 1)
bell.measure_all()
backend = BasicAer.get_backend("qasm_simulator")
busy = [submitted(endless) for _ in range(usable_cores())]
begun.wait()
busy[0]._state._lock.acquire()  # as if a thread of the parent held it now: in the child nobody will release it
child = os.fork()
if child == 0:
    signal.alarm(30)  # a child that hangs ends with a signal
    counts = submitted(lambda job_id, payload: backend.run(bell, shots=8).result().get_counts()).result()
    assert sum(counts.values()) == 8
    sys.exit(0)  # through everything that is done at exit, unlike os._exit
_, status = os.waitpid(child, 0)
busy[0]._state._lock.release()
for job in busy:
    job.cancel()
    job.wait_for_final_state()
print(os.waitstatus_to_exitcode(status))
"""
    code, output, errors = python(script)
    assert code == 0, errors
    assert output.splitlines()[-1] == "0", errors


def idle_measured():
    circuit = QuantumCircuit(3, name="idle measured")
    circuit.h(0)
    circuit.measure_all()
    return circuit


def looping():
    circuit = QuantumCircuit(1, 1, name="looping")
    with circuit.for_loop(range(2)):
        circuit.h(0)
    circuit.measure(0, 0)
    return circuit


@pytest.mark.parametrize(("circuit", "here"), [(bell("few gates"), True), (idle_measured(), True), (looping(), False)])
def test_what_is_over_sooner_than_a_hop_to_another_thread_runs_in_the_callers(circuit, here, monkeypatch):
    ran_in = []
    real = running.execute

    def execute(*arguments, **keys):
        ran_in.append(threading.current_thread())
        return real(*arguments, **keys)

    monkeypatch.setattr(running, "execute", execute)
    BACKEND.run(circuit).result(GUARD)
    assert (ran_in == [threading.current_thread()]) == here
