"""What errors are to be expected in the shots of a program, from their probabilities alone."""

from __future__ import annotations

from math import exp, expm1, log1p
from typing import TYPE_CHECKING, NamedTuple

from basicaer.engine.error_sites import Choices
from basicaer.engine.program import Channel, walk

if TYPE_CHECKING:
    from collections.abc import Iterable

    from basicaer.engine.program import Program

__all__ = ["ExpectedErrors", "are_too_many", "expected_errors", "shares_of"]

_LEAST_SHARE = 1e-6  # Two errors that are as likely as this are likely enough to be followed.
_MOST_FOLLOWED = 100  # These have more than 2**12 pairs.
_MOST = 1 - 1e-12  # a share of errors that counts as certain


class ExpectedErrors(NamedTuple):
    """Errors that are to be expected in a program, where a loop counts as if its body ran once.

    Attributes
    ----------
    sites
        At how many places errors may occur.
    per_shot
        How many occur in a shot, on average.
    patterns
        In about how many ways the errors of all shots differ.
    """

    sites: int
    per_shot: float
    patterns: float


def shares_of(choices: Choices) -> list[float]:
    """Return how likely each operator other than the usual one is, for a state about which nothing is known."""
    return [share for term, share in enumerate(choices.shares.tolist()) if term != choices.usual]


def expected_errors(program: Program, shots: int) -> ExpectedErrors | None:
    """Return the errors of a program; None if it has none, whatever is misread."""
    known: dict[int, list[float]] = {}
    sites = []
    for operation in walk(program.body):
        if isinstance(operation, Channel):
            key = id(operation.operators)
            if key not in known:
                known[key] = shares_of(Choices(operation))
            sites.append(known[key])
    return ExpectedErrors(len(sites), sum(map(sum, sites)), _patterns(sites, shots)) if sites else None


def are_too_many(program: Program) -> bool:
    """Tell whether there are far too many patterns of two errors to follow each of them with its probability."""
    known: dict[int, int] = {}
    count = 0
    for operation in walk(program.body):
        if isinstance(operation, Channel):
            key = id(operation.operators)
            if key not in known:
                known[key] = sum(share >= _LEAST_SHARE for share in shares_of(Choices(operation)))
            count += known[key]
    return count > _MOST_FOLLOWED


def _patterns(sites: Iterable[list[float]], shots: int) -> float:
    """Return the expected number of different patterns of errors; those of several errors are taken to differ."""
    ratios = []
    log_none = 0.0
    for shares in sites:
        total = min(sum(shares), _MOST)
        log_none += log1p(-total)
        ratios += [share / (1 - total) for share in shares]
    none = exp(log_none)
    # How many of the patterns with no error, and with one, occur in any shot.
    few = sum(-expm1(shots * log1p(-min(none * ratio, _MOST))) for ratio in (1.0, *ratios))
    several = max(1 - none * (1 + sum(ratios)), 0.0)
    return min(few + shots * several, float(shots))
