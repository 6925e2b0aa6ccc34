"""qiskit-ibm-runtime in its local mode: its primitives, sessions and batches on our backend."""

from math import sqrt

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.quantum_info import SparsePauliOp, Statevector
from qiskit.transpiler import generate_preset_pass_manager
from qiskit_ibm_runtime import Batch, EstimatorV2, SamplerV2, Session

ANGLE = Parameter("angle")
ANGLES = np.linspace(0, 3, 5)
SHOTS = 2000


def turned_pair(*, measured):
    circuit = QuantumCircuit(2)
    circuit.ry(ANGLE, 0)
    circuit.cx(0, 1)
    circuit.rx(0.4, 1)
    if measured:
        circuit.measure_all()
    return circuit


def probabilities(angle):
    return Statevector(turned_pair(measured=False).assign_parameters([angle])).probabilities_dict()


def fits(counts, wanted):
    """Whether counts of `SHOTS` shots are within five standard deviations of probabilities, to one shot."""
    assert sum(counts.values()) == SHOTS
    keys = counts.keys() | wanted.keys()
    expected = {key: wanted.get(key, 0) for key in keys}
    return all(abs(counts.get(key, 0) - SHOTS * p) <= 5 * sqrt(SHOTS * p * (1 - p)) + 1 for key, p in expected.items())


@pytest.mark.parametrize("level", [0, 1, 2, 3])
@pytest.mark.parametrize("layout", [None, [3, 1]], ids=["any qubits", "layout"])
def test_the_sampler_draws_from_the_circuits_probabilities(backend, level, layout):
    passes = generate_preset_pass_manager(level, backend=backend, initial_layout=layout)
    sampler = SamplerV2(mode=backend, options={"simulator": {"seed_simulator": 5}})
    result = sampler.run([(passes.run(turned_pair(measured=True)), ANGLES)], shots=SHOTS).result()
    for number, angle in enumerate(ANGLES):
        assert fits(result[0].data.meas[number].get_counts(), probabilities(angle))


@pytest.mark.parametrize("level", [0, 1, 2, 3])
@pytest.mark.parametrize("layout", [None, [3, 1]], ids=["any qubits", "layout"])
def test_the_estimator_estimates_to_its_precision(backend, level, layout):
    circuit = turned_pair(measured=False)
    observables = [SparsePauliOp("ZI"), SparsePauliOp(["XX", "ZZ"], [0.5, -1])]
    ready = generate_preset_pass_manager(level, backend=backend, initial_layout=layout).run(circuit)
    placed = [[observable.apply_layout(ready.layout)] for observable in observables]
    estimator = EstimatorV2(mode=backend, options={"simulator": {"seed_simulator": 5}, "default_precision": 0.02})
    evs = estimator.run([(ready, placed, ANGLES)]).result()[0].data.evs
    states = [Statevector(circuit.assign_parameters([angle])) for angle in ANGLES]
    want = [[state.expectation_value(observable).real for state in states] for observable in observables]
    assert evs.shape == (2, 5)
    assert np.abs(evs - want).max() < 0.1
    assert np.ptp(want) > 1


@pytest.mark.parametrize("mode", [Session, Batch])
def test_sessions_and_batches_are_on_the_backend(backend, mode):
    with mode(backend=backend) as opened:
        sampler = SamplerV2(mode=opened, options={"simulator": {"seed_simulator": 5}})
        jobs = [sampler.run([(turned_pair(measured=True), [angle])], shots=SHOTS) for angle in ANGLES]
        for job, angle in zip(jobs, ANGLES, strict=True):
            assert fits(job.result()[0].data.meas.get_counts(), probabilities(angle))


def test_bits_may_be_asked_for(backend):
    sampler = SamplerV2(mode=backend)
    sampler.options.execution.meas_type = "classified"
    circuit = QuantumCircuit(2)
    circuit.x(1)
    circuit.measure_all()
    assert sampler.run([circuit], shots=9).result()[0].data.meas.get_counts() == {"10": 9}
