"""The page for people who come from another simulator: each line of its tables runs, and what it says of options."""

import pickle
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from qiskit import QuantumCircuit, transpile
from qiskit.circuit import Parameter
from qiskit.circuit.library import (
    CCXGate,
    CPhaseGate,
    CXGate,
    ECRGate,
    Initialize,
    PauliEvolutionGate,
    RXXGate,
    RZGate,
    SGate,
    SXGate,
    TGate,
    UnitaryGate,
)
from qiskit.providers.fake_provider import GenericBackendV2
from qiskit.quantum_info import Operator, Pauli, SparsePauliOp, Statevector
from qiskit.synthesis import MatrixExponential, SuzukiTrotter

from basicaer import (
    BackendNotFoundError,
    BasicAer,
    BasicAerError,
    EstimatorV2,
    SamplerV2,
    StateArray,
    UnknownOptionError,
    library,
)
from basicaer.foreign_options import OPTIONS_WITHOUT_EFFECT
from basicaer.simulators import QasmSimulator
from basicaer.simulators.base import BasicAerSimulator
from jobs import GUARD

PAGE = Path(__file__).parents[1].joinpath("docs", "migration.md").read_text("utf-8")
ROWS = re.findall(r"^\| (?!there)(.+?) \| (.+?) \|$", PAGE, re.MULTILINE)


def code(cell):
    """What stands in a cell between back-quotes, the first of it."""
    return re.search("`(.+?)`", cell)[1]


def of(simulator, circuit):
    """The result of a circuit."""
    return BasicAer.get_backend(simulator).run(circuit).result(GUARD)


@pytest.fixture
def names():
    circuit = QuantumCircuit(2)
    circuit.h(0)
    circuit.cx(0, 1)
    gates = circuit.copy()
    circuit.measure_all()
    angle = Parameter("angle")
    turning = QuantumCircuit(1)
    turning.ry(angle, 0)
    turning.measure_all()
    with ThreadPoolExecutor(1) as pool:
        yield {
            "BasicAer": BasicAer,
            "EstimatorV2": EstimatorV2,
            "Pauli": Pauli,
            "SamplerV2": SamplerV2,
            "angle": angle,
            "backend": BasicAer.get_backend("qasm_simulator"),
            "circuit": circuit,
            "device": GenericBackendV2(3, seed=1),
            "library": library,
            "pool": pool,
            "state": of("statevector_simulator", gates).get_statevector(),
            "transpile": transpile,
            "turning": turning,
            "unitary": of("unitary_simulator", gates).get_unitary(),
        }


@pytest.mark.parametrize("there", [there for there, _ in ROWS])
def test_each_line_of_the_migration_tables_runs(there, names):
    here = code(dict(ROWS)[there])
    if here.startswith("from "):
        exec(here, names)  # noqa: S102  # it is our own page, and that is the test
        return
    value = eval(here, names)  # noqa: S307
    if here.endswith(".cancel()"):
        assert value in {True, False}
    elif ".run(" in here:
        result = value if here.endswith(")") and "result(" in here else value.result(GUARD)
        assert result.success
    elif here.startswith("BasicAer.get_backend"):
        assert isinstance(value, BasicAerSimulator)
    elif "save" in here.lower():
        assert len(names["backend"].run(names["circuit"]).result(GUARD).data()) == 2


def test_the_tables_have_lines():
    assert len(ROWS) > 45
    assert len(dict(ROWS)) == len(ROWS)


