"""Noise models as dictionaries in the layout of Aer, and as JSON files.

A file has the dictionary of Aer and beside it what that dictionary does not have.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from basicaer.errors import BasicAerError, at_border, shown
from basicaer.noise.delays import RelaxationNoisePass
from basicaer.noise.model_inputs import widened
from basicaer.noise.pauli_errors import PauliLindbladError
from basicaer.noise.quantum_error import error_of_entry
from basicaer.noise.readout_error import ReadoutError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["add_errors_of", "dictionary_of_file", "plain", "write_file"]


def add_errors_of(model: Any, entries: Sequence[Mapping[str, Any]]) -> None:
    """Add the errors of a dictionary to a model; `read_model` has found their names, qubits and probabilities right."""
    for number, entry in enumerate(entries):
        place, names = f"Error {number} of the noise model", entry["operations"]
        for qubits in entry.get("gate_qubits") or [None]:
            if entry["type"] == "roerror":
                readout = ReadoutError.from_dict(entry)
                if qubits is None:
                    model.add_all_qubit_readout_error(readout, warnings=False)
                else:
                    model.add_readout_error(readout, qubits, warnings=False)
                continue
            read = PauliLindbladError.of_entry if entry["type"] == "plerror" else error_of_entry
            error = read(entry, place)
            if qubits is None:
                model.add_all_qubit_quantum_error(error, names, warnings=False)
            else:
                model.add_quantum_error(widened(error, len(qubits), place), names, qubits, warnings=False)


def write_file(
    path: str | Path, dictionary: Mapping[str, Any], basis_gates: Sequence[str], passes: Sequence[Any]
) -> None:
    """Write a model as JSON."""
    foreign = [one for one in passes if type(one) is not RelaxationNoisePass]
    if foreign:
        raise BasicAerError(f"The noise model has the transpiler pass {shown(foreign[0])}, which cannot be saved.")
    text = json.dumps({**dictionary, "basis_gates": list(basis_gates), "delays": [one.to_dict() for one in passes]})
    with at_border(lambda reason: BasicAerError(f"The noise model cannot be written to {shown(path)}: {reason}.")):
        Path(path).write_text(text, "utf-8")


def dictionary_of_file(path: str | Path) -> tuple[Mapping[str, Any], list[RelaxationNoisePass]]:
    """Return the dictionary of a model in a file, and its transpiler passes."""
    with at_border(lambda reason: BasicAerError(f"The noise model in {path} cannot be read: {reason}.")):
        dictionary = json.loads(Path(path).read_text("utf-8"))
    if not isinstance(dictionary, dict):
        raise BasicAerError(f"{path} has no noise model: it must be a JSON object with a list under 'errors'.")
    delays = dictionary.get("delays", [])
    with at_border(lambda reason: BasicAerError(f"The relaxation during delays in {path} cannot be read: {reason}.")):
        return dictionary, [RelaxationNoisePass.from_dict(one) for one in delays]


def plain(value: Any) -> Any:
    """Return a value as JSON can hold it; complex numbers become pairs."""
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, np.ndarray):
        return (np.stack([value.real, value.imag], axis=-1) if np.iscomplexobj(value) else value).tolist()
    if isinstance(value, complex):
        return [value.real, value.imag]
    return value.item() if isinstance(value, np.generic) else value
