"""Density matrices: exactly what Qiskit's superoperators make of them, on every device."""

from dataclasses import replace

import numpy as np
import pytest
from qiskit import ClassicalRegister, QuantumCircuit
from qiskit.circuit import Instruction, Parameter
from qiskit.circuit.classical import expr
from qiskit.circuit.library import DiagonalGate, PermutationGate, UnitaryGate
from qiskit.quantum_info import (
    DensityMatrix,
    Kraus,
    SparsePauliOp,
    SuperOp,
    random_quantum_channel,
    random_statevector,
    random_unitary,
)

import basicaer.library as lib
from basicaer import BasicAer, BasicAerError, EstimatorV2, SamplerV2
from basicaer.compile.lower import lower
from basicaer.compile.modifiers import formula_numbers
from basicaer.compile.noise import CircuitNoise
from basicaer.compile.noise_model import read_model
from basicaer.devices.cpu.device import NumpyDevice
from basicaer.devices.memory import check_fits
from basicaer.engine import splitting
from basicaer.engine.density import DensityDevice, DensityState
from basicaer.engine.execute import execute
from basicaer.engine.expected_errors import expected_states
from basicaer.engine.method import choose_method
from basicaer.engine.monitor import Monitor
from basicaer.engine.program import OverShots, Save, SavedQuantity
from basicaer.engine.request import Request
from basicaer.engine.superoperators import on_density_matrices, superoperator
from basicaer.errors import Cancelled, OptionValueError
from basicaer.options import Method, Precision
from basicaer.plan.planner import plan_segment
from basicaer.primitives import sweep_run
from basicaer.simulators import running
from noisy_exact import followed
from qobjs import experiment, instruction, measure, qobj_of
from test_noise_runs import DAMPING, KRAUS, ONE, TWO, as_numbers, check, feedback, layers, model, paulis, readout_entry

BACKEND = BasicAer.get_backend("qasm_simulator", method="density_matrix")
ERRORS = {"ry": ONE["Paulis"], "cx": TWO, "rz": ONE["damping"]}
NOISE = model(**ERRORS)

pytestmark = pytest.mark.filterwarnings("ignore:The noise model has no errors")


def expected(circuit, errors=KRAUS, readout=None, start=None):
    """The density matrix at the end, whatever the outcomes."""
    n = circuit.num_qubits
    if start is None:
        start = np.zeros((2**n, 2**n), complex)
        start[0, 0] = 1
    return sum(followed(circuit, {0: start}, errors, readout, n).values())


def evolved(circuit, device, precision, noise_model=NOISE, **how):
    """The density matrix of all qubits that a run on a device ends with."""
    program = lower(circuit, keep_idle=True, noise=CircuitNoise(read_model(noise_model)))
    save = Save("rho", "", SavedQuantity.DENSITY_MATRIX, tuple(range(circuit.num_qubits)), (), OverShots.MEAN, False)  # noqa: FBT003
    program = replace(program, body=(*program.body, save), final=(), saves=(save,))
    how = {"shots": 1, "exact": True} | how
    request = Request(program, precision, seed=1, density=True, **how)
    outcome = execute(request, device, plan_segment, Monitor(), numbers_of=formula_numbers)
    (found,) = outcome.saved["rho"].values()
    return found


# Superoperators.


@pytest.mark.parametrize("qubits", [1, 2])
def test_the_matrix_of_an_error_is_qiskits_superoperator(qubits):
    channel = random_quantum_channel(2**qubits, 2**qubits, rank=3, seed=qubits)
    assert np.allclose(superoperator(np.array(Kraus(channel).data)), SuperOp(channel).data, atol=1e-13)
    unitary = random_unitary(2**qubits, seed=qubits)
    assert np.allclose(superoperator(unitary.data[None]), SuperOp(unitary).data, atol=1e-13)


