"""Tiles shared among threads: each is worked on once and in step, errors come out, and nobody is left behind.

Interleavings are forced with events; a wait that is in vain fails after `PATIENCE`, it does not hang.
"""

import contextlib
import gc
import os
import subprocess
import sys
import threading
import weakref

import numpy as np
import pytest

from basicaer.devices.cpu import state as numpy_state
from basicaer.devices.cpu import threads as threads_module
from basicaer.devices.cpu.device import NumpyDevice
from basicaer.devices.cpu.threads import run_parts, run_passes
from basicaer.engine.monitor import Monitor
from basicaer.errors import Cancelled
from basicaer.options import Precision
from basicaer.plan.planner import plan_segment
from plan_checks import random_gates, segment

PATIENCE = 20  # seconds


@pytest.fixture(autouse=True)
def nobody_left():
    """Whatever happens in a test, the threads that were there before are those that are there afterwards."""
    before = set(threading.enumerate())
    yield
    left = set(threading.enumerate()) - before
    assert not left


class FakePass:
    """A pass of so many tiles, that calls back for each of them."""

    def __init__(self, tiles, work=lambda number, poll: None, tile_size=4):
        self.bases = np.arange(tiles)
        self.tile_size = tile_size
        self._work = work

    def run(self, states, number, buffers, poll):
        assert [buffer.shape for buffer in buffers] == [(1, self.tile_size)] * 2
        assert {buffer.dtype for buffer in buffers} == {states[0].dtype}
        self._work(number, poll)
        return buffers[::-1]


def share(passes, threads, monitor=None):
    run_passes(passes, [np.zeros((1, 64), np.complex64)], threads, monitor or Monitor())


