"""The whole life of a job: submitted, waited for, watched, stopped, failed and forgotten, on every kind of executor."""

import concurrent.futures
import contextlib
import gc
import itertools
import multiprocessing
import os
import pickle
import subprocess
import sys
import threading
import weakref
from concurrent.futures import CancelledError, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from types import SimpleNamespace

import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit.classical import expr, types
from qiskit.providers import JobError, JobStatus, JobTimeoutError
from qiskit.result import Result

from basicaer import BasicAer, BasicAerError, BasicAerJob
from basicaer import job as job_module
from basicaer.devices.numpy_device import NumpyDevice, NumpyState
from basicaer.engine import checkpoint as checkpoint_module
from basicaer.engine.checkpoint import Checkpoint, current_checkpoint
from basicaer.errors import QobjValidationError
from basicaer.executor import DaemonThreadExecutor
from basicaer.qobj import QasmQobj
from basicaer.simulators import work

GUARD = 30  # seconds after which a test that hangs fails; no test waits for it otherwise
BACKEND = BasicAer.get_backend("qasm_simulator")
OUTCOME = Result(backend_name="made by hand", success=True, results=[])


def valid_qobj():
    instructions = [{"name": "h", "qubits": [0]}, {"name": "measure", "qubits": [0], "memory": [0]}]
    return {
        "qobj_id": "coin",
        "schema_version": "1.3.0",
        "type": "QASM",
        "header": {"description": "one toss"},
        "config": {"shots": 10, "memory_slots": 1, "n_qubits": 1},
        "experiments": [{"instructions": instructions}],
    }


def new_job(fn, *, qobj=None, **keys):
    return BasicAerJob(BACKEND, "job 7", fn, valid_qobj() if qobj is None else qobj, **keys)


def submitted(fn, **keys):
    job = new_job(fn, **keys)
    job.submit()
    return job


def succeed(_job_id, _payload):
    return OUTCOME


def unless_it_hangs(call):
    """Return what a call returns, or fail if it never does."""
    executor = DaemonThreadExecutor(1)
    outcome = executor.submit(call)
    executor.shutdown(wait=False)
    return outcome.result(GUARD)


class Held:
    """A job's function that says when it has begun, and goes on when it is let go."""

    def __init__(self):
        self.began = threading.Event()
        self.go = threading.Event()
        self.polls = True
        self.calls = []

    def __call__(self, job_id, payload):
        self.calls.append((job_id, payload))
        self.began.set()
        assert self.go.wait(GUARD)
        if self.polls:
            current_checkpoint.get().poll()
        return OUTCOME


class ManualExecutor(Executor):
    """Makes its calls when it is told to: an executor of a kind that jobs know nothing of."""

    def __init__(self):
        self.waiting = []
        self.running = []

    def __len__(self):  # an executor may be false
        return len(self.waiting)

    def submit(self, fn, /, *args, **kwargs):
        future = Future()
        self.waiting.append((future, partial(fn, *args, **kwargs)))
        return future

    def start(self):
        future, call = self.waiting.pop(0)
        if future.set_running_or_notify_cancel():
            self.running.append((future, call))

    def finish(self):
        future, call = self.running.pop(0)
        try:
            outcome = call()
        except BaseException as error:  # noqa: BLE001  # as every executor does
            future.set_exception(error)
        else:
            future.set_result(outcome)

    def run_all(self):
        while self.waiting:
            self.start()
        while self.running:
            self.finish()


class Clock:
    """In place of the module `time`: stands still but for what a test lets pass."""

    def __init__(self):
        self.now = 1000.0

    def monotonic(self):
        return self.now


@pytest.fixture
def manual():
    executor = ManualExecutor()
    yield executor
    executor.run_all()


@pytest.fixture(params=[DaemonThreadExecutor, ThreadPoolExecutor], ids=lambda kind: kind.__name__)
def one_thread(request):
    with request.param(1) as executor:
        yield executor


@pytest.fixture
def held(one_thread):  # let go before the executor waits for it
    held = Held()
    yield held
    held.go.set()


# Submitting


def test_nothing_runs_before_submit(manual):
    calls = []
    job = new_job(lambda *call: calls.append(call), executor=manual)
    assert manual.waiting == calls == []
    assert job.submit() is None
    manual.run_all()
    assert calls == [("job 7", valid_qobj())]


NEEDS_SUBMIT = (
    "result",
    "cancel",
    "status",
    "running",
    "done",
    "cancelled",
    "in_final_state",
    "wait_for_final_state",
    "partial_result",
)


@pytest.mark.parametrize("method", NEEDS_SUBMIT)
def test_what_rests_on_the_submission_is_refused_before_it(method):
    with pytest.raises(JobError, match=r"job 7 has not been submitted; call submit\(\)"):
        unless_it_hangs(getattr(new_job(succeed), method))


def test_what_a_job_is_made_of_is_known_before_submit():
    job = new_job(succeed)
    assert job.backend() is BACKEND
    assert job.job_id() == "job 7"
    assert job.qobj().to_dict() == valid_qobj()


