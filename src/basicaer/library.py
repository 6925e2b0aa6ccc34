"""Instructions that save data of the state for the result, under the names that they have in Aer, and one more.

Append one by the function of the same name, or by hand: ``circuit.append(SaveProbabilities(2), [0, 3])``. Circuits
with Aer's own save instructions run as well.

The saved values are in ``result.data(circuit)`` under their label. A save inside a loop saves a value in each
iteration. A save that only some shots reach has the values of these shots only.

Shots see different values if a measurement or reset came before. Three settings say what is kept of them:

- ``pershot``: a list of all values, in the order of the shots. By default one value is kept: the mean over the shots
  or, for amplitudes and statevectors, the value of the last shot.
- ``unnormalized``: the sum over the shots instead of the mean.
- ``conditional``: a dictionary with one entry for each value of the classical bits that shots have at the save, in
  hexadecimal.
"""

from __future__ import annotations

import copy
from operator import index as whole
from typing import TYPE_CHECKING, Any, Self, TypedDict, Unpack

import numpy as np
from qiskit.circuit import Instruction
from qiskit.quantum_info import Operator, Pauli, SparsePauliOp

from basicaer.errors import BasicAerError
from basicaer.options import keywords_checked
from basicaer.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from qiskit import QuantumCircuit
    from qiskit.circuit import InstructionSet

__all__ = [
    "SaveAmplitudes",
    "SaveAmplitudesSquared",
    "SaveDensityMatrix",
    "SaveExpectationValue",
    "SaveExpectationValueVariance",
    "SaveInstruction",
    "SaveOutcomeProbabilities",
    "SaveProbabilities",
    "SaveProbabilitiesDict",
    "SaveStatevector",
    "SaveStatevectorDict",
    "SaveUnitary",
    "save_amplitudes",
    "save_amplitudes_squared",
    "save_density_matrix",
    "save_expectation_value",
    "save_expectation_value_variance",
    "save_outcome_probabilities",
    "save_probabilities",
    "save_probabilities_dict",
    "save_statevector",
    "save_statevector_dict",
    "save_unitary",
]


class HowKept(TypedDict, total=False):
    """Which values of different shots are kept; see the module's documentation."""

    pershot: bool
    conditional: bool
    unnormalized: bool


class SaveInstruction(Instruction):
    """The base class of all save instructions. They do not change the state.

    Parameters
    ----------
    num_qubits
        How many qubits it reads.
    label
        The key of the saved value in the result's data.
    params
        Numbers that say which part of the state is read, if the instruction needs any.
    pershot, conditional, unnormalized
        Which values of different shots are kept; see the module's documentation.

    Attributes
    ----------
    pershot, conditional, unnormalized : bool
        The same as the parameters.
    """

    _directive = True  # Qiskit leaves a directive out of depth and size, and neither inverts nor synthesises it
    _name: str
    _default_label: str

    @keywords_checked
    def __init__(
        self,
        num_qubits: int,
        label: str | None = None,
        *,
        params: Iterable[Any] = (),
        pershot: bool = False,
        conditional: bool = False,
        unnormalized: bool = False,
    ) -> None:
        label = self._default_label if label is None else label
        if not isinstance(label, str):
            raise BasicAerError(f"The label of {self._name} must be a string, not {label!r}.")
        super().__init__(self._name, num_qubits, 0, list(params), label=label)
        self.pershot = pershot
        self.conditional = conditional
        self.unnormalized = unnormalized

    def __repr__(self) -> str:
        return f"<{type(self).__name__} on {counted(self.num_qubits, 'qubit')}, label '{self.label}'>"

    def inverse(self, annotated: bool = False) -> Self:  # noqa: ARG002, FBT001, FBT002  # Qiskit's signature
        """Return a copy: an instruction that changes nothing is its own inverse."""
        return copy.copy(self)

    def validate_parameter(self, parameter: Any) -> Any:
        """Take any parameter."""
        return parameter

    def __eq__(self, other: object) -> bool:
        same: bool = super().__eq__(other)
        return same and isinstance(other, SaveInstruction) and self._settings() == other._settings()

    __hash__ = Instruction.__hash__

    def _settings(self) -> tuple[str, bool, bool, bool]:
        return self.label, self.pershot, self.conditional, self.unnormalized


class SaveStatevector(SaveInstruction):
    """Saves all amplitudes: a `qiskit.quantum_info.Statevector`; in single precision an array of complex64."""

    _name = "save_statevector"
    _default_label = "statevector"


class SaveStatevectorDict(SaveInstruction):
    """Saves the amplitudes that are not zero: a dictionary by the index in hexadecimal."""

    _name = "save_statevector_dict"
    _default_label = "statevector_dict"


