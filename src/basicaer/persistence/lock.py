"""A lock on a folder that ends with the process that holds it, so that a job can be resumed after a crash."""

from __future__ import annotations

import errno
import os
import stat
import sys
import weakref
from typing import TYPE_CHECKING

from basicaer.errors import warn

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["FolderLock"]

_HELD_BY_ANOTHER = {errno.EAGAIN, errno.EACCES, errno.EDEADLK}
_NOT_SUPPORTED = {errno.ENOSYS, errno.ENOTSUP, errno.ENOLCK}  # errors of some file systems of clusters


class FolderLock:
    """The operating system's lock on a file, which the system releases when the process ends in any way.

    Packages for file locks fall back to a marker file on a file system without locks. Such a file would outlive a
    process that is killed, and the job could never be resumed.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None

    def acquire(self) -> bool:
        """Take the lock, which this object may hold already; return False if another one holds it.

        Raises
        ------
        OSError
            If the file cannot be written, or something that is not a file has its name.
        """
        if self._file is not None:
            return True
        if os.path.lexists(self._path) and not stat.S_ISREG(os.lstat(self._path).st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file", str(self._path))
        file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            _lock(file)
        except OSError as error:
            if error.errno not in _NOT_SUPPORTED:
                os.close(file)
                if error.errno in _HELD_BY_ANOTHER:
                    return False
                raise
            warn(
                f"{self._path.parent} is on a file system without locks ({error.strerror}); "
                "make sure that no other job is saved there."
            )
        self._file = file
        _acquired.add(self)
        return True

    def release(self) -> None:
        """Leave the lock to others."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
            _acquired.discard(self)


_acquired: weakref.WeakSet[FolderLock] = weakref.WeakSet()


def _leave_to_parent() -> None:
    """Close in a forked child the files that would keep the parent's locks after its death."""
    for lock in list(_acquired):
        lock.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_to_parent)

if sys.platform == "win32":
    import msvcrt

    def _lock(file: int) -> None:
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(file: int) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
