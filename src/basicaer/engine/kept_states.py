"""Final states that values have been read of, kept for a way back that may follow: it then begins where they stand.

Only states of the process that wants them can be found again, so others keep none. Whoever does not find them evolves
them anew.
"""

from __future__ import annotations

import os
import threading
import uuid
from typing import TYPE_CHECKING, Any, NamedTuple

from basicaer.engine.monitor import Monitor

if TYPE_CHECKING:
    from collections.abc import Hashable

__all__ = ["KeptStates", "Relay", "kept_states"]

_SHARE = 4  # at most 1/this of the free memory goes to states that are kept


class Relay(Monitor):
    """A monitor that stands for that of the job that runs: the states of one job are taken over by another."""

    def __init__(self, whole: Monitor) -> None:
        super().__init__()
        self.whole = whole

    def poll(self) -> None:
        """Poll the monitor that this one stands for."""
        self.whole.poll()

    def advance(self, passes: float) -> None:
        """Count passes at the monitor that this one stands for."""
        self.whole.advance(passes)


class _Kept(NamedTuple):
    """States, what was run to make them, and how many bytes they take; their monitor is `relay`."""

    states: Any
    ran: list[Any]
    relay: Relay
    size: int


class KeptStates:
    """The states that are kept, by names."""

    def __init__(self) -> None:
        self._kept: dict[str, dict[Hashable, _Kept]] = {}
        self._lock = threading.Lock()

    @staticmethod
    def new_name() -> str:
        """Return a name under which this process keeps states, until it drops the name."""
        return f"{os.getpid()} {uuid.uuid4()}"

    def keep(self, name: str, part: Hashable, kept: tuple[Any, list[Any], Relay], size: int, free: int) -> None:
        """Keep states, unless they and the others would take too much of the memory that is free.

        Nothing is kept under a name of another process, which could neither find states here nor drop the name.
        """
        if int(name.partition(" ")[0]) != os.getpid():
            return
        with self._lock:
            held = sum(one.size for parts in self._kept.values() for one in parts.values())
            if _SHARE * (held + size) <= free + held:
                self._kept.setdefault(name, {})[part] = _Kept(*kept, size)

    def take(self, name: str, part: Hashable, monitor: Monitor) -> tuple[Any, list[Any]] | None:
        """Return states and what was run to make them, for the job with a monitor; None if they are not there."""
        with self._lock:
            found = self._kept.get(name, {}).pop(part, None)
        if found is None:
            return None
        found.relay.whole = monitor
        return found.states, found.ran

    def drop(self, name: str) -> None:
        """Forget all states with a name."""
        with self._lock:
            self._kept.pop(name, None)


kept_states = KeptStates()
"""Those of this process."""