class SaveUnitary(SaveInstruction):
    """Saves the unitary of all gates before it: a `qiskit.quantum_info.Operator`. Only unitary_simulator can run it."""

    _name = "save_unitary"
    _default_label = "unitary"


class SaveAmplitudes(SaveInstruction):
    """Saves the amplitudes of some basis states, given by their indices: an array.

    Parameters
    ----------
    num_qubits
        The number of qubits of the circuit.
    params
        The indices, as numbers or as bit strings.
    """

    _name = "save_amplitudes"
    _default_label = "amplitudes"

    def __init__(
        self, num_qubits: int, params: Iterable[int | str], label: str | None = None, **how: Unpack[HowKept]
    ) -> None:
        super().__init__(num_qubits, label, params=self._indices(params, num_qubits), **how)

    def _indices(self, params: Iterable[int | str], num_qubits: int) -> list[int]:
        try:
            indices = [int(index, 2) if isinstance(index, str) else whole(index) for index in params]
        except (TypeError, ValueError) as error:
            raise BasicAerError(f"{self._name} takes indices as whole numbers or bit strings ({error}).") from error
        if not indices or not all(0 <= index < 2**num_qubits for index in indices):
            raise BasicAerError(f"{self._name} takes one index or more, each from 0 to 2**{num_qubits} - 1.")
        return indices


class SaveAmplitudesSquared(SaveAmplitudes):
    """Saves the probabilities of some basis states, given by their indices: an array."""

    _name = "save_amplitudes_sq"
    _default_label = "amplitudes_squared"


class SaveProbabilities(SaveInstruction):
    """Saves the probability of each value of its qubits, the first one least significant: an array."""

    _name = "save_probabilities"
    _default_label = "probabilities"


class SaveProbabilitiesDict(SaveInstruction):
    """Saves the probabilities that are not zero: a `qiskit.result.ProbDistribution`, by value as a whole number."""

    _name = "save_probabilities_dict"
    _default_label = "probabilities_dict"


class SaveDensityMatrix(SaveInstruction):
    """Saves the density matrix of its qubits, the first one least significant: Qiskit's `DensityMatrix`."""

    _name = "save_density_matrix"
    _default_label = "density_matrix"


class SaveExpectationValue(SaveInstruction):
    """Saves the expectation value of a Hermitian operator on its qubits: a number.

    Parameters
    ----------
    operator
        A `SparsePauliOp`, a `Pauli` or its label, or what `qiskit.quantum_info.Operator` takes.
    """

    _name = "save_expval"
    _default_label = "expectation_value"

    def __init__(self, operator: Any, label: str | None = None, **how: Unpack[HowKept]) -> None:
        paulis = self._paulis(operator)
        # For each Pauli its factor in the operator and, for the variance, in its square, as in Aer's instruction.
        super().__init__(paulis.num_qubits, label, params=self._terms(paulis), **how)

    def _paulis(self, operator: Any) -> SparsePauliOp:
        if isinstance(operator, Pauli | str):
            operator = SparsePauliOp(operator)
        elif not isinstance(operator, SparsePauliOp):
            operator = SparsePauliOp.from_operator(Operator(operator))
        try:
            hermitian = np.allclose(np.asarray(operator.coeffs, complex).imag, 0)
        except TypeError as error:
            raise BasicAerError(f"The operator of {self._name} has parameters without a value; bind them.") from error
        if not hermitian:
            raise BasicAerError(f"The operator of {self._name} must be Hermitian: give it real factors only.")
        return operator

    def _terms(self, paulis: SparsePauliOp) -> list[tuple[str, tuple[float, float]]]:
        return [(pauli, (float(factor.real), 0.0)) for pauli, factor in paulis.to_list()]


class SaveExpectationValueVariance(SaveExpectationValue):
    """Saves the expectation value of a Hermitian operator on its qubits and its variance: an array of both."""

    _name = "save_expval_var"
    _default_label = "expectation_value_variance"

    def _terms(self, paulis: SparsePauliOp) -> list[tuple[str, tuple[float, float]]]:
        factors: dict[str, list[float]] = {}
        for place, operator in enumerate((paulis, paulis.dot(paulis))):
            for pauli, factor in operator.simplify().to_list():
                factors.setdefault(pauli, [0.0, 0.0])[place] += float(factor.real)
        return [(pauli, (mean, square)) for pauli, (mean, square) in factors.items()]


