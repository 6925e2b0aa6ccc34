"""Runs what the documents show, and checks that what they name exists."""

import ast
import doctest
import importlib
import pkgutil
import re
import shlex
import shutil
import subprocess
import sys
import tomllib

import click
import pytest
from click.testing import CliRunner
from qiskit import QuantumCircuit
from qiskit.providers import JobStatus

import basicaer
from basicaer import BasicAer
from basicaer.cli import main
from basicaer.devices.cpu import device as numpy_device
from documents import ROOT, blocks, code_of, matches, printed_by, text_of

PAGES = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").glob("*.md"))
DOCUMENTS = ("README.md", "CONTRIBUTING.md", "kernels/README.md", *PAGES)
OF_BINDINGS = {"qnn_torch.py", "vqe_jax.py", "vqe_pennylane.py"}  # `nox -s bindings` runs them
EXAMPLES = sorted(path for path in (ROOT / "examples").glob("*.py") if path.name not in OF_BINDINGS)
PHASES = {"queued", "planning", "gates", "sampling", "results", "ended"}
SAYS = {  # of each example
    "cancel.py": "cancelled: True\nended as CANCELLED\n",
    "dask_sweep.py": "field 0.00   0.0%\n",
    "noise.py": "noise of strength  1.0: energy -2.4602 +- 0.0000\n",
    "qaoa.py": "cuts 10 of 12 edges; no cut has more than 10\n",
    "typed_library.py": "circuit 2: 100\nOptionValueError: shots must be a whole number of at least 1, not -1.\n",
    "vqe.py": "the ground state has -7.2962, which is 0.6% lower\n",
}


def commands():
    """The lines of the README's blocks that have no language."""
    return [line for language, _, lines in blocks(text_of("README.md")) if not language for line in lines]


# What the README shows.


