"""The errors of a noise model at the instructions of a circuit, as operations of a program."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy as np
from qiskit.circuit import Gate

from basicaer.compile.noise_entries import channels_of_entry, readout_of
from basicaer.compile.noise_passes import NoisePasses
from basicaer.engine.bits import deposit_bits, mask_of
from basicaer.engine.frames import pauli_of
from basicaer.engine.program import Channel, Readout
from basicaer.errors import BasicAerError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from basicaer.compile import channels
    from basicaer.compile.noise_model import ModelErrors

__all__ = ["NEVER_NOISY", "NOISE_INSTRUCTIONS", "CircuitNoise", "errors_in"]

NOISE_INSTRUCTIONS = frozenset({"kraus", "superop", "quantum_channel", "roerror"})
"""Instructions of Qiskit and Aer that are errors by themselves."""

_PAULIS = {
    "X": np.array([[0, 1], [1, 0]], complex),
    "Y": np.array([[0, -1j], [1j, 0]]),
    "Z": np.array([[1, 0], [0, -1]], complex),
}
_RESET = (np.array([[1, 0], [0, 0]], complex), np.array([[0, 1], [0, 0]], complex))
_NOTHING = 1e-13  # Eigenvalues of Choi matrices that count as 0.
_WORTHWHILE = 4  # An operator may depend on the state so many times as often if most shots then need none.
NEVER_NOISY = NOISE_INSTRUCTIONS | {"barrier"}
"""Instructions that have no errors of a model, whatever their label."""


class CircuitNoise:
    """The errors of a model, looked up for one circuit.

    Attributes
    ----------
    names
        The names and labels of the instructions that the model has quantum errors for.
    basis_gates
        The gates that circuits should be transpiled to, as far as the model says so; some may have no errors.
    wide
        The qubits of readout errors of several qubits.
    read_together
        All qubits of these; they have no readout error of their own beside it.
    passes
        The passes of the model, which put errors into a circuit.
    """

    def __init__(self, errors: ModelErrors) -> None:
        self._errors = errors
        self.names = errors.names
        self.basis_gates = frozenset(errors.basis_gates or ())
        self.wide = errors.wide_readouts
        self.read_together = frozenset(qubit for qubits in self.wide for qubit in qubits)
        self.passes = NoisePasses(errors.passes)
        self._kept: dict[int, tuple[channels.Channel, _Operators]] = {}  # _kept[id(channel)] keeps it too

    @classmethod
    def kept(cls, errors: ModelErrors) -> CircuitNoise:
        """Return the errors of a model, the same object each time, which keeps what circuits have needed of it."""
        if errors.of_circuits is None:
            errors.of_circuits = cls(errors)
        found: CircuitNoise = errors.of_circuits
        return found

    def key(self, item: Any) -> str:
        """Return the name under which a model has the errors of an instruction: its label, or else its name.

        The label of a save is that of the saved values, so that it has the errors of its name.
        A gate that acts for other values of its controls than ones has the errors of its name without these values.
        """
        label, whole = item.label, item.name
        if label is not None and (not whole.startswith("save_") or isinstance(item.operation, Gate)):
            return str(label)
        name, _, values = whole.rpartition("_o")
        is_open = name and values.isdecimal() and getattr(item.operation, "base_gate", None) is not None
        return name if is_open else str(whole)

    def may_act_on(self, item: Any) -> bool:
        """Tell whether an instruction may take its qubits out of |0> once its errors are added."""
        return self.key(item) in self.names if item.name in {"delay", "id"} else item.name != "barrier"

    def of(self, name: str, numbers: tuple[int, ...], qubits: tuple[int | None, ...]) -> list[Channel]:
        """Return the errors of an instruction.

        Parameters
        ----------
        numbers
            Its qubits, as the circuit numbers them.
        qubits
            The same as state qubits.
        """
        return [one for channel in self._errors.after(name, numbers) for one in self._on(channel, qubits)]

    def of_each(self, name: str, numbers: tuple[int, ...], qubits: tuple[int | None, ...]) -> list[Channel]:
        """Return the errors of an instruction that acts on each of its qubits by itself, as a reset does."""
        found = self.of(name, numbers, qubits)
        if found or len(qubits) == 1:
            return found
        return [
            one for number, qubit in zip(numbers, qubits, strict=True) for one in self.of(name, (number,), (qubit,))
        ]

    def readout(self, number: int, bits: tuple[int, ...]) -> list[Readout]:
        """Return the readout error of one measured qubit; none if it has one together with others."""
        matrix = None if number in self.read_together else self._errors.readout((number,))
        return [] if matrix is None else [Readout((bits,), matrix)]

    def wide_readouts(self, recorded: dict[int, tuple[int, ...]]) -> list[Readout]:
        """Return the errors of reading several qubits together.

        Parameters
        ----------
        recorded
            The bits to which qubits are measured, by the circuit's numbers of the qubits.

        Raises
        ------
        BasicAerError
            If some but not all of the qubits of such an error are among them.
        """
        found = []
        for qubits in self.wide:
            measured = [qubit for qubit in qubits if qubit in recorded]
            if not measured:
                continue
            if len(measured) < len(qubits):
                raise BasicAerError(
                    f"The noise model has a readout error of qubits {list(qubits)} together, of which only {measured} "
                    "are measured directly after one another; measure all of them there, or none."
                )
            matrix = self._errors.readout(qubits)
            assert matrix is not None  # the model has it  # noqa: S101
            found.append(Readout(tuple([recorded[qubit] for qubit in qubits]), matrix))
        return found

    def _on(self, channel: channels.Channel, qubits: tuple[int | None, ...]) -> list[Channel]:
        """Return a channel on state qubits; none if it does nothing."""
        known = self._kept.get(id(channel))
        if known is None:
            known = self._kept[id(channel)] = channel, _Operators(channel)
        operators = known[1]
        if not operators.places:
            return []
        on = tuple([qubits[place] for place in operators.places])
        return [Channel(on, operators.matrices, operators.probabilities, operators.paulis)]  # type: ignore[arg-type]  # none is idle


class _Operators:
    """A channel as Kraus operators on those qubits of an instruction that it touches, in ascending order of places."""

    def __init__(self, channel: channels.Channel) -> None:
        touched = {place for term in channel.terms for operation in term for place in operation.qubits}
        self.places = tuple(sorted(touched))
        position = {place: i for i, place in enumerate(self.places)}
        found: list[NDArray[np.complex128]] = []
        for probability, term in zip(channel.probabilities, channel.terms, strict=True):
            products = [np.eye(2 ** len(self.places), dtype=complex) * probability**0.5]
            for operation in term:
                on = [position[place] for place in operation.qubits]
                products = [
                    embedded(matrix, on, len(self.places)) @ before
                    for before in products
                    for matrix in _matrices_of(operation)
                ]
            found += products
        fixed, others = _with_identity(*_parted(found))
        bounds = [max(float(np.linalg.eigvalsh(matrix.conj().T @ matrix)[0]), 0.0) for matrix in others]
        order = sorted(range(len(others)), key=lambda i: -bounds[i])
        self.matrices = np.array(fixed + [others[i] for i in order])
        self.probabilities = np.array([_share(matrix) for matrix in fixed])
        paulis = [pauli_of(matrix) or (-1, -1) for matrix in fixed]
        self.paulis = np.array(paulis, np.int64).reshape(-1, 2).T


def _share(matrix: NDArray[np.complex128]) -> float:
    """Return how likely an operator is for a state about which nothing is known."""
    return float(np.vdot(matrix, matrix).real) / len(matrix)


def _parted(
    operators: list[NDArray[np.complex128]],
) -> tuple[list[NDArray[np.complex128]], list[NDArray[np.complex128]]]:
    """Return those operators that are multiples of unitaries, and the others."""
    unit = np.eye(len(operators[0]))
    fixed = [bool(np.allclose(matrix.conj().T @ matrix, _share(matrix) * unit)) for matrix in operators]
    return (
        [matrix for matrix, is_fixed in zip(operators, fixed, strict=True) if is_fixed],
        [matrix for matrix, is_fixed in zip(operators, fixed, strict=True) if not is_fixed],
    )


def _with_identity(
    fixed: list[NDArray[np.complex128]], others: list[NDArray[np.complex128]]
) -> tuple[list[NDArray[np.complex128]], list[NDArray[np.complex128]]]:
    """Move as much of the identity as possible from operators that depend on the state to those that do not.

    The map of density matrices stays the same. The identity can have at most the share ``1 / <v|C^-1|v>``, where C is
    the Choi matrix of the operators and v the identity as a vector, if v is in the range of C: more would leave a
    matrix that is not positive. Where that is little, as for amplitude damping, the operators stay as they are.
    """
    if not others:
        return fixed, others
    size = len(others[0])
    vectors = np.array([matrix.reshape(-1) for matrix in others])
    choi = vectors.T @ vectors.conj()
    choi = choi if choi.imag.any() else choi.real  # Real operators stay real.
    values, columns = np.linalg.eigh(choi)
    known = values > _NOTHING * values[-1]
    unit = np.eye(size).reshape(-1)
    parts = columns[:, known].conj().T @ unit
    if np.linalg.norm(parts) ** 2 < size * (1 - _NOTHING):
        return fixed, others
    share = float(1 / (abs(parts) ** 2 / values[known]).sum())
    whole = sum(map(_share, others))
    likely = max(float(np.linalg.eigvalsh(matrix.conj().T @ matrix)[0]) for matrix in others)
    if whole - share > _WORTHWHILE * (whole - likely):
        return fixed, others
    rest, columns = np.linalg.eigh(choi - share * np.outer(unit, unit))
    left = [
        value**0.5 * column.reshape(size, size)
        for value, column in zip(rest, columns.T, strict=True)
        if value > _NOTHING
    ]
    is_unit = [pauli_of(matrix) == (0, 0) for matrix in fixed]
    share += sum(_share(matrix) for matrix, is_it in zip(fixed, is_unit, strict=True) if is_it)
    own = [np.eye(size, dtype=complex) * share**0.5]
    return own + [matrix for matrix, is_it in zip(fixed, is_unit, strict=True) if not is_it], left


def errors_in(
    operation: Any, qubits: tuple[int | None, ...], bits: Sequence[int], place: str
) -> list[Channel | Readout]:
    """Return the errors that an instruction itself stands for, on state qubits and classical bits.

    Raises
    ------
    BasicAerError
        If it is no possible error.
    """
    start = f"'{operation.name}' ({place})"
    if operation.name == "roerror":
        return [Readout(tuple([(bit,) for bit in bits]), readout_of(operation.params, start))]
    if operation.name == "quantum_channel":
        entry = operation._quantum_error.to_dict()  # noqa: SLF001  # Aer's own instruction offers nothing else
    else:
        term = [{"name": operation.name, "qubits": range(len(qubits)), "params": operation.params}]
        entry = {"type": "qerror", "probabilities": [1.0], "instructions": [term]}
    return [
        Channel(tuple([qubits[i] for i in one.places]), one.matrices, one.probabilities, one.paulis)  # type: ignore[misc]
        for one in map(_Operators, channels_of_entry(entry, start))
        if one.places
    ]


def _matrices_of(operation: channels.ErrorOperation) -> Sequence[NDArray[Any]]:
    match operation.kind:
        case "pauli":
            return [reduce(np.kron, [_PAULIS[letter] for letter in reversed(operation.letters)])]
        case "reset":
            found: list[NDArray[Any]] = [np.eye(1)]
            for _ in operation.qubits:
                found = [np.kron(matrix, before) for before in found for matrix in _RESET]
            return found
        case _:
            return operation.matrices


def embedded(matrix: NDArray[Any], on: Sequence[int], n: int) -> NDArray[np.complex128]:
    """Return a matrix on some of n bits, ``on[j]`` being bit j of its index, as one on all of them."""
    indices = np.arange(2**n)
    others = indices[indices & mask_of(on) == 0]
    own = deposit_bits(np.arange(2 ** len(on)), tuple(on))
    whole = np.zeros((2**n, 2**n), complex)
    for rest in others.tolist():
        whole[np.ix_(rest | own, rest | own)] = matrix
    return whole
