"""A plan as a picture: gates over passes, a mark for each gate, coloured and shaped by its kind."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from basicaer.errors import BasicAerError
from basicaer.plan_view.layout import bands_of, laid_out, runs
from basicaer.plan_view.model import GateKind
from basicaer.plan_view.table import heading
from basicaer.wording import counted, duration

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from os import PathLike

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.path import Path

    from basicaer.plan_view.layout import Strip
    from basicaer.plan_view.model import PlanFacts, ShownGate, Stage

__all__ = ["picture_of"]


class _Style(NamedTuple):
    color: str
    marker: str
    size: float  # measured in columns
    text: str = "white"  # the color of the name in the mark


# Okabe and Ito's colours, which colour-blind readers can distinguish; the shapes differ as well, for grey prints.
_STYLES = {
    GateKind.DIAGONAL: _Style("#0072B2", "o", 0.6),
    GateKind.PERMUTATION: _Style("#E69F00", "D", 0.58, "black"),
    GateKind.X_TYPE: _Style("#009E73", "X", 0.68),
    GateKind.GENERAL: _Style("#D55E00", "s", 0.62),
}
_STOPS = {"measure": "s", "reset": "o"}  # the outlines of measurements and resets, which are not filled
_CONTROL_SIZE, _LINE_WIDTH = 0.32, 0.1  # in columns
_TILE, _FRAME, _WIRE, _TEXT = "#DCE6F0", "#4D4D4D", "#C4CBD2", "#333333"

_CELL = 0.36  # inches of a row and of a column, at most
_WIDEST, _NARROWEST = 18.0, 6.4  # inches: the width of all columns at most; that of the figure at least
_OF_STOP = 1.1  # inches that the legend needs for measurements, and for resets
_NAMES_FROM = 0.34  # inches: larger cells have room for the names of gates
_LEFT, _RIGHT, _TOP, _HEAD, _BOTTOM = 0.6, 0.2, 0.85, 0.34, 0.4  # inches around the bands; _HEAD is above each
_TEXT_SIZE = 8.0  # points; larger on pictures wider than a page, which are viewed from further away
_PAGE = 11.0  # inches: the width of a page
_DPI = 160


def picture_of(plan: PlanFacts, filename: str | PathLike[str] | None = None) -> Figure:
    """Draw a plan, and write the picture if a file name is given; see `CircuitPlan.draw`."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        from basicaer.plan_view.figure import ShownFigure
    except ImportError as error:
        raise BasicAerError("The picture of a plan needs matplotlib; pip install 'basicaer[plot]'.") from error
    row_of = {qubit: row for row, qubit in enumerate(plan.qubits)}
    strips = laid_out(plan, row_of)
    bands = bands_of(strips, len(row_of))
    columns = max(end - start for start, end in bands)
    cell = min(_CELL, max(_WIDEST / columns, 0.02))
    width = max(_LEFT + columns * cell + _RIGHT, _NARROWEST + len(_kinds_of_stops(plan)) * _OF_STOP)
    scale = min(max(width / _PAGE, 1.0), 1.5)
    head = _HEAD * scale / cell  # rows
    band_height = (len(row_of) + head) * cell
    height = (_TOP + _BOTTOM) * scale + len(bands) * band_height
    figure = ShownFigure(figsize=(width, height), dpi=_DPI)
    FigureCanvasAgg(figure)
    for place, (start, end) in enumerate(bands):
        bottom = height - _TOP * scale - (place + 1) * band_height
        axes = figure.add_axes(
            (_LEFT / width, bottom / height, (end - start) * cell / width, band_height / height),
            xlim=(start, end),
            ylim=(len(row_of) - 0.5, -0.5 - head),
        )
        _draw_wires(axes, strips, row_of, cell, _TEXT_SIZE * scale)
        _draw_gates(axes, strips, row_of, cell)
        _draw_stops(axes, strips, row_of, cell)
    _write_around(figure, plan, _TEXT_SIZE * scale)
    if filename is not None:
        try:
            figure.savefig(filename)
        except (OSError, ValueError) as error:
            raise BasicAerError(f"Cannot write the picture {filename}: {error}.") from error
    return figure


