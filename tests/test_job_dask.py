"""Jobs on a Dask cluster of two processes: watched, cancelled, split, and on workers that are killed."""

import os
import signal
import threading
from concurrent.futures import CancelledError
from unittest import mock

import pytest
from qiskit.providers import JobStatus

from basicaer import BasicAerError, WorkerLostError
from basicaer.engine.monitor import current_monitor
from basicaer.errors import BasicAerWarning, Cancelled
from basicaer.handles import handle_for
from basicaer.payload import OpaquePayload
from jobs import BACKEND, GUARD, OUTCOME, InGates, bell, dividing_by_zero, endless, submitted

dask = pytest.importorskip("dask", reason="Dask is not installed")
distributed = pytest.importorskip("distributed", reason="Dask is not installed")

from basicaer.handles import dask as dask_module  # noqa: E402  # cannot be imported without Dask
from basicaer.handles import dask_worker  # noqa: E402


@pytest.fixture(scope="module")
def client():
    settings = {"distributed.scheduler.allowed-failures": 0, "distributed.worker.daemon": True}
    with (
        dask.config.set(settings),
        distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            dashboard_address=":0",
            memory_limit="1GiB",
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@pytest.fixture
def executor(client):
    client.wait_for_workers(2, timeout=GUARD)
    return client.get_executor()


def test_counts_and_progress_are_those_of_a_job_that_runs_here(executor):
    circuits = [bell("a"), bell("b")]
    here = BACKEND.run(circuits, shots=50, seed_simulator=7)
    job = BACKEND.run(circuits, shots=50, seed_simulator=7, executor=executor)
    assert [one.data.counts for one in job.result(GUARD).results] == [one.data.counts for one in here.result().results]
    assert job.done()
    progress = job.progress()
    assert (progress.phase, progress.experiment, progress.experiments) == ("ended", 2, 2)
    assert progress.elapsed > 0


def test_the_circuits_of_a_job_are_spread_over_the_workers(executor):
    circuits = [bell(name) for name in "abcd"]
    here = BACKEND.run(circuits, shots=50, seed_simulator=7).result()
    job = BACKEND.run(circuits, shots=50, seed_simulator=7, executor=executor, max_parallel_experiments=2)
    assert len(job._state.parts) == 2
    assert [one.data.counts for one in job.result(GUARD).results] == [one.data.counts for one in here.results]


def test_a_running_job_is_watched_and_cancelled_and_keeps_what_was_finished(executor):
    watcher = InGates()
    job = BACKEND.run([bell("first"), endless()], shots=9, executor=executor, callback=watcher)
    assert watcher.begun.wait(GUARD)
    assert job.status() is JobStatus.RUNNING
    assert job.progress().elapsed > 0
    assert job.cancel() is True
    with pytest.raises(CancelledError):
        job.result(GUARD)
    assert job.status() is JobStatus.CANCELLED
    assert job.cancel() is False
    assert [one.name for one in job.partial_result().results] == ["first"]
    assert BACKEND.run(bell("next"), executor=executor, shots=10).result(GUARD).success


def test_a_job_that_waits_for_a_worker_is_cancelled_at_once_and_never_begins(executor):
    watchers = InGates(), InGates()
    busy = [BACKEND.run(endless(), executor=executor, callback=watcher) for watcher in watchers]
    assert all(watcher.begun.wait(GUARD) for watcher in watchers)
    told = []
    job = BACKEND.run(bell("waits"), executor=executor, callback=told.append)
    assert job.status() is JobStatus.QUEUED
    assert job.cancel() is True
    assert job.status() is JobStatus.CANCELLED
    for one in busy:
        assert one.cancel()
        one.wait_for_final_state(GUARD)
    assert BACKEND.run(bell("next"), executor=executor).result(GUARD).success
    assert told == []


def test_a_failure_comes_with_what_was_finished(executor):
    job = BACKEND.run([bell("first"), dividing_by_zero("second")], executor=executor)
    with pytest.raises(BasicAerError, match="divides by zero") as caught:
        job.result(GUARD)
    assert [one.name for one in caught.value.partial.results] == ["first"]


def test_a_time_limit_ends_the_work_there(executor):
    job = BACKEND.run(endless(), executor=executor, timeout=0.2)
    with pytest.raises(BasicAerError, match=r"time limit of 0\.2 s in phase"):
        job.result(GUARD)


def pid_and_wait(_job_id, folder):
    """Say in which process this runs, then work until told to stop; the second time there is nothing to do."""
    mine = os.path.join(folder, "pid")  # noqa: PTH118  # where Dask runs this, nothing else is imported
    if os.path.exists(mine):  # noqa: PTH110
        return OUTCOME
    with open(mine + ".new", "w") as file:  # noqa: PTH123
        file.write(str(os.getpid()))
    os.rename(mine + ".new", mine)  # noqa: PTH104
    while True:
        current_monitor.get().poll()


def worker_of(client, job):
    """The process that a job runs in."""
    (address,) = [where for where, tasks in client.processing().items() if tasks]
    return client.run(os.getpid, workers=[address])[address]


def test_a_killed_worker_is_named_and_what_was_finished_is_kept(client, executor):
    watcher = InGates()
    job = BACKEND.run([bell("first"), endless()], shots=9, executor=executor, callback=watcher)
    assert watcher.begun.wait(GUARD)
    os.kill(worker_of(client, job), signal.SIGKILL)
    with pytest.raises(WorkerLostError, match=r"worker process of job .* has died .*Run the rest again") as caught:
        job.result(GUARD)
    assert job.status() is JobStatus.ERROR
    assert [one.name for one in caught.value.partial.results] == ["first"]
    assert sum(job.partial_result().get_counts("first").values()) == 9
    assert BACKEND.run(bell("next"), executor=executor).result(GUARD).success


def test_dask_runs_a_job_again_whose_worker_was_killed(client, executor, tmp_path):
    def allow(failures, dask_scheduler=None):
        dask_scheduler.allowed_failures = failures

    watcher = InGates()
    client.run_on_scheduler(allow, 3)
    try:
        job = submitted(
            pid_and_wait,
            qobj=lambda: None,
            prepare=lambda: OpaquePayload(str(tmp_path)),
            executor=executor,
            callback=watcher,
        )
        while not (tmp_path / "pid").exists():
            assert not job.in_final_state()
        os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
        assert job.result(GUARD).backend_name == OUTCOME.backend_name
        assert job.done()
    finally:
        client.run_on_scheduler(allow, 0)


def handler():
    return repr(signal.getsignal(signal.SIGINT))


def test_a_worker_at_work_does_not_mind_interrupts(client, executor):
    """Which a terminal sends to it as well: whether the job stops, its own process decides."""
    before = client.run(handler)
    watcher = InGates()
    job = BACKEND.run(endless(), executor=executor, callback=watcher)
    assert watcher.begun.wait(GUARD)
    worker = worker_of(client, job)
    os.kill(worker, signal.SIGINT)
    watcher.told.clear()
    while not watcher.told:  # it still speaks
        assert not job.in_final_state()
    assert job.cancel()
    job.wait_for_final_state(GUARD)
    assert job.cancelled()
    assert worker in client.run(os.getpid).values()
    assert client.run(handler) == before


def both_workers_are_free(executor):
    """Whether two jobs run at once, of which each keeps a worker for itself."""
    watchers = InGates(), InGates()
    together = [BACKEND.run(endless(), executor=executor, callback=watcher) for watcher in watchers]
    begun = all(watcher.begun.wait(GUARD) for watcher in watchers)
    for job in together:
        job.cancel()
        job.wait_for_final_state(GUARD)
    return begun


def test_work_whose_executor_is_shut_down_is_cancelled(client, executor):
    watcher = InGates()
    job = BACKEND.run(endless(), executor=executor, callback=watcher)
    assert watcher.begun.wait(GUARD)
    executor.shutdown(wait=False)
    job.wait_for_final_state(GUARD)
    assert job.cancelled()
    assert both_workers_are_free(client.get_executor())


def test_work_whose_client_has_gone_stops(client, executor):
    watcher = InGates()
    with distributed.Client(client.scheduler.address, set_as_default=False) as other:
        job = BACKEND.run(endless(), executor=other.get_executor(), callback=watcher)
        assert watcher.begun.wait(GUARD)
        job._state.parts[0].handle._mailbox.send_soon = lambda _call: None  # it dies without a word
    job.wait_for_final_state(GUARD)
    assert both_workers_are_free(executor)
    assert set(dask_module._mailboxes) == {client}  # that of the other is forgotten


def test_no_job_is_taken_by_the_executor_of_a_closed_client(client):
    with distributed.Client(client.scheduler.address) as other:
        executor = other.get_executor()
    with pytest.raises(BasicAerError, match="is closed; run the job on the executor of a new client"):
        BACKEND.run(bell("late"), executor=executor)


def began(worker_end):
    """Begin, on a worker that hears nothing but the answer to its question."""
    with mock.patch.object(dask_worker._Link, "listen"), worker_end.at_work() as monitor:
        try:
            monitor.start()
        except Cancelled:
            return False
    return True


def test_work_that_was_cancelled_before_its_worker_looks_does_not_begin(executor):
    handle = handle_for(executor, None, None)
    assert executor.submit(began, handle.for_worker()).result(GUARD) is True
    handle = handle_for(executor, None, None)
    assert handle.cancel() is True
    handle._stop.set()  # which is under way
    assert executor.submit(began, handle.for_worker()).result(GUARD) is False


def test_a_job_has_not_ended_before_all_was_heard_that_its_worker_said(executor, monkeypatch):
    go, done = threading.Event(), threading.Event()
    receive = dask_module.DaskHandle.receive
    monkeypatch.setattr(dask_module.DaskHandle, "receive", lambda *said: go.wait(GUARD) and receive(*said))
    job = BACKEND.run([bell("a"), bell("b")], executor=executor)
    job._state.futures[0].add_done_callback(lambda _: done.set())  # called after the job's own
    assert done.wait(GUARD)
    assert not job.in_final_state()
    go.set()
    assert job.result(GUARD).success
    assert job.progress().experiment == 2


def test_a_callback_that_fails_is_warned_of_and_ends_nothing(executor):
    told = mock.Mock(side_effect=SystemExit("on purpose"))
    job = BACKEND.run([bell("a"), bell("b")], executor=executor, callback=told)
    job._state.ended.wait(GUARD)
    job._state.parts[0].handle._calling.join(GUARD)
    with pytest.warns(BasicAerWarning, match="failed .SystemExit: on purpose. and was not called again"):
        assert job.result(GUARD).success
    assert told.call_count == 1


def test_a_slow_callback_keeps_no_other_job_waiting(executor):
    called, go = threading.Event(), threading.Event()

    def callback(_progress):
        called.set()
        assert go.wait(GUARD)

    job = BACKEND.run([bell("first"), endless()], executor=executor, callback=callback)
    assert called.wait(GUARD)
    assert BACKEND.run(bell("other"), executor=executor).result(GUARD).success
    job.cancel()
    job.wait_for_final_state(GUARD)
    assert job.cancelled()
    go.set()
