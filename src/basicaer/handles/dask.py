"""The handle for Dask: workers speak through a queue of the scheduler, and are stopped through an event of it.

Neither needs a connection between a worker and its job's process, of which the one may be in a cluster and the other
behind a firewall: all goes the way of Dask's own messages. What a worker says is sent while it works on, and a stop
comes to it without being asked for. Where Dask gives up a task (the client is gone, or its executor was shut down), the
worker sees that and stops, too; where it runs a task again, because a worker has died, that one begins anew.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import multiprocessing
import os
import pickle
import signal
import threading
import time
import uuid
import weakref
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from distributed import Event, Queue, Status, get_client, get_worker

from basicaer.engine.checkpoint import Checkpoint
from basicaer.engine.progress import Progress
from basicaer.errors import BasicAerError
from basicaer.handles.base import Finished, RemoteHandle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future

    from distributed import Client

    from basicaer.handles.base import Told

__all__ = ["DaskHandle"]

_INTERVAL = 0.05  # seconds between two words of progress: all jobs of a cluster share its scheduler
_PATIENCE = 10.0  # seconds for the last words to reach the scheduler, and for a late worker to find that it is to stop
_WAIT = 60.0  # seconds after which a worker asks anew whether to stop: so long the scheduler keeps a wait for nobody
_MOST_BYTES = 2**26  # of an experiment that is handed over: what is larger would clog the scheduler, and is not

_log = logging.getLogger("basicaer")


class DaskHandle(RemoteHandle):
    """For the executor of a Dask client, which must not be closed."""

    def __init__(self, client: Client, timeout: float | None, told: Told | None) -> None:
        if client.status in {"closing", "closed"}:
            raise BasicAerError(f"The Dask client of the executor is {client.status}; run the job on a new one's.")
        super().__init__(told)
        self._timeout = timeout
        self._stop = Event(f"basicaer-stop-{uuid.uuid4().hex}", client=client)
        self._mailbox = _mailbox_of(client)
        self._number = self._mailbox.register(self)
        self._calling: threading.Thread | None = None

    def for_worker(self) -> _Sender:
        return _Sender(self._mailbox.name, self._number, self._stop.name, self._timeout)

    def cancel(self) -> bool:
        with self._lock:
            is_first, self._cancelled = not self._cancelled, True
            started = self._started
        if is_first:
            self._mailbox.soon(self._stop.set)
        return not started

    def when_done(self, future: Future[Any], settle: Callable[[Future[Any]], None]) -> None:
        after_all_heard = self._mailbox.after_all_heard
        future.add_done_callback(
            lambda done: settle(done) if done.cancelled() else after_all_heard(partial(settle, done))
        )

    def close(self) -> None:
        super().close()
        self._mailbox.soon(partial(_forget, self._stop))

    def hear(self, said: Progress | Finished) -> None:
        """Take what a worker says; whatever it is, the worker has begun, unless it finds that it is not to."""
        with self._lock:
            self._started = self._started or not self._cancelled
        self._hear(said)

    def _call(self, told: Told, progress: Progress) -> None:
        """Call on a thread of its own: a slow callback must not keep waiting what other jobs' workers say."""
        if self._calling is None or not self._calling.is_alive():
            self._calling = threading.Thread(target=told.exchange, args=(progress,), name="basicaer-told", daemon=True)
            self._calling.start()


async def _forget(stop: Event) -> None:
    """Let go of whoever waits for an event, and after a while of the event: the scheduler keeps those that are set."""
    await stop.set()
    await asyncio.sleep(_PATIENCE)
    await stop.clear()


class _Mailbox:
    """Where all workers of one client's jobs send what they say; read on a thread."""

    def __init__(self, client: Client) -> None:
        self.name = f"basicaer-{uuid.uuid4().hex}"
        self.is_open = True
        self._client = client
        self._queue = Queue(self.name, client=client)
        self._lock = threading.Lock()  # guards what follows
        self._numbers = itertools.count()
        self._handles: weakref.WeakValueDictionary[int, DaskHandle] = weakref.WeakValueDictionary()
        self._afterwards: dict[int, Callable[[], None]] = {}  # by mark: what is to be done when it comes
        threading.Thread(target=self._read, name="basicaer-dask", daemon=True).start()

    def register(self, handle: DaskHandle) -> int:
        with self._lock:
            number = next(self._numbers)
            self._handles[number] = handle
            return number

    def soon(self, call: Callable[[], Any]) -> None:
        """Send something on its way without waiting for it; from any thread, that of Dask's event loop included."""

        async def sent() -> None:
            try:
                await call()
            except Exception as error:  # noqa: BLE001  # the client is closed, or the scheduler gone
                _log.debug("Dask's scheduler could not be told: %r", error)

        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._client.loop.add_callback(sent)

    def after_all_heard(self, call: Callable[[], None]) -> None:
        """Call a function once everything was heard that stands in the queue now: a mark is put behind it."""
        with self._lock:
            mark = next(self._numbers)
            self._afterwards[mark] = call

        async def put() -> None:
            try:
                await self._queue.put(pickle.dumps((None, mark)))
            except BaseException:
                self._reach(mark)
                raise

        if self.is_open:
            self.soon(put)
        if not self.is_open:
            self._reach(mark)

    def _reach(self, mark: int) -> None:
        with self._lock:
            call = self._afterwards.pop(mark, None)
        if call is not None:
            call()

    def _read(self) -> None:
        try:
            while True:
                number, words = pickle.loads(self._queue.get())  # noqa: S301  # as Dask does with all that it carries
                if number is None:
                    self._reach(words)
                elif (handle := self._handles.get(number)) is not None:
                    for said in words:
                        handle.hear(pickle.loads(said))  # noqa: S301  # as above
        except BaseException as error:  # noqa: BLE001  # the client is closed, or has lost its scheduler
            _log.debug("What Dask's workers say is no longer heard: %r", error)
        self.is_open = False
        with _mailboxes_lock:
            if _mailboxes.get(self._client) is self:
                del _mailboxes[self._client]
        for mark in list(self._afterwards):
            self._reach(mark)


