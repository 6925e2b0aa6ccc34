"""Jobs that several ranks run together: the same counts as one process, one end for all, and what is refused."""

import signal
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit.classical import expr
from qiskit.circuit.library import DiagonalGate
from qiskit.quantum_info import SparsePauliOp, Statevector, partial_trace

from basicaer import BasicAer, BasicAerJob
from basicaer.devices.cpu import device as cpu_device
from basicaer.devices.distributed import device as distributed_device
from basicaer.devices.distributed import state as distributed_state
from basicaer.errors import BasicAerError, OptionValueError
from basicaer.library import save_amplitudes, save_density_matrix, save_expectation_value, save_probabilities
from basicaer.noise import NoiseModel, ReadoutError, amplitude_damping_error, depolarizing_error
from basicaer.simulators import ranks
from jobs import GUARD
from thread_ranks import comms, on_ranks

pytestmark = pytest.mark.usefixtures("small_states_are_divided")


@pytest.fixture
def small_states_are_divided(monkeypatch):
    monkeypatch.setattr(distributed_device, "_SMALLEST_DIVIDED", 0)


def run(size, circuit, simulator="qasm_simulator", **options):
    """Run a circuit on ranks, and return the result of each, or the error."""

    def of_rank(comm):
        backend = BasicAer.get_backend(simulator)
        return backend.run(circuit, distributed=comm, **options).result()

    return on_ranks(comms(size), of_rank)


def layered(n, depth=4, seed=1):
    random = np.random.default_rng(seed)
    circuit = QuantumCircuit(n)
    for layer in range(depth):
        for q in range(n):
            circuit.u(*random.uniform(0, 3, 3), q)
        for q in range(layer % 2, n - 1, 2):
            circuit.cx(q, q + 1)
        circuit.cp(0.3 + layer, 0, n - 1)
        circuit.swap(layer % n, (layer + 2) % n)
    return circuit


def measured(circuit):
    circuit = circuit.copy()
    circuit.measure_all()
    return circuit


def dynamic(n=5):
    circuit = QuantumCircuit(n, n)
    circuit.h(range(n))
    circuit.cx(0, n - 1)
    circuit.measure(n - 1, 0)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.ry(0.4, n - 1)
        circuit.cx(n - 1, 0)
    circuit.reset(n - 2)
    circuit.measure(0, 1)
    with circuit.while_loop(expr.logic_not(circuit.clbits[2])):
        circuit.h(n - 1)
        circuit.measure(n - 1, 2)
    circuit.rx(0.7, range(n))
    circuit.measure(range(n), range(n))
    return circuit


def prepared(n=5):
    circuit = QuantumCircuit(n)
    circuit.initialize(np.arange(1, 5) / np.sqrt(30), [n - 1, 0])
    circuit.append(layered(n).to_gate(), range(n))
    circuit.reset(2)
    circuit.initialize([0.6, 0.8j], 2)
    return measured(circuit)


def wide():
    circuit = QuantumCircuit(6)
    circuit.h(range(6))
    circuit.mcx([5, 4, 3], 0)
    circuit.cswap(5, 0, 1)
    circuit.cswap(0, 4, 5)
    circuit.ccz(3, 4, 5)
    circuit.mcp(0.4, list(range(5)), 5)
    circuit.rzz(0.4, 4, 5)
    circuit.append(DiagonalGate([1, 1j, -1, -1j]), [5, 0])
    circuit.ry(0.2, range(6))
    return measured(circuit)


CIRCUITS = {
    "gates": measured(layered(6)),
    "measurements, resets and control flow": dynamic(),
    "preparations": prepared(),
    "many controls": wide(),
    "one rank has nothing to do": measured(QuantumCircuit(4)),
    "more qubits than are sampled at once": measured(layered(17, depth=2)),
}


@pytest.mark.parametrize("name", CIRCUITS)
@pytest.mark.parametrize("ranks", [2, 4, 8])
def test_counts_are_those_of_one_process(name, ranks):
    options = {"shots": 300, "seed_simulator": 7, "memory": True}
    circuit = CIRCUITS[name]
    if 2 ** (circuit.num_qubits - 2) < ranks:
        pytest.skip("a rank would have less than two qubits")
    one = BasicAer.get_backend("qasm_simulator").run(circuit, **options).result()
    for result in run(ranks, circuit, **options):
        assert result.get_counts() == one.get_counts()
        assert result.get_memory() == one.get_memory()


