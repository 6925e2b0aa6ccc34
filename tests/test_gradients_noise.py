"""Derivatives of noisy circuits: on each pattern of errors, against shifted density matrices and the estimator."""

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter, ParameterVector
from qiskit.circuit.library import RVGate, RXGate, RZXGate
from qiskit.quantum_info import SparsePauliOp

from basicaer import BasicAer, EstimatorGradient, EstimatorV2, gradient, value_and_gradient, vjp_state
from basicaer.compile.gates import GATES
from basicaer.devices.cpu.device import NumpyDevice
from basicaer.engine import error_patterns
from basicaer.engine.adjoint import Adjoint
from basicaer.engine.monitor import Monitor
from basicaer.errors import BasicAerError, OptionValueError
from basicaer.gradients.by_patterns import by_patterns
from basicaer.gradients.payload import Report
from basicaer.noise import (
    NoiseModel,
    amplitude_damping_error,
    coherent_unitary_error,
    depolarizing_error,
    mixed_unitary_error,
    pauli_error,
)
from basicaer.options import Precision
from basicaer.plan.planner import plan_segment

P = Parameter("p")
OBSERVABLES = ["ZZZI", SparsePauliOp(["XYIZ", "IXXI"], [0.7, -0.4]), "YIIX"]
ON_ONE = pauli_error([("X", 0.1), ("Y", 0.05), ("Z", 0.15), ("I", 0.7)])
ON_TWO = pauli_error([("ZX", 0.1), ("YY", 0.1), ("II", 0.8)])
NARROW = [one for one in GATES if one.gate_class and one.angles and one.target_actions and one.name != "rv"]
SPECIAL = (0.0, np.pi / 2, np.pi)  # where gates take Paulis to Paulis, and their generators do not


def model(errors):
    made = NoiseModel(basis_gates=["h", "rx", "ry", "cx", "u", "p"])
    for name, error in errors.items():
        made.add_all_qubit_quantum_error(error, [name])
    return made


def chain(n=4, layers=2):
    circuit, angles = QuantumCircuit(n), ParameterVector("t", 5)
    for layer in range(layers):
        for qubit in range(n):
            circuit.ry(angles[(qubit + layer) % 5] * (1 + layer), qubit)
        for qubit in range(n - 1):
            circuit.cx(qubit, qubit + 1)
    return circuit


def task_of(circuit, values, cotangent, noise_model):
    compiled = value_and_gradient(circuit, OBSERVABLES, noise_model=noise_model, method="adjoint")
    return compiled._task(values, cotangent, Report((len(values),), (len(OBSERVABLES),)))


def run(task, device=None, precision=Precision.DOUBLE, monitor=None):
    adjoint = Adjoint(device or NumpyDevice(1), plan_segment, precision, monitor or Monitor())
    return by_patterns(task, task.how, adjoint, 5, None, lambda _begun: None)


@pytest.mark.filterwarnings("ignore:The noise model has no errors of the gates")
@pytest.mark.parametrize("record", NARROW, ids=lambda one: one.name)
def test_every_gate_with_angles_after_errors_and_before(record):
    parameters = ParameterVector("a", record.parameters)
    circuit = QuantumCircuit(4)
    circuit.h(range(4))
    circuit.cx(0, 1)
    gate = record.gate_class(*parameters, *([2] if record.controls is None else []))
    circuit.append(gate, [2, 0, 1][: gate.num_qubits])
    circuit.cx(1, 2)
    circuit.rx(0.4, 2)
    noise_model = model({"h": ON_ONE, "cx": ON_TWO} if gate.num_qubits < 3 else {"cx": ON_TWO})
    random = np.random.default_rng(len(record.name)).normal(size=record.parameters)
    values = np.array([random, *(np.full(record.parameters, angle) for angle in SPECIAL)])
    values[1:, 1:] += 0.3  # the first angle is special
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(error_patterns, "_MOST_FOLLOWED", 10**5)
        found = gradient(circuit, OBSERVABLES, values, noise_model=noise_model, method="adjoint").result()
    shifted = gradient(circuit, OBSERVABLES, values, noise_model=noise_model, method="parameter shift").result()
    assert (found.metadata["simulation"], shifted.metadata["simulation"]) == ("exact", "exact")
    assert np.allclose(found.values, shifted.values, rtol=0, atol=1e-12)
    assert np.allclose(found.gradients, shifted.gradients, rtol=0, atol=1e-12)


