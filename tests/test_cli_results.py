"""What the command line shows of states, shots and jobs that were stopped, and in whose words it speaks."""

import json
import math
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from qiskit import QuantumCircuit, qasm2

from basicaer import BasicAer, cli, termination
from basicaer.cli import results, running
from basicaer.engine.monitor import current_monitor
from basicaer.engine.suspended import Suspension
from basicaer.job import BasicAerJob
from basicaer.persistence.folder import JobFolder
from jobs import until

HEADER = 'OPENQASM 3.0;\ninclude "stdgates.inc";\n'


def basicaer(*arguments):
    return CliRunner().invoke(cli.main, [str(argument) for argument in arguments])


@pytest.fixture
def file(tmp_path):
    """A function that writes a program of OpenQASM 3."""

    def write(text, name="file"):
        path = tmp_path / f"{name}.qasm"
        path.write_text(HEADER + text, "utf-8")
        return path

    return write


def table(output):
    return [line.split() for line in output.splitlines()]


# States.


def test_amplitudes_are_shown_with_their_states_and_probabilities(file):
    path = file("qubit[3] q; ry(2 * pi / 3) q[0]; cx q[0], q[2]; s q[0];")
    done = basicaer("run", path, "--simulator", "statevector")
    assert (done.exit_code, done.stderr) == (0, "")
    heads, first, second, last = table(done.stdout)
    assert heads == ["state", "amplitude", "probability"]
    assert (first[:3], second[:3]) == (["000", "0.5", "0.2500"], ["101", "0.866j", "0.7500"])
    assert (len(first[3]), len(second[3])) == (11, 32)
    assert last[:4] == ["file:", "3", "qubits", "in"]
    assert "shot" not in done.stdout
    assert "seed" not in done.stdout


def test_a_state_of_many_amplitudes_shows_the_largest_and_counts_the_rest(file, monkeypatch):
    monkeypatch.setattr(results, "_PART", 2**4)  # several parts
    path = file("qubit[7] q; ry(1.0) q; x q[6]; rz(0.3) q[6];")
    lines = basicaer("run", path, "--simulator", "statevector_simulator").stdout.splitlines()
    circuit = QuantumCircuit(7)
    circuit.ry(1.0, range(7))
    circuit.x(6)
    circuit.rz(0.3, 6)
    state = BasicAer.get_backend("statevector_simulator").run(circuit).result().get_statevector()
    largest = sorted(sorted(range(2**7), key=lambda place: -abs(state[place]))[:24])
    assert sorted(np.abs(state[[int(line.split()[0], 2) for line in lines[1:25]]])) == pytest.approx(
        sorted(np.abs(state[largest]))
    )
    assert lines[25] == f"and {2**7 - 24} more amplitudes that are not 0; --json lists all"


def test_of_a_state_that_was_measured_counts_and_amplitudes_are_shown(file):
    path = file("qubit[2] q; bit c; x q[1]; c = measure q[1];")
    lines = table(basicaer("run", path, "--simulator", "statevector").stdout)
    assert [line[:2] for line in lines[:2]] == [["outcome", "shots"], ["1", "1"]]
    assert lines[2][:5] == ["The", "state", "after", "the", "measurements;"]
    assert [line[:2] for line in lines[3:5]] == [["state", "amplitude"], ["10", "1"]]
    assert " 1 shot in " in " ".join(lines[-1])


def test_the_matrix_of_a_circuit_is_shown(file):
    path = file("qubit[1] q; sx q;")
    done = basicaer("run", path, "--simulator", "unitary")
    assert (done.exit_code, done.stderr) == (0, "")
    assert table(done.stdout)[:2] == [["0.5+0.5j", "0.5-0.5j"], ["0.5-0.5j", "0.5+0.5j"]]
    lines = basicaer("run", file("qubit[4] q; h q;"), "--simulator", "unitary").stdout.splitlines()
    assert [len(line.split()) for line in lines[:8]] == [8] * 8
    assert lines[8] == "the first 8 rows and columns of 16; --json lists all"


