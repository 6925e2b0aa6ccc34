"""`save_outcome_probabilities`: exact probabilities of what is measured, against every path followed one by one."""

import numpy as np
import pytest
from qiskit import QuantumCircuit, transpile
from qiskit.circuit import Parameter
from qiskit.circuit.classical import expr

import basicaer.library as lib
import exact
from basicaer import BasicAer, BasicAerError, EstimatorV2, SamplerV2
from basicaer.engine import finishing, splitting
from basicaer.simulators import running
from conftest import DEVICES
from test_branches import Drawing

LABEL = "outcome_probabilities"
QASM = BasicAer.get_backend("qasm_simulator")


def saved(circuit, backend=QASM, label=LABEL, **options):
    found = backend.run(circuit, seed_simulator=1, **options).result().data(0)[label]
    return {int(key, 16): probability for key, probability in found.items()}


def assert_exact(found, want, tolerance=1e-9):
    assert {key: p for key, p in want.items() if p > tolerance} == pytest.approx(found, abs=tolerance)


@pytest.mark.parametrize("seed", sorted({*range(200, 218)} - {208, 211}))  # those have too many paths
def test_they_are_those_of_all_paths(seed):
    circuit = Drawing(seed, depth=2, saves=False).circuit
    want = exact.outcome_probabilities(circuit)
    lib.save_outcome_probabilities(circuit)
    assert_exact(saved(circuit, shots=3), want)
    assert_exact(saved(transpile(circuit, QASM), BasicAer.get_backend("statevector_simulator"), shots=1), want)


def feedback():
    """Bits that are written early, late, twice and never; a qubit that is idle."""
    circuit = QuantumCircuit(4, 5)
    circuit.ry(0.7, 0)
    circuit.measure(0, 3)
    with circuit.if_test((circuit.clbits[3], 1)):
        circuit.ry(1.1, 1)
    circuit.reset(0)
    circuit.h(0)
    circuit.measure([0, 1, 3], [1, 0, 2])
    return circuit


@pytest.mark.parametrize("device", ["CPU", "CPU-tiny-tiles", "GPU-emulated", "GPU"])
@pytest.mark.parametrize("in_the_middle", [True, False])
def test_they_are_the_same_on_all_devices_and_in_both_precisions(device, in_the_middle, precision, monkeypatch):
    chosen = DEVICES[device]()
    monkeypatch.setattr(running, "choose_device", lambda *_, **__: (chosen, "a test wants it"))
    circuit = feedback() if in_the_middle else QuantumCircuit(3, 4)
    if not in_the_middle:
        circuit.ry(0.7, range(3))
        circuit.cx(0, 2)
        circuit.measure([0, 2], [3, 1])
    want = exact.outcome_probabilities(circuit)
    lib.save_outcome_probabilities(circuit, "p")
    assert_exact(saved(circuit, label="p", precision=precision), want, 1e-6 if precision == "single" else 1e-12)


def test_counts_and_other_saves_are_as_without_them():
    plain = feedback()
    lib.save_probabilities(plain, [1])
    with_them = plain.copy()
    lib.save_outcome_probabilities(with_them)
    lib.save_statevector(with_them)
    data = QASM.run(with_them, seed_simulator=3).result().data(0)
    alone = QASM.run(plain, seed_simulator=3).result().data(0)
    assert data["counts"] == alone["counts"]
    assert data["probabilities"] == pytest.approx(alone["probabilities"])
    assert list(data[LABEL]) == sorted(data[LABEL], key=lambda key: int(key, 16))


def test_each_set_of_parameters_has_its_own():
    angle = Parameter("angle")
    circuit = QuantumCircuit(1, 1)
    circuit.rx(angle, 0)
    circuit.measure(0, 0)
    lib.save_outcome_probabilities(circuit)
    result = QASM.run(circuit, parameter_binds=[{angle: [0.1 * i for i in range(6)]}]).result()
    for i in range(6):
        bound = QuantumCircuit(1, 1)
        bound.rx(0.1 * i, 0)
        bound.measure(0, 0)
        want = {hex(key): p for key, p in exact.outcome_probabilities(bound).items() if p}
        assert result.data(i)[LABEL] == pytest.approx(want)


def endless(probability):
    """A loop that is left with some probability at each iteration, and never for certain."""
    circuit = QuantumCircuit(1, 1)
    with circuit.while_loop((circuit.clbits[0], 0)):
        circuit.reset(0)
        circuit.ry(2 * np.arcsin(probability**0.5), 0)
        circuit.measure(0, 0)
    return circuit


@pytest.mark.parametrize("probability", [0.02, 0.25, 0.45, 0.5, 0.9])
def test_what_is_too_unlikely_is_not_followed_for_ever(probability):
    circuit = endless(probability)
    lib.save_outcome_probabilities(circuit)
    assert saved(circuit) == {1: pytest.approx(1, abs=1e-12)}
    (values,) = EstimatorV2().run([(endless(probability), "Z")]).result()
    assert values.data.evs == pytest.approx(-1)
    assert 0 < values.metadata["neglected_probability"] < 100 * splitting.LEAST_PROBABILITY


def test_many_unlikely_outcomes_are_not_lost():
    """Each branch may lose little, but there are many; none of what is lost may go to another outcome."""
    n, p = 24, 9.8e-4
    turns = np.random.default_rng(n).uniform(0.7, 1.3, n)
    circuit = QuantumCircuit(2, 1)
    for turn in turns:
        circuit.ry(2 * np.arcsin(p**0.5), 0)
        circuit.measure(0, 0)
        circuit.cry(turn, 0, 1)
        circuit.reset(0)
    circuit.measure(1, 0)
    lib.save_outcome_probabilities(circuit)
    want = (1 - np.prod(1 - p + p * np.exp(1j * turns)).real) / 2
    assert saved(circuit)[1] == pytest.approx(want, abs=1e-9)


