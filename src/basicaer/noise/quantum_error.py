"""Quantum errors in general: mixtures of short circuits with fixed probabilities."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import Instruction
from qiskit.quantum_info import SuperOp
from qiskit.quantum_info.operators.base_operator import BaseOperator

from basicaer.compile.noise_entries import TOLERANCE, channels_of_entry, width_of
from basicaer.errors import BasicAerError, shown
from basicaer.noise.base import BaseQuantumError, positions
from basicaer.noise.circuit_terms import Mixture, circuit_of, instruction_of, instructions_of, moved
from basicaer.wording import counted

if TYPE_CHECKING:
    from basicaer.compile.channels import Channel
    from basicaer.noise.circuit_terms import Instructions

__all__ = ["QuantumError", "error_of_entry"]

_PLACE = "The quantum error"
_SHOWN = 20  # terms in the text of an error


class QuantumError(BaseQuantumError):
    """A quantum error: a mixture of circuits, of which one acts.

    Parameters
    ----------
    noise_ops
        A list of pairs of an operation and its probability. An operation is a circuit, an instruction of Qiskit, a pair
        of an instruction and the list of its qubits, a list of such pairs, a Pauli, an operator or a channel. A single
        operation without probability always acts. The probabilities must sum to 1.

    Attributes
    ----------
    mixture
        The terms as dictionaries, in the layout of Aer.

    Examples
    --------
    >>> from qiskit.circuit.library import IGate, XGate
    >>> flip = QuantumError([(IGate(), 0.9), (XGate(), 0.1)])
    >>> flip.probabilities
    [0.9, 0.1]
    """

    def __init__(self, noise_ops: Any) -> None:
        if isinstance(noise_ops, BaseQuantumError):
            noise_ops = noise_ops.to_quantum_error().mixture
        is_known = isinstance(noise_ops, Mixture)
        self.mixture: Mixture = noise_ops if is_known else _mixture_of(noise_ops)
        super().__init__(self.mixture.num_qubits)
        if not is_known:
            self.ideal()  # raises if the error is wrong
        self.mixture = self.mixture.normalised()

    @classmethod
    def _from(cls, other: Any) -> Self:
        return other if isinstance(other, cls) else cls(other)

    @functools.cached_property
    def _channels(self) -> tuple[Channel, ...]:
        return channels_of_entry(
            {"instructions": self.mixture.terms, "probabilities": self.mixture.probabilities}, _PLACE
        )

    @property
    def size(self) -> int:
        """The number of terms."""
        return len(self.mixture.terms)

    @property
    def circuits(self) -> list[QuantumCircuit]:
        """The circuits of the terms."""
        return [circuit_of(term, self.num_qubits) for term in self.mixture.terms]

    @property
    def probabilities(self) -> list[float]:
        """The probabilities of the terms."""
        return list(self.mixture.probabilities)

    def error_term(self, position: int) -> tuple[QuantumCircuit, float]:
        """Return the circuit and the probability of one term."""
        if not isinstance(position, Integral) or not 0 <= position < self.size:
            raise BasicAerError(f"The error has {counted(self.size, 'term')}, so there is no term {shown(position)}.")
        return circuit_of(self.mixture.terms[position], self.num_qubits), self.mixture.probabilities[position]

    def ideal(self) -> bool:
        """Tell whether it does nothing but multiply the state by a phase."""
        return not self._channels

    def to_quantumchannel(self) -> SuperOp:
        """Return the superoperator; ``SuperOp(error)`` does so, too."""
        size = 4**self.num_qubits
        total = np.zeros((size, size), complex)
        for circuit, probability in zip(self.circuits, self.mixture.probabilities, strict=True):
            total += probability * SuperOp(circuit).data
        return SuperOp(total)

    def to_quantum_error(self) -> QuantumError:
        """Return the error itself."""
        return self

    def compose(self, other: Any, qargs: Sequence[int] | None = None, front: bool = False) -> Self:  # noqa: FBT001, FBT002
        """Return the error that is this one and then `other`.

        Parameters
        ----------
        other
            An error, or what one is made of.
        qargs
            The qubits of this error on which `other` acts; by default the first ones.
        front
            Whether `other` comes first instead.
        """
        added = self._from(other).mixture
        places = positions(qargs, self.num_qubits, added.num_qubits)
        later = [moved(term, places) for term in added.terms] if qargs is not None else added.terms
        terms = [second + first if front else first + second for first in self.mixture.terms for second in later]
        return self._mixed(terms, added, max(self.num_qubits, added.num_qubits))

    def tensor(self, other: Any) -> Self:
        """Return the error of both, in which `other` acts on the first qubits and this one on those after them."""
        below = self._from(other).mixture
        width = below.num_qubits + self.num_qubits
        above = [moved(term, range(below.num_qubits, width)) for term in self.mixture.terms]
        return self._mixed([low + high for high in above for low in below.terms], below, width)

    def _mixed(self, terms: Sequence[Instructions], other: Mixture, width: int) -> Self:
        """Return the error of all pairs of terms, those of this error first."""
        chances = [p * q for p in self.mixture.probabilities for q in other.probabilities]
        return type(self)(Mixture(terms, chances, width))

    def merged(self) -> Self:
        """Return the same error with equal terms merged, and each term as simple as possible."""
        terms: list[Instructions] = [()]
        chances = [1.0]
        for channel in self._channels:
            written = [tuple(map(instruction_of, term)) for term in channel.terms]
            terms = [before + term for before in terms for term in written]
            chances = [chance * p for chance in chances for p in channel.probabilities]
        idle = ({"name": "id", "qubits": [0]},)
        return type(self)(Mixture([term or idle for term in terms], chances, self.num_qubits))

    def to_dict(self) -> dict[str, Any]:
        """Return the error in the layout of Aer, with arrays where it has matrices."""
        return {
            "type": "qerror",
            "id": self.id,
            "operations": [],
            "instructions": [[dict(one) for one in term] for term in self.mixture.terms],
            "probabilities": list(self.mixture.probabilities),
        }

    @staticmethod
    def from_dict(error: Mapping[str, Any]) -> QuantumError:
        """Return the error that a dictionary of the layout of Aer describes."""
        if not isinstance(error, Mapping) or error.get("type") != "qerror":
            raise BasicAerError(f"{shown(error)} is not the dictionary of a quantum error, whose 'type' is 'qerror'.")
        return error_of_entry(error, _PLACE)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, BaseQuantumError) or other.num_qubits != self.num_qubits:
            return False
        return bool(self.to_quantumchannel() == other.to_quantumchannel())

    __hash__ = BaseQuantumError.__hash__

    def __repr__(self) -> str:
        return f"<QuantumError on {counted(self.num_qubits, 'qubit')}, {counted(self.size, 'term')}>"

    def __str__(self) -> str:
        lines = [f"QuantumError on {counted(self.num_qubits, 'qubit')}:"]
        pairs = zip(self.mixture.terms, self.mixture.probabilities, strict=True)
        for term, probability in itertools.islice(pairs, _SHOWN):
            words = ", ".join(f"{_named(one)} on {', '.join(map(str, one['qubits']))}" for one in term)
            lines.append(f"  {probability:.6g}: {words}")
        if self.size > _SHOWN:
            lines.append(f"  and {counted(self.size - _SHOWN, 'term')} more")
        return "\n".join(lines)


def error_of_entry(entry: Mapping[str, Any], place: str) -> QuantumError:
    """Return the error of a dictionary of the type "qerror"; `place` begins the sentence if it is wrong."""
    channels_of_entry(entry, place)
    terms = [tuple(map(_plain, term)) for term in entry["instructions"]]
    return QuantumError(Mixture(terms, entry["probabilities"], max(width_of(entry), 1)))


def _named(instruction: Mapping[str, Any]) -> str:
    return f"pauli {instruction['params'][0]}" if instruction["name"] == "pauli" else str(instruction["name"])


def _plain(instruction: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return an instruction that has been read, with arrays for its matrices."""
    parameters = list(instruction.get("params", ()))
    kept: dict[str, Any] = {"name": instruction["name"], "qubits": [int(qubit) for qubit in instruction["qubits"]]}
    if kept["name"] in {"kraus", "unitary", "superop"}:
        arrays = map(np.asarray, parameters)
        parameters = [array @ np.array([1, 1j]) if array.ndim == 3 else array.astype(complex) for array in arrays]
    if parameters:
        kept["params"] = parameters
    return kept


