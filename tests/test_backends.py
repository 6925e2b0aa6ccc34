"""The provider and its three simulators: names, options, results, and what each refuses."""

import copy
import pickle
from datetime import datetime

import numpy as np
import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Parameter, ParameterVector
from qiskit.primitives import BackendEstimatorV2, BackendSamplerV2, StatevectorEstimator
from qiskit.providers import BackendV2
from qiskit.providers.exceptions import QiskitBackendNotFoundError
from qiskit.quantum_info import Operator, SparsePauliOp, Statevector
from qiskit.result.models import MeasLevel, MeasReturnType

import basicaer
import reference
from basicaer import BasicAer, BasicAerError, BasicAerProvider
from basicaer.devices import registry
from basicaer.devices.cpu.device import NumpyDevice
from basicaer.devices.gpu import probe as gpu_probe
from basicaer.errors import BasicAerWarning, DeviceUnavailableError, UnknownOptionError
from basicaer.library import save_statevector
from basicaer.noise import NoiseModel
from basicaer.options import _CHECKS, Precision
from basicaer.wording import readable
from jobs import GUARD

ALL = ["qasm_simulator", "statevector_simulator", "unitary_simulator"]
OURS = {
    "max_parallel_threads", "max_parallel_experiments", "target_gpus", "device", "precision", "executor", "timeout",
    "callback", "progress", "cancel_on_interrupt", "distributed", "checkpoint_dir", "checkpoint_every",
    "checkpoint_margin", "checkpoint_on_sigterm",
}  # fmt: skip
OPTIONS = {
    "qasm_simulator": {
        "shots", "memory", "seed_simulator", "initial_statevector", "chop_threshold", "parameter_binds", *OURS,
    },
    "unitary_simulator": {"initial_unitary", "chop_threshold", "parameter_binds", *OURS},
}  # fmt: skip
OPTIONS["statevector_simulator"] = OPTIONS["qasm_simulator"] | {"array"}
OPTIONS["qasm_simulator"] = OPTIONS["qasm_simulator"] | {"method", "noise_model", "spill"}


def bell(*, measured=True):
    circuit = QuantumCircuit(2, name="bell")
    circuit.h(0)
    circuit.cx(0, 1)
    if measured:
        circuit.measure_all()
    return circuit


def test_the_provider():
    assert str(BasicAer) == "BasicAer"
    assert isinstance(BasicAer, BasicAerProvider)
    assert [backend.name for backend in BasicAer.backends()] == ALL
    assert [backend.name for backend in BasicAer.backends("unitary_simulator")] == ["unitary_simulator"]
    with pytest.raises(QiskitBackendNotFoundError, match="Unknown backend 'qasm_simulatr': did you mean 'qasm_simul"):
        BasicAer.get_backend("qasm_simulatr")
    assert [b.name for b in BasicAer.backends(filters=lambda b: b.name.startswith("s"))] == ["statevector_simulator"]
    with pytest.raises(QiskitBackendNotFoundError, match="known are qasm_simulator, statevector"):
        BasicAer.get_backend("zzz")


@pytest.mark.parametrize("name", ALL)
def test_a_backend_is_a_backend_v2(name):
    backend = BasicAer.get_backend(name)
    assert isinstance(backend, BackendV2)
    assert backend.provider is BasicAer
    assert backend.coupling_map is None
    assert backend.max_circuits is None
    assert backend.backend_version == basicaer.__version__
    assert {"h", "cx", "mcx", "unitary", "PauliEvolution"} <= set(backend.operation_names)
    assert ("measure" in backend.operation_names) == (name != "unitary_simulator")
    assert ("while_loop" in backend.operation_names) == (name != "unitary_simulator")


@pytest.mark.parametrize("angle", [float("inf"), float("nan")])
def test_angles_must_be_finite(qasm, angle):
    circuit = QuantumCircuit(1)
    circuit.rx(angle, 0)
    with pytest.raises(BasicAerError, match=r"Gate 'rx' has parameters .*not all finite"):
        qasm.run(circuit)


