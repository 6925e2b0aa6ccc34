"""A hook of MkDocs that draws the pictures and computes the tables of the site whenever the site is built."""

from __future__ import annotations

import json
import re
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mkdocs.structure.files import File

sys.path += [str(Path(__file__).parents[1] / folder) for folder in ("benchmarks", "docs", "tests")]

# Modules of these folders:
from convergence import convergence_picture
from families import FAMILIES
from harness.results import days, load
from peers.systems import SYSTEMS
from peers.table import ratio_table

from openqasm3_programs import PROGRAMS

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
EXCHANGED_QUBITS, RANK_QUBITS = 30, (1, 3, 6)
BUSY = 0.05  # the fraction of a machine that other work may take


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the pictures, and the changelog as a page."""
    files.append(File.generated(config, "plan.png", content=plan_picture()))
    files.append(File.generated(config, "layers.png", content=layers_picture()))
    files.append(File.generated(config, "convergence.png", content=convergence_picture()))
    files.append(File.generated(config, "peers.png", content=(RESULTS / "peers.png").read_bytes()))
    files.append(File.generated(config, "changelog.md", content=(ROOT / "CHANGELOG.md").read_text("utf-8")))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Replace each ``{{ name }}`` in a page by the table of that name."""
    return re.sub(r"\{\{ (\w+) \}\}", lambda found: TABLES[found[1]](), markdown)


def plan_picture() -> bytes:
    """Return the picture of the plan that `fast.md` and `index.md` explain."""
    from qiskit.synthesis import synth_qft_full

    from basicaer import BasicAer

    backend = BasicAer.get_backend("statevector_simulator")
    plan = backend.plan(synth_qft_full(20, name="qft"), device="CPU", max_parallel_threads=2)
    with tempfile.TemporaryDirectory() as folder:
        plan.draw(Path(folder) / "plan.png")
        return (Path(folder) / "plan.png").read_bytes()


