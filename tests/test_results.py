"""Results as other programs read them: written as JSON, and with the metadata that Aer's users look up."""

import json

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.exceptions import QiskitError
from qiskit.result import Result

from basicaer import BasicAer, library
from basicaer.engine.monitor import Monitor
from basicaer.errors import BasicAerError
from basicaer.result import joined
from jobs import GUARD

ANGLE = Parameter("angle")


def pair(*, idle=0, measured=True):
    circuit = QuantumCircuit(2 + idle, 2 if measured else 0)
    circuit.h(0)
    circuit.cx(0, 1)
    if measured:
        circuit.measure([0, 1], [0, 1])
    return circuit


def measured_twice():
    circuit = pair()
    circuit.h(0)
    circuit.measure(0, 0)
    return circuit


def reset_between():
    circuit = QuantumCircuit(1, 1)
    circuit.h(0)
    circuit.reset(0)
    circuit.h(0)
    circuit.measure(0, 0)
    return circuit


def branching():
    circuit = pair()
    with circuit.if_test((0, 1)):
        circuit.x(1)
    circuit.measure(1, 1)
    return circuit


def looping(*, measured):
    circuit = QuantumCircuit(1, 1)
    with circuit.for_loop(range(3)):
        circuit.h(0)
        if measured:
            circuit.measure(0, 0)
    circuit.measure(0, 0)
    return circuit


def saving():
    circuit = pair(idle=1)
    library.save_probabilities_dict(circuit, [0], label="probabilities")
    library.save_expectation_value(circuit, "ZZ", [0, 1], label="value")
    return circuit


def turning():
    circuit = QuantumCircuit(1, global_phase=ANGLE)
    circuit.ry(ANGLE, 0)
    circuit.measure_all()
    return circuit


RUNS = {
    "counts": (pair(), {}),
    "memory": (pair(), {"memory": True}),
    "measured twice": (measured_twice(), {"memory": True}),
    "branching": (branching(), {"memory": True}),
    "together": ([pair()] * 9, {"memory": True}),
    "in parts": ([pair()] * 4, {"max_parallel_experiments": 2}),
    "numbers of NumPy": (pair(), {"shots": np.int64(5), "seed_simulator": np.uint32(3), "memory": np.True_}),
    "values of NumPy": ([turning()], {"parameter_binds": [{ANGLE: np.linspace(0, 1, 6)}]}),
    "single": (pair(), {"precision": "single", "memory": True}),
    "saved": (saving(), {}),
}


def numbers_in(value):
    """Every number of nested lists and dictionaries; nothing else that JSON could not have."""
    if isinstance(value, dict):
        for key, one in value.items():
            assert type(key) in {str, int}, key
            yield from numbers_in(one)
    elif isinstance(value, list):
        for one in value:
            yield from numbers_in(one)
    elif not isinstance(value, str | None):
        yield value


@pytest.mark.parametrize("run", RUNS)
def test_results_of_counts_are_json(qasm, run):
    circuits, options = RUNS[run]
    result = qasm.run(circuits, **options).result(GUARD)
    given = result.to_dict()
    assert {type(number) for number in numbers_in([one["data"] for one in given["results"]])} <= {int, float}
    read = Result.from_dict(json.loads(json.dumps(given)))
    assert read.get_counts() == result.get_counts()
    assert read.date == result.date
    if options.get("memory"):
        for number in range(len(result.results)):
            assert read.get_memory(number) == result.get_memory(number)


def test_a_qobjs_result_is_json(qasm):
    result = qasm.run(qasm.run(pair(), memory=True).qobj()).result(GUARD)
    assert Result.from_dict(json.loads(json.dumps(result.to_dict()))).get_counts() == result.get_counts()


@pytest.mark.parametrize(("name", "key"), [("statevector_simulator", "statevector"), ("unitary_simulator", "unitary")])
def test_arrays_stay_arrays(name, key):
    given = BasicAer.get_backend(name).run(pair(measured=False)).result(GUARD).to_dict()
    array = given["results"][0]["data"].pop(key)
    assert isinstance(array, np.ndarray)
    assert array.dtype == np.complex128
    json.dumps(given)


# The metadata that Aer's users look up.


def metadata_of(circuit, name="qasm_simulator", **options):
    result = BasicAer.get_backend(name).run(circuit, **options).result(GUARD)
    assert result.metadata["time_taken_execute"] == result.time_taken
    return result.results[0].metadata


