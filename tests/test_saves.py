"""Save instructions, ours and Aer's: what the result has of the state on the way, of which shots, and in which form."""

import copy
import io
from concurrent.futures import CancelledError

import numpy as np
import pytest
from qiskit import QuantumCircuit, qpy, transpile
from qiskit.circuit import Instruction, Parameter
from qiskit.circuit.classical import expr, types
from qiskit.circuit.library import GlobalPhaseGate
from qiskit.quantum_info import DensityMatrix, Operator, Pauli, SparsePauliOp, Statevector, partial_trace
from qiskit.result import ProbDistribution

import basicaer.library as lib
import reference
from basicaer import BasicAer, BasicAerError
from basicaer.compile.lower import lower
from basicaer.compile.saves import SAVES
from basicaer.devices.cpu.device import NumpyDevice
from basicaer.engine.execute import execute
from basicaer.engine.monitor import Monitor, current_monitor
from basicaer.engine.readings import read
from basicaer.engine.request import Request
from basicaer.errors import Cancelled
from basicaer.options import Precision
from basicaer.plan.planner import plan_segment
from basicaer.records import FinishedExperiment, ResultData, SavedValues
from basicaer.result import qiskit_experiment
from basicaer.simulators import running
from conftest import DEVICES, TOLERANCE

OPERATOR = SparsePauliOp(["ZZX", "IYI", "XII", "III", "ZIX", "IZI"], [0.7, -0.4, 0.3, 0.2, 0.9, -0.6])


@pytest.fixture(params=["CPU", "CPU-tiny-tiles", "GPU-emulated", "GPU"])
def on_device(request, monkeypatch):
    """Run everything on one device."""
    device = DEVICES[request.param]()
    monkeypatch.setattr(running, "choose_device", lambda *_, **__: (device, "a test wants it"))


def random_gates(n, layers, seed):
    random = np.random.default_rng(seed)
    circuit = QuantumCircuit(n)
    for _ in range(layers):
        first, second = random.permutation(n)[:2].tolist()
        circuit.u(*random.uniform(0, 3, 3), first)
        circuit.cx(first, second)
    return circuit


def circuit_with_idle_qubits():
    """Eight qubits of which 2 and 5 are idle, with a global phase; as many gates as take several passes."""
    circuit = QuantumCircuit(8, name="idle", global_phase=0.4)
    circuit.compose(random_gates(6, 30, seed=7), [0, 1, 3, 4, 6, 7], inplace=True)
    return circuit


# The table.


def test_the_table_and_the_library_have_the_same_saves():
    """Aer's ``save_state`` alone is no instruction of ours."""
    classes = [one for one in vars(lib).values() if isinstance(one, type) and issubclass(one, lib.SaveInstruction)]
    names = [one._name for one in classes if one is not lib.SaveInstruction]
    assert sorted([*names, "save_state"]) == sorted(SAVES)


# What each saves.

INDICES = [3, 130, 11]
SAVED = {
    "statevector": (lib.save_statevector, (), lambda s: s.data),
    "amplitudes": (lib.save_amplitudes, (INDICES,), lambda s: s.data[INDICES]),
    "amplitudes_squared": (lib.save_amplitudes_squared, (INDICES,), lambda s: abs(s.data[INDICES]) ** 2),
    "probabilities": (lib.save_probabilities, (), lambda s: s.probabilities()),
    "probabilities of some": (lib.save_probabilities, ([6, 2, 0],), lambda s: s.probabilities([6, 2, 0])),
    "density_matrix": (lib.save_density_matrix, ([4, 5, 1],), lambda s: reduced(s, [4, 5, 1])),
    "density_matrix of all": (lib.save_density_matrix, (), lambda s: DensityMatrix(s).data),
    "expectation_value": (lib.save_expectation_value, (OPERATOR, [7, 0, 2]), lambda s: mean(s, OPERATOR, [7, 0, 2])),
    "expectation_value_variance": (
        lib.save_expectation_value_variance,
        (OPERATOR, [7, 0, 3]),
        lambda s: [
            mean(s, OPERATOR, [7, 0, 3]),
            mean(s, OPERATOR @ OPERATOR, [7, 0, 3]) - mean(s, OPERATOR, [7, 0, 3]) ** 2,
        ],
    ),
}


def reduced(state, qubits):
    others = [q for q in range(state.num_qubits) if q not in qubits]
    ascending = partial_trace(state, others)  # qubits in ascending order
    order = [sorted(qubits).index(q) for q in qubits]
    index = [sum(reference.bit(i, j) * 2**place for j, place in enumerate(order)) for i in range(2 ** len(qubits))]
    return ascending.data[np.ix_(index, index)]


def mean(state, operator, qubits):
    return state.expectation_value(operator, qubits).real


