"""Whole programs: the examples, the docstrings, and PennyLane's own tests of devices."""

import doctest
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pennylane
import pytest

import basicaer.jax
import basicaer.pennylane.device
import basicaer.torch
from documents import blocks, matches, printed_by, text_of

ROOT = Path(__file__).parents[2]
SAYS = {  # of each example
    "qnn_torch.py": "% of the points it has not seen\n",
    "vqe_jax.py": "within 1 % of the ground state\n",
    "vqe_pennylane.py": "within 1 % of the ground state\n",
}


@pytest.mark.parametrize("name", SAYS)
def test_an_example_runs_and_says_what_it_shows(name):
    done = subprocess.run([sys.executable, ROOT / "examples" / name], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert SAYS[name] in done.stdout


@pytest.mark.parametrize(
    "module", [basicaer.jax, basicaer.pennylane.device, basicaer.torch], ids=lambda one: one.__name__
)
def test_docstring_examples_print_what_they_say(module):
    found = doctest.testmod(module, optionflags=doctest.ELLIPSIS)
    assert found.attempted
    assert not found.failed


def test_the_blocks_of_the_page_run_and_print_what_the_block_after_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where a job is saved
    namespace, printed = {"__name__": "page"}, None
    needed = set()
    for block in blocks(text_of("docs/gradients.md")):
        code = "\n".join(block.lines)
        if block.language == "text":
            assert matches(code, printed), f"{code}\n\nbut it prints\n\n{printed}"
        elif block.language == "python":
            printed = printed_by(code, namespace, "docs/gradients.md")
            needed.add(block.title)
    assert needed == {"", "Needs PyTorch", "Needs JAX", "Needs PennyLane"}


def test_every_object_of_the_api_page_exists():
    named = re.findall("^::: (.+)$", text_of("docs/api/bindings.md"), re.MULTILINE)
    assert len(named) > 3
    assert all(pkgutil.resolve_name(name) for name in named)


def outcomes(device):
    """What PennyLane's tests make of a device: the tests that fail, and those that are skipped."""
    tests = Path(pennylane.__file__).parent / "devices" / "tests"
    command = [sys.executable, "-m", "pytest", "-n", "2", "-q", "-rfEs", "-p", "no:cacheprovider", tests]
    done = subprocess.run([*command, "--device", device], capture_output=True, text=True, check=False, cwd=tests.parent)
    counts = {name: int(number) for number, name in re.findall(r"(\d+) (\w+)", done.stdout.splitlines()[-1])}
    return done, counts


def test_pennylanes_tests_of_devices_pass_and_no_more_are_skipped_than_of_lightning():
    done, counts = outcomes("basicaer.qubit")
    assert done.returncode == 0, done.stdout[-5000:]
    _, others = outcomes("lightning.qubit")
    assert counts["passed"] >= others["passed"] > 300
    assert counts["skipped"] <= others["skipped"]