MISTAKES = {  # what the page says is written differently elsewhere, and what is said to those who write it here
    'BasicAer.get_backend("aer_simulator")': (BackendNotFoundError, "use 'qasm_simulator' instead"),
    'BasicAer.get_backend("aer_simulator_statevector")': (BackendNotFoundError, "use 'qasm_simulator' instead"),
    'BasicAer.get_backend("aer_simulator_unitary")': (BackendNotFoundError, "use 'unitary_simulator' instead"),
    'BasicAer.get_backend("density_matrix_simulator")': (BackendNotFoundError, "qasm_simulator has this method"),
    'BasicAer.get_backend("aer_simulator_density_matrix")': (BackendNotFoundError, "method='density_matrix'"),
    'BasicAer.get_backend("aer_simulator_stabilizer")': (BackendNotFoundError, "Clifford circuits use Stim or Aer"),
    'BasicAer.get_backend("aer_simulator_superop")': (BackendNotFoundError, "use Aer for this method"),
    'BasicAer.get_backend("unitary_simulator", method="density_matrix")': (
        BasicAerError,
        "not 'density_matrix': qasm_simulator has this method",
    ),
    'BasicAer.get_backend(method="stabilizer")': (BasicAerError, "not 'stabilizer': .* use Stim or Aer"),
    'backend.run(circuit, options={"shots": 100})': (UnknownOptionError, r"as in run\(circuit, shots=10\)"),
    'backend.run(circuit, backend_options={"shots": 100})': (UnknownOptionError, "give each option by itself"),
    'backend.run(circuit, run_options={"shots": 100})': (UnknownOptionError, "give each option by itself"),
    'SamplerV2(backend_options={"device": "CPU"})': (UnknownOptionError, r"SamplerV2\(options=\{'backend_options'"),
    'EstimatorV2(run_options={"device": "CPU"})': (UnknownOptionError, r"EstimatorV2\(options=\{'run_options'"),
    "backend.configuration().backend_name": (AttributeError, "attributes instead, such as name, num_qubits and oper"),
    "backend.properties()": (AttributeError, "a simulator has no calibration data"),
    "backend.from_backend(device)": (AttributeError, "transpile the circuit for the device"),
    'backend.set_option("shots", 100)': (AttributeError, r"use set_options\(name=value\)"),
    "backend.clear_options()": (AttributeError, r"BasicAer\.get_backend\(\) returns a new backend"),
    "backend.available_methods()": (AttributeError, r"BasicAer\.backends\(\) returns the simulators"),
    "backend.available_devices()": (AttributeError, "`basicaer info` shows the devices"),
    "backend.no_such_attribute": (AttributeError, "^'QasmSimulator' object has no attribute 'no_such_attribute'$"),
    "state.no_such_attribute": (AttributeError, "^'StateArray' object has no attribute 'no_such_attribute'$"),
}


@pytest.mark.parametrize("code", MISTAKES)
def test_who_writes_what_other_simulators_take_is_told_what_to_write_here(code, names):
    error, message = MISTAKES[code]
    with pytest.raises(error, match=message):
        eval(code, names)  # noqa: S307


def test_a_backend_still_lacks_what_it_says_it_lacks(qasm):
    """Programs ask whether a backend has a configuration."""
    assert not hasattr(qasm, "configuration")


# The array of a state.


def random_state():
    rng = np.random.default_rng(5)
    amplitudes = rng.normal(size=8) + 1j * rng.normal(size=8)
    return amplitudes / np.linalg.norm(amplitudes)


def test_the_array_of_a_state_has_the_methods_of_qiskits_state():
    plain = random_state()
    state, want = plain.view(StateArray), Statevector(plain)
    assert np.array_equal(state.probabilities([0, 2]), want.probabilities([0, 2]))
    assert state.probabilities_dict() == want.probabilities_dict()
    assert state.expectation_value(Pauli("XYZ")) == want.expectation_value(Pauli("XYZ"))
    assert (state.num_qubits, state.dim, state.dims()) == (3, 8, (2, 2, 2))
    assert state.equiv(want)
    assert state.evolve(Pauli("XII")) == want.evolve(Pauli("XII"))
    assert state_of_half(plain).probabilities().dtype == np.float64


def state_of_half(plain):
    return plain.astype(np.complex64).view(StateArray)


def test_the_array_of_a_unitary_has_the_methods_of_qiskits_operator():
    unitary = np.eye(4, dtype=complex)[::-1].view(StateArray)
    assert unitary.is_unitary()
    assert unitary.equiv(Operator(Pauli("XX")))
    assert unitary.num_qubits == 2


