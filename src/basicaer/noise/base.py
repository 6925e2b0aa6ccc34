"""What all quantum errors have in common, and the instruction that puts one into a circuit."""

from __future__ import annotations

import uuid
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Self

from qiskit import QuantumCircuit
from qiskit.circuit import Instruction
from qiskit.quantum_info import Kraus

from basicaer.errors import BasicAerError, shown
from basicaer.wording import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qiskit.quantum_info import SuperOp

__all__ = ["BaseQuantumError", "QuantumChannelInstruction", "positions"]


class BaseQuantumError(ABC):
    """A quantum error on some qubits; it is never changed after it was made.

    ``a & b`` is ``a.compose(b)``, ``a @ b`` is ``a.dot(b)`` and ``a ^ b`` is ``a.tensor(b)``, as for all operators of
    Qiskit.

    Attributes
    ----------
    num_qubits : int
    id : str
        A name that no other error has.
    """

    def __init__(self, num_qubits: int) -> None:
        self.num_qubits = num_qubits
        self.id = uuid.uuid4().hex

    @abstractmethod
    def ideal(self) -> bool:
        """Tell whether it does nothing but multiply the state by a phase."""

    @abstractmethod
    def to_quantumchannel(self) -> SuperOp:
        """Return the superoperator; ``SuperOp(error)`` does so, too."""

    @abstractmethod
    def to_quantum_error(self) -> Any:
        """Return the same error as a `QuantumError`; raises an error if it is not a channel."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Return the error in the layout of Aer, with arrays where it has matrices."""

    @abstractmethod
    def compose(self, other: Any, qargs: Sequence[int] | None = None, front: bool = False) -> Self:  # noqa: FBT001, FBT002
        """Return the error that is this one and then `other`.

        Parameters
        ----------
        qargs
            The qubits of this error on which `other` acts; by default the first ones.
        front
            Whether `other` comes first instead.
        """

    @abstractmethod
    def tensor(self, other: Any) -> Self:
        """Return the error of both, in which `other` acts on the first qubits and this one on those after them."""

    def expand(self, other: Any) -> Self:
        """Return the error of both, in which this one acts on the first qubits and `other` on those after them."""
        return self._from(other).tensor(self)

    def dot(self, other: Any, qargs: Sequence[int] | None = None) -> Self:
        """Return the error that is `other` and then this one."""
        return self.compose(other, qargs=qargs, front=True)

    def power(self, n: int) -> Self:
        """Return the error that is this one `n` times."""
        if not isinstance(n, int) or n < 1:
            raise BasicAerError(f"The power of an error must be a whole number from 1 on, not {shown(n)}.")
        found = self
        for _ in range(n - 1):
            found = found.compose(self).merged()
        return found

    def merged(self) -> Self:
        """Return the same error with equal terms merged."""
        return self

    @classmethod
    def _from(cls, other: Any) -> Self:
        """Return another error as one of this class."""
        if not isinstance(other, cls):
            raise BasicAerError(f"{shown(other)} is not a {cls.__name__}; convert it with to_quantum_error().")
        return other

    def to_instruction(self) -> QuantumChannelInstruction:
        """Return an instruction for circuits; ``circuit.append(error, qubits)`` makes one by itself."""
        return QuantumChannelInstruction(self)

    def __and__(self, other: Any) -> Self:
        return self.compose(other)

    def __matmul__(self, other: Any) -> Self:
        return self.dot(other)

    def __xor__(self, other: Any) -> Self:
        return self.tensor(other)

    def __pow__(self, n: int) -> Self:
        return self.power(n)

    def __hash__(self) -> int:
        return hash(self.num_qubits)  # errors that are made of other terms may be equal


class QuantumChannelInstruction(Instruction):
    """An instruction named "quantum_channel", by which an error acts at its place in a circuit.

    Parameters
    ----------
    quantum_error
        The error.
    """

    def __init__(self, quantum_error: BaseQuantumError) -> None:
        super().__init__("quantum_channel", quantum_error.num_qubits, 0, [])
        self._quantum_error = quantum_error

    def _define(self) -> None:
        definition = QuantumCircuit(self.num_qubits, name=self.name)
        definition.append(Kraus(self._quantum_error).to_instruction(), range(self.num_qubits))
        self.definition = definition

    def __eq__(self, other: object) -> bool:
        return isinstance(other, QuantumChannelInstruction) and self._quantum_error == other._quantum_error

    def __hash__(self) -> int:
        return hash(self.num_qubits)

    def __repr__(self) -> str:
        return f"QuantumChannelInstruction({self._quantum_error!r})"


def positions(qargs: Sequence[int] | None, own: int, others: int) -> tuple[int, ...]:
    """Return the qubits on which another error of so many qubits acts, out of `own`."""
    if qargs is None:
        return tuple(range(others))
    places = tuple(qargs) if isinstance(qargs, Iterable) else (qargs,)
    if len(places) != others or len(set(places)) != others or not set(places) <= set(range(own)):
        raise BasicAerError(
            f"The error that is composed acts on {counted(others, 'qubit')}, and qargs is {shown(list(places))}; give "
            f"as many different positions below {own}."
        )
    return places