@pytest.mark.filterwarnings("ignore:The noise model has no errors of the gates")
@pytest.mark.parametrize("name", ["cp", "crz", "mcp"])
@pytest.mark.parametrize("state", [0, 1])
def test_a_controlled_diagonal_gate_with_a_qubit_that_no_matrix_acts_on(name, state):
    """It stays diagonal on all of its qubits: its step of a pass multiplies no matrices."""
    circuit = QuantumCircuit(3)
    circuit.ry(0.3, 0)
    on = ([1, 0], 2) if name == "mcp" else (0, 2)
    getattr(circuit, name)(P, *on, ctrl_state=state)
    observables = ["IIX", "ZIY", "IZX"]
    noise_model = model({"ry": ON_ONE})
    found = value_and_gradient(circuit, observables, noise_model=noise_model, method="adjoint")([0.7])
    shifted = value_and_gradient(circuit, observables, noise_model=noise_model, method="parameter shift")([0.7])
    np.testing.assert_allclose(found[0], shifted[0], rtol=0, atol=1e-12)
    np.testing.assert_allclose(found[1], shifted[1], rtol=0, atol=1e-12)


@pytest.mark.filterwarnings("ignore:The noise model has no errors of the gates")
def test_a_gate_without_a_shift_rule_is_differentiated_on_patterns():
    circuit = QuantumCircuit(4)
    circuit.h(range(4))
    circuit.append(RVGate(P, P * P, 0.3), [1])
    circuit.cx(1, 2)
    noise_model, step = model({"h": ON_ONE, "cx": ON_TWO}), 1e-5
    found = gradient(circuit, OBSERVABLES, [0.7], noise_model=noise_model).result()
    estimator = EstimatorV2(noise_model=noise_model)
    around = estimator.run([(circuit, OBSERVABLES, [[[0.7 - step]], [[0.7 + step]]])]).result()[0].data.evs
    assert found.metadata["method"] == "adjoint"
    assert np.allclose(found.gradients[:, 0], (around[1] - around[0]) / (2 * step), rtol=0, atol=1e-8)


@pytest.mark.filterwarnings("ignore:The noise model has no errors of the gates")
def test_errors_that_are_other_unitaries_make_circuits_too():
    noise_model = model(
        {
            "ry": mixed_unitary_error([(RXGate(0.3).to_matrix(), 0.2), (np.eye(2), 0.8)]),
            "cx": coherent_unitary_error(RZXGate(0.1).to_matrix()),
            "p": mixed_unitary_error([(RXGate(0.5).to_matrix(), 0.5), (np.diag([1, -1]), 0.5)]),
        }
    )
    circuit = chain(3, 1)
    circuit.p(P, 1)
    circuit.append(RXGate(P * P).control(2, annotated=False), [2, 0, 1])
    values = np.random.default_rng(1).normal(size=(2, circuit.num_parameters))
    observables = ["ZXI", "YZZ"]
    found = gradient(circuit, observables, values, noise_model=noise_model, method="adjoint").result()
    shifted = gradient(circuit, observables, values, noise_model=noise_model, method="parameter shift").result()
    assert found.metadata["simulation"] == "exact"
    assert np.allclose(found.values, shifted.values, rtol=0, atol=1e-12)
    assert np.allclose(found.gradients, shifted.gradients, rtol=0, atol=1e-12)