@pytest.mark.usefixtures("on_device")
@pytest.mark.parametrize("name", SAVED)
def test_what_is_saved_of_a_state(name, precision, qasm):
    append, arguments, expected = SAVED[name]
    circuit = circuit_with_idle_qubits()
    want = expected(Statevector(circuit))
    append(circuit, *arguments, label="kept")
    circuit.h([0, 1, 3, 4, 6, 7])  # what comes later changes nothing
    circuit.measure_all()
    got = qasm.run(circuit, precision=precision, shots=7).result().data()["kept"]
    assert np.allclose(np.asarray(got), want, rtol=0, atol=4 * TOLERANCE[precision])


@pytest.mark.parametrize("name", SAVED)
def test_what_is_saved_is_read_from_the_state_itself(name, device, monkeypatch, qasm):
    """A copy would take as much memory as the state."""
    monkeypatch.setattr(running, "choose_device", lambda *_, **__: (device, "a test wants it"))
    state_class = type(device.new_state(1, Precision.DOUBLE))
    monkeypatch.delattr(state_class, "copy")
    append, arguments, _ = SAVED[name]
    circuit = circuit_with_idle_qubits()
    append(circuit, *arguments, label="kept")
    assert "kept" in qasm.run(circuit, shots=1).result().data()


@pytest.mark.usefixtures("on_device")
@pytest.mark.parametrize("idle", [False, True])
def test_amplitudes_are_in_the_order_of_the_qubits_that_are_given(idle, qasm):
    order = [2, 0, 3, 1]
    circuit = QuantumCircuit(4)
    circuit.compose(random_gates(3, 10, seed=3), [0, 1, 3], inplace=True)
    if not idle:
        circuit.ry(0.4, 2)
    in_order = QuantumCircuit(4)
    in_order.compose(circuit, [order.index(q) for q in range(4)], inplace=True)
    want = Statevector(in_order)
    circuit.append(lib.SaveStatevector(4), order)
    circuit.append(lib.SaveAmplitudes(4, range(16)), order)
    data = qasm.run(circuit).result().data()
    assert np.allclose(data["statevector"].data, want.data)
    assert np.allclose(data["amplitudes"], want.data)


@pytest.mark.usefixtures("on_device")
def test_dictionaries_hold_what_is_not_zero(qasm):
    circuit = QuantumCircuit(3)
    circuit.ry(2 * np.arccos(0.6), 0)
    circuit.cx(0, 2)
    lib.save_statevector_dict(circuit)
    lib.save_probabilities_dict(circuit, [2, 1])
    data = qasm.run(circuit).result().data()
    assert data["statevector"] == {"0x0": pytest.approx(0.6), "0x5": pytest.approx(0.8)}
    assert data["probabilities"] == {0: pytest.approx(0.36), 1: pytest.approx(0.64)}


def test_values_have_the_types_that_aers_have(qasm, unitary):
    circuit = circuit_with_idle_qubits()
    lib.save_statevector(circuit, "a")
    lib.save_density_matrix(circuit, [0], "b")
    lib.save_probabilities_dict(circuit, [0], "c")
    lib.save_probabilities_dict(circuit, [0], "d", conditional=True)
    lib.save_expectation_value(circuit, Pauli("Z"), [0], "e")
    lib.save_expectation_value(circuit, Pauli("Z"), [0], "f", pershot=True)
    data = qasm.run(circuit, shots=2).result().data()
    kinds = [Statevector, DensityMatrix, ProbDistribution, dict, float, np.ndarray]
    assert [type(data[label]) for label in "abcdef"] == kinds
    assert type(data["d"]["0x0"]) is dict
    assert qasm.run(circuit, shots=2, precision="single").result().data()["a"].dtype == np.complex64
    gates = QuantumCircuit(1)
    lib.save_unitary(gates)
    assert type(unitary.run(gates).result().data()["unitary"]) is Operator


@pytest.mark.usefixtures("on_device")
def test_a_unitary_on_the_way(unitary, precision):
    circuit = random_gates(3, 12, seed=2)
    circuit.global_phase = 0.3
    want = Operator(circuit)
    lib.save_unitary(circuit, "half")
    circuit.h(range(3))
    got = unitary.run(circuit, precision=precision).result().data()["half"]
    assert np.allclose(got.data, want.data, rtol=0, atol=4 * TOLERANCE[precision])


def test_the_phase_is_that_of_the_whole_circuit_and_of_the_gates_so_far(statevector):
    circuit = QuantumCircuit(1, global_phase=0.5)
    inner = QuantumCircuit(1, name="inner", global_phase=0.25)
    circuit.append(inner.to_instruction(), [0])
    lib.save_statevector(circuit, "first")
    circuit.append(inner.to_instruction(), [0])
    lib.save_statevector(circuit, "second")
    data = statevector.run(circuit).result().data()
    assert data["first"].data[0] == pytest.approx(np.exp(0.75j))
    assert data["second"].data[0] == pytest.approx(np.exp(1j))
    assert data["statevector"][0] == pytest.approx(np.exp(1j))


