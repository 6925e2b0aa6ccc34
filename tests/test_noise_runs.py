"""Circuits that run with a noise model, against density matrices."""

from functools import reduce
from itertools import product

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Clbit
from qiskit.circuit.library import UnitaryGate, XGate
from qiskit.quantum_info import Kraus, Operator, Pauli, SparsePauliOp, SuperOp, random_clifford, random_unitary
from scipy.stats import chi2

from basicaer import BasicAer, BasicAerError, EstimatorV2, SamplerV2
from basicaer.compile import program_cache
from basicaer.compile.lower import lower
from basicaer.compile.noise import CircuitNoise
from basicaer.compile.noise_model import read_model
from basicaer.devices.cpu.device import NumpyDevice
from basicaer.engine import execute as execute_module
from basicaer.engine import stretches as stretches_module
from basicaer.engine import trajectories as trajectories_module
from basicaer.engine.draws import Draws
from basicaer.engine.error_sites import Choices, Sites
from basicaer.engine.frames import Frames, passage
from basicaer.engine.monitor import Cancelled, Monitor
from basicaer.engine.planning import Planning
from basicaer.engine.program import Channel, Form, Gate
from basicaer.engine.records import Records
from basicaer.engine.request import Request
from basicaer.engine.saved import Saved
from basicaer.engine.stretches import Stretch
from basicaer.engine.suspended import Suspension
from basicaer.engine.trajectories import Trajectories
from basicaer.engine.unitaries import matrix_of_gate
from basicaer.errors import BasicAerWarning
from basicaer.library import save_expectation_value, save_outcome_probabilities
from basicaer.noise import NoiseModel, ReadoutError, pauli_error
from basicaer.options import Precision
from basicaer.plan.planner import plan_segment
from jobs import GUARD
from noisy_exact import distribution, followed, on_qubits

QASM = BasicAer.get_backend("qasm_simulator")  # its method is that of the fixture below
BY_STATEVECTORS = pytest.mark.parametrize("method", ["statevector"], indirect=True)
PAULIS = {name: Pauli(name).to_matrix() for name in "IXYZ"}
GAMMA = 0.2
DAMPING = [np.array([[1, 0], [0, (1 - GAMMA) ** 0.5]]), np.array([[0, GAMMA**0.5], [0, 0]])]
TURN = np.array([[np.cos(0.2), -np.sin(0.2)], [np.sin(0.2), np.cos(0.2)]])
READOUT = [[0.9, 0.1], [0.25, 0.75]]


@pytest.fixture(autouse=True, params=["statevector", "density_matrix"])
def method(request):
    QASM.set_options(method=request.param)
    return request.param


def paulis(probabilities, width=1):
    """Instructions, probabilities and Kraus operators of an error that applies strings of Paulis."""
    words = list(probabilities)
    instructions = [[{"name": "pauli", "params": [word], "qubits": list(range(width))}] for word in words]
    kraus = [probabilities[word] ** 0.5 * reduce(np.kron, [PAULIS[one] for one in word]) for word in words]
    return instructions, list(probabilities.values()), kraus


# By names: the terms of an error in Aer's layout, their probabilities, and the Kraus operators of all of it.
ONE = {
    "Paulis": paulis({"I": 0.8, "X": 0.1, "Y": 0.06, "Z": 0.04}),
    "always X": paulis({"X": 1.0}),
    "damping": ([[{"name": "kraus", "qubits": [0], "params": DAMPING}]], [1.0], DAMPING),
    "coherent": ([[{"name": "unitary", "qubits": [0], "params": [TURN]}]], [1.0], [TURN]),
    "reset or flip": (
        [[{"name": "id", "qubits": [0]}], [{"name": "reset", "qubits": [0]}], [{"name": "x", "qubits": [0]}]],
        [0.7, 0.2, 0.1],
        [
            0.7**0.5 * np.eye(2),
            0.2**0.5 * np.diag([1, 0]),
            0.2**0.5 * np.array([[0, 1], [0, 0]]),
            0.1**0.5 * PAULIS["X"],
        ],
    ),
    "reset then Paulis": (
        [[{"name": "reset", "qubits": [0]}, {"name": "x", "qubits": [0]}], [{"name": "z", "qubits": [0]}]],
        [0.3, 0.7],
        [0.3**0.5 * PAULIS["X"] @ np.diag([1, 0]), 0.3**0.5 * PAULIS["X"] @ [[0, 1], [0, 0]], 0.7**0.5 * PAULIS["Z"]],
    ),
}
TWO = paulis({"II": 0.8, "XZ": 0.1, "YI": 0.06, "ZX": 0.04}, width=2)


def entry(name, error, qubits=None):
    instructions, probabilities, _ = error
    local = {} if qubits is None else {"gate_qubits": [qubits]}
    return {
        "type": "qerror",
        "operations": [name],
        "instructions": instructions,
        "probabilities": probabilities,
    } | local


def readout_entry(matrix=READOUT, qubits=None):
    local = {} if qubits is None else {"gate_qubits": [qubits]}
    return {"type": "roerror", "operations": ["measure"], "probabilities": matrix} | local


def model(**errors):
    return {"errors": [entry(name, error) for name, error in errors.items()]}