def test_the_array_of_a_state_is_an_array_of_numpy_with_plain_data():
    plain = random_state()
    state = plain.view(StateArray)
    assert type(state.data) is np.ndarray
    assert np.shares_memory(state.data, plain)
    assert type(state[0]) is np.complex128
    assert type(state.sum()) is np.complex128
    assert type(2 * state) is type(np.abs(state)) is np.ndarray
    assert type(pickle.loads(pickle.dumps(state))) is StateArray  # noqa: S301  # our own
    assert not hasattr(state.reshape(2, 2, 2), "probabilities")
    assert not hasattr(state, "_op_shape")


@pytest.mark.parametrize("array", ["host", "device"])
def test_the_results_of_both_simulators_have_such_arrays(array, names):
    assert type(names["state"]) is type(names["unitary"]) is StateArray
    job = BasicAer.get_backend("statevector_simulator").run(QuantumCircuit(1), device="CPU", array=array)
    assert type(job.result(GUARD).get_statevector()) is StateArray


# Circuits that are too wide.


def wide(*gates):
    """A circuit on 200 qubits with gates, each with its number of qubits."""
    circuit = QuantumCircuit(200, name="wide")
    circuit.h(range(200))
    circuit.measure_all(add_bits=True)
    for gate in gates:
        circuit.append(gate, list(range(gate.num_qubits)))
    return circuit


CLIFFORD = [SGate(), CXGate(ctrl_state=0), ECRGate(), RZGate(np.pi / 2), RXXGate(np.pi / 2), UnitaryGate(SXGate())]
STIM = r"; it has Clifford gates only, so Stim and Aer's method 'stabilizer' can run it\.$"
ATTEMPTS = {
    "run": lambda circuit: BasicAer.get_backend("qasm_simulator").run(circuit),
    "sampler": lambda circuit: SamplerV2().run([circuit]),
    "estimator": lambda circuit: EstimatorV2().run([(circuit, "Z" * 200)]),
}


@pytest.mark.parametrize("attempt", ATTEMPTS.values(), ids=ATTEMPTS)
def test_a_clifford_circuit_that_does_not_fit_is_told_who_can_run_it(attempt):
    with pytest.raises(BasicAerError, match=r"'wide' needs .* for 200 qubits .*" + STIM):
        attempt(wide(*CLIFFORD))


@pytest.mark.parametrize("gate", [TGate(), CCXGate(), RZGate(0.1), CPhaseGate(np.pi / 2), Initialize([1, 0])])
def test_other_circuits_that_do_not_fit_are_not(gate):
    with pytest.raises(BasicAerError, match=r"'wide' needs .* for 200 qubits") as caught:
        ATTEMPTS["run"](wide(*CLIFFORD, gate))
    assert "Stim" not in str(caught.value)


def test_a_circuit_whose_numbers_are_not_known_is_not_told_so():
    turned, evolved = wide(RZGate(Parameter("angle"))), wide(PauliEvolutionGate(Pauli("ZZ"), Parameter("time")))
    for attempt in (
        lambda: SamplerV2().run([(turned, [[0.0], [0.1]])]),
        lambda: SamplerV2().run([(evolved, [[0.0], [0.1]])]),  # the first set by itself is Clifford
        lambda: BasicAer.get_backend("qasm_simulator").compile(turned, "Z" * 200),
    ):
        with pytest.raises(BasicAerError, match="for 200 qubits") as caught:
            attempt()
        assert "Stim" not in str(caught.value)
    with pytest.raises(BasicAerError, match="for 200 qubits") as caught:
        BasicAer.get_backend("statevector_simulator").run(wide())
    assert "Stim" not in str(caught.value)


def measured():
    circuit = QuantumCircuit(1, 1)
    circuit.measure(0, 0)
    return circuit


@pytest.mark.parametrize("name", sorted(name for names in OPTIONS_WITHOUT_EFFECT.values() for name in names))
def test_options_without_effect_are_taken_and_shown(name):
    backend = BasicAer.get_backend("qasm_simulator", **{name: 3})
    assert getattr(backend.options, name) == 3
    assert backend.run(measured()).result(GUARD).get_counts() == {"0": 1024}
    assert backend.run(measured(), **{name: None}).result(GUARD).get_counts() == {"0": 1024}


