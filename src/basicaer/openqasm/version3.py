"""OpenQASM 3: Qiskit's importer makes the circuit; a program that it refuses is worked out first."""

from __future__ import annotations

import contextlib
import io
import re
import sys
from typing import TYPE_CHECKING

import openqasm3
from openqasm3 import ast
from qiskit.exceptions import QiskitError
from qiskit_qasm3_import import ConversionError

from basicaer.errors import BasicAerError, at_border, shown
from basicaer.openqasm.checks import Check, NotWrittenOutError
from basicaer.openqasm.elaboration import elaborated
from basicaer.openqasm.importer import Importer
from basicaer.openqasm.sources import Language, Source

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from qiskit import QuantumCircuit

__all__ = ["parse_openqasm3"]

_LANGUAGE = Language(
    version="3",
    comments=r"//[^\n]*|/\*.*?\*/",
    standard="stdgates.inc",
    missing="there is no file '{file}' beside the program",
    other={"qelib1.inc": "'{file}' is of OpenQASM 2; its gates are in \"stdgates.inc\""},
)
_PLAINER = (  # (message of the importer, plainer message)
    (r"node of type (\w+) is not supported", r"a statement of this kind (\1) is not supported"),
    (r"'(\w+)' cannot be resolved into a Qiskit value", r"an expression of this kind (\1) is not supported"),
    (r"Symbol '(\w+)' already inserted.*", r"'\1' is already declared, perhaps as a gate of 'stdgates.inc'"),
)


def parse_openqasm3(text: str, folder: Path, inputs: Mapping[str, float]) -> tuple[QuantumCircuit, tuple[str, ...]]:
    """Return the circuit of a program and the names of its inputs.

    Parameters
    ----------
    folder
        The folder in which included files are looked for.
    inputs
        Values of inputs; parameters of the circuit are bound to them.

    Raises
    ------
    BasicAerError
        If reading the program raises any error; the message names the place.
    """
    source = Source(text, _LANGUAGE, (folder,))
    try:
        with at_border(BasicAerError), contextlib.redirect_stderr(io.StringIO()):  # the parser prints some errors, too
            program = _parsed(source.text)
            circuit = _circuit_of(program, inputs)
    except BasicAerError as error:
        raise BasicAerError(source.placed(error.message)) from error.__cause__
    names = tuple(
        one.identifier.name
        for one in program.statements
        if isinstance(one, ast.IODeclaration) and one.io_identifier is ast.IOKeyword.input
    )
    bound = {name: inputs[name] for name in (one.name for one in circuit.parameters) if name in inputs}
    for name, value in bound.items():
        if abs(value) > sys.float_info.max:
            raise BasicAerError(f"the input '{name}' is a real number, and {shown(value)} is too large for one")
    return circuit.assign_parameters(bound), names


def _parsed(text: str) -> ast.Program:
    try:
        return openqasm3.parse(text)
    except (MemoryError, RecursionError):
        raise
    except Exception as error:  # often without a message
        raise QiskitError(str(error) or _where(error)) from error


def _where(error: BaseException) -> str:
    """Return the place of a syntax error, which the parser leaves in the error's cause."""
    for reason in getattr(error.__cause__, "args", ()):
        token = getattr(reason, "offendingToken", None)
        if token is not None:
            return f"{token.line},{token.column}: syntax error at '{token.text}'"
    return "syntax error"


def _circuit_of(program: ast.Program, inputs: Mapping[str, float]) -> QuantumCircuit:
    """Return the circuit of a program as it is or, where the importer refuses that, of one that is worked out."""
    with contextlib.suppress(NotWrittenOutError, ConversionError):
        Check().visit(program)
        return Importer().circuit_of(program)
    simpler = elaborated(program, inputs, Check())
    Check().visit(simpler)
    try:
        return Importer().circuit_of(simpler)
    except ConversionError as error:
        words = error.message
        for importers, plainer in _PLAINER:
            words = re.sub(importers, plainer, words)
        raise QiskitError(words) from error
