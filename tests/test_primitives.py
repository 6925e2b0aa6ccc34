"""The native sampler and estimator: against Qiskit's own, of every shape, on every device, and as jobs."""

import threading
from concurrent.futures import CancelledError, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Parameter, ParameterVector
from qiskit.circuit.library import XXPlusYYGate, efficient_su2, real_amplitudes
from qiskit.primitives import BackendEstimatorV2, BackendSamplerV2, StatevectorEstimator
from qiskit.providers import JobStatus
from qiskit.quantum_info import Pauli, SparsePauliOp, Statevector

from basicaer import BasicAer, BasicAerError, EstimatorV2, NothingMeasuredWarning, SamplerV2
from basicaer.compile import sweep as sweep_module
from basicaer.devices.cpu import device as numpy_device
from basicaer.devices.cpu.batch import NumpyBatch
from basicaer.engine.draws import seed_of_experiment
from basicaer.library import save_statevector
from basicaer.primitives import PrimitiveJob
from basicaer.primitives import running as running_module
from basicaer.primitives.payload import Register
from conftest import DEVICES
from jobs import GUARD

OPERATORS = [SparsePauliOp(["ZZI", "XIY", "YYX", "III"], [1.0, 0.5, -0.3, 2.0]), Pauli("XXX"), "IZY"]


@pytest.fixture(params=DEVICES)
def on_device(request, monkeypatch):
    """Run everything on one device."""
    device = DEVICES[request.param]()
    monkeypatch.setattr(running_module, "choose_device", lambda *_, **__: (device, "a test wants it"))


@pytest.fixture(params=["batch", "one by one"])
def either_way(request, monkeypatch):
    """Run sets of parameters side by side, three at a time, or one after another."""
    most = 3 if request.param == "batch" else 0
    monkeypatch.setattr(DEVICES["CPU"], "most_states", lambda *_: most)
    return request.param


def every_kind():
    """Gates of every form, with parameters and without, on three qubits of five."""
    a, b, c = Parameter("a"), Parameter("b"), Parameter("c")
    circuit = QuantumCircuit(5, name="every kind", global_phase=0.3)
    circuit.h([0, 2, 3])
    circuit.ry(a, 0)
    circuit.p(b, 0)
    circuit.cx(0, 2)
    circuit.rz(2 * a - b + 0.5, 2)
    circuit.rzz(c, 0, 3)
    circuit.swap(2, 3)
    circuit.rx(a * b, 3)
    circuit.x(2)
    circuit.crx(c, 3, 0, ctrl_state=0)
    circuit.rxx(b, 2, 0)
    circuit.ccx(0, 2, 3)
    circuit.u(a, b, c, 2)
    circuit.cp(a, 0, 2)
    circuit.y(0)
    circuit.s(0)
    circuit.cu(a, 0.1, b, 0.2, 2, 3)
    circuit.append(XXPlusYYGate(a, b), [0, 3])
    circuit.unitary(np.diag([1, 1j, -1, 1j]), [3, 0])
    circuit.sx(2)
    return circuit


VALUES = np.random.default_rng(5).uniform(-3, 3, (2, 4, 3))


# The estimator.


def qiskits(pubs):
    return StatevectorEstimator().run(pubs).result()


@pytest.mark.usefixtures("on_device")
@pytest.mark.parametrize("shape", [(), (1,), (7,), (2, 4)])
def test_expectation_values_are_qiskits(shape):
    values = VALUES.reshape(-1, 3)[: int(np.prod(shape))].reshape(*shape, 3)
    observables = [SparsePauliOp(["ZIXYZ", "IIIIX", "YZIIY"], [1.0, -0.5, 0.7])]
    pubs = [(every_kind(), observables[0], values)]
    ours, theirs = EstimatorV2().run(pubs).result()[0], qiskits(pubs)[0]
    assert ours.data.evs.shape == theirs.data.evs.shape == shape
    assert np.allclose(ours.data.evs, theirs.data.evs, rtol=0, atol=1e-10)
    assert np.array_equal(ours.data.stds, np.zeros(shape))
    assert ours.metadata["target_precision"] == 0


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize(
    ("observables", "values"),
    [(3, (2, 1)), ((3, 1), (1, 5)), ((3,), (3,)), ((1, 3), (5, 1)), ((), (4,)), ((2, 3), ())],
)
def test_observables_and_values_are_broadcast(observables, values):
    circuit = real_amplitudes(3, reps=1)
    count = int(np.prod(observables))
    array = np.array([OPERATORS[i % 3] for i in range(count)] + [None], object)[:-1].reshape(observables).tolist()
    numbers = np.random.default_rng(1).uniform(0, 3, (*np.atleast_1d(values), circuit.num_parameters))
    numbers = numbers.reshape(*(values if isinstance(values, tuple) else (values,)), circuit.num_parameters)
    pubs = [(circuit, array, numbers)]
    ours, theirs = EstimatorV2().run(pubs).result()[0].data, qiskits(pubs)[0].data
    assert ours.evs.shape == theirs.evs.shape == ours.shape
    assert np.allclose(ours.evs, theirs.evs, rtol=0, atol=1e-10)


