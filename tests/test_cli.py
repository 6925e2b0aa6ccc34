"""The command line as a person meets it, from good circuits to bad input."""

import importlib.machinery
import importlib.metadata
import importlib.util
import itertools
import json
import math
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from qiskit import QuantumCircuit, qasm2, qasm3

from basicaer import BasicAer, BasicAerError, __version__, calibration, cli, spilling
from basicaer.cli import inputs
from basicaer.devices import registry
from basicaer.devices.cpu.device import NumpyDevice
from basicaer.devices.gpu.probe import GpuProbe
from basicaer.devices.memory import largest_state
from basicaer.devices.spilled import state_file
from basicaer.engine.monitor import current_monitor
from basicaer.engine.suspended import Suspension
from basicaer.openqasm.loading import load_circuit
from basicaer.options import Precision
from basicaer.wording import counted
from conftest import TINY_SHAPES, emulated_gpu

EXAMPLES = Path(__file__).parents[1] / "examples"
GHZ = EXAMPLES / "ghz.qasm"


def basicaer(*arguments):
    return CliRunner().invoke(cli.main, [str(argument) for argument in arguments])


def installed(*arguments, **environment):
    """The command in a process of its own: the installed one, or its function where only the path leads here."""
    script = shutil.which("basicaer", path=str(Path(sys.executable).parent))
    command = [script] if script else [sys.executable, "-c", "from basicaer.cli import main; main()"]
    return subprocess.run(
        [*command, *map(str, arguments)], env=os.environ | environment, capture_output=True, check=False
    )


def rows(output):
    """Outcome, shots and share of each line of a histogram."""
    found = [re.fullmatch(r"([01 ]+?) +(\d+) +([\d.]+)%.*", line) for line in output.splitlines()]
    return [(row[1], int(row[2]), float(row[3])) for row in found if row]


# Good circuits.


def test_a_histogram_shows_outcomes_shots_and_shares_most_frequent_first():
    done = basicaer("run", GHZ, "--shots", 500, "--seed", 3)
    assert (done.exit_code, done.stderr) == (0, "")
    want = BasicAer.get_backend("qasm_simulator").run(load_circuit(GHZ), shots=500, seed_simulator=3).result()
    counts = want.get_counts()
    assert set(counts) == {"00000", "11111"}
    in_order = sorted(counts.items(), key=lambda item: -item[1])
    assert rows(done.stdout) == [(outcome, count, round(count / 5, 1)) for outcome, count in in_order]
    for words in ("ghz: 5 qubits", "500 shots", "on the CPU", "double precision", "seed 3"):
        assert words in done.stdout.splitlines()[-1]


def test_json_has_counts_seed_device_and_precision():
    done = basicaer("run", GHZ, "--shots", 500, "--seed", 3, "--precision", "single", "--device", "cpu", "--json")
    assert (done.exit_code, done.stderr) == (0, "")
    summary = json.loads(done.stdout)
    assert summary["counts"].keys() == {"00000", "11111"}
    assert sum(summary["counts"].values()) == summary["shots"] == 500
    assert (summary["seed_simulator"], summary["device"], summary["precision"]) == (3, "CPU", "single")
    assert summary["circuit"] == "ghz"


def test_teleportation_brings_the_state_back():
    """Of OpenQASM 3, with conditions: the bit measured last, which is the leftmost, is always 0."""
    summary = json.loads(basicaer("run", EXAMPLES / "teleportation.qasm", "--json").stdout)
    assert sum(summary["counts"].values()) == summary["shots"] == 1024
    assert set(summary["counts"]) == {"000", "001", "010", "011"}


def test_a_seed_reproduces_and_without_one_the_seed_used_is_told():
    def run(*arguments):
        return json.loads(basicaer("run", EXAMPLES / "teleportation.qasm", "--json", *arguments).stdout)

    first, second = run(), run()
    assert first["seed_simulator"] != second["seed_simulator"]
    for told in (first, second):
        assert run("--seed", told["seed_simulator"])["counts"] == told["counts"]


def test_a_picture_is_drawn(tmp_path):
    image = pytest.importorskip("matplotlib.image", reason="matplotlib, which draws, is not installed")
    picture = tmp_path / "a[" / "b].png"  # no markup, although the brackets look like it
    picture.parent.mkdir()
    done = basicaer("run", GHZ, "--plot", picture)
    assert (done.exit_code, done.stderr) == (0, "")
    assert f"Picture: {picture}" in done.stdout.splitlines()
    pixels = image.imread(picture)
    bar = [0x3B / 255, 0x6E / 255, 0xA8 / 255]
    assert (abs(pixels[..., :3] - bar).max(axis=-1) < 0.01).any()


