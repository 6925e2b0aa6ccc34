"""Ranks that a program leads: an executor whose jobs divide states, and are cancelled like all others."""

import os
import pickle
import shutil
import signal
import subprocess
import sys
import threading
from concurrent.futures import CancelledError
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import jobs as jobs_of_tests
from basicaer import BasicAer, EstimatorV2, rank_worker
from basicaer.errors import BasicAerError, WorkerLostError
from basicaer.gradients import gradient
from basicaer.rank_pool import RankPool
from jobs import GUARD
from test_distributed_primitives import OBSERVABLES, VALUES, ansatz
from test_distributed_runs import layered, measured
from thread_ranks import comms, on_ranks

BACKEND = BasicAer.get_backend("qasm_simulator")


def test_a_command_that_is_not_there_is_named():
    with pytest.raises(BasicAerError, match=r"no-mpiexec cannot be started \(No such file.*install an MPI"):
        RankPool(2, ["no-mpiexec"])


def test_ranks_that_end_at_once_say_why():
    with pytest.raises(BasicAerError, match=r"ended before they could take a job: .*wrong"):
        RankPool(2, [sys.executable, "-c", "raise SystemExit('wrong')"])


@pytest.mark.parametrize("ranks", [0, 3, "2"])
def test_a_number_that_is_no_power_of_two_is_refused(ranks):
    with pytest.raises(BasicAerError, match=f"ranks must be a power of 2, not {ranks!r}"):
        RankPool(ranks)


@pytest.mark.parametrize("command", ["mpiexec -n 2", []])
def test_a_command_that_is_no_list_of_words_is_refused(command):
    with pytest.raises(BasicAerError, match=r"command must be a list of words, such as \[\"srun\", .*\], not "):
        RankPool(2, command)


class End:
    """The end of a worker in a call, by which jobs are told from other calls."""

    def at_work(self):
        raise AssertionError


def made(*call):
    return on_ranks(comms(2), lambda comm: rank_worker._made(pickle.dumps(call), comm))


def test_a_job_of_no_shared_kind_is_run_by_the_first_rank_alone():
    _record.clear()
    assert made(record, ("argument", End()), {}) == [(True, 1), (True, None)]
    assert made(record, ("argument",), {}) in ([(True, 2), (True, 3)], [(True, 3), (True, 2)])


_record = []


def record(*arguments):
    _record.append(arguments)
    return len(_record)


def test_a_call_that_one_rank_cannot_read_is_made_by_none(monkeypatch):
    reads, loads = iter([ModuleNotFoundError("No module named 'here'"), None]), pickle.loads

    def read(call):
        if error := next(reads):
            raise error
        return loads(call)

    _record.clear()
    monkeypatch.setattr(rank_worker, "pickle", SimpleNamespace(loads=read))
    for is_returned, error in made(record, (), {}):
        assert not is_returned
        assert "No module named 'here'" in str(error)
    assert _record == []


ALL_PIDS = "__import__('mpi4py.MPI').MPI.COMM_WORLD.allgather(__import__('os').getpid())"

needs_mpi = pytest.mark.skipif(shutil.which("mpiexec") is None, reason="there is no mpiexec")


@pytest.fixture(scope="module")
def pool():
    pytest.importorskip("mpi4py", reason="mpi4py is not installed")
    with RankPool(2) as made:
        yield made


@needs_mpi
def test_counts_are_those_of_one_process(pool, tmp_path):
    circuit, options = measured(layered(20, depth=2)), {"seed_simulator": 3, "shots": 200}
    want = BACKEND.run(circuit, **options).result().get_counts()
    seen = []
    job = BACKEND.run(circuit, executor=pool, callback=seen.append, checkpoint_dir=tmp_path / "saved", **options)
    result = job.result(GUARD)
    assert result.get_counts() == want
    assert "divided among 2 ranks" in result.results[0].metadata["device_reason"]
    assert seen
    assert {path.name for path in (tmp_path / "saved").iterdir()} == {"job.save", "circuit-0.save", "lock"}


@needs_mpi
def test_a_job_is_cancelled_while_it_runs_and_the_next_one_runs(pool):
    seen = []

    def cancel(progress):
        seen.append(progress)
        if progress.phase == "gates":
            jobs[0].cancel()

    jobs = []
    jobs.append(BACKEND.run(measured(layered(20, depth=400)), executor=pool, callback=lambda one: jobs and cancel(one)))
    waiting = BACKEND.run(measured(layered(20, depth=1)), executor=pool)
    waiting.cancel()
    for job in (jobs[0], waiting):
        with pytest.raises(CancelledError):
            job.result(GUARD)
    assert sum(BACKEND.run(measured(layered(4)), executor=pool, shots=7).result(GUARD).get_counts().values()) == 7


@needs_mpi
def test_an_error_of_the_ranks_is_the_error_of_the_job(pool):
    with pytest.raises(BasicAerError, match=r"time limit of 0\.001 s"):
        BACKEND.run(measured(layered(20, depth=50)), executor=pool, timeout=1e-3).result(GUARD)


@needs_mpi
def test_primitives_share_their_sets(pool):
    pub = (ansatz(measured=False), OBSERVABLES, VALUES)
    want = EstimatorV2().run([pub]).result()[0].data.evs
    assert EstimatorV2(executor=pool).run([pub]).result()[0].data.evs.tolist() == want.tolist()


