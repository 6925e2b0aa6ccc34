"""Jobs cancelled, or stopped by their time limit, at every moment of their life."""

import gc
import threading
from concurrent.futures import CancelledError, ThreadPoolExecutor

import pytest
from psutil import Process
from qiskit.providers import JobStatus

from basicaer import BasicAer, BasicAerError, JobTimeLimitError
from basicaer.devices.cpu.device import NumpyDevice
from basicaer.devices.cpu.state import NumpyState
from basicaer.engine.monitor import Monitor, current_monitor
from basicaer.executor import DaemonThreadExecutor
from jobs import BACKEND, GUARD, OUTCOME, Held, layers, polled_limit, submitted, succeed, unless_it_hangs

# Cancelling


def test_a_queued_job_that_is_cancelled_never_starts(one_thread, held):
    first = submitted(held, executor=one_thread)
    assert held.began.wait(GUARD)
    calls = []
    job = submitted(lambda *call: calls.append(call), executor=one_thread)
    assert job.status() is JobStatus.QUEUED
    assert unless_it_hangs(job.cancel) is True
    assert job.status() is JobStatus.CANCELLED  # at once: nothing has to stop first
    assert job.cancelled()
    assert job.in_final_state()
    assert job.partial_result() is None
    with pytest.raises(CancelledError, match="job 7 was cancelled"):
        job.result()
    held.go.set()
    assert first.result(GUARD) is OUTCOME
    one_thread.shutdown()
    assert calls == []


def test_a_running_job_that_is_cancelled_runs_until_it_has_stopped(one_thread, held):
    job = submitted(held, executor=one_thread)
    assert held.began.wait(GUARD)
    assert job.cancel() is True
    assert job.status() is JobStatus.RUNNING
    assert not job.in_final_state()
    with pytest.raises(TimeoutError):
        job.result(0)
    assert job.cancel() is True  # it still will
    held.go.set()
    job.wait_for_final_state(GUARD)
    assert job.status() is JobStatus.CANCELLED
    with pytest.raises(CancelledError, match="job 7 was cancelled"):
        job.result()
    assert job.cancel() is False  # it has
    assert job.status() is JobStatus.CANCELLED


def test_cancelling_a_finished_job_changes_nothing(one_thread):
    job = submitted(succeed, executor=one_thread)
    assert job.result(GUARD) is OUTCOME
    assert job.cancel() is False
    assert job.status() is JobStatus.DONE
    assert job.result() is OUTCOME


def test_cancelling_a_failed_job_changes_nothing(one_thread):
    job = submitted(lambda *_: 1 / 0, executor=one_thread)
    job.wait_for_final_state(GUARD)
    assert job.cancel() is False
    assert job.status() is JobStatus.ERROR
    with pytest.raises(ZeroDivisionError):
        job.result()


def test_a_cancelled_job_that_finishes_all_the_same_is_cancelled_and_its_result_is_partial_only(one_thread, held):
    held.polls = False
    job = submitted(held, executor=one_thread)
    assert held.began.wait(GUARD)
    assert job.cancel()
    held.go.set()
    job.wait_for_final_state(GUARD)
    assert job.status() is JobStatus.CANCELLED
    with pytest.raises(CancelledError):
        job.result()
    assert job.partial_result() is OUTCOME


def test_a_cancelled_job_that_fails_on_its_way_out_is_cancelled(one_thread, held):
    def fail(*call):
        held(*call)
        raise AssertionError("held.polls was set, and the job cancelled")

    for polls in (True, False):
        held.polls = polls
        held.began.clear()
        held.go.clear()
        job = submitted(fail, executor=one_thread)
        assert held.began.wait(GUARD)
        assert job.cancel()
        held.go.set()
        job.wait_for_final_state(GUARD)
        assert job.status() is JobStatus.CANCELLED
        with pytest.raises(CancelledError):
            job.result()


def test_a_job_cancelled_between_a_threads_taking_it_and_its_first_poll_does_not_start():
    taken, go = threading.Event(), threading.Event()

    class SlowToStart(ThreadPoolExecutor):
        def submit(self, fn, /, *args):
            def late():
                taken.set()
                assert go.wait(GUARD)
                return fn(*args)

            return super().submit(late)

    calls = []
    with SlowToStart(1) as executor:
        job = submitted(lambda *call: calls.append(call), executor=executor)
        assert taken.wait(GUARD)
        assert job.status() is JobStatus.QUEUED  # the thread has it, but its own work has not begun
        assert job.cancel() is True
        go.set()
    assert job.status() is JobStatus.CANCELLED
    assert calls == []


def test_a_cancel_after_the_work_but_before_the_job_knows_of_it_holds():
    answers = []

    class Meddler(DaemonThreadExecutor):
        """Its futures cancel the job when they are done, before they tell the job so."""

        def submit(self, fn, /, *args):
            future = super().submit(fn, *args)
            future.add_done_callback(lambda _: answers.append(job.cancel()))
            return future

    held = Held()
    held.polls = False
    with Meddler(1) as executor:
        job = submitted(held, executor=executor)
        held.go.set()
    assert answers == [True]
    assert job.status() is JobStatus.CANCELLED