def layers(n=3, seed=1):
    random = np.random.default_rng(seed)
    circuit = QuantumCircuit(n, n)
    for _ in range(2):
        for q in range(n):
            circuit.ry(random.uniform(0, 3), q)
            circuit.rz(random.uniform(0, 3), q)
        for q in range(n - 1):
            circuit.cx(q, q + 1)
    circuit.measure(range(n), range(n))
    return circuit


def feedback():
    circuit = QuantumCircuit(2, 3)
    circuit.ry(1.1, 0)
    circuit.measure(0, 0)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.ry(0.7, 1)
        circuit.cx(1, 0)
    circuit.reset(0)
    circuit.ry(0.4, 0)
    circuit.measure([0, 1], [1, 2])
    return circuit


def check(counts, expected):
    """Chi-squared at one in a million, over the outcomes that are expected at least five times."""
    shots = sum(counts.values())
    often = {value: p for value, p in expected.items() if p * shots >= 5}
    rest = shots - sum(counts.get(value, 0) for value in often)
    p_rest = max(1 - sum(often.values()), 0.0)
    total = sum((counts.get(value, 0) - shots * p) ** 2 / (shots * p) for value, p in often.items())
    if p_rest * shots > 1:
        total += (rest - shots * p_rest) ** 2 / (shots * p_rest)
    else:
        assert rest <= 20
    assert total < chi2.isf(1e-6, max(len(often) - 1, 1)), (total, len(often))


def counted(circuit, noise_model, shots=4000, **options):
    return (
        QASM.run(circuit, shots=shots, noise_model=noise_model, seed_simulator=7, **options).result().data(0)["counts"]
    )


def as_numbers(counts):
    return {int(value, 16): count for value, count in counts.items()}


@pytest.mark.parametrize("name", ["ry", "reset", "measure"])
@pytest.mark.parametrize("error", ONE)
@pytest.mark.parametrize("circuit", [layers(), feedback()], ids=["layers", "feedback"])
@pytest.mark.filterwarnings("ignore:The noise model has no errors")
def test_counts_are_those_of_density_matrices(circuit, error, name):
    counts = as_numbers(counted(circuit, model(**{name: ONE[error], "cx": TWO})))
    check(counts, distribution(circuit, {name: ONE[error][2], "cx": TWO[2]}))


@pytest.mark.parametrize(("p_id", "p_x", "p_reset"), [(0.6, 0.3, 0.1), (0.3, 0.3, 0.4), (0.0, 0.5, 0.5)])
def test_paulis_beside_operators_that_depend_on_the_state_have_their_own_share(p_id, p_x, p_reset):
    circuit = QuantumCircuit(1, 1)
    circuit.x(0)
    circuit.measure(0, 0)
    terms = [[{"name": name, "qubits": [0]}] for name in ("id", "x", "reset")]
    error = (terms, [p_id, p_x, p_reset], None)
    check(as_numbers(counted(circuit, model(x=error), 20_000)), {1: p_id, 0: p_x + p_reset})


def test_barriers_and_control_flow_have_no_errors_whatever_their_label():
    circuit = QuantumCircuit(1, 1)
    circuit.barrier(label="mine")
    circuit.if_test((circuit.clbits[0], 0), QuantumCircuit(1, 1), [0], [0], label="mine")
    circuit.measure(0, 0)
    assert as_numbers(counted(circuit, model(mine=ONE["always X"]), 5)) == {0: 5}


@pytest.mark.parametrize("circuit", [layers(), feedback()], ids=["layers", "feedback"])
@pytest.mark.filterwarnings("ignore:The noise model has no errors")
def test_what_is_recorded_may_be_wrong_and_decides_what_follows(circuit):
    noise_model = model(ry=ONE["Paulis"])
    noise_model["errors"].append(readout_entry())
    check(as_numbers(counted(circuit, noise_model)), distribution(circuit, {"ry": ONE["Paulis"][2]}, READOUT))


@pytest.mark.slow
@pytest.mark.parametrize("shots", [2**20, 2**20 + 1])
def test_any_number_of_shots(shots):
    """Above 2**20, shots are split in bulk."""
    noise_model = model(ry=ONE["Paulis"], cx=TWO, rz=ONE["damping"])
    noise_model["errors"].append(readout_entry())
    circuit = layers(2)
    errors = {"ry": ONE["Paulis"][2], "cx": TWO[2], "rz": DAMPING}
    check(as_numbers(counted(circuit, noise_model, shots)), distribution(circuit, errors, READOUT))


def test_exact_probabilities_have_errors_too():
    noise_model = model(ry=ONE["reset or flip"], cx=TWO, rz=ONE["damping"])
    noise_model["errors"].append(readout_entry())
    circuit = layers(2)
    save_outcome_probabilities(circuit, "exact")
    found = QASM.run(circuit, noise_model=noise_model, shots=1).result().data(0)["exact"]
    errors = {"ry": ONE["reset or flip"][2], "cx": TWO[2], "rz": DAMPING}
    circuit.data.pop()
    expected = distribution(circuit, errors, READOUT)
    assert {value: pytest.approx(p) for value, p in expected.items()} == {int(k, 16): p for k, p in found.items()}


# Where errors act.


