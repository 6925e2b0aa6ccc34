"""A file that holds the amplitudes of a state: room that is taken at once, and reading and writing in pieces.

The file has no name, so that nobody else can open it, and the system frees its room whenever and however the process
ends. Only where a job is saved it has one, by which the job finds it when it is resumed. It is not mapped into memory:
there a full disk would end the process, and a cancellation would take seconds.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import stat
import sys
import tempfile
import threading
import weakref
from pathlib import Path
from typing import IO, TYPE_CHECKING, NoReturn

import numpy as np
import psutil

from basicaer.errors import BasicAerError, Cancelled, reason_of
from basicaer.wording import readable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray

    _Poll = Callable[[], None]

__all__ = ["NAME", "StateFile", "check_folder", "disk_of", "free_disk_bytes", "why_no_files"]

NAME = re.compile(r"running-[0-9a-f]{8}\.state")
"""The names of files in the folder of a saved job."""

_PIECE_BYTES = 2**22  # bytes between two polls: they take some 20 ms on a disk that moves 200 MB in a second
_SECONDS_BETWEEN_POLLS = 5e-3
_SLOW_TO_CLOSE = 2**26  # bytes; the system takes a tenth of a second to free the room of a gigabyte
_TAKEN_AT_ONCE = 2**28  # bytes between two polls while room is taken, which writes nothing on most file systems


_IN_MEMORY = frozenset({"tmpfs", "ramfs", "devtmpfs"})  # kinds of file systems whose files are in memory

# Threads that close large files, so that a cancelled job need not wait for that, and how many bytes that frees.
_closing: list[tuple[threading.Thread, int]] = []


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
    if (kind := _partition(folder)[1]) in _IN_MEMORY:
        raise BasicAerError(
            f"spill={str(folder)!r} is a folder of {kind}, whose files are in memory, where the state has no room; "
            "choose a folder on a disk."
        )


def disk_of(folder: Path) -> str:
    """Return a name of the disk of a folder, and the kind of its file system."""
    return " ".join(_partition(folder))


def _partition(folder: Path) -> tuple[str, str]:
    """Return the name of the disk of a folder and the kind of its file system, or empty texts."""
    within = [folder.resolve(), *folder.resolve().parents]
    found = {Path(one.mountpoint): (one.device, one.fstype) for one in psutil.disk_partitions(all=True)}
    return next((found[parent] for parent in within if parent in found), ("", ""))


def free_disk_bytes(folder: Path) -> int:
    """Return how many bytes are free on the disk of a folder, for users without special rights.

    Files of states that are being closed count as gone.

    Raises
    ------
    BasicAerError
        If there is no such folder.
    """
    being_closed = sum(size for thread, size in _closing if thread.is_alive())
    try:
        there = os.statvfs(folder)
    except OSError as error:
        raise _no_files_in(folder, error.strerror or str(error)) from error
    return there.f_bavail * there.f_frsize + being_closed


def _await_closed(poll: _Poll) -> None:
    """Wait until files of states that are being closed are gone."""
    while _closing:
        thread, _ = _closing[-1]
        while thread.is_alive():
            poll()
            thread.join(_SECONDS_BETWEEN_POLLS)
        _closing.pop()


def _no_files_in(folder: Path, why: str) -> BasicAerError:
    return BasicAerError(
        f"spill must be a folder in which files can be made, not {str(folder)!r} ({why}); make the "
        "folder, or choose another one."
    )


class StateFile:
    """The amplitudes of one state.

    A call that writes may take a third of a second, since the system slows down whoever has written much. A job that is
    cancelled does not wait for it: the call ends in its thread, and then the file is closed.

    Parameters
    ----------
    folder
        Where the file is.
    amplitudes
        How many there are; at first, all are 0.
    poll
        Called now and then while room is taken.
    named
        Whether it gets a name, in the folder of a saved job. The name is removed when the file is closed, unless
        `is_saved`.
    saved
        The name of a file that a saved job has left; it is opened, and its amplitudes stay.

    Attributes
    ----------
    name
        Its name in the folder; empty if it has none.
    ends_late
        Whether calls of other threads may go on when it is closed.

    Raises
    ------
    BasicAerError
        If the file cannot be made, or the disk has no room for it.
    """

    ends_late = True

    def __init__(  # where, what, and how
        self,
        folder: Path,
        amplitudes: int,
        dtype: np.dtype[np.complexfloating],
        poll: _Poll,
        *,
        named: bool = False,
        saved: str = "",
    ) -> None:
        self.amplitudes, self.dtype = amplitudes, dtype
        self._folder = folder
        self._of_saved_job = named or bool(saved)
        self.name = saved or (f"running-{secrets.token_hex(4)}.state" if named else "")
        size = amplitudes * dtype.itemsize
        if not saved:
            _await_closed(poll)
            if size > (free := free_disk_bytes(folder)):
                raise self._full(size, free)
        try:
            self._file = _opened(folder, self.name, size if saved else None)
        except OSError as error:
            why = error.strerror or str(error)
            raise self.changed(why) if saved else _no_files_in(folder, why) from error
        self._lock, self._calls, self._is_closed = threading.Lock(), 0, False
        self._names = [folder / self.name] if named else []  # what to remove when it is closed
        # For states that an error leaves behind, too.
        self._close = weakref.finalize(self, _close, self._file, self._names, size)
        if not saved:
            self._take_room(size, poll)

    def _take_room(self, size: int, poll: _Poll) -> None:
        try:
            for start in range(0, size, _TAKEN_AT_ONCE):
                poll()
                os.posix_fallocate(self._file.fileno(), start, min(_TAKEN_AT_ONCE, size - start))
        except OSError as error:
            self.close()
            if error.errno == errno.ENOSPC:
                raise self._full(size, free_disk_bytes(self._folder)) from error
            raise BasicAerError(
                f"A state of {readable(size)} cannot be kept in {self._where} ({reason_of(error)}); choose another "
                "folder."
            ) from error
        except BaseException:
            self.close()
            raise

    @property
    def _where(self) -> str:
        return f"{'checkpoint_dir' if self._of_saved_job else 'spill'}={str(self._folder)!r}"

    @property
    def is_saved(self) -> bool:
        """Whether a job that is resumed needs it, so that nothing may be written to it."""
        return self._of_saved_job and not self._names

    def save(self, *, on: bool) -> None:
        """Let a job that is resumed need this file, or no longer."""
        self._names[:] = [] if on else [self._folder / self.name]
        if not on and not self._close.alive:
            _remove(self._names)

    def saved(self, name: str, poll: _Poll) -> StateFile:
        """Return the file of that name in the same folder, which a saved job has left."""
        return StateFile(self._folder, self.amplitudes, self.dtype, poll, saved=name)

    def write_through(self) -> None:
        """Wait until all that was written is on the disk; the system need not keep it in memory then."""
        os.fsync(self._file.fileno())
        os.posix_fadvise(self._file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)

    @property
    def stamp(self) -> int:
        """When it was last written to, in nanoseconds: by this a change by somebody else is noticed."""
        return os.fstat(self._file.fileno()).st_mtime_ns

    def changed(self, why: str) -> BasicAerError:
        """Return the error for a file that is not what a job has saved."""
        return BasicAerError(
            f"The state that was saved in {self._folder} is no longer there ({why}); delete running.save in that "
            "folder to repeat the circuit alone, and resume the job again."
        )

    def _full(self, size: int, free: int) -> BasicAerError:
        return BasicAerError(
            f"A state of {readable(size)} has no room in {self._where}, where {readable(free)} are free; "
            "delete something there, or choose a folder on a larger disk."
        )

    def read(self, start: int, into: NDArray[np.complexfloating], poll: _Poll) -> None:
        """Fill an array with the amplitudes from some index on, polling before each piece."""
        left, at = into.view(np.uint8).data, start * self.dtype.itemsize
        while left:
            poll()
            try:
                with self._calling() as number:
                    count = os.preadv(number, [left[:_PIECE_BYTES]], at)
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
                with self._calling() as number:
                    count = os.pwritev(number, [left[:_PIECE_BYTES]], at)
            except OSError as error:
                self._fail("written", error.strerror or str(error), error)
            left, at = left[count:], at + count

    @contextlib.contextmanager
    def _calling(self) -> Iterator[int]:
        """Give the number of the file to one call of the system, until whose end it stays open."""
        with self._lock:
            if self._is_closed:
                raise Cancelled
            self._calls += 1
        try:
            yield self._file.fileno()
        finally:
            with self._lock:
                self._calls -= 1
                is_last = self._is_closed and not self._calls
            if is_last:
                self._close()

    def settle(self) -> None:
        """Do nothing: whatever was asked for is done."""

    def _fail(self, what: str, why: str, error: OSError | None = None) -> NoReturn:
        remedy = "and is lost; check that disk, or choose a folder on another one, and run the circuit again"
        if self._of_saved_job:
            remedy = "check that disk, and resume the job"
        raise BasicAerError(f"The state in {self._where} cannot be {what} ({why}), {remedy}.") from error

    def close(self) -> None:
        """Give the room back, if need be once calls of the system have ended that still go on in other threads."""
        with self._lock:
            self._is_closed = True
            if self._calls:
                return
        self._close()


def _opened(folder: Path, name: str, size: int | None) -> IO[bytes]:
    """Open a new file, or one that is there if it has a size; nothing but a regular file is opened."""
    if not name:
        return tempfile.TemporaryFile(dir=folder, prefix="basicaer-", buffering=0)
    if size is None:
        return (folder / name).open("x+b", buffering=0)
    there = os.lstat(folder / name)
    if not stat.S_ISREG(there.st_mode) or there.st_size != size:
        raise OSError(f"{name} is no file of {size} bytes")
    return (folder / name).open("r+b", buffering=0)


def _remove(names: Iterable[Path]) -> None:
    for name in names:
        with contextlib.suppress(OSError):
            name.unlink()


def _close(file: IO[bytes], names: Iterable[Path], size: int) -> None:
    """Close a file, and thereby free its room; if it is large, beside what else is to be done."""
    _remove(names)
    if size >= _SLOW_TO_CLOSE:
        thread = threading.Thread(target=file.close, name="basicaer-close")
        try:
            thread.start()
        except RuntimeError:  # there are no more threads, or Python is about to end
            pass
        else:
            _closing.append((thread, size))
            return
    file.close()
