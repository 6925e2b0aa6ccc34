"""A series of points: which are still to be measured, what is said of each, and the report on all of them."""

from __future__ import annotations

import tempfile
import time
from datetime import datetime
from functools import cached_property
from itertools import product
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import click
from peers.machine import commit

from basicaer.devices.gpu.device import CupyDevice
from basicaer.options import Precision
from gpu.aer import Aer
from gpu.batches import BATCH_QUBITS, BATCH_STATES, batch_lines, batch_times
from gpu.card import Card
from gpu.check import check
from gpu.circuits import Circuits, collect
from gpu.cold import cold_starts
from gpu.contest import in_turn
from gpu.custatevec import Library
from gpu.goals import BAND_QUBITS, COLD_SECONDS, goal_at
from gpu.ours import STARTS, Ours
from gpu.questions import ask, questions
from gpu.results import FOLDER, append, load, rounded, source_digest
from gpu.table import cold_lines, families_table, questions_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from gpu.results import Record

_DTYPES = {Precision.DOUBLE: "c16", Precision.SINGLE: "c8"}
_EMULATED_STATES = 8
_PARTS = ("questions", "cold", "batches", "families")
_PEERS: dict[str, Callable[[Card, Path | None], Any]] = {
    Library.name: Library,
    Aer.name: lambda card, _: Aer(card),
}


class OutOfTimeError(Exception):
    """No further point is begun."""


