"""What every device promises of `operated` and `undo`: sums for derivatives, against gates undone one by one."""

import itertools
from functools import reduce

import numpy as np
import pytest

import reference
from basicaer.compile.gates import BY_NAME, GATES
from basicaer.devices.cpu import undoing
from basicaer.devices.cpu.device import NumpyDevice
from basicaer.devices.transitions import ProductSums, SmallGate
from basicaer.engine.device import SegmentBatch
from basicaer.engine.monitor import Monitor
from basicaer.engine.program import Form, Gate, Segment
from basicaer.errors import Cancelled
from basicaer.options import Precision
from basicaer.plan.planner import plan_segment

TOLERANCE = {Precision.DOUBLE: 1e-12, Precision.SINGLE: 5e-6}
LIBRARY = [record for record in GATES if record.gate_class is not None and record.target_actions]
PAULIS = {(0, 0): np.eye(2), (1, 0): np.array([[0, 1], [1, 0]]), (0, 1): np.diag([1, -1])}
PAULIS[1, 1] = 1j * PAULIS[1, 0] @ PAULIS[0, 1]


def matrix_of(form, data):
    if form is Form.PERMUTATION:
        matrix = np.zeros((len(data), len(data)))
        matrix[data, np.arange(len(data))] = 1
        return matrix
    return np.diag(data) if form is Form.DIAGONAL else data


def random_gates(random, n, count, library=LIBRARY):
    """Gates of the table, with generators of most that have angles, and the angles of these."""
    gates, angles = [], {}
    while len(gates) < count:
        record = library[random.integers(len(library))]
        controls = int(random.integers(1, 6)) if record.controls is None else record.controls
        if controls + len(record.target_actions) > n:
            continue
        qubits = random.permutation(n)[: controls + len(record.target_actions)].tolist()
        own = random.normal(size=record.parameters)
        if len(own) and random.random() < 0.8:
            angles[len(gates)] = (record, own)
        on = qubits[:controls]
        state = int(random.integers(2**controls))
        gates.append(
            Gate(
                record.name,
                record.target_actions,
                tuple(qubits[controls:]),
                record.form,
                record.data(own),
                tuple(on),
                state,
            )
        )
    return gates, angles


def generators_of(angles):
    return {g: [one[None] for one in record.generators(own)] for g, (record, own) in angles.items()}


def expected_sums(gates, generators, ket, bras, sets=(0,)):
    """What the contract says: gates undone one by one, and <bra| A |ket> after each."""
    found = {}
    for number in reversed(range(len(gates))):
        gate = gates[number]
        on = gate.targets, gate.controls, gate.control_state
        if number in generators:
            acted = []
            for generator in generators[number]:
                matrix = matrix_of(gate.form, generator[0])
                # Where controls are off, `apply` leaves amplitudes as they are, which do not count.
                acted.append(reference.apply(ket, matrix, *on) - reference.apply(ket, 0 * matrix, *on))
            found[number] = np.array([[np.vdot(bra, one) for one in acted] for bra in bras])
        inverse = matrix_of(gate.form, gate.data).conj().T
        ket, *bras = (reference.apply(one, inverse, *on) for one in (ket, *bras))
    return found, ket


def pauli_sum(masks, factors, vector):
    n = len(vector).bit_length() - 1
    total = 0
    for (x, z), factor in zip(masks, factors, strict=True):
        acted = vector
        for qubit in range(n):
            acted = reference.apply(acted, PAULIS[reference.bit(x, qubit), reference.bit(z, qubit)], [qubit])
        total = total + factor * acted
    return total


def random_masks(random, n, count):
    return [(int(random.integers(2**n)), int(random.integers(2**n))) for _ in range(count)]


def planned(device, segment, n, precision):
    costs = device.undoing_costs(n, precision)
    return None if costs is None else plan_segment(segment, n, costs)


