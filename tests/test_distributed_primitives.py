"""Primitives and noisy runs on ranks share sets of parameters and states of shots, and all get the whole result."""

from concurrent.futures import CancelledError

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter, ParameterVector
from qiskit.quantum_info import SparsePauliOp

from basicaer import BasicAer, EstimatorV2, SamplerV2
from basicaer.devices.distributed import device as distributed_device
from basicaer.devices.distributed.comm import Comm
from basicaer.engine import ensemble, trajectories
from basicaer.engine.execute import _Execution
from basicaer.errors import BasicAerError, OptionValueError
from basicaer.library import save_expectation_value
from basicaer.noise import NoiseModel, ReadoutError, amplitude_damping_error, depolarizing_error
from basicaer.primitives import running as primitives_running
from thread_ranks import comms, on_ranks

ANGLES = ParameterVector("a", 3)
VALUES = np.random.default_rng(1).uniform(0, 3, (7, 3))


def ansatz(*, measured=True, n=4):
    circuit = QuantumCircuit(n)
    for layer in range(3):
        for q in range(n):
            circuit.ry(ANGLES[layer] + q, q)
        for q in range(n - 1):
            circuit.cx(q, q + 1)
    if measured:
        circuit.measure_all()
    return circuit


def branching():
    angle, circuit = Parameter("angle"), QuantumCircuit(3, 1)
    circuit.ry(angle, range(3))
    circuit.measure(0, 0)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.rx(angle, 1)
    circuit.cx(1, 2)
    return circuit


def noise(*, depends_on_state=False):
    model = NoiseModel()
    model.add_all_qubit_quantum_error(depolarizing_error(0.05, 1), ["ry"])
    damping = amplitude_damping_error(0.1).tensor(amplitude_damping_error(0.05))
    model.add_all_qubit_quantum_error(damping if depends_on_state else depolarizing_error(0.02, 2), ["cx"])
    model.add_all_qubit_readout_error(ReadoutError([[0.9, 0.1], [0.2, 0.8]]))
    return model


def estimates(pubs, **options):
    def of(**more):
        result = EstimatorV2(seed=3, **options, **more).run(pubs).result()
        return [(one.data.evs.tolist(), one.data.stds.tolist(), one.metadata) for one in result]

    return of


def samples(pubs, **options):
    def of(**more):
        result = SamplerV2(seed=3, default_shots=50, **options, **more).run(pubs).result()
        return [[(name, one.data[name].array.tolist()) for name in one.data] for one in result]

    return of


OBSERVABLES = [["ZZII"], ["XIYI"]]
RUNS = {
    "sets in batches": estimates([(ansatz(measured=False), OBSERVABLES, VALUES)]),
    "sets one by one": estimates([(branching(), ["ZZI", "IXX"], [[[0.1]], [[0.4]], [[2.0]]])]),
    "fewer sets than ranks": estimates([(ansatz(measured=False), ["ZZII"], VALUES[0]), (branching(), "ZZI", [0.3])]),
    "sets with a precision": estimates([(ansatz(measured=False), OBSERVABLES, VALUES)], default_precision=0.1),
    "sets by shots": estimates(
        [(ansatz(measured=False), OBSERVABLES, VALUES[:3])],
        noise_model=noise(),
        method="statevector",
        default_precision=0.1,
    ),
    "shots of one set": estimates(
        [(ansatz(measured=False), OBSERVABLES, VALUES[0])],
        noise_model=noise(depends_on_state=True),
        method="statevector",
        default_precision=0.1,
    ),
    "exact": estimates([(ansatz(measured=False), OBSERVABLES, VALUES[:3])], noise_model=noise()),
    "samples in batches": samples([(ansatz(), VALUES)]),
    "samples one by one": samples([(ansatz(), VALUES[:3])], noise_model=noise(), method="statevector"),
    "samples of one set": samples([(ansatz(), VALUES[0]), (ansatz(), VALUES[1:3])], noise_model=noise()),
}


@pytest.mark.parametrize("size", [2, 4])
@pytest.mark.parametrize("name", RUNS)
def test_results_are_those_of_one_process(name, size):
    want = RUNS[name]()
    for got in on_ranks(comms(size), lambda comm: RUNS[name](distributed=comm)):
        assert got == want


def test_each_set_runs_on_one_rank(monkeypatch):
    programs = []
    run = _Execution.run
    monkeypatch.setattr(_Execution, "run", lambda self, *args: programs.append(self) or run(self, *args))
    RUNS["sets one by one"]()
    alone = len(programs)
    on_ranks(comms(2), lambda comm: RUNS["sets one by one"](distributed=comm))
    assert len(programs) == 2 * alone


