"""Handles connect a job with the parts of its work; there is one for each family of executors."""

from __future__ import annotations

import concurrent.futures
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from typing import TYPE_CHECKING

from basicaer.executor import DaemonThreadExecutor
from basicaer.handles.base import Handle
from basicaer.handles.local import LocalHandle, UnknownHandle
from basicaer.rank_pool import RankPool

if TYPE_CHECKING:
    from basicaer.handles.base import ProgressCallback

__all__ = ["Handle", "handle_for"]

_THREADS = (DaemonThreadExecutor, ThreadPoolExecutor)
_INTERPRETERS = getattr(concurrent.futures, "InterpreterPoolExecutor", ())  # a ThreadPoolExecutor, from Python 3.14 on


def handle_for(executor: Executor, timeout: float | None, callback: ProgressCallback | None) -> Handle:
    """Return a handle for work on an executor.

    The families of executors are:

    - Threads: the standard ThreadPoolExecutor, and the default executor of jobs.
    - Processes on this machine: the standard ProcessPoolExecutor, with any start method, and those of loky.
    - Ranks that this process leads: a `RankPool`.
    - Dask: the executor of ``distributed.Client.get_executor()``, on any cluster.
    - All others are of an unknown kind, ``mpi4py.futures`` among them: jobs run there, with their time limits, and can
      be cancelled before they start but not after; nothing is known of their progress until they have ended.

    Parameters
    ----------
    timeout
        Seconds that the work may take; None for no limit.
    callback
        Called with the progress now and then, from some thread; None if there is no callback.
    """
    if isinstance(executor, _THREADS) and not isinstance(executor, _INTERPRETERS):
        return LocalHandle(timeout, callback)
    if isinstance(executor, ProcessPoolExecutor | RankPool) or _is_from("loky", executor):
        from basicaer.handles.processes import ProcessHandle

        return ProcessHandle(timeout, callback)
    if _is_from("distributed", executor) and hasattr(executor, "_client"):
        from basicaer.handles.dask import DaskHandle

        return DaskHandle(executor._client, timeout, callback)  # noqa: SLF001  # there is no public way to the client
    return UnknownHandle(timeout)


def _is_from(package: str, executor: Executor) -> bool:
    """Tell whether a package, which need not be installed, defines the executor's class or one of its base classes.

    Joblib contains loky as ``joblib.externals.loky``.
    """
    return any(package in kind.__module__.split(".") for kind in type(executor).__mro__)