@pytest.mark.parametrize("loaded", [False, True], ids=["from-zero", "loaded"])
@pytest.mark.parametrize("seed", range(6))
def test_sums_are_those_of_gates_undone_one_by_one(device, precision, seed, loaded):
    random = np.random.default_rng(seed)
    n = int(random.integers(1, 8))
    gates, angles = random_gates(random, n, int(random.integers(1, 30)))
    segment, generators = Segment(tuple(gates)), generators_of(angles)
    state = device.new_state(n, precision)
    if loaded:
        state.load(reference.random_state(n, seed))
    first = state.copy().amplitudes()
    start, plan = state.layout(), planned(device, segment, n, precision)
    state.run(segment, plan)
    ket = state.copy().amplitudes()
    masks = random_masks(random, n, 4)
    factors = random.normal(size=(2, 4))
    bras = [state.operated(masks, own) for own in factors]
    vectors = [bra.copy().amplitudes() for bra in bras]
    for own, vector in zip(factors, vectors, strict=True):
        assert np.allclose(vector, pauli_sum(masks, own, ket), rtol=0, atol=10 * TOLERANCE[precision])
    overlaps = [[np.vdot(vector, ket)] for vector in vectors]
    assert np.allclose(state.overlaps(bras), overlaps, rtol=0, atol=10 * TOLERANCE[precision])
    sums = state.undo(bras, segment, plan, start, generators)
    want, back = expected_sums(gates, generators, ket.astype(complex), [one.astype(complex) for one in vectors])
    assert sums.keys() == want.keys()
    for number, own in want.items():
        assert sums[number].shape == (2, 1, len(generators[number]))
        assert np.allclose(sums[number][:, 0], own, rtol=0, atol=10 * TOLERANCE[precision]), gates[number].name
    assert np.allclose(back, first, rtol=0, atol=10 * TOLERANCE[precision])
    indices = np.arange(2**n) if loaded else np.zeros(1, int)
    assert np.allclose(state.read(indices), first[indices], rtol=0, atol=10 * TOLERANCE[precision])


@pytest.mark.parametrize("only_real", [False, True], ids=["complex", "only-real"])
@pytest.mark.parametrize("seed", range(4))
def test_gates_with_real_numbers_have_complex_sums_unless_only_the_real_part_is_wanted(
    device, precision, seed, only_real
):
    random = np.random.default_rng(seed)
    n = int(random.integers(5, 9))
    gates, angles = random_gates(random, n, 30, [BY_NAME[name] for name in ("ry", "cry", "h", "cx", "swap")])
    segment, generators = Segment(tuple(gates)), generators_of(angles)
    state = device.new_state(n, precision)
    state.load(reference.random_state(n, seed))
    start, plan = state.layout(), planned(device, segment, n, precision)
    state.run(segment, plan)
    bra = state.operated([(1, 2), (3, 3)], np.array([0.7, -0.4]))
    ket, vector = (one.copy().amplitudes().astype(complex) for one in (state, bra))
    given = {gate: [one.real for one in some] for gate, some in generators.items()} if only_real else generators
    sums = state.undo([bra], segment, plan, start, given)
    for number, own in expected_sums(gates, generators, ket, [vector])[0].items():
        away = sums[number][:, 0] - own
        away = away.real if only_real else away
        assert np.allclose(away, 0, rtol=0, atol=10 * TOLERANCE[precision]), gates[number].name


@pytest.mark.parametrize("seed", range(60))
def test_qubits_that_wait_in_zero_are_left_out_on_the_way_back_too(seed):
    """Gates act on more and more of the qubits, and some stay |0>, in tiles of any size."""
    random = np.random.default_rng(seed)
    n = int(random.integers(4, 9))
    order, gates, angles = random.permutation(n).tolist(), [], {}
    for count in range(1, int(random.integers(2, n))):
        some, own = random_gates(random, count, 3)
        angles |= {len(gates) + number: angle for number, angle in own.items()}
        gates += [
            gate._replace(
                targets=tuple(order[q] for q in gate.targets), controls=tuple(order[q] for q in gate.controls)
            )
            for gate in some
        ]
    device, precision = NumpyDevice(threads=1, tile_qubits=int(random.integers(3, n + 1))), Precision.DOUBLE
    segment, generators, state = Segment(tuple(gates)), generators_of(angles), device.new_state(n, precision)
    start, plan = state.layout(), planned(device, segment, n, precision)
    state.run(segment, plan)
    ket = state.copy().amplitudes()
    masks = random_masks(random, n, 3)
    bra = state.operated(masks, np.ones(3))
    empty = [place for qubit, place in enumerate(state._place) if qubit in state._zero]
    bra._vector[np.bitwise_and(np.arange(2**n), sum(2**place for place in empty)) != 0] = np.nan  # is to be left out
    want, _ = expected_sums(gates, generators, ket, [pauli_sum(masks, np.ones(3), ket)])
    sums = state.undo([bra], segment, plan, start, generators)
    for number, own in want.items():
        assert np.allclose(sums[number][:, 0], own, rtol=0, atol=1e-12)


def test_given_amplitudes_are_laid_out_as_the_state(device, precision):
    random = np.random.default_rng(0)
    n = 6
    gates, _ = random_gates(random, n, 20)
    segment, state = Segment(tuple(gates)), device.new_state(n, precision)
    state.run(segment, planned(device, segment, n, precision))
    before = state.layout()
    vector = 3 * reference.random_state(n, 1)
    made = state.with_amplitudes(vector)
    assert state.layout() == before
    # What is known to be |0> may differ, but not where the qubits stand, by which gates are undone.
    assert made.layout()["place"] == before["place"] != sorted(before["place"])
    assert np.allclose(made.amplitudes(), vector, rtol=0, atol=TOLERANCE[precision])