def test_a_state_that_no_rank_can_have_is_divided(monkeypatch):
    monkeypatch.setattr(distributed_device, "_SMALLEST_DIVIDED", 0)
    for module in (primitives_running, __import__("basicaer.primitives.base", fromlist=["base"])):
        monkeypatch.setattr(module, "all_fit", lambda *_: False)
    swaps = []
    swap = Comm.swap
    monkeypatch.setattr(Comm, "swap", lambda comm, *args: swaps.append(comm) or swap(comm, *args))
    for name in ("sets in batches", "samples in batches", "fewer sets than ranks"):
        want = RUNS[name]()
        for got in on_ranks(comms(2), lambda comm, name=name: RUNS[name](distributed=comm)):
            if name.startswith("samples"):
                assert got == want
            else:
                assert np.allclose(got[0][0], want[0][0], rtol=0, atol=1e-12)
    assert swaps


@pytest.mark.filterwarnings("ignore:The noise model has no errors of the gates")
@pytest.mark.parametrize("size", [2, 4])
@pytest.mark.parametrize("depends_on_state", [False, True])
def test_shots_with_errors_are_shared(depends_on_state, size, monkeypatch):
    circuit = ansatz(measured=False).assign_parameters(VALUES[0])
    for n, pershot in enumerate((True, False)):
        save_expectation_value(circuit, SparsePauliOp(["ZZII", "XIYI"]), range(4), f"save {n}", pershot=pershot)
    circuit.measure_all()
    backend = BasicAer.get_backend("qasm_simulator")
    model = noise(depends_on_state=depends_on_state)
    options = {"noise_model": model, "method": "statevector", "shots": 400, "seed_simulator": 5, "memory": True}
    states = []
    run = ensemble.Ensemble.run
    monkeypatch.setattr(ensemble.Ensemble, "run", lambda self, *args: states.append(len(self)) or run(self, *args))
    one = backend.run(circuit, **options).result()
    alone = sum(states)
    states.clear()
    for result in on_ranks(comms(size), lambda comm: backend.run(circuit, distributed=comm, **options).result()):
        assert result.get_memory() == one.get_memory()
        # Another rank may follow a state with others beside it, and round in another way.
        assert np.allclose(result.data(0)["save 0"], one.data(0)["save 0"], rtol=0, atol=1e-12)
        assert np.isclose(result.data(0)["save 1"], one.data(0)["save 1"], rtol=0, atol=1e-12)
    if depends_on_state:
        assert sum(states) < size * alone
    else:
        assert sum(states) == alone  # each state was followed by one rank


def test_an_error_of_one_rank_ends_all(monkeypatch):
    follow = trajectories._Run.follow

    def failing(run, shots):
        if run._rank == 1:
            raise ValueError("odd")
        follow(run, shots)

    monkeypatch.setattr(trajectories._Run, "follow", failing)

    def of_rank(comm):
        return RUNS["samples of one set"](distributed=comm, method="statevector") if comm.rank else run_first(comm)

    def run_first(comm):
        return RUNS["samples of one set"](distributed=comm, method="statevector")

    errors = on_ranks(comms(2), of_rank)
    assert [str(error) for error in errors] == ["rank 1: ValueError: odd.", "odd"]


def test_a_cancelled_rank_cancels_all():
    def of_rank(comm):
        job = SamplerV2(distributed=comm).run([(ansatz(n=12), np.tile(VALUES, (2000, 1)))])
        if comm.rank == 1:
            job.cancel()
        try:
            return job.result()
        except CancelledError as error:
            return error

    assert all(isinstance(end, CancelledError) for end in on_ranks(comms(2), of_rank))


def test_ranks_with_other_circuits_are_told_so():
    def of_rank(comm):
        return SamplerV2(distributed=comm).run([ansatz().assign_parameters(VALUES[comm.rank])])

    for error in on_ranks(comms(2), of_rank):
        assert isinstance(error, BasicAerError)
        assert "but rank 1 differs from rank 0 in PUB 0; let every rank" in str(error)


def test_what_is_not_spread_says_so():
    estimator = EstimatorV2(distributed=comms(1)[0])
    with pytest.raises(OptionValueError, match=r"compile\(\) works in one process; leave out distributed"):
        estimator.compile(ansatz(measured=False), "ZZII")
    with pytest.raises(OptionValueError, match=r"distributed is given to run\(\)"):
        EstimatorV2(BasicAer.get_backend("qasm_simulator", distributed=True))