def test_more_qubits_than_are_looked_at_in_one_go(qasm):
    """In an order of the amplitudes that the gates have left, with qubits from both ends."""
    n, chosen = 18, [17, 0, 16, 3]
    circuit = QuantumCircuit(n)
    for q in range(n):
        circuit.ry(0.1 + 0.1 * q, q)
    for q in range(n - 1):
        circuit.cx(q, q + 1)
    circuit.swap(0, 17)
    state = Statevector(circuit)
    lib.save_probabilities(circuit, chosen)
    lib.save_density_matrix(circuit, chosen)
    data = qasm.run(circuit).result().data()
    assert np.allclose(data["probabilities"], state.probabilities(chosen))
    assert np.allclose(data["density_matrix"].data, reduced(state, chosen))


@pytest.mark.parametrize("n", [40, 80])
def test_amplitudes_are_found_among_more_qubits_than_there_is_memory_for(n, qasm):
    circuit = QuantumCircuit(n)
    circuit.h(n - 2)
    lib.save_amplitudes(circuit, [0, 2 ** (n - 2), 2 ** (n - 1), 2**n - 1])
    data = qasm.run(circuit).result().data()
    assert np.allclose(data["amplitudes"], [0.5**0.5, 0.5**0.5, 0, 0])


def test_the_state_that_the_simulator_returns_may_be_saved_under_its_label(statevector, unitary):
    circuit = circuit_with_idle_qubits()
    want = Statevector(circuit)
    lib.save_statevector(circuit)
    lib.save_probabilities(circuit)
    data = statevector.run(circuit).result().data()
    assert type(data["statevector"]) is Statevector
    assert np.allclose(data["statevector"].data, want.data)
    gates = random_gates(2, 3, seed=1)
    want = Operator(gates)
    lib.save_unitary(gates)
    result = unitary.run(gates).result()
    assert type(result.data()["unitary"]) is Operator
    assert np.allclose(result.get_unitary().data, want.data)


def test_it_is_the_simulators_own_chopped_as_that_was_told(statevector):
    circuit = QuantumCircuit(1)
    circuit.ry(0.001, 0)
    lib.save_statevector(circuit)
    for where in ("host", "device"):
        data = statevector.run(circuit, chop_threshold=0.01, array=where, device="CPU").result().data()
        assert data["statevector"].data[1] == 0


# Of which shots.


def measured_half_way(save, **how):
    """The first qubit's outcome decides by how much the second is turned: <Z> is 0.28 or, where it was 1, -0.96."""
    circuit = QuantumCircuit(2, 2, name="half way")
    circuit.ry(1.2, 0)
    circuit.measure(0, 1)
    circuit.ry(np.arccos(0.28), 1)
    with circuit.if_test((circuit.clbits[1], 1)):
        circuit.ry(np.arccos(-0.96) - np.arccos(0.28), 1)
    save(circuit, Pauli("Z"), [1], "kept", **how)
    return circuit


VALUE = {"0x0": 0.28, "0x2": -0.96}
SHOTS = 20


@pytest.fixture(params=["copies", "replayed"])
def branches(request, monkeypatch):
    """Branches that wait are kept as copies, or there is no memory for any, and they are run again from the start."""
    if request.param == "replayed":
        monkeypatch.setattr(NumpyDevice, "free_bytes", lambda _: 0)


def run_half_way(qasm, **how):
    circuit = measured_half_way(lib.save_expectation_value, **how)
    data = qasm.run(circuit, shots=SHOTS, seed_simulator=2, memory=True).result().data()
    assert set(data["memory"]) == set(VALUE)
    return data["kept"], data["memory"]


@pytest.mark.usefixtures("branches")
def test_the_mean_is_over_all_shots(qasm):
    kept, memory = run_half_way(qasm)
    assert kept == pytest.approx(np.mean([VALUE[bits] for bits in memory]))


@pytest.mark.usefixtures("branches")
def test_the_sum_is_over_all_shots(qasm):
    kept, memory = run_half_way(qasm, unnormalized=True)
    assert kept == pytest.approx(sum(VALUE[bits] for bits in memory))


@pytest.mark.usefixtures("branches")
def test_each_shot_has_its_own(qasm):
    kept, memory = run_half_way(qasm, pershot=True)
    assert kept.tolist() == pytest.approx([VALUE[bits] for bits in memory])


