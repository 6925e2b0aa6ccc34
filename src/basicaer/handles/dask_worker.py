"""A worker's end of the handle for Dask."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import pickle
import signal
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from distributed import Event, Queue, Status, get_client, get_worker

from basicaer.engine.monitor import Monitor
from basicaer.engine.progress import Progress
from basicaer.handles.base import Finished

if TYPE_CHECKING:
    from collections.abc import Iterator

    from basicaer.records import FinishedExperiment

__all__ = ["SECONDS_FOR_LAST_MESSAGES", "DaskWorkerEnd"]

_INTERVAL = 0.05  # seconds between two messages of progress: all jobs of a cluster share its scheduler
SECONDS_FOR_LAST_MESSAGES = 10.0
"""How long the last messages may take to the scheduler, and a late worker to notice that it is cancelled."""

_SECONDS_PER_WAIT = 60.0  # at most this long, the scheduler keeps a waiting worker that has died
_LARGEST_MESSAGE = 2**26  # bytes: an experiment that takes more would block the scheduler, and is not handed over

_log = logging.getLogger("basicaer")


@dataclass(frozen=True, slots=True)
class DaskWorkerEnd:
    """A worker's end of a `DaskHandle`."""

    queue: str
    number: int
    stop: str
    timeout: float | None

    @contextlib.contextmanager
    def at_work(self) -> Iterator[Monitor]:
        link = _Link(self)
        monitor = Monitor(self.timeout, link)
        link.listen(monitor)
        loop = get_worker().loop
        loop.add_callback(_ignored_interrupts.begin)
        try:
            yield monitor
        finally:
            link.end(monitor.progress())
            loop.add_callback(_ignored_interrupts.end)


class _IgnoredInterrupts:
    """Makes a worker process ignore Ctrl-C while it is at work, since a terminal sends it to workers as well.

    Dask's event loop runs in the main thread of such a process; the interrupt would end the loop, and the work would go
    on without any messages. The methods are called on that loop only.
    """

    def __init__(self) -> None:
        self._works = 0
        self._before: Any = None

    def begin(self) -> None:
        """Note that a piece of work begins."""
        is_workers_own = multiprocessing.parent_process() is not None
        if is_workers_own and threading.current_thread() is threading.main_thread():
            if self._works == 0:
                self._before = signal.signal(signal.SIGINT, signal.SIG_IGN)
            self._works += 1

    def end(self) -> None:
        """Note that a piece of work has ended."""
        if self._works:
            self._works -= 1
            if self._works == 0:
                signal.signal(signal.SIGINT, signal.SIG_DFL if self._before is None else self._before)


_ignored_interrupts = _IgnoredInterrupts()


class _Link:
    """Connects a worker's monitor with the handle."""

    interval = _INTERVAL

    def __init__(self, end: DaskWorkerEnd) -> None:
        worker = get_worker()
        self._worker, self._task = worker, worker.get_current_task()
        self._client = get_client()
        self._number = end.number
        self._queue = Queue(end.queue, client=self._client)
        self._stop = Event(end.stop, client=self._client)
        self._begun = False
        self._delivered = 0
        self._experiments = 0
        self._ended = threading.Event()
        self._lock = threading.Lock()  # guards what follows
        self._unsent: list[bytes] = []
        self._last_is_progress = False
        self._all_sent = threading.Event()
        self._all_sent.set()

    def listen(self, monitor: Monitor) -> None:
        """Cancel the work as soon as the job's end asks for it."""

        async def wait_for_stop() -> None:
            with contextlib.suppress(Exception):  # the scheduler is gone, and this worker will be soon
                while not await self._stop.wait(timeout=_SECONDS_PER_WAIT):
                    if self._ended.is_set():
                        return
                monitor.cancel()

        self._client.loop.add_callback(wait_for_stop)

    def exchange(self, progress: Progress) -> bool:
        self._experiments = progress.experiments
        self._send(progress)
        if not self._begun:  # its first message is on the way; it may have been cancelled before
            self._begun = True
            self._wait_until_sent()
            return bool(self._stop.is_set())
        task = self._worker.state.tasks.get(self._task)
        is_given_up = task is None or task.state == "cancelled"  # nobody waits for its result any more
        return is_given_up or self._worker.status is Status.closing or not self._is_loop_running()

    def _is_loop_running(self) -> bool:
        return bool(self._worker.loop.asyncio_loop.is_running())

    def _wait_until_sent(self) -> None:
        deadline = time.monotonic() + SECONDS_FOR_LAST_MESSAGES
        while not self._all_sent.wait(_INTERVAL) and self._is_loop_running() and time.monotonic() < deadline:
            pass

    def deliver(self, position: int, experiment: FinishedExperiment | None) -> None:
        self._delivered += 1
        if self._delivered != self._experiments:  # the last one arrives with the result, at once
            self._send(Finished(position, experiment))

    def _send(self, message: Progress | Finished) -> None:
        pickled, is_progress = pickle.dumps(message), isinstance(message, Progress)
        if len(pickled) > _LARGEST_MESSAGE:
            return
        with self._lock:
            if is_progress and self._last_is_progress and self._unsent:
                self._unsent.pop()  # the new progress replaces it
            self._unsent.append(pickled)
            self._last_is_progress = is_progress
            if not self._all_sent.is_set():
                return
            self._all_sent.clear()
        self._client.loop.add_callback(self._send_all)

    async def _send_all(self) -> None:
        while True:
            with self._lock:
                messages, self._unsent = self._unsent, []
                if not messages:
                    self._all_sent.set()
                    return
            try:
                await self._queue.put(pickle.dumps((self._number, messages)))
            except Exception as error:  # noqa: BLE001  # the result is not sent through the queue
                _log.debug("Dask's scheduler could not be notified: %r", error)

    def end(self, progress: Progress) -> None:
        """Send the last progress, and wait until the scheduler has it: the result will arrive there later."""
        self._ended.set()
        self._send(progress)
        self._wait_until_sent()
        self._queue.close()