def test_where_too_much_is_lost_they_are_refused(monkeypatch):
    monkeypatch.setattr(splitting, "LEAST_OF_OUTCOMES", 1e-4)
    circuit = endless(0.25)
    lib.save_outcome_probabilities(circuit)
    with pytest.raises(BasicAerError, match=r"so many unlikely outcomes that .* of the probability is lost"):
        QASM.run(circuit).result()


def test_impossible_outcomes_are_not_listed():
    circuit = QuantumCircuit(10)
    circuit.h(range(10))
    for i in range(9):
        circuit.cp(0.3, i, i + 1)
    circuit.barrier()
    for i in reversed(range(9)):
        circuit.cp(-0.3, i, i + 1)
    circuit.h(range(10))
    circuit.measure_all()
    lib.save_outcome_probabilities(circuit)
    assert saved(circuit) == {0: pytest.approx(1)}


@pytest.mark.parametrize("level", range(4))
def test_what_is_merely_classical_may_be_moved_behind_it(level):
    circuit = QuantumCircuit(1, 3)
    circuit.h(0)
    circuit.measure(0, 0)
    circuit.store(circuit.clbits[1], expr.lift(circuit.clbits[0]))
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.store(circuit.clbits[2], expr.lift(circuit.clbits[1]))
    lib.save_outcome_probabilities(circuit)
    want = {0: pytest.approx(0.5), 7: pytest.approx(0.5)}
    assert saved(circuit) == want
    assert saved(transpile(circuit, QASM, optimization_level=level)) == want


def test_other_saves_do_not_keep_branches_apart():
    circuit = QuantumCircuit(2, 1)
    for i in range(30):
        circuit.h(0)
        circuit.measure(0, 0)
        circuit.rz(0.1 + 0.37 * i * i, 0)
        circuit.cz(0, 1)
        circuit.reset(0)
    with circuit.if_test((circuit.clbits[0], 1)):
        lib.save_statevector(circuit)
    circuit.h(0)
    circuit.measure(0, 0)
    lib.save_outcome_probabilities(circuit)
    assert saved(circuit, shots=5) == {0: pytest.approx(0.5), 1: pytest.approx(0.5)}


def test_they_are_found_before_shots_are_drawn(monkeypatch):
    """A refusal must not come after the work of the whole run."""
    monkeypatch.setattr(running, "execute", lambda *_args, **_keys: pytest.fail("shots were drawn"))
    monkeypatch.setattr(splitting, "_MOST_ROWS", 1)
    circuit = feedback()
    lib.save_outcome_probabilities(circuit)
    with pytest.raises(BasicAerError, match="too many outcomes"):
        QASM.run(circuit).result()


def test_a_sampler_does_not_look_for_them(monkeypatch):
    monkeypatch.setattr(splitting, "_MOST_ROWS", 1)
    circuit = feedback()
    lib.save_outcome_probabilities(circuit)
    assert SamplerV2().run([circuit], shots=10).result()[0].data.c.num_shots == 10


def test_a_job_is_done_once_its_shots_are():
    circuit = feedback()
    lib.save_outcome_probabilities(circuit)
    job = QASM.run(circuit, shots=70)
    job.result()
    assert (job.progress().shots, job.progress().total_shots) == (70, 70)


def test_a_saved_job_has_them(tmp_path):
    circuit = feedback()
    lib.save_outcome_probabilities(circuit)
    want = saved(circuit)
    assert saved(circuit, checkpoint_dir=tmp_path / "job") == pytest.approx(want)


def misplaced(how):
    circuit = feedback()
    match how:
        case "before a gate":
            lib.save_outcome_probabilities(circuit)
            circuit.x(0)
        case "before a measurement":
            lib.save_outcome_probabilities(circuit)
            circuit.measure(1, 2)
        case "in a body":
            with circuit.if_test((circuit.clbits[3], 1)):
                circuit.append(lib.SaveOutcomeProbabilities(4), circuit.qubits)
        case "twice":
            lib.save_outcome_probabilities(circuit, "first")
            lib.save_outcome_probabilities(circuit, "second")
    return circuit


@pytest.mark.parametrize("how", ["before a gate", "before a measurement", "in a body", "twice"])
def test_they_come_once_and_last(how):
    with pytest.raises(BasicAerError, match=r"save_outcome_probabilities \(circuit '.*', label '.*'\) must come once"):
        QASM.run(misplaced(how))


def test_only_a_simulator_with_measurements_has_them():
    circuit = QuantumCircuit(1)
    lib.save_outcome_probabilities(circuit)
    with pytest.raises(BasicAerError, match="unitary_simulator cannot run 'save_outcome_probabilities'"):
        BasicAer.get_backend("unitary_simulator").run(circuit)


def test_too_many_are_refused(monkeypatch):
    monkeypatch.setattr(finishing, "_MOST_OUTCOMES", 6)
    monkeypatch.setattr(splitting, "_MOST_ROWS", 6)
    straight, dynamic = QuantumCircuit(3), QuantumCircuit(1, 3)
    straight.h(range(3))
    straight.measure_all()
    for bit in range(3):
        dynamic.h(0)
        dynamic.measure(0, bit)
        dynamic.x(0)
    for circuit, why in ((straight, "more than 6 different outcomes"), (dynamic, "too many outcomes")):
        lib.save_outcome_probabilities(circuit)
        with pytest.raises(BasicAerError, match=why):
            QASM.run(circuit).result()
