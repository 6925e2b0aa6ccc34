"""Jobs by the thousand, cancelled and killed at random moments: nothing is lost, mixed up or left behind.

``BASICAER_SOAK_SHARE`` is the part of it all that is run, 1 unless it is set; ``nox -s slow`` runs this.
"""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from qiskit import QuantumCircuit

from jobs import BACKEND, GUARD
from test_saving import BACKEND as SAVED_BACKEND
from test_saving import killed_and_resumed, killed_circuits

pytestmark = pytest.mark.slow

SHARE = float(os.environ.get("BASICAER_SOAK_SHARE", "1"))

MANY_JOBS = """
import gc, random, sys, threading
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
import psutil
from qiskit import QuantumCircuit
from qiskit.providers import JobStatus
from basicaer import BasicAer, BasicAerJob, jobs
from basicaer import job_state
from basicaer.payload import OpaquePayload
from basicaer.engine.monitor import current_monitor

count, seed = int(sys.argv[1]), int(sys.argv[2])
draw = random.Random(seed)
backend = BasicAer.get_backend("qasm_simulator")
ends = {JobStatus.DONE: 0, JobStatus.CANCELLED: 0, JobStatus.ERROR: 0}

def circuit(n, layers):
    made = QuantumCircuit(n)
    for _ in range(layers):
        made.h(range(n))
        made.cx(range(n - 1), range(1, n))
    made.measure_all()
    return made

CIRCUITS = [circuit(2, 1), circuit(5, 40), circuit(10, 10), circuit(12, 3)]

def polls(job_id, payload):
    for _ in range(payload):
        current_monitor.get().poll()
    if payload % 7 == 0:
        raise ValueError("on purpose")
    return payload

def one(executor, canceller):
    kind = draw.randrange(6)
    if kind < 4:
        job = backend.run(CIRCUITS[kind], shots=20, seed_simulator=1, executor=executor)
    else:
        rounds = draw.randrange(2000)
        job = BasicAerJob(backend, "own", polls, lambda: None, prepare=lambda: OpaquePayload(rounds), executor=executor)
        job.submit()
    how = draw.randrange(4)
    answer = None
    if how == 0:
        answer = job.cancel()
    elif how == 1:
        answer = canceller.submit(job.cancel)
    elif how == 2:
        for _ in range(draw.randrange(3000)):
            pass
        answer = job.cancel()
    return job, answer

def check(job, answer):
    job.wait_for_final_state(60)
    answer = answer.result(60) if isinstance(answer, Future) else answer
    status = job.status()
    ends[status] += 1
    assert answer in {None, status is JobStatus.CANCELLED}, (answer, status)
    try:
        result = job.result(0)
    except CancelledError:
        assert status is JobStatus.CANCELLED
    except ValueError:
        assert status is JobStatus.ERROR
    else:
        assert status is JobStatus.DONE
        assert isinstance(result, int) or sum(result.get_counts().values()) == 20
    assert job.status() is status and job.cancel() is False
    assert [job.done(), job.cancelled(), job.in_final_state()] == [
        status is JobStatus.DONE, status is JobStatus.CANCELLED, True]

def some(count):
    waiting = []
    with ThreadPoolExecutor(2) as pool, ThreadPoolExecutor(2) as canceller:
        for _ in range(count):
            waiting.append(one(draw.choice([None, pool]), canceller))
            if len(waiting) > 20:
                check(*waiting.pop(draw.randrange(len(waiting))))
        while waiting:
            check(*waiting.pop())

some(count // 5 + 50)
gc.collect()
threads, memory = threading.active_count(), psutil.Process().memory_info().rss
some(count)
gc.collect()
assert sum(ends.values()) == count + count // 5 + 50
assert all(ends.values()), ends
assert threading.active_count() <= threads, threading.enumerate()
assert job_state._unfinished == {} and jobs() == []
assert not [item for item in gc.get_objects() if isinstance(item, (Future, BasicAerJob))]
grown = psutil.Process().memory_info().rss - memory
assert grown < 16 * 2**20, f"{grown / 2**20} MiB more"
print("all is well")
"""


def test_many_small_jobs_with_random_cancels_leave_nothing_behind():
    count = max(200, int(10_000 * SHARE))
    command = [sys.executable, "-W", "error", "-c", MANY_JOBS, str(count), "1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60 + count / 10, check=False)
    assert (done.returncode, done.stdout) == (0, "all is well\n"), done.stderr


def test_jobs_whose_process_is_killed_at_random_moments_end_with_the_same_counts(tmp_path):
    times = max(3, int(50 * SHARE))
    want = SAVED_BACKEND.run(killed_circuits(), shots=300, seed_simulator=5, device="CPU").result().get_counts()
    in_the_middle = 0
    for seed in range(times):
        delays = np.random.default_rng(seed).uniform(0.01, 0.25, 2).tolist()
        got, interrupted = killed_and_resumed(tmp_path / str(seed), delays)
        in_the_middle += interrupted
        assert got in (None, want)
    assert in_the_middle >= times / 3  # else the delays are wrong for this machine


def layers(n, seed):
    angles = np.random.default_rng(seed)
    circuit = QuantumCircuit(n)
    for _ in range(5):
        for q in range(n):
            circuit.u(*angles.uniform(0, 3, 3), q)
            circuit.cx(q, (q + 1) % n)
    circuit.measure_all()
    return circuit


@pytest.mark.parametrize("executor", [None, ThreadPoolExecutor], ids=["default", "ThreadPoolExecutor"])
def test_two_hundred_jobs_at_once_on_one_backend_give_what_they_give_alone(executor):
    circuits = [layers(8 + seed % 6, seed) for seed in range(200)]
    alone = [BACKEND.run(one, shots=100, seed_simulator=seed).result(GUARD) for seed, one in enumerate(circuits)]
    pool = None if executor is None else executor(50)
    together = [BACKEND.run(one, shots=100, seed_simulator=seed, executor=pool) for seed, one in enumerate(circuits)]
    for job, want in zip(together, alone, strict=True):
        assert job.result(GUARD).get_counts() == want.get_counts()
    if pool is not None:
        pool.shutdown()
