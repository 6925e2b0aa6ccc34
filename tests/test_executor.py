"""The daemon-thread executor: how many threads there are, what becomes of each call, and how it is shut down."""

import gc
import os
import queue
import subprocess
import sys
import threading
import weakref
from concurrent.futures import Future, ThreadPoolExecutor, wait

import pytest

from basicaer.devices.limits import usable_cores
from basicaer.executor import DaemonThreadExecutor

GUARD = 30  # seconds after which a test that hangs fails; no test waits for it otherwise


class Blocker:
    """A call that says when it has begun, and ends when it is let go."""

    def __init__(self):
        self.began = threading.Event()
        self.go = threading.Event()

    def __call__(self):
        self.began.set()
        assert self.go.wait(GUARD)
        return threading.current_thread()


class WatchedQueue(queue.SimpleQueue):
    """Says when a thread comes to ask for its next call, which is when it has nothing more to do with the last."""

    def __init__(self):
        super().__init__()
        self.asked = threading.Semaphore(0)

    def get(self):
        self.asked.release()
        return super().get()


@pytest.fixture
def executor():
    with DaemonThreadExecutor(2) as executor:
        yield executor


@pytest.fixture
def blocker(executor):  # let go before the executor waits for it
    blocker = Blocker()
    yield blocker
    blocker.go.set()


def unless_it_hangs(call):
    """Return what a call returns, or fail if it never does."""
    outcome = Future()
    threading.Thread(target=lambda: outcome.set_result(call()), daemon=True).start()
    return outcome.result(GUARD)


def occupy(executor, workers):
    """Give every thread of an executor something to do."""
    blockers = [Blocker() for _ in range(workers)]
    futures = [executor.submit(blocker) for blocker in blockers]
    assert all(blocker.began.wait(GUARD) for blocker in blockers)
    return blockers, futures


def test_calls_run_at_once_up_to_the_number_of_workers_and_on_no_more_threads():
    together = threading.Barrier(3)
    with DaemonThreadExecutor(3) as executor:

        def call():
            together.wait(GUARD)  # passes when three calls are here at the same time
            return threading.current_thread()

        threads = {future.result(GUARD) for future in [executor.submit(call) for _ in range(9)]}
        assert len(threads) == len(executor._threads) == 3


def test_a_call_beyond_the_number_of_workers_waits_in_the_queue(executor):
    blockers, futures = occupy(executor, 2)
    waiting = executor.submit(threading.current_thread)
    assert len(executor._threads) == 2
    assert not waiting.running()
    assert not waiting.done()
    blockers[1].go.set()
    assert waiting.result(GUARD) is futures[1].result(GUARD)  # the thread that came free
    blockers[0].go.set()


def test_no_thread_is_started_before_there_is_a_call():
    assert DaemonThreadExecutor()._threads == []


def test_threads_are_daemons_with_a_name(executor):
    thread = executor.submit(threading.current_thread).result(GUARD)
    assert thread.daemon
    assert thread.name == "basicaer-0"


def test_an_idle_thread_is_used_again_before_another_is_started(executor):
    executor._tasks = WatchedQueue()
    first = executor.submit(threading.current_thread).result(GUARD)
    assert executor._tasks.asked.acquire(timeout=GUARD)  # for that call
    for _ in range(3):
        assert executor._tasks.asked.acquire(timeout=GUARD)  # for the next one: it is idle
        assert executor.submit(threading.current_thread).result(GUARD) is first
    assert executor._threads == [first]


def test_an_idle_thread_keeps_nothing_of_its_last_call(executor):
    class Payload:
        pass

    executor._tasks = WatchedQueue()
    payload = Payload()
    remembered = weakref.ref(payload)
    executor.submit(id, payload).result(GUARD)
    assert all(executor._tasks.asked.acquire(timeout=GUARD) for _ in range(2))  # for that call and the next: it is idle
    del payload
    assert remembered() is None


def test_one_worker_for_each_core_unless_told_otherwise():
    assert DaemonThreadExecutor()._max_workers == usable_cores()


@pytest.mark.parametrize("workers", [0, -1])
def test_no_workers_at_all_are_refused(workers):
    with pytest.raises(ValueError, match=f"max_workers must be at least 1, not {workers}"):
        DaemonThreadExecutor(workers)


def test_arguments_are_passed_on(executor):
    assert executor.submit(dict, [("a", 1)], fn=2).result(GUARD) == {"a": 1, "fn": 2}
    assert list(executor.map(pow, [2, 3], [4, 2])) == [16, 9]


@pytest.mark.parametrize(
    "error", [KeyError("k"), SystemExit(3), KeyboardInterrupt()], ids=lambda error: type(error).__name__
)
def test_an_exception_of_any_kind_goes_to_the_future_and_the_thread_lives_on(error):
    def fail():
        raise error

    with DaemonThreadExecutor(1) as executor:
        before = executor.submit(threading.current_thread).result(GUARD)
        assert executor.submit(fail).exception(GUARD) is error
        assert executor.submit(threading.current_thread).result(GUARD) is before


def test_a_failed_call_is_freed_without_the_garbage_collector():
    def fail():
        raise ValueError

    gc.disable()
    try:
        with DaemonThreadExecutor(1) as executor:
            future = executor.submit(fail)
        remembered = weakref.ref(future)
        del future
        assert remembered() is None
    finally:
        gc.enable()


def test_a_queued_call_that_is_cancelled_never_runs(executor):
    ran = threading.Event()
    blockers, _ = occupy(executor, 2)
    assert executor.submit(ran.set).cancel()
    for blocker in blockers:
        blocker.go.set()
    executor.shutdown()
    assert not ran.is_set()


