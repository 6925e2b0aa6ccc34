"""The amplitudes of a state that is divided among ranks: where they are, and how they change places."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from basicaer.devices.distributed.rank_gates import Places, scaling
from basicaer.engine.bits import deposit_bits, extract_bits, lowest_bits, shifted_down, with_bits
from basicaer.engine.program import Form, Gate, Segment
from basicaer.engine.stages import Exchange

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from basicaer.devices.distributed.comm import Comm
    from basicaer.engine.device import Device, State
    from basicaer.engine.monitor import Monitor
    from basicaer.engine.plan import Planner
    from basicaer.engine.stages import StagePlanner
    from basicaer.options import Precision

__all__ = ["MOST_AT_ONCE", "DistributedAmplitudes", "Rank", "part_amplitudes"]

_BUFFERS = 16  # two buffers of a sixteenth of the local amplitudes are an eighth of the memory
MOST_AT_ONCE = 2**20
"""Amplitudes that a rank sends at a time: 16 MiB in double precision, so that a job stops soon on a slow network."""


class Rank(NamedTuple):
    """What a rank works with: its device, those who plan for it, and its way to the others."""

    comm: Comm
    device: Device
    planner: Planner
    stage_planner: StagePlanner
    precision: Precision
    monitor: Monitor

    @property
    def dtype(self) -> np.dtype[np.complexfloating]:
        """The type of an amplitude."""
        return np.dtype(f"c{self.precision.amplitude_bytes}")


def part_amplitudes(n_local: int) -> int:
    """Return how many amplitudes a rank sends at a time, of so many local qubits: a power of two."""
    size: int = 2**n_local // _BUFFERS
    return min(max(size, 1), MOST_AT_ONCE)


class DistributedAmplitudes:
    """The amplitudes of `n_qubits` qubits, divided among ranks, all of which call all methods together.

    Parameters
    ----------
    local
        The state of the local qubits, which belongs to it from then on.
    place
        ``place[q]`` is where qubit q is; see `Places`. None for |0...0>, which `local` then is on every rank.

    Attributes
    ----------
    any_untouched
        Whether nothing has acted on it. Then the amplitudes of the ranks other than the first are still to be made 0.
    """

    def __init__(self, local: State, rank: Rank, n_qubits: int, place: Sequence[int] | None = None) -> None:
        self.n_qubits = n_qubits
        self.any_untouched = place is None
        self._local = local
        self._rank = rank
        self._comm = rank.comm
        self._n_local = local.n_qubits
        self._place = list(range(n_qubits) if place is None else place)

    def _places(self) -> Places:
        return Places(self._place, self._n_local, self._comm.rank)

    def _held(self) -> list[int]:
        """Return the qubit that each bit of the rank's number holds."""
        held = [0] * (self.n_qubits - self._n_local)
        for qubit, place in enumerate(self._place):
            if place >= self._n_local:
                held[place - self._n_local] = qubit
        return held

    def _hold(self, held: Sequence[int]) -> None:
        """Let the bits of the rank's number hold these qubits, and local qubits the others in their order."""
        local = [qubit for qubit in range(self.n_qubits) if qubit not in held]
        for place, qubit in enumerate((*local, *held)):
            self._place[qubit] = place

    def _settle(self) -> None:
        """Let this be the state that it stands for, before anything but gates acts on it."""
        if self.any_untouched:
            self.any_untouched = False
            self._scale(float(self._comm.rank == 0))

    def _make_local(self, qubits: Iterable[int]) -> None:
        """Exchange wires such that these qubits are local; there are not more of them than local ones."""
        self._settle()
        wanted = set(qubits)
        into = [qubit for qubit in self._held() if qubit in wanted]
        free = [qubit for qubit in range(self.n_qubits) if self._places().is_local(qubit) and qubit not in wanted]
        free.sort(key=lambda qubit: self._place[qubit], reverse=True)
        self._exchange(Exchange(tuple(free[: len(into)]), tuple(into)))

    def _sort(self) -> None:
        """Let the local qubits be in the order of the qubits that they hold; in a plan, swaps move no amplitudes."""
        swaps = []
        local = [qubit for qubit in range(self.n_qubits) if self._places().is_local(qubit)]
        for slot, qubit in enumerate(local):
            if (place := self._place[qubit]) != slot:
                swaps.append(Gate("swap", "GG", (slot, place), Form.PERMUTATION, np.array([0, 2, 1, 3])))
                self._place[self._place.index(slot)], self._place[qubit] = place, slot
        self._run_local(swaps, by_plan=True)

    def _exchange(self, exchange: Exchange) -> None:
        """Let wires change places, in slices, so that little memory is needed beside the state."""
        if not exchange.into:
            return
        slots = tuple([self._place[wire] for wire in exchange.out])
        places = [self._place[wire] for wire in exchange.into]
        bits = [place - self._n_local for place in places]
        own, count = extract_bits(self._comm.rank, bits), 2 ** len(bits)
        self._agree_on_order()
        size = min(part_amplitudes(self._n_local), 2 ** (self._n_local - len(slots)))
        parts = 2 ** (self._n_local - len(slots)) // size
        out, into = np.empty((2, size), self._rank.dtype)
        # Each rank keeps the amplitudes for which the wires that leave have the values of its own bits. Those for which
        # they have others belong to the rank with these bits, which has for them what becomes local here.
        for other in range(1, count):
            value = own ^ other
            partner = with_bits(self._comm.rank, bits, value)
            for part in range(parts):
                self._local.read_part(slots, value, part, out)
                self._comm.swap(partner, out, into)
                self._local.write_part(slots, value, part, into)
        for wire, place in zip(exchange.out, places, strict=True):
            self._place[wire] = place
        for wire, slot in zip(exchange.into, slots, strict=True):
            self._place[wire] = slot

    def _agree_on_order(self) -> None:
        """Make sure that all ranks have their amplitudes in the same order, as they have on devices of one kind."""
        orders = self._comm.gather((self._rank.device.layout_name(self._rank.precision), self._local.layout()))
        if any(order != orders[0] for order in orders):
            self._local.bring_into_order()

    def _whereabouts(self, indices: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the rank that has the amplitude at each index, and the index that it has there."""
        places = deposit_bits(indices, self._place)
        return shifted_down(places, self._n_local), lowest_bits(places, self._n_local)

    def _run_local(self, gates: Sequence[Gate], *, by_plan: bool = False) -> None:
        """Run gates on local qubits as their device runs them, or by a plan if it plans at all."""
        if not gates:
            return
        segment, n, device = Segment(tuple(gates)), self._n_local, self._rank.device
        precision, untouched = self._rank.precision, self._local.any_untouched
        costs = device.costs(n, precision)
        if costs is None or not (by_plan or device.runs_by_plan(len(gates), n, precision, any_untouched=untouched)):
            self._local.run(segment, None)
        else:
            self._local.run(segment, self._rank.planner(segment, n, costs, poll=self._rank.monitor.poll))

    def _scale(self, factor: complex) -> None:
        """Multiply the amplitudes of this rank."""
        self._run_local([scaling(factor)])
