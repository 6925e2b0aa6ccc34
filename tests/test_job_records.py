"""What jobs tell of themselves: progress to a callback, their parts, times, representation, list and log."""

import contextlib
import copy
import gc
import pickle
import signal
import subprocess
import sys
import weakref
from concurrent.futures import Executor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool

import pytest
from qiskit.providers import JobError, JobStatus

import basicaer
from basicaer import BasicAerError, JobTimeLimitError, job_state, jobs
from basicaer import job as job_module
from basicaer.devices.cpu.device import NumpyDevice
from basicaer.engine.monitor import Monitor, current_monitor
from basicaer.engine.progress import Progress
from basicaer.errors import BasicAerWarning, WorkerLostError
from basicaer.executor import DaemonThreadExecutor
from jobs import BACKEND, GUARD, Clock, InGates, bell, endless, new_job, submitted, succeed

# Progress


class Unspeakable(Exception):  # noqa: N818
    def __str__(self):
        raise ValueError("no words")

    __repr__ = __str__


def failing(error):
    """A callback that raises, and what it has been told."""
    told = []

    def callback(progress):
        told.append(progress)
        raise error

    return callback, told


WHERE = {
    "inside run": {},
    "on daemon threads": {"executor": DaemonThreadExecutor(2)},
    "on threads": {"executor": ThreadPoolExecutor(2)},
    "in parts": {"executor": ThreadPoolExecutor(1), "max_parallel_experiments": 2},
}
FAILURES = {
    "ValueError: too many cooks": ValueError("too many cooks"),
    "SystemExit: 3": SystemExit(3),
    "KeyboardInterrupt": KeyboardInterrupt(),
    "GeneratorExit": GeneratorExit(),
    "BasicAerWarning: enough": BasicAerWarning("enough"),
    "ValueError: two lines": ValueError("two\nlines"),
    "Unspeakable": Unspeakable(),
}


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("failure", FAILURES)
def test_a_callback_that_fails_is_warned_of_where_the_job_is_waited_for(where, failure, caplog):
    callback, told = failing(FAILURES[failure])
    job = BACKEND.run([bell("a"), bell("b")], shots=9, callback=callback, **WHERE[where])
    words = rf"callback of job .* failed \(.*{failure}.*\) and was not called again"
    with pytest.warns(BasicAerWarning, match=words) as all_:
        assert sum(job.result(GUARD).get_counts("b").values()) == 9
    assert [warning.filename for warning in all_] == [__file__]
    assert [type(progress) for progress in told] == [Progress]  # and not called again, not by another part either
    assert "callback of a job failed and is not called again; the job goes on" in caplog.text
    job.wait_for_final_state(GUARD)  # no second warning, which would be an error here
    assert job.result(GUARD).success


def test_waiting_for_the_end_warns_of_a_callback_too_and_loses_no_result(one_thread):
    job = BACKEND.run(bell("a"), shots=9, callback=failing(ValueError("no"))[0], executor=one_thread)
    with pytest.raises(BasicAerWarning, match=r"failed .ValueError: no. and was not called"):  # as all warnings here
        job.wait_for_final_state(GUARD)
    assert sum(job.result(GUARD).get_counts().values()) == 9


@pytest.mark.parametrize("handler", [signal.default_int_handler, lambda *_: 1 / 0], ids=["Python's own", "another"])
def test_an_interrupt_while_a_callback_is_called_inside_run_comes_out_of_it(handler):
    """Unless whoever answers interrupts makes something else of them: that is the callback's failure then."""
    before = signal.signal(signal.SIGINT, handler)
    try:
        job = None
        with contextlib.suppress(KeyboardInterrupt):
            job = BACKEND.run(bell("a"), callback=lambda _: signal.raise_signal(signal.SIGINT))
        assert signal.getsignal(signal.SIGINT) is handler
    finally:
        signal.signal(signal.SIGINT, before)
    assert (job is None) == (handler is signal.default_int_handler)
    if job is not None:
        with pytest.warns(BasicAerWarning, match="ZeroDivisionError"):
            job.result(GUARD)


def test_a_callback_may_change_who_answers_interrupts():
    def another(*_arguments):
        pass

    before = signal.getsignal(signal.SIGINT)
    try:
        BACKEND.run(bell("a"), callback=lambda _: signal.signal(signal.SIGINT, another)).result(GUARD)
        assert signal.getsignal(signal.SIGINT) is another
    finally:
        signal.signal(signal.SIGINT, before)


def test_what_is_finished_does_not_count_for_the_circuit_that_comes_next():
    monitor = Monitor()
    monitor.expect_experiments(2)
    monitor.start()
    monitor.expect(4, 1)
    monitor.advance(4)
    monitor.finish_experiment(0, {})
    assert monitor.progress().fraction == 0.5
    monitor.expect(4, 1)
    monitor.advance(4)
    monitor.finish_experiment(1, {})
    assert monitor.progress().fraction == 1
    assert monitor.progress().passes == 4


