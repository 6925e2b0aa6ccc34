"""Observables as Qiskit's estimators take them, read and turned into sums of Paulis on a program's qubits."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from qiskit import QuantumCircuit
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.primitives.containers.observables_array import ObservablesArray

from basicaer.compile.saves import PAULI_LETTERS, as_terms, pauli_terms
from basicaer.engine.bits import mask_of, masks_of_groups
from basicaer.errors import BasicAerError, PubError, at_border, warn
from basicaer.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qiskit.quantum_info import SparseObservable

    from basicaer.engine.program import Program
    from basicaer.primitives.payload import Terms

__all__ = ["CheckedPub", "check_no_saves", "each_observable", "read_observables", "terms_of", "without_measured"]

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
_FLIPS, _SIGNS = 2, 1  # the bits of a letter of a SparseObservable: X has the first, Z the second, Y both
_PAULI_LETTERS = 3  # the largest of the letters I, X, Y and Z; projectors have larger ones


class CheckedPub(EstimatorPub):
    """A PUB whose checks take less time: Qiskit's own write each term of an observable as a string."""

    def validate(self) -> None:
        """Check the PUB, by Qiskit's method if it is not known to be right."""
        circuit, observables, values = self.circuit, self.observables, self.parameter_values
        if (
            isinstance(circuit, QuantumCircuit)
            and getattr(observables, "num_qubits", None) == circuit.num_qubits  # older versions have no such number
            and values.num_parameters == circuit.num_parameters
            and (self.precision is None or (isinstance(self.precision, float | int) and self.precision >= 0))
        ):
            observables.validate()
            values.validate()
        else:
            super().validate()


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
    widths = {width for observable in each_observable(array) for width in _widths(observable)} - {circuit.num_qubits}
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


def each_observable(observables: ObservablesArray) -> Iterator[SparseObservable | Mapping[str, float]]:
    """Yield the observables one after another, each as Qiskit keeps it: older versions as label -> factor."""
    observable_at = getattr(observables, "slice", observables.__getitem__)
    for index in np.ndindex(observables.shape):
        yield observable_at(index)


def terms_of(
    observable: SparseObservable | Mapping[str, float], program: Program
) -> tuple[tuple[int, int, float], ...]:
    """Return an observable as terms on the state's qubits; see `pauli_terms`.

    Raises
    ------
    PubError
        If a coefficient is infinite or no number.
    """
    state_qubit = {qubit: number for number, qubit in enumerate(program.qubits)}
    qubits = tuple(state_qubit.get(qubit) for qubit in range(program.circuit_qubits))
    try:
        if isinstance(observable, Mapping):
            return pauli_terms(_in_paulis(observable), qubits)
        return _sparse_terms(observable, qubits)
    except BasicAerError as error:
        raise PubError(str(error)) from None


def _widths(observable: SparseObservable | Mapping[str, float]) -> set[int]:
    if isinstance(observable, Mapping):
        return {len(label) for label in observable}
    return {observable.num_qubits}


def _sparse_terms(observable: SparseObservable, qubits: tuple[int | None, ...]) -> tuple[tuple[int, int, float], ...]:
    """Return what `pauli_terms` returns, for all terms at once."""
    if (np.asarray(observable.bit_terms) > _PAULI_LETTERS).any():
        observable = observable.as_paulis()
    letters, count = np.asarray(observable.bit_terms), observable.num_terms
    places = np.array([-1 if qubit is None else qubit for qubit in qubits], np.intp)[np.asarray(observable.indices)]
    bounds = np.asarray(observable.boundaries, np.intp)
    term = np.repeat(np.arange(count), bounds[1:] - bounds[:-1])  # the term that each letter is in
    flips, signs, active = letters & _FLIPS != 0, letters & _SIGNS != 0, places >= 0
    x, z = (masks_of_groups(places[chosen], term[chosen], count) for chosen in (flips & active, signs & active))
    factor = np.array(observable.coeffs).real  # a copy
    factor[term[flips & ~active]] = 0
    factors: dict[tuple[int, int], float] = {}
    for flipped, signed, number in zip(x.tolist(), z.tolist(), factor.tolist(), strict=True):
        if number:
            factors[flipped, signed] = factors.get((flipped, signed), 0.0) + number
    return as_terms(factors)


def _in_paulis(observable: Mapping[str, float]) -> Iterator[tuple[str, float]]:
    for label, factor in observable.items():
        if PAULI_LETTERS.issuperset(label):
            yield label, float(np.real(factor))
            continue
        for letters in product(*(_PROJECTORS.get(letter, ((letter, 1.0),)) for letter in label)):
            yield "".join(letter for letter, _ in letters), float(np.real(factor)) * prod(part for _, part in letters)