@pytest.mark.parametrize("seed", range(3))
def test_segments_are_undone_one_after_another_and_the_last_may_be_cut_short(device, precision, seed):
    random = np.random.default_rng(seed)
    n = 6
    state, ran, all_gates, all_generators = device.new_state(n, precision), [], [], []
    for _ in range(3):
        gates, angles = random_gates(random, n, 12)
        segment, start = Segment(tuple(gates)), state.layout()
        plan = planned(device, segment, n, precision)
        state.run(segment, plan)
        ran.append((segment, plan, start, generators_of(angles)))
        all_gates += gates
        all_generators.append(generators_of(angles))
    ket = state.copy().amplitudes().astype(complex)
    bras = [state.operated([(3, 5), (0, 9)], np.array([0.5, -1.2]))]
    vectors = [bra.copy().amplitudes().astype(complex) for bra in bras]
    generators = {12 * place + gate: own for place, some in enumerate(all_generators) for gate, own in some.items()}
    want, _ = expected_sums(all_gates, generators, ket, vectors)
    for place, (segment, plan, start, own) in reversed(list(enumerate(ran))):
        sums = state.undo(bras, segment, plan, start, own, is_last=place == 0)
        for gate, found in sums.items():
            assert np.allclose(found[:, 0], want[12 * place + gate], rtol=0, atol=20 * TOLERANCE[precision])
        assert sums.keys() == own.keys()


@pytest.mark.parametrize("tile", [3, 4, 5])
def test_a_batch_has_the_sums_of_its_states(tile, precision):
    random = np.random.default_rng(tile)
    n, sets = 5, 4
    device = NumpyDevice(threads=2, tile_qubits=tile)
    check_batch(device, precision, random, n, sets)


def test_a_batch_on_an_emulated_gpu_has_the_sums_of_its_states(tiny_gpu, precision):
    check_batch(tiny_gpu, precision, np.random.default_rng(1), 4, 3)


def check_batch(device, precision, random, n, sets):
    gates, angles = random_gates(random, n, 25)
    groups, generators, each = [], {}, [list(gates) for _ in range(sets)]
    for number, (record, own) in angles.items():
        values = own + random.normal(size=(sets, len(own)))
        data = record.data_for_each(*values.T)
        groups.append(((number,), data[:, None]))
        generators[number] = record.generators_for_each(*values.T)
        for of_set, numbers in zip(each, data, strict=True):
            of_set[number] = gates[number].with_data(numbers)
    template = [
        next((e[g].with_data(groups_of(groups, g)) for e in each if g in angles), gate) for g, gate in enumerate(gates)
    ]
    segments = SegmentBatch(Segment(tuple(template)), groups, sets)
    plan = planned(device, segments.template, n, precision)
    batch = device.new_batch(n, precision, sets)
    start = batch.layout()
    batch.run(segments, plan)
    kets = [batch.state(number).copy().amplitudes().astype(complex) for number in range(sets)]
    masks, factors = random_masks(random, n, 3), random.normal(size=(sets, 3))
    bras = [batch.operated(masks, factors), batch.operated(masks, 2 - factors)]
    sums = batch.undo(bras, segments, plan, start, generators)
    for number in range(sets):
        vectors = [pauli_sum(masks, own, kets[number]) for own in (factors[number], 2 - factors[number])]
        own = {g: [one[number : number + 1] for one in some] for g, some in generators.items()}
        want, _ = expected_sums(each[number], own, kets[number], vectors)
        for gate, expected in want.items():
            assert np.allclose(sums[gate][:, number], expected, rtol=0, atol=20 * TOLERANCE[precision])


def groups_of(groups, gate):
    return next(numbers[0, 0] for (number,), numbers in groups if number == gate)


def test_sums_do_not_depend_on_the_number_of_threads():
    random = np.random.default_rng(3)
    n, precision = 9, Precision.DOUBLE
    gates, angles = random_gates(random, n, 60)
    segment, generators, found = Segment(tuple(gates)), generators_of(angles), []
    for threads in (1, 2, 3):
        device = NumpyDevice(threads=threads, tile_qubits=4)
        state = device.new_state(n, precision)
        state._threads_of_passes = lambda threads=threads: threads
        start, plan = state.layout(), planned(device, segment, n, precision)
        state.run(segment, plan)
        found.append(state.undo([state.operated([(5, 2), (1, 0)], np.ones(2))], segment, plan, start, generators))
    for gate, own in found[0].items():
        assert all(np.array_equal(own, other[gate]) for other in found[1:])