def _draw_wires(axes: Axes, strips: Sequence[Strip], row_of: Mapping[int, int], cell: float, text_size: float) -> None:
    """Draw what is behind the gates: the lines of the qubits, and the tile and name of each pass."""
    from matplotlib.collections import LineCollection, PatchCollection
    from matplotlib.patches import Rectangle

    start, end = axes.get_xlim()
    points = cell * 72
    every = max(1, round(7 / points))  # one in this many qubits has a number
    labels = [str(qubit) if row % every == 0 else "" for qubit, row in row_of.items()]
    axes.set_yticks(range(len(row_of)), labels, fontsize=min(text_size, 0.8 * every * points), color=_TEXT)
    top = -axes.get_ylim()[1] - 0.5  # rows
    axes.set_ylabel("qubit", fontsize=text_size, color=_TEXT, y=len(row_of) / 2 / (len(row_of) + top))
    axes.set_xticks([])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    shades, wires = [], []
    for strip in strips:
        left, right = max(strip.start, start), min(strip.end, end)
        if left >= right:
            continue
        wires += [[(left, row), (right, row)] for row in range(len(row_of))]
        if strip.stage is None:
            continue
        for first, last in runs(row_of[qubit] for qubit in strip.stage.tile):
            shades.append(Rectangle((left, first - 0.5), right - left, last - first + 1))
        above = -0.5 - 0.2 * top
        axes.plot([left, right], [above, above], color=_FRAME, linewidth=1.2, solid_capstyle="butt")
        room = (right - left) * points / (0.58 * text_size)  # characters
        for words in _names(strip.stage, strip.number, continued=strip.start < start):
            if len(words) <= room:
                axes.text(left, above - 0.15 * top, words, fontsize=text_size, color=_TEXT, va="bottom", gid="pass")
                break
    axes.add_collection(PatchCollection(shades, facecolor=_TILE, edgecolor="none", zorder=0, gid="tiles"))
    axes.add_collection(LineCollection(wires, colors=_WIRE, linewidths=min(0.8, 0.05 * points), zorder=1))


def _names(stage: Stage, number: int, *, continued: bool) -> tuple[str, ...]:
    """Return the texts that may be written above a stage, the longest first."""
    name, short = f"pass {number}" if number else "one by one", str(number or "")
    if continued:
        return f"{name}, continued", short
    facts = [stage.inside, counted(len(stage.gates), "gate"), counted(len(stage.matrices), "matrix")]
    known = ", ".join(fact for fact in (*facts, duration(stage.seconds)) if fact and not fact.startswith("0 "))
    if not stage.inside:
        return f"{name}: {known}", name, short
    innermost = stage.inside.rpartition(" > ")[2]
    return f"{name}: {known}", f"{name}: {stage.inside}", f"{name}: {innermost}", f"{short} {innermost}".strip(), short


def _draw_gates(axes: Axes, strips: Sequence[Strip], row_of: Mapping[int, int], cell: float) -> None:
    """Draw the marks of the gates, and frames around gates that are applied as one matrix."""
    from matplotlib.collections import LineCollection, PatchCollection, PathCollection
    from matplotlib.patches import FancyBboxPatch

    start, end = axes.get_xlim()
    marks: dict[GateKind, list[Path]] = {kind: [] for kind in GateKind}
    frames, ties = [], []
    for block in (block for strip in strips for block in strip.blocks if block.start < end and block.end > start):
        framed = runs(row_of[qubit] for qubit in block.matrix)
        for first, last in framed:
            size = (block.end - block.start - 0.16, last - first + 0.88)
            corner = (block.start + 0.08, first - 0.44)
            frames.append(FancyBboxPatch(corner, *size, boxstyle="round,pad=0,rounding_size=0.25"))
        middle = (block.start + block.end) / 2
        ties += [[(middle, above + 0.44), (middle, below - 0.44)] for (_, above), (below, _) in pairwise(framed)]
        for gate, column in zip(block.gates, block.columns, strict=True):
            if start <= column < end:
                marks[gate.kind].append(_mark(gate, column + 0.5, row_of))
                if cell >= _NAMES_FROM and len(gate.name) <= 4:
                    place = (column + 0.5, row_of[gate.targets[0]])
                    axes.text(
                        *place, gate.name, fontsize=6, color=_STYLES[gate.kind].text, ha="center", va="center_baseline"
                    )
    width = min(1.1, 0.07 * cell * 72)
    axes.add_collection(
        PatchCollection(frames, facecolor="white", edgecolor=_FRAME, linewidth=width, zorder=0.5, gid="matrices")
    )
    axes.add_collection(LineCollection(ties, colors=_FRAME, linewidths=width, linestyles=":", zorder=0.4))
    for kind, paths in marks.items():
        if paths:
            drawn = PathCollection(paths, facecolor=_STYLES[kind].color, edgecolor="none", zorder=2, gid=kind.value)
            axes.add_collection(drawn)