def every_kind(n=4, seed=3):
    """Gates of every form, with controls and without, errors on up to three qubits, and resets."""
    random = np.random.default_rng(seed)
    circuit = QuantumCircuit(n)
    circuit.global_phase = 0.7
    for q in range(n):
        circuit.ry(random.uniform(0, 3), q)
    circuit.append(UnitaryGate(random_unitary(4, seed=random)), [2, 0])
    circuit.cx(3, 1)
    circuit.append(Kraus(random_quantum_channel(4, 4, rank=4, seed=seed)).to_instruction(), [3, 1])
    circuit.ccx(0, 3, 2, ctrl_state=1)
    circuit.append(Kraus(random_quantum_channel(8, 8, rank=2, seed=seed)).to_instruction(), [1, 3, 0])
    circuit.append(DiagonalGate(np.exp(1j * random.uniform(0, 6, 4)).tolist()), [1, 2])
    circuit.append(PermutationGate([2, 0, 1]), [3, 0, 1])
    circuit.cp(0.4, 0, 3)
    circuit.rz(0.9, 2)
    circuit.reset(1)
    circuit.swap(1, 2)
    circuit.mcx([0, 1, 2], 3)
    circuit.cry(1.2, 3, 1)
    circuit.append(SuperOp(Kraus(DAMPING)).to_instruction(), [3])
    circuit.cx(0, 2)
    return circuit


def without_superops(circuit):
    """The same, with errors in the form in which the reference knows them."""
    made = circuit.copy_empty_like()
    for item in circuit.data:
        made.append(Kraus(DAMPING).to_instruction() if item.name == "superop" else item.operation, item.qubits)
    return made


def test_gates_errors_and_resets_act_exactly(device, precision, tolerance):
    circuit = every_kind()
    found = evolved(circuit, device, precision)
    assert np.allclose(found, expected(without_superops(circuit)), atol=20 * tolerance)


@pytest.mark.parametrize("seed", range(6))
def test_errors_take_in_the_gates_before_them_in_any_order(seed):
    random = np.random.default_rng(seed)
    circuit = QuantumCircuit(4)
    for _ in range(30):
        a, b, c = random.permutation(4)[:3].tolist()
        match int(random.integers(7)):
            case 0:
                circuit.ry(random.uniform(0, 3), a)
            case 1:
                circuit.rz(random.uniform(0, 3), a)
            case 2 | 3:
                circuit.cx(a, b)
            case 4:
                circuit.ccx(a, b, c)
            case 5:
                circuit.reset(a)
            case _:
                circuit.append(Kraus(random_quantum_channel(4, 4, rank=2, seed=random)).to_instruction(), [a, b])
    assert np.allclose(evolved(circuit, NumpyDevice(), Precision.DOUBLE), expected(circuit), atol=1e-10)


def test_gates_and_their_errors_are_one_matrix():
    program = on_density_matrices(lower(layers(3), noise=CircuitNoise(read_model(NOISE))))
    (segment,) = program.body
    assert {gate.name for gate in segment.gates} == {"error"}
    assert all(len(gate.targets) == 4 for gate in segment.gates)
    assert len(segment.gates) == 4  # one for each CX, with all errors and rotations since the last one


def test_loops_whose_angles_depend_on_their_variable():
    angle = Parameter("angle")
    circuit = QuantumCircuit(2)
    with circuit.for_loop((2, 1), angle):
        circuit.ry(angle / 3, 0)
        circuit.crz(angle / 3, 0, 1)
        circuit.u(0.2, angle / 3, 0.1, 1)
        circuit.cx(0, 1)
    plain = QuantumCircuit(2)
    for value in (2 / 3, 1 / 3):
        plain.ry(value, 0)
        plain.crz(value, 0, 1)
        plain.u(0.2, value, 0.1, 1)
        plain.cx(0, 1)
    assert np.allclose(evolved(circuit, NumpyDevice(), Precision.DOUBLE), expected(plain), atol=1e-12)


def test_states_that_are_given_or_prepared_on_the_way():
    start = random_statevector(8, seed=1).data
    circuit = QuantumCircuit(3)
    circuit.cx(0, 2)
    circuit.ry(0.4, 1)
    found = BACKEND.run(saving(circuit), noise_model=NOISE, initial_statevector=start).result().data(0)["rho"]
    assert np.allclose(found, expected(circuit, start=np.outer(start, start.conj())), atol=1e-12)
    prepared = QuantumCircuit(3)
    prepared.ry(0.4, 1)
    prepared.initialize(random_statevector(4, seed=2).data, [2, 0])
    pure = QuantumCircuit(3)
    pure.initialize(random_statevector(4, seed=2).data, [2, 0])
    start = DensityMatrix(pure).data
    turned = QuantumCircuit(3)
    turned.ry(0.4, 1)
    found = BACKEND.run(saving(prepared), noise_model=NOISE).result().data(0)["rho"]
    assert np.allclose(found, expected(turned, start=start), atol=1e-12)


