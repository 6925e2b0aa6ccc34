"""A folder that holds a saved job: written so that at any moment it can be read, whatever happens to the writer.

``job.json`` is the work and does not change. ``latest.json`` names the newest save, whose files stand in a folder of
their own; it is replaced in one step when that folder is complete, and the folder before is removed then. Each save is
``save.json``, ``arrays.npz`` and, where an experiment was running, its amplitudes in ``state.bin``. Every file that is
named has its length and checksum beside its name. ``lock`` is held by the process in which the job runs: the system
lets go of it when that dies.

What is read is data that anybody may have written: names are compared with those that are written here and never
followed, and whatever goes wrong with the rest is one error, `Store.sound`.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import math
import os
import re
import stat
import textwrap
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np

from basicaer.errors import BasicAerError, Cancelled
from basicaer.saving.lock import FolderLock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path
    from typing import IO

    from numpy.typing import NDArray

__all__ = ["Store"]

_FORMAT = "basicaer saved job 2"
_LOCK = "lock"
_SAVE, _ARRAYS, _STATE = _FILES = ("save.json", "arrays.npz", "state.bin")
_PIECE = 2**22  # bytes that are written or read between two polls
_MOST_MANIFEST = 2**16  # bytes; they have some hundreds
_MOST_LETTERS = 200  # of an error's own words
_AT_ONCE = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)  # a pipe would wait for a writer


class Store:
    """The folder of one job."""

    def __init__(self, folder: Path, poll: Callable[[], None]) -> None:
        self._folder = folder
        self._poll = poll
        self._lock = FolderLock(folder / _LOCK)

    def check_new(self) -> None:
        """Check that no job, nor anything else, is in the folder, but for what a job leaves that was never saved.

        Raises
        ------
        BasicAerError
            If there is, or it is no folder, or a job that runs begins to be saved there.
        """
        with self._writing():
            if os.path.lexists(self._folder) and not self._folder.is_dir():
                raise BasicAerError(f"checkpoint_dir {self._folder} is no folder; give a new one.")
            found = list(self._folder.iterdir()) if self._folder.is_dir() else []
            if not all(_is_leftover(path) for path in found):
                raise BasicAerError(
                    f"checkpoint_dir {self._folder} is not empty; give a new folder, or go on with BasicAer.resume()."
                )
            if any(path.name != _LOCK for path in found):
                self._check_free()

    def _check_free(self) -> None:
        was_held = self._lock.is_held
        self.hold()
        if not was_held:
            self.let_go()

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

    def begin(self, job: Any, arrays: list[NDArray[Any]]) -> None:
        """Make the folder ready for a job, and hold it; another job's files in it are refused.

        Raises
        ------
        BasicAerError
            If the folder holds anything, or cannot be written.
        """
        with self._writing():
            self._folder.mkdir(parents=True, exist_ok=True)
            self.check_new()
            self.hold()
            self.check_new()  # again, since another job may have come between
            self._write_save("job", job, arrays, None)

    def save(self, content: Any, arrays: list[NDArray[Any]], state: Iterable[NDArray[Any]] | None) -> None:
        """Write a save and make it the newest.

        Raises
        ------
        OSError
            If it cannot be written; the one before stays.
        """
        self._write_save("latest", content, arrays, state)

    def job(self) -> tuple[Any, list[NDArray[Any]]]:
        """Return the work as it was begun.

        Raises
        ------
        BasicAerError
            If the folder holds no job, or a damaged one.
        """
        with self.sound("job"):
            if os.path.lexists(self._folder / "job.json"):
                return self._read("job")[:2]
            found = list(self._folder.iterdir()) if os.path.isdir(self._folder) else []  # noqa: PTH112  # False for any text
            if found and all(_is_leftover(path) for path in found):
                self._check_free()
                raise BasicAerError(
                    f"The job of {self._folder} had not been saved when it was lost; "
                    "run it again, which may be in the same folder."
                )
        raise BasicAerError(f"{self._folder} holds no saved job; give the checkpoint_dir of one.")

    def latest(self) -> tuple[Any, list[NDArray[Any]], int, Iterator[bytes]] | None:
        """Return the newest save: its content, arrays, the bytes of its state, and these in pieces; None if none is.

        Raises
        ------
        BasicAerError
            If it is damaged.
        """
        with self.sound("latest"):
            return self._read("latest") if os.path.lexists(self._folder / "latest.json") else None

    @contextlib.contextmanager
    def sound(self, what: str) -> Iterator[None]:
        """Be around all that is done with what was read: whatever goes wrong with it, the saved job is damaged.

        There is no list of what may go wrong: files that nobody of us has written may raise anything.
        """
        try:
            yield
        except (BasicAerError, Cancelled):
            raise
        except MemoryError as error:  # arrays are no larger than their files, which has been checked
            raise BasicAerError(
                f"The saved job in {self._folder} does not fit into memory ({error}); free some, and resume it again."
            ) from error
        except Exception as error:
            words = str(error) if type(error) is ValueError or isinstance(error, OSError) else repr(error)
            raise BasicAerError(
                f"The saved job in {self._folder} is damaged ({what}: {textwrap.shorten(words, _MOST_LETTERS)}); "
                "run it again from the start."
            ) from error

    def _write_save(
        self, name: str, content: Any, arrays: list[NDArray[Any]], state: Iterable[NDArray[Any]] | None
    ) -> None:
        free = (f"{name}-{serial}" for serial in itertools.count(1))
        folder = next(path for path in map(self._folder.joinpath, free) if not os.path.lexists(path))
        try:
            folder.mkdir()
            files = {_SAVE: self._written(folder / _SAVE, [json.dumps(content).encode()])}
            with (folder / _ARRAYS).open("xb") as file:
                np.savez(file, **{str(number): array for number, array in enumerate(arrays)})  # type: ignore[arg-type]
            files[_ARRAYS] = self._summed(folder / _ARRAYS)
            if state is not None:
                pieces = (piece.view(np.uint8).data for piece in state)
                files[_STATE] = self._written(folder / _STATE, pieces)
            new = self._folder / f"{name}.json.new"
            new.unlink(missing_ok=True)  # a process that was killed may have left it; what a link names stays
            self._written(new, [json.dumps({"format": _FORMAT, "folder": folder.name, "files": files}).encode()])
            new.replace(self._folder / f"{name}.json")
        except BaseException:
            _remove(folder)
            raise
        for other in self._folder.iterdir():  # the save before, and what killed processes have left
            if _is_named(name, other.name) and other != folder:
                _remove(other)

    def _manifest(self, name: str) -> tuple[Path, dict[str, Any]]:
        """Return the folder of a save and its files' lengths and checksums, as far as this class writes such."""
        with _opened(self._folder / f"{name}.json") as file:
            read = json.loads(file.read(_MOST_MANIFEST))
        if not isinstance(read, dict) or read.get("format") != _FORMAT:
            raise ValueError(f"{name}.json is not in the form that this version of basicaer writes")
        folder, files = read["folder"], read["files"]
        if not _is_named(name, folder) or not {_SAVE, _ARRAYS} <= files.keys() <= set(_FILES):
            raise ValueError(f"{name}.json names what is not written by basicaer")
        if not stat.S_ISDIR(os.lstat(self._folder / folder).st_mode):
            raise ValueError(f"{folder} is no folder")
        return self._folder / folder, files

    def _read(self, name: str) -> tuple[Any, list[NDArray[Any]], int, Iterator[bytes]]:
        folder, files = self._manifest(name)
        for file, summed in files.items():
            if _size(folder / file) != summed[0] or self._summed(folder / file) != summed:
                raise ValueError(f"the length or checksum of {folder.name}/{file} is not what it was")
        with _opened(folder / _SAVE) as opened:
            content = json.loads(opened.read())
        with _opened(folder / _ARRAYS) as opened, zipfile.ZipFile(opened) as held:
            arrays = [_array(held, number) for number in range(len(held.namelist()))]
        if _STATE not in files:
            return content, arrays, 0, iter(())
        return content, arrays, files[_STATE][0], self._pieces(folder / _STATE)

    def _pieces(self, path: Path) -> Iterator[bytes]:
        with _opened(path) as file:
            while piece := file.read(_PIECE):
                self._poll()
                yield piece

    def _summed(self, path: Path) -> list[Any]:
        digest, size = hashlib.blake2b(digest_size=16), 0
        for piece in self._pieces(path):
            digest.update(piece)
            size += len(piece)
        return [size, digest.hexdigest()]

    def _written(self, path: Path, pieces: Iterable[Any]) -> list[Any]:
        """Write a new file through to the disk; return its length and checksum."""
        digest, size = hashlib.blake2b(digest_size=16), 0
        with path.open("xb") as file:
            for whole in pieces:
                seen = memoryview(whole)
                for start in range(0, len(seen), _PIECE):
                    self._poll()
                    piece = seen[start : start + _PIECE]
                    file.write(piece)
                    digest.update(piece)
                size += len(seen)
            file.flush()
            os.fsync(file.fileno())
        return [size, digest.hexdigest()]

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """Be around what needs the folder to be written; a path that the system does not take is a ValueError."""
        try:
            yield
        except (OSError, ValueError) as error:
            raise BasicAerError(f"checkpoint_dir {self._folder} cannot be written: {error}.") from error


