"""A file that holds the amplitudes of a state: room that is taken at once, and reading and writing in pieces.

The file has no name, so that nobody else can open it, and the system frees its room whenever and however the process
ends. It is not mapped into memory: there a full disk would end the process, and a cancellation would take seconds.
"""

from __future__ import annotations

import errno
import os
import sys
import tempfile
import threading
import weakref
from pathlib import Path
from typing import IO, TYPE_CHECKING, NoReturn

import numpy as np
import psutil

from basicaer.errors import BasicAerError, reason_of
from basicaer.wording import readable

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    _Poll = Callable[[], None]

__all__ = ["StateFile", "check_folder", "free_disk_bytes", "why_no_files"]

_PIECE_BYTES = 2**22  # bytes between two polls: they take some 20 ms on a disk that moves 200 MB in a second
_SLOW_TO_CLOSE = 2**26  # bytes; the system takes a tenth of a second to free the room of a gigabyte
_TAKEN_AT_ONCE = 2**28  # bytes between two polls while room is taken, which writes nothing on most file systems


_IN_MEMORY = frozenset({"tmpfs", "ramfs", "devtmpfs"})  # kinds of file systems whose files are in memory

_closing: list[threading.Thread] = []  # threads that close large files, so that a cancelled job need not wait for that


def why_no_files() -> str:
    """Return why states cannot be spilled on this system; an empty text if they can."""
    needed = ("preadv", "pwritev", "posix_fallocate")
    if all(hasattr(os, name) for name in needed):
        return ""
    return f"states are spilled on Linux only, and this is {sys.platform}"


def check_folder(folder: Path) -> None:
    """Refuse a folder in which no file can be made, or whose files are not on a disk.

    Raises
    ------
    BasicAerError
        Naming the folder, and why.
    """
    free_disk_bytes(folder)
    if not os.access(folder, os.W_OK | os.X_OK) or not os.statvfs(folder).f_blocks:
        raise _no_files_in(folder, "it cannot be written")
    if (kind := _file_system(folder)) in _IN_MEMORY:
        raise BasicAerError(
            f"spill={str(folder)!r} is a folder of {kind}, whose files are in memory, where the state has no room; "
            "choose a folder on a disk."
        )


def _file_system(folder: Path) -> str:
    """Return the kind of the file system of a folder; empty if the system does not say."""
    within = [folder.resolve(), *folder.resolve().parents]
    kinds = {Path(one.mountpoint): one.fstype for one in psutil.disk_partitions(all=True)}
    return next((kinds[parent] for parent in within if parent in kinds), "")


def free_disk_bytes(folder: Path) -> int:
    """Return how many bytes are free on the disk of a folder, for users without special rights.

    This waits until the files of states that are no longer needed are gone.

    Raises
    ------
    BasicAerError
        If there is no such folder.
    """
    while _closing:
        _closing.pop().join()
    try:
        there = os.statvfs(folder)
    except OSError as error:
        raise _no_files_in(folder, error.strerror or str(error)) from error
    return there.f_bavail * there.f_frsize


def _no_files_in(folder: Path, why: str) -> BasicAerError:
    return BasicAerError(
        f"spill must be a folder in which files can be made, not {str(folder)!r} ({why}); make the "
        "folder, or choose another one."
    )


class StateFile:
    """The amplitudes of one state.

    Parameters
    ----------
    folder
        Where the file is.
    amplitudes
        How many there are; at first, all are 0.
    poll
        Called now and then while room is taken.

    Raises
    ------
    BasicAerError
        If the file cannot be made, or the disk has no room for it.
    """

    def __init__(self, folder: Path, amplitudes: int, dtype: np.dtype[np.complexfloating], poll: _Poll) -> None:
        self.amplitudes, self.dtype = amplitudes, dtype
        self._folder = folder
        size = amplitudes * dtype.itemsize
        if size > (free := free_disk_bytes(folder)):
            raise self._full(size, free)
        try:
            self._file = tempfile.TemporaryFile(dir=folder, prefix="basicaer-", buffering=0)  # noqa: SIM115  # closed below
        except OSError as error:
            raise _no_files_in(folder, error.strerror or str(error)) from error
        self._close = weakref.finalize(self, _close, self._file, size)  # for states that an error leaves behind, too
        try:
            for start in range(0, size, _TAKEN_AT_ONCE):
                poll()
                os.posix_fallocate(self._file.fileno(), start, min(_TAKEN_AT_ONCE, size - start))
        except OSError as error:
            self.close()
            if error.errno == errno.ENOSPC:
                raise self._full(size, free_disk_bytes(folder)) from error
            raise BasicAerError(
                f"A state of {readable(size)} cannot be kept in spill={str(folder)!r} ({reason_of(error)}); choose "
                "another folder."
            ) from error
        except BaseException:
            self.close()
            raise

    def _full(self, size: int, free: int) -> BasicAerError:
        return BasicAerError(
            f"A state of {readable(size)} has no room in spill={str(self._folder)!r}, where {readable(free)} are free; "
            "delete something there, or choose a folder on a larger disk."
        )

    def read(self, start: int, into: NDArray[np.complexfloating], poll: _Poll) -> None:
        """Fill an array with the amplitudes from some index on, polling before each piece."""
        left, at = into.view(np.uint8).data, start * self.dtype.itemsize
        while left:
            poll()
            try:
                count = os.preadv(self._file.fileno(), [left[:_PIECE_BYTES]], at)
            except OSError as error:
                self._fail("read", error.strerror or str(error), error)
            if not count:
                self._fail("read", "the file has become shorter")
            left, at = left[count:], at + count

    def write(self, start: int, amplitudes: NDArray[np.complexfloating], poll: _Poll) -> None:
        """Replace the amplitudes from some index on, polling before each piece."""
        left, at = amplitudes.view(np.uint8).data, start * self.dtype.itemsize
        while left:
            poll()
            try:
                count = os.pwritev(self._file.fileno(), [left[:_PIECE_BYTES]], at)
            except OSError as error:
                self._fail("written", error.strerror or str(error), error)
            left, at = left[count:], at + count

    def _fail(self, what: str, why: str, error: OSError | None = None) -> NoReturn:
        raise BasicAerError(
            f"The state in spill={str(self._folder)!r} cannot be {what} ({why}), and is lost; check that disk, "
            "or choose a folder on another one, and run the circuit again."
        ) from error

    def close(self) -> None:
        """Give the room back."""
        self._close()


def _close(file: IO[bytes], size: int) -> None:
    """Close a file, and thereby free its room; if it is large, beside what else is to be done."""
    if size >= _SLOW_TO_CLOSE:
        thread = threading.Thread(target=file.close, name="basicaer-close")
        try:
            thread.start()
        except RuntimeError:  # there are no more threads, or Python is about to end
            pass
        else:
            _closing.append(thread)
            return
    file.close()
