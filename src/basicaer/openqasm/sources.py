"""A program with the files that it includes in their places; every place in it has a file, a line and a column."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from basicaer.errors import BasicAerError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

__all__ = ["MOST_BITS", "Language", "Source", "error_at", "number_in", "wrong_count"]

MOST_BITS = 1_000_000  # qubits, and likewise classical bits, of all registers together
_MOST_FILES = 1000

_STRING = r"\"[^\"\n]*\"|'[^'\n]*'"
_INCLUDE = re.compile(rf"\binclude\s*(?P<file>{_STRING})\s*;")
_PLACE = re.compile(r"\A(?:<input>:|L)?(?P<line>\d+)(?:,|:C)(?P<column>\d+): ")  # how messages of the parsers begin
_LINE = re.compile(r"\bon line (?P<line>\d+)")  # another way in which they name a line


class Language(NamedTuple):
    """How the text of a version of OpenQASM is written.

    Attributes
    ----------
    comments
        A pattern of its comments.
    standard
        The file of gates that its parser has built in.
    missing
        The message if a file does not exist; None if the parser has one.
    other
        Names of files that are wrong here, with the message for each.
    """

    version: str
    comments: str
    standard: str
    missing: str | None
    other: dict[str, str]


class _Piece(NamedTuple):
    """A piece of a file between two includes: its first letter stands in that line and column."""

    file: str  # empty for the program's own file
    line: int
    column: int
    text: str


class Source:
    """A program with the files that it includes in their places, and blanks instead of comments.

    HACK: Qiskit reads the expressions in an included file of OpenQASM 2 from the file that includes it (Qiskit issue
    16918), and its importer of OpenQASM 3 includes no file but its own. Once both do, they may include files.

    Parameters
    ----------
    folders
        The folders in which included files are looked for, in this order.
    """

    def __init__(self, text: str, language: Language, folders: Sequence[Path]) -> None:
        self._language = language
        self._comments = re.compile(rf"(?P<string>{_STRING})|{language.comments}", re.DOTALL)
        self._version = re.compile(rf"\A\s*OPENQASM\s+{language.version}(?:\.\d+)?\s*;")
        self._folders = folders
        self._left = _MOST_FILES
        self._pieces = list(self._read("", text, ()))
        self.text = "\n".join(piece.text for piece in self._pieces)
        self.code = re.sub(_STRING, lambda string: " " * len(string[0]), self.text)  # file names become blanks

    def error(self, position: int, words: str) -> BasicAerError:
        """Return an error with the place of a letter of the text."""
        line, start = self.text.count("\n", 0, position), self.text.rfind("\n", 0, position) + 1
        return BasicAerError(f"{self._place(line, position - start)}: {words}")

    def placed(self, words: str) -> str:
        """Return words that begin with a place in the whole text with the place where it stands in its own file."""
        words = _LINE.sub(lambda line: f"on line {self._place(int(line['line']) - 1, 0).rpartition(',')[0]}", words)
        found = _PLACE.match(words)
        if found is None:
            return words
        return f"{self._place(int(found['line']) - 1, int(found['column']))}: {words[found.end() :]}"

    def _place(self, line: int, column: int) -> str:
        for file, first, indent, text in self._pieces:
            lines = text.count("\n") + 1
            if line < lines:
                return f"{file}{':' if file else ''}{first + line},{column + (0 if line else indent)}"
            line -= lines
        return "at the end"

    def _read(self, name: str, text: str, within: tuple[Path, ...]) -> Iterator[_Piece]:
        text = self._comments.sub(lambda comment: comment["string"] or _blank(comment[0]), text)
        if within:  # the version statement of an included file is blanked out
            text = self._version.sub(lambda version: _blank(version[0]), text)
        start = 0
        for include in _INCLUDE.finditer(text):
            file = include["file"][1:-1]
            if file == self._language.standard:
                continue
            path = next((folder / file for folder in self._folders if _is_file(folder / file)), None)
            if path is None:
                wrong = self._language.other.get(file, self._language.missing)
                if wrong is not None:
                    raise _error_in(name, text, include.start(), wrong.format(file=file))
                continue
            yield _piece(name, text, start, include.start())
            start, path = include.end(), path.resolve()
            self._left -= 1
            if path in within or self._left < 0:
                wrong = "includes itself" if path in within else f"is one of more than {_MOST_FILES} that are included"
                raise _error_in(name, text, include.start(), f"'{file}' {wrong}")
            yield from self._read(file, path.read_text("utf-8-sig", errors="replace"), (*within, path))
        yield _piece(name, text, start, len(text))


def _blank(text: str) -> str:
    return re.sub(r"[^\n]", " ", text)


def _error_in(file: str, text: str, position: int, words: str) -> BasicAerError:
    place = _piece(file, text, position, position)
    return BasicAerError(f"{file}{':' if file else ''}{place.line},{place.column}: {words}")


def _piece(file: str, text: str, start: int, stop: int) -> _Piece:
    return _Piece(file, text.count("\n", 0, start) + 1, start - (text.rfind("\n", 0, start) + 1), text[start:stop])


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # no file can have this name
        return False


def error_at(node: Any, words: str) -> BasicAerError:
    """Return an error with the place of a node of a parser's tree."""
    span = getattr(node, "span", None)
    return BasicAerError(f"{span.start_line},{span.start_column}: {words}" if span else words)


def number_in(digits: str) -> int:
    """Return the number in digits; for more than ten digits, another number that is also too large."""
    return int(digits.lstrip("0")[:10] or 0)


def wrong_count(gate: str, takes: int, got: int) -> str:
    """Return what is wrong with a call that gives a gate another number of parameters."""
    return f"'{gate}' takes {takes} parameter{'' if takes == 1 else 's'}, but got {got}"
