"""The page for people who come from another simulator: each line of its tables runs, and what it says of options."""

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.quantum_info import Pauli

from basicaer import BasicAer, BasicAerError, EstimatorV2, SamplerV2, library
from basicaer.foreign_options import OPTIONS_WITHOUT_EFFECT
from basicaer.simulators import QasmSimulator
from basicaer.simulators.base import BasicAerSimulator
from jobs import GUARD

PAGE = Path(__file__).parents[1].joinpath("docs", "migration.md").read_text("utf-8")
ROWS = re.findall(r"^\| (?!there)(.+?) \| (.+?) \|$", PAGE, re.MULTILINE)


def code(cell):
    """What stands in a cell between back-quotes, the first of it."""
    return re.search("`(.+?)`", cell)[1]


@pytest.fixture
def names():
    circuit = QuantumCircuit(2)
    circuit.h(0)
    circuit.cx(0, 1)
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
            "library": library,
            "pool": pool,
            "turning": turning,
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
    assert len(ROWS) > 30


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
            "method must be one of 'automatic', 'statevector', not 'stabilizer'",
        ),
        (
            "unitary_simulator",
            {"method": "statevector"},
            "method must be one of 'automatic', 'unitary', not 'statevector'",
        ),
        ("qasm_simulator", {"noise_model": "any"}, "noise_model must be None or ideal: noise is not simulated here"),
        ("qasm_simulator", {"noise_model": Model(ideal=False)}, "noise_model must be None or ideal"),
        ("qasm_simulator", {"basis_gates": ["u", "cx"]}, r"basis_gates is not for running.* give it to transpile\(\)"),
        ("qasm_simulator", {"coupling_map": [[0, 1]]}, r"coupling_map is not for running.* give it to transpile\(\)"),
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
