"""Derivatives of expectation values: against differences of Qiskit's statevectors, shifts, and one another."""

import itertools
import threading
import tracemalloc

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter, ParameterVector
from qiskit.circuit.library import (
    PauliEvolutionGate,
    RVGate,
    RYGate,
    XXPlusYYGate,
    efficient_su2,
)
from qiskit.quantum_info import SparsePauliOp, Statevector

import exact
from basicaer import (
    CompiledGradient,
    EstimatorGradient,
    EstimatorV2,
    GradientJob,
    gradient,
    value_and_gradient,
    vjp_state,
)
from basicaer.compile.gates import BY_NAME, GATES
from basicaer.compile.shift_rules import shift_rule
from basicaer.devices import memory
from basicaer.devices.cpu.device import NumpyDevice
from basicaer.engine import adjoint
from basicaer.engine.monitor import Monitor
from basicaer.errors import BasicAerError, OptionValueError, PubError
from basicaer.gradients.payload import Report
from basicaer.options import Precision
from basicaer.plan.planner import plan_segment

P, Q, R = map(Parameter, "pqr")
STEP = 1e-5
ANGLED = [one for one in GATES if one.gate_class and one.angles]
OBSERVABLES = [
    SparsePauliOp(["ZZII", "IXIX", "YIYZ", "IIII"], [1.0, 0.5, 0.7, 2.0]),
    SparsePauliOp(["IIZZ", "XXXX"], [-0.4, 1.3]),
    SparsePauliOp("ZIII"),
]


def every_way():
    """Parameters that are shared, in expressions, in library blocks, and in gates that are not in the table."""
    circuit = QuantumCircuit(4, global_phase=P)
    circuit.h([0, 1, 2])
    circuit.ry(P * Q + 0.3, 0)
    circuit.crx(P, 0, 1, ctrl_state=0)
    circuit.append(PauliEvolutionGate(SparsePauliOp(["XX", "ZY"]), time=P), [0, 2])
    circuit.append(RYGate(Q).control(3, annotated=False), [3, 2, 1, 0])
    circuit.u(P, 0.3, Q, 2)
    circuit.mcp(Q, [0, 1, 2], 3)
    circuit.append(efficient_su2(2, reps=1, parameter_prefix="w").to_instruction(), [0, 1])
    circuit.rzz(R.sin(), 1, 3)
    circuit.append(XXPlusYYGate(P, Q), [1, 3])
    circuit.swap(0, 3)
    circuit.append(RVGate(Q, R, 0.2), [2])
    circuit.append(RYGate(P).control(2, annotated=True), [1, 2, 0])
    circuit.rx(R**2, 3)
    return circuit


def values_for(circuit, seed=0, sets=()):
    return np.random.default_rng(seed).normal(size=(*sets, circuit.num_parameters))


def expected(circuit, values, observables=OBSERVABLES):
    """Values from Qiskit, and their derivatives by central differences."""

    def at(point):
        state = Statevector(circuit.assign_parameters(dict(zip(circuit.parameters, point, strict=True))))
        return np.array([state.expectation_value(one).real for one in observables])

    moves = STEP * np.eye(len(values))
    return at(values), np.array([(at(values + one) - at(values - one)) / (2 * STEP) for one in moves]).T


@pytest.mark.filterwarnings("ignore::scipy.sparse.SparseEfficiencyWarning")  # Qiskit's matrix of an evolution
def test_values_and_gradients_are_those_of_qiskits_statevector():
    circuit = every_way()
    values = values_for(circuit)
    want, slopes = expected(circuit, values)
    job = gradient(circuit, OBSERVABLES, values)
    result = job.result()
    assert isinstance(job, GradientJob)
    assert np.allclose(result.values, want, rtol=0, atol=1e-12)
    assert result.gradients.shape == (3, circuit.num_parameters)
    assert np.allclose(result.gradients, slopes, rtol=0, atol=1e-8)
    assert result.metadata["method"] == "adjoint"
    assert result.metadata["device"] == "CPU"
    assert result.metadata["deviation"] < 1e-12


@pytest.mark.parametrize("record", ANGLED, ids=lambda one: one.name)
def test_every_gate_with_angles_in_its_circuit(record):
    parameters = ParameterVector("a", record.parameters)
    gate = record.gate_class(*parameters, *([2] if record.controls is None else []))
    circuit = QuantumCircuit(4)
    for qubit in range(4):
        circuit.u(0.3 + qubit, 0.2, 0.5 * qubit, qubit)
    circuit.append(gate, range(gate.num_qubits)[::-1])
    circuit.cx(0, 3)
    circuit.rx(0.4, range(4))
    values = values_for(circuit, len(record.name))
    want, slopes = expected(circuit, values)
    found = gradient(circuit, OBSERVABLES, values).result()
    assert np.allclose(found.values, want, rtol=0, atol=1e-12)
    assert np.allclose(found.gradients, slopes, rtol=0, atol=1e-8)
    if record.name != "rv":
        shifted = gradient(circuit, OBSERVABLES, values, method="parameter shift").result()
        assert np.allclose(shifted.gradients, found.gradients, rtol=0, atol=1e-12)


