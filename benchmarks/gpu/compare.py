"""Compares predicted times with measured ones, point by point, and says how large the model's error is."""

from __future__ import annotations

from math import exp, log
from statistics import fmean, median
from typing import TYPE_CHECKING

import click
from harness.results import load
from harness.table import laid_out
from harness.timing import OURS

from gpu.ours import STARTS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from harness.results import Record

_PREDICTED = " (predicted)"  # what the name of a predicted card ends with


def compared(measured: Path, predicted: Path, *, card: str | None, markdown: bool) -> str:
    """Return a table of all points that two folders have in common, and the model's error over all of them.

    Parameters
    ----------
    card
        The predicted card to compare with; default: for each point the one whose name begins the measured card's name.
    """
    model = {_card_and_point(r): r for r in load(predicted, "predicted-gpu")}
    points = {(r["card"], *_point(r)): r for r in load(measured, "gpu", kind="family")}
    cards = sorted({name for name, *_ in model})
    pairs = [
        (model[name, *point], found)
        for (measured_card, *point), found in sorted(points.items())
        for name in cards
        if (name == card if card else measured_card.startswith(name))
        if (name, *point) in model
    ]
    if not pairs:
        there = ", ".join(sorted({name for name, *_ in points})) or "no card"
        raise click.ClickException(
            f"No point was both measured and predicted: {measured} has {len(points)} points of {there}, and "
            f"{predicted} has {len(model)} of {', '.join(cards) or 'no card'}; --card names the one to compare with."
        )
    rows = [["error of the model", "", "qubits", "from", "predicted ms", "measured ms", "error", "passes"]]
    rows += [_row(start, *pair) for start in STARTS for pair in pairs]
    return "\n".join([laid_out(rows, markdown=markdown, text_columns=2), "", *_summary(pairs)])


def _point(record: Record) -> tuple[str, str, int]:
    return record["family"], record["precision"], record["n"]


def _card_and_point(record: Record) -> tuple[str, str, str, int]:
    return record["card"].removesuffix(_PREDICTED), *_point(record)


def _seconds(record: Record, start: str) -> float:
    return median(record[start]["seconds"][OURS])


def _error(start: str, predicted: Record, measured: Record) -> float:
    """Return by which part of the measured time the predicted one is longer."""
    return _seconds(predicted, start) / _seconds(measured, start) - 1


def _row(start: str, predicted: Record, measured: Record) -> list[str]:
    family, precision, n = _point(measured)
    passes = [record[start]["launches"] for record in (predicted, measured)]
    return [
        *(family, precision, str(n), start),
        *(f"{1e3 * _seconds(record, start):.3g}" for record in (predicted, measured)),
        f"{_error(start, predicted, measured):+.0%}",
        str(passes[0]) if passes[0] == passes[1] else f"{passes[0]} predicted, {passes[1]} run",
    ]


def _summary(pairs: Sequence[tuple[Record, Record]]) -> list[str]:
    lines = []
    for precision in sorted({measured["precision"] for _, measured in pairs}):
        for start in STARTS:
            errors = [_error(start, *pair) for pair in pairs if pair[1]["precision"] == precision]
            mean, largest = exp(fmean(log(1 + error) for error in errors)) - 1, max(errors, key=abs)
            lines.append(f"{precision}, from {start}: error {mean:+.0%} in the geometric mean, {largest:+.0%} at most")
    predicted, measured = ([record["copy_bytes_per_s"] / 1e12 for record in side] for side in zip(*pairs, strict=True))
    lines.append(f"copying: {_spread(predicted)} TB/s predicted, {_spread(measured)} TB/s measured")
    return lines


def _spread(numbers: Sequence[float]) -> str:
    least, most = f"{min(numbers):.3g}", f"{max(numbers):.3g}"
    return least if least == most else f"{least} to {most}"
