"""What the picture of the peers shows: the medians of all simulators in both precisions."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from families import TITLES
from harness.picture import COLORS, MARKERS, Line, Panel, draw
from harness.results import days, load, newest
from harness.timing import OURS

from peers.systems import SYSTEMS

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from harness.results import Record


def draw_peers(folder: Path, machine: str) -> None:
    """Draw everything that a machine has measured into its folder of results."""
    records = load(folder, "peers", machine=machine)
    caption = f"{records[-1]['processor']}, {records[-1]['threads']} threads, {days(records)}"
    draw(panels(records), folder / "peers.png", ylabel="seconds", caption=caption)


def panels(records: Iterable[Record]) -> dict[str, Panel]:
    """Return a panel for each family by its title, from the newest times of each simulator at each point."""
    points = newest(records)
    there = {record["family"] for record in points}
    return {title: Panel(_lines(points, family)) for family, title in TITLES.items() if family in there}


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
