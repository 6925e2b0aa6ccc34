"""A folder that holds a saved job: written so that at any moment it can be read, whatever happens to the writer.

``job.json`` is the work and does not change. ``latest.json`` names the newest save, whose files stand in a folder of
their own; it is replaced in one step when that folder is complete, and the folder before is removed then. Each save is
``save.json``, ``arrays.npz`` and, where an experiment was running, its amplitudes in ``state.bin``. Every file that is
named has its length and checksum beside its name. ``lock`` is held by the process in which the job runs: the system
lets go of it when that dies.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from basicaer.errors import BasicAerError
from basicaer.saving.lock import FolderLock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray

__all__ = ["Store"]

_FORMAT = "basicaer saved job 2"
_LOCK = "lock"
_PIECE = 2**22  # bytes that are written or read between two polls


class Store:
    """The folder of one job."""

    def __init__(self, folder: Path, poll: Callable[[], None]) -> None:
        self._folder = folder
        self._poll = poll
        self._lock = FolderLock(folder / _LOCK)

    def check_new(self) -> None:
        """Check that no job, nor anything else, is in the folder.

        Raises
        ------
        BasicAerError
            If there is, or it is no folder.
        """
        if self._folder.exists() and not self._folder.is_dir():
            raise BasicAerError(f"checkpoint_dir {self._folder} is no folder; give a new one.")
        if self._folder.is_dir() and any(path.name != _LOCK for path in self._folder.iterdir()):
            raise BasicAerError(
                f"checkpoint_dir {self._folder} is not empty; give a new folder, or go on with BasicAer.resume()."
            )

    def hold(self) -> None:
        """Keep others from the folder until `let_go`.

        Raises
        ------
        BasicAerError
            If a job that runs holds it, or it cannot be written.
        """
        try:
            is_held = self._lock.take()
        except OSError as error:
            raise self._unwritable(error) from error
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
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self.check_new()
            self.hold()
            self.check_new()  # again, since another job may have come between
            self._write_save("job", job, arrays, None)
        except OSError as error:
            raise self._unwritable(error) from error

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
        if not (self._folder / "job.json").is_file():
            raise BasicAerError(f"{self._folder} holds no saved job; give the checkpoint_dir of one.")
        return self._read("job")[:2]

    def latest(self) -> tuple[Any, list[NDArray[Any]], Iterator[bytes]] | None:
        """Return the newest save: its content, arrays, and the pieces of its state; None if there is none yet.

        Raises
        ------
        BasicAerError
            If it is damaged.
        """
        return self._read("latest") if (self._folder / "latest.json").is_file() else None

    def _write_save(
        self, name: str, content: Any, arrays: list[NDArray[Any]], state: Iterable[NDArray[Any]] | None
    ) -> None:
        before = self._named(name)
        serial = 1 + max((int(path.name.rpartition("-")[2]) for path in self._folder.glob(f"{name}-*")), default=0)
        folder = self._folder / f"{name}-{serial}"
        try:
            folder.mkdir()
            files = {"save.json": self._written(folder / "save.json", [json.dumps(content).encode()])}
            with (folder / "arrays.npz").open("wb") as file:
                np.savez(file, **{str(number): array for number, array in enumerate(arrays)})  # type: ignore[arg-type]
            files["arrays.npz"] = self._summed(folder / "arrays.npz")
            if state is not None:
                pieces = (piece.view(np.uint8).data for piece in state)
                files["state.bin"] = self._written(folder / "state.bin", pieces)
            new = self._folder / f"{name}.json.new"
            self._written(new, [json.dumps({"format": _FORMAT, "folder": folder.name, "files": files}).encode()])
            new.replace(self._folder / f"{name}.json")
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        if before is not None:
            shutil.rmtree(self._folder / before["folder"], ignore_errors=True)

    def _named(self, name: str) -> dict[str, Any] | None:
        try:
            read = json.loads((self._folder / f"{name}.json").read_text("utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise self._damaged(f"{name}.json", str(error)) from error
        if not isinstance(read, dict) or read.get("format") != _FORMAT:
            raise self._damaged(f"{name}.json", "it is not in the form that this version of basicaer writes")
        return read

    def _read(self, name: str) -> tuple[Any, list[NDArray[Any]], Iterator[bytes]]:
        named = self._named(name)
        assert named is not None  # the callers have looked  # noqa: S101
        try:
            folder = self._folder / Path(named["folder"]).name
            for file, summed in named["files"].items():
                if self._summed(folder / file) != summed:
                    raise self._damaged(f"{folder.name}/{file}", "its length or checksum is not what it was")
            content = json.loads((folder / "save.json").read_text("utf-8"))
            with np.load(folder / "arrays.npz", allow_pickle=False) as held:
                arrays = [held[str(number)] for number in range(len(held.files))]
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise self._damaged(name, str(error)) from error
        return content, arrays, self._pieces(folder / "state.bin")

    def _pieces(self, path: Path) -> Iterator[bytes]:
        with path.open("rb") as file:
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
        """Write a file through to the disk; return its length and checksum."""
        digest, size = hashlib.blake2b(digest_size=16), 0
        with path.open("wb") as file:
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

    def _unwritable(self, error: OSError) -> BasicAerError:
        return BasicAerError(f"checkpoint_dir {self._folder} cannot be written: {error}.")

    def _damaged(self, what: str, why: str) -> BasicAerError:
        return BasicAerError(
            f"The saved job in {self._folder} is damaged ({what}: {why}); run it again from the start."
        )
