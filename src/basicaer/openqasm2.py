"""OpenQASM 2: what a program declares by itself goes before what Qiskit's older library had.

The parser and that library are Qiskit's. Here the names that a program takes for itself are found first and left out of
what is added, and what the parser does not check is checked.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from qiskit import QuantumCircuit, qasm2
from qiskit.circuit import Gate

from basicaer.errors import BasicAerError, at_border

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path

__all__ = ["MOST_BITS", "number_in", "parse_openqasm2", "wrong_count"]

MOST_BITS = 1_000_000  # of all registers together, qubits and classical bits each
_MOST_FILES = 1000
_MOST_OPERATIONS = 10_000  # of a statement: Qiskit frees an expression level by level, and 100,000 end the process

_STANDARD = "qelib1.inc"  # which the parser has built in
_FUNCTIONS = ("acos", "asin", "atan")  # of Qiskit's older parser

_STRING = r"\"[^\"\n]*\"|'[^'\n]*'"
_COMMENT = re.compile(rf"(?P<string>{_STRING})|//[^\n]*")  # a string may hold what looks like one
_INCLUDE = re.compile(rf"\binclude\s*(?P<file>{_STRING})\s*;")
_VERSION = re.compile(r"\A\s*OPENQASM\s+2(?:\.\d+)?\s*;")  # of an included file: the whole statement
_PLACE = re.compile(r"\A<input>:(?P<line>\d+),(?P<column>\d+): ")  # which the parser's words begin with
_GATE = re.compile(r"\b(?P<kind>gate|opaque)\s+(?P<name>\w+)\s*(?:\((?P<parameters>[^)]*)\))?(?P<qubits>[^;{]*)")
_REGISTER = re.compile(r"\b(?P<kind>qreg|creg)\s+(?P<name>\w+)\s*\[\s*(?P<size>\d+)")
# From some size on the parser panics at indices and versions.
_LARGE = re.compile(r"(?:\[|\bOPENQASM\s+(?:\d+\.)?)\s*0*(?P<number>[1-9]\d{9,})")
_LONG = re.compile(rf"[^;{{}}\s][^;{{}}]{{{_MOST_OPERATIONS},}}")  # a statement that may have too many operations
_OPERATION = re.compile(r"[-+*/^(]")


class _Idle(Gate):  # type: ignore[misc]  # Qiskit ships no types
    """Waiting for so many lengths of a gate; Qiskit's own writes out as many identities, and 10^9 are too many."""

    def __init__(self, count: float) -> None:
        if int(count) != count:
            raise BasicAerError("the number of lengths of 'u0' must be an integer")
        super().__init__("u0", 1, [int(count)])

    def _define(self) -> None:
        self.definition = QuantumCircuit(1)


_LIBRARY = tuple(
    qasm2.CustomInstruction("u0", 1, 1, _Idle, builtin=True) if known.name == "u0" else known
    for known in qasm2.LEGACY_CUSTOM_INSTRUCTIONS
)


class _Piece(NamedTuple):
    """A piece of a file between two includes: its first letter stands in that line and column."""

    file: str  # empty for the one that is loaded
    line: int
    column: int
    text: str


class _Program:
    """A program with the files that it includes in their places, and blanks instead of comments.

    HACK: Qiskit reads the expressions in an included file from the file that includes it (Qiskit issue 16918). Once no
    supported version does, the parser may include files itself.
    """

    def __init__(self, text: str, folders: Sequence[Path]) -> None:
        self._folders = folders
        self._left = _MOST_FILES
        self._pieces = list(self._read("", text, ()))
        self.text = "\n".join(piece.text for piece in self._pieces)
        self.code = re.sub(_STRING, lambda string: " " * len(string[0]), self.text)  # without the names of files

    def error(self, position: int, words: str) -> BasicAerError:
        """Return an error with the place of a letter of the text."""
        line, start = self.text.count("\n", 0, position), self.text.rfind("\n", 0, position) + 1
        return BasicAerError(f"{self._place(line, position - start)}: {words}")

    def placed(self, words: str) -> str:
        """Return the parser's words with the place where it stands in its own file."""
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
        text = _COMMENT.sub(lambda comment: comment["string"] or " " * len(comment[0]), text)
        if within:  # a program states its version once
            text = _VERSION.sub(lambda version: re.sub(r"[^\n]", " ", version[0]), text)
        start = 0
        for include in _INCLUDE.finditer(text):
            file = include["file"][1:-1]
            path = next((folder / file for folder in self._folders if _is_file(folder / file)), None)
            if path is None or file == _STANDARD:  # the parser knows, or says what is missing
                continue
            yield _piece(name, text, start, include.start())
            start, path = include.end(), path.resolve()
            self._left -= 1
            if path in within or self._left < 0:
                line = text.count("\n", 0, include.start()) + 1
                wrong = "includes itself" if path in within else f"is one of more than {_MOST_FILES} that are included"
                raise BasicAerError(f"{name}{':' if name else ''}{line}: '{file}' {wrong}")
            yield from self._read(file, path.read_text("utf-8-sig", errors="replace"), (*within, path))
        yield _piece(name, text, start, len(text))


