"""The rows of the GPU's tables, and the lines about cold starts and batches."""

from __future__ import annotations

from statistics import geometric_mean, median
from typing import TYPE_CHECKING

from harness.results import latest
from harness.table import laid_out, multiple
from harness.timing import OURS

from gpu.goals import BAND_PRECISION, BAND_QUBITS, BANDS_MS, MEAN, PEER

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.results import Record


def families_table(records: Iterable[Record], *, markdown: bool) -> str:
    """Return a row for each family and precision, with times from a random state.

    A cell has the milliseconds, the launches, the fraction of the limit, and cuStateVec's time divided by ours.
    """
    points = {(r["family"], r["precision"], r["n"]): r for r in latest(records)}
    sizes = sorted({n for _, _, n in points})
    rows = [[f"from a random state: ms / passes / of limit / {PEER}", "", *(f"{n} qubits" for n in sizes), "expected"]]
    for family, precision in sorted({(family, precision) for family, precision, _ in points}):
        cells = [_cell(points.get((family, precision, n))) for n in sizes]
        low, high = BANDS_MS.get(family, (0, 0)) if precision == BAND_PRECISION else (0, 0)
        rows.append([family, precision, *cells, f"{low:.3g} to {high:.3g} ms at {BAND_QUBITS}" if high else ""])
    for precision in sorted({precision for _, precision, _ in points}):
        means = [_mean(r for (_, p, size), r in points.items() if (p, size) == (precision, n)) for n in sizes]
        if any(means):
            rows.append(["geometric mean", precision, *means, f"goal {MEAN.bound:g}x"])
    return laid_out(rows, markdown=markdown, text_columns=2)


def questions_table(records: Iterable[Record], *, markdown: bool) -> str:
    """Return a row for each kind of pass: picoseconds for an amplitude, and the fraction of the copy bandwidth."""
    rows = [["a pass", "", "qubits", "exchanges", "ps an amplitude", "of copy", "goal"]]
    newest = {(r["what"], r["precision"], r["n"]): r for r in records}
    for (what, precision, n), record in newest.items():
        goal = f"{record['goal']:.0%}" if record["goal"] else ""
        cost = f"{record['ps_per_amplitude']:.2f}", f"{record['fraction_of_copy']:.0%}"
        rows.append([what, precision, str(n), str(record["exchanges"]), *cost, goal])
    return laid_out(rows, markdown=markdown, text_columns=2)


def cold_lines(records: Iterable[Record]) -> list[str]:
    """Return lines for each cold start: without and with kernels that were compiled before."""
    lines = []
    for record in records:
        what = f"{record['family']} {record['n']} {record['precision']}"
        for name, parts in record["seconds"].items():
            told = ", ".join(f"{part} {s:.2f}" for part, s in parts.items() if part not in {"together", "read"})
            lines.append(f"cold start, {what}, {name}: {parts['together']:.2f} s ({told})")
    return lines


def batch_lines(records: Iterable[Record]) -> list[str]:
    """Return a line for each batch."""
    return [
        f"{r['states']} states, {r['family']} {r['n']} {r['precision']}: "
        f"{1e6 * r['seconds_in_batch']:.3g} us each together, {1e6 * r['seconds_alone']:.3g} us alone; "
        f"binding new numbers takes {1e6 * r['seconds_to_bind']:.3g} us"
        for r in records
    ]


def _cell(record: Record | None) -> str:
    if record is None:
        return "-"
    found = record["random"]
    ratio = found["ratios"].get(PEER)
    told = f"{1e3 * median(found['seconds'][OURS]):.3g} / {found['launches']} / {found['fraction_of_limit']:.0%}"
    return told + (f" / {multiple(ratio)}x" if ratio else "")


def _mean(records: Iterable[Record]) -> str:
    ratios = [r["random"]["ratios"][PEER] for r in records if PEER in r["random"]["ratios"]]
    return f"{multiple(geometric_mean(ratios))}x" if ratios else ""
