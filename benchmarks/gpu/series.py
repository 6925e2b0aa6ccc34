"""Measures what the results do not have yet, and reports on everything that was asked for."""

from __future__ import annotations

import tempfile
import time
from functools import cached_property, partial
from itertools import product
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import click
from harness.options import available, known_names
from harness.picture import draw
from harness.results import Results, rounded, source_digest
from harness.timing import OURS

from basicaer.devices.gpu.device import CupyDevice
from basicaer.options import Precision
from gpu.aer import Aer
from gpu.batches import BATCH_QUBITS, BATCH_STATES, batch_times
from gpu.card import Card
from gpu.circuits import Circuits, write_circuits
from gpu.cold import cold_starts
from gpu.contest import Contest
from gpu.custatevec import CuStateVec
from gpu.goals import BAND_QUBITS, BATCH, COLD_START, verdicts
from gpu.ours import STARTS
from gpu.picture import panels
from gpu.questions import ask, questions
from gpu.table import batch_lines, cold_lines, families_table, questions_table

if TYPE_CHECKING:
    from harness.results import Record

_DTYPES = {Precision.DOUBLE: "c16", Precision.SINGLE: "c8"}
# The modules that times depend on
_TIMED = ("aer", "batches", "contest", "custatevec*", "fusing", "ours", "questions")
_EMULATED_STATES = 8
_LEAST_QUESTION_ROUNDS = 5


class OutOfTimeError(Exception):
    """No further point may be begun."""