def saving(circuit):
    circuit = circuit.copy()
    lib.save_density_matrix(circuit, label="rho")
    return circuit


# Saves.


def with_idle_qubit():
    """Four qubits, of which one is idle."""
    circuit = QuantumCircuit(4)
    for layer in range(2):
        for q in (0, 1, 3):
            circuit.ry(0.5 + q + layer, q)
            circuit.rz(0.3 + q, q)
        circuit.cx(0, 3)
        circuit.cx(3, 1)
    return circuit


def test_saves_are_exact_and_idle_qubits_are_0():
    circuit = with_idle_qubit()
    rho = DensityMatrix(expected(circuit))
    observable = SparsePauliOp(["ZIXY", "IIZZ", "XIIX", "IZII"], [0.3, -1.1, 0.7, 0.2])
    lib.save_density_matrix(circuit, label="all")
    lib.save_density_matrix(circuit, [3, 2, 0], "some")
    lib.save_probabilities(circuit, label="probabilities")
    lib.save_probabilities(circuit, [1, 3], "of some")
    lib.save_probabilities_dict(circuit, [3, 0], "as a dictionary")
    lib.save_expectation_value(circuit, observable, range(4), "mean")
    lib.save_expectation_value_variance(circuit, observable, range(4), "variance")
    lib.save_amplitudes_squared(circuit, [0, 3, 5, 9], label="squares")
    found = BACKEND.run(circuit, noise_model=NOISE, shots=7).result().data(0)
    assert isinstance(found["all"], DensityMatrix)
    assert np.allclose(found["all"], rho, atol=1e-12)
    # Qiskit's partial trace keeps the order of the qubits, so it is exchanged here.
    whole = rho.data.reshape((2,) * 8)
    some = np.einsum(whole, [3, 2, 1, 0, 7, 6, 1, 4], [0, 2, 3, 4, 6, 7]).reshape(8, 8)
    assert np.allclose(found["some"], some, atol=1e-12)
    assert np.allclose(found["probabilities"], rho.probabilities(), atol=1e-12)
    assert np.allclose(found["of some"], rho.probabilities([1, 3]), atol=1e-12)
    want = {int(value, 2): p for value, p in rho.probabilities_dict([3, 0]).items()}
    assert {int(str(value), 0): p for value, p in found["as a dictionary"].items()} == pytest.approx(want)
    mean = rho.expectation_value(observable).real
    square = rho.expectation_value((observable @ observable).simplify()).real
    assert found["mean"] == pytest.approx(mean, abs=1e-12)
    assert np.allclose(found["variance"], [mean, square - mean**2], atol=1e-12)
    assert np.allclose(found["squares"], rho.probabilities()[[0, 3, 5, 9]], atol=1e-12)


@pytest.mark.parametrize(
    "save", [lib.save_statevector, lib.save_statevector_dict, lambda c: lib.save_amplitudes(c, [0])]
)
def test_amplitudes_are_refused_in_a_sentence_with_the_remedy(save):
    circuit = QuantumCircuit(1, name="own")
    save(circuit)
    with pytest.raises(
        BasicAerError, match=r"'own' saves amplitudes, .*use save_density_matrix, or run with method='s"
    ):
        BACKEND.run(circuit)
    assert BasicAer.get_backend("qasm_simulator").run(circuit).result().success


def test_aers_save_state_saves_the_density_matrix():
    circuit = with_idle_qubit()
    save = Instruction("save_state", 4, 0, [], label="_method_")
    save._subtype = "single"
    want = expected(circuit)
    circuit.append(save, range(4))
    found = BACKEND.run(circuit, noise_model=NOISE).result().data(0)
    assert np.allclose(found["density_matrix"], want, atol=1e-12)


