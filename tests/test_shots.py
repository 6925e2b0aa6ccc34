"""Shots in circuits that measure in the middle: what a shot ends with depends on its name only, however it was run."""

from collections import Counter

import numpy as np
import pytest
from qiskit import QuantumCircuit
from scipy import stats

import exact
from basicaer import BasicAer, BasicAerError
from basicaer.devices.cpu.batch import NumpyBatch
from basicaer.devices.cpu.device import NumpyDevice
from basicaer.engine.ensemble import Ensemble
from basicaer.library import save_probabilities
from basicaer.simulators import running
from conftest import DEVICES
from jobs import GUARD

SHOTS = 200
UNLIKELY = 1e-6


def random_circuit(seed, *, n=3):
    """Gates, measurements, resets, conditions and loops that may be left."""
    random = np.random.default_rng(seed)
    circuit = QuantumCircuit(n, 3, name=f"random {seed}")

    def operations(depth, *, in_loop=False):
        for _ in range(int(random.integers(2, 5))):
            q, bit = int(random.integers(n)), int(random.integers(3))
            match random.integers(7 if depth else 5):
                case 0 | 1:
                    circuit.u(*random.uniform(0, 3, 3), q)
                case 2:
                    circuit.cx(q, (q + 1) % n)
                case 3:
                    circuit.measure(q, bit)
                case 4:
                    circuit.reset(q)
                case 5:
                    with circuit.if_test((circuit.clbits[bit], 1)) as otherwise:
                        operations(depth - 1)
                    with otherwise:
                        operations(depth - 1)
                case _:
                    with circuit.for_loop(range(3)):
                        operations(depth - 1, in_loop=True)
                        with circuit.if_test((circuit.clbits[bit], 1)):
                            circuit.break_loop()

    for _ in range(3):
        operations(2)
    circuit.measure(0, 0)
    return circuit


def memory_of(qasm, circuit, shots=SHOTS, **options):
    return qasm.run(circuit, shots=shots, memory=True, seed_simulator=7, **options).result().get_memory()


def without_merges(monkeypatch):
    monkeypatch.setattr(Ensemble, "alike", lambda *_args, **_keys: None)


def one_after_another(monkeypatch):
    monkeypatch.setattr(NumpyDevice, "most_states", lambda *_: 0)


def without_memory(monkeypatch):
    monkeypatch.setattr(NumpyDevice, "free_bytes", lambda _: 0)


def with_little_memory(monkeypatch):
    monkeypatch.setattr(NumpyDevice, "free_bytes", lambda _: 2 * 5 * 16 * 8)


def in_tiny_parts(monkeypatch):
    monkeypatch.setattr("basicaer.devices.cpu.batch._PART_AMPLITUDES", 16)
    monkeypatch.setattr("basicaer.devices.cpu.batch.FEW_AMPLITUDES", 0)


WAYS = [without_merges, one_after_another, without_memory, with_little_memory, in_tiny_parts]


@pytest.mark.parametrize("seed", range(9))
@pytest.mark.parametrize("way", WAYS)
def test_outcomes_do_not_depend_on_how_branches_run(qasm, monkeypatch, seed, way):
    circuit = random_circuit(seed)
    want = memory_of(qasm, circuit)
    way(monkeypatch)
    assert memory_of(qasm, circuit) == want


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("name", ["CPU-tiny-tiles", "GPU-emulated"])
def test_outcomes_are_those_of_any_device(qasm, monkeypatch, seed, name):
    circuit = random_circuit(seed)
    want = memory_of(qasm, circuit)
    device = DEVICES[name]()
    monkeypatch.setattr(running, "choose_device", lambda *_, **__: (device, "a test wants it"))
    assert memory_of(qasm, circuit) == want


@pytest.mark.parametrize("seed", range(12))
def test_a_shot_does_not_know_how_many_there_are(qasm, seed):
    circuit = random_circuit(seed)
    want = memory_of(qasm, circuit, shots=500)
    for shots in (1, 3, 64, 499):
        assert memory_of(qasm, circuit, shots=shots) == want[:shots]


def test_experiments_and_neighbouring_seeds_are_independent(qasm):
    circuit = QuantumCircuit(1, 8)
    for bit in range(8):
        circuit.h(0)
        circuit.measure(0, bit)
    results = [qasm.run([circuit] * 3, shots=500, memory=True, seed_simulator=seed).result() for seed in (1, 2)]
    rows = [
        [int(bit) for outcome in result.get_memory(number) for bit in outcome]
        for result in results
        for number in range(3)
    ]
    correlations = np.corrcoef(rows) - np.eye(len(rows))
    assert abs(correlations).max() < 5 / len(rows[0]) ** 0.5


