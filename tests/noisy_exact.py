"""What a circuit with errors does, exactly: its density matrix for each value of the classical bits.

Naive and slow, and imports nothing of basicaer. Errors are given by the names of instructions, as Kraus operators that
act after each of them, or before each "measure"; `readout` is the matrix of an error of recording, row by true value.
"""

from collections import defaultdict

import numpy as np
from qiskit.circuit import IfElseOp
from qiskit.quantum_info import Operator


def on_qubits(matrix, qubits, n):
    """A matrix on some qubits, the first of which is bit 0 of its index, on all n qubits."""
    whole = np.zeros((2**n, 2**n), complex)
    for column in range(2**n):
        own = sum((column >> q & 1) << i for i, q in enumerate(qubits))
        rest = column & ~sum(1 << q for q in qubits)
        for row in range(2 ** len(qubits)):
            whole[rest | sum((row >> i & 1) << q for i, q in enumerate(qubits)), column] += matrix[row, own]
    return whole


def distribution(circuit, errors, readout=None):
    """The probability of each value of the classical bits at the end; bit c of a value is classical bit c."""
    start = np.zeros((2**circuit.num_qubits,) * 2, complex)
    start[0, 0] = 1
    found = followed(circuit, {0: start}, errors, readout, circuit.num_qubits)
    return {bits: float(np.trace(matrix).real) for bits, matrix in found.items()}


def followed(circuit, states, errors, readout, n, *, qubits=None, clbits=None):
    qubits = list(range(n)) if qubits is None else qubits
    clbits = list(range(circuit.num_clbits)) if clbits is None else clbits
    for item in circuit.data:
        on = [qubits[circuit.find_bit(q).index] for q in item.qubits]
        bits = [clbits[circuit.find_bit(c).index] for c in item.clbits]
        kraus = errors.get(item.operation.label or item.name)
        if item.name == "measure":
            if kraus is not None:
                states = mapped(states, kraus, on, n)
            states = measured(states, on[0], bits[0], readout, n)
            continue
        if isinstance(item.operation, IfElseOp):
            bit, value = item.operation.condition
            chosen = clbits[circuit.find_bit(bit).index]
            taken = {b: s for b, s in states.items() if (b >> chosen & 1) == value}
            body = item.operation.blocks[0]
            after = followed(body, taken, errors, readout, n, qubits=on, clbits=bits)
            states = {b: s for b, s in states.items() if b not in taken}
            for b, s in after.items():
                states[b] = states.get(b, 0) + s
            continue
        if item.name == "reset":
            states = mapped(states, [np.array([[1, 0], [0, 0]]), np.array([[0, 1], [0, 0]])], on, n)
        elif item.name == "kraus":
            states = mapped(states, item.operation.params, on, n)
        elif item.name not in {"delay", "barrier"}:
            states = mapped(states, [Operator(item.operation).data], on, n)
        if kraus is not None:
            states = mapped(states, kraus, on, n)
    return states


def mapped(states, kraus, on, n):
    whole = [on_qubits(np.asarray(matrix), on, n) for matrix in kraus]
    return {bits: sum(k @ state @ k.conj().T for k in whole) for bits, state in states.items()}


def measured(states, qubit, bit, readout, n):
    found = defaultdict(float)
    for bits, state in states.items():
        for value in (0, 1):
            keeps = on_qubits(np.diag([1 - value, value]), [qubit], n)
            for recorded in (0, 1):
                share = float(value == recorded) if readout is None else readout[value][recorded]
                if share:
                    found[bits & ~(1 << bit) | recorded << bit] = (
                        found[bits & ~(1 << bit) | recorded << bit] + share * keeps @ state @ keeps
                    )
    return dict(found)
