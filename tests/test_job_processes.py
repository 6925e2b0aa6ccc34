"""Jobs on worker processes: watched, cancelled, split, interrupted, and on workers that are killed."""

import contextlib
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
from concurrent.futures import CancelledError, ProcessPoolExecutor
from pathlib import Path
from unittest import mock

import loky
import psutil
import pytest
from qiskit.providers import JobStatus

from basicaer import BasicAer, BasicAerError, WorkerLostError, simulation
from basicaer.engine.monitor import current_monitor
from basicaer.errors import BasicAerWarning
from basicaer.handles.processes import ProcessHandle, _worker_server
from jobs import BACKEND, GUARD, OUTCOME, InGates, bell, endless, layers, submitted, until

POOLS = {
    "spawn": lambda: ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")),
    "loky": lambda: loky.ProcessPoolExecutor(1),
}


@pytest.fixture(scope="module", params=POOLS)
def pool(request):
    with POOLS[request.param]() as pool:
        yield pool


@pytest.fixture(params=POOLS)
def doomed(request):
    """A pool that will lose its worker."""
    pool = POOLS[request.param]()
    yield pool
    pool.shutdown(wait=True)


def test_a_running_job_is_watched_and_cancelled_and_the_worker_goes_on(pool):
    watcher = InGates()
    job = BACKEND.run([bell("first"), endless()], executor=pool, callback=watcher)
    assert watcher.begun.wait(GUARD)
    assert job.status() is JobStatus.RUNNING
    assert job.progress().elapsed > 0
    assert job.cancel()
    with pytest.raises(CancelledError):
        job.result(GUARD)
    assert [one.name for one in job.partial_result().results] == ["first"]
    assert BACKEND.run(bell("next"), executor=pool, shots=10).result(GUARD).get_counts().keys() <= {"00", "11"}


def test_a_job_that_waits_is_cancelled_at_once_although_the_pool_has_fetched_it(pool):
    watcher = InGates()
    busy = BACKEND.run(endless(), executor=pool, callback=watcher)
    assert watcher.begun.wait(GUARD)
    told = []
    job = BACKEND.run(bell("waits"), executor=pool, callback=told.append)
    assert job.status() is JobStatus.QUEUED
    assert job.cancel() is True
    assert job.status() is JobStatus.CANCELLED
    busy.cancel()
    busy.wait_for_final_state(GUARD)
    assert BACKEND.run(bell("next"), executor=pool).result(GUARD).success
    assert told == []


def test_the_circuits_of_a_job_are_spread_and_give_what_they_give_here(pool):
    circuits = [bell(name) for name in "abcd"]
    here = BACKEND.run(circuits, shots=50, seed_simulator=7).result()
    job = BACKEND.run(circuits, shots=50, seed_simulator=7, executor=pool, max_parallel_experiments=3)
    assert len(job._state.parts) == 3
    assert [one.data.counts for one in job.result(GUARD).results] == [one.data.counts for one in here.results]


def test_a_callback_that_fails_is_warned_of_and_ends_nothing(pool):
    told = mock.Mock(side_effect=KeyboardInterrupt("on purpose"))
    job = BACKEND.run([bell("a"), bell("b")], executor=pool, callback=told, max_parallel_experiments=2)
    with pytest.warns(BasicAerWarning, match="failed .KeyboardInterrupt: on purpose. and was not called again"):
        assert job.result(GUARD).success
    assert told.call_count == 1


def pid(_job_id, _payload):
    return os.getpid()


def interrupted(_job_id, _payload):
    """What a terminal does to all processes of a program on Ctrl-C."""
    os.kill(os.getpid(), signal.SIGINT)
    current_monitor.get().poll()
    return OUTCOME


