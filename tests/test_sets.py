"""One structure with many sets of numbers: bound at once, and each set is to the last bit as it is by itself."""

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.quantum_info import SparsePauliOp

import reference
from basicaer import EstimatorV2, SamplerV2
from basicaer.devices.cpu.device import NumpyDevice
from basicaer.engine.checkpoint import Checkpoint
from basicaer.engine.device import SegmentBatch
from basicaer.engine.program import Form, Segment
from basicaer.plan.planner import plan_segment
from plan_checks import in_program_order, phase, random_gate, random_of_kinds

SETS = 5


def with_other_numbers(random, gate):
    """The numbers of a gate in each set."""
    if gate.form is Form.DIAGONAL:
        others = [np.exp(1j * random.uniform(-3, 3, len(gate.data))) for _ in range(SETS - 1)]
    else:
        others = [random_of_kinds(random, gate.kinds) for _ in range(SETS - 1)]
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
        batch = device.batch_of(states, precision, Checkpoint())
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
