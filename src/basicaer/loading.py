"""Reads a circuit from an OpenQASM file."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from basicaer.errors import BasicAerError, at_border

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

__all__ = ["load_circuit"]

_FRONT = re.compile(r"\A(?:\s+|//[^\n]*|/\*.*?\*/)*", re.DOTALL)  # blanks and comments of either version
_VERSION = re.compile(r"OPENQASM\s+(\d+)")  # which of the two it is; the rest of the statement is the parsers'


def load_circuit(path: Path) -> QuantumCircuit:
    """Return the circuit in an OpenQASM 2 or 3 file, named after the file; "-" is the standard input.

    OpenQASM 2 may use the gates that Qiskit's older `qelib1.inc` had on top of the paper's, but what it declares itself
    goes before them; of OpenQASM 3, what `qiskit.qasm3.load` takes.

    Raises
    ------
    BasicAerError
        If the file cannot be read, is empty, or is not OpenQASM; with the parser's own words.
    """
    is_file = str(path) != "-"
    source, path = path, path if is_file else Path("stdin")
    try:
        text = source.read_text("utf-8") if is_file else _standard_input()
    except (OSError, ValueError) as error:  # a name with a zero byte is a ValueError
        reason = "it is not a text file" if isinstance(error, UnicodeDecodeError) else str(error)
        raise BasicAerError(f"Cannot read {path}: {getattr(error, 'strerror', None) or reason}.") from error
    text = text.removeprefix("\ufeff")  # a mark that some editors put in front
    program = _FRONT.sub("", text)
    if not program:
        raise BasicAerError(f"{path} is empty; it should hold an OpenQASM 2 or 3 program.")
    found = _VERSION.match(program)
    if found is None:
        raise BasicAerError(f"{path} does not begin with 'OPENQASM 2.0;' or 'OPENQASM 3.0;', so it is no OpenQASM.")
    version = found[1]
    if version not in {"2", "3"}:
        raise BasicAerError(f"{path} is OpenQASM {version[:20]}; versions 2 and 3 are known.")
    try:
        with at_border(BasicAerError):
            circuit = _parse(path, text, version)
    except BasicAerError as error:
        too_deep = isinstance(error.__cause__, RecursionError)
        why = "its parts stand inside one another too deeply; write some of them out" if too_deep else error.message
        raise BasicAerError(f"{path} cannot be read as OpenQASM {version}: {why}.") from error
    circuit.name = path.stem.encode("utf-8", "replace").decode()  # bytes that are no text cannot be drawn
    return circuit


def _standard_input() -> str:
    if sys.stdin is None:  # closed by whoever started this
        raise BasicAerError("Cannot read stdin: it is closed; give the name of a file.")
    return sys.stdin.read()


def _parse(path: Path, text: str, version: str) -> QuantumCircuit:
    if version == "2":
        from basicaer.openqasm2 import parse_openqasm2

        return parse_openqasm2(text, path.parent)
    from basicaer.openqasm3 import parse_openqasm3

    return parse_openqasm3(text)
