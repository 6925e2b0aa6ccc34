"""The executor that jobs run on unless they are given another: threads that never hold up the interpreter's exit."""

from __future__ import annotations

import contextlib
import os
import queue
import threading
import weakref
from concurrent.futures import Executor, Future
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["DaemonThreadExecutor", "executor_of_gpu"]

_P = ParamSpec("_P")
_T = TypeVar("_T")
_Task = tuple[Future[Any], "Callable[..., Any]", tuple[Any, ...], dict[str, Any]]


class DaemonThreadExecutor(Executor):
    """Runs calls on daemon threads, started when needed and never more than `max_workers`.

    The standard ThreadPoolExecutor joins its threads when the interpreter exits, before any `atexit` function runs, so
    that a long simulation would hold the process until it is done. Threads do not survive a fork: in the child the
    executor starts empty, and calls that were queued stay with the parent.

    Parameters
    ----------
    max_workers
        How many calls may run at once; by default one per core, since a simulation keeps a core busy.
    """

    def __init__(self, max_workers: int | None = None) -> None:
        if max_workers is not None and max_workers < 1:
            raise ValueError(f"max_workers must be at least 1, not {max_workers}.")
        self._max_workers = max_workers or os.cpu_count() or 1
        self._closed = False
        self._start_empty()
        if hasattr(os, "register_at_fork"):
            start_empty = weakref.WeakMethod(self._start_empty)
            os.register_at_fork(after_in_child=lambda: (method := start_empty()) and method())

    def _start_empty(self) -> None:
        self._lock = threading.Lock()
        self._tasks: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._unclaimed = 0  # idle threads less queued tasks

    def submit(self, fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> Future[_T]:
        """Queue a call and return its future."""
        future: Future[_T] = Future()
        with self._lock:
            if self._closed:
                raise RuntimeError("This executor has been shut down and takes no more calls.")
            if self._unclaimed < 1 and len(self._threads) < self._max_workers:
                name = f"basicaer-{len(self._threads)}"
                thread = threading.Thread(target=self._work, args=(self._tasks,), name=name, daemon=True)
                thread.start()  # before anything else: where the system gives no more threads, nothing has changed
                self._threads.append(thread)
                self._unclaimed += 1
            self._tasks.put((future, fn, args, kwargs))
            self._unclaimed -= 1
        return future

    @staticmethod
    def call_here(fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> Future[_T]:
        """Make a call in this thread at once: for one so short that the hop to another would take longer."""
        future: Future[_T] = Future()
        _run(future, fn, args, kwargs)
        if isinstance(error := future.exception(), KeyboardInterrupt):
            raise error  # meant for this thread, not for whoever asks for the result
        return future

    def _work(self, tasks: queue.SimpleQueue[_Task | None]) -> None:
        while (task := tasks.get()) is not None:
            _run(*task)
            del task  # an idle thread keeps nothing of its last call alive
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
            future.cancel()  # outside of the lock, since its callbacks may come back here
        for task in [*cancelled, *[None] * len(self._threads)]:
            self._tasks.put(task)  # a thread still has to see the cancelled ones, to tell those who wait
        if wait:
            for thread in self._threads:
                thread.join()


_of_gpus: dict[int, DaemonThreadExecutor] = {}  # by the GPU's number


def executor_of_gpu(number: int) -> DaemonThreadExecutor:
    """Return the executor of a GPU, which has one worker: jobs beside each other would only slow each other down there.

    They queue in the order in which they were submitted, and keep no thread from jobs on the CPU.
    """
    return _of_gpus.get(number) or _of_gpus.setdefault(number, DaemonThreadExecutor(1))


def _run(future: Future[Any], fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = fn(*args, **kwargs)
    except BaseException as error:  # noqa: BLE001  # whatever it is, it belongs to whoever asks for the result
        future.set_exception(error)
        del future  # the error's traceback holds this frame, and would hold the future that holds the error
    else:
        future.set_result(result)
