"""Save instructions, our own and Aer's, which are known by name and attributes -> `Save`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from qiskit.circuit import Gate

from basicaer.engine.bits import mask_of
from basicaer.engine.program import Over, Reading, Save
from basicaer.errors import BasicAerError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from basicaer.compile.scope import Scope
    from basicaer.engine.program import Program

__all__ = ["SAVES", "as_unitary", "is_save", "lower_save", "pauli_terms"]

_RESERVED = {"counts", "memory"}
_STATE, _UNITARY, _STATEVECTOR = "save_state", "save_unitary", "statevector"
_OF_THE_METHOD = "_method_"  # a label of Aer's: that of the kind of state that is saved


class _Kind(NamedTuple):
    """One save instruction: what it reads, whether it must be given all qubits, and whether it becomes a dictionary."""

    reading: Reading
    whole: bool = False
    becomes_dictionary: bool = False


SAVES = {
    "save_state": _Kind(Reading.AMPLITUDES),
    "save_statevector": _Kind(Reading.AMPLITUDES),
    "save_statevector_dict": _Kind(Reading.AMPLITUDES, becomes_dictionary=True),
    "save_unitary": _Kind(Reading.UNITARY, whole=True),
    "save_amplitudes": _Kind(Reading.AMPLITUDES),
    "save_amplitudes_sq": _Kind(Reading.SQUARES),
    "save_probabilities": _Kind(Reading.PROBABILITIES),
    "save_probabilities_dict": _Kind(Reading.PROBABILITIES, becomes_dictionary=True),
    "save_density_matrix": _Kind(Reading.DENSITY_MATRIX),
    "save_expval": _Kind(Reading.EXPECTATION),
    "save_expval_var": _Kind(Reading.VARIANCE),
}
"""All save instructions that are known, by name."""

_AVERAGED = {Reading.SQUARES, Reading.PROBABILITIES, Reading.DENSITY_MATRIX, Reading.EXPECTATION, Reading.VARIANCE}


def is_save(operation: Any) -> bool:
    """Tell whether an operation is a save: by its name, unless it is a gate or made of something."""
    return operation.name in SAVES and not isinstance(operation, Gate) and operation.definition is None


def lower_save(operation: Any, qubits: tuple[int | None, ...], scope: Scope) -> Save:
    """Return what a save instruction on state qubits, None where idle, stands for.

    Raises
    ------
    BasicAerError
        For a label that is taken, not all qubits where all are needed, or settings that were lost.
    """
    kind = SAVES[operation.name]
    per_shot, conditional, summed = _settings(operation, scope.place)
    label = operation.label
    if label == _OF_THE_METHOD:
        label = _STATEVECTOR
    if label in _RESERVED or label in scope.labels:
        why = "stands for the outcomes of measurements" if label in _RESERVED else "is taken by another one"
        raise BasicAerError(f"The label '{label}' of {operation.name} ({scope.place}) {why}; give it one of its own.")
    scope.labels.add(label)
    if kind.whole and len(qubits) != scope.circuit_qubits:
        raise BasicAerError(
            f"{operation.name} ({scope.place}) must be given all {scope.circuit_qubits} qubits, not {len(qubits)}."
        )
    over = Over.EACH if per_shot else Over.LAST if kind.reading not in _AVERAGED else Over.SUM if summed else Over.MEAN
    numbers = _numbers(kind.reading, operation.params, qubits, scope.place)
    over_idle = not kind.becomes_dictionary
    return Save(label, operation.name, kind.reading, qubits, numbers, over, conditional, scope.last_phase, over_idle)


def as_unitary(program: Program) -> Program:
    """Return a program in which what saves the state, of whatever kind that is, saves the unitary."""
    changed = {
        save: save._replace(
            label="unitary" if save.label == _STATEVECTOR else save.label, form=_UNITARY, reading=Reading.UNITARY
        )
        for save in program.body
        if isinstance(save, Save) and save.form == _STATE
    }
    if not changed:
        return program
    body = tuple([changed.get(one, one) if isinstance(one, Save) else one for one in program.body])
    return replace(program, body=body, saves=tuple([changed.get(save, save) for save in program.saves]))


def _settings(operation: Any, place: str) -> tuple[bool, bool, bool]:
    """Return whether to save for each shot, on condition of the classical bits, and the sum."""
    aer = getattr(operation, "_subtype", None)  # "c_list", "average", "accum", ...
    if aer is not None:
        return aer.endswith("list"), aer.startswith("c_"), aer.endswith("accum")
    if not hasattr(operation, "pershot"):
        raise BasicAerError(
            f"{operation.name} ({place}) has no settings, which a QPY file does not keep; append it anew."
        )
    return operation.pershot, operation.conditional, operation.unnormalized


def _numbers(reading: Reading, params: Iterable[Any], qubits: tuple[int | None, ...], place: str) -> tuple[Any, ...]:
    match reading:
        case Reading.EXPECTATION:
            return pauli_terms(((pauli, factors[0]) for pauli, factors in params), qubits)
        case Reading.VARIANCE:
            both = list(params)
            return tuple(pauli_terms(((pauli, factors[i]) for pauli, factors in both), qubits) for i in (0, 1))
        case _:
            indices = tuple(int(index) for index in params)
            if not all(0 <= index < 2 ** len(qubits) for index in indices):
                raise BasicAerError(f"Indices of amplitudes ({place}) are from 0 to 2**{len(qubits)} - 1.")
            return indices


def pauli_terms(
    paulis: Iterable[tuple[str, float]], qubits: tuple[int | None, ...]
) -> tuple[tuple[int, int, float], ...]:
    """Return masks and factor of each Pauli, the last letter of which is for the first qubit.

    On an idle qubit, which is |0>, Z is 1, and a Pauli with X or Y has no expectation value.
    """
    factors: dict[tuple[int, int], float] = {}
    for pauli, factor in paulis:
        letters = list(zip(reversed(pauli), qubits, strict=True))
        if factor and not any(letter in "XY" and qubit is None for letter, qubit in letters):
            x = mask_of(qubit for letter, qubit in letters if letter in "XY" and qubit is not None)
            z = mask_of(qubit for letter, qubit in letters if letter in "YZ" and qubit is not None)
            factors[x, z] = factors.get((x, z), 0.0) + float(factor)
    return tuple((x, z, factor) for (x, z), factor in factors.items())