def layers_picture() -> bytes:
    """Return the picture of gates on four qubits as layers of a GPU, which `fast.md` explains."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.4), layout="constrained")
    for axes, title in zip(figure.subplots(1, 2), ("gate by gate", "layer by layer"), strict=True):
        axes.set_title(title, fontsize=10)
        axes.set_axis_off()
        axes.set_xlim(-0.7, 9.2)
        axes.set_ylim(4.3, -0.9)
        axes.hlines(range(4), -0.6, 9, color="#C4CBD2", zorder=0)
    gates, layers = figure.axes
    columns = (0, 4.6)  # where each repetition of rotations, phases and CX begins
    for column in columns:
        for wire in range(4):
            gates.plot(column, wire, "s", color="#D55E00", markersize=12)
            gates.plot(column + 1, wire, "o", color="#0072B2", markersize=11)
        for wire in range(3):
            at = column + 1.9 + 0.8 * wire
            gates.vlines(at, wire, wire + 1, color="#E69F00")
            gates.plot([at, at], [wire, wire + 1], "D", color="#E69F00", markersize=7)
    rotations, diagonal = ("rotations", "#D55E00"), ("diagonal", "#0072B2")
    drawn = (("1", (0, rotations)), ("2", (3.6, diagonal), (4.6, rotations)), ("3", (8.2, diagonal)))
    for number, *parts in drawn:
        for column, (what, color) in parts:
            layers.fill([column - 0.5, column + 0.5, column + 0.5, column - 0.5], [-0.4, -0.4, 3.4, 3.4], color=color)
            layers.text(column, 1.5, what, color="white", rotation=90, ha="center", va="center")
        middle = sum(column for column, _ in parts) / len(parts)
        layers.text(middle, -0.5, f"layer {number}", fontsize=8, ha="center")
    for column, what in ((1.8, "CX: registers get\nother names"), (6.4, "CX: part of the\nnext move")):
        layers.annotate(what, (column, 3.45), (column, 4.2), fontsize=8, ha="center", arrowprops={"arrowstyle": "->"})
    with tempfile.TemporaryDirectory() as folder:
        figure.savefig(Path(folder) / "layers.png", dpi=160)
        return (Path(folder) / "layers.png").read_bytes()


def peers(n_qubits: int) -> str:
    """Return the table of ratios to other simulators at one number of qubits, and how they were measured."""
    records = _results("peers", n=n_qubits)
    return f"{ratio_table(records, markdown=True)}\n\n{_conditions(records)}"


def goals(part: str) -> str:
    """Return the table of the goals of a part and of what was measured last, and how that was measured."""
    latest = {record["name"]: record for record in _results("parts", part=part)}
    rows = ["| what | goal | measured | |", "|---|---|---|---|"]
    for name, record in latest.items():
        what = re.sub(r"\[|-", ", ", name.removeprefix("test_").rstrip("]")).replace("_", " ")
        for simulator in SYSTEMS:
            what = re.sub(rf"\b{simulator}\b", simulator, what, flags=re.IGNORECASE)
        rows.append(f"| {what} | {record['goal']} | {record['measured']} | {'met' if record['is_met'] else 'missed'} |")
    return "\n".join([*rows, "", _conditions(list(latest.values()))])


def _results(name: str, **wanted: Any) -> list[dict[str, Any]]:
    """Return the results of a benchmark on the machine that was used last."""
    machine = load(RESULTS, name)[-1]["machine"]
    return load(RESULTS, name, machine=machine, **wanted)


def _conditions(records: list[dict[str, Any]]) -> str:
    """Return where, when and with which versions results were measured."""
    last = records[-1]
    versions = ", ".join(f"{name} {number}" for name, number in last["versions"].items())
    threads = f"{last['threads']} threads, " if "threads" in last else ""
    conditions = f"{last['processor']}, {threads}{days(records)}; {versions}."
    busy = sum(record["busy_elsewhere"] > BUSY for record in records)
    if busy:
        conditions += f" The machine was busy with other work during {busy} of {len(records)} measurements."
    return conditions


def exchanges() -> str:
    """Return the table of how often ranks exchange amplitudes for each family of circuits, and how many they send."""
    from basicaer.compile.lower import lower
    from basicaer.plan.stages import plan_stages

    rows = [
        f"| circuit | {' | '.join(f'{2**bits} ranks' for bits in RANK_QUBITS)} |",
        "|---|" + "---:|" * len(RANK_QUBITS),
    ]
    for name, family in FAMILIES.items():
        segment, *_ = lower(family(EXCHANGED_QUBITS), keep_idle=True).body
        stages = [plan_stages(segment, EXCHANGED_QUBITS, bits, None) for bits in RANK_QUBITS]
        rows.append(f"| {name} | {' | '.join(f'{one.exchanges} ({one.sent:.2f})' for one in stages)} |")
    return "\n".join(rows)


def latency() -> str:
    """Return the table that shows how soon a cancelled job has ended."""
    lines = [json.loads(line) for line in (RESULTS / "cancel-latency.jsonl").read_text("utf-8").splitlines()]
    latest = {(line["circuit"], line["n"], line["device"]): line for line in lines}
    rows = ["| circuit | qubits | device | trials | half within | 99 of 100 within | longest |", "|---|" + "---:|" * 6]
    for (circuit, n, device), line in latest.items():
        times = " | ".join(f"{line[name]:.1f} ms" for name in ("p50_ms", "p99_ms", "max_ms"))
        rows.append(f"| {circuit} | {n} | {device} | {line['trials']} | {times} |")
    last = lines[-1]
    return "\n".join([*rows, "", f"Measured on {last['date'][:10]} on {last['machine']}."])


def options_without_effect() -> str:
    """Return the table of the options of other simulators that are accepted and ignored."""
    from basicaer.foreign_options import OPTIONS_WITHOUT_EFFECT

    names = {"the simulation method, if it is the simulator's own": ("method",)} | OPTIONS_WITHOUT_EFFECT
    rows = [f"| {controlled} | {', '.join(f'`{name}`' for name in listed)} |" for controlled, listed in names.items()]
    return "\n".join(["| what the options control | options |", "|---|---|", *rows])


def openqasm3() -> str:
    """Return what runs of OpenQASM 3: the programs of the tests."""
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


TABLES = (
    {
        "latency": latency,
        "exchanges": exchanges,
        "openqasm3": openqasm3,
        "options_without_effect": options_without_effect,
    }
    | {f"peers_{n}": partial(peers, n) for n in (10, 16, 20, 24)}
    | {
        f"goals_{part}": partial(goals, part)
        for part in ("noise", "gradients", "middle_sizes", "distributed", "spilled")
    }
)