SPECIAL = (0.0, np.pi / 2, 2 * np.pi)


@pytest.mark.parametrize(
    "record", [one for one in GATES if one.gate_class and len(one.angles) > 1], ids=lambda one: one.name
)
def test_every_gate_with_angles_of_which_some_are_constant(record):
    """``r(0, p)`` does not depend on p at all, so that its numbers are the same for all values."""
    constants = range(1, 2 ** len(record.angles) - 1)  # bit j: angle j is constant
    for constant, special in itertools.product(constants, SPECIAL):
        angles = [special if constant >> j & 1 else Parameter(f"a{j}") for j in range(len(record.angles))]
        circuit = QuantumCircuit(4)
        circuit.u(0.3, 0.2, 0.5, range(4))
        gate = record.gate_class(*angles)
        circuit.append(gate, [2, 0][: gate.num_qubits])
        circuit.append(record.gate_class(*[0.0] * len(angles)), [2, 0][: gate.num_qubits])  # of the same name
        circuit.cx(0, 3)
        circuit.rx(0.4, range(4))
        values = values_for(circuit, constant)
        want, slopes = expected(circuit, values)
        found = gradient(circuit, OBSERVABLES, values, method="adjoint").result()
        assert np.allclose(found.values, want, rtol=0, atol=1e-12)
        assert np.allclose(found.gradients, slopes, rtol=0, atol=1e-8)
        whole = vjp_state(circuit, values, np.eye(16)[3]).result()
        assert whole.values == pytest.approx(Statevector(circuit.assign_parameters(values)).data[3], abs=1e-12)


def random_circuit(seed):
    """Gates of the table with angles that are shared and expressions, on 2 to 8 qubits."""
    random = np.random.default_rng(seed)
    n = int(random.integers(2, 9))
    circuit, params = QuantumCircuit(n), [P, Q, R, P * Q, 2 * R - 0.1, Q.sin()]
    records = [one for one in GATES if one.gate_class and one.target_actions and one.name != "rv"]
    for _ in range(25):
        record = records[random.integers(len(records))]
        angles = [params[random.integers(len(params))] for _ in range(record.parameters)]
        gate = record.gate_class(*angles, *([1] if record.controls is None else []))
        if gate.num_qubits <= n:
            circuit.append(gate, random.permutation(n)[: gate.num_qubits].tolist())
    labels = ["".join(random.choice(list("IXYZ"), n)) for _ in range(4)]
    return circuit, [SparsePauliOp(labels, random.normal(size=4)), SparsePauliOp(labels[:1])]


@pytest.mark.parametrize("seed", range(12))
def test_random_circuits_have_the_gradients_of_shifts(seed):
    circuit, observables = random_circuit(seed)
    values = values_for(circuit, seed, (2,))
    found = gradient(circuit, observables, values).result()
    shifted = gradient(circuit, observables, values, method="parameter shift").result()
    assert found.metadata["method"] == "adjoint"
    assert shifted.metadata == {"method": "parameter shift", "reason": "it was asked for"}
    assert np.allclose(found.gradients, shifted.gradients, rtol=0, atol=1e-12)
    assert np.allclose(found.values, shifted.values, rtol=0, atol=1e-12)


def wide(n=11):
    """Above the tile of a small test device, with idle qubits and late ones."""
    circuit, angles = QuantumCircuit(n), ParameterVector("t", 40)
    for number, angle in enumerate(angles):
        qubit = number % (n - 1)
        circuit.ry(angle, qubit)
        circuit.rzz(angle * 0.5, qubit, (qubit + 3) % (n - 1))
        circuit.cx(qubit, (qubit + 1) % (n - 1))
    return circuit


@pytest.mark.parametrize("precision", ["double", "single"])
def test_a_vector_jacobian_product_is_the_cotangent_times_the_jacobian(precision):
    circuit, values = every_way(), values_for(every_way(), sets=(3,))
    compiled = value_and_gradient(circuit, OBSERVABLES, precision=precision)
    cotangent = np.random.default_rng(1).normal(size=(3, 3))
    whole = compiled.submit(values).result()
    product = compiled.submit(values, cotangent=cotangent).result()
    tolerance = 1e-12 if precision == "double" else 1e-5
    assert product.gradients.shape == (3, circuit.num_parameters)
    want = np.einsum("so,soj->sj", cotangent, whole.gradients)
    assert np.allclose(product.gradients, want, rtol=0, atol=tolerance)
    assert np.allclose(product.values, whole.values, rtol=0, atol=tolerance)
    double = value_and_gradient(circuit, OBSERVABLES).submit(values).result()
    assert np.allclose(whole.gradients, double.gradients, rtol=0, atol=tolerance)


