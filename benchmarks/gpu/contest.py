"""One circuit, run in turn by us and by the peers, from |0...0> and from a random state."""

from __future__ import annotations

import time
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any, Protocol

from harness.results import rounded
from harness.timing import OURS, choose_settings, in_turn, median_ratios

from gpu.check import check
from gpu.goals import goal_at
from gpu.ours import STARTS, Ours

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from harness.results import Record

    from basicaer.devices.gpu.device import CupyDevice
    from basicaer.engine.program import Segment
    from basicaer.options import Precision
    from gpu.card import Card

_WARM_UPS = 2  # runs of ours from each start that are not counted; peers are warm from the choice of their settings


class Entry(Protocol):
    """A circuit that was prepared for one simulator in one of its settings.

    An entry that has an attribute `seconds` measures its runs itself: the attribute is what the last one took.
    """

    name: str
    setting: str
    starts: tuple[str, ...]  # the starting points that it can run from

    def start(self, how: str) -> None:
        """Make the state to run on; never timed."""

    def run(self) -> None:
        """Run the circuit."""

    def final(self) -> tuple[Any, Sequence[int]]:
        """Return all amplitudes on the host, and the index bit of each qubit; needed for a random start."""


class Peer(Protocol):
    """Another simulator."""

    name: str

    def entries(self, family: str, segment: Segment, n: int, vector: Callable[[], Any]) -> Sequence[Entry]:
        """Return the circuit prepared to run, once for each setting that may be the fastest.

        `vector` returns our state's array on the card, which an entry may run on.
        """


@dataclass(frozen=True)
class Contest:
    """Our device and the peers, on one card."""

    card: Card
    device: CupyDevice
    peers: Sequence[Peer]

    def check(self, family: str, segment: Segment, n: int, precision: Precision) -> None:
        """Compare the final states of everything that will be timed; end the program if one is wrong."""
        ours = Ours(self.card, self.device, segment, n, precision)
        ours.start("random")
        entries = [entry for peer in self.peers for entry in peer.entries(family, segment, n, lambda: ours.vector)]
        check(ours, entries, segment, n, precision)
        ours.release()

    def measured(
        self,
        family: str,
        segment: Segment,
        n: int,
        precision: Precision,
        *,
        rounds: int,
        budget: float,
        copy_bytes_per_s: float,
    ) -> Record:
        """Return what the results keep of a circuit; each start may take half of the budget, in seconds."""
        ours = Ours(self.card, self.device, segment, n, precision)
        work = {start: ours.work(start) for start in STARTS}
        began = time.perf_counter()
        ours.start("zero")
        ours.run()
        first = time.perf_counter() - began

        def seconds_of(entry: Any, start: str) -> float:
            return _seconds(self.card, ours, entry, start)

        began = time.perf_counter()
        # The candidates get no name, so that those that are not chosen give up their memory.
        chosen = choose_settings(
            [(peer.name, peer.entries(family, segment, n, lambda: ours.vector)) for peer in self.peers],
            lambda entry: seconds_of(entry, entry.starts[-1]),
        )
        found: Record = {
            "gates": len(segment.gates),
            "goal": goal_at(family, n, str(precision)),
            "plan_seconds": rounded(ours.plan_seconds),
            "first_seconds": rounded(first),
            "settings": chosen.settings,
            "tried": {setting: rounded(seconds) for setting, seconds in chosen.tried.items()},
            "failed": chosen.failed,
        }
        for number, start in enumerate(STARTS, 1):
            entries: dict[str, Any] = {OURS: ours}
            entries |= {name: entry for name, entry in chosen.entries.items() if start in entry.starts}
            for _ in range(_WARM_UPS):
                seconds_of(ours, start)
            until = began + budget * number / len(STARTS)
            seconds = in_turn(entries, lambda entry, start=start: seconds_of(entry, start), rounds=rounds, until=until)
            found[start] = _summary(seconds, work[start], work[start]["bytes"] / copy_bytes_per_s)
        ours.release()
        return found


def _seconds(card: Card, ours: Ours, entry: Any, start: str) -> float:
    """Time one run. Peers that need a state in memory use ours, so that the card never has to hold two."""
    if entry is not ours and ours.is_released:
        ours.start("random")
    entry.start(start)
    taken = card.seconds(entry.run)
    return getattr(entry, "seconds", taken)


def _summary(seconds: dict[str, list[float]], work: dict[str, float], limit: float) -> Record:
    """Return times and ratios, and how near ours come to the limit: the time in which the card copies our bytes."""
    ours = median(seconds[OURS])
    return {
        "seconds": {name: [rounded(s) for s in taken] for name, taken in seconds.items()},
        "ratios": {name: rounded(ratio) for name, ratio in median_ratios(seconds).items()},
        "seconds_a_pass": rounded(ours / max(1, work["launches"])),
        "limit_seconds": rounded(limit),
        "fraction_of_limit": rounded(limit / ours),
        **{name: rounded(number) if "seconds" in name else number for name, number in work.items()},
    }