def test_a_second_submit_is_refused_and_runs_nothing(manual):
    job = submitted(succeed, executor=manual)
    with pytest.raises(JobError, match="job 7 was submitted already"):
        job.submit()
    assert len(manual.waiting) == 1
    manual.run_all()
    with pytest.raises(JobError, match="job 7 was submitted already"):
        job.submit()
    assert manual.waiting == []


def test_a_second_submit_is_refused_while_the_first_is_still_preparing(manual):
    refusals = []

    def prepare():
        with pytest.raises(JobError, match="submitted already") as refusal:
            job.submit()
        refusals.append(refusal)

    job = new_job(succeed, prepare=prepare, executor=manual)
    job.submit()
    assert len(refusals) == len(manual.waiting) == 1


def test_of_many_submits_at_once_one_succeeds():
    together = threading.Barrier(8)
    with DaemonThreadExecutor(1) as executor, ThreadPoolExecutor(8) as users:
        calls = []
        job = new_job(lambda *call: calls.append(call), executor=executor)

        def submit():
            together.wait(GUARD)
            job.submit()

        errors = [attempt.exception(GUARD) for attempt in [users.submit(submit) for _ in range(8)]]
    assert [type(error) for error in errors if error is not None] == [JobError] * 7
    assert len(calls) == 1


def test_an_invalid_qobj_is_refused_by_submit_in_words_and_nothing_is_queued(manual):
    qobj = valid_qobj()
    qobj["config"]["shots"] = 0
    job = new_job(succeed, qobj=qobj, executor=manual)
    with pytest.raises(QobjValidationError, match=r"config\.shots.*bigger than or equal to 1.*minimum"):
        job.submit()
    assert manual.waiting == []
    with pytest.raises(JobError, match="has not been submitted"):
        job.status()


def test_a_job_whose_submit_failed_may_be_submitted_when_the_fault_is_mended(manual):
    qobj = valid_qobj()
    instructions = qobj["experiments"][0].pop("instructions")
    job = new_job(succeed, qobj=qobj, executor=manual)
    with pytest.raises(QobjValidationError, match=r"experiments\[0\].*instructions"):
        job.submit()
    qobj["experiments"][0]["instructions"] = instructions
    job.submit()
    manual.run_all()
    assert job.result(0) is OUTCOME


def test_a_backend_checks_a_qobj_before_queuing_it(manual):
    qobj = valid_qobj()
    del qobj["config"]
    with pytest.raises(QobjValidationError, match="config"):
        BACKEND.run(qobj, executor=manual)
    assert manual.waiting == []


def test_the_payload_is_prepared_in_the_callers_thread_once_the_qobj_is_found_valid(manual):
    threads, payloads = [], []

    def prepare():
        threads.append(threading.current_thread())
        return "payload"

    keys = {"prepare": prepare, "executor": manual}
    with pytest.raises(QobjValidationError):
        submitted(succeed, qobj={}, **keys)
    assert threads == []
    submitted(lambda _, payload: payloads.append(payload), **keys)
    manual.run_all()
    assert threads == [threading.current_thread()]
    assert payloads == ["payload"]


def test_a_failure_to_prepare_comes_out_of_submit_and_leaves_the_job_unsubmitted(manual):
    faults = [MemoryError("too big")]

    def prepare():
        if faults:
            raise faults.pop()

    job = new_job(succeed, prepare=prepare, executor=manual)
    with pytest.raises(MemoryError, match="too big"):
        job.submit()
    with pytest.raises(JobError, match="has not been submitted"):
        job.cancel()
    job.submit()
    assert job.status() is JobStatus.QUEUED


def test_an_executor_that_takes_no_more_calls_leaves_the_job_unsubmitted(one_thread):
    one_thread.shutdown()
    job = new_job(succeed, executor=one_thread)
    with pytest.raises(RuntimeError, match="shut"):
        job.submit()
    with pytest.raises(JobError, match="has not been submitted"):
        job.result()


# The Qobj


def test_the_qobj_may_be_a_dictionary_or_have_to_dict(manual):
    item = QasmQobj.from_dict(valid_qobj())
    other = SimpleNamespace(to_dict=valid_qobj)
    for qobj in (item, other):
        job = submitted(succeed, qobj=qobj, executor=manual)
        assert job.qobj() is qobj
    assert new_job(succeed).qobj() == item


def test_a_qobj_that_is_neither_is_refused():
    with pytest.raises(QobjValidationError, match="a list is neither"):
        submitted(succeed, qobj=[valid_qobj()])


def test_a_qobj_given_as_a_function_is_assembled_when_it_is_asked_for_and_once(manual):
    assembled = []

    def assemble():
        assembled.append(QasmQobj.from_dict(valid_qobj()))
        return assembled[-1]

    job = submitted(succeed, qobj=assemble, executor=manual)
    manual.run_all()
    assert assembled == []
    assert job.qobj() is job.qobj() is assembled[0]
    assert len(assembled) == 1


def test_a_qobj_may_be_asked_for_while_another_thread_assembles_it():
    qobj = QasmQobj.from_dict(valid_qobj())

    class Overtaken(BasicAerJob):
        """Its Qobj is a function when it is first looked at, and assembled at the next look."""

        looks = itertools.chain([lambda: qobj], itertools.repeat(qobj))
        _qobj = property(lambda self: next(self.looks), lambda self, value: None)

    assert Overtaken(BACKEND, "job 7", succeed, None).qobj() is qobj


