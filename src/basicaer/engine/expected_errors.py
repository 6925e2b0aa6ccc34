"""What errors are to be expected in the shots of a program, and how many different states, from probabilities alone."""

from __future__ import annotations

from math import exp, expm1, log1p
from typing import TYPE_CHECKING, NamedTuple

from basicaer.engine.error_sites import choices_of
from basicaer.engine.frames import passage
from basicaer.engine.program import Channel, For, Measure, Phase, Reset, Segment, While, children, walk

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from basicaer.engine.program import Block, Gate, Program

__all__ = ["ExpectedErrors", "ExpectedStates", "are_too_many", "expected_errors", "expected_states", "shares_of"]

_LEAST_SHARE = 1e-6  # Two errors that are as likely as this are likely enough to be followed.
_MOST_FOLLOWED = 100  # These have more than 2**12 pairs.
_MOST = 1 - 1e-12  # a share of errors that counts as certain
_ITERATIONS = 64  # are assumed for a loop that depends on outcomes


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


class ExpectedStates(NamedTuple):
    """About how many different states the shots of a program have, on average, and how many density matrices."""

    states: float
    density_matrices: float


def shares_of(channel: Channel) -> list[float]:
    """Return how likely each operator other than the usual one is, for a state about which nothing is known."""
    choices = choices_of(channel)
    return [share for term, share in enumerate(choices.shares.tolist()) if term != choices.usual]


def expected_errors(program: Program, shots: int) -> ExpectedErrors | None:
    """Return the errors of a program; None if it has none, whatever is misread."""
    kinds = _kinds((operation, 1.0) for operation in walk(program.body) if isinstance(operation, Channel))
    if not kinds:
        return None
    sites, per_shot = sum(times for _, times in kinds), sum(sum(shares) * times for shares, times in kinds)
    return ExpectedErrors(int(sites), per_shot, _patterns(kinds, shots))


def expected_states(program: Program, shots: int) -> ExpectedStates:
    """Return about how many different states there are.

    Shots part at errors and, where a measurement or reset is not at the end, at its outcomes, which are taken to be
    equally likely.
    """
    channels: list[tuple[Channel, float]] = []
    outcomes = matrices = 1.0
    for operation, times in _where_states_differ(program):
        match operation:
            case Measure():
                outcomes, matrices = (min(count * 2.0 ** min(times, 64), shots) for count in (outcomes, matrices))
            case Reset():
                outcomes = min(outcomes * 2.0 ** min(times, 64), shots)
            case Channel():
                channels.append((operation, times))
    return ExpectedStates(min(_patterns(_kinds(channels), shots) * outcomes, float(shots)), matrices)


def are_too_many(program: Program) -> bool:
    """Tell whether there are far too many patterns of two errors to follow each of them with its probability."""
    kinds = _kinds((operation, 1.0) for operation in walk(program.body) if isinstance(operation, Channel))
    likely = sum(times * sum(share >= _LEAST_SHARE for share in shares) for shares, times in kinds)
    return likely > _MOST_FOLLOWED


def _kinds(channels: Iterable[tuple[Channel, float]]) -> list[tuple[list[float], float]]:
    """Return for each kind of channel how likely its operators other than the usual one are, and how often it acts."""
    found: dict[int, tuple[Channel, float]] = {}
    for channel, times in channels:
        known = found.get(id(channel.operators), (channel, 0.0))
        found[id(channel.operators)] = channel, known[1] + times
    return [(shares_of(channel), times) for channel, times in found.values()]


def _patterns(kinds: list[tuple[list[float], float]], shots: int) -> float:
    """Return the expected number of different patterns of errors; those of several errors are taken to differ."""
    ratios = [(1.0, 1.0)]  # how likely each pattern with at most one error is, divided by none, and how many are alike
    log_none = 0.0
    for shares, times in kinds:
        total = min(sum(shares), _MOST)
        log_none += times * log1p(-total)
        ratios += [(share / (1 - total), times) for share in shares if share]
    none = exp(log_none)
    few = sum(-times * expm1(shots * log1p(-min(none * ratio, _MOST))) for ratio, times in ratios)
    several = max(1 - none * sum(ratio * times for ratio, times in ratios), 0.0)
    return min(few + shots * several, float(shots))


def _where_states_differ(program: Program) -> Iterator[tuple[Measure | Reset | Channel, float]]:
    """Yield the operations at which states part, and how often each runs."""
    if any(not isinstance(operation, Segment | Phase | Channel) for operation in program.body):
        yield from _parting(program.body, 1.0)
        return
    # Pauli errors that change no gate after them flip outcomes at most, and leave the state as it is.
    changes = False
    for operation in reversed(program.body):
        if isinstance(operation, Channel):
            if changes or operation.depends_on_state or bool((operation.paulis < 0).any()):
                yield operation, 1.0
        elif isinstance(operation, Segment) and not changes:
            changes = not all(map(_is_clifford, operation.gates))


def _is_clifford(gate: Gate) -> bool:
    """Tell whether a gate takes all Paulis to Paulis, so that it stays as it is if they move past it."""
    passed = passage(gate)
    return passed is not None and passed.is_clifford


def _parting(block: Block, times: float) -> Iterator[tuple[Measure | Reset | Channel, float]]:
    for operation in block:
        match operation:
            case Measure() | Reset() | Channel():
                yield operation, times
            case For():
                for body in operation.bodies:
                    yield from _parting(body, times * operation.repeats)
            case While(_, body):
                yield from _parting(body, times * _ITERATIONS)
            case _:
                for child in children(operation):
                    yield from _parting(child, times)