@pytest.mark.parametrize(("simulator", "shape"), [("statevector", (4, 2)), ("unitary", (4, 4, 2))])
def test_json_has_every_number_of_a_state(file, simulator, shape):
    path = file("qubit[2] q; h q[0]; s q[0];")
    done = json.loads(basicaer("run", path, "--simulator", simulator, "--json").stdout)
    assert np.shape(done[simulator]) == shape
    first_column = np.reshape(done[simulator], (4, -1, 2))[:, 0]
    assert first_column.tolist() == pytest.approx(np.array([[1, 0], [0, 1], [0, 0], [0, 0]]) * math.sqrt(0.5))


@pytest.mark.parametrize(
    ("value", "written"),
    [(0, "0"), (-1, "-1"), (-0.0 - 0.5j, "-0.5j"), (1e-9 + 1j, "1e-09+1j"), (0.5 - 0.5j, "0.5-0.5j")],
)
def test_numbers_are_written_as_people_write_them(value, written):
    assert results._written(complex(value)) == written


def test_probabilities_are_drawn_where_there_are_no_counts(file, tmp_path):
    image = pytest.importorskip("matplotlib.image", reason="matplotlib, which draws, is not installed")
    path = file("qubit[2] q; h q;")
    done = basicaer("run", path, "--simulator", "statevector", "--plot", tmp_path / "out.png")
    assert (done.exit_code, done.stderr) == (0, "")
    bar = [0x3B / 255, 0x6E / 255, 0xA8 / 255]
    assert (abs(image.imread(tmp_path / "out.png")[..., :3] - bar).max(axis=-1) < 0.01).any()
    done = basicaer("run", path, "--simulator", "unitary", "--plot", tmp_path / "out.png")
    assert done.stderr == "Error: --plot draws counts or probabilities, and a unitary has none; leave it out.\n"


def test_a_plan_is_that_of_the_simulator_and_the_threads(file):
    path = file("qubit[3] q; h q;")
    assert "with 3 threads" in basicaer("plan", path, "--threads", 3).stdout
    assert basicaer("plan", path, "--simulator", "unitary").stdout.startswith("file: 6 qubits")


@pytest.mark.parametrize("command", ["run", "plan"])
def test_an_unknown_simulator_is_refused(file, command):
    done = basicaer(command, file("qubit q;"), "--simulator", "statevctor")
    assert (done.exit_code, done.stderr) == (
        1,
        "Error: Unknown simulator 'statevctor': did you mean 'statevector'?\n",
    )


# Shots, qubits and threads.


def test_the_outcome_of_every_shot_is_shown_in_order(file):
    path = file("qubit q; bit[2] c; h q; c[0] = measure q; x q; c[1] = measure q;")
    done = basicaer("run", path, "--memory", "--shots", 6, "--seed", 5)
    summary = json.loads(basicaer("run", path, "--memory", "--shots", 6, "--seed", 5, "--json").stdout)
    assert done.stdout.splitlines()[:-1] == summary["memory"]
    assert len(summary["memory"]) == 6
    assert set(summary["memory"]) == {"01", "10"}
    assert "memory" not in json.loads(basicaer("run", path, "--json").stdout)


def test_qubits_are_those_of_the_file_and_one_is_singular(file):
    last = basicaer("run", file("qubit q; bit c; c = measure q;"), "--shots", 1, "--seed", 2).stdout.splitlines()[-1]
    assert last.startswith("file: 1 qubit, 1 shot in ")
    path = file("qubit[5] q; bit c; c = measure q[3];")
    assert "file: 5 qubits, 1024 shots in " in basicaer("run", path).stdout
    assert json.loads(basicaer("run", path, "--json").stdout)["qubits"] == 5


def test_one_more_outcome_is_singular(file):
    path = file("qubit[5] q; bit[5] c; ry(pi / 2) q; c = measure q;")
    shown = basicaer("run", path, "--shots", 29, "--seed", 12).stdout
    counts = json.loads(basicaer("run", path, "--shots", 29, "--seed", 12, "--json").stdout)["counts"]
    more = len(counts) - 24
    assert more < 1 or f"and {more} more outcome{'s' if more > 1 else ''} with " in shown


