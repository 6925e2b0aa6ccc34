"""Gradients on ranks: these share sets of values, observables and patterns of errors, and all get the whole result."""

import threading
from concurrent.futures import CancelledError

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector

from basicaer import EstimatorGradient, EstimatorV2, gradient, value_and_gradient, vjp_state
from basicaer.devices.cpu.device import NumpyDevice
from basicaer.devices.distributed.comm import Comm
from basicaer.engine import adjoint
from basicaer.errors import BasicAerError, OptionValueError
from basicaer.noise import NoiseModel, depolarizing_error
from test_distributed_primitives import branching
from thread_ranks import comms, on_ranks

ANGLES = ParameterVector("a", 4)
VALUES = np.random.default_rng(2).uniform(0, 3, (7, 4))
OBSERVABLES = ["ZZII", "XIYI", {"IIZZ": 0.3, "XXII": -1.0}, "YYYY", "IZIZ"]


def ansatz(n=4):
    circuit = QuantumCircuit(n)
    for angle in ANGLES:
        for q in range(n):
            circuit.ry(angle + q, q)
        for q in range(n - 1):
            circuit.cx(q, q + 1)
        circuit.rzz(2 * angle, 0, n - 1)
    return circuit


def noise():
    model = NoiseModel()
    model.add_all_qubit_quantum_error(depolarizing_error(0.05, 1), ["ry"])
    model.add_all_qubit_quantum_error(depolarizing_error(0.02, 2), ["rzz"])
    return model


def found(job):
    result = job.result()
    return result.values.tolist(), result.gradients.tolist(), result.metadata


def requests(**options):
    """Requests of different circuits, some of which have the same set of values."""
    circuits, observables = [ansatz(), ansatz(), branching()], ["ZZII", "XXII", "ZZI"]
    result = (
        EstimatorGradient(EstimatorV2(**options)).run(circuits, observables, [VALUES[0], VALUES[0], [0.3]]).result()
    )
    return [one.tolist() for one in result.gradients]


RUNS = {
    "sets": lambda **more: found(gradient(ansatz(), OBSERVABLES, VALUES, **more)),
    "observables of one set": lambda **more: found(gradient(ansatz(), OBSERVABLES, VALUES[0], **more)),
    "nothing to share": lambda **more: found(gradient(ansatz(), "ZZII", VALUES[0], **more)),
    "a cotangent": lambda **more: found(gradient(ansatz(), OBSERVABLES, VALUES, cotangent=np.ones((7, 5)), **more)),
    "no derivatives": lambda **more: found(gradient(ansatz(), OBSERVABLES, VALUES, parameters=[], **more)),
    "shifted angles": lambda **more: found(gradient(branching(), ["ZZI", "IXX"], [[0.1], [0.4], [2.0]], **more)),
    "patterns of errors": lambda **more: found(gradient(ansatz(), "ZZII", VALUES[:2], noise_model=noise(), **more)),
    "amplitudes": lambda **more: found(vjp_state(ansatz(), VALUES[:3], np.ones((3, 16)) / 4, **more)),
    "requests": requests,
    "a function": lambda **more: value_and_gradient(ansatz(), "ZZII", **more)(VALUES)[1].tolist(),
}


@pytest.fixture(autouse=True)
def _few_sets_at_once(monkeypatch):
    """Let a rank have several rounds of sets and of bras."""
    monkeypatch.setattr(adjoint, "_MOST_BRAS", 2)


@pytest.mark.parametrize(("name", "size"), [*((name, size) for name in RUNS for size in (2, 4)), ("sets", 8)])
def test_results_are_those_of_one_process_bit_by_bit(name, size):
    want = RUNS[name]()
    assert on_ranks(comms(size), lambda comm: RUNS[name](distributed=comm)) == [want] * size


@pytest.mark.parametrize(("values", "observables"), [(VALUES[:4], "ZZII"), (VALUES[0], OBSERVABLES[:4])])
def test_each_rank_goes_back_for_its_share(values, observables, monkeypatch):
    rounds, sweep = [], adjoint._OneSweep

    def counted(carrying, *given, **more):
        rounds.append(carrying._team.rank)
        return sweep(carrying, *given, **more)

    monkeypatch.setattr(adjoint, "_OneSweep", counted)
    on_ranks(comms(4), lambda comm: found(gradient(ansatz(), observables, values, distributed=comm)))
    assert sorted(rounds) == [0, 1, 2, 3]


