"""Gates as operations on registers, and permutations of basis states as maps over GF(2)."""

import itertools

import numpy as np
import pytest

import reference
from basicaer.devices.gpu.affine import Affine, affine_rows
from basicaer.devices.gpu.merging import Owed, StageOperations
from basicaer.devices.gpu.operations import Diagonal, Factors, Flip, Matrix, Rotation, Table
from basicaer.devices.gpu.rewriting import is_wide, without_known
from basicaer.devices.gpu.tape import Tape
from basicaer.devices.numbers import GateNumbers
from basicaer.engine.device import SegmentBatch
from basicaer.engine.plan import PlannedGate
from basicaer.engine.program import Form, Gate, Segment
from basicaer.options import Precision
from conftest import TINY_SHAPES

H = np.array([[1, 1], [1, -1]]) / np.sqrt(2)
X = np.array([1, 0])
SHAPE = TINY_SHAPES[Precision.DOUBLE]


def matrix(data, *targets, controls=(), state=None):
    state = 2 ** len(controls) - 1 if state is None else state
    return GateNumbers(Form.MATRIX, np.asarray(data, complex), targets, controls, state)


def diagonal(data, *targets, controls=(), state=None):
    state = 2 ** len(controls) - 1 if state is None else state
    return GateNumbers(Form.DIAGONAL, np.asarray(data, complex), targets, controls, state)


def flip(target, *controls):
    return GateNumbers(Form.PERMUTATION, X, (target,), controls, 2 ** len(controls) - 1)


class Stage:
    """The operations of a stage, the product that is left to multiply by, and the value of any product."""

    def __init__(self, registers, gates):
        made = [Gate("g", "G" * len(gate.targets), gate.targets, gate.form, gate.data) for gate in gates]
        self.tape = Tape(SegmentBatch(Segment(tuple(made)), (), 1), any_angle=False)
        stage, owed = StageOperations(registers, self.tape), Owed(self.tape)
        for number, gate in enumerate(gates):
            data = gate.data
            if gate.form is not Form.PERMUTATION:
                planned = PlannedGate.whole(made[number].target_actions, gate.targets, ())
                data = self.tape.leaves(planned, number, data, np.arange(data.size).reshape(data.shape))
            stage.add(gate._replace(data=data))
        self.operations = stage.operations(owed)
        self.owed = self.value(owed.paid())

    def value(self, product):
        return self.tape.values[0, list(product)].prod()


def operations_of(registers, *gates):
    """Return the operations of a stage, and the factor that is left to multiply by."""
    stage = Stage(registers, gates)
    return stage.operations, stage.owed


def mixing(registers, *gates):
    """Return the operations of a stage that do not act diagonally."""
    return [one for one in operations_of(registers, *gates)[0] if one.changed]


def applied(stage, vector):
    """What the operations of a stage do to a vector, by the slow way."""
    n = len(vector).bit_length() - 1
    for operation in stage.operations:
        match operation:
            case Matrix(wires, entries, condition):
                numbers = np.array([[stage.value(entry) for entry in row] for row in entries])
                vector = conditioned(vector, numbers, wires, condition)
            case Rotation(wire, turn):
                tangent = stage.value((turn.tangent,))
                vector = reference.apply(vector, np.array([[1, -tangent], [tangent, 1]]), (wire,))
            case Flip(wire, condition, parity, value):
                acts = [
                    all(reference.bit(i, w) == v for w, v in condition.items())
                    and sum(reference.bit(i, w) for w in parity) % 2 == value
                    for i in range(2**n)
                ]
                vector = vector[[i ^ 2**wire if act else i for i, act in enumerate(acts)]]
            case Table(wires, factors, condition):
                vector = conditioned(vector, np.diag(stage.tape.values[0, factors]), wires, condition)
            case Diagonal(factors):
                for condition, factor in factors:
                    holds = [all(reference.bit(i, w) == v for w, v in condition.items()) for i in range(2**n)]
                    vector = np.where(holds, stage.value(factor), 1) * vector
            case Factors(inside, factors):
                for condition, factor in factors:
                    on = inside | condition
                    holds = [all(reference.bit(i, w) == v for w, v in on.items()) for i in range(2**n)]
                    vector = np.where(holds, stage.value(factor), 1) * vector
    return vector


def conditioned(vector, numbers, wires, condition):
    state = sum(int(value) * 2**j for j, value in enumerate(condition.values()))
    return reference.apply(vector, numbers, wires, tuple(condition), state)


def as_matrix(gate):
    if gate.form is Form.DIAGONAL:
        return np.diag(gate.data)
    if gate.form is Form.PERMUTATION:
        result = np.zeros((len(gate.data),) * 2)
        result[gate.data, np.arange(len(gate.data))] = 1
        return result
    return gate.data