def test_a_jobs_qobj_gives_the_jobs_result_again(statevector, unitary):
    circuit = bell(measured=False)
    vector = reference.random_state(2)
    options = {"initial_statevector": vector, "precision": "single", "chop_threshold": 0.3, "device": "CPU"}
    job = statevector.run(circuit, **options)
    again = statevector.run(job.qobj()).result()
    assert again.get_statevector().tolist() == job.result().get_statevector().tolist()
    assert again.get_statevector().dtype == np.complex64
    start = reference.random_unitary(4)
    job = unitary.run(circuit, initial_unitary=start)
    assert np.allclose(unitary.run(job.qobj()).result().get_unitary(), job.result().get_unitary())


def test_parameter_binds_do_not_go_with_a_qobj(qasm):
    qobj = qasm.run(bell()).qobj().to_dict()
    with pytest.raises(BasicAerError, match="leave out parameter_binds"):
        qasm.run(qobj, parameter_binds=[{"a": [1]}])
    qobj["config"]["parameter_binds"] = [{"a": [1]}]
    with pytest.raises(BasicAerError, match="leave out parameter_binds"):
        qasm.run(qobj)


def test_shots_and_seed_of_a_qobj_may_be_written_with_a_point(qasm):
    qobj = qasm.run(bell(), shots=4, seed_simulator=1).qobj().to_dict()
    want = qasm.run(qobj).result().get_counts()
    qobj["config"] |= {"shots": 4.0, "seed_simulator": 1.0}
    assert qasm.run(qobj).result().get_counts() == want


def test_sizes_of_a_qobj_may_be_written_with_a_point(qasm):
    qobj = qasm.run(bell(), shots=4, seed_simulator=1).qobj().to_dict()
    for config in (qobj["config"], qobj["experiments"][0]["config"]):
        config |= {"n_qubits": 2.0, "memory_slots": 2.0}
    assert sum(qasm.run(qobj).result().get_counts().values()) == 4


@pytest.mark.parametrize("name", ALL)
def test_options_are_those_of_the_contract(name):
    options = dict(BasicAer.get_backend(name).options)
    assert set(options) == OPTIONS[name]
    assert options["chop_threshold"] == 1e-15
    assert options.get("shots") == {"qasm_simulator": 1024, "statevector_simulator": 1}.get(name)


@pytest.mark.parametrize("name", OPTIONS)
def test_every_option_is_checked_in_the_table_or_where_the_circuits_are_read(name):
    read_with_circuits = {"parameter_binds", "initial_statevector", "initial_unitary"}
    assert set(dict(BasicAer.get_backend(name).options)) <= set(_CHECKS) | read_with_circuits


def test_backends_of_a_provider_do_not_share_options():
    BasicAer.get_backend("qasm_simulator").set_options(shots=3)
    assert BasicAer.get_backend("qasm_simulator").options.shots == 1024


def test_run_argument_goes_before_backend_option_and_default(qasm):
    assert qasm.run(bell()).result().results[0].shots == 1024
    qasm.set_options(shots=5)
    assert qasm.run(bell()).result().results[0].shots == 5
    assert qasm.run(bell(), shots=6).result().results[0].shots == 6
    assert BasicAerProvider().get_backend().options.shots == 1024


