"""Observables as Qiskit's estimators take them, read and turned into sums of Paulis on a program's qubits."""

from __future__ import annotations

from itertools import product
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from qiskit.primitives.containers.observables_array import ObservablesArray

from basicaer.compile.saves import PAULI_LETTERS, pauli_terms
from basicaer.engine.bits import mask_of
from basicaer.errors import BasicAerError, PubError, at_border, warn
from basicaer.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from qiskit import QuantumCircuit

    from basicaer.engine.program import Program
    from basicaer.primitives.payload import Terms

__all__ = ["check_no_saves", "each_observable", "read_observables", "terms_of", "without_measured"]

# Qiskit's letters for projectors, as sums of Paulis: letter -> ((Pauli, factor), ...).
_PROJECTORS = {
    letter: (("I", 0.5), (pauli, sign * 0.5))
    for letter, pauli, sign in [
        ("0", "Z", 1),
        ("1", "Z", -1),
        ("+", "X", 1),
        ("-", "X", -1),
        ("r", "Y", 1),
        ("l", "Y", -1),
    ]
}


def read_observables(observables: Any, circuit: QuantumCircuit) -> ObservablesArray:
    """Return observables for a circuit, one or an array of them.

    Raises
    ------
    PubError
        If they cannot be read, there are none, or they have another number of qubits.
    """
    with at_border(lambda why: PubError(f"The observables for circuit '{circuit.name}' cannot be read: {why}.")):
        array = ObservablesArray.coerce(observables)
        array.validate()
    if not prod(array.shape):
        raise PubError(f"No observables are given for circuit '{circuit.name}'; give it one or more.")
    widths = {len(label) for observable in each_observable(array) for label in observable} - {circuit.num_qubits}
    if widths:
        raise PubError(
            f"The observables have {counted(min(widths), 'qubit')}, and circuit '{circuit.name}' has "
            f"{circuit.num_qubits}; give it observables on all of its qubits."
        )
    return array


def check_no_saves(program: Program, name: str) -> None:
    """Refuse a circuit with save instructions."""
    if program.saves:
        raise BasicAerError(
            f"Circuit '{name}' has save instructions, whose values have no place in an estimator's result; "
            "run it on a backend, or remove them."
        )


def without_measured(terms: tuple[Terms, ...], program: Program, name: str) -> tuple[Terms, ...]:
    """Leave out the terms that are 0 because a qubit that they flip has been measured at the end of the circuit."""
    measured = mask_of(measure.qubit for measure in program.final)
    left = tuple(tuple(term for term in of_one if not term[0] & measured) for of_one in terms)
    if left != terms:
        warn(
            f"Circuit '{name}' measures qubits at its end, so terms of the observables with X or Y on these are 0; "
            "remove_final_measurements() leaves the measurements out."
        )
    return left


def each_observable(observables: Any) -> Iterator[Mapping[str, float]]:
    """Yield the observables one after another, each as a dictionary: label -> factor."""
    for index in np.ndindex(observables.shape):
        yield observables[index]


def terms_of(observable: Mapping[str, float], program: Program) -> tuple[tuple[int, int, float], ...]:
    """Return an observable as terms on the state's qubits; see `pauli_terms`."""
    state_qubit = {qubit: number for number, qubit in enumerate(program.qubits)}
    qubits = tuple(state_qubit.get(qubit) for qubit in range(program.circuit_qubits))
    return pauli_terms(_in_paulis(observable), qubits)


def _in_paulis(observable: Mapping[str, float]) -> Iterator[tuple[str, float]]:
    for label, factor in observable.items():
        if PAULI_LETTERS.issuperset(label):
            yield label, float(np.real(factor))
            continue
        for letters in product(*(_PROJECTORS.get(letter, ((letter, 1.0),)) for letter in label)):
            yield "".join(letter for letter, _ in letters), float(np.real(factor)) * prod(part for _, part in letters)
