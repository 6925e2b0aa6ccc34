"""One circuit run by all in turn, from |0...0> and from a random state."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from gpu.ours import STARTS, Ours

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gpu.card import Card

_SHORT = 0.2  # seconds; to choose between settings by one run is fair above, by two more below


class Entry(Protocol):
    """A circuit made ready for one simulator; `seconds`, if it has that, is the last run by its own account."""

    name: str
    setting: str
    starts: tuple[str, ...]

    def start(self, how: str) -> None:
        """Make the state to run on; never timed."""

    def run(self) -> None:
        """Run."""


@dataclass(slots=True)
class Times:
    """What came of a contest.

    Attributes
    ----------
    seconds
        ``seconds[start][name][r]`` is what that simulator's run took in round r.
    settings
        The setting that was fastest, of those that have any.
    failed
        What peers that could not run said.
    """

    seconds: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    def ratios(self) -> dict[str, dict[str, float]]:
        """Return for each start and peer how many times as long as ours it takes, the median of the rounds' ratios."""
        return {
            start: {
                name: statistics.median(b / a for a, b in zip(times[Ours.name], theirs, strict=True))
                for name, theirs in times.items()
                if name != Ours.name
            }
            for start, times in self.seconds.items()
        }


def in_turn(card: Card, ours: Ours, peers: Sequence[Sequence[Entry]], *, rounds: int, budget: float) -> Times:
    """Run A B C, A B C, ...

    Parameters
    ----------
    peers
        The entries of each peer, of which the fastest runs.
    rounds
        How often at least, after two runs of each that are not counted.
    budget
        Seconds after which no round is begun; one is always run from each start.
    """
    started = time.perf_counter()
    times = Times()
    chosen = [entry for settings in peers if (entry := _fastest(card, ours, settings, times))]
    for start in STARTS:
        entries: list[Any] = [ours, *(entry for entry in chosen if start in entry.starts)]
        for _ in range(2):
            _seconds(card, ours, ours, start)
        seconds = times.seconds[start] = {entry.name: [] for entry in entries}
        for _ in range(rounds):
            for entry in entries:
                seconds[entry.name].append(_seconds(card, ours, entry, start))
            if time.perf_counter() - started > budget * (1 + STARTS.index(start)) / len(STARTS):
                break
    return times


def _fastest(card: Card, ours: Ours, entries: Sequence[Entry], times: Times) -> Entry | None:
    """Return the entry that is fastest, from a random state where it can begin with one."""
    best: dict[int, float] = {}
    for place, entry in enumerate(entries):
        try:
            best[place] = _seconds(card, ours, entry, entry.starts[-1])
            if best[place] < _SHORT:
                best[place] = min(_seconds(card, ours, entry, entry.starts[-1]) for _ in range(2))
        except Exception as error:  # noqa: BLE001  # a peer that cannot run is named in the result
            times.failed[f"{entry.name}, {entry.setting}"] = str(error)
    if not best:
        return None
    chosen = entries[min(best, key=best.__getitem__)]
    times.settings[chosen.name] = chosen.setting
    return chosen


def _seconds(card: Card, ours: Ours, entry: Any, start: str) -> float:
    """Time one run; peers that need a state in memory share ours, so that twice the memory is never needed."""
    if entry is not ours and ours.is_released:
        ours.start("random")
    entry.start(start)
    taken = card.seconds(entry.run)
    return getattr(entry, "seconds", taken)
