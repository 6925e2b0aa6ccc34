"""Tables for a terminal and for a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def laid_out(rows: Sequence[Sequence[str]], *, markdown: bool, text_columns: int = 1) -> str:
    """Return rows, the first of which is the head; all columns after the first `text_columns` are aligned right."""
    if markdown:
        head, *rest = rows
        rule = ["---" if i < text_columns else "---:" for i in range(len(head))]
        return "\n".join(f"| {' | '.join(row)} |" for row in (head, rule, *rest))
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = zip(row, widths, strict=True)
        aligned = [f"{cell:{'<' if i < text_columns else '>'}{width}}" for i, (cell, width) in enumerate(cells)]
        lines.append("  ".join(aligned).rstrip())
    return "\n".join(lines)


def multiple(ratio: float | None) -> str:
    """Return how many times as fast something is, with two digits where they mean anything."""
    if ratio is None:
        return "-"
    return f"{ratio:.2f}" if ratio < 1 else f"{ratio:.1f}" if ratio < 10 else f"{ratio:.0f}"