def test_a_job_made_from_circuits_knows_them_as_a_qobj():
    job = BACKEND.run([bell("a"), bell("b")], shots=12, seed_simulator=3)
    qobj = job.qobj()
    assert [experiment.header.name for experiment in qobj.experiments] == ["a", "b"]
    assert (qobj.config.shots, qobj.config.seed_simulator) == (12, 3)
    assert qobj.qobj_id == job.result(GUARD).qobj_id
    assert BACKEND.run(qobj).result(GUARD).get_counts("a") == job.result(GUARD).get_counts("a")


def test_a_job_made_from_a_qobj_returns_it():
    qobj = valid_qobj()
    job = BACKEND.run(qobj)
    assert job.qobj().to_dict() == qobj
    assert job.result(GUARD).qobj_id == "coin"


def test_a_circuit_that_has_no_form_as_a_qobj_runs_all_the_same():
    circuit = QuantumCircuit(1, 1, name="loop")
    with circuit.for_loop(range(3)):
        circuit.x(0)
    circuit.measure(0, 0)
    job = BACKEND.run(circuit, shots=5)
    with pytest.raises(BasicAerError, match="'loop'"):
        job.qobj()
    assert job.result(GUARD).get_counts() == {"1": 5}


# The result


def test_a_finished_job_is_done_and_has_its_result(one_thread):
    job = submitted(succeed, executor=one_thread)
    assert unless_it_hangs(job.result) is OUTCOME
    assert job.status() is JobStatus.DONE
    assert (job.done(), job.in_final_state(), job.running(), job.cancelled()) == (True, True, False, False)
    assert job.partial_result() is OUTCOME


def test_a_result_that_comes_too_late_is_a_timeout_error_and_the_job_goes_on(one_thread, held):
    job = submitted(held, executor=one_thread)
    for seconds in (0, 0.001):
        with pytest.raises(concurrent.futures.TimeoutError, match=f"job 7 has not ended after {seconds} s; it goes on"):
            unless_it_hangs(partial(job.result, timeout=seconds))
    assert held.began.wait(GUARD)
    assert job.status() is JobStatus.RUNNING
    assert job.running()
    held.go.set()
    assert job.result(GUARD) is OUTCOME


def test_a_timeout_of_result_is_not_a_job_timeout_error(manual):
    job = submitted(succeed, executor=manual)
    with pytest.raises(TimeoutError) as caught:
        unless_it_hangs(partial(job.result, 0))
    assert not isinstance(caught.value, JobError)


def test_many_threads_may_wait_for_one_result(one_thread, held):
    job = submitted(held, executor=one_thread)
    together = threading.Barrier(9)

    def wait_for_it():
        together.wait(GUARD)
        return job.result(GUARD)

    with ThreadPoolExecutor(8) as users:
        waiting = [users.submit(wait_for_it) for _ in range(8)]
        together.wait(GUARD)
        held.go.set()
        assert all(result.result(GUARD) is OUTCOME for result in waiting)


def test_a_job_whose_status_is_final_has_its_result_at_once(manual):
    class NeverSet(threading.Event):
        """As an event looks to those who come right before it is set."""

        def set(self):
            pass

    job = new_job(succeed, executor=manual)
    job._ended = NeverSet()
    job.submit()
    manual.run_all()
    assert job.done()
    assert job.result(timeout=0) is OUTCOME


# Cancelling


def test_a_queued_job_that_is_cancelled_never_starts(one_thread, held):
    first = submitted(held, executor=one_thread)
    assert held.began.wait(GUARD)
    calls = []
    job = submitted(lambda *call: calls.append(call), executor=one_thread)
    assert job.status() is JobStatus.QUEUED
    assert unless_it_hangs(job.cancel) is True
    assert job.status() is JobStatus.CANCELLED  # at once: nothing has to stop first
    assert job.cancelled()
    assert job.in_final_state()
    assert job.partial_result() is None
    with pytest.raises(CancelledError, match="job 7 was cancelled"):
        job.result()
    held.go.set()
    assert first.result(GUARD) is OUTCOME
    one_thread.shutdown()
    assert calls == []


def test_a_running_job_that_is_cancelled_runs_until_it_has_stopped(one_thread, held):
    job = submitted(held, executor=one_thread)
    assert held.began.wait(GUARD)
    assert job.cancel() is True
    assert job.status() is JobStatus.RUNNING
    assert not job.in_final_state()
    with pytest.raises(TimeoutError):
        job.result(0)
    assert job.cancel() is True  # it still will
    held.go.set()
    job.wait_for_final_state(GUARD)
    assert job.status() is JobStatus.CANCELLED
    with pytest.raises(CancelledError, match="job 7 was cancelled"):
        job.result()
    assert job.cancel() is False  # it has
    assert job.status() is JobStatus.CANCELLED


def test_cancelling_a_finished_job_changes_nothing(one_thread):
    job = submitted(succeed, executor=one_thread)
    assert job.result(GUARD) is OUTCOME
    assert job.cancel() is False
    assert job.status() is JobStatus.DONE
    assert job.result() is OUTCOME


