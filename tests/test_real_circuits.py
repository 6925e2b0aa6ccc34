"""Real circuits from files: the examples, and QASMBench's where a checkout of it stands beside this one."""

from pathlib import Path

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.quantum_info import Statevector

import exact
from basicaer.openqasm.loading import load_circuit

HERE = Path(__file__).parents[1]
BENCH = HERE.parent / "shared" / "qasmbench"
FILES = sorted(BENCH.glob("*.qasm"))
LONG = {"dnn_n16", "qft_n18", "square_root_n18"}
needs_bench = pytest.mark.skipif(not FILES, reason="QASMBench's circuits are not here")


def without_final_measurements(circuit):
    """The circuit up to its measurements, or None if anything follows on a measured qubit."""
    unitary, measured = QuantumCircuit(*circuit.qregs, *circuit.cregs), {}
    unitary.global_phase = circuit.global_phase
    for item in circuit.data:
        if item.name == "measure":
            measured[item.clbits[0]] = item.qubits[0]
        elif item.name == "barrier":
            continue
        elif item.is_control_flow() or item.name == "reset" or set(item.qubits) & set(measured.values()):
            return None, None
        else:
            unitary.append(item)
    return unitary, {circuit.find_bit(c).index: circuit.find_bit(q).index for c, q in measured.items()}


def outcome_probabilities(state, bit_to_qubit):
    """{classical value: probability} of measuring qubits into bits."""
    bits = sorted(bit_to_qubit)
    marginal = state.probabilities([bit_to_qubit[bit] for bit in bits])
    return {
        sum(index // 2**j % 2 * 2**bit for j, bit in enumerate(bits)): p
        for index, p in enumerate(marginal)
        if p > 1e-12
    }


@needs_bench
@pytest.mark.parametrize(
    "path",
    # Of some, what Qiskit expects takes seconds to work out.
    [pytest.param(path, marks=[pytest.mark.slow] * (path.stem in LONG)) for path in FILES],
    ids=lambda path: path.stem,
)
def test_exactly_up_to_20_qubits(path, qasm, statevector, even_draws):
    circuit = load_circuit(path)
    if circuit.num_qubits > 20:
        pytest.skip("wider than 20 qubits: among the slow tests")
    shots = 2000
    unitary, bit_to_qubit = without_final_measurements(circuit)
    if unitary is None:
        want, slack = exact.outcome_probabilities(circuit), 40
    else:
        state = Statevector(unitary)
        assert np.allclose(statevector.run(unitary).result().get_statevector(), state.data, atol=1e-9)
        want, slack = outcome_probabilities(state, bit_to_qubit), 2
    counts = qasm.run(circuit, shots=shots).result().results[0].data.counts if circuit.num_clbits else {}
    got = {int(key, 16): count for key, count in counts.items()}
    assert sum(got.values()) == shots
    for outcome in got:
        assert outcome in want, "an outcome without probability"
    for outcome, probability in want.items():
        assert got.get(outcome, 0) == pytest.approx(shots * probability, abs=slack), hex(outcome)


@needs_bench
@pytest.mark.slow
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_wider_ones_by_norm_shots_and_known_outcomes(path, qasm, statevector):
    circuit = load_circuit(path)
    if circuit.num_qubits <= 20:
        pytest.skip("up to 20 qubits: exactly, among the default tests")
    counts = qasm.run(circuit, shots=500, seed_simulator=1).result().get_counts()
    assert sum(counts.values()) == 500
    if circuit.name.startswith("cat_state"):
        assert {outcome.count("1") for outcome in counts} == {0, circuit.num_qubits}
    unitary, _ = without_final_measurements(circuit)
    amplitudes = statevector.run(unitary).result().data()["statevector"]
    assert np.vdot(amplitudes, amplitudes).real == pytest.approx(1, abs=1e-9)


def test_example_teleportation_always_ends_in_zero(qasm):
    circuit = load_circuit(HERE / "examples" / "teleportation.qasm")
    counts = qasm.run(circuit, shots=400, seed_simulator=1).result().get_counts()
    assert len(counts) == 4
    assert all(outcome[0] == "0" for outcome in counts), "the last bit is written first"


def test_example_ghz(qasm):
    circuit = load_circuit(HERE / "examples" / "ghz.qasm")
    assert qasm.run(circuit, shots=400, seed_simulator=1).result().get_counts().keys() == {"00000", "11111"}