def test_matrices_on_one_wire_and_on_two_become_one():
    u = reference.random_unitary(4, 1)
    (one,) = mixing((0, 1), matrix(H, 0), matrix(u, 1, 0), matrix(H, 1), diagonal([1, 1j], 0))
    assert isinstance(one, Matrix)
    assert set(one.wires) == {0, 1}


def test_a_matrix_does_not_pass_what_it_does_not_commute_with():
    found = mixing((0, 1), matrix(H, 0), flip(1, 0), matrix(H, 0))
    assert [type(operation) for operation in found] == [Rotation, Flip, Rotation]


def test_phases_that_act_on_the_same_amplitudes_are_one_product():
    gates = [diagonal([1, np.exp(0.1j * q)], q, controls=(0,)) for q in range(2, 6)]
    found, _ = operations_of((0, 1), *gates)
    assert [type(operation) for operation in found] == [Factors]
    assert found[0].inside == {0: True}
    assert len(found[0].factors) == 4


def sum_flip(target, *controls):
    return Flip(target, {}, frozenset(controls), value=True)


def test_flips_of_a_wire_by_single_controls_are_one():
    """Whatever is between them, if it commutes; two by the same control are none, one by 1 and X are one by 0."""
    gates = [flip(0, 3), flip(1, 3), flip(0, 4), diagonal([1, 1j], 3), flip(1, 2), flip(0), flip(0, 3)]
    first, second = mixing((0, 1), *gates)
    assert first == Flip(0, {}, frozenset({4}), value=False)
    assert second == sum_flip(1, 2, 3)
    assert mixing((0, 1), flip(0), flip(1, 2), flip(0)) == [sum_flip(1, 2)]
    assert mixing((0, 1), flip(0, 2, 3), flip(0, 2, 3)) == []
    assert len(mixing((0, 1), flip(0, 2, 3), flip(0, 2))) == 2


@pytest.mark.parametrize(
    "between", [flip(1, 0), matrix(H, 0), matrix(H, 1), matrix(H, 3, controls=(0,)), diagonal([1, 1j], 0)]
)
def test_a_flip_does_not_pass_what_it_does_not_commute_with(between):
    found, _ = operations_of((0, 1, 2, 3), flip(0, 1), between, flip(0, 1))
    assert sum(isinstance(operation, Flip) for operation in found) == 2 + (between.form is Form.PERMUTATION)
    assert isinstance(found[0], Flip)


def test_phases_everywhere_are_taken_out():
    assert operations_of((0, 1), diagonal([1j, 1j], 4)) == ([], 1j)


def test_a_diagonal_on_many_wires_is_a_table():
    data = np.exp(1j * np.arange(32))
    ((table,), _) = operations_of((0, 1), diagonal(data, 0, 3, 4, 2, 5))
    assert isinstance(table, Table)


@pytest.mark.parametrize("seed", range(60))
def test_operations_do_what_the_gates_do(seed):
    random = np.random.default_rng(seed)
    n, registers = 5, tuple(int(w) for w in random.permutation(5)[:3])
    gates = []
    for _ in range(14):
        inside = [int(w) for w in random.permutation(registers)]
        wires = [int(w) for w in random.permutation(n)]
        others = [w for w in wires if w not in inside[:2]]
        controls = tuple(others[: random.integers(0, 3)])
        state = int(random.integers(0, 2 ** len(controls)))
        kind = random.integers(0, 6)
        if kind == 0:
            gates.append(matrix(reference.random_unitary(2, seed), inside[0], controls=controls, state=state))
        elif kind == 1:
            gates.append(matrix(reference.random_unitary(4, seed), *inside[:2], controls=controls, state=state))
        elif kind == 2:
            gates.append(GateNumbers(Form.PERMUTATION, X, (inside[0],), controls, state))
        elif kind == 3:
            gates.append(GateNumbers(Form.PERMUTATION, random.permutation(4), tuple(inside[:2]), controls, state))
        else:
            size = int(random.integers(0, 4))
            controls = tuple(wires[size : size + len(controls)])
            phases = np.exp(1j * random.normal(size=2**size))
            gates.append(diagonal(phases, *wires[:size], controls=controls, state=state % 2 ** len(controls)))
    vector = want = reference.random_state(n, seed)
    for gate in gates:
        want = reference.apply(want, as_matrix(gate), gate.targets, gate.controls, gate.control_state)
    check(registers, gates, vector, want)


def check(registers, gates, vector, want):
    stage = Stage(registers, gates)
    assert np.allclose(stage.owed * applied(stage, vector), want, atol=1e-12)


