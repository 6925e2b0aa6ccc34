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

from basicaer.errors import BasicAerError, at_border, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

__all__ = ["parse_openqasm2"]

_MOST_BITS = 1_000_000  # of all registers together, qubits and classical bits each
_STANDARD = "qelib1.inc"  # which the parser has built in
_FUNCTIONS = ("acos", "asin", "atan")  # of Qiskit's older parser
_STRING = r"\"[^\"\n]*\"|'[^'\n]*'"
_COMMENT = re.compile(rf"(?P<string>{_STRING})|//[^\n]*")
_INCLUDE = re.compile(rf"\binclude\s*(?P<file>{_STRING})\s*;")
_VERSION = re.compile(r"\A\s*OPENQASM\s+2(?:\.\d+)?\s*;")
_PLACE = re.compile(r"\A<input>:(?P<line>\d+),(?P<column>\d+): ")
_MOST_FILES = 1000
_DECLARATION = re.compile(
    r"\b(?P<kind>gate|opaque|qreg|creg)\s+(?P<name>\w+)\s*(?:\((?P<parameters>[^)]*)\))?(?P<rest>[^;{]*)"
)
_LARGE_INDEX = re.compile(r"\[\s*0*([1-9]\d{9,})")  # from a certain size on the parser panics


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
            yield from self._read(file, path.read_text("utf-8", errors="replace"), (*within, path))
        yield _piece(name, text, start, len(text))


def _piece(file: str, text: str, start: int, stop: int) -> _Piece:
    return _Piece(file, text.count("\n", 0, start) + 1, start - (text.rfind("\n", 0, start) + 1), text[start:stop])


class _Declared(NamedTuple):
    """A name that a program takes for itself."""

    kind: str
    name: str
    parameters: int
    qubits: int
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
    declared = list(_declarations(program.code))
    own = {one.name: one for one in declared}
    added = [known for known in _LIBRARY if not _replaces(own.get(known.name), known)]
    parameters = {"U": 3} | {known.name: known.num_params for known in added}
    parameters |= {one.name: one.parameters for one in declared if one.kind in {"gate", "opaque"}}
    _check_numbers(program, parameters)
    _check_sizes(declared)
    functions = [qasm2.CustomClassical(name, 1, getattr(math, name)) for name in _FUNCTIONS if name not in own]
    with at_border(lambda why: BasicAerError(program.placed(why))):
        circuit = qasm2.loads(program.text, include_path=folders, custom_instructions=added, custom_classical=functions)
    _check_definitions(circuit, {one.name for one in declared if one.kind == "gate"})
    return circuit


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name that no file can have
        return False


def _declarations(code: str) -> Iterator[_Declared]:
    for found in _DECLARATION.finditer(code):
        parameters, rest = found["parameters"] or "", found["rest"]
        digits = re.search(r"\[\s*0*(\d+)", rest)
        yield _Declared(
            found["kind"],
            found["name"],
            sum(bool(name.strip()) for name in parameters.split(",")),
            sum(bool(name.strip()) for name in rest.split(",")),
            int(digits[1][:10]) if digits else 0,  # more digits are refused elsewhere
        )


def _replaces(own: _Declared | None, known: Any) -> bool:
    """Tell whether what a program declares goes before a gate of Qiskit's older library.

    That a gate is opaque says nothing of what it does: it may be Qiskit's, as the delay that Qiskit writes so.
    """
    if own is None:
        return False
    same = (own.parameters, own.qubits) == (known.num_params, known.num_qubits)
    return not (own.kind == "opaque" and same)


def _check_numbers(program: _Program, parameters: Mapping[str, int]) -> None:
    """Check what the parser does not: indices that are too large, and parameters that are left out altogether."""
    large = _LARGE_INDEX.search(program.code)
    if large is not None:
        raise program.error(large.start(1), f"the number {large[1][:20]}... is too large")
    names = "|".join(re.escape(name) for name, count in parameters.items() if count)
    call = re.search(rf"(?:^|[;{{}})])\s*(?P<name>{names})\s+(?=[a-zA-Z_])", program.code)
    if call is not None:
        count = parameters[call["name"]]
        plural = "s" if count > 1 else ""
        raise program.error(call.start("name"), f"'{call['name']}' takes {count} parameter{plural}, but got 0")


def _check_sizes(declared: Sequence[_Declared]) -> None:
    for kind in ("qreg", "creg"):
        size = sum(one.size for one in declared if one.kind == kind)
        if size > _MOST_BITS:
            raise BasicAerError(f"its {kind}s declare {size} bits in all, and at most {_MOST_BITS} are possible")


def _check_definitions(circuit: QuantumCircuit, own: set[str]) -> None:
    """Work out the definition of each gate of the program's own, which may divide by zero for its parameters."""
    known = set()
    left = [circuit] if own else []
    while left:
        for item in left.pop().data:
            if item.name == "if_else":
                left.extend(item.operation.blocks)
            elif item.name in own:
                gate = item.operation
                call = (type(gate), item.name, *gate.params)
                if call not in known:
                    known.add(call)
                    left.extend(_definition(gate))


def _definition(gate: Any) -> Iterator[QuantumCircuit]:
    """Yield a gate's definition, if it has one: a gate of the program's own may be called as one of Qiskit's."""
    with at_border(lambda why: BasicAerError(f"'{gate.name}' with parameters {shown(list(gate.params))}: {why}")):
        if gate.definition is not None:
            yield gate.definition
