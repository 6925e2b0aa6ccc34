"""The table of ratios: a row for each family, a column for each peer and size, and the geometric means."""

from __future__ import annotations

from statistics import geometric_mean
from typing import TYPE_CHECKING, NamedTuple

from peers.goals import GOALS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from peers.results import Record

_FAMILY, _CELL = 17, 6  # characters


class _Column(NamedTuple):
    peer: str
    precision: str
    n: int

    @property
    def group(self) -> str:
        return self.peer if self.precision == "double" else f"{self.peer} single"


class Table:
    """Ratios from the latest record of each point.

    Parameters
    ----------
    peers
        Their names in the order of the columns.
    """

    def __init__(self, records: Iterable[Record], peers: Sequence[str]) -> None:
        self.ratios: dict[str, dict[_Column, float]] = {}  # [family][column] = the peer's time / ours
        for record in records:
            row = self.ratios.setdefault(record["family"], {})
            for peer, ratio in record["ratios"].items():
                row[_Column(peer, record["precision"], record["n"])] = ratio
        order = {peer: place for place, peer in enumerate(peers)}
        self.columns = sorted(
            {column for row in self.ratios.values() for column in row if column.peer in order},
            key=lambda column: (column.precision, order[column.peer], column.n),
        )

    def plain(self) -> str:
        """Return the table for a terminal."""
        groups: dict[str, int] = {}
        for column in self.columns:
            groups[column.group] = groups.get(column.group, 0) + _CELL
        lines = [
            " " * _FAMILY + "".join(f"{group:>{max(width, len(group) + 2)}}" for group, width in groups.items()),
            f"{'qubits':{_FAMILY}}" + self._aligned(str(column.n) for column in self.columns),
        ]
        lines += [f"{title:{_FAMILY}}" + self._aligned(cells) for title, cells in self._rows()]
        return "\n".join(lines)

    def markdown(self) -> str:
        """Return the table for a README."""
        rows = [("family", [f"{column.group} {column.n}" for column in self.columns])]
        rows += [("---", ["---:"] * len(self.columns)), *self._rows()]
        return "\n".join(f"| {' | '.join([title, *cells])} |" for title, cells in rows)

    def _aligned(self, cells: Iterable[str]) -> str:
        line, width, last = "", 0, None
        for column, cell in zip(self.columns, cells, strict=True):
            if column.group != last:  # a group of one column is as wide as its name
                width = max(_CELL, len(column.group) + 2 - _CELL * (self._size_of(column.group) - 1))
            line += f"{cell:>{width}}"
            width, last = _CELL, column.group
        return line

    def _size_of(self, group: str) -> int:
        return sum(column.group == group for column in self.columns)

    def _rows(self) -> list[tuple[str, list[str]]]:
        rows = [
            (family, [_cell(row.get(column)) for column in self.columns]) for family, row in sorted(self.ratios.items())
        ]
        means = [[row[column] for row in self.ratios.values() if column in row] for column in self.columns]
        goals = [GOALS.get((column.peer, column.precision, column.n)) for column in self.columns]
        rows.append(("geometric mean", [_cell(geometric_mean(ratios)) for ratios in means]))
        if any(goals):
            rows.append(("goal", [_cell(goal) for goal in goals]))
        return rows


def _cell(ratio: float | None) -> str:
    if ratio is None:
        return "-"
    return f"{ratio:.2f}" if ratio < 1 else f"{ratio:.1f}" if ratio < 10 else f"{ratio:.0f}"
