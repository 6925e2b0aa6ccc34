"""One structure with many sets of numbers: bound at once, and each set is to the last bit as it is by itself."""

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter, ParameterVector
from qiskit.quantum_info import SparsePauliOp, Statevector

import reference
from basicaer import BasicAer, EstimatorV2, SamplerV2
from basicaer.devices.cpu.device import NumpyDevice
from basicaer.engine.device import SegmentBatch, segment_batch
from basicaer.engine.monitor import Monitor
from basicaer.engine.program import Form, Gate, Segment
from basicaer.plan.planner import plan_segment
from plan_checks import hadamard, in_program_order, phase, random_gate, random_of_actions, swap

SETS = 5


def with_other_numbers(random, gate):
    """The numbers of a gate in each set."""
    if gate.form is Form.DIAGONAL:
        others = [np.exp(1j * random.uniform(-3, 3, len(gate.data))) for _ in range(SETS - 1)]
    else:
        others = [random_of_actions(random, gate.target_actions) for _ in range(SETS - 1)]
    return np.array([gate.data, *others])


def random_sets(random, n, size):
    """Gates of every form, of which about half have other numbers in each set."""
    gates = [random_gate(random, n, widest=3) for _ in range(size)]
    gates += [phase(random.uniform(-3, 3), *random.permutation(n)[:k].tolist()) for k in (1, 2, 3, n)]
    varying = [i for i, gate in enumerate(gates) if gate.form is not Form.PERMUTATION and random.integers(2)]
    data = {i: with_other_numbers(random, gates[i]) for i in varying}
    groups = [((i,), numbers[:, None]) for i, numbers in data.items()]
    return SegmentBatch(Segment(tuple(gates)), groups, SETS)


def amplitudes_after(segments, device, n, precision, initial):
    plan = plan_segment(segments.template, n, device.costs(n, precision))
    if initial is None:
        batch = device.new_batch(n, precision, len(segments))
    else:
        states = [device.new_state(n, precision) for _ in range(len(segments))]
        for state in states:
            state.load(initial)
        batch = device.batch_of(states, precision, Monitor())
    batch.run(segments, plan)
    return [batch.state(i).read() for i in range(len(segments))]


@pytest.mark.parametrize("seed", range(24))
def test_all_sets_run_as_each_does_gate_by_gate(seed, precision, tolerance):
    random = np.random.default_rng(seed)
    n = int(random.integers(5, 9))
    segments = random_sets(random, n, size=int(random.integers(5, 60)))
    initial = reference.random_state(n, seed) if seed % 2 else None
    device = NumpyDevice(2, tile_qubits=int(random.integers(3, n + 1)))
    got = amplitudes_after(segments, device, n, precision, initial)
    for i in range(SETS):
        want = in_program_order(segments[i].gates, reference.zero(n) if initial is None else initial)
        assert np.allclose(got[i], want, rtol=0, atol=4 * tolerance), i
    alone = amplitudes_after(segments[2:3], device, n, precision, initial)
    assert alone[0].tobytes() == got[2].tobytes()


def test_a_batch_knows_which_qubits_are_zero_after_segments_of_swaps_alone(precision, tolerance):
    n, device = 6, NumpyDevice(2, tile_qubits=3)
    parts = [[hadamard(0), hadamard(1)], [swap(0, 4), swap(1, 3)], [hadamard(2), hadamard(5)]]
    batch = device.new_batch(n, precision, SETS)
    for gates in parts:
        segments = SegmentBatch(Segment(tuple(gates)), [], SETS)
        batch.run(segments, plan_segment(segments.template, n, device.costs(n, precision)))
    want = in_program_order([gate for gates in parts for gate in gates], reference.zero(n))
    for i in range(SETS):
        assert np.allclose(batch.state(i).read(), want, rtol=0, atol=tolerance)


def ansatz(n):
    angles = iter(ParameterVector("angles", 6 * n))
    circuit = QuantumCircuit(n)
    for _ in range(3):
        for q in range(n):
            circuit.ry(next(angles), q)
            circuit.rz(next(angles), q)
        for q in range(n - 1):
            circuit.cx(q, q + 1)
    circuit.rzz(0.3, 0, n - 1)
    return circuit


@pytest.mark.parametrize("n", [10, 13])
def test_values_and_outcomes_are_the_same_bit_by_bit_in_batches_of_any_size(n, precision, monkeypatch):
    circuit, sets = ansatz(n), 11
    terms = [("ZZ", [0, n - 1], 1.0), ("X", [1], 0.7), ("YX", [2, n - 1], 0.4), ("Y", [0], 0.2)]
    values = np.random.default_rng(n).uniform(-3, 3, (sets, circuit.num_parameters))
    operator = SparsePauliOp.from_sparse_list(terms, n)
    measured = circuit.measure_all(inplace=False)

    def found(threads, most, rows):
        how = {"max_parallel_threads": threads, "precision": precision}
        with monkeypatch.context() as patched:
            patched.setattr(NumpyDevice, "most_states", lambda *_: most)
            (estimated,) = EstimatorV2(options={"backend_options": how}).run([(circuit, operator, rows)]).result()
            sampled = SamplerV2(options={"backend_options": how}, seed=1).run([(measured, rows)], shots=100).result()
        return estimated.data.evs.tolist(), sampled[0].data.meas.get_bitstrings()

    want = found(1, 100, values)
    for threads, most in ((2, 100), (3, 4), (1, 1), (2, 0)):
        assert found(threads, most, values) == want, (threads, most)
    assert found(2, 100, values[:1])[0] == want[0][:1]


