"""Ranks that are threads of one process: all that several processes do, without MPI."""

from __future__ import annotations

import pickle
import threading

from basicaer.devices.distributed.comm import Comm
from basicaer.devices.distributed.device import DistributedDevice
from basicaer.plan.planner import plan_segment
from basicaer.plan.stages import plan_stages

GUARD = 5  # seconds after which a rank that waits for another one fails, rather than wait for ever


class Hub:
    """What the threads share: one place for each, and a barrier at which they wait for one another."""

    def __init__(self, size):
        self.size = size
        self.places = [None] * size
        self.barrier = threading.Barrier(size)
        self.warned_by = [set() for _ in range(size)]

    def wait(self):
        self.barrier.wait(GUARD)  # which raises BrokenBarrierError on all when one has failed


class ThreadTransport:
    """See `basicaer.devices.distributed.comm.Transport`."""

    def __init__(self, hub, rank):
        self.hub, self.rank, self.size = hub, rank, hub.size

    def gather(self, thing):
        self.hub.places[self.rank] = pickle.dumps(thing)  # as between processes, nothing is shared
        self.hub.wait()
        things = [pickle.loads(one) for one in self.hub.places]  # noqa: S301  # by this process
        self.hub.wait()
        return things

    def swap(self, partner, out, into):
        self.hub.places[self.rank] = out
        self.hub.wait()
        into[:] = self.hub.places[partner]
        self.hub.wait()

    def warn(self):
        for rank, warned_by in enumerate(self.hub.warned_by):
            if rank != self.rank:
                warned_by.add(self.rank)

    def is_warned(self):
        return bool(self.hub.warned_by[self.rank])

    def forget(self, ranks):
        self.hub.warned_by[self.rank] -= set(ranks)

    def again(self):
        if self.rank == 0:
            self.hub.next = Hub(self.size)
        self.hub.wait()
        hub = self.hub.next
        self.hub.wait()
        return ThreadTransport(hub, self.rank)

    def close(self):
        pass


def comms(size):
    """Return the `Comm` of each of some ranks."""
    hub = Hub(size)
    return [Comm(ThreadTransport(hub, rank)) for rank in range(size)]


def on_ranks(of_rank, doing, hub=None):
    """Call a function with what each rank has, all at the same time; return what each gives back or raises.

    With a hub, ranks that wait for one that has raised an error raise one too.
    """
    done = [None] * len(of_rank)

    def work(rank):
        try:
            done[rank] = doing(of_rank[rank])
        except BaseException as error:  # noqa: BLE001  # it is handed over
            done[rank] = error
            if hub is not None:
                hub.barrier.abort()

    threads = [threading.Thread(target=work, args=(rank,), daemon=True) for rank in range(len(of_rank))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(2 * GUARD)
    assert not any(thread.is_alive() for thread in threads), "a rank hangs"
    return done


class DividesWhatItCan(DistributedDevice):
    """Leaves states of fewer qubits than the rank's number has bits to the device of the rank, as `divides` says."""

    def new_state(self, n_qubits, precision, monitor=None):
        if 2**n_qubits <= self._comm.size:
            return self._device.new_state(n_qubits, precision, monitor)
        return super().new_state(n_qubits, precision, monitor)


def devices(size, make):
    """Return the devices of some ranks as one."""
    hub = Hub(size)

    def device(rank):
        comm = Comm(ThreadTransport(hub, rank))
        return DividesWhatItCan(make(), comm, plan_segment, plan_stages)

    return Together(on_ranks(range(size), device, hub), hub)


class Together:
    """What all ranks have of one thing. A call is made on every rank, and all must give the same back."""

    def __init__(self, of_rank, hub):
        self.__dict__.update(of_rank=of_rank, hub=hub)

    def __getattr__(self, name):
        if not callable(getattr(self.of_rank[0], name)):
            return self.the_same([getattr(one, name) for one in self.of_rank])

        def call(*arguments, **keywords):
            doing = on_ranks(self.of_rank, lambda one: getattr(one, name)(*arguments, **keywords), self.hub)
            return self.the_same(doing)

        return call

    def the_same(self, of_ranks):
        """Return what every rank has given, as long as it is the same; errors are raised, states stay together."""
        errors = [one for one in of_ranks if isinstance(one, BaseException)]
        if errors:
            raise next((one for one in errors if not isinstance(one, threading.BrokenBarrierError)), errors[0])
        if hasattr(of_ranks[0], "collapse"):
            return Together(of_ranks, self.hub)
        assert len({pickle.dumps(one) for one in of_ranks}) == 1, "ranks differ"
        return of_ranks[0]
