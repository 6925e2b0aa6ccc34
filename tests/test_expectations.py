"""Expectation values of many Paulis on states that are read in several chunks, by several threads."""

import weakref

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.quantum_info import Pauli

import reference
from basicaer import BasicAer, JobTimeLimitError
from basicaer.devices.cpu import device as numpy_device
from basicaer.devices.cpu import expectations, pauli_groups, pauli_sums
from basicaer.devices.cpu.blas import single_threaded_blas
from basicaer.devices.cpu.device import NumpyDevice
from basicaer.devices.cpu.state import NumpyState
from basicaer.library import save_expectation_value
from basicaer.options import Precision


@pytest.mark.parametrize("threads", [1, 3])
def test_many_paulis_on_a_state_of_several_chunks(threads, precision, tolerance, monkeypatch):
    n = 7
    monkeypatch.setattr(expectations, "_CHUNK_QUBITS", 3)
    monkeypatch.setattr(pauli_groups, "_MOST_TOGETHER", 3)
    vector = reference.random_state(n, seed=3)
    state = NumpyDevice(threads=threads).new_state(n, precision)
    state.load(vector)
    index = np.arange(2**n)
    zs = [0, 1, 8, 5, 37, 64, 64 + 8 + 1, 127]
    for x in (0, 1, 4, 6, 8, 9, 40, 64, 65, 64 + 16 + 2, 127):
        signs = [1 - 2 * np.array([(i & z).bit_count() % 2 for i in range(2**n)]) for z in zs]
        turns = [1j ** (x & z).bit_count() for z in zs]
        want = [
            (turn * (vector[index ^ x].conj() * vector) @ sign).real for turn, sign in zip(turns, signs, strict=True)
        ]
        assert np.allclose(state.expectations([(x, z) for z in zs]), want, rtol=0, atol=4 * tolerance), x


@pytest.mark.parametrize("chunk_qubits", [6, 8])
@pytest.mark.parametrize("most_in_rows", [1, 3, 32])
@pytest.mark.parametrize("alike", [0, 0b1111, 0b11001111])  # bits that all flip alike
def test_random_paulis_in_groups_of_any_size(chunk_qubits, most_in_rows, alike, monkeypatch):
    n, random = 8, np.random.default_rng(chunk_qubits)
    monkeypatch.setattr(expectations, "_CHUNK_QUBITS", chunk_qubits)
    monkeypatch.setattr(pauli_groups, "_MOST_IN_ROWS", most_in_rows)
    monkeypatch.setattr(pauli_sums, "_MOST_GATHERED", 2)
    vectors = np.array([reference.random_state(n, seed=seed) for seed in range(2)])
    masks = [(int(x), int(z)) for x, z in random.integers(0, 2**n, (400, 2))]
    masks += [(x, z) for x in (16, 176, 177) for z in range(0, 2**n, 5)]
    if alike:
        masks = [(x & ~alike | 5, z) for x, z in masks]
        masks = [(x, z) for x, z in masks if (x & z).bit_count() % 2 == 0]
    index = np.arange(2**n)
    signs = {z: (-1.0) ** np.bitwise_count(index & z) for _, z in masks}
    want = [
        [(1j ** (x & z).bit_count() * (vector[index ^ x].conj() * vector) @ signs[z]).real for x, z in masks]
        for vector in vectors
    ]
    for vector, values in zip(vectors, want, strict=True):
        state = NumpyDevice(threads=2).new_state(n, Precision.DOUBLE)
        state.load(vector)
        assert np.allclose(state.expectations(masks), values, rtol=0, atol=1e-12)
    observables = expectations.Observables(np.array(masks), n)
    of_each = expectations.expectations_of_each(vectors, observables, lambda: None)
    assert np.allclose(of_each, want, rtol=0, atol=1e-12)


def test_expectations_are_equal_bit_by_bit_for_any_number_of_threads(monkeypatch):
    monkeypatch.setattr(expectations, "_CHUNK_QUBITS", 9)
    values = []
    for threads in (1, 2, 5):
        state = NumpyDevice(threads=threads).new_state(16, Precision.DOUBLE)
        state.load(reference.random_state(16, seed=3))
        values.append(state.expectations([(5, 0), (0, 4), (5, 2**15 + 1)]).tolist())
    assert values[0] == values[1] == values[2]


def test_a_job_at_its_time_limit_lets_go_of_the_state_it_was_reading(monkeypatch):
    states = []

    class KeptState(NumpyState):
        def expectations(self, masks):
            states.append(weakref.ref(self._vector))
            self._monitor._deadline = 0.0
            return super().expectations(masks)

    monkeypatch.setattr(numpy_device, "NumpyState", KeptState)
    circuit = QuantumCircuit(14)
    circuit.h(range(14))
    save_expectation_value(circuit, Pauli("X" * 14), range(14))
    job = BasicAer.get_backend("qasm_simulator").run(circuit, device="CPU", timeout=100)
    with pytest.raises(JobTimeLimitError):
        job.result()
    assert states[0]() is None


@pytest.mark.parametrize("make", ["state", "batch"])
def test_the_blas_has_its_threads_back_afterwards(make):
    if make == "state":
        NumpyDevice(threads=2).new_state(18, Precision.DOUBLE).expectations([(1, 0)])
    else:
        NumpyDevice(threads=2).new_batch(10, Precision.DOUBLE, 500).expectations([(1, 0)])
    assert single_threaded_blas._inside == 0  # at 0 it restores what it found