def test_a_job_keeps_the_options_it_was_run_with(qasm):
    job = qasm.run(bell(), shots=7)
    qasm.set_options(shots=9)
    assert job.result().results[0].shots == 7


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shot": 10}, "Unknown option of qasm_simulator 'shot': did you mean 'shots'"),
        ({"zzz": 10}, "Unknown option of qasm_simulator 'zzz': known are callback, cancel_on_interrupt, "),
        (
            {"initial_unitary": np.eye(2)},
            "qasm_simulator has no option 'initial_unitary': it is one of unitary_simulator",
        ),
        ({"shots": 0}, "shots must be a whole number of at least 1, not 0"),
        ({"shots": -3}, "shots must be a whole number of at least 1, not -3"),
        ({"shots": 1.5}, r"shots must be a whole number of at least 1, not 1\.5"),
        ({"shots": True}, "shots must be a whole number"),
        ({"shots": "10"}, "shots must be a whole number of at least 1, not '10'"),
        ({"meas_level": 1}, "meas_level must be 2, not 1: measurements give bits here, never signals"),
        ({"meas_level": "2"}, "meas_level must be 2, not '2'"),
        ({"meas_level": np.eye(2)}, "meas_level must be 2, not "),
        ({"meas_return": "mean"}, "meas_return must be one of 'single', 'avg', not 'mean'"),
        ({"meas_return": []}, r"meas_return must be one of 'single', 'avg', not \[\]"),
        ({"meas_leve": 2}, "'meas_leve': did you mean 'meas_level'"),
        (
            {"shots": 10**15, "memory": True},
            r"bell' needs .* for 10{15} shots whose .* are free; run at most \d+ shots at a time",
        ),
        ({"seed_simulator": -1}, "seed_simulator must be a whole number of at least 0"),
        ({"memory": 3}, "memory must be True or False, not 3"),
        ({"memory": []}, r"memory must be True or False, not \[\]"),
        ({"chop_threshold": -1}, "chop_threshold must be a number of at least 0"),
        ({"chop_threshold": float("nan")}, "chop_threshold must be a number of at least 0"),
        ({"chop_threshold": None}, "chop_threshold must be a number of at least 0"),
        ({"device": "TPU"}, "device must be one of 'auto', 'CPU', 'GPU', not 'TPU'"),
        ({"precision": "half"}, "precision must be one of 'double', 'single', not 'half'"),
        ({"timeout": 0}, "timeout must be a positive number of seconds or None, not 0"),
        ({"timeout": "5"}, "timeout must be a positive number"),
        ({"max_parallel_experiments": -1}, "max_parallel_experiments must be a whole number of at least 0, not -1"),
        ({"max_parallel_experiments": 1.5}, r"max_parallel_experiments must be a whole number of at least 0, not 1\.5"),
        ({"callback": 3}, "callback must be a function that takes a Progress, or None, not 3"),
        ({"progress": 1}, "progress must be True or False, not 1"),
        ({"cancel_on_interrupt": "no"}, "cancel_on_interrupt must be True or False, not 'no'"),
        ({"executor": 3}, r"executor must be a concurrent\.futures\.Executor or None, not 3"),
        ({"initial_statevector": [1, 0]}, "has 2 amplitudes; circuit 'bell' of 2 qubits needs 4"),
        ({"initial_statevector": [1, 1, 0, 0]}, r"has norm 1\.4142135623731, not 1; divide it"),
        ({"initial_statevector": [[1], [0], [0], [0]]}, r"has shape \(4, 1\); .* needs 4 amplitudes in one row"),
        ({"initial_statevector": np.eye(2)}, r"has shape \(2, 2\)"),
        ({"initial_statevector": ["1", "0", "0", "0"]}, "initial_statevector must be an array of complex numbers"),
        ({"initial_statevector": [[1, 0], [0]]}, "initial_statevector must be an array of complex numbers"),
        ({"initial_statevector": ["a", 0, 0, 0]}, "initial_statevector must be an array of complex numbers"),
        ({"initial_statevector": [np.nan, 0, 0, 0]}, "initial_statevector has entries that are not finite"),
        ({"parameter_binds": {}}, None),
        ({"parameter_binds": {"a": 1}}, "parameter_binds must be a list with one dictionary"),
        ({"parameter_binds": [{}, {}]}, "parameter_binds has 2 dictionaries for 1 circuit;"),
        ({"parameter_binds": [{"a": [1]}]}, "parameter_binds names 'a', which circuit 'bell' does not have"),
    ],
)
def test_bad_options_are_said_in_one_sentence_and_nothing_is_lost(qasm, options, message):
    if message is None:
        assert qasm.run(bell(), shots=2, **options).result().success
        return
    with pytest.raises(BasicAerError, match=message) as caught:
        qasm.run(bell(), **options)
    assert "\n" not in caught.value.message
    assert qasm.run(bell(), shots=4).result().success


@pytest.mark.parametrize("backend", [BasicAer.get_backend(name) for name in ALL], ids=ALL)
@pytest.mark.parametrize(
    "options", [{"meas_level": 2}, {"meas_level": MeasLevel.CLASSIFIED, "meas_return": MeasReturnType.AVERAGE}], ids=str
)
def test_what_asks_devices_for_bits_is_taken_in_run_and_for_all_runs(backend, options):
    circuit = bell(measured=backend.name != "unitary_simulator")
    assert backend.run(circuit, **options).result(GUARD).success
    before = dict(backend.options)
    backend.set_options(**options)
    assert dict(backend.options) == before | options
    assert backend.run(circuit).result(GUARD).success