def test_phases_between_the_same_matrices_are_one_diagonal():
    phases = [diagonal([1, 1, 1, 1j**q], q, (q + 1) % 3) for q in range(3)]
    rotations = [matrix(H, q) for q in range(3)]
    woven = [rotations[0], rotations[1], phases[0], rotations[2], phases[1], phases[2], *rotations]
    kinds = [type(operation) for operation in operations_of((0, 1, 2), *woven)[0]]
    assert kinds == [*[Rotation] * 3, Diagonal, *[Rotation] * 3, Diagonal]


def test_what_waits_for_a_later_round_is_not_overtaken():
    """A phase on wires 0 and 1 comes after two rounds of wire 1; X-like gates on wire 0 must not go before it."""
    gates = [matrix(H, 1), diagonal([1, 1j], 1), matrix(H, 1), diagonal([1, 1, 1, 1j], 0, 1)]
    gates += [diagonal([1, 1j], 0), matrix(H, 0)]
    vector = want = reference.random_state(2, 5)
    for gate in gates:
        want = reference.apply(want, as_matrix(gate), gate.targets)
    check((0, 1), gates, vector, want)


@pytest.mark.parametrize("value", [False, True])
def test_wires_of_known_value_are_left_out(value):
    data = np.arange(8) + 3  # places on a tape
    gate = GateNumbers(Form.DIAGONAL, data, (0, 1, 2), (3, 4), 0b01)
    rest = without_known(gate, {1: value, 4: False})
    assert rest.targets == (0, 2)
    assert np.array_equal(rest.data, data.reshape(2, 2, 2)[:, int(value)].reshape(-1))
    assert (rest.controls, rest.control_state) == ((3,), 1)
    assert without_known(gate, {4: True}) is None


@pytest.mark.parametrize("wires", range(1, 4))
def test_every_affine_permutation_is_known_for_one_and_no_other(wires):
    found = 0
    for order in itertools.islice(itertools.permutations(range(2**wires)), 0, None, 1 if wires < 3 else 7):
        goes_to = np.array(order)
        rows = affine_rows(goes_to)
        linear = all(order[i ^ j] == order[i] ^ order[j] ^ order[0] for i in range(2**wires) for j in range(2**wires))
        assert (rows is not None) == linear
        for i in range(2**wires) if rows else ():
            bits = [((i & mask).bit_count() + flipped) % 2 for mask, flipped in rows]
            assert sum(bit * 2**j for j, bit in enumerate(bits)) == order[i]
        found += linear
    assert found


def moved(affine, place, i, wires, outside):
    """Where an amplitude at logical index i goes: its place after the permutation."""
    columns, flipped = affine.images(place)
    to = flipped
    for wire in (*wires, *outside):
        if reference.bit(i, wire):
            to ^= columns.get(wire, 0)
    return to


@pytest.mark.parametrize("seed", range(20))
def test_affine_maps_follow_gates_and_undo_them(seed):
    random = np.random.default_rng(seed)
    wires, outside, n = (0, 2, 3, 5), (1, 4), 6
    affine, maps = Affine(wires), np.arange(2**n)
    for _ in range(12):
        target = int(random.choice(wires))
        control = int(random.choice([w for w in range(n) if w != target]))
        value = bool(random.integers(2))
        if random.integers(3):
            affine.flip(target, {control: value})
            maps = np.array([i ^ 2**target if reference.bit(i, control) == value else i for i in maps])
        else:
            affine.flip(target, {})
            maps ^= 2**target
    place = {wire: 2**number for number, wire in enumerate(wires)}
    columns, flipped = affine.sources(place)
    for i in range(2**n):
        want = sum(place[wire] for wire in wires if reference.bit(int(maps[i]), wire))
        assert moved(affine, place, i, wires, outside) == want
        back = flipped
        for wire in range(n):
            if reference.bit(int(maps[i]), wire):
                back ^= columns.get(wire, 0)
        assert back == sum(place[wire] for wire in wires if reference.bit(i, wire))


def test_gates_that_need_a_launch_of_their_own():
    assert not is_wide(matrix(np.eye(4), 0, 1, controls=(2,)), SHAPE)
    assert is_wide(matrix(np.eye(8), 0, 1, 2), SHAPE)
    assert not is_wide(diagonal(np.ones(64), *range(6)), SHAPE)
    shift = GateNumbers(Form.PERMUTATION, np.arange(8) ^ 5, (0, 1, 2))
    assert not is_wide(shift, SHAPE)
    assert is_wide(shift._replace(controls=(3,)), SHAPE)
    assert is_wide(shift._replace(data=np.array([1, 0, 2, 3, 4, 5, 6, 7])), SHAPE)
