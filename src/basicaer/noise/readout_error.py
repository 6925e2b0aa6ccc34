"""Errors of what is recorded of a measurement."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from qiskit.circuit import Instruction

from basicaer.compile.noise_entries import readout_of
from basicaer.engine.bits import highest_position
from basicaer.errors import BasicAerError, shown
from basicaer.wording import counted

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ReadoutError"]

_AS_IDENTITY = 1e-12  # the largest distance, as a sum of squares, from an error that does nothing


class ReadoutError:
    """A readout error: what is recorded differs from what was measured; the state is not touched.

    Parameters
    ----------
    probabilities
        ``probabilities[i][j]`` is the probability that j is recorded if the true value is i. For k qubits there are
        2**k rows of 2**k numbers, and each row sums to 1. Bit q of a value belongs to qubit q of the error.

    Attributes
    ----------
    num_qubits, number_of_qubits : int
        Number of qubits that are measured; Aer has both names.
    """

    def __init__(self, probabilities: Any) -> None:
        self._probabilities = readout_of(probabilities, "The readout error")
        self.num_qubits = self.number_of_qubits = highest_position(len(self._probabilities))

    @property
    def probabilities(self) -> NDArray[np.float64]:
        """A copy of the matrix of probabilities."""
        return self._probabilities.copy()

    def ideal(self) -> bool:
        """Tell whether the true value is always recorded."""
        return bool(np.linalg.norm(self._probabilities - np.eye(len(self._probabilities))) < _AS_IDENTITY)

    def compose(self, other: Any, front: bool = False) -> Self:  # noqa: FBT001, FBT002
        """Return the error that is this one and then `other`, or `other` first if `front` is set.

        The order is that of the words: what this error records is what `other` takes for the true value. Errors of two
        values that are not symmetric do not commute, and Aer's ``compose`` has them in the opposite order.
        """
        other = self._from(other)
        if other.num_qubits != self.num_qubits:
            raise BasicAerError(
                f"A readout error of {counted(self.num_qubits, 'qubit')} cannot be composed with one of "
                f"{other.num_qubits}."
            )
        first, second = (other, self) if front else (self, other)
        return type(self)(first.probabilities @ second.probabilities)

    def dot(self, other: Any) -> Self:
        """Return the error that is `other` and then this one."""
        return self.compose(other, front=True)

    def power(self, n: int) -> Self:
        """Return the error that is this one `n` times."""
        if not isinstance(n, int) or n < 1:
            raise BasicAerError(f"The power of an error must be a whole number from 1 on, not {shown(n)}.")
        return type(self)(np.linalg.matrix_power(self._probabilities, n))

    def tensor(self, other: Any) -> Self:
        """Return the error of both, in which `other` acts on the first qubits and this one on those after them."""
        return type(self)(np.kron(self._probabilities, self._from(other).probabilities))

    def expand(self, other: Any) -> Self:
        """Return the error of both, in which this one acts on the first qubits and `other` on those after them."""
        return self._from(other).tensor(self)

    @classmethod
    def _from(cls, other: Any) -> Self:
        return other if isinstance(other, cls) else cls(other)

    def to_instruction(self) -> Instruction:
        """Return the instruction "roerror", which acts on classical bits of a circuit."""
        return Instruction("roerror", 0, self.num_qubits, list(self.probabilities))

    def to_dict(self) -> dict[str, Any]:
        """Return the error in the layout of Aer."""
        return {"type": "roerror", "operations": ["measure"], "probabilities": self._probabilities.tolist()}

    @staticmethod
    def from_dict(error: Mapping[str, Any]) -> ReadoutError:
        """Return the error that a dictionary of the layout of Aer describes."""
        if not isinstance(error, Mapping) or error.get("type") != "roerror":
            raise BasicAerError(f"{shown(error)} is not the dictionary of a readout error, whose 'type' is 'roerror'.")
        return ReadoutError(error.get("probabilities"))

    def __xor__(self, other: Any) -> Self:
        return self.tensor(other)

    def __pow__(self, n: int) -> Self:
        return self.power(n)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ReadoutError) or other.num_qubits != self.num_qubits:
            return False
        return bool(np.allclose(self._probabilities, other._probabilities))

    def __hash__(self) -> int:
        return hash(self.num_qubits)

    def __repr__(self) -> str:
        return f"ReadoutError({self._probabilities.tolist()})"
