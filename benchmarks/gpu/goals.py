"""The goals on a GPU, which were predicted before any card was at hand: from an H200's bandwidth and published times.

The published times are those of Atlas (SC'24) and HyQuas (ICS'21) on an A100; an H200 has 3.1 times its bandwidth.
"""

from __future__ import annotations

from statistics import geometric_mean
from typing import TYPE_CHECKING

from harness.goals import at_least, at_most
from harness.results import latest
from harness.timing import OURS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from harness.goals import Goal
    from harness.results import Record

PEER = "cuStateVec"

# BANDS_MS[family] = the range of milliseconds that is expected for BAND_QUBITS qubits in BAND_PRECISION, from a
# random state on BAND_CARD
BANDS_MS: dict[str, tuple[float, float]] = {
    "qft": (5, 9),
    "ansatz_cx_all": (18, 32),
    "tfim": (12, 30),
    "ansatz_cz_chain": (13, 32),
    "grid": (23, 51),
    "volume": (100 * 10 / 28, 189 * 10 / 28),  # predicted for 28 layers; our family has 10
}
BAND_QUBITS, BAND_PRECISION, BAND_CARD = 28, "double", "H200"

EMPTY_PASS = at_least(0.85, "of the copy bandwidth, in each pass that does no arithmetic")
COLD_START = at_most(3.0, "s from starting Python to the first result, with no kernel compiled before")
BATCH = at_most(1.0, "of the time of the same circuits one after another, in a batch")  # otherwise batches are useless
MEAN = at_least(3.0, f"times as fast as {PEER}, as a geometric mean over the families")
LEAST = at_least(1.0, f"times as fast as {PEER}, on every family")


def band_goal(family: str) -> Goal:
    """Return the goal for one of the families in BANDS_MS."""
    most = BANDS_MS[family][1]
    return at_most(most, f"ms for {family} on {BAND_QUBITS} qubits from a random state, on an {BAND_CARD}")


def goal_at(family: str, n: int, precision: str) -> str:
    """Return the goals of a point in words, as its record carries them."""
    has_band = (n, precision) == (BAND_QUBITS, BAND_PRECISION) and family in BANDS_MS
    return "; ".join(map(str, [*([band_goal(family)] if has_band else []), MEAN, LEAST]))


def verdicts(records: Mapping[str, Iterable[Record]]) -> list[str]:
    """Return a line for each goal; ``records[kind]`` are the records of a kind."""
    return [line for kind, lines_of in _LINES_OF_KIND.items() for line in lines_of(list(records.get(kind, ())))]


def _of_questions(records: list[Record]) -> list[str]:
    lines = []
    for precision in _precisions(records):
        measured = {r["what"]: r["fraction_of_copy"] for r in records if r["goal"] and r["precision"] == precision}
        if measured:
            verdict = EMPTY_PASS.verdict([*measured.values()], counted="passes", summary=min)
            lines.append(f"empty passes, {precision}: {verdict}")
    return lines


def _of_cold_starts(records: list[Record]) -> list[str]:
    lines = []
    for r in latest(records):
        verdict = COLD_START.verdict([r["seconds"]["compiling"]["together"]])
        lines.append(f"cold start, {r['family']} {r['n']} {r['precision']}: {verdict}")
    return lines


def _of_batches(records: list[Record]) -> list[str]:
    lines = []
    for precision in _precisions(records):
        points = [r for r in latest(records) if r["precision"] == precision]
        measured = [r["seconds_in_batch"] / r["seconds_alone"] for r in points]
        lines.append(f"batches, {precision}: {BATCH.verdict(measured, counted='families', summary=max)}")
    return lines


def _of_families(records: list[Record]) -> list[str]:
    lines = []
    for precision in _precisions(records):
        points = [r for r in latest(records) if r["precision"] == precision]
        for n in sorted({r["n"] for r in points}):
            measured = [r["random"]["ratios"] for r in points if r["n"] == n]
            if ratios := [found[PEER] for found in measured if PEER in found]:
                head = f"{n} qubits, {precision}, from a random state: "
                lines.append(f"{head}{MEAN.verdict(ratios, counted='families', summary=geometric_mean)}")
                lines.append(f"{head}{LEAST.verdict(ratios, counted='families', summary=min)}")
        for r in points:
            if (
                (r["n"], precision) == (BAND_QUBITS, BAND_PRECISION)
                and r["family"] in BANDS_MS
                and BAND_CARD in r["card"]
            ):
                milliseconds = [1e3 * seconds for seconds in r["random"]["seconds"][OURS]]
                lines.append(f"{r['family']}, {precision}: {band_goal(r['family']).verdict(milliseconds)}")
    return lines


def _precisions(records: Iterable[Record]) -> list[str]:
    return sorted({record["precision"] for record in records})


_LINES_OF_KIND: dict[str, Callable[[list[Record]], list[str]]] = {
    "question": _of_questions,
    "cold": _of_cold_starts,
    "batch": _of_batches,
    "family": _of_families,
}