def test_a_cancel_right_after_the_job_has_ended_is_too_late(one_thread, held):
    answers = []
    job = submitted(held, executor=one_thread)
    job._state.futures[0].add_done_callback(lambda _: answers.append(job.cancel()))  # called after the job's own
    held.go.set()
    one_thread.shutdown()
    assert answers == [False]
    assert job.result(0) is OUTCOME


def test_a_job_may_be_cancelled_by_its_own_work(one_thread, held):
    def cancel_itself(*call):
        held(*call)
        answer = job.cancel()
        current_monitor.get().poll()
        return answer

    job = submitted(cancel_itself, executor=one_thread)
    held.go.set()
    job.wait_for_final_state(GUARD)
    assert job.cancelled()


@pytest.mark.parametrize("polls", [True, False])
def test_cancel_is_true_exactly_if_the_job_ends_cancelled_however_it_races_with_the_end(one_thread, polls):
    together = threading.Barrier(5)

    def race(_job_id, _payload):
        together.wait(GUARD)
        if polls:
            current_monitor.get().poll()
        return OUTCOME

    def cancel(job):
        together.wait(GUARD)
        return job.cancel()

    with ThreadPoolExecutor(4) as users:
        for _ in range(50):
            job = submitted(race, executor=one_thread)
            answers = list(users.map(cancel, [job] * 4))
            job.wait_for_final_state(GUARD)
            assert any(answers) is job.cancelled()
            assert job.cancelled() or job.result(0) is OUTCOME
            assert job.cancel() is False


# Jobs that backends make, in each phase of their work


class Halt:
    """Holds a job's work where it enters a phase, until it is let go; knows the phases that were entered."""

    def __init__(self, phase, monkeypatch):
        self.entered, self.here, self.go = [], threading.Event(), threading.Event()

        def enter_and_wait(monitor, entered):
            enter(monitor, entered)
            self.entered.append(entered)
            if entered == phase:
                self.here.set()
                assert self.go.wait(GUARD)

        enter = Monitor.enter
        monkeypatch.setattr(Monitor, "enter", enter_and_wait)


PHASES = ("planning", "gates", "sampling", "results")


@pytest.fixture
def states(monkeypatch):
    """The states that were made, and those that were released."""
    made, released = [], []
    new_state, release = NumpyDevice.new_state, NumpyState.release
    monkeypatch.setattr(NumpyDevice, "new_state", lambda *given: made.append(new_state(*given)) or made[-1])
    monkeypatch.setattr(NumpyState, "release", lambda state: released.append(state) or release(state))
    return made, released


@pytest.mark.parametrize("name", ["qasm_simulator", "statevector_simulator"])
@pytest.mark.parametrize("phase", PHASES)
def test_a_job_is_cancelled_in_every_phase_twice_and_from_several_threads(phase, name, one_thread, states, monkeypatch):
    halt = Halt(phase, monkeypatch)
    backend = BasicAer.get_backend(name)
    job = backend.run(layers(12), shots=9, device="CPU", executor=one_thread)
    assert halt.here.wait(GUARD)
    assert job.status() is JobStatus.RUNNING or phase == "planning"  # whose first entry is the start
    with ThreadPoolExecutor(4) as users:
        assert list(users.map(lambda _: job.cancel(), range(8))) == [True] * 8
    halt.go.set()
    job.wait_for_final_state(GUARD)
    assert job.status() is JobStatus.CANCELLED
    assert job.cancel() is False
    with pytest.raises(CancelledError):
        job.result()
    assert halt.entered[-1] == phase  # it went no further
    made, released = states
    if name == "qasm_simulator" or phase != "results":  # by then the amplitudes are the result's
        assert set(made) == set(released)
    monkeypatch.undo()
    assert backend.run(layers(12), shots=9, device="CPU", executor=one_thread).result(GUARD).success


@pytest.mark.parametrize("phase", PHASES)
def test_a_job_at_its_time_limit_stops_in_every_phase_and_says_in_which(phase, one_thread, clock, monkeypatch):
    halt = Halt(phase, monkeypatch)
    job = BACKEND.run(layers(12), shots=9, device="CPU", executor=one_thread, timeout=5)
    assert halt.here.wait(GUARD)
    clock.now += 6
    halt.go.set()
    with pytest.raises(JobTimeLimitError, match=f"time limit of 5 s in phase '{phase}'"):
        job.result(GUARD)


def test_a_jobs_callback_may_cancel_it(one_thread, monkeypatch):
    halt, answers = Halt("planning", monkeypatch), []
    job = BACKEND.run(layers(12), executor=one_thread, callback=lambda _: answers.append(job.cancel()))
    halt.go.set()
    job.wait_for_final_state(GUARD)
    assert job.cancelled()
    assert answers == [True]


