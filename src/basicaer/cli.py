"""The command line: `basicaer run FILE`, `basicaer resume PATH`, `basicaer plan FILE` and `basicaer info`."""

from __future__ import annotations

import contextlib
import json
import sys
import warnings
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from qiskit.result.postprocess import format_counts
from rich.console import Console
from rich.table import Table

from basicaer._version import __version__
from basicaer.devices.cpu.device import NumpyDevice
from basicaer.devices.gpu.probe import probe_gpu
from basicaer.devices.memory import largest_state
from basicaer.devices.registry import gpu_device
from basicaer.errors import BasicAerError, BasicAerWarning, at_border, printable, shown
from basicaer.openqasm.loading import its_inputs, load
from basicaer.options import Precision
from basicaer.provider import BasicAer
from basicaer.watching import place_and_time, watch
from basicaer.wording import readable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from qiskit import QuantumCircuit
    from qiskit.result import Result
    from qiskit.result.models import ExperimentResult

    from basicaer.engine.device import Device
    from basicaer.job import BasicAerJob

__all__ = ["main"]

_ROWS = 24  # outcomes that a histogram shows
_SECONDS_WITHOUT_BAR = 1.0
_METADATA = ("device", "device_reason", "precision", "simulated_qubits", "lowering_seconds", "simulation_seconds")
_INTERRUPTED = 130  # the exit status after Ctrl-C: 128 plus the number of the signal


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="basicaer")
def main() -> None:
    """Statevector simulation of quantum circuits."""


_Command = Callable[..., None]
_BIND = click.option("--bind", multiple=True, metavar="NAME=NUMBER", help="Set an input; repeat for each one.")


def _showing(command: _Command) -> _Command:
    """Add the options of all commands that wait for a job and show its result."""
    for option in (
        click.option(
            "--progress/--no-progress",
            default=None,
            help="Show a progress bar for long jobs (default unless --json is given).",
        ),
        click.option("--plot", type=click.Path(path_type=Path), help="Save a picture of the counts to this file."),
        click.option("--json", "as_json", is_flag=True, help="Print the counts and details of the run as JSON."),
        click.option("--timeout", type=float, help="Time limit of the job, in seconds."),
    ):
        command = option(command)
    return command


@main.command(short_help="Run an OpenQASM file and show its counts.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--shots", default=1024, show_default=True, help="How often to repeat the circuit.")
@click.option("--seed", type=int, help="Seed that makes the outcomes reproducible.")
@_BIND
@click.option("--device", default="auto", show_default=True, help="auto, CPU or GPU.")
@click.option("--precision", default="double", show_default=True, help="double or single.")
@click.option("--checkpoint-dir", type=click.Path(), help="A new folder to save the job in, so that it can be resumed.")
@click.option("--checkpoint-every", default=60.0, show_default=True, help="Seconds between two saves.")
@_showing
def run(
    *,
    file: Path,
    seed: int | None,
    bind: tuple[str, ...],
    as_json: bool,
    plot: Path | None,
    progress: bool | None,
    **options: Any,
) -> None:
    """Run the OpenQASM 2 or 3 circuit in FILE, "-" for standard input, and show how often each outcome occurred."""

    def start() -> BasicAerJob:
        circuit = _load(file, bind)
        missing = [parameter.name for parameter in circuit.parameters]
        if missing:
            raise BasicAerError(
                f"{file} has inputs without a value ({_quoted(missing)}); give each with --bind NAME=NUMBER."
            )
        with _warnings_printed():
            return BasicAer.get_backend("qasm_simulator").run(circuit, seed_simulator=seed, **options)

    _show(start, as_json=as_json, plot=plot, progress=progress)


@main.command(short_help="Resume a saved job.")
@click.argument("path", type=click.Path())
@click.option("--checkpoint-every", default=60.0, show_default=True, help="Seconds between two saves.")
@_showing
def resume(*, path: str, as_json: bool, plot: Path | None, progress: bool | None, **options: Any) -> None:
    """Resume the job that was saved in the folder PATH and whose process has ended."""

    def start() -> BasicAerJob:
        with _warnings_printed():
            return BasicAer.resume(path, **options)

    _show(start, as_json=as_json, plot=plot, progress=progress)