@pytest.mark.parametrize("seed", range(6))
def test_random_pubs_agree_with_qiskit(seed):
    random = np.random.default_rng(seed)
    n = int(random.integers(1, 6))
    circuit = efficient_su2(n, reps=int(random.integers(0, 3)))
    labels = ["".join(random.choice(list("IXYZ"), n)) for _ in range(int(random.integers(1, 9)))]
    observables = [SparsePauliOp(labels, random.normal(size=len(labels))) for _ in range(2)]
    values = random.uniform(-3, 3, (3, 2, circuit.num_parameters))
    pubs = [(circuit, observables, values), (circuit, labels[0], values[0, 0])]
    for ours, theirs in zip(EstimatorV2().run(pubs).result(), qiskits(pubs), strict=True):
        assert np.allclose(ours.data.evs, theirs.data.evs, rtol=0, atol=1e-10)


def test_a_state_too_large_for_a_batch(monkeypatch):
    n = 13
    monkeypatch.setattr(numpy_device, "_LARGEST_BATCHED", 12)
    circuit = real_amplitudes(n, reps=1, entanglement="linear")
    values = np.random.default_rng(2).uniform(0, 3, (2, circuit.num_parameters))
    operator = SparsePauliOp.from_sparse_list([("ZZ", [0, 12], 1.0), ("XX", [1, 12], 0.5), ("YX", [1, 12], 0.2)], n)
    batches = []
    monkeypatch.setattr(DEVICES["CPU"], "new_batch", lambda *_: batches.append(1))
    evs = EstimatorV2().run([(circuit, operator, values)]).result()[0].data.evs
    want = [Statevector(circuit.assign_parameters(row)).expectation_value(operator).real for row in values]
    assert np.allclose(evs, want, rtol=0, atol=1e-10)
    assert not batches


def test_projectors_are_sums_of_paulis():
    circuit = QuantumCircuit(3)
    circuit.h(0)
    circuit.s(0)
    circuit.ry(0.7, 1)
    observables = [{"I0r": 1.0}, {"I1l": 1.0}, {"I+I": 1.0}, {"0-Z": 2.0}]
    evs = EstimatorV2().run([(circuit, observables)]).result()[0].data.evs
    zero = np.cos(0.35) ** 2
    assert np.allclose(evs, [zero, 0, (1 + np.sin(0.7)) / 2, 0])
    assert np.allclose(EstimatorV2().run([(circuit, {"I0r": 1.0, "I1r": -1.0})]).result()[0].data.evs, np.cos(0.7))


@pytest.mark.usefixtures("either_way")
def test_parameters_in_definitions_and_phases_are_bound_set_by_set():
    a = Parameter("a")
    inner = QuantumCircuit(1, name="inner")
    inner.ry(a, 0)
    circuit = QuantumCircuit(2, global_phase=a)
    circuit.append(inner.to_instruction(), [1])
    evs = EstimatorV2().run([(circuit, "ZI", [[0.3], [1.1], [2.0]])]).result()[0].data.evs
    assert np.allclose(evs, np.cos([0.3, 1.1, 2.0]))


