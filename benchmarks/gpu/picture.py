"""The picture: time from a random state against the number of qubits and the card's limit, a panel for each family."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

import matplotlib as mpl
from matplotlib.figure import Figure

from gpu.custatevec import Library
from gpu.goals import BAND_PRECISION, BAND_QUBITS, BANDS_MS
from gpu.ours import Ours

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from gpu.results import Record

_COLUMNS = 4
_COLORS = {Ours.name: "black", Library.name: "#D55E00"}  # Okabe and Ito's
_DASHES = {"double": "-", "single": "--"}


def draw(records: Sequence[Record], path: Path, caption: str) -> None:
    """Draw the medians; single precision is dashed, with hollow markers; the limit is a thin dotted line."""
    families = sorted({record["family"] for record in records})
    n_rows = -(-len(families) // _COLUMNS)
    with mpl.rc_context({"font.size": 9, "axes.grid": True, "grid.alpha": 0.3, "svg.hashsalt": "gpu"}):
        figure = Figure(figsize=(3 * _COLUMNS, 2.4 * n_rows + 1), layout="constrained")
        axes = figure.subplots(n_rows, _COLUMNS, sharex=True, squeeze=False)
        drawn = {}
        for axis, family in zip(axes.flat, families, strict=False):
            mine = {(r["precision"], r["n"]): r for r in records if r["family"] == family}
            for precision, dashes in _DASHES.items():
                here = {n: r["random"] for (p, n), r in sorted(mine.items()) if p == precision}
                for name, color in _COLORS.items():
                    points = {n: 1e3 * median(r["seconds"][name]) for n, r in here.items() if name in r["seconds"]}
                    if points:
                        face = color if precision == "double" else "white"
                        (drawn[f"{name}, {precision}"],) = axis.plot(
                            *zip(*points.items(), strict=True), color=color, ls=dashes, marker="o", ms=4.5, mfc=face
                        )
                if here:
                    limits = [1e3 * r["limit_seconds"] for r in here.values()]
                    (drawn["all bytes at copy bandwidth"],) = axis.plot(
                        [*here], limits, color="#0072B2", ls=":", lw=1.2
                    )
            if family in BANDS_MS and (BAND_PRECISION, BAND_QUBITS) in mine:
                low, high = BANDS_MS[family]
                drawn["foretold"] = axis.vlines(BAND_QUBITS, low, high, color="#009E73", lw=6, alpha=0.4)
            axis.set(title=family, yscale="log", xticks=sorted({n for _, n in mine}))
        for axis in axes.flat[len(families) :]:
            axis.set_axis_off()
        for axis in axes[:, 0]:
            axis.set_ylabel("ms from a random state")
        figure.legend(list(drawn.values()), list(drawn), loc="outside upper center", ncols=4, frameon=False)
        figure.supxlabel(f"qubits\n{caption}", fontsize=8)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=150)