def _is_named(name: str, folder: Any) -> bool:
    """Tell whether a folder's name is one that saves called `name` have."""
    return isinstance(folder, str) and re.fullmatch(f"{name}-[0-9]+", folder) is not None


def _is_leftover(path: Path) -> bool:
    """Tell whether this is what a job leaves whose process is killed before anything of it was saved."""
    mode = os.lstat(path).st_mode
    if path.name in {_LOCK, "job.json.new"}:
        return stat.S_ISREG(mode)
    return stat.S_ISDIR(mode) and _is_named("job", path.name) and {inner.name for inner in path.iterdir()} <= {*_FILES}


def _remove(folder: Path) -> None:
    """Remove a save: its files, and the folder if there is nothing else in it; links are not followed."""
    with contextlib.suppress(OSError):
        if stat.S_ISDIR(os.lstat(folder).st_mode):
            for name in _FILES:
                (folder / name).unlink(missing_ok=True)
            folder.rmdir()


def _size(path: Path) -> int:
    """Return the size of a file; what is none, as a pipe that may never have anything to say, is refused."""
    found = os.lstat(path)
    if not stat.S_ISREG(found.st_mode):
        raise ValueError(f"{path.name} is no regular file")
    return found.st_size


def _opened(path: Path) -> IO[bytes]:
    _size(path)
    return os.fdopen(os.open(path, _AT_ONCE), "rb")


def _array(held: zipfile.ZipFile, number: int) -> NDArray[Any]:
    """Read one array of a file that `numpy.savez` has written; none that is larger than its bytes in the file."""
    info = held.getinfo(f"{number}.npy")
    with held.open(info) as file:
        np.lib.format.read_magic(file)
        shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(file)
        there = min(info.compress_size, os.fstat(held.fp.fileno()).st_size)  # type: ignore[union-attr]  # it is open
        is_ours = dtype.kind in "biufc" and info.compress_type == zipfile.ZIP_STORED
        if not is_ours or not 0 <= dtype.itemsize * math.prod(shape) < there:
            raise ValueError(f"array {number} is not as basicaer writes it")
        array = np.empty(math.prod(shape), dtype)
        whole, filled = array.view(np.uint8).data, 0
        while piece := file.read(_PIECE):
            whole[filled : filled + len(piece)] = piece
            filled += len(piece)
    if filled != len(whole):
        raise ValueError(f"array {number} is shorter than it says")
    return array.reshape(shape, order="F" if is_fortran else "C")