def test_the_error_of_a_label_or_of_exactly_these_qubits_replaces_the_others():
    circuit = QuantumCircuit(2, 2)
    circuit.x(0)
    circuit.x(1)
    circuit.measure([0, 1], [0, 1])
    flips = ONE["always X"]
    both = {"errors": [entry("x", flips), entry("x", paulis({"I": 1.0}), (1,))]}
    assert as_numbers(counted(circuit, both, 10)) == {0b10: 10}
    labelled = QuantumCircuit(1, 1)
    labelled.append(XGate(label="mine"), [0])
    labelled.measure(0, 0)
    with pytest.warns(BasicAerWarning, match="no errors of the gates"):
        assert as_numbers(counted(labelled, model(x=flips), 10)) == {1: 10}
    assert as_numbers(counted(labelled, model(mine=flips), 10)) == {0: 10}


@pytest.mark.filterwarnings("ignore:The noise model has no errors")
def test_qubits_count_in_their_order_and_by_the_circuits_numbers():
    circuit = QuantumCircuit(5, 2)
    circuit.x(3)
    circuit.cx(3, 1)
    circuit.measure([1, 3], [0, 1])
    flips = paulis({"IX": 1.0}, width=2)  # X on the first qubit of the gate
    assert as_numbers(counted(circuit, {"errors": [entry("cx", flips, (3, 1))]}, 5)) == {0b01: 5}
    assert as_numbers(counted(circuit, {"errors": [entry("cx", flips, (1, 3))]}, 5)) == {0b11: 5}


@pytest.mark.parametrize("instruction", ["id", "delay", "reset"])
def test_a_qubit_that_nothing_else_acts_on_has_the_errors_of_its_instructions(instruction):
    circuit = QuantumCircuit(2, 1)
    getattr(circuit, instruction)(*([100] if instruction == "delay" else []), 1)
    circuit.measure(1, 0)
    assert as_numbers(counted(circuit, model(**{instruction: ONE["always X"]}), 5)) == {1: 5}


def test_gates_of_the_users_own_are_noisy_inside_or_as_a_whole():
    inner = QuantumCircuit(1, name="own")
    inner.x(0)
    circuit = QuantumCircuit(1, 1)
    circuit.append(inner.to_gate(), [0])
    circuit.measure(0, 0)
    assert as_numbers(counted(circuit, model(own=ONE["always X"]), 5)) == {0: 5}
    with pytest.warns(BasicAerWarning, match=r"no errors of the gates \['own'\]"):
        assert as_numbers(counted(circuit, model(x=ONE["always X"], y=ONE["always X"]), 5)) == {0: 5}


def test_qubits_that_are_read_together_have_an_error_together():
    swapped = np.eye(4)[[0, 2, 1, 3]].tolist()  # 01 is recorded as 10
    circuit = QuantumCircuit(3, 3)
    circuit.x(0)
    circuit.measure([0, 1, 2], [0, 1, 2])
    assert as_numbers(counted(circuit, {"errors": [readout_entry(swapped, (0, 1))]}, 5)) == {0b010: 5}
    wrong = [[0, 1], [1, 0]]
    alone = [readout_entry(wrong), readout_entry(wrong, (0,))]  # of which only the first acts, and only on qubit 2
    assert as_numbers(counted(circuit, {"errors": [*alone, readout_entry(swapped, (0, 1))]}, 5)) == {0b110: 5}
    circuit = QuantumCircuit(2, 2)
    circuit.x(0)
    circuit.measure(0, 0)
    circuit.x(1)
    circuit.measure(1, 1)
    with pytest.raises(BasicAerError, match=r"readout error of qubits \[0, 1\] together, of which only \[0\]"):
        counted(circuit, {"errors": [readout_entry(swapped, (0, 1))]}, 5)


@pytest.mark.parametrize("resets", [False, True], ids=["one way", "branches"])
@pytest.mark.parametrize(
    "which", [[[0, 2]], [[2, 0]], [[2], [0, 2]], [[0, 2], [2]], [[2], [2]], [[1], [0], [2]]], ids=str
)
def test_readout_errors_act_one_after_another(which, resets):
    """On these bits of three; those of several bits are arbitrary."""
    matrices = [READOUT if len(bits) == 1 else np.random.default_rng(3).dirichlet(np.ones(4), 4) for bits in which]
    circuit = QuantumCircuit(3, 3)
    for qubit, angle in enumerate((0.7, 1.2, 2.0)):
        circuit.ry(angle, qubit)
    if resets:
        circuit.reset(1)
        circuit.ry(1.2, 1)
    circuit.measure(range(3), range(3))
    expected = distribution(circuit, {})
    for bits, matrix in zip(which, matrices, strict=True):
        circuit.append(ReadoutError(matrix).to_instruction(), [], bits)
        before, expected = expected, dict.fromkeys(range(8), 0.0)
        for (value, p), recorded in product(before.items(), range(2 ** len(bits))):
            own = sum((value >> bit & 1) << place for place, bit in enumerate(bits))
            kept = value & ~sum(1 << bit for bit in bits)
            changed = kept | sum((recorded >> place & 1) << bit for place, bit in enumerate(bits))
            expected[changed] += p * matrix[own][recorded]
    check(as_numbers(counted(circuit, None, 20_000)), expected)


