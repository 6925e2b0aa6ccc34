"""mitiq: the error of a noisy circuit is extrapolated away. Our backend runs the circuits; the noise is drawn here."""

import numpy as np
import pytest
from mitiq.zne import execute_with_zne, mitigate_executor
from mitiq.zne.inference import LinearFactory, RichardsonFactory
from mitiq.zne.scaling import fold_gates_at_random, fold_global
from qiskit import QuantumCircuit

CHANCE = 0.01  # that a Pauli follows a gate on one of its qubits
SAMPLES, SHOTS = 1500, 5


def back_and_forth():
    """Gates that undo each other: both qubits are 0 at the end, if nothing goes wrong."""
    circuit = QuantumCircuit(2)
    for _ in range(3):
        circuit.h(0)
        circuit.cx(0, 1)
        circuit.cx(0, 1)
        circuit.h(0)
    return circuit


def gone_wrong(circuit, random):
    """One sample of the noise: the circuit with a few Paulis in it, measured."""
    sample = circuit.copy_empty_like()
    for gate in circuit.data:
        sample.append(gate)
        for qubit in gate.qubits:
            if random.random() < CHANCE:
                sample.pauli(random.choice(["X", "Y", "Z"]), [qubit])
    sample.measure_all()
    return sample


@pytest.fixture
def executor(backend):
    """How often both qubits are 0, over many samples of the noise that run as one job."""

    def run(circuit):
        random = np.random.default_rng(5)
        samples = [gone_wrong(circuit, random) for _ in range(SAMPLES)]
        counts = backend.run(samples, shots=SHOTS).result().get_counts()
        return sum(one.get("00", 0) for one in counts) / (SAMPLES * SHOTS)

    return run


@pytest.mark.parametrize(
    ("folding", "factory"), [(fold_global, RichardsonFactory), (fold_gates_at_random, LinearFactory)]
)
def test_extrapolation_removes_most_of_the_error(executor, folding, factory):
    error = 1 - executor(back_and_forth())
    assert error > 0.05
    mitigated = execute_with_zne(back_and_forth(), executor, scale_noise=folding, factory=factory([1, 3, 5]))
    assert abs(1 - mitigated) < error / 2


def test_an_executor_may_be_mitigated_for_all_its_circuits(executor):
    mitigated = mitigate_executor(executor, scale_noise=fold_global, factory=RichardsonFactory([1, 3]))
    assert abs(1 - mitigated(back_and_forth())) < (1 - executor(back_and_forth())) / 2