def test_every_device_has_the_same_gradients(device, precision):
    """All sets of a batch, and one by itself; a circuit that prepares qubits first has no batch."""
    prepared = QuantumCircuit(4)
    prepared.initialize([0.6, 0.8j], 1)
    prepared.compose(every_way(), inplace=True)
    for circuit, sets in ((every_way(), 3), (every_way(), 1), (prepared, 2)):
        values = values_for(circuit, sets=(sets,))
        compiled = value_and_gradient(circuit, OBSERVABLES)
        want = compiled.submit(values).result()
        task = compiled._task(values, None, Report((sets,), (3,)))
        found = adjoint.Adjoint(device, plan_segment, precision, Monitor()).run(task.how)
        by_angles = np.zeros((sets, 3, task.chain.size), complex)
        for place, gate, at, occurrence in task.angles:
            by_angles[:, :, occurrence] = 2 * found.sums[place][gate][:, :, at].T
        tolerance = 1e-12 if precision is Precision.DOUBLE else 1e-5
        assert np.allclose(found.values, want.values, rtol=0, atol=tolerance)
        assert np.allclose(task.chain.by_parameters(by_angles).real, want.gradients, rtol=0, atol=tolerance)


def test_a_set_has_the_same_gradient_in_any_company():
    circuit = every_way()
    compiled = value_and_gradient(circuit, OBSERVABLES)
    values = values_for(circuit, sets=(2, 5))
    found, slopes = compiled(values)
    assert found.shape == (2, 5, 3)
    assert slopes.shape == (2, 5, 3, circuit.num_parameters)
    for place in np.ndindex(2, 5):
        alone = compiled(values[place])
        assert np.allclose(alone[0], found[place], rtol=0, atol=1e-13)
        assert np.allclose(alone[1], slopes[place], rtol=0, atol=1e-13)


def test_threads_and_groups_of_bras_change_nothing(monkeypatch):
    circuit = wide()
    observables = ["Z" + "I" * 10, SparsePauliOp(["I" * 9 + "XX", "IZIIIZIIIII"]), "IYIYIIIIIII"]
    values = values_for(circuit)
    found = [gradient(circuit, observables, values, max_parallel_threads=threads).result() for threads in (1, 3)]
    monkeypatch.setattr(adjoint, "_MOST_BRAS", 2)
    found.append(gradient(circuit, observables, values).result())
    for other in found[1:]:
        assert np.array_equal(found[0].gradients, other.gradients)
        assert np.array_equal(found[0].values, other.values)
    two = gradient(
        circuit, [sum(map(SparsePauliOp, observables[::2])), observables[0], observables[2]], values
    ).result()
    assert np.allclose(two.gradients[0], two.gradients[1] + two.gradients[2], rtol=0, atol=1e-12)


def test_parameters_are_chosen_by_name_and_order():
    circuit = every_way()
    values = values_for(circuit)
    whole = gradient(circuit, OBSERVABLES[0], values).result().gradients
    names = [one.name for one in circuit.parameters]
    some = gradient(circuit, OBSERVABLES[0], values, parameters=["r", P]).result().gradients
    assert np.allclose(some, whole[[names.index("r"), names.index("p")]], rtol=0, atol=1e-14)
    assert gradient(circuit, OBSERVABLES[0], values, parameters=[]).result().gradients.shape == (0,)


def test_a_phase_has_no_gradient_and_a_circuit_without_parameters_an_empty_one():
    circuit = QuantumCircuit(2, global_phase=P)
    circuit.h(0)
    circuit.p(Q, 1)
    found = gradient(circuit, ["XX", "IX"], [0.3, 0.4]).result()
    assert np.allclose(found.gradients, 0, rtol=0, atol=1e-15)
    assert np.allclose(found.values, [0, 1], rtol=0, atol=1e-15)
    plain = QuantumCircuit(1)
    plain.h(0)
    assert gradient(plain, "X", []).result().gradients.shape == (0,)
    idle = QuantumCircuit(2, global_phase=P)
    assert gradient(idle, ["ZZ", "XI"], [0.1]).result().values.tolist() == [1.0, 0.0]


