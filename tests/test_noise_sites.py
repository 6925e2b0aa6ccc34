"""Where the errors of a model act in a circuit, and how many are to be expected."""

import numpy as np
import pytest
from click.testing import CliRunner
from qiskit import QuantumCircuit
from qiskit.circuit.library import XGate

from basicaer import BasicAer, BasicAerError, cli
from basicaer.compile.lower import lower
from basicaer.compile.noise import CircuitNoise
from basicaer.compile.noise_model import read_model
from basicaer.engine.expected_errors import expected_errors
from basicaer.noise import (
    NoiseModel,
    ReadoutError,
    RelaxationNoisePass,
    amplitude_damping_error,
    depolarizing_error,
    pauli_error,
)

QASM = BasicAer.get_backend("qasm_simulator")
ONE, TWO = depolarizing_error(0.04, 1), depolarizing_error(0.08, 2)
READOUT = ReadoutError([[0.98, 0.02], [0.06, 0.94]])


def model():
    made = NoiseModel()
    made.add_all_qubit_quantum_error(ONE, ["h", "x", "measure", "reset"])
    made.add_all_qubit_quantum_error(TWO, "cx")
    made.add_quantum_error(amplitude_damping_error(0.2), "h", [1])
    made.add_all_qubit_readout_error(READOUT)
    return made


def found(circuit, noise_model=None):
    on = (noise_model or model()).on(circuit)
    return [(site.instruction, site.qubits) for site in on.quantum]


def test_each_instruction_has_its_error_and_how_likely_it_is():
    circuit = QuantumCircuit(2, 2)
    circuit.h(0)
    circuit.h(1)
    circuit.cx(1, 0)
    circuit.measure([0, 1], [0, 1])
    noise_model = model()
    on = noise_model.on(circuit)
    assert found(circuit) == [("h", (0,)), ("h", (1,)), ("cx", (1, 0)), ("measure", (0,)), ("measure", (1,))]
    assert on[0].error is ONE
    assert [site.probability for site in on.quantum] == pytest.approx([0.03, 0.1, 0.075, 0.03, 0.03])
    assert [(site.qubits, site.error, site.probability) for site in on.readout] == [
        ((0,), READOUT, pytest.approx(0.04)),
        ((1,), READOUT, pytest.approx(0.04)),
    ]
    assert len(on) == 7
    assert on.expected_errors == pytest.approx(0.265)
    assert on.expected_misreadings == pytest.approx(0.08)
    assert repr(on).splitlines()[:2] == [
        "7 sites: 0.265 errors and 0.08 wrong readings per shot",
        "  h on 0: 0.03, <QuantumError on 1 qubit, 4 terms>",
    ]


def test_labels_bodies_definitions_and_whole_instructions_are_looked_into():
    inner = QuantumCircuit(2, name="both")
    inner.h(1)
    inner.barrier()
    circuit = QuantumCircuit(3, 3)
    circuit.append(XGate(label="quiet"), [0])
    circuit.append(inner.to_instruction(), [2, 0])
    circuit.reset([0, 1])
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.x(2)
    circuit.delay(10, 1)
    assert found(circuit) == [("h", (0,)), ("reset", (0,)), ("reset", (1,)), ("x", (2,))]


def test_qubits_that_relax_during_delays_are_found():
    noise_model = NoiseModel()
    noise_model.noise_passes.append(RelaxationNoisePass([1e-6], [1e-6]))
    circuit = QuantumCircuit(1)
    circuit.delay(100, 0, unit="ns")
    on = noise_model.on(circuit)
    assert [(site.instruction, site.qubits) for site in on] == [("quantum_channel", (0,))]
    assert on.expected_errors == pytest.approx(-np.expm1(-0.1))  # a reset is an error whatever it finds


def test_readout_errors_of_several_qubits_are_found():
    noise_model = NoiseModel()
    noise_model.add_all_qubit_readout_error(READOUT)
    noise_model.add_readout_error(np.kron(READOUT.probabilities, READOUT.probabilities), [0, 1])
    circuit = QuantumCircuit(3)
    circuit.measure_all()
    assert [site.qubits for site in noise_model.on(circuit).readout] == [(2,), (0, 1)]


def expected(circuit, noise_model, shots):
    return expected_errors(lower(circuit, noise=CircuitNoise(read_model(noise_model))), shots)


@pytest.mark.parametrize(("p", "shots"), [(0.001, 1000), (0.02, 200)])
def test_as_many_patterns_are_expected_as_there_are(p, shots):
    """The patterns of 40 sites at which X may occur are drawn with NumPy and counted."""
    noise_model = NoiseModel()
    noise_model.add_all_qubit_quantum_error(pauli_error([("X", p), ("I", 1 - p)]), "h")
    circuit = QuantumCircuit(4)
    for _ in range(10):
        circuit.h(range(4))
    random = np.random.default_rng(3)
    counted = [len(np.unique(random.random((shots, 40)) < p, axis=0)) for _ in range(100)]
    errors = expected(circuit, noise_model, shots)
    assert errors.sites == 40
    assert errors.per_shot == pytest.approx(40 * p)
    assert errors.patterns == pytest.approx(np.mean(counted), rel=0.05)


def test_a_plan_says_what_errors_are_expected():
    circuit = QuantumCircuit(2)
    circuit.h([0, 1])
    circuit.measure_all()
    plan = QASM.plan(circuit, noise_model=model())
    assert plan.errors.sites == 4
    assert "Errors may occur at 4 places, 0.19 of them in a shot" in " ".join(str(plan).split())
    assert QASM.plan(circuit).errors is None
    assert "Errors" not in str(QASM.plan(circuit))


def test_the_command_line_runs_with_a_noise_model(tmp_path):
    file, noise = tmp_path / "flip.qasm", tmp_path / "noise.json"
    file.write_text('OPENQASM 2.0; include "qelib1.inc"; qreg q[1]; creg c[1]; x q[0]; measure q -> c;')
    noise_model = NoiseModel()
    noise_model.add_all_qubit_quantum_error(pauli_error([("X", 1)]), "x")
    noise_model.save(noise)

    def output(*arguments):
        return CliRunner().invoke(cli.main, [str(argument) for argument in arguments])

    assert output("run", file, "--noise", noise).output.splitlines()[1].split()[:2] == ["0", "1024"]
    assert "Errors may occur at 1 place" in output("plan", file, "--noise", noise).output
    wrong = output("run", file, "--noise", tmp_path / "none.json")
    assert wrong.exit_code == 1
    assert "The noise model in" in wrong.output
    refused = output("run", file, "--noise", noise, "--simulator", "statevector")
    assert refused.output.startswith("Error: --noise must be None or ideal here: qasm_simulator simulates noise.")


@pytest.mark.parametrize("simulator", ["statevector_simulator", "unitary_simulator"])
def test_simulators_of_states_refuse_a_model_and_name_the_one_that_takes_it(simulator):
    with pytest.raises(BasicAerError, match="qasm_simulator simulates noise"):
        BasicAer.get_backend(simulator).run(QuantumCircuit(1), noise_model=model())


def test_a_qobj_with_a_noise_model_is_refused():
    circuit = QuantumCircuit(1, 1)
    circuit.measure(0, 0)
    qobj = QASM.run(circuit, shots=1).qobj()
    with pytest.raises(BasicAerError, match="A Qobj runs without noise"):
        QASM.run(qobj, noise_model=model()).result()