@pytest.mark.usefixtures("branches")
def test_shots_are_told_apart_by_their_bits(qasm):
    assert run_half_way(qasm, conditional=True)[0] == pytest.approx(VALUE)
    kept, memory = run_half_way(qasm, conditional=True, unnormalized=True)
    assert kept == pytest.approx({bits: memory.count(bits) * value for bits, value in VALUE.items()})
    kept, memory = run_half_way(qasm, conditional=True, pershot=True)
    assert {bits: len(values) for bits, values in kept.items()} == {bits: memory.count(bits) for bits in VALUE}


@pytest.mark.usefixtures("branches")
def test_a_statevector_is_that_of_the_last_shot_or_of_each(qasm):
    circuit = QuantumCircuit(3, 3)
    circuit.h(range(3))
    circuit.measure(range(3), range(3))
    lib.save_statevector(circuit, "last")
    lib.save_statevector(circuit, "each", pershot=True)
    lib.save_statevector(circuit, "by bits", conditional=True)
    data = qasm.run(circuit, shots=30, seed_simulator=1, memory=True).result().data()
    found = [int(np.argmax(abs(state.data))) for state in data["each"]]
    assert found == [int(bits, 16) for bits in data["memory"]]
    assert int(np.argmax(abs(data["last"].data))) == found[-1]
    assert {bits: int(np.argmax(abs(state.data))) for bits, state in data["by bits"].items()} == {
        hex(value): value for value in found
    }


@pytest.mark.usefixtures("branches")
def test_what_only_some_shots_pass_is_of_those_alone(qasm):
    circuit = QuantumCircuit(2, 2)
    circuit.h(0)
    circuit.measure(0, 0)
    circuit.x(1)
    with circuit.if_test((circuit.clbits[0], 1)):
        lib.save_expectation_value(circuit, Pauli("Z"), [1], "sum", unnormalized=True)
    with circuit.if_test((circuit.clbits[1], 1)):
        lib.save_statevector(circuit, "never")
    data = qasm.run(circuit, shots=40, seed_simulator=1).result().data()
    assert data["sum"] == -data["counts"]["0x1"]
    assert "never" not in data


def test_a_save_in_a_loop_counts_every_time(qasm):
    circuit = QuantumCircuit(1)
    with circuit.for_loop(range(4)):
        lib.save_expectation_value(circuit, Pauli("Z"), [0], "mean")
        lib.save_expectation_value(circuit, Pauli("Z"), [0], "each", pershot=True)
        circuit.x(0)
    angle = Parameter("angle")
    with circuit.for_loop([1, 3], angle):
        circuit.ry(angle, 0)
        lib.save_expectation_value(circuit, Pauli("Z"), [0], "turned", pershot=True)
    data = qasm.run(circuit, shots=2).result().data()
    assert data["mean"] == 0
    assert data["each"].tolist() == [1, -1, 1, -1] * 2
    assert data["turned"].tolist() == pytest.approx([np.cos(1), np.cos(4)] * 2)


def test_registers_of_variables_do_not_show_in_the_bits(qasm):
    circuit = QuantumCircuit(1, 1)
    kept = circuit.add_var("kept", expr.lift(3, types.Uint(4)))
    with circuit.if_test(expr.equal(kept, 3)):
        lib.save_probabilities_dict(circuit, [0], "saved", conditional=True)
    assert qasm.run(circuit, shots=1).result().data()["saved"] == {"0x0": {0: 1.0}}


def test_what_one_shot_saved_can_be_changed_without_the_others(qasm):
    circuit = QuantumCircuit(1)
    lib.save_probabilities(circuit, pershot=True)
    first, second = qasm.run(circuit, shots=2).result().data()["probabilities"]
    first[:] = 7
    assert second.tolist() == [1, 0]


# Aer's own instructions: known by their names and attributes.


class AersOwn(Instruction):
    """As Aer makes them: the label and one word for its settings in attributes of their own."""

    _directive = True

    def __init__(self, name, num_qubits, label, subtype="single", params=()):
        super().__init__(name, num_qubits, 0, list(params))
        self._label = label
        self._subtype = subtype

    def validate_parameter(self, parameter):
        return parameter


@pytest.mark.parametrize(
    ("subtype", "expected"),
    [
        ("average", {"mean": True}),
        ("accum", {"unnormalized": True}),
        ("list", {"pershot": True}),
        ("c_average", {"conditional": True}),
        ("c_accum", {"conditional": True, "unnormalized": True}),
        ("c_list", {"conditional": True, "pershot": True}),
    ],
)
def test_aers_instructions_do_the_same_as_ours(subtype, expected, qasm):
    ours = measured_half_way(lib.save_expectation_value, **{k: v for k, v in expected.items() if k != "mean"})

    def append(circuit, _pauli, qubits, label):
        circuit.append(AersOwn("save_expval", 1, label, subtype, [("Z", (1.0, 0))]), qubits)

    theirs = measured_half_way(append)
    results = [qasm.run(c, shots=SHOTS, seed_simulator=2).result().data()["kept"] for c in (ours, theirs)]
    assert str(results[0]) == str(results[1])


