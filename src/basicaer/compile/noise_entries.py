"""Reads the errors of a noise model from dictionaries, in the layout that Aer's ``to_dict`` gives them.

Every function takes the words that a message begins with, such as "Error 3 of the noise model, for 'cx',".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import numpy as np
from qiskit.exceptions import QiskitError
from qiskit.quantum_info import Kraus, SuperOp

from basicaer.compile.channels import ErrorOperation, lindblad, pauli, reduced
from basicaer.compile.gates import BY_NAME
from basicaer.compile.matrices import is_unitary
from basicaer.engine.bits import highest_position
from basicaer.engine.program import Form
from basicaer.errors import BasicAerError, shown
from basicaer.wording import counted, unknown_name

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from basicaer.compile.channels import Channel, Term
    from basicaer.compile.gates import GateRecord

__all__ = [
    "TOLERANCE",
    "channels_of_entry",
    "is_qubit",
    "operations_of",
    "probabilities_of",
    "readout_of",
    "rows_of",
    "square_matrix",
    "width_of",
]

TOLERANCE = 1e-8  # Aer's, for sums of probabilities and Kraus operators
_LAST_QUBIT = 2**32 - 2  # Qiskit's circuits can have so many
_OTHER_NAMES = ("pauli", "reset", "unitary", "kraus", "superop")


def channels_of_entry(entry: Mapping[str, Any], place: str) -> tuple[Channel, ...]:
    """Return what a quantum error does, reduced to the simplest terms.

    Parameters
    ----------
    entry
        A dictionary of the type "qerror" or "plerror".
    place
        The beginning of the sentence if the entry is wrong.
    """
    name = "rates" if entry.get("type") == "plerror" else "probabilities"
    numbers = probabilities_of(entry, place)
    terms = _terms_of(entry["instructions"], place)
    if len(terms) != len(numbers):
        raise BasicAerError(
            f"{place} has {counted(len(terms), 'term')} in 'instructions' and {len(numbers)} in '{name}'; give as many."
        )
    if name == "probabilities":
        return reduced(numbers, terms)
    for term in terms:
        if any(operation.kind != "pauli" for operation in term) or len(term) > 1:
            raise BasicAerError(f"{place} is a Pauli-Lindblad error, so each generator must be one Pauli string.")
    return lindblad(numbers, terms)


def width_of(entry: Mapping[str, Any]) -> int:
    """Return the number of qubits on which a quantum error acts: its highest position and one."""
    return 1 + max((max(one["qubits"], default=-1) for term in entry["instructions"] for one in term), default=-1)


def probabilities_of(entry: Mapping[str, Any], place: str) -> list[float]:
    """Return the probabilities of a quantum error, or the rates of a Pauli-Lindblad error."""
    is_lindblad = entry.get("type") == "plerror"
    name = "rates" if is_lindblad else "probabilities"
    given = entry.get(name)
    if not isinstance(entry.get("instructions"), Sequence) or not isinstance(given, Sequence | np.ndarray):
        raise BasicAerError(f"{place} must have lists under 'instructions' and '{name}'.")
    try:
        numbers = np.asarray(given)
    except ValueError:
        numbers = np.empty(0, object)
    if numbers.ndim != 1 or numbers.dtype.kind not in "fiu":
        raise BasicAerError(f"{place} has {name} {shown(list(given))}, which must be numbers.")
    least, total = float(numbers.min(initial=0)), float(numbers.sum())
    if least < -TOLERANCE:
        word = "rate" if is_lindblad else "probability"
        raise BasicAerError(f"{place} has the {word} {least:g}, which must not be negative.")
    if not isfinite(total):
        raise BasicAerError(f"{place} has {name} {shown(list(given))}, which must be finite.")
    if not is_lindblad and not abs(total - 1) <= TOLERANCE:
        raise BasicAerError(f"{place} has probabilities that sum to {total:.10g}; they must sum to 1.")
    return [max(number, 0.0) for number in numbers.tolist()]


def is_qubit(number: Any) -> bool:
    """Tell whether something is a number that a qubit can have."""
    return isinstance(number, Integral) and not isinstance(number, bool) and 0 <= int(number) <= _LAST_QUBIT


def rows_of(given: Any, kind: type, subject: str) -> NDArray[Any]:
    """Return an array of finite numbers.

    Parameters
    ----------
    kind
        float or complex.
    subject
        The beginning of the sentence if it is none, up to the value.
    """
    try:
        array: NDArray[Any] = np.array(given, kind)
    except (TypeError, ValueError):
        array = np.empty(0)
    if not array.ndim or not array.size or not np.isfinite(array).all():
        real = "real " if kind is float else ""
        raise BasicAerError(f"{subject} {shown(given)}, which must be rows of finite {real}numbers.")
    return array


def square_matrix(given: Any, kind: type, subject: str) -> NDArray[Any]:
    """Return a matrix on a whole number of qubits; for the parameters, see `rows_of`."""
    matrix = rows_of(given, kind, subject)
    if len(matrix) < 2 or matrix.shape != (2 ** highest_position(len(matrix)),) * 2:
        raise BasicAerError(f"{subject} of the shape {matrix.shape}; for k qubits, give 2**k rows of 2**k numbers.")
    return matrix


def readout_of(probabilities: Any, place: str) -> NDArray[np.float64]:
    """Return the matrix of a readout error; row i has the probabilities of what is recorded for a true value i."""
    matrix: NDArray[np.float64] = square_matrix(probabilities, float, f"{place} has probabilities")
    wrong = [row for row, sum_ in enumerate(matrix.sum(axis=1)) if not abs(sum_ - 1) <= TOLERANCE]
    if wrong:
        total = matrix[wrong[0]].sum()
        raise BasicAerError(f"{place} has probabilities in row {wrong[0]} that sum to {total:.10g}, not 1.")
    if matrix.min() < -TOLERANCE:
        raise BasicAerError(f"{place} has the probability {matrix.min():g}, which must not be negative.")
    matrix = matrix.clip(min=0)
    matrix /= matrix.sum(axis=1, keepdims=True)
    return matrix


def _terms_of(instructions: Sequence[Any], place: str) -> list[Term]:
    return [
        tuple(operation for one in _instructions_of(term, place) for operation in operations_of(one, place))
        for term in instructions
    ]


def _instructions_of(term: Any, place: str) -> Sequence[Any]:
    if not isinstance(term, Sequence) or not all(isinstance(one, Mapping) for one in term):
        raise BasicAerError(f"{place} has the term {shown(term)}, which must be a list of dictionaries.")
    return term


def operations_of(instruction: Mapping[str, Any], place: str) -> Term:
    """Return an instruction of an error's circuit as operations."""
    name, qubits, parameters = instruction.get("name"), instruction.get("qubits"), instruction.get("params", ())
    if not isinstance(name, str):
        raise BasicAerError(f"{place} has an instruction with the name {shown(name)}, which must be a string.")
    if not isinstance(qubits, Sequence) or not all(map(is_qubit, qubits)):
        raise BasicAerError(f"{place} has '{name}' on the qubits {shown(qubits)}, which must be positions from 0 on.")
    on = tuple(map(int, qubits))
    if len(set(on)) != len(on):
        raise BasicAerError(f"{place} has '{name}' on the qubits {on}, which must differ from each other.")
    if instruction.get("condition"):
        raise BasicAerError(f"{place} has '{name}' with a condition; conditions are not supported in errors.")
    if name in {"id", "x", "y", "z"} and len(on) == 1:
        return pauli({on[0]: name.upper()} if name != "id" else {})
    if name == "pauli":
        return _pauli_string(parameters, on, place)
    if name == "reset":
        return tuple(ErrorOperation("reset", (qubit,)) for qubit in on)
    if name == "unitary":
        return _unitary(parameters, on, place)
    if name == "kraus":
        return _kraus([_matrix(one, on, f"{place} has 'kraus'") for one in parameters], on, place)
    if name == "superop":
        return _superoperator(parameters, on, place)
    if name not in BY_NAME:
        raise BasicAerError(f"{place} cannot be read: {unknown_name('instruction', name, _OTHER_NAMES, BY_NAME)}")
    return _table_gate(BY_NAME[name], parameters, on, place)