class Series:
    """The points that were asked for on the command line."""

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
        self._stop_at = time.monotonic() + stop_after
        self.card = Card(emulated=emulated)
        self.device = CupyDevice(cupy=self.card.cupy)
        self.collected = circuits
        self.circuits = Circuits.read(circuits) if circuits else Circuits()
        measures = {
            "questions": self._measure_questions,
            "cold": self._measure_cold_starts,
            "batches": self._measure_batches,
            "families": self._measure_families,
        }
        self._measures = [measures[name] for name in known_names("parts", parts, measures)]
        self.families = known_names("families", families, self.circuits.families)
        self.sizes = sorted(sizes)
        self.precisions = [Precision(name) for name in known_names("precisions", precisions, Precision)]
        self.rounds, self.budget = rounds, budget
        makers = {CuStateVec.name: partial(CuStateVec, self.card, custatevec), Aer.name: partial(Aer, self.card)}
        chosen = known_names("peers", peers, makers)
        self.peers, self.missing = available({name: makers[name] for name in chosen})
        if peers and self.missing:
            why = "; ".join(f"{name} cannot be used here: {why}" for name, why in self.missing.items())
            raise click.ClickException(f"{why}.")
        version = {
            "card": self.card.name,
            "source": source_digest("kernels/*.cu*", *(f"benchmarks/gpu/{name}.py" for name in _TIMED)),
            "versions": self.card.versions(),
        }
        self.results = Results("gpu", results, version, fresh=fresh)

    @cached_property
    def copy_bytes_per_s(self) -> float:
        """The card's own limit, measured once in a run."""
        bandwidth = self.card.copy_bytes_per_s()
        click.echo(f"{self.card.name}: copying {bandwidth / 1e12:.2f} TB/s, read and written together")
        return bandwidth

    def measure(self) -> None:
        """Measure what the results do not have yet: the parts of a pass first, small circuits before large ones."""
        try:
            for measure in self._measures:
                measure()
        except OutOfTimeError:
            click.echo("The time is up; the next run continues from here.", err=True)

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
                seconds = ask(self.card, self.device, question, vector, rounds=max(_LEAST_QUESTION_ROUNDS, self.rounds))
                limit = 2 * vector.nbytes / self.copy_bytes_per_s
                found = {
                    "tile": question.tile,
                    "exchanges": question.exchanges,
                    "operations": len(question.operations),
                    "seconds": rounded(seconds),
                    "ps_per_amplitude": rounded(seconds / 2**n * 1e12),
                    "fraction_of_copy": rounded(limit / seconds),
                    "goal": question.goal.bound if question.goal else None,
                }
                self._add(point | found)
                told = f"{seconds / 2**n * 1e12:7.2f} ps an amplitude  {limit / seconds:5.0%} of copy"
                click.echo(f"{question.what:48} {n:2} {precision}  {told}")
            del vector
            self.card.forget_memory()

    def _measure_cold_starts(self) -> None:
        n = min(BAND_QUBITS, self.sizes[-1])
        family = self.families[0]
        for precision in self.precisions:
            point = {"kind": "cold", "family": family, "n": n, "precision": str(precision)}
            if self._is_known(point):
                continue
            with tempfile.TemporaryDirectory() as folder:
                circuits = self.collected or write_circuits(Path(folder), [family], [n]).parent
                starts = cold_starts(family, n, str(precision), circuits.resolve(), emulated=self.card.emulated)
            record = self._add(point | {"seconds": starts, "goal": COLD_START.bound})
            click.echo("\n".join(cold_lines([record])))

    def _measure_batches(self) -> None:
        for family, precision in product(self.families, self.precisions):
            point = {"kind": "batch", "family": family, "n": BATCH_QUBITS, "precision": str(precision)}
            if self._is_known(point):
                continue
            segment = self.circuits.segment(family, BATCH_QUBITS)
            states = _EMULATED_STATES if self.card.emulated else BATCH_STATES
            times = batch_times(self.device, segment, BATCH_QUBITS, precision, states=states, rounds=self.rounds)
            self._add(point | times | {"goal": BATCH.bound})
            self.card.forget_memory()

    def _measure_families(self) -> None:
        contest = Contest(self.card, self.device, self.peers)
        checked: set[tuple[str, str]] = set()
        for n, family, precision in product(self.sizes, self.families, self.precisions):
            point = {"kind": "family", "family": family, "n": n, "precision": str(precision)}
            if self._is_known(point, [peer.name for peer in self.peers]):
                continue
            if 2**n * precision.amplitude_bytes + self.device.scratch_bytes(precision) > self.device.free_bytes():
                click.echo(f"{family} {n} {precision}: skipped, because the state does not fit on the card", err=True)
                continue
            if (family, precision) not in checked:
                smallest = self.sizes[0]
                contest.check(family, self.circuits.segment(family, smallest), smallest, precision)
                checked.add((family, precision))
            segment = self.circuits.segment(family, n)
            settings = {"rounds": self.rounds, "budget": self.budget, "copy_bytes_per_s": self.copy_bytes_per_s}
            click.echo(_line(self._add(point | contest.measured(family, segment, n, precision, **settings))))
            self.card.forget_memory()

    def report(self, *, markdown: bool) -> None:
        """Print tables and verdicts, and draw the picture, of what was asked for and is known of this version."""
        known = self.results.known(precision=[str(precision) for precision in self.precisions])
        of_kind = {kind: [r for r in known if r["kind"] == kind] for kind in ("question", "cold", "batch", "family")}
        points = [r for r in of_kind["family"] if r["n"] in self.sizes and r["family"] in self.families]
        if of_kind["question"]:
            click.echo(f"\n{questions_table(of_kind['question'], markdown=markdown)}\n")
        for line in [*cold_lines(of_kind["cold"]), *batch_lines(of_kind["batch"])]:
            click.echo(line)
        if points:
            click.echo(f"\n{families_table(points, markdown=markdown)}\n")
        for line in verdicts(of_kind | {"family": points}):
            click.echo(line)
        for name, why in self.missing.items():
            click.echo(f"{name} cannot be used here, so it was left out: {why}.")
        if points:
            caption = f"{self.card.name}, copying {points[-1]['copy_bytes_per_s'] / 1e12:.2f} TB/s"
            draw(panels(points), self.results.folder / "gpu.png", ylabel="ms from a random state", caption=caption)

    def _is_known(self, point: Record, peers: list[str] | None = None) -> bool:
        """Tell whether the results have a point; if they do not and the time is up, end the series."""
        if self.results.has(point, peers or ()):
            return True
        if time.monotonic() > self._stop_at:
            raise OutOfTimeError
        return False

    def _add(self, found: Record) -> Record:
        common = {"machine": self.card.file_name, "copy_bytes_per_s": rounded(self.copy_bytes_per_s)}
        return self.results.add(common | {"peers": [peer.name for peer in self.peers]} | found)


def _line(record: Record) -> str:
    """Return what is said of a point as soon as it is done."""
    told = []
    for start in STARTS:
        found = record[start]
        ratios = "".join(f", {name} {ratio:.3g}x" for name, ratio in found["ratios"].items())
        ours = 1e3 * median(found["seconds"][OURS])
        told.append(f"{start} {ours:9.3f} ms, {found['launches']} passes, {found['fraction_of_limit']:.0%}{ratios}")
    failed = "".join(f"\n  failed: {name}: {why}" for name, why in record["failed"].items())
    return f"{record['family']:16} {record['n']:2} {record['precision']}  {'; '.join(told)}{failed}"
