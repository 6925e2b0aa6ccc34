"""Times the circuit families on a CPU, in turn with other simulators.

Each point, that is a family at one precision and number of qubits, is printed and added to the results as soon as it is
done. A run can be interrupted: the next one continues where it was. The tables, the verdicts on the goals and the
picture come at the end.
"""

from __future__ import annotations

import os
from typing import Any

import click
from harness.options import series_options

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS")


@click.command(help=__doc__)
@series_options(sizes="10,16,20,24", budget=600)
@click.option(
    "--threads", type=click.IntRange(1), default=os.cpu_count(), show_default=True, help="For each simulator."
)
def main(*, threads: int, markdown: bool, **options: Any) -> None:
    # Numerical libraries read these variables when they are loaded, so the imports that load them come afterwards.
    os.environ |= dict.fromkeys(_THREAD_VARIABLES, str(threads))
    from peers.series import Series

    series = Series(threads=threads, **options)
    series.measure()
    series.report(markdown=markdown)


if __name__ == "__main__":
    main(prog_name="python -m peers")
