"""What the site is made of besides its pages: pictures drawn and tables computed when it is built; a hook of MkDocs."""

from __future__ import annotations

import json
import re
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mkdocs.structure.files import File

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the pictures, and the changelog as a page."""
    files.append(File.generated(config, "plan.png", content=plan_picture()))
    files.append(File.generated(config, "peers.png", content=(RESULTS / "peers.png").read_bytes()))
    files.append(File.generated(config, "changelog.md", content=(ROOT / "CHANGELOG.md").read_text("utf-8")))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Put a table where a page says ``{{ name of it }}``."""
    return re.sub(r"\{\{ (\w+) \}\}", lambda found: TABLES[found[1]](), markdown)


def plan_picture() -> bytes:
    """Draw the plan that the page on speed tells of."""
    from qiskit.synthesis import synth_qft_full

    from basicaer import BasicAer

    backend = BasicAer.get_backend("statevector_simulator")
    plan = backend.plan(synth_qft_full(20, name="qft"), device="CPU", max_parallel_threads=2)
    with tempfile.TemporaryDirectory() as folder:
        plan.draw(Path(folder) / "plan.png")
        return (Path(folder) / "plan.png").read_bytes()


def peers(n_qubits: int) -> str:
    """Return the ratios to other simulators at one number of qubits, and what they were measured with."""
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        from peers.results import load
        from peers.systems import OURS, SYSTEMS
        from peers.table import Table
    finally:
        sys.path.pop(0)
    records = load(RESULTS, n=n_qubits)
    last = records[-1]
    chosen = [r for r in records if r["source"] == last["source"]]  # of one version only
    versions = ", ".join(f"{name} {number}" for name, number in last["versions"].items())
    under = f"{last['processor']}, {last['threads']} threads, {last['date'][:10]}; {versions}."
    return f"{Table(chosen, [name for name in SYSTEMS if name != OURS]).markdown()}\n\n{under}"


def latency() -> str:
    """Return how soon a cancelled job has ended."""
    lines = [json.loads(line) for line in (RESULTS / "cancel-latency.jsonl").read_text("utf-8").splitlines()]
    latest = {(line["circuit"], line["n"], line["device"]): line for line in lines}
    rows = ["| circuit | qubits | device | trials | half within | 99 of 100 within | longest |", "|---|" + "---:|" * 6]
    for (circuit, n, device), line in latest.items():
        times = " | ".join(f"{line[name]:.1f} ms" for name in ("p50_ms", "p99_ms", "max_ms"))
        rows.append(f"| {circuit} | {n} | {device} | {line['trials']} | {times} |")
    last = lines[-1]
    return "\n".join([*rows, "", f"Measured on {last['date'][:10]} on {last['machine']}."])


def options_without_effect() -> str:
    """Return the options of other simulators that are taken, by what they say."""
    from basicaer.options import WITHOUT_EFFECT

    names = {what: ", ".join(f"`{name}`" for name in names) for what, names in WITHOUT_EFFECT.items()}
    names = {"the method, where it is ours": "`method`"} | names
    rows = [f"| {what} | {listed} |" for what, listed in names.items()]
    return "\n".join(["| what it says | options |", "|---|---|", *rows])


def openqasm3() -> str:
    """Return what runs of OpenQASM 3: the programs of the tests."""
    sys.path.insert(0, str(ROOT / "tests"))
    try:
        from openqasm3_programs import PROGRAMS
    finally:
        sys.path.pop(0)
    rows = ["| | program | outcome |", "|---|---|---|"]
    chapter = ""
    for program in PROGRAMS:
        if program.chapter != chapter:
            chapter = program.chapter
            rows.append(f"| **{chapter}** | | |")
        lines = "<br>".join(f"`{line}`" for line in program.text.splitlines())
        bound = f"; with {program.inputs.replace(' ', ', ')}" if program.inputs else ""
        outcome = f"refused: {program.refused}" if program.refused else f"`{program.outcome}`{bound}"
        rows.append(f"| {program.feature} | {lines} | {outcome} |")
    return "\n".join(rows)


TABLES = {"latency": latency, "openqasm3": openqasm3, "options_without_effect": options_without_effect} | {
    f"peers_{n}": partial(peers, n) for n in (10, 16, 20, 24)
}