def test_no_number_of_shots_is_the_backends(qasm):
    qasm.set_options(shots=7)
    assert qasm.run(bell(), shots=None).result(GUARD).results[0].shots == 7
    qasm.set_options(shots=None)
    assert qasm.options.shots == 1024


def test_what_is_said_of_measurements_is_checked_by_the_unitary_simulator_and_has_no_effect(unitary):
    said = {"shots": 100, "memory": True, "seed_simulator": 7}
    unitary.set_options(**said)
    assert dict(unitary.options).items() >= said.items()
    result = unitary.run(bell(measured=False), **said).result(GUARD)
    assert set(result.data()) == {"unitary"}
    assert unitary.run(bell(measured=False), shots=None).result(GUARD).success
    for name, value in {"shots": 0, "memory": 3, "seed_simulator": -1}.items():
        with pytest.raises(BasicAerError, match=f"{name} must be .*, not {value}"):
            unitary.run(bell(measured=False), **{name: value})


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda one: BasicAer.resume("folder", exectuor=1), "of resume() 'exectuor': did you mean 'executor'?"),
        (lambda one: BasicAer.resume("folder", shots=3), "Unknown option of resume() 'shots': known are callback, "),
        (lambda one: one.compile(bell(), observable="ZZ"), "compile() 'observable': did you mean 'observables'?"),
        (lambda one: one.estimator().compile(bell(), "ZZ", precision=1), "compile() 'precision': known are circuit, "),
        (lambda one: one.estimator().run([(bell(), "ZZ")], precison=1), "run() 'precison': did you mean 'precision'?"),
        (lambda one: one.sampler().run([bell()], shts=1), "run() 'shts': did you mean 'shots'?"),
        (lambda one: one.plan(bell(), rank=2), "Unknown option of qasm_simulator 'rank': did you mean 'ranks'?"),
        (lambda one: one.run(bell()).result(timout=1), "result() 'timout': did you mean 'timeout'?"),
        (lambda one: one.run(bell()).wait_for_final_state(timout=1), "wait_for_final_state() 'timout': did you mean"),
        (lambda one: save_statevector(bell(), lable="x"), "SaveInstruction() 'lable': did you mean 'label'?"),
        (lambda one: NoiseModel.from_backend(one, gate_eror=True), "from_backend() 'gate_eror': did you mean 'gate"),
        (lambda one: one.sampler(default_shot=3), "SamplerV2 'default_shot': did you mean 'default_shots'?"),
    ],
)  # fmt: skip
def test_keywords_that_are_not_known_are_refused_and_the_nearest_is_named(call, words):
    with pytest.raises(UnknownOptionError) as caught:
        call(BasicAer.get_backend("qasm_simulator"))
    assert words in str(caught.value)


def test_options_assigned_past_the_check_are_found_at_run(qasm):
    qasm.options.shotz = 5
    with pytest.raises(BasicAerError, match="Unknown option of qasm_simulator 'shotz': did you mean 'shots'"):
        qasm.run(bell())
    with pytest.raises(AttributeError):
        BasicAer.get_backend().set_options(shotz=5)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (3, "takes a QuantumCircuit, a list of them or a Qobj, not an object of type int"),
        ([bell(), "x"], "not a list that holds an object of type str"),
        ([], "was given no circuits"),
        (None, "not an object of type NoneType"),
    ],
)
def test_what_cannot_be_run_is_said(qasm, given, message):
    with pytest.raises(BasicAerError, match=message):
        qasm.run(given)