class SaveOutcomeProbabilities(SaveInstruction):
    """Saves the exact probability of each value that the classical bits can have at the end of the circuit.

    The result has a dictionary like that of the counts, from values in hexadecimal to probabilities. It is exact also
    for circuits with measurements in the middle, resets and control flow, whose outcomes are all followed with their
    probabilities. Those below 1e-15 are left out. The instruction must come at the end of the circuit; only other save
    instructions may follow it.

    Parameters
    ----------
    num_qubits
        The number of qubits of the circuit.
    """

    _name = "save_outcome_probabilities"
    _default_label = "outcome_probabilities"

    def __init__(self, num_qubits: int, label: str | None = None) -> None:
        super().__init__(num_qubits, label)


def save_statevector(circuit: QuantumCircuit, label: str = "statevector", **how: Unpack[HowKept]) -> InstructionSet:
    """Append a `SaveStatevector` on all qubits."""
    return circuit.append(SaveStatevector(circuit.num_qubits, label, **how), circuit.qubits)


def save_statevector_dict(
    circuit: QuantumCircuit, label: str = "statevector", **how: Unpack[HowKept]
) -> InstructionSet:
    """Append a `SaveStatevectorDict` on all qubits."""
    return circuit.append(SaveStatevectorDict(circuit.num_qubits, label, **how), circuit.qubits)


def save_unitary(circuit: QuantumCircuit, label: str = "unitary", **how: Unpack[HowKept]) -> InstructionSet:
    """Append a `SaveUnitary` on all qubits."""
    return circuit.append(SaveUnitary(circuit.num_qubits, label, **how), circuit.qubits)


def save_amplitudes(
    circuit: QuantumCircuit, params: Iterable[int | str], label: str = "amplitudes", **how: Unpack[HowKept]
) -> InstructionSet:
    """Append a `SaveAmplitudes` on all qubits."""
    return circuit.append(SaveAmplitudes(circuit.num_qubits, params, label, **how), circuit.qubits)


def save_amplitudes_squared(
    circuit: QuantumCircuit, params: Iterable[int | str], label: str = "amplitudes_squared", **how: Unpack[HowKept]
) -> InstructionSet:
    """Append a `SaveAmplitudesSquared` on all qubits."""
    return circuit.append(SaveAmplitudesSquared(circuit.num_qubits, params, label, **how), circuit.qubits)


def save_probabilities(
    circuit: QuantumCircuit, qubits: Sequence[Any] | None = None, label: str = "probabilities", **how: Unpack[HowKept]
) -> InstructionSet:
    """Append a `SaveProbabilities`; on all qubits unless some are given."""
    chosen = circuit.qubits if qubits is None else qubits
    return circuit.append(SaveProbabilities(len(chosen), label, **how), chosen)


def save_probabilities_dict(
    circuit: QuantumCircuit, qubits: Sequence[Any] | None = None, label: str = "probabilities", **how: Unpack[HowKept]
) -> InstructionSet:
    """Append a `SaveProbabilitiesDict`; on all qubits unless some are given."""
    chosen = circuit.qubits if qubits is None else qubits
    return circuit.append(SaveProbabilitiesDict(len(chosen), label, **how), chosen)


def save_density_matrix(
    circuit: QuantumCircuit, qubits: Sequence[Any] | None = None, label: str = "density_matrix", **how: Unpack[HowKept]
) -> InstructionSet:
    """Append a `SaveDensityMatrix`; on all qubits unless some are given."""
    chosen = circuit.qubits if qubits is None else qubits
    return circuit.append(SaveDensityMatrix(len(chosen), label, **how), chosen)


def save_expectation_value(
    circuit: QuantumCircuit,
    operator: Any,
    qubits: Sequence[Any],
    label: str = "expectation_value",
    **how: Unpack[HowKept],
) -> InstructionSet:
    """Append a `SaveExpectationValue` of an operator on some qubits, the first one rightmost in its Pauli strings."""
    return circuit.append(SaveExpectationValue(operator, label, **how), qubits)


def save_expectation_value_variance(
    circuit: QuantumCircuit,
    operator: Any,
    qubits: Sequence[Any],
    label: str = "expectation_value_variance",
    **how: Unpack[HowKept],
) -> InstructionSet:
    """Append a `SaveExpectationValueVariance` of an operator on some qubits."""
    return circuit.append(SaveExpectationValueVariance(operator, label, **how), qubits)


def save_outcome_probabilities(circuit: QuantumCircuit, label: str = "outcome_probabilities") -> InstructionSet:
    """Append a `SaveOutcomeProbabilities`, after all measurements."""
    return circuit.append(SaveOutcomeProbabilities(circuit.num_qubits, label), circuit.qubits)
