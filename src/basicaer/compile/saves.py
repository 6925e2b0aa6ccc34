"""THE table of saves, and the lowering of save instructions, our own and Aer's, to `Save`.

A new save needs an instruction in `library.py`, a row in `_ROWS` and, if it reads something new, a member of
`SavedQuantity` and a record in `engine/readings.py`. Instructions are recognized by their names and attributes, so that
Aer's need no import.
"""

from __future__ import annotations

from dataclasses import replace
from math import isfinite
from typing import TYPE_CHECKING, Any, NamedTuple

from qiskit.circuit import Gate

from basicaer.compile.footprint import footprint
from basicaer.compile.result_forms import (
    ARRAY,
    DENSITY_MATRIX,
    NUMBER,
    OPERATOR,
    PROBABILITIES_DICT,
    STATEVECTOR,
    STATEVECTOR_DICT,
    ResultForm,
)
from basicaer.engine.bits import all_ones, deposit_bits, extract_bits, mask_of
from basicaer.engine.program import OverShots, Save, SavedQuantity, saves_in
from basicaer.engine.program import changed as with_changes
from basicaer.errors import BasicAerError, shown
from basicaer.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from basicaer.compile.scope import Scope
    from basicaer.engine.program import Block, Program

__all__ = [
    "PAULI_LETTERS",
    "SAVES",
    "SaveRecord",
    "as_density_matrix",
    "as_terms",
    "as_unitary",
    "check_outcomes_come_last",
    "is_save",
    "lower_save",
    "pauli_terms",
]

PAULI_LETTERS = frozenset("IXYZ")
_FLIPS, _SIGNS = str.maketrans("IXYZ", "0110"), str.maketrans("IXYZ", "0011")  # Pauli letters to binary digits


class SaveRecord(NamedTuple):
    """One save instruction of the table.

    Attributes
    ----------
    name
        The instruction's name, which is Aer's if Aer has it.
    quantity
        The quantity that is read from the state.
    over_shots
        The values that are kept if shots see several, unless the instruction's settings say otherwise.
    result_form
        The form of the values in a result.
    """

    name: str
    quantity: SavedQuantity
    over_shots: OverShots
    result_form: ResultForm


_ROWS = (
    SaveRecord("save_state", SavedQuantity.AMPLITUDES, OverShots.LAST, STATEVECTOR),  # Aer's only
    SaveRecord("save_statevector", SavedQuantity.AMPLITUDES, OverShots.LAST, STATEVECTOR),
    SaveRecord("save_statevector_dict", SavedQuantity.AMPLITUDES, OverShots.LAST, STATEVECTOR_DICT),
    SaveRecord("save_unitary", SavedQuantity.UNITARY, OverShots.LAST, OPERATOR),
    SaveRecord("save_amplitudes", SavedQuantity.AMPLITUDES, OverShots.LAST, ARRAY),
    SaveRecord("save_amplitudes_sq", SavedQuantity.SQUARES, OverShots.MEAN, ARRAY),
    SaveRecord("save_probabilities", SavedQuantity.PROBABILITIES, OverShots.MEAN, ARRAY),
    SaveRecord("save_probabilities_dict", SavedQuantity.PROBABILITIES, OverShots.MEAN, PROBABILITIES_DICT),
    SaveRecord("save_density_matrix", SavedQuantity.DENSITY_MATRIX, OverShots.MEAN, DENSITY_MATRIX),
    SaveRecord("save_expval", SavedQuantity.EXPECTATION, OverShots.MEAN, NUMBER),
    SaveRecord("save_expval_var", SavedQuantity.VARIANCE, OverShots.MEAN, ARRAY),
    SaveRecord("save_outcome_probabilities", SavedQuantity.OUTCOMES, OverShots.SUM, NUMBER),
)
SAVES = {record.name: record for record in _ROWS}