@needs_mpi
def test_a_saved_job_goes_on_in_a_pool(pool, tmp_path):
    circuit, folder = measured(layered(20, depth=60)), tmp_path / "saved"

    def cancel(progress):
        if progress.phase == "gates" and jobs:
            jobs[0].cancel()

    jobs = []
    options = {"seed_simulator": 3, "shots": 200}
    jobs.append(BACKEND.run(circuit, executor=pool, callback=cancel, checkpoint_dir=folder, **options))
    with pytest.raises(CancelledError):
        jobs[0].result(GUARD)
    counts = BasicAer.resume(folder, executor=pool).result(GUARD).get_counts()
    assert counts == BACKEND.run(circuit, **options).result().get_counts()


@needs_mpi
def test_a_gradient_that_is_saved_is_returned_by_one_rank(pool, tmp_path):
    circuit, observable, values = ansatz(measured=False), OBSERVABLES[0], VALUES[0]
    want = gradient(circuit, observable, values).result().gradients
    job = gradient(circuit, observable, values, executor=pool, checkpoint_dir=tmp_path / "saved")
    assert np.array_equal(job.result(GUARD).gradients, want)


@needs_mpi
def test_ranks_share_the_sets_of_a_gradient(pool):
    circuit, observables = ansatz(measured=False), [one for (one,) in OBSERVABLES]
    want = gradient(circuit, observables, VALUES).result()
    found = gradient(circuit, observables, VALUES, executor=pool).result(GUARD)
    assert np.array_equal(found.values, want.values)
    assert np.array_equal(found.gradients, want.gradients)


@needs_mpi
def test_states_of_ranks_do_not_lie_in_a_file(pool, tmp_path):
    with pytest.raises(BasicAerError, match="The states of a RankPool are in memory: leave out spill, or executor"):
        BACKEND.run(measured(layered(4)), executor=pool, spill=tmp_path)


@needs_mpi
def test_what_cannot_be_sent_is_said_and_the_next_call_is_made(pool):
    with pytest.raises(AttributeError, match="pickle"):
        pool.submit(lambda: None).result(GUARD)
    with pytest.raises(ModuleNotFoundError, match="jobs"):  # which ranks do not find
        pool.submit(jobs_of_tests.succeed).result(GUARD)
    with pytest.raises(BasicAerError, match="The result of the ranks cannot be sent: TypeError: cannot pickle"):
        pool.submit(threading.Lock).result(GUARD)
    assert pool.submit(divmod, 7, 2).result(GUARD) == (3, 1)


@needs_mpi
def test_ranks_that_have_died_are_reported():
    pytest.importorskip("mpi4py", reason="mpi4py is not installed")
    pool = RankPool(2)
    assert isinstance(pool.submit(os._exit, 3).exception(GUARD), BrokenProcessPool)
    with pytest.raises(WorkerLostError):
        BACKEND.run(measured(layered(4)), executor=pool).result(GUARD)
    pool.shutdown()
    with pytest.raises(RuntimeError, match="shut down"):
        BACKEND.run(measured(layered(4)), executor=pool)


@needs_mpi
def test_a_rank_that_is_killed_ends_the_job_and_the_pool():
    """It is the second one, with which this process is not connected."""
    killed = []

    def kill(progress):
        if progress.phase == "gates" and not killed:
            killed.append(pids[1])
            os.kill(pids[1], signal.SIGKILL)

    with RankPool(2) as pool:
        pids = pool.submit(eval, ALL_PIDS).result(GUARD)
        job = BACKEND.run(measured(layered(20, depth=400)), executor=pool, callback=kill)
        with pytest.raises(WorkerLostError):
            job.result(GUARD)
        with pytest.raises(WorkerLostError):
            BACKEND.run(measured(layered(4)), executor=pool).result(GUARD)
    assert killed


@needs_mpi
def test_a_pool_that_is_shut_down_at_once_drops_what_waits():
    pool = RankPool(2)
    running = BACKEND.run(measured(layered(20, depth=2)), executor=pool)
    waiting = pool.submit(divmod, 7, 2)
    pool.shutdown(wait=False, cancel_futures=True)
    pool.shutdown()
    assert waiting.cancelled()
    assert running.done() or running.cancelled()


@needs_mpi
def test_as_many_ranks_as_were_asked_for_must_come():
    with pytest.raises(BasicAerError, match="mpiexec -n 2 has started 2 ranks, not 4; let both numbers agree"):
        RankPool(4, ["mpiexec", "-n", "2"])
    with pytest.raises(BasicAerError, match=r"A state can have 2, 4, 8, \.\.\. ranks, and mpiexec has started 3"):
        RankPool(4, ["mpiexec", "-n", "3"])


ENDS = {
    "nothing was done": "",
    "a job runs": "job = BasicAer.get_backend('qasm_simulator').run(measured(layered(20, depth=4000)), executor=pool)",
    "it is killed": "os.kill(os.getpid(), signal.SIGKILL)",
}


@needs_mpi
@pytest.mark.parametrize("end", ENDS)
def test_ranks_end_with_the_process_that_leads(end, tmp_path):
    """Until then each of them holds a pipe open, which is read to its end here."""
    os.mkfifo(pipe := tmp_path / "pipe")
    read_end = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    script = (
        "import os, signal; from basicaer import BasicAer; from basicaer.rank_pool import RankPool; "
        "from test_distributed_runs import layered, measured; pool = RankPool(2); "
        f"pool.submit(os.open, {str(pipe)!r}, os.O_WRONLY).result(); {ENDS[end]}"
    )
    command = [sys.executable, "-X", "dev", "-c", script]
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=GUARD, cwd=Path(__file__).parent
    )
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGKILL if end == "it is killed" else 0, "", "")
    os.set_blocking(read_end, True)
    assert os.read(read_end, 1) == b""
    os.close(read_end)
