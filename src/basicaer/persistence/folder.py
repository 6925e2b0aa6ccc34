"""The folder of a persisted job, which can be read at any moment, whatever happens to the process that writes it.

The folder holds records, one in each file. ``job.save`` is the payload of the job and does not change.
``circuit-0.save`` and so on are the outcomes of the circuits that have ended, each written once. ``running.save`` is
the circuit that was running: the next record of it replaces it, and it is removed when that circuit has ended. If the
state of that circuit lies in a file, the record has the name of it, which is ``running-`` and eight digits. If several
ranks run the job, ``part-0-0.save`` and so on are what each has of the state; ``running.save`` names them. The
process in which the job runs locks ``lock``; the system releases the lock when the process dies.

A file gets its name in one step when it is complete. Its first line names the format and gives the length of the JSON
that follows: the id of the job, the record's name, its content, and the type and shape of each array. After the JSON
come the elements of the arrays, the amplitudes of a state, and the checksum of everything before it.

Anybody may have written such a file. Reading it therefore leads to no other file, makes nothing that is larger
than its bytes in the file, and reports whatever goes wrong as one error, see `JobFolder.damage_reported`.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import math
import os
import re
import reprlib
import stat
import textwrap
import weakref
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from basicaer.devices.spilled.state_file import NAME
from basicaer.errors import BasicAerError, Cancelled, OptionValueError, reason_of
from basicaer.persistence.lock import FolderLock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path
    from typing import IO

    from numpy.typing import NDArray

__all__ = ["JOB", "RUNNING", "JobFolder", "Record", "circuit_name", "part_name"]

JOB, RUNNING = "job", "running"
_FORMAT = "basicaer saved job 7"
_FIRST_FORMAT = "job.json"  # the file that holds the job in a folder of the first format
_LOCK = "lock"
_SUFFIX, _NEW = ".save", ".save.new"  # the endings of a record's file, complete and while it is being written
_PIECE = 2**22  # bytes that are written or read between two polls
_DIGITS = 32  # hexadecimal digits of a checksum
_LONGEST_FIRST_LINE = 200
_LONGEST_REASON = 200  # characters of an error's own message
# Without O_NONBLOCK, opening a pipe would wait for a writer.
_OPEN_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def circuit_name(position: int) -> str:
    """Return the name of the record of a circuit that has ended."""
    return f"circuit-{position}"


def part_name(save: int, rank: int) -> str:
    """Return the name of the record of what one of several ranks has of a state; two saves are kept at a time."""
    return f"part-{save % 2}-{rank}"


class Record(NamedTuple):
    """What one file holds.

    Attributes
    ----------
    job_id
        The id of the job that has written it; not checked yet.
    content
        What JSON can hold.
    arrays
        The arrays that the content refers to by number.
    state_bytes
        How many bytes the amplitudes of a state have; 0 if there is no state.
    state
        These bytes in pieces, each read when it is asked for, even if another record has replaced the file by then.
    """

    job_id: Any
    content: Any
    arrays: list[NDArray[Any]]
    state_bytes: int
    state: Iterator[bytes]


class _Held:
    """Keeps a file open as long as anything refers to this."""

    def __init__(self, file: IO[bytes]) -> None:
        self.descriptor = os.dup(file.fileno())
        weakref.finalize(self, os.close, self.descriptor)


class JobFolder:
    """The folder of one job.

    Parameters
    ----------
    poll
        Called while files are written and read.
    """

    def __init__(self, folder: Path, poll: Callable[[], None]) -> None:
        self._folder = folder
        self._poll = poll
        self._lock = FolderLock(folder / _LOCK)

    def _check_new(self) -> None:
        """Check that the folder is missing, empty, or has only what a job left that was lost before it was written."""
        if os.path.lexists(self._folder) and not self._folder.is_dir():
            raise OptionValueError(f"checkpoint_dir {self._folder} is not a folder; give a new one.")
        found = list(self._folder.iterdir()) if self._folder.is_dir() else []
        if not all(_is_leftover(path) for path in found):
            raise OptionValueError(
                f"checkpoint_dir {self._folder} is not empty; give a new folder, or resume the job that is saved in it."
            )

    def lock(self) -> None:
        """Keep other jobs from the folder until `unlock`.

        Raises
        ------
        BasicAerError
            If a running job has locked it, or it cannot be written.
        """
        with self._writing():
            is_locked = self._lock.acquire()
        if not is_locked:
            raise BasicAerError(
                f"A running job is being saved in {self._folder}; wait until it has ended, or cancel it."
            )

    def unlock(self) -> None:
        """Leave the folder to other jobs."""
        self._lock.release()

    def begin(self, job_id: str, job: Any, arrays: list[NDArray[Any]]) -> None:
        """Make the folder, and write a new job into it.

        Raises
        ------
        OptionValueError
            If it is not a folder, or holds anything but the leftovers of a job that was lost before it was written.
        BasicAerError
            If it cannot be written, or another job is being written there.
        """
        with self._writing():
            self._check_new()
            self._folder.mkdir(parents=True, exist_ok=True)
            self.lock()
            try:
                self._check_new()  # checked again, since another job may have come in between
                self.write(JOB, job_id, job, arrays)
            finally:
                self.unlock()

    def discard(self) -> None:
        """Remove a new job, unless it runs; the folder can then be used again."""
        with contextlib.suppress(BasicAerError):  # a worker has locked it
            self.lock()
            self.remove(JOB)
            self.unlock()

    def write(
        self, name: str, job_id: str, content: Any, arrays: list[NDArray[Any]], state: Iterable[NDArray[Any]] = ()
    ) -> None:
        """Write a record through to the disk, then give it its name, which replaces an older record of that name.

        Raises
        ------
        OSError
            If it cannot be written; the older record stays.
        """
        path, new = (self._folder / f"{name}{suffix}" for suffix in (_SUFFIX, _NEW))
        forms = [[array.dtype.str, array.shape] for array in arrays]
        body = json.dumps({"job": job_id, "name": name, "arrays": forms, "is": content}).encode()
        head = json.dumps({"format": _FORMAT, "length": len(body)}).encode() + b"\n"
        numbers = itertools.chain.from_iterable(map(_in_pieces, arrays))
        new.unlink(missing_ok=True)  # a killed process may have left it; if it is a link, only the link is removed
        try:
            self._write_file(new, itertools.chain([head, body], map(_bytes_of, itertools.chain(numbers, state))))
            new.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                new.unlink()
            raise

    def remove(self, name: str) -> None:
        """Remove a record, and what a process that was killed has written of the next one of that name."""
        for suffix in (_SUFFIX, _NEW):
            with contextlib.suppress(OSError):
                (self._folder / f"{name}{suffix}").unlink()

    def remove_parts(self) -> None:
        """Remove the parts of a state, which no record names any more."""
        for suffix in (_SUFFIX, _NEW):
            for path in self._folder.glob(f"part-*{suffix}"):
                with contextlib.suppress(OSError):
                    path.unlink()

    def remove_states(self, *, but: str = "") -> None:
        """Remove the files of states, which nothing works on, except one with a name."""
        with contextlib.suppress(OSError):
            for path in self._folder.iterdir():
                if NAME.fullmatch(path.name) and path.name != but:
                    path.unlink()

    def holds(self, job_id: str) -> bool:
        """Tell whether this job is in the folder, which others may have deleted and used for another job."""
        try:
            with _opened(self._folder / f"{JOB}{_SUFFIX}") as file:
                file.readline(_LONGEST_FIRST_LINE)
                begins = file.read(len(job_id) + _LONGEST_FIRST_LINE)
        except (FileNotFoundError, NotADirectoryError, ValueError):
            return False
        # The JSON, which may be long, begins with the id.
        return re.match(rb'\{\s*"job":\s*' + re.escape(json.dumps(job_id).encode()), begins) is not None

    def has(self, name: str) -> bool:
        """Tell whether there is a file for a record of that name; whatever it holds."""
        return os.path.lexists(self._folder / f"{name}{_SUFFIX}")

    def read_job(self) -> Record:
        """Return the record of the job itself.

        Raises
        ------
        BasicAerError
            If the folder holds no job, or a damaged one.
        """
        with self.damage_reported(JOB):
            if self.has(JOB):
                return self.read(JOB)
            if os.path.lexists(self._folder / _FIRST_FORMAT):
                raise _other_format(_FIRST_FORMAT)
            found = list(self._folder.iterdir()) if os.path.isdir(self._folder) else []  # noqa: PTH112  # False for any text
            if found and all(_is_leftover(path) for path in found):
                self.lock()
                self.unlock()
                raise BasicAerError(
                    f"The job in {self._folder} was lost before it was saved; "
                    "run it again, in the same folder if you like."
                )
        raise BasicAerError(f"{self._folder} holds no saved job; give the checkpoint_dir of one.")

    def read(self, name: str) -> Record:
        """Read a record; call it within `damage_reported`, since a damaged file may raise anything."""
        path = self._folder / f"{name}{_SUFFIX}"
        with _opened(path) as file:
            head = json.loads(file.readline(_LONGEST_FIRST_LINE))
            if not isinstance(head, dict) or head.get("format") != _FORMAT:
                raise _other_format(path.name)
            start, end = file.tell(), _size(path) - _DIGITS
            file.seek(0)
            digest = _digest()
            for piece in self._pieces(file, end):
                digest.update(piece)
            if file.read() != digest.hexdigest().encode():
                raise ValueError(f"the length or checksum of {path.name} is not what it was")
            file.seek(start)
            body = json.loads(b"".join(self._pieces(file, head["length"])))
            if body["name"] != name:
                raise ValueError(f"{path.name} was written under another name")
            arrays = [self._array(file, kind, shape, end) for kind, shape in body["arrays"]]
            after = file.tell()
            state = self._state(_Held(file), after, end - after)
        return Record(body["job"], body["is"], arrays, end - after, state)

    @contextlib.contextmanager
    def damage_reported(self, what: str) -> Iterator[None]:
        """Report whatever goes wrong with what was read as damage of the saved job.

        Files that this package has not written may raise any exception, so that there is no list of them.
        """
        try:
            yield
        except (BasicAerError, Cancelled, Warning):  # a warning that was turned into an error is no sign of damage
            raise
        except MemoryError as error:  # not damage: arrays were checked to be no larger than their files
            raise BasicAerError(
                f"The saved job in {self._folder} does not fit into memory ({error}); free some, and resume it again."
            ) from error
        except Exception as error:
            reason = str(error) if type(error) is ValueError else reason_of(error)
            remedy = (
                f"delete {RUNNING}.save in it to repeat that circuit alone, and resume it"
                if what == RUNNING
                else "run it"
            )
            raise BasicAerError(
                f"The saved job in {self._folder} is damaged ({what}: {textwrap.shorten(reason, _LONGEST_REASON)}); "
                f"{remedy} again{'' if what == RUNNING else ' from the start'}."
            ) from error

    def _write_file(self, path: Path, parts: Iterable[Any]) -> None:
        """Write a new file and its checksum through to the disk."""
        digest = _digest()
        with path.open("xb") as file:
            for part in parts:
                whole = memoryview(part)
                for start in range(0, len(whole), _PIECE):
                    self._poll()
                    piece = whole[start : start + _PIECE]
                    file.write(piece)
                    digest.update(piece)
            file.write(digest.hexdigest().encode())
            file.flush()
            os.fsync(file.fileno())

    def _pieces(self, file: IO[bytes], size: int) -> Iterator[bytes]:
        """Yield the next `size` bytes of a file in pieces."""
        while size > 0:
            self._poll()
            piece = file.read(min(size, _PIECE))
            if not piece:
                raise ValueError("a record is shorter than it says")
            size -= len(piece)
            yield piece

    def _array(self, file: IO[bytes], kind: str, shape: list[int], end: int) -> NDArray[Any]:
        """Read an array that ends before `end`; no array is made that is larger than what the file holds."""
        dtype = np.dtype(kind)
        size = dtype.itemsize * math.prod(shape)
        is_allowed = dtype.kind in "biufc" and all(type(length) is int and length >= 0 for length in shape)
        if not is_allowed or size > end - file.tell():
            raise ValueError(f"an array cannot be {reprlib.repr(shape)} numbers of type {reprlib.repr(kind)}")
        array = np.empty(shape, dtype)
        whole, filled = _bytes_of(array.reshape(-1)), 0
        for piece in self._pieces(file, size):
            whole[filled : filled + len(piece)] = piece
            filled += len(piece)
        return array

    def _state(self, held: _Held, start: int, size: int) -> Iterator[bytes]:
        with os.fdopen(held.descriptor, "rb", closefd=False) as file:
            file.seek(start)
            yield from self._pieces(file, size)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """Report errors of writing the folder; a path that the system does not accept raises a ValueError."""
        try:
            yield
        except BasicAerError:  # some of these are a ValueError, too
            raise
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise BasicAerError(f"checkpoint_dir {self._folder} cannot be written: {reason}.") from error


def _digest() -> hashlib.blake2b:
    return hashlib.blake2b(digest_size=_DIGITS // 2)


def _in_pieces(array: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """Yield the elements of an array, the last index running fastest, without a copy of all of it."""
    flags: tuple[Any, Any] = ["external_loop", "buffered", "zerosize_ok"], ["readonly", "contig"]
    return iter(np.nditer(array, *flags, order="C", buffersize=_PIECE // array.itemsize))


def _bytes_of(row: NDArray[Any]) -> memoryview:
    return row.view(np.uint8).data


def _other_format(name: str) -> ValueError:
    return ValueError(f"{name} is not in the format that this version of basicaer writes")


def _is_leftover(path: Path) -> bool:
    """Tell whether a job leaves such a file if its process is killed before the job was written."""
    return path.name in {_LOCK, f"{JOB}{_NEW}"} and stat.S_ISREG(os.lstat(path).st_mode)


def _size(path: Path) -> int:
    """Return the size of a file; refuse anything else, such as a pipe, reading which might never end."""
    found = os.lstat(path)
    if not stat.S_ISREG(found.st_mode):
        raise ValueError(f"{path.name} is not a regular file")
    return found.st_size


def _opened(path: Path) -> IO[bytes]:
    _size(path)
    return os.fdopen(os.open(path, _OPEN_FLAGS), "rb")