def test_two_saves_need_two_labels():
    circuit = QuantumCircuit(1)
    save = Instruction("save_state", 1, 0, [], label="_method_")
    save._subtype = "single"
    circuit.append(save, [0])
    lib.save_density_matrix(circuit)
    with pytest.raises(BasicAerError, match=r"The label 'density_matrix' of save_state .* is taken by another one"):
        BACKEND.run(circuit)


def test_means_are_exact_with_measurements_in_the_middle():
    circuit = feedback()
    circuit.data = circuit.data[:-2]
    errors = {"ry": ONE["Paulis"][2], "cx": TWO[2], "reset": DAMPING}
    rho = DensityMatrix(expected(circuit, errors))
    lib.save_expectation_value(circuit, SparsePauliOp("ZX"), [0, 1], "mean")
    lib.save_probabilities(circuit, label="each", pershot=True)
    noise_model = model(ry=ONE["Paulis"], cx=TWO, reset=ONE["damping"])
    found = BACKEND.run(circuit, noise_model=noise_model, shots=30).result().data(0)
    assert found["mean"] == pytest.approx(rho.expectation_value(SparsePauliOp("ZX")).real, abs=1e-12)
    assert len(found["each"]) == 30


# Estimators.


def rounds(count, n=3):
    """Rounds of feedback, each with two outcomes that decide what follows."""
    circuit = QuantumCircuit(n, 2)
    for number in range(count):
        circuit.ry(0.3 + number / 10, 0)
        circuit.cx(0, 1)
        circuit.cx(1, n - 1)
        circuit.measure([0, 1], [0, 1])
        with circuit.if_test((circuit.clbits[0], 1)):
            circuit.ry(0.4, n - 1)
        with circuit.if_test((circuit.clbits[1], 1)):
            circuit.ry(0.7, n - 1)
            circuit.cx(n - 1, 0)
    return circuit


def test_expectation_values_are_exact_whatever_is_measured():
    observables = [SparsePauliOp("ZII"), SparsePauliOp("XZI"), SparsePauliOp("YII")]
    rho = DensityMatrix(expected(rounds(3)))
    found = EstimatorV2(BACKEND, noise_model=NOISE).run([(rounds(3), observables)]).result()[0]
    assert np.allclose(found.data.evs, [rho.expectation_value(one).real for one in observables], atol=1e-12)
    assert not found.data.stds.any()
    assert (found.metadata["method"], found.metadata["simulation"]) == ("density_matrix", "exact")


def test_branches_are_mixed_as_soon_as_nothing_reads_their_outcomes(monkeypatch):
    """Twenty rounds have 2**40 outcomes, and four of them make a difference at a time."""
    most = []
    keep = splitting.Splitting.part
    monkeypatch.setattr(splitting.Splitting, "part", lambda self, *how: (most.append(len(how[0])), keep(self, *how))[1])
    found = EstimatorV2(BACKEND, noise_model=NOISE).run([(rounds(20), "ZII")]).result()[0]
    assert max(most) <= 2
    assert found.metadata["neglected_probability"] < 1e-9
    assert not found.data.stds.any()


def test_too_many_outcomes_are_estimated_with_statevectors(monkeypatch):
    """All outcomes are read at the end, so that their density matrices cannot be mixed before."""
    circuit = QuantumCircuit(3, 8)
    for round_ in range(8):
        circuit.ry(0.4 + round_, 0)
        circuit.cx(0, 1)
        circuit.measure(1, round_)
    start = np.diag([1.0 + 0j] + [0] * 7)
    states = followed(circuit, {0: start}, KRAUS, None, 3)
    flip = np.kron([[0, 1], [1, 0]], np.eye(4))
    rho = DensityMatrix(sum(flip @ state @ flip if bits == 3 else state for bits, state in states.items()))
    with circuit.if_test((circuit.cregs[0], 3)):
        circuit.x(2)
    monkeypatch.setattr(splitting, "_MOST_PROBABILITIES", 64)
    found = EstimatorV2(BACKEND, noise_model=NOISE, seed=1).run([(circuit, "ZII")], precision=0.05).result()[0]
    assert found.metadata["simulation"] == "shots"
    assert found.metadata["method_reason"] == "outcomes are too many to follow each with a density matrix"
    assert found.data.evs == pytest.approx(rho.expectation_value(SparsePauliOp("ZII")).real, abs=6 * found.data.stds)


