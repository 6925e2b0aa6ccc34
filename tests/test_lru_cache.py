"""What is kept of what was made last: by number, by size, from several threads, at the same cost however much it is."""

import threading

import pytest

from basicaer.devices.bound_plans import BoundPlans
from basicaer.engine.lru_cache import LruCache
from plan_checks import hadamard, segment


def fill(kept, *sizes, start=0):
    for number, size in enumerate(sizes, start):
        kept.get_or_make(number, size, lambda number=number: f"thing {number}")


def test_what_is_kept_is_made_once():
    kept = LruCache(most=3, most_in_all=100)
    made = []
    for _ in range(3):
        assert kept.get_or_make("key", 1, lambda: made.append(1) or "thing") == "thing"
    assert made == [1]
    kept.clear()
    assert list(kept) == []
    kept.get_or_make("key", 1, lambda: made.append(1) or "thing")
    assert made == [1, 1]


def test_the_things_used_last_are_kept():
    kept = LruCache(most=3, most_in_all=100)
    fill(kept, 1, 1, 1)
    kept.get_or_make(0, 1, pytest.fail)
    fill(kept, 1, start=3)
    assert list(kept) == ["thing 2", "thing 0", "thing 3"]


def test_no_more_than_so_much_is_kept_in_all():
    kept = LruCache(most=100, most_in_all=10)
    fill(kept, 4, 4, 4)
    assert list(kept) == ["thing 1", "thing 2"]
    fill(kept, 25, start=3)
    assert list(kept) == ["thing 3"]  # larger than all that may be kept, and still there to be used again
    fill(kept, *[1] * 20, start=4)
    assert len(kept) == 10


def test_what_two_threads_make_at_once_counts_once():
    kept = LruCache(most=100, most_in_all=10)
    both = threading.Barrier(2)

    def make():
        both.wait(10)
        return "thing"

    threads = [threading.Thread(target=kept.get_or_make, args=("key", 6, make)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    fill(kept, 4)
    assert len(kept) == 2


class Key:
    """A key that counts how often any is asked for its hash."""

    asked = 0

    def __hash__(self):
        Key.asked += 1
        return id(self)


@pytest.mark.parametrize("most", [10, 1000, 100_000])
def test_a_thing_costs_the_same_however_many_came_before(most):
    kept = LruCache(most=most, most_in_all=10**9)
    asked = []
    for _ in range(10_000):
        before = Key.asked
        kept.get_or_make(Key(), 1, lambda: "thing")
        asked.append(Key.asked - before)
    assert max(asked) < 6


def test_bound_plans_are_kept_by_their_gates(monkeypatch):
    monkeypatch.setattr("basicaer.devices.bound_plans._GATES_KEPT", 10)
    plans = BoundPlans(8)
    short, long = segment([hadamard(0)] * 4), segment([hadamard(0)] * 11)
    made = []

    def bound(own):
        return plans.bound(None, own, (), lambda: made.append(own) or len(made))

    assert (bound(short), bound(short), bound(long), bound(long), bound(short)) == (1, 1, 2, 2, 3)