@pytest.mark.parametrize("kind", [lambda kraus: kraus.to_instruction(), lambda kraus: SuperOp(kraus).to_instruction()])
def test_errors_that_stand_in_a_circuit_need_no_model(kind):
    circuit = QuantumCircuit(1, 1)
    circuit.ry(1.0, 0)
    circuit.append(Kraus(DAMPING).to_instruction(), [0])
    circuit.measure(0, 0)
    expected = distribution(circuit, {})
    circuit.data[1] = circuit.data[1].replace(operation=kind(Kraus(DAMPING)))
    check(as_numbers(counted(circuit, None)), expected)


def test_who_does_not_simulate_noise_says_who_does():
    for name in ("statevector_simulator", "unitary_simulator"):
        with pytest.raises(BasicAerError, match="qasm_simulator simulates noise"):
            BasicAer.get_backend(name).run(QuantumCircuit(1), noise_model=model(x=ONE["Paulis"]))
    circuit = QuantumCircuit(1)
    circuit.append(Kraus(DAMPING).to_instruction(), [0])
    with pytest.raises(BasicAerError, match="unitary_simulator cannot run 'noise'"):
        BasicAer.get_backend("unitary_simulator").run(circuit)


# Primitives.


ERRORS = {"ry": ONE["Paulis"], "cx": TWO, "rz": ONE["damping"]}
KRAUS = {name: error[2] for name, error in ERRORS.items()}


def test_samples_of_the_sampler_are_noisy():
    options = {"backend_options": {"noise_model": model(**ERRORS)}}
    found = SamplerV2(QASM, seed=3, options=options).run([layers(2)], shots=4000).result()[0].data.c.get_int_counts()
    check(found, distribution(layers(2), KRAUS))


@pytest.mark.parametrize("many", [False, True])
def test_expectation_values_are_exact_if_errors_are_few_and_else_have_a_standard_deviation(many, method):
    circuit = layers(2).remove_final_measurements(inplace=False)
    if not many:
        circuit.data = circuit.data[:5]
    estimator = EstimatorV2(QASM, seed=3, noise_model=model(**ERRORS))
    found = estimator.run([(circuit, [SparsePauliOp("ZZ"), SparsePauliOp("XI")])]).result()[0].data
    turned = circuit.copy()
    turned.h(1)
    for value, deviation, measured, signs in (
        (found.evs[0], found.stds[0], circuit, [1, -1, -1, 1]),
        (found.evs[1], found.stds[1], turned, [1, 1, -1, -1]),
    ):
        full = measured.copy()
        full.add_bits([Clbit() for _ in range(2 - full.num_clbits)])
        full.measure([0, 1], [0, 1])
        expected = sum(signs[outcome] * share for outcome, share in distribution(full, KRAUS).items())
        assert (deviation > 0) == (many and method == "statevector")
        assert value == pytest.approx(expected, abs=1e-9 + 5 * deviation)


# Draws.

SAME = [{"max_parallel_threads": 1}, {"max_parallel_threads": 3}, {"device": "CPU"}]


@pytest.mark.parametrize("error", ["Paulis", "damping"])
def test_the_memory_of_a_shot_is_the_same_in_any_company(error, tmp_path):
    circuit, noise_model = layers(), model(ry=ONE[error], cx=TWO, rz=paulis({"I": 1.0}))
    noise_model["errors"].append(readout_entry())

    def memory(shots, **options):
        job = QASM.run(circuit, shots=shots, memory=True, noise_model=noise_model, seed_simulator=5, **options)
        return job.result(GUARD).get_memory()

    first = memory(500)
    for options in SAME:
        assert memory(500, **options) == first
    assert memory(500, checkpoint_dir=tmp_path / "saved") == first
    assert memory(200) == first[:200]


@pytest.mark.filterwarnings("ignore:The noise model has no errors")
def test_a_gpu_finds_what_the_cpu_finds(tiny_gpu, precision):
    """Patterns run as a batch, with other operators in the slots of each."""
    lowered = program(layers(6), model(ry=relaxation(0.11), rz=mixed_unitaries(), cx=TWO))
    outcomes = [
        execute_module.execute(Request(lowered, precision, 100, 5, keep_order=True), device, plan_segment, Monitor())
        for device in (NumpyDevice(), tiny_gpu)
    ]
    shots = [np.array(one.values)[one.value_of_shot].tolist() for one in outcomes]
    assert shots[0] == shots[1]


class Watched(Monitor):
    """Counts finished shots, and cancels when it is told to."""

    def __init__(self):
        super().__init__()
        self.finished = []
        self.is_cancelled = False

    def finish_shots(self, count):
        self.finished.append(count)
        super().finish_shots(count)

    def poll(self):
        if self.is_cancelled:
            raise Cancelled
        super().poll()


@pytest.mark.filterwarnings("ignore:The noise model has no errors")
@pytest.mark.parametrize("while_", ["hits", "errors", "segments"])
def test_cancelling_stops_before_the_next_step(while_, monkeypatch):
    """While errors are drawn, moved, or their gates made, and between two batches of states."""
    monitor, calls = Watched(), []
    owner = Sites if while_ == "hits" else Stretch
    original = getattr(owner, while_)

    def cancelling(self, *args, **keys):
        calls.append(while_)
        monitor.is_cancelled = True
        return original(self, *args, **keys)

    monkeypatch.setattr(owner, while_, cancelling)
    monkeypatch.setattr(stretches_module, "_EXCESS", 0.0)
    lowered = program(layers(4), model(**JUMPS))
    with pytest.raises(Cancelled):
        execute_module.execute(Request(lowered, Precision.DOUBLE, 100, 5), NumpyDevice(), plan_segment, monitor)
    assert len(calls) == 1
    assert not monitor.finished


