"""A flag that threads wait for while interrupts may come at any moment."""

import contextlib
import itertools
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from basicaer.job_future import JobFuture
from basicaer.job_state import JobState
from basicaer.latch import Latch
from jobs import GUARD


@contextlib.contextmanager
def interrupt_before(instruction):
    """Raise KeyboardInterrupt before one of the instructions that this thread runs in the block's functions."""
    left = itertools.count(instruction - 1, -1)

    def trace(frame, event, _argument):
        frame.f_trace_opcodes = True
        if event == "opcode" and next(left) == 0:
            raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    sys._getframe().f_trace_opcodes = True  # Python 3.12 reports instructions only if a frame asked before `settrace`
    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(before)


def wakes_all(latch):
    """Set a latch in one thread and wait for it in another; tell whether both come to an end."""
    others = [threading.Thread(target=target, daemon=True) for target in (latch.wait, latch.set)]
    for thread in others:
        thread.start()
    for thread in others:
        thread.join(GUARD)
    return not any(thread.is_alive() for thread in others)


@pytest.mark.parametrize("seconds", [None, 0.0, 1e-5])
def test_an_interrupt_before_any_instruction_of_waiting_harms_nobody_else(seconds):
    for instruction in itertools.count(1):
        latch = Latch()
        if seconds is None:
            latch.set()  # so that the wait ends where no interrupt comes
        try:
            with interrupt_before(instruction):
                latch.wait(seconds)
        except KeyboardInterrupt:
            assert wakes_all(latch), instruction
        else:
            break
    assert instruction > 20  # or nothing was interrupted


class HeldJob:
    """A running job, waited for by its future."""

    def __init__(self):
        self.future = JobFuture(job=None, check_may_wait=lambda: None, cancelled_by_interrupts=contextlib.nullcontext)

    def wait(self):
        self.future.result(GUARD)

    def is_waited_for(self):
        return bool(self.future._waiters)


class HeldLatch:
    """A latch that is not set."""

    def __init__(self):
        self.latch = Latch()

    def wait(self):
        self.latch.wait(GUARD)

    def is_waited_for(self):
        return bool(self.latch._waiting)


@pytest.mark.parametrize("held", [HeldLatch(), HeldJob()], ids=["latch", "future"])
def test_an_interrupt_that_does_not_wake_the_waiting_thread_is_seen(held):
    """As one that comes between the interpreter's last look for interrupts and the thread's sleep."""

    def interrupt():
        while not held.is_waited_for():
            pass
        signal.raise_signal(signal.SIGINT)  # this thread gets it, so the one that waits goes on sleeping

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    began = time.monotonic()
    try:
        threading.Thread(target=interrupt, daemon=True).start()
        with pytest.raises(KeyboardInterrupt):
            held.wait()
    finally:
        signal.signal(signal.SIGINT, before)
    assert time.monotonic() - began < GUARD, "the interrupt was seen at the end of the wait only"


def test_an_event_of_the_standard_library_would_be_harmed():
    """Otherwise `Latch` can be deleted in its favour."""
    harmed = []
    for instruction in itertools.count(1):
        event = threading.Event()
        try:
            with interrupt_before(instruction):
                event.wait(0.0)
        except (KeyboardInterrupt, RuntimeError):
            harmed.append(not event._cond.acquire(blocking=False))
        else:
            break
    assert any(harmed)


def test_a_job_waits_by_a_latch():
    assert isinstance(JobState("1").ended, Latch)


def test_all_waiting_threads_are_woken_and_later_ones_do_not_wait():
    latch, about_to_wait = Latch(), threading.Barrier(9)

    def wait():
        about_to_wait.wait(GUARD)
        return latch.wait(GUARD)

    with ThreadPoolExecutor(8) as threads:
        waits = [threads.submit(wait) for _ in range(8)]
        about_to_wait.wait(GUARD)
        latch.set()
        assert [wait.result(GUARD) for wait in waits] == [True] * 8
    assert latch.wait()
    assert not latch._waiting


def test_it_keeps_nothing_of_those_whose_time_was_up():
    latch = Latch()
    assert [latch.wait(seconds) for seconds in (0, -1.0, 1e-6)] == [False] * 3
    assert not latch._waiting
    latch.set()
    latch.set()
    assert latch.is_set()
    assert latch.wait(0)