_STATE, _UNITARY = SAVES["save_state"], SAVES["save_unitary"]
_RESERVED_LABELS = {"counts", "memory"}
_STATEVECTOR_LABEL, _UNITARY_LABEL, _DENSITY_MATRIX_LABEL = "statevector", "unitary", "density_matrix"
_METHOD_LABEL = "_method_"  # Aer's save_state has this label, which stands for the kind of state that is saved


def is_save(operation: Any) -> bool:
    """Tell whether an operation is a save: it has the name of one, is no gate and has no definition."""
    return operation.name in SAVES and not isinstance(operation, Gate) and operation.definition is None


def lower_save(operation: Any, qubits: tuple[int | None, ...], scope: Scope) -> Save:
    """Lower a save instruction.

    Parameters
    ----------
    qubits
        The state qubits that it is given, None for an idle one.

    Raises
    ------
    BasicAerError
        If the label is taken, qubits are missing where all are needed, or the instruction has lost its settings.
    """
    record = SAVES[operation.name]
    is_of_outcomes = record.quantity is SavedQuantity.OUTCOMES
    per_shot, conditional, unnormalized = (False,) * 3 if is_of_outcomes else _settings(operation, scope.place)
    label = _STATEVECTOR_LABEL if operation.label == _METHOD_LABEL else operation.label
    if label in _RESERVED_LABELS or label in scope.labels:
        why = "stands for the outcomes of measurements" if label in _RESERVED_LABELS else "is taken by another one"
        raise BasicAerError(f"The label '{label}' of {operation.name} ({scope.place}) {why}; give it one of its own.")
    scope.labels.add(label)
    if record is _UNITARY and len(qubits) != scope.circuit_qubits:
        raise BasicAerError(
            f"{operation.name} ({scope.place}) must be given all qubits of its circuit ({scope.circuit_qubits}), "
            f"not {len(qubits)}."
        )
    if is_of_outcomes:
        return Save(label, record.name, record.quantity, (), (), record.over_shots, conditional=True)
    over = record.over_shots
    if per_shot:
        over = OverShots.EACH
    elif unnormalized and over is OverShots.MEAN:
        over = OverShots.SUM
    return Save(
        label,
        record.name,
        record.quantity,
        qubits,
        _numbers(record.quantity, operation.params, qubits, scope.place),
        over,
        conditional,
        global_phase=scope.last_phase,
        over_idle=record.result_form.key is None,  # a dictionary gets its entries for idle qubits from its keys
    )


def check_outcomes_come_last(body: Block, place: str) -> None:
    """Refuse a save of the outcomes' probabilities after which anything but saves comes, or a second one."""
    found = [save for save in saves_in(body) if save.quantity is SavedQuantity.OUTCOMES]
    if not found:
        return
    is_misplaced = len(found) > 1 or found[0] not in body
    if not is_misplaced:
        # What is merely classical may follow, since `transpile` exchanges it with an instruction on qubits alone.
        later = [footprint(one) for one in body[body.index(found[0]) + 1 :] if not isinstance(one, Save)]
        is_misplaced = any(one.qubits or one.everything for one in later)
    if is_misplaced:
        raise BasicAerError(
            f"{found[0].form} ({place}, label '{found[0].label}') must come once, at the end of the circuit; only "
            "other save instructions may follow it."
        )


def as_unitary(program: Program) -> Program:
    """Return a program in which each ``save_state`` saves the unitary, as it does in Aer's unitary simulator."""
    saves = [save for save in program.body if isinstance(save, Save)]  # others are refused, under their names
    return _with_states_saved_as(_UNITARY, _UNITARY_LABEL, program, saves)


def as_density_matrix(program: Program) -> Program:
    """Return a program in which each ``save_state`` saves the density matrix, as it does by Aer's method."""
    return _with_states_saved_as(SAVES["save_density_matrix"], _DENSITY_MATRIX_LABEL, program, program.saves)


