"""Runs simulators in turn (A B C, A B C, ...), so that a machine that slows down slows all of them alike.

Nothing in here knows what is run, or on which device: an entry is anything that the given `seconds_of` can time.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

OURS = "basicaer"
MOST_ROUNDS = 50
SHORT_SECONDS = 0.2  # One run is enough to compare two settings that take longer; shorter ones are run twice more.

Clock = Callable[[], float]


class HasSetting(Protocol):
    """A circuit that was prepared for a simulator in one of its settings."""

    @property
    def setting(self) -> str:
        """The setting in words; "" if the simulator has only one."""


Entry = TypeVar("Entry")
EntryWithSetting = TypeVar("EntryWithSetting", bound=HasSetting)


@dataclass(slots=True)
class Chosen(Generic[EntryWithSetting]):
    """The entry with which each simulator takes part, by the simulator's name.

    Attributes
    ----------
    first_seconds
        What the first run of that entry took, including everything that is made once for a circuit or a process.
    settings
        The settings of the entries that have one.
    tried
        The seconds of all entries that ran and have a setting, by simulator and setting.
    failed
        The errors of the entries that could not run, by simulator and setting.
    """

    entries: dict[str, EntryWithSetting] = field(default_factory=dict)
    first_seconds: dict[str, float] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)
    tried: dict[str, float] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


def stopwatch(run: Callable[[], object], clock: Clock = time.perf_counter) -> float:
    """Return the seconds that a run takes."""
    started = clock()
    run()
    return clock() - started


def choose_settings(
    candidates: Iterable[tuple[str, Sequence[EntryWithSetting]]], seconds_of: Callable[[EntryWithSetting], float]
) -> Chosen[EntryWithSetting]:
    """Choose for each simulator the fastest of its entries; this also warms up the chosen ones.

    A simulator whose entries all fail does not take part, and its errors are kept. Our own errors are raised.
    """
    chosen: Chosen[EntryWithSetting] = Chosen()
    for name, entries in candidates:
        first: dict[int, float] = {}
        best: dict[int, float] = {}
        for i, entry in enumerate(entries):
            try:
                taken = [seconds_of(entry)]
                if taken[0] < SHORT_SECONDS:
                    taken += [seconds_of(entry), seconds_of(entry)]
            except Exception as error:
                if name == OURS:
                    raise
                chosen.failed[f"{name}, {entry.setting}" if entry.setting else name] = str(error)
            else:
                first[i], best[i] = taken[0], min(taken[1:] or taken)
                if entry.setting:
                    chosen.tried[f"{name}, {entry.setting}"] = best[i]
        if best:
            i = min(best, key=best.__getitem__)
            chosen.entries[name], chosen.first_seconds[name] = entries[i], first[i]
            if entries[i].setting:
                chosen.settings[name] = entries[i].setting
    return chosen


def in_turn(
    entries: Mapping[str, Entry],
    seconds_of: Callable[[Entry], float],
    *,
    rounds: int,
    least_seconds: float = 0.0,
    until: float = inf,
    clock: Clock = time.perf_counter,
) -> dict[str, list[float]]:
    """Time all entries in turn, and return the seconds of each, round by round.

    Parameters
    ----------
    rounds
        How many rounds are run, unless the time is up before.
    least_seconds
        Further rounds are run, up to ``MOST_ROUNDS``, until all rounds together have taken this long.
    until
        The time on `clock` when the last round should be over. A round that would probably take longer, judging by the
        one before, is not begun; one round is always run.
    """
    seconds: dict[str, list[float]] = {name: [] for name in entries}
    total, done = 0.0, 0
    while done < rounds or (total < least_seconds and done < MOST_ROUNDS):
        for name, entry in entries.items():
            seconds[name].append(seconds_of(entry))
        done += 1
        last = sum(taken[-1] for taken in seconds.values())
        total += last
        if clock() + last > until:
            break
    return seconds


def pair_ratios(seconds: Mapping[str, Sequence[float]], name: str, other: str) -> list[float]:
    """Return, for each round, the seconds of `name` divided by those of `other`."""
    return [a / b for a, b in zip(seconds[name], seconds[other], strict=True)]


def median_ratios(seconds: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Return for each peer how many times as long as ours it takes: the median of the rounds' ratios."""
    return {name: statistics.median(pair_ratios(seconds, name, OURS)) for name in seconds if name != OURS}