def _pauli_string(parameters: Sequence[Any], on: tuple[int, ...], place: str) -> Term:
    letters = parameters[0] if len(parameters) == 1 else None
    if not isinstance(letters, str) or len(letters) != len(on) or set(letters) - set("IXYZ"):
        raise BasicAerError(
            f"{place} has 'pauli' with the parameters {shown(list(parameters))}; give one string of {len(on)} "
            "letters of I, X, Y and Z."
        )
    return pauli(dict(zip(on, reversed(letters), strict=True)))  # the last letter acts on the first qubit


def _matrix(given: Any, on: tuple[int, ...], start: str, power: int = 1) -> NDArray[np.complex128]:
    """Return a matrix of numbers, or of pairs of real and imaginary parts."""
    size = 2 ** (power * len(on))
    matrix = rows_of(given, complex, f"{start} with the matrix")
    if matrix.shape == (size, size, 2):
        matrix = matrix @ np.array([1, 1j])
    if matrix.shape != (size, size):
        raise BasicAerError(
            f"{start} on {counted(len(on), 'qubit')} with a matrix of the shape {matrix.shape}; it must have {size} "
            f"rows and {size} columns."
        )
    return matrix


def _unitary(parameters: Sequence[Any], on: tuple[int, ...], place: str) -> Term:
    if len(parameters) != 1:
        raise BasicAerError(f"{place} has 'unitary' with {counted(len(parameters), 'parameter')}; give its matrix.")
    matrix = _matrix(parameters[0], on, f"{place} has 'unitary'")
    if not is_unitary(matrix, len(on)):
        raise BasicAerError(f"{place} has 'unitary' with a matrix that is not unitary.")
    return (ErrorOperation("unitary", on, matrices=(matrix,)),)


