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
_INCLUDE = re.compile(rf"\binclude\s*(?P<file>{_STRING})")
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


class _Source(NamedTuple):
    """A file without its comments and strings, which are blank; `name` is empty for the one that is loaded."""

    name: str
    program: str

    def error(self, position: int, words: str) -> BasicAerError:
        """Return an error with its place, as the parser writes places."""
        line, start = self.program.count("\n", 0, position) + 1, self.program.rfind("\n", 0, position) + 1
        return BasicAerError(f"{self.name}{':' if self.name else ''}{line},{position - start}: {words}")


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
    Exception
        Whatever the parser raises, which may be a panic and no `Exception`; `BasicAerError` for what is checked here.
    """
    folders = (*qasm2.LEGACY_INCLUDE_PATH, folder)
    sources = list(_sources("", text, folders, {}))
    declared = [one for source in sources for one in _declarations(source)]
    own = {one.name: one for one in declared}
    added = [known for known in _LIBRARY if not _replaces(own.get(known.name), known)]
    parameters = {"U": 3} | {known.name: known.num_params for known in added}
    parameters |= {one.name: one.parameters for one in declared if one.kind in {"gate", "opaque"}}
    for source in sources:
        _check_numbers(source, parameters)
    _check_sizes(declared)
    functions = [qasm2.CustomClassical(name, 1, getattr(math, name)) for name in _FUNCTIONS if name not in own]
    circuit = qasm2.loads(text, include_path=folders, custom_instructions=added, custom_classical=functions)
    _check_definitions(circuit, {one.name for one in declared if one.kind == "gate"})
    return circuit


def _sources(name: str, text: str, folders: Sequence[Path], found: dict[Path, bool]) -> Iterator[_Source]:
    """Yield a file and those that it includes, each once; ``found[path]`` is whether a file is still being read."""
    program = _COMMENT.sub(lambda comment: comment["string"] or " " * len(comment[0]), text)
    included = [(one.start("file"), one["file"][1:-1]) for one in _INCLUDE.finditer(program)]
    source = _Source(name, re.sub(_STRING, lambda string: " " * len(string[0]), program))
    yield source
    for position, file in included:
        path = next((folder / file for folder in folders if _is_file(folder / file)), None)
        if path is None or file == _STANDARD:  # the parser says what is missing
            continue
        path = path.resolve()
        if found.get(path):
            raise source.error(position, f"'{file}' includes itself")
        if path not in found:
            found[path] = True
            yield from _sources(file, path.read_text("utf-8", errors="replace"), folders, found)
            found[path] = False


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name that no file can have
        return False


def _declarations(source: _Source) -> Iterator[_Declared]:
    for found in _DECLARATION.finditer(source.program):
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


def _check_numbers(source: _Source, parameters: Mapping[str, int]) -> None:
    """Check what the parser does not: indices that are too large, and parameters that are left out altogether."""
    large = _LARGE_INDEX.search(source.program)
    if large is not None:
        raise source.error(large.start(1), f"the number {large[1][:20]}... is too large")
    names = "|".join(re.escape(name) for name, count in parameters.items() if count)
    call = re.search(rf"(?:^|[;{{}})])\s*(?P<name>{names})\s+(?=[a-zA-Z_])", source.program)
    if call is not None:
        count = parameters[call["name"]]
        plural = "s" if count > 1 else ""
        raise source.error(call.start("name"), f"'{call['name']}' takes {count} parameter{plural}, but got 0")


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
            left.extend(getattr(item.operation, "blocks", ()))
            call = (item.name, *item.params) if item.name in own else None
            if call is not None and call not in known:
                known.add(call)
                left.append(_definition(item))


def _definition(item: Any) -> QuantumCircuit:
    with at_border(lambda why: BasicAerError(f"'{item.name}' with parameters {shown(list(item.params))}: {why}")):
        return item.operation.definition