def _show(start: Callable[[], BasicAerJob], *, as_json: bool, plot: Path | None, progress: bool | None) -> None:
    """Wait for a job and show its result, circuit by circuit."""
    console = Console(highlight=False, markup=False)  # a file name may hold brackets
    job = None
    try:
        if plot is not None:
            _check_picture("--plot", plot)
        job = start()
        if progress or (progress is None and not as_json):
            watch(job, delay=_SECONDS_WITHOUT_BAR, leave=False)
        result = job.result()
        if plot is not None:
            _draw(result, plot)
    except (BasicAerError, MemoryError) as error:
        raise _refusal(error) from error
    except KeyboardInterrupt:
        came = ""
        if job is not None:
            job.cancel()  # the interrupt may have come before anything waited for the job
            came = place_and_time(job.progress())
        click.echo(f"Cancelled {came}".rstrip() + ".", err=True)
        raise click.exceptions.Exit(_INTERRUPTED) from None
    summaries = [_summary(experiment) for experiment in result.results]
    if as_json:
        click.echo(json.dumps(summaries[0] if len(summaries) == 1 else summaries, indent=2))
        return
    for summary in summaries:
        _print_histogram(console, summary)
    if plot is not None:
        console.print(f"Picture: {plot}", soft_wrap=True)


def _refusal(error: BasicAerError | MemoryError) -> click.ClickException:
    if isinstance(error, BasicAerError):
        return click.ClickException(str(error.message))
    return click.ClickException("The memory is full; use a smaller circuit.")


@contextlib.contextmanager
def _warnings_printed() -> Iterator[None]:
    """Print the warnings that are raised inside, unless an error is."""
    with warnings.catch_warnings(record=True, action="always", category=BasicAerWarning) as caught:
        yield
    for warning in caught:
        click.echo(f"Warning: {warning.message}", err=True)


def _load(file: Path, bind: tuple[str, ...]) -> QuantumCircuit:
    """Return the circuit in a file, whose inputs have the values that are given."""
    values: dict[str, float] = {}
    for given in bind:
        name, _, number = given.partition("=")
        value = _number(number)
        if value is None:
            raise BasicAerError(f"--bind {shown(given)} has no number; give NAME=NUMBER.")
        if name in values:
            raise BasicAerError(f"--bind gives {shown(name)} twice; give it once.")
        values[name] = value
    circuit, inputs = load(file, values)
    for given in bind:
        if given.partition("=")[0] not in inputs:
            raise BasicAerError(f"--bind {shown(given)} names no input of {file}; {its_inputs(inputs)}.")
    return circuit


def _number(written: str) -> float | None:
    """Return a number as it is written: an integer of any size is exact."""
    for kind in (int, float):
        with contextlib.suppress(ValueError):
            return kind(written)
    return None


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)


def _counts(experiment: ExperimentResult) -> dict[str, int]:
    """Return the counts by bit string, most frequent first; empty if there are no classical bits."""
    counts = getattr(experiment.data, "counts", None)  # a resumed job may be one of another simulator, without counts
    named = format_counts(counts, experiment.header) if counts else {}
    return dict(sorted(named.items(), key=lambda item: (-item[1], item[0])))


def _summary(experiment: ExperimentResult) -> dict[str, Any]:
    return {
        "circuit": experiment.name,
        "shots": experiment.shots,
        "seed_simulator": experiment.seed_simulator,
        "counts": _counts(experiment),
        "seconds": experiment.time_taken,
        **{name: experiment.metadata[name] for name in _METADATA},
    }


def _print_histogram(console: Console, summary: dict[str, Any]) -> None:
    counts: dict[str, int] = summary["counts"]
    table = Table(box=None, pad_edge=False)
    table.add_column("outcome", overflow="fold")
    table.add_column("shots", justify="right")
    table.add_column("share", justify="right")
    table.add_column("")
    most = max(counts.values(), default=1)
    block = "#" if console.options.ascii_only else "█"
    for outcome, count in list(counts.items())[:_ROWS]:
        share = count / summary["shots"]
        table.add_row(outcome, str(count), f"{share:.1%}", block * max(1, round(32 * count / most)))
    if counts:
        console.print(table)
    if len(counts) > _ROWS:
        left = sum(list(counts.values())[_ROWS:])
        console.print(f"and {len(counts) - _ROWS} more outcomes with {left} shots; --json lists all")
    console.print(
        f"{printable(summary['circuit'])}: {summary['simulated_qubits']} qubits, {summary['shots']} shots in "
        f"{summary['seconds']:.3g} s on the {summary['device']}, {summary['precision']} precision, "
        f"seed {summary['seed_simulator']}",
        style="dim",
        soft_wrap=True,
    )


