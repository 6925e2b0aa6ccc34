"""The handle for Dask: workers send messages through a queue of the scheduler, and an event of it stops them.

Neither needs a connection between a worker and its job's process, since the worker may be in a cluster and the process
behind a firewall: everything travels as Dask's own messages. A worker goes on while its messages are sent, and is
notified of a stop without asking. If Dask gives up a task, because the client is gone or its executor was shut down,
the worker notices and stops. If Dask runs a task again, because a worker has died, it begins from the start.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import os
import pickle
import threading
import uuid
import weakref
from functools import partial
from typing import TYPE_CHECKING, Any

from distributed import Event, Queue

from basicaer.errors import BasicAerError
from basicaer.handles.base import RemoteHandle
from basicaer.handles.dask_worker import SECONDS_FOR_LAST_MESSAGES, DaskWorkerEnd

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from distributed import Client

    from basicaer.engine.progress import Progress
    from basicaer.handles.base import Finished, ProgressCallback

__all__ = ["DaskHandle"]

_log = logging.getLogger("basicaer")


class DaskHandle(RemoteHandle):
    """The handle for the executor of an open Dask client."""

    def __init__(self, client: Client, timeout: float | None, callback: ProgressCallback | None) -> None:
        if client.status in {"closing", "closed"}:
            raise BasicAerError(
                f"The Dask client of the executor is {client.status}; run the job on the executor of a new client."
            )
        super().__init__(callback)
        self._timeout = timeout
        self._stop = Event(f"basicaer-stop-{uuid.uuid4().hex}", client=client)
        self._mailbox = _mailbox_of(client)
        self._number = self._mailbox.register(self)
        self._calling: threading.Thread | None = None

    def for_worker(self) -> DaskWorkerEnd:
        return DaskWorkerEnd(self._mailbox.name, self._number, self._stop.name, self._timeout)

    def cancel(self) -> bool:
        with self._lock:
            is_first, self._cancelled = not self._cancelled, True
            started = self._started
        if is_first:
            self._mailbox.send_soon(self._stop.set)
        return not started

    def when_done(self, future: Future[Any], conclude: Callable[[Future[Any]], None]) -> None:
        after_all_received = self._mailbox.after_all_received
        future.add_done_callback(
            lambda done: conclude(done) if done.cancelled() else after_all_received(partial(conclude, done))
        )

    def close(self) -> None:
        super().close()
        self._mailbox.send_soon(partial(_forget, self._stop))

    def receive(self, message: Progress | Finished) -> None:
        """Take a message of a worker; it shows that the worker has begun, unless the work was cancelled before."""
        with self._lock:
            self._started = self._started or not self._cancelled
        self._receive(message)

    def _call(self, callback: ProgressCallback, progress: Progress) -> None:
        """Call on another thread: a slow callback must not delay the messages of other jobs' workers."""
        if self._calling is None or not self._calling.is_alive():
            self._calling = threading.Thread(
                target=callback.exchange, args=(progress,), name="basicaer-callback", daemon=True
            )
            self._calling.start()


async def _forget(stop: Event) -> None:
    """Release those who wait for an event, and later the event itself, which the scheduler keeps while it is set."""
    await stop.set()
    await asyncio.sleep(SECONDS_FOR_LAST_MESSAGES)
    await stop.clear()


class _Mailbox:
    """Receives the messages of all workers of one client's jobs, on a thread."""

    def __init__(self, client: Client) -> None:
        self.name = f"basicaer-{uuid.uuid4().hex}"
        self.is_open = True
        self._client = client
        self._queue = Queue(self.name, client=client)
        self._lock = threading.Lock()  # guards what follows
        self._numbers = itertools.count()
        self._handles: weakref.WeakValueDictionary[int, DaskHandle] = weakref.WeakValueDictionary()
        self._calls_at: dict[int, Callable[[], None]] = {}  # [mark] = the call to make when it is received
        threading.Thread(target=self._read, name="basicaer-dask", daemon=True).start()

    def register(self, handle: DaskHandle) -> int:
        with self._lock:
            number = next(self._numbers)
            self._handles[number] = handle
            return number

    def send_soon(self, call: Callable[[], Any]) -> None:
        """Start sending something, without waiting for it; any thread may call this, Dask's event loop as well."""

        async def sent() -> None:
            try:
                await call()
            except Exception as error:  # noqa: BLE001  # the client is closed, or the scheduler gone
                _log.debug("Dask's scheduler could not be notified: %r", error)

        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._client.loop.add_callback(sent)

    def after_all_received(self, call: Callable[[], None]) -> None:
        """Call a function once all messages that are in the queue now were received: a mark is queued after them."""
        with self._lock:
            mark = next(self._numbers)
            self._calls_at[mark] = call

        async def put() -> None:
            try:
                await self._queue.put(pickle.dumps((None, mark)))
            except BaseException:
                self._reach(mark)
                raise

        if self.is_open:
            self.send_soon(put)
        if not self.is_open:
            self._reach(mark)

    def _reach(self, mark: int) -> None:
        with self._lock:
            call = self._calls_at.pop(mark, None)
        if call is not None:
            call()

    def _read(self) -> None:
        try:
            while True:
                number, content = pickle.loads(self._queue.get())  # noqa: S301  # Dask itself sends pickles to its clients
                if number is None:
                    self._reach(content)
                elif (handle := self._handles.get(number)) is not None:
                    for message in content:
                        handle.receive(pickle.loads(message))  # noqa: S301  # Dask itself sends pickles
        except BaseException as error:  # noqa: BLE001  # the client is closed, or has lost its scheduler
            _log.debug("Messages of Dask's workers are no longer received: %r", error)
        self.is_open = False
        with _mailboxes_lock:
            if _mailboxes.get(self._client) is self:
                del _mailboxes[self._client]
        for mark in list(self._calls_at):
            self._reach(mark)


_mailboxes: dict[Client, _Mailbox] = {}  # _mailboxes[client], for clients that are not closed
_mailboxes_lock = threading.Lock()


def _mailbox_of(client: Client) -> _Mailbox:
    with _mailboxes_lock:
        mailbox = _mailboxes.get(client)
        if mailbox is None or not mailbox.is_open:
            mailbox = _mailboxes[client] = _Mailbox(client)
        return mailbox


def _forget_mailboxes() -> None:
    """Forget in a forked child the mailboxes, whose threads run in the parent."""
    global _mailboxes_lock  # noqa: PLW0603  # a thread of the parent may hold it for good
    _mailboxes_lock = threading.Lock()
    _mailboxes.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_mailboxes)
