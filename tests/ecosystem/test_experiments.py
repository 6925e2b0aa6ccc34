"""qiskit-experiments: `run(backend)`, through the analysis, to what an ideal simulator must give."""

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.quantum_info import DensityMatrix, Operator, process_fidelity, state_fidelity
from qiskit_experiments.framework import ExperimentData
from qiskit_experiments.library import (
    T1,
    LocalReadoutError,
    ProcessTomography,
    StandardRB,
    StateTomography,
    T2Ramsey,
)


def entangler():
    circuit = QuantumCircuit(2)
    circuit.ry(0.8, 0)
    circuit.cx(0, 1)
    circuit.s(1)
    return circuit


def done(experiment, backend, **options) -> ExperimentData:
    data = experiment.run(backend, **options).block_for_results()
    assert data.errors() == ""
    return data


def value_of(data, name):
    [row] = [row for _, row in data.analysis_results(dataframe=True).iterrows() if row["name"] == name]
    return row["value"]


def test_state_tomography_finds_the_state(backend):
    data = done(StateTomography(entangler(), physical_qubits=[1, 4]), backend, shots=4000)
    state, want = value_of(data, "state"), DensityMatrix(entangler())
    assert state_fidelity(state, want) > 0.98
    assert np.abs(np.asarray(state) - np.asarray(want)).max() < 0.05
    assert value_of(data, "state_fidelity") == pytest.approx(state_fidelity(state, want), abs=1e-6)


def test_process_tomography_finds_the_gate(backend):
    gate = QuantumCircuit(1)
    gate.ry(0.8, 0)
    data = done(ProcessTomography(gate), backend, shots=4000)
    assert process_fidelity(value_of(data, "state"), Operator(gate)) > 0.98


def test_an_excited_qubit_stays_so(backend):
    data = done(T1([2], np.linspace(1e-6, 1e-4, 11)), backend, shots=300)
    assert [one["counts"] for one in data.data()] == 11 * [{"1": 300}]
    assert abs(value_of(data, "T1").nominal_value) > 1  # in seconds: no decay within a ten-thousandth


def test_a_qubit_turns_as_fast_as_it_is_told(backend):
    # If delays had equal distances, 1.7 MHz would fit as well as 0.3 MHz, and rounding would choose between them.
    delays = np.cumsum(np.linspace(2e-7, 8e-7, 41))
    data = done(T2Ramsey([1], list(delays), osc_freq=3e5), backend, shots=2000)
    assert value_of(data, "Frequency").nominal_value == pytest.approx(3e5, rel=0.01)


@pytest.mark.parametrize("qubits", [[0], [3], [0, 1], [4, 2]], ids=str)
def test_random_cliffords_come_back_without_an_error(backend, qubits):
    experiment = StandardRB(qubits, [1, 5, 20], num_samples=3, seed=7)
    data = done(experiment, backend, shots=500)
    assert [one["counts"] for one in data.data()] == 9 * [{"0" * len(qubits): 500}]
    assert value_of(data, "alpha").nominal_value == pytest.approx(1, abs=1e-6)
    assert value_of(data, "EPC").nominal_value == pytest.approx(0, abs=1e-6)


def test_what_is_prepared_is_read(backend):
    data = done(LocalReadoutError([0, 1]), backend, shots=500)
    assert np.array_equal(value_of(data, "Local Readout Mitigator").assignment_matrix(), np.eye(4))


def test_circuits_may_be_run_without_a_sampler(backend):
    data = done(StateTomography(entangler()), backend, shots=4000, backend_run=True)
    assert state_fidelity(value_of(data, "state"), DensityMatrix(entangler())) > 0.98
