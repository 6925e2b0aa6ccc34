"""The picture: time against the number of qubits, one panel for each family."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

import matplotlib as mpl
from matplotlib.figure import Figure

from peers.systems import OURS, SYSTEMS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.lines import Line2D

    from peers.results import Record

# Okabe and Ito's colours, which the colour-blind tell apart; markers differ as well, for print in grey.
_COLORS = ("black", "#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00")
_STYLES = dict(zip(SYSTEMS, zip(_COLORS, "os^DvX", strict=True), strict=True))
_COLUMNS = 4


def draw(records: Sequence[Record], path: Path, caption: str) -> None:
    """Draw the medians; lines of single precision are dashed, with hollow markers."""
    families = sorted({record["family"] for record in records})
    sizes = sorted({record["n"] for record in records})
    n_rows = -(-len(families) // _COLUMNS)
    with mpl.rc_context({"font.size": 9, "axes.grid": True, "grid.alpha": 0.3, "svg.hashsalt": "peers"}):
        figure = Figure(figsize=(3 * _COLUMNS, 2.4 * n_rows + 1), layout="constrained")
        axes = figure.subplots(n_rows, _COLUMNS, sharex=True, squeeze=False)
        drawn = {}
        for axis, family in zip(axes.flat, families, strict=False):
            for name in SYSTEMS:
                for precision in ("double", "single"):
                    line = _line(axis, records, family, name, precision)
                    if line:
                        drawn[name, precision] = line
            axis.set(title=family, yscale="log", xticks=sizes)
        for axis in axes.flat[len(families) :]:
            axis.set_axis_off()
        for column in range(_COLUMNS):
            used = [axis for axis, _ in zip(axes[:, column], families[column::_COLUMNS], strict=False)]
            if used:
                used[-1].set_xlabel("qubits")
                used[-1].tick_params(labelbottom=True)
        for axis in axes[:, 0]:
            axis.set_ylabel("seconds")
        labels = [name if precision == "double" else f"{name}, single" for name, precision in drawn]
        figure.legend(list(drawn.values()), labels, loc="outside upper center", ncols=4, frameon=False)
        figure.supxlabel(caption, fontsize=8)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=150)


def _line(axis, records: Sequence[Record], family: str, name: str, precision: str) -> Line2D | None:
    points = {
        record["n"]: median(record["seconds"][name])
        for record in records
        if (record["family"], record["precision"]) == (family, precision) and name in record["seconds"]
    }
    if not points:
        return None
    color, marker = _STYLES[name]
    (line,) = axis.plot(
        *zip(*sorted(points.items()), strict=True),
        color=color,
        marker=marker,
        markersize=4.5,
        markerfacecolor=color if precision == "double" else "white",
        linestyle="-" if precision == "double" else "--",
        linewidth=1.8 if name == OURS else 1.1,
        zorder=3 if name == OURS else 2,
    )
    return line
