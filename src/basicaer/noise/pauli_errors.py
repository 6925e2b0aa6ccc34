"""Errors that consist of Paulis: a mixture of them, and what a Pauli-Lindblad generator makes in a unit of time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self, TypeVar

import numpy as np
from qiskit.exceptions import QiskitError
from qiskit.quantum_info import Pauli, PauliList, SuperOp

from basicaer.compile.noise_entries import TOLERANCE, channels_of_entry
from basicaer.errors import BasicAerError, reason_of, shown
from basicaer.noise.base import BaseQuantumError, positions
from basicaer.noise.quantum_error import QuantumError
from basicaer.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

__all__ = ["PauliError", "PauliLindbladError"]


class _OfPauliError(BaseQuantumError):
    """An error that is given by Pauli strings and a number for each."""

    _numbers_are = ""  # the name of the numbers in the dictionary

    def __init__(self, paulis: Any, numbers: Any) -> None:
        kind = type(self).__name__
        try:
            self._paulis = PauliList(paulis)
            self._numbers = np.array(numbers, float)
        except (QiskitError, TypeError, ValueError) as error:
            raise BasicAerError(f"A {kind} cannot be made of {shown(paulis)}: {reason_of(error)}.") from error
        if self._numbers.shape != (len(self._paulis),):
            raise BasicAerError(
                f"A {kind} has {counted(len(self._paulis), 'Pauli')} and {self._numbers_are} of the shape "
                f"{self._numbers.shape}; give one number for each Pauli."
            )
        if not np.isfinite(self._numbers).all():
            raise BasicAerError(f"A {kind} has {self._numbers_are} {shown(numbers)}, which must be finite.")
        super().__init__(int(self._paulis.num_qubits))

    def numbers_of_strings(self) -> dict[str, float]:
        """Return the sum of the numbers of each string."""
        total: dict[str, float] = {}
        for label, number in zip(self.labels(), self._numbers.tolist(), strict=True):
            total[label] = total.get(label, 0.0) + number
        return total

    def labels(self) -> list[str]:
        """Return the strings of the Paulis, without phases."""
        return [Pauli((z, x)).to_label() for z, x in zip(self._paulis.z, self._paulis.x, strict=True)]  # no phases

    @property
    def size(self) -> int:
        """The number of Paulis."""
        return len(self._paulis)

    def is_cp(self) -> bool:
        """Tell whether the map is completely positive: whether no number is negative."""
        return bool((self._numbers >= -TOLERANCE).all())

    def is_cptp(self) -> bool:
        """Tell whether it is a channel."""
        return self.is_cp() and self.is_tp()

    def is_tp(self) -> bool:
        """Tell whether the map preserves the trace."""
        return True

    def to_dict(self) -> dict[str, Any]:
        """Return the error in the layout of Aer."""
        qubits = list(range(self.num_qubits))
        return {
            "type": "plerror" if self._numbers_are == "rates" else "qerror",
            "id": self.id,
            "operations": [],
            "instructions": [[{"name": "pauli", "params": [one], "qubits": qubits}] for one in self.labels()],
            self._numbers_are: self._numbers.tolist(),
        }

    @classmethod
    def of_entry(cls, error: Mapping[str, Any], place: str) -> Self:
        """Return the error of a dictionary; `place` begins the sentence if it is wrong."""
        kind = "plerror" if cls._numbers_are == "rates" else "qerror"
        if not isinstance(error, Mapping) or error.get("type") != kind:
            raise BasicAerError(f"{shown(error)} is not the dictionary of a {cls.__name__}, whose 'type' is '{kind}'.")
        channels_of_entry(error, place)  # raises if it is wrong
        terms = error["instructions"]
        if any(len(term) != 1 or term[0]["name"] != "pauli" for term in terms):
            raise BasicAerError(f"{place} is given as a {cls.__name__}, so each term must be one 'pauli'.")
        width = 1 + max((max(term[0]["qubits"]) for term in terms), default=0)
        return cls([_label_on(term[0], width) for term in terms], error[cls._numbers_are])

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        mine, others = (one.acting() for one in (self, other))
        names = {*mine, *others}
        return self.num_qubits == other.num_qubits and all(
            np.isclose(mine.get(name, 0.0), others.get(name, 0.0)) for name in names
        )

    __hash__ = BaseQuantumError.__hash__

    def acting(self) -> dict[str, float]:
        """Return the numbers of the strings that matter."""
        return self.numbers_of_strings()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.labels()}, {self._numbers.tolist()})"


_Error = TypeVar("_Error", bound=_OfPauliError)


class PauliError(_OfPauliError):
    r"""A mixture of Paulis, :math:`\rho \mapsto \sum_j p_j P_j \rho P_j`.

    Parameters
    ----------
    paulis
        Pauli strings; the last letter of a string acts on qubit 0.
    probabilities
        One for each. Negative ones and other sums than 1 are allowed, for maps that are inverses of errors, but such a
        map cannot be added to a noise model.
    """

    _numbers_are = "probabilities"

    def __init__(self, paulis: Any, probabilities: Any) -> None:
        super().__init__(paulis, probabilities)

    @property
    def paulis(self) -> PauliList:
        """The Paulis."""
        return self._paulis

    @property
    def probabilities(self) -> NDArray[np.float64]:
        """A copy of the probabilities."""
        return self._numbers.copy()

    def is_tp(self) -> bool:
        """Tell whether the map preserves the trace: whether the probabilities sum to 1."""
        return bool(abs(self._numbers.sum() - 1) <= TOLERANCE)

    def ideal(self) -> bool:
        """Tell whether only the identity happens."""
        strings = self.numbers_of_strings()
        return self.is_cptp() and all(abs(p) <= TOLERANCE for name, p in strings.items() if set(name) != {"I"})

    def compose(self, other: Any, qargs: Sequence[int] | None = None, front: bool = False) -> Self:  # noqa: ARG002, FBT001, FBT002
        """Return the error that is this one and then `other`; Pauli errors commute, so `front` makes no difference.

        Parameters
        ----------
        other
            Another Pauli error.
        qargs
            The qubits of this error on which `other` acts; by default the first ones.
        """
        other = self._from(other)
        if qargs is None and other.num_qubits > self.num_qubits:
            return self._from(other.compose(self))
        places = list(positions(qargs, self.num_qubits, other.num_qubits))
        z, x = (np.repeat(bits, other.size, axis=0) for bits in (self._paulis.z, self._paulis.x))
        z[:, places] ^= np.tile(other.paulis.z, (self.size, 1))
        x[:, places] ^= np.tile(other.paulis.x, (self.size, 1))
        return type(self)(PauliList.from_symplectic(z, x), np.outer(self._numbers, other.probabilities).ravel())

    def tensor(self, other: Any) -> Self:
        """Return the error of both, in which `other` acts on the first qubits and this one on those after them."""
        other = self._from(other)
        labels = [high + low for high in self.labels() for low in other.labels()]
        return type(self)(labels, np.outer(self._numbers, other.probabilities).ravel())

    def simplify(self, atol: float = TOLERANCE) -> Self:
        """Return the same error with equal Paulis merged, without those whose probability is at most `atol`."""
        return _simplified(self, self.numbers_of_strings(), atol)

    def merged(self) -> Self:
        """Return the same error with equal Paulis merged."""
        return self.simplify(atol=0.0)

    def to_quantumchannel(self) -> SuperOp:
        """Return the superoperator; ``SuperOp(error)`` does so, too."""
        size = 4**self.num_qubits
        strings = self.numbers_of_strings().items()
        return SuperOp(sum((p * SuperOp(Pauli(name)).data for name, p in strings), np.zeros((size, size))))

    def to_quantum_error(self) -> QuantumError:
        """Return the same error as a general one; raises an error if it is not a channel."""
        return QuantumError(list(zip(map(Pauli, self.labels()), self._numbers.tolist(), strict=True)))

    @staticmethod
    def from_dict(error: Mapping[str, Any]) -> PauliError:
        """Return the error that a dictionary of the layout of Aer describes."""
        return PauliError.of_entry(error, "The Pauli error")


class PauliLindbladError(_OfPauliError):
    r"""What Pauli-Lindblad generators make in a unit of time, :math:`\exp(\sum_j r_j (P_j \cdot P_j - 1))`.

    Each generator applies its Pauli with the probability :math:`(1 - e^{-2 r_j}) / 2`, independently of the others
    (van den Berg et al. 2023, arXiv:2201.09866, equation 4).

    Parameters
    ----------
    generators
        Pauli strings; the last letter of a string acts on qubit 0.
    rates
        One for each. Negative ones are allowed, for inverses of errors, but such a map cannot be added to a model.
    """

    _numbers_are = "rates"

    def __init__(self, generators: Any, rates: Any) -> None:
        super().__init__(generators, rates)

    @property
    def generators(self) -> PauliList:
        """The Paulis."""
        return self._paulis

    @property
    def rates(self) -> NDArray[np.float64]:
        """A copy of the rates."""
        return self._numbers.copy()

    def acting(self) -> dict[str, float]:
        """Return the rates of the strings other than the identity."""
        return {name: rate for name, rate in self.numbers_of_strings().items() if set(name) != {"I"}}

    def ideal(self) -> bool:
        """Tell whether no Pauli but the identity ever acts."""
        return all(abs(rate) <= TOLERANCE for rate in self.acting().values())

    def compose(self, other: Any, qargs: Sequence[int] | None = None, front: bool = False) -> Self:  # noqa: ARG002, FBT001, FBT002
        """Return the error that is this one and then `other`; Pauli errors commute, so `front` makes no difference.

        Parameters
        ----------
        other
            Another Pauli-Lindblad error.
        qargs
            The qubits of this error on which `other` acts; by default the first ones.
        """
        other = self._from(other)
        width = max(self.num_qubits, other.num_qubits) if qargs is None else self.num_qubits
        places = positions(qargs, width, other.num_qubits)
        labels = [*_widened(self.labels(), range(self.num_qubits), width), *_widened(other.labels(), places, width)]
        return type(self)(labels, [*self._numbers, *other.rates])

    def tensor(self, other: Any) -> Self:
        """Return the error of both, in which `other` acts on the first qubits and this one on those after them."""
        other = self._from(other)
        high, low = "I" * self.num_qubits, "I" * other.num_qubits
        labels = [*(label + low for label in self.labels()), *(high + label for label in other.labels())]
        return type(self)(labels, [*self._numbers, *other.rates])

    def power(self, n: float) -> Self:
        """Return what the generators make in `n` units of time."""
        return type(self)(self.labels(), n * self._numbers)

    def inverse(self) -> Self:
        """Return the inverse map, which is not a channel."""
        return self.power(-1)

    def simplify(self, atol: float = TOLERANCE) -> Self:
        """Return the same error with equal generators merged, without those whose rate is at most `atol`."""
        return _simplified(self, self.acting(), atol)

    def to_pauli_error(self) -> PauliError:
        """Return the same error as a mixture of Paulis; for many generators it has exponentially many terms."""
        found = PauliError(["I" * self.num_qubits], [1.0])
        for label, rate in self.acting().items():
            chance = -np.expm1(-2 * rate) / 2
            both = found.compose(PauliError(["I" * self.num_qubits, label], [1 - chance, chance]))
            found = both.simplify(atol=0.0)
        return found

    def to_quantum_error(self) -> QuantumError:
        """Return the same error as a general one; raises an error if it is not a channel."""
        return self.to_pauli_error().to_quantum_error()

    def to_quantumchannel(self) -> SuperOp:
        """Return the superoperator; ``SuperOp(error)`` does so, too."""
        return self.to_pauli_error().to_quantumchannel()

    @staticmethod
    def from_dict(error: Mapping[str, Any]) -> PauliLindbladError:
        """Return the error that a dictionary of the layout of Aer describes."""
        return PauliLindbladError.of_entry(error, "The Pauli-Lindblad error")


def _simplified(error: _Error, strings: Mapping[str, float], atol: float) -> _Error:
    kept = {name: number for name, number in strings.items() if abs(number) > atol} or {"I" * error.num_qubits: 0.0}
    return type(error)(list(kept), list(kept.values()))


def _widened(labels: Iterable[str], places: Sequence[int], width: int) -> list[str]:
    """Return Pauli strings on more qubits: their qubit j becomes ``places[j]``."""
    return [_label_on({"qubits": places, "params": [label]}, width) for label in labels]


def _label_on(instruction: Mapping[str, Any], width: int) -> str:
    """Return a Pauli string on some of `width` qubits as a string for all of them."""
    letters = dict(zip(instruction["qubits"], reversed(instruction["params"][0]), strict=True))
    return "".join(letters.get(qubit, "I") for qubit in reversed(range(width)))
