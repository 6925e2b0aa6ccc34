"""What ranks say to MPI, without one: a communicator that stands in for it."""

from types import SimpleNamespace

from basicaer.devices.distributed import mpi
from basicaer.devices.distributed.mpi import MpiTransport


class LateComm:
    """A communicator of which the other ranks arrive after a while."""

    def __init__(self, arrives_at, clock):
        self._arrives_at = arrives_at
        self._clock = clock
        self.tests = 0

    def Get_rank(self):  # noqa: N802  # MPI's name
        return 0

    def Get_size(self):  # noqa: N802
        return 2

    def Ibarrier(self):  # noqa: N802
        return SimpleNamespace(Test=self._has_arrived)

    def _has_arrived(self):
        self.tests += 1
        self._clock.now += 1e-6
        return self._clock.now >= self._arrives_at

    def allgather(self, thing):
        assert self._clock.now >= self._arrives_at, "MPI would keep a core busy until the others are there"
        return [thing, "theirs"]


def gathered(seconds, monkeypatch):
    """Gather with a rank that comes so much later; return how often it was looked for, and for how long not."""
    clock, naps = SimpleNamespace(now=0.0), []

    def sleep(nap):
        naps.append(nap)
        clock.now += nap

    monkeypatch.setattr(mpi, "time", SimpleNamespace(monotonic=lambda: clock.now, sleep=sleep))
    comm = LateComm(seconds, clock)
    assert MpiTransport(comm, None).gather("ours") == ["ours", "theirs"]
    return comm.tests, sum(naps)


def test_a_rank_that_waits_long_is_asleep_for_most_of_the_time(monkeypatch):
    tests, asleep = gathered(60, monkeypatch)
    assert asleep > 59
    assert tests < 200_000


def test_a_rank_that_waits_for_a_moment_is_awake(monkeypatch):
    _, asleep = gathered(1e-3, monkeypatch)
    assert asleep == 0
