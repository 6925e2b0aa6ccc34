"""Plans of the GPU that are bound again to other numbers of the same gates: from a record, which knows its limits."""

import numpy as np
import pytest

import reference
from basicaer.devices.gpu import amplitudes, recipes
from basicaer.devices.gpu.binding import recorded
from basicaer.devices.gpu.device import CupyDevice
from basicaer.engine.device import SegmentBatch, segment_batch
from basicaer.engine.program import Form, Gate, Segment
from basicaer.options import Precision
from basicaer.plan.planner import plan_segment
from conftest import TINY_SHAPES, new_emulated_cupy
from emulated_gpu import why_unavailable
from plan_checks import in_program_order

pytestmark = pytest.mark.skipif(why_unavailable() is not None, reason=f"kernels cannot run here: {why_unavailable()}")

N = 5
X = np.array([1, 0])


def rotation(axis, angle):
    c, s = np.cos(angle / 2), np.sin(angle / 2)
    return np.array({"X": [[c, -1j * s], [-1j * s, c]], "Y": [[c, -s], [s, c]]}[axis], complex)


def circuit(angles):
    """Rotations, phases and CX by 3 * N angles; most gates differ between circuits of other angles."""
    gates = []
    for q in range(N):
        other = (q + 1) % N
        one, two, three = angles[3 * q : 3 * q + 3]
        gates += [
            Gate("ry", "G", (q,), Form.MATRIX, rotation("Y", one)),
            Gate("rz", "Z", (q,), Form.DIAGONAL, np.exp(1j * np.array([-two, two]))),
            Gate("cx", "X", (other,), Form.PERMUTATION, X, (q,), 1),
            Gate("rzz", "ZZ", (q, other), Form.DIAGONAL, np.exp(1j * two * np.array([-1, 1, 1, -1]))),
            Gate("h", "G", (other,), Form.MATRIX, np.array([[1, 1], [1, -1]]) / np.sqrt(2) + 0j),
            Gate("rxx", "XX", (q, other), Form.MATRIX, np.kron(rotation("X", 0), rotation("X", three))),
            Gate("crx", "X", (q,), Form.MATRIX, rotation("X", three), (other,), 0),
            Gate("u", "GG", (other, q), Form.MATRIX, reference.random_unitary(4, q)),
        ]
    return gates


@pytest.fixture(params=["any angle", "like angles"])
def kind(request, monkeypatch):
    if request.param == "like angles":
        monkeypatch.setattr(amplitudes, "_LARGE_AMPLITUDES", 0)
    return request.param


@pytest.fixture
def times_recorded(monkeypatch):
    """A list that has an item for each plan that is recorded."""
    found = []
    real = amplitudes.recorded
    monkeypatch.setattr(amplitudes, "recorded", lambda *given, **keys: found.append(1) or real(*given, **keys))
    return found


class Bound:
    """A circuit's structure on a device, run with one list of angles after another."""

    def __init__(self, template):
        self.device = CupyDevice(cupy=new_emulated_cupy(), shapes=TINY_SHAPES)
        self.template = Segment(tuple(template))
        self.plan = plan_segment(self.template, N, self.device.costs(N, Precision.DOUBLE))

    def check(self, *circuits):
        """Run circuits as one batch, with the template, and compare them with naive application of their gates."""
        segments = segment_batch([Segment(tuple(gates)) for gates in circuits])
        differ = [g for g, gate in enumerate(self.template.gates) if gate.name not in {"cx", "h", "u"}]
        groups = [([g], np.array([gates[g].data for gates in circuits])[:, None]) for g in differ]
        batch = self.device.new_batch(N, Precision.DOUBLE, len(circuits))
        batch.run(SegmentBatch(self.template, groups, len(segments)), self.plan)
        for number, gates in enumerate(circuits):
            want = in_program_order(gates, reference.zero(N))
            assert np.allclose(batch.state(number).amplitudes(), want, atol=1e-12)


def like(angles, seed, most=0.01):
    return angles + np.random.default_rng(seed).uniform(-most, most, len(angles))


ANGLES = np.random.default_rng(3).uniform(0.2, 1.3, 3 * N)