def test_undoing_can_be_stopped(device, precision):
    random = np.random.default_rng(0)
    n = 7
    gates, angles = random_gates(random, n, 30)
    segment, monitor = Segment(tuple(gates)), Monitor()
    state = device.new_state(n, precision, monitor)
    start, plan = state.layout(), planned(device, segment, n, precision)
    state.run(segment, plan)
    bras = [state.operated([(1, 0)], np.ones(1))]
    monitor.cancel()
    with pytest.raises(Cancelled):
        state.operated([(1, 0)], np.ones(1))
    with pytest.raises(Cancelled):
        state.undo(bras, segment, plan, start, generators_of(angles))


def test_no_sums_are_taken_of_passes_that_nobody_asks_for(monkeypatch):
    """The number of transition matrices is that of products with a wanted gate, whatever the number of angles."""
    taken = []
    found = undoing._Transition.found
    monkeypatch.setattr(undoing._Transition, "found", lambda self, *args: (taken.append(self), found(self, *args))[1])
    record, n = BY_NAME["ry"], 6
    gates = [
        Gate("ry", "G", (q,), Form.MATRIX, record.data([0.1 * q + layer]))
        for layer, q in itertools.product(range(9), range(n))
    ]
    chain = [Gate("cx", "X", (q + 1,), Form.PERMUTATION, np.array([1, 0]), (q,), 1) for q in range(n - 1)]
    gates = reduce(lambda before, layer: [*before, *gates[n * layer : n * layer + n], *chain], range(9), [])
    segment = Segment(tuple(gates))
    device = NumpyDevice(1, tile_qubits=6)
    plan = planned(device, segment, n, Precision.DOUBLE)
    counts = []
    for wanted in ([0], [0, 1, 2, 3, 4, 5]):
        taken.clear()
        state = device.new_state(n, Precision.DOUBLE)
        start = state.layout()
        state.run(segment, plan)
        generators = {g: [record.generators([0.1 * g])[0][None]] for g in wanted}
        state.undo([state.operated([(0, 1)], np.ones(1))], segment, plan, start, generators)
        counts.append(len(taken))
    products = len([step for one in plan.passes for step in one.steps])
    assert 1 <= counts[0] <= counts[1] < products


@pytest.mark.parametrize("selectors", [0, 1, 2])
def test_small_matrices_give_the_sums_of_each_gate(selectors):
    """The transition matrices of a product whose gates act on its selectors diagonally."""
    random = np.random.default_rng(selectors)
    wires, bits = 2, 2 + selectors
    gates, generators = [], {}
    for number in range(12):
        form = [Form.MATRIX, Form.DIAGONAL, Form.PERMUTATION][number % 3]
        on = random.permutation(wires)[: 1 + number % 2].tolist()
        if form is Form.DIAGONAL:
            on = random.permutation(bits)[: 1 + number % 2].tolist()
        size = 2 ** len(on)
        data = {
            Form.MATRIX: reference.random_unitary(size, number),
            Form.DIAGONAL: np.exp(1j * random.normal(size=size)),
            Form.PERMUTATION: random.permutation(size),
        }[form]
        controls = [bit for bit in range(bits) if bit not in on][: number % 2]
        gates.append(SmallGate(number, form, data, tuple(on), tuple(controls), 0))
        if form is not Form.PERMUTATION:
            shape = (size,) if form is Form.DIAGONAL else (size, size)
            generators[number] = [random.normal(size=(1, *shape)) + 1j * random.normal(size=(1, *shape))]
    pairs = [(reference.random_state(bits, seed), reference.random_state(bits, seed + 9)) for seed in range(3)]
    whole = [np.outer(ket, bra.conj()) for ket, bra in pairs]
    blocks = sum(whole).reshape(2**selectors, 4, 2**selectors, 4)
    transitions = np.einsum("iajb->iajb", blocks)[range(2**selectors), :, range(2**selectors)]
    sums = ProductSums(gates, wires, selectors, generators).sums(
        transitions[None, None], lambda number: gates[number].data[None], generators
    )
    want = dict.fromkeys(generators, 0)
    for ket, bra in pairs:
        as_gates = [Gate("", "", gate.targets, gate.form, gate.data, gate.controls, 0) for gate in gates]
        for number, own in expected_sums(as_gates, generators, ket, [bra])[0].items():
            want[number] = want[number] + own[0]
    for number, own in want.items():
        assert np.allclose(sums[number][0, 0], own, rtol=0, atol=1e-13)
