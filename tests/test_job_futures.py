"""Jobs among Python's futures: callbacks at their end, `as_completed` and `wait`, and coroutines that await them."""

import asyncio
import concurrent.futures
import contextlib
import logging
import pickle
import threading
from concurrent.futures import CancelledError

import pytest
from qiskit.providers import JobStatus

from basicaer import BasicAer, BasicAerError, SamplerV2, watch
from basicaer.engine.monitor import current_monitor
from basicaer.errors import JobStateError
from basicaer.primitives.job import PrimitiveJob
from jobs import GUARD, OUTCOME, Held, bell, new_job, submitted, succeed, until


def fail(_job_id, _payload):
    raise BasicAerError("No state is left; take another.")


@pytest.fixture
def held():
    one = Held()
    yield one
    one.go.set()


# Callbacks.


@pytest.mark.parametrize("fn", [succeed, fail])
def test_a_callback_is_called_once_with_the_job_however_it_ends(fn, manual):
    job, called = submitted(fn, executor=manual), []
    job.add_done_callback(lambda one: called.append((one, one.status())))
    assert not called
    manual.run_all()
    assert called == [(job, JobStatus.DONE if fn is succeed else JobStatus.ERROR)]


def test_a_callback_is_called_when_a_job_is_cancelled(held):
    job, called = submitted(held), threading.Event()
    job.add_done_callback(lambda one: called.set() if one.status() is JobStatus.CANCELLED else None)
    assert held.began.wait(GUARD)
    assert job.cancel()
    held.go.set()
    assert called.wait(GUARD)


def test_a_callback_of_a_job_that_has_ended_is_called_at_once(manual):
    job, called = submitted(succeed, executor=manual), []
    manual.run_all()
    job.add_done_callback(called.append)
    assert called == [job]


def test_a_callback_that_fails_is_logged_and_hurts_no_other(manual, caplog):
    job, called = submitted(succeed, executor=manual), []
    job.add_done_callback(lambda _: 1 / 0)
    job.add_done_callback(called.append)
    with caplog.at_level(logging.ERROR):
        manual.run_all()
    assert called == [job]
    assert job.result(GUARD) is OUTCOME
    assert "ZeroDivisionError" in caplog.text


def test_a_callback_may_ask_for_the_result_and_add_another(manual):
    job, called = submitted(succeed, executor=manual), []
    job.add_done_callback(lambda one: one.add_done_callback(lambda again: called.append(again.result(GUARD))))
    manual.run_all()
    assert called == [OUTCOME]


def test_a_callback_must_be_a_function_and_its_job_submitted():
    with pytest.raises(BasicAerError, match=r"add_done_callback\(\) takes a function of the job, not 5"):
        submitted(succeed).add_done_callback(5)
    with pytest.raises(JobStateError, match="has not been submitted"):
        new_job(succeed).add_done_callback(print)
    with pytest.raises(JobStateError, match="has not been submitted"):
        new_job(succeed).future()


def waits(job):
    """The ways to wait for a job."""
    return [
        lambda: job.result(GUARD),
        lambda: job.wait_for_final_state(GUARD),
        lambda: watch(job),
        lambda: job.future().result(GUARD),
        lambda: job.future().exception(GUARD),
    ]


@pytest.mark.parametrize("way", range(5))
def test_a_callback_that_waits_for_a_job_is_told_that_it_must_not(way, held, manual):
    """Two of them would otherwise keep both threads of a pool from the jobs that they wait for."""
    waiting, told = submitted(succeed, executor=manual), []

    def wait(_job):
        with pytest.raises(JobStateError, match="A callback cannot wait for job job 7"):
            waits(waiting)[way]()
        told.append(way)

    ended, running = submitted(succeed), submitted(held)
    running.add_done_callback(wait)
    ended.result(GUARD)
    ended.add_done_callback(wait)  # is called at once, in this thread
    assert told == [way]
    held.go.set()
    waits(running)[way]()
    until(lambda: told == [way, way])


@pytest.mark.parametrize("way", range(5))
def test_the_progress_callback_of_a_job_must_not_wait_for_it_either(way):
    jobs, told = [], []

    def run(_job_id, _payload):
        until(lambda: jobs)
        current_monitor.get().poll()
        return OUTCOME

    def tell(_progress):
        if jobs:
            with pytest.raises(JobStateError, match="A callback cannot wait"):
                waits(jobs[0])[way]()
            told.append(way)

    jobs.append(submitted(run, callback=tell))
    assert jobs[0].result(GUARD) is OUTCOME
    assert told