def test_result_has_what_the_contract_names(qasm):
    circuit = QuantumCircuit(QuantumRegister(2, "q"), QuantumRegister(1, "r"), ClassicalRegister(2, "c"), name="mine")
    circuit.metadata = {"mine": 1}
    circuit.global_phase = 0.25
    circuit.x(0)
    circuit.measure([0, 1], [0, 1])
    job = qasm.run(circuit, shots=3, seed_simulator=4, memory=True)
    result = job.result()
    assert (result.backend_name, result.backend_version) == ("qasm_simulator", basicaer.__version__)
    assert (result.job_id, result.success, result.status, result.header) == (job.job_id(), True, "COMPLETED", None)
    assert result.qobj_id == job.qobj().qobj_id
    assert result.time_taken >= 0
    assert datetime.fromisoformat(result.date).tzinfo is not None
    (experiment,) = result.results
    assert (experiment.name, experiment.shots, experiment.success, experiment.status) == ("mine", 3, True, "DONE")
    assert experiment.seed_simulator == 4
    assert experiment.header == {
        "name": "mine",
        "n_qubits": 3,
        "memory_slots": 2,
        "qreg_sizes": [["q", 2], ["r", 1]],
        "creg_sizes": [["c", 2]],
        "qubit_labels": [["q", 0], ["q", 1], ["r", 0]],
        "clbit_labels": [["c", 0], ["c", 1]],
        "global_phase": 0.25,
        "metadata": {"mine": 1},
    }
    assert experiment.data.counts == {"0x1": 3}
    assert experiment.data.memory == ["0x1"] * 3
    assert result.get_counts(circuit) == {"01": 3}
    assert experiment.metadata["device"] == "CPU"
    assert experiment.metadata["precision"] == "double"
    assert "no GPU" in experiment.metadata["device_reason"]
    assert experiment.metadata["simulated_qubits"] == 1
    assert experiment.metadata["simulation_seconds"] <= experiment.time_taken
    assert experiment.metadata["lowering_seconds"] >= 0
    result.to_dict()
    assert pickle.loads(pickle.dumps(result)).get_counts() == {"01": 3}  # noqa: S301  # made here


def test_statevector_simulator_returns_state_and_counts_only_if_measured(statevector):
    data = statevector.run(bell(measured=False)).result().data()
    assert set(data) == {"statevector"}
    assert np.allclose(data["statevector"], Statevector(bell(measured=False)).data)
    data = statevector.run(bell(), memory=True, shots=4).result().data()
    assert set(data) == {"statevector", "counts", "memory"}
    assert sorted(abs(data["statevector"])) == pytest.approx([0, 0, 0, 1])


def test_amplitudes_below_the_threshold_are_zero(statevector):
    circuit = QuantumCircuit(1)
    circuit.ry(2e-5, 0)
    state = statevector.run(circuit).result().data()["statevector"]
    assert state[1] == pytest.approx(1e-5)
    state = statevector.run(circuit, chop_threshold=1e-4).result().data()["statevector"]
    assert state[1] == 0
    assert state[0] != 0


def test_initial_statevector(statevector, qasm):
    vector = reference.random_state(2)
    circuit = bell(measured=False)
    want = Statevector(vector).evolve(circuit).data
    for given in (vector, vector.tolist(), Statevector(vector)):
        assert np.allclose(statevector.run(circuit, initial_statevector=given).result().get_statevector(), want)
    assert qasm.run(bell(), initial_statevector=[0, 1, 0, 0], shots=50).result().get_counts().keys() == {"00", "11"}


def test_initial_statevector_reaches_idle_qubits(qasm):
    circuit = QuantumCircuit(2, 2)
    circuit.measure(range(2), range(2))
    assert qasm.run(circuit, initial_statevector=[0, 0, 1, 0], shots=3).result().get_counts() == {"10": 3}


def test_unitary_simulator(unitary, tolerance, precision):
    circuit = QuantumCircuit(3)
    circuit.h(0)
    circuit.cry(0.4, 0, 2)
    result = unitary.run(circuit, precision=precision).result()
    assert set(result.data()) == {"unitary"}
    assert np.allclose(result.get_unitary(), Operator(circuit).data, atol=tolerance)
    start = reference.random_unitary(8)
    got = unitary.run(circuit, initial_unitary=start, precision=precision).result().get_unitary()
    assert np.allclose(got, Operator(circuit).data @ start, atol=10 * tolerance)


