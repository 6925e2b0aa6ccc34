"""The circuits that are timed. A family makes one circuit for each number of qubits, and always the same one."""

from __future__ import annotations

from itertools import combinations, pairwise
from math import isqrt, pi
from typing import TYPE_CHECKING

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit.library import quantum_volume
from qiskit.synthesis import synth_qft_full

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

# The Pauli strings of a double excitation: those with an odd number of Y.
_ODD_Y = ("XXXY", "XXYX", "XYXX", "YXXX", "XYYY", "YXYY", "YYXY", "YYYX")


def qft(n: int) -> QuantumCircuit:
    """The quantum Fourier transform, as gates."""
    return synth_qft_full(n)


def ghz(n: int) -> QuantumCircuit:
    """One Hadamard and a chain of CX."""
    circuit = QuantumCircuit(n)
    circuit.h(0)
    for q in range(n - 1):
        circuit.cx(q, q + 1)
    return circuit


def _qaoa(n: int, weights: dict[tuple[int, int], float], rounds: int) -> QuantumCircuit:
    random = np.random.default_rng(2)
    circuit = QuantumCircuit(n)
    circuit.h(range(n))
    for _ in range(rounds):
        gamma, beta = random.uniform(0.2, 1.0, 2)
        for (a, b), weight in weights.items():
            circuit.rzz(2 * gamma * weight, a, b)
        circuit.rx(2 * beta, range(n))
    return circuit


def qaoa_complete(n: int) -> QuantumCircuit:
    """One round of QAOA for a Sherrington-Kirkpatrick model: couplings +1 or -1 between all pairs."""
    random = np.random.default_rng(3)
    return _qaoa(n, {pair: float(random.choice((-1, 1))) for pair in combinations(range(n), 2)}, rounds=1)


def qaoa_regular(n: int) -> QuantumCircuit:
    """Three rounds of QAOA for MaxCut on a 3-regular graph: a ring and a random perfect matching; `n` is even."""
    random = np.random.default_rng(4)
    ring = {tuple(sorted((q, (q + 1) % n))) for q in range(n)}
    while True:
        order = random.permutation(n).tolist()
        matching = {tuple(sorted(pair)) for pair in zip(order[::2], order[1::2], strict=True)}
        if not ring & matching:
            return _qaoa(n, dict.fromkeys(sorted(ring | matching), 1.0), rounds=3)


def _ansatz(n: int, layers: int, entangler: str, pairs: Iterable[tuple[int, int]]) -> QuantumCircuit:
    random = np.random.default_rng(0)
    pairs = list(pairs)
    circuit = QuantumCircuit(n)
    for _ in range(layers):
        for q in range(n):
            circuit.ry(random.random(), q)
            circuit.rz(random.random(), q)
        for control, target in pairs:
            getattr(circuit, entangler)(control, target)
    return circuit


def ansatz_cx_chain(n: int, layers: int = 10) -> QuantumCircuit:
    """Layers of RY, RZ and a chain of CX, as in variational circuits."""
    return _ansatz(n, layers, "cx", pairwise(range(n)))


def ansatz_cz_chain(n: int) -> QuantumCircuit:
    """Ten layers of RY, RZ and a chain of CZ."""
    return _ansatz(n, 10, "cz", pairwise(range(n)))


def ansatz_cx_all(n: int) -> QuantumCircuit:
    """Three layers of RY, RZ and CX between all pairs."""
    return _ansatz(n, 3, "cx", combinations(range(n), 2))


def tfim(n: int) -> QuantumCircuit:
    """Ten first-order Trotter steps of the transverse-field Ising chain."""
    circuit = QuantumCircuit(n)
    for _ in range(10):
        for q in range(n - 1):
            circuit.rzz(-0.2, q, q + 1)
        circuit.rx(-0.3, range(n))
    return circuit


def volume(n: int, depth: int = 10) -> QuantumCircuit:
    """Quantum volume: layers of random two-qubit unitaries on random pairs of qubits."""
    return quantum_volume(n, depth, seed=1)


