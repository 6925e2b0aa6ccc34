"""Reads a circuit from an OpenQASM file."""

from __future__ import annotations

import math
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from basicaer.errors import BasicAerError, at_border, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from qiskit import QuantumCircuit

__all__ = ["Loaded", "its_inputs", "load", "load_circuit"]

_FRONT = re.compile(r"\A(?:\s+|//[^\n]*|/\*.*?\*/)*", re.DOTALL)  # blanks and comments of either version
_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_VERSION = re.compile(r"OPENQASM\s+(\d+)")  # finds the main version; the parsers check the rest of the statement
_PLACE = re.compile(r"\d+,\d+: ")  # how messages begin that have a place in the file itself
_SIGNS = {  # what reveals the version of a program that does not state it
    "3": re.compile(r"\binclude\s*[\"']stdgates\.inc[\"']"),
    "2": re.compile(r"\binclude\s*[\"']qelib1\.inc[\"']|\b(?:qreg|creg|opaque)\s"),
}


class Loaded(NamedTuple):
    """What a file holds: a circuit, and the names of its inputs, with a value or without."""

    circuit: QuantumCircuit
    inputs: tuple[str, ...]


def load_circuit(path: Path, inputs: Mapping[str, float] | None = None) -> QuantumCircuit:
    """Return the circuit in an OpenQASM 2 or 3 file, named after the file; "-" is the standard input.

    OpenQASM 2 may use the gates that Qiskit's older `qelib1.inc` had in addition to the paper's; its own declarations
    take precedence. OpenQASM 3 may use all expressions that have a value before the program runs.

    Parameters
    ----------
    inputs
        The values of inputs, by name. A real input without a value stays a parameter of the circuit.

    Raises
    ------
    BasicAerError
        If the file cannot be read, is empty, is not OpenQASM, or has no such input.
    """
    loaded = load(path, inputs or {})
    for name in inputs or {}:
        if name not in loaded.inputs:
            raise BasicAerError(f"{path} has no input '{name}'; {its_inputs(loaded.inputs)}.")
    return loaded.circuit


def its_inputs(names: Iterable[str]) -> str:
    """Return which inputs a program has, as a part of a sentence."""
    listed = ", ".join(f"'{name}'" for name in names)
    return f"its inputs are {listed}" if listed else "it has none"


def load(path: Path, inputs: Mapping[str, float]) -> Loaded:
    """Return the circuit in a file and the names of its inputs; values for other names are ignored."""
    for name, value in inputs.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise BasicAerError(f"The value of the input '{name}' must be a finite number, not {shown(value)}.")
    is_file = str(path) != "-"
    source, path = path, path if is_file else Path("stdin")
    try:
        text = source.read_text("utf-8") if is_file else _standard_input()
    except (OSError, ValueError) as error:  # a name with a zero byte is a ValueError
        reason = "it is not a text file, as OpenQASM files are" if isinstance(error, UnicodeDecodeError) else str(error)
        raise BasicAerError(f"Cannot read {path}: {getattr(error, 'strerror', None) or reason}.") from error
    text = text.removeprefix("\ufeff")  # a byte-order mark, which some editors write
    program = _FRONT.sub("", text)
    if not program:
        raise BasicAerError(f"{path} is empty; it should hold an OpenQASM 2 or 3 program.")
    found = _VERSION.match(program)
    version = found[1] if found is not None else _version_of(program)
    if version not in {"2", "3"}:
        raise BasicAerError(f"{path} is OpenQASM {version[:20]}; versions 2 and 3 are known.")
    try:
        with at_border(BasicAerError):
            loaded = _parse(path, text, version, inputs)
    except BasicAerError as error:
        too_deep = isinstance(error.__cause__, RecursionError)
        why = "its parts are nested too deeply; write some of them out" if too_deep else error.message
        unknown = "does not begin with 'OPENQASM 2.0;' or 'OPENQASM 3.0;' and "
        taken = "" if found is not None else unknown
        place = f"{path.name}:" if _PLACE.match(str(why)) else ""  # a place in an included file has its name already
        raise BasicAerError(f"{path} {taken}cannot be read as OpenQASM {version}: {place}{why}.") from error
    loaded.circuit.name = path.stem.encode("utf-8", "replace").decode()  # undecodable bytes cannot be drawn
    return loaded


def _version_of(program: str) -> str:
    """Return the version of a program that does not state it."""
    code = _COMMENT.sub(" ", program)
    return next((version for version, sign in _SIGNS.items() if sign.search(code)), "3")


def _standard_input() -> str:
    if sys.stdin is None:  # the parent process has closed it
        raise BasicAerError("Cannot read stdin: it is closed; give the name of a file.")
    return sys.stdin.read()


def _parse(path: Path, text: str, version: str, inputs: Mapping[str, float]) -> Loaded:
    if version == "2":
        from basicaer.openqasm.version2 import parse_openqasm2

        return Loaded(parse_openqasm2(text, path.parent), ())
    from basicaer.openqasm.version3 import parse_openqasm3

    return Loaded(*parse_openqasm3(text, path.parent, inputs))