def test_noise_of_a_given_precision():
    circuit = QuantumCircuit(1)
    pubs = [(circuit, ["Z"] * 400, None, 0.1), (circuit, ["Z"] * 400)]
    first, second = EstimatorV2(seed=3, default_precision=0.2).run(pubs).result()
    assert np.std(first.data.evs) == pytest.approx(0.1, rel=0.15)
    assert np.mean(first.data.evs) == pytest.approx(1, abs=0.02)
    assert np.std(second.data.evs) == pytest.approx(0.2, rel=0.15)
    assert set(second.data.stds.tolist()) == {0.2}
    again = EstimatorV2(seed=3).run([(circuit, ["Z"] * 400)], precision=0.1).result()[0]
    assert np.array_equal(again.data.evs, first.data.evs)
    assert not np.array_equal(EstimatorV2(seed=4).run([pubs[0]]).result()[0].data.evs, first.data.evs)


def test_the_estimator_has_no_place_for_what_is_saved():
    circuit = QuantumCircuit(1, name="saving")
    save_statevector(circuit)
    with pytest.raises(BasicAerError, match="Circuit 'saving' has save instructions, whose values have no place"):
        EstimatorV2().run([(circuit, "Z")])


def test_a_circuit_is_lowered_twice_however_many_sets_there_are(monkeypatch):
    lowered = []
    real = sweep_module.lower
    monkeypatch.setattr(sweep_module, "lower", lambda circuit, **how: lowered.append(circuit) or real(circuit, **how))
    sweep = sweep_module.lower_sweep(every_kind(), np.zeros((50, 3)))
    assert len(lowered) == 2
    assert (sweep.size, len(sweep.programs)) == (50, 0)


@pytest.mark.parametrize("expression", [lambda a: a * a, lambda a: a.sin(), lambda a: 2 * a - a / 3 + 1])
def test_parameters_may_be_expressions(expression):
    a = Parameter("a")
    circuit = QuantumCircuit(1)
    circuit.ry(expression(a), 0)
    values = np.array([0.3, -1.2, 2.5])
    evs = EstimatorV2().run([(circuit, "Z", values[:, None])]).result()[0].data.evs
    assert np.allclose(evs, np.cos([float(expression(a).bind({a: value})) for value in values]))


# The sampler.


def probabilities(bits, values):
    circuit = every_kind().assign_parameters(values)
    state = Statevector(circuit)
    return state.probabilities_dict(bits)


@pytest.mark.usefixtures("on_device")
def test_counts_fit_the_probabilities():
    circuit = every_kind()
    register = ClassicalRegister(3, "out")
    circuit.add_register(register)
    circuit.measure([3, 0, 2], register)
    shots = 4000
    result = SamplerV2(seed=5).run([(circuit, VALUES)], shots=shots).result()[0]
    assert result.data.out.shape == (2, 4)
    assert result.metadata["shots"] == shots
    for index in np.ndindex(2, 4):
        counts = result.data.out.get_counts(index)
        want = probabilities([3, 0, 2], VALUES[index])
        assert sum((counts.get(k, 0) - shots * p) ** 2 / (shots * p) for k, p in want.items() if p > 1e-9) < 30
        assert set(counts) <= {k for k, p in want.items() if p > 1e-9}


def measured(n=3):
    circuit = real_amplitudes(n, reps=1)
    circuit.measure_all()
    return circuit


def test_an_outcome_depends_on_seed_and_position_only(monkeypatch):
    values = np.random.default_rng(3).uniform(0, 3, (5, 6))
    pubs = [(measured(), values[:2]), (measured(), values[2:])]
    together = SamplerV2(seed=9).run(pubs, shots=50).result()
    alone = SamplerV2(seed=9).run([(measured(), values[[0, 1]]), (measured(), values[2:])], shots=50).result()
    monkeypatch.setattr(DEVICES["CPU"], "most_states", lambda *_: 0)
    one_by_one = SamplerV2(seed=9).run(pubs, shots=50).result()
    for other in (alone, one_by_one):
        for ours, theirs in zip(together, other, strict=True):
            assert np.array_equal(ours.data.meas.array, theirs.data.meas.array)
    third = SamplerV2(seed=seed_of_experiment(9, 2)).run([(measured(), values[2])], shots=50).result()[0]
    assert np.array_equal(together[1].data.meas.array[0], third.data.meas.array)
    sampled = [together[0].data.meas.get_bitstrings(i) for i in range(2)]
    assert sampled[0] != sampled[1]
    first = BasicAer.get_backend("qasm_simulator").run(
        measured().assign_parameters(values[0]), shots=50, seed_simulator=9, memory=True
    )
    assert first.result().get_memory() == sampled[0]


