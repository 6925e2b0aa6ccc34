"""The handle for processes on the same machine: workers connect to their job's process over a local socket.

A worker connects when its work begins, names its handle and receives whether to begin. From then on it sends its
progress and finished experiments without waiting for an answer, and receives whether to stop. At the end it waits for a
confirmation that everything was received, so that the job knows everything before it ends. If one side dies, the other
notices that the socket is closed.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import multiprocessing
import os
import secrets
import signal
import threading
import time
import weakref
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Listener, answer_challenge, deliver_challenge
from typing import TYPE_CHECKING, Any, NamedTuple

from basicaer.engine.monitor import Monitor
from basicaer.errors import WorkerLostError
from basicaer.handles.base import Finished, RemoteHandle

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess

    from basicaer.engine.progress import Progress
    from basicaer.handles.base import ProgressCallback
    from basicaer.records import FinishedExperiment

__all__ = ["ProcessHandle"]

_INTERVAL = 0.01  # seconds between two exchanges
_PATIENCE = 1.0  # seconds for the other side to receive the last messages
_PAUSE = 0.1  # seconds until the next attempt if the system has no socket left
_BACKLOG = 128  # workers that may connect at the same time

_BROKEN = (OSError, EOFError, AuthenticationError)  # what a connection raises when the other side is gone

_log = logging.getLogger("basicaer")


class ProcessHandle(RemoteHandle):
    """The handle for a pool of processes.

    If work is cancelled before it begins, its future does not change and the pool still sends the work; the
    worker is told not to begin.
    """

    cancels_futures = False

    def __init__(self, timeout: float | None, callback: ProgressCallback | None) -> None:
        super().__init__(callback)
        self._timeout = timeout
        self._connection: Connection[Any, Any] | None = None
        self._disconnected = threading.Event()
        self._disconnected.set()
        self._address, self._key, self._number = _worker_server.register(self)

    def for_worker(self) -> _ProcessWorkerEnd:
        return _ProcessWorkerEnd(self._address, self._key, self._number, self._timeout)

    def cancel(self) -> bool:
        with self._lock:
            if not self._cancelled and self._connection is not None:
                with contextlib.suppress(*_BROKEN):
                    self._connection.send(True)  # noqa: FBT003  # True means: stop
            self._cancelled = True
            return not self._started

    def finished(self) -> dict[int, FinishedExperiment | None]:
        self._disconnected.wait(_PATIENCE)  # even if the worker is dead, its last messages may be on the way
        return super().finished()

    def serve(self, connection: Connection[Any, Any]) -> None:
        """Receive a worker's messages until it disconnects."""
        with self._lock:
            self._connection = connection
            self._disconnected.clear()
            self._started = self._started or not self._cancelled
            connection.send(self._cancelled)
        try:
            while (message := connection.recv()) is not None:
                self._receive(message)
            with self._lock:
                connection.send(None)
        finally:
            with self._lock:
                if self._connection is connection:  # the worker has not connected again meanwhile
                    self._connection = None
                    self._disconnected.set()


class _WorkerServer:
    """Accepts the connections of this process's workers, and passes each to the handle that the worker names.

    A forked child starts with no handles and closes the connections that it has inherited. Otherwise workers would not
    notice the death of the process that they work for.
    """

    def __init__(self) -> None:
        self._start_empty()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._leave_to_parent)

    def _start_empty(self) -> None:
        self._lock = threading.Lock()
        self._key = secrets.token_bytes(32)
        self._numbers = itertools.count()
        self._handles: weakref.WeakValueDictionary[int, ProcessHandle] = weakref.WeakValueDictionary()
        self._listener: Listener | None = None
        self._connections: set[Connection[Any, Any]] = set()

    def _leave_to_parent(self) -> None:
        for connection in self._connections:
            connection.close()
        if self._listener is not None:
            self._listener.close()
        self._start_empty()

    def register(self, handle: ProcessHandle) -> tuple[Any, bytes, int]:
        """Return the address to connect to, the key that a worker must know, and the handle's number."""
        with self._lock:
            if self._listener is None:
                self._listener = Listener(backlog=_BACKLOG)
                threading.Thread(
                    target=self._accept, args=(self._listener,), name="basicaer-listener", daemon=True
                ).start()
            number = next(self._numbers)
            self._handles[number] = handle
            return self._listener.address, self._key, number

    def _accept(self, listener: Listener) -> None:
        while True:
            try:
                connection = listener.accept()
            except OSError as error:
                _log.warning("The connection of a worker process could not be accepted: %s", error)
                time.sleep(_PAUSE)
                continue
            self._connections.add(connection)
            # Any process may connect and then send nothing, which must not block others: each has its own thread.
            threading.Thread(target=self._serve, args=(connection,), name="basicaer-worker", daemon=True).start()

    def _serve(self, connection: Connection[Any, Any]) -> None:
        try:
            deliver_challenge(connection, self._key)
            answer_challenge(connection, self._key)
            handle = self._handles.get(connection.recv())
            if handle is None:
                connection.send(True)  # noqa: FBT003  # True means: stop, since nobody waits for this work
            else:
                handle.serve(connection)
        except _BROKEN as error:
            _log.debug("A worker process has disconnected: %r", error)
        finally:
            self._connections.discard(connection)
            connection.close()


