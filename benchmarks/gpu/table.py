"""The results as tables, for a terminal and for a README."""

from __future__ import annotations

from statistics import geometric_mean, median
from typing import TYPE_CHECKING

from gpu.custatevec import Library
from gpu.goals import BAND_PRECISION, BAND_QUBITS, BANDS_MS, RATIO
from gpu.ours import Ours

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gpu.results import Record


def families_table(records: Iterable[Record], *, markdown: bool) -> str:
    """Return a row for each family and precision: at each size milliseconds, passes, part of the limit and ratio.

    All are from a random state; the ratio is cuStateVec's time divided by ours.
    """
    latest = {(r["family"], r["precision"], r["n"]): r for r in records}
    sizes = sorted({n for _, _, n in latest})
    rows = [("from a random state: ms / passes / of limit / cuStateVec", "", *(f"{n} qubits" for n in sizes), "band")]
    for family, precision in sorted({(family, precision) for family, precision, _ in latest}):
        cells = [_cell(latest.get((family, precision, n))) for n in sizes]
        low, high = BANDS_MS.get(family, (0, 0)) if precision == BAND_PRECISION else (0, 0)
        rows.append((family, precision, *cells, f"{low:.3g} to {high:.3g} ms at {BAND_QUBITS}" if high else ""))
    for precision in sorted({precision for _, precision, _ in latest}):
        means = [_mean(r for (_, p, size), r in latest.items() if (p, size) == (precision, n)) for n in sizes]
        if any(means):
            rows.append(("geometric mean", precision, *means, f"goal {RATIO:g}x"))
    return _laid_out(rows, markdown=markdown)


def questions_table(records: Iterable[Record], *, markdown: bool) -> str:
    """Return a row for each kind of pass: picoseconds an amplitude, and part of the copy bandwidth."""
    rows = [("a pass", "", "qubits", "exchanges", "ps an amplitude", "of copy", "goal")]
    latest = {(r["what"], r["precision"], r["n"]): r for r in records}
    for (what, precision, n), record in latest.items():
        goal = f"{record['goal']:.0%}" if record["goal"] else ""
        cost = f"{record['ps_per_amplitude']:.2f}", f"{record['fraction_of_copy']:.0%}"
        rows.append((what, precision, str(n), str(record["exchanges"]), *cost, goal))
    return _laid_out(rows, markdown=markdown)


def cold_lines(records: Iterable[Record]) -> list[str]:
    """Return a line for each cold start."""
    lines = []
    for record in records:
        what = f"{record['family']} {record['n']} {record['precision']}"
        for name, pieces in record["seconds"].items():
            told = ", ".join(f"{piece} {s:.2f}" for piece, s in pieces.items() if piece not in {"together", "read"})
            lines.append(f"cold start, {what}, kernels {name}: {pieces['together']:.2f} s ({told})")
    return lines


def _cell(record: Record | None) -> str:
    if record is None:
        return "-"
    found = record["random"]
    ratio = found["ratios"].get(Library.name)
    told = f"{1e3 * median(found['seconds'][Ours.name]):.3g} / {found['launches']} / {found['fraction_of_limit']:.0%}"
    return told + (f" / {ratio:.1f}x" if ratio else "")


def _mean(records: Iterable[Record]) -> str:
    ratios = [r["random"]["ratios"][Library.name] for r in records if Library.name in r["random"]["ratios"]]
    return f"{geometric_mean(ratios):.2f}x" if ratios else ""


def _laid_out(rows: Sequence[Sequence[str]], *, markdown: bool) -> str:
    if markdown:
        head, *rest = rows
        return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rest))
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = ["  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join(["", *lines, ""])