def test_patterns_that_are_drawn_are_those_of_the_estimator(monkeypatch):
    """The same values and standard errors with the same seed; derivatives within a few of their standard errors."""
    noise_model = model({"ry": depolarizing_error(0.02, 1), "cx": depolarizing_error(0.05, 2)})
    circuit, seed = chain(), 5
    values = np.random.default_rng(2).normal(size=(2, 5))
    monkeypatch.setattr("basicaer.primitives.payload._USUAL_SHOTS", 500)
    estimator = EstimatorV2(noise_model=noise_model, method="statevector", seed=seed)
    data = estimator.run([(circuit, OBSERVABLES, values[:, None])]).result()[0].data
    gradients = EstimatorGradient(estimator)
    count = len(OBSERVABLES)
    found = gradients.run([circuit] * 2 * count, OBSERVABLES * 2, np.repeat(values, count, axis=0)).result()
    exact = gradient(circuit, OBSERVABLES, values, noise_model=noise_model, method="parameter shift").result()
    metadata = found.metadata[0]
    assert metadata["simulation"] == "shots"
    assert metadata["shots"] == 500
    assert 10 < metadata["patterns"] < 1000
    assert metadata["ensemble_standard_error"] == pytest.approx(data.stds.max(), rel=1e-9)
    of_all = np.array(found.gradients).reshape(2, count, 5)
    away = abs(of_all - exact.gradients)
    assert 0 < away.max() < 5 * metadata["gradient_standard_error"]
    alone = gradient(circuit, OBSERVABLES, values, noise_model=noise_model, method="adjoint").result()
    assert alone.standard_errors.shape == (2, count, 5)
    assert (abs(alone.gradients - exact.gradients) < 6 * alone.standard_errors + 1e-12).all()
    backend = BasicAer.get_backend(noise_model=noise_model, method="statevector", seed_simulator=seed)
    again = gradient(circuit, OBSERVABLES, values, backend=backend, cotangent=np.ones((2, 3)))
    product = again.result()
    assert np.allclose(product.values, data.evs, rtol=0, atol=5 * data.stds.max())
    assert product.standard_errors.shape == product.gradients.shape == (2, 5)
    assert exact.standard_errors is None


def test_values_of_drawn_patterns(monkeypatch):
    noise_model = model({"ry": depolarizing_error(0.02, 1), "cx": depolarizing_error(0.05, 2)})
    circuit, values = chain(), np.random.default_rng(2).normal(size=(2, 5))
    monkeypatch.setattr("basicaer.primitives.payload._USUAL_SHOTS", 500)
    task = task_of(circuit, values, None, noise_model)
    data = (
        EstimatorV2(noise_model=noise_model, method="statevector", seed=5)
        .run([(circuit, OBSERVABLES, values[:, None])])
        .result()[0]
        .data
    )
    got = run(task)
    assert np.allclose(got.values, data.evs, rtol=0, atol=1e-12)
    cotangent = np.array([[1.0, -2.0, 0.5], [0.3, 0.2, -1.0]])
    product = run(task_of(circuit, values, cotangent, noise_model))
    assert np.allclose(product.gradients, np.einsum("so,soj->sj", cotangent, got.gradients), rtol=0, atol=1e-12)
    monkeypatch.setattr(error_patterns, "_MOST_NUMBERS", 1)  # one pattern after another
    alone = run(task)
    assert np.allclose(alone.gradients, got.gradients, rtol=0, atol=1e-12)
    assert alone.metadata["patterns"] == got.metadata["patterns"]


def test_every_device_has_the_same_derivatives_on_patterns(device, precision):
    noise_model = model({"cx": ON_TWO})
    circuit, values = chain(4, 1), np.random.default_rng(3).normal(size=(2, 4))
    found = run(task_of(circuit, values, None, noise_model), device, precision)
    want = gradient(circuit, OBSERVABLES, values, noise_model=noise_model, method="parameter shift").result()
    tolerance = 1e-12 if precision is Precision.DOUBLE else 1e-5
    assert found.metadata["patterns"] == 2 * 15  # of 27 in each set, some differ in what no observable sees
    assert np.allclose(found.values, want.values, rtol=0, atol=tolerance)
    assert np.allclose(found.gradients.real, want.gradients, rtol=0, atol=tolerance)


def test_progress_counts_the_passes_of_all_patterns():
    monitor = Monitor()
    monitor.start()
    values = np.random.default_rng(3).normal(size=(2, 4))
    run(task_of(chain(4, 1), values, None, model({"cx": ON_TWO})), monitor=monitor)
    progress = monitor.progress()
    assert progress.total_passes > 0
    assert progress.passes == progress.total_passes