@pytest.mark.filterwarnings("ignore:The noise model has no errors")
def test_progress_counts_the_shots_of_each_batch_of_states(monkeypatch):
    monkeypatch.setattr(NumpyDevice, "most_states", lambda *_: 3)
    monitor = Watched()
    lowered = program(layers(4), model(**JUMPS))
    execute_module.execute(Request(lowered, Precision.DOUBLE, 100, 5), NumpyDevice(), plan_segment, monitor)
    assert sum(monitor.finished) == 100
    assert len(monitor.finished) > 10


def test_a_model_without_errors_changes_nothing_bit_by_bit():
    circuit = layers()
    quiet = model(ry=paulis({"I": 1.0}), cx=paulis({"II": 1.0}, width=2), rz=paulis({"I": 1.0}))
    run = {"shots": 300, "memory": True, "seed_simulator": 5}
    noisy = QASM.run(circuit, noise_model=quiet, **run).result().get_memory()
    assert noisy == QASM.run(circuit, **run).result().get_memory()


def test_neighbouring_seeds_and_circuits_do_not_share_draws():
    """In Aer shot 2113 of one circuit is shot 0 of the next, and shot 1 of a seed is shot 0 of the next."""
    circuit, noise_model = layers(), model(ry=ONE["Paulis"], cx=TWO, rz=paulis({"I": 1.0}))
    run = {"shots": 3000, "memory": True, "noise_model": noise_model}
    both = QASM.run([circuit, circuit], seed_simulator=5, **run).result()
    one, other = both.get_memory(0), both.get_memory(1)
    again = QASM.run(circuit, seed_simulator=6, **run).result().get_memory()
    by_chance = sum(p**2 for p in distribution(circuit, {"ry": ONE["Paulis"][2], "cx": TWO[2]}).values())
    for first, second in ((one[2113:], other), (one, other), (one[1:], again), (one, again)):
        pairs = list(zip(first, second, strict=False))
        share = np.mean([a == b for a, b in pairs])
        assert abs(share - by_chance) < 5 * (by_chance / len(pairs)) ** 0.5


# Pauli errors as trajectories.

GATES = [
    Gate("h", "G", (0,), Form.MATRIX, np.array([[1, 1], [1, -1]]) / 2**0.5),
    Gate("t", "Z", (1,), Form.DIAGONAL, np.exp([0, 0.25j * np.pi])),
    Gate("cx", "X", (2,), Form.PERMUTATION, np.array([1, 0]), (0,), 1),
    Gate("cx_o0", "X", (2,), Form.PERMUTATION, np.array([1, 0]), (0,), 0),
    Gate("ccx", "X", (0,), Form.PERMUTATION, np.array([1, 0]), (2, 1), 0b10),
    Gate("swap", "GG", (0, 2), Form.PERMUTATION, np.array([0, 2, 1, 3])),
    Gate("cswap", "GG", (0, 2), Form.PERMUTATION, np.array([0, 2, 1, 3]), (1,), 1),
    Gate("crx", "X", (1,), Form.MATRIX, Operator.from_label("I").data * 0.8 - 0.6j * PAULIS["X"], (2,), 1),
    Gate("rzz", "ZZ", (0, 1), Form.DIAGONAL, np.exp(np.array([-0.3j, 0.3j, 0.3j, -0.3j]))),
    Gate("unitary", "GGG", (2, 0, 1), Form.MATRIX, random_unitary(8, seed=1).data),
    Gate("clifford", "GG", (2, 1), Form.MATRIX, random_clifford(2, seed=3).to_matrix()),
    Gate("phase", "", (), Form.DIAGONAL, np.array([1j]), (1, 2), 0b11),
]


def whole(gate):
    """The matrix of a gate on three qubits."""
    size = 2 ** len(gate.targets)
    block = gate.data if gate.form is Form.MATRIX else np.diag(gate.data)
    if gate.form is Form.PERMUTATION:
        block = np.zeros((size, size))
        block[gate.data, range(size)] = 1
    full = np.eye(size * 2 ** len(gate.controls), dtype=complex)
    at = gate.control_state * size
    full[at : at + size, at : at + size] = block
    return on_qubits(full, (*gate.targets, *gate.controls), 3)