def _with_states_saved_as(record: SaveRecord, label: str, program: Program, saves: Iterable[Save]) -> Program:
    """Return a program in which each ``save_state`` among some saves saves another quantity, under its usual label."""
    changed = {
        save: save._replace(
            label=label if save.label == _STATEVECTOR_LABEL else save.label,
            form=record.name,
            quantity=record.quantity,
            over_shots=record.over_shots if save.over_shots is OverShots.LAST else save.over_shots,
        )
        for save in saves
        if save.form == _STATE.name
    }
    if not changed:
        return program
    taken = {save.label for save in program.saves if save not in changed}
    for save in changed.values():
        if save.label in taken:
            raise BasicAerError(
                f"The label '{save.label}' of {_STATE.name} (circuit '{program.name}') is taken by another one; "
                "give it one of its own."
            )
    body = with_changes(program.body, lambda one: changed.get(one, one) if isinstance(one, Save) else one)
    return replace(program, body=body, saves=tuple([changed.get(save, save) for save in program.saves]))


def _settings(operation: Any, place: str) -> tuple[bool, bool, bool]:
    """Return the settings pershot, conditional and unnormalized of a save instruction."""
    subtype = getattr(
        operation, "_subtype", None
    )  # Aer writes all three in one word: "c_list", "average", "accum", ...
    if subtype is not None:
        return subtype.endswith("list"), subtype.startswith("c_"), subtype.endswith("accum")
    if not hasattr(operation, "pershot"):
        raise BasicAerError(
            f"{operation.name} ({place}) has no settings, which a QPY file does not keep; append it again."
        )
    return operation.pershot, operation.conditional, operation.unnormalized


def _numbers(
    quantity: SavedQuantity, params: Iterable[Any], qubits: tuple[int | None, ...], place: str
) -> tuple[Any, ...]:
    """Return the numbers of a `Save` from the parameters of its instruction."""
    match quantity:
        case SavedQuantity.EXPECTATION:
            return pauli_terms(((pauli, factors[0]) for pauli, factors in params), qubits)
        case SavedQuantity.VARIANCE:
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
    """Return the masks x and z and the factor of each Pauli string, whose last letter is for the first qubit.

    On an idle qubit, which is |0>, Z is 1, and a string with X or Y there has no expectation value.

    Raises
    ------
    BasicAerError
        If a string has other letters, or not one for each qubit, or a factor is not finite.
    """
    idle = mask_of(number for number, qubit in enumerate(qubits) if qubit is None)
    moved = [(number, qubit) for number, qubit in enumerate(qubits) if qubit is not None and qubit != number]
    there, here = [number for number, _ in moved], [qubit for _, qubit in moved]
    stay = all_ones(len(qubits)) & ~idle & ~mask_of(there)
    factors: dict[tuple[int, int], float] = {}
    for pauli, factor in paulis:
        if len(pauli) != len(qubits) or not PAULI_LETTERS.issuperset(pauli):
            raise BasicAerError(
                f"{shown(pauli)} is not one letter I, X, Y or Z for each of {counted(len(qubits), 'qubit')}."
            )
        x, z = (int(pauli.translate(bits) or "0", 2) for bits in (_FLIPS, _SIGNS))  # the last letter is bit 0
        if not factor or x & idle:
            continue
        if moved:
            x, z = (mask & stay | deposit_bits(extract_bits(mask, there), here) for mask in (x, z))
        else:
            z &= stay
        factors[x, z] = factors.get((x, z), 0.0) + float(factor)
    return as_terms(factors)


def as_terms(factors: Mapping[tuple[int, int], float]) -> tuple[tuple[int, int, float], ...]:
    """Return the terms of an observable, given the factor for each pair of masks.

    Raises
    ------
    BasicAerError
        If a factor is infinite or no number.
    """
    if odd := [factor for factor in factors.values() if not isfinite(factor)]:
        raise BasicAerError(f"A coefficient of an observable is {odd[0]}; give it finite ones.")
    return tuple((x, z, factor) for (x, z), factor in factors.items())