def test_a_precision_is_noise_that_is_asked_for():
    circuit = layers(2).remove_final_measurements(inplace=False)
    exact = EstimatorV2(BACKEND, noise_model=NOISE).run([(circuit, "ZZ")]).result()[0].data
    found = EstimatorV2(BACKEND, seed=3, noise_model=NOISE).run([(circuit, "ZZ")], precision=0.01).result()[0].data
    assert exact.stds == 0
    assert found.stds == 0.01
    assert 0 < abs(found.evs - exact.evs) < 0.06


def ansatz(n=2):
    angles = [Parameter(f"a{i}") for i in range(2 * n)]
    circuit = QuantumCircuit(n)
    for q in range(n):
        circuit.ry(angles[q], q)
        circuit.rz(2 * angles[n + q] + 0.1, q)
    circuit.cx(0, 1)
    return circuit


@pytest.mark.parametrize("noise_model", [NOISE, None], ids=["noise", "none"])
def test_sets_of_parameters_run_together_and_give_what_each_gives_alone(noise_model, monkeypatch):
    together = []
    real = sweep_run.evolve
    monkeypatch.setattr(
        sweep_run,
        "evolve",
        lambda segments, count, *how: (together.append(count), real(segments, count, *how))[1],
    )
    circuit, values = ansatz(), np.random.default_rng(1).uniform(0, 3, (9, 4))
    observables = [SparsePauliOp("ZZ"), SparsePauliOp("XI")]
    estimator = EstimatorV2(BACKEND, noise_model=noise_model)
    found = estimator.run([(circuit, [[one] for one in observables], values)]).result()[0].data.evs
    assert together == [9]
    for number, row in enumerate(values):
        rho = DensityMatrix(expected(circuit.assign_parameters(row), KRAUS if noise_model else {}))
        for k, observable in enumerate(observables):
            assert found[k, number] == pytest.approx(rho.expectation_value(observable).real, abs=1e-12)
    energy = estimator.compile(circuit, observables)
    assert np.allclose(energy(values), found.T, atol=1e-13)


def test_sets_need_not_have_the_same_operations():
    """A global phase that is 0 is no operation."""
    circuit, angle = ansatz(), Parameter("phase")
    circuit.global_phase = angle
    values = np.random.default_rng(1).uniform(0, 3, (3, 5))
    values[1, list(circuit.parameters).index(angle)] = 0.0
    found = EstimatorV2(BACKEND, noise_model=NOISE).run([(circuit, "ZZ", values)]).result()[0].data.evs
    for number, row in enumerate(values):
        rho = DensityMatrix(expected(circuit.assign_parameters(row)))
        assert found[number] == pytest.approx(rho.expectation_value(SparsePauliOp("ZZ")).real, abs=1e-12)


def test_sets_keep_what_a_circuit_stores():
    circuit = ansatz()
    circuit.add_register(ClassicalRegister(2, "c"))
    circuit.store(circuit.clbits[0], expr.lift(True))  # noqa: FBT003  # Qiskit takes it by place only
    circuit.measure(0, 1)
    found = SamplerV2(BACKEND, seed=3).run([(circuit, np.zeros((5, 4)))], shots=9).result()[0].data.c
    assert [found[i].get_int_counts() for i in range(5)] == [{1: 9}] * 5


def test_sets_of_the_sampler_are_sampled_from_their_density_matrices():
    circuit, values = ansatz(), np.random.default_rng(1).uniform(0, 3, (5, 4))
    circuit.measure_all()
    found = SamplerV2(BACKEND, seed=3, noise_model=NOISE).run([(circuit, values)], shots=4000).result()[0]
    assert found.metadata["method"] == "density_matrix"
    bare = circuit.remove_final_measurements(inplace=False)
    for number, row in enumerate(values):
        rho = DensityMatrix(expected(bare.assign_parameters(row)))
        check(found.data.meas[number].get_int_counts(), dict(enumerate(rho.probabilities())))


# Jobs.