def test_json_stays_json_with_a_picture(tmp_path):
    pytest.importorskip("matplotlib", reason="matplotlib, which draws, is not installed")
    done = basicaer("run", GHZ, "--json", "--plot", tmp_path / "counts.svg")
    assert json.loads(done.stdout)["shots"] == 1024
    assert (tmp_path / "counts.svg").read_text("utf-8").startswith("<?xml")


@pytest.mark.parametrize(("qubits", "lies"), [(5, False), (30, True)])
def test_the_bars_of_long_outcomes_lie_so_that_these_can_be_read(qubits, lies, qasm_file, tmp_path):
    image = pytest.importorskip("matplotlib.image", reason="matplotlib, which draws, is not installed")
    assert basicaer("run", qasm_file(qubits, active=3), "--plot", tmp_path / "bars.png").exit_code == 0
    pixels = image.imread(tmp_path / "bars.png")[..., :3]
    is_bar = abs(pixels - [0x3B / 255, 0x6E / 255, 0xA8 / 255]).max(axis=-1) < 0.01
    widest, highest = is_bar.sum(axis=1).max(), is_bar.sum(axis=0).max()
    assert (widest > 2 * highest) if lies else (pixels.shape[0] > 500)
    assert is_bar.any(axis=0).sum() > 200


@pytest.fixture
def qasm_file(tmp_path):
    """A function that writes a circuit of some qubits in uniform superposition, all measured, to a file."""

    def write(qubits, name="uniform", active=None):
        circuit = QuantumCircuit(qubits, qubits)
        circuit.h(range(qubits if active is None else active))
        circuit.measure(range(qubits), range(qubits))
        path = tmp_path / f"{name}.qasm"
        path.write_text(qasm2.dumps(circuit), "utf-8")
        return path

    return write


def test_of_many_outcomes_the_most_frequent_are_shown_and_the_rest_counted(qasm_file):
    done = basicaer("run", qasm_file(6), "--shots", 5000, "--seed", 1)
    shown = rows(done.stdout)
    left = re.search(r"^and (\d+) more outcomes with (\d+) shots", done.stdout, re.MULTILINE)
    counts = json.loads(basicaer("run", qasm_file(6), "--shots", 5000, "--seed", 1, "--json").stdout)["counts"]
    assert len(shown) + int(left[1]) == len(counts) == 2**6
    assert sum(shots for _, shots, _ in shown) + int(left[2]) == 5000
    assert [shots for _, shots, _ in shown] == sorted(counts.values(), reverse=True)[: len(shown)]


def test_outcomes_wider_than_the_screen_are_shown_whole(qasm_file):
    done = basicaer("run", qasm_file(90, active=1), "--shots", 50, "--seed", 1)
    bits = "".join(line.split()[0] for line in done.stdout.splitlines() if re.match(r"[01]+ ", line))
    assert sorted(bits[start : start + 90] for start in (0, 90)) == ["0" * 90, "0" * 89 + "1"]


def test_names_with_brackets_are_shown_as_they_are(qasm_file):
    assert "a[b] [red]: 1 qubit, 1024 shots in" in basicaer("run", qasm_file(1, "a[b] [red]")).stdout


def test_the_installed_command_runs_in_a_process_of_its_own():
    done = installed("run", GHZ, "--seed", 3, "--json")
    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads(done.stdout)["counts"] == json.loads(basicaer("run", GHZ, "--seed", 3, "--json").stdout)["counts"]


def test_a_screen_without_unicode_gets_plain_bars():
    done = installed("run", GHZ, "--seed", 3, PYTHONIOENCODING="cp1252", PYTHONUTF8="0")
    assert (done.returncode, done.stderr) == (0, b"")
    assert b" ####" in done.stdout
    assert "█" in basicaer("run", GHZ, "--seed", 3).stdout