@pytest.mark.parametrize(
    ("n", "errors", "options", "chosen"),
    [
        (4, {"cx": ON_TWO}, {}, ("parameter shift", "density matrices are faster than a sweep", "exact")),
        (4, {"ry": ON_ONE}, {}, ("parameter shift", "a density matrix is exact, and its errors have too", "exact")),
        (9, {"h": ON_ONE}, {}, ("adjoint", "each pattern of its errors makes a circuit of gates", "exact")),
        (13, {"cx": depolarizing_error(1e-4, 2)}, {}, ("adjoint", "each pattern of its errors", "shots")),
        (9, {"h": ON_ONE}, {"method": "density_matrix"}, ("parameter shift", "was asked for", "exact")),
        (4, {"cx": ON_TWO}, {"method": "statevector"}, ("adjoint", "each pattern of its errors", "exact")),
        (4, {"ry": amplitude_damping_error(0.1)}, {}, ("parameter shift", "its errors depend on the state", "exact")),
        (4, {"x": ON_ONE}, {}, ("adjoint", "the circuit has gates only", None)),
    ],
)
def test_what_is_cheaper_is_chosen(n, errors, options, chosen):
    method, reason, simulation = chosen
    circuit = QuantumCircuit(n)
    circuit.h(0)
    circuit.compose(chain(n), inplace=True)
    backend = BasicAer.get_backend(noise_model=model(errors), **options)
    values = np.random.default_rng(4).normal(size=5)
    found = gradient(circuit, "Z" * n, values, backend=backend).result()
    assert found.metadata["method"] == method
    assert reason in found.metadata["reason"]
    assert found.metadata.get("simulation") == simulation


def test_where_no_shot_has_errors_the_standard_error_says_what_they_could_change(monkeypatch):
    monkeypatch.setattr("basicaer.primitives.payload._USUAL_SHOTS", 20)
    circuit, values = chain(13), np.random.default_rng(4).normal(size=5)
    errors = {"cx": depolarizing_error(1e-4, 2), "ry": depolarizing_error(1e-4, 1)}
    backend = BasicAer.get_backend(noise_model=model(errors), seed_simulator=1)
    found = gradient(circuit, "Z" * 13, values, backend=backend).result()
    assert found.metadata["patterns"] == 1
    assert 1e-3 < found.metadata["ensemble_standard_error"] < 1e-2
    assert 1e-3 < found.metadata["gradient_standard_error"] < 0.3


def test_rare_errors_are_followed_exactly():
    circuit, values = chain(13), np.random.default_rng(4).normal(size=5)
    found = gradient(circuit, "Z" * 13, values, noise_model=model({"cx": depolarizing_error(1e-7, 2)})).result()
    assert found.metadata["simulation"] == "exact"
    assert 0 < found.metadata["neglected_probability"] < 1e-9


def test_what_patterns_do_not_have_is_refused():
    noisy = {"noise_model": model({"cx": ON_TWO}), "method": "adjoint"}
    with pytest.raises(OptionValueError, match="derivative_type 'complex' needs a circuit without errors"):
        value_and_gradient(chain(), OBSERVABLES, **noisy).submit(np.zeros(5), derivative_type="complex")
    damped = model({"cx": ON_TWO, "ry": amplitude_damping_error(0.1)})
    with pytest.raises(BasicAerError, match="by method 'adjoint', since its errors depend on the state; leave out the"):
        value_and_gradient(chain(), OBSERVABLES, noise_model=damped, method="adjoint")
    with pytest.raises(BasicAerError, match="no single final state to differentiate, since it has noise"):
        vjp_state(chain(), np.zeros(5), np.ones(16), noise_model=damped)


def test_errors_of_a_gate_that_is_replaced_are_refused():
    named = QuantumCircuit(1, name="mine")
    named.ry(P, 0)
    outer = QuantumCircuit(1)
    outer.append(named.to_gate(), [0])
    with pytest.raises(BasicAerError, match="has errors of 'mine', which is replaced by its definition"):
        value_and_gradient(outer, "Z", noise_model=model({"ry": ON_ONE, "mine": ON_ONE}))


def test_noise_is_differentiated_exactly_where_the_estimator_is_exact():
    p = Parameter("p")
    circuit = QuantumCircuit(2)
    circuit.ry(p, 0)
    circuit.cx(0, 1)
    circuit.rx(p * p, 1)
    noise_model = NoiseModel()
    noise_model.add_all_qubit_quantum_error(amplitude_damping_error(0.2), ["ry", "rx"])
    noise_model.add_all_qubit_quantum_error(depolarizing_error(0.1, 2), "cx")
    found = gradient(circuit, "ZZ", [0.7], noise_model=noise_model).result()
    estimator = EstimatorV2(noise_model=noise_model)
    around = [[0.7 + step] for step in (-1e-4, 0.0, 1e-4)]
    before, at, after = estimator.run([(circuit, "ZZ", around)]).result()[0].data.evs
    assert found.metadata["simulation_method_reason"] == "values are exact, at up to 10 qubits"
    assert found.values == pytest.approx(at, abs=1e-12)
    assert np.ravel(found.gradients)[0] == pytest.approx((after - before) / 2e-4, abs=1e-7)
