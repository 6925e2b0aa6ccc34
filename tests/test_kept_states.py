"""Final states that are kept for a way back."""

import os

from basicaer.engine.kept_states import KeptStates, Relay
from basicaer.engine.monitor import Monitor

STATES = ("states", [], Relay(Monitor()))


def test_states_are_found_once_under_their_name():
    kept, monitor = KeptStates(), Monitor()
    name = kept.new_name()
    kept.keep(name, 0, STATES, size=16, free=64)
    assert kept.take(kept.new_name(), 0, monitor) is None
    assert kept.take(name, 1, monitor) is None
    assert kept.take(name, 0, monitor) == ("states", [])
    assert STATES[2].whole is monitor
    assert kept.take(name, 0, monitor) is None


def test_no_more_is_kept_than_a_quarter_of_the_memory():
    kept = KeptStates()
    names = [kept.new_name() for _ in range(2)]
    for name in names:
        kept.keep(name, 0, STATES, size=16, free=64)
    assert kept.take(names[1], 0, Monitor()) is None
    kept.drop(names[0])
    kept.keep(names[1], 0, STATES, size=16, free=64)
    assert kept.take(names[1], 0, Monitor()) is not None


def test_a_worker_keeps_nothing_for_the_process_that_asks_it(monkeypatch):
    """The name is dropped where it was made, which a worker would not learn."""
    kept = KeptStates()
    name = kept.new_name()
    monkeypatch.setattr(os, "getpid", lambda: 1)
    kept.keep(name, 0, STATES, size=16, free=64)
    assert kept.take(name, 0, Monitor()) is None
