"""Jobs on worker processes: they can be watched and cancelled while they run."""

import multiprocessing
import threading
from concurrent.futures import CancelledError, ProcessPoolExecutor

import pytest
from qiskit import QuantumCircuit

from jobs import BACKEND, GUARD, bell


@pytest.fixture(scope="module")
def pool():
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield pool


def endless():
    """Longer than any test waits for."""
    circuit = QuantumCircuit(18, name="endless")
    with circuit.for_loop(range(10**6)):
        for q in range(18):
            circuit.ry(0.1, q)
            circuit.cx(q, (q + 1) % 18)
    circuit.measure_all()
    return circuit


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
