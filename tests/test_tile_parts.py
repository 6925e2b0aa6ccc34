"""What work on a tile is made of, each part against naive application: orders, phases, matrices, eigenvectors."""

import tracemalloc

import numpy as np
import pytest

import reference
from basicaer.devices.cpu.diagonals import Diagonals
from basicaer.devices.cpu.fusion import product_matrices
from basicaer.devices.cpu.permutations import source_indices
from basicaer.devices.cpu.set_numbers import SetNumbers
from basicaer.devices.numbers import GateNumbers, ListedGates, numbers_of
from basicaer.engine import unitaries
from basicaer.engine.plan import Part, PlannedGate
from basicaer.engine.program import Form
from plan_checks import HADAMARD, applied, flip, gate, in_program_order, matrix_of, random_of_actions


def numbers(chosen):
    return GateNumbers(chosen.form, chosen.data, chosen.targets, chosen.controls, chosen.control_state)


def random_permutations(random, n, size):
    """X and CX, for which there is a short cut, and others, in any order."""
    gates = []
    for _ in range(size):
        k = int(random.integers(1, min(3, n) + 1))
        qubits = random.permutation(n).tolist()
        controls = qubits[k : k + int(random.integers(0, 3))]
        short = random.integers(3) > 0
        targets, data = (qubits[:1], [1, 0]) if short else (qubits[:k], random.permutation(2**k))
        state = int(random.integers(2 ** len(controls)))
        gates.append(gate(Form.PERMUTATION, data, targets, controls, state))
    return gates


@pytest.mark.parametrize("seed", range(60))
def test_one_index_array_applies_permutations_and_then_reorders(seed):
    random = np.random.default_rng(seed)
    n = int(random.integers(1, 7))
    gates = random_permutations(random, n, int(random.integers(0, 8)))
    came_from = random.permutation(n).tolist()
    source = source_indices(came_from, [numbers(chosen) for chosen in gates])
    vector = reference.random_state(n, seed)
    old = in_program_order(gates, vector)
    # Bit p of a new index is bit came_from[p] of an old one.
    want = [old[sum(reference.bit(i, p) * 2 ** came_from[p] for p in range(n))] for i in range(2**n)]
    assert vector[source].tolist() == want


def test_the_identity_as_a_permutation_of_one_qubit():
    gates = [flip(0), gate(Form.PERMUTATION, [0, 1], (0,)), flip(1, 0)]
    vector = reference.random_state(2)
    source = source_indices([0, 1], [numbers(chosen) for chosen in gates])
    assert vector[source].tolist() == in_program_order(gates, vector).tolist()


# Diagonals.


def random_diagonals(random, n, size, widest):
    gates = []
    for _ in range(size):
        k = int(random.integers(0, widest + 1))
        controls = int(random.integers(0, min(3, n - k) + 1))
        qubits = random.permutation(n).tolist()
        data = np.exp(1j * random.uniform(-3, 3, 2**k))
        gates.append(gate(Form.DIAGONAL, data, qubits[:k], qubits[k : k + controls], int(random.integers(2**controls))))
    return gates


def bound_phases(gates, order, place, dtype=complex):
    phases = Diagonals(list(enumerate(gates)), order, place)
    return phases.bound(SetNumbers(ListedGates(gates)), np.dtype(dtype))


