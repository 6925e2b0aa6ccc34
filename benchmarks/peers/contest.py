"""One circuit run by all systems in turn."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from peers.systems import OURS, SHOTS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from qiskit import QuantumCircuit

    from peers.systems import System
    from peers.systems.entry import Entry

_LEAST_SECONDS = 0.5  # short runs go on in turn until they have taken this long together,
_MOST_ROUNDS = 50  # or this often
_SHORT = 0.2  # seconds; to choose between settings by one run is fair above, by three below


@dataclass(slots=True)
class Times:
    """What came of a contest.

    Attributes
    ----------
    seconds
        ``seconds[name][r]`` is what that system's run took in round ``r``.
    first
        What its very first run took, with whatever is made once for a circuit or a process.
    settings
        The setting that was fastest, of those that have any.
    """

    seconds: dict[str, list[float]] = field(default_factory=dict)
    first: dict[str, float] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)

    def ratios(self) -> dict[str, float]:
        """Return for each peer how many times as long as ours it takes: the median of the ratios round by round."""
        ours = self.seconds.get(OURS, [])
        return {
            name: statistics.median(b / a for a, b in zip(ours, theirs, strict=True))
            for name, theirs in self.seconds.items()
            if ours and name != OURS
        }


def in_turn(circuit: QuantumCircuit, systems: Sequence[System], precision: str, *, rounds: int, budget: float) -> Times:
    """Run A B C, A B C, ... so that a machine that gets slower slows all.

    Parameters
    ----------
    rounds
        How often at least.
    budget
        Seconds after which no round is begun that would go beyond them, given how long the last took; one is always
        run. The untimed runs before count.
    """
    started = time.perf_counter()
    times = Times()
    runs = {}
    for system in systems:
        entry, times.first[system.name] = _fastest(system.entries(circuit, precision, SHOTS))
        runs[system.name] = entry.run
        times.seconds[system.name] = []
        if entry.setting:
            times.settings[system.name] = entry.setting
    timed = 0.0
    done = 0
    while done < rounds or (timed < _LEAST_SECONDS and done < _MOST_ROUNDS):
        for name, run in runs.items():
            times.seconds[name].append(_seconds(run))
        done += 1
        last = sum(seconds[-1] for seconds in times.seconds.values())
        timed += last
        if time.perf_counter() - started + last > budget:
            break
    return times


def _fastest(entries: list[Entry]) -> tuple[Entry, float]:
    """Return the fastest entry and how long its first run took."""
    first, best = {}, {}
    for place, entry in enumerate(entries):
        first[place] = best[place] = _seconds(entry.run)
        if first[place] < _SHORT:
            best[place] = min(_seconds(entry.run) for _ in range(2))
    place = min(best, key=best.__getitem__)
    return entries[place], first[place]


def _seconds(run: Callable[[], object]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started