def test_pi_may_be_written_as_a_letter_whatever_the_machines_encoding(tmp_path):
    """OpenQASM is UTF-8; Python's default encoding is not, on some machines."""
    path = tmp_path / "greek.qasm"
    path.write_text("OPENQASM 3.0;\nqubit q;\nbit b;\nU(π, 0, π) q;\nb = measure q;\n", "utf-8")
    done = installed("run", path, "--json", LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["counts"] == {"1": 1024}


@pytest.mark.parametrize(
    ("form", "comments"), [(qasm2, "// OPENQASM 7;\n"), (qasm3, "// OPENQASM 7;\n/* or\n8 */\n")], ids=["2", "3"]
)
def test_a_circuit_is_named_after_its_file_and_comments_may_come_first(tmp_path, form, comments):
    circuit = QuantumCircuit(2)
    circuit.h(0)
    circuit.cx(0, 1)
    path = tmp_path / "my circuit.qasm"
    path.write_text(comments + form.dumps(circuit), "utf-8")
    loaded = load_circuit(path)
    assert loaded.name == "my circuit"
    assert [item.name for item in loaded.data] == ["h", "cx"]


def test_a_circuit_may_come_from_standard_input():
    done = CliRunner().invoke(cli.main, ["run", "-", "--json"], input=GHZ.read_text("utf-8"))
    assert (done.exit_code, done.stderr) == (0, "")
    assert json.loads(done.stdout)["circuit"] == "stdin"
    assert CliRunner().invoke(cli.main, ["plan", "-"], input="\ufeff" + GHZ.read_text("utf-8")).exit_code == 0
    done = CliRunner().invoke(cli.main, ["plan", "-"], input="")
    assert (done.exit_code, done.stderr) == (1, "Error: stdin is empty; it should hold an OpenQASM 2 or 3 program.\n")
    done = CliRunner().invoke(cli.main, ["run", "-"], input=b"\xff\xfe")
    assert done.exit_code == 1
    assert done.stderr == "Error: Cannot read stdin: it is not a text file, as OpenQASM files are.\n"


def test_a_plan_is_for_the_device_that_is_asked_for():
    assert "device='CPU' was asked for" in basicaer("plan", GHZ, "--device", "cpu").stdout
    assert basicaer("plan", GHZ, "--device", "TPU").stderr.startswith(
        "Error: --device must be one of 'auto', 'CPU', 'GPU'"
    )


def test_a_closed_standard_input_is_named(monkeypatch):
    monkeypatch.setattr("basicaer.openqasm.loading.sys.stdin", None)
    with pytest.raises(BasicAerError, match="Cannot read stdin: it is closed; give the name of a file"):
        load_circuit(Path("-"))


def test_help_says_all_of_each_command_in_a_terminal_of_80_columns():
    lines = basicaer("--help").stdout.splitlines()
    commands = lines[lines.index("Commands:") + 1 :]
    assert len(commands) == 4
    assert all(line.endswith(".") and not line.endswith("..") for line in commands)


def test_openqasm_2_may_use_the_gates_of_the_old_library_and_files_beside_it(tmp_path):
    (tmp_path / "mine.inc").write_text("gate twice a { x a; x a; }\n", "utf-8")
    path = tmp_path / "old.qasm"
    body = "qreg q[3]; rzz(0.5) q[0], q[1]; csx q[0], q[1]; rccx q[0], q[1], q[2]; twice q[0];"
    path.write_text(f'OPENQASM 2.0; include "qelib1.inc"; include "mine.inc"; {body}', "utf-8")
    assert [item.name for item in load_circuit(path).data] == ["rzz", "csx", "rccx", "twice"]


@pytest.mark.parametrize("declared", ["creg c[2];", ""], ids=["bits", "no bits"])
def test_a_circuit_without_measurements_runs_with_a_warning_that_says_what_to_do(tmp_path, declared):
    path = tmp_path / "silent.qasm"
    path.write_text(f'OPENQASM 2.0; include "qelib1.inc"; qreg q[2]; {declared} h q;', "utf-8")
    for options in ([], ["--json"]):
        done = basicaer("run", path, *options)
        assert done.exit_code == 0
        assert done.stderr == (
            f"Warning: {path} measures nothing, so there is nothing to count; add measurements to it, or see its "
            "amplitudes with --simulator statevector.\n"
        )
    assert basicaer("run", path, "--simulator", "statevector").stderr == ""


# Jobs that were saved.


@pytest.fixture
def stopping(monkeypatch):
    """Makes jobs stop after two passes, as if their machine were gone."""
    passes = itertools.count(1)

    def stop_after_two(suspension, suspended, state):
        pass_done(suspension, suspended, state)
        if next(passes) == 2:
            current_monitor.get().cancel()

    pass_done = Suspension.pass_done
    with monkeypatch.context() as stopping:
        stopping.setattr(Suspension, "pass_done", stop_after_two)
        yield stopping


def layers(name):
    circuit = QuantumCircuit(18, name=name)
    for layer in range(4):
        circuit.ry(0.3 + layer, range(18))
        for q in range(18):
            circuit.cx(q, (q + 1 + 5 * layer) % 18)
    return circuit


def test_a_run_that_was_lost_is_resumed_to_the_same_counts(tmp_path, stopping):
    circuit = layers("layers")
    circuit.measure_all()
    path, folder = tmp_path / "layers.qasm", tmp_path / "job"
    path.write_text(qasm2.dumps(circuit), "utf-8")
    options = ("--seed", 3, "--device", "CPU")
    lost = basicaer("run", path, *options, "--checkpoint-dir", folder, "--checkpoint-every", 1e-9)
    assert lost.exit_code == 143  # here nothing but SIGTERM cancels a job
    assert (folder / "running.save").is_file()
    stopping.undo()
    want = json.loads(basicaer("run", path, *options, "--json").stdout)["counts"]
    done = basicaer("resume", folder, "--json")
    assert (done.exit_code, done.stderr) == (0, "")
    assert json.loads(done.stdout)["counts"] == want
    again = basicaer("resume", folder, "--plot", tmp_path / "out.png")  # what is finished is there at once
    assert (again.exit_code, again.stderr) == (0, "")
    assert dict(row[:2] for row in rows(again.stdout)).items() <= want.items()
    assert (tmp_path / "out.png").is_file()


def test_of_a_job_with_several_circuits_all_are_shown(tmp_path):
    folder = tmp_path / "job"
    circuits = [load_circuit(GHZ), load_circuit(GHZ)]
    circuits[1].name = "second"
    job = BasicAer.get_backend("qasm_simulator").run(circuits, checkpoint_dir=folder, shots=8)
    want = [job.result().get_counts(at) for at in (0, 1)]
    assert [one["counts"] for one in json.loads(basicaer("resume", folder, "--json").stdout)] == want
    shown = basicaer("resume", folder).stdout
    assert shown.index("ghz: 5 qubits") < shown.index("second: 5 qubits")


def test_of_a_job_without_counts_it_is_shown_that_it_has_run(tmp_path):
    BasicAer.get_backend("statevector_simulator").run(layers("vector"), checkpoint_dir=tmp_path).result()
    done = basicaer("resume", tmp_path)
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1].startswith("vector: 18 qubits in ")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), "holds no saved job; give the --checkpoint-dir of one"),
        (("--timeout", 0), "timeout must be a positive number of seconds, not 0.0"),
        (("--checkpoint-every", -1), "--checkpoint-every must be a positive number of seconds, not -1.0"),
    ],
)
def test_what_cannot_be_resumed_is_refused_in_one_sentence(tmp_path, options, words):
    done = basicaer("resume", tmp_path, *options)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: ")
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1