def test_the_progress_of_a_job_that_has_ended_stands_still(one_thread, held, clock):
    def work(*call):
        monitor = current_monitor.get()
        monitor.expect_experiments(3)
        monitor.finish_experiment(0, {})
        monitor.expect(40, 10)
        monitor.advance(12)
        clock.now += 3
        return held(*call)

    job = submitted(work, executor=one_thread)
    assert held.began.wait(GUARD)
    job.cancel()
    held.go.set()
    job.wait_for_final_state(GUARD)
    clock.now += 60
    assert job.progress() == Progress("stopped", 1, 3, 12, 40, 0, 10, 3.0, None, (("planning", 3.0),))
    assert job.progress().fraction == (1 + 12 / 40) / 3


# Parts


@pytest.mark.parametrize(("most", "parts"), [(1, 1), (2, 2), (9, 4), (0, min(NumpyDevice().threads, 4))])
def test_circuits_are_spread_over_the_executor_and_give_the_same_in_the_same_order(manual, most, parts):
    circuits = [bell(name) for name in "abcd"]
    want = BACKEND.run(circuits, shots=50, seed_simulator=7).result()
    job = BACKEND.run(circuits, shots=50, seed_simulator=7, max_parallel_experiments=most, executor=manual)
    assert len(manual.waiting) == parts
    manual.run_all()
    got = job.result(0)
    assert [item.header["name"] for item in got.results] == list("abcd")
    assert [item.data.counts for item in got.results] == [item.data.counts for item in want.results]


# The time limit


def test_a_time_limit_given_to_run_ends_the_work_and_says_how_far_it_came(one_thread, clock):
    def let_time_pass(progress):
        clock.now += 31

    job = BACKEND.run([bell("a"), bell("b")], timeout=30, callback=let_time_pass, executor=one_thread)
    with pytest.raises(JobTimeLimitError, match=r"time limit of 30 s in phase '\w+'.*; give a longer") as caught:
        job.result(GUARD)
    assert job.status() is JobStatus.ERROR
    assert isinstance(caught.value, BasicAerError)
    assert not isinstance(caught.value, TimeoutError)  # which is what result(timeout=) raises of a job that goes on


# Records


def test_repr_says_what_and_where_and_how_it_is(one_thread, held):
    job = new_job(held, executor=one_thread)
    assert repr(job) == "<BasicAerJob job 7 on qasm_simulator: not submitted>"
    job.submit()
    assert held.began.wait(GUARD)
    assert repr(job) == "<BasicAerJob job 7 on qasm_simulator: RUNNING>"
    job._state.is_inherited = True
    assert repr(job) == "<BasicAerJob job 7 on qasm_simulator: in the parent process>"
    job._state.is_inherited = False
    job.cancel()
    held.go.set()
    job.wait_for_final_state(GUARD)
    assert repr(job) == "<BasicAerJob job 7 on qasm_simulator: CANCELLED>"


def test_repr_of_a_job_whose_future_tells_nothing(manual, monkeypatch):
    job = submitted(succeed, executor=manual)
    monkeypatch.setattr(type(manual.waiting[0][0]), "running", lambda _: 1 / 0)
    assert repr(job) == "<BasicAerJob job 7 on qasm_simulator: unknown>"


@pytest.fixture
def stepping(monkeypatch):
    """A clock that goes on by a second whenever it is read."""

    class Stepping(Clock):
        def time(self):
            self.now += 1
            return self.now

    monkeypatch.setattr(job_state, "time", Stepping())


def test_times_are_those_of_making_submitting_and_ending(stepping, manual):
    job = new_job(succeed, executor=manual)
    assert job.times == {"created": 1001}
    job.submit()
    assert job.times == {"created": 1001, "submitted": 1002}
    manual.run_all()
    assert job.times == {"created": 1001, "submitted": 1002, "ended": 1003}


def test_times_tell_how_long_each_phase_took(one_thread, clock, monkeypatch):
    def one_second_each(monitor, phase):
        enter(monitor, phase)
        clock.now += 1

    enter = Monitor.enter
    monkeypatch.setattr(Monitor, "enter", one_second_each)
    monkeypatch.setattr(job_state, "time", clock)
    job = BACKEND.run([bell("a"), bell("b")], executor=one_thread)
    job.wait_for_final_state(GUARD)
    phases = {name: job.times[name] for name in ("planning", "gates", "sampling", "results")}
    assert phases == dict(job.progress().phases)
    assert sum(phases.values()) == job.progress().elapsed == job.times["ended"] - job.times["started"]
    assert phases["gates"] == phases["sampling"] == phases["results"] == 2  # of two circuits


