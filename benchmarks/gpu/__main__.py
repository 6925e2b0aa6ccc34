"""Measures basicaer on a GPU: the parts of a pass, cold starts, batches, and the circuit families in turn with peers.

Each point is printed and added to the results as soon as it is done. A run can be interrupted: the next one continues
where it was. The tables, the verdicts on the goals and the picture come at the end. `collect FOLDER` writes the
circuits for a machine without Qiskit, which reads them with `--circuits FOLDER`. `predict` needs no GPU: it predicts
times from the kernels' machine code. `compare` prints the error of such times, once there are measured ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from harness.options import PATH, CommaSeparated, series_options, sizes_option

from gpu.without_qiskit import import_without_qiskit

if TYPE_CHECKING:
    from pathlib import Path

_SIZES = "20,24,28,30"


@click.group(invoke_without_command=True, help=__doc__)
@click.option("--parts", type=CommaSeparated(), help="Any of questions, cold, batches, families; default: all.")
@series_options(sizes=_SIZES, budget=60)
@click.option("--stop-after", type=float, default=float("inf"), help="Seconds after which no point is begun.")
@click.option("--circuits", type=PATH, help="Folder that `collect` wrote; default: circuits are made with Qiskit.")
@click.option("--custatevec", type=PATH, help="The library; default: the one in the wheel custatevec-cu13.")
@click.option(
    "--emulated", is_flag=True, help="Try everything without a card, on the tests' emulator; times mean nothing."
)
@click.pass_context
def main(context: click.Context, *, markdown: bool, **options: Any) -> None:
    if context.invoked_subcommand:
        return
    if options["emulated"] and not options["results"]:
        raise click.UsageError("--emulated needs --results, so that emulated times do not get among measured ones.")
    import_without_qiskit()
    from basicaer.devices.gpu.probe import probe_gpu
    from gpu.series import Series

    if not options["emulated"] and (problem := probe_gpu().problem):
        raise click.ClickException(f"There is no GPU to measure: {problem}.")
    series = Series(**options)
    series.measure()
    series.report(markdown=markdown)


@main.command()
@click.argument("folder", type=PATH)
@sizes_option(f"{_SIZES},32")
def collect(folder: Path, sizes: list[int]) -> None:
    """Write the gates of all families' circuits into FOLDER. Needs Qiskit."""
    from families import FAMILIES

    from gpu.batches import BATCH_QUBITS
    from gpu.circuits import write_circuits

    sizes = sorted({*sizes, BATCH_QUBITS})
    path = write_circuits(folder, FAMILIES, sizes)
    click.echo(f"{path}: {len(FAMILIES)} families at {', '.join(map(str, sizes))} qubits")


@main.command()
@click.option("--cards", type=CommaSeparated(), help="Any of h200, h100, a100; default: all.")
@click.option("--families", type=CommaSeparated(), help="Circuit families; default: all.")
@sizes_option("28")
@click.option("--precisions", type=CommaSeparated(), default="double,single", show_default=True)
@click.option("--fresh", is_flag=True, help="Predict again what the results already have for this version.")
@click.option("--markdown", is_flag=True, help="Print the tables in Markdown.")
@click.option("--results", type=PATH, help="Folder; default: benchmarks/results.")
def predict(**options: Any) -> None:
    """Predict the families' times on cards that are not here, without measuring. Needs the group machine-code."""
    from gpu.predict import predict

    predict(**options)


@main.command()
@click.argument("measured", type=PATH)
@click.argument("predicted", type=PATH)
@click.option("--card", help="The predicted card; default: the one whose name begins the measured card's name.")
@click.option("--markdown", is_flag=True, help="Print the table in Markdown.")
def compare(**options: Any) -> None:
    """Print the error of predicted times, given the folders MEASURED and PREDICTED."""
    import_without_qiskit()
    from gpu.compare import compared

    click.echo(compared(**options))


if __name__ == "__main__":
    main(prog_name="python -m gpu")