@BY_STATEVECTORS
@pytest.mark.parametrize("gate", GATES, ids=lambda gate: gate.name)
def test_an_error_moves_past_any_gate(gate):
    passed = passage(gate)
    numbers = np.arange(64)
    frames = Frames(3, numbers % 8, numbers // 8)
    chosen = frames.pass_by(passed)
    x, z = frames.masks()
    for error in range(64):
        before = pauli(error % 8, error // 8)
        after = pauli(int(x[error]), int(z[error]))
        changed = passed.gate if chosen is None else passed.gate.with_data(passed.variants[chosen[error]])
        left, right = whole(gate) @ before, after @ whole(changed)
        overlap = np.trace(left.conj().T @ right) / 8
        assert abs(overlap) == pytest.approx(1)
        assert np.allclose(left * overlap, right)


def pauli(x, z):
    factors = [
        np.linalg.matrix_power(PAULIS["X"], x >> q & 1) @ np.linalg.matrix_power(PAULIS["Z"], z >> q & 1)
        for q in reversed(range(3))
    ]
    return reduce(np.kron, factors)


@BY_STATEVECTORS
def test_gates_that_no_error_changes_keep_their_form():
    assert [passage(gate).is_clifford for gate in GATES[:4]] == [True, False, True, True]
    assert passage(GATES[1]).gate is GATES[1]
    wide = Gate("mcx", "X", (0,), Form.PERMUTATION, np.array([1, 0]), tuple(range(1, 8)), 127)
    assert passage(wide) is None


def program(circuit, noise_model):
    return lower(circuit, noise=CircuitNoise(read_model(noise_model)))


@BY_STATEVECTORS
def test_an_all_clifford_circuit_needs_one_state(monkeypatch):
    circuit = QuantumCircuit(4, 4)
    circuit.h(0)
    for q in range(3):
        circuit.cx(q, q + 1)
    circuit.measure(range(4), range(4))
    noise_model = model(h=ONE["Paulis"], cx=TWO)
    runs = []
    segments = Stretch.segments
    monkeypatch.setattr(
        Stretch, "segments", lambda self, errors, shots: (runs.append(len(shots)), segments(self, errors, shots))[1]
    )
    counts = as_numbers(counted(circuit, noise_model))
    assert runs == [1]
    check(counts, distribution(circuit, {"h": ONE["Paulis"][2], "cx": TWO[2]}))


# 0.9 of the norm is left of some states: proposals are rejected, and shots draw again.
STRONG = [np.diag([1, 0.4**0.5]), np.array([[0, 0.6**0.5], [0, 0]])]
JUMPS = {
    "ry": ([[{"name": "kraus", "qubits": [0], "params": STRONG}]], [1.0], STRONG),
    "cx": TWO,
    "rz": ONE["coherent"],
}


def mixed_unitaries():
    """The identity, a rotation and a complex matrix, so that some operators are real and some are not."""
    matrices = [np.eye(2), TURN, np.diag([1, 1j])]
    terms = [[{"name": "unitary", "qubits": [0], "params": [matrix]}] for matrix in matrices]
    return terms, [0.5, 0.3, 0.2], [p**0.5 * matrix for p, matrix in zip([0.5, 0.3, 0.2], matrices, strict=True)]


def relaxation(t2):
    """Populations relax by 0.2, coherences by `t2`: a Kraus channel of which most is the identity."""
    choi = np.array([[1, 0, 0, 1 - t2], [0, 0.2, 0, 0], [0, 0, 0, 0], [1 - t2, 0, 0, 0.8]])
    values, vectors = np.linalg.eigh(choi)
    kraus = [v**0.5 * vectors[:, i].reshape(2, 2) for i, v in enumerate(values) if v > 1e-12]
    return [[{"name": "kraus", "qubits": [0], "params": kraus}]], [1.0], kraus


@pytest.mark.parametrize("excess", [0.0, 0.1, 100.0])
@pytest.mark.parametrize(
    "errors",
    [JUMPS, {"ry": mixed_unitaries(), "rz": ONE["reset or flip"]}, {"ry": relaxation(0.11), "cx": TWO}],
    ids=["jumps", "unitaries", "relaxation"],
)
@pytest.mark.filterwarnings("ignore:The noise model has no errors")
def test_stretches_of_any_length_have_the_distribution_of_density_matrices(errors, excess, monkeypatch):
    monkeypatch.setattr(stretches_module, "_EXCESS", excess)
    circuit = layers()
    assert Trajectories.of(program(circuit, model(**errors))) is not None
    counts = as_numbers(counted(circuit, model(**errors), 20_000))
    check(counts, distribution(circuit, {name: error[2] for name, error in errors.items()}))


def test_most_of_a_relaxation_is_the_identity():
    """``(a - b**2) / (1 + a - 2 b)`` for the factor a of a population and b of a coherence."""
    (channel,) = [one for one in program(x_and_measure(), model(x=relaxation(0.11))).body if isinstance(one, Channel)]
    assert channel.probabilities == pytest.approx([(0.8 - 0.89**2) / (1.8 - 2 * 0.89)])
    assert channel.paulis.tolist() == [[0], [0]]
    rebuilt = sum(np.kron(k, k.conj()) for k in channel.operators)
    assert np.allclose(rebuilt, sum(np.kron(k, k.conj()) for k in relaxation(0.11)[2]))


def x_and_measure():
    circuit = QuantumCircuit(1, 1)
    circuit.x(0)
    circuit.measure(0, 0)
    return circuit


@pytest.mark.filterwarnings("ignore:The noise model has no errors")
def test_outcomes_do_not_depend_on_which_states_are_kept(monkeypatch):
    """Neither the size of batches, nor the memory, nor the number of shots that run together matter."""
    monkeypatch.setattr(stretches_module, "_EXCESS", 0.3)
    circuit, noise_model = layers(4), model(**JUMPS)

    def memory(**options):
        run = QASM.run(circuit, shots=100, noise_model=noise_model, seed_simulator=5, memory=True, **options)
        return run.result().get_memory()

    expected = memory()
    assert len(stretches_module.stretches_of(program(circuit, noise_model))) > 2
    assert memory(max_parallel_threads=3) == expected
    monkeypatch.setattr(trajectories_module, "SHOTS_AT_ONCE", 7)
    assert memory() == expected
    monkeypatch.setattr(NumpyDevice, "most_states", lambda *_: 3)
    assert memory() == expected
    monkeypatch.setattr(NumpyDevice, "most_states", lambda *_: 0)
    assert memory() == expected
    monkeypatch.setattr(NumpyDevice, "free_bytes", lambda _: 0)
    assert memory() == expected


def test_fewer_shots_are_the_first_of_more():
    circuit, noise_model = layers(3), model(cx=TWO, ry=ONE["damping"], rz=ONE["Paulis"])
    runs = [
        QASM.run(circuit, shots=shots, noise_model=noise_model, seed_simulator=3, memory=True).result().get_memory()
        for shots in (40, 400)
    ]
    assert runs[1][:40] == runs[0]


@BY_STATEVECTORS
@pytest.mark.parametrize("seed", range(8))
def test_trajectories_have_the_distribution_of_branches(seed, monkeypatch):
    random = np.random.default_rng(seed)
    circuit = QuantumCircuit(3, 3)
    for _ in range(12):
        a, b, c = random.permutation(3).tolist()
        match int(random.integers(6)):
            case 0:
                circuit.ccx(a, b, c)
            case 1:
                circuit.append(UnitaryGate(random_unitary(4, seed=random)), [a, b])
            case 2:
                circuit.crx(random.uniform(0, 3), a, b)
            case 3:
                circuit.rzz(random.uniform(0, 3), a, b)
            case 4:
                circuit.h(a)
            case _:
                circuit.cswap(a, b, c)
        circuit.ry(random.uniform(0, 3), a)
    circuit.measure(range(3), range(3))
    noise_model, errors = (
        model(ry=ONE["Paulis"], rzz=TWO, crx=TWO),
        {"ry": ONE["Paulis"][2], "rzz": TWO[2], "crx": TWO[2]},
    )
    assert Trajectories.of(program(circuit, noise_model)) is not None
    with (
        pytest.warns(BasicAerWarning, match="no errors of the gates") if len(circuit.count_ops()) > 2 else np.errstate()
    ):
        counts = as_numbers(counted(circuit, noise_model))
    check(counts, distribution(circuit, errors))
    monkeypatch.setattr(execute_module.Trajectories, "of", lambda _program: None)
    with (
        pytest.warns(BasicAerWarning, match="no errors of the gates") if len(circuit.count_ops()) > 2 else np.errstate()
    ):
        check(as_numbers(counted(circuit, noise_model)), distribution(circuit, errors))


def test_programs_with_errors_are_kept_as_long_as_model_and_labels_are_the_same(monkeypatch):
    made = []
    monkeypatch.setattr(program_cache, "lower", lambda *args, **keys: (made.append(args), lower(*args, **keys))[1])
    noise_model = NoiseModel()
    noise_model.add_all_qubit_quantum_error(pauli_error([("X", 1)]), "x")

    def found(circuit):
        return as_numbers(counted(circuit, noise_model, 5))

    assert found(x_and_measure()) == found(x_and_measure()) == {0: 5}
    assert len(made) == 1
    noise_model.add_all_qubit_quantum_error(pauli_error([("X", 1)]), "mine")
    labelled = QuantumCircuit(1, 1)
    labelled.append(XGate(label="none"), [0])
    labelled.measure(0, 0)
    with pytest.warns(BasicAerWarning, match=r"no errors of the gates \['none'\]"):
        assert found(labelled) == {1: 5}
    with pytest.warns(BasicAerWarning, match="had an error already"):
        noise_model.add_all_qubit_quantum_error(pauli_error([("X", 1)]), "x")
    assert found(x_and_measure()) == {1: 5}
    assert len(made) == 3


# Expectation values.


def value_of(circuit, errors, observable):
    """The exact expectation value of an observable, from the density matrix of `noisy_exact`."""
    start = np.zeros((2**circuit.num_qubits,) * 2, complex)
    start[0, 0] = 1
    (state,) = followed(circuit, {0: start}, errors, None, circuit.num_qubits).values()
    return float(np.trace(observable.to_matrix() @ state).real)


def deep(n=3, layers_of_it=5):
    """A circuit with so many errors that they are not followed with their probabilities."""
    random = np.random.default_rng(4)
    circuit = QuantumCircuit(n)
    for _ in range(layers_of_it):
        for q in range(n):
            circuit.ry(random.uniform(0, 3), q)
            circuit.rz(random.uniform(0, 3), q)
        for q in range(n - 1):
            circuit.cx(q, q + 1)
    return circuit


OBSERVABLE = SparsePauliOp.from_list([("ZZI", 1.0), ("IXY", 0.5), ("YIZ", -0.7)])


@BY_STATEVECTORS
@pytest.mark.parametrize(
    "errors", [{"ry": ONE["Paulis"], "rz": relaxation(0.11), "cx": TWO}, JUMPS], ids=["both", "jumps"]
)
@pytest.mark.filterwarnings("ignore:The noise model has no errors")
def test_the_error_of_a_value_that_is_estimated_is_as_large_as_it_says(errors):
    """Of 12 seeds, the sum of the squared errors in units of their standard errors is chi-squared."""
    circuit = deep()
    expected = value_of(circuit, {name: error[2] for name, error in errors.items()}, OBSERVABLE)
    total = 0.0
    for seed in range(12):
        estimator = EstimatorV2(noise_model=model(**errors), seed=seed, method="statevector")
        result = estimator.run([(circuit, OBSERVABLE)], precision=0.05).result()[0]
        assert result.metadata["simulation"] == "shots"
        assert result.data.stds <= 0.05
        assert result.metadata["ensemble_standard_error"] == result.data.stds
        total += ((result.data.evs - expected) / result.data.stds) ** 2
    assert chi2.isf(1 - 1e-4, 12) < total < chi2.isf(1e-6, 12)


@pytest.mark.filterwarnings("ignore:The noise model has no errors")
def test_the_weight_of_shots_without_errors_is_known():
    errors = {"cx": TWO, "ry": relaxation(0.11), "rz": ONE["damping"]}
    circuit = deep(2, 1)
    circuit.measure_all()
    lowered = program(circuit, model(**errors))
    trajectories = Trajectories.of(lowered)
    usual = [one.operators[Choices(one).usual] for one in lowered.body if isinstance(one, Channel)]
    state, number = np.array([1, 0, 0, 0], complex), iter(usual)
    for operation in lowered.body:
        if isinstance(operation, Channel):
            state = on_qubits(next(number), operation.qubits, 2) @ state
        else:
            for gate in operation.gates:
                state = on_qubits(matrix_of_gate(gate), (*gate.targets, *gate.controls), 2) @ state
    records = Records(lowered.bits, np.ones(2000, np.int64))
    planning = Planning(NumpyDevice(), plan_segment, 2, Precision.DOUBLE, Monitor())
    stratum = trajectories.run(records, Draws(1, 2000), planning, Saved(), Suspension(None, None))
    assert stratum.weight == pytest.approx(np.vdot(state, state).real)
    spread = (stratum.weight * (1 - stratum.weight) / 2000) ** 0.5
    assert abs(stratum.is_in.mean() - stratum.weight) < 5 * spread


@pytest.mark.parametrize("over", ["average", "pershot"])
@pytest.mark.filterwarnings("ignore:The noise model has no errors")
def test_a_value_that_is_saved_at_the_end_is_that_of_its_shots(over):
    circuit, errors = deep(), {"ry": ONE["Paulis"], "cx": TWO, "rz": ONE["damping"]}
    arguments = {} if over == "average" else {over: True}
    save_expectation_value(circuit, OBSERVABLE, range(3), label="value", **arguments)
    circuit.measure_all()
    job = QASM.run(circuit, noise_model=model(**errors), shots=3000, seed_simulator=2)
    found = np.array(job.result().data(0)["value"])
    kept = QuantumCircuit.from_instructions(
        [item for item in circuit.data if item.name not in {"save_expval", "barrier", "measure"}], qubits=circuit.qubits
    )
    expected = value_of(kept, {name: error[2] for name, error in errors.items()}, OBSERVABLE)
    spread = max(found.std() / 3000**0.5, 1e-12) if found.ndim else 0.03
    assert abs(found.mean() - expected) < 5 * spread


def measured_before_a_gate():
    circuit = QuantumCircuit(2, 2)
    circuit.x([0, 1])
    circuit.measure([0, 1], [0, 1])
    circuit.h([0, 1])
    return circuit, 0


def measured_before_a_reset():
    circuit = QuantumCircuit(1, 1)
    circuit.x(0)
    circuit.measure(0, 0)
    circuit.reset(0)
    return circuit, 0


def measured_twice():
    circuit = QuantumCircuit(1, 2)
    circuit.measure(0, 0)
    circuit.x(0)
    circuit.measure(0, 1)
    circuit.x(0)
    return circuit, 0b01


def measured_after_a_branch():
    circuit = QuantumCircuit(2, 2)
    circuit.measure(0, 0)
    with circuit.if_test((0, 1)):
        circuit.x(1)
    circuit.measure(1, 1)
    circuit.h(1)
    return circuit, 0b01


def one_that_waits():
    circuit = QuantumCircuit(2, 2)
    circuit.measure([0, 1], [0, 1])
    circuit.h(1)
    return circuit, 0b11


@pytest.mark.parametrize("shots", [20, 2**20 + 1])
@pytest.mark.parametrize(
    "make", [measured_before_a_gate, measured_before_a_reset, measured_twice, measured_after_a_branch, one_that_waits]
)
def test_readout_errors_act_wherever_a_qubit_is_used_after_its_measurement(make, shots):
    circuit, expected = make()
    always_wrong = NoiseModel()
    always_wrong.add_all_qubit_readout_error(ReadoutError([[0, 1], [1, 0]]))
    assert as_numbers(counted(circuit, always_wrong, shots)) == {expected: shots}