def test_cancelling_a_failed_job_changes_nothing(one_thread):
    job = submitted(lambda *_: 1 / 0, executor=one_thread)
    job.wait_for_final_state(GUARD)
    assert job.cancel() is False
    assert job.status() is JobStatus.ERROR
    with pytest.raises(ZeroDivisionError):
        job.result()


def test_a_cancelled_job_that_finishes_all_the_same_is_cancelled_and_its_result_is_partial_only(one_thread, held):
    held.polls = False
    job = submitted(held, executor=one_thread)
    assert held.began.wait(GUARD)
    assert job.cancel()
    held.go.set()
    job.wait_for_final_state(GUARD)
    assert job.status() is JobStatus.CANCELLED
    with pytest.raises(CancelledError):
        job.result()
    assert job.partial_result() is OUTCOME


def test_a_cancelled_job_that_fails_on_its_way_out_is_cancelled(one_thread, held):
    def fail(*call):
        held(*call)
        raise AssertionError("held.polls was set, and the job cancelled")

    for polls in (True, False):
        held.polls = polls
        held.began.clear()
        held.go.clear()
        job = submitted(fail, executor=one_thread)
        assert held.began.wait(GUARD)
        assert job.cancel()
        held.go.set()
        job.wait_for_final_state(GUARD)
        assert job.status() is JobStatus.CANCELLED
        with pytest.raises(CancelledError):
            job.result()


def test_a_job_cancelled_between_a_threads_taking_it_and_its_first_checkpoint_does_not_start():
    taken, go = threading.Event(), threading.Event()

    class SlowToStart(ThreadPoolExecutor):
        def submit(self, fn, /, *args):
            def late():
                taken.set()
                assert go.wait(GUARD)
                return fn(*args)

            return super().submit(late)

    calls = []
    with SlowToStart(1) as executor:
        job = submitted(lambda *call: calls.append(call), executor=executor)
        assert taken.wait(GUARD)
        assert job.status() is JobStatus.QUEUED  # the thread has it, but its own work has not begun
        assert job.cancel() is True
        go.set()
    assert job.status() is JobStatus.CANCELLED
    assert calls == []


def test_a_cancel_after_the_work_but_before_the_job_knows_of_it_holds():
    answers = []

    class Meddler(DaemonThreadExecutor):
        """Its futures cancel the job when they are done, before they tell the job so."""

        def submit(self, fn, /, *args):
            future = super().submit(fn, *args)
            future.add_done_callback(lambda _: answers.append(job.cancel()))
            return future

    held = Held()
    held.polls = False
    with Meddler(1) as executor:
        job = submitted(held, executor=executor)
        held.go.set()
    assert answers == [True]
    assert job.status() is JobStatus.CANCELLED


def test_a_cancel_right_after_the_job_has_ended_is_too_late(one_thread, held):
    answers = []
    job = submitted(held, executor=one_thread)
    job._future.add_done_callback(lambda _: answers.append(job.cancel()))  # called after the job's own
    held.go.set()
    one_thread.shutdown()
    assert answers == [False]
    assert job.result(0) is OUTCOME


def test_a_job_may_be_cancelled_by_its_own_work(one_thread, held):
    def cancel_itself(*call):
        held(*call)
        answer = job.cancel()
        current_checkpoint.get().poll()
        return answer

    job = submitted(cancel_itself, executor=one_thread)
    held.go.set()
    job.wait_for_final_state(GUARD)
    assert job.cancelled()


@pytest.mark.parametrize("polls", [True, False])
def test_cancel_is_true_exactly_if_the_job_ends_cancelled_however_it_races_with_the_end(one_thread, polls):
    together = threading.Barrier(5)

    def race(_job_id, _payload):
        together.wait(GUARD)
        if polls:
            current_checkpoint.get().poll()
        return OUTCOME

    def cancel(job):
        together.wait(GUARD)
        return job.cancel()

    with ThreadPoolExecutor(4) as users:
        for _ in range(50):
            job = submitted(race, executor=one_thread)
            answers = list(users.map(cancel, [job] * 4))
            job.wait_for_final_state(GUARD)
            assert any(answers) is job.cancelled()
            assert job.cancelled() or job.result(0) is OUTCOME
            assert job.cancel() is False


# Failing


def test_a_failure_in_the_worker_comes_out_of_result_with_what_was_finished(one_thread):
    error = ValueError("too many cooks")
    error.partial = OUTCOME

    def fail(_job_id, _payload):
        raise error

    job = submitted(fail, executor=one_thread)
    job.wait_for_final_state(GUARD)
    assert job.status() is JobStatus.ERROR
    assert (job.done(), job.in_final_state(), job.running(), job.cancelled()) == (False, True, False, False)
    for _ in range(2):
        with pytest.raises(ValueError, match="too many cooks") as caught:
            job.result()
        assert caught.value is error
        assert caught.value.partial is OUTCOME
    assert job.partial_result() is OUTCOME


def test_a_failure_that_knows_nothing_of_experiments_has_no_partial_result(one_thread):
    job = submitted(lambda *_: 1 / 0, executor=one_thread)
    job.wait_for_final_state(GUARD)
    assert job.partial_result() is None


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, CancelledError])
def test_even_an_unusual_exception_is_an_error_and_the_worker_lives_on(one_thread, kind):
    def fail(_job_id, _payload):
        raise kind("on purpose")

    job = submitted(fail, executor=one_thread)
    job.wait_for_final_state(GUARD)
    assert job.status() is JobStatus.ERROR
    with pytest.raises(kind, match="on purpose"):
        job.result()
    assert submitted(succeed, executor=one_thread).result(GUARD) is OUTCOME