@pytest.mark.parametrize("sets", [1, 3])
def test_other_numbers_are_bound_from_the_record(kind, times_recorded, sets):
    bound = Bound(circuit(ANGLES))
    for seed in range(4):
        bound.check(*(circuit(like(ANGLES, [seed, number])) for number in range(sets)))
    assert len(times_recorded) == 1


def test_one_record_is_good_for_any_angles(times_recorded):
    bound = Bound(circuit(ANGLES))
    for seed in range(6):
        bound.check(circuit(like(ANGLES, seed, 7)))
    assert len(times_recorded) == 1


@pytest.mark.parametrize("first", [0, np.pi / 2, np.pi, 2 * np.pi])
@pytest.mark.parametrize("then", [0, 1e-9, np.pi / 2, 3, np.pi, 2 * np.pi])
def test_special_angles_are_right_before_and_after_others(kind, first, then):
    """A number that is 1 or 0 once may be another next time, and a rotation may be beyond a quarter turn."""
    bound = Bound(circuit(ANGLES))
    for angles in (np.full(3 * N, first), np.full(3 * N, then), ANGLES):
        bound.check(circuit(angles))


def test_records_for_unlike_angles_are_kept_beside_each_other(times_recorded, monkeypatch):
    monkeypatch.setattr(amplitudes, "_LARGE_AMPLITUDES", 0)
    bound = Bound(circuit(ANGLES))
    for angle in (0.5, 3, 0.6, 3.1):  # gentle and steep rotations
        bound.check(circuit(np.full(3 * N, angle)))
    assert len(times_recorded) == 2


def test_matrices_that_were_unitary_may_be_others(kind):
    """As when a trajectory of noise draws another operator."""
    bound = Bound(circuit(ANGLES))
    bound.check(circuit(ANGLES))
    weak = circuit(ANGLES)
    weak[0] = weak[0]._replace(data=np.diag([1, 0.5]) + 0j)
    weak[1] = weak[1]._replace(data=np.array([1, 0], complex))
    weak[8] = weak[8]._replace(data=1e-7 * weak[8].data)
    bound.check(weak)
    bound.check(circuit(ANGLES + 0.1))


def test_many_sets_are_bound_in_parts(monkeypatch, times_recorded):
    bound = Bound(circuit(ANGLES))
    bound.check(circuit(ANGLES))
    monkeypatch.setattr(recipes, "_VALUES_AT_ONCE", 1)
    bound.check(*(circuit(like(ANGLES, number, 3)) for number in range(5)))
    monkeypatch.setattr(amplitudes, "_MOST_NUMBERS", 1)
    bound.check(*(circuit(like(ANGLES, number, 3)) for number in range(5)))
    assert len(times_recorded) == 1


def test_a_gate_by_itself_is_bound_anew(times_recorded):
    def gates(seed):
        wide = Gate("wide", "GGG", (0, 2, 4), Form.MATRIX, reference.random_unitary(8, seed))
        return [*circuit(like(ANGLES, seed)), wide]

    bound = Bound(gates(0))
    for seed in range(3):
        bound.check(gates(seed))
    assert len(times_recorded) == 3


def test_binding_again_takes_few_steps_whatever_the_number_of_gates():
    """Each step makes all numbers of a kind at once, so its cost is that of NumPy, not of Python for each gate."""

    def steps(rounds):
        gates = [gate for seed in range(rounds) for gate in circuit(like(ANGLES, seed)) if gate.name != "rxx"]
        template = Segment(tuple(gates))
        groups = [
            ([g], gate.data[None, None]) for g, gate in enumerate(gates) if gate.name[0] in "rc" and gate.name != "cx"
        ]
        device = CupyDevice(cupy=new_emulated_cupy(), shapes=TINY_SHAPES)
        plan = plan_segment(template, N, device.costs(N, Precision.DOUBLE))
        recipe = recorded(
            plan,
            SegmentBatch(template, groups, 1),
            TINY_SHAPES[Precision.DOUBLE],
            range(N),
            frozenset(),
            any_angle=True,
        )
        return len(recipe._steps)

    assert steps(1) <= steps(8) <= 12
