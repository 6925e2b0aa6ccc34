"""The table of ratios: a row for each family, a column for each peer and size, and the geometric means."""

from __future__ import annotations

from statistics import geometric_mean
from typing import TYPE_CHECKING, NamedTuple

from families import TITLES
from harness.results import newest
from harness.table import laid_out, multiple

from peers.goals import MEANS
from peers.systems import SYSTEMS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.results import Record


class _Column(NamedTuple):
    peer: str
    precision: str
    n: int

    @property
    def head(self) -> str:
        return f"{self.peer}{'' if self.precision == 'double' else ' single'} {self.n}"


def ratio_table(records: Iterable[Record], *, markdown: bool) -> str:
    """Return the peers' times divided by ours, each from the newest record that has it."""
    ratios: dict[str, dict[_Column, float]] = {}  # ratios[family][column]
    for record in newest(records):
        row = ratios.setdefault(record["family"], {})
        row |= {_Column(peer, record["precision"], record["n"]): ratio for peer, ratio in record["ratios"].items()}
    order = list(SYSTEMS)
    columns = sorted(
        {column for row in ratios.values() for column in row},
        key=lambda column: (column.precision, order.index(column.peer), column.n),
    )
    rows = [["family", *(column.head for column in columns)]]
    rows += [
        [title, *(multiple(ratios[family].get(column)) for column in columns)]
        for family, title in TITLES.items()
        if family in ratios
    ]
    means = [geometric_mean(row[column] for row in ratios.values() if column in row) for column in columns]
    rows.append(["geometric mean", *map(multiple, means)])
    goals = [MEANS.get(column) for column in columns]
    if any(goals):
        rows.append(["goal", *map(multiple, goals)])
    return laid_out(rows, markdown=markdown)