def test_circuits_of_one_structure_run_together_with_the_outcomes_that_each_has_alone(monkeypatch):
    together = []
    real = running.evolve_programs
    monkeypatch.setattr(
        running,
        "evolve_programs",
        lambda programs, *how, **keys: (together.append(len(programs)), real(programs, *how, **keys))[1],
    )
    circuit = ansatz()
    circuit.measure_all()
    values = np.random.default_rng(2).uniform(0, 3, (6, 4))
    circuits = [circuit.assign_parameters(row) for row in values]
    how = {"noise_model": NOISE, "memory": True, "shots": 200, "seed_simulator": 5}
    several = BACKEND.run(circuits, **how).result()
    assert together == [6]
    monkeypatch.setattr(running, "common_structure", lambda *_, **__: None)
    alone = BACKEND.run(circuits, **how).result()
    assert together == [6]
    for number in range(6):
        assert several.get_memory(number) == alone.get_memory(number)


def test_circuits_that_differ_in_their_own_errors_run_apart():
    circuits = []
    for number in range(8):
        circuit = QuantumCircuit(1, 1)
        circuit.x(0)
        operators = [np.array([[0, 1], [0, 0]]), np.diag([1, 0])] if number % 2 else [np.eye(2)]
        circuit.append(Kraus(operators).to_instruction(), [0])
        circuit.measure(0, 0)
        circuits.append(circuit)
    result = BACKEND.run(circuits, shots=3).result()
    assert [as_numbers(result.data(i)["counts"]) for i in range(8)] == [{1: 3}, {0: 3}] * 4


@pytest.mark.parametrize("method", ["statevector", "density_matrix"])
def test_circuits_of_one_structure_have_errors_of_recording(method):
    circuit = QuantumCircuit(1, 1)
    circuit.x(0)
    circuit.measure(0, 0)
    always = {"errors": [readout_entry([[0, 1], [1, 0]])]}
    results = BACKEND.run([circuit] * 5, noise_model=always, shots=10, method=method).result()
    assert [results.data(i)["counts"] for i in range(5)] == [{"0x0": 10}] * 5


class StopsAfter(Monitor):
    def __init__(self, polls):
        super().__init__()
        self.left = polls

    def poll(self):
        self.left -= 1
        if self.left < 0:
            raise Cancelled


def test_a_run_can_be_stopped_at_any_time():
    program = lower(layers(4), noise=CircuitNoise(read_model(NOISE)))
    request = Request(program, Precision.DOUBLE, 100, 1, density=True)
    stopped = 0
    for polls in range(0, 400, 7):
        try:
            execute(request, NumpyDevice(tile_qubits=3), plan_segment, StopsAfter(polls))
        except Cancelled:
            stopped += 1
        else:
            break
    assert stopped > 3


@pytest.mark.parametrize(
    "read",
    [
        lambda state: state.density_matrix([0, 1]),
        lambda state: state.density_matrix(range(3)),
        lambda state: state.probabilities([1]),
        lambda state: state.expectations([(1, 1), (2, 0)]),
        lambda state: state.weights(1),
    ],
)
def test_reading_can_be_stopped(read):
    state = DensityDevice(NumpyDevice()).new_state(6, Precision.DOUBLE, StopsAfter(0))
    with pytest.raises(Cancelled):
        read(state)


def test_what_is_read_counts_as_passes_and_all_are_done():
    circuit = layers(6).remove_final_measurements(inplace=False)
    lib.save_expectation_value(circuit, SparsePauliOp(["XXIIII", "ZIIIII", "YYIIII", "IIIIXX"]), range(6))
    lib.save_density_matrix(circuit, [0, 1])
    program = lower(circuit, noise=CircuitNoise(read_model(NOISE)))
    monitor = Monitor()
    monitor.start()
    execute(Request(program, Precision.DOUBLE, 1, 1, density=True), NumpyDevice(), plan_segment, monitor)
    assert monitor.progress().total_passes > 3
    assert monitor._passes == pytest.approx(monitor.progress().total_passes)


