"""Results on the screen, as JSON, and as a picture."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

import click
import numpy as np
import orjson
from qiskit.result.postprocess import format_counts, format_counts_memory
from rich.console import Console
from rich.table import Table

from basicaer.errors import BasicAerError, at_border, printable
from basicaer.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray
    from qiskit.result import Result
    from qiskit.result.models import ExperimentResult

__all__ = ["draw", "print_results"]

_ROWS = 24  # outcomes or amplitudes that a table shows
_COLUMNS = 8  # columns of a matrix that a table shows
_BAR = 32  # letters of the longest bar
_NARROW = 8  # letters below which there is no bar, and an outcome is broken no further
_LONGEST_UPRIGHT = 10  # letters of labels below upright bars
_COLOR = "#3b6ea8"
_SMALLEST_SHOWN = 0.0001  # probability with four decimals
_SMALLEST_PERCENT = 0.1  # with one decimal
_PART = 2**20  # amplitudes that are looked at together
_METADATA = (
    *("device", "device_reason", "precision", "method", "simulated_qubits", "lowering_seconds"),
    "simulation_seconds",
)


class _Amplitude(NamedTuple):
    """One amplitude of a state."""

    state: str  # the values of all qubits, qubit 0 on the right
    value: complex

    @property
    def probability(self) -> float:
        return abs(self.value) ** 2


def print_results(result: Result, *, as_json: bool) -> None:
    """Print the results of all circuits of a job."""
    if as_json:
        is_list = len(result.results) > 1
        for number, experiment in enumerate(result.results):
            click.echo(", " if number else "[" if is_list else "", nl=False)
            for piece in _in_json(experiment):
                click.echo(piece, nl=False)
        click.echo("]" if is_list else "")
        return
    console = Console(highlight=False, markup=False)  # a file name may hold brackets
    for experiment in result.results:
        _print(console, experiment)


def _summary(experiment: ExperimentResult) -> dict[str, Any]:
    """Return what is said of an experiment, besides the arrays that it may have."""
    qubits = experiment.header.get("n_qubits")  # a Qobj of a user need not say it
    summary = {
        "circuit": experiment.name,
        "qubits": qubits if isinstance(qubits, int) else experiment.metadata["simulated_qubits"],
        "shots": experiment.shots,
        "seed_simulator": experiment.seed_simulator,
        "counts": _counts(experiment),
        "seconds": experiment.time_taken,
        **{name: experiment.metadata[name] for name in _METADATA},
    }
    memory = getattr(experiment.data, "memory", None)
    if memory is not None:
        summary["memory"] = [format_counts_memory(one, experiment.header) for one in memory]
    return summary


def _in_json(experiment: ExperimentResult) -> Iterator[str]:
    """Yield a text in pieces: the summary of an experiment with its arrays, each number as a pair, real part first.

    The text of a large state takes ten times the memory of the state itself.
    """
    yield json.dumps(_summary(experiment), indent=2).removesuffix("\n}")
    for name in ("statevector", "unitary"):
        array = getattr(experiment.data, name, None)
        if array is not None:
            yield f',\n  "{name}": [\n'
            step = max(1, _PART * len(array) // array.size)  # rows of a matrix
            for start in range(0, len(array), step):
                part = array[start : start + step]
                pairs = np.ascontiguousarray(np.stack([np.real(part), np.imag(part)], axis=-1))  # orjson reads no other
                written = orjson.dumps(pairs, option=orjson.OPT_SERIALIZE_NUMPY).decode()
                yield (",\n" if start else "") + written[1:-1]
            yield "\n  ]"
    yield "\n}"


def _counts(experiment: ExperimentResult) -> dict[str, int]:
    """Return the counts by bit string, most frequent first; empty if there are no classical bits."""
    counts = getattr(experiment.data, "counts", None)  # only circuits that measure have them
    named = format_counts(counts, experiment.header) if counts else {}
    return dict(sorted(named.items(), key=lambda item: (-item[1], item[0])))


def _print(console: Console, experiment: ExperimentResult) -> None:
    summary, data = _summary(experiment), experiment.data
    if "memory" in summary:
        for outcome in summary["memory"]:
            console.print(outcome, soft_wrap=True)
    elif summary["counts"]:
        _print_counts(console, summary["counts"], summary["shots"])
    if hasattr(data, "statevector"):
        if hasattr(data, "counts"):
            console.print("The state after the measurements; remove these to see the state before them:")
        _print_amplitudes(console, data.statevector)
    if hasattr(data, "unitary"):
        _print_matrix(console, data.unitary)
    console.print(_last_line(summary, counts=hasattr(data, "counts")), style="dim", soft_wrap=True)


def _last_line(summary: dict[str, Any], *, counts: bool) -> str:
    shots = f", {counted(summary['shots'], 'shot')}" if counts else ""
    seed = f", seed {summary['seed_simulator']}" if counts else ""
    by_density = ", as a density matrix" if summary["method"] == "density_matrix" else ""
    return (
        f"{printable(summary['circuit'])}: {counted(summary['qubits'], 'qubit')}{shots} in "
        f"{summary['seconds']:.3g} s on the {summary['device']}, {summary['precision']} precision{by_density}{seed}"
    )


def _print_counts(console: Console, counts: dict[str, int], shots: int) -> None:
    most = max(counts.values())
    shown = list(counts.items())[:_ROWS]
    rows = [(outcome, str(count), _percentage(count / shots), count / most) for outcome, count in shown]
    _print_table(console, ("outcome", "shots", "share"), rows)
    if len(counts) > _ROWS:
        left = sum(list(counts.values())[_ROWS:])
        more = counted(len(counts) - _ROWS, "more outcome")
        console.print(f"and {more} with {counted(left, 'shot')}; --json lists all")


def _print_amplitudes(console: Console, statevector: NDArray[np.complexfloating]) -> None:
    shown, left = _largest(statevector)
    most = max(one.probability for one in shown)
    rows = [(one.state, _written(one.value), _probability(one.probability), one.probability / most) for one in shown]
    _print_table(console, ("state", "amplitude", "probability"), rows)
    if left:
        console.print(f"and {counted(left, 'more amplitude')} that are not 0; --json lists all")


def _largest(statevector: NDArray[np.complexfloating]) -> tuple[list[_Amplitude], int]:
    """Return the largest amplitudes, by their place, and how many more are not 0; a part of the state at a time."""
    found = np.empty(0, np.intp)
    nonzero = 0
    for start in range(0, len(statevector), _PART):
        part = statevector[start : start + _PART]
        nonzero += int(np.count_nonzero(part))
        found = np.concatenate([found, start + np.argsort(-np.abs(part), kind="stable")[:_ROWS]])
        found = found[np.argsort(-np.abs(statevector[found]), kind="stable")][:_ROWS]
    qubits = (len(statevector) - 1).bit_length()
    places = sorted(place for place in found.tolist() if statevector[place])
    return [_Amplitude(f"{place:0{qubits}b}", complex(statevector[place])) for place in places], nonzero - len(places)


def _written(value: complex) -> str:
    """Return a number as people write it: 0.7071, -0.5j, 0.5+0.5j.

    >>> _written(0.5 - 0.5j)
    '0.5-0.5j'
    """
    real, imaginary = (f"{part:.4g}" for part in (value.real, value.imag))
    if imaginary in {"0", "-0"}:
        return real
    if real in {"0", "-0"}:
        return f"{imaginary}j"
    return f"{real}{'' if imaginary.startswith('-') else '+'}{imaginary}j"


def _probability(value: float) -> str:
    """Return a probability, never as 0: 0.5000, 3e-08.

    >>> _probability(2**-25)
    '3e-08'
    """
    return f"{value:.4f}" if value >= _SMALLEST_SHOWN else f"{value:.2g}"


def _percentage(share: float) -> str:
    """Return a share in percent, never as 0: 51.0%, 0.0005%.

    >>> _percentage(1 / 200_000)
    '0.0005%'
    """
    percent = 100 * share
    is_small = percent < _SMALLEST_PERCENT
    return f"{np.format_float_positional(percent, 1, fractional=False) if is_small else f'{percent:.1f}'}%"


def _print_matrix(console: Console, matrix: NDArray[np.complexfloating]) -> None:
    table = Table(box=None, pad_edge=False, show_header=False)
    written = [[_written(number) for number in row[:_COLUMNS].tolist()] for row in matrix[:_COLUMNS]]
    for column in zip(*written, strict=True):
        table.add_column(min_width=max(map(len, column)))
    for row in written:
        table.add_row(*row)
    console.print(table, soft_wrap=True)
    if len(matrix) > _COLUMNS:
        console.print(f"the first {_COLUMNS} rows and columns of {len(matrix)}; --json lists all")


def _print_table(console: Console, names: tuple[str, str, str], rows: Iterable[tuple[str, str, str, float]]) -> None:
    """Print rows of three columns and, where there is room for it, a bar, whose length is given from 0 to 1."""
    rows = list(rows)
    columns = zip(names, *(row[:3] for row in rows), strict=True)
    first, *others = (max(map(len, column)) for column in columns)
    left = console.width - sum(others) - 2 * len(others)
    bar = min(_BAR, left - first - 2)
    table = Table(box=None, pad_edge=False)
    table.add_column(names[0], overflow="fold", min_width=min(first, max(left, _NARROW)))
    for name, width in zip(names[1:], others, strict=True):
        table.add_column(name, justify="right", min_width=width)
    if bar >= _NARROW:
        table.add_column("")
    block = "#" if console.options.ascii_only else "█"
    for *words, length in rows:
        table.add_row(*words, *([block * max(1, round(bar * length))] if bar >= _NARROW else []))
    console.print(table, soft_wrap=True)  # a terminal that is too narrow even so breaks the lines


def draw(result: Result, path: Path) -> None:
    """Draw the counts of a job's first circuit, or the probabilities of its final state."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    experiment = result.results[0]
    bars: dict[str, float] = dict(_counts(experiment))
    is_whole, what = len(bars) <= _ROWS, "shots"
    if not bars and hasattr(experiment.data, "statevector"):
        amplitudes, left = _largest(experiment.data.statevector)
        bars = {one.state: one.probability for one in amplitudes}
        is_whole, what = not left, "probability"
    shown = dict(sorted(list(bars.items())[:_ROWS]))
    letters = max(map(len, shown), default=0)
    is_upright = letters <= _LONGEST_UPRIGHT
    along, across = 0.4 * len(shown) + 1.5, 4.0
    size = (max(4.0, along), across) if is_upright else (across + 0.1 * letters, max(2.0, 0.6 * along))
    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    if is_upright:
        axes.bar(list(shown), list(shown.values()), color=_COLOR)
        axes.set_ylabel(what)
        axes.tick_params(axis="x", rotation=70 if len(shown) > 4 else 0)
    else:  # the bars lie, so that their labels can be read
        axes.barh(list(shown), list(shown.values()), color=_COLOR)
        axes.set_xlabel(what)
        axes.invert_yaxis()
        axes.tick_params(axis="y", labelfontfamily="monospace")
    figure.suptitle(experiment.name + ("" if is_whole else f", the {_ROWS} most frequent outcomes"), wrap=True)
    axes.spines[["top", "right"]].set_visible(False)
    with at_border(lambda why: BasicAerError(f"Cannot write the picture {path}: {why}.")):
        figure.savefig(path, dpi=150)