def test_other_jobs_go_on_when_one_is_cancelled(monkeypatch):
    halt = Halt("gates", monkeypatch)
    with DaemonThreadExecutor(2) as executor:
        jobs = [BACKEND.run(layers(12), shots=9, seed_simulator=7, executor=executor) for _ in range(2)]
        assert halt.here.wait(GUARD)
        assert jobs[0].cancel()
        halt.go.set()
        jobs[0].wait_for_final_state(GUARD)
        assert jobs[0].cancelled()
        assert sum(jobs[1].result(GUARD).get_counts().values()) == 9


@pytest.mark.parametrize("where", ["in a pass", "in a pass, in a helper", "when sampling"])
@pytest.mark.parametrize("limited", [False, True], ids=["cancelled", "limited"])
def test_the_memory_of_a_job_that_was_stopped_is_the_systems_again(one_thread, monkeypatch, where, limited):
    def poll_and_stop(monitor):
        progress = monitor.progress()
        is_there = (
            progress.phase == "sampling"
            if where == "when sampling"
            else progress.passes > 0.5 and (where == "in a pass" or threading.current_thread().name == "basicaer-tiles")
        )
        if is_there and most == []:
            most.append(Process().memory_info().rss)
            if limited:
                monitor.timeout = monitor._deadline = 0.0
            else:
                monitor.cancel()
        poll(monitor)

    most, poll, size = [], Monitor.poll, 2**22 * 16
    BACKEND.run(layers(12), executor=one_thread).result(GUARD)  # what is loaded once, is
    monkeypatch.setattr(Monitor, "poll", poll_and_stop)
    gc.collect()
    gc.disable()  # which must not be waited for
    try:
        before = Process().memory_info().rss
        job = BACKEND.run(layers(22), device="CPU", max_parallel_threads=2, executor=one_thread)
        job.wait_for_final_state(GUARD)
        assert job.status() is (JobStatus.ERROR if limited else JobStatus.CANCELLED)
        assert most[0] > before + 0.9 * size
        assert Process().memory_info().rss < before + 0.5 * size  # other tests leave the process some freedom
    finally:
        gc.enable()


# While an executor shuts down


def test_an_executor_that_shuts_down_cancels_jobs_that_wait_and_lets_one_finish_that_runs(one_thread, held):
    running = submitted(held, executor=one_thread)
    assert held.began.wait(GUARD)
    waiting = [submitted(succeed, executor=one_thread) for _ in range(3)]
    one_thread.shutdown(wait=False, cancel_futures=True)
    assert [job.status() for job in waiting] == [JobStatus.CANCELLED] * 3
    assert running.status() is JobStatus.RUNNING
    held.go.set()
    assert running.result(GUARD) is OUTCOME
    assert not any(job.cancel() for job in [running, *waiting])


def test_jobs_are_cancelled_while_their_executor_shuts_down(one_thread, held):
    running, waiting = submitted(held, executor=one_thread), submitted(succeed, executor=one_thread)
    assert held.began.wait(GUARD)
    with ThreadPoolExecutor(1) as user:
        shutdown = user.submit(one_thread.shutdown)
        assert waiting.cancel()
        assert running.cancel()
        held.go.set()
        shutdown.result(GUARD)
    assert running.cancelled()
    assert waiting.cancelled()


# The time limit


def test_a_job_that_reaches_its_time_limit_ends_as_an_error_that_says_so(one_thread, held, clock):
    job = submitted(held, executor=one_thread, timeout=2.5)
    assert held.began.wait(GUARD)
    clock.now += 2.6
    held.go.set()
    job.wait_for_final_state(GUARD)
    assert job.status() is JobStatus.ERROR
    with pytest.raises(BasicAerError, match=r"time limit of 2\.5 s in phase 'planning'; give a longer timeout="):
        job.result()


def test_a_job_within_its_time_limit_is_not_disturbed(one_thread, held, clock):
    job = submitted(held, executor=one_thread, timeout=2.5)
    assert held.began.wait(GUARD)
    clock.now += 2.4
    held.go.set()
    assert job.result(GUARD) is OUTCOME


def test_the_time_limit_counts_from_the_start_of_the_work(one_thread, held, clock):
    submitted(held, executor=one_thread)
    job = submitted(polled_limit, executor=one_thread, timeout=2.5)
    clock.now += 60  # in the queue
    held.go.set()
    assert job.result(GUARD) == 2.5


def test_a_job_that_was_cancelled_and_reached_its_time_limit_is_cancelled(one_thread, held, clock):
    job = submitted(held, executor=one_thread, timeout=2.5)
    assert held.began.wait(GUARD)
    assert job.cancel()
    clock.now += 60
    held.go.set()
    job.wait_for_final_state(GUARD)
    assert job.cancelled()
