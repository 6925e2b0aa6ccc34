"""The device of PennyLane: operations, results, derivatives, samples and mid-circuit measurements."""

import numpy as np
import pennylane as qml
import pytest
from pennylane import numpy as pnp
from qiskit.quantum_info import Operator

from basicaer import UnknownOptionError, gradients
from basicaer.pennylane.operations import _GATES, _PHASES, _ROTATIONS, is_known
from basicaer.pennylane.tapes import circuit_of, read

SHOTS = 20_000
WIRES = ["a", 1, "c"]


def device(**options):
    return qml.device("basicaer.qubit", wires=WIRES, seed=5, **options)


EXACT = qml.device("default.qubit", wires=WIRES)


def operations():
    """One of each operation that is a gate, its adjoint, and some that are controlled."""
    angles = iter(np.linspace(0.2, 3, 200))
    for name in [*_GATES, "GlobalPhase", "Identity", "MultiRZ"]:
        kind = getattr(qml, name)
        wires = kind.num_wires or {"GlobalPhase": 1, "Identity": 1, "MultiRZ": 3}[name]
        operation = kind(*[next(angles) for _ in range(kind.num_params or 0)], wires=["a", "c", 1][:wires])
        yield operation
        if name in _GATES:
            yield qml.adjoint(operation, lazy=True)
        if name in _GATES and wires == 1:
            yield qml.ops.Controlled(operation, ["c", 1], control_values=[False, True])
    for word in ("X", "YZ", "XIY", "II"):
        yield qml.PauliRot(next(angles), word, wires=["c", "a", 1][: len(word)])
    yield qml.QubitUnitary(qml.matrix(qml.U3(0.1, 0.2, 0.3, 0) @ qml.RX(0.4, 1)), wires=["c", "a"])
    yield qml.DiagonalQubitUnitary(np.exp(1j * np.arange(4)), wires=["c", "a"])
    yield qml.QFT(wires=["c", "a", 1])


@pytest.mark.filterwarnings("ignore::scipy.sparse.SparseEfficiencyWarning")  # Qiskit's matrix of an evolution
@pytest.mark.parametrize("operation", list(operations()), ids=str)
def test_an_operation_has_pennylanes_matrix(operation):
    if not is_known(operation):
        pytest.fail("would be decomposed")
    reading = read(qml.tape.QuantumScript([operation]), qml.wires.Wires(WIRES))
    circuit = circuit_of(reading)
    found = Operator(circuit.assign_parameters(reading.angles)).data
    assert np.allclose(found, qml.matrix(operation, wire_order=WIRES), rtol=0, atol=1e-12)


def test_every_name_of_the_tables_is_one_of_pennylane():
    assert all(hasattr(qml, name) for name in [*_GATES, *_ROTATIONS, *_PHASES])


def circuit(angles):
    qml.StatePrep(np.arange(1, 5) / np.sqrt(30), wires=["c", "a"])
    qml.RX(angles[0], wires="a")
    qml.Rot(angles[1], 0.3, angles[2], wires=1)
    qml.CNOT(wires=["a", "c"])
    qml.IsingXY(angles[0], wires=["a", 1])
    qml.SingleExcitation(angles[1], wires=[1, "c"])
    qml.PauliRot(angles[2], "XYZ", wires=["a", 1, "c"])
    qml.ctrl(qml.RX, control=["a", 1], control_values=[0, 1])(angles[0], wires="c")


POINT = pnp.array([0.4, 0.5, 0.6], requires_grad=True)
OBSERVABLES = [
    lambda: qml.expval(qml.Z("a") @ qml.X("c") + 0.5 * qml.Y(1)),
    lambda: qml.expval(qml.Hadamard(1)),
    lambda: qml.expval(qml.Projector([1, 0], ["a", "c"])),
    lambda: qml.expval(qml.Hermitian(np.array([[1, 2j], [-2j, 0]]), 1)),
]
OTHERS = [
    lambda: qml.probs(wires=["c", "a"]),
    lambda: qml.var(qml.Y(1)),
    qml.state,
    lambda: qml.density_matrix(["c", 1]),
    lambda: qml.purity([1]),
    lambda: qml.vn_entropy([1]),
]


