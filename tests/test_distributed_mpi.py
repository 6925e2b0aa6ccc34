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
        assert "ranks 1, 2, 3 differ from rank 0 in circuit 0" in differ
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


COMMAND = """
from basicaer.cli import main

def status(*arguments):
    try:
        main(arguments)
    except SystemExit as end:
        return end.code
"""


def measured_file(tmp_path, text="h q[0];\ncx q[0], q[5];"):
    path = tmp_path / "circuit.qasm"
    path.write_text(f'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[6];\ncreg c[6];\n{text}\nmeasure q -> c;\n', "utf-8")
    return path


def command(tmp_path, ranks, *arguments):
    """Run a command on ranks; return the status of each, and what all have written."""
    done = mpiexec(tmp_path, ranks, f"{COMMAND}\ntell(status(*{[str(one) for one in arguments]!r}))")
    *output, statuses = done.stdout.splitlines()
    return json.loads(statuses), "\n".join(output), done.stderr


def test_a_command_speaks_once(tmp_path):
    statuses, output, errors = command(
        tmp_path, 4, "run", measured_file(tmp_path), "--distributed", "--seed", 5, "--json"
    )
    assert (statuses, errors) == ([0] * 4, "")
    told = json.loads(output)
    assert told["counts"].keys() == {"000000", "100001"}


def test_a_command_is_refused_once_and_with_one_status(tmp_path):
    path = measured_file(tmp_path, "odd q[0];")
    statuses, output, errors = command(tmp_path, 2, "run", path, "--distributed")
    assert (statuses, output) == ([1, 1], "")
    assert errors.startswith("Error: ")
    assert len(errors.splitlines()) == 1


def test_a_command_that_mpiexec_has_not_started_names_its_option():
    done = subprocess.run(
        [sys.executable, "-m", "basicaer", "run", "examples/ghz.qasm", "--distributed"],
        capture_output=True,
        text=True,
        timeout=GUARD,
        check=False,
        cwd=Path(__file__).parents[1],
    )
    assert done.returncode == 1
    assert done.stderr.startswith("Error: --distributed finds no other ranks: this process was not started by mpiexec")


def test_a_saved_command_is_resumed_on_fewer_ranks(tmp_path):
    layers = "\n".join(f"ry(0.{q}) q[{q}];\ncx q[{q}], q[{(q + 1) % 6}];" for _ in range(60) for q in range(6))
    path, common = measured_file(tmp_path, layers), ("--distributed", "--json")
    run = ("run", path, *common, "--seed", 5, "--checkpoint-dir", tmp_path / "saved", "--timeout", 1e-3)
    statuses, _, errors = command(tmp_path, 4, *run)
    assert statuses == [124] * 4, errors
    assert "basicaer resume" in errors
    statuses, output, errors = command(tmp_path, 2, "resume", tmp_path / "saved", *common)
    assert (statuses, errors) == ([0, 0], "")
    one = subprocess.run(
        [sys.executable, "-m", "basicaer", "run", str(path), "--seed", "5", "--json"],
        capture_output=True,
        text=True,
        timeout=GUARD,
        check=True,
    )
    assert json.loads(output)["counts"] == json.loads(one.stdout)["counts"]


DIES = """
import os, signal
from basicaer.devices.distributed import pauses
from basicaer.persistence.of_ranks import RanksPersister
pauses._GATES_BETWEEN_PAUSES = 16
together, saves = RanksPersister._persist_together, []

def dying(*arguments):
    together(*arguments)
    saves.append(rank)
    if rank == 1 and len(saves) == 3:
        os.kill(os.getpid(), signal.SIGKILL)

RanksPersister._persist_together = dying
options = {"checkpoint_dir": "saved", "checkpoint_every": 1e-9, "seed_simulator": 5}
backend.run(measured(layered(8, depth=8)), distributed=True, **options).result()
"""
RESUMES = """
tell([BasicAer.resume("saved", distributed=True).result().get_counts(),
      backend.run(measured(layered(8, depth=8)), seed_simulator=5).result().get_counts()])
"""


def test_a_rank_that_is_killed_ends_the_job_and_fewer_ranks_go_on(tmp_path):
    done = mpiexec(tmp_path, 4, DIES)
    assert done.returncode != 0
    assert (tmp_path / "saved" / "running.save").exists()
    done = mpiexec(tmp_path, 2, RESUMES)
    assert done.returncode == 0, done.stderr
    for got, want in json.loads(done.stdout):
        assert got == want
