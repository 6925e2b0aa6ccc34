"""Runs programs with errors: all errors are drawn first; shots with the same errors so far share a state.

What a shot draws depends on nothing but the seed and its own number, and so does its outcome: not on the shots that run
with it. A program runs in stretches. After each of them the states that differ are kept, and those of their shots
whose proposals of errors are rejected draw the errors of this stretch again; see `basicaer.engine.error_sites`.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

import numpy as np

from basicaer.engine.bits import parities
from basicaer.engine.draws import FINAL
from basicaer.engine.ensemble import MOST_AMPLITUDES, Ensemble
from basicaer.engine.finishing import record
from basicaer.engine.frames import Frames
from basicaer.engine.lru_cache import LruCache
from basicaer.engine.parts import Chosen, Drawn, Part, Waiting, different, keys_of
from basicaer.engine.program import OverShots, SavedQuantity
from basicaer.engine.shot_progress import ShotProgress
from basicaer.engine.stretches import stretches_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from basicaer.engine.device import SegmentBatch
    from basicaer.engine.draws import Draws
    from basicaer.engine.planning import Planning
    from basicaer.engine.program import Block, Program, Save
    from basicaer.engine.records import Records
    from basicaer.engine.request import Stratum
    from basicaer.engine.saved import Saved
    from basicaer.engine.stretches import Stretch
    from basicaer.engine.suspended import Suspension
    from basicaer.engine.team import Team

__all__ = ["SHOTS_AT_ONCE", "Trajectories"]

SHOTS_AT_ONCE = 2**17
"""Shots whose errors are moved together, which takes some hundreds of bytes for each."""

_FEW_STATES = 8  # states that are not a batch of the device are followed together up to this number
_FREE_SHARE = 2  # at most 1/this of the free memory goes to states
_KEPT, _MOST_KEPT = 64, 10**6  # programs, and operations of all of them, whose stretches are kept


class Trajectories:
    """A program whose shots can draw all errors before any state exists."""

    def __init__(self, program: Program, stretches: tuple[Stretch, ...]) -> None:
        self._program = program
        self._stretches = stretches

    @classmethod
    def of(cls, program: Program) -> Trajectories | None:
        """Return the trajectories of a program; None if it has no errors, or operations with which there are none."""
        body = program.body
        kept = _stretches.get_or_make(id(body), len(body), lambda: (body, stretches_of(program)))
        return None if kept[1] is None else cls(program, kept[1])

    def run(
        self,
        records: Records,
        draws: Draws,
        planning: Planning,
        saved: Saved,
        suspension: Suspension,
        *,
        team: Team | None = None,
    ) -> Stratum | None:
        """Run all shots, or those that are left of a run that was suspended; record what they measure and save.

        Parameters
        ----------
        team
            The ranks that share the shots of a run that is not saved; None for no others.

        Returns
        -------
        Stratum or None
            The shots without errors; None if there are none, or no shot is told apart from others.
        """
        progress = ShotProgress(records, saved, len(self._stretches), suspension, planning.monitor)
        run = _Run(self._program, self._stretches, records, draws, planning, saved, progress, team)
        with progress.saved_when_stopped():
            for start in range(0, len(records.shots), SHOTS_AT_ONCE):
                shots = progress.begin(start, min(start + SHOTS_AT_ONCE, len(records.shots)))
                if len(shots):
                    run.follow(shots)
        if team is not None:
            progress.join(team)
            saved.join(team.gather(saved.records, "what shots have saved"), self._program.saves)
        return progress.stratum()


_stretches: LruCache[tuple[Block, tuple[Stretch, ...] | None]] = LruCache(_KEPT, _MOST_KEPT)


class _Run:
    """Some shots of a run."""

    def __init__(  # noqa: PLR0917  # all that a run needs
        self,
        program: Program,
        stretches: tuple[Stretch, ...],
        records: Records,
        draws: Draws,
        planning: Planning,
        saved: Saved,
        progress: ShotProgress,
        team: Team | None,
    ) -> None:
        # Of shots whose errors depend on their states, each rank follows every so many; else states are shared out.
        self._shares_shots = team is not None and any(stretch.depends_on_state for stretch in stretches)
        self._rank, self._ranks = (0, 1) if team is None else (team.rank, team.size)
        self._saved = saved
        self._progress = progress
        self._program = program
        self._stretches = stretches
        self._records = records
        self._draws = draws
        self._planning = planning
        n_qubits, device = planning.n_qubits, planning.device
        most = min(device.most_states(n_qubits, planning.precision), MOST_AMPLITUDES // 2**n_qubits)
        self._together = max(most, 1) if most > 1 else _FEW_STATES
        self._keeps_states = True
        if len(stretches) > 1:
            state_bytes = planning.precision.amplitude_bytes * 2**n_qubits
            room = device.free_bytes() // _FREE_SHARE // state_bytes // (len(stretches) + 1)
            self._together, self._keeps_states = max(min(self._together, room), 1), room > 0

    def follow(self, shots: NDArray[np.int64]) -> None:
        """Run shots from the beginning to the end; the parts into which they fall one after another, depth first."""
        if self._shares_shots:
            shots = shots[self._rank :: self._ranks]
        nothing = np.zeros(len(shots), np.int64)
        whole = Part(None, (), np.ones(1), shots, nothing, nothing, nothing, np.ones(len(shots), bool))
        parts = [self._after(0, whole)]
        while parts:
            part = next(parts[-1], None)
            if part is None:
                parts.pop()
            elif len(parts) < len(self._stretches):
                parts.append(self._after(len(parts), part))
            else:
                self._finish(part)

    def _after(self, number: int, part: Part) -> Iterator[Part]:
        """Run a stretch; yield the shots in parts, and release the states from which they come."""
        stretch, waiting, chosen = self._stretches[number], Waiting(), Chosen(len(part.shots))
        left, attempt = np.arange(len(part.shots)), 0
        while len(left):
            # A run that is resumed has shots of which more proposals have been rejected already.
            at = left[self._progress.rejected(number, part.shots[left]) <= attempt]
            if len(at):
                frames = Frames(self._planning.n_qubits, part.x[at], part.z[at])
                poll = self._planning.monitor.poll
                errors = stretch.errors(part.shots[at], self._draws, attempt, frames, poll)
                drawn = Drawn(at, part.state_of[at], errors, *frames.masks())
                chosen.add(drawn, attempt, self._decided(stretch, part, drawn, attempt, waiting))
                left = np.flatnonzero(~chosen.is_known)
            attempt += 1
        yield from self._parts(stretch, part, chosen, waiting)
        if part.states is not None:
            part.states.release()

    def _decided(self, stretch: Stretch, part: Part, drawn: Drawn, attempt: int, waiting: Waiting) -> NDArray[np.bool_]:
        """Return which of the shots that have drawn have their proposals accepted."""
        progress, errors, shots = self._progress, drawn.errors, part.shots[drawn.left]
        accepted = ~errors.is_proposed | progress.is_accepted(stretch.number, shots)
        if accepted.all():
            return accepted
        draws = self._draws.of_shots(len(self._program.body) + 1 + stretch.number, (attempt,), shots)
        for rows, ratios in self._ratios(stretch, part, drawn, np.flatnonzero(~accepted), waiting):
            accepted[rows] = draws[rows] < ratios * errors.factors[rows]
            progress.decide(stretch.number, shots[rows], attempt, accepted[rows])
        return accepted

    def _ratios(
        self, stretch: Stretch, part: Part, drawn: Drawn, rows: NDArray[np.intp], waiting: Waiting
    ) -> Iterator[tuple[NDArray[np.intp], NDArray[np.float64]]]:
        """Yield rows of what was drawn, and by which factors the squared norms of their states change.

        A stretch is run for what shots propose, to see this; as many states as fit are kept.
        """
        rows = rows[np.argsort(drawn.kind[rows], kind="stable")]
        kinds, begins = np.unique(drawn.kind[rows], return_index=True)
        of_kinds = np.split(rows, begins[1:])
        names = drawn.named(kinds)
        is_known = np.array([name in waiting.ratios for name in names])
        unknown = np.flatnonzero(~is_known)
        some = [unknown[start : start + self._together] for start in range(0, len(unknown), self._together)]
        for own in [np.flatnonzero(is_known), *some]:
            if not len(own):
                continue
            if not is_known[own[0]]:
                self._find_ratios(stretch, part, drawn, drawn.first[kinds[own]], [names[i] for i in own], waiting)
            found = [of_kinds[i] for i in own]
            ratios = [waiting.ratios[names[i]] for i in own]
            yield np.concatenate(found), np.repeat(ratios, [len(one) for one in found])

    def _find_ratios(  # noqa: PLR0917  # what is known of each state
        self,
        stretch: Stretch,
        part: Part,
        drawn: Drawn,
        rows: NDArray[np.intp],
        names: list[bytes],
        waiting: Waiting,
    ) -> None:
        """Run a stretch for some rows of what was drawn, each of which has another state."""
        states, segments, norms = self._run(stretch, part, drawn, rows)
        waiting.ratios |= zip(names, (norms / part.norms[part.state_of[drawn.left[rows]]]).tolist(), strict=True)
        if len(waiting) + len(names) <= self._together:
            waiting.add(names, states, segments, norms)
        elif states is not None:
            states.release()

    def _parts(self, stretch: Stretch, part: Part, chosen: Chosen, waiting: Waiting) -> Iterator[Part]:
        """Yield the shots with the states that they have chosen, some of which wait already."""
        first, kind = different(chosen.names)
        names = keys_of(chosen.names[first])
        missing = np.flatnonzero([name not in waiting.numbers for name in names])
        if not self._shares_shots:
            missing = missing[self._rank :: self._ranks]
        for attempt, drawn in chosen.drawn.items():
            own = missing[chosen.attempt[first[missing]] == attempt]
            for start in range(0, len(own), self._together):
                some = own[start : start + self._together]
                if waiting.numbers and len(waiting) + len(some) > self._together:
                    yield from self._part(stretch, part, chosen, waiting, names, kind)
                    waiting = Waiting()
                states, segments, norms = self._run(stretch, part, drawn, chosen.row[first[some]])
                waiting.add([names[one] for one in some.tolist()], states, segments, norms)
        yield from self._part(stretch, part, chosen, waiting, names, kind)

    def _part(  # noqa: PLR0917  # what is known of each shot
        self,
        stretch: Stretch,
        part: Part,
        chosen: Chosen,
        waiting: Waiting,
        names: list[bytes],
        kind: NDArray[np.intp],
    ) -> Iterator[Part]:
        """Yield the shots whose states wait, if there are any."""
        numbers = np.array([waiting.numbers.get(name, -1) for name in names])[kind]
        rows = np.flatnonzero(numbers >= 0)
        if len(rows):
            yield waiting.part(part, chosen, rows, numbers[rows], is_last=stretch is self._stretches[-1])
        else:
            waiting.release()

    def _run(
        self, stretch: Stretch, part: Part, drawn: Drawn, rows: NDArray[np.intp]
    ) -> tuple[Ensemble | None, SegmentBatch, NDArray[np.float64]]:
        """Run a stretch for some of the shots that have drawn; return the states, if they are kept, and their norms."""
        sources = part.state_of[drawn.left[rows]]
        if part.states is None:
            states = self._new_states(len(rows))
            for earlier, segments in zip(self._stretches, part.history, strict=False):
                self._evolve(states, earlier, segments)
        else:
            states = part.states.copies(sources)
        segments = stretch.segments(drawn.errors, rows)
        self._evolve(states, stretch, segments)
        norms = states.norms() if stretch.depends_on_state else part.norms[sources]
        if self._keeps_states or stretch is self._stretches[-1]:
            return states, segments, norms
        states.release()
        return None, segments, norms

    def _new_states(self, count: int) -> Ensemble:
        planning = self._planning
        n_qubits, precision, monitor = planning.n_qubits, planning.precision, planning.monitor
        if count > 1 and planning.device.most_states(n_qubits, precision) >= count:
            batch = planning.device.new_batch(n_qubits, precision, count, monitor)
            return Ensemble(planning.device, batch, precision, monitor)
        states = [planning.device.new_state(n_qubits, precision, monitor) for _ in range(count)]
        return Ensemble(planning.device, states, precision, monitor)

    def _evolve(self, states: Ensemble, stretch: Stretch, segments: SegmentBatch) -> None:
        template, is_last = stretch.template, stretch is self._stretches[-1]
        if template.gates:
            self._planning.monitor.poll()
            # What devices have bound to the template itself is kept.
            all_usual = not segments.groups and states.single is not None
            own = [template] if all_usual else segments
            states.run(own, lambda one: self._planning.of_program(template, one, discard_phases=is_last))

    def _finish(self, part: Part) -> None:
        """Let shots save and measure, and record it."""
        assert part.states is not None  # those after the last stretch are kept  # noqa: S101
        saved = [self._values(save, part, part.states) for save in self._program.saves]
        indices = part.states.found(part.state_of, self._draws.of_shots(FINAL, (), part.shots))
        # From here on nothing polls, so that a run that is saved has all or nothing of these shots.
        for save, values in zip(self._program.saves, saved, strict=True):
            self._save(save, part.shots, values)
        usual = np.flatnonzero(part.is_usual)
        if len(usual):
            share = prod(stretch.usual_share for stretch in self._stretches)
            self._progress.note_usual(part.shots[usual], share * float(part.norms[part.state_of[usual[0]]]))
        record(self._records, self._draws, self._program, part.shots, indices ^ part.x)
        part.states.release()
        self._progress.finish(part.shots)

    def _values(self, save: Save, part: Part, states: Ensemble) -> NDArray[np.float64]:
        """Return what a save reads in each shot; errors that the states lack change the signs of Paulis."""
        masks = [(x, z) for x, z, *_ in save.numbers]
        of_states = states.expectations(masks)
        changes = [parities(part.x & z) ^ parities(part.z & x) for x, z in masks]
        values: NDArray[np.float64] = of_states[part.state_of] * (1 - 2 * np.array(changes, float).T)
        if save.quantity is SavedQuantity.EXPECTATION:
            values = values @ np.array([factor for *_, factor in save.numbers])
        return values

    def _save(self, save: Save, shots: NDArray[np.int64], values: NDArray[np.float64]) -> None:
        """Add what a save has read in each of some shots."""
        match save.over_shots:
            case OverShots.EACH:
                for i, value in enumerate(values):
                    self._saved.add(save, 0, shots[i : i + 1], 1, value)
            case OverShots.LAST:
                self._saved.add(save, 0, shots, len(shots), values[-1])
            case _:
                self._saved.add(save, 0, shots, len(shots), values.mean(axis=0))