def test_a_batch_reads_what_each_of_its_states_reads(device, precision, tolerance):
    if device.most_states(4, precision) < 2:
        pytest.skip("the device has no batches of this size")
    density = DensityDevice(device)
    vectors = [random_statevector(4, seed=seed).data for seed in range(3)]
    states = []
    for vector in vectors:
        states.append(density.new_state(4, precision))
        states[-1].load(vector)
    batch = density.batch_of(states, precision, Monitor())
    masks = [(1, 0), (3, 1), (0, 2)]
    assert np.allclose(batch.weights(1), [state.weights(1) for state in states], atol=tolerance)
    assert np.allclose(batch.block_weights(1), [state.block_weights(1) for state in states], atol=tolerance)
    assert np.allclose(batch.expectations(masks), [state.expectations(masks) for state in states], atol=tolerance)
    taken = batch.take(np.array([2, 0])).join([batch])
    assert len(taken) == 5
    assert taken.alike(np.zeros(5, np.int64), up_to_phase=True).tolist() == [0, 1, 1, 3, 0]
    batch.collapse(0, np.array([True, False, True]), batch.weights(0)[range(3), [1, 0, 1]])
    for number, outcome in enumerate((1, 0, 1)):
        vector = vectors[number].reshape(2, 2)[:, outcome]
        pure = np.kron(vector, np.eye(2)[outcome]) / np.linalg.norm(vector)
        found = batch.state(number)
        assert isinstance(found, DensityState)
        assert np.allclose(found.density_matrix([0, 1]), np.outer(pure, pure.conj()), atol=5 * tolerance)


def test_draws_find_the_indices_of_the_diagonal():
    state = DensityDevice(NumpyDevice()).new_state(6, Precision.DOUBLE)
    state.load(random_statevector(8, seed=3).data)
    p = state.probabilities(range(3))
    draws = np.linspace(0, 0.999, 40)
    blocks = np.searchsorted(state.block_weights(1).cumsum(), draws, side="right")
    before = np.concatenate([[0], state.block_weights(1).cumsum()])[blocks]
    found = state.indices_of_draws(1, blocks, draws - before)
    assert found.tolist() == np.searchsorted(p.cumsum(), draws, side="right").tolist()


# The choice.


def program_of(circuit, noise_model=NOISE):
    return lower(circuit, noise=CircuitNoise(read_model(noise_model)))


def weak(p=1e-4):
    return model(ry=paulis({"I": 1 - p, "X": p}), cx=paulis({"II": 1 - p, "XX": p}, width=2), rz=ONE["coherent"])


def saved_by(save, **how):
    circuit = layers(3).remove_final_measurements(inplace=False)
    save(circuit, **how)
    return circuit


CHOICES = {
    "likely errors": (layers(3), NOISE, 1000, "density_matrix"),
    "one shot": (layers(3), NOISE, 1, "statevector"),
    "unlikely errors": (layers(6), weak(), 1000, "statevector"),
    "unlikely errors in many shots": (layers(6), weak(1e-3), 10**6, "density_matrix"),
    "no errors": (layers(3), model(x=ONE["Paulis"]), 10**6, "statevector"),
    "errors of recording": (layers(3), {"errors": [readout_entry()]}, 10**6, "statevector"),
    "many errors at 12 qubits": (layers(12), weak(2e-2), 4000, "statevector"),
    "many qubits": (layers(13), NOISE, 10**7, "statevector"),
    "exact values": (saved_by(lib.save_density_matrix), weak(), 5, "density_matrix"),
    "amplitudes": (saved_by(lib.save_statevector), NOISE, 1000, "statevector"),
    "values of each shot": (saved_by(lib.save_probabilities, pershot=True), NOISE, 1000, "statevector"),
    "feedback": (feedback(), model(ry=ONE["Paulis"], cx=TWO), 1000, "density_matrix"),
}


@pytest.mark.parametrize("name", CHOICES)
def test_the_method_is_chosen_by_circuit_errors_and_shots(name):
    circuit, noise_model, shots, method = CHOICES[name]
    choice = choose_method(Method.AUTOMATIC, program_of(circuit, noise_model), shots)
    assert str(choice.method) == method
    assert bool(choice.reason) == (name not in {"no errors", "errors of recording"})


def test_a_clifford_circuit_needs_one_state_and_its_errors_none():
    circuit = QuantumCircuit(4, 4)
    for q in range(3):
        circuit.h(q)
        circuit.cx(q, q + 1)
    circuit.measure(range(4), range(4))
    assert expected_states(program_of(circuit, model(h=ONE["Paulis"], cx=TWO)), 10**6) == (pytest.approx(1.0), 1.0)


