"""Jobs on worker processes: they can be watched and cancelled while they run."""

import multiprocessing
import threading
from concurrent.futures import CancelledError, ProcessPoolExecutor

import pytest

from jobs import BACKEND, GUARD, bell, endless


@pytest.fixture(scope="module")
def pool():
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield pool


def test_a_running_job_is_watched_and_cancelled_and_the_worker_goes_on(pool):
    seen, began = [], threading.Event()

    def callback(progress):
        seen.append(progress)
        if progress.phase == "gates":
            began.set()

    job = BACKEND.run([bell("first"), endless()], executor=pool, callback=callback)
    assert began.wait(GUARD)
    assert job.progress().elapsed > 0
    assert job.cancel()
    with pytest.raises(CancelledError):
        job.result(GUARD)
    assert BACKEND.run(bell("next"), executor=pool, shots=10).result(GUARD).get_counts().keys() <= {"00", "11"}