_mailboxes: dict[Client, _Mailbox] = {}  # of clients that are not closed
_mailboxes_lock = threading.Lock()


def _mailbox_of(client: Client) -> _Mailbox:
    with _mailboxes_lock:
        mailbox = _mailboxes.get(client)
        if mailbox is None or not mailbox.is_open:
            mailbox = _mailboxes[client] = _Mailbox(client)
        return mailbox


def _start_without() -> None:
    """In a forked child: the threads that read are the parent's."""
    global _mailboxes_lock  # noqa: PLW0603  # a thread of the parent may hold it for good
    _mailboxes_lock = threading.Lock()
    _mailboxes.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_without)


@dataclass(frozen=True, slots=True)
class _Sender:
    """A worker's end of a `DaskHandle`."""

    queue: str
    number: int
    stop: str
    timeout: float | None

    @contextlib.contextmanager
    def at_work(self) -> Iterator[Checkpoint]:
        link = _Link(self)
        checkpoint = Checkpoint(self.timeout, link)
        link.listen(checkpoint)
        loop = get_worker().loop
        loop.add_callback(_ignored_interrupts.begin)
        try:
            yield checkpoint
        finally:
            link.end(checkpoint.progress())
            loop.add_callback(_ignored_interrupts.end)


class _IgnoredInterrupts:
    """Makes a worker process ignore Ctrl-C while it is at work, which a terminal sends to it as well.

    Dask's event loop, in the main thread of such a process, would end by it and leave the work to go on unheard. Called
    on that loop only.
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
        """Note that one has ended."""
        if self._works:
            self._works -= 1
            if self._works == 0:
                signal.signal(signal.SIGINT, signal.SIG_DFL if self._before is None else self._before)


_ignored_interrupts = _IgnoredInterrupts()


class _Link:
    """Connects a worker's checkpoint with the handle."""

    interval = _INTERVAL

    def __init__(self, sender: _Sender) -> None:
        worker = get_worker()
        self._worker, self._task = worker, worker.get_current_task()
        self._client = get_client()
        self._number = sender.number
        self._queue = Queue(sender.queue, client=self._client)
        self._stop = Event(sender.stop, client=self._client)
        self._begun = False
        self._delivered = 0
        self._experiments = 0
        self._ended = threading.Event()
        self._lock = threading.Lock()  # guards what follows
        self._unsent: list[bytes] = []
        self._last_is_progress = False
        self._all_sent = threading.Event()
        self._all_sent.set()

    def listen(self, checkpoint: Checkpoint) -> None:
        """Cancel the work as soon as the job's end asks for it."""

        async def hear_stop() -> None:
            with contextlib.suppress(Exception):  # the scheduler is gone, and this worker soon, too
                while not await self._stop.wait(timeout=_WAIT):
                    if self._ended.is_set():
                        return
                checkpoint.cancel()

        self._client.loop.add_callback(hear_stop)

    def exchange(self, progress: Progress) -> bool:
        self._experiments = progress.experiments
        self._say(progress)
        if not self._begun:  # the word that it begins is out; was it told not to?
            self._begun = True
            self._wait_until_sent()
            return bool(self._stop.is_set())
        task = self._worker.state.tasks.get(self._task)
        is_given_up = task is None or task.state == "cancelled"  # Dask has no use for it any more
        return is_given_up or self._worker.status is Status.closing or not self._is_loop_running()

    def _is_loop_running(self) -> bool:
        return bool(self._worker.loop.asyncio_loop.is_running())

    def _wait_until_sent(self) -> None:
        deadline = time.monotonic() + _PATIENCE
        while not self._all_sent.wait(_INTERVAL) and self._is_loop_running() and time.monotonic() < deadline:
            pass

    def deliver(self, position: int, experiment: Any) -> None:
        self._delivered += 1
        if self._delivered != self._experiments:  # the last one comes at once with the result
            self._say(Finished(position, experiment))

    def _say(self, words: Progress | Finished) -> None:
        said, is_progress = pickle.dumps(words), isinstance(words, Progress)
        if len(said) > _MOST_BYTES:
            return
        with self._lock:
            if is_progress and self._last_is_progress and self._unsent:
                self._unsent.pop()  # older news of the same
            self._unsent.append(said)
            self._last_is_progress = is_progress
            if not self._all_sent.is_set():
                return
            self._all_sent.clear()
        self._client.loop.add_callback(self._send)

    async def _send(self) -> None:
        while True:
            with self._lock:
                words, self._unsent = self._unsent, []
                if not words:
                    self._all_sent.set()
                    return
            try:
                await self._queue.put(pickle.dumps((self._number, words)))
            except Exception as error:  # noqa: BLE001  # the result goes another way
                _log.debug("Dask's scheduler could not be told: %r", error)

    def end(self, progress: Progress) -> None:
        """Say the last words and wait until they are on the scheduler, where the result will come after them."""
        self._ended.set()
        self._say(progress)
        self._wait_until_sent()
        self._queue.close()
