"""Matrices on one wire as rotations, and wires that are renamed instead of moved."""

import itertools

import numpy as np
import pytest

import reference
from basicaer.devices.gpu.device import CupyDevice
from basicaer.devices.gpu.frames import Frame
from basicaer.devices.gpu.turning import TurnKind, kinds_of, turn_numbers
from basicaer.engine.program import Form, Gate, Segment
from basicaer.options import Precision
from basicaer.plan.planner import plan_segment
from conftest import TINY_SHAPES
from emulated_gpu import EmulatedCupy, why_unavailable

ANGLES = [0, 1e-9, 0.3, np.pi / 2, 2, 3.1, np.pi - 1e-9, np.pi, np.pi + 1e-9, 4, 2 * np.pi]
H = np.array([[1, 1], [1, -1]]) / np.sqrt(2)
X = np.array([1, 0])


def about(axis, angle):
    c, s = np.cos(angle / 2), np.sin(angle / 2)
    return np.array([[c, -1j * s], [-1j * s, c]] if axis == "X" else [[c, -s], [s, c]])


def turned(matrix, *, any_angle=False):
    """Return the kind of the turn of a matrix, given for each set as ``matrix[row, column, s]``, and its numbers."""
    rows = [numbers[:, None] for numbers in matrix.reshape(4, -1)]
    (kind,) = kinds_of(rows, any_angle=any_angle)
    return kind, kind and [numbers[:, 0] for numbers in turn_numbers(kind, rows)]


def matrix_of(kind, numbers):
    """Return what a turn stands for, whose rotation may be two shears after a factor where the wire is 0."""
    scale, before, after, tangent, more, shear = numbers
    rotation = np.array([[1, -tangent], [tangent, 1]])
    sheared = np.array([[1, shear.real], [0, 1]]) @ np.array([[1, 0], [shear.imag, 1]]) @ np.diag([more, 1])
    assert np.allclose(sheared, rotation, atol=1e-14)
    rotation = np.linalg.matrix_power(rotation, kind.times)
    flip = np.eye(2)[::-1] if kind.flips else np.eye(2)
    return scale * np.diag([1, after]) @ flip @ rotation @ np.diag([1, before])


SINGLE = [
    *(reference.random_unitary(2, seed) for seed in range(20)),
    *(about(axis, angle) for axis in "XY" for angle in ANGLES),
    *(H, np.eye(2), np.eye(2)[::-1], np.diag([1j, -1])),
]
TOGETHER = [*(np.stack([about(axis, angle) for angle in ANGLES], -1) for axis in "XY"), np.stack(SINGLE, -1)]


@pytest.mark.parametrize("matrix", [*(np.asarray(one, complex)[..., None] for one in SINGLE), *TOGETHER])
def test_a_unitary_matrix_is_a_turn_whose_tangent_is_at_most_one(matrix):
    for any_angle in (False, True):
        kind, numbers = turned(matrix, any_angle=any_angle)
        assert (abs(numbers[3]) <= 1 + 1e-9).all()
        for number, own in enumerate(zip(*numbers, strict=True)):
            assert np.allclose(matrix_of(kind, own), matrix[..., number], atol=1e-14)
    assert kind is TurnKind.HALVED


@pytest.mark.parametrize("matrix", [np.diag([1, 0.5]), np.ones((2, 2)), np.zeros((2, 2)), [[1, 2], [-1, 2]]])
def test_another_matrix_is_no_turn(matrix):
    kind, _ = turned(np.asarray(matrix, complex))
    assert kind is None


def test_diagonals_between_rotations_about_one_axis_cancel():
    for axis, (one, other) in itertools.product("XY", itertools.permutations((0.3, -0.2, 1.5), 2)):
        (_, _, after, *_), (_, before, *_) = (turned(about(axis, angle).astype(complex))[1] for angle in (one, other))
        assert np.allclose(after * before, 1)