@pytest.mark.filterwarnings("ignore:The noise model has no errors of the gates")
@pytest.mark.parametrize("method", ["statevector", "density_matrix"])
@pytest.mark.parametrize("name", ["gates", "measurements, resets and control flow"])
def test_counts_with_errors_are_those_of_one_process(name, method):
    noise = NoiseModel()
    noise.add_all_qubit_quantum_error(depolarizing_error(0.05, 1), ["u", "ry", "rx"])
    damping = amplitude_damping_error(0.1).tensor(amplitude_damping_error(0.05))
    noise.add_all_qubit_quantum_error(damping, ["cx"])
    noise.add_all_qubit_readout_error(ReadoutError([[0.9, 0.1], [0.2, 0.8]]))
    options = {"shots": 30, "seed_simulator": 7, "noise_model": noise, "method": method}
    one = BasicAer.get_backend("qasm_simulator").run(CIRCUITS[name], **options).result()
    assert [result.get_counts() for result in run(2, CIRCUITS[name], **options)] == [one.get_counts()] * 2


@pytest.mark.parametrize("ranks", [2, 4])
def test_saves_are_those_of_the_state(ranks):
    n = 5
    circuit = layered(n)
    state = Statevector(circuit)
    observable = SparsePauliOp(["ZIIII", "XXXXX", "IYIIZ", "YIIIX"], [0.5, 2, -1, 0.3])
    save_expectation_value(circuit, observable, range(n))
    save_probabilities(circuit, [4, 1])
    save_amplitudes(circuit, [0, 31, 17])
    save_density_matrix(circuit, [4, 0])
    for result in run(ranks, circuit):
        data = result.data(0)
        assert np.isclose(data["expectation_value"], state.expectation_value(observable).real)
        assert np.allclose(data["probabilities"], state.probabilities([4, 1]))
        assert np.allclose(data["amplitudes"], state.data[[0, 31, 17]])
        assert np.allclose(data["density_matrix"], partial_trace(state, [1, 2, 3]).reverse_qargs())


@pytest.mark.parametrize("simulator", ["statevector_simulator", "unitary_simulator"])
def test_every_rank_gets_the_whole_state(simulator):
    circuit = layered(3 if simulator.startswith("unitary") else 6)
    want = BasicAer.get_backend(simulator).run(circuit).result()
    for result in run(4, circuit, simulator):
        get = "get_unitary" if simulator.startswith("unitary") else "get_statevector"
        assert np.allclose(getattr(result, get)(), getattr(want, get)(), atol=1e-12)


def test_a_state_that_does_not_fit_is_not_brought_to_every_rank(monkeypatch):
    monkeypatch.setattr(distributed_state, "free_host_bytes", lambda: 2**11)
    monkeypatch.setattr(distributed_state, "TOO_SMALL_TO_ASK", 0)
    for error in run(4, layered(6), "statevector_simulator"):
        assert "needs 4 KiB where every rank of a host gets all of it, and 2 KiB are free" in str(error)


def test_two_jobs_at_a_time_do_not_meet():
    circuits = [measured(layered(5, seed=seed)) for seed in range(4)]

    def of_rank(comm):
        backend = BasicAer.get_backend("qasm_simulator")
        jobs = [backend.run(one, distributed=comm, seed_simulator=3) for one in circuits]
        return [job.result().get_counts() for job in jobs]

    backend = BasicAer.get_backend("qasm_simulator")
    want = [backend.run(one, seed_simulator=3).result().get_counts() for one in circuits]
    assert on_ranks(comms(2), of_rank) == [want, want]


def test_without_a_seed_all_ranks_draw_the_same():
    counts = [result.get_counts() for result in run(4, measured(layered(6)))]
    assert counts == [counts[0]] * 4


OTHERS = {  # simulator, circuits and options of ranks that differ
    "circuit 0": ("qasm_simulator", lambda: measured(layered(4, seed=2)), {"seed_simulator": 1}),
    "seed_simulator": ("qasm_simulator", lambda: measured(layered(4, seed=1)), {}),  # which only some give
    "the number of circuits": ("qasm_simulator", lambda: [measured(layered(4, seed=1))] * 3, {"seed_simulator": 1}),
    "circuit 0 ": ("qasm_simulator", lambda: measured(QuantumCircuit(1)), {"seed_simulator": 1}),  # too small for ranks
    "the simulator": ("statevector_simulator", lambda: measured(layered(4, seed=1)), {"seed_simulator": 1}),
}


