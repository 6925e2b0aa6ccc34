"""The handle for processes on the same machine: workers call their job's process over a local socket.

A worker connects when its work begins, names its handle and is told whether to begin. From then on it says how far it
is and hands over finished experiments without waiting for an answer, and hears if it is to stop. At the end it waits
for a word that all was heard, so that the job knows everything before it ends. Whoever dies is noticed by the other:
sockets break.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import secrets
import signal
import threading
import time
import weakref
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Listener, answer_challenge, deliver_challenge
from typing import TYPE_CHECKING, Any, NamedTuple

from basicaer.engine.checkpoint import Checkpoint
from basicaer.errors import WorkerLostError
from basicaer.handles.base import Finished, RemoteHandle

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection

    from basicaer.engine.progress import Progress
    from basicaer.handles.base import Told

__all__ = ["ProcessHandle"]

_INTERVAL = 0.01  # seconds between two exchanges
_PATIENCE = 1.0  # seconds for the other side to hear the last words
_PAUSE = 0.1  # seconds before the next try where the system gives no socket
_BACKLOG = 128  # workers that may call at once

_BROKEN = (OSError, EOFError, AuthenticationError)  # what a connection raises when the other side is gone

_log = logging.getLogger("basicaer")


class ProcessHandle(RemoteHandle):
    """For a pool of processes: ends when its worker's connection does.

    Of work that is cancelled before it begins the pool keeps the future and sends the work; the worker hears that it is
    not to begin.
    """

    cancels_futures = False

    def __init__(self, timeout: float | None, told: Told | None) -> None:
        super().__init__(told)
        self._timeout = timeout
        self._connection: Connection[Any, Any] | None = None
        self._hung_up = threading.Event()
        self._hung_up.set()
        self._address, self._key, self._number = _switchboard.register(self)

    def for_worker(self) -> _Caller:
        return _Caller(self._address, self._key, self._number, self._timeout)

    def cancel(self) -> bool:
        with self._lock:
            if not self._cancelled and self._connection is not None:
                with contextlib.suppress(*_BROKEN):
                    self._connection.send(True)  # noqa: FBT003  # whether to stop
            self._cancelled = True
            return not self._started

    def finished(self) -> dict[int, Any]:
        self._hung_up.wait(_PATIENCE)  # the worker may be dead, its last words still on the way
        return super().finished()

    def serve(self, connection: Connection[Any, Any]) -> None:
        """Answer a worker until it hangs up."""
        with self._lock:
            self._connection = connection
            self._hung_up.clear()
            self._started = self._started or not self._cancelled
            connection.send(self._cancelled)
        try:
            while (said := connection.recv()) is not None:
                self._hear(said)
            with self._lock:
                connection.send(None)
        finally:
            with self._lock:
                if self._connection is connection:  # it has not called again meanwhile
                    self._connection = None
                    self._hung_up.set()


class _Switchboard:
    """Takes the calls of this process's workers, and connects each with the handle that it names.

    A forked child starts with none, and closes the connections that it inherits: else workers would not notice the
    death of the process that they work for.
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
        """Return where to call, the key that proves who calls, and the handle's number."""
        with self._lock:
            if self._listener is None:
                self._listener = Listener(backlog=_BACKLOG)
                threading.Thread(
                    target=self._answer, args=(self._listener,), name="basicaer-listener", daemon=True
                ).start()
            number = next(self._numbers)
            self._handles[number] = handle
            return self._listener.address, self._key, number

    def _answer(self, listener: Listener) -> None:
        while True:
            try:
                connection = listener.accept()
            except OSError as error:
                _log.warning("A worker process could not be answered: %s", error)
                time.sleep(_PAUSE)
                continue
            self._connections.add(connection)
            # A stranger who says nothing must not keep others waiting: even the key is asked for on a thread.
            threading.Thread(target=self._serve, args=(connection,), name="basicaer-worker", daemon=True).start()

    def _serve(self, connection: Connection[Any, Any]) -> None:
        try:
            deliver_challenge(connection, self._key)
            answer_challenge(connection, self._key)
            handle = self._handles.get(connection.recv())
            if handle is None:
                connection.send(True)  # noqa: FBT003  # to stop: nobody waits for this work
            else:
                handle.serve(connection)
        except _BROKEN as error:
            _log.debug("A worker process has hung up: %r", error)
        finally:
            self._connections.discard(connection)
            connection.close()


_switchboard = _Switchboard()


class _Caller(NamedTuple):
    """A worker's end of a `ProcessHandle`."""

    address: Any
    key: bytes
    number: int
    timeout: float | None

    @contextlib.contextmanager
    def at_work(self) -> Iterator[Checkpoint]:
        link = _Link(self)
        checkpoint = Checkpoint(self.timeout, link)
        with _interrupts_ignored():
            try:
                yield checkpoint
            finally:
                link.end(checkpoint.progress())


class _Link:
    """Connects a worker's checkpoint with the handle."""

    interval = _INTERVAL

    def __init__(self, caller: _Caller) -> None:
        self._caller = caller
        self._lock = threading.Lock()
        self._connection: Connection[Any, Any] | None = None
        self._delivered = 0
        self._experiments = 0

    def exchange(self, progress: Progress) -> bool:
        self._experiments = progress.experiments
        return self._say(progress)

    def deliver(self, position: int, experiment: Any) -> None:
        self._delivered += 1
        if self._delivered != self._experiments:  # the last one comes at once with the result
            self._say(Finished(position, experiment))

    def _say(self, words: Progress | Finished) -> bool:
        """Say something and return whether to stop; call again, once, if the connection is broken."""
        with self._lock:
            try:
                return self._say_once(words)
            except _BROKEN:
                self._connection = None
            try:
                return self._say_once(words)
            except _BROKEN as error:
                raise WorkerLostError(
                    f"A worker process cannot reach the process that its job belongs to ({error!r}), and has stopped. "
                    "Run the job again."
                ) from error

    def _say_once(self, words: Progress | Finished) -> bool:
        stop = False
        if self._connection is None:
            self._connection = Client(self._caller.address, authkey=self._caller.key)
            self._connection.send(self._caller.number)
            stop = self._connection.recv()
        if not stop:
            self._connection.send(words)
            while self._connection.poll():
                stop = self._connection.recv()
        return stop

    def end(self, progress: Progress) -> None:
        """Hang up, once all that was said has been heard."""
        with self._lock, contextlib.suppress(*_BROKEN):
            if self._connection is not None:
                self._connection.send(progress)
                self._connection.send(None)
                while self._connection.poll(_PATIENCE) and self._connection.recv() is not None:
                    pass
                self._connection.close()


@contextlib.contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """Ignore Ctrl-C, which a terminal sends to workers as well: whether a job stops, its own process decides."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_DFL if before is None else before)