@pytest.mark.skipif(os.name != "posix", reason="SIGINT is sent as on POSIX")
def test_a_worker_that_is_interrupted_goes_on(pool):
    job = submitted(interrupted, executor=pool)
    assert job.result(GUARD).backend_name == OUTCOME.backend_name


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no kill -9 on this platform")
@pytest.mark.parametrize("failure", [BasicAerError("does not fit"), ZeroDivisionError()])
def test_where_what_was_finished_cannot_be_had_a_job_ends_all_the_same(doomed, failure, monkeypatch):
    worker, watcher = submitted(pid, executor=doomed).result(GUARD), InGates()
    job = BACKEND.run([bell("first"), endless()], executor=doomed, callback=watcher)
    assert watcher.begun.wait(GUARD)
    monkeypatch.setattr(simulation, "qiskit_experiment", mock.Mock(side_effect=failure))
    os.kill(worker, signal.SIGKILL)
    with pytest.raises(WorkerLostError):
        job.result(GUARD)
    assert not (partial := job.partial_result()) or partial.results == []


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no kill -9 on this platform")
def test_a_killed_worker_is_named_and_what_was_finished_is_kept(doomed):
    worker, watcher = submitted(pid, executor=doomed).result(GUARD), InGates()
    job = BACKEND.run([bell("first"), endless()], shots=9, executor=doomed, callback=watcher)
    behind = BACKEND.run(bell("behind"), executor=doomed)
    assert watcher.begun.wait(GUARD)
    os.kill(worker, signal.SIGKILL)
    with pytest.raises(WorkerLostError, match=r"(?s)of job .* has died .*Run the rest again, on a new exec") as caught:
        job.result(GUARD)
    assert (job.status(), job.cancel()) == (JobStatus.ERROR, False)
    assert [one.name for one in caught.value.partial.results] == ["first"]
    assert sum(job.partial_result().get_counts("first").values()) == 9
    with pytest.raises(WorkerLostError, match=r"(?s)died before job .* began .*Run the job again, on a new executor"):
        behind.result(GUARD)
    assert behind.partial_result() is None
    with pytest.raises(WorkerLostError, match=r"(?s)takes no more jobs.*Run the job again, on a new executor"):
        BACKEND.run(bell("later"), executor=doomed)


def cancel(pool, waiting):
    for job in waiting:
        assert job.cancel()


def refuse_a_part(pool, _waiting):
    """Send a job of two parts, of which the pool takes the first alone."""
    takes_one = mock.Mock(side_effect=[pool.submit(pid, 1, 1), OSError("no room")])
    with mock.patch.object(pool, "submit", takes_one), pytest.raises(OSError, match="no room"):
        BACKEND.run([bell("a"), bell("b")], executor=pool, max_parallel_experiments=2)


def interrupt_run(pool, _waiting):
    """Interrupt `run` when the pool has the work."""
    takes_notice = mock.Mock(side_effect=[KeyboardInterrupt, None])
    with mock.patch.object(ProcessHandle, "when_done", takes_notice), pytest.raises(KeyboardInterrupt):
        BACKEND.run(bell("interrupted"), executor=pool)


def leave_by_an_error(pool, _waiting):
    with contextlib.suppress(ZeroDivisionError), BACKEND.run(bell("left"), executor=pool):
        raise ZeroDivisionError


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no kill -9 on this platform")
@pytest.mark.parametrize(
    ("doomed", "withdraw"),
    [
        *((one, cancel) for one in POOLS),
        *(("loky", withdraw) for withdraw in (refuse_a_part, interrupt_run, leave_by_an_error)),
    ],
    indirect=["doomed"],
)
def test_a_job_that_was_withdrawn_while_it_waited_does_not_keep_the_others_when_a_worker_dies(doomed, withdraw):
    worker, watcher = submitted(pid, executor=doomed).result(GUARD), InGates()
    busy = BACKEND.run(endless(), executor=doomed, callback=watcher)
    assert watcher.begun.wait(GUARD)
    before, withdrawn, after = ([BACKEND.run(bell(name), executor=doomed) for name in "abc"] for _ in range(3))
    withdraw(doomed, withdrawn)
    last = BACKEND.run(bell("last"), executor=doomed)
    os.kill(worker, signal.SIGKILL)
    left = [busy, *before, *after, last, *(() if withdraw is cancel else withdrawn)]
    for job in left:
        job.wait_for_final_state(GUARD)
    assert {job.status() for job in left} == {JobStatus.ERROR}