def _piece(file: str, text: str, start: int, stop: int) -> _Piece:
    return _Piece(file, text.count("\n", 0, start) + 1, start - (text.rfind("\n", 0, start) + 1), text[start:stop])


class _Gate(NamedTuple):
    """A gate that a program declares, with the numbers of its parameters and qubits."""

    is_opaque: bool
    parameters: int
    qubits: int


class _Register(NamedTuple):
    """A register that a program declares, ``qreg`` or ``creg``."""

    kind: str
    size: int


def parse_openqasm2(text: str, folder: Path) -> QuantumCircuit:
    """Return the circuit of a program.

    Parameters
    ----------
    folder
        Where the files that it includes are looked for last.

    Raises
    ------
    BasicAerError
        For whatever the parser raises, a panic included, with the place where it is known.
    """
    folders = (*qasm2.LEGACY_INCLUDE_PATH, folder)
    program = _Program(text, folders)
    gates = {found["name"]: _gate(found) for found in _GATE.finditer(program.code)}
    registers = {found["name"]: _register(found) for found in _REGISTER.finditer(program.code)}
    taken = gates.keys() | registers.keys()
    added = [known for known in _LIBRARY if known.name not in taken or _is_qiskits(gates.get(known.name), known)]
    parameters = {"U": 3} | {known.name: known.num_params for known in added}
    _check_indices(program)
    _check_operations(program)
    _check_parameters(program, parameters | {name: gate.parameters for name, gate in gates.items()})
    _check_sizes(registers.values())
    functions = [qasm2.CustomClassical(name, 1, getattr(math, name)) for name in _FUNCTIONS if name not in taken]
    with at_border(lambda why: BasicAerError(program.placed(why))):
        return qasm2.loads(program.text, include_path=folders, custom_instructions=added, custom_classical=functions)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name that no file can have
        return False


def number_in(digits: str) -> int:
    """Return what digits say; of more than ten, a number that is too large all the same."""
    return int(digits.lstrip("0")[:10] or 0)


def wrong_count(gate: str, takes: int, got: int) -> str:
    """Return what is wrong with a call that gives a gate another number of parameters."""
    return f"'{gate}' takes {takes} parameter{'' if takes == 1 else 's'}, but got {got}"


def _gate(found: re.Match[str]) -> _Gate:
    return _Gate(found["kind"] == "opaque", _names_in(found["parameters"] or ""), _names_in(found["qubits"]))


def _register(found: re.Match[str]) -> _Register:
    return _Register(found["kind"], number_in(found["size"]))


def _names_in(listed: str) -> int:
    return sum(bool(name.strip()) for name in listed.split(","))


def _is_qiskits(own: _Gate | None, known: Any) -> bool:
    """Tell whether a gate that a program declares may be the one of Qiskit's older library.

    That a gate is opaque says nothing of what it does: so Qiskit writes its own delay.
    """
    return own == (True, known.num_params, known.num_qubits)


def _check_indices(program: _Program) -> None:
    """Refuse indices and versions that the parser panics at."""
    large = _LARGE.search(program.code)
    if large is not None:
        raise program.error(large.start("number"), f"the number {large['number'][:20]}... is too large")


def _check_operations(program: _Program) -> None:
    """Refuse expressions that the process would die of once they are no longer needed."""
    for statement in _LONG.finditer(program.code):
        if len(_OPERATION.findall(statement[0])) > _MOST_OPERATIONS:
            words = f"this statement has more than {_MOST_OPERATIONS} operations; write some of them out"
            raise program.error(statement.start(), words)


def _check_parameters(program: _Program, parameters: Mapping[str, int]) -> None:
    """Refuse calls without the parentheses that a gate needs, which the parser takes."""
    names = "|".join(re.escape(name) for name, count in parameters.items() if count)
    call = re.search(rf"(?:^|[;{{}})])\s*(?P<name>{names})\s+(?=[a-zA-Z_])", program.code)
    if call is not None:
        raise program.error(call.start("name"), wrong_count(call["name"], parameters[call["name"]], 0))


def _check_sizes(registers: Collection[_Register]) -> None:
    for kind in ("qreg", "creg"):
        size = sum(register.size for register in registers if register.kind == kind)
        if size > MOST_BITS:
            raise BasicAerError(f"its {kind}s declare {size} bits in all, and at most {MOST_BITS} are possible")
