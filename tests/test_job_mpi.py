"""Jobs on the executor of mpi4py.futures, in programs that mpiexec starts; where there is MPI."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from jobs import BACKEND, GUARD, bell

pytest.importorskip("mpi4py", reason="mpi4py is not installed")
pytestmark = pytest.mark.skipif(shutil.which("mpiexec") is None, reason="there is no mpiexec")

PROGRAM = """
import json, sys
from mpi4py.futures import MPIPoolExecutor
sys.path.insert(0, {tests!r})
from jobs import BACKEND, bell, endless

if __name__ == "__main__":
    with MPIPoolExecutor() as executor:
        job = BACKEND.run([bell("a"), bell("b")], shots=50, seed_simulator=7, executor=executor)
        counts = [one.data.counts for one in job.result(30).results]
        busy = BACKEND.run(endless(), executor=executor, timeout=0.5)
        while not busy.running():
            pass
        waits = BACKEND.run(bell("waits"), executor=executor)
        answers = [busy.cancel(), waits.cancel(), waits.status().name]
        busy.wait_for_final_state(30)
    print(json.dumps([counts, answers, busy.status().name, type(busy._state.error).__name__]))
"""


def test_jobs_run_there_and_can_be_cancelled_before_they_start_and_limited_in_time(tmp_path):
    here = BACKEND.run([bell("a"), bell("b")], shots=50, seed_simulator=7).result()
    script = tmp_path / "program.py"
    script.write_text(PROGRAM.format(tests=str(Path(__file__).parent)), "utf-8")
    command = ["mpiexec", "-n", "2", sys.executable, "-m", "mpi4py.futures", str(script)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=4 * GUARD, check=False)
    assert done.returncode == 0, done.stderr
    counts, answers, status, limit = json.loads(done.stdout)
    assert counts == [one.data.counts for one in here.results]
    assert answers == [False, True, "CANCELLED"]
    assert (status, limit) == ("ERROR", "JobTimeLimitError")