def go(passes, threads, monitor=None):
    """Share tiles, from a thread that is not waited for if it never comes back."""
    raised = []

    def caller():
        try:
            share(passes, threads, monitor)
        except BaseException as error:  # noqa: BLE001
            raised.append(error)

    thread = threading.Thread(target=caller, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    assert not thread.is_alive(), "threads wait for each other"
    if raised:
        raise raised[0]


def is_helper():
    return threading.current_thread().name == "basicaer-tiles"


def is_set(event):
    assert event.wait(PATIENCE)
    return True


class Meeting:
    """Lets the caller and a helper each be inside a tile at the same time."""

    def __init__(self):
        self._caller, self._helper = threading.Event(), threading.Event()

    def __call__(self):
        own, other = (self._helper, self._caller) if is_helper() else (self._caller, self._helper)
        own.set()
        return is_set(other)


@pytest.mark.parametrize("threads", [1, 2, 3, 7])
def test_each_tile_of_each_pass_is_worked_on_once_and_passes_keep_their_order(threads):
    begun, ended = [], []

    def work(step):
        def work(number, poll):
            begun.append((step, number))
            assert all((earlier, tile) in ended for earlier in range(step) for tile in range(tiles[earlier]))
            ended.append((step, number))

        return work

    tiles = [5, 1, 12, 3, 1, 2]
    go([FakePass(count, work(step), tile_size=2 ** (step % 3)) for step, count in enumerate(tiles)], threads)
    assert sorted(begun) == [(step, number) for step, count in enumerate(tiles) for number in range(count)]
    assert [step for step, _ in begun] == sorted(step for step, _ in begun)


def test_two_threads_do_work_at_the_same_time():
    meeting = Meeting()
    seen = set()

    def work(number, poll):
        meeting()
        seen.add(threading.current_thread())

    go([FakePass(2, work)], threads=2)
    assert len(seen) == 2


@pytest.mark.parametrize(("threads", "tiles", "helpers"), [(1, 9, 0), (4, 1, 0), (4, 3, 2), (3, 9, 2)])
def test_there_are_no_more_threads_than_tiles_or_than_wished(threads, tiles, helpers, monkeypatch):
    started = []
    start = threading.Thread.start
    monkeypatch.setattr(threading.Thread, "start", lambda thread: (started.append(thread), start(thread)))
    share([FakePass(1), FakePass(tiles)], threads)
    assert len(started) == helpers


def test_nothing_to_do():
    go([], threads=4)


class Together:
    """Waits in a tile until so many threads are in one; notes which."""

    def __init__(self, count, before=lambda: None):
        self._barrier = threading.Barrier(count, before)
        self.seen = set()

    def __call__(self, number, poll):
        self.seen.add(threading.current_thread())
        if number < self._barrier.parties:
            self._barrier.wait(PATIENCE)


def test_states_worked_on_at_the_same_time_share_the_threads():
    other_is_there, other_may_go, other_has_gone = (threading.Event() for _ in range(3))

    def start_other():
        threading.Thread(target=work_on_other, daemon=True).start()
        is_set(other_is_there)

    def end_other():
        other_may_go.set()
        is_set(other_has_gone)

    def work_on_other():
        hold = Together(2, lambda: (other_is_there.set(), is_set(other_may_go)))
        share([FakePass(9, hold)], threads=4)
        assert len(hold.seen) == 2
        other_has_gone.set()

    meetings = [Together(4), Together(4, start_other), Together(2), Together(2, end_other), Together(4), Together(4)]
    go([FakePass(9, meeting) for meeting in meetings], threads=4)
    assert [len(meeting.seen) for meeting in meetings] == [4, 4, 2, 2, 4, 4]


def test_however_many_states_there_are_each_has_a_thread():
    with threads_module._crowd, threads_module._crowd, threads_module._crowd:
        assert threads_module._crowd.share_of(2) == 1
        go([FakePass(3)], threads=2)
    assert threads_module._crowd.share_of(2) == 2


def test_who_is_counted_does_not_stay_so_after_a_failure():
    def fail(number, poll):
        raise BadTileError

    with pytest.raises(BadTileError):
        go([FakePass(3, fail)], threads=2)
    assert threads_module._crowd.share_of(2) == 2


FORK = """
import os, signal
from basicaer.devices.cpu.threads import _crowd
with _crowd:
    _crowd._lock.acquire()  # as a thread of the parent may hold it: in the child nobody will ever let it go
    child = os.fork()
    if child == 0:
        signal.alarm(30)  # a child that hangs ends with a signal
        with _crowd:
            os._exit(_crowd.share_of(2))
    _crowd._lock.release()
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this platform")
def test_a_forked_child_has_all_threads_for_itself():
    done = subprocess.run([sys.executable, "-c", FORK], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "2\n"


class BadTileError(Exception):
    pass


def test_errors_on_several_threads_do_not_hold_the_state():
    meeting = Meeting()

    def fail(number, poll):
        meeting()
        raise BadTileError

    gc.collect()
    gc.disable()  # a state may be gigabytes: it must not wait for the collector
    try:
        vector = np.zeros(64, np.complex64)
        remembered = weakref.ref(vector)
        with contextlib.suppress(BadTileError):
            run_passes([FakePass(2, fail)], [vector[None]], 2, Monitor())
        del vector
        assert remembered() is None
    finally:
        gc.enable()


def test_an_error_in_a_helper_is_raised_in_the_caller_and_ends_its_work():
    meeting = Meeting()
    helpers, after = [], []

    def work(number, poll):
        if number > 1:
            after.append(number)
            return
        if is_helper():
            helpers.append(threading.current_thread())
        if meeting() and is_helper():
            raise BadTileError("from a helper")
        helpers[0].join(PATIENCE)  # so that nothing is left to chance in what this one does next

    later = FakePass(3, lambda number, poll: after.append("a later pass"))
    with pytest.raises(BadTileError, match="from a helper"):
        go([FakePass(6, work), later], threads=2)
    assert not after


def test_a_helpers_error_ends_the_wait_of_a_caller_that_is_done():
    """The caller finds no tile left and waits at the barrier, where a helper never comes."""
    meeting = Meeting()
    waits = threading.Event()

    class Noting(threading.Barrier):
        def wait(self, timeout=None):
            if not is_helper():
                waits.set()
            return super().wait(timeout)

    def work(number, poll):
        if meeting() and is_helper():
            is_set(waits)
            raise BadTileError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threads_module.threading, "Barrier", Noting)
        with pytest.raises(BadTileError):
            go([FakePass(2, work), FakePass(2)], threads=2)


@pytest.mark.parametrize("kind", [BadTileError, Cancelled, KeyboardInterrupt])
def test_an_error_in_the_caller_is_raised_when_the_helpers_have_stopped(kind):
    meeting, raised = Meeting(), threading.Event()
    finished = []

    def work(number, poll):
        if meeting() and is_helper():
            is_set(raised)
            finished.append(number)
        else:
            raised.set()
            raise kind

    with pytest.raises(kind):
        go([FakePass(2, work), FakePass(5, lambda number, poll: finished.append("a later pass"))], threads=2)
    assert len(finished) == 1
    assert finished != ["a later pass"]


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_cancelled_while_all_work(threads):
    """Each thread stops before its next tile."""
    monitor = Monitor()
    done = []

    def work(number, poll):
        if number == 10:
            monitor.cancel()
        done.append(number)

    with pytest.raises(Cancelled):
        go([FakePass(100, work), FakePass(100, work)], threads, monitor)
    assert 11 <= len(done) <= 10 + threads


def test_cancelled_within_a_tile():
    monitor = Monitor()
    done = []

    def work(number, poll):
        monitor.cancel()
        poll()
        done.append(number)

    with pytest.raises(Cancelled):
        go([FakePass(8, work)], threads=3, monitor=monitor)
    assert not done


def test_a_thread_that_cannot_be_started_leaves_no_other_behind(monkeypatch):
    start = threading.Thread.start
    started = []

    def refuse(thread):
        if started:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(RuntimeError, match="can't start"):
        share([FakePass(9), FakePass(9)], threads=4)
    started[0].join(PATIENCE / 10)
    assert not started[0].is_alive()


@pytest.mark.parametrize("threads", [1, 2, 3, 7])
def test_a_run_may_be_stopped_at_any_poll(threads, monkeypatch):
    """Once for so small a fresh state, before each tile and each piece of work on it; one poll less is too few."""

    class Stops(Monitor):
        def __init__(self, polls):
            super().__init__()
            self.left = polls
            self.lock = threading.Lock()

        def poll(self):
            with self.lock:
                self.left -= 1
                if self.left < 0:
                    self.cancel()
            super().poll()

    n = 8
    device = NumpyDevice(threads, tile_qubits=4)
    gates = segment(random_gates(np.random.default_rng(1), n, 20, widest=2))
    plan = plan_segment(gates, n, device.costs(n, Precision.DOUBLE))

    expected = []

    def noting(passes, *args, **keys):
        expected.append(1 + sum(len(step.bases) * (1 + len(step.operations)) for step in passes))
        run_passes(passes, *args, **keys)

    monkeypatch.setattr(numpy_state, "run_passes", noting)

    def polls_left(allowed):
        monitor = Stops(allowed)
        device.new_state(n, Precision.DOUBLE, monitor).run(gates, plan)
        return monitor.left

    polls_left(10_000)  # polls while it binds the plan, too
    polls = 10_000 - polls_left(10_000)
    assert polls == expected[0] > 100
    assert polls_left(polls) == 0
    for allowed in (0, 1, polls // 3, polls // 2, polls - 1):
        with pytest.raises(Cancelled):
            polls_left(allowed)


# Parts that need not be in step.


@pytest.mark.parametrize("threads", [1, 2, 9])
def test_each_part_is_done_once(threads):
    done = []
    run_parts(done.append, 5, threads)
    assert sorted(done) == [0, 1, 2, 3, 4]


def test_parts_are_done_beside_each_other():
    met = threading.Barrier(2)
    run_parts(lambda _: met.wait(PATIENCE), 2, 2)


def test_after_a_part_that_fails_no_other_begins():
    done = []

    def work(number):
        done.append(number)
        if number == 2:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_parts(work, 9, 1)
    assert done == [0, 1, 2]


def test_where_no_thread_can_be_had_the_caller_does_all(monkeypatch):
    def refuse(_thread):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    done = []
    run_parts(done.append, 5, 3)
    assert done == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("here", [True, False])
def test_an_error_comes_out_whichever_thread_it_is_in(here):
    met, own = threading.Barrier(2), threading.current_thread()

    def work(_number):
        met.wait(PATIENCE)
        if (threading.current_thread() is own) is here:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_parts(work, 2, 2)
