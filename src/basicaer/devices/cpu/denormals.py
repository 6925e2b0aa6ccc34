"""Lets the processor take denormal numbers for zero, while tiles in single precision are worked on.

Amplitudes below 1.2e-38 are denormal in single precision, and arithmetic with them takes a hundred times as long. They
arise wherever small factors are multiplied again and again, and no result depends on them. The setting belongs to a
thread, and a thread that is started inherits it.
"""

from __future__ import annotations

import contextlib
import ctypes
import ctypes.util
import platform
import sys
import threading
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["usual_denormals", "without_denormals"]

_WINDOWS_FLUSH, _WINDOWS_MASK = 0x01000000, 0x03000000  # _DN_FLUSH and _MCW_DN of <float.h>


class _Register(NamedTuple):
    """The place of the bits in a C library's floating-point environment: its size in words, the word, and the bits."""

    words: int
    word: int
    bits: int


_REGISTERS = {
    "x86_64": _Register(8, 7, 0x8040),  # MXCSR: flush results to zero, and take denormal operands for zero
    "aarch64": _Register(2, 0, 0x01000000),  # FPCR: both in one
}


@lru_cache(maxsize=1)
def _switch() -> Callable[[], Callable[[], None]] | None:
    """Return a function that switches denormal numbers off and returns one that puts the setting back; None if none."""
    if sys.platform == "win32":
        return _switch_of_windows()
    register = _REGISTERS.get(platform.machine())
    if not sys.platform.startswith("linux") or register is None:
        return None
    try:
        library = ctypes.CDLL(ctypes.util.find_library("m") or "libm.so.6")
        get, put = library.fegetenv, library.fesetenv
    except (OSError, AttributeError):
        return None
    environment = ctypes.c_uint32 * (2 * register.words)  # has room to spare, in case it is larger than documented

    def switch() -> Callable[[], None]:
        before, changed = environment(), environment()
        get(before)
        ctypes.memmove(changed, before, ctypes.sizeof(before))
        changed[register.word] |= register.bits
        put(changed)
        return lambda: put(before)

    return switch


def _switch_of_windows() -> Callable[[], Callable[[], None]] | None:
    try:
        control: Any = ctypes.CDLL("ucrtbase")._controlfp_s  # noqa: SLF001  # its name in C
    except (OSError, AttributeError):
        return None

    def switch() -> Callable[[], None]:
        before, ignored = ctypes.c_uint32(), ctypes.c_uint32()
        control(ctypes.byref(before), 0, 0)
        control(ctypes.byref(ignored), _WINDOWS_FLUSH, _WINDOWS_MASK)
        return lambda: control(ctypes.byref(ignored), before.value, _WINDOWS_MASK)

    return switch


class _OfThread(threading.local):
    """What is known of each thread by itself."""

    put_back: Callable[[], None] | None = None  # puts the thread's usual setting back; None where it is in force


_thread = _OfThread()


@contextlib.contextmanager
def without_denormals(dtype: np.dtype[Any]) -> Iterator[None]:
    """Take denormal numbers for zero in this thread, if amplitudes of this type are in single precision."""
    switch = _switch() if dtype == np.complex64 else None
    if switch is None:
        yield
        return
    outer, put_back = _thread.put_back, switch()
    _thread.put_back = put_back
    try:
        yield
    finally:
        put_back()
        _thread.put_back = outer


@contextlib.contextmanager
def usual_denormals() -> Iterator[None]:
    """Put the usual setting of this thread back for code of the user that is called in the middle of a pass."""
    put_back, switch = _thread.put_back, _switch()
    if put_back is None or switch is None:
        yield
        return
    _thread.put_back = None
    put_back()
    try:
        yield
    finally:
        switch()
        _thread.put_back = put_back