def test_aers_instructions_by_all_their_names(qasm):
    circuit = circuit_with_idle_qubits()
    state = Statevector(circuit)
    circuit.append(AersOwn("save_state", 8, "_method_"), range(8))
    circuit.append(AersOwn("save_amplitudes", 8, "a", "single", INDICES), range(8))
    circuit.append(AersOwn("save_amplitudes_sq", 8, "b", "average", INDICES), range(8))
    circuit.append(AersOwn("save_expval_var", 2, "c", "average", [("ZI", (2.0, 0)), ("II", (0, 4.0))]), [0, 3])
    data = qasm.run(circuit).result().data()
    assert np.allclose(data["statevector"].data, state.data)
    assert np.allclose(data["a"], state.data[INDICES])
    assert np.allclose(data["b"], abs(state.data[INDICES]) ** 2)
    z = state.expectation_value(Pauli("Z"), [3]).real
    assert np.allclose(data["c"], [2 * z, 4 - 4 * z**2])


# In circuits, and what is refused.


@pytest.mark.parametrize("level", [0, 1, 2, 3])
def test_the_transpiler_keeps_them_where_they_are(level, qasm):
    circuit = measured_half_way(lib.save_expectation_value)
    circuit.append(AersOwn("save_probabilities", 2, "theirs", "average"), [0, 1])
    names = [item.name for item in transpile(circuit, qasm, optimization_level=level).data]
    assert names[-2:] == ["save_expval", "save_probabilities"]


def test_they_change_no_depth_and_are_their_own_inverses():
    circuit = QuantumCircuit(2)
    circuit.h(0)
    lib.save_statevector(circuit)
    lib.save_probabilities(circuit, [1], pershot=True)
    assert circuit.depth() == 1
    assert [item.name for item in circuit.inverse().data] == ["save_probabilities", "save_statevector", "h"]
    again = copy.deepcopy(circuit).data[2].operation
    assert (again.label, again.pershot, again.conditional) == ("probabilities", True, False)


def test_they_are_equal_only_with_equal_settings():
    assert lib.SaveProbabilities(2) == lib.SaveProbabilities(2)
    assert lib.SaveProbabilities(2) != lib.SaveProbabilities(2, pershot=True)
    assert lib.SaveProbabilities(2) != lib.SaveProbabilities(2, conditional=True)
    assert lib.SaveProbabilities(2) != lib.SaveProbabilities(2, unnormalized=True)
    assert lib.SaveProbabilities(2) != lib.SaveProbabilities(2, "other")
    assert lib.SaveProbabilities(2) != AersOwn("save_probabilities", 2, "probabilities")


def test_bit_strings_stand_for_indices(qasm):
    circuit = QuantumCircuit(2)
    circuit.x(1)
    lib.save_amplitudes(circuit, ["10", 0])
    assert qasm.run(circuit).result().data()["amplitudes"].tolist() == [1, 0]


def test_a_label_stands_for_a_pauli(qasm):
    circuit = QuantumCircuit(2)
    circuit.x(1)
    lib.save_expectation_value(circuit, "ZI", [0, 1])
    assert qasm.run(circuit).result().data()["expectation_value"] == -1


def with_saves(*saves, n=2):
    circuit = QuantumCircuit(n, name="refused")
    for save, qubits in saves:
        circuit.append(save, qubits)
    return circuit


def on_the_way(save):
    circuit = with_saves((save, range(save.num_qubits)))
    circuit.h(0)
    return circuit


def read_again(circuit):
    file = io.BytesIO()
    qpy.dump(circuit, file)
    file.seek(0)
    return qpy.load(file)[0]


def in_another_order():
    circuit = QuantumCircuit(2, name="refused")
    circuit.h(0)
    circuit.append(lib.SaveStatevector(2), [1, 0])
    return circuit


def measured_after():
    circuit = QuantumCircuit(2, name="refused")
    circuit.h([0, 1])
    lib.save_statevector(circuit)
    circuit.measure_all()
    return circuit


def with_a_phase_after():
    circuit = with_saves((lib.SaveStatevector(2), [0, 1]))
    circuit.append(GlobalPhaseGate(0.5), [])
    return circuit


