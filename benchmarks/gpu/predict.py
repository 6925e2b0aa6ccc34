"""Predicts what the circuit families would take on cards that are not here, from the kernels' machine code.

Nothing of this is measured, and no number was held against a card. Compare predictions with predictions: they show what
a change of the kernels or of the planner is worth.
"""

from __future__ import annotations

import sys
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import click
from harness.environment import in_file_names
from harness.options import known_names
from harness.results import Results, rounded, source_digest
from harness.table import laid_out
from harness.timing import OURS

from basicaer.options import Precision
from gpu.circuits import Circuits
from gpu.goals import goal_at
from gpu.ours import STARTS
from gpu.predicted_cards import CARDS, PredictedCard
from gpu.sampling import SampledLaunch, Sampler

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.results import Record

    from gpu.ours import Ours

_TESTS = Path(__file__).parents[2] / "tests"
_SOURCES = ("kernels/*.cu*", "benchmarks/gpu/*.py", "benchmarks/gpu/*.cpp", "tests/machine_code/*.*")


def predict(
    *,
    cards: list[str] | None,
    families: list[str] | None,
    sizes: list[int],
    precisions: list[str],
    results: Path | None,
    fresh: bool,
    markdown: bool,
) -> None:
    """Predict what the results do not have yet, and print a table for each card."""
    sys.path.append(str(_TESTS))
    import machine_code
    from machine_code.compiling import versions

    if why := machine_code.why_unavailable():
        raise click.ClickException(f"Nothing can be predicted here: {why}; install the group machine-code.")
    circuits = Circuits()
    families = known_names("families", families, circuits.families)
    chosen = [Precision(name) for name in known_names("precisions", precisions, Precision)]
    for name in known_names("cards", cards, CARDS):
        card = CARDS[name]
        version = {
            "card": f"{card.name} (predicted)",
            "source": source_digest(*_SOURCES),
            "versions": versions(),
        }
        kept = Results("predicted-gpu", results, version, fresh=fresh)
        sampler = Sampler(card)
        click.echo(f"{card.name}: predicted from machine code of sm_{card.architecture}, not measured")
        for n, family, precision in product(sorted(sizes), families, chosen):
            point = {"kind": "family", "family": family, "n": n, "precision": str(precision)}
            if kept.has(point):
                continue
            ours = sampler.ours(circuits.segment(family, n), n, precision)
            found = {start: _summary(sampler.launches(ours, start), ours, start, card) for start in STARTS}
            common = {
                "machine": in_file_names(card.name),
                "predicted": True,
                "copy_bytes_per_s": card.copy_bytes_per_s,
                "peers": [],
                "goal": goal_at(family, n, str(precision)),
            }
            record = kept.add(point | common | found)
            click.echo(_line(record))
        known = kept.known(precision=[*map(str, chosen)], family=families, n=sizes)
        click.echo(f"\n{table(known, card, markdown=markdown)}\n")


def _summary(launches: list[SampledLaunch], ours: Ours, start: str, card: PredictedCard) -> Record:
    """Return what the measured records have, with the model's seconds, and what the machine code tells besides."""
    work = ours.work(start)
    del work["bind_seconds"]
    seconds = sum(launch.model_seconds for launch in launches)
    limit = work["bytes"] / card.copy_bytes_per_s
    warps = sum(launch.blocks * launch.warps for launch in launches)
    instructions = sum(launch.instructions for launch in launches)
    return {
        "seconds": {OURS: [rounded(seconds)]},
        "ratios": {},
        "seconds_a_pass": rounded(seconds / max(1, len(launches))),
        "limit_seconds": rounded(limit),
        "fraction_of_limit": rounded(limit / seconds),
        **work,
        "instructions": rounded(instructions),
        "instructions_of_a_warp_and_pass": rounded(instructions / max(1, warps)),
        "double_instructions": rounded(sum(launch.double_instructions for launch in launches)),
        "other_instructions": rounded(sum(launch.other_instructions for launch in launches)),
        "sectors": rounded(sum(launch.sectors for launch in launches)),
        "issue_seconds": rounded(sum(launch.issue_seconds for launch in launches)),
        "double_seconds": rounded(sum(launch.double_seconds for launch in launches)),
    }


def _line(record: Record) -> str:
    """Return what is said of a point as soon as it is done."""
    told = [
        f"{start} {1e3 * record[start]['seconds'][OURS][0]:8.2f} ms predicted, {record[start]['launches']} passes"
        for start in STARTS
    ]
    return f"{record['family']:16} {record['n']:2} {record['precision']}  {'; '.join(told)}"


def table(records: Iterable[Record], card: PredictedCard, *, markdown: bool) -> str:
    """Return a row for each point, with predicted milliseconds and what they are made of."""
    heads = [
        "passes",
        "instructions",
        "other",
        "FP64",
        "sectors",
        "copy",
        "issue",
        "FP64",
        "model",
        "of copy",
        "from zero",
    ]
    rows = [[f"predicted for {card.name}, from any state", "", "", *heads]]
    rows.append(["", "", "qubits", "", "1e9", "", "1e9", "1e9", "ms", "ms", "ms", "ms", "", "ms"])
    for record in records:
        found, zero = record["random"], record["zero"]
        issued = found["instructions"]
        counts = [found[name] / 1e9 for name in ("double_instructions", "sectors")]
        bounds = [1e3 * found[name] for name in ("limit_seconds", "issue_seconds", "double_seconds")]
        rows.append(
            [
                *(record["family"], record["precision"], str(record["n"]), str(found["passes"])),
                *(f"{issued / 1e9:.3g}", f"{found['other_instructions'] / issued:.0%}"),
                *(f"{number:.3g}" for number in counts),
                *(f"{number:.1f}" for number in bounds),
                *(f"{1e3 * found['seconds'][OURS][0]:.1f}", f"{found['fraction_of_limit']:.0%}"),
                f"{1e3 * zero['seconds'][OURS][0]:.1f}",
            ]
        )
    return laid_out(rows, markdown=markdown, text_columns=2)