def test_other_parts_are_those_of_twice_the_inner_product():
    circuit = QuantumCircuit(1)
    circuit.h(0)
    circuit.rz(P, 0)
    compiled = value_and_gradient(circuit, SparsePauliOp(["X", "I", "Z"], [1.0, 0.5, 0.25]))
    at = 0.4
    state, matrix = Statevector(circuit.assign_parameters([at])).data, np.array([[0.75, 1], [1, 0.25]])
    want = 2 * np.vdot(matrix @ state, np.diag([-0.5j, 0.5j]) @ state)
    for part, expected_part in (("real", want.real), ("imag", want.imag), ("complex", want)):
        found = compiled.submit([at], derivative_type=part).result().gradients
        assert np.allclose(found, expected_part, rtol=0, atol=1e-14)
    with pytest.raises(OptionValueError, match="derivative_type must be 'real', 'imag' or 'complex', not 'both'"):
        compiled.submit([at], derivative_type="both")


def test_states_that_are_prepared_first_are_differentiated_by_a_sweep():
    circuit = QuantumCircuit(3)
    circuit.initialize([0.6, 0.8], 0)
    circuit.ry(P, 1)
    circuit.crx(Q, 0, 2)
    circuit.cx(1, 0)
    values = np.array([[0.3, -0.7], [1.0, 0.2]])
    observables = [SparsePauliOp(["ZXI", "IIZ"]), SparsePauliOp("XZZ")]
    found = gradient(circuit, observables, values).result()
    assert found.metadata["method"] == "adjoint"
    for row, slopes in zip(values, found.gradients, strict=True):
        assert np.allclose(slopes, expected(circuit, row, observables)[1], rtol=0, atol=1e-8)
    late = QuantumCircuit(2)
    late.ry(P, 0)
    late.initialize([0.6, 0.8], 1)
    late.crx(P, 0, 1)
    shifted = gradient(late, "ZZ", [0.4]).result()
    assert shifted.metadata["method"] == "parameter shift"
    assert np.allclose(shifted.gradients, expected(late, [0.4], [SparsePauliOp("ZZ")])[1], rtol=0, atol=1e-8)


@pytest.mark.filterwarnings("ignore::scipy.sparse.SparseEfficiencyWarning")  # as above
def test_a_function_of_the_whole_state_is_differentiated_in_one_sweep():
    """Global phases count, those of definitions and those that depend on parameters; idle qubits are |0>."""
    inner = every_way()
    circuit = QuantumCircuit(5, global_phase=P * Q + 0.4)
    circuit.append(inner.to_instruction(), [0, 1, 2, 4])
    values = values_for(circuit, sets=(2,))
    random = np.random.default_rng(3)
    vectors = random.normal(size=(2, 32)) + 1j * random.normal(size=(2, 32))
    result = vjp_state(circuit, values, vectors).result()

    def at(point):
        return Statevector(circuit.assign_parameters(dict(zip(circuit.parameters, point, strict=True)))).data

    for row, vector, overlap, slopes in zip(values, vectors, result.values, result.gradients, strict=True):
        moves = STEP * np.eye(len(row))
        want = [np.vdot(vector, at(row + one) - at(row - one)) / (2 * STEP) for one in moves]
        assert np.allclose(overlap, np.vdot(vector, at(row)), rtol=0, atol=1e-12)
        assert np.allclose(slopes, want, rtol=0, atol=1e-8)
    some = vjp_state(circuit, values[0], vectors[0], parameters=["q"]).result()
    place = [one.name for one in circuit.parameters].index("q")
    assert np.allclose(some.gradients, result.gradients[0, place], rtol=0, atol=1e-13)
    large = wide()  # in tiles
    values = values_for(large)
    vector = Statevector(large.assign_parameters(values)).data
    length = vjp_state(large, values, vector).result()
    assert length.values == pytest.approx(1, abs=1e-12)
    assert np.allclose(length.gradients.real, 0, rtol=0, atol=1e-12)


def dynamic():
    circuit = QuantumCircuit(2, 1)
    circuit.ry(P, 0)
    circuit.measure(0, 0)
    with circuit.if_test((0, 1)):
        circuit.rx(Q * P, 1)
    circuit.reset(0)
    circuit.crx(Q, 1, 0)
    return circuit


