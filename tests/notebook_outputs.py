"""Runs the notebook of the examples and stores what its cells show: `nox -s notebook -- store`."""

import base64
import hashlib
import io
import re
from pathlib import Path

from documents import ROOT

NOTEBOOK = ROOT / "examples" / "first_five_minutes.ipynb"
SECONDS = 300  # that a cell may take
_MEASURED = re.compile(r"\d[\d.]*\s?(ns|us|ms|s|KiB|MiB|GiB|threads?)\b")


def digest_of(cells):
    """Return a digest of the code whose outputs are stored: a change of the code makes them stale."""
    code = [cell["source"] for cell in cells if cell["cell_type"] == "code"]
    text = "\0".join(one if isinstance(one, str) else "".join(one) for one in code)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def comparable(text):
    """Return a text without what is measured or depends on the machine, and without the widths of columns."""
    return " ".join(_MEASURED.sub(r"0 \1", text).replace("─", "").split())


def executed(folder):
    """Return the notebook after all its cells have run in a kernel, in order, in a folder."""
    import nbclient
    import nbformat

    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbclient.NotebookClient(notebook, timeout=SECONDS, resources={"metadata": {"path": str(folder)}}).execute()
    return notebook


def store(notebook):
    """Write the notebook with its outputs; of a bar only its end is kept."""
    import nbformat

    notebook.metadata.pop("widgets", None)
    notebook.metadata["language_info"] = {"name": "python"}
    notebook.metadata["outputs_of"] = digest_of(notebook.cells)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs = _joined(cell.outputs)
    nbformat.write(notebook, NOTEBOOK)


def _joined(outputs):
    """Return outputs in which what a stream has written in pieces is one, as it is seen in the end."""
    found = []
    for output in outputs:
        if found and output.output_type == "stream" == found[-1].output_type and output.name == found[-1].name:
            found[-1].text += output.text
        else:
            found.append(output)
    for output in found:
        if output.output_type == "stream":
            output.text = "\n".join(line.rpartition("\r")[2].rstrip() for line in output.text.split("\n"))
        elif "image/png" in output.get("data", {}):
            output.data["image/png"] = _small(output.data["image/png"])
    return found


def _small(picture):
    """Return a picture with a palette, which takes a third of the bytes."""
    from PIL import Image

    made = io.BytesIO()
    Image.open(io.BytesIO(base64.b64decode(picture))).convert("RGB").quantize(64).save(made, "PNG", optimize=True)
    return base64.b64encode(made.getvalue()).decode()


if __name__ == "__main__":
    store(executed(Path.cwd()))
