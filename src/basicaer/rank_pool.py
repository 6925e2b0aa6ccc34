"""`RankPool`: ranks that a program or a notebook has started and leads, as an executor for its jobs."""

from __future__ import annotations

import contextlib
import pickle
import queue
import secrets
import subprocess
import sys
import tempfile
import threading
import weakref
from concurrent.futures import Executor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import AuthenticationError
from multiprocessing.connection import Listener
from multiprocessing.reduction import ForkingPickler
from typing import IO, TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

from basicaer.errors import BasicAerError, OptionValueError, reason_of, shown
from basicaer.executor import DaemonThreadExecutor
from basicaer.options import check_option

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future
    from multiprocessing.connection import Connection

__all__ = ["RankPool"]

_LOOK_SECONDS = 0.05  # between two looks whether the ranks could be started
_END_SECONDS = 10.0  # for ranks to end when they are told to
_LONGEST_REASON = 300

_P = ParamSpec("_P")
_T = TypeVar("_T")


class RankPool(Executor):
    """Ranks that wait for the jobs of this process: ``backend.run(circuit, executor=pool)`` divides states among them.

    Jobs run one after another, report their progress, and are cancelled like all others. The ranks end with
    `shutdown`, at the end of a ``with`` block, or when this process ends.

    Parameters
    ----------
    ranks
        How many there are, a power of two.
    command
        What starts so many processes, by default ``mpiexec -n`` and their number; the first of them must be on this
        machine.

    Raises
    ------
    BasicAerError
        If they cannot be started; with what they say.
    """

    def __init__(self, ranks: int, command: Sequence[str] | None = None) -> None:
        self.size = check_option("ranks", ranks)
        starter = ["mpiexec", "-n", str(self.size)] if command is None else _words(command)
        self._calls = DaemonThreadExecutor(1)
        self._ranks = _Ranks(starter)
        self.on_host: int = self._ranks.hello["on_host"]
        if (started := self._ranks.hello["size"]) != self.size:
            self.shutdown()
            raise BasicAerError(
                f"{' '.join(starter)} has started {started} ranks, not {self.size}; let both numbers agree."
            )

    def submit(self, fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> Future[_T]:
        """Queue a call that all ranks will make, and return the future of what the first of them returns.

        Raises
        ------
        RuntimeError
            If the pool has been shut down.
        """
        return self._calls.submit(self._ranks.call, fn, args, kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002  # the base's
        """Let the ranks end once the calls that are queued have been made."""
        self._calls.shutdown(wait=False, cancel_futures=cancel_futures)
        ending = threading.Thread(target=self._end, name="basicaer-ranks", daemon=True)
        ending.start()
        if wait:
            ending.join()

    def _end(self) -> None:
        self._calls.shutdown(wait=True)
        self._ranks.end()


def _words(command: Any) -> list[str]:
    words = [] if isinstance(command, str | bytes) else [str(word) for word in command]
    if not words:
        raise OptionValueError(f'command must be a list of words, such as ["srun", "-n", "16"], not {shown(command)}.')
    return words


class _Ranks:
    """Ranks that have been started, and the connection with the first of them.

    Attributes
    ----------
    hello
        What the first one says of all: their number (``"size"``), and how many are on its host (``"on_host"``).
    """

    def __init__(self, starter: list[str]) -> None:
        self._ending = threading.Lock()  # A connection must not be closed by two threads at a time.
        key = secrets.token_bytes(32)
        with Listener(authkey=key) as listener:
            self._process, self._output = _started([*starter, sys.executable, "-m", "basicaer.rank_worker"])
            self._kill = weakref.finalize(self, _killed, self._process, self._output)
            try:
                self._tell(f"{listener.address}\n{key.hex()}\n")
                self._connection = self._accepted(listener)
                self.hello = self._greeting()
            except BrokenProcessPool as error:
                self._kill()
                raise BasicAerError(f"The ranks ended before they could take a job: {error}.") from None
            except BaseException:
                self._kill()
                raise

    def _tell(self, text: str) -> None:
        """Give the first rank a text to read."""
        told = cast("IO[str]", self._process.stdin)
        with contextlib.suppress(OSError), told:  # It is noticed later if the ranks have ended.
            told.write(text)

    def _accepted(self, listener: Listener) -> Connection[Any, Any]:
        accepted: queue.SimpleQueue[Connection[Any, Any]] = queue.SimpleQueue()

        def accept() -> None:
            with contextlib.suppress(OSError, EOFError, AuthenticationError):
                accepted.put(listener.accept())

        threading.Thread(target=accept, name="basicaer-listener", daemon=True).start()
        while True:
            with contextlib.suppress(queue.Empty):
                return accepted.get(timeout=_LOOK_SECONDS)
            if self._process.poll() is not None:
                raise BrokenProcessPool(self._said() or "they said nothing")

    def _greeting(self) -> dict[str, int]:
        greeting: dict[str, int] | BasicAerError = self._received()
        if isinstance(greeting, BasicAerError):
            raise greeting
        return greeting

    def call(self, *call: Any) -> Any:
        """Let all ranks make a call; return what the first of them returns, or raise what it raises."""
        sent = ForkingPickler.dumps(call)
        try:
            self._connection.send_bytes(sent)
        except OSError as error:
            raise self._lost(error) from None
        is_returned, outcome = self._received()
        if not is_returned:
            raise outcome
        return outcome

    def _received(self) -> Any:
        try:
            received = self._connection.recv_bytes()
        except (OSError, EOFError) as error:
            raise self._lost(error) from None
        return pickle.loads(received)  # noqa: S301  # Only who knows the key sends something.

    def _lost(self, error: OSError | EOFError) -> BrokenProcessPool:
        return BrokenProcessPool(f"its ranks have ended: {self._said() or reason_of(error)}")

    def _said(self) -> str:
        """Return the end of what the ranks have said, in one line."""
        self._output.seek(0)
        return " ".join(self._output.read().decode(errors="replace").split())[-_LONGEST_REASON:]

    def end(self) -> None:
        """Let the ranks end, which may be called again."""
        with self._ending:
            self._connection.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_SECONDS)
        self._kill()


def _killed(process: subprocess.Popen[str], output: IO[bytes]) -> None:
    """See to it that ranks have ended, also those of a pool that nobody has shut down."""
    for insist in (process.terminate, process.kill):
        if process.poll() is None:
            insist()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_END_SECONDS)
    output.close()


def _started(command: list[str]) -> tuple[subprocess.Popen[str], IO[bytes]]:
    """Start the ranks in a group of their own, which Ctrl-C does not reach: it cancels a job through this process.

    Returns
    -------
    The process that has started them, and a file of what they say, which no pipe could hold.
    """
    output = tempfile.TemporaryFile()  # noqa: SIM115  # It is open as long as there are ranks.
    try:
        process = subprocess.Popen(  # noqa: S603
            command, stdin=subprocess.PIPE, stdout=output, stderr=output, text=True, start_new_session=True
        )
    except OSError as error:
        output.close()
        raise BasicAerError(
            f"{command[0]} cannot be started ({reason_of(error)}); install an MPI, for example with pip install mpich, "
            "or give the command that starts ranks here."
        ) from error
    return process, output
