"""Converts what people build errors of (gates, circuits, channels) into the dictionaries of Aer's layout, and back."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import Instruction, Reset
from qiskit.circuit.library import PauliGate, UnitaryGate
from qiskit.exceptions import QiskitError
from qiskit.quantum_info import Kraus, Pauli, SuperOp
from qiskit.quantum_info.operators.base_operator import BaseOperator
from qiskit.quantum_info.operators.channel.quantum_channel import QuantumChannel

from basicaer.compile.gates import BY_CLASS, BY_NAME
from basicaer.compile.matrices import matrix_of
from basicaer.compile.noise_entries import is_qubit, operations_of
from basicaer.errors import BasicAerError, reason_of, shown
from basicaer.noise.base import BaseQuantumError
from basicaer.wording import counted

if TYPE_CHECKING:
    from basicaer.compile.channels import ErrorOperation

__all__ = ["Instructions", "Mixture", "circuit_of", "instruction_of", "instructions_of", "moved"]

# The instructions of one term of an error, as dictionaries with "name", "qubits" and "params".
Instructions = tuple[Mapping[str, Any], ...]


class Mixture(NamedTuple):
    """The terms of an error that are known to be right.

    Attributes
    ----------
    terms
        The instructions of each term.
    probabilities
        The probability of each term.
    num_qubits
        The number of qubits on which the error acts.
    """

    terms: Sequence[Instructions]
    probabilities: Sequence[float]
    num_qubits: int

    def normalised(self) -> Mixture:
        """Return it without the terms that never happen, with probabilities that sum to 1."""
        kept = [(term, float(p)) for term, p in zip(self.terms, self.probabilities, strict=True) if p > 0]
        total = sum(p for _, p in kept)
        return Mixture(tuple(term for term, _ in kept), tuple(p / total for _, p in kept), self.num_qubits)


def instructions_of(operation: Any) -> tuple[Instructions, int]:
    """Return something that acts on qubits as instructions of an error, and the number of its qubits.

    Parameters
    ----------
    operation
        A circuit, an instruction, an instruction with its qubits, a list of these, a Pauli, an operator or a channel.
    """
    if isinstance(operation, QuantumCircuit):
        return _of_circuit(operation), max(operation.num_qubits, 1)
    if _has_qubits(operation):
        return instructions_of([operation])
    if isinstance(operation, list) and operation and all(map(_has_qubits, operation)):
        widest = 1 + max((max(qubits, default=0) for _, qubits in operation), default=0)
        return tuple(part for one, qubits in operation for part in _of_operation(one, tuple(qubits))), widest
    known = isinstance(operation, Instruction | BaseOperator | BaseQuantumError)
    n_qubits = operation.num_qubits if known else None
    if not n_qubits:  # an operator need not act on qubits
        raise BasicAerError(
            f"An error cannot consist of {shown(operation)}; give circuits, instructions, instructions with their "
            "qubits, Paulis, operators or channels."
        )
    return _of_operation(operation, tuple(range(n_qubits))), n_qubits


def _has_qubits(pair: Any) -> bool:
    """Tell whether something is a pair of an instruction and its qubits."""
    is_pair = isinstance(pair, tuple) and len(pair) == 2 and isinstance(pair[1], Sequence)
    return is_pair and all(map(is_qubit, pair[1]))


def circuit_of(instructions: Instructions, num_qubits: int) -> QuantumCircuit:
    """Return the instructions of a term as a circuit."""
    circuit = QuantumCircuit(num_qubits)
    for one in instructions:
        circuit.append(_operation_of(one), list(one["qubits"]))
    return circuit


def instruction_of(operation: ErrorOperation) -> Mapping[str, Any]:
    """Return an operation that has been read as an instruction."""
    found: dict[str, Any] = {"name": operation.kind, "qubits": list(operation.qubits)}
    if operation.kind != "reset":
        found["params"] = [operation.letters[::-1]] if operation.letters else list(operation.matrices)
    return found


def moved(instructions: Instructions, places: Sequence[int]) -> Instructions:
    """Return the instructions on other qubits: the qubit q becomes ``places[q]``."""
    return tuple({**one, "qubits": [places[qubit] for qubit in one["qubits"]]} for one in instructions)


def _operation_of(instruction: Mapping[str, Any]) -> Any:
    name, parameters = instruction["name"], instruction.get("params", [])
    if name == "reset":
        return Reset()
    if name == "pauli":
        return PauliGate(parameters[0])
    if name == "unitary":
        return UnitaryGate(np.asarray(parameters[0]), check_input=False)
    if name == "kraus":
        return Instruction("kraus", len(instruction["qubits"]), 0, list(parameters))
    record = BY_NAME.get(name)
    if record is not None and record.gate_class is not None and record.controls is not None:
        return record.gate_class(*parameters)
    [operation] = operations_of(instruction, "The quantum error")
    if operation.kind == "kraus":
        return Instruction("kraus", len(operation.qubits), 0, list(operation.matrices))
    return UnitaryGate(operation.matrices[0], check_input=False)


def _of_circuit(circuit: QuantumCircuit) -> Instructions:
    if circuit.num_clbits:
        raise BasicAerError(f"The circuit '{circuit.name}' of an error has classical bits; remove them.")
    place = {qubit: number for number, qubit in enumerate(circuit.qubits)}
    parts = [_of_operation(one.operation, tuple(place[qubit] for qubit in one.qubits)) for one in circuit.data]
    found = tuple(itertools.chain.from_iterable(parts))
    return found or tuple({"name": "id", "qubits": [qubit]} for qubit in range(max(circuit.num_qubits, 1)))


def _of_operation(operation: Any, qubits: tuple[int, ...]) -> Instructions:
    """Return an operation as instructions that `basicaer.compile.noise_entries` reads."""
    on = list(qubits)
    if isinstance(operation, QuantumChannel):
        return (_of_channel(operation, on),)
    if isinstance(operation, Pauli):
        letters = "".join(reversed(operation.to_label().lstrip("-i")))
        one = {"I": "id"}.get(letters, letters.lower())
        return ({"name": one, "qubits": on},) if len(letters) == 1 else (_pauli(letters[::-1], on),)
    if isinstance(operation, BaseQuantumError):
        return (_of_channel(operation.to_quantumchannel(), on),)
    if isinstance(operation, BaseOperator):
        matrix = matrix_of(operation)
        if matrix is not None:
            return (_unitary(matrix, on),)
        if hasattr(operation, "to_quantumchannel"):
            return (_of_channel(SuperOp(operation), on),)
        raise BasicAerError(f"An error cannot contain {shown(operation)}, which is neither unitary nor a channel.")
    name = getattr(operation, "name", None)
    if not isinstance(operation, Instruction):
        raise BasicAerError(f"An error cannot contain {shown(operation)}; give instructions of Qiskit.")
    if operation.num_clbits:
        raise BasicAerError(f"An error cannot contain '{name}', which has classical bits.")
    if operation.num_qubits != len(on):
        raise BasicAerError(
            f"An error has '{name}', which acts on {counted(operation.num_qubits, 'qubit')}, on the qubits {on}; give "
            "as many."
        )
    if name == "barrier" or not on:
        return ()
    return _of_instruction(operation, on)


def _of_instruction(operation: Instruction, on: list[int]) -> Instructions:
    if isinstance(operation, Reset):
        return ({"name": "reset", "qubits": on},)
    if isinstance(operation, PauliGate):
        return (_pauli(operation.params[0], on),)
    record = BY_CLASS.get(operation.base_class)
    if record is not None and record.name == operation.name:  # a gate with open controls has another name
        parameters = {"params": _angles(operation)} if operation.params else {}
        return ({"name": record.name, "qubits": on, **parameters},)
    if operation.name in {"kraus", "superop", "quantum_channel"}:
        try:
            return (_of_channel(SuperOp(operation), on),)
        except QiskitError as error:
            raise BasicAerError(f"The '{operation.name}' of an error cannot be read: {reason_of(error)}.") from error
    matrix = matrix_of(operation)
    if matrix is not None:
        return (_unitary(matrix, on),)
    definition = operation.definition
    if definition is None:
        raise BasicAerError(f"An error cannot contain '{operation.name}', which has neither a matrix nor a definition.")
    return moved(_of_circuit(definition), on)


def _angles(operation: Instruction) -> list[float]:
    try:
        return [float(angle) for angle in operation.params]
    except TypeError as error:
        raise BasicAerError(
            f"An error has '{operation.name}' with the parameters {shown(operation.params)}; give them values."
        ) from error


def _of_channel(channel: QuantumChannel, on: list[int]) -> Mapping[str, Any]:
    operators = Kraus(channel).data
    if isinstance(operators, tuple):  # a pair of lists
        raise BasicAerError("A channel of an error is not completely positive; give one that is.")
    arrays = [np.asarray(operator, complex) for operator in operators]
    size = 2 ** len(on)
    if len(arrays) == 1 and np.allclose(arrays[0].conj().T @ arrays[0], np.eye(size)):
        return _unitary(arrays[0], on)
    return {"name": "kraus", "qubits": on, "params": arrays}


def _unitary(matrix: Any, on: list[int]) -> Mapping[str, Any]:
    return {"name": "unitary", "qubits": on, "params": [np.asarray(matrix, complex)]}


def _pauli(letters: str, on: list[int]) -> Mapping[str, Any]:
    return {"name": "pauli", "qubits": on, "params": [letters]}
