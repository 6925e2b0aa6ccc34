"""Jobs submitted, waited for and asked for their results."""

import concurrent.futures
import contextlib
import itertools
import threading
from concurrent.futures import CancelledError, ThreadPoolExecutor
from functools import partial
from types import SimpleNamespace

import pytest
from qiskit import QuantumCircuit
from qiskit.providers import JobError, JobStatus, JobTimeoutError

from basicaer import BasicAerError, BasicAerJob
from basicaer import job as job_module
from basicaer.errors import JobStateError, QobjValidationError
from basicaer.executor import DaemonThreadExecutor
from basicaer.latch import Latch
from basicaer.payload import OpaquePayload
from basicaer.qobj import QasmQobj
from jobs import BACKEND, GUARD, OUTCOME, Clock, bell, new_job, submitted, succeed, unless_it_hangs, valid_qobj
from odd_values import ODD_VALUES

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
        return OpaquePayload(None)

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
    assert [type(error) for error in errors if error is not None] == [JobStateError] * 7
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
        return OpaquePayload("payload")

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
        return OpaquePayload(None)

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
    with pytest.raises(QobjValidationError, match="list is neither"):
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
    class NeverSet(Latch):
        """As a latch looks to those who come right before it is set."""

        def set(self):
            pass

    job = new_job(succeed, executor=manual)
    job._state.ended = NeverSet()
    job.submit()
    manual.run_all()
    assert job.done()
    assert job.result(timeout=0) is OUTCOME


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


class TimedLatch(Latch):
    """Waiting for it takes no time but the clock's."""

    def __init__(self, clock):
        super().__init__()
        self.clock = clock
        self.waits = []
        self.after_wait = lambda: None

    def wait(self, timeout=None):
        self.waits.append(timeout)
        self.clock.now += timeout or 0
        self.after_wait()
        return self.is_set()


@pytest.fixture
def clocked_job(manual, monkeypatch):
    clock = Clock()
    monkeypatch.setattr(job_module, "time", clock)
    job = new_job(succeed, executor=manual)
    job._state.ended = TimedLatch(clock)
    job.submit()
    return job


def test_waiting_ends_with_a_job_timeout_error_when_the_time_is_up(clocked_job):
    with pytest.raises(JobTimeoutError, match="job 7 has not ended after 12 s; it goes on"):
        unless_it_hangs(partial(clocked_job.wait_for_final_state, timeout=12))
    assert clocked_job._state.ended.waits == [5, 5, 2]
    assert clocked_job.status() is JobStatus.QUEUED


WAITS = {
    "result": lambda job, seconds: job.result(timeout=seconds),
    "timeout": lambda job, seconds: job.wait_for_final_state(timeout=seconds, wait=None),
    "wait": lambda job, seconds: job.wait_for_final_state(wait=seconds),
}
FOR_EVER = ("None", "inf", "10**400", "10**5000", "1e300", "2**63", "2**64", "np.uint64", "np.longdouble")
AT_ONCE = ("zero", "minus one", "-inf", "-10**400")
OTHER_NUMBERS = ("one", "half", "Fraction", "np.int8", "np.float16", "1e-320", "2**31")


@pytest.mark.parametrize("where", WAITS)
@pytest.mark.parametrize("name", FOR_EVER)
def test_any_wait_that_is_too_long_for_the_clock_is_for_ever(name, where, clocked_job):
    clocked_job._state.ended.after_wait = clocked_job.cancel
    with contextlib.suppress(CancelledError):
        unless_it_hangs(partial(WAITS[where], clocked_job, ODD_VALUES[name]()))
    assert clocked_job._state.ended.waits == [None]


@pytest.mark.parametrize("where", ["result", "timeout"])
@pytest.mark.parametrize("name", AT_ONCE)
def test_a_wait_that_is_over_already_ends_at_once(name, where, clocked_job):
    with pytest.raises((TimeoutError, JobTimeoutError), match="job 7 has not ended after 0 s; it goes on"):
        unless_it_hangs(partial(WAITS[where], clocked_job, ODD_VALUES[name]()))
    assert clocked_job._state.ended.waits in ([], [0])


@pytest.mark.parametrize("where", WAITS)
@pytest.mark.parametrize("name", sorted(set(ODD_VALUES) - {*FOR_EVER, *AT_ONCE, *OTHER_NUMBERS}))
def test_a_wait_for_what_is_no_number_is_refused(name, where, clocked_job):
    with pytest.raises(BasicAerError, match=r"(timeout|wait) must be a number of seconds or None, not "):
        unless_it_hangs(partial(WAITS[where], clocked_job, ODD_VALUES[name]()))
    assert clocked_job._state.ended.waits == []


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
    assert clocked_job._state.ended.waits == [7, 7, 7]


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