@pytest.mark.parametrize("what", OTHERS)
def test_ranks_that_run_different_programs_are_told_so(what):
    def of_rank(comm):
        simulator, circuits, options = "qasm_simulator", lambda: measured(layered(4, seed=1)), {"seed_simulator": 1}
        if comm.rank in {1, 3}:
            simulator, circuits, options = OTHERS[what]
        return BasicAer.get_backend(simulator).run(circuits(), distributed=comm, shots=1, **options)

    for error in on_ranks(comms(4), of_rank):
        assert isinstance(error, BasicAerError)
        assert f"and seed, but ranks 1, 3 differ from rank 0 in {what.strip()}" in str(error)


def test_an_interrupt_while_ranks_prepare_a_job_waits_and_then_cancels_it(monkeypatch):
    def interrupted(*arguments):
        signal.raise_signal(signal.SIGINT)
        return digest(*arguments)

    def cancel(job):
        cancelled.append(job)

    digest, cancelled = ranks._digest, []
    monkeypatch.setattr(ranks, "_digest", interrupted)
    monkeypatch.setattr(BasicAerJob, "cancel", cancel)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            BasicAer.get_backend("qasm_simulator").run(measured(layered(4)), distributed=comms(1)[0])
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
    (job,) = cancelled
    assert sum(job.result(GUARD).get_counts().values()) == 1024


def test_an_input_that_one_rank_refuses_is_refused_on_all():
    def of_rank(comm):
        timeout = 0 if comm.rank == 2 else 100
        return BasicAer.get_backend("qasm_simulator").run(measured(layered(4)), distributed=comm, timeout=timeout)

    errors = on_ranks(comms(4), of_rank)
    assert [type(error) for error in errors] == [OptionValueError] * 4
    assert str(errors[2]) == "timeout must be a positive number of seconds or None, not 0."
    assert str(errors[0]) == "rank 2: timeout must be a positive number of seconds or None, not 0."


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"executor": ThreadPoolExecutor(1)}, "since each rank runs its part in its own process; leave it out"),
        ({"max_parallel_experiments": 2}, "since all ranks run one circuit at a time; leave it out"),
    ],
)
def test_options_that_ranks_cannot_have_are_refused(options, why):
    for error in run(2, measured(layered(4)), **options):
        assert why in str(error)


def test_backends_and_primitives_do_not_take_the_option():
    with pytest.raises(OptionValueError, match=r"distributed is given to run\(\), not to a backend"):
        BasicAer.get_backend("qasm_simulator", distributed=True)


def test_names_that_qiskit_numbers_make_no_difference_between_errors(monkeypatch):
    monkeypatch.setattr(distributed_device.DistributedDevice, "expected_free_bytes", lambda _device: 2**20)
    made = [str(error).partition("'")[0] for error in on_ranks(comms(2), _refused)]
    assert made == ["Circuit ", "Circuit "]


def _refused(comm):
    circuit = QuantumCircuit(40)  # each rank numbers its own
    circuit.h(range(40))
    try:
        return BasicAer.get_backend("qasm_simulator").run(measured(circuit), distributed=comm)
    except BasicAerError as error:
        return error


def test_a_state_that_does_not_fit_says_how_many_qubits_do(monkeypatch):
    monkeypatch.setattr(cpu_device.NumpyDevice, "expected_free_bytes", lambda _device: 2**26)
    (error, _) = run(2, measured(layered(25, depth=1)))
    assert "where 56.9 MiB are free; 21 qubits fit, 22 with precision='single'." in str(error)


def test_a_plan_for_ranks_is_for_as_many_as_there_are():
    backend = BasicAer.get_backend("qasm_simulator")
    assert backend.plan(CIRCUITS["gates"], distributed=comms(4)[0]).division.ranks == 4
    assert backend.plan(CIRCUITS["gates"], distributed=comms(4)[0], ranks=2).division.ranks == 2
    with pytest.raises(BasicAerError, match="distributed=True"):
        backend.plan(CIRCUITS["gates"], distributed=True)