def test_each_option_without_effect_stands_in_the_table_once():
    names = [name for of_kind in OPTIONS_WITHOUT_EFFECT.values() for name in of_kind]
    assert len(names) == len(set(names))
    assert "{{ options_without_effect }}" in PAGE


OF_AER = {  # as AerSimulator 0.17 has them by default
    "accept_distributed_results": None,
    "batched_shots_gpu": False,
    "batched_shots_gpu_max_qubits": 16,
    "blocking_enable": False,
    "blocking_qubits": None,
    "chop_threshold": 1e-08,
    "chunk_swap_buffer_qubits": None,
    "cuStateVec_enable": False,
    "device": "CPU",
    "enable_truncation": True,
    "executor": None,
    "extended_stabilizer_approximation_error": 0.05,
    "extended_stabilizer_metropolis_mixing_time": 5000,
    "extended_stabilizer_norm_estimation_repetitions": 3,
    "extended_stabilizer_norm_estimation_samples": 100,
    "extended_stabilizer_parallel_threshold": 100,
    "extended_stabilizer_probabilities_snapshot_samples": 3000,
    "extended_stabilizer_sampling_method": "resampled_metropolis",
    "fusion_enable": True,
    "fusion_max_qubit": None,
    "fusion_threshold": None,
    "fusion_verbose": False,
    "matrix_product_state_max_bond_dimension": None,
    "matrix_product_state_truncation_threshold": 1e-16,
    "max_job_size": None,
    "max_memory_mb": None,
    "max_parallel_experiments": None,
    "max_parallel_shots": None,
    "max_parallel_threads": None,
    "max_shot_size": None,
    "memory": None,
    "method": "automatic",
    "mps_lapack": False,
    "mps_log_data": False,
    "mps_omp_threads": 1,
    "mps_parallel_threshold": 14,
    "mps_sample_measure_algorithm": "mps_heuristic",
    "mps_swap_direction": "mps_swap_left",
    "noise_model": None,
    "num_threads_per_device": 1,
    "precision": "double",
    "runtime_parameter_bind_enable": False,
    "seed_simulator": None,
    "shot_branching_enable": False,
    "shot_branching_sampling_enable": False,
    "shots": 1024,
    "stabilizer_max_snapshot_probabilities": 32,
    "statevector_parallel_threshold": 14,
    "statevector_sample_measure_opt": 10,
    "tensor_network_num_sampling_qubits": 10,
    "use_cuTensorNet_autotuning": False,
    "validation_threshold": None,
    "zero_threshold": 1e-10,
}


@pytest.mark.parametrize("name", ["qasm_simulator", "statevector_simulator", "unitary_simulator"])
def test_all_that_aer_has_by_default_is_taken(name):
    backend = BasicAer.get_backend(name)
    circuit = QuantumCircuit(1) if name == "unitary_simulator" else measured()
    assert backend.run(circuit, **OF_AER).result(GUARD).success
    backend.set_options(**OF_AER)
    assert backend.run(circuit).result(GUARD).success
    assert backend.options.max_parallel_threads == 0
    assert backend.options.mps_swap_direction == "mps_swap_left"


def test_none_is_the_backends_own_for_a_run_and_the_default_for_the_backend():
    backend = BasicAer.get_backend("qasm_simulator", shots=7, memory=True)
    given = backend.run(measured(), shots=None, memory=None).result(GUARD)
    assert given.get_memory() == ["0"] * 7
    backend.set_options(shots=None, memory=None)
    assert (backend.options.shots, backend.options.memory) == (1024, False)


class Model:
    """As Aer's noise models are asked."""

    def __init__(self, *, ideal):
        self.ideal = ideal

    def is_ideal(self):
        return self.ideal