@pytest.mark.parametrize(
    ("simulator", "circuit", "message"),
    [
        ("qasm", with_saves(*2 * [(lib.SaveStatevector(2), [0, 1])]), "'statevector' .* is taken"),
        ("qasm", with_saves((lib.SaveProbabilities(1, "counts"), [0])), "'counts' .* outcomes of measurements"),
        ("unitary", with_saves((lib.SaveUnitary(1), [0])), r"must be given all qubits of its circuit \(2\), not 1"),
        (
            "qasm",
            with_saves((lib.SaveUnitary(2), [0, 1])),
            "qasm_simulator cannot run 'save_unitary' .*only unitary_simulator",
        ),
        ("unitary", with_saves((lib.SaveStatevector(2), [0, 1])), "unitary_simulator cannot run 'save_statevector'"),
        ("unitary", with_saves((lib.SaveUnitary(2, "kept"), [1, 0])), "must be given the qubits in their order"),
        (
            "unitary",
            on_the_way(lib.SaveUnitary(2)),
            "'unitary' .* is reserved for what unitary_simulator itself returns",
        ),
        ("statevector", on_the_way(lib.SaveStatevector(2)), "what statevector_simulator itself returns"),
        ("statevector", on_the_way(lib.SaveProbabilities(1, "statevector")), "what statevector_simulator itself"),
        ("statevector", with_saves((lib.SaveProbabilities(1, "statevector"), [0])), "itself returns"),
        ("statevector", with_saves((lib.SaveStatevector(2, conditional=True), [0, 1])), "itself returns"),
        ("statevector", with_saves((lib.SaveStatevector(2, pershot=True), [0, 1])), "itself returns"),
        ("statevector", with_saves((lib.SaveStatevectorDict(2, "statevector"), [0, 1])), "itself returns"),
        ("statevector", in_another_order(), "itself returns"),
        ("statevector", measured_after(), "itself returns"),
        ("statevector", with_a_phase_after(), "itself returns"),
        ("qasm", with_saves((AersOwn("save_amplitudes", 2, "a", params=[4]), [0, 1])), "are from 0 to 2\\*\\*2 - 1"),
        (
            "qasm",
            read_again(with_saves((lib.SaveStatevector(2), [0, 1]))),
            "save_statevector .*'refused'. has no settings, which a QPY file does not keep",
        ),
    ],
)
def test_what_cannot_be_saved_is_refused_by_name(simulator, circuit, message):
    with pytest.raises(BasicAerError, match=message):
        BasicAer.get_backend(f"{simulator}_simulator").run(circuit)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: lib.SaveStatevector(1, 3), "label of save_statevector must be a string, not 3"),
        (lambda: lib.SaveAmplitudes(2, [4]), "each from 0 to 2\\*\\*2 - 1"),
        (lambda: lib.SaveAmplitudes(2, []), "one index or more"),
        (lambda: lib.SaveAmplitudes(2, ["2"]), "whole numbers or bit strings"),
        (lambda: lib.SaveAmplitudes(2, [1.5]), "whole numbers or bit strings"),
        (lambda: lib.SaveExpectationValue(SparsePauliOp("Z", [1j])), "must be Hermitian"),
        (lambda: lib.SaveExpectationValue(SparsePauliOp("Z", [Parameter("a")])), "parameters without a value"),
    ],
)
def test_what_makes_no_instruction_is_refused(make, message):
    with pytest.raises(BasicAerError, match=message):
        make()


def test_more_than_memory_holds_is_refused_before_the_run(qasm, monkeypatch):
    circuit = QuantumCircuit(12, name="large")
    lib.save_density_matrix(circuit, range(12))
    monkeypatch.setattr("basicaer.devices.memory.free_host_bytes", lambda: 2**27)
    with pytest.raises(
        BasicAerError, match=r"'large' needs 256 MiB on the host for .* saves of it, where 128 MiB are free"
    ):
        qasm.run(circuit)
    each = QuantumCircuit(12, name="each")
    each.h(range(12))
    lib.save_statevector(each, pershot=True)
    with pytest.raises(BasicAerError, match=r"'each' needs 625 MiB on the host .* save less\.$"):
        qasm.run(each, shots=10_000)
    with pytest.raises(BasicAerError, match=r"save less, or take precision='single'\.$"):
        qasm.run(each, shots=3_000)


def test_a_dictionary_that_does_not_fit_is_refused_when_its_size_is_known(qasm, monkeypatch):
    circuits = [QuantumCircuit(18), QuantumCircuit(18)]
    circuits[1].h(range(18))
    for circuit in circuits:
        lib.save_statevector_dict(circuit)
    monkeypatch.setattr("basicaer.devices.memory.free_host_bytes", lambda: 2**25)
    assert qasm.run(circuits[0]).result().data()["statevector"] == {"0x0": 1}
    with pytest.raises(BasicAerError, match=r"save_statevector_dict needs 50 MiB for a dictionary of 262144 entries"):
        qasm.run(circuits[1]).result()
    many = QuantumCircuit(12)
    many.h(range(12))
    lib.save_probabilities_dict(many, pershot=True)
    with pytest.raises(BasicAerError, match=r"save_probabilities_dict needs 78.1 MiB for .* 409600 entries"):
        qasm.run(many, shots=100).result()


# How long it takes.