# Bad input.

QASM2 = 'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[2];\n'
QASM3 = 'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[2] q;\n'
BAD_FILES = {  # what is wrong -> (what the file holds, words of the message)
    "empty": (b"", "is empty"),
    "only comments": (b"// nothing\n/* at\n all */\n", "is empty"),
    "binary": (bytes(range(128, 256)), "it is not a text file"),
    "zeros": (bytes(64), "does not begin with 'OPENQASM 2.0;' or"),
    "text": (b"hello\n", "does not begin with 'OPENQASM 2.0;' or", "syntax error"),
    "only a version": (b"OPENQASM 2", "as OpenQASM 2: "),
    "version 4": (b"OPENQASM 4.0;\nqubit q;\n", "is OpenQASM 4; versions 2 and 3 are known"),
    "syntax of 2": (QASM2.encode() + b"h q[0]\nx q[0];\n", "as OpenQASM 2: ", "bad.qasm:5,0: needed ';'"),
    "syntax of 3": (QASM3.encode() + b"h q[0]\nx q[0];\n", "as OpenQASM 3: ", "bad.qasm:5,0: syntax error at 'x'"),
    "end of 3": (QASM3.encode() + b"h q[", "as OpenQASM 3: ", "syntax error at"),
    "no way on in 3": (QASM3.encode() + b"h q[;", "as OpenQASM 3: ", "4,4: syntax error at ';'"),
    "letters of 3": (QASM3.encode() + b'include "a\n', "as OpenQASM 3: ", "token recognition error"),
    "unknown gate of 2": (QASM2.encode() + b"warp q[0];\n", "4,0: 'warp' is not defined"),
    "unknown gate of 3": (QASM3.encode() + b"warp q[0];\n", "4,0: gate 'warp' is not defined"),
    "opaque gate": (QASM2.encode() + b"opaque warp a;\nwarp q[0];\n", "Unknown instruction 'warp'"),
    "index of 2": (QASM2.encode() + b"h q[5];\n", "as OpenQASM 2: ", "out-of-range"),
    "index of 3": (QASM3.encode() + b"if (true) { h q[5]; }\n", "as OpenQASM 3: "),
    "input of 3": (QASM3.encode() + b"input float a;\nrx(a) q[0];\n", "without a value", "'a'"),
}