def test_ranks_with_less_memory_than_others_have_the_same_rounds(monkeypatch):
    """Otherwise some sets would be counted twice, and others not at all."""
    most = NumpyDevice.most_undone
    monkeypatch.setattr(
        NumpyDevice, "most_undone", lambda *given: 6 if threading.current_thread() in poor else most(*given)
    )
    poor, at_once = [], adjoint.Adjoint._at_once

    def of_rank(carrying, sweep):
        if carrying._team is not None and carrying._team.rank == 1:
            poor.append(threading.current_thread())
        return at_once(carrying, sweep)

    values = np.random.default_rng(3).uniform(0, 3, (9, 4))
    want = found(gradient(ansatz(), OBSERVABLES, values))
    monkeypatch.setattr(adjoint.Adjoint, "_at_once", of_rank)
    ranks = on_ranks(comms(2), lambda comm: found(gradient(ansatz(), OBSERVABLES, values, distributed=comm)))
    assert poor
    assert ranks == [want] * 2


def test_an_error_on_one_rank_ends_all_with_it(monkeypatch):
    sweep = adjoint._OneSweep

    def fails(carrying, *given, **more):
        if carrying._team.rank == 1:
            raise ValueError("odd")
        return sweep(carrying, *given, **more)

    monkeypatch.setattr(adjoint, "_OneSweep", fails)
    errors = on_ranks(comms(2), lambda comm: gradient(ansatz(), "ZZII", VALUES, distributed=comm).result())
    assert [type(one) for one in errors] == [BasicAerError, ValueError]
    assert "rank 1: " in str(errors[0])


def test_a_rank_that_is_cancelled_cancels_all(monkeypatch):
    sweep = adjoint._OneSweep

    def of_rank(comm):
        job = gradient(ansatz(), "ZZII", VALUES, distributed=comm)
        jobs[comm.rank] = job
        return job.result()

    def cancels(carrying, *given, **more):
        if carrying._team.rank == 1:
            carrying._monitor.cancel()
            carrying._monitor.poll()
        return sweep(carrying, *given, **more)

    jobs = {}
    monkeypatch.setattr(adjoint, "_OneSweep", cancels)
    ended = on_ranks(comms(2), of_rank)
    assert [type(one) for one in ended] == [CancelledError] * 2
    assert all(job.cancelled() for job in jobs.values())


BAD = {
    "values": lambda comm: gradient(ansatz(), "ZZII", [1.0] if comm.rank else VALUES, distributed=comm),
    "a circuit": lambda comm: gradient("odd" if comm.rank else ansatz(), "ZZII", VALUES, distributed=comm),
    "an observable": lambda comm: gradient(ansatz(), "Z" if comm.rank else "ZZII", VALUES, distributed=comm),
    "a vector": lambda comm: vjp_state(ansatz(), VALUES[0], np.ones(16 - comm.rank), distributed=comm),
    "a request": lambda comm: EstimatorGradient(EstimatorV2(distributed=comm)).run(
        [ansatz()], ["ZZII"], [VALUES[0][: 4 - comm.rank]]
    ),
    "values of a function": lambda comm: value_and_gradient(ansatz(), "ZZII", distributed=comm)(
        VALUES[0, : 4 - comm.rank]
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_what_one_rank_cannot_read_ends_all(name):
    errors = on_ranks(comms(2), BAD[name])
    assert all(isinstance(one, BasicAerError) for one in errors)
    assert str(errors[0]).startswith("rank 1: ")
    assert "rank" not in str(errors[1])


def test_ranks_with_other_values_are_told_so():
    for error in on_ranks(comms(2), lambda comm: gradient(ansatz(), "ZZII", VALUES[comm.rank], distributed=comm)):
        assert isinstance(error, BasicAerError)
        assert "but rank 1 differs from rank 0 in circuit 0; let every rank" in str(error)


def test_states_that_do_not_fit_all_ranks_are_refused_on_each(monkeypatch):
    gather = Comm.gather

    def short_of_memory(comm, thing=None, about=""):
        return gather(comm, thing and comm.rank == 0 if about == "free memory" else thing, about)

    monkeypatch.setattr(Comm, "gather", short_of_memory)
    for error in on_ranks(comms(2), lambda comm: gradient(ansatz(), "ZZII", VALUES, distributed=comm)):
        assert isinstance(error, BasicAerError)
        assert "needs room on every rank for two states of 4 qubits, which some have not" in str(error)


def test_gradients_of_ranks_are_not_saved(tmp_path):
    with pytest.raises(OptionValueError, match=r"checkpoint_dir .* leave it out, or distributed"):
        gradient(ansatz(), "ZZII", VALUES, distributed=comms(1)[0], checkpoint_dir=tmp_path / "saved")