def test_unitary_of_a_loop_without_measurement(unitary):
    circuit = QuantumCircuit(1)
    with circuit.for_loop(range(3)):
        circuit.sx(0)
    flat = QuantumCircuit(1)
    for _ in range(3):
        flat.sx(0)
    assert np.allclose(unitary.run(circuit).result().get_unitary(), Operator(flat).data)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (np.ones((2, 3)), r"shape \(2, 3\), which is not square"),
        (np.eye(2), r"shape \(2, 2\); circuit 'bell' of 2 qubits needs \(4, 4\)"),
        (2 * np.eye(4), "is not unitary to 10 decimals"),
        ("x", "initial_unitary must be an array of complex numbers"),
    ],
)
def test_bad_initial_unitary(unitary, given, message):
    with pytest.raises(BasicAerError, match=message):
        unitary.run(bell(measured=False), initial_unitary=given)


def _measured(circuit):
    circuit.measure(0, 0)


def _conditional(circuit):
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.x(0)


NOT_UNITARY = {
    "measure": _measured,
    "reset": lambda circuit: circuit.reset(0),
    "if_else": _conditional,
    "initialize": lambda circuit: circuit.initialize([1, 0], 1),
}


def test_unitary_simulator_names_a_reset_before_an_initialize_of_another_qubit(unitary):
    circuit = QuantumCircuit(2)
    circuit.h(0)
    circuit.reset(0)
    circuit.initialize([1, 0], 1)
    with pytest.raises(BasicAerError, match="cannot run 'reset'"):
        unitary.run(circuit)


@pytest.mark.parametrize("name", NOT_UNITARY)
def test_unitary_simulator_refuses_what_is_not_unitary(unitary, name):
    circuit = QuantumCircuit(2, 1, name="mixed")
    NOT_UNITARY[name](circuit)
    with pytest.raises(BasicAerError, match=f"unitary_simulator cannot run '{name}' in circuit 'mixed'"):
        unitary.run(circuit)


def test_circuits_without_measurements_are_warned_of(qasm):
    with pytest.warns(BasicAerWarning, match="'bell' has no classical bits, so its counts are empty"):
        assert qasm.run(bell(measured=False)).result().data()["counts"] == {}
    circuit = QuantumCircuit(1, 2, name="blind")
    circuit.h(0)
    with pytest.warns(BasicAerWarning, match="'blind' measures nothing, so its classical bits stay zero"):
        assert qasm.run(circuit, shots=3).result().get_counts() == {"00": 3}


def test_the_warning_points_at_the_users_line(qasm):
    with pytest.warns(BasicAerWarning) as caught:
        qasm.run(bell(measured=False))
    assert caught[0].filename == __file__


def test_parameter_binds_in_aers_form(qasm, statevector):
    a, b, v = Parameter("a"), Parameter("b"), ParameterVector("v", 2)
    first, second, third = QuantumCircuit(1), QuantumCircuit(1), QuantumCircuit(2)
    first.ry(a, 0)
    first.rz(b, 0)
    second.ry(a, 0)
    third.ry(v[0], 0)
    third.ry(v[1], 1)
    binds = [{a: [0.1, 0.2, 0.3], "b": [1, 2, 3]}, {a: 0.5}, {v: [[0.1, 0.2], [0.3, 0.4]]}]
    result = statevector.run([first, second, third], parameter_binds=binds).result()
    want = [first.assign_parameters({a: x, b: y}) for x, y in ((0.1, 1), (0.2, 2), (0.3, 3))]
    want += [second.assign_parameters({a: 0.5})]
    want += [third.assign_parameters({v: values}) for values in ([0.1, 0.2], [0.3, 0.4])]
    assert len(result.results) == 6
    for i, circuit in enumerate(want):
        assert np.allclose(result.get_statevector(i), Statevector(circuit).data)
    with pytest.raises(BasicAerError, match=r"different numbers of values, or none \(1, 2\)"):
        statevector.run(first, parameter_binds=[{a: [0.1, 0.2], b: [1]}])
    with pytest.raises(BasicAerError, match="'b'; bind them"):
        statevector.run(first, parameter_binds=[{a: [0.1]}])


BAD_VALUES = ["abc", ["x"], None, [[1, 2], [3, 4]], 10**400, float("nan"), [float("inf")], 1j, b"ab", {1, 2}]


@pytest.mark.parametrize("value", BAD_VALUES, ids=repr)
def test_values_that_are_no_numbers_are_said(qasm, value):
    angle = Parameter("angle")
    circuit = QuantumCircuit(1, 1)
    circuit.rx(angle, 0)
    with pytest.raises(BasicAerError, match="parameter_binds gives 'angle' "):
        qasm.run(circuit, parameter_binds=[{angle: value}])


