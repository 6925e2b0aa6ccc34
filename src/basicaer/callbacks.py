"""Callbacks of jobs: numbers are as usual in them, and they must not wait for a job that has not ended."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

from basicaer.devices.cpu.denormals import usual_denormals

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["in_callback", "running_callback"]


class _OfThread(threading.local):
    """What is known of each thread by itself; tasks and other threads that a callback starts are no part of it."""

    depth = 0  # the number of callbacks that the thread is in


_thread = _OfThread()


@contextlib.contextmanager
def running_callback() -> Iterator[None]:
    """Mark a block in which a job calls functions of the user."""
    _thread.depth += 1
    try:
        with usual_denormals():
            yield
    finally:
        _thread.depth -= 1


def in_callback() -> bool:
    """Tell whether this thread is in such a block."""
    return _thread.depth > 0
