"""`parameter_binds` with many sets for a circuit: each set has the result of a job with that circuit and seed alone."""

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Instruction, Parameter
from qiskit.circuit.classical import expr

from basicaer import BasicAer
from basicaer.engine import together
from basicaer.engine.draws import seed_of_experiment
from basicaer.engine.monitor import Monitor
from basicaer.simulators import experiments, submitting

ANGLES = [0.1, 0.4, 1.2, 2.0, 2.9, 0.7]
TIMES = {"time_taken", "lowering_seconds", "simulation_seconds"}


def rotations(*, phase=False, measured=True):
    """Return a circuit in which one parameter gives all angles and, if `phase` is set, the global phase."""
    angle = Parameter("angle")
    circuit = QuantumCircuit(3, global_phase=angle if phase else 0.3, metadata={"kept": 1})
    for qubit in range(3):
        circuit.ry(angle + qubit, qubit)
    circuit.cx(0, 1)
    if measured:
        save = Instruction("save_state", 3, 0, [], label="_method_")  # as Aer has it
        save._subtype = "single"
        circuit.append(save, range(3))
        circuit.measure_all()
    return circuit


def told(experiment, but_for):
    """Return what the result of an experiment says, but for some of it."""
    told = experiment.to_dict()
    for part in (told, told["metadata"]):
        for key in but_for & set(part):
            del part[key]
    told["data"] = {name: np.asarray(value).tolist() for name, value in told["data"].items()}
    return told


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("qasm_simulator", {"method": "statevector", "memory": True}),
        ("qasm_simulator", {"method": "density_matrix"}),
        ("statevector_simulator", {}),
        ("unitary_simulator", {}),
    ],
)
@pytest.mark.parametrize("phase", [False, True])
def test_each_set_has_the_result_of_its_circuit_alone(name, options, phase):
    circuit, backend = rotations(phase=phase, measured=name == "qasm_simulator"), BasicAer.get_backend(name)
    but_for = TIMES | ({"seed", "seed_simulator"} if name == "unitary_simulator" else set())  # it takes no seed
    together = backend.run(circuit, parameter_binds=[{"angle": ANGLES}], seed_simulator=5, **options).result()
    for number, angle in enumerate(ANGLES):
        bound = circuit.assign_parameters([angle])
        bound.name = circuit.name
        alone = backend.run(bound, seed_simulator=seed_of_experiment(5, number), **options).result()
        assert told(together.results[number], but_for) == told(alone.results[0], but_for)


def test_what_one_set_returns_is_not_shared_with_others():
    results = BasicAer.get_backend("qasm_simulator").run(rotations(), parameter_binds=[{"angle": ANGLES}]).result()
    first, second = (one.header["qubit_labels"] for one in results.results[:2])
    first[0][0] = "changed"
    assert second[0][0] != "changed"


def test_a_circuit_is_checked_once_for_all_its_sets(monkeypatch):
    checked = []
    choose_method = experiments.choose_method

    def counted(method, program, shots):
        checked.append(program.name)
        return choose_method(method, program, shots)

    monkeypatch.setattr(experiments, "choose_method", counted)
    circuits = [rotations(), rotations()]
    binds = [{"angle": ANGLES}, {"angle": ANGLES}]
    BasicAer.get_backend("qasm_simulator").run(circuits, parameter_binds=binds, shots=3).result()
    assert checked == [circuit.name for circuit in circuits]


def test_sets_of_a_circuit_are_shared_out_among_gpus(monkeypatch):
    payloads = []
    monkeypatch.setattr(experiments, "check_room", lambda *_, **__: None)
    monkeypatch.setattr(submitting, "submit_job", lambda *_, prepare, **__: payloads.append(prepare()))
    BasicAer.get_backend("qasm_simulator").run(
        rotations(), parameter_binds=[{"angle": ANGLES}], target_gpus=[0, 1], device="CPU"
    )
    assert [one.devices.gpu for one in payloads[0].experiments] == [0, 1] * 3


def measured_all(circuit):
    circuit.measure(range(8), range(8))


def measured_in_part(circuit):
    circuit.measure([6, 1], [0, 1])


def measured_far_apart(circuit):
    circuit.measure(range(8), [69, *range(7)])


def stored_before(circuit):
    circuit.store(circuit.clbits[30], expr.lift(True))  # noqa: FBT003  # it has no name
    circuit.measure(range(8), range(7, -1, -1))


@pytest.mark.parametrize("measure", [measured_all, measured_in_part, measured_far_apart, stored_before])
@pytest.mark.parametrize("most", [1, 200, 2**16])
def test_shots_of_many_sets_are_counted_as_those_of_each(measure, most, monkeypatch):
    monkeypatch.setattr(together, "_SHOTS_COUNTED", most)
    progress = []
    circuit = QuantumCircuit(8, 70)
    angle = Parameter("angle")
    for qubit in range(8):
        circuit.ry(angle * (qubit + 1), qubit)
    measure(circuit)
    backend, options = BasicAer.get_backend("qasm_simulator"), {"shots": 90, "seed_simulator": 7}
    monkeypatch.setattr(Monitor, "finish_shots", lambda _, count: progress.append(count))
    sets = backend.run(circuit, parameter_binds=[{"angle": ANGLES}], **options).result()
    assert sum(progress) == 90 * len(ANGLES)
    for number, value in enumerate(ANGLES):
        bound, seed = circuit.assign_parameters([value]), seed_of_experiment(7, number)
        counts = backend.run(bound, **{**options, "seed_simulator": seed}).result().get_counts()
        assert list(sets.get_counts(number).items()) == list(counts.items())