@pytest.mark.usefixtures("either_way")
def test_registers_of_every_layout():
    qubits, first, wide = QuantumRegister(3), ClassicalRegister(2, "first"), ClassicalRegister(11, "wide")
    circuit = QuantumCircuit(qubits, first, wide)
    circuit.add_register(ClassicalRegister(bits=[first[1], wide[10]], name="alias"))
    a = Parameter("a")
    circuit.rx(a, 0)
    circuit.x(1)
    circuit.measure([0, 1, 1], [first[1], first[0], wide[10]])
    data = SamplerV2(seed=1).run([(circuit, [[0.0], [np.pi]])], shots=3).result()[0].data
    assert data.first.get_counts(0) == {"01": 3}
    assert data.first.get_counts(1) == {"11": 3}
    assert data.wide.get_counts(0) == {"1" + "0" * 10: 3}
    assert data.wide.num_bits == 11
    assert data.alias.get_counts(1) == {"11": 3}


@pytest.mark.parametrize("bit", [0, 7, 61, 62, 63, 64, 130])
@pytest.mark.usefixtures("either_way")
def test_classical_bits_of_one_word_and_of_several(bit):
    circuit, angle = QuantumCircuit(2, 131), Parameter("angle")
    circuit.rx(angle, 0)
    circuit.measure([0, 1], [bit, (bit + 1) % 131])
    circuit.add_register(ClassicalRegister(bits=[circuit.clbits[bit], circuit.clbits[3]], name="two"))
    circuit.add_register(ClassicalRegister(bits=circuit.clbits[::-1], name="reversed"))
    data = SamplerV2(seed=1).run([(circuit, [[0.0], [np.pi]])], shots=3).result()[0].data
    assert data.reversed.get_counts(1) == {f"{2**bit:0131b}"[::-1]: 3}
    assert data.c.get_counts(1) == {f"{2**bit:0131b}": 3}
    assert data.c.get_counts(0) == {"0" * 131: 3}
    assert (data.two.get_counts(0), data.two.get_counts(1)) == ({"00": 3}, {"01": 3})


def test_measurements_in_the_middle_and_control_flow():
    a = Parameter("a")
    circuit = QuantumCircuit(2, 2)
    circuit.rx(a, 0)
    circuit.measure(0, 0)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.x(1)
    circuit.measure(1, 1)
    data = SamplerV2(seed=1).run([(circuit, [[0.0], [np.pi], [1.5]])], shots=200).result()[0].data
    assert data.c.get_counts(0) == {"00": 200}
    assert data.c.get_counts(1) == {"11": 200}
    assert set(data.c.get_counts(2)) == {"00", "11"}


def test_parameters_inside_of_control_flow():
    a = Parameter("a")
    circuit = QuantumCircuit(2, 2)
    circuit.x(0)
    circuit.measure(0, 0)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.rx(a, 1)
    circuit.measure(1, 1)
    data = SamplerV2(seed=1).run([(circuit, [[0.0], [np.pi]])], shots=5).result()[0].data
    assert [data.c.get_counts(i) for i in range(2)] == [{"01": 5}, {"11": 5}]


def test_a_circuit_without_registers_is_warned_of():
    with pytest.warns(NothingMeasuredWarning, match="has no classical registers"):
        result = SamplerV2().run([QuantumCircuit(1)]).result()[0]
    assert len(result.data) == 0


# As jobs, and how they are made.


def test_a_long_sweep_is_cancelled_while_it_runs(monkeypatch):
    began, go = threading.Event(), threading.Event()
    real = NumpyBatch.expectations

    def halted(batch, masks):
        began.set()
        assert go.wait(GUARD)
        return real(batch, masks)

    monkeypatch.setattr(NumpyBatch, "expectations", halted)
    monkeypatch.setattr(DEVICES["CPU"], "most_states", lambda *_: 2)
    job = EstimatorV2().run([(real_amplitudes(3, reps=1), "ZZZ", np.zeros((6, 6)))])
    assert isinstance(job, PrimitiveJob)
    assert began.wait(GUARD)
    assert job.running()
    assert job.cancel()
    go.set()
    with pytest.raises(CancelledError):
        job.result(GUARD)
    assert job.cancelled()
    assert job.in_final_state()
    assert job.status() is JobStatus.CANCELLED
    with pytest.raises(BasicAerError, match="has no Qobj"):
        job.qobj()