def test_a_dynamic_circuit_is_shifted_and_the_metadata_says_why():
    circuit, observables = dynamic(), [SparsePauliOp("ZZ"), SparsePauliOp(["IZ", "ZI"], [0.5, 2.0])]
    values = np.array([0.4, -1.1])

    def at(point):
        found = exact.paths(circuit, dict(zip(circuit.parameters, point, strict=True)))
        states = [(path.probability, Statevector(path.vector)) for path in found]
        return np.array([sum(p * one.expectation_value(o).real for p, one in states) for o in observables])

    want = np.array([(at(values + one) - at(values - one)) / (2 * STEP) for one in STEP * np.eye(2)]).T
    result = gradient(circuit, observables, values).result()
    assert result.metadata["method"] == "parameter shift"
    assert result.metadata["reason"] == "it measures, resets, or has control flow before its end"
    assert result.metadata["simulation"] == "exact"
    product = gradient(circuit, observables, values, cotangent=[2.0, -1.0]).result()
    assert np.allclose(product.gradients, [2, -1] @ result.gradients, rtol=0, atol=1e-14)
    plain = EstimatorV2().run([(circuit, observables, values)]).result()[0].data.evs
    assert np.allclose(result.values, plain, rtol=0, atol=1e-14)
    assert np.allclose(at(values), plain, rtol=0, atol=1e-12)
    assert np.allclose(result.gradients, want, rtol=0, atol=1e-8)


def test_values_of_a_given_precision_are_shifted():
    circuit = QuantumCircuit(1)
    circuit.ry(P, 0)
    result = gradient(circuit, "Z", [0.4], precision_of_values=1e-3).result()
    assert result.metadata["reason"] == "values have noise of a given precision"
    assert 0 < abs(result.gradients[0] + np.sin(0.4)) < 1e-2
    assert result.standard_errors == pytest.approx([1e-3 / np.sqrt(2)])
    product = gradient(circuit, ["Z", "X"], [0.4], precision_of_values=1e-3, cotangent=[1, -2]).result()
    assert product.standard_errors == pytest.approx([3e-3 / np.sqrt(2)])


@pytest.mark.parametrize("name", ["rx", "p", "crx", "cu", "xx_plus_yy", "xx_minus_yy", "rzz", "cu3", "mcphase"])
def test_shift_rules_have_as_few_terms_as_the_frequencies_allow(name):
    record = BY_NAME[name]
    of_two = {"rx": {0}, "p": {0}, "rzz": {0}, "mcphase": {0}, "cu": {1, 2, 3}, "cu3": {1, 2}}.get(name, set())
    for angle in range(record.parameters):
        assert len(shift_rule(record, angle)) == (2 if angle in of_two else 4)


def test_no_expectation_value_is_read_by_itself_if_bras_have_it(monkeypatch):
    circuit, values = every_way(), values_for(every_way(), sets=(2,))
    function, cotangent = value_and_gradient(circuit, OBSERVABLES), np.ones((2, 3))
    want, product = function.values(values), function.submit(values, cotangent=cotangent).result().gradients
    for name in ("state.NumpyState", "batch.NumpyBatch"):
        monkeypatch.delattr(f"basicaer.devices.cpu.{name}.expectations")
    for number in range(2):
        assert np.allclose(function(values[number])[0], want[number], rtol=0, atol=1e-13)
    assert np.allclose(function(values)[0], want, rtol=0, atol=1e-13)
    assert np.array_equal(function.vjp(values, cotangent), product)


def test_values_of_many_observables_are_read_of_one_evolution(monkeypatch):
    circuit = efficient_su2(4, reps=1)
    labels = ["".join(label) for label in itertools.product("XYZ", repeat=3)]
    function, values = value_and_gradient(circuit, [f"I{label}" for label in labels]), values_for(circuit)
    evolved = []
    forwards = adjoint._OneSweep._forwards
    monkeypatch.setattr(adjoint._OneSweep, "_forwards", lambda self: (evolved.append(1), forwards(self))[1])
    found = function.values(values)
    assert len(evolved) == 1
    assert np.allclose(found, expected(circuit, values, [SparsePauliOp(f"I{label}") for label in labels])[0])


# Callers.


def test_scipy_minimises_with_the_gradient():
    from scipy.optimize import minimize

    circuit = efficient_su2(3, reps=2)
    energy = SparsePauliOp(["ZZI", "IZZ", "XII", "IXI", "IIX"], [-1, -1, -0.5, -0.5, -0.5])
    start = values_for(circuit)
    function = value_and_gradient(circuit, energy)
    assert isinstance(function(start)[0], float)
    found = minimize(function, start, jac=True, method="L-BFGS-B")
    assert found.fun == pytest.approx(np.linalg.eigvalsh(energy.to_matrix())[0], abs=1e-4)


