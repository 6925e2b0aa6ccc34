"""The picture of a series: times against the number of qubits, with a panel for each family."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import click

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

# The colours of Okabe and Ito, which colour-blind readers can tell apart. Markers differ too, for prints in grey.
COLORS = ("black", "#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00")
MARKERS = "os^DvX"
BAND_COLOR = COLORS[3]
_COLUMNS = 4


class Line(NamedTuple):
    """One line of a panel."""

    label: str
    points: Mapping[int, float]  # points[n] = what n qubits take
    color: str
    marker: str
    precision: str = "double"  # single precision is dashed, with hollow markers
    is_limit: bool = False  # a thin dotted line without markers
    width: float = 1.1


class Panel(NamedTuple):
    """The lines of one family, and the range ``(qubits, low, high)`` in which a time is expected."""

    lines: Sequence[Line]
    band: tuple[int, float, float] | None = None


def draw(panels: Mapping[str, Panel], path: Path, *, ylabel: str, caption: str) -> None:
    """Draw the panels and say where the picture is, or why there is none where Matplotlib is not installed."""
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ImportError as error:
        click.echo(f"No picture: {error}.", err=True)
        return
    n_rows = -(-len(panels) // _COLUMNS)
    with mpl.rc_context({"font.size": 9, "axes.grid": True, "grid.alpha": 0.3}):
        figure = Figure(figsize=(3 * _COLUMNS, 2.4 * n_rows + 1), layout="constrained")
        axes = figure.subplots(n_rows, _COLUMNS, sharex=True, squeeze=False)
        legend = {}
        for axis, (title, panel) in zip(axes.flat, panels.items(), strict=False):
            legend |= {line.label: _drawn(axis, line) for line in panel.lines}
            if panel.band:
                legend["expected"] = axis.vlines(*panel.band, color=BAND_COLOR, lw=6, alpha=0.4)
            axis.set(title=title, yscale="log", xticks=sorted({n for line in panel.lines for n in line.points}))
        for axis in axes.flat[len(panels) :]:
            axis.set_axis_off()
        for column in axes.T:
            lowest = [axis for axis in column if axis.axison][-1:]
            for axis in lowest:
                axis.set_xlabel("qubits")
                axis.tick_params(labelbottom=True)
        for axis in axes[:, 0]:
            axis.set_ylabel(ylabel)
        figure.legend(list(legend.values()), list(legend), loc="outside upper center", ncols=4, frameon=False)
        figure.supxlabel(caption, fontsize=8)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=150)
    click.echo(f"Picture: {path}")


def _drawn(axis: Axes, line: Line) -> Line2D:
    is_single = line.precision == "single"
    (drawn,) = axis.plot(
        *zip(*sorted(line.points.items()), strict=True),
        color=line.color,
        marker="" if line.is_limit else line.marker,
        markersize=4.5,
        markerfacecolor="white" if is_single else line.color,
        linestyle=":" if line.is_limit else "--" if is_single else "-",
        linewidth=line.width,
        zorder=2 + line.width,  # a wide line is on top
    )
    return drawn
