"""Reads what the methods of a noise model are given: errors, names of instructions and qubits."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from qiskit.circuit import CONTROL_FLOW_OP_NAMES, Instruction

from basicaer.compile.gates import BY_NAME
from basicaer.compile.noise import NEVER_NOISY
from basicaer.compile.noise_entries import is_qubit
from basicaer.errors import BasicAerError, at_border, shown
from basicaer.noise.base import BaseQuantumError
from basicaer.noise.circuit_terms import Mixture
from basicaer.noise.pauli_errors import PauliError, PauliLindbladError
from basicaer.noise.quantum_error import QuantumError
from basicaer.noise.readout_error import ReadoutError
from basicaer.wording import counted

__all__ = [
    "check_widths",
    "composed",
    "names_and_labels",
    "quantum_error",
    "qubits_of",
    "readout_error",
    "widened",
]

_NEVER = NEVER_NOISY | {*CONTROL_FLOW_OP_NAMES, "break_loop", "continue_loop", "store"}
_WIDTHS = {
    **{name: one.controls + len(one.target_actions) for name, one in BY_NAME.items() if one.controls is not None},
    **dict.fromkeys(("measure", "reset", "delay"), 1),
}


def quantum_error(error: Any) -> BaseQuantumError:
    """Return an error that is a channel."""
    if isinstance(error, ReadoutError):
        raise BasicAerError("A readout error is not a quantum error; add it with add_readout_error.")
    if isinstance(error, PauliError | PauliLindbladError) and not error.is_cptp():
        raise BasicAerError(f"{shown(error)} is not a channel: a number is negative, or probabilities do not sum to 1.")
    if isinstance(error, BaseQuantumError):
        return error
    return _of_aer(error) if _has_dictionary(error) else QuantumError(error)


def _of_aer(error: Any) -> BaseQuantumError:
    """Return an error of Aer as one of ours."""
    with at_border(lambda reason: BasicAerError(f"The error {shown(error)} cannot be read: {reason}.")):
        entry = error.to_dict()
        is_lindblad = entry.get("type") == "plerror"
        read = PauliLindbladError.from_dict(entry) if is_lindblad else QuantumError.from_dict(entry)
        found: BaseQuantumError = widened(read, error.num_qubits, "The error")
    return found


def readout_error(error: Any) -> ReadoutError:
    """Return a readout error of ours or of Aer, or one that is given by its probabilities."""
    if isinstance(error, BaseQuantumError):
        raise BasicAerError("A quantum error is not a readout error; add it with add_quantum_error.")
    if isinstance(error, ReadoutError):
        return error
    return ReadoutError.from_dict(error.to_dict()) if _has_dictionary(error) else ReadoutError(error)


def _has_dictionary(error: Any) -> bool:
    return not isinstance(error, type) and callable(getattr(error, "to_dict", None))


def composed(first: BaseQuantumError, second: BaseQuantumError) -> BaseQuantumError:
    """Return the error that is one and then the other, as a sparse one if both are."""
    if type(first) is type(second):
        return first.compose(second)
    return QuantumError(first).compose(QuantumError(second))


def widened(error: Any, n_qubits: int, place: str) -> Any:
    """Return an error that acts on the first of so many qubits."""
    if error.num_qubits > n_qubits:
        raise BasicAerError(
            f"{place} acts on {counted(error.num_qubits, 'qubit')} and has {counted(n_qubits, 'qubit')} in gate_qubits."
        )
    missing = n_qubits - error.num_qubits
    if not missing:
        return error
    if isinstance(error, PauliLindbladError):
        return error.expand(PauliLindbladError(["I" * missing], [0.0]))
    return QuantumError(Mixture(error.mixture.terms, error.mixture.probabilities, n_qubits))


def qubits_of(qubits: Any) -> tuple[int, ...]:
    """Return qubits of a circuit as whole numbers."""
    is_list = isinstance(qubits, Sequence | np.ndarray) and not isinstance(qubits, str)
    given: list[Any] = list(qubits) if is_list else []
    if not given or not all(map(is_qubit, given)) or len(set(given)) != len(given):
        raise BasicAerError(
            f"The qubits of an error must be a list of different numbers of qubits from 0 on, not {shown(qubits)}."
        )
    return tuple(map(int, given))


def gate_names(names: Any) -> list[str]:
    """Return names of gates."""
    is_list = isinstance(names, Collection) and not isinstance(names, str)
    if not is_list or not all(isinstance(one, str) for one in names):
        raise BasicAerError(f"basis_gates must be a list of names of gates, not {shown(names)}.")
    return list(names)


def names_and_labels(instructions: Any) -> list[tuple[str, str]]:
    """Return the name and the label of each instruction, which are the same if only one is known."""
    single = isinstance(instructions, str | Instruction) or not isinstance(instructions, Sequence)
    found = []
    for one in [instructions] if single else instructions:
        name = one.name if isinstance(one, Instruction) else one
        if name in _NEVER:
            raise BasicAerError(f"The instruction '{name}' never has errors; name another one.")
        if isinstance(one, str) and one:
            found.append((one, one))
        elif isinstance(one, Instruction):
            found.append((one.name, one.label or one.name))
        else:
            raise BasicAerError(f"An error needs names, labels or instructions of Qiskit, not {shown(one)}.")
    if not found:
        raise BasicAerError("An error needs the names of the instructions that have it; the list is empty.")
    return found


def check_widths(
    error: BaseQuantumError | ReadoutError, instructions: Sequence[tuple[str, str]], qubits: Sequence[int] | None
) -> None:
    """Raise an error unless the error has as many qubits as each of the gates, and as are given if any are."""
    if qubits is not None and len(qubits) != error.num_qubits:
        raise BasicAerError(
            f"The error acts on {counted(error.num_qubits, 'qubit')} and {counted(len(qubits), 'qubit')} are given; "
            "give one for each."
        )
    for name, _ in instructions:
        width = _WIDTHS.get(name, error.num_qubits)
        if width != error.num_qubits:
            raise BasicAerError(
                f"The error acts on {counted(error.num_qubits, 'qubit')}, and '{name}' on {width}; give one as wide."
            )
