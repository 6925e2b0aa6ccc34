"""Measures what the results do not have yet, and reports on everything that was asked for."""

from __future__ import annotations

import shlex
import sys
import time
from functools import cached_property, partial
from itertools import product
from statistics import median
from typing import TYPE_CHECKING

import click
from families import FAMILIES
from harness.environment import versions
from harness.options import available, known_names
from harness.results import Results, days, rounded, source_digest
from harness.timing import OURS, choose_settings, in_turn, median_ratios, stopwatch

from peers.check import check
from peers.goals import goal_at, verdicts
from peers.machine import OtherWork, blas, machine_name, measure_limits, processor
from peers.picture import draw_peers
from peers.systems import SHOTS, SYSTEMS
from peers.table import ratio_table

if TYPE_CHECKING:
    from pathlib import Path

    from harness.results import Record

    from peers.machine import Limits
    from peers.systems import System
    from peers.systems.entry import Entry

LEAST_SECONDS = 0.5  # Short runs go on in turn until they have taken this long together.
BUSY = 0.05  # A point is marked if other programs used more than this part of the machine meanwhile.


class Series:
    """The points that were asked for on the command line."""

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
        self.families = known_names("families", families, FAMILIES)
        self.sizes = sizes
        self.precisions = known_names("precisions", precisions, ("double", "single"))
        self.rounds, self.budget, self.threads = rounds, budget, threads
        names = known_names("peers", peers, [name for name in SYSTEMS if name != OURS])
        self.systems, self.missing = available({name: partial(SYSTEMS[name], threads) for name in (OURS, *names)})
        version = {
            "machine": machine_name(),
            "threads": threads,
            "blas": blas(),
            "source": source_digest("benchmarks/peers/gates.py", "benchmarks/peers/systems/*.py"),
            "versions": versions(sorted({*(s.distribution for s in SYSTEMS.values()), "numpy", "qiskit"})),
        }
        self.results = Results("peers", results, version, fresh=fresh)

    @cached_property
    def limits(self) -> Limits:
        """How fast this machine copies and multiplies, measured once in a run."""
        return measure_limits(self.threads)

    def measure(self) -> None:
        """Measure what the results do not have yet, small circuits first."""
        checked: set[tuple[str, str]] = set()
        for n, family, precision in product(self.sizes, self.families, self.precisions):
            able = [s for s in self.systems if precision in s.precisions]
            systems = [s for s in able if n <= s.largest]
            point = {"family": family, "n": n, "precision": precision}
            if self.results.has(point, [s.name for s in systems]):
                continue
            if (family, precision) not in checked:
                check(FAMILIES[family], able, precision)
                checked.add((family, precision))
            click.echo(_line(self.results.add(self._measured(family, n, precision, systems))))

    def _measured(self, family: str, n: int, precision: str, systems: list[System]) -> Record:
        limits = self.limits
        circuit = FAMILIES[family](n)
        others = OtherWork()
        until = time.perf_counter() + self.budget
        chosen = choose_settings(((s.name, s.entries(circuit, precision, SHOTS)) for s in systems), _seconds_of)
        seconds = in_turn(chosen.entries, _seconds_of, rounds=self.rounds, least_seconds=LEAST_SECONDS, until=until)
        return {
            "processor": processor(),
            "family": family,
            "n": n,
            "precision": precision,
            "gates": circuit.size(),
            "goal": goal_at(n, precision),
            "peers": [s.name for s in systems],
            "busy_elsewhere": rounded(others.fraction()),
            "rounds": len(seconds[OURS]),
            "ratios": {name: rounded(ratio) for name, ratio in median_ratios(seconds).items()},
            "seconds": {name: [rounded(s) for s in taken] for name, taken in seconds.items()},
            "first_seconds": {name: rounded(s) for name, s in chosen.first_seconds.items()},
            "settings": chosen.settings,
            "failed": chosen.failed,
            "plan": systems[0].plan(circuit, precision),
            "copy_bytes_per_s": rounded(limits.copy_bytes_per_s),
            "matmul_flops_per_s": rounded(limits.matmul_flops_per_s[precision]),
        }

    def report(self, *, markdown: bool) -> None:
        """Print a table and verdicts for each number of qubits, and draw the picture.

        The tables and verdicts are of what was asked for and has been measured with this version; the picture is of
        everything that this machine has measured.
        """
        records = self.results.known(n=self.sizes, family=self.families, precision=self.precisions)
        for name, why in self.missing.items():
            click.echo(f"{name} cannot be used here, so it was left out: {why}.")
        if not records:
            click.echo("There are no results to show.")
            return
        for n in sorted({record["n"] for record in records}):
            points = [record for record in records if record["n"] == n]
            click.echo("\n".join(["", ratio_table(points, markdown=markdown), "", *verdicts(points)]))
        click.echo(f"\n{_explanation(records)}")
        draw_peers(self.results.folder, records[-1]["machine"])


def _seconds_of(entry: Entry) -> float:
    return stopwatch(entry.run)


def _line(record: Record) -> str:
    """Return what is said of a point as soon as it is done: our milliseconds, and the peers as multiples of them."""
    ratios = "  ".join(f"{peer} {ratio:.3g}x" for peer, ratio in record["ratios"].items())
    ours = 1e3 * median(record["seconds"][OURS])
    point = f"{record['family']:16} {record['n']:2}  {record['precision']}"
    busy = f", machine {record['busy_elsewhere']:.0%} busy with other work" if record["busy_elsewhere"] > BUSY else ""
    failed = "".join(f"\n  failed: {name}: {why}" for name, why in record["failed"].items())
    return f"{point}  {ours:10.2f} ms  {ratios}  ({record['rounds']} rounds{busy}){failed}"


def _explanation(records: list[Record]) -> str:
    """Return what the numbers of the tables are, and what they were measured with."""
    last = records[-1]
    commits = ", ".join(dict.fromkeys(record["commit"] for record in records))
    packages = ", ".join(f"{name} {number}" for name, number in last["versions"].items())
    busy = sum(record["busy_elsewhere"] > BUSY for record in records)
    warning = f"Unreliable: the machine was busy with other work during {busy} of {len(records)} points.\n"
    return (
        "Each number is the peer's time divided by ours, the median of the ratios round by round: above 1, ours is "
        "faster. Double precision unless a column says single.\n"
        f"{last['processor']}, {last['threads']} threads, copying {last['copy_bytes_per_s'] / 1e9:.1f} GB/s; "
        f"{days(records)}; commit {commits}; {packages}, {last['blas']}.\n"
        f"{warning if busy else ''}"
        f"Made by `{shlex.join(['nox', '-s', 'bench', '--', 'peers', *sys.argv[1:]])}`."
    )