@pytest.mark.parametrize(
    ("name", "method", "measured"),
    [
        ("qasm_simulator", "statevector", True),
        ("statevector_simulator", "statevector", True),
        ("unitary_simulator", "unitary", False),
    ],
)
def test_the_method_is_that_of_the_simulator(name, method, measured):
    assert metadata_of(pair(measured=measured), name)["method"] == method


def test_qubits_that_are_simulated_are_named():
    circuit = QuantumCircuit(6, 3)
    circuit.h(2)
    circuit.cx(2, 5)
    circuit.measure([2, 5], [0, 2])
    metadata = metadata_of(circuit)
    assert metadata["num_qubits"] == 2
    assert metadata["active_input_qubits"] == [2, 5]
    assert metadata_of(circuit, initial_statevector=np.eye(64)[0])["active_input_qubits"] == list(range(6))
    assert metadata_of(pair(idle=1, measured=False), "unitary_simulator")["num_qubits"] == 3


@pytest.mark.parametrize(
    ("circuit", "sampled"),
    [
        (pair(), True),
        (looping(measured=False), True),
        (measured_twice(), False),
        (reset_between(), False),
        (branching(), False),
        (looping(measured=True), False),
    ],
)
def test_outcomes_are_sampled_from_one_state_or_not(circuit, sampled):
    assert metadata_of(circuit)["measure_sampling"] is sampled


@pytest.mark.parametrize(
    ("name", "qubits", "enabled"),
    [("qasm_simulator", 3, False), ("qasm_simulator", 12, True), ("unitary_simulator", 6, True)],
)
def test_gates_are_fused_in_all_but_small_states(name, qubits, enabled):
    circuit = QuantumCircuit(qubits)
    circuit.h(range(qubits))
    if name == "qasm_simulator":
        circuit.measure_all()
    metadata = metadata_of(circuit, name, device="CPU")
    assert metadata["fusion"] == {"enabled": enabled}
    stages = BasicAer.get_backend(name).plan(circuit, device="CPU").stages
    assert {bool(stage.tile) for stage in stages} == {enabled}


@pytest.mark.parametrize("threads", [0, 1, 3])
def test_threads_are_those_that_may_work_on_a_state(threads, monkeypatch):
    monkeypatch.setenv("BASICAER_NUM_THREADS", "5")
    metadata = metadata_of(pair(), max_parallel_threads=threads, device="CPU")
    assert metadata["parallel_state_update"] == (threads or 5)


def test_what_took_time_is_told_twice(qasm):
    [experiment] = qasm.run(pair()).result(GUARD).results
    assert experiment.metadata["time_taken"] == experiment.time_taken


@pytest.mark.parametrize(
    ("simulator", "asked", "words"),
    [
        ("qasm_simulator", "statevector", "statevector_simulator, or save the state with library.save_statevector"),
        ("qasm_simulator", "unitary", "unitary_simulator"),
        ("qasm_simulator", "memory", "memory=True"),
        ("statevector_simulator", "unitary", "unitary_simulator"),
        ("unitary_simulator", "statevector", "statevector_simulator"),
        ("unitary_simulator", "counts", "qasm_simulator"),
    ],
)
def test_what_a_simulator_does_not_return_is_said_with_what_returns_it(simulator, asked, words):
    result = BasicAer.get_backend(simulator).run(pair(measured=simulator != "unitary_simulator")).result(GUARD)
    with pytest.raises(BasicAerError, match=f"This result of {simulator} has no {asked}; .*{words}"):
        getattr(result, f"get_{asked}")()


def test_an_experiment_that_there_is_not_is_another_mistake(qasm):
    result = qasm.run(pair()).result(GUARD)
    with pytest.raises(QiskitError, match="nobody"):
        result.get_counts("nobody")


def test_a_result_says_whether_it_has_all_circuits_of_the_job(monkeypatch):
    backend = BasicAer.get_backend("qasm_simulator")
    whole = backend.run([pair(), pair(), measured_twice()], max_parallel_experiments=2).result(GUARD)
    assert (whole.success, whole.status) == (True, "COMPLETED")
    some = joined([whole], 4)
    assert (some.success, some.status, len(some.results)) == (False, "PARTIAL COMPLETED", 3)

    def finish(monitor, position, experiment):
        finished(monitor, position, experiment)
        raise BasicAerError("The second circuit is lost.")

    finished = Monitor.finish_experiment
    monkeypatch.setattr(Monitor, "finish_experiment", finish)
    job = backend.run([pair(), measured_twice()])
    job.wait_for_final_state(GUARD)
    part = job.partial_result()
    assert (part.success, part.status, len(part.results)) == (False, "PARTIAL COMPLETED", 1)
