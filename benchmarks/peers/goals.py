"""The goals on a CPU: how many times as fast as other simulators."""

from __future__ import annotations

from statistics import geometric_mean
from typing import TYPE_CHECKING

from harness.goals import at_least
from harness.results import latest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.goals import Goal
    from harness.results import Record

# MEANS[peer, precision, qubits] = the peer's time divided by ours, as a geometric mean over the families
MEANS = {
    ("Aer", "double", 20): 10.0,
    ("Aer", "double", 24): 8.0,
    ("qsim", "single", 20): 1.7,
    ("qsim", "single", 24): 2.0,
}
LEAST = at_least(0.95, "times as fast as each peer, on every family")


def mean_goals(precision: str, n: int) -> dict[str, Goal]:
    """Return the goals for geometric means, by peer."""
    return {
        peer: at_least(bound, f"times as fast as {peer}, as a geometric mean over the families")
        for (peer, goal_precision, size), bound in MEANS.items()
        if (goal_precision, size) == (precision, n)
    }


def goal_at(n: int, precision: str) -> str:
    """Return the goals in words, as each record carries them."""
    return "; ".join(map(str, [*mean_goals(precision, n).values(), LEAST]))


def verdicts(records: Iterable[Record]) -> list[str]:
    """Return a line for each goal, judged by the latest record of each point."""
    points = latest(records)
    lines = []
    for n, precision in sorted({(r["n"], r["precision"]) for r in points}):
        measured = [r["ratios"] for r in points if (r["n"], r["precision"]) == (n, precision)]
        head = f"{n} qubits, {precision}: "
        for peer, goal in mean_goals(precision, n).items():
            if ratios := [found[peer] for found in measured if peer in found]:
                lines.append(f"{head}{goal.verdict(ratios, counted='families', summary=geometric_mean)}")
        if ratios := [ratio for found in measured for ratio in found.values()]:
            lines.append(f"{head}{LEAST.verdict(ratios, counted='comparisons', summary=min)}")
    return lines