def the_sentence(done):
    """What a failed command said: on stderr only, in one sentence."""
    assert done.exit_code != 0
    assert isinstance(done.exception, SystemExit), done.exc_info
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("Error: ")
    sentence = line.removeprefix("Error: ")
    assert sentence.endswith(".")
    assert ". " not in sentence
    assert "Traceback" not in sentence
    return sentence


@pytest.mark.parametrize("case", BAD_FILES)
def test_a_bad_file_is_refused_in_one_sentence(tmp_path, case):
    text, *words = BAD_FILES[case]
    path = tmp_path / "bad.qasm"
    path.write_bytes(text)
    sentence = the_sentence(basicaer("run", path))
    assert "bad" in sentence
    assert all(word in sentence for word in words), sentence


def test_a_parser_that_fails_without_a_word_is_still_a_sentence(tmp_path, monkeypatch):
    def parse(_text):
        raise RuntimeError from ValueError("of no place")

    monkeypatch.setattr("openqasm3.parse", parse)
    path = tmp_path / "silent.qasm"
    path.write_text(QASM3, "utf-8")
    assert the_sentence(basicaer("run", path)) == f"{path} cannot be read as OpenQASM 3: syntax error."


def test_a_missing_file_and_a_directory_are_refused_in_one_sentence(tmp_path):
    assert "Cannot read" in the_sentence(basicaer("run", tmp_path))
    missing = tmp_path / "missing.qasm"
    assert the_sentence(basicaer("run", missing)) == f"Cannot read {missing}: No such file or directory."


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--shots", 0, "--shots must be a whole number of at least 1, not 0"),
        ("--shots", -5, "shots must be"),
        ("--shots", 2**63, "it may be 2**53 at most"),
        ("--seed", -1, "--seed must be"),
        ("--device", "TPU", "device must be one of 'auto', 'CPU', 'GPU', not 'TPU'"),
        ("--precision", "half", "precision must be one of 'double', 'single', not 'half'"),
        ("--device", "GPU", "--device GPU cannot be used: "),
    ],
)
def test_a_bad_option_is_refused_in_one_sentence(option, value, words):
    assert words in the_sentence(basicaer("run", GHZ, option, value))


def test_asking_for_the_gpu_says_why_there_is_none():
    assert registry.why_no_gpu() in basicaer("run", GHZ, "--device", "GPU").stderr


@pytest.mark.parametrize("command", [("run", "--plot"), ("resume", "--plot"), ("plan", "--draw")])
@pytest.mark.parametrize(
    ("name", "words"),
    [
        *[(name, "must end in one of .eps, ") for name in ("", ".", "..", "counts", "counts.", ".png", "a.no_picture")],
        ("no/such/folder.png", "there is no folder no/such"),
        ("folder.png", "it is a folder"),
    ],
)
def test_a_picture_that_cannot_be_written_is_refused_before_anything_runs(tmp_path, monkeypatch, command, name, words):
    pytest.importorskip("matplotlib", reason="matplotlib, which draws, is not installed")
    monkeypatch.chdir(tmp_path)
    Path("folder.png").mkdir()
    sentence = the_sentence(basicaer(command[0], "missing.qasm", command[1], name))
    assert sentence.startswith(f"Cannot write the picture {Path(name)}: ")
    assert words in sentence
    assert [path.name for path in tmp_path.iterdir()] == ["folder.png"]


