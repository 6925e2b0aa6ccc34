"""What `basicaer plan` shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

from basicaer.cli.inputs import check_picture, circuit_in, qasm_options, refusal, simulator_called, warnings_printed
from basicaer.errors import BasicAerError
from basicaer.plan_view.table import NARROWEST, WIDTH, table_of

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["plan_file"]


def plan_file(
    *,
    file: Path,
    bind: tuple[str, ...],
    simulator: str,
    draw: Path | None,
    noise: Path | None,
    spill: str | None,
    **options: Any,
) -> None:
    """Print the plan of the circuit in a file, and draw it if a picture is wanted."""
    try:
        if draw is not None:
            check_picture("--draw", draw)
        backend = simulator_called(simulator)
        circuit = circuit_in(file, bind, needs_values=False)
        with warnings_printed(file):
            made = backend.plan(circuit, **options, **qasm_options(noise, spill))
        if draw is not None:
            made.draw(draw)
    except (BasicAerError, MemoryError) as error:
        raise refusal(error) from error
    click.echo(table_of(made, min(WIDTH, max(NARROWEST, Console().width))))
    if draw is not None:
        click.echo(f"Picture: {draw}")
