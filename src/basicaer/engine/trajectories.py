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
from basicaer.engine.request import Stratum
from basicaer.engine.stretches import stretches_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from basicaer.engine.device import SegmentBatch
    from basicaer.engine.draws import Draws
    from basicaer.engine.planning import Planning
    from basicaer.engine.program import Block, Program, Save
    from basicaer.engine.records import Records
    from basicaer.engine.saved import Saved
    from basicaer.engine.stretches import Stretch

__all__ = ["Trajectories"]

_SHOTS_AT_ONCE = 2**17  # shots whose errors are moved together, which takes some hundreds of bytes for each
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
        kept = _stretches.get_or_make(
            (id(body), bool(program.readouts)), len(body), lambda: (body, stretches_of(program))
        )
        return None if kept[1] is None else cls(program, kept[1])

    def run(self, records: Records, draws: Draws, planning: Planning, saved: Saved) -> Stratum | None:
        """Run all shots; record what they measure, and add what they save.

        Returns
        -------
        Stratum or None
            The shots without errors; None if there are none, or no shot is told apart from others.
        """
        run = _Run(self._program, self._stretches, records, draws, planning, saved)
        for start in range(0, len(records.shots), _SHOTS_AT_ONCE):
            shots = np.arange(start, min(start + _SHOTS_AT_ONCE, len(records.shots)))
            run.follow(shots)
        return run.stratum()


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
    ) -> None:
        self._saved = saved
        self._is_usual = np.zeros(len(records.shots), bool)
        self._usual_weight = 0.0
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
        ratios: dict[bytes, float] = {}  # ratios[name] = by which factor the squared norm of a state changes
        left = np.arange(len(part.shots))
        while len(left):
            shots, attempt = part.shots[left], len(chosen.drawn)
            frames = Frames(self._planning.n_qubits, part.x[left], part.z[left])
            errors = stretch.errors(shots, self._draws, attempt, frames, self._planning.monitor.poll)
            drawn = Drawn(left, part.state_of[left], errors, *frames.masks())
            accepted = ~errors.is_proposed
            if not accepted.all():
                self._find_ratios(stretch, part, drawn, ratios, waiting)
                of_kinds = np.array([ratios.get(name, 0.0) for name in drawn.named(np.arange(len(drawn.first)))])
                draws = self._draws.of_shots(len(self._program.body) + 1 + number, (attempt,), shots)
                accepted |= draws < of_kinds[drawn.kind] * errors.factors
            chosen.add(drawn, accepted)
            left = left[~accepted]
        yield from self._parts(stretch, part, chosen, waiting)
        if part.states is not None:
            part.states.release()

    def _find_ratios(
        self, stretch: Stretch, part: Part, drawn: Drawn, ratios: dict[bytes, float], waiting: Waiting
    ) -> None:
        """Run a stretch for what shots propose, to see how it changes the norms; keep as many states as fit."""
        kinds = np.unique(drawn.kind[drawn.errors.is_proposed])
        unknown = kinds[[name not in ratios for name in drawn.named(kinds)]]
        for start in range(0, len(unknown), self._together):
            some = unknown[start : start + self._together]
            rows, names = drawn.first[some], drawn.named(some)
            states, segments, norms = self._run(stretch, part, drawn, rows)
            ratios |= zip(names, (norms / part.norms[part.state_of[drawn.left[rows]]]).tolist(), strict=True)
            if len(waiting) + len(some) <= self._together:
                waiting.add(names, states, segments, norms)
            elif states is not None:
                states.release()

    def _parts(self, stretch: Stretch, part: Part, chosen: Chosen, waiting: Waiting) -> Iterator[Part]:
        """Yield the shots with the states that they have chosen, some of which wait already."""
        first, kind = different(chosen.names)
        names = keys_of(chosen.names[first])
        missing = np.flatnonzero([name not in waiting.numbers for name in names])
        for attempt, drawn in enumerate(chosen.drawn):
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
        usual = np.flatnonzero(part.is_usual)
        if len(usual):
            self._is_usual[part.shots[usual]] = True
            share = prod(stretch.usual_share for stretch in self._stretches)
            self._usual_weight = share * float(part.norms[part.state_of[usual[0]]])
        for save in self._program.saves:
            self._save(save, part, part.states)
        indices = part.states.found(part.state_of, self._draws.of_shots(FINAL, (), part.shots))
        part.states.release()
        record(self._records, self._draws, self._program, part.shots, indices ^ part.x)
        self._planning.monitor.finish_shots(len(part.shots))

    def _save(self, save: Save, part: Part, states: Ensemble) -> None:
        """Add what a save reads in each shot; errors that the states lack change the signs of Paulis."""
        masks = [(x, z) for x, z, *_ in save.numbers]
        of_states = states.expectations(masks)
        changes = [parities(part.x & z) ^ parities(part.z & x) for x, z in masks]
        values = of_states[part.state_of] * (1 - 2 * np.array(changes, float).T)
        if save.quantity is SavedQuantity.EXPECTATION:
            values = values @ np.array([factor for *_, factor in save.numbers])
        match save.over_shots:
            case OverShots.EACH:
                for i, value in enumerate(values):
                    self._saved.add(save, 0, part.shots[i : i + 1], 1, value)
            case OverShots.LAST:
                self._saved.add(save, 0, part.shots, len(part.shots), values[-1])
            case _:
                self._saved.add(save, 0, part.shots, len(part.shots), values.mean(axis=0))

    def stratum(self) -> Stratum | None:
        """Return the shots without errors."""
        return Stratum(self._usual_weight, self._is_usual) if self._is_usual.any() else None
