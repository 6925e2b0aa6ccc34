"""The scripts of the page on clusters, with stand-ins for the commands of Slurm; everything else is real."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from qiskit import QuantumCircuit, qasm2

from basicaer import BasicAer
from documents import blocks, text_of
from jobs import GUARD

bash = shutil.which("bash")
pytestmark = [
    pytest.mark.slow,  # each starts several processes
    pytest.mark.skipif(os.name != "posix" or bash is None, reason="the scripts are for bash on POSIX"),
]

FILES = {block.title: "\n".join(block.lines) + "\n" for block in blocks(text_of("docs/cluster.md")) if block.title}

# Runs one task of a step, without the options. If a file `limit` is there, the time is up as soon as the job is saved.
SRUN = """#!{bash}
while [ "${{1#--}}" != "$1" ]; do shift; done
if [ -e limit ]; then
  "$@" & task=$!
  until [ -e saved/job.save ]; do :; done
  kill -TERM $task
  rm limit
  wait $task
else
  exec "$@"
fi
"""
# Starts ranks in place of a step; signals of Slurm go to each of them.
MPIRUN = """#!{bash}
rm -f ranks
{mpiexec} -n {tasks} {bash} -c 'echo $$ >> ranks; exec "$@"' rank "$@" & task=$!
if [ -e limit ]; then
  until [ -e saved/job.save ]; do :; done
  kill -TERM $(cat ranks)
  rm limit
fi
wait $task
"""
SCONTROL = '#!{bash}\necho "$@" >> requeued\n'
PYTHON = '#!{bash}\nexec {python} "$@"\n'
BASICAER = '#!{bash}\nexec {python} -m basicaer "$@"\n'
DASK = '#!{bash}\nexec {python} -m dask "$@"\n'


@pytest.fixture
def cluster(tmp_path):
    """A function that runs a script of the page in a folder with all files of the page; returns status and outputs."""
    commands = tmp_path / "commands"
    commands.mkdir()
    made = {"srun": SRUN, "scontrol": SCONTROL, "python": PYTHON, "basicaer": BASICAER, "dask": DASK}
    for name, text in made.items():
        (commands / name).write_text(text.format(bash=bash, python=sys.executable), "utf-8")
        (commands / name).chmod(0o755)
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, "utf-8")

    def run(script, **environment):
        environment = os.environ | {"PATH": f"{commands}:{os.environ['PATH']}", "SLURM_JOB_ID": "42"} | environment
        done = subprocess.run(
            [sys.executable if script.endswith(".py") else bash, script],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=4 * GUARD,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    return run


def test_every_script_and_program_of_the_page_is_run_here():
    source = Path(__file__).read_text("utf-8")
    scripts = [name for name in FILES if name.endswith(".sh")]
    assert len(scripts) == 6
    programs = [name for name in FILES if name.endswith(".py")]
    by_themselves = [name for name in programs if not any(name in FILES[script] for script in scripts)]
    assert all(f'cluster("{name}"' in source for name in [*scripts, *by_themselves])


def check_stopped_and_resumed(run, tmp_path):
    """Check that a script, which `run` runs, queues itself again at the time limit of a circuit, and then goes on."""
    circuit = QuantumCircuit(20, 20)
    for layer in range(6):
        circuit.ry(0.3 + layer, range(20))
        for qubit in range(20):
            circuit.cx(qubit, (qubit + 1 + 5 * layer) % 20)
    circuit.measure(range(20), range(20))
    (tmp_path / "circuit.qasm").write_text(qasm2.dumps(circuit), "utf-8")
    (tmp_path / "limit").touch()
    status, _, errors = run()
    assert status == 143, errors
    assert "basicaer resume saved continues it." in errors
    assert (tmp_path / "requeued").read_text() == "requeue 42\n"
    status, _, errors = run()
    assert (status, errors) == (0, "")
    counts = json.loads((tmp_path / "counts.json").read_text())["counts"]
    assert counts == BasicAer.get_backend("qasm_simulator").run(circuit, seed_simulator=7).result().get_counts()


def test_a_circuit_that_is_stopped_at_its_time_limit_is_queued_again_and_resumed(cluster, tmp_path):
    check_stopped_and_resumed(lambda: cluster("circuit.sh"), tmp_path)


def test_a_pool_of_processes(cluster):
    assert cluster("pool.sh", SLURM_CPUS_PER_TASK="2") == (0, "32 circuits\n", "")


def test_dask(cluster):
    pytest.importorskip("distributed", reason="Dask is not installed")
    status, output, errors = cluster("dask.sh", SLURM_CPUS_PER_TASK="1", SLURM_NTASKS="2")
    assert (status, output) == (0, "32 circuits\n"), errors


@pytest.fixture
def srun_is_mpiexec(tmp_path, cluster):
    """A function that lets `srun` start so many processes."""
    pytest.importorskip("mpi4py", reason="mpi4py is not installed")
    mpiexec = shutil.which("mpiexec")
    if mpiexec is None:
        pytest.skip("there is no mpiexec")
    srun = tmp_path / "commands" / "srun"
    return lambda tasks: srun.write_text(MPIRUN.format(bash=bash, mpiexec=mpiexec, tasks=tasks))


def test_mpi(cluster, srun_is_mpiexec):
    srun_is_mpiexec(3)
    assert cluster("mpi.sh") == (0, "32 circuits\n", "")


def test_one_state_on_several_ranks(cluster, srun_is_mpiexec):
    srun_is_mpiexec(2)
    status, output, errors = cluster("one_state.sh")
    assert status == 0, errors
    assert sorted(json.loads(output.replace("'", '"'))) == ["0" * 24, "1" * 24]


def test_a_divided_state_that_is_stopped_at_its_time_limit_is_queued_again_and_resumed(
    cluster, srun_is_mpiexec, tmp_path
):
    srun_is_mpiexec(2)
    check_stopped_and_resumed(lambda: cluster("saved_state.sh"), tmp_path)


def test_ranks_of_a_notebook(cluster, srun_is_mpiexec):
    del srun_is_mpiexec  # There is an MPI.
    status, output, errors = cluster("notebook.py")
    assert (status, errors) == (0, "")
    assert sorted(json.loads(output.replace("'", '"'))) == ["0" * 20, "1" * 20]