class Counting(Monitor):
    """Notes how often it is asked; cancels at one of these."""

    def __init__(self, cancel_at=None):
        super().__init__()
        self.polls, self.cancel_at = 0, cancel_at

    def poll(self):
        self.polls += 1
        if self.polls == self.cancel_at:
            self.cancel()
        super().poll()


def test_making_a_dictionary_can_be_stopped():
    amplitudes = np.full(2**18, 2.0**-9, complex)
    saved = (SavedValues("a", "save_statevector_dict", amplitudes),)
    experiment = FinishedExperiment("", 1, 0, 0.0, {}, ResultData(), saved, {"a": None}, {})
    whole = Counting()
    qiskit_experiment(experiment, whole.poll)
    assert whole.polls > 8
    with pytest.raises(Cancelled):
        qiskit_experiment(experiment, Counting(cancel_at=whole.polls - 1).poll)


def test_a_job_can_be_stopped_while_it_makes_its_results(qasm, monkeypatch):
    def cancelled_there(experiment, *poll):
        current_monitor.get().cancel()
        return qiskit_experiment(experiment, *poll)

    monkeypatch.setattr(running, "qiskit_experiment", cancelled_there)
    circuit = QuantumCircuit(1)
    lib.save_statevector_dict(circuit)
    job = qasm.run(circuit)
    with pytest.raises(CancelledError):
        job.result()
    assert job.progress().fraction < 1


@pytest.mark.parametrize("save", [lib.save_probabilities, lib.save_density_matrix])
def test_reading_can_be_stopped(save):
    circuit = QuantumCircuit(17)
    circuit.h(range(17))
    save(circuit, [0, 1])
    (reads,) = lower(circuit).saves
    monitor = Counting(cancel_at=2)
    state = NumpyDevice().new_state(17, Precision.DOUBLE, monitor)
    with pytest.raises(Cancelled):
        read(reads, state, 1.0, monitor)


def test_what_is_read_for_saves_counts_as_passes():
    circuit = QuantumCircuit(14)
    circuit.h(range(14))
    without = run_and_count(circuit)
    lib.save_expectation_value(circuit, SparsePauliOp(["X" + "I" * 13, "Y" + "I" * 13, "I" * 14, "Z" * 14]), range(14))
    lib.save_density_matrix(circuit, range(5))
    lib.save_amplitudes(circuit, [3])
    assert run_and_count(circuit) == without + 2 + 2 + 1


def run_and_count(circuit):
    """Return how many passes a run says that there are, once it has said that it has done all of them."""
    monitor = Monitor()
    monitor.start()
    device = NumpyDevice()
    execute(Request(lower(circuit), Precision.DOUBLE, shots=1, seed=1), device, plan_segment, monitor)
    progress = monitor.progress()
    assert monitor._passes == pytest.approx(progress.total_passes)
    return progress.total_passes


# Of some qubits, and of many that are idle.


def product_circuit(*, entangled=False):
    """Five qubits: 3 and 1 are one factor, 0 and 4 another one, 2 is idle."""
    circuit = QuantumCircuit(5)
    circuit.x(4)
    circuit.ry(0.4, 0)
    circuit.cry(1.1, 4, 0)
    circuit.u(0.3, 0.8, -0.5, 3)
    circuit.crx(1.9, 3, 1)
    circuit.rz(0.7, 1)
    if entangled:
        circuit.cx(1, 4)
    return circuit


def factor():
    alone = QuantumCircuit(2)
    alone.u(0.3, 0.8, -0.5, 0)
    alone.crx(1.9, 0, 1)
    alone.rz(0.7, 1)
    return Statevector(alone).data


@pytest.mark.usefixtures("on_device")
@pytest.mark.parametrize("precision", ["double", "single"])
def test_the_state_of_some_qubits_is_saved_where_it_is_a_factor(qasm, precision):
    circuit = product_circuit()
    want = factor()
    circuit.append(lib.SaveStatevector(2), [3, 1])
    circuit.append(lib.SaveStatevector(2, "turned"), [1, 3])
    circuit.append(lib.SaveStatevector(3, "with an idle one"), [3, 2, 1])
    circuit.append(lib.SaveStatevectorDict(3, "dictionary"), [3, 2, 1])
    circuit.append(lib.SaveAmplitudes(2, [3, 0]), [3, 1])
    circuit.append(lib.SaveAmplitudesSquared(2, [1, 2]), [3, 1])
    data = qasm.run(circuit, precision=precision).result().data()
    tolerance = {"rtol": 0, "atol": 1e-12 if precision == "double" else 1e-5}
    assert np.allclose(data["statevector"], want, **tolerance)
    assert np.allclose(data["turned"], want[[0, 2, 1, 3]], **tolerance)
    assert np.allclose(data["with an idle one"], [*want[:2], 0, 0, *want[2:], 0, 0], **tolerance)
    assert list(data["dictionary"]) == ["0x0", "0x1", "0x5"]  # the third amplitude is 0
    assert np.allclose(list(data["dictionary"].values()), want[[0, 1, 3]], **tolerance)
    assert np.allclose(data["amplitudes"], want[[3, 0]], **tolerance)
    assert np.allclose(data["amplitudes_squared"], abs(want[[1, 2]]) ** 2, **tolerance)