def test_jobs_that_wait_are_cancelled_by_their_pools_shutdown():
    pool, watcher = POOLS["spawn"](), InGates()
    busy = BACKEND.run(endless(), executor=pool, callback=watcher)
    assert watcher.begun.wait(GUARD)
    waiting = [BACKEND.run(bell(name), executor=pool) for name in "abcdef"]
    assert waiting[4].cancel()
    pool.shutdown(wait=False, cancel_futures=True)
    waiting[-1].wait_for_final_state(GUARD)
    assert waiting[-1].cancelled()
    assert busy.cancel()
    for job in [busy, *waiting]:
        job.wait_for_final_state(GUARD)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no kill -9 on this platform")
def test_a_saved_job_is_in_its_workers_hands_while_that_lives_and_goes_on_here_when_it_was_killed(doomed, tmp_path):
    circuits = [bell("first"), layers(18, depth=150)]
    options = {"shots": 50, "seed_simulator": 3, "device": "CPU"}
    want = BACKEND.run(circuits, **options).result(GUARD)
    worker = submitted(pid, executor=doomed).result(GUARD)
    saved = {"checkpoint_dir": tmp_path / "job", "checkpoint_every": 1e-9}
    job = BACKEND.run(circuits, executor=doomed, **options, **saved)
    while not (tmp_path / "job" / "running.save").is_file():
        assert not job.in_final_state()
    os.kill(worker, signal.SIGSTOP)
    try:
        with pytest.raises(BasicAerError, match="A running job is being saved in"):
            BasicAer.resume(tmp_path / "job")
    finally:
        os.kill(worker, signal.SIGKILL)
    with pytest.raises(WorkerLostError):
        job.result(GUARD)
    again = BasicAer.resume(tmp_path / "job").result(GUARD)
    assert [one.data.counts for one in again.results] == [one.data.counts for one in want.results]


@pytest.mark.skipif(os.name != "posix", reason="the line to a worker is no socket there")
def test_a_worker_that_finds_its_job_gone_stops(pool):
    watcher = InGates()
    job = BACKEND.run(endless(), executor=pool, callback=watcher)
    assert watcher.begun.wait(GUARD)
    handle = job._state.parts[0].handle
    del _worker_server._handles[handle._number]
    with socket.socket(fileno=os.dup(handle._connection.fileno())) as line:
        line.shutdown(socket.SHUT_RDWR)  # it calls again, and nobody knows its job
    job.wait_for_final_state(GUARD)
    assert job.cancelled()
    assert BACKEND.run(bell("next"), executor=pool).result(GUARD).success


ORPHANS = """
import os, signal, sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from basicaer import BasicAer
from jobs import bell

if __name__ == "__main__":
    pool = ProcessPoolExecutor(1, mp_context=get_context(sys.argv[1]))
    BasicAer.get_backend("qasm_simulator").run(bell(""), executor=pool).result()
    print(*pool._processes, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no kill -9 on this platform")
@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_workers_end_when_the_process_of_their_pool_was_killed(method, tmp_path):
    (tmp_path / "program.py").write_text(ORPHANS, "utf-8")
    paths = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    command = [sys.executable, "-W", "ignore", tmp_path / "program.py", method]
    said = tmp_path / "said"  # not a pipe, which a worker that lives on would keep open
    with said.open("w") as output:
        subprocess.run(command, stdout=output, env=os.environ | {"PYTHONPATH": paths}, check=False)
    (worker,) = map(int, said.read_text("utf-8").split())
    until(lambda: not psutil.pid_exists(worker) or psutil.Process(worker).status() == psutil.STATUS_ZOMBIE)