def values_in(frame, register):
    return [reference.bit(frame.ones(wire), register) for wire in range(len(frame.rows))]


@pytest.mark.parametrize("seed", range(10))
def test_a_frame_says_where_amplitudes_are(seed):
    """Register r of a thread holds what flips would have moved elsewhere, and its place follows from its wires."""
    random = np.random.default_rng(seed)
    bits, threads = 4, 3
    frame = Frame(bits)
    moved = {(r, t): r for r in range(2**bits) for t in range(2**threads)}  # [r, t] = the values, moved step by step
    for _ in range(12):
        wire, *others = (int(one) for one in random.permutation(bits)[: random.integers(1, bits + 1)])
        flip, thread = bool(random.integers(2)), int(random.integers(2**threads))
        frame.add(wire, others, flip=flip)
        frame.turn_view(wire, thread, 0)
        for (r, t), values in moved.items():
            odd = sum(reference.bit(values, other) for other in others) + flip + (thread & t).bit_count()
            moved[r, t] = values ^ (odd % 2) << wire
    view = {
        t: sum((mask & t).bit_count() % 2 << b for b, mask in enumerate(frame.of_thread)) for t in range(2**threads)
    }
    columns = [3, 5, 17, 40]
    register, thread, block, flip = frame.seen(columns)
    assert not any(block)
    for (r, t), values in moved.items():
        assert values_in(frame, r ^ view[t]) == [reference.bit(values, wire) for wire in range(bits)]
        place = np.bitwise_xor.reduce([0, *(columns[wire] for wire in range(bits) if reference.bit(values, wire))])
        known = [column for b, column in enumerate(register) if reference.bit(r, b)]
        known += [column for b, column in enumerate(thread) if reference.bit(t, b)]
        assert np.bitwise_xor.reduce([flip, *known]) == place
    for wire in range(bits):
        differ = [a != b for a, b in zip(values_in(frame, 0), values_in(frame, frame.partners[wire]), strict=True)]
        assert differ == [other == wire for other in range(bits)]


@pytest.mark.skipif(why_unavailable() is not None, reason=why_unavailable() or "")
@pytest.mark.parametrize(
    ("between", "axis", "angle"),
    [
        *(("phases", "both", angle) for angle in (2, 3.1, np.pi - 1e-9, np.pi, np.pi + 1e-9)),
        *(("flips", axis, np.pi / 2) for axis in "XY"),
    ],
)
def test_a_thousand_rotations_of_a_pass_stay_in_range(between, axis, angle, precision):
    """What is between them keeps them from becoming one matrix, and phases also make up for their scales at once."""
    n, wires = 3, (0, 1)
    gates = []
    for number in range(1000):
        matrix = about("XY"[number % 2] if axis == "both" else axis, angle)
        gates.append(Gate("r", "G", (wires[number % 2],), Form.MATRIX, matrix))
        if between == "phases":
            gates.append(Gate("p", "ZZ", wires, Form.DIAGONAL, np.exp(1j * np.array([0, 0.1, 0.2, number]))))
        else:
            gates.append(Gate("cx", "X", (wires[1 - number % 2],), Form.PERMUTATION, X, (wires[number % 2],), 1))
    segment = Segment(tuple(gates))
    device = CupyDevice(cupy=EmulatedCupy(), shapes=TINY_SHAPES)
    state = device.new_state(n, precision)
    want = reference.random_state(n, 1)
    state.load(want)
    state.run(segment, plan_segment(segment, n, device.costs(n, precision)))
    for gate in gates:
        numbers = {Form.DIAGONAL: np.diag, Form.PERMUTATION: lambda data: np.eye(2)[data]}.get(gate.form, np.asarray)
        want = reference.apply(want, numbers(gate.data), gate.targets, gate.controls, gate.control_state)
    assert np.allclose(state.amplitudes(), want, atol=1e-11 if precision is Precision.DOUBLE else 1e-3)