@pytest.mark.parametrize("make", [lambda: ThreadPoolExecutor(1), lambda: ProcessPoolExecutor(1, get_context("spawn"))])
def test_on_other_executors(make):
    with make() as executor:
        job = EstimatorV2(executor=executor).run([(real_amplitudes(2, reps=0), "ZI", [[0.0, 0.4]])])
        assert job.result(GUARD)[0].data.evs == pytest.approx(np.cos(0.4))


def test_from_a_backend_with_its_options():
    backend = BasicAer.get_backend("qasm_simulator")
    backend.set_options(precision="single")
    estimator, sampler = backend.estimator(default_precision=0.5, seed=2), backend.sampler(default_shots=7)
    assert (estimator.default_precision, estimator.seed, sampler.default_shots, sampler.seed) == (0.5, 2, 7, None)
    assert estimator._settings()["precision"] == "single"
    assert backend.estimator(precision="double")._settings()["precision"] == "double"
    assert sampler.run([measured().assign_parameters([0.1] * 6)]).result()[0].data.meas.num_shots == 7


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SamplerV2(shots=3), "Unknown option of SamplerV2 'shots'"),
        (lambda: EstimatorV2(devise="CPU"), "Unknown option of EstimatorV2 'devise': did you mean 'device'"),
        (lambda: SamplerV2("qasm_simulator"), "SamplerV2 runs on a simulator of basicaer, not on 'qasm_simulator'"),
        (lambda: SamplerV2().run([measured().assign_parameters([0.1] * 6)], shots=10**12), "needs .* for 10{12} shots"),
        (lambda: SamplerV2(default_shots=0), "default_shots must be a whole number of at least 1"),
        (lambda: EstimatorV2(default_precision=-1), "precision must be a number of at least 0, not -1"),
        (lambda: SamplerV2(seed="x"), "seed must be a whole number"),
        (
            lambda: EstimatorV2().run([(QuantumCircuit(1), "Z", None, np.inf)]),
            "precision must be a number of at least 0",
        ),
        (lambda: EstimatorV2().run([(real_amplitudes(1, reps=0), "Z", [np.nan])]), "values that are not finite"),
    ],
)
def test_bad_options_and_values_are_named(make, message):
    with pytest.raises(BasicAerError, match=message):
        make()


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: EstimatorV2().run([(QuantumCircuit(1), "Z")], precision=-1), ValueError),
        (lambda: EstimatorV2().run([(QuantumCircuit(1), "Z")], precision="x"), TypeError),
        (lambda: EstimatorV2().run((QuantumCircuit(1), "Z")), ValueError),
        (lambda: EstimatorV2().run([(QuantumCircuit(1), "ZZ")]), ValueError),
        (lambda: SamplerV2().run([measured()]), ValueError),
        (lambda: SamplerV2().run([(measured(), [1] * 6, 0)]), ValueError),
    ],
)
def test_pubs_are_checked_as_qiskit_checks_them(make, error):
    with pytest.raises(error):
        make()


# Options in the forms of Qiskit's and Aer's primitives.


def sampled(sampler):
    circuit = QuantumCircuit(20)
    circuit.h(range(20))
    circuit.measure_all()
    return sampler.run([circuit]).result()[0].data.meas.get_bitstrings()


def estimated(estimator):
    return estimator.run([(QuantumCircuit(1), "Z")]).result()[0].data.evs.tolist()


SAMPLERS = [
    lambda: SamplerV2(options={"default_shots": 7, "seed_simulator": 3}),
    lambda: SamplerV2(default_shots=9, seed=4, options={"default_shots": 7, "seed_simulator": 3}),
    lambda: SamplerV2(default_shots=7, options={"run_options": {"seed_simulator": 3}}),
    lambda: SamplerV2(default_shots=7, options={"backend_options": {"seed_simulator": 3}}),
    lambda: SamplerV2(
        options={"default_shots": 7, "backend_options": {"seed_simulator": 1}, "run_options": {"seed_simulator": 3}}
    ),
    lambda: SamplerV2(default_shots=7, seed=3, options={"run_options": {"seed_simulator": 1}}),
    lambda: SamplerV2(backend=BasicAer.get_backend(), options={"default_shots": 7, "seed_simulator": 3}),
    lambda: SamplerV2.from_backend(BasicAer.get_backend(), default_shots=7, seed=3),
    lambda: SamplerV2.from_backend(BasicAer.get_backend(), options={"default_shots": 7, "seed_simulator": 3}),
]
ESTIMATORS = [
    lambda: EstimatorV2(options={"default_precision": 0.5, "seed_simulator": 3}),
    lambda: EstimatorV2(default_precision=0.1, seed=4, options={"default_precision": 0.5, "seed_simulator": 3}),
    lambda: EstimatorV2(options={"default_precision": 0.5, "run_options": {"seed_simulator": 3}}),
    lambda: EstimatorV2(options={"default_precision": 0.5, "backend_options": {"seed_simulator": 3}}),
    lambda: EstimatorV2(options={"default_precision": 0.5, "seed_simulator": 3, "abelian_grouping": False}),
    lambda: EstimatorV2.from_backend(BasicAer.get_backend(), default_precision=0.5, seed=3),
    lambda: EstimatorV2.from_backend(
        BasicAer.get_backend(), options={"default_precision": 0.5, "run_options": {"seed_simulator": 3}}
    ),
]