# Futures.


def test_the_jobs_that_have_ended_come_first(held):
    running, ended = submitted(held), submitted(succeed)
    of = {job.future(): job for job in (running, ended)}
    found = concurrent.futures.as_completed(of, GUARD)
    assert of[next(found)] is ended
    held.go.set()
    assert of[next(found)] is running


@pytest.mark.parametrize("end", ["result", "error", "cancelled"])
def test_a_future_ends_as_its_job_does(end, held):
    job = submitted({"result": succeed, "error": fail, "cancelled": held}[end])
    future = job.future()
    if end == "cancelled":
        assert held.began.wait(GUARD)
        assert future.running()
        assert future.cancel()
        assert not future.done()  # the job has yet to stop
        held.go.set()
    done, waiting = concurrent.futures.wait([future], GUARD)
    assert (done, waiting) == ({future}, set())
    assert not future.running()
    assert future.cancelled() == job.cancelled() == (end == "cancelled")
    if end == "result":
        assert future.result() is job.result()
    elif end == "error":
        assert future.exception() is job._state.error
    else:
        with pytest.raises(CancelledError):
            future.result()


def test_one_exception_is_enough_to_end_a_wait_for_the_first(held):
    futures = [submitted(held).future(), submitted(fail).future()]
    done, _ = concurrent.futures.wait(futures, GUARD, return_when=concurrent.futures.FIRST_EXCEPTION)
    assert done == {futures[1]}


def test_a_future_has_the_result_of_a_primitives_job():
    job = SamplerV2(seed=7).run([bell("")], shots=100)
    assert isinstance(job, PrimitiveJob)
    counts = [one[0].data.meas.get_counts() for one in (job.future().result(GUARD), job.result(GUARD))]
    assert counts[0] == counts[1]


def test_the_future_of_a_job_in_parts_has_the_whole_result():
    job = BasicAer.get_backend("qasm_simulator").run([bell("")] * 3, max_parallel_experiments=3)
    assert len(job.future().result(GUARD).results) == 3


@pytest.mark.parametrize(
    "call",
    [
        lambda future: future.set_result(5),
        lambda future: future.set_exception(ValueError()),
        lambda future: future.set_running_or_notify_cancel(),
    ],
)
def test_nobody_but_the_job_says_how_its_future_ends(call, held):
    job = submitted(held)
    future = job.future()
    with pytest.raises(JobStateError, match="takes its outcome from the job alone"):
        call(future)
    held.go.set()
    assert future.result(GUARD) is job.result(GUARD)


def test_a_future_says_whose_it_is_and_how_far(held):
    job = submitted(held)
    future = job.future()
    assert held.began.wait(GUARD)
    assert repr(future) == f"<JobFuture of {job!r}>"
    assert "job 7" in repr(future)
    assert "RUNNING" in repr(future)


@pytest.mark.parametrize("ask", [lambda one, time: one.result(time), lambda one, time: one.exception(time)])
def test_a_future_says_the_same_as_its_job(ask, held):
    job = submitted(held)
    future = job.future()
    with pytest.raises(concurrent.futures.TimeoutError, match="Job job 7 has not ended after 0 s; it goes on"):
        ask(future, -1)
    with pytest.raises(BasicAerError, match="timeout must be a number of seconds or None, not 'a'"):
        ask(future, "a")
    with pytest.raises(BasicAerError, match=r"add_done_callback\(\) takes a function of the future, not 5"):
        future.add_done_callback(5)
    with pytest.raises(TypeError, match="belongs to the process that runs it and cannot be pickled"):
        pickle.dumps(future)
    job.cancel()
    held.go.set()
    with pytest.raises(CancelledError, match="Job job 7 was cancelled"):
        ask(future, GUARD)


@pytest.mark.parametrize(
    ("use", "words"),
    [
        (lambda job: concurrent.futures.wait([job]), "job.future() is the job as a future"),
        (lambda job: list(concurrent.futures.as_completed([job])), "job.future() is the job as a future"),
        (lambda job: job.exception(), "job.future() is the job as a future of Python, whose exception() returns it"),
        (lambda job: job.set_result(3), "the outcome of a job is its own"),
        (lambda job: job.cancell(), "object has no attribute 'cancell'"),
    ],
)
def test_who_takes_a_job_for_a_future_is_told_what_to_do(use, words):
    with pytest.raises(AttributeError) as caught:
        use(submitted(succeed))
    assert words in str(caught.value)


