"""The way back through gates on the GPU: what is read for sums, and how often it stops."""

import numpy as np
import pytest
from qiskit.circuit.library import efficient_su2

import reference
from basicaer import gradient
from basicaer.compile.gates import BY_NAME
from basicaer.devices.gpu import adjoint, amplitudes, pauli_groups
from basicaer.devices.gpu.card import Queue
from basicaer.devices.gpu.device import CupyDevice
from basicaer.devices.gpu.stops import stops
from basicaer.engine.device import SegmentBatch
from basicaer.engine.program import Form, Gate, Segment
from basicaer.gradients import running
from basicaer.options import Precision
from basicaer.plan.planner import plan_segment
from conftest import TINY_SHAPES
from emulated_gpu import EmulatedCupy, why_unavailable
from gpu_traffic import SECTOR_BYTES
from test_undoing import expected_sums, generators_of, random_gates

pytestmark = pytest.mark.skipif(why_unavailable() is not None, reason=f"kernels cannot run here: {why_unavailable()}")


def gate(name, qubits, *angles):
    record = BY_NAME[name]
    controls, targets = tuple(qubits[: record.controls]), tuple(qubits[record.controls :])
    data = record.data(np.array(angles))
    return Gate(name, record.target_actions, targets, record.form, data, controls, 2 ** len(controls) - 1)


def layers(n, depth):
    """Rotations of all qubits and a chain of cx, and the angles of the rotations."""
    gates, angles = [], {}
    for layer in range(depth):
        for q in range(n):
            angles[len(gates)] = (BY_NAME["ry"], np.array([0.1 + q + layer]))
            gates.append(gate("ry", [q], 0.1 + q + layer))
        gates += [gate("cx", [q, q + 1]) for q in range(n - 1)]
    return gates, angles


def cost_layer(n):
    """The phases of an optimisation over all pairs of qubits, and rotations before and after them."""
    gates, angles = [], {}
    for q in range(n):
        angles[len(gates)] = (BY_NAME["rx"], np.array([0.3 + q]))
        gates.append(gate("rx", [q], 0.3 + q))
    for one in range(n):
        for other in range(one):
            angles[len(gates)] = (BY_NAME["rzz"], np.array([0.2 * one + other]))
            gates.append(gate("rzz", [other, one], 0.2 * one + other))
    return gates, angles


def undone(gates, angles, n, precision=Precision.DOUBLE, **how):
    """Undo gates; return the sums, and what was launched and copied meanwhile."""
    cupy = EmulatedCupy(counting=True)
    device = CupyDevice(cupy=cupy, **how)
    segment, generators = Segment(tuple(gates)), generators_of(angles)
    ket = device.new_state(n, precision)
    start, plan = ket.layout(), plan_segment(segment, n, device.costs(n, precision))
    ket.run(segment, plan)
    vector = ket.copy().amplitudes().astype(complex)
    bra = ket.operated([(0, 1), (1, 2)], np.array([0.7, 0.2]))
    want, _ = expected_sums(gates, generators, vector, [bra.copy().amplitudes().astype(complex)])
    launches, copies = len(cupy.gpu.launches), len(cupy.gpu.copies)
    sums = ket.undo([bra], segment, plan, start, generators)
    for number, own in want.items():
        assert np.allclose(sums[number][:, 0], own, rtol=0, atol=1e-12 if precision is Precision.DOUBLE else 1e-5)
    return sums, cupy.gpu.launches[launches:], cupy.gpu.copies[copies:]


def test_rotations_of_a_layer_are_summed_four_qubits_at_a_time_in_one_reading():
    n, depth = 8, 2
    gates, angles = layers(n, depth)
    _, launches, copies = undone(gates, angles, n)
    sums = [launch for launch in launches if launch.kernel.startswith("sum_transitions")]
    assert len(sums) == depth
    each = 2 * Precision.DOUBLE.amplitude_bytes * 2**n
    assert [launch.counts.bytes_loaded for launch in sums] == [each] * len(sums)  # both states, once
    assert max(launch.counts.worst_conflict_degree for launch in sums) <= 2
    passes = [launch for launch in launches if launch.kernel.startswith("run_pass")]
    assert len(passes) == 2 * (depth + 1)  # of the ket and of the bra
    to_host = [copy.bytes for copy in copies if copy.kind == "device to host"]
    assert to_host == [2 * 16 * 4**4, 16 * (4**4 + 4)]  # the matrices, and no amplitudes


@pytest.mark.parametrize("precision", Precision, ids=str)
def test_states_are_read_in_whole_pieces_for_as_many_matrices_as_fit_into_a_tile(precision):
    """Those of 13 qubits have four runs; the lowest index bits are in each tile."""
    n = 13
    gates, angles = layers(n, 1)
    _, launches, _ = undone(gates, angles, n, precision)
    sums = [launch for launch in launches if launch.kernel.startswith("sum_transitions")]
    assert len(sums) == 2
    for launch in sums:
        assert launch.counts.bytes_loaded == 2 * precision.amplitude_bytes * 2**n
        assert launch.counts.sectors_loaded * SECTOR_BYTES == launch.counts.bytes_loaded


def test_all_phases_of_a_cost_function_take_one_reading():
    n = 7
    _, launches, _ = undone(*cost_layer(n), n)
    names = [launch.kernel.partition("<")[0] for launch in launches]
    assert names.count("sum_pauli_products") == 1
    assert names.count("sum_transitions") == 1  # of the rotations


