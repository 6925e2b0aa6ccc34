"""A lock on a folder that dies with the process that holds it, so that a job whose machine was lost can go on."""

from __future__ import annotations

import errno
import os
import stat
import sys
import warnings
import weakref
from typing import TYPE_CHECKING

from basicaer.errors import BasicAerWarning

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["FolderLock"]

_TAKEN = {errno.EAGAIN, errno.EACCES, errno.EDEADLK}
_CANNOT = {errno.ENOSYS, errno.ENOTSUP, errno.ENOLCK}  # some file systems of clusters


class FolderLock:
    """The system's lock on a file, which it takes back when the process ends in any way.

    Packages for this fall back, where a file system has no locks, to a file that is there or not: such a file would
    outlive a process that is killed, and the job would be refused for good.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None

    def take(self) -> bool:
        """Take the lock, which this process may hold already, and tell whether that could be done.

        Raises
        ------
        OSError
            If the file cannot be written, or something else stands in its place.
        """
        if self._file is not None:
            return True
        if os.path.lexists(self._path) and not stat.S_ISREG(os.lstat(self._path).st_mode):
            raise OSError(errno.EINVAL, "it is no regular file", str(self._path))
        file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            _lock(file)
        except OSError as error:
            if error.errno not in _CANNOT:
                os.close(file)
                if error.errno in _TAKEN:
                    return False
                raise
            warnings.warn(
                f"{self._path.parent} is on a file system that knows no locks ({error.strerror}); "
                "see to it that no other job is saved there.",
                BasicAerWarning,
                stacklevel=2,
            )
        self._file = file
        _held.add(self)
        return True

    def give_back(self) -> None:
        """Leave the lock to others."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
            _held.discard(self)


_held: weakref.WeakSet[FolderLock] = weakref.WeakSet()


def _leave_to_parent() -> None:
    """In a forked child: let go of what would keep the parent's locks after its death."""
    for lock in list(_held):
        lock.give_back()


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