def check_phases(gates, n, order, place, dtype):
    """Apply phases to each tile of a state that has a layout."""
    vector = reference.random_state(n)
    want = in_program_order(gates, vector)
    index = np.arange(2**n)
    of_amplitude = sum((index // 2**wire % 2 * 2 ** place[wire] for wire in range(n)), 0 * index)
    phases = bound_phases([numbers(chosen) for chosen in gates], order, place, dtype)
    outside = [wire for wire in range(n) if wire not in order]
    laid_out, got = np.empty(2**n, dtype), np.empty(2**n, dtype)
    laid_out[of_amplitude] = vector
    for value in range(2 ** len(outside)):
        base = sum(reference.bit(value, j) * 2 ** place[wire] for j, wire in enumerate(outside))
        slots = np.array(
            [
                base + sum(reference.bit(i, p) * 2 ** place[wire] for p, wire in enumerate(order))
                for i in range(2 ** len(order))
            ]
        )
        tile = laid_out[slots]
        phases.apply(tile[None], base)
        got[slots] = tile
    assert np.allclose(got[of_amplitude], want, rtol=0, atol=1e-12 if dtype is complex else 2e-6)


@pytest.mark.parametrize("dtype", [complex, np.complex64])
@pytest.mark.parametrize("seed", range(25))
def test_phases_of_every_reach(seed, dtype):
    random = np.random.default_rng(seed)
    n = int(random.integers(1, 10))
    tile = int(random.integers(1, n + 1))
    gates = random_diagonals(random, n, int(random.integers(1, 15)), widest=min(n, 4))
    check_phases(gates, n, random.permutation(n)[:tile].tolist(), random.permutation(n).tolist(), dtype)


@pytest.mark.parametrize("tile", [2, 5, 9, 10])
@pytest.mark.parametrize("width", [6, 8, 9, 10])
def test_phases_of_wide_gates(width, tile):
    n = 10
    random = np.random.default_rng([width, tile])
    gates = []
    for controls in (0, 1, width // 2, width):
        qubits = random.permutation(n).tolist()
        data = np.exp(1j * random.uniform(-3, 3, 2 ** (width - controls)))
        state = int(random.integers(2**controls))
        gates.append(gate(Form.DIAGONAL, data, qubits[controls:width], qubits[:controls], state))
    check_phases(gates, n, random.permutation(n)[:tile].tolist(), random.permutation(n).tolist(), complex)


@pytest.mark.parametrize("tile", [4, 12])
def test_phases_that_need_several_tables_and_clusters(tile):
    """All pairs of 13 wires: more than one table has room for, and more bits of a tile than a cluster."""
    n = 13
    random = np.random.default_rng(tile)
    gates = [
        gate(Form.DIAGONAL, np.exp(1j * random.uniform(-3, 3, 4)), (a, b)) for a in range(n) for b in range(a + 1, n)
    ]
    check_phases(gates, n, random.permutation(n)[:tile].tolist(), random.permutation(n).tolist(), complex)


@pytest.mark.parametrize("tile", [4, 8])
def test_phases_on_many_wires_take_little_memory(tile):
    """All pairs of 20 wires: one table for all would be 2**20 numbers."""
    n = 20
    gates = [GateNumbers(Form.DIAGONAL, np.exp(1j * np.arange(4)), (a, b)) for a in range(n) for b in range(a + 1, n)]
    tracemalloc.start()
    try:
        bound_phases(gates, range(tile), range(n))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 * 2**20


def test_a_layout_that_changes_later_changes_no_phases():
    """The places are those that the wires had when the phases were made."""
    n = 11
    place = list(range(n))
    data = np.exp(1j * np.random.default_rng(1).uniform(-3, 3, 2**n))
    for k in (2, n):
        phases = bound_phases([GateNumbers(Form.DIAGONAL, data[: 2**k], tuple(range(n - k, n)))], [0], place)
        place.reverse()
        tile = np.ones(2, complex)
        phases.apply(tile[None], 2 ** (n - 1))
        place.reverse()
        one = 2 ** (k - 1)  # the last wire is 1
        assert np.allclose(tile, data[[one, one + 1]] if k == n else data[[one, one]])


# Products.


@pytest.mark.parametrize("seed", range(40))
def test_the_matrices_of_a_product(seed):
    """For each value of the selectors, what the gates do to the wires, in their order."""
    random = np.random.default_rng(seed)
    k, d = int(random.integers(1, 5)), int(random.integers(0, 4))
    names = random.permutation(20)[: k + d].tolist()
    wires, selectors = names[:k], names[k:]
    gates = []
    for _ in range(int(random.integers(1, 7))):
        width = int(random.integers(1, min(k, 3) + 1))
        own = random.permutation(wires)[:width].tolist()
        chosen = random.permutation(selectors)[: int(random.integers(0, d + 1))].tolist()
        as_control, as_target = chosen[: len(chosen) // 2], chosen[len(chosen) // 2 :]
        actions = "".join(random.choice(["Z", "X", "G"], width))
        matrix = random_of_actions(random, "Z" * len(as_target) + actions)
        state = int(random.integers(2 ** len(as_control)))
        gates.append(GateNumbers(Form.MATRIX, matrix, (*as_target, *own), tuple(as_control), state))
        gates.append(GateNumbers(Form.PERMUTATION, random.permutation(2**width), tuple(own), tuple(chosen)))
        gates.append(GateNumbers(Form.DIAGONAL, np.exp(1j * random.uniform(-3, 3, 2)), (names[0],), tuple(chosen)))
    matrices = product_matrices(gates, wires, selectors)
    assert matrices.shape == (2**d, 2**k, 2**k)
    place = {wire: j for j, wire in enumerate([*wires, *selectors])}
    for value in range(2**d):
        for column in range(2**k):
            vector = np.zeros(2 ** (k + d), complex)
            vector[column + 2**k * value] = 1
            for each in gates:
                targets, controls = ([place[wire] for wire in group] for group in (each.targets, each.controls))
                vector = applied(vector, matrix_of(each.form, each.data), targets, controls, each.control_state)
            want = np.zeros((2**d, 2**k), complex)
            want[value] = matrices[value, :, column]
            assert np.allclose(vector, want.reshape(-1), atol=1e-12)


# Eigenvectors.

PAULI_X, PAULI_Z = np.array([[0, 1], [1, 0]]), np.diag([1, -1])
SWAP = matrix_of(Form.PERMUTATION, [0, 2, 1, 3])
ISWAP = np.diag([1, 0, 0, 1]) + 1j * (SWAP - np.diag([1, 0, 0, 1]))


def of_eigenvalues(*angles, seed=0):
    vectors = reference.random_unitary(len(angles), seed)
    return vectors * np.exp(1j * np.array(angles)) @ vectors.conj().T


UNITARIES = {
    "identity": np.eye(4),
    "a phase": np.eye(2) * np.exp(0.3j),
    "-1": -np.eye(2),
    "Z": PAULI_Z,
    "X": PAULI_X,
    "Y": np.array([[0, -1j], [1j, 0]]),
    "H": HADAMARD,
    "S": np.diag([1, 1j]),
    "SX": np.array([[1 + 1j, 1 - 1j], [1 - 1j, 1 + 1j]]) / 2,
    "SWAP": SWAP,
    "iSWAP": ISWAP,
    "CX": matrix_of(Form.PERMUTATION, [0, 3, 2, 1]),
    "iSWAP on SWAP": np.kron(ISWAP, SWAP),
    "X on X on Z": np.kron(PAULI_X, np.kron(PAULI_X, PAULI_Z)),
    "H on H": np.kron(HADAMARD, HADAMARD),
    "a cycle": matrix_of(Form.PERMUTATION, [1, 2, 3, 4, 5, 6, 7, 0]),
    "one eigenvalue thrice": of_eigenvalues(0.5, 0.5, 0.5, 2.0),
    "two eigenvalues twice": of_eigenvalues(0.5, 0.5, -2.0, -2.0),
    "eigenvalues close together": of_eigenvalues(0.5, 0.5 + 1e-9, 0.5 - 1e-7, 0.5 + 1e-12),
    "conjugate eigenvalues": of_eigenvalues(0.5, -0.5, 1.5, -1.5),
    "a rotation about Y": np.array([[np.cos(1), -np.sin(1)], [np.sin(1), np.cos(1)]]),
    "a reflection": of_eigenvalues(0, 0, 0, 0, 0, 0, 0, np.pi),
    **{f"random of {2**k}": reference.random_unitary(2**k, k) for k in range(1, 7)},
}


def check_eigen(chosen, tolerance=1e-12):
    """Put together again what was taken apart."""
    parts = [
        numbers_of(PlannedGate(part, chosen.targets, chosen.controls, ()), chosen)
        for part in (Part.INTO_EIGENBASIS, Part.EIGENVALUES, Part.OUT_OF_EIGENBASIS)
    ]
    into, values, out = (matrix_of(part.form, part.data) for part in parts)
    assert np.allclose(out @ out.conj().T, np.eye(len(out)), rtol=0, atol=tolerance)
    assert np.allclose(into, out.conj().T, rtol=0, atol=tolerance)
    assert np.allclose(abs(np.diag(values)), 1, rtol=0, atol=tolerance)
    whole = matrix_of(chosen.form, chosen.data)
    assert np.allclose(out @ values @ into, whole, rtol=0, atol=tolerance)
    assert [part.controls for part in parts] == [(), chosen.controls, ()]
    assert parts[1].control_state == chosen.control_state


@pytest.mark.parametrize("name", UNITARIES)
def test_a_unitary_is_put_together_from_its_eigenvectors_and_values(name):
    matrix = UNITARIES[name]
    k = len(matrix).bit_length() - 1
    check_eigen(gate(Form.MATRIX, matrix, range(k), (7, 8, 9), 0b010))


@pytest.mark.parametrize(
    "data", [[1, 0], [0, 2, 1, 3], [1, 2, 3, 0], [0, 3, 2, 1], [1, 0, 3, 2], [7, 6, 5, 4, 3, 2, 1, 0]]
)
def test_a_permutation_is_put_together_from_its_eigenvectors_and_values(data):
    check_eigen(gate(Form.PERMUTATION, data, range(len(data).bit_length() - 1), (7, 8, 9), 0b111))


@pytest.mark.parametrize("actions", ["X", "XX", "XXX", "ZX", "XG", "ZGX"])
def test_a_gate_of_given_actions_is_put_together_from_its_eigenvectors_and_values(actions):
    for seed in range(5):
        matrix = random_of_actions(np.random.default_rng(seed), actions)
        check_eigen(gate(Form.MATRIX, matrix, range(len(actions)), (7, 8, 9), actions=actions))


@pytest.mark.parametrize("distance", [0, 1e-15, 1e-12, 1e-9, 1e-6, 1e-4])
def test_eigenvalues_that_lie_symmetrically_about_the_angle_turned_by(distance):
    """Two angles whose sum is 1.478, as those of U(theta, 1.478, 0) are."""
    turn = unitaries._TURNS[0]
    for angle in (0.1, 1.0, 2.0):
        two = of_eigenvalues(turn + angle, turn - angle + distance)
        check_eigen(gate(Form.MATRIX, two, (0,), (7, 8, 9)))
        four = of_eigenvalues(turn + angle, 0.2, turn - angle + distance, 0.4)
        check_eigen(gate(Form.MATRIX, four, (0, 1), (7, 8, 9)))