def test_it_is_compiled_once_and_any_thread_may_call_it():
    circuit = every_way()
    function = value_and_gradient(circuit, OBSERVABLES)
    circuit.x(0)  # later changes have no effect
    sets = values_for(circuit, sets=(8,))
    want, slopes = function(sets)
    found = {}

    def work(number):
        found[number] = function(sets[number])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, (values, own) in found.items():
        assert np.allclose(values, want[number], rtol=0, atol=1e-13)
        assert np.allclose(own, slopes[number], rtol=0, atol=1e-13)
    shown = repr(function)
    assert isinstance(function, CompiledGradient)
    assert "11 parameters, observables of shape (3,), by adjoint" in shown


def test_a_gradient_under_the_names_of_qiskit_algorithms():
    circuit, other = every_way(), dynamic()
    values, angles = values_for(circuit, sets=(2,)), np.array([0.3, 0.7])
    first, second = OBSERVABLES[:2]
    job = EstimatorGradient().run(
        [circuit, other, circuit, circuit, circuit],
        [first, "ZZ", first, second, second],
        [values[0], angles, values[1], values[0], values[1]],
        [None, [Q], [P, R], None, [R]],
    )
    result = job.result()
    whole = gradient(circuit, [first, second], values).result().gradients
    names = [one.name for one in circuit.parameters]
    p, r = names.index("p"), names.index("r")
    shifted = gradient(other, "ZZ", angles).result().gradients
    want = [whole[0, 0], shifted[1:], whole[1, 0, [p, r]], whole[0, 1], whole[1, 1, [r]]]
    assert len(result.gradients) == len(result.metadata) == 5
    for found, own in zip(result.gradients, want, strict=True):
        assert np.allclose(found, own, rtol=0, atol=1e-13)
    assert [one["method"] for one in result.metadata] == ["adjoint", "parameter shift", *["adjoint"] * 3]
    assert (result.precision, result.options) == (0.0, {})
    single = EstimatorGradient().run(circuit, first, values[0], [P, R]).result().gradients
    assert np.allclose(single[0], whole[0, 0, [p, r]], rtol=0, atol=1e-13)


def test_each_sample_is_evolved_once_for_all_its_observables(monkeypatch):
    sweeps = []
    run = adjoint.Adjoint.run
    monkeypatch.setattr(adjoint.Adjoint, "run", lambda self, sweep: (sweeps.append(sweep), run(self, sweep))[1])
    circuit = every_way()
    samples = list(values_for(circuit, sets=(3,)))
    count = 2 * len(samples)
    job = EstimatorGradient().run([circuit] * count, [OBSERVABLES[0]] * 3 + [OBSERVABLES[1]] * 3, samples * 2)
    assert len(job.result().gradients) == count
    ((sweep,),) = [sweeps]
    assert (sweep.size, len(sweep.factors)) == (3, 2)


def test_what_the_packages_give_a_gradient_is_accepted():
    circuit = QuantumCircuit(1)
    circuit.ry(P, 0)
    estimator = EstimatorV2(default_precision=0.01, seed=1)
    made = EstimatorGradient(estimator, pass_manager=None, options={"a": 1}, transpiler=3, derivative_type="real")
    assert made.run([circuit], ["Z"], [[0.5]]).result().metadata[0]["method"] == "parameter shift"
    exactly = made.run([circuit], ["Z"], [[0.5]], precision=0, shots=100).result()
    assert exactly.gradients[0] == pytest.approx(-np.sin(0.5), abs=1e-14)
    assert (made.derivative_type, made.precision) == ("real", None)
    with pytest.raises(OptionValueError, match="EstimatorGradient runs on an EstimatorV2 of basicaer, not on 3"):
        EstimatorGradient(3)
    with pytest.raises(PubError, match="1 circuit and 2 of observables; give it as many of each"):
        made.run([circuit], ["Z", "X"], [[0.5]])
    with pytest.raises(PubError, match="Parameter values must be arrays of numbers, not 'abc'"):
        made.run([circuit], ["Z"], "abc")
    with pytest.raises(OptionValueError, match="derivative_type 'imag' needs method 'adjoint', which circuit"):
        EstimatorGradient(derivative_type="imag").run([dynamic()], ["ZZ"], [[0.1, 0.2]])


# Bad input.


def odd(expression):
    circuit = QuantumCircuit(1)
    circuit.ry(expression, 0)
    return circuit


def with_counter():
    circuit = QuantumCircuit(1)
    with circuit.for_loop(range(2)) as counter:
        circuit.ry(P * counter, 0)
    return circuit


def counting():
    circuit = QuantumCircuit(1)
    circuit.ry(P, 0)
    with circuit.for_loop(range(2)) as counter:
        circuit.rx(counter, 0)
    return circuit


def of(circuit, values=(0.1,), observables="Z", **options):
    return lambda: gradient(circuit, observables, values, **options)