@pytest.mark.parametrize("make", SAMPLERS)
def test_a_sampler_takes_its_options_in_every_form(make):
    assert (make().default_shots, make().seed) == (7, 3)
    assert sampled(make()) == sampled(SamplerV2(default_shots=7, seed=3))


@pytest.mark.parametrize("make", ESTIMATORS)
def test_an_estimator_takes_its_options_in_every_form(make):
    assert (make().default_precision, make().seed) == (0.5, 3)
    assert estimated(make()) == estimated(EstimatorV2(default_precision=0.5, seed=3))


both = pytest.mark.parametrize("primitive", [SamplerV2, EstimatorV2])


def test_options_of_saving_of_a_backend_have_no_effect_on_primitives(monkeypatch, tmp_path):
    """SIGTERM would cancel their jobs, which are not saved."""
    monkeypatch.setattr("basicaer.submission.save_on_sigterm", lambda _job: pytest.fail("it would be cancelled"))
    backend = BasicAer.get_backend(checkpoint_dir=str(tmp_path / "job"), checkpoint_on_sigterm=True)
    circuit = QuantumCircuit(1)
    circuit.measure_all()
    SamplerV2(backend).run([circuit]).result()
    EstimatorV2(backend).run([(QuantumCircuit(1), "Z")]).result()
    assert not list(tmp_path.iterdir())


@both
def test_from_a_backend_runs_on_it(primitive):
    backend = BasicAer.get_backend("qasm_simulator", precision="single")
    made = primitive.from_backend(backend, max_parallel_threads=2)
    assert made._backend is backend
    assert (made._settings()["precision"], made._settings()["max_parallel_threads"]) == ("single", 2)


@both
@pytest.mark.parametrize("given", ["backend", "backend_options", "run_options", "keyword"])
def test_an_option_counts_from_the_backends_to_the_keywords(primitive, given):
    """Each with all those before it, which say another number."""
    order = ["backend", "backend_options", "run_options", "keyword"]
    numbers = {place: number + 1 for number, place in enumerate(order[: order.index(given) + 1])}
    backend = BasicAer.get_backend("qasm_simulator", max_parallel_threads=numbers["backend"])
    options = {
        place: {"max_parallel_threads": numbers[place]}
        for place in ("backend_options", "run_options")
        if place in numbers
    }
    keywords = {"max_parallel_threads": numbers["keyword"]} if "keyword" in numbers else {}
    made = primitive(backend, options=options, **keywords)
    assert made._settings()["max_parallel_threads"] == max(numbers.values())


@both
def test_options_are_read_as_they_were_set(primitive):
    of_backend = {"method": "statevector", "fusion_enable": False, "device": "CPU", "max_parallel_experiments": 0}
    made = primitive(options={"backend_options": of_backend, "run_options": {"meas_level": 2}}, timeout=5)
    assert made.options.backend_options == of_backend
    assert made.options.run_options == {"meas_level": 2, "timeout": 5}
    assert made.options.seed_simulator is None
    of_backend["device"] = "GPU"
    assert made.options.backend_options["device"] == "CPU"
    assert made._settings()["timeout"] == 5


