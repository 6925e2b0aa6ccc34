"""Times the circuit families side by side with other simulators, in turn.

Each point, that is family, precision and number of qubits, is printed and added to the results as soon as it is done:
a run may be interrupted, and the next goes on where it was. In the end comes the table, and the picture is drawn.
"""

from __future__ import annotations

import os
from pathlib import Path

import click

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS")


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


@click.command(help=__doc__)
@click.option("--families", type=_Listed(), help="Default: all.")
@click.option("--sizes", type=_Listed(int), default="10,16,20,24", show_default=True, help="Numbers of qubits.")
@click.option("--peers", type=_Listed(), help="Default: all that are installed.")
@click.option("--precisions", type=_Listed(), default="double,single", show_default=True)
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True, help="How often each runs, at least.")
@click.option("--budget", type=float, default=600, show_default=True, help="Seconds for a point; then fewer rounds do.")
@click.option(
    "--threads", type=click.IntRange(1), default=os.cpu_count(), show_default=True, help="For each simulator."
)
@click.option("--fresh", is_flag=True, help="Measure anew what the results have for this version already.")
@click.option("--markdown", is_flag=True, help="Print the table in the form that the README carries.")
@click.option("--results", type=click.Path(path_type=Path), help="Folder; default: benchmarks/results.")
def main(*, threads: int, markdown: bool, **options) -> None:
    # Libraries read these when they are loaded, so nothing that loads one is imported before.
    os.environ |= dict.fromkeys(_THREAD_VARIABLES, str(threads))
    from peers.series import Series

    series = Series(threads=threads, **options)
    series.measure()
    series.report(markdown=markdown)


if __name__ == "__main__":
    main(prog_name="python -m peers")