_worker_server = _WorkerServer()


class _ProcessWorkerEnd(NamedTuple):
    """A worker's end of a `ProcessHandle`."""

    address: Any
    key: bytes
    number: int
    timeout: float | None

    @contextlib.contextmanager
    def at_work(self) -> Iterator[Monitor]:
        _end_with_parent()
        link = _Link(self)
        monitor = Monitor(self.timeout, link)
        with _interrupts_ignored():
            try:
                yield monitor
            finally:
                link.end(monitor.progress())


class _Link:
    """Connects a worker's monitor with the handle."""

    interval = _INTERVAL

    def __init__(self, end: _ProcessWorkerEnd) -> None:
        self._end = end
        self._lock = threading.Lock()
        self._connection: Connection[Any, Any] | None = None
        self._delivered = 0
        self._experiments = 0

    def exchange(self, progress: Progress) -> bool:
        self._experiments = progress.experiments
        return self._send(progress)

    def deliver(self, position: int, experiment: FinishedExperiment | None) -> None:
        self._delivered += 1
        if self._delivered != self._experiments:  # the last one arrives with the result, at once
            self._send(Finished(position, experiment))

    def _send(self, message: Progress | Finished) -> bool:
        """Send a message and return whether to stop; connect once more if the connection is broken."""
        with self._lock:
            try:
                return self._send_once(message)
            except _BROKEN:
                self._connection = None
            try:
                return self._send_once(message)
            except _BROKEN as error:
                raise WorkerLostError(
                    f"A worker process cannot reach the process that its job belongs to ({error!r}), and has stopped. "
                    "Run the job again."
                ) from error

    def _send_once(self, message: Progress | Finished) -> bool:
        stop = False
        if self._connection is None:
            self._connection = Client(self._end.address, authkey=self._end.key)
            self._connection.send(self._end.number)
            stop = self._connection.recv()
        if not stop:
            self._connection.send(message)
            while self._connection.poll():
                stop = self._connection.recv()
        return stop

    def end(self, progress: Progress) -> None:
        """Close the connection once all messages have been received."""
        with self._lock, contextlib.suppress(*_BROKEN):
            if self._connection is not None:
                self._connection.send(progress)
                self._connection.send(None)
                while self._connection.poll(_PATIENCE) and self._connection.recv() is not None:
                    pass
                self._connection.close()


_watched: set[int] = set()  # this process, once it watches its parent; a forked child inherits that of its parent


def _end_with_parent() -> None:
    """See to it that this worker ends when the process of its pool has died, which pools leave to chance.

    A process that is killed, as by a batch system, shuts down no pool, and its workers would wait for work for ever.
    """
    parent = multiprocessing.parent_process()  # None in workers that are not of this kind, such as loky's
    if parent is not None and os.getpid() not in _watched:
        _watched.add(os.getpid())
        threading.Thread(target=_exit_after, args=(parent,), name="basicaer-parent", daemon=True).start()


def _exit_after(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)  # no state is lost: what is saved is written in one step


@contextlib.contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """Ignore Ctrl-C, which a terminal sends to workers as well, since only the job's own process decides to stop."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_DFL if before is None else before)