def test_there_is_no_partial_result_before_the_end(one_thread, held):
    job = submitted(held, executor=one_thread)
    with pytest.raises(JobError, match="job 7 has not ended yet"):
        job.partial_result()
    assert held.began.wait(GUARD)
    job.cancel()
    with pytest.raises(JobError, match="job 7 has not ended yet"):
        job.partial_result()


def test_the_partial_result_is_there_as_soon_as_the_status_is_final(manual):
    statuses = []

    class Watching(Exception):  # noqa: N818  # looks at the job while its partial result is taken
        @property
        def partial(self):
            statuses.append(job.status())
            return OUTCOME

    def fail(_job_id, _payload):
        raise Watching

    job = submitted(fail, executor=manual)
    manual.run_all()
    assert statuses == [JobStatus.RUNNING]
    assert job.partial_result() is OUTCOME


# Waiting


class TimedEvent(threading.Event):
    """Waiting for it takes no time but the clock's."""

    def __init__(self, clock):
        super().__init__()
        self.clock = clock
        self.waits = []

    def wait(self, timeout=None):
        self.waits.append(timeout)
        self.clock.now += timeout
        return self.is_set()


@pytest.fixture
def clocked_job(manual, monkeypatch):
    clock = Clock()
    monkeypatch.setattr(job_module, "time", clock)
    job = new_job(succeed, executor=manual)
    job._ended = TimedEvent(clock)
    job.submit()
    return job


def test_waiting_ends_with_a_job_timeout_error_when_the_time_is_up(clocked_job):
    with pytest.raises(JobTimeoutError, match="job 7 has not ended after 12 s; it goes on"):
        unless_it_hangs(partial(clocked_job.wait_for_final_state, timeout=12))
    assert clocked_job._ended.waits == [5, 5, 2]
    assert clocked_job.status() is JobStatus.QUEUED


def test_the_callback_is_called_at_each_query_with_the_id_the_status_and_the_job(clocked_job, manual):
    calls = []

    def callback(*call):
        calls.append(call)
        if len(calls) == 2:
            manual.start()
        if len(calls) == 3:
            manual.finish()

    assert unless_it_hangs(partial(clocked_job.wait_for_final_state, wait=7, callback=callback)) is None
    queued, running = JobStatus.QUEUED, JobStatus.RUNNING
    assert calls == [("job 7", status, clocked_job) for status in (queued, queued, running)]
    assert clocked_job._ended.waits == [7, 7, 7]


def test_the_callback_is_not_called_when_the_time_is_up_or_the_job_has_ended(clocked_job, manual):
    calls = []
    wait = partial(clocked_job.wait_for_final_state, timeout=0, callback=lambda *call: calls.append(call))
    with pytest.raises(JobTimeoutError):
        unless_it_hangs(wait)
    manual.run_all()
    unless_it_hangs(wait)
    assert calls == []


def test_waiting_ends_as_soon_as_the_job_does(one_thread, held):
    job = submitted(held, executor=one_thread)

    def wait_very_long():
        job.wait_for_final_state(wait=1e6, callback=lambda *_: held.go.set())
        return job.status()

    assert unless_it_hangs(wait_very_long) is JobStatus.DONE


def test_the_callback_may_cancel_the_job(one_thread, held):
    def callback(_job_id, _status, job):
        job.cancel()
        held.go.set()

    job = submitted(held, executor=one_thread)
    assert held.began.wait(GUARD)
    job.wait_for_final_state(GUARD, callback=callback)
    assert job.cancelled()


# Executors


def test_by_default_jobs_share_the_executor_of_their_class(manual, monkeypatch):
    assert isinstance(BasicAerJob._executor, DaemonThreadExecutor)
    threads = {submitted(lambda *_: threading.current_thread()).result(GUARD) for _ in range(9)}
    assert threads <= set(BasicAerJob._executor._threads)
    monkeypatch.setattr(BasicAerJob, "_executor", manual)
    job = submitted(succeed)
    assert len(manual.waiting) == 1
    manual.run_all()
    assert job.result(0) is OUTCOME
    quick = BACKEND.run(bell("quick"), shots=3)
    assert quick.status() is JobStatus.QUEUED
    manual.run_all()
    assert sum(quick.result(0).get_counts().values()) == 3


def test_a_backend_may_have_an_executor_and_a_run_another():
    of_backend, of_run = ManualExecutor(), ManualExecutor()
    backend = type(BACKEND)(executor=of_backend)
    first, second = backend.run(bell("a")), backend.run(bell("b"), executor=of_run)
    assert (len(of_backend.waiting), len(of_run.waiting)) == (1, 1)
    of_backend.run_all()
    assert (first.status(), second.status()) == (JobStatus.DONE, JobStatus.QUEUED)
    of_run.run_all()
    assert second.done()
    backend.set_options(executor=None)
    assert backend.run(bell("c")).result(GUARD).success
    assert len(of_backend.waiting) == 0