def grid(n: int) -> QuantumCircuit:
    """Random circuit of 20 cycles on the grid that is most nearly square.

    A cycle applies to every qubit a square root of X, Y or (X + Y) / sqrt 2, but not the same one as in the cycle
    before. Then it applies CZ to one of the grid's four sets of disjoint pairs of neighbours, each set in turn (Boixo
    et al., 2018; Arute et al., 2019).
    """
    random = np.random.default_rng(5)
    rows = next(r for r in range(isqrt(n), 0, -1) if n % r == 0)
    width = n // rows
    circuit = QuantumCircuit(n)
    circuit.h(range(n))
    root = random.integers(0, 3, n)  # root[q] = the number of the square root that is applied to qubit q in this cycle
    for cycle in range(20):
        root = (root + random.integers(1, 3, n)) % 3
        for q in range(n):
            if root[q] == 0:
                circuit.sx(q)
            elif root[q] == 1:
                circuit.ry(pi / 2, q)
            else:
                circuit.u(pi / 2, -pi / 4, pi / 4, q)
        along_rows, parity = cycle % 4 < 2, cycle % 2
        for q in range(n):
            row, column = divmod(q, width)
            place, last, step = (column, width - 1, 1) if along_rows else (row, rows - 1, width)
            if place % 2 == parity and place < last:
                circuit.cz(q, q + step)
    return circuit


def grover(n: int) -> QuantumCircuit:
    """Four iterations of Grover's search for one basis state, with phase gates that all qubits control."""
    marked = np.random.default_rng(6).integers(0, 2, n)
    unmarked = np.flatnonzero(marked == 0).tolist()
    circuit = QuantumCircuit(n)
    circuit.h(range(n))
    for _ in range(4):
        for flipped in (unmarked, range(n)):  # the oracle, then the reflection about the uniform state
            if flipped is not unmarked:
                circuit.h(range(n))
            circuit.x(flipped)
            circuit.mcp(pi, list(range(n - 1)), n - 1)
            circuit.x(flipped)
        circuit.h(range(n))
    return circuit


def uccsd(n: int) -> QuantumCircuit:
    """Five double excitations of unitary coupled cluster, applied to half filling, in the Jordan-Wigner mapping.

    Each excitation is eight Pauli gadgets exp(-i t P / 2): a change of basis, a ladder of CX, RZ, and back again.
    """
    random = np.random.default_rng(7)
    circuit = QuantumCircuit(n)
    circuit.x(range(n // 2))
    for _ in range(5):
        i, j = sorted(random.choice(n // 2, 2, replace=False).tolist())
        a, b = sorted((n // 2 + random.choice(n - n // 2, 2, replace=False)).tolist())
        ladder = [*range(i, j + 1), *range(a, b + 1)]  # P is Z on the qubits between i and j, and between a and b.
        angle = random.uniform(-0.2, 0.2)
        for string in _ODD_Y:
            _pauli_gadget(circuit, dict(zip((i, j, a, b), string, strict=True)), ladder, angle / 4)
    return circuit


def _pauli_gadget(circuit: QuantumCircuit, paulis: dict[int, str], ladder: list[int], angle: float) -> None:
    for sign in (1, -1):
        for qubit, pauli in paulis.items():
            if pauli == "X":
                circuit.h(qubit)
            else:
                circuit.rx(sign * pi / 2, qubit)
        if sign > 0:
            for pair in pairwise(ladder):
                circuit.cx(*pair)
            circuit.rz(angle, ladder[-1])
            for pair in reversed(list(pairwise(ladder))):
                circuit.cx(*pair)


FAMILIES: dict[str, Callable[[int], QuantumCircuit]] = {
    family.__name__: family
    for family in (
        qft,
        ghz,
        qaoa_complete,
        qaoa_regular,
        ansatz_cx_chain,
        ansatz_cz_chain,
        ansatz_cx_all,
        tfim,
        volume,
        grid,
        grover,
        uccsd,
    )
}

# TITLES[family] = what people call it, in tables and pictures
TITLES = {
    "qft": "QFT",
    "ghz": "GHZ",
    "qaoa_complete": "QAOA, complete graph",
    "qaoa_regular": "QAOA, 3-regular graph",
    "ansatz_cx_chain": "ansatz with CX chains, 10 layers",
    "ansatz_cz_chain": "ansatz with CZ chains, 10 layers",
    "ansatz_cx_all": "CX between all pairs, 3 layers",
    "tfim": "transverse-field Ising, 10 steps",
    "volume": "quantum volume, depth 10",
    "grid": "random grid, depth 20",
    "grover": "Grover, 4 iterations",
    "uccsd": "UCCSD-like gadgets",
}

# These are for comparison with slow simulators, at any number of qubits from 2.
SMALL_FAMILIES: dict[str, Callable[[int], QuantumCircuit]] = {
    "ghz": ghz,
    "ansatz": lambda n: ansatz_cx_chain(n, layers=3),
    "volume": lambda n: volume(n, depth=4),
    "qft": qft,
}