def test_the_readmes_python_blocks_run_and_print_what_they_say(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where a job is saved
    namespace = {"__name__": "readme"}
    codes = ["\n".join(lines) for language, _, lines in blocks(text_of("README.md")) if language == "python"]
    printed = [printed_by(code, namespace, "README.md").splitlines() for code in codes]
    (counts,), (cancelled,), watched, (same,), (swept,), (saved,) = printed
    bell = QuantumCircuit(2)
    bell.h(0)
    bell.cx(0, 1)
    bell.measure_all()
    want = BasicAer.get_backend("qasm_simulator").run(bell, shots=1000, seed_simulator=7).result().get_counts()
    assert set(want) == {"00", "11"}
    assert ast.literal_eval(counts) == want
    assert cancelled == str(JobStatus.CANCELLED)
    assert set(watched[:-1]) & PHASES
    assert all(line in PHASES or re.fullmatch(r"\w+, \d+%", line) for line in watched[:-1])
    assert re.fullmatch(r"JobStatus\.DONE \d+\.\d s of gates", watched[-1])
    assert same == "True"
    assert swept == "(1000,) 1.0"
    assert saved == "[0.25 0.25 0.25 0.25]"


def test_the_readmes_session_prints_what_it_says(monkeypatch):
    monkeypatch.setattr(numpy_device, "has_small_kernels", lambda: True)  # as on the machine that it was written on
    (lines,) = [lines for language, _, lines in blocks(text_of("README.md")) if language == "pycon"]
    code = [line.removeprefix(">>> ") for line in lines if line.startswith(">>> ")]
    printed = printed_by("\n".join(code), {"__name__": "readme"}, "README.md")
    assert printed.splitlines() == lines[len(code) :]


def test_the_first_command_prints_what_the_readme_shows(monkeypatch):
    """Numbers aside: the counts and the time are those of the run that is shown, and so is which outcome came first."""
    monkeypatch.chdir(ROOT)
    (shown,) = ["\n".join(lines) for language, _, lines in blocks(text_of("README.md")) if language == "text"]
    done = CliRunner().invoke(main, commands()[0].split("basicaer ")[1].split())
    assert done.exit_code == 0
    want, printed = (re.sub(r"\d[\d.]*(e-\d+)?", "0", text) for text in (shown, done.output))
    assert matches(want, printed), done.output


def test_the_readme_has_two_commands_one_to_try_it_and_one_to_test_it():
    plain = [lines for language, _, lines in blocks(text_of("README.md")) if not language]
    assert [len(lines) for lines in plain] == [1, 1]
    first, second = commands()
    assert first.startswith("pip install .")
    assert "basicaer run examples/ghz.qasm" in first
    assert second.endswith("nox -s tests")


def test_ci_finds_exactly_these_commands():
    """The loop of the script that CI runs, cut out of it."""
    bash = shutil.which("bash") or pytest.skip("there is no bash here, which CI's script is written for")
    script = (ROOT / ".ci" / "run").read_text("utf-8")
    start, end = script.index("commands=()"), script.index("done < README.md") + len("done < README.md")
    loop = f'{script[start:end]}\nprintf "%s\\n" "${{commands[@]}}"'
    done = subprocess.run([bash, "-euc", loop], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == commands()


def test_the_readmes_table_names_every_option_of_run_and_no_other():
    rows = re.findall(r"^\| (`.*?) \|", text_of("README.md"), re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert named == {name for backend in BasicAer.backends() for name in dict(backend.options)}


# What the documents name.


def invocations():
    """The arguments of each `basicaer ...` in the documents' code."""
    for document in DOCUMENTS:
        for piece in code_of(document):
            for command in re.split(r"&&|;|\|", piece):
                words = shlex.split(command) if "basicaer" in command else []
                if words[:1] == ["basicaer"] and len(words) > 1:
                    yield words[1:]


def options_of(command):
    return {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}


def test_every_subcommand_and_option_that_a_document_names_exists():
    seen = set()
    for subcommand, *rest in invocations():
        seen.add(subcommand)
        assert subcommand in main.commands
        given = {word for word in rest if word.startswith("-")}
        assert given <= options_of(main.commands[subcommand])
    assert seen == set(main.commands)  # nor is one left out
    for document in DOCUMENTS:
        for piece in code_of(document):
            if piece.startswith("--"):
                assert piece.split()[0] in options_of(main.commands["run"]), piece


def test_every_option_of_the_command_line_has_help():
    for command in main.commands.values():
        assert command.help
        assert all(option.help for option in command.params if isinstance(option, click.Option))


def test_every_session_that_is_named_is_one_of_noxs():
    tree = ast.parse((ROOT / "noxfile.py").read_text("utf-8"))
    sessions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.decorator_list}
    named = set(
        re.findall(r"`(\w+)`", "\n".join(re.findall(r"^\| (`.*?) \|", text_of("CONTRIBUTING.md"), re.MULTILINE)))
    )
    assert named == sessions  # the table has them all
    for place in (*map(text_of, DOCUMENTS), (ROOT / ".ci" / "run").read_text("utf-8")):
        for words in re.findall(r"nox(?: -R)? -s ([\w ]+)", place):
            assert set(words.split()) <= sessions, words


def test_every_extra_that_is_named_in_the_code_or_the_documents_exists():
    extras = set(tomllib.loads(text_of("pyproject.toml"))["project"]["optional-dependencies"])
    sources = [path.read_text("utf-8") for path in (ROOT / "src").rglob("*.py")]
    named = set(re.findall(r"basicaer\[(\w+)\]", "\n".join([*sources, *map(text_of, DOCUMENTS)])))
    assert named
    assert named <= extras


# Examples.


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_every_example_runs_and_says_what_it_shows(path):
    done = subprocess.run([sys.executable, "-W", "error", path], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert SAYS[path.name] in done.stdout


MODULES = [
    "basicaer",
    *(
        module.name
        for module in pkgutil.walk_packages(basicaer.__path__, "basicaer.", onerror=lambda _: None)
        if module.name.split(".")[1] not in {"jax", "pennylane", "torch"}  # `nox -s bindings` tests these
    ),
]


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples_print_what_they_say(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_there_are_docstring_examples():
    assert any(doctest.testmod(importlib.import_module(name)).attempted for name in MODULES)
