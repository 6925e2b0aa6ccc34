"""The default executor of jobs: threads that never delay the exit of the interpreter."""

from __future__ import annotations

import contextlib
import os
import queue
import threading
import weakref
from concurrent.futures import Executor, Future
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from basicaer.devices.limits import usable_cores

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["DaemonThreadExecutor", "executor_of_gpu"]

_P = ParamSpec("_P")
_T = TypeVar("_T")
_Task = tuple[Future[Any], "Callable[..., Any]", tuple[Any, ...], dict[str, Any]]


class DaemonThreadExecutor(Executor):
    """Runs calls on daemon threads, started when needed and never more than `max_workers`.

    The standard ThreadPoolExecutor joins its threads when the interpreter exits, before any `atexit` function runs, so
    that a long simulation would delay the exit until it is done. Threads do not survive a fork: in the child the
    executor starts empty, and queued calls stay with the parent.

    Parameters
    ----------
    max_workers
        The number of calls, at most, that run at the same time; by default one for each core that the process
        may use, since a simulation keeps a core busy.
    """

    def __init__(self, max_workers: int | None = None) -> None:
        if max_workers is not None and max_workers < 1:
            raise ValueError(f"max_workers must be at least 1, not {max_workers}.")
        self._max_workers = max_workers or usable_cores()
        self._closed = False
        self._start_empty()
        if hasattr(os, "register_at_fork"):
            start_empty = weakref.WeakMethod(self._start_empty)
            os.register_at_fork(after_in_child=lambda: (method := start_empty()) and method())

    def _start_empty(self) -> None:
        self._lock = threading.Lock()
        self._tasks: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._unclaimed = 0  # the number of idle threads minus that of queued tasks

    def submit(self, fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> Future[_T]:
        """Queue a call and return its future."""
        future: Future[_T] = Future()
        with self._lock:
            if self._closed:
                raise RuntimeError("This executor has been shut down and takes no more calls.")
            if self._unclaimed < 1 and len(self._threads) < self._max_workers:
                name = f"basicaer-{len(self._threads)}"
                thread = threading.Thread(target=self._work, args=(self._tasks,), name=name, daemon=True)
                thread.start()  # comes first: if the system allows no more threads, nothing has changed
                self._threads.append(thread)
                self._unclaimed += 1
            self._tasks.put((future, fn, args, kwargs))
            self._unclaimed -= 1
        return future

    @staticmethod
    def call_here(fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> Future[_T]:
        """Make a call in this thread at once; for calls so short that handing them to another would take longer."""
        future: Future[_T] = Future()
        _run(future, fn, args, kwargs)
        if isinstance(error := future.exception(), KeyboardInterrupt):
            raise error  # it interrupts this thread, and is not a result of the call
        return future

    def _work(self, tasks: queue.SimpleQueue[_Task | None]) -> None:
        while (task := tasks.get()) is not None:
            _run(*task)
            del task  # an idle thread must not refer to its last call
            with self._lock:
                self._unclaimed += 1

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002  # the base's
        """Take no more calls; see `concurrent.futures.Executor.shutdown`."""
        taken = []
        with self._lock:
            self._closed = True
            with contextlib.suppress(queue.Empty):
                while cancel_futures:
                    taken.append(self._tasks.get_nowait())
        cancelled = [task for task in taken if task is not None]
        for future, *_ in cancelled:
            future.cancel()  # not under the lock, since callbacks of the future may use the executor
        for task in [*cancelled, *[None] * len(self._threads)]:
            self._tasks.put(task)  # threads also take the cancelled ones, in order to notify those who wait for them
        if wait:
            for thread in self._threads:
                thread.join()


_executors_of_gpus: dict[int, DaemonThreadExecutor] = {}  # _executors_of_gpus[number of the GPU]


def executor_of_gpu(number: int) -> DaemonThreadExecutor:
    """Return the executor of a GPU, which has one worker: jobs that share a GPU would only slow each other down.

    Jobs wait in the order in which they were submitted, and take no threads from jobs on the CPU.
    """
    return _executors_of_gpus.get(number) or _executors_of_gpus.setdefault(number, DaemonThreadExecutor(1))


def _run(future: Future[Any], fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = fn(*args, **kwargs)
    except BaseException as error:  # noqa: BLE001  # it is raised where the result is requested
        future.set_exception(error)
        del future  # the error's traceback refers to this frame, and the future refers to the error
    else:
        future.set_result(result)
