"""The options that the command lines of all benchmarks share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

System = TypeVar("System")
PATH = click.Path(path_type=Path)


class CommaSeparated(click.ParamType):
    """Words or whole numbers, separated by commas."""

    name = "list"

    def __init__(self, kind: type = str) -> None:
        self.kind = kind

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> list[Any]:
        try:
            return [self.kind(part) for part in value.split(",")]
        except ValueError:
            self.fail(f"{value!r} is not a list of whole numbers separated by commas.", param, ctx)


def sizes_option(default: str) -> Callable[[Any], Any]:
    return click.option(
        "--sizes", type=CommaSeparated(int), default=default, show_default=True, help="Numbers of qubits."
    )


def series_options(*, sizes: str, budget: float) -> Callable[[Any], Any]:
    """Return a decorator that adds the options of a series of points; `sizes` and `budget` are its defaults."""
    options = (
        click.option("--families", type=CommaSeparated(), help="Circuit families; default: all."),
        sizes_option(sizes),
        click.option("--precisions", type=CommaSeparated(), default="double,single", show_default=True),
        click.option("--peers", type=CommaSeparated(), help="Other simulators; default: all that are installed."),
        click.option(
            "--rounds", type=click.IntRange(1), default=5, show_default=True, help="How many times each one runs."
        ),
        click.option(
            "--budget",
            type=float,
            default=budget,
            show_default=True,
            help="Seconds for a point; may mean fewer rounds.",
        ),
        click.option("--fresh", is_flag=True, help="Measure again what the results already have for this version."),
        click.option("--markdown", is_flag=True, help="Print the tables in Markdown."),
        click.option("--results", type=PATH, help="Folder; default: benchmarks/results."),
    )

    def decorated(command: Any) -> Any:
        for option in reversed(options):
            command = option(command)
        return command

    return decorated


def known_names(what: str, given: list[str] | None, known: Iterable[str]) -> list[str]:
    """Return the given names in the order of the known ones, or all of these; refuse a name that is not known."""
    known = [str(name) for name in known]
    wrong = [name for name in given or () if name not in known]
    if wrong:
        raise click.UsageError(f"There are no {what} called {', '.join(wrong)}; known are {', '.join(known)}.")
    return known if given is None else [name for name in known if name in given]


def available(makers: Mapping[str, Callable[[], System]]) -> tuple[list[System], dict[str, str]]:
    """Make the simulators that can be used here; return them, and for each of the others why it cannot be used."""
    made, missing = [], {}
    for name, make in makers.items():
        try:
            made.append(make())
        except (ImportError, RuntimeError) as error:
            missing[name] = str(error)
    return made, missing