def test_what_is_no_executor_is_refused():
    with pytest.raises(BasicAerError, match=r"executor must be a concurrent\.futures\.Executor or None, not 'threads'"):
        BACKEND.run(bell("a"), executor="threads")


def test_on_an_unknown_executor_a_job_can_be_cancelled_before_it_starts(manual):
    calls = []
    job = submitted(lambda *call: calls.append(call), executor=manual)
    assert job.status() is JobStatus.QUEUED
    assert job.cancel() is True
    assert job.status() is JobStatus.CANCELLED
    assert job.cancel() is False
    with pytest.raises(CancelledError):
        job.result()
    manual.run_all()
    assert calls == []


def test_on_an_unknown_executor_a_job_that_has_started_is_not_cancelled(manual):
    job = submitted(succeed, executor=manual)
    manual.start()
    assert job.status() is JobStatus.RUNNING
    assert job.cancel() is False
    manual.finish()
    assert job.status() is JobStatus.DONE
    assert job.result(0) is OUTCOME
    assert job.cancel() is False


def test_to_an_unknown_executor_goes_nothing_that_cannot_be_pickled(manual):
    job = submitted(polled_limit, executor=manual, timeout=60)
    call = manual.waiting[0][1]
    assert pickle.loads(pickle.dumps(call))() == 60  # noqa: S301  # our own bytes
    manual.run_all()
    assert job.result(0) == 60


def polled_limit(_job_id, _payload):
    checkpoint = current_checkpoint.get()
    checkpoint.poll()
    return checkpoint.timeout


def test_a_checkpoint_belongs_to_one_job_and_to_no_other_code(one_thread):
    jobs = [submitted(lambda *_: current_checkpoint.get(), executor=one_thread) for _ in range(2)]
    checkpoints = [job.result(GUARD) for job in jobs]
    assert checkpoints == [job._checkpoint for job in jobs]
    assert one_thread.submit(current_checkpoint.get).result(GUARD) is None


def test_a_future_that_does_not_tell_its_state_is_a_job_error(manual, monkeypatch):
    class Silent(Future):
        def running(self):
            raise ConnectionError("no answer")

    monkeypatch.setitem(ManualExecutor.submit.__globals__, "Future", Silent)
    job = submitted(succeed, executor=manual)
    for ask in (job.status, job.running, job.in_final_state, job.wait_for_final_state):
        with pytest.raises(JobError, match="job 7 does not tell its state") as caught:
            ask()
        assert isinstance(caught.value.__cause__, ConnectionError)
    manual.run_all()
    assert job.status() is JobStatus.DONE


def test_processes_run_jobs_like_threads_and_send_their_failures_back():
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as pool:
        good = BACKEND.run(bell("first"), seed_simulator=5, executor=pool)
        bad = BACKEND.run([bell("first"), dividing_by_zero("second")], seed_simulator=5, executor=pool)
        here = BACKEND.run(bell("first"), seed_simulator=5).result(GUARD)
        assert good.result(GUARD).get_counts() == here.get_counts()
        with pytest.raises(BasicAerError, match="divides by zero") as caught:
            bad.result(GUARD)
        assert caught.value.partial.get_counts("first") == here.get_counts()
        assert bad.partial_result().get_counts("first") == here.get_counts()
        assert (good.status(), bad.status()) == (JobStatus.DONE, JobStatus.ERROR)
        assert good.cancel() is bad.cancel() is False


# The time limit


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(checkpoint_module, "time", clock)
    return clock


def test_a_job_that_reaches_its_time_limit_ends_as_an_error_that_says_so(one_thread, held, clock):
    job = submitted(held, executor=one_thread, timeout=2.5)
    assert held.began.wait(GUARD)
    clock.now += 2.6
    held.go.set()
    job.wait_for_final_state(GUARD)
    assert job.status() is JobStatus.ERROR
    with pytest.raises(BasicAerError, match=r"time limit of 2\.5 s; give a longer timeout="):
        job.result()


def test_a_job_within_its_time_limit_is_not_disturbed(one_thread, held, clock):
    job = submitted(held, executor=one_thread, timeout=2.5)
    assert held.began.wait(GUARD)
    clock.now += 2.4
    held.go.set()
    assert job.result(GUARD) is OUTCOME


def test_the_time_limit_counts_from_the_start_of_the_work(one_thread, held, clock):
    submitted(held, executor=one_thread)
    job = submitted(polled_limit, executor=one_thread, timeout=2.5)
    clock.now += 60  # in the queue
    held.go.set()
    assert job.result(GUARD) == 2.5


def test_a_job_that_was_cancelled_and_reached_its_time_limit_is_cancelled(one_thread, held, clock):
    job = submitted(held, executor=one_thread, timeout=2.5)
    assert held.began.wait(GUARD)
    assert job.cancel()
    clock.now += 60
    held.go.set()
    job.wait_for_final_state(GUARD)
    assert job.cancelled()


# Jobs that backends make


def bell(name):
    circuit = QuantumCircuit(2, name=name)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.measure_all()
    return circuit


def big(name):
    circuit = QuantumCircuit(14, name=name)
    for qubit in range(100):
        circuit.h(qubit % 14)
        circuit.cx(qubit % 14, (qubit + 1) % 14)
    circuit.measure_all()
    return circuit


