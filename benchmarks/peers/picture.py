"""What the picture of the peers shows: the medians of all simulators in both precisions."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from harness.picture import COLORS, MARKERS, Line, Panel
from harness.results import latest
from harness.timing import OURS

from peers.systems import SYSTEMS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.results import Record


def panels(records: Iterable[Record]) -> dict[str, Panel]:
    """Return a panel for each family, from the latest record of each point."""
    points = latest(records)
    return {family: Panel(_lines(points, family)) for family in sorted({record["family"] for record in points})}


def _lines(points: list[Record], family: str) -> list[Line]:
    lines = []
    for name, color, marker in zip(SYSTEMS, COLORS, MARKERS, strict=True):
        for precision in ("double", "single"):
            medians = {
                record["n"]: median(record["seconds"][name])
                for record in points
                if (record["family"], record["precision"]) == (family, precision) and name in record["seconds"]
            }
            label = name if precision == "double" else f"{name}, single"
            if medians:
                lines.append(Line(label, medians, color, marker, precision, width=1.8 if name == OURS else 1.1))
    return lines
