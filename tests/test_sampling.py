"""Draws of outcomes: in logical order, in float64, never an outcome without probability, and seeds that reproduce."""

import itertools
from collections import Counter

import numpy as np
import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister

import reference
from basicaer.engine.draws import generator, seed_of_experiment
from basicaer.engine.program import Measure
from basicaer.engine.sampling import classical_values, sample_counts, sample_indices
from basicaer.options import Precision


@pytest.fixture
def state_of(device):
    def make(vector, precision=Precision.DOUBLE):
        state = device.new_state(len(vector).bit_length() - 1, precision)
        state.load(vector)
        return state

    return make


@pytest.mark.parametrize("n", [0, 1, 3, 9, 10, 11, 13])
def test_each_draw_falls_where_the_cumulative_distribution_says(state_of, n):
    vector = reference.random_state(n, seed=n)
    draws = np.sort(generator(1).random(2000))
    got = sample_indices(state_of(vector), draws)
    want = np.searchsorted(np.cumsum(abs(vector) ** 2), draws, side="right")
    assert got.tolist() == want.tolist()


@pytest.mark.parametrize("shots", [1, 20, 3000])
@pytest.mark.parametrize("n", [0, 3, 10, 12])
def test_draws_are_counted_where_they_fall(state_of, n, shots):
    vector = reference.random_state(n, seed=n)
    vector[1:-1:3] = 0
    draws = np.sort([*generator(1).random(shots), 1.0])  # rounding may put one past the end
    values, counts = np.unique(sample_indices(state_of(vector), draws), return_counts=True)
    got = sample_counts(state_of(vector), draws)
    assert [part.tolist() for part in got] == [values.tolist(), counts.tolist()]


def test_outcomes_are_counted_together_where_not_all_qubits_are_measured(qasm):
    circuit = QuantumCircuit(3, 1)
    circuit.h(range(3))
    circuit.measure(1, 0)
    counts = qasm.run(circuit, shots=1000, seed_simulator=1).result().results[0].data.counts
    memory = qasm.run(circuit, shots=1000, seed_simulator=1, memory=True).result().results[0].data.memory
    assert counts == {value: memory.count(value) for value in ("0x0", "0x1")}


@pytest.mark.parametrize("n", [3, 12])
def test_a_norm_that_has_drifted_favours_no_outcome(state_of, n):
    vector = reference.random_state(n)
    draws = np.sort(generator(1).random(500))
    want = sample_indices(state_of(vector), draws)
    for norm in (0.8, 1.3):
        assert sample_indices(state_of(norm * vector), draws).tolist() == want.tolist()


@pytest.mark.parametrize("n", [3, 12])
def test_outcomes_without_probability_never_occur(state_of, n):
    vector = np.zeros(2**n, complex)
    vector[[2, 2**n - 3]] = 0.6, 0.8  # nothing before the first, between, and after the last
    draws = np.array([0.0, np.nextafter(0.36, 0), np.nextafter(0.36, 1), np.nextafter(1, 0), 1.0])
    indices = sample_indices(state_of(vector), draws)
    assert set(indices.tolist()) <= {2, 2**n - 3}
    assert indices[0] == 2
    assert indices[-1] == 2**n - 3


def test_probabilities_of_many_small_amplitudes_sum_to_one_in_single_precision(state_of):
    n = 20
    state = state_of(np.full(2**n, 2 ** (-n / 2)), Precision.SINGLE)
    assert state.block_weights(10).sum() == pytest.approx(1, abs=1e-6)
    draws = np.array([0.0, 0.25, 0.5, 0.75, np.nextafter(1, 0)])
    assert sample_indices(state, draws).tolist() == [0, 2**18, 2**19, 3 * 2**18, 2**n - 1]


@pytest.mark.slow
def test_single_precision_stays_normalised_at_25_qubits(statevector):
    circuit = QuantumCircuit(25)
    circuit.h(range(25))
    for q in range(24):
        circuit.rx(0.3, q)
        circuit.cx(q, q + 1)
    amplitudes = statevector.run(circuit, precision="single").result().data()["statevector"]
    assert amplitudes.dtype == np.complex64
    assert (np.abs(amplitudes.astype(complex)) ** 2).sum() == pytest.approx(1, abs=1e-4)


def test_measurements_may_go_to_any_bits_in_any_order():
    indices = np.array([0b0110, 0b0101, 0b0110])
    measures = (Measure(0, (3,)), Measure(1, (0, 70)), Measure(2, (3,)))  # the second write to bit 3 counts
    values, which = classical_values(indices, measures, before=2**3 + 2**5)
    assert [values[i] for i in which] == [2**5 + 2**3 + 2**0 + 2**70, 2**5 + 2**3, 2**5 + 2**3 + 2**0 + 2**70]
    assert len(set(values)) == len(values)


def test_more_classical_bits_than_a_word(qasm):
    circuit = QuantumCircuit(3, 200)
    circuit.x([0, 2])
    circuit.measure([0, 1, 2], [199, 5, 62])
    assert qasm.run(circuit, shots=3).result().results[0].data.counts == {hex(2**199 + 2**62): 3}


@pytest.mark.parametrize("seed", [0, 7, 2**63 - 1, 2**100 + 5])
def test_the_seed_is_the_key_of_philox(seed):
    assert generator(seed).random(5).tolist() == np.random.Generator(np.random.Philox(key=seed)).random(5).tolist()


def ghz(n=4):
    circuit = QuantumCircuit(n, n)
    circuit.h(range(n))
    circuit.measure(range(n), range(n))
    return circuit