@pytest.mark.usefixtures("on_device")
@pytest.mark.parametrize("precision", ["double", "single"])
@pytest.mark.parametrize("save", [lib.SaveStatevector(2), lib.SaveAmplitudes(2, [0]), lib.SaveStatevectorDict(2)])
def test_qubits_that_are_entangled_with_others_have_no_state(qasm, precision, save):
    circuit = product_circuit(entangled=True)
    circuit.append(save, [3, 1])
    with pytest.raises(
        BasicAerError, match=rf"^'?\"?{save.name} .*label '{save.label}'.* entangled .* save_density_matrix"
    ):
        qasm.run(circuit, precision=precision).result()


@pytest.mark.usefixtures("on_device")
def test_dictionaries_over_many_qubits_of_which_few_are_active(qasm):
    circuit = QuantumCircuit(127)
    circuit.ry(0.4, 100)
    circuit.cx(100, 3)
    circuit.rx(1.0, 126)
    lib.save_statevector_dict(circuit)
    lib.save_statevector_dict(circuit, "each", pershot=True)
    lib.save_probabilities_dict(circuit)
    data = qasm.run(circuit, shots=2).result().data()
    c, s = np.cos(0.2), np.sin(0.2)
    pair = 2**100 + 2**3
    want = {
        0: c * np.cos(0.5),
        pair: s * np.cos(0.5),
        2**126: -1j * c * np.sin(0.5),
        2**126 + pair: -1j * s * np.sin(0.5),
    }
    for found in (data["statevector"], *data["each"]):
        assert found == {hex(index): pytest.approx(value, abs=1e-12) for index, value in want.items()}
    assert data["probabilities"] == {index: pytest.approx(abs(value) ** 2) for index, value in want.items()}


# What sets and saves "the state" is about the unitary where that is what a simulator evolves.

SET = np.linalg.qr(np.random.default_rng(5).normal(size=(4, 4)) + 0.3j)[0]


def test_a_unitary_is_set_and_saved_as_the_state(unitary):
    circuit = random_gates(2, 6, seed=1)
    circuit.append(AersOwn("set_unitary", 2, None, params=[SET]), [0, 1])
    circuit.append(AersOwn("save_state", 2, "_method_"), [0, 1])
    circuit.append(AersOwn("save_state", 2, "by name"), [0, 1])
    circuit.h(0)
    circuit.cx(0, 1)
    after = QuantumCircuit(2)
    after.h(0)
    after.cx(0, 1)
    with pytest.raises(BasicAerError, match=r"'unitary' .* is reserved for what unitary_simulator itself"):
        unitary.run(circuit)
    del circuit.data[-4]
    data = unitary.run(circuit).result().data()
    assert isinstance(data["by name"], Operator)
    assert np.allclose(data["by name"].data, SET, rtol=0, atol=1e-12)
    assert np.allclose(data["unitary"], Operator(after).data @ SET, rtol=0, atol=1e-12)


@pytest.mark.parametrize("params", [SET * 1.1, SET[:2], np.eye(4) * np.nan, ["x"]], ids=["norm", "rows", "nan", "text"])
def test_what_is_no_unitary_is_not_set(unitary, params):
    circuit = QuantumCircuit(2)
    circuit.append(AersOwn("set_unitary", 2, None, params=[params]), [0, 1])
    with pytest.raises(BasicAerError, match=r"set_unitary .*a unitary matrix of 2\*\*2 rows"):
        unitary.run(circuit)


@pytest.mark.parametrize("name", ["qasm_simulator", "statevector_simulator"])
def test_a_unitary_is_set_by_the_unitary_simulator_only(name):
    circuit = QuantumCircuit(2, 2)
    circuit.append(AersOwn("set_unitary", 2, None, params=[SET]), [0, 1])
    circuit.measure_all()
    with pytest.raises(BasicAerError, match=f"{name} cannot run 'set_unitary' .* only unitary_simulator can"):
        BasicAer.get_backend(name).run(circuit)


def test_refused_saves_have_the_names_that_they_were_given(unitary):
    circuit = QuantumCircuit(1)
    with circuit.for_loop(range(2)):
        circuit.append(AersOwn("save_state", 1, "a"), [0])
    with pytest.raises(BasicAerError, match="unitary_simulator cannot run 'save_state'"):
        unitary.run(circuit)
