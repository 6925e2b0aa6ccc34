"""Ranks that are processes which mpiexec has started, on one host or on several."""

from __future__ import annotations

import os
import threading
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from basicaer.devices.distributed.comm import Comm
from basicaer.engine.bits import highest_position
from basicaer.errors import BasicAerError, reason_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["MpiTransport", "is_first_process", "world"]

_WARNING = 1  # the tag of warnings
_SIZES = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MPI_LOCALNRANKS")  # where launchers say how many processes they start
_RANKS = ("PMI_RANK", "OMPI_COMM_WORLD_RANK", "PMIX_RANK")  # and which of these a process is
_EMPTY = np.zeros(0, np.uint8)

_duplicating = threading.Lock()


@cache
def world() -> Comm | None:
    """Return all processes that mpiexec has started with this one as ranks; None if it has started no other.

    Raises
    ------
    BasicAerError
        If this process was not started by mpiexec, or cannot take part; every rank raises the same.
    """
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:
        missing = isinstance(error, ModuleNotFoundError)
        why = "which is not installed" if missing else f"which cannot be loaded ({reason_of(error)})"
        raise BasicAerError(
            f"distributed=True needs mpi4py, {why}; install it with an MPI: pip install 'basicaer[mpi]' mpich."
        ) from error
    size, started = MPI.COMM_WORLD.Get_size(), _started()
    if size == 1 and started != 1:
        why = (
            f"mpiexec has started {started} processes, but each is alone for mpi4py, which has loaded another MPI; "
            "use the mpiexec of that MPI"
            if started
            else "this process was not started by mpiexec; start it with `mpiexec -n 4 python script.py`"
        )
        raise BasicAerError(f"distributed=True finds no other ranks: {why}, or leave distributed out.")
    if size.bit_count() != 1:
        fewer = 2 ** highest_position(size)
        raise BasicAerError(
            f"A state can have 2, 4, 8, ... ranks, and mpiexec has started {size}; start {fewer} or {2 * fewer}."
        )
    if MPI.Query_thread() < MPI.THREAD_MULTIPLE:
        raise BasicAerError(
            "distributed=True needs an MPI that several threads may call (MPI_THREAD_MULTIPLE), and this one does not "
            "allow it; use another one, or leave mpi4py.rc.thread_level as it is."
        )
    return None if size == 1 else Comm(MpiTransport(MPI.COMM_WORLD, MPI))


def is_first_process() -> bool:
    """Tell whether this process is the first that a launcher has started, or the only one; MPI is not needed for it."""
    ranks = [os.environ[name] for name in _RANKS if name in os.environ]
    return ranks[:1] in ([], ["0"])


def _started() -> int:
    """Return how many processes the launcher says that it has started; 0 if there was none."""
    sizes = [os.environ.get(name, "") for name in _SIZES]
    return max([int(size) for size in sizes if size.isdecimal()], default=0)


class MpiTransport:
    """See `basicaer.devices.distributed.comm.Transport`.

    Parameters
    ----------
    comm
        A communicator of MPI, of which this one uses all messages.
    mpi
        The module `mpi4py.MPI`.
    """

    def __init__(self, comm: Any, mpi: Any) -> None:
        self.rank, self.size = comm.Get_rank(), comm.Get_size()
        self._comm = comm
        self._mpi = mpi
        self._sent: list[Any] = []  # the requests of warnings

    def gather(self, thing: Any) -> list[Any]:
        gathered: list[Any] = self._comm.allgather(thing)
        return gathered

    def swap(self, partner: int, out: NDArray[Any], into: NDArray[Any]) -> None:
        # As bytes, of which there are always fewer than 2**31.
        self._comm.Sendrecv(out.view(np.uint8), partner, recvbuf=into.view(np.uint8), source=partner)

    def warn(self) -> None:
        others = [rank for rank in range(self.size) if rank != self.rank]
        self._sent = [self._comm.Isend(_EMPTY, rank, _WARNING) for rank in others]

    def is_warned(self) -> bool:
        return bool(self._comm.Iprobe(self._mpi.ANY_SOURCE, _WARNING))

    def forget(self, ranks: Sequence[int]) -> None:
        for rank in ranks:
            if rank != self.rank:
                self._comm.Recv(np.empty(0, np.uint8), rank, _WARNING)
        self._mpi.Request.Waitall(self._sent)

    def again(self) -> MpiTransport:
        with _duplicating:  # MPI must be asked for one after another
            return MpiTransport(self._comm.Dup(), self._mpi)

    def close(self) -> None:
        if self._comm != self._mpi.COMM_WORLD:
            self._comm.Free()