# Coroutines.


def test_asyncio_is_not_given_a_job_that_would_end_in_another_thread_than_its_loop(held):
    job = submitted(held)
    with pytest.raises(
        BasicAerError, match=r"asyncio waits for tasks, not for jobs; asyncio.ensure_future\(job\) makes"
    ):
        asyncio.run(asyncio.wait([job]))

    async def wait_for_task():
        held.go.set()
        done, _ = await asyncio.wait([asyncio.ensure_future(job)], timeout=GUARD)
        return done.pop().result()

    assert asyncio.run(wait_for_task()) is job.result(GUARD)


def test_an_interrupt_that_does_not_wake_the_loop_cancels_the_job(held):
    """As that of a notebook, which only cancels the task."""
    job = submitted(held)

    async def interrupted():
        loop, task = asyncio.get_running_loop(), asyncio.ensure_future(wait_for_job())
        rescue = threading.Timer(GUARD, loop.call_soon_threadsafe, [lambda: None])
        rescue.start()
        threading.Thread(target=lambda: (waits.wait(GUARD), task.cancel())).start()
        try:
            with pytest.raises(asyncio.CancelledError):
                await task
            assert rescue.is_alive(), "only other work has woken the loop"
        finally:
            rescue.cancel()

    async def wait_for_job():
        waits.set()
        await job

    waits = threading.Event()
    asyncio.run(interrupted())
    held.go.set()
    job.wait_for_final_state(GUARD)
    assert job.cancelled()


async def awaited(job):
    return await asyncio.wait_for(job, GUARD)


@pytest.mark.parametrize("ends_before", [True, False])
def test_a_coroutine_waits_for_the_result(ends_before, manual):
    job = submitted(succeed, executor=manual)
    if ends_before:
        manual.run_all()

    async def both():
        waiting = asyncio.create_task(awaited(job))
        await asyncio.sleep(0)
        await asyncio.to_thread(manual.run_all)
        return await waiting

    assert asyncio.run(both()) is OUTCOME


def test_a_coroutine_gets_the_exception_of_the_job():
    with pytest.raises(BasicAerError, match="No state is left"):
        asyncio.run(awaited(submitted(fail)))


def test_a_coroutine_is_told_that_the_job_was_cancelled_and_is_not_cancelled_itself(held):
    job = submitted(held)

    async def told():
        waiting = asyncio.create_task(awaited(job))
        await asyncio.to_thread(held.began.wait, GUARD)
        job.cancel()
        held.go.set()
        with pytest.raises(CancelledError):
            await waiting
        return waiting.cancelled()

    assert asyncio.run(told()) is False


@pytest.mark.parametrize("shielded", [True, False])
def test_a_task_that_is_cancelled_cancels_the_job_that_it_awaits_unless_it_is_shielded(shielded, held):
    job = submitted(held)

    async def give_up():
        waiting = asyncio.create_task(awaited(asyncio.shield(job) if shielded else job))
        await asyncio.to_thread(held.began.wait, GUARD)
        waiting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await waiting
        held.go.set()
        await asyncio.to_thread(job.wait_for_final_state, GUARD)

    asyncio.run(give_up())
    assert job.status() is (JobStatus.DONE if shielded else JobStatus.CANCELLED)


def test_many_jobs_are_gathered():
    backend = BasicAer.get_backend("qasm_simulator")

    async def gathered():
        return await asyncio.gather(*(backend.run(bell(""), shots=shots) for shots in (1, 2, 3)))

    assert [sum(one.get_counts().values()) for one in asyncio.run(gathered())] == [1, 2, 3]


def test_a_loop_that_was_closed_before_the_job_has_ended_is_left_alone(manual, caplog):
    job = submitted(succeed, executor=manual)

    async def hurry():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(job), 0)

    loop = asyncio.new_event_loop()
    loop.run_until_complete(hurry())
    loop.close()  # and not by `asyncio.run`, which would cancel the task that waits for the job
    manual.run_all()
    assert job.result(GUARD) is OUTCOME
    assert "exception calling callback" not in caplog.text