def test_a_seed_reproduces_and_is_reported(qasm):
    first = qasm.run(ghz(), seed_simulator=11, memory=True).result()
    again = qasm.run(ghz(), seed_simulator=11, memory=True).result()
    assert first.get_memory() == again.get_memory()
    assert first.results[0].seed_simulator == 11
    drawn = qasm.run(ghz(), memory=True).result()
    assert qasm.run(ghz(), memory=True, seed_simulator=drawn.results[0].seed_simulator).result().get_memory() == (
        drawn.get_memory()
    )


def test_equal_circuits_of_a_job_differ_and_each_is_reproduced_by_its_own_seed(qasm):
    job = qasm.run([ghz()] * 3, seed_simulator=11, memory=True).result()
    memories = [tuple(job.get_memory(i)) for i in range(3)]
    assert len(set(memories)) == 3
    for experiment, memory in zip(job.results, memories, strict=True):
        alone = qasm.run(ghz(), seed_simulator=experiment.seed_simulator, memory=True).result()
        assert tuple(alone.get_memory()) == memory


def test_an_experiments_outcome_depends_on_its_position_only(qasm):
    long = qasm.run([ghz(), ghz(2), ghz()], seed_simulator=5, memory=True).result()
    other = qasm.run([ghz(3), ghz(1), ghz(), ghz()], seed_simulator=5, memory=True).result()
    assert long.get_memory(2) == other.get_memory(2)


def test_seeds_of_experiments():
    seeds = [seed_of_experiment(7, position) for position in range(100)]
    assert seeds[0] == 7
    assert len(set(seeds)) == 100
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert seed_of_experiment(2**100, 1) != seed_of_experiment(2**100 + 1, 1)


def test_counts_do_not_depend_on_whether_memory_is_kept(qasm):
    with_memory = qasm.run(ghz(), seed_simulator=3, memory=True).result()
    without = qasm.run(ghz(), seed_simulator=3).result()
    assert with_memory.get_counts() == without.get_counts()
    assert "memory" not in without.data()
    memory = with_memory.get_memory()
    assert {outcome: memory.count(outcome) for outcome in set(memory)} == with_memory.get_counts()


def test_memory_is_in_shot_order_not_sorted(qasm):
    memory = qasm.run(ghz(), seed_simulator=3, memory=True).result().get_memory()
    assert memory != sorted(memory)


def test_precisions_agree_on_what_is_drawn_far_from_boundaries(qasm):
    single = qasm.run(ghz(), seed_simulator=3, precision="single").result().get_counts()
    assert single == qasm.run(ghz(), seed_simulator=3).result().get_counts()


def test_counts_fit_the_probabilities(qasm):
    """Chi-square over 16 outcomes, seeded: 15 degrees of freedom exceed 37.7 once in a thousand."""
    circuit = QuantumCircuit(4, 4)
    for q in range(4):
        circuit.ry(0.8 + 0.2 * q, q)
    circuit.cx(0, 3)
    unmeasured = circuit.copy()
    circuit.measure(range(4), range(4))
    from qiskit.quantum_info import Statevector

    shots = 20000
    counts = qasm.run(circuit, shots=shots, seed_simulator=1).result().get_counts()
    probabilities = Statevector(unmeasured).probabilities_dict()
    assert sum((counts.get(k, 0) - shots * p) ** 2 / (shots * p) for k, p in probabilities.items()) < 37.7


def test_statevector_is_that_of_the_last_shot(statevector):
    circuit = QuantumCircuit(2, 2)
    circuit.h(0)
    circuit.measure(0, 0)
    circuit.h(1)
    circuit.measure(1, 1)
    for seed in range(20):
        result = statevector.run(circuit, shots=7, seed_simulator=seed, memory=True).result()
        assert abs(result.get_statevector()[int(result.get_memory()[-1], 2)]) == pytest.approx(1)


def test_statevector_after_a_measured_branch_is_that_of_the_last_shot(statevector):
    circuit = QuantumCircuit(3, 3)
    circuit.h([0, 1])
    circuit.measure(0, 0)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.x(2)
    circuit.h(2)
    circuit.h(2)
    circuit.measure([1, 2], [1, 2])
    for seed in range(20):
        result = statevector.run(circuit, shots=5, seed_simulator=seed, memory=True).result()
        assert abs(result.get_statevector()[int(result.get_memory()[-1], 2)]) == pytest.approx(1)


def test_registers_are_spaced_only_where_they_are_all_the_bits(qasm):
    qubits, a, b = QuantumRegister(3), ClassicalRegister(2, "a"), ClassicalRegister(1, "b")
    circuit = QuantumCircuit(qubits, a, b)
    circuit.x([0, 2])
    circuit.measure(range(3), range(3))
    assert qasm.run(circuit, shots=1).result().get_counts() == {"1 01": 1}

    overlapping = QuantumCircuit(qubits, a)
    overlapping.add_register(ClassicalRegister(bits=[a[1]], name="alias"))
    overlapping.x([0])
    overlapping.measure([0, 1], [0, 1])
    assert qasm.run(overlapping, shots=1).result().get_counts() == {"01": 1}


@pytest.mark.parametrize("measured", [(0,), (1,), (2,), (0, 1), (2, 0), (1, 2), (2, 1, 0)], ids=str)
def test_counts_are_those_of_the_memory_whichever_states_and_qubits_there_are(qasm, measured):
    """Of two basis states, the lower one may have the higher value on the qubits that are measured."""
    for one, other in itertools.combinations(range(8), 2):
        state = np.zeros(8)
        state[[one, other]] = 0.6, 0.8
        circuit = QuantumCircuit(3, len(measured))
        circuit.measure(measured, range(len(measured)))
        how = {"initial_statevector": state, "shots": 100, "seed_simulator": 1}
        counts = qasm.run(circuit, **how).result().get_counts()
        assert counts == Counter(qasm.run(circuit, memory=True, **how).result().get_memory()), (one, other)