def _kinds_of_stops(plan: PlanFacts) -> list[str]:
    """Return whether there are measurements, resets, or both."""
    found = {stop.name for stops in (plan.after, *(stage.before for stage in plan.stages)) for stop in stops}
    return [name for name in _STOPS if name in found]


def _draw_stops(axes: Axes, strips: Sequence[Strip], row_of: Mapping[int, int], cell: float) -> None:
    """Draw a box for each measurement and a circle for each reset, with a letter if there is room for it."""
    from matplotlib.collections import PathCollection

    start, end = axes.get_xlim()
    outlines: dict[str, list[Path]] = {name: [] for name in _STOPS}
    for strip in strips:
        if not strip.stops or not start <= strip.start < end:
            continue
        for name, qubit in strip.stops:
            x, y = strip.start + 0.5, row_of[qubit]
            outlines[name].append(_shape(_STOPS[name], 0.62, x, y))
            if cell >= _NAMES_FROM:
                axes.text(x, y, name[0].upper(), fontsize=6, color=_TEXT, ha="center", va="center_baseline")
    width = min(1.1, 0.07 * cell * 72)
    for name, paths in outlines.items():
        if paths:
            axes.add_collection(
                PathCollection(paths, facecolor="white", edgecolor=_TEXT, linewidth=width, zorder=2, gid=name)
            )


def _mark(gate: ShownGate, x: float, row_of: Mapping[int, int]) -> Path:
    """Return the outline of a gate: a shape on each target, a dot on each control, and a line that connects them."""
    from matplotlib.path import Path

    rows = [row_of[qubit] for qubit in (*gate.targets, *gate.controls)]
    low, high, half = min(rows), max(rows), _LINE_WIDTH / 2
    parts = []
    if high > low:
        corners = [(x - half, low), (x + half, low), (x + half, high), (x - half, high)]
        parts.append(Path([*corners, corners[0]], closed=True))
    style = _STYLES[gate.kind]
    parts += [_shape(style.marker, style.size, x, row_of[qubit]) for qubit in gate.targets]
    parts += [_shape("o", _CONTROL_SIZE, x, row_of[qubit]) for qubit in gate.controls]
    return Path.make_compound_path(*parts)


def _shape(marker: str, size: float, x: float, y: float) -> Path:
    from matplotlib.markers import MarkerStyle
    from matplotlib.transforms import Affine2D

    style = MarkerStyle(marker)
    place: Any = Affine2D().scale(size).translate(x, y)
    return style.get_path().transformed(style.get_transform() + place)


def _write_around(figure: Figure, plan: PlanFacts, text_size: float) -> None:
    """Write the title, and a legend of colours, shapes and frames."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    left, line = _LEFT / figure.get_figwidth(), text_size / 72 / figure.get_figheight()
    title, prediction = heading(plan)
    figure.text(left, 1 - line, title, fontsize=1.4 * text_size, fontweight="bold", va="top", color=_TEXT)
    figure.text(left, 1 - 3.1 * line, prediction, fontsize=text_size, va="top", color=_TEXT)
    numbers = {kind: sum(stage.kinds[kind] for stage in plan.stages) for kind in GateKind}
    handles: list[Any] = [
        Line2D([], [], linestyle="", marker=style.marker, color=style.color, label=f"{kind.value} ({numbers[kind]})")
        for kind, style in _STYLES.items()
        if numbers[kind]
    ]
    if plan.passes:
        handles.append(Patch(facecolor=_TILE, label="tile"))
    handles += [
        Line2D([], [], linestyle="", marker=_STOPS[name], markerfacecolor="white", markeredgecolor=_TEXT, label=name)
        for name in _kinds_of_stops(plan)
    ]
    if any(stage.matrices for stage in plan.passes):
        handles.append(Patch(facecolor="white", edgecolor=_FRAME, label="applied as one matrix"))
    figure.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(left, 1 - 4.9 * line),
        borderaxespad=0,
        borderpad=0,
        ncols=max(1, len(handles)),
        fontsize=text_size,
        frameon=False,
        handletextpad=0.4,
        columnspacing=1.4,
        labelcolor=_TEXT,
    )
    caption = "gates in the order in which they are carried out"
    figure.text(left, line, caption, fontsize=text_size, color=_TEXT)