def dividing_by_zero(name):
    register = ClassicalRegister(2, "zero")
    circuit = QuantumCircuit(QuantumRegister(1), register, name=name)
    with circuit.if_test(expr.equal(expr.div(expr.lift(1, types.Uint(2)), register), 1)):
        circuit.x(0)
    circuit.measure(0, 0)
    return circuit


@pytest.fixture
def before(monkeypatch):
    """A dictionary: circuit's name -> what is to be called before that circuit is run."""
    calls = {}

    def execute(program, *args, **keys):
        calls.get(program.name, lambda: None)()
        return run(program, *args, **keys)

    run = work.execute
    monkeypatch.setattr(work, "execute", execute)
    return calls


@pytest.mark.parametrize("name", ["qasm_simulator", "statevector_simulator"])
def test_a_job_cancelled_in_the_middle_of_a_big_circuit_gives_its_memory_back(name, one_thread, monkeypatch):
    backend = BasicAer.get_backend(name)
    halted, go = threading.Event(), threading.Event()
    polls = itertools.count()
    made, released = [], []
    poll, new_state, release = Checkpoint.poll, NumpyDevice.new_state, NumpyState.release

    def poll_and_halt(checkpoint):
        if next(polls) == 50:
            halted.set()
            assert go.wait(GUARD)
        poll(checkpoint)

    monkeypatch.setattr(Checkpoint, "poll", poll_and_halt)
    monkeypatch.setattr(NumpyDevice, "new_state", lambda *args: made.append(new_state(*args)) or made[-1])
    monkeypatch.setattr(NumpyState, "release", lambda state: released.append(state) or release(state))
    job = backend.run(big("big"), executor=one_thread)
    assert halted.wait(GUARD)
    assert job.status() is JobStatus.RUNNING
    assert len(made) == 1
    assert released == []
    assert job.cancel() is True
    assert job.status() is JobStatus.RUNNING
    go.set()
    job.wait_for_final_state(GUARD)
    assert job.status() is JobStatus.CANCELLED
    assert released == made
    with pytest.raises(CancelledError):
        job.result()
    assert job.partial_result().results == []
    assert backend.run(bell("after"), executor=one_thread).result(GUARD).success


def test_a_later_experiment_that_fails_leaves_the_result_of_those_before_it(one_thread):
    job = BACKEND.run([bell("first"), dividing_by_zero("second"), bell("third")], shots=9, executor=one_thread)
    with pytest.raises(BasicAerError, match="divides by zero") as caught:
        job.result(GUARD)
    assert job.status() is JobStatus.ERROR
    partial_result = job.partial_result()
    assert caught.value.partial is partial_result
    assert [experiment.header["name"] for experiment in partial_result.results] == ["first"]
    assert sum(partial_result.get_counts("first").values()) == 9
    assert partial_result.job_id == job.job_id()


def test_a_failure_of_any_kind_carries_the_experiments_before_it(one_thread, before):
    def fail():
        raise MemoryError("no room")

    before["second"] = fail
    job = BACKEND.run([bell("first"), bell("second")], executor=one_thread)
    with pytest.raises(MemoryError, match="no room") as caught:
        job.result(GUARD)
    assert [experiment.header["name"] for experiment in caught.value.partial.results] == ["first"]


def test_a_job_cancelled_in_a_later_experiment_keeps_those_before_it(one_thread, before):
    begun, go = threading.Event(), threading.Event()
    before["second"] = lambda: (begun.set(), go.wait(GUARD))
    job = BACKEND.run([bell("first"), bell("second")], shots=9, executor=one_thread)
    assert begun.wait(GUARD)
    assert job.cancel()
    go.set()
    job.wait_for_final_state(GUARD)
    assert job.cancelled()
    assert [experiment.header["name"] for experiment in job.partial_result().results] == ["first"]
    assert sum(job.partial_result().get_counts("first").values()) == 9


@pytest.mark.parametrize("given", ["run", "backend"])
def test_a_backends_timeout_ends_its_jobs_and_keeps_what_was_finished(one_thread, before, clock, given):
    def let_time_pass():
        clock.now += 31

    before["second"] = let_time_pass
    options = {"timeout": 30, "executor": one_thread}
    backend = type(BACKEND)(**options) if given == "backend" else BACKEND
    job = backend.run([bell("first"), bell("second")], **(options if given == "run" else {}))
    with pytest.raises(BasicAerError, match="time limit of 30 s") as caught:
        job.result(GUARD)
    assert job.status() is JobStatus.ERROR
    assert [experiment.header["name"] for experiment in caught.value.partial.results] == ["first"]


def test_a_tiny_job_runs_inside_run_on_the_default_executor_only(one_thread, before):
    threads = []
    before["tiny"] = lambda: threads.append(threading.current_thread())
    job = BACKEND.run(bell("tiny"), shots=1)
    assert job.status() is JobStatus.DONE
    assert job.cancel() is False
    BACKEND.run(bell("tiny"), shots=1, executor=one_thread).result(GUARD)
    assert threads[0] is threading.current_thread()
    assert threads[1] in one_thread._threads


