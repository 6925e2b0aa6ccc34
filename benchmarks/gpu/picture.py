"""What the picture of a GPU shows: times from a random state, beside the limit of the card and the expected ranges."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from harness.picture import COLORS, MARKERS, Line, Panel
from harness.results import latest
from harness.timing import OURS

from gpu.goals import BAND_PRECISION, BAND_QUBITS, BANDS_MS, PEER

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.results import Record


def panels(records: Iterable[Record]) -> dict[str, Panel]:
    """Return a panel for each family, in milliseconds, from the latest record of each point."""
    points = latest(records)
    found = {}
    for family in sorted({record["family"] for record in points}):
        mine = [record for record in points if record["family"] == family]
        is_expected = any((r["n"], r["precision"]) == (BAND_QUBITS, BAND_PRECISION) for r in mine)
        has_band = is_expected and family in BANDS_MS
        found[family] = Panel(_lines(mine), (BAND_QUBITS, *BANDS_MS[family]) if has_band else None)
    return found


def _lines(points: list[Record]) -> list[Line]:
    lines = []
    for precision in ("double", "single"):
        found = {r["n"]: r["random"] for r in points if r["precision"] == precision}
        for name, color, marker in zip((OURS, PEER), COLORS, MARKERS, strict=False):
            medians = {n: 1e3 * median(r["seconds"][name]) for n, r in found.items() if name in r["seconds"]}
            if medians:
                lines.append(Line(f"{name}, {precision}", medians, color, marker, precision))
        if found:
            limits = {n: 1e3 * r["limit_seconds"] for n, r in found.items()}
            lines.append(Line("all bytes at copy bandwidth", limits, COLORS[2], "", is_limit=True))
    return lines