def test_a_picture_that_cannot_be_written_after_all_is_said(tmp_path, monkeypatch):
    figure = pytest.importorskip("matplotlib.figure", reason="matplotlib, which draws, is not installed")

    def savefig(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(figure.Figure, "savefig", savefig)
    for command, option in (("run", "--plot"), ("plan", "--draw")):
        sentence = the_sentence(basicaer(command, GHZ, option, tmp_path / "a.png"))
        assert sentence.startswith("Cannot write the picture ")
        assert "No space left on device" in sentence


@pytest.mark.parametrize("arguments", [("run", GHZ, "--checkpoint-dir", ""), ("resume", "")])
def test_an_empty_name_of_a_folder_is_refused(tmp_path, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    assert "--checkpoint-dir must be the path of a folder" in the_sentence(basicaer(*arguments))


@pytest.mark.parametrize("command", ["run", "plan"])
def test_a_full_memory_is_said(monkeypatch, command):
    def load(_path, _inputs):
        raise MemoryError

    monkeypatch.setattr(inputs, "load", load)
    assert the_sentence(basicaer(command, GHZ)) == "The memory is full; use a smaller circuit."


def test_a_picture_without_matplotlib_is_refused_with_the_remedy(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert "pip install 'basicaer[plot]'" in the_sentence(basicaer("run", GHZ, "--plot", tmp_path / "counts.png"))


def test_the_installed_command_fails_without_a_traceback(tmp_path):
    done = installed("run", tmp_path / "missing.qasm")
    assert done.returncode != 0
    assert done.stdout == b""
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith(b"Error: Cannot read ")


# What is there.


def test_info_names_versions_memory_qubits_that_fit_and_why_the_gpu_is_off(monkeypatch):
    free = 3 * 2**30
    monkeypatch.setattr(NumpyDevice, "free_bytes", lambda _self: free)
    done = basicaer("info")
    assert (done.exit_code, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    for name in ("qiskit", "numpy"):
        assert f"{name} {importlib.metadata.version(name)}" in lines[0]
    assert f"basicaer {__version__}" in lines[0]
    assert f"Python {sys.version.split()[0]}" in lines[0]
    double, single = (largest_state(NumpyDevice(), precision, NumpyDevice().free_bytes()) for precision in Precision)
    assert single == double + 1
    assert 2**double * 16 <= free < 2 ** (double + 1) * 16
    threads = counted(NumpyDevice().threads, "thread")
    assert (
        lines[1]
        == f"CPU: {threads}, 3 GiB free; qubits that fit: {double} in double precision, {single} in single precision"
    )
    assert lines[2] == f"GPU: off, {registry.why_no_gpu()}"


def test_version_and_help_are_there():
    assert __version__ in basicaer("--version").stdout
    for arguments in (["-h"], ["run", "--help"], ["plan", "--help"], ["info", "--help"]):
        done = basicaer(*arguments)
        assert done.exit_code == 0
        assert done.stdout.startswith("Usage: ")


def test_a_file_with_a_mark_in_front_is_read(tmp_path):
    for version, name in (("2.0", "ghz.qasm"), ("3.0", "teleportation.qasm")):
        text = (EXAMPLES / name).read_text("utf-8")
        marked = tmp_path / f"{version}.qasm"
        marked.write_text(text, "utf-8-sig")
        assert basicaer("run", marked).exit_code == 0


def test_inputs_without_a_value_are_named(tmp_path):
    path = tmp_path / "open.qasm"
    path.write_text("OPENQASM 3.0; include 'stdgates.inc'; input float a; qubit q; rx(a) q;".replace("'", '"'), "utf-8")
    done = basicaer("run", path)
    assert done.exit_code != 0
    assert "has inputs without a value ('a'); give each with --bind NAME=NUMBER." in done.stderr


SIMPLE = """OPENQASM 3.0; include "stdgates.inc"; input float a; input float b;
qubit q; bit d; rx(a) q; rx(b) q; d = measure q;"""


def test_inputs_are_given_values(tmp_path):
    path = tmp_path / "open.qasm"
    path.write_text(SIMPLE, "utf-8")
    done = basicaer("run", path, "--json", "--bind", "a=3", "--bind", f"b={math.pi - 3}")
    assert json.loads(done.stdout)["counts"] == {"1": 1024}


@pytest.mark.parametrize(
    ("binds", "message"),
    [
        (["a=1"], "inputs without a value ('b'); give each with --bind"),
        (["a=1", "b=2", "c=3"], "--bind 'c=3' names no input of"),
        (["a=1", "b=2", "a=3"], "--bind gives 'a' twice; give it once."),
        (["a=1", "b"], "--bind 'b' has no number; give NAME=NUMBER."),
        (["a=1", "b=pi"], "--bind 'b=pi' has no number; give NAME=NUMBER."),
        (["a=1", "b=nan"], "finite"),
        (["a=1", "b=1e999"], "finite"),
    ],
)
def test_values_of_inputs_that_cannot_be_are_refused(tmp_path, binds, message):
    path = tmp_path / "open.qasm"
    path.write_text(SIMPLE, "utf-8")
    done = basicaer("run", path, *[word for bind in binds for word in ("--bind", bind)])
    assert done.exit_code == 1
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_package_runs_as_the_command():
    command = [sys.executable, "-m", "basicaer", "--version"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.startswith("basicaer, version")


def test_a_state_is_spilled_on_the_command_line(tmp_path, monkeypatch):
    monkeypatch.setattr(NumpyDevice, "free_bytes", lambda _: 1)
    monkeypatch.setattr(spilling, "TOO_SMALL_TO_ASK", 0)
    monkeypatch.setattr(state_file, "_IN_MEMORY", frozenset())  # where temporary files are in memory
    monkeypatch.setattr(calibration, "_MOVED_AMPLITUDES", 2**10)
    monkeypatch.setattr(calibration, "calibration_file", lambda: tmp_path / "calibration.json")
    path = tmp_path / "coin.qasm"
    path.write_text('OPENQASM 2.0; include "qelib1.inc"; qreg q[2]; creg c[2]; x q; measure q -> c;')
    shown = CliRunner().invoke(cli.main, ["run", str(path), "--spill", str(tmp_path), "--json", "--shots", "3"])
    assert shown.exit_code == 0, shown.output
    assert f"disk of {tmp_path}" in shown.output
    shown = CliRunner().invoke(cli.main, ["plan", str(path), "--spill", str(tmp_path)])
    assert "The state has 64 bytes outside of the device" in shown.output
    shown = CliRunner().invoke(cli.main, ["run", str(path), "--spill", str(tmp_path), "--simulator", "unitary"])
    assert shown.exit_code == 1
    assert "'spill'" in shown.output


def test_a_state_that_does_not_fit_a_gpu_is_spilled_to_the_host_on_the_command_line(tmp_path, monkeypatch):
    device = emulated_gpu(TINY_SHAPES)
    monkeypatch.setattr(registry, "probe_gpu", lambda: GpuProbe(cards=("0: Emulated GPU",)))
    monkeypatch.setattr(registry, "gpu_device", lambda _number: device)
    for name in ("free_bytes", "expected_free_bytes"):
        monkeypatch.setattr(type(device), name, lambda _: 1)
    monkeypatch.setattr(spilling, "TOO_SMALL_TO_ASK", 0)
    path = tmp_path / "coin.qasm"
    path.write_text('OPENQASM 2.0; include "qelib1.inc"; qreg q[2]; creg c[2]; x q; measure q -> c;')
    shown = CliRunner().invoke(cli.main, ["run", str(path), "--device", "GPU", "--spill", "host", "--json"])
    assert shown.exit_code == 0, shown.output
    assert "GPU and host memory" in shown.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--spill", "missing"], "missing' (No such file or directory); make the folder, or choose another one."),
        (
            ["--spill", ".", "--device", "GPU"],
            "A folder in --spill is for states on the CPU: leave out --device GPU, or give --spill host.",
        ),
    ],
)
def test_what_is_wrong_with_spilling_is_said_in_the_words_of_the_command_line(arguments, words, tmp_path, monkeypatch):
    monkeypatch.setattr(NumpyDevice, "free_bytes", lambda _: 1)
    monkeypatch.setattr(spilling, "TOO_SMALL_TO_ASK", 0)
    monkeypatch.chdir(tmp_path)
    Path("spill.qasm").write_text('OPENQASM 2.0; include "qelib1.inc"; qreg q[2]; creg c[2]; x q; measure q -> c;')
    for command in ("run", "plan"):
        shown = CliRunner().invoke(cli.main, [command, "spill.qasm", *arguments])
        assert shown.exit_code == 1
        assert words in shown.output
