"""Derivatives of expectation values by adjoint differentiation: one sweep forwards, and one back.

The ket is evolved as in any run. A bra is an observable applied to it; both then go back through the passes of the same
plans, and each gate with an angle adds ``<bra| A |ket>``, where A is its generator (Jones and Gacon 2020,
arXiv:2009.02823). The time does not depend on the number of angles.
"""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from basicaer.engine.device import TOO_SMALL_TO_ASK, SegmentBatch
from basicaer.engine.kept_states import Relay, kept_states
from basicaer.engine.program import Phase, Prepare, Segment, SetState
from basicaer.engine.sweeps import AdjointSums, Done, is_undone

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from basicaer.engine.device import Device
    from basicaer.engine.monitor import Monitor
    from basicaer.engine.plan import Plan, Planner
    from basicaer.engine.sweeps import Sweep
    from basicaer.engine.team import Team
    from basicaer.options import Precision

__all__ = ["Adjoint"]

_MOST_BRAS = 16  # more go back one after another


class _Ran(NamedTuple):
    """What has been run: its place, the segment, or segments, what they were run by, and the layout before."""

    place: int
    segments: Any
    plan: Plan | None
    start: dict[str, Any]


class Adjoint:
    """Carries out sweeps on a device.

    Parameters
    ----------
    team
        The ranks that share the sets and the bras of each sweep; None for no others.
    """

    def __init__(
        self, device: Device, planner: Planner, precision: Precision, monitor: Monitor, team: Team | None = None
    ) -> None:
        self._device = device
        self._planner = planner
        self._precision = precision
        self._monitor = monitor
        self._team = team

    def run(
        self,
        sweep: Sweep,
        begun: tuple[AdjointSums, Done] | None = None,
        note: Callable[[AdjointSums, Done], None] = lambda _found, _done: None,
        *,
        is_part: bool = False,
    ) -> AdjointSums:
        """Return the values and the sums of a sweep.

        Parameters
        ----------
        begun
            What has been found before, and how much of the sweep is done; the rest is added to it.
        note
            Called with what is found so far, and how much is done, each time that some sets or bras are done; where
            ranks share them, once at the end.
        is_part
            Whether the monitor has been told how much there is to do; see `passes`.

        Raises
        ------
        BasicAerError
            If the device raises it, for example for want of memory.
        Cancelled
            If the monitor says that the job was cancelled.
        """
        found, done = begun or (sweep.no_sums(), Done())
        at_once, bras, is_batch = self._agreed(sweep)
        plans = self._plans(sweep)
        left = self._own(list(_rounds(sweep, at_once, bras, done)))
        if not is_part:
            self._monitor.expect(_passes(sweep, plans, left), 0)
        for sets, some in left:
            _OneSweep(self, sweep, plans, sets, some, is_batch=is_batch).run(found, with_values=not some.start)
            if self._team is None:
                is_whole = some.stop == sweep.outputs
                note(found, Done(sets.stop) if is_whole else Done(sets.start, sets.stop, some.stop))
        if self._team is not None:
            found = _of_all(found, self._team)
            note(found, Done(sweep.size))
        return found

    def _agreed(self, sweep: Sweep) -> tuple[int, int, bool]:
        """Return how many sets and bras go back together, the same on all ranks, and whether the sets are a batch.

        A batch may have one set, which is then rounded as it is among others.
        """
        sets, bras = self._at_once(sweep)
        if self._team is None:
            return sets, bras, sets > 1
        sets, bras = map(min, zip(*self._team.gather((sets, bras), "rounds"), strict=True))
        return min(sets, ceil(sweep.size / self._team.size)), bras, sets > 1

    def _own(self, rounds: list[tuple[slice, slice]]) -> list[tuple[slice, slice]]:
        """Return the rounds of this rank."""
        if self._team is None:
            return rounds
        first, end = (len(rounds) * rank // self._team.size for rank in (self._team.rank, self._team.rank + 1))
        return rounds[first:end]

    def _at_once(self, sweep: Sweep) -> tuple[int, int]:
        """Return how many sets, and how many bras of each, go back together."""
        sets = self._sets_at_once(sweep)
        return sets, self._bras_at_once(sweep, sets)

    def _sets_at_once(self, sweep: Sweep) -> int:
        """Return how many sets run as a batch; 1 if they run one after another."""
        body = sweep.program.body
        if sweep.size == 1 or sweep.bras is not None or not all(is_undone(operation) for operation in body):
            return 1
        most = self._device.most_undone(sweep.program.state_qubits, self._precision)
        bras = min(sweep.outputs, _MOST_BRAS) if sweep.places_wanted else 1
        return max(min(most // (1 + bras), sweep.size), 1)

    def _bras_at_once(self, sweep: Sweep, sets: int) -> int:
        """Return how many bras go back together; each takes as much memory as the ket."""
        if not sweep.places_wanted:
            return sweep.outputs  # none is made
        each = self._precision.amplitude_bytes * 2**sweep.program.state_qubits * sets
        own = 1 if self._team is None else max(self._team.size // sweep.size, 1)  # ranks that share the bras of a set
        most, scratch = min(ceil(sweep.outputs / own), _MOST_BRAS), self._device.scratch_bytes(self._precision)
        if (1 + most) * each + scratch <= TOO_SMALL_TO_ASK:
            return most
        room = (self._device.free_bytes() - scratch) // each - 1
        return int(max(1, min(most, room)))

    def _plans(self, sweep: Sweep) -> dict[int, Plan | None]:
        """Return the plan of each segment, by its place."""
        self._monitor.enter("planning")
        n_qubits = sweep.program.state_qubits
        costs = self._device.undoing_costs(n_qubits, self._precision)
        return {
            place: None if costs is None else self._planner(operation, n_qubits, costs, poll=self._monitor.poll)
            for place, operation in enumerate(sweep.program.body)
            if isinstance(operation, Segment)
        }

    def passes(self, sweep: Sweep) -> int:
        """Return how many passes a sweep takes."""
        return _passes(sweep, self._plans(sweep), list(_rounds(sweep, *self._at_once(sweep), Done())))

    @property
    def parts(self) -> tuple[Device, Precision, Monitor]:
        """The device, the precision and the monitor."""
        return self._device, self._precision, self._monitor


def _of_all(found: AdjointSums, team: Team) -> AdjointSums:
    """Return what all ranks have found together; each has 0 for what is found by others."""
    each = team.gather(found, "derivatives")
    sums = {
        place: {gate: np.add.reduce([one.sums[place][gate] for one in each]) for gate in some}
        for place, some in found.sums.items()
    }
    deviations = [one.deviation for one in each if one.deviation is not None]
    return AdjointSums(np.add.reduce([one.values for one in each]), sums, max(deviations, default=None))


def _passes(sweep: Sweep, plans: Mapping[int, Plan | None], left: Sequence[tuple[slice, slice]]) -> int:
    """Return how much there is to do, for some bras of some sets at a time."""
    passes = sum(len(plan.passes) for plan in plans.values() if plan is not None)
    flips = len({x for x, _ in sweep.masks})
    each = ((some.stop - some.start, sweep.has_own_values and not some.start) for _, some in left)
    total: int = sum(passes * 2 * (1 + bras) + flips * (reads + bras) for bras, reads in each)
    return max(total, 1)


def _rounds(sweep: Sweep, at_once: int, bras: int, done: Done) -> Iterator[tuple[slice, slice]]:
    """Yield which sets and which bras of them go back together, without those that are done."""
    for start in range(done.sets, sweep.size, at_once):
        sets = slice(start, min(start + at_once, sweep.size))
        is_begun = (sets.start, sets.stop) == (done.sets, done.upto)  # a batch of another size begins anew
        for first in range(done.bras if is_begun else 0, sweep.outputs, bras):
            yield sets, slice(first, min(first + bras, sweep.outputs))


class _OneSweep:
    """One sweep forwards and back, of one state or of a batch of them."""

    def __init__(  # what there is to do, and for which sets and bras
        self,
        adjoint: Adjoint,
        sweep: Sweep,
        plans: Mapping[int, Plan | None],
        sets: slice,
        bras: slice,
        *,
        is_batch: bool,
    ) -> None:
        self._device, self._precision, self._monitor = adjoint.parts
        self._sweep = sweep
        self._plans = plans
        self._sets = sets
        self._bras = bras
        self._is_batch = is_batch
        self._size = sets.stop - sets.start
        self._relay: Relay | None = None

    def run(self, found: AdjointSums, *, with_values: bool) -> None:
        """Add what is found to sums; also to the values if they are wanted."""
        sweep, monitor = self._sweep, self._monitor
        monitor.enter("gates")
        ket, ran = self._taken_over() or self._forwards()
        monitor.enter("observables")
        if with_values and sweep.has_own_values:
            self._find_values(ket, found)
        wanted = sweep.places_wanted
        if not wanted and sweep.bras is None:
            self._keep(ket, ran)
            return
        bras = self._made_bras(ket)
        if sweep.cotangent is None:
            overlaps = ket.overlaps(bras).T
            found.values[self._sets, self._bras] = overlaps if sweep.bras is not None else overlaps.real
        monitor.enter("backwards")
        for one in reversed(ran):
            left = {place for place in wanted if place <= one.place}
            if not left:
                break
            generators = {
                gate: [own if len(own) == 1 else own[self._sets] for own in some]
                for gate, some in sweep.generators.get(one.place, {}).items()
            }
            is_last = left == {one.place}
            sums = ket.undo(bras, one.segments, one.plan, one.start, generators, is_last=is_last)
            for gate, own in sums.items():
                found.sums[one.place][gate][self._bras, self._sets] = own
            if self._is_batch:
                passes = len(one.plan.passes) if one.plan else 0
                monitor.advance(passes * (1 + 2 * len(bras)))
            elif self._came_back(one):
                deviation = abs(complex(ket.read(np.zeros(1, np.int64))[0]) - 1)
                found.deviation = max(found.deviation or 0.0, deviation)

    def _taken_over(self) -> tuple[Any, list[_Ran]] | None:
        """Return the final states that a sweep for values has left, and what was run to make them, if there are any."""
        if self._sweep.kept is None or not self._sweep.places_wanted:
            return None
        return kept_states.take(self._sweep.kept, self._part_kept, self._monitor)

    def _keep(self, ket: Any, ran: list[_Ran]) -> None:
        if self._sweep.kept is not None and self._relay is not None:
            size = self._precision.amplitude_bytes * 2**self._sweep.program.state_qubits * self._size
            kept = ket, ran, self._relay
            kept_states.keep(self._sweep.kept, self._part_kept, kept, size, self._device.free_bytes())

    @property
    def _part_kept(self) -> tuple[int, int, str]:
        """What kept states are known by besides their name: the sets, and the device."""
        return self._sets.start, self._sets.stop, self._device.layout_name(self._precision)

    def _find_values(self, ket: Any, found: AdjointSums) -> None:
        sweep, monitor = self._sweep, self._monitor
        values = ket.expectations(sweep.masks).reshape(self._size, -1)
        if self._is_batch:
            monitor.advance(len({x for x, _ in sweep.masks}))
        if sweep.signs is not None:
            values *= sweep.signs[self._sets]
        for observable, own in enumerate(sweep.factors):  # one by one: rounding must not depend on their number
            found.values[self._sets, observable] = (values * own).sum(axis=1)

    def _made_bras(self, ket: Any) -> list[Any]:
        sweep = self._sweep
        if sweep.bras is not None:
            return [ket.with_amplitudes(sweep.bras[self._sets][0])]
        flips = len({x for x, _ in sweep.masks})
        bras = []
        for own in self._factors():
            bras.append(ket.operated(sweep.masks, own if self._is_batch else own[0]))
            self._monitor.advance(flips)
        return bras

    def _came_back(self, ran: _Ran) -> bool:
        """Tell whether all of a segment was undone, and the program began with it in |0...0>."""
        if ran.plan is None or not ran.plan.passes:
            return False
        if any(not isinstance(one, Phase) for one in self._sweep.program.body[: ran.place]):
            return False
        first = {ran.plan.origins[gate] for step in ran.plan.passes[0].steps for gate in step.gates}
        return not first.isdisjoint(self._sweep.generators.get(ran.place, ()))

    def _forwards(self) -> tuple[Any, list[_Ran]]:
        """Return the final states, and what has been run since the last operation that cannot be undone."""
        sweep, n_qubits = self._sweep, self._sweep.program.state_qubits
        states: Any
        monitor = self._monitor
        if sweep.kept is not None and self._device.is_host:  # states on a card belong to the thread that made them
            monitor = self._relay = Relay(monitor)
        if self._is_batch:
            states = self._device.new_batch(n_qubits, self._precision, self._size, monitor)
        else:
            states = self._device.new_state(n_qubits, self._precision, monitor)
        ran: list[_Ran] = []
        for place, operation in enumerate(sweep.program.body):
            match operation:
                case Segment():
                    plan = self._plans[place]
                    segments = self._segments(place)
                    ran.append(_Ran(place, segments if self._is_batch else segments[0], plan, states.layout()))
                    states.run(ran[-1].segments, plan)
                    if self._is_batch:
                        self._monitor.advance(len(plan.passes) if plan else 0)
                case Prepare(qubits, amplitudes):
                    states.prepare(qubits, amplitudes)
                    ran = []
                case SetState(amplitudes):
                    states.load(amplitudes)
                    ran = []
        return states, ran

    def _segments(self, place: int) -> SegmentBatch:
        """Return the segments at a place for the sets of this sweep."""
        whole = self._sweep.segments.get(place)
        if whole is None:
            segment = self._sweep.program.body[place]
            assert isinstance(segment, Segment)  # only these have segments  # noqa: S101
            return SegmentBatch(segment, (), self._size)
        return whole[self._sets]

    def _factors(self) -> list[NDArray[np.float64]]:
        """Return for each bra ``factors[s, j]``, that of product j in set s."""
        factors, cotangent = self._sweep.factors, self._sweep.cotangent
        signs = np.ones((self._size, 1)) if self._sweep.signs is None else self._sweep.signs[self._sets]
        if cotangent is not None:
            weighed = cotangent[self._sets]
            return [signs * sum(weighed[:, o, None] * own for o, own in enumerate(factors))]
        return [signs * own for own in factors[self._bras]]
