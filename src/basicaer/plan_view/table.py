"""A plan as a table for a terminal."""

from __future__ import annotations

from collections import Counter
from io import StringIO
from itertools import groupby
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from basicaer.plan_view.model import GateKind
from basicaer.plan_view.prediction import FACTOR
from basicaer.wording import counted, duration, readable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from basicaer.plan_view.model import PlanFacts, Stage

__all__ = ["NARROWEST", "WIDTH", "heading", "table_of"]

WIDTH = 100  # characters of a line where nobody asks for another
NARROWEST = 40  # characters of the narrowest line
_NARROW = 8  # characters of the narrowest column of words
_ROWS = 60  # stages that a table shows
_SHORT = {GateKind.PERMUTATION: "perm."}


def table_of(plan: PlanFacts, width: int = WIDTH) -> str:
    """Return a plan as lines: a heading, a row for each stage, and remarks.

    Parameters
    ----------
    width
        Characters of a line; the table has more if its numbers need more.
    """
    text = StringIO()
    console = Console(
        file=text,
        width=width,
        color_system=None,
        force_jupyter=False,  # in a notebook, rich would display the lines instead of writing them to the file
        highlight=False,
        markup=False,
        emoji=False,
    )
    for line in heading(plan):
        console.print(line)
    if plan.passes:
        console.print()
        table = _table(plan)
        least = sum(column.min_width or 0 for column in table.columns) + 2 * len(table.columns)
        console.width = max(width, least)
        console.print(table)
        console.width = width
        console.print()
        if len(plan.stages) > _ROWS:
            console.print(f"and {counted(len(plan.stages) - _ROWS, 'more row')}")
    for line in _remarks(plan):
        console.print(line)
    return "\n".join(line.rstrip() for line in text.getvalue().rstrip().splitlines())


def heading(plan: PlanFacts) -> tuple[str, str]:
    """Return two lines: the size of the circuit, and the predicted time and memory."""
    sizes = ((plan.n_qubits, "qubit"), (plan.n_gates, "gate"), (len(plan.passes), "pass"))
    prediction = (
        f"about {duration(plan.seconds)} (first time {duration(plan.first_seconds)}), {readable(plan.memory)} "
        f"of memory, on the {plan.device} with {counted(plan.threads, 'thread')}, {plan.precision} precision"
    )
    return f"{plan.name}: {', '.join(counted(number, what) for number, what in sizes)}", prediction


def _table(plan: PlanFacts) -> Table:
    kinds = [kind for kind in GateKind if any(stage.kinds[kind] for stage in plan.stages)]
    in_control_flow = any(stage.inside for stage in plan.stages)
    table = Table(box=None, pad_edge=False)
    table.add_column("pass", justify="right")
    if in_control_flow:
        table.add_column("inside", overflow="fold")
    table.add_column("tile qubits", overflow="fold")
    for name in ("gates", *(_SHORT.get(kind, kind.value) for kind in kinds)):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("matrices", overflow="fold")
    for name in ("moved", "time"):
        table.add_column(name, justify="right", no_wrap=True)
    for number, stage in list(_numbered(plan.stages))[:_ROWS]:
        table.add_row(
            str(number or "-"),
            *([stage.inside] if in_control_flow else []),
            _ranges(stage.tile) or "(one by one)",
            str(len(stage.gates)),
            *(str(stage.kinds[kind] or "-") for kind in kinds),
            _sizes(stage.matrices) or "-",
            readable(stage.bytes),
            duration(stage.seconds),
        )
    for column in table.columns:
        longest = max(len(str(cell)) for cell in (column.header, *column.cells))
        column.min_width = longest if column.justify == "right" else min(longest, _NARROW)
    return table


def _numbered(stages: Sequence[Stage]) -> Iterator[tuple[int, Stage]]:
    """Yield each stage with its number among the passes; 0 if it is no pass."""
    number = 0
    for stage in stages:
        number += bool(stage.tile)
        yield (number if stage.tile else 0), stage


def _ranges(numbers: Sequence[int]) -> str:
    """Return ascending numbers as ranges.

    >>> _ranges((0, 1, 2, 4, 8, 9))
    '0-2 4 8 9'
    """
    words: list[str] = []
    for _, pairs in groupby(enumerate(numbers), lambda pair: pair[1] - pair[0]):
        run = [number for _, number in pairs]
        words += [f"{run[0]}-{run[-1]}"] if len(run) > 2 else [str(number) for number in run]
    return " ".join(words)


def _sizes(matrices: Iterable[int]) -> str:
    """Return the number of matrices of each number of qubits, the largest first."""
    return ", ".join(f"{count} of {size}q" for size, count in sorted(Counter(matrices).items(), reverse=True))


def _remarks(plan: PlanFacts) -> Iterator[str]:
    if plan.density_matrix:
        yield "The state is a density matrix, so gates and errors act on its rows and on its columns."
    if plan.unitary or plan.density_matrix:
        first = plan.qubits[plan.n_qubits // 2] - plan.qubits[0] if plan.qubits else 0
        yield f"Qubits from {first} on are the bits of a column's number."
    if plan.free_parameters:
        names = ", ".join(f"'{name}'" for name in plan.free_parameters[:8])
        more = ", ..." if len(plan.free_parameters) > 8 else ""
        yield f"It is the same for all values of {names}{more}."
    if plan.spilled:
        yield (
            f"The state has {readable(plan.spilled)} outside of the device's memory. Each row is a stage: the tile is "
            f"a chunk, which is read, worked on and written, {readable(plan.bytes)} in all. The times "
            "are by rates that were measured once."
        )
    if plan.stages and not plan.passes:
        yield "The gates are applied one by one, since planning would take longer than it saves on so few qubits."
    elif len(plan.passes) < len(plan.stages):
        yield "A stretch of few gates is applied one by one."
    if plan.swaps:
        yield f"{counted(plan.swaps, 'swap')}: the two qubits only change places, and no amplitude moves."
    inside = " ".join(stage.inside for stage in plan.stages)
    if "for" in inside or "while" in inside:
        yield "A loop is counted as if it went round once."
    if "if" in inside or "switch" in inside:
        yield "All branches are counted, although one of several is taken."
    if plan.errors is not None:
        errors = plan.errors
        yield (
            f"Errors may occur at {counted(errors.sites, 'place')}, {errors.per_shot:.2g} of them in a shot; about "
            f"{errors.patterns:.3g} patterns of errors are expected. Shots that they leave alike share a state, "
            "and the times are those of one state."
        )
    if (division := plan.division) is not None:
        yield (
            f"Divided among {division.ranks} ranks: each has {readable(division.rank_bytes)} and sends "
            f"{readable(division.sent_bytes)} in {counted(len(division.exchanges), 'exchange')}. The table is for one "
            "process."
        )
    yield f"Times are predictions; most are right to a factor of {FACTOR}."
    yield f"Runs on the {plan.device} ({plan.device_reason})."