@pytest.mark.parametrize("precision", Precision, ids=str)
@pytest.mark.parametrize(("blocks", "parts", "products"), [(1, 2**21, 4096), (3, 1, 5), (1024, 2**10, 1)])
def test_blocks_and_parts_may_be_split(precision, blocks, parts, products, monkeypatch):
    monkeypatch.setattr(adjoint, "_MOST_BLOCKS", blocks)
    monkeypatch.setattr(adjoint, "MOST_PARTS", parts)
    monkeypatch.setattr(amplitudes, "MOST_PARTS", parts)
    monkeypatch.setattr(pauli_groups, "_MOST_PRODUCTS", products)
    for gates, angles in (layers(9, 1), cost_layer(9)):
        undone(gates, angles, 9, precision, shapes=TINY_SHAPES)


def test_a_set_has_the_same_sums_in_any_company():
    n, size = 9, 3
    gates, angles = layers(n, 2)
    device = CupyDevice(cupy=EmulatedCupy(), shapes=TINY_SHAPES)
    generators = generators_of(angles)
    data = np.array([[BY_NAME["ry"].data(own + 0.1 * s) for _, own in angles.values()] for s in range(size)])
    segments = SegmentBatch(Segment(tuple(gates)), [(tuple(angles), data)], size)
    masks, factors = [(3, 5), (0, 64)], np.array([[0.5, 1.0], [0.1, -1.0], [2.0, 0.3]])

    def sums_of(some, rows):
        batch = device.new_batch(n, Precision.DOUBLE, len(some))
        start = batch.layout()
        batch.run(some, plan := plan_segment(some.template, n, device.costs(n, Precision.DOUBLE)))
        return batch.undo([batch.operated(masks, rows)], some, plan, start, generators)

    together = sums_of(segments, factors)
    for s in range(size):
        alone = sums_of(segments[s : s + 1], factors[s : s + 1])
        for number, own in alone.items():
            assert np.array_equal(together[number][:, s], own[:, 0])


@pytest.mark.parametrize("seed", range(30))
def test_a_way_back_undoes_each_gate_once_and_in_an_allowed_order(seed):
    random = np.random.default_rng(seed)
    n = int(random.integers(2, 9))
    gates, angles = random_gates(random, n, 40)
    wanted = {number for number in angles if random.random() < 0.7}
    order, summed = [], []
    for stop in stops(gates, wanted, n):
        order += reversed(stop.undone)
        for number in [*stop.diagonals, *(one for run in stop.runs for one in run.gates if one in wanted)]:
            summed.append(number)
            later = [one for one in range(number + 1, len(gates)) if one not in order]
            run = next((run.gates for run in stop.runs if number in run.gates), stop.diagonals)
            for one in later:  # what is not undone yet is of the same run, or on other qubits
                assert one in run or on(gates[one]).isdisjoint(on(gates[number]))
    assert sorted(summed) == sorted(wanted)
    assert sorted(order) == list(range(len(gates)))
    for place, number in enumerate(order):
        assert all(one < number or on(gates[one]).isdisjoint(on(gates[number])) for one in order[place + 1 :])


def on(one):
    return {*one.targets, *one.controls}


def test_a_rotation_with_many_controls_is_summed_where_they_are_on():
    gates = [gate("h", [q]) for q in range(6)]
    record = BY_NAME["ry"]
    gates.append(Gate("mcry", "G", (2,), Form.MATRIX, record.data(np.array([0.4])), (5, 0, 1, 4), 0b0110))
    undone(gates, {6: (record, np.array([0.4]))}, 6)


def test_an_observable_of_many_products_reads_each_amplitude_once_for_all_that_flip_the_same():
    cupy = EmulatedCupy(counting=True)
    state = CupyDevice(cupy=cupy).new_state(8, Precision.DOUBLE)
    state.load(reference.random_state(8))
    before = len(cupy.gpu.launches)
    state.operated([(x, z) for x in (0, 5) for z in range(20)], np.ones(40))
    (launch,) = [one for one in cupy.gpu.launches[before:] if one.kernel.startswith("apply_terms")]
    assert launch.counts.bytes_loaded == 2 * Precision.DOUBLE.amplitude_bytes * 2**8
    assert launch.counts.bytes_stored == Precision.DOUBLE.amplitude_bytes * 2**8


def test_a_gradient_has_two_states_on_the_card_and_no_third(monkeypatch):
    made = []
    real = Queue.empty_state

    def noted(queue, size, dtype):
        made.append(size * np.dtype(dtype).itemsize)
        return real(queue, size, dtype)

    n = 9
    device = CupyDevice(cupy=EmulatedCupy(), shapes=TINY_SHAPES)
    monkeypatch.setattr(running, "choose_device", lambda *_, **__: (device, "a test wants it"))
    monkeypatch.setattr(Queue, "empty_state", noted)
    circuit = efficient_su2(n, reps=1)
    values = np.linspace(-1, 1, circuit.num_parameters)
    gradient(circuit, ["Z" * n, "X" * n], values, cotangent=[1.0, 0.5]).result()
    assert made == [Precision.DOUBLE.amplitude_bytes * 2**n] * 2