@pytest.mark.parametrize("shots", [100, 3000])
def test_about_as_many_states_are_expected_as_there_are_patterns_of_errors(shots):
    circuit, noise_model = layers(4, seed=2), model(ry=paulis({"I": 0.97, "X": 0.02, "Z": 0.01}))
    p_of = np.array([0.97, 0.02, 0.01])
    random = np.random.default_rng(1)
    sites = circuit.count_ops()["ry"]
    patterns = len({tuple(row) for row in random.choice(3, (shots, sites), p=p_of).tolist()})
    circuit.ry(0.0, 0)  # without it, the errors of the last layer would change no gate
    circuit.data.insert(0, circuit.data.pop())
    states, branches = expected_states(program_of(circuit, noise_model), shots)
    assert branches == 1
    assert 0.5 * patterns < states < 2 * patterns


def test_the_result_says_which_method_was_taken_and_why():
    backend = BasicAer.get_backend("qasm_simulator")
    how = {"noise_model": NOISE, "seed_simulator": 1, "memory": True}
    found = backend.run(layers(3), **how).result()
    metadata = found.results[0].metadata
    assert metadata["method"] == "density_matrix"
    assert "1024 shots should have about 7" in metadata["method_reason"]
    for options in ({"max_parallel_threads": 1}, {"device": "CPU"}, {"method": "density_matrix"}):
        assert backend.run(layers(3), **how, **options).result().get_memory() == found.get_memory()
    asked = backend.run(layers(3), **how, method="statevector").result().results[0].metadata
    assert (asked["method"], asked["method_reason"]) == ("statevector", "method='statevector' was asked for")
    plain = backend.run(layers(3)).result().results[0].metadata
    assert (plain["method"], "method_reason" in plain) == ("statevector", False)


def test_estimators_choose_exact_values_while_these_are_cheap():
    circuit = layers(3).remove_final_measurements(inplace=False)
    found = EstimatorV2(noise_model=weak()).run([(circuit, "ZZZ")]).result()[0]
    assert found.metadata["method_reason"] == "values are exact, at up to 10 qubits"
    assert not found.data.stds.any()


# What is asked for by other ways, and what is refused.


def test_a_qobj_may_name_the_method():
    qobj = qobj_of(experiment(instruction("x", 0), measure(0, 0)), method="density_matrix", shots=5)
    result = BasicAer.get_backend("qasm_simulator").run(qobj).result()
    assert result.results[0].metadata["method"] == "density_matrix"
    assert as_numbers(result.data(0)["counts"]) == {1: 5}


def test_too_large_a_density_matrix_is_refused_with_what_fits(monkeypatch):
    circuit = QuantumCircuit(40, 1, name="wide")
    circuit.h(range(40))
    circuit.measure(0, 0)
    words = (
        r"The density matrix of circuit 'wide' needs over? ?\d.* for 40 qubits .* \d+ qubits fit.*method='statevector'"
    )
    with pytest.raises(BasicAerError, match=words.replace("over? ?", "(over )?")):
        BACKEND.run(circuit)
    with pytest.raises(BasicAerError, match="The density matrix of circuit 'wide'"):
        SamplerV2(BACKEND).run([circuit])
    monkeypatch.setattr(NumpyDevice, "free_bytes", lambda _: 2**30)
    with pytest.raises(BasicAerError, match=r"; 12 qubits fit, 13 with precision='single', method='statevector' needs"):
        check_fits(NumpyDevice(1), "It", 14, Precision.DOUBLE, density=True)


@pytest.mark.parametrize("name", ["statevector_simulator", "unitary_simulator"])
def test_other_simulators_name_the_one_that_has_density_matrices(name):
    with pytest.raises(OptionValueError, match="not 'density_matrix': qasm_simulator has this method"):
        BasicAer.get_backend(name, method="density_matrix")


def test_the_plan_is_that_of_the_rows_and_the_columns():
    plan = BACKEND.plan(layers(6), noise_model=NOISE)
    assert (plan.n_qubits, plan.density_matrix) == (12, True)
    assert plan.passes
    assert "The state is a density matrix" in str(plan)
    assert "Qubits from 6 on are the bits of a column's number" in str(plan)
