"""A series of points: which are still to be measured, what is said of each, and the report on all of them."""

from __future__ import annotations

import shlex
import sys
from datetime import datetime
from itertools import product
from statistics import median
from typing import TYPE_CHECKING, Any

import click
from families import FAMILIES

from peers.check import check
from peers.contest import in_turn
from peers.goals import goal_at
from peers.machine import blas, busy_elsewhere, commit, machine_name, measure_limits, processor, versions
from peers.picture import draw
from peers.results import FOLDER, append, load, source_digest
from peers.systems import OURS, SYSTEMS
from peers.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from peers.machine import Limits
    from peers.results import Record
    from peers.systems import System

BUSY = 0.05  # part of the machine that others may use unremarked


class Series:
    """What was asked for on the command line."""

    def __init__(
        self,
        *,
        families: list[str] | None,
        sizes: list[int],
        peers: list[str] | None,
        precisions: list[str],
        rounds: int,
        budget: float,
        threads: int,
        fresh: bool,
        results: Path | None,
    ) -> None:
        self.families = _known("families", families, FAMILIES)
        self.sizes = sizes
        self.precisions = _known("precisions", precisions, ("double", "single"))
        self.peers = [name for name in _known("peers", peers, SYSTEMS) if name != OURS]
        self.rounds, self.budget, self.threads, self.fresh = rounds, budget, threads, fresh
        self.folder = results or FOLDER
        self.systems = _installed([OURS, *self.peers], threads)
        self.version = {  # what results have in common that may stand in one table
            "machine": machine_name(),
            "threads": threads,
            "blas": blas(),
            "source": source_digest(),
            "versions": versions(system.distribution for system in SYSTEMS.values()),
        }
        self._limits: Limits | None = None
        self._checked: set[tuple[str, str]] = set()

    def measure(self) -> None:
        """Measure what the results do not have yet, small circuits first."""
        for n, family, precision in product(self.sizes, self.families, self.precisions):
            systems = [s for s in self.systems if precision in s.precisions and n <= s.largest]
            point = {"family": family, "n": n, "precision": precision}
            known = load(self.folder, **self.version, **point)
            if not self.fresh and any(all(s.name in record["seconds"] for s in systems) for record in known):
                continue
            if (family, precision) not in self._checked:
                check(FAMILIES[family], [s for s in self.systems if precision in s.precisions], precision)
                self._checked.add((family, precision))
            record = self._measured(point, systems)
            append(record, self.folder)
            click.echo(_line(record))

    def _measured(self, point: dict[str, Any], systems: list[System]) -> Record:
        if self._limits is None:
            self._limits = measure_limits(self.threads)
        circuit = FAMILIES[point["family"]](point["n"])
        busy = busy_elsewhere()
        times = in_turn(circuit, systems, point["precision"], rounds=self.rounds, budget=self.budget)
        return {
            "date": datetime.now().astimezone().isoformat(timespec="seconds"),
            "commit": commit(),
            **self.version,
            "processor": processor(),
            **point,
            "gates": circuit.size(),
            "goal": goal_at(point["n"], point["precision"]),
            "busy_elsewhere": _rounded(busy),
            "rounds": len(times.seconds[OURS]),
            "ratios": {name: _rounded(ratio) for name, ratio in times.ratios().items()},
            "seconds": {name: [_rounded(s) for s in seconds] for name, seconds in times.seconds.items()},
            "first_seconds": {name: _rounded(s) for name, s in times.first.items()},
            "settings": times.settings,
            "plan": self.systems[0].plan(circuit, point["precision"]),
            "copy_bytes_per_s": _rounded(self._limits.copy_bytes_per_s),
            "matmul_flops_per_s": _rounded(self._limits.matmul_flops_per_s[point["precision"]]),
        }

    def report(self, *, markdown: bool) -> None:
        """Print the table and draw the picture, both of what was asked for and is known of this version."""
        records = [
            record
            for record in load(self.folder, **self.version)
            if record["n"] in self.sizes
            and record["family"] in self.families
            and record["precision"] in self.precisions
        ]
        if not records:
            click.echo("There are no results to show.")
            return
        table = Table(records, self.peers)
        click.echo()
        click.echo(table.markdown() if markdown else table.plain())
        click.echo()
        click.echo(_caption(records))
        absent = [name for name in self.peers if name not in {system.name for system in self.systems}]
        if absent:
            click.echo(f"Not installed, so skipped: {', '.join(absent)}.")
        picture = self.folder / "peers.png"
        draw(records, picture, f"{records[-1]['processor']}, {self.threads} threads, {_days(records)}")
        click.echo(f"Picture: {picture}")


def _known(what: str, given: list[str] | None, known: Iterable[str]) -> list[str]:
    known = list(known)
    wrong = [name for name in given or () if name not in known]
    if wrong:
        raise click.UsageError(f"There are no {what} called {', '.join(wrong)}; known are {', '.join(known)}.")
    return known if given is None else [name for name in known if name in given]


def _installed(names: Iterable[str], threads: int) -> list[System]:
    """Return the simulators that are there; name those that are not, or do not load."""
    systems = []
    for name in names:
        try:
            systems.append(SYSTEMS[name](threads))
        except ImportError as error:
            click.echo(f"{name} is skipped: {error}.", err=True)
    return systems


def _line(record: Record) -> str:
    """Return what is said of a point as soon as it is done: ours in milliseconds, the peers as multiples of it."""
    ratios = "  ".join(f"{peer} {ratio:.3g}x" for peer, ratio in record["ratios"].items())
    ours = 1e3 * median(record["seconds"][OURS])
    where = f"{record['family']:16} {record['n']:2}  {record['precision']}"
    busy = f", machine {record['busy_elsewhere']:.0%} busy before" if record["busy_elsewhere"] > BUSY else ""
    return f"{where}  {ours:10.2f} ms  {ratios}  ({record['rounds']} rounds{busy})"


def _caption(records: list[Record]) -> str:
    last = records[-1]
    commits = ", ".join(dict.fromkeys(record["commit"] for record in records))
    packages = ", ".join(f"{name} {number}" for name, number in last["versions"].items())
    busy = sum(record["busy_elsewhere"] > BUSY for record in records)
    warning = f"Not to be relied on: the machine was busy with other work before {busy} of {len(records)} points.\n"
    return (
        "The peer's time divided by ours, median of the ratios round by round: above 1, ours is faster. complex128, "
        "where it does not say single.\n"
        f"{last['processor']}, {last['threads']} threads, copying {last['copy_bytes_per_s'] / 1e9:.1f} GB/s; "
        f"{_days(records)}; commit {commits}; {packages}, {last['blas']}.\n"
        f"{warning if busy else ''}"
        f"Made by `{shlex.join(['nox', '-s', 'bench', '--', 'peers', *sys.argv[1:]])}`."
    )


def _days(records: list[Record]) -> str:
    first, *_, last = sorted(record["date"][:10] for record in [*records, records[0]])
    return first if first == last else f"{first} to {last}"


def _rounded(number: float) -> float:
    return float(f"{number:.4g}")
