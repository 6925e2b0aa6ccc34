"""Circuits that other simulators get wrong, or fail on; each stays right here."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit.classical import expr, types
from qiskit.circuit.library import get_standard_gate_name_mapping
from qiskit.quantum_info import Statevector


@pytest.mark.parametrize("n", range(13, 19))
def test_five_gates_on_a_wide_register(statevector, n):
    """Another simulator's fusion returns an orthogonal state from 15 qubits on."""
    circuit = QuantumCircuit(n)
    circuit.h(0)
    circuit.cx(1, 0)
    circuit.x(0)
    circuit.s(0)
    circuit.x(0)
    padded = circuit.copy()
    padded.id(range(n))
    padded.x(range(2, n))
    for c in (circuit, padded):
        assert np.allclose(statevector.run(c).result().get_statevector(), Statevector(c).data)


@pytest.mark.parametrize("gate", ["rzz", "rxx", "ryy", "rzx", "cp", "crz", "cu1"])
@pytest.mark.parametrize("bits", range(4))
def test_two_qubit_rotations_where_both_bits_are_equal(statevector, gate, bits):
    circuit = QuantumCircuit(2)
    for q in range(2):
        if bits // 2**q % 2:
            circuit.x(q)
    circuit.append(get_standard_gate_name_mapping()[gate].base_class(0.7), [0, 1])
    assert np.allclose(statevector.run(circuit).result().get_statevector(), Statevector(circuit).data)


def test_concurrent_jobs_do_not_mix(statevector):
    def circuit(i):
        made = QuantumCircuit(10)
        for q in range(10):
            made.ry(0.1 * i + 0.05 * q, q)
            made.cx(q, (q + 1) % 10)
        return made

    with ThreadPoolExecutor(4) as pool:
        jobs = [statevector.run(circuit(i), executor=pool) for i in range(24)]
        states = [job.result().get_statevector() for job in jobs]
    for i, state in enumerate(states):
        assert np.allclose(state, Statevector(circuit(i)).data), i


def test_one_circuit_in_many_jobs_at_once(qasm):
    circuit = QuantumCircuit(3, 3)
    circuit.h(0)
    circuit.measure(0, 0)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.x(1)
    circuit.measure(1, 1)
    with ThreadPoolExecutor(4) as pool:
        jobs = [qasm.run(circuit, executor=pool, seed_simulator=3, shots=200) for _ in range(20)]
        assert len({tuple(sorted(job.result().get_counts().items())) for job in jobs}) == 1


def test_no_classical_bits_and_no_qubits(statevector):
    assert statevector.run(QuantumCircuit()).result().get_statevector().tolist() == [1]
    assert statevector.run(QuantumCircuit(2)).result().get_statevector().tolist() == [1, 0, 0, 0]


def test_only_measurements(qasm):
    circuit = QuantumCircuit(2, 2)
    circuit.measure([0, 1], [0, 1])
    assert qasm.run(circuit, shots=3).result().get_counts() == {"00": 3}


def test_while_over_a_register_that_is_measured_inside(qasm):
    counter = ClassicalRegister(2, "counter")
    circuit = QuantumCircuit(QuantumRegister(2), counter)
    rounds = circuit.add_var("rounds", expr.lift(0, types.Uint(8)))
    circuit.h([0, 1])
    circuit.measure([0, 1], counter)
    with circuit.while_loop(expr.not_equal(counter, 3)):
        circuit.h([0, 1])
        circuit.measure([0, 1], counter)
        circuit.store(rounds, expr.add(rounds, expr.lift(1, types.Uint(8))))
    assert qasm.run(circuit, shots=300, seed_simulator=1).result().get_counts() == {"11": 300}