def turned_by(*params):
    """Ten qubits in superpositions that show the phases of a gate on each."""
    circuit = QuantumCircuit(10)
    for q in range(10):
        circuit.h(q)
        circuit.u(*params, q)
    circuit.ry(0.3, 0)
    return circuit


P, Q = Parameter("p"), Parameter("q")
REAL_FOR_SOME = {
    "abs": lambda: turned_by(P, Q.abs() - Q, 0),
    "sign": lambda: turned_by(P, (Q.sign() - 1) * 0.7, 0),
    "plain": lambda: turned_by(P, Q, 0),
    "product": lambda: turned_by(P * Q, Q * P, P - Q),
}


@pytest.mark.parametrize("kind", REAL_FOR_SOME)
def test_gates_that_are_real_for_some_values_only_lose_nothing(kind, precision, tolerance):
    """Products of real matrices are made in another way, which leaves out imaginary parts."""
    circuit = REAL_FOR_SOME[kind]()
    values = np.array([[0.3, 0.4], [0.3, -0.7], [0.0, 0.0], [0.0, -2.0], [1.2, 0.0], [0.3, -0.7]])
    operators = [SparsePauliOp("X" * 10), SparsePauliOp("Y" + "I" * 9), SparsePauliOp("ZY" + "X" * 8)]
    states = [Statevector(circuit.assign_parameters(dict(zip((P, Q), row, strict=True)))) for row in values]
    want = np.array([[state.expectation_value(operator).real for operator in operators] for state in states])
    energy = BasicAer.get_backend("statevector_simulator", precision=precision).compile(circuit, operators)
    assert np.allclose(energy(values), want, rtol=0, atol=20 * tolerance)
    for row, own in zip(values, want, strict=True):
        assert np.allclose(energy(row), own, rtol=0, atol=20 * tolerance)
    binds = [dict(zip((P, Q), values.T.tolist(), strict=True))]
    result = BasicAer.get_backend("statevector_simulator").run(circuit, parameter_binds=binds).result()
    for number, state in enumerate(states):
        assert np.allclose(result.get_statevector(number), state, rtol=0, atol=1e-12)


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (1, 0, 2, 3), (3, 2, 1, 0)])
@pytest.mark.parametrize("gate", ["mcx", "unitary", "none"])
@pytest.mark.usefixtures("even_draws")
def test_circuits_of_one_job_that_are_real_and_not_lose_nothing(gate, order, qasm):
    """Those whose gates are not all kept, too: they come as segments of their own."""
    circuits = []
    for phi in np.array([0.0, 1.3, -2.0, np.pi])[list(order)].tolist():
        circuit = QuantumCircuit(10)
        for q in range(10):
            circuit.h(q)
            circuit.u(0.4, phi, 0, q)
            circuit.ry(0.7, q)
        if gate == "mcx":
            circuit.mcx(list(range(1, 10)), 0)
        elif gate == "unitary":
            block = np.kron(np.diag([1, 1, 1, np.exp(1j * max(phi, 0))]), [[0.6, -0.8], [0.8, 0.6]])
            circuit.unitary(block, [0, 4, 7])
        circuit.measure_all()
        circuits.append(circuit)
    result = qasm.run(circuits, shots=4096).result()
    for number, circuit in enumerate(circuits):
        want = Statevector(circuit.remove_final_measurements(inplace=False)).probabilities()
        got = np.zeros(2**10)
        for key, count in result.get_counts(number).int_outcomes().items():
            got[key] = count / 4096
        assert abs(got.cumsum() - want.cumsum()).max() < 1e-3


def test_the_template_of_segments_is_real_only_where_all_are():
    real, other = np.array([[0, 1], [1, 0]]), np.array([[0, -1j], [1j, 0]])
    segments = [
        Segment((Gate("first", "G", (0,), Form.MATRIX, a), Gate("second", "G", (1,), Form.MATRIX, b)))
        for a, b in ((real, real), (other, real), (real, -real))
    ]
    batch = segment_batch(segments)
    assert [bool(gate.data.imag.any()) for gate in batch.template.gates] == [True, False]
    for segment, own in zip(segments, batch, strict=True):
        assert all(np.array_equal(a.data, b.data) for a, b in zip(segment.gates, own.gates, strict=True))


def test_sums_of_many_terms_are_the_same_in_any_company():
    circuit = ansatz(3)
    random = np.random.default_rng(5)
    labels = ["".join(letters) for letters in random.choice(list("IXYZ"), (40, 3))]
    energy = BasicAer.get_backend("statevector_simulator").compile(
        circuit, SparsePauliOp(labels, random.normal(size=40))
    )
    values = random.uniform(-3, 3, (9, circuit.num_parameters))
    assert [energy(row) for row in values] == energy(values).tolist() == [*energy(values[:4]), *energy(values[4:])]
