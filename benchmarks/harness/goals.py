"""Goals with numbers, and verdicts that say whether a measurement meets its goal."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


@dataclass(frozen=True, slots=True)
class Goal:
    """A bound on the number that a benchmark measures; made by `at_most` and `at_least`.

    Attributes
    ----------
    of
        The unit and what is bounded, as it follows the number in a sentence: "ms from cancel to the final state".
    is_lower
        Whether larger numbers are better, so that the bound is the least that is good enough.
    """

    bound: float
    of: str
    is_lower: bool

    def __str__(self) -> str:
        return f"at {'least' if self.is_lower else 'most'} {readable(self.bound)} {self.of}"

    def is_met_by(self, value: float) -> bool:
        """Tell whether a value is on the right side of the bound."""
        return value >= self.bound if self.is_lower else value <= self.bound

    def verdict(
        self,
        measured: Sequence[float],
        *,
        counted: str = "runs",
        summary: Callable[[Sequence[float]], float] = statistics.median,
    ) -> Verdict:
        """Return whether what was measured meets the goal.

        Parameters
        ----------
        measured
            All values, in the unit of the goal.
        counted
            What the values are, in the plural: "pairs" for ratios of two runs in turn.
        summary
            Makes of all values the one that is compared with the bound.
        """
        value = summary(measured)
        spread = f" ({readable(min(measured))}-{readable(max(measured))}, {len(measured)} {counted})"
        told = f"{readable(value)}{spread if len(measured) > 1 else ''}"
        return Verdict(str(self), told, self.is_met_by(value))


class Verdict(NamedTuple):
    """A goal, what was measured, and whether it is met."""

    goal: str
    measured: str
    is_met: bool

    def __str__(self) -> str:
        return f"goal: {self.goal}; measured {self.measured}: {'met' if self.is_met else 'missed'}"


def at_most(bound: float, of: str) -> Goal:
    """Return the goal that a number is not larger than `bound`."""
    return Goal(bound, of, is_lower=False)


def at_least(bound: float, of: str) -> Goal:
    """Return the goal that a number is not smaller than `bound`."""
    return Goal(bound, of, is_lower=True)


def readable(number: float) -> str:
    """Return a number with three significant digits, or as a whole number from 1000 on."""
    return f"{number:.0f}" if abs(number) >= 1000 else f"{number:.3g}"
