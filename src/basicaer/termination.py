"""Saves jobs when the system asks the process to end: with SIGTERM, as batch systems do before they kill it.

A signal handler runs in the main thread between any two of its steps, which may hold a lock that cancelling needs. So
the handler only wakes a thread. That cancels the jobs, waits until they are saved, and sends the signal once more; this
time the handler passes it on to whoever handled it before. Until then nobody sees that the jobs have ended, or the main
thread might end the program in its own way first.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import queue
import signal
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any

from basicaer.errors import OptionValueError

if TYPE_CHECKING:
    from types import FrameType

    from basicaer.job import BasicAerJob

__all__ = ["check_main_thread", "is_saving", "save_on_sigterm"]

_SECONDS_BETWEEN_SIGNALS = 1.0
_SECONDS_BETWEEN_LOOKS = 0.01


def check_main_thread() -> None:
    """Check that a handler of signals can be set here.

    Raises
    ------
    OptionValueError
        If this is not the main thread.
    """
    if threading.current_thread() is not threading.main_thread():
        raise OptionValueError(
            "checkpoint_on_sigterm needs run() to be called in the main thread, where Python handles signals; "
            "leave it out, and call job.cancel() in a handler of your own."
        )


def save_on_sigterm(job: BasicAerJob) -> None:
    """Cancel a job on SIGTERM, by which it is saved, and then do what was done on SIGTERM before; in the main thread.

    A second SIGTERM is passed on at once.
    """
    _saver.add(job)


def is_saving() -> bool:
    """Tell whether SIGTERM has come and jobs are being saved."""
    return _saver.is_saving


class _Saver:
    """The jobs that are to be saved, and the handler of the signal."""

    def __init__(self) -> None:
        self._start_empty()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._start_empty)

    def _start_empty(self) -> None:
        """Start without jobs, as a forked child does: it has the handler of its parent, but not the thread."""
        self._jobs: weakref.WeakSet[BasicAerJob] = weakref.WeakSet()
        self._thread: threading.Thread | None = None
        self._asked: queue.SimpleQueue[None] = queue.SimpleQueue()  # signal handlers may put into it
        self.is_saving = False
        self._before: Any = getattr(self, "_before", signal.SIG_DFL)

    def add(self, job: BasicAerJob) -> None:
        self._jobs.add(job)
        if self._thread is None:
            self._thread = threading.Thread(target=self._save, args=(self._asked,), name="basicaer-saver", daemon=True)
            self._thread.start()
        before = signal.getsignal(signal.SIGTERM)
        if before != self._handle:
            self._before = before
            with contextlib.suppress(ValueError):  # the main thread of a subinterpreter gets no signals
                signal.signal(signal.SIGTERM, self._handle)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.is_saving or all(_has_ended(job) for job in list(self._jobs)):
            self._pass_on(number, frame)
        else:
            self.is_saving = True
            self._asked.put(None)

    def _pass_on(self, number: int, frame: FrameType | None) -> None:
        """Do what was done on the signal before there were jobs to save."""
        self.is_saving = False
        if callable(self._before):
            self._before(number, frame)
        elif self._before != signal.SIG_IGN:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.raise_signal(signal.SIGTERM)

    def _save(self, asked: queue.SimpleQueue[None]) -> None:
        """Save the jobs each time that the handler asks for it."""
        while True:
            asked.get()
            jobs = list(self._jobs)
            _hold_and_cancel(jobs)
            next_signal = 0.0
            while self.is_saving:  # until the signal is passed on, which it may have been already
                if (
                    time.monotonic() >= next_signal
                ):  # one that comes just as the main thread falls asleep does not wake it
                    _send_to_main_thread()
                    next_signal = time.monotonic() + _SECONDS_BETWEEN_SIGNALS
                time.sleep(_SECONDS_BETWEEN_LOOKS)
            while jobs:
                jobs.pop()._state.let_go()  # noqa: SLF001


def _hold_and_cancel(jobs: list[BasicAerJob]) -> None:
    """Cancel jobs, and wait until they have stopped, and so are saved."""
    for job in jobs:
        job._state.hold()  # noqa: SLF001
    for job in [job for job in jobs if job.cancel()]:  # not those on executors of an unknown kind
        job._state.stopped.wait()  # noqa: SLF001


def _send_to_main_thread() -> None:
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)
    else:
        signal.raise_signal(signal.SIGTERM)


def _has_ended(job: BasicAerJob) -> bool:
    return job._state.final is not None  # noqa: SLF001  # asked without a lock, which the main thread may hold


_saver = _Saver()


@atexit.register
def _wait_for_the_signal() -> None:
    """Let a program that ends while its jobs are being saved end as the signal says."""
    while _saver.is_saving:
        time.sleep(_SECONDS_BETWEEN_LOOKS)