def test_options_that_are_set_again_are_those_of_the_runs_to_come():
    sampler, estimator = SamplerV2(), EstimatorV2()
    sampler.options.default_shots = 7
    sampler.options.seed_simulator = estimator.options.seed_simulator = 3
    estimator.options.default_precision = 0.5
    sampler.options.run_options = {"precision": "single"}
    assert sampled(sampler) == sampled(SamplerV2(default_shots=7, seed=3, precision="single"))
    assert estimated(estimator) == estimated(EstimatorV2(default_precision=0.5, seed=3))
    with pytest.raises(BasicAerError, match="default_shots must be a whole number of at least 1, not 0"):
        sampler.options.default_shots = 0
    with pytest.raises(BasicAerError, match="Unknown option of EstimatorV2 'default_shots': known are"):
        estimator.options.default_shots = 5
    assert sampler.default_shots == 7


@both
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (3, "options must be a dictionary or None, not 3"),
        ({"seed": 3}, "Unknown option of {} 'seed': did you mean 'seed_simulator'"),
        ({7: 3}, "Unknown option of {} '7': known are "),
        ({"seed_simulator": -1}, "seed must be a whole number of at least 0 or None, not -1"),
        ({"run_options": 3}, "run_options must be a dictionary or None, not 3"),
        ({"backend_options": [1]}, r"backend_options must be a dictionary or None, not \[1\]"),
        ({"run_options": {"devise": "CPU"}}, "Unknown option in run_options of {} 'devise': did you mean 'device'"),
        ({"backend_options": {7: "CPU"}}, "Unknown option in backend_options of {} '7': known are "),
        ({"run_options": {"initial_statevector": [1, 0]}}, "in run_options of {} 'initial_statevector': known are "),
        ({"backend_options": {"device": "TPU"}}, "device must be one of 'auto', 'CPU', 'GPU', not 'TPU'"),
        ({"backend_options": {"method": "stabilizer"}}, "method must be one of"),
        ({"backend_options": {"noise_model": 3}}, "noise_model must be a NoiseModel"),
        ({"run_options": {"meas_level": 1}}, "meas_level must be 2, not 1"),
        ({"run_options": {"seed_simulator": "x"}}, "seed_simulator must be a whole number"),
    ],
)
def test_options_that_are_none_are_refused_in_one_sentence(primitive, options, message):
    with pytest.raises(BasicAerError, match=message.format(primitive.__name__)) as caught:
        primitive(options=options)
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SamplerV2(options={"default_precision": 1}), "Unknown option of SamplerV2 'default_precision'"),
        (lambda: EstimatorV2(options={"default_shots": 1}), "Unknown option of EstimatorV2 'default_shots'"),
        (lambda: SamplerV2(options={"run_options": {"shots": 9}}), "'shots': did you mean 'default_shots'"),
        (lambda: EstimatorV2(options={"abelian_grouping": 1}), "abelian_grouping must be True or False, not 1"),
        (lambda: SamplerV2.from_backend("qasm_simulator"), "runs on a simulator of basicaer, not on 'qasm_simulator'"),
    ],
)
def test_options_of_one_primitive_are_not_the_others(make, message):
    with pytest.raises(BasicAerError, match=message):
        make()


def test_each_run_draws_a_seed_from_a_generator():
    circuit = QuantumCircuit(20)
    circuit.h(range(20))
    circuit.measure_all()
    sampler = SamplerV2(seed=np.random.default_rng(5))
    first, second = (sampler.run([circuit], shots=2).result()[0].data.meas.get_int_counts() for _ in range(2))
    assert first != second
    again = SamplerV2(seed=np.random.default_rng(5)).run([circuit], shots=2).result()
    assert again[0].data.meas.get_int_counts() == first
    assert isinstance(sampler.seed, np.random.Generator)


@pytest.mark.parametrize("shape", [(0,), (1, 0, 2)])
def test_no_sets_of_values_give_empty_arrays(shape):
    values = np.zeros((*shape, 6))
    assert SamplerV2().run([(measured(), values)], shots=3).result()[0].data.meas.array.shape == (*shape, 3, 1)
    ansatz = measured().remove_final_measurements(inplace=False)
    assert EstimatorV2().run([(ansatz, "ZZZ", values)]).result()[0].data.evs.shape == shape


def test_bytes_of_registers_are_made_with_polls():
    polls = []
    values = [5, 2**70 + 1, *range(20000)]
    rows = Register("a", (2, 70, 0)).bytes_of(values, lambda: polls.append(1))
    assert rows[:2].tolist() == [[0b101], [0b110]]
    assert np.array_equal(rows[2:, 0], [(v >> 2 & 1) + 4 * (v & 1) for v in range(20000)])
    assert len(polls) > 1


