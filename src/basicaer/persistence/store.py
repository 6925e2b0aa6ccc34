"""A folder that holds a saved job: written so that at any moment it can be read, whatever happens to the writer.

``job.save`` is the work and does not change. ``circuit-0.save`` and so on are what came of the circuits that have
ended, each written once. ``running.save`` is the circuit that was running: it is replaced by the next save of it, and
removed when that circuit has ended. ``lock`` is held by the process in which the job runs: the system lets go of it
when that dies.

Each save is one file, which gets its name in one step when it is complete. Its first line names the form and gives the
length of what follows: JSON with the id of the job, the save's name, its content, and the type and shape of each array.
Then come the elements of the arrays, the amplitudes of a state, and the checksum of all that.

What is read is data that anybody may have written: it leads to no other file, nothing that is made of it is larger than
its bytes in the file, and whatever goes wrong with it is one error, `Store.sound`.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import math
import os
import reprlib
import stat
import textwrap
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from basicaer.errors import BasicAerError, Cancelled
from basicaer.persistence.lock import FolderLock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path
    from typing import IO

    from numpy.typing import NDArray

__all__ = ["JOB", "RUNNING", "Saved", "Store", "circuit_name"]

JOB, RUNNING = "job", "running"
_FORMAT = "basicaer saved job 3"
_BEFORE = "job.json"  # what stands in a folder that an older version has saved a job in
_LOCK = "lock"
_SUFFIX, _NEW = ".save", ".save.new"  # of a save, and of one that is being written
_PIECE = 2**22  # bytes that are written or read between two polls
_DIGITS = 32  # of a checksum
_LONGEST_FIRST_LINE = 200
_LONGEST_REASON = 200  # letters of an error's own words
_AT_ONCE = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)  # a pipe would wait for a writer


def circuit_name(position: int) -> str:
    """Return the name of the save of a circuit that is finished."""
    return f"circuit-{position}"


class Saved(NamedTuple):
    """What one save holds.

    Attributes
    ----------
    job_id
        Of the job that it is of; not checked yet.
    content
        What JSON can hold of it.
    arrays
        What the content refers to by number.
    state_bytes
        How many bytes the amplitudes of its state have; 0 if there is none.
    state
        These bytes in pieces, which are read when they are taken.
    """

    job_id: Any
    content: Any
    arrays: list[NDArray[Any]]
    state_bytes: int
    state: Iterator[bytes]


class Store:
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

    def check_new(self) -> None:
        """Check that no job, nor anything else, is in the folder, but for what a job leaves that was never saved.

        Raises
        ------
        BasicAerError
            If there is, or it is no folder, or a job that runs is about to be saved there.
        """
        with self._writing():
            if self._leftovers():
                self.hold()
                self.let_go()

    def _leftovers(self) -> list[Path]:
        """Return what is in the folder, which is what a job leaves that was never saved, or nothing."""
        if os.path.lexists(self._folder) and not self._folder.is_dir():
            raise BasicAerError(f"checkpoint_dir {self._folder} is no folder; give a new one.")
        found = list(self._folder.iterdir()) if self._folder.is_dir() else []
        if not all(_is_leftover(path) for path in found):
            raise BasicAerError(
                f"checkpoint_dir {self._folder} is not empty; give a new folder, or go on with BasicAer.resume()."
            )
        return found

    def hold(self) -> None:
        """Keep others from the folder until `let_go`.

        Raises
        ------
        BasicAerError
            If a job that runs holds it, or it cannot be written.
        """
        with self._writing():
            is_held = self._lock.take()
        if not is_held:
            raise BasicAerError(
                f"A job that runs is being saved in {self._folder}; wait until it has ended, or cancel it."
            )

    def let_go(self) -> None:
        """Leave the folder to others."""
        self._lock.give_back()

    def begin(self, job_id: str, job: Any, arrays: list[NDArray[Any]]) -> None:
        """Make the folder ready for a job, and hold it; another job's files in it are refused.

        Raises
        ------
        BasicAerError
            If the folder holds anything, or cannot be written.
        """
        with self._writing():
            self._folder.mkdir(parents=True, exist_ok=True)
            self._leftovers()
            self.hold()
            self._leftovers()  # again, since another job may have come between
            self.save(JOB, job_id, job, arrays)

    def save(
        self, name: str, job_id: str, content: Any, arrays: list[NDArray[Any]], state: Iterable[NDArray[Any]] = ()
    ) -> None:
        """Write a save through to the disk, then put it in the place of the one of that name, if there is one.

        Raises
        ------
        OSError
            If it cannot be written; the one before stays.
        """
        path, new = (self._folder / f"{name}{suffix}" for suffix in (_SUFFIX, _NEW))
        forms = [[array.dtype.str, array.shape] for array in arrays]
        body = json.dumps({"job": job_id, "name": name, "arrays": forms, "is": content}).encode()
        head = json.dumps({"format": _FORMAT, "length": len(body)}).encode() + b"\n"
        numbers = itertools.chain.from_iterable(map(_in_pieces, arrays))
        new.unlink(missing_ok=True)  # a process that was killed may have left it; what a link names stays
        try:
            self._write(new, itertools.chain([head, body], map(_bytes_of, itertools.chain(numbers, state))))
            new.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                new.unlink()
            raise

    def remove(self, name: str) -> None:
        """Remove a save, and what a process that was killed has written of the next one."""
        for suffix in (_SUFFIX, _NEW):
            with contextlib.suppress(OSError):
                (self._folder / f"{name}{suffix}").unlink()

    def has(self, name: str) -> bool:
        """Tell whether there is a save of that name, of which nothing else is known yet."""
        return os.path.lexists(self._folder / f"{name}{_SUFFIX}")

    def job(self) -> Saved:
        """Return the work as it was begun.

        Raises
        ------
        BasicAerError
            If the folder holds no job, or a damaged one.
        """
        with self.sound(JOB):
            if self.has(JOB):
                return self.read(JOB)
            if os.path.lexists(self._folder / _BEFORE):
                raise _other_form(_BEFORE)
            found = list(self._folder.iterdir()) if os.path.isdir(self._folder) else []  # noqa: PTH112  # False for any text
            if found and all(_is_leftover(path) for path in found):
                self.hold()
                self.let_go()
                raise BasicAerError(
                    f"The job of {self._folder} had not been saved when it was lost; "
                    "run it again, which may be in the same folder."
                )
        raise BasicAerError(f"{self._folder} holds no saved job; give the checkpoint_dir of one.")

    def read(self, name: str) -> Saved:
        """Read a save; to be called within `sound`, since it raises anything if the save is damaged."""
        path = self._folder / f"{name}{_SUFFIX}"
        with _opened(path) as file:
            head = json.loads(file.readline(_LONGEST_FIRST_LINE))
            if not isinstance(head, dict) or head.get("format") != _FORMAT:
                raise _other_form(path.name)
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
        return Saved(body["job"], body["is"], arrays, end - after, self._state(path, after, end - after))

    @contextlib.contextmanager
    def sound(self, what: str) -> Iterator[None]:
        """Be around all that is done with what was read: whatever goes wrong with it, the saved job is damaged.

        There is no list of what may go wrong: files that nobody of us has written may raise anything.
        """
        try:
            yield
        except (BasicAerError, Cancelled, Warning):  # a warning that is made an error is about something else
            raise
        except MemoryError as error:  # arrays are no larger than their files, which has been checked
            raise BasicAerError(
                f"The saved job in {self._folder} does not fit into memory ({error}); free some, and resume it again."
            ) from error
        except Exception as error:
            words = str(error) if type(error) is ValueError or isinstance(error, OSError) else repr(error)
            raise BasicAerError(
                f"The saved job in {self._folder} is damaged ({what}: {textwrap.shorten(words, _LONGEST_REASON)}); "
                "run it again from the start."
            ) from error

    def _write(self, path: Path, parts: Iterable[Any]) -> None:
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
        """Read so many bytes."""
        while size > 0:
            self._poll()
            piece = file.read(min(size, _PIECE))
            if not piece:
                raise ValueError("a save is shorter than it says")
            size -= len(piece)
            yield piece

    def _array(self, file: IO[bytes], kind: str, shape: list[int], end: int) -> NDArray[Any]:
        """Read an array that stands before `end`; none is made that is larger than what is there."""
        dtype = np.dtype(kind)
        size = dtype.itemsize * math.prod(shape)
        is_ours = dtype.kind in "biufc" and all(type(length) is int and length >= 0 for length in shape)
        if not is_ours or size > end - file.tell():
            raise ValueError(f"an array cannot be {reprlib.repr(shape)} numbers of type {reprlib.repr(kind)}")
        array = np.empty(shape, dtype)
        whole, filled = _bytes_of(array.reshape(-1)), 0
        for piece in self._pieces(file, size):
            whole[filled : filled + len(piece)] = piece
            filled += len(piece)
        return array

    def _state(self, path: Path, start: int, size: int) -> Iterator[bytes]:
        with _opened(path) as file:
            file.seek(start)
            yield from self._pieces(file, size)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """Be around what needs the folder to be written; a path that the system does not take is a ValueError."""
        try:
            yield
        except (OSError, ValueError) as error:
            raise BasicAerError(f"checkpoint_dir {self._folder} cannot be written: {error}.") from error


def _digest() -> hashlib.blake2b:
    return hashlib.blake2b(digest_size=_DIGITS // 2)


def _in_pieces(array: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """Yield the elements of an array, the last index running fastest, without a copy of all of it."""
    flags: tuple[Any, Any] = ["external_loop", "buffered", "zerosize_ok"], ["readonly", "contig"]
    return iter(np.nditer(array, *flags, order="C", buffersize=_PIECE // array.itemsize))


def _bytes_of(row: NDArray[Any]) -> memoryview:
    return row.view(np.uint8).data


def _other_form(name: str) -> ValueError:
    return ValueError(f"{name} is not in the form that this version of basicaer writes")


def _is_leftover(path: Path) -> bool:
    """Tell whether this is what a job leaves whose process is killed before anything of it was saved."""
    return path.name in {_LOCK, f"{JOB}{_NEW}"} and stat.S_ISREG(os.lstat(path).st_mode)


def _size(path: Path) -> int:
    """Return the size of a file; what is none, as a pipe that may never have anything to say, is refused."""
    found = os.lstat(path)
    if not stat.S_ISREG(found.st_mode):
        raise ValueError(f"{path.name} is no regular file")
    return found.st_size


def _opened(path: Path) -> IO[bytes]:
    _size(path)
    return os.fdopen(os.open(path, _AT_ONCE), "rb")