def node(on, measurements, **options):
    @qml.qnode(on, **options)
    def run(angles):
        circuit(angles)
        return [one() for one in measurements]

    return run


def flat(results):
    return np.concatenate([np.ravel(one) for one in results])


@pytest.mark.parametrize("measurements", [OBSERVABLES, OTHERS, OBSERVABLES + OTHERS], ids=["values", "states", "both"])
def test_exact_results_are_those_of_pennylanes_own_device(measurements):
    found, want = (flat(node(on, measurements)(POINT)) for on in (device(), EXACT))
    assert np.allclose(found, want, rtol=0, atol=1e-10)


@pytest.mark.parametrize("method", ["best", "adjoint", "parameter-shift"])
@pytest.mark.parametrize("measurements", [OBSERVABLES, OBSERVABLES[:1]], ids=["many", "one"])
def test_derivatives_are_those_of_pennylanes_own_device(measurements, method):
    found, want = (
        qml.jacobian(lambda angles, on=on, how=how: pnp.stack(node(on, measurements, diff_method=how)(angles)))(POINT)
        for on, how in ((device(), method), (EXACT, "backprop"))
    )
    assert np.allclose(found, want, rtol=0, atol=1e-9)
    assert np.abs(want).max() > 0.1


def test_what_is_no_expectation_value_is_differentiated_by_shifts():
    found, want = (qml.jacobian(lambda x, on=on: node(on, OTHERS[:1])(x)[0])(POINT) for on in (device(), EXACT))
    assert np.allclose(found, want, rtol=0, atol=1e-9)


def test_tapes_that_differ_in_angles_run_as_one_batch(monkeypatch):
    on, shapes, whole = device(), [], gradients.CompiledGradient.values
    monkeypatch.setattr(
        gradients.CompiledGradient, "values", lambda self, sets: (shapes.append(np.shape(sets)), whole(self, sets))[1]
    )
    tapes = [qml.tape.QuantumScript([qml.RX(x, "a"), qml.RY(2 * x, 1)], [qml.expval(qml.Z(1))]) for x in (0.1, 0.2, 3)]
    found = on.execute(tapes)
    assert shapes == [(3, 2)]
    assert np.allclose(found, np.cos([0.2, 0.4, 6]), rtol=0, atol=1e-12)


def test_products_of_the_device_are_cotangents_times_its_derivatives():
    tape = qml.tape.QuantumScript(
        [qml.RX(0.3, "a"), qml.CRY(0.7, ["a", 1]), qml.RX(0.2, "c")],
        [qml.expval(qml.Z(1)), qml.expval(qml.Z("a") @ qml.Y("c"))],
        trainable_params=[0, 1],
    )
    results, (jacobian,) = device().execute_and_compute_derivatives([tape])
    again, (product,) = device().execute_and_compute_vjp([tape], [(2.0, -3.0)])
    assert np.shape(jacobian) == (2, 2)
    assert np.allclose(product, np.array([2.0, -3.0]) @ np.array(jacobian), rtol=0, atol=1e-12)
    assert np.allclose(results, again, rtol=0, atol=1e-12)
    both = device().compute_vjp([tape], [(np.array([1.0, 2.0]), np.array([0.0, -3.0]))])[0]
    assert np.allclose(both, np.array([[1.0, 0.0], [2.0, -3.0]]).dot(jacobian).T, rtol=0, atol=1e-12)


def sampled(on, shots, **options):
    @qml.set_shots(shots)
    @qml.qnode(on, **options)
    def run(angle):
        qml.RX(angle, wires="a")
        qml.CNOT(wires=["a", 1])
        return [
            qml.expval(qml.Z("a")),
            qml.probs(wires=[1, "a"]),
            qml.var(qml.X(1)),
            qml.expval(qml.X("a") @ qml.Y(1) + 2 * qml.Z("c")),
            qml.expval(qml.Hermitian(np.diag([1.0, 2, 3, 4]), ["a", 1])),
        ]

    return run