@pytest.mark.parametrize(
    "bits",
    [
        *[(), (0,), (3, 4, 5), tuple(range(2, 19)), (5, 4, 9), (62, 0), tuple(range(63)), (70,), (3, 70), (3, 60, 64)],
        *[tuple(range(64)), tuple(range(3, 80)), (*range(1, 70), 0), tuple(range(69, -1, -1)), tuple(range(200, 300))],
    ],
)
def test_a_registers_bytes_of_words_are_those_of_numbers(bits):
    values = [0, 1, 2**63 - 1, *np.random.default_rng(1).integers(2**63, size=97).tolist()]
    register = Register("a", bits)
    of_words = register.bytes_of_words(np.array(values).reshape(4, 25))
    assert of_words.shape == (4, 25, register.n_bytes)
    assert np.array_equal(of_words.reshape(100, -1), register.bytes_of(values, lambda: None))


def test_a_sweep_says_how_far_it_is():
    told = []
    job = EstimatorV2(callback=told.append).run([(real_amplitudes(3, reps=1), "ZZZ", np.zeros((50, 6)))])
    job.result(GUARD)
    assert job.progress().passes == job.progress().total_passes > 0
    assert {"gates"} <= {name for name, _ in job.progress().phases}
    assert np.allclose(job.partial_result()[0].data.evs, 1)


def test_qiskits_wrappers_work_too(qasm):
    counts = BackendSamplerV2(backend=qasm).run([measured().assign_parameters([0.0] * 6)], shots=9).result()
    assert counts[0].data.meas.get_counts() == {"000": 9}
    evs = BackendEstimatorV2(backend=qasm).run([(real_amplitudes(2, reps=0), "ZI", [[0.0, 0.0]])]).result()
    assert evs[0].data.evs == pytest.approx(1)


def test_a_vector_of_parameters_in_any_order():
    vector = ParameterVector("v", 12)  # v[10] comes before v[2] by name
    circuit = QuantumCircuit(12)
    for q in range(12):
        circuit.ry(vector[q], q)
    values = np.random.default_rng(7).uniform(0, 3, (3, 12))
    observables = [Pauli("".join("Z" if q == other else "I" for other in reversed(range(12)))) for q in range(12)]
    evs = EstimatorV2().run([(circuit, [[o] for o in observables], values)]).result()[0].data.evs
    assert np.allclose(evs, np.cos(values.T))


@pytest.mark.usefixtures("on_device")
@pytest.mark.parametrize("sets", [1, 2, 7])
def test_terms_that_all_flip_an_idle_qubit_are_worth_nothing(sets):
    a = Parameter("a")
    circuit = QuantumCircuit(2)
    circuit.rx(a, 0)
    angles = np.linspace(0.1, 2, sets)
    pubs = [(circuit, SparsePauliOp("XI"), angles[:, None]), (circuit, [["XI"], ["IZ"]], angles[None, :, None])]
    flipped, both = EstimatorV2().run(pubs).result()
    assert flipped.data.evs.tolist() == [0] * sets
    assert np.allclose(both.data.evs, [np.zeros(sets), np.cos(angles)], rtol=0, atol=1e-12)


@pytest.mark.parametrize("method", ["result", "wait_for_final_state"])
def test_a_job_waits_for_any_number_of_seconds_and_refuses_the_rest(method):
    circuit = QuantumCircuit(1)
    circuit.measure_all()
    wait = getattr(SamplerV2().run([circuit]), method)
    wait(timeout=1e10)
    with pytest.raises(BasicAerError, match="timeout must be a number of seconds or None, not 'x'"):
        wait(timeout="x")


def test_without_a_seed_that_of_the_backend_counts():
    backend, circuit = BasicAer.get_backend("qasm_simulator", seed_simulator=3), QuantumCircuit(2)
    circuit.h([0, 1])
    circuit.measure_all()

    def bits(**options):
        return SamplerV2(backend, default_shots=50, **options).run([circuit]).result()[0].data.meas.array.tolist()

    assert bits() == bits() == bits(seed=3)
    assert bits(seed=4) != bits()
    assert SamplerV2(BasicAer.get_backend("statevector_simulator")).seed is None
