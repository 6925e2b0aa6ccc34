"""Quantum errors as superoperators of Qiskit, made one operation at a time; imports nothing of basicaer."""

from __future__ import annotations

import functools

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit.library import PauliGate
from qiskit.quantum_info import Kraus, Operator, SuperOp, random_quantum_channel


def of_matrices(matrices, qubits, n):
    """The superoperator of Kraus operators on some of n qubits: the sum of conj(K) x K, as Qiskit stacks columns."""
    identity = Operator(np.eye(2**n))
    wide = [identity.compose(Operator(matrix), qargs=list(qubits)).data for matrix in matrices]
    return sum(np.kron(matrix.conj(), matrix) for matrix in wide)


def of_operation(operation, n):
    if operation.kind == "reset":
        ones = [np.diag([1, 0]), np.array([[0, 1], [0, 0]])]
        return of_matrices(ones, operation.qubits, n)
    if operation.kind == "pauli":
        return of_matrices([PauliGate(operation.letters[::-1]).to_matrix()], operation.qubits, n)
    return of_matrices(operation.matrices, operation.qubits, n)


def of_term(term, n):
    total = np.eye(4**n)
    for operation in term:
        total = of_operation(operation, n) @ total
    return total


def of_mixture(probabilities, terms, n):
    return sum(p * of_term(term, n) for p, term in zip(probabilities, terms, strict=True))


def of_channels(channels, n):
    total = np.eye(4**n)
    for channel in channels:
        total = of_mixture(channel.probabilities, channel.terms, n) @ total
    return total


def of_entry(entry, n):
    """The superoperator of an error in the layout of Aer."""
    if entry["type"] == "plerror":
        total = np.eye(4**n)
        for [one], rate in zip(entry["instructions"], entry["rates"], strict=True):
            chance = (1 - np.exp(-2 * rate)) / 2
            flip = of_matrices([PauliGate(one["params"][0]).to_matrix()], one["qubits"], n)
            total = ((1 - chance) * np.eye(4**n) + chance * flip) @ total
        return total
    pairs = zip(entry["probabilities"], entry["instructions"], strict=True)
    return sum(p * SuperOp(circuit_of(term, n)).data for p, term in pairs)


def circuit_of(term, n):
    circuit = QuantumCircuit(n)
    for one in term:
        name, on = one["name"], list(one["qubits"])
        if name == "pauli":
            circuit.append(PauliGate(one["params"][0]), on)
        elif name == "kraus":
            circuit.append(Kraus([np.array(matrix) for matrix in one["params"]]).to_instruction(), on)
        elif name == "unitary":
            circuit.unitary(np.array(one["params"][0]), on)
        else:
            getattr(circuit, name)(*one.get("params", []), *on)
    return circuit


@functools.cache
def random_kraus(n, rank, seed):
    operators = Kraus(random_quantum_channel(2**n, 2**n, rank=rank, seed=seed)).data
    return tuple(np.array(one) for one in operators)
