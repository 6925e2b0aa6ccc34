"""Runs the gates of a segment on a state in a file: stage by stage, each of which reads and writes every chunk once."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from basicaer.devices.distributed.rank_gates import scaling, start_of_product, taken_alone
from basicaer.devices.spilled.amplitudes import LONG_RUN_QUBITS, SpilledAmplitudes
from basicaer.devices.spilled.stage_gates import segments_of_chunks
from basicaer.engine.bits import has_bit, inverse_positions
from basicaer.engine.suspended import check_passes_done
from basicaer.errors import BasicAerError
from basicaer.wording import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from basicaer.devices.spilled.chunks import Division
    from basicaer.engine.device import SegmentBatch, State
    from basicaer.engine.plan import Plan
    from basicaer.engine.program import Gate, Segment
    from basicaer.engine.stages import Stage, Stages

__all__ = ["RunningAmplitudes"]


class RunningAmplitudes(SpilledAmplitudes):
    """Amplitudes in a file that gates act on. As long as a segment runs, its wires are what else are qubits."""

    _held: tuple[int, ...] | None = None  # the qubits that made the number of a chunk at last
    _began: tuple[int, ...] | None = None  # those when the running segment began; None if it began with |0...0>
    _stages_done = 0  # stages of the running segment

    def run(self, segment: Segment, plan: Plan | None, after_pass: Callable[[], None] | None = None) -> None:
        """Run a segment stage by stage; `plan` is None, as the device makes no plan ahead."""
        del plan
        self._check_widths(segment)
        is_fresh, self.any_untouched = self.any_untouched, False
        if not self._stages_done:
            self._began = None if is_fresh else self._held or tuple(inverse_positions(self._place)[self._n_local :])
        how = self.n_qubits, self.n_qubits - self._n_local, self._began
        stages = self._workshop.stage_planner(segment, *how, poll=self._poll)
        check_passes_done(self._stages_done, len(stages.stages))
        left = stages.stages[self._stages_done :]
        self._workshop.monitor.expect_more(sum(1 for stage in left if stage.gates))
        if is_fresh:
            self._arrange(stages)
        held = stages.ranks
        for number, (stage, held) in enumerate(stages.with_held()):
            if number < self._stages_done:
                continue
            is_first = is_fresh and not number
            after = stages.stages[number + 1 : number + 2]
            leaving = after[0].exchange.out if after else ()
            if stage.gates:
                # What has not been saved would be lost in the middle of a stage that overwrites it.
                is_held = after_pass is not None and not is_first and not self._store.is_saved
                with self._workshop.monitor.held() if is_held else contextlib.nullcontext():
                    self._run_stage(stage, stages, segment, held, leaving, is_fresh=is_first)
                    self._stages_done = number + 1
                    if after_pass is not None:
                        after_pass()
            elif is_first:  # only swaps are left, which move nothing
                self.any_untouched = len(stages.stages) == 1
        self._stages_done = 0
        place, fixed = self._place, self._fixed
        self._place = [place[wire] for wire in stages.wire_of]
        self._fixed = {qubit: fixed[wire] for qubit, wire in enumerate(stages.wire_of) if wire in fixed}
        self._held = tuple(map(stages.wire_of.index, held))

    def _check_widths(self, segment: Segment) -> None:
        """Refuse gates that bring the amplitudes of more qubits together than a chunk has."""
        for gate in segment.gates:
            wires = len(gate.target_actions) - gate.target_actions.count("Z")
            if wires > self._n_local:
                raise BasicAerError(
                    f"Gate '{gate.name}' brings the amplitudes of {counted(wires, 'qubit')} together, and a chunk of a "
                    f"spilled state has {counted(self._n_local, 'qubit')}; give the gate a definition by smaller ones."
                )

    def _arrange(self, stages: Stages) -> None:
        """Choose where the qubits of |0...0> are: highest those that are not local at first, or that leave first."""
        leaving = stages.stages[1].exchange.out if len(stages.stages) > 1 else ()
        others = [wire for wire in range(self.n_qubits) if wire not in {*leaving, *stages.ranks}]
        self._place = inverse_positions([*others, *leaving, *stages.ranks])

    def _run_stage(  # a stage, and what it is a part of
        self,
        stage: Stage,
        stages: Stages,
        segment: Segment,
        held: Iterable[int],
        leaving: Sequence[int],
        *,
        is_fresh: bool,
    ) -> None:
        """Run the gates of a stage on each chunk that is not 0.

        Parameters
        ----------
        held
            The wires that make the number of a chunk.
        leaving
            Wires that will be among these in the next stage. They go to the highest places in a chunk, so that the
            amplitudes of the next chunks lie side by side.
        """
        held, poll = set(held), self._poll
        division = self._division(wire for wire in range(self.n_qubits) if wire not in held)
        qubit_at = inverse_positions(self._place)
        staying = [qubit_at[position] for position in division.local if qubit_at[position] not in leaving]
        labels = [*staying, *leaving]
        if is_fresh:
            stage, numbers, first = self._begun(stage, stages, segment, labels, division)
        else:
            numbers = division.numbers(self._fixed_positions())
            first = [None if self._factor == 1 else scaling(self._factor)] * len(numbers)
        self._factor = 1.0
        places = [self._places(labels, division, number) for number in numbers]
        segments = segments_of_chunks(stage, stages, segment, places, first, poll)
        if not segments.template.gates:
            return
        run = self._runner(segments, any_untouched=is_fresh or any(self._fixed.get(wire) == 0 for wire in labels))
        of_number = {number: place for place, number in enumerate(numbers)}
        lowest = min(LONG_RUN_QUBITS, len(staying))
        is_sorted: bool | None = None  # decided with the first chunk

        def change(number: int, state: State) -> None:
            nonlocal is_sorted
            run(of_number[number], state)
            if is_sorted is None:
                is_sorted = all(place >= lowest for place in state.layout()["place"][len(staying) :])
            if not is_sorted:
                state.bring_into_order()
            self._workshop.monitor.advance(1 / len(numbers))

        self._rewrite(labels, division, numbers, change, is_fresh=is_fresh)

    def _begun(
        self, stage: Stage, stages: Stages, segment: Segment, labels: Sequence[int], division: Division
    ) -> tuple[Stage, list[int], list[Gate | None]]:
        """Let chunks begin with their part of a product.

        Returns
        -------
        tuple
            What is left of the stage, the numbers of the chunks that are not 0, and a gate that brings |0...0> to what
            each of them begins with.
        """
        places = [self._places(labels, division, number) for number in range(2 ** len(division.others))]
        alone, stage = taken_alone(stage, stages, places[0])
        gates = [(wire, segment.gates[stages.origins[gate]]) for wire, gate in alone]
        amplitudes = [start_of_product(gates, of_chunk) * self._factor for of_chunk in places]
        self._fix_where_zero(division, amplitudes)
        numbers = division.numbers(self._fixed_positions())
        return stage, numbers, [scaling(amplitudes[number]) for number in numbers]

    def _fix_where_zero(self, division: Division, amplitudes: Sequence[complex]) -> None:
        """Fix those wires in the number of a chunk that have one value wherever a chunk begins with an amplitude."""
        qubit_at = inverse_positions(self._place)
        for bit, position in enumerate(division.others):
            self._fixed.pop(qubit_at[position], None)
            values = {has_bit(number, bit) for number, amplitude in enumerate(amplitudes) if amplitude}
            if len(values) == 1:
                self._fixed[qubit_at[position]] = int(values.pop())

    def _runner(self, segments: SegmentBatch, *, any_untouched: bool) -> Callable[[int, State], None]:
        """Return what applies one of the segments to a chunk: by one plan for all chunks, or gate by gate."""
        workshop, count, plan = self._workshop, len(segments.template.gates), None
        costs = workshop.chunks.device.costs(self._n_local, workshop.precision)
        is_planned = workshop.chunks.device.runs_by_plan(
            count, self._n_local, workshop.precision, any_untouched=any_untouched
        )
        if costs is not None and is_planned:
            plan = workshop.planner(segments.template, self._n_local, costs, poll=self._poll)
        return lambda number, state: state.run(segments[number], plan)