def test_a_parameter_with_no_values_is_said(qasm):
    angle = Parameter("angle")
    circuit = QuantumCircuit(1, 1)
    circuit.rx(angle, 0)
    with pytest.raises(BasicAerError, match=r"different numbers of values, or none \(0\)"):
        qasm.run(circuit, parameter_binds=[{angle: []}])


def test_an_array_without_dimensions_is_a_number(statevector):
    angle = Parameter("angle")
    circuit = QuantumCircuit(1)
    circuit.rx(angle, 0)
    (experiment,) = statevector.run(circuit, parameter_binds=[{angle: np.array(0.5)}]).result().results
    assert experiment.data.statevector[0] == pytest.approx(np.cos(0.25))


def test_vectors_are_bound_by_themselves_or_their_name_and_only_once(statevector):
    vector, other = ParameterVector("v", 2), ParameterVector("w", 2)
    circuit = QuantumCircuit(2)
    circuit.ry(vector[0], 0)
    circuit.ry(vector[1], 1)
    want = Statevector(circuit.assign_parameters({vector: [0.1, 0.2]})).data
    for key in (vector, "v"):
        got = statevector.run(circuit, parameter_binds=[{key: [0.1, 0.2]}]).result().get_statevector()
        assert np.allclose(got, want)
    with pytest.raises(BasicAerError, match=r"gives 'v\[0\]' of circuit .* values twice"):
        statevector.run(circuit, parameter_binds=[{vector: [1, 2], vector[0]: [3]}])
    with pytest.raises(BasicAerError, match=r"the vector 'v' values of shape \(1,\); give 2 numbers"):
        statevector.run(circuit, parameter_binds=[{vector: [1]}])
    with pytest.raises(BasicAerError, match=r"names 'w\[0\]', which circuit .* does not have"):
        statevector.run(circuit, parameter_binds=[{other: [1, 2]}])


def test_an_unbound_global_phase_is_named(qasm):
    circuit = QuantumCircuit(1, 1, global_phase=Parameter("phase"))
    with pytest.raises(BasicAerError, match=r"Parameters without a value in .*'phase'"):
        qasm.run(circuit)


def test_a_global_phase_must_be_finite(statevector):
    with pytest.raises(BasicAerError, match=r"'global_phase' has parameters .*not all finite"):
        statevector.run(QuantumCircuit(1, global_phase=float("nan")))


def test_a_parameterised_controlled_rotation_gets_each_of_its_values(qasm):
    """Another simulator answers the first set of values for all."""
    angle = Parameter("angle")
    circuit = QuantumCircuit(2, 1)
    circuit.x(0)
    circuit.crx(angle, 0, 1)
    circuit.measure(1, 0)
    result = qasm.run(circuit, parameter_binds=[{angle: [0, np.pi]}], shots=10).result()
    assert [result.get_counts(i) for i in range(2)] == [{"0": 10}, {"1": 10}]


def test_sampler_over_the_backend(qasm):
    angle = Parameter("angle")
    circuit = QuantumCircuit(QuantumRegister(2), ClassicalRegister(1, "one"), ClassicalRegister(1, "two"))
    circuit.rx(angle, 0)
    circuit.cx(0, 1)
    circuit.measure([0, 1], [0, 1])
    sampler = BackendSamplerV2(backend=qasm, options={"seed_simulator": 2})
    data = sampler.run([(circuit, [[0], [np.pi], [1.0]])], shots=200).result()[0].data
    assert data.one.get_counts(0) == {"0": 200}
    assert data.two.get_counts(1) == {"1": 200}
    assert data.one.get_counts(2) == data.two.get_counts(2)
    assert set(data.one.get_counts(2)) == {"0", "1"}


def test_estimator_over_the_backend(qasm):
    circuit = QuantumCircuit(2)
    circuit.ry(0.7, 0)
    circuit.cx(0, 1)
    observable = SparsePauliOp(["ZZ", "XX", "ZI"], [0.5, 0.25, -1])
    want = StatevectorEstimator().run([(circuit, observable)]).result()[0].data.evs
    estimator = BackendEstimatorV2(backend=qasm, options={"seed_simulator": 2})
    got = estimator.run([(circuit, observable)], precision=0.01).result()[0].data.evs
    assert got == pytest.approx(want, abs=0.05)