def test_results_of_samples_are_near_the_exact_ones():
    found, want = flat(sampled(device(), SHOTS)(0.9)), flat(sampled(EXACT, None)(0.9))
    assert np.allclose(found, want, rtol=0, atol=5 * 2 / np.sqrt(SHOTS))
    assert not np.allclose(found, want, rtol=0, atol=1e-9)


def test_tapes_that_differ_in_what_they_measure_are_kept_apart():
    tapes = [qml.tape.QuantumScript([qml.X(1)], [qml.probs(wires=wires)], shots=5) for wires in ("a", 1, ["a", 1])]
    assert [found.tolist() for found in device().execute(tapes)] == [[1, 0], [0, 1], [0, 1, 0, 0]]


def test_a_seed_makes_samples_reproducible():
    assert np.array_equal(flat(sampled(device(), 100)(0.9)), flat(sampled(device(), 100)(0.9)))


def test_partitioned_shots_give_a_result_for_each_part():
    few, many = sampled(device(), [10, (SHOTS, 1)])(0.9)
    assert flat(few).shape == flat(many).shape
    assert np.allclose(flat(many), flat(sampled(EXACT, None)(0.9)), rtol=0, atol=5 * 2 / np.sqrt(SHOTS))


def dynamic(on, shots, **options):
    @qml.set_shots(shots)
    @qml.qnode(on, **options)
    def run(angle):
        qml.RX(angle, wires="a")
        first = qml.measure("a", reset=True)
        qml.cond(first, qml.RY)(0.7, wires=1)
        second = qml.measure(1)
        qml.cond(first & ~second, qml.X)(wires="c")
        return [
            qml.expval(qml.Z(1)),
            qml.probs(op=[first, second]),
            qml.expval(first + 2 * second),
            qml.probs(wires=["a", "c"]),
        ]

    return run


@pytest.mark.parametrize("method", [None, "device", "one-shot", "deferred"])
def test_mid_circuit_measurements(method):
    on, exact = qml.device("basicaer.qubit", seed=5), qml.device("default.qubit")
    found, want = flat(dynamic(on, SHOTS, mcm_method=method)(1.1)), flat(dynamic(exact, None)(1.1))
    assert np.allclose(found, want, rtol=0, atol=5 * 2 / np.sqrt(SHOTS))


def test_mid_circuit_measurements_without_shots_are_deferred():
    on = qml.device("basicaer.qubit", seed=5)
    want = flat(dynamic(qml.device("default.qubit"), None)(1.1))
    assert np.allclose(flat(dynamic(on, None)(1.1)), want, rtol=0, atol=1e-10)


@pytest.mark.parametrize("mode", [None, "hw-like", "pad-invalid-samples"])
def test_shots_that_do_not_fit_a_postselected_outcome_are_left_out(mode):
    @qml.set_shots(SHOTS)
    @qml.qnode(device(), postselect_mode=mode)
    def run():
        qml.RX(1.1, wires="a")
        first = qml.measure("a", postselect=1)
        qml.cond(first, qml.RY)(0.7, wires=1)
        return qml.expval(qml.Z(1)), qml.sample(wires="a")

    value, samples = run()
    kept = samples[samples >= 0]
    assert value == pytest.approx(np.cos(0.7), abs=0.03)
    assert (kept == 1).all()
    assert kept.size == pytest.approx(SHOTS * np.sin(0.55) ** 2, rel=0.05)
    assert (len(samples) == SHOTS) == (mode == "pad-invalid-samples")


def test_what_is_not_supported_is_said():
    with pytest.raises(qml.exceptions.DeviceError, match="needs shots on basicaer"):
        dynamic(device(), None, mcm_method="device")(0.3)
    with pytest.raises(qml.exceptions.DeviceError, match="fill-shots"):
        dynamic(device(), 10, postselect_mode="fill-shots", mcm_method="device")(0.3)


def test_options_of_jobs_are_taken_and_checked():
    assert device(precision="single", device="CPU").execute(
        [qml.tape.QuantumScript([qml.RX(0.3, 1)], [qml.expval(qml.Z(1))])]
    )[0] == pytest.approx(np.cos(0.3), abs=1e-6)
    with pytest.raises(UnknownOptionError, match="precison"):
        device(precison="single")
