"""However one rank of a job ends, all ranks end in the same way, and none waits for ever."""

import os
import random
import threading
from concurrent.futures import CancelledError
from types import SimpleNamespace

import pytest
from qiskit import QuantumCircuit
from qiskit.quantum_info import SparsePauliOp

from basicaer import BasicAer
from basicaer.devices.distributed import device as distributed_device
from basicaer.devices.distributed.comm import Comm
from basicaer.engine.monitor import Monitor
from basicaer.errors import BasicAerError, Cancelled, JobTimeLimitError
from basicaer.library import save_expectation_value
from basicaer.simulators.ranks import executor_of, left_together
from thread_ranks import comms, on_ranks

RANKS = 4


@pytest.fixture(autouse=True)
def small_states_are_divided(monkeypatch):
    monkeypatch.setattr(distributed_device, "_SMALLEST_DIVIDED", 0)


def circuit(n=5, layers=4):
    """Exchanges wires, measures in the middle, and reads the state."""
    made = QuantumCircuit(n, n)
    for layer in range(layers):
        for q in range(n):
            made.ry(0.3 + q + layer, q)
        made.cx(layer % n, (layer + 2) % n)
        made.measure(layer, layer)
    made.rx(0.3, range(n))
    save_expectation_value(made, SparsePauliOp(["X" * n, "Z" * n]), range(n))
    made.measure(range(n), range(n))
    return made


class Faulty:
    """Raises an error on one rank, at one of the places where its job polls or speaks with the others."""

    def __init__(self, monkeypatch, rank, at, make):
        self.rank, self.at, self.make = rank, at, make
        self.counts = {}  # how often each rank has come to such a place
        self.ranks = {}  # the rank that each thread works for
        together, poll, gather = Comm.together, Monitor.poll, Comm.gather

        def noting(comm):
            self.ranks[threading.get_ident()] = comm.rank
            return together(comm)

        def failing(call):
            def place(one, *arguments):
                rank = self.ranks.get(threading.get_ident())
                if rank is not None:
                    self.counts[rank] = self.counts.get(rank, 0) + 1
                    if rank == self.rank and self.counts[rank] == self.at:
                        raise self.make()
                return call(one, *arguments)

            return place

        monkeypatch.setattr(Comm, "together", noting)
        monkeypatch.setattr(Monitor, "poll", failing(poll))
        monkeypatch.setattr(Comm, "gather", failing(gather))


def run(comm, **options):
    """Run the circuit, and return its counts, or what it has ended with."""
    try:
        job = BasicAer.get_backend("qasm_simulator").run(
            circuit(), distributed=comm, seed_simulator=1, shots=3, **options
        )
        return job.result().get_counts()
    except (CancelledError, Exception) as error:  # noqa: BLE001  # whatever it is
        return error


@pytest.fixture(scope="module")
def places():
    """In how many places a rank may fail."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(distributed_device, "_SMALLEST_DIVIDED", 0)
        faulty = Faulty(patch, 0, -1, Cancelled)
        counts = on_ranks(comms(RANKS), run)
        assert counts == [counts[0]] * RANKS
        return faulty.counts[0]


def checked(ends, rank, make):
    """Check that all ranks have ended with the same."""
    error = make()
    if all(isinstance(end, dict) for end in ends):
        return "counts"  # the job was over before
    if isinstance(error, Cancelled):
        assert all(isinstance(end, CancelledError | Cancelled) for end in ends), ends
    elif isinstance(error, JobTimeLimitError):
        assert [type(end) for end in ends] == [JobTimeLimitError] * RANKS
    else:
        want = str(error) if isinstance(error, BasicAerError) else f"{type(error).__name__}: {error}."
        own = [str(end).startswith(f"rank {rank}: {want}") for end in ends]
        assert own == [number != rank for number in range(RANKS)], ends
        assert type(ends[rank]) is type(error)
    return type(error).__name__


ERRORS = [
    Cancelled,
    lambda: ValueError("odd"),
    lambda: MemoryError("none"),
    lambda: BasicAerError("This does not work."),
    lambda: JobTimeLimitError("It took too long."),
]


def random_end(seed, places):
    choice = random.Random(seed)  # noqa: S311
    rank, at, make = choice.randrange(RANKS), choice.randint(1, places), choice.choice(ERRORS)
    with pytest.MonkeyPatch.context() as patch:
        Faulty(patch, rank, at, make)
        return checked(on_ranks(comms(RANKS), run), rank, make)


def test_an_error_anywhere_on_any_rank_ends_all_with_it(places):
    seen = {random_end(seed, places) for seed in range(40)}
    assert len(seen) >= len(ERRORS)


@pytest.mark.slow
def test_a_thousand_errors_end_all_ranks(places):
    share = float(os.environ.get("BASICAER_SOAK_SHARE", "1"))
    for seed in range(1000, 1000 + int(1000 * share)):
        random_end(seed, places)


def test_ranks_that_fail_at_the_same_time_end_with_the_gravest_error_of_the_first():
    failing = {1: Cancelled(), 2: ValueError("second"), 3: ValueError("third")}

    def of_rank(comm):
        comm.look = lambda: None
        with comm.together():
            if comm.rank in failing:
                raise failing[comm.rank]
            comm.gather()

    ends = on_ranks(comms(RANKS), of_rank)
    assert [str(end) for end in ends] == ["rank 2: ValueError: second."] * 2 + ["second", "rank 2: ValueError: second."]


def test_a_job_that_one_rank_cancels_before_it_begins_ends_on_all():
    holding = threading.Event()

    def of_rank(comm):
        executor_of(comm).submit(holding.wait)  # so that no job begins yet
        job = BasicAer.get_backend("qasm_simulator").run(circuit(), distributed=comm)
        if comm.rank == 1:
            job.cancel()
            holding.set()
        job.wait_for_final_state()
        return job.status().name

    assert on_ranks(comms(RANKS), of_rank) == ["CANCELLED"] * RANKS


def test_ranks_that_compute_leave_their_work_when_another_one_is_cancelled():
    """Not only when they come to the next exchange."""
    polls = []

    def of_rank(comm):
        monitor = Monitor()
        monitor.look_also(comm.look)
        with comm.together():
            if comm.rank == 1:
                raise Cancelled
            while True:
                monitor.poll()
                polls.append(comm.rank)

    assert all(isinstance(end, Cancelled) for end in on_ranks(comms(2), of_rank))


def test_a_program_does_not_end_before_what_its_job_still_says_to_the_others():
    """A daemon would be in the middle of a call of MPI when that is shut down."""
    ended, seen = [], threading.Event()
    ranks = SimpleNamespace(leave_unbegun=lambda: (ended.append(threading.current_thread().daemon), seen.set()))
    job = SimpleNamespace(add_done_callback=lambda call: call(job))
    assert left_together(job, ranks) is job
    assert seen.wait(5)
    assert ended == [False]