def _check_picture(option: str, path: Path) -> None:
    """Refuse a file name that no picture can have, before a result is computed that would be lost."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise BasicAerError(f"{option} needs matplotlib; pip install 'basicaer[plot]'.") from error
    endings = [f".{ending}" for ending in Figure().canvas.get_supported_filetypes()]
    if path.suffix.lower() not in endings:
        wrong = f"its name must end in one of {', '.join(endings)}"
    elif path.is_dir():
        wrong = "it is a folder; give the name of a file"
    elif not path.parent.is_dir():
        wrong = f"there is no folder {path.parent}; make it first"
    else:
        return
    raise BasicAerError(f"Cannot write the picture {path}: {wrong}.")


def _draw(result: Result, path: Path) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    counts = list(_counts(result.results[0]).items())
    shown = sorted(counts[:_ROWS])
    figure = Figure(figsize=(max(4.0, 0.4 * len(shown) + 1.5), 4.0), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.bar([outcome for outcome, _ in shown], [count for _, count in shown], color="#3b6ea8")
    axes.set_ylabel("shots")
    axes.set_title(result.results[0].name + (f", the {_ROWS} most frequent outcomes" if len(counts) > _ROWS else ""))
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(axis="x", rotation=70 if len(shown) > 4 else 0)
    with at_border(lambda why: BasicAerError(f"Cannot write the picture {path}: {why}.")):
        figure.savefig(path, dpi=150)


@main.command(short_help="Show how an OpenQASM file would be run.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--device", default="auto", show_default=True, help="auto, CPU or GPU.")
@click.option("--precision", default="double", show_default=True, help="double or single.")
@click.option("--draw", type=click.Path(path_type=Path), help="Save a picture of the plan to this file.")
@_BIND
def plan(*, file: Path, bind: tuple[str, ...], device: Any, precision: Any, draw: Path | None) -> None:
    """Show how the OpenQASM 2 or 3 circuit in FILE, "-" for standard input, would be run."""
    try:
        if draw is not None:
            _check_picture("--draw", draw)
        circuit = _load(file, bind)
        with _warnings_printed():
            made = BasicAer.get_backend("qasm_simulator").plan(circuit, device=device, precision=precision)
        if draw is not None:
            made.draw(draw)
    except (BasicAerError, MemoryError) as error:
        raise _refusal(error) from error
    click.echo(str(made))
    if draw is not None:
        click.echo(f"Picture: {draw}")


@main.command(short_help="Show the devices, and why the GPU is off.")
def info() -> None:
    """Show the available devices, and the reason if the GPU is off."""
    console = Console(highlight=False)
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("qiskit", "numpy"))
    console.print(f"basicaer {__version__}, {versions}, Python {sys.version.split()[0]}")
    console.print(f"CPU: {_room(NumpyDevice())}", soft_wrap=True)
    probe = probe_gpu()
    if probe.problem:
        console.print(f"GPU: off, {probe.problem}", soft_wrap=True, markup=False)
    for number, card in enumerate(probe.cards):
        room = "" if probe.problem else f"; {_room(gpu_device(number))}"
        console.print(f"GPU {card}{room}", soft_wrap=True, markup=False)
    if probe.cupy:
        driver = f", driver for {probe.platform} {probe.driver}, runtime {probe.runtime}" if probe.driver else ""
        console.print(f"  CuPy {probe.cupy}{driver}")
    if probe.cards and probe.kernel_cache:
        console.print(f"  kernels are kept in {probe.kernel_cache}", soft_wrap=True, markup=False)


def _room(device: Device) -> str:
    free = device.free_bytes()
    fits = ", ".join(f"{largest_state(device, precision, free)} in {precision} precision" for precision in Precision)
    return f"{readable(free)} free; qubits that fit: {fits}"