def _kraus(matrices: Sequence[NDArray[np.complex128]], on: tuple[int, ...], place: str) -> Term:
    total = sum((matrix.conj().T @ matrix for matrix in matrices), np.zeros((2 ** len(on),) * 2))
    deviation = float(np.abs(total - np.eye(2 ** len(on))).max())
    if deviation > TOLERANCE:
        raise BasicAerError(
            f"{place} has Kraus operators that do not preserve the trace: the sum of all K^+ K differs from the "
            f"identity by {deviation:.2g}."
        )
    return (ErrorOperation("kraus", on, matrices=tuple(matrices)),)


def _superoperator(parameters: Sequence[Any], on: tuple[int, ...], place: str) -> Term:
    if len(parameters) != 1:
        raise BasicAerError(f"{place} has 'superop' with {counted(len(parameters), 'parameter')}; give its matrix.")
    matrix = _matrix(parameters[0], on, f"{place} has 'superop'", power=2)
    try:
        operators = Kraus(SuperOp(matrix)).data
    except QiskitError:
        operators = ()
    if isinstance(operators, tuple):  # a pair of lists, if the map is not completely positive
        raise BasicAerError(f"{place} has 'superop' with a matrix that is not a completely positive map.")
    return _kraus(operators, on, place)


def _table_gate(record: GateRecord, parameters: Sequence[Any], on: tuple[int, ...], place: str) -> Term:
    if len(parameters) != record.parameters or not all(isinstance(angle, Real) for angle in parameters):
        raise BasicAerError(
            f"{place} has '{record.name}' with the parameters {shown(list(parameters))}; it takes "
            f"{counted(record.parameters, 'real number')}."
        )
    if not all(isfinite(angle) for angle in parameters):
        raise BasicAerError(f"{place} has '{record.name}' with parameters {shown(parameters)}, which must be finite.")
    targets = len(record.target_actions)
    controls = len(on) - targets if record.controls is None else record.controls
    if controls < 0 or len(on) != controls + targets:
        raise BasicAerError(
            f"{place} has '{record.name}' on {counted(len(on), 'qubit')}; it acts on {controls + targets}."
        )
    data = record.data([float(angle) for angle in parameters])
    size, first = 2**targets, 2**controls
    block = np.diag(data) if record.form is Form.DIAGONAL else np.array(data, complex)
    if record.form is Form.PERMUTATION:
        block = np.zeros((size, size), complex)
        block[data, np.arange(size)] = 1
    matrix = np.eye(size * first, dtype=complex)
    matrix[first - 1 :: first, first - 1 :: first] = block  # the rows in which all controls, the lowest bits, are on
    return (ErrorOperation("unitary", on, matrices=(matrix,)),)