def test_shutdown_lets_queued_calls_finish_and_waits_for_them(executor):
    blockers, futures = occupy(executor, 2)
    futures += [executor.submit(threading.current_thread) for _ in range(4)]
    for blocker in blockers:
        blocker.go.set()
    executor.shutdown()
    assert all(future.done() and future.exception() is None for future in futures)
    assert not any(thread.is_alive() for thread in executor._threads)


def test_shutdown_need_not_wait(executor, blocker):
    future = executor.submit(blocker)
    unless_it_hangs(lambda: executor.shutdown(wait=False))
    assert not future.done()
    blocker.go.set()
    assert future.result(GUARD)


def test_shutdown_can_cancel_what_is_queued_and_lets_what_runs_finish(executor):
    blockers, running = occupy(executor, 2)
    queued = [executor.submit(threading.current_thread) for _ in range(4)]
    executor.shutdown(wait=False, cancel_futures=True)
    assert all(future.cancelled() for future in queued)
    assert not any(future.done() for future in running)
    for blocker in blockers:
        blocker.go.set()
    executor.shutdown()
    assert all(future.exception() is None for future in running)
    assert wait(queued, timeout=0).not_done == set()  # those who wait for cancelled calls have been told
    assert not any(thread.is_alive() for thread in executor._threads)


def test_shutdown_does_not_wait_for_a_call_that_a_thread_takes_from_under_it():
    class LastOneGone(queue.SimpleQueue):
        """As a queue looks when another thread takes its last call right after it was seen not to be empty."""

        def empty(self):
            return False

    executor = DaemonThreadExecutor(1)
    executor._tasks = LastOneGone()
    assert executor.submit(int).result(GUARD) == 0
    unless_it_hangs(lambda: executor.shutdown(cancel_futures=True))


def test_callbacks_of_calls_that_shutdown_cancels_may_use_the_executor():
    executor, blocker, refusals = DaemonThreadExecutor(1), Blocker(), []

    def again(_future):
        try:
            executor.submit(int)
        except RuntimeError as error:
            refusals.append(error)

    executor.submit(blocker)
    assert blocker.began.wait(GUARD)
    executor.submit(int).add_done_callback(again)
    unless_it_hangs(lambda: executor.shutdown(wait=False, cancel_futures=True))
    blocker.go.set()
    assert len(refusals) == 1


def test_shutdown_may_be_repeated(executor, blocker):
    executor.submit(blocker)
    queued = executor.submit(int)
    other = executor.submit(int)
    executor.shutdown(wait=False)
    executor.shutdown(wait=False, cancel_futures=True)
    blocker.go.set()
    unless_it_hangs(executor.shutdown)
    assert queued.done()
    assert other.done()
    assert not any(thread.is_alive() for thread in executor._threads)


def test_nothing_is_taken_after_shutdown(executor):
    executor.shutdown()
    with pytest.raises(RuntimeError, match="has been shut down"):
        executor.submit(int)


def test_a_call_for_which_no_thread_can_be_started_is_refused_and_nothing_else_is_harmed(monkeypatch):
    ran = threading.Event()

    def refuse(_thread):
        raise RuntimeError("can't start new thread")

    with DaemonThreadExecutor(1) as executor:
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", refuse)
            with pytest.raises(RuntimeError, match="can't start new thread"):
                executor.submit(ran.set)
        assert executor.submit(threading.current_thread).result(GUARD) in executor._threads
    assert not ran.is_set()


def test_many_threads_may_submit_at_once():
    together = threading.Barrier(8)

    def submit_some(executor):
        together.wait(GUARD)
        return [executor.submit(pow, 2, power) for power in range(50)]

    with DaemonThreadExecutor(2) as executor, ThreadPoolExecutor(8) as users:
        batches = list(users.map(submit_some, [executor] * 8))
        for futures in batches:
            assert [future.result(GUARD) for future in futures] == [2**power for power in range(50)]
        assert len(executor._threads) <= 2


def test_call_here_runs_in_the_callers_thread():
    assert DaemonThreadExecutor.call_here(threading.current_thread).result(0) is threading.current_thread()


def test_call_here_keeps_a_failure_for_whoever_asks():
    assert isinstance(DaemonThreadExecutor.call_here(int, "one").exception(0), ValueError)


def test_call_here_passes_on_an_interrupt_of_the_callers_thread():
    def interrupted():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        DaemonThreadExecutor.call_here(interrupted)


FORK = """
import os, signal, threading
from basicaer.executor import DaemonThreadExecutor

began, go, ran = threading.Event(), threading.Event(), []
executor, closed, idle = DaemonThreadExecutor(1), DaemonThreadExecutor(1), DaemonThreadExecutor(1)
idle.submit(int).result()
closed.shutdown()
running = executor.submit(lambda: (began.set(), go.wait()))
queued = executor.submit(ran.append, os.getpid)
began.wait()
child = os.fork()
if child == 0:
    signal.alarm(30)  # a child that hangs ends with a signal
    assert executor.submit(pow, 2, 5).result() == 32  # although the parent keeps its only thread busy
    assert idle.submit(pow, 2, 6).result() == 64  # although its idle thread is gone
    assert ran == []  # what was queued stays with the parent
    try:
        closed.submit(int)
    except RuntimeError:
        os._exit(0)
    os._exit(1)
_, status = os.waitpid(child, 0)
go.set()
queued.result()
assert len(ran) == 1
print(os.waitstatus_to_exitcode(status))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this platform")
def test_after_a_fork_the_child_starts_with_new_threads_and_an_empty_queue():
    done = subprocess.run([sys.executable, "-c", FORK], capture_output=True, text=True, timeout=2 * GUARD, check=False)
    assert (done.returncode, done.stdout) == (0, "0\n"), done.stderr