def chi_squared(counts, shares):
    """Return how likely counts as far from the shares as these are."""
    shots = sum(counts.values())
    assert not set(counts) - set(shares)
    often = [value for value, share in shares.items() if share * shots > 5]
    statistic = sum((counts.get(value, 0) - shots * shares[value]) ** 2 / (shots * shares[value]) for value in often)
    return stats.chi2.sf(statistic, max(len(often) - 1, 1))


def shares_of(circuit):
    shares = Counter()
    for path in exact.paths(circuit):
        shares[path.bits] += path.probability
    return shares


@pytest.mark.parametrize("shots", [4000, 2**20 + 1, 10**9])
@pytest.mark.parametrize("seed", range(9))
def test_counts_follow_the_probabilities(qasm, seed, shots):
    circuit = random_circuit(seed)
    data = qasm.run(circuit, shots=shots, seed_simulator=seed).result().data()["counts"]
    counts = {int(value, 16): count for value, count in data.items()}
    assert sum(counts.values()) == shots
    assert chi_squared(counts, shares_of(circuit)) > UNLIKELY


def test_any_number_of_shots_is_split_among_the_outcomes(qasm):
    circuit = QuantumCircuit(12, 12)
    circuit.h(range(12))
    circuit.measure(range(12), range(12))
    counts = qasm.run(circuit, shots=10**12, seed_simulator=3).result().get_counts()
    assert sum(counts.values()) == 10**12
    assert chi_squared(counts, {f"{i:012b}": 2**-12 for i in range(2**12)}) > UNLIKELY
    with pytest.raises(BasicAerError, match=r"run at most \d+ shots at a time"):
        qasm.run(circuit, shots=10**12, memory=True)


def test_splitting_varies_as_drawing_does(qasm):
    """The number of shots that measure 1 has the variance of a binomial distribution."""
    circuit = QuantumCircuit(1, 2)
    circuit.ry(2 * np.arcsin(0.3**0.5), 0)
    circuit.measure(0, 0)
    circuit.h(0)
    shots = 2**21
    ones = [
        sum(count for value, count in counts.items() if int(value, 16) % 2)
        for counts in (
            qasm.run(circuit, shots=shots, seed_simulator=seed).result().data()["counts"] for seed in range(200)
        )
    ]
    assert np.mean(ones) == pytest.approx(0.3 * shots, abs=5 * (0.21 * shots / 200) ** 0.5)
    assert np.var(ones) == pytest.approx(0.21 * shots, rel=0.5)


def test_means_that_are_saved_weigh_numbers_of_shots(qasm):
    circuit = QuantumCircuit(1, 1)
    circuit.ry(2 * np.arcsin(0.3**0.5), 0)
    circuit.measure(0, 0)
    save_probabilities(circuit, label="seen")
    data = qasm.run(circuit, shots=2**22, seed_simulator=1).result().data()
    counts = data["counts"]
    assert data["seen"] == pytest.approx([counts["0x0"] / 2**22, counts["0x1"] / 2**22])


def test_branches_that_meet_go_on_as_one(qasm, monkeypatch):
    """A qubit that is measured again and again has two states at most, whatever has been recorded."""
    largest, take = [], NumpyBatch.take

    def noted(batch, numbers):
        largest.append(len(numbers))
        return take(batch, numbers)

    monkeypatch.setattr(NumpyBatch, "take", noted)
    circuit = QuantumCircuit(1, 30)
    for bit in range(30):
        circuit.h(0)
        circuit.measure(0, bit)
    assert len(qasm.run(circuit, shots=300, seed_simulator=1).result().get_counts()) == 300
    assert max(largest) <= 4


def test_bits_that_are_still_to_be_read_keep_branches_apart(qasm):
    circuit = QuantumCircuit(2, 2)
    circuit.h(0)
    circuit.measure(0, 0)
    circuit.reset(0)
    circuit.h(0)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.x(1)
    circuit.measure(1, 1)
    assert set(qasm.run(circuit, shots=300, seed_simulator=1).result().get_counts()) == {"00", "11"}


@pytest.mark.parametrize("shots", [2**53 - 1, 2**53])
def test_the_largest_number_of_shots_is_counted_exactly(shots):
    circuit = QuantumCircuit(2)
    circuit.x(0)
    circuit.h(1)
    circuit.measure_all()
    counts = BasicAer.get_backend("qasm_simulator").run(circuit, shots=shots).result(GUARD).get_counts()
    assert sum(counts.values()) == shots