def test_a_big_job_does_not_run_inside_run(before):
    threads = []
    before["big"] = lambda: threads.append(threading.current_thread())
    BACKEND.run(big("big"), shots=1).result(GUARD)
    assert threads[0] in BasicAerJob._executor._threads


def test_a_tiny_job_that_fails_does_so_in_result(before):
    def fail():
        raise MemoryError("no room")

    before["tiny"] = fail
    job = BACKEND.run(bell("tiny"), shots=1)
    assert job.status() is JobStatus.ERROR
    with pytest.raises(MemoryError, match="no room"):
        job.result()


def test_an_interrupt_in_a_tiny_job_interrupts_run(before):
    def interrupt():
        raise KeyboardInterrupt

    before["tiny"] = interrupt
    with pytest.raises(KeyboardInterrupt):
        BACKEND.run(bell("tiny"), shots=1)


def test_a_job_may_run_another_in_its_own_thread(one_thread):
    def outer(_job_id, _payload):
        checkpoint = current_checkpoint.get()
        counts = BACKEND.run(bell("tiny"), shots=3).result(0).get_counts()
        return current_checkpoint.get() is checkpoint, sum(counts.values())

    assert submitted(outer, executor=one_thread).result(GUARD) == (True, 3)


# Being forgotten


def finished(held):
    return held


def failed(held):
    def fail(*call):
        held(*call)
        raise ValueError

    return fail


@pytest.mark.parametrize("kind", [finished, failed])
@pytest.mark.parametrize("cancelled", [False, True], ids=["", "cancelled"])
def test_a_job_that_has_ended_goes_with_its_last_user_and_takes_its_result_along(one_thread, held, kind, cancelled):
    gc.collect()
    gc.disable()  # a result may be gigabytes: it must not wait for the collector
    try:
        job = submitted(kind(held), executor=one_thread)
        assert held.began.wait(GUARD)
        if cancelled:
            job.cancel()
        held.go.set()
        one_thread.shutdown()
        with contextlib.suppress(ValueError, CancelledError):
            job.result(0)
        remembered = weakref.ref(job)
        del job
        assert remembered() is None
    finally:
        gc.enable()


def test_a_job_that_nobody_holds_runs_to_its_end_and_is_forgotten_then(one_thread, held):
    remembered = weakref.ref(submitted(held, executor=one_thread))
    assert held.began.wait(GUARD)
    gc.collect()
    assert remembered() is not None
    assert remembered() in job_module._unfinished.values()
    held.go.set()
    one_thread.shutdown()
    gc.collect()
    assert remembered() is None


# The end of the process, and its doubling

PREAMBLE = """
import os, signal, sys, threading
from basicaer import BasicAer, BasicAerJob
from basicaer import job as job_module
from basicaer.engine.checkpoint import current_checkpoint
from basicaer.errors import Cancelled
from qiskit import QuantumCircuit

begun = threading.Event()

def endless(job_id, payload):
    begun.set()
    try:
        while True:
            current_checkpoint.get().poll()
    except Cancelled:
        print("stopped", flush=True)
        raise

def deaf(job_id, payload):
    begun.set()
    threading.Event().wait()

def submitted(fn):
    job = BasicAerJob(None, "job 7", fn, lambda: None)
    job.submit()
    return job
"""


def python(script):
    """Run a script in a new interpreter; return its exit code and what it wrote."""
    done = subprocess.run(
        [sys.executable, "-c", PREAMBLE + script], capture_output=True, text=True, timeout=2 * GUARD, check=False
    )
    return done.returncode, done.stdout, done.stderr


def test_the_interpreter_exits_with_jobs_running_and_queued_and_stops_those_that_listen():
    script = """
jobs = [submitted(endless) for _ in range(os.cpu_count() + 2)]
begun.wait()
sys.exit(0)
"""
    code, output, errors = python(script)
    assert (code, errors) == (0, "")
    assert set(output.splitlines()) == {"stopped"}


def test_the_interpreter_exits_with_a_job_that_never_stops():
    script = """
job_module._EXIT_SECONDS = 0.01  # is one second otherwise
submitted(deaf)
begun.wait()
"""
    assert python(script) == (0, "", "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this platform")
def test_after_a_fork_the_child_can_run_jobs_and_exit_whatever_the_parent_was_doing():
    script = """
bell = QuantumCircuit(2)
bell.h(0)
bell.cx(0, 1)
bell.measure_all()
backend = BasicAer.get_backend("qasm_simulator")
busy = [submitted(endless) for _ in range(os.cpu_count())]
begun.wait()
busy[0]._lock.acquire()  # as held by a thread of the parent at that moment: in the child nobody will ever let it go
child = os.fork()
if child == 0:
    signal.alarm(30)  # a child that hangs ends with a signal
    counts = submitted(lambda job_id, payload: backend.run(bell, shots=8).result().get_counts()).result()
    assert sum(counts.values()) == 8
    sys.exit(0)  # through everything that is done at exit, unlike os._exit
_, status = os.waitpid(child, 0)
busy[0]._lock.release()
for job in busy:
    job.cancel()
    job.wait_for_final_state()
print(os.waitstatus_to_exitcode(status))
"""
    code, output, errors = python(script)
    assert code == 0, errors
    assert output.splitlines()[-1] == "0", errors