def test_a_noise_model_without_noise_is_taken(qasm):
    assert qasm.run(measured(), noise_model=Model(ideal=True)).result(GUARD).success


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        (
            "qasm_simulator",
            {"method": "stabilizer"},
            "method must be one of 'automatic', 'statevector', 'density_matrix', not 'stabilizer'",
        ),
        (
            "unitary_simulator",
            {"method": "statevector"},
            "method must be one of 'automatic', 'unitary', not 'statevector'",
        ),
        ("qasm_simulator", {"noise_model": "any"}, "noise_model must be a NoiseModel, what its .* or None, not 'any'"),
        ("qasm_simulator", {"noise_model": Model(ideal=False)}, "is not a noise model"),
        ("statevector_simulator", {"noise_model": Model(ideal=False)}, "noise_model must be None or ideal here"),
        ("qasm_simulator", {"basis_gates": ["u", "cx"]}, r"basis_gates is an option of transpile\(\), not of run"),
        ("qasm_simulator", {"coupling_map": [[0, 1]]}, r"coupling_map is an option of transpile\(\), not of run"),
        ("qasm_simulator", {"fusion_enabled": True}, "'fusion_enabled': did you mean 'fusion_enable'"),
        ("qasm_simulator", {"seed": 3}, "'seed': did you mean 'seed_simulator'"),
        ("qasm_simulator", {"metod": "statevector"}, "'metod': did you mean 'method'"),
        ("qasm_simulator", {"array": "device"}, "no option 'array': it is one of statevector_simulator"),
        (
            "unitary_simulator",
            {"initial_statevector": [1, 0]},
            "no option 'initial_statevector': it is one of qasm_simulator and statevector_simulator",
        ),
    ],
)
def test_what_would_change_what_comes_out_is_refused(name, given, message):
    with pytest.raises(BasicAerError, match=message):
        BasicAer.get_backend(name).run(QuantumCircuit(1), **given)


@pytest.mark.parametrize("backend", [BasicAer.get_backend, QasmSimulator])
def test_options_of_aer_may_be_set_for_all_runs(backend):
    simulator = backend(shots=7, method="statevector", fusion_enable=True, noise_model=None)
    simulator.set_options(memory=True, method="automatic", blocking_enable=True)
    circuit = QuantumCircuit(1, 1)
    circuit.measure(0, 0)
    assert simulator.run(circuit).result(GUARD).get_memory() == 7 * ["0"]


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"shotz": 5}, AttributeError, "Unknown option of qasm_simulator 'shotz': did you mean 'shots'"),
        ({"shots": 0}, BasicAerError, "shots must be a whole number of at least 1, not 0"),
        ({"method": "stabilizer"}, BasicAerError, "method must be one of"),
    ],
)
def test_options_that_cannot_be_set_are_refused_and_none_of_them_is(qasm, given, error, message):
    with pytest.raises(error, match=message):
        qasm.set_options(memory=True, **given)
    assert qasm.options.memory is False
    with pytest.raises(error, match=message):
        BasicAer.get_backend(**given)


SPIN = SparsePauliOp(["XI", "ZZ", "IY"], [0.7, 0.9, 0.4])


@pytest.mark.filterwarnings("ignore::scipy.sparse.SparseEfficiencyWarning")  # Qiskit's matrix of an evolution
@pytest.mark.parametrize(
    ("synthesis", "furthest"),
    [(None, 0.5), (SuzukiTrotter(order=2, reps=10), 1e-2), (MatrixExponential(), 1e-9)],
)
def test_an_evolution_is_as_exact_as_its_synthesis(synthesis, furthest):
    circuit = QuantumCircuit(2)
    circuit.append(PauliEvolutionGate(SPIN, 0.8, synthesis=synthesis), [0, 1])
    found = np.asarray(of("statevector_simulator", circuit).get_statevector())
    values, vectors = np.linalg.eigh(SPIN.to_matrix())
    exact = (vectors * np.exp(-0.8j * values) @ vectors.conj().T)[:, 0]
    assert abs(found - exact).max() < furthest
    if not isinstance(synthesis, MatrixExponential):  # which `transpile` cannot take in some versions of Qiskit
        assert abs(found - exact).max() > furthest / 100
        assert np.allclose(found, Statevector(transpile(circuit, basis_gates=["u", "cx"])))
