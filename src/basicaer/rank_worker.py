"""The ranks of a `basicaer.rank_pool.RankPool`, each of which runs this module: they wait for calls and make them.

The first one is connected with the process that leads; it passes each call on to the others.
"""

from __future__ import annotations

import contextlib
import pickle
import sys
import time
from dataclasses import replace
from multiprocessing.connection import Client
from multiprocessing.reduction import ForkingPickler
from typing import TYPE_CHECKING, Any, NamedTuple

from basicaer.devices.distributed.mpi import is_first_process, world
from basicaer.engine.monitor import Monitor
from basicaer.errors import BasicAerError, reason_of
from basicaer.primitives.payload import PrimitivePayload
from basicaer.sharing import options_of_rank
from basicaer.simulation import SimulationPayload
from basicaer.simulators.ranks import resumed_by_rank

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from multiprocessing.connection import Connection

    from basicaer.devices.distributed.comm import Comm

__all__ = ["main"]

_SECONDS_BETWEEN_LOOKS = 2e-3  # for the next call; a rank that waited for a message of MPI would keep a core busy


class _Unconnected(NamedTuple):
    """The end of a worker that has nothing to tell: the first rank does."""

    def at_work(self) -> contextlib.AbstractContextManager[Monitor]:
        return contextlib.nullcontext(Monitor())


def main() -> None:
    """Wait for calls and make them, until the process that leads ends."""
    connection = _connection()
    try:
        ranks = _ranks()
    except BasicAerError as error:
        _send(connection, error)
        sys.exit(f"Error: {error}")
    _send(connection, {"size": ranks.size, "on_host": ranks.again().host.ranks})
    for call in _calls(connection):
        _send(connection, _made(call, ranks))


def _ranks() -> Comm:
    ranks = world()
    if ranks is None:
        raise BasicAerError("A RankPool needs 2, 4, 8, ... ranks.")
    return ranks


def _connection() -> Connection[Any, Any] | None:
    """Return the connection of the first rank, which alone is given where to connect; None for the others."""
    if not is_first_process():
        return None
    address, key = (sys.stdin.readline().strip() for _ in range(2))
    return Client(address, authkey=bytes.fromhex(key))


def _calls(connection: Connection[Any, Any] | None) -> Iterator[bytes]:
    """Yield the calls of the process that leads, as they were sent."""
    from mpi4py import MPI

    comm = MPI.COMM_WORLD.Dup()
    while True:
        call = b""
        if connection is not None:
            with contextlib.suppress(OSError, EOFError):  # It raises these when the process that leads has ended.
                call = connection.recv_bytes()
            MPI.Request.waitall([comm.isend(call, rank) for rank in range(1, comm.Get_size())])
        else:
            while not comm.iprobe(0):
                time.sleep(_SECONDS_BETWEEN_LOOKS)
            call = comm.recv(source=0)
        if not call:
            return
        yield call


def _made(call: bytes, ranks: Comm) -> tuple[bool, Any]:
    """Make a call; return whether it has returned something, and what it has returned or raised."""
    try:
        with ranks.again().together():
            function, arguments, keywords = pickle.loads(call)  # noqa: S301  # Only who knows the key sends something.
        if _is_for_one(arguments):
            return True, None if ranks.rank else function(*arguments, **keywords)
        return True, _made_together(function, arguments, keywords, ranks.again())
    except Exception as error:  # noqa: BLE001  # It is handed over.
        return False, error


def _made_together(
    function: Callable[..., Any], arguments: tuple[Any, ...], keywords: Mapping[str, Any], ranks: Comm
) -> Any:
    try:
        return function(*(_of_rank(one, ranks) for one in arguments), **keywords)
    finally:
        ranks.leave_unbegun()


def _is_for_one(arguments: tuple[Any, ...]) -> bool:
    """Tell whether these are the arguments of a job that one rank runs alone, such as a gradient that is saved."""
    return any(hasattr(one, "at_work") for one in arguments) and not any(map(_is_shared, arguments))


def _is_shared(argument: Any) -> bool:
    """Tell whether this is the payload of a job that ranks share."""
    if isinstance(argument, PrimitivePayload):
        return argument.persistence is None
    return isinstance(argument, SimulationPayload)


def _of_rank(argument: Any, ranks: Comm) -> Any:
    """Return an argument as this rank takes it."""
    if isinstance(argument, SimulationPayload):
        return resumed_by_rank(argument, ranks)
    if isinstance(argument, PrimitivePayload):
        return replace(argument, ranks=ranks, devices=options_of_rank(argument.devices, ranks, (argument.devices.gpu,)))
    if hasattr(argument, "at_work") and ranks.rank:
        return _Unconnected()
    return argument


def _send(connection: Connection[Any, Any] | None, outcome: Any) -> None:
    """Send something to the process that leads, if this is the rank that is connected with it."""
    if connection is None:
        return
    try:
        sent = ForkingPickler.dumps(outcome)
    except Exception as error:  # noqa: BLE001  # What cannot be pickled may raise anything.
        refusal = BasicAerError(f"The result of the ranks cannot be sent: {reason_of(error)}.")
        sent = ForkingPickler.dumps((False, refusal))
    with contextlib.suppress(OSError):  # The next call shows that the process that leads has ended.
        connection.send_bytes(sent)


if __name__ == "__main__":
    main()
