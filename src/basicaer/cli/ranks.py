"""Commands that several ranks run together: they speak with one voice and end with one status."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

import click

from basicaer.cli.exit_status import INTERRUPTED
from basicaer.devices.distributed.mpi import is_first_process, world
from basicaer.simulators.ranks import HeldInterrupts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from basicaer.devices.distributed.comm import Comm

__all__ = ["begun_together", "ended_together", "in_one_voice", "ranks_of_command"]


def ranks_of_command(*, distributed: bool) -> Comm | None:
    """Return the ranks that run a command together, for what they say to one another about it; None for no others."""
    ranks = world() if distributed else None
    return None if ranks is None else ranks.again()


@contextlib.contextmanager
def in_one_voice(*, distributed: bool) -> Iterator[None]:
    """Let only the first of several ranks print anything, and write any file."""
    if not distributed or is_first_process():
        yield
        return
    with (
        open(os.devnull, "w") as nowhere,  # noqa: PTH123  # it is no path
        contextlib.redirect_stdout(nowhere),
        contextlib.redirect_stderr(nowhere),
    ):
        try:
            yield
        except click.ClickException as error:
            raise click.exceptions.Exit(error.exit_code) from error


@contextlib.contextmanager
def begun_together(ranks: Comm | None) -> Iterator[None]:
    """Let all ranks begin a command, or all end with the error of one of them; Ctrl-C counts at the end."""
    if ranks is None:
        yield
        return
    with HeldInterrupts() as held, ranks.again().together():
        yield
    if held.seen:
        raise KeyboardInterrupt


@contextlib.contextmanager
def ended_together(ranks: Comm | None) -> Iterator[None]:
    """Let a command end with the same status on all ranks: the largest, if they differ."""
    end: BaseException | None = None
    try:
        yield
    except BaseException as error:  # noqa: BLE001  # it is raised below
        end = error
    if ranks is not None:
        with HeldInterrupts():  # a rank that left would be waited for by the others
            statuses = ranks.gather(_status(end), "how the command has ended")
        if max(statuses) > _status(end):
            click.echo(f"Rank {statuses.index(max(statuses))} has stopped, and so do all others.", err=True)
            raise click.exceptions.Exit(max(statuses))
    if end is not None:
        raise end


def _status(end: BaseException | None) -> int:
    """Return the status with which a command ends."""
    match end:
        case None:
            return 0
        case click.ClickException(exit_code=status) | click.exceptions.Exit(exit_code=status) | SystemExit(code=status):
            return int(status or 0)
        case KeyboardInterrupt():
            return INTERRUPTED
    return 1
