"""OpenQASM 2: a program's own declarations take precedence over those of Qiskit's older library.

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
from basicaer.openqasm.sources import MOST_BITS, Language, Source, number_in, wrong_count

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

__all__ = ["parse_openqasm2"]

_LANGUAGE = Language(version="2", comments=r"//[^\n]*", standard="qelib1.inc", missing=None, other={})
_MOST_OPERATIONS = 10_000  # operations of a statement; Qiskit frees expressions recursively: 100,000 crash the process

_FUNCTIONS = ("acos", "asin", "atan")  # functions that Qiskit's older parser knows

_GATE = re.compile(r"\b(?P<kind>gate|opaque)\s+(?P<name>\w+)\s*(?:\((?P<parameters>[^)]*)\))?(?P<qubits>[^;{]*)")
_REGISTER = re.compile(r"\b(?P<kind>qreg|creg)\s+(?P<name>\w+)\s*\[\s*(?P<size>\d+)")
# The parser panics at indices and versions above some size.
_LARGE = re.compile(r"(?:\[|\bOPENQASM\s+(?:\d+\.)?)\s*0*(?P<number>[1-9]\d{9,})")
_LONG = re.compile(rf"[^;{{}}\s][^;{{}}]{{{_MOST_OPERATIONS},}}")  # a statement that may have too many operations
_OPERATION = re.compile(r"[-+*/^(]")


class _Idle(Gate):  # type: ignore[misc]  # Qiskit ships no types
    """Waits for a number of gate lengths; Qiskit's own class writes out one identity for each, too many for 10^9."""

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
        The folder in which included files are looked for last.

    Raises
    ------
    BasicAerError
        If the parser raises anything, a panic included; the message names the place if it is known.
    """
    folders = (*qasm2.LEGACY_INCLUDE_PATH, folder)
    program = Source(text, _LANGUAGE, folders)
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


def _gate(found: re.Match[str]) -> _Gate:
    return _Gate(found["kind"] == "opaque", _names_in(found["parameters"] or ""), _names_in(found["qubits"]))


def _register(found: re.Match[str]) -> _Register:
    return _Register(found["kind"], number_in(found["size"]))


def _names_in(listed: str) -> int:
    return sum(bool(name.strip()) for name in listed.split(","))


def _is_qiskits(own: _Gate | None, known: Any) -> bool:
    """Tell whether a gate that a program declares may be the one of Qiskit's older library.

    An opaque gate says nothing about what it does, and Qiskit writes its own delay as one.
    """
    return own == (True, known.num_params, known.num_qubits)


def _check_indices(program: Source) -> None:
    """Refuse indices and versions that the parser panics at."""
    large = _LARGE.search(program.code)
    if large is not None:
        raise program.error(large.start("number"), f"the number {large['number'][:20]}... is too large")


def _check_operations(program: Source) -> None:
    """Refuse expressions that the process would die of once they are no longer needed."""
    for statement in _LONG.finditer(program.code):
        if len(_OPERATION.findall(statement[0])) > _MOST_OPERATIONS:
            words = f"this statement has more than {_MOST_OPERATIONS} operations; write some of them out"
            raise program.error(statement.start(), words)


def _check_parameters(program: Source, parameters: Mapping[str, int]) -> None:
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
