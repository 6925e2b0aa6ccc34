"""The notebook of the examples: its cells run in order, as plain code and, where there is a kernel, in that."""

import json
from pathlib import Path

import pytest

from documents import ROOT, printed_by

NOTEBOOK = ROOT / "examples" / "first_five_minutes.ipynb"


def cells(kind):
    return [cell for cell in json.loads(NOTEBOOK.read_text("utf-8"))["cells"] if cell["cell_type"] == kind]


def test_outputs_are_left_out_of_the_checkout():
    for cell in cells("code"):
        assert cell["outputs"] == []
        assert cell["execution_count"] is None


def test_the_cells_run_in_order(monkeypatch):
    matplotlib = pytest.importorskip("matplotlib", reason="the notebook draws; pip install 'basicaer[plot]'")
    matplotlib.use("agg")
    monkeypatch.setattr("matplotlib.pyplot.show", lambda: None)
    namespace = {"__name__": "notebook"}
    printed = "".join(printed_by("".join(cell["source"]), namespace, NOTEBOOK.name) for cell in cells("code"))
    assert "qft: 20 qubits, 220 gates, 2 passes" in printed
    assert "cancelled: True" in printed
    assert "CANCELLED after" in printed
    energies, lowest = namespace["energies"], namespace["lowest"]
    assert energies[0] > -4
    assert lowest <= energies[-1] < 0.99 * lowest


def test_a_kernel_shows_the_plan_the_bar_and_the_convergence(tmp_path):
    nbclient = pytest.importorskip("nbclient", reason="it is in the dependency group notebook; nox -s notebook")
    import nbformat

    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [(cell["source"], cell["outputs"]) for cell in notebook.cells if cell["cell_type"] == "code"]
    nbformat.write(notebook, Path(tmp_path) / NOTEBOOK.name)

    def of_cell(words):
        (found,) = [shown for source, shown in outputs if words in source]
        return found

    assert [output["data"].get("image/png", "")[:4] for output in of_cell("plan.draw()") if "data" in output] == [
        "iVBO"
    ]
    bar = "".join(output.get("text", "") + str(output.get("data", "")) for output in of_cell("watch(backend"))
    assert "done in" in bar or "widget" in bar
    assert any("image/png" in output.get("data", {}) for output in of_cell("plt.show()"))
    assert not [output for _, shown in outputs for output in shown if "Warning" in output.get("text", "")]