RY = odd(P)
BAD = {
    "unknown parameter": (of(RY, parameters=["q"]), "circuit '.*' has no parameter 'q'|parameter of circuit.*'q'"),
    "a namesake": (of(RY, parameters=[Parameter("p")]), "'p'"),
    "an expression": (of(RY, parameters=[2 * P]), "parameters are parameters or their names, and .* is an expression"),
    "twice": (of(RY, parameters=[P, "p"]), "A parameter is named twice"),
    "no list": (of(RY, parameters=3), "parameters must be a list of parameters or names, not 3"),
    "missing values": (
        of(RY, []),
        r"has 1 parameter, and is given values of shape \(0,\); give an array of shape \(1,\)",
    ),
    "complex values": (of(RY, [1j]), "Parameter values must be an array of real numbers"),
    "infinite values": (of(RY, [np.inf]), "is given parameter values that are not finite numbers"),
    "cotangent": (
        of(RY, cotangent=[1.0, 2.0]),
        r"The cotangent has shape \(2,\), and the expectation values have \(\)",
    ),
    "complex cotangent": (of(RY, cotangent=1j), "The cotangent must be an array of real numbers"),
    "observables": (of(RY, observables="ZZ"), "The observables have 2 qubits, and circuit '.*' has 1"),
    "sign": (of(odd(P.sign())), r"'sign\(p\)' \(circuit '.*'\) cannot be differentiated by 'p'"),
    "complex expression": (of(odd(P.log()), [-1.0]), "must be a finite real number"),
    "method": (of(RY, method="spsa"), "method must be None, 'adjoint' or 'parameter shift', not 'spsa'"),
    "demanded": (
        of(dynamic(), [0, 0], "ZZ", method="adjoint"),
        "cannot be differentiated by method 'adjoint', since it meas",
    ),
    "counter": (of(with_counter()), "depends on the parameter of a for loop as well"),
    "no circuit": (of("ry"), "A gradient is taken of a QuantumCircuit, not of 'ry'"),
    "precision": (of(RY, precision_of_values=-1), "precision_of_values"),
    "option": (of(RY, shots=3), "shots"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_refused_in_one_sentence(case):
    call, message = BAD[case]
    with pytest.raises(BasicAerError, match=message) as caught:
        call()
    assert str(caught.value).count(". ") == 0


@pytest.mark.parametrize(
    ("circuit", "vector", "message"),
    [
        (RY, np.ones(4), r"The cotangent has shape \(4,\), and the states have \(2,\); give it a number"),
        (RY, "ab", "The cotangent must be an array of numbers, not 'ab'"),
        (dynamic(), np.ones(4), "has no single final state to differentiate, since it measures"),
        (counting(), np.ones(2), "has no single final state to differentiate, since it measures, .*control flow"),
        ("ry", np.ones(2), "A gradient is taken of a QuantumCircuit, not of 'ry'"),
    ],
)
def test_bad_input_for_the_whole_state_is_refused(circuit, vector, message):
    with pytest.raises(BasicAerError, match=message):
        vjp_state(circuit, [0.1] * getattr(circuit, "num_parameters", 1), vector)


def test_one_cotangent_for_many_sets_is_refused_with_what_to_do():
    with pytest.raises(
        PubError, match=r"is one vector, and there are sets of values of shape \(3,\); give one"
    ) as caught:
        vjp_state(RY, np.zeros((3, 1)), [1, 0])
    vector = np.broadcast_to([1, 0], (3, 2))
    assert "numpy.broadcast_to(cotangent, (3, 2))" in str(caught.value)
    assert vjp_state(RY, np.zeros((3, 1)), vector).result().gradients.shape == (3, 1)


def test_a_state_that_is_measured_at_the_end_is_none():
    circuit = RY.copy()
    circuit.measure_all()
    with pytest.raises(BasicAerError, match="since it measures at its end; leave that out"):
        vjp_state(circuit, [0.1], [1, 0])


def test_what_has_no_shift_rule_is_refused_where_one_is_needed():
    circuit = dynamic()
    circuit.append(RVGate(P, 0.1, 0.2), [0])
    with pytest.raises(BasicAerError, match="Gate 'rv' has no parameter-shift rule"):
        gradient(circuit, "ZZ", [0.1, 0.2])


def test_derivatives_by_other_parameters_need_no_derivative_of_an_expression():
    circuit = odd(P.sign() + 0 * P)
    circuit.rx(Q, 0)
    assert gradient(circuit, "Z", [0.1, 0.2], parameters=["q"]).result().gradients.shape == (1,)


def test_more_than_two_states_of_memory_are_refused_beforehand(monkeypatch):
    circuit = efficient_su2(26, reps=1)
    monkeypatch.setattr(memory, "free_host_bytes", lambda: 2**30 + 2**27)
    monkeypatch.setattr("basicaer.devices.cpu.device.free_host_bytes", lambda: 2**30 + 2**28)
    with pytest.raises(
        BasicAerError, match=r"A gradient of circuit '.*', which takes two states, needs 2.* GiB.*25 qubits fit"
    ):
        value_and_gradient(circuit, "Z" * 26)
    value_and_gradient(circuit, "Z" * 26, precision="single")


# The job.


def test_memory_is_that_of_two_states_and_some_tiles():
    n = 20
    circuit = efficient_su2(n, reps=1)
    energy = SparsePauliOp.from_sparse_list([("ZZ", [0, 1], 1.0), ("X", [3], 1.0)], n)
    function = value_and_gradient(circuit, energy, max_parallel_threads=1)
    values = values_for(circuit)
    function(values)
    tracemalloc.start()
    function(values)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    state = 16 * 2**n
    tiles = 4 * 16 * 2**16  # two tiles, and room for both
    assert peak < 2.1 * state + tiles


@pytest.mark.parametrize("phase", ["planning", "gates", "observables", "backwards"])
def test_a_job_is_cancelled_in_every_phase(phase, one_thread):
    circuit = wide()
    job = None
    ready, seen = threading.Event(), []
    compiled = value_and_gradient(circuit, ["Z" * 11, "X" * 11], executor=one_thread)
    enter = adjoint.Adjoint.__init__

    def stopping(self, *given):
        enter(self, *given)
        *_, monitor = self.parts
        on = monitor.enter

        def entering(name):
            on(name)
            seen.append(name)
            if name == phase:
                ready.wait(20)
                job.cancel()

        monitor.enter = entering

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(adjoint.Adjoint, "__init__", stopping)
        job = compiled.submit(values_for(circuit))
        ready.set()
        job.wait_for_final_state(20)
    assert job.cancelled()
    assert seen[-1] == phase


def test_progress_counts_the_passes_forwards_and_back():
    circuit = wide()
    compiled, monitor = value_and_gradient(circuit, ["Z" * 11, "X" * 11, "XZ" + "I" * 9]), Monitor()
    task = compiled._task(values_for(circuit)[None], None, Report((), ()))
    monitor.start()
    adjoint.Adjoint(NumpyDevice(1, tile_qubits=5), plan_segment, Precision.DOUBLE, monitor).run(task.how)
    progress = monitor.progress()
    assert progress.total_passes > 20
    assert progress.passes == pytest.approx(progress.total_passes, abs=1)
    assert {"planning", "gates", "observables", "backwards"} <= {name for name, _ in progress.phases}


def test_a_job_has_no_qobj():
    job = gradient(RY, "Z", [0.1])
    job.result()
    with pytest.raises(BasicAerError, match="A job of a gradient has no Qobj"):
        job.qobj()
    assert job.partial_result().gradients.tolist() == job.result().gradients.tolist()


def test_on_other_executors(one_thread):
    circuit = every_way()
    values = values_for(circuit)
    here = gradient(circuit, OBSERVABLES, values).result()
    there = gradient(circuit, OBSERVABLES, values, executor=one_thread).result()
    assert np.array_equal(here.gradients, there.gradients)


@pytest.mark.slow
def test_in_another_process():
    from concurrent.futures import ProcessPoolExecutor

    circuit = every_way()
    values = values_for(circuit, sets=(2,))
    with ProcessPoolExecutor(1) as executor:
        there = gradient(circuit, OBSERVABLES, values, executor=executor).result()
        shifted = gradient(dynamic(), "ZZ", [0.1, 0.2], executor=executor).result()
    assert np.array_equal(gradient(circuit, OBSERVABLES, values).result().gradients, there.gradients)
    assert np.array_equal(gradient(dynamic(), "ZZ", [0.1, 0.2]).result().gradients, shifted.gradients)


@pytest.mark.parametrize("cotangent", [None, [1.0, -0.5]])
def test_the_complex_derivative_has_the_global_phase(cotangent):
    """``2 <psi|H|dpsi>``, in which a phase that turns the whole state counts."""
    p = Parameter("p")
    circuit = QuantumCircuit(1)
    circuit.ry(0.4, 0)
    circuit.rz(p, 0)
    circuit.global_phase = p * 0.5
    same = QuantumCircuit(1)
    same.ry(0.4, 0)
    same.p(p, 0)
    found = [
        value_and_gradient(one, ["Z", "X"])
        .submit([0.5], cotangent=cotangent, derivative_type="complex")
        .result()
        .gradients
        for one in (circuit, same)
    ]
    assert np.allclose(*found, rtol=0, atol=1e-12)
    assert np.abs(found[0].imag).max() > 0.05