def test_threads_are_an_option(file, monkeypatch):
    taken = []
    real = BasicAerJob.submit
    monkeypatch.setattr(
        BasicAerJob,
        "submit",
        lambda job: (taken.append(job._prepare().experiments[0].devices.threads), real(job))[1],
    )
    assert basicaer("run", file("qubit q; bit c; c = measure q;"), "--threads", 3).exit_code == 0
    assert taken == [3]


# In the words of the command line.


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--shots", 0], "--shots must be a whole number of at least 1, not 0."),
        (["--seed", -1], "--seed must be a whole number of at least 0, not -1."),
        (["--threads", -1], "--threads must be a whole number of at least 0, not -1."),
        (
            ["--checkpoint-margin", 3],
            "--checkpoint-margin is for a job that is saved: give --checkpoint-dir, or leave it",
        ),
        (
            ["--checkpoint-margin", 3, "--checkpoint-dir", "new", "--timeout", 2],
            "--checkpoint-margin (3 s) must be less than --timeout (2 s).",
        ),
        (["--timeout", 1e-9], "; give a longer --timeout or none, or a smaller circuit or fewer shots."),
    ],
)
def test_errors_speak_of_the_options_of_the_command(file, options, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = basicaer("run", file("qubit q; bit c; c = measure q;"), *options)
    assert done.exit_code == (124 if "longer --timeout" in said else 1)
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_the_remedy_of_a_state_that_is_too_large_is_an_option_too(file):
    said = basicaer("run", file("qubit[45] q; bit[45] c; h q; c = measure q;"), "--device", "CPU").stderr
    assert " with --precision single" in said


def test_the_table_of_a_large_state_has_no_probability_that_is_0(file):
    lines = basicaer("run", file("qubit[14] q; h q;"), "--simulator", "statevector").stdout.splitlines()
    assert lines[1].split()[:3] == ["0" * 14, "0.007812", "6.1e-05"]


def test_a_rare_outcome_has_a_share(file):
    path = file("qubit q; bit c; rx(0.004) q; c = measure q;")
    lines = basicaer("run", path, "--shots", 2**20, "--seed", 1).stdout.splitlines()
    assert [line.split()[2] for line in lines[1:3]] == ["100.0%", "0.0007%"]


def test_json_of_a_large_state_is_written_in_pieces(file, monkeypatch):
    monkeypatch.setattr(results, "_PART", 4)
    for simulator, shape in (("statevector", (8, 2)), ("unitary", (8, 8, 2))):
        done = json.loads(basicaer("run", file("qubit[3] q; x q[1];"), "--simulator", simulator, "--json").stdout)
        numbers = np.array(done[simulator])
        assert numbers.shape == shape
        assert numbers.sum() == len(numbers) ** (len(shape) - 2)


# Outputs that cannot be written.


def shell(command):
    return subprocess.run(
        ["bash", "-c", f"{sys.executable} -m basicaer {command}"], capture_output=True, text=True, check=False
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no disk that is always full")
@pytest.mark.parametrize("options", ["--help", "run - <<< 'qreg q[1]; creg c[1]; measure q -> c;'"])
def test_a_full_disk_is_one_sentence(options):
    done = shell(f"{options} > /dev/full")
    assert (done.returncode, done.stderr) == (1, "Error: The output cannot be written: No space left on device.\n")


@pytest.mark.skipif(os.name != "posix", reason="a shell that can close an output is needed")
def test_a_closed_output_is_an_error():
    done = shell("--version >&-")
    assert (done.returncode, done.stderr) == (
        1,
        "Error: The standard output is closed, so that no result can be shown.\n",
    )


# Jobs that were stopped.


def large(path):
    circuit = QuantumCircuit(18, 18)
    for layer in range(4):
        circuit.ry(0.3 + layer, range(18))
        for qubit in range(18):
            circuit.cx(qubit, (qubit + 1 + 5 * layer) % 18)
    circuit.measure(range(18), range(18))
    path.write_text(qasm2.dumps(circuit), "utf-8")
    return path


@pytest.fixture
def in_second_pass(monkeypatch):
    """A function that sets what happens in the second pass of a job. Ctrl-C interrupts, even if a shell ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)

    def use(happens):
        passes, pass_done = [], Suspension.pass_done

        def then(suspension, suspended, state):
            passes.append(1)
            pass_done(suspension, suspended, state)
            if len(passes) == 2:
                happens()
                until(lambda: current_monitor.get().must_stop)

        monkeypatch.setattr(Suspension, "pass_done", then)

    yield use
    signal.signal(signal.SIGINT, before)


def check_resumed(path, folder):
    want = json.loads(basicaer("run", path, "--seed", 3, "--json", "--device", "CPU").stdout)["counts"]
    done = basicaer("resume", folder, "--json")
    assert (done.exit_code, done.stderr) == (0, "")
    assert json.loads(done.stdout)["counts"] == want


def saved_run(path, folder, *options):
    return basicaer(
        "run", path, "--seed", 3, "--device", "CPU", "--checkpoint-dir", folder, "--checkpoint-every", 1e9, *options
    )


@pytest.fixture
def on_sigterm(monkeypatch):
    """The handler of SIGTERM after a command, which a test may call; the one before comes back."""
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(termination, "_saver", termination._Saver())
    yield lambda: signal.getsignal(signal.SIGTERM)(signal.SIGTERM, None)
    signal.signal(signal.SIGTERM, before)


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="signals are sent as on POSIX")
@pytest.mark.usefixtures("on_sigterm")
def test_sigterm_saves_the_job_of_the_command_and_says_how_to_go_on(tmp_path, in_second_pass):
    in_second_pass(lambda: signal.pthread_kill(threading.main_thread().ident, signal.SIGTERM))
    path, folder = large(tmp_path / "large.qasm"), tmp_path / "saved"
    done = saved_run(path, folder)
    assert done.exit_code == 143
    assert done.stderr.startswith("Stopped by SIGTERM after ")
    assert done.stderr.endswith(f" passes; basicaer resume {folder} continues it.\n")
    assert (folder / "running.save").is_file()
    check_resumed(path, folder)


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="signals are sent as on POSIX")
@pytest.mark.usefixtures("on_sigterm")
def test_sigterm_while_the_job_is_started_says_how_to_go_on(tmp_path, monkeypatch):
    monkeypatch.setattr(termination._Saver, "add", lambda *_: signal.raise_signal(signal.SIGTERM))
    path, folder = large(tmp_path / "large.qasm"), tmp_path / "saved"
    done = saved_run(path, folder)
    monkeypatch.undo()
    assert done.exit_code == 143
    assert done.stderr.startswith("Stopped by SIGTERM")
    assert done.stderr.endswith(f"; basicaer resume {folder} continues it.\n")
    check_resumed(path, folder)


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="signals are sent as on POSIX")
def test_ctrl_c_saves_the_job_of_the_command_and_says_how_to_go_on(tmp_path, in_second_pass):
    in_second_pass(lambda: signal.pthread_kill(threading.main_thread().ident, signal.SIGINT))
    path, folder = large(tmp_path / "large.qasm"), tmp_path / "saved"
    done = saved_run(path, folder, "--json")
    assert done.exit_code == 130
    assert done.stderr.startswith("Cancelled after ")
    assert done.stderr.endswith(f" passes; basicaer resume {folder} continues it.\n")
    assert (folder / "running.save").is_file()
    check_resumed(path, folder)


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="signals are sent as on POSIX")
@pytest.mark.usefixtures("on_sigterm")
def test_ctrl_c_while_sigterm_saves_the_job_does_not_change_why_it_ended(tmp_path, in_second_pass):
    def both():
        main = threading.main_thread().ident
        signal.pthread_kill(main, signal.SIGTERM)
        until(lambda: current_monitor.get().must_stop)
        signal.pthread_kill(main, signal.SIGINT)

    in_second_pass(both)
    path, folder = large(tmp_path / "large.qasm"), tmp_path / "saved"
    done = saved_run(path, folder, "--json")
    assert done.exit_code == 143
    assert done.stderr.startswith("Stopped by SIGTERM after ")
    check_resumed(path, folder)


def test_a_job_that_was_cancelled_before_it_was_written_is_not_said_to_be_resumable(tmp_path, monkeypatch):
    def interrupt(_job, *_arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(BasicAerJob, "result", interrupt)
    monkeypatch.setattr(BasicAerJob, "wait_for_final_state", interrupt)  # a second Ctrl-C
    monkeypatch.setattr(JobFolder, "begin", lambda *_: None)
    done = saved_run(large(tmp_path / "large.qasm"), tmp_path / "saved", "--json")
    assert done.exit_code == 130
    assert done.stderr.startswith("Cancelled")
    assert "resume" not in done.stderr


def test_the_time_limit_of_a_saved_job_says_how_to_go_on(tmp_path, in_second_pass):
    def time_passes():
        current_monitor.get().stop_early(1e6)

    in_second_pass(time_passes)
    path, folder = large(tmp_path / "large.qasm"), tmp_path / "saved"
    done = saved_run(path, folder, "--timeout", 1000)
    assert done.exit_code == 124
    assert "its time limit of 1000 s in phase 'gates'" in done.stderr
    assert done.stderr.endswith(f"; it is saved, and basicaer resume {folder} continues it.\n")
    check_resumed(path, folder)


@pytest.mark.usefixtures("on_sigterm")
def test_before_a_job_is_started_sigterm_ends_the_command(tmp_path, monkeypatch):
    def load(*_arguments, **_keys):
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(running, "circuit_in", load)
    assert saved_run(tmp_path / "none.qasm", tmp_path / "saved").exit_code == 143


def test_when_a_job_is_done_sigterm_ends_the_command(file, tmp_path, on_sigterm):
    path = file("qubit q; bit c; c = measure q;")
    assert basicaer("run", path, "--checkpoint-dir", tmp_path / "saved").exit_code == 0
    with pytest.raises(SystemExit, match="143"):
        on_sigterm()


# What is imported.


@pytest.mark.parametrize("option", ["--version", "--help"])
def test_help_comes_without_importing_qiskit(option):
    """It takes half a second, and the package imports it on first use."""
    code = (
        "import sys; sys.argv[1:] = [sys.argv[1]]; from basicaer.cli import main\n"
        "try:\n    main(prog_name='basicaer')\nexcept SystemExit:\n    pass\n"
        "print(sorted({name.partition('.')[0] for name in sys.modules} & {'qiskit', 'numpy', 'rich'}))\n"
    )
    done = subprocess.run([sys.executable, "-c", code, option], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


# Narrow terminals.


@pytest.mark.parametrize("columns", [10, 60, 80, 120])
def test_tables_are_whole_in_any_terminal(columns, file, monkeypatch):
    """Bars are shorter or left out, outcomes and text are broken, and numbers are never cut."""
    monkeypatch.setenv("COLUMNS", str(columns))
    path = file("qubit[30] q; bit[30] c; h q[0]; cx q[0], q[29]; c = measure q;")
    lines = basicaer("run", path, "--seed", 1).stdout.splitlines()
    assert {"515", "509"} <= {word for line in lines for word in line.split()}
    assert all(len(line.rstrip()) <= max(columns, 24) for line in lines[:-1])
    assert "…" not in "".join(lines)
    layers = "".join(f"ry(0.3) q; cx q[{q}], q[{q + 1}]; cx q[{q}], q[{(q + 7) % 16}];" for q in range(15))
    plan = basicaer("plan", file(f"qubit[16] q; {layers}"), "--device", "CPU").stdout
    assert "…" not in plan
    assert {"pass", "general", "matrices"} <= set(plan.split())
    assert all(len(line) <= max(columns, 70) for line in plan.splitlines())
