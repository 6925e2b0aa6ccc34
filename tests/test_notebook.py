"""The notebook of the examples: its cells run in order, as plain code and, where there is a kernel, in that."""

import importlib.util
import json
import subprocess
import sys
from types import SimpleNamespace

import pytest

from documents import ROOT, printed_by
from notebook_outputs import NOTEBOOK, comparable, digest_of, executed

HOW = "the code has changed since its outputs were stored; nox -s notebook -- store"


def notebook():
    return json.loads(NOTEBOOK.read_text("utf-8"))


def cells(kind):
    return [cell for cell in notebook()["cells"] if cell["cell_type"] == kind]


def stored(name):
    """What the cells are stored to have written to a stream."""
    outputs = [output for cell in cells("code") for output in cell["outputs"]]
    return "".join("".join(output["text"]) for output in outputs if output.get("name") == name)


def test_the_stored_outputs_are_those_of_this_code():
    assert notebook()["metadata"]["outputs_of"] == digest_of(notebook()["cells"]), HOW
    assert [cell["execution_count"] for cell in cells("code")] == list(range(1, len(cells("code")) + 1))


def test_whoever_only_reads_it_sees_a_plan_a_bar_and_pictures_and_no_warning():
    assert "qft: 20 qubits, 220 gates, 2 passes" in stored("stdout")
    assert "done in" in stored("stderr")
    assert "Warning" not in stored("stderr")
    pictures = [output for cell in cells("code") for output in cell["outputs"] if "image/png" in output.get("data", {})]
    assert len(pictures) == 3
    assert NOTEBOOK.stat().st_size < 400_000


def test_the_cells_run_in_order_and_print_what_is_stored(monkeypatch):
    matplotlib = pytest.importorskip("matplotlib", reason="the notebook draws; pip install 'basicaer[plot]'")
    matplotlib.use("agg")
    monkeypatch.setattr("matplotlib.pyplot.show", lambda: None)
    monkeypatch.setattr("basicaer.devices.cpu.device.has_small_kernels", lambda: True)  # as where it was stored
    namespace = {"__name__": "notebook"}
    printed = "".join(printed_by("".join(cell["source"]), namespace, NOTEBOOK.name) for cell in cells("code"))
    cut = "cancelled: True at"  # how far the job came by then is another thing each time
    (before, after), (want_before, want_after) = (text.split(cut) for text in (printed, stored("stdout")))
    assert comparable(before) == comparable(want_before), HOW
    assert "CANCELLED after" in after
    assert "CANCELLED after" in want_after
    energies, lowest = namespace["energies"], namespace["lowest"]
    assert energies[0] > -4
    assert lowest <= energies[-1] < 0.99 * lowest
    noisy = [float(value) for value in namespace["noisy"]]
    assert noisy[0] == pytest.approx(-3)
    assert noisy == sorted(noisy)
    assert set(namespace["counts"]["ideal"]) == {"0000", "1111"} < set(namespace["counts"]["noisy"])


# Where it is installed from.


def first_cell(monkeypatch, folder, source):
    """Run the cell that installs where nothing is installed and nothing can be; return what pip is called with."""
    calls = []

    def run(command, **_):
        calls.append(command)
        return SimpleNamespace(returncode=1, stdout="no such file")

    monkeypatch.chdir(folder)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    monkeypatch.setattr(subprocess, "run", run)
    code = "".join(cells("code")[0]["source"])
    assert 'SOURCE = ""' in code
    with pytest.raises((RuntimeError, FileNotFoundError)) as caught:
        exec(code.replace('SOURCE = ""', f"SOURCE = {source!r}"), {})  # noqa: S102  # it is ours
    return calls, str(caught.value)


@pytest.mark.parametrize("source", ["", "basicaer-0.1.0-py3-none-any.whl"])
def test_the_first_cell_installs_the_checkout_or_what_it_is_told(source, monkeypatch):
    (command,), said = first_cell(monkeypatch, NOTEBOOK.parent, source)
    assert command[:4] == [sys.executable, "-m", "pip", "install"]
    assert (source or str(ROOT)) in command
    assert said == "pip could not install basicaer:\nno such file"


def test_without_a_checkout_the_first_cell_says_what_to_set(monkeypatch, tmp_path):
    calls, said = first_cell(monkeypatch, tmp_path, "")
    assert not calls
    assert "set SOURCE to a file or address" in said


# In a kernel.


def test_a_kernel_shows_what_is_stored(tmp_path):
    pytest.importorskip("nbclient", reason="it is in the dependency group notebook; nox -s notebook")
    found = [cell for cell in executed(tmp_path).cells if cell.cell_type == "code"]
    assert [results_of(cell) for cell in found] == [results_of(cell) for cell in cells("code")], HOW
    pictures = [output for cell in found for output in cell.outputs if "image/png" in output.get("data", {})]
    assert len(pictures) == 3
    (bar,) = [cell.outputs for cell in found if "watch(backend" in cell.source]
    text = "".join(output.get("text", "") + str(output.get("data", "")) for output in bar)
    assert "done in" in text or "widget" in text
    assert not [output for cell in found for output in cell.outputs if "Warning" in output.get("text", "")]


def results_of(cell):
    """The last value of a cell in words, if it has one."""
    values = [output["data"] for output in cell["outputs"] if output["output_type"] == "execute_result"]
    return ["".join(value["text/plain"]) for value in values]
