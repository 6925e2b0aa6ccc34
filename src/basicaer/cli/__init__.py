"""The command line: `basicaer run FILE`, `basicaer resume PATH`, `basicaer plan FILE` and `basicaer info`.

Here are the commands and their options. What they do is imported when they are called, so that help comes at once.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from basicaer._version import __version__
from basicaer.cli.exit_status import INTERRUPTED

__all__ = ["main"]

_Command = Callable[..., None]


class _Main(click.Group):
    """The commands, which end with one sentence also where their output cannot be written."""

    def main(self, *args: Any, **keywords: Any) -> Any:
        """Run a command; all errors of the system that get here are those of the output."""
        if sys.stdout is None:  # the parent process has closed it
            click.echo("Error: The standard output is closed, so that no result can be shown.", err=True)
            sys.exit(1)
        try:
            return super().main(*args, **keywords)
        except OSError as error:
            click.echo(f"Error: The output cannot be written: {error.strerror or error}.", err=True)
            _give_up_output()
            sys.exit(1)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; where Ctrl-C comes before its job has begun, it ends as it does afterwards."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("Cancelled.", err=True)
            ctx.exit(INTERRUPTED)


def _give_up_output() -> None:
    """Let what cannot be written go nowhere, or the interpreter would try again when it ends, and complain."""
    with contextlib.suppress(OSError), open(os.devnull, "wb") as nowhere:  # noqa: PTH123  # it is no path
        os.dup2(nowhere.fileno(), sys.stdout.fileno())


@click.group(cls=_Main, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="basicaer")
def main() -> None:
    """Statevector simulation of quantum circuits."""


def _with_options(*options: Callable[[_Command], _Command]) -> Callable[[_Command], _Command]:
    """Return a decorator that adds options to a command, in this order."""

    def add(command: _Command) -> _Command:
        for option in reversed(options):
            command = option(command)
        return command

    return add


_FILE = click.argument("file", type=click.Path(path_type=Path))

_HOW_TO_SIMULATE = _with_options(
    click.option(
        "--simulator",
        default="qasm",
        show_default=True,
        help="qasm for counts, statevector for amplitudes, or unitary for the matrix of the circuit.",
    ),
    click.option("--bind", multiple=True, metavar="NAME=NUMBER", help="Set an input; repeat for each one."),
    click.option("--noise", type=click.Path(path_type=Path), help="A JSON file with a noise model, for qasm."),
    click.option("--device", default="auto", show_default=True, help="auto, CPU or GPU."),
    click.option("--precision", default="double", show_default=True, help="double or single."),
    click.option(
        "--method",
        default="automatic",
        show_default=True,
        help="automatic, statevector, or density_matrix, by which errors, resets and save instructions are exact.",
    ),
    click.option(
        "--threads",
        "max_parallel_threads",
        type=int,
        default=0,
        show_default="BASICAER_NUM_THREADS, else OMP_NUM_THREADS, else one for each core",
        help="Threads that work on one state.",
    ),
)

_SPILL = click.option(
    "--spill",
    type=click.Path(),
    help="A folder for states that do not fit into memory, or 'host' for those that do not fit on a GPU; for qasm.",
)

_DISTRIBUTED = click.option(
    "--distributed", is_flag=True, help="Divide the state among the processes that mpiexec has started."
)

_HOW_TO_SAVE = _with_options(
    click.option("--checkpoint-every", default=60.0, show_default=True, help="Seconds between two saves."),
    click.option(
        "--checkpoint-margin",
        default=0.0,
        show_default=True,
        help="Seconds before the time limit at which the job is saved and ends.",
    ),
)

_HOW_TO_SHOW = _with_options(
    click.option("--timeout", type=float, help="Time limit of the job, in seconds."),
    click.option("--json", "as_json", is_flag=True, help="Print the results and details of the run as JSON."),
    click.option(
        "--plot", type=click.Path(path_type=Path), help="Save a picture of the counts or probabilities to this file."
    ),
    click.option(
        "--progress/--no-progress",
        default=None,
        help="Show a progress bar for long jobs (default unless --json is given).",
    ),
)


@main.command(short_help="Run an OpenQASM file and show its counts.")
@_FILE
@click.option(
    "--shots",
    type=int,
    show_default="1024, for statevector 1",
    help="How often to repeat the circuit.",
)
@click.option("--seed", "seed_simulator", type=int, help="Seed that makes the outcomes reproducible.")
@click.option("--memory", is_flag=True, help="Show the outcome of every shot, in order, instead of counts.")
@_HOW_TO_SIMULATE
@_SPILL
@_DISTRIBUTED
@click.option("--checkpoint-dir", type=click.Path(), help="A new folder to save the job in, so that it can be resumed.")
@_HOW_TO_SAVE
@_HOW_TO_SHOW
def run(**options: Any) -> None:
    """Run the OpenQASM 2 or 3 circuit in FILE, "-" for standard input, and show how often each outcome occurred."""
    from basicaer.cli.running import run_file

    run_file(**options)


@main.command(short_help="Resume a saved job.")
@click.argument("path", type=click.Path())
@_DISTRIBUTED
@_HOW_TO_SAVE
@_HOW_TO_SHOW
def resume(**options: Any) -> None:
    """Resume the job that was saved in the folder PATH and whose process has ended."""
    from basicaer.cli.running import resume_folder

    resume_folder(**options)


@main.command(short_help="Show how an OpenQASM file would be run.")
@_FILE
@_HOW_TO_SIMULATE
@_SPILL
@click.option("--draw", type=click.Path(path_type=Path), help="Save a picture of the plan to this file.")
def plan(**options: Any) -> None:
    """Show how the OpenQASM 2 or 3 circuit in FILE, "-" for standard input, would be run."""
    from basicaer.cli.planning import plan_file

    plan_file(**options)


@main.command(short_help="Show the devices, and why the GPU is off.")
def info() -> None:
    """Show the available devices, and the reason if the GPU is off."""
    from basicaer.cli.devices import show_devices

    show_devices()
