"""Measures basicaer on a GPU: pieces of a pass, cold starts, and the circuit families side by side with peers.

Each point is printed and added to the results as soon as it is done: a run may be interrupted, and the next goes on
where it was. In the end come the tables and the picture. `collect FOLDER` writes the circuits for a machine without
Qiskit, which then reads them by `--circuits FOLDER`.
"""

from __future__ import annotations

from pathlib import Path

import click

from gpu.without_qiskit import stand_in


class _Listed(click.ParamType):
    """Words or numbers with commas between them."""

    name = "list"

    def __init__(self, kind: type = str) -> None:
        self.kind = kind

    def convert(self, value, param, ctx):
        try:
            return [self.kind(part) for part in value.split(",")]
        except ValueError:
            self.fail(f"{value!r} is not a list of whole numbers with commas between them.", param, ctx)


_SIZES = "20,24,28,30"
_PATH = click.Path(path_type=Path)


@click.group(invoke_without_command=True, help=__doc__)
@click.option("--parts", type=_Listed(), help="Of questions, cold, batches, families; default: all.")
@click.option("--families", type=_Listed(), help="Default: all.")
@click.option("--sizes", type=_Listed(int), default=_SIZES, show_default=True, help="Numbers of qubits.")
@click.option("--precisions", type=_Listed(), default="double,single", show_default=True)
@click.option("--peers", type=_Listed(), help="Of cuStateVec, Aer; default: all that are there.")
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True, help="How often each runs.")
@click.option("--budget", type=float, default=60, show_default=True, help="Seconds for a point; then fewer rounds do.")
@click.option("--stop-after", type=float, default=float("inf"), help="Seconds after which no point is begun.")
@click.option("--circuits", type=_PATH, help="Folder that `collect` wrote; default: made here, with Qiskit.")
@click.option("--custatevec", type=_PATH, help="The library; default: where the wheel custatevec-cu13 has it.")
@click.option("--results", type=_PATH, help="Folder; default: benchmarks/results.")
@click.option("--fresh", is_flag=True, help="Measure anew what the results have for this version already.")
@click.option("--markdown", is_flag=True, help="Print the tables in the form that a README carries.")
@click.option("--emulated", is_flag=True, help="Try all this without a card, by the tests' emulator: no time counts.")
@click.pass_context
def main(context: click.Context, *, markdown: bool, **options) -> None:
    if context.invoked_subcommand:
        return
    if options["emulated"] and not options["results"]:
        raise click.UsageError("--emulated needs --results, so that no emulated time stands among measured ones.")
    stand_in()
    from basicaer.devices.gpu.probe import probe_gpu
    from gpu.series import Series

    if not options["emulated"] and (problem := probe_gpu().problem):
        raise click.ClickException(f"There is no GPU to measure: {problem}.")
    series = Series(**options)
    series.measure()
    series.report(markdown=markdown)


@main.command()
@click.argument("folder", type=_PATH)
@click.option("--sizes", type=_Listed(int), default=f"{_SIZES},32", show_default=True, help="Numbers of qubits.")
def collect(folder: Path, sizes: list[int]) -> None:
    """Write the families' circuits, lowered, into FOLDER. Needs Qiskit."""
    from families import FAMILIES

    from gpu.batches import BATCH_QUBITS
    from gpu.circuits import collect as written

    sizes = sorted({*sizes, BATCH_QUBITS})
    click.echo(f"{written(folder, FAMILIES, sizes)}: {len(FAMILIES)} families at {', '.join(map(str, sizes))} qubits")


if __name__ == "__main__":
    main(prog_name="python -m gpu")