class Series:
    """What was asked for on the command line."""

    def __init__(
        self,
        *,
        parts: list[str] | None,
        families: list[str] | None,
        sizes: list[int],
        precisions: list[str],
        peers: list[str] | None,
        rounds: int,
        budget: float,
        stop_after: float,
        circuits: Path | None,
        custatevec: Path | None,
        results: Path | None,
        fresh: bool,
        emulated: bool,
    ) -> None:
        self._started = time.monotonic()
        self.card = Card(emulated=emulated)
        self.device = CupyDevice(cupy=self.card.cupy)
        self.folder = results or FOLDER
        self.collected = circuits
        self.circuits = Circuits.read(circuits) if circuits else Circuits()
        self.parts = _known("parts", parts, _PARTS)
        self.families = _known("families", families, self.circuits.families)
        self.sizes = sorted(sizes)
        self.precisions = [Precision(name) for name in _known("precisions", precisions, list(Precision))]
        self.rounds, self.budget, self.stop_after, self.fresh = rounds, budget, stop_after, fresh
        self.absent: dict[str, str] = {}
        self.peers = self._present(_known("peers", peers, _PEERS), custatevec)
        self.version = {"card": self.card.name, "source": source_digest(), "versions": self.card.versions()}

    @cached_property
    def copy_bytes_per_s(self) -> float:
        """The card's own limit, measured once in this run."""
        bandwidth = self.card.copy_bytes_per_s()
        click.echo(f"{self.card.name}: copying {bandwidth / 1e12:.2f} TB/s, read and written together")
        return bandwidth

    def measure(self) -> None:
        """Measure what the results do not have yet: first what all rests on, then circuits, small ones first."""
        try:
            for part in self.parts:
                getattr(self, f"_measure_{part}")()
        except OutOfTimeError:
            click.echo("The time is up; the next run goes on from here.", err=True)

    def _measure_questions(self) -> None:
        n = min(BAND_QUBITS, self.sizes[-1])
        for precision in self.precisions:
            vector = None
            for question in questions(self.device.shapes[precision], n):
                point = {"kind": "question", "what": question.what, "n": n, "precision": str(precision)}
                if self._is_known(point):
                    continue
                if vector is None:
                    vector = self.card.cupy.empty(2**n, _DTYPES[precision])
                    self.card.randomise(vector)
                seconds = ask(self.card, self.device, question, vector, rounds=max(5, self.rounds))
                limit = 2 * vector.nbytes / self.copy_bytes_per_s
                found = {
                    "tile": question.tile,
                    "exchanges": question.exchanges,
                    "operations": len(question.operations),
                    "seconds": rounded(seconds),
                    "ps_per_amplitude": rounded(seconds / 2**n * 1e12),
                    "fraction_of_copy": rounded(limit / seconds),
                    "goal": question.goal,
                }
                self._add(point | found)
                told = f"{seconds / 2**n * 1e12:7.2f} ps an amplitude  {limit / seconds:5.0%} of copy"
                click.echo(f"{question.what:48} {n:2} {precision}  {told}")
            del vector
            self.card.forget_memory()

    def _measure_cold(self) -> None:
        n = min(BAND_QUBITS, self.sizes[-1])
        family = self.families[0]
        for precision in self.precisions:
            point = {"kind": "cold", "family": family, "n": n, "precision": str(precision)}
            if self._is_known(point):
                continue
            with tempfile.TemporaryDirectory() as folder:
                where = self.collected or collect(Path(folder), [family], [n]).parent
                starts = cold_starts(family, n, str(precision), where.resolve(), emulated=self.card.emulated)
            self._add(point | {"seconds": starts, "goal": COLD_SECONDS})
            for line in cold_lines([point | {"seconds": starts}]):
                click.echo(line)

    def _measure_batches(self) -> None:
        for family, precision in product(self.families, self.precisions):
            point = {"kind": "batch", "family": family, "n": BATCH_QUBITS, "precision": str(precision)}
            if self._is_known(point):
                continue
            segment = self.circuits.segment(family, BATCH_QUBITS)
            states = _EMULATED_STATES if self.card.emulated else BATCH_STATES
            timed = batch_times(self.device, segment, BATCH_QUBITS, precision, states=states, rounds=self.rounds)
            self._add(point | timed)
            self.card.forget_memory()

    def _measure_families(self) -> None:
        checked: set[tuple[str, str]] = set()
        for n, family, precision in product(self.sizes, self.families, self.precisions):
            point = {"kind": "family", "family": family, "n": n, "precision": str(precision)}
            if self._is_known(point):
                continue
            if 2**n * precision.amplitude_bytes + self.device.scratch_bytes(precision) > self.device.free_bytes():
                click.echo(f"{family} {n} {precision}: the card has no room for the state, so skipped", err=True)
                continue
            if (family, precision) not in checked:
                self._check(family, precision)
                checked.add((family, precision))
            record = self._family(family, n, precision)
            self._add(point | record)
            click.echo(_line(point | record))
            self.card.forget_memory()

    def _check(self, family: str, precision: Precision) -> None:
        """Compare all that will be timed, at the smallest size."""
        n = self.sizes[0]
        segment = self.circuits.segment(family, n)
        ours = Ours(self.card, self.device, segment, n, precision)
        ours.start("random")
        entries = [entry for peer in self.peers for entry in peer.entries(family, segment, n, lambda: ours.vector)]
        check(ours, entries, segment, n, precision)
        ours.release()

    def _family(self, family: str, n: int, precision: Precision) -> Record:
        segment = self.circuits.segment(family, n)
        ours = Ours(self.card, self.device, segment, n, precision)
        work = {start: ours.work(start) for start in STARTS}
        started = time.perf_counter()
        ours.start("zero")
        ours.run()
        first = time.perf_counter() - started
        entries = [peer.entries(family, segment, n, lambda: ours.vector) for peer in self.peers]
        times = in_turn(self.card, ours, entries, rounds=self.rounds, budget=self.budget)
        ours.release()
        found: Record = {
            "gates": len(segment.gates),
            "goal": goal_at(family, n, str(precision)),
            "plan_seconds": rounded(ours.plan_seconds),
            "first_seconds": rounded(first),
            "settings": times.settings,
            "failed": times.failed,
        }
        for start in STARTS:
            ours_seconds = median(times.seconds[start][Ours.name])
            limit = work[start]["bytes"] / self.copy_bytes_per_s
            found[start] = {
                "seconds": {name: [rounded(s) for s in taken] for name, taken in times.seconds[start].items()},
                "ratios": {name: rounded(ratio) for name, ratio in times.ratios()[start].items()},
                "seconds_a_pass": rounded(ours_seconds / max(1, work[start]["launches"])),
                "limit_seconds": rounded(limit),
                "fraction_of_limit": rounded(limit / ours_seconds),
                **{name: rounded(number) if "seconds" in name else number for name, number in work[start].items()},
            }
        return found

    def report(self, *, markdown: bool) -> None:
        """Print tables of all that was asked for and is known of this version, and draw the picture."""
        precisions = [str(precision) for precision in self.precisions]
        known = [record for record in load(self.folder, **self.version) if record["precision"] in precisions]
        of_kind = {kind: [r for r in known if r["kind"] == kind] for kind in ("question", "cold", "batch", "family")}
        points = [r for r in of_kind["family"] if r["n"] in self.sizes and r["family"] in self.families]
        if of_kind["question"]:
            click.echo(questions_table(of_kind["question"], markdown=markdown))
        for line in [*cold_lines(of_kind["cold"]), *batch_lines(of_kind["batch"])]:
            click.echo(line)
        for name, why in self.absent.items():
            click.echo(f"Not here, so skipped: {name} ({why}).")
        if not points:
            return
        click.echo(families_table(points, markdown=markdown))
        try:
            from gpu.picture import draw
        except ImportError as error:
            click.echo(f"No picture: {error}.", err=True)
            return
        picture = self.folder / "gpu.png"
        draw(points, picture, f"{self.card.name}, copying {points[-1]['copy_bytes_per_s'] / 1e12:.2f} TB/s")
        click.echo(f"Picture: {picture}")

    def _is_known(self, point: Record) -> bool:
        """Tell whether a point is in the results, with all peers that are here; end the series when its time is up."""
        known = [] if self.fresh else load(self.folder, **self.version, **point)
        peers = {peer.name for peer in self.peers}
        if any(point["kind"] != "family" or peers <= set(record["peers"]) for record in known):
            return True
        if time.monotonic() - self._started > self.stop_after:
            raise OutOfTimeError
        return False

    def _add(self, found: Record) -> None:
        append(
            {
                "date": datetime.now().astimezone().isoformat(timespec="seconds"),
                "commit": commit(),
                **self.version,
                "machine": self.card.file_name,
                "copy_bytes_per_s": rounded(self.copy_bytes_per_s),
                "peers": [peer.name for peer in self.peers],
                **found,
            },
            self.folder,
        )

    def _present(self, names: Iterable[str], custatevec: Path | None) -> list[Any]:
        """Return the peers that are here; keep why the others are not."""
        present = []
        for name in names:
            try:
                present.append(_PEERS[name](self.card, custatevec))
            except (ImportError, RuntimeError) as error:
                self.absent[name] = str(error)
        return present


def _known(what: str, given: list[str] | None, known: Iterable[str]) -> list[str]:
    known = [str(name) for name in known]
    wrong = [name for name in given or () if name not in known]
    if wrong:
        raise click.UsageError(f"There are no {what} called {', '.join(wrong)}; known are {', '.join(known)}.")
    return known if given is None else [name for name in known if name in given]


def _line(record: Record) -> str:
    """Return what is said of a point as soon as it is done."""
    parts = []
    for start in STARTS:
        found = record[start]
        ratios = "".join(f", {name} {ratio:.3g}x" for name, ratio in found["ratios"].items())
        ours = 1e3 * median(found["seconds"][Ours.name])
        parts.append(f"{start} {ours:9.3f} ms, {found['launches']} passes, {found['fraction_of_limit']:.0%}{ratios}")
    failed = "".join(f"\n  failed: {name}: {why}" for name, why in record["failed"].items())
    return f"{record['family']:16} {record['n']:2} {record['precision']}  {'; '.join(parts)}{failed}"
