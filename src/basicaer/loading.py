"""Reads a circuit from an OpenQASM file."""

from __future__ import annotations

import contextlib
import io
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from qiskit.exceptions import QiskitError

from basicaer.errors import BasicAerError, at_border, shown

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

__all__ = ["load_circuit"]

_COMMENTS = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_SIZES = re.compile(r"\b(?:qubit|bit|u?int|(?:qreg|creg)\s+\w+)\s*\[\s*([\d_]+)\s*\]")
_MOST_DIGITS = "1000000"
_VERSION = re.compile(r"\s*OPENQASM\s+(\d+)")


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
    program = _COMMENTS.sub("", text)
    if not program.strip():
        raise BasicAerError(f"{path} is empty; it should hold an OpenQASM 2 or 3 program.")
    version = _VERSION.match(program)
    if version is None:
        raise BasicAerError(f"{path} does not begin with 'OPENQASM 2.0;' or 'OPENQASM 3.0;', so it is no OpenQASM.")
    if version[1] not in {"2", "3"}:
        raise BasicAerError(f"{path} is OpenQASM {version[1]}; versions 2 and 3 are known.")
    try:
        with at_border(BasicAerError):
            circuit = _parse(path, text, version[1])
    except BasicAerError as error:
        raise BasicAerError(f"{path} cannot be read as OpenQASM {version[1]}: {error.message}.") from error
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
    from qiskit import qasm3

    for found in _SIZES.finditer(_COMMENTS.sub("", text)):
        digits = found[1].replace("_", "").lstrip("0")
        if len(digits) > len(_MOST_DIGITS) or int(digits or 0) > int(_MOST_DIGITS):
            raise BasicAerError(f"it declares {shown(found[0])}, and at most {_MOST_DIGITS} bits are possible")
    try:
        with contextlib.redirect_stderr(io.StringIO()):  # the parser prints some errors as well as raising them
            return qasm3.loads(text)  # not load(), which reads in the machine's own encoding
    except QiskitError:
        raise
    except Exception as error:  # a syntax error, often without a word, or whatever else a bad program makes happen
        raise QiskitError(str(error) or _where(error)) from error


def _where(error: BaseException) -> str:
    """Return the place of a syntax error of OpenQASM 3, which its parser leaves in the error's cause."""
    for reason in getattr(error.__cause__, "args", ()):
        token = getattr(reason, "offendingToken", None)
        if token is not None:
            return f"{token.line},{token.column}: syntax error at '{token.text}'"
    return "syntax error"
