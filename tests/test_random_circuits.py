"""Random circuits against Qiskit's own `Statevector` and `Operator`, with and without a transpile step."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit, transpile
from qiskit.circuit import library
from qiskit.circuit.random import random_circuit
from qiskit.quantum_info import Operator, Statevector, state_fidelity

import exact
from basicaer import BasicAer
from basicaer.compile.gates import GATES
from basicaer.options import Precision
from test_gates import gate_of

STATEVECTOR = BasicAer.get_backend("statevector_simulator")
UNITARY = BasicAer.get_backend("unitary_simulator")
QASM = BasicAer.get_backend("qasm_simulator")
WIDTHS = [*range(1, 9), 10, 11, 12, 15, 16, 17, 18]  # sampling has blocks from 10 qubits, the CPU device from 16


@st.composite
def circuits(draw, most_qubits=5):
    """Draw a circuit of table gates, unitaries and diagonals on drawn qubits, with drawn angles and control states."""
    n = draw(st.integers(1, most_qubits))
    circuit = QuantumCircuit(n, global_phase=draw(st.floats(-3, 3)))
    angle = st.floats(-7, 7)
    records = [r for r in GATES if r.gate_class is not None and r.controls is not None]
    for _ in range(draw(st.integers(0, 12))):
        kind = draw(st.integers(0, 9))
        qubits = draw(st.permutations(range(n)))
        if kind == 0:
            k = draw(st.integers(1, min(3, n)))
            matrix = np.linalg.qr(np.random.default_rng(draw(st.integers(0, 99))).normal(size=(2**k, 2**k)))[0]
            circuit.unitary(matrix, qubits[:k])
        elif kind == 1:
            circuit.append(library.DiagonalGate([np.exp(1j * draw(angle)) for _ in range(2**n)]), qubits)
        else:
            record = draw(st.sampled_from(records))
            size = record.controls + len(record.target_actions)
            if size > n:
                continue
            keys = {"ctrl_state": draw(st.integers(0, 2**record.controls - 1))} if record.controls else {}
            gate = record.gate_class(*(draw(angle) for _ in range(record.parameters)), **keys)
            circuit.append(gate, qubits[:size])
    return circuit


@settings(max_examples=150, deadline=None, derandomize=True)
@given(circuits())
def test_statevector_is_qiskits(circuit):
    assert np.allclose(STATEVECTOR.run(circuit).result().get_statevector(), Statevector(circuit).data, atol=1e-10)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(circuits(most_qubits=4))
def test_unitary_is_qiskits(circuit):
    assert np.allclose(UNITARY.run(circuit).result().get_unitary(), Operator(circuit).data, atol=1e-10)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(circuits(), st.integers(0, 3))
def test_a_transpile_step_changes_nothing(circuit, level):
    done = transpile(circuit, STATEVECTOR, optimization_level=level, seed_transpiler=1)
    got = Statevector(STATEVECTOR.run(done).result().get_statevector())
    order = done.layout.final_index_layout() if done.layout else range(circuit.num_qubits)
    want = Statevector(circuit)
    permuted = QuantumCircuit(circuit.num_qubits)
    permuted.append(
        library.PermutationGate([list(order).index(q) for q in range(circuit.num_qubits)]), range(len(order))
    )
    # The transpiler itself drops angles of 1e-8, so the states agree to its tolerance and not to ours.
    assert state_fidelity(got, want.evolve(permuted)) > 1 - 1e-12
    assert np.allclose(got.data, Statevector(done).data, atol=1e-10)


@pytest.mark.parametrize("n", WIDTHS)
@pytest.mark.parametrize("precision", list(Precision), ids=str)
def test_widths_across_every_threshold(n, precision):
    circuit = random_circuit(n, 4, max_operands=min(n, 4), seed=n)
    circuit.h(n - 1)
    circuit.swap(0, n - 1) if n > 1 else None
    got = STATEVECTOR.run(circuit, precision=precision).result().get_statevector()
    assert np.allclose(got, Statevector(circuit).data, atol=1e-10 if precision is Precision.DOUBLE else 1e-5)


@pytest.mark.parametrize("seed", range(40))
def test_random_dynamic_circuits(seed, even_draws):
    random = np.random.default_rng(seed)
    circuit = dynamic_circuit(random, qubits=3, bits=3, size=7)
    circuit.measure(range(3), range(3)) if seed % 2 else None
    want = exact.outcome_probabilities(circuit)
    shots = 3000
    counts = QASM.run(circuit, shots=shots).result().results[0].data.counts
    got = {int(key, 16): count for key, count in counts.items()}
    for outcome in want.keys() | got.keys():
        assert got.get(outcome, 0) == pytest.approx(shots * want.get(outcome, 0), abs=40), hex(outcome)


def dynamic_circuit(random, qubits, bits, size, depth=2):
    circuit = QuantumCircuit(qubits, bits)
    for _ in range(size):
        a, b = (int(q) for q in random.permutation(qubits)[:2])
        bit = int(random.integers(bits))
        match random.integers(0, 8 if depth else 5):
            case 0 | 1:
                circuit.ry(random.uniform(0.5, 2.5), a)
            case 2:
                circuit.cx(a, b)
            case 3:
                circuit.measure(a, bit)
            case 4:
                circuit.reset(a)
            case 5:
                bodies = [dynamic_circuit(random, qubits, bits, 3, depth - 1) for _ in range(2)]
                circuit.if_else((bit_of(circuit, bit), int(random.integers(2))), *bodies, range(qubits), range(bits))
            case 6:
                body = dynamic_circuit(random, qubits, bits, 2, depth - 1)
                circuit.for_loop(range(2), None, body, range(qubits), range(bits))
            case 7:
                cases = [(value, dynamic_circuit(random, qubits, bits, 2, depth - 1)) for value in (0, 1)]
                circuit.switch(bit_of(circuit, bit), cases, range(qubits), range(bits))
    return circuit


def bit_of(circuit, bit):
    return circuit.clbits[bit]


def test_every_table_gate_survives_a_transpile_step():
    for record in GATES:
        if record.gate_class is not None:
            gate = gate_of(record)
            circuit = QuantumCircuit(gate.num_qubits)
            circuit.append(gate, range(gate.num_qubits))
            done = transpile(circuit, STATEVECTOR, optimization_level=0)
            assert [item.name for item in done.data] == [gate.name], record.name
