"""Ranks that are threads of one process: all that several processes do, without MPI."""

from __future__ import annotations

import pickle
import threading

from basicaer.devices.distributed.comm import Comm
from basicaer.devices.distributed.device import DistributedDevice
from basicaer.devices.distributed.threads import Hub, ThreadTransport, thread_ranks
from basicaer.plan.planner import plan_segment
from basicaer.plan.stages import plan_stages

GUARD = 5  # seconds after which a rank that waits for another one fails, rather than wait for ever


def comms(size):
    """Return the `Comm` of each of some ranks."""
    return thread_ranks(size, GUARD)


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
    hub = Hub(size, GUARD)

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