def _mixture_of(noise_ops: Any) -> Mixture:
    """Return the terms of what people make errors of; their operations have not been checked."""
    parts = [(instructions_of(operation), p) for operation, p in _pairs_of(noise_ops) if not -TOLERANCE <= p <= 0]
    if not parts:
        raise BasicAerError("A quantum error must have a term whose probability is not 0.")
    terms, chances = [instructions for (instructions, _), _ in parts], [p for _, p in parts]
    return Mixture(terms, chances, max(width for (_, width), _ in parts))


def _pairs_of(noise_ops: Any) -> list[tuple[Any, float]]:
    """Return pairs of operation and probability."""
    single = Instruction | BaseOperator | BaseQuantumError | QuantumCircuit
    if isinstance(noise_ops, single) or (
        isinstance(noise_ops, tuple)
        and len(noise_ops) == 2
        and isinstance(noise_ops[0], single)
        and not isinstance(noise_ops[1], tuple)
    ):
        return [(noise_ops, 1.0)]
    if not isinstance(noise_ops, Iterable) or isinstance(noise_ops, str | Mapping):
        raise BasicAerError(
            f"A quantum error cannot be made of {shown(noise_ops)}; give pairs of operation and probability."
        )
    pairs = list(noise_ops)
    for pair in pairs:
        if not isinstance(pair, tuple | list) or len(pair) != 2 or not isinstance(pair[1], Real):
            raise BasicAerError(f"A quantum error has {shown(pair)}; give pairs of an operation and its probability.")
    return [(operation, float(p)) for operation, p in pairs]