def test_many_jobs_share_a_backend(qasm):
    jobs = [qasm.run(bell(), shots=10 + i) for i in range(30)]
    assert [sum(job.result().get_counts().values()) for job in jobs] == [10 + i for i in range(30)]


def test_too_wide_is_refused_before_the_state_is_made(qasm, statevector, unitary, monkeypatch):
    monkeypatch.setattr(NumpyDevice, "free_bytes", lambda _self: 2**30)
    monkeypatch.setattr(NumpyDevice, "new_state", None)
    monkeypatch.setenv("BASICAER_NUM_THREADS", "2")  # each takes some memory
    wide = QuantumCircuit(27, name="wide")
    wide.ry(0.1, range(27))
    wide.measure_all()
    with pytest.raises(
        BasicAerError,
        match=r"Circuit 'wide' needs 2.01 GiB for 27 qubits in double precision on the CPU, where 1 GiB are free; "
        r"25 qubits fit, 26 with precision='single', spill=FOLDER keeps it in a file of 2 GiB\.",
    ):
        qasm.run(wide)
    with pytest.raises(
        BasicAerError,
        match=r"'wide' needs 1\.01 GiB .*single precision.*; 26 qubits fit, spill=FOLDER keeps it in a file of 1 GiB\.",
    ):
        qasm.run(wide, precision="single")
    idle = QuantumCircuit(27)
    idle.h(0)
    with pytest.raises(BasicAerError, match=r"needs 2\.01 GiB for 27 qubits"):
        statevector.run(idle)
    with pytest.raises(BasicAerError, match=r"needs 4.01 GiB for 14 qubits.*; 12 qubits fit, 13 with"):
        unitary.run(QuantumCircuit(14))


@pytest.mark.parametrize("n", [70, 500, 2000])
def test_any_width_is_refused_in_the_same_words(qasm, statevector, n):
    wide = QuantumCircuit(n, name="wide")
    with pytest.raises(BasicAerError, match=f"Circuit 'wide' needs .* for {n} qubits"):
        statevector.run(wide)
    wide.h(range(n))
    wide.measure_all()
    with pytest.raises(BasicAerError, match=f"Circuit 'wide' needs .* for {n} qubits"):
        qasm.run(wide)


SIZES = {5: "5 bytes", 2048: "2 KiB", 1020 * 2**20: "1020 MiB", 2**64: "16384 PiB", 2**2000: "2**2000 bytes"}


@pytest.mark.parametrize(("size", "said"), SIZES.items(), ids=SIZES.values())
def test_sizes_are_readable(size, said):
    assert readable(size) == said


def test_device_by_choice(qasm, monkeypatch):
    monkeypatch.setattr(registry, "probe_gpu", lambda: gpu_probe.GpuProbe("the fan is off; switch it on"))
    assert qasm.run(bell()).result().results[0].metadata["device_reason"] == "no GPU: the fan is off; switch it on"
    with pytest.raises(DeviceUnavailableError, match="device='GPU' cannot be used: the fan is off; switch it on"):
        qasm.run(bell(), device="gpu")
    assert qasm.run(bell(), device="CPU").result().results[0].metadata["device_reason"] == "device='CPU' was asked for"


def test_single_precision_is_complex64(statevector, precision):
    state = statevector.run(bell(measured=False), precision=precision).result().data()["statevector"]
    assert state.itemsize == Precision(precision).amplitude_bytes


def test_headers_are_their_results_own(qasm):
    job = qasm.run([bell(), bell()], shots=9)
    for headers in (
        [one.header for one in job.result().results],
        [one.header.to_dict() for one in job.qobj().experiments],
    ):
        first, second = headers
        kept = copy.deepcopy(second)
        for value in first.values():
            if isinstance(value, list):
                for inner in value:
                    inner[0] = "changed"
                value.clear()
        assert second == kept
    assert qasm.run(bell(), shots=9).result().results[0].header["creg_sizes"] == [["meas", 2]]