def test_of_parts_one_that_is_at_work_says_how_far_a_job_is(one_thread):
    watcher = InGates()
    circuits = [bell("a"), endless()]
    with BACKEND.run(circuits, executor=one_thread, max_parallel_experiments=2, callback=watcher) as job:
        assert watcher.begun.wait(GUARD)
        while job.progress().experiment < 1:
            watcher.begun.clear()
            assert watcher.begun.wait(GUARD)
        assert job.progress().phase == "gates"
        job.cancel()
    job.wait_for_final_state(GUARD)
    assert (job.progress().phase, job.progress().fraction) == ("stopped", 0.5)


def test_times_of_parts_are_added_up(one_thread, manual):
    together = BACKEND.run([bell("a"), bell("b")], executor=one_thread, max_parallel_experiments=2)
    together.wait_for_final_state(GUARD)
    parts = [dict(part.handle.progress().phases) for part in together._state.parts]
    assert together.times["sampling"] == pytest.approx(sum(part["sampling"] for part in parts))
    unknown = BACKEND.run(bell("a"), executor=manual)
    manual.run_all()
    assert set(unknown.times) == {"created", "submitted", "ended"}


def test_a_tiny_job_was_submitted_before_it_ran(stepping):
    seen = []
    job = BACKEND.run(bell("tiny"), callback=lambda _: seen.append(dict(jobs()[-1].times)))
    assert list(seen[0]) == ["created", "submitted"]
    assert job.times["submitted"] < job.times["ended"]


def test_a_job_that_could_not_be_submitted_has_no_such_time(one_thread):
    one_thread.shutdown()
    job = new_job(succeed, executor=one_thread)
    with pytest.raises(RuntimeError, match="shut"):
        job.submit()
    assert list(job.times) == ["created"]


@pytest.mark.parametrize("way", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_job_is_not_pickled_or_copied(way):
    with pytest.raises(TypeError, match=r"job 7 belongs to the process .* cannot be pickled or copied; pass on its"):
        way(new_job(succeed))


def test_jobs_lists_those_that_are_held_or_run_oldest_first(one_thread, held):
    first, second = submitted(held, executor=one_thread), submitted(succeed)
    ours = {first, second}
    assert [job for job in jobs() if job in ours] == [first, second]
    name = first._job_id = "nobody holds it"
    ours.clear()
    first = None
    gc.collect()
    assert name in [job.job_id() for job in jobs()]
    held.go.set()
    one_thread.shutdown()
    gc.collect()
    assert name not in [job.job_id() for job in jobs()]
    assert second in basicaer.jobs()


def test_jobs_may_be_listed_while_others_are_made(monkeypatch):
    """Each look at one of them makes another."""
    kept = [submitted(succeed), new_job(succeed)]
    real = job_module._live

    class Busy(type(real)):
        def valuerefs(self):
            return [lambda ref=ref: (kept.append(new_job(succeed)), ref())[1] for ref in super().valuerefs()]

    busy = Busy(dict(real.items()))
    monkeypatch.setattr(job_module, "_live", busy)
    assert kept[0] in jobs()
    assert len(kept) > 2


class Broken(Executor):
    """Raises the same error for all that it is given, as loky's does once a worker has died."""

    error = BrokenProcessPool("a worker died")

    def submit(self, *_args, **_keys):
        raise self.error


def test_jobs_leaves_out_those_that_are_not_submitted():
    new, refused = new_job(succeed), new_job(succeed, executor=Broken())
    with pytest.raises(WorkerLostError):
        refused.submit()
    assert not {new, refused}.intersection(jobs())


def test_an_executor_that_refuses_a_job_does_not_hold_it():
    job = new_job(succeed, executor=Broken())
    with pytest.raises(WorkerLostError):
        job.submit()
    reference = weakref.ref(job)
    del job
    gc.collect()
    assert reference() is None


def test_jobs_leaves_out_those_of_the_parent_process():
    job = submitted(succeed)
    job._state.is_inherited = True
    with pytest.raises(JobError, match="forked"):
        job.status()
    assert job not in jobs()


# The log


def python(script):
    command = [sys.executable, "-c", "import logging\nfrom basicaer import BasicAerJob\n" + script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=2 * GUARD, check=True)
    return done.stdout, done.stderr


RUN = """
from qiskit import QuantumCircuit
from basicaer import BasicAer
coin = QuantumCircuit(1, 1)
coin.h(0)
coin.measure(0, 0)
BasicAer.get_backend("qasm_simulator").run(coin, callback=lambda _: 1 / 0).result()
"""


def test_the_log_is_quiet_by_default_even_of_failures():
    output, errors = python("import warnings; warnings.simplefilter('ignore')" + RUN)
    assert (output, errors) == ("", "")


def test_the_log_tells_of_jobs_when_asked():
    output, errors = python('logging.basicConfig(level=logging.DEBUG, format="%(name)s %(message)s")' + RUN)
    assert output == ""
    for words in ("basicaer Job ", " was submitted in 1 part", " has ended as DONE", "callback of a job failed"):
        assert words in errors
