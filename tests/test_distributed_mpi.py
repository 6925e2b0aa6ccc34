"""Ranks that mpiexec starts: the same counts as one process, one end for all; where there is MPI."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from jobs import GUARD

pytest.importorskip("mpi4py", reason="mpi4py is not installed")
pytestmark = pytest.mark.skipif(shutil.which("mpiexec") is None, reason="there is no mpiexec")

BEGIN = f"""
import json, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from mpi4py import MPI
from basicaer import BasicAer
from basicaer.devices.distributed import device
from test_distributed_runs import CIRCUITS, layered, measured

device._SMALLEST_DIVIDED = 0
rank = MPI.COMM_WORLD.Get_rank()
backend = BasicAer.get_backend("qasm_simulator")

def tell(what):
    every = MPI.COMM_WORLD.gather(what)
    if rank == 0:
        print(json.dumps(every))
"""
COUNTS = """
options = {"shots": 200, "seed_simulator": 5}
jobs = [backend.run(circuit, distributed=True, **options) for circuit in CIRCUITS.values()]
same = [
    job.result().get_counts() == backend.run(circuit, **options).result().get_counts()
    for job, circuit in zip(jobs, CIRCUITS.values())
]
tell(same)
"""
ENDS = """
from basicaer.engine.monitor import Monitor
poll, polls = Monitor.poll, []

def fails_once(error):
    def polled(monitor):
        if rank == 1 and monitor._look is not None:
            polls.append(rank)
            if len(polls) == 40:
                raise error
        poll(monitor)
    polls.clear()
    Monitor.poll = polled

ends = []
for error in (ValueError("odd"), MemoryError("none")):
    fails_once(error)
    try:
        backend.run(CIRCUITS["gates"], distributed=True).result()
    except Exception as raised:
        ends.append(str(raised))
Monitor.poll = poll
job = backend.run(measured(layered(16, depth=2000)), distributed=True)
if rank == 1:
    job.cancel()
job.wait_for_final_state()
ends.append(job.status().name)
try:
    backend.run(measured(layered(16, depth=2000)), distributed=True, timeout=0.4 if rank == 0 else 1000).result()
except Exception as raised:
    ends.append(type(raised).__name__)
try:
    backend.run(measured(layered(4, seed=rank)), distributed=True, seed_simulator=1)
except Exception as raised:
    ends.append(str(raised))
ends.append(backend.run(CIRCUITS["gates"], distributed=True, seed_simulator=1).result().get_counts())
tell(ends)
"""


def mpiexec(tmp_path, ranks, program):
    script = tmp_path / "program.py"
    script.write_text(BEGIN + program, "utf-8")
    command = ["mpiexec", "-n", str(ranks), sys.executable, "-m", "mpi4py", str(script)]
    return subprocess.run(command, capture_output=True, text=True, timeout=4 * GUARD, check=False, cwd=tmp_path)


@pytest.mark.parametrize("ranks", [2, 4])
def test_counts_are_those_of_one_process(tmp_path, ranks):
    done = mpiexec(tmp_path, ranks, COUNTS)
    assert done.returncode == 0, done.stderr
    same = json.loads(done.stdout)
    assert len(same) == ranks
    assert all(len(one) == 6 and all(one) for one in same)


def test_whatever_ends_one_rank_ends_all_and_the_next_job_runs(tmp_path):
    done = mpiexec(tmp_path, 4, ENDS)
    assert done.returncode == 0, done.stderr
    ends = json.loads(done.stdout)
    for rank, (odd, none, cancelled, limit, differ, counts) in enumerate(ends):
        assert odd == ("odd" if rank == 1 else "rank 1: ValueError: odd.")
        assert none == ("none" if rank == 1 else "rank 1: MemoryError: none.")
        assert cancelled == "CANCELLED"
        assert limit == "JobTimeLimitError"
        assert "ranks 1, 2, 3 have others than rank 0" in differ
        assert counts == ends[0][-1]


def test_a_number_of_ranks_that_is_no_power_of_two_is_refused(tmp_path):
    done = mpiexec(tmp_path, 3, "backend.run(CIRCUITS['gates'], distributed=True)")
    assert done.returncode != 0
    assert "A state can have 2, 4, 8, ... ranks, and mpiexec has started 3; start 2 or 4." in done.stderr


def test_a_program_that_mpiexec_has_not_started_is_told_so(tmp_path):
    script = tmp_path / "program.py"
    script.write_text(BEGIN + "backend.run(CIRCUITS['gates'], distributed=True)", "utf-8")
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=GUARD, check=False)
    assert "this process was not started by mpiexec; start it with `mpiexec -n 4 python script.py`" in done.stderr
