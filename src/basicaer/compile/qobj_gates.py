"""The unitary instructions of a Qobj, known by their names, as gates."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from basicaer.compile.gates import BY_NAME
from basicaer.compile.modifiers import permuted, unitary_gate
from basicaer.compile.paulis import pauli_string
from basicaer.compile.table_gates import record_gates, table_gate
from basicaer.engine.bits import all_ones
from basicaer.engine.program import Form, Gate
from basicaer.errors import BasicAerError, shown
from basicaer.wording import counted

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["complex_numbers", "gates_by_name", "power_of_two"]

_LARGEST = sys.float_info.max  # a whole number of JSON may be larger
_OPEN_CONTROLS = re.compile(r"(?P<name>.+)_o(?P<state>[0-9]{1,4000})")  # Python reads no number of over 4,300 digits


def power_of_two(exponent: int) -> str:
    """Return a power of 2 as messages show it."""
    return str(2**exponent) if exponent <= 20 else f"2**{exponent}"


def complex_numbers(values: Any, name: str, place: str) -> np.ndarray:
    """Return an array of the complex numbers that a Qobj gives as pairs [real, imaginary] or as real numbers."""
    pairs = [v if isinstance(v, list) else [v, 0.0] for v in values] if isinstance(values, list) else [[]]
    if not all(len(pair) == 2 and all(isinstance(part, int | float) for part in pair) for pair in pairs):
        raise BasicAerError(f"'{name}' ({place}) takes numbers and pairs [real, imaginary], and holds something else.")
    parts = np.array(pairs, float).reshape(-1, 2)
    if not np.isfinite(parts).all():
        raise BasicAerError(f"'{name}' ({place}) takes finite numbers, and holds one that is not.")
    return np.asarray(parts[:, 0] + 1j * parts[:, 1])


def gates_by_name(name: str, qubits: tuple[int, ...], parameters: list[Any], place: str) -> list[Gate]:
    """Return the gates of a unitary instruction.

    Parameters
    ----------
    name
        The instruction's name: "unitary", "diagonal", "pauli" or "permutation"; or the name of a gate of the table,
        followed by "_o" and a control state if not all controls are on.
    parameters
        Its parameters, as JSON has them.
    place
        The place where it stands, for messages.

    Raises
    ------
    BasicAerError
        If the name is unknown, or qubits or parameters do not fit.
    """
    special = _SPECIAL.get(name)
    return _of_table(name, qubits, parameters, place) if special is None else special(qubits, parameters, place)


def _of_table(name: str, qubits: tuple[int, ...], parameters: list[Any], place: str) -> list[Gate]:
    open_controls = _OPEN_CONTROLS.fullmatch(name)
    record = BY_NAME.get(open_controls["name"] if open_controls else name)
    state = int(open_controls["state"]) if open_controls else None
    if record is None or (state is not None and record.controls == 0):
        raise BasicAerError(
            f"Unknown instruction {shown(name)} ({place}); unroll it into gates, or give it as 'unitary'."
        )
    controls = len(qubits) - len(record.target_actions) if record.controls is None else record.controls
    if controls < 0 or controls + len(record.target_actions) != len(qubits) or len(parameters) != record.parameters:
        raise BasicAerError(
            f"'{name}' ({place}) takes {counted(len(record.target_actions) + max(controls, 0), 'qubit')} and "
            f"{counted(record.parameters, 'parameter')}, not {len(qubits)} and {len(parameters)}."
        )
    if not all(isinstance(p, int | float) and abs(p) <= _LARGEST for p in parameters):
        raise BasicAerError(f"'{name}' ({place}) takes finite real numbers, not {shown(parameters)}.")
    if state is not None and state > all_ones(controls):
        raise BasicAerError(f"{shown(name)} ({place}) has {counted(controls, 'control')} and no state {shown(state)}.")
    return record_gates(record, qubits, parameters, state)


def _unitary(qubits: tuple[int, ...], parameters: list[Any], place: str) -> list[Gate]:
    size = 2 ** len(qubits)
    rows = [complex_numbers(row, "unitary", place) for row in parameters[0]]
    matrix = np.stack(rows) if {len(row) for row in rows} == {size} else np.zeros(0)
    if matrix.shape != (size, size) or not np.allclose(matrix.conj().T @ matrix, np.eye(size), atol=1e-10):
        shape = f"{power_of_two(len(qubits))} x {power_of_two(len(qubits))}"
        raise BasicAerError(f"'unitary' ({place}) needs a unitary {shape} matrix for {counted(len(qubits), 'qubit')}.")
    return [unitary_gate(matrix, qubits)]


def _diagonal(qubits: tuple[int, ...], parameters: list[Any], place: str) -> list[Gate]:
    factors = complex_numbers(parameters, "diagonal", place)
    if len(factors) != 2 ** len(qubits) or not np.allclose(abs(factors), 1, atol=1e-10):
        raise BasicAerError(
            f"'diagonal' ({place}) needs {power_of_two(len(qubits))} numbers of modulus 1 for "
            f"{counted(len(qubits), 'qubit')}."
        )
    return [Gate("diagonal", "Z" * len(qubits), qubits, Form.DIAGONAL, factors)]


def _pauli(qubits: tuple[int, ...], parameters: list[Any], place: str) -> list[Gate]:
    if len(parameters) != 1 or not re.fullmatch(f"[IXYZ]{{{len(qubits)}}}", str(parameters[0])):
        raise BasicAerError(f"'pauli' ({place}) needs one string of {len(qubits)} letters I, X, Y and Z.")
    return pauli_string(parameters[0][::-1], qubits)


def _permutation(qubits: tuple[int, ...], parameters: list[Any], place: str) -> list[Gate]:
    if not all(isinstance(p, int) for p in parameters) or sorted(parameters) != list(range(len(qubits))):
        raise BasicAerError(f"'permutation' ({place}) needs the numbers 0 to {len(qubits) - 1}, each once.")
    return permuted(parameters, qubits, table_gate("swap", (0, 1)))


_SPECIAL: dict[str, Callable[[tuple[int, ...], list[Any], str], list[Gate]]] = {
    "unitary": _unitary,
    "diagonal": _diagonal,
    "pauli": _pauli,
    "permutation": _permutation,
}
