"""How a job and the work that it has sent away stay in touch: one kind of handle for each family of executors."""

from __future__ import annotations

import concurrent.futures
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from typing import TYPE_CHECKING

from basicaer.executor import DaemonThreadExecutor
from basicaer.handles.base import Handle
from basicaer.handles.local import LocalHandle, UnknownHandle

if TYPE_CHECKING:
    from basicaer.handles.base import Told

__all__ = ["Handle", "handle_for"]

_THREADS = (DaemonThreadExecutor, ThreadPoolExecutor)
_INTERPRETERS = getattr(concurrent.futures, "InterpreterPoolExecutor", ())  # since Python 3.14, derived from threads


def handle_for(executor: Executor, timeout: float | None, told: Told | None) -> Handle:
    """Return a handle for work on an executor, of one of these families.

    - Threads: the standard ThreadPoolExecutor, and the one that jobs have by default.
    - Processes on this machine: the standard ProcessPoolExecutor, with any start method, and those of loky.
    - Dask: that of ``distributed.Client.get_executor()``, on any cluster.
    - All others are of an unknown kind, those of ``mpi4py.futures`` among them: jobs run there, with their time limits,
      and can be cancelled before they start but not after; nothing is known of their progress until they have ended.

    Parameters
    ----------
    timeout
        Seconds that the work may take; None for no limit.
    told
        Told of the progress now and then, from some thread; None if nobody listens.
    """
    if isinstance(executor, _THREADS) and not isinstance(executor, _INTERPRETERS):
        return LocalHandle(timeout, told)
    if isinstance(executor, ProcessPoolExecutor) or _is_from("loky", executor):
        from basicaer.handles.processes import ProcessHandle

        return ProcessHandle(timeout, told)
    if _is_from("distributed", executor) and hasattr(executor, "_client"):
        from basicaer.handles.dask import DaskHandle

        return DaskHandle(executor._client, timeout, told)  # noqa: SLF001  # the only way to know a client
    return UnknownHandle(timeout)


def _is_from(package: str, executor: Executor) -> bool:
    """Tell whether a package, which need not be installed, defines the executor's class or one that it derives from.

    Joblib carries loky as ``joblib.externals.loky``.
    """
    return any(package in kind.__module__.split(".") for kind in type(executor).__mro__)
