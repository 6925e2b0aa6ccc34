"""Carries a program out on a device: one evolution for all shots, split only where measurement makes them differ.

Shots that have seen the same outcomes share one state; they are a *branch*. Branches whose states are small go on side
by side, as one batch, and those whose states and live bits have become equal go on as one. Others are followed one
after another, each from a copy of the state. At most half of the memory that is free after the first state is made goes
to such copies; shots that would need more are run again from the start, and draw the same numbers again.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from basicaer.engine.control_flow import ControlFlow
from basicaer.engine.density import DensityDevice
from basicaer.engine.draws import Draws
from basicaer.engine.ensemble import Ensemble
from basicaer.engine.expected_errors import are_too_many
from basicaer.engine.finishing import Finishing
from basicaer.engine.group_queue import GroupQueue
from basicaer.engine.groups import Frame, Group, frame_at
from basicaer.engine.noise import Noise
from basicaer.engine.planning import Planning, closed
from basicaer.engine.program import (
    Channel,
    Measure,
    OverShots,
    Phase,
    Prepare,
    Readout,
    Reset,
    Save,
    SavedQuantity,
    Segment,
    SetState,
    Store,
    walk,
)
from basicaer.engine.readings import read
from basicaer.engine.records import Records, Shots
from basicaer.engine.request import Outcome, Request, Stratum
from basicaer.engine.saved import Saved
from basicaer.engine.shortcuts import Shortcuts
from basicaer.engine.splitting import NoRoomError, Splitting
from basicaer.engine.superoperators import on_density_matrices
from basicaer.engine.suspended import Suspended, Suspension, Waiting
from basicaer.engine.trajectories import Trajectories
from basicaer.errors import BasicAerError, LostNormError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from basicaer.engine.device import Device, State
    from basicaer.engine.monitor import Monitor
    from basicaer.engine.plan import Planner
    from basicaer.engine.planning import NumbersOf
    from basicaer.engine.program import Program
    from basicaer.engine.suspended import Resumable, RunPersister
    from basicaer.engine.team import Team

__all__ = ["execute", "lost"]


def execute(
    request: Request,
    device: Device,
    planner: Planner,
    monitor: Monitor,
    *,
    numbers_of: NumbersOf | None = None,
    persister: RunPersister | None = None,
    resume: Resumable | None = None,
    check_shots: Callable[[], None] | None = None,
    team: Team | None = None,
) -> Outcome:
    """Run a program.

    Parameters
    ----------
    planner
        Makes the plans of the program's segments.
    numbers_of
        Makes the numbers of gates inside loops; needed where a segment is open.
    persister
        Saves the run now and then, between two passes.
    resume
        A run that was suspended, and what restores its state, to go on with instead of beginning.
    check_shots
        Refuses the run if there is no memory to tell so many shots apart; called where that turns out to be needed.
    team
        The ranks that share the shots of a run with errors, where all of them execute it and it is not saved.

    Raises
    ------
    BasicAerError
        If a classical expression has no value, or the device raises it.
    NoRoomError
        If an exact run has more branches than can be followed.
    Cancelled
        If the monitor says that the job was cancelled.
    """
    if request.density:
        forgets = request.exact and request.program.outcomes_save is None
        program = on_density_matrices(request.program, forgets_outcomes=forgets, poll=monitor.poll)
        request = replace(request, program=program)
        device = DensityDevice(device)
    planning = Planning(device, planner, request.n_qubits, request.precision, monitor)
    suspension = Suspension(persister, resume)
    is_plain = request.initial is None and not (
        request.keep_state or request.unitary or request.exact or request.density
    )
    trajectories = Trajectories.of(request.program) if is_plain else None
    try:
        if request.exact:
            if are_too_many(request.program):
                raise NoRoomError
            return _Execution(request, planning, numbers_of, suspension, Shots.WEIGHED).run()
        if request.may_split(is_persisted=persister is not None or resume is not None):
            with contextlib.suppress(NoRoomError):
                return _Execution(request, planning, numbers_of, suspension, Shots.SPLIT).run()
            # Shots that wait for memory are run again, for which they must be told apart.
            if check_shots is not None:
                check_shots()
        return _Execution(request, planning, numbers_of, suspension, Shots.DRAWN).run(trajectories, team)
    except LostNormError as error:
        raise lost(request.program, error) from error


class _Execution:
    """One run of `execute`: the groups that wait, and what has been saved."""

    def __init__(
        self,
        request: Request,
        planning: Planning,
        numbers_of: NumbersOf | None,
        suspension: Suspension,
        shots: Shots,
    ) -> None:
        self.request = request
        self.program = program = request.program
        self.planning = planning
        self.numbers_of = numbers_of
        self.suspension = suspension
        self.monitor = planning.monitor
        self.saved = Saved()
        self.stratum: Stratum | None = None
        one_row = program.is_straight or shots is not Shots.DRAWN
        whole = 1.0 if shots is Shots.WEIGHED else request.shots
        self.records = Records(program.bits, np.array([whole]) if one_row else np.ones(request.shots, np.int64))
        self.draws = draws = Draws(request.seed, request.shots)
        self.splitting = Splitting(
            program,
            self.records,
            draws,
            planning,
            shots=shots,
            keeps_phases=request.keep_state,
            one_by_one=suspension.is_persisted,
        )
        self.noise = Noise(self.records, self.splitting, planning)
        self.finishing = Finishing(self.records, draws, planning, request, shots)
        self.shortcuts = Shortcuts(
            planning, is_persisted=suspension.is_persisted, keeps_phases=self.splitting.keeps_phases
        )
        self.queue = GroupQueue(self.splitting)
        self.flow = ControlFlow(self.records, self.queue)
        self.waiting: list[Waiting] = []  # rows that are still to be run from the start
        self.running: Group | None = None
        # If only counts are wanted, phases do not matter from the last operation of the body that is not a `Phase` on.
        body = program.body
        acts = [at for at, operation in enumerate(body) if not isinstance(operation, Phase)]
        keeps_phases = request.keep_state or request.unitary or not acts
        self.phases_matter_until = len(body) if keeps_phases else acts[-1]

    def run(self, trajectories: Trajectories | None = None, team: Team | None = None) -> Outcome:
        self.monitor.enter("planning")
        starts_at_zero = not self.request.unitary and self.request.initial is None
        passes = self.planning.total_passes(
            self.program, starts_at_zero=starts_at_zero, phases_matter_until=self.phases_matter_until
        )
        self.monitor.expect(passes, self.request.shots)
        self.monitor.enter("gates")
        if self.suspension.resume is not None:
            self.resume(self.suspension.resume[0])
        elif trajectories is not None:
            self.stratum = trajectories.run(
                self.records, self.draws, self.planning, self.saved, self.suspension, team=team
            )
        else:
            self.waiting.append(Waiting(np.arange(len(self.records.shots)), None))
        try:
            while self.queue or self.waiting:
                self.follow(self.queue.next() if self.queue else self.from_the_start(self.waiting.pop()))
        finally:
            for left in [*self.queue, *([self.running] if self.running else [])]:
                left.ensemble.release()
        if self.request.exact:
            self.monitor.finish_shots(self.request.shots)
        values, counts, value_of_shot = self.finishing.outcome()
        saved = self.saved.finished(self.program.saves)
        amplitudes, cut = self.finishing.amplitudes, self.splitting.cut
        return Outcome(values, counts, value_of_shot, amplitudes, saved, cut, self.stratum)

    def from_the_start(self, waiting: Waiting) -> Group:
        state = self.new_state()
        if self.request.initial is not None:
            state.load(self.request.initial)
        elif self.request.unitary:
            state.set_identity()
        self.records.clear(waiting.rows)  # these rows may have gone through a part of the program before
        return self.one_branch(Frame(self.program.body), state, waiting)

    def new_state(self) -> State:
        return self.planning.device.new_state(self.request.n_qubits, self.request.precision, self.monitor)

    def one_branch(self, frame: Frame, state: State, waiting: Waiting) -> Group:
        ensemble = Ensemble(self.planning.device, [state], self.request.precision, self.monitor)
        branch = np.zeros(len(waiting.rows), np.intp)
        return Group(frame, ensemble, waiting.rows, branch, [{}], np.ones(1, complex), waiting.saved_until)

    # Runs that are suspended.

    def suspended(self) -> Suspended:
        running = self.running
        assert running is not None and running.frame is not None  # a segment runs  # noqa: PT018, S101
        waiting = [Waiting(one.rows, one.reached(one.frame)) for one in self.queue if one.frame is not None]
        return Suspended(
            running.rows,
            running.frame.steps(),
            dict(running.variables[0]),
            complex(running.global_phases[0]),
            running.saved_until,
            self.suspension.plan,
            self.monitor.passes,
            (*self.waiting, *waiting),
            self.records.words,
            self.finishing.amplitudes,
            self.saved.records,
        )

    def resume(self, suspended: Suspended) -> None:
        """Begin where the run was suspended: its state goes back to the middle of a segment."""
        self.records.words = suspended.words
        self.finishing.amplitudes = suspended.amplitudes
        self.saved = Saved(suspended.saved)
        self.waiting += suspended.waiting
        self.monitor.begin_at(suspended.passes)
        left = [suspended.rows, *(one.rows for one in suspended.waiting)]
        self.monitor.finish_shots(self.request.shots - int(self.records.shots[np.concatenate(left)].sum()))
        state = self.new_state()
        self.suspension.restore(state)
        frame = frame_at(self.program.body, suspended.steps)
        group = self.one_branch(frame, state, Waiting(suspended.rows, suspended.saved_until))
        group.variables, group.global_phases = [suspended.variables], np.array([suspended.global_phase])
        self.queue.add(group)

    # The way of the groups through the program.

    def follow(self, group: Group) -> None:
        """Run a group to the end of the program, or to where another one has to go first."""
        self.running = group
        while (frame := group.frame) is not None:
            self.monitor.poll()
            if self.queue.gives_way(group):
                self.queue.add(group)
                self.running = None
                return
            if frame.at == len(frame.block):
                self.flow.leave_block(group, frame)
            elif (farther := self.shortcuts.taken(group, frame)) is not frame:
                group.frame = farther
            else:
                self.carry_out(group, frame)
        self.suspension.check_restored()
        if len(group.rows):
            self.finishing.finish(group)
        else:
            group.ensemble.release()
        self.running = None

    def carry_out(self, group: Group, frame: Frame) -> None:
        """Carry out the operation that a group stands before."""
        match frame.operation:
            case Segment() as segment:
                self.run_segment(group, frame, segment)
            case Phase(factor):
                group.global_phases = group.global_phases * factor
            case Measure(qubit, bits):
                self.measure(group, frame, qubit, bits, reset=False)
            case Reset(qubit):
                self.measure(group, frame, qubit, (), reset=True)
            case Channel() as channel:
                self.part(group, frame, self.noise.channel(group, frame, channel, self.queue.states))
            case Readout() as readout:
                self.part(group, frame, self.noise.readout(group, frame, readout, self.queue.states))
            case Prepare(qubits, amplitudes):
                for state in group.ensemble.each():
                    state.prepare(qubits, amplitudes)
            case SetState(amplitudes):
                for state in group.ensemble.each():
                    state.load(amplitudes)
                group.global_phases = np.ones(len(group), complex)
            case Save() as save:
                self.save(group, frame, save)
            case Store() as store:
                self.store(group, store)
        self.flow.go_on(group, frame)

    def run_segment(self, group: Group, frame: Frame, segment: Segment) -> None:
        is_last = frame.outer is None and frame.at >= self.phases_matter_until
        segments = [segment]
        if segment.open:
            parameters = [one for gate in segment.gates if gate.formula is not None for one in gate.formula.parameters]
            values = zip(*(group.values(one, self.records) for one in parameters), strict=True)
            segments = [closed(segment, of_branch, self.numbers_of) for of_branch in values]
        state = group.ensemble.single
        plan = self.planning.of_program(segment, state, discard_phases=is_last, within=self.suspension.is_within_plan)
        if state is not None:
            after_pass = self.suspension.after_pass(plan, self.suspended, state)
            # A run that is saved stops after a pass, where it can be saved. Gates without a plan have no such places.
            is_held = plan is not None and self.suspension.is_persisted
            with self.monitor.held() if is_held else contextlib.nullcontext():
                state.run(segments[0], plan, after_pass)
            return
        group.ensemble.run(segments, lambda one: self.planning.of_program(segment, one, discard_phases=is_last))

    def measure(self, group: Group, frame: Frame, qubit: int, bits: tuple[int, ...], *, reset: bool) -> None:
        self.part(
            group, frame, self.splitting.measure(group, frame, qubit, bits, self.queue.states, reset=reset), merges=True
        )

    def part(self, group: Group, frame: Frame, no_room: NDArray[np.int64], *, merges: bool = False) -> None:
        """Let a group that an operation has parted go on, perhaps in parts, and those rows wait that found no room.

        Parameters
        ----------
        merges
            Whether branches may have become the same.
        """
        self.suspension.check_restored()
        if len(no_room):
            self.waiting.append(Waiting(no_room, group.reached(frame)))
        after = frame.next()
        if not len(group.rows):
            return
        if merges and not isinstance(after.operation, Measure | Reset):  # a chain of these parts the group once
            self.splitting.merge(group, after)
        for part in self.splitting.in_parts(group):
            part.frame = after
            self.queue.add(part)

    def save(self, group: Group, frame: Frame, save: Save) -> None:
        if save.quantity is SavedQuantity.OUTCOMES:  # outcomes are saved at the end
            return
        if group.saved_until is not None and frame.order() < group.saved_until:
            return
        for number, rows in enumerate(group.rows_of_each()):
            count = self.records.shots[rows].sum().item()
            bits = self.records.number(int(rows[0]))
            shots = rows
            if self.program.is_straight:  # all shots are one row
                shots = np.arange(count) if save.over_shots is OverShots.EACH else np.array([count - 1])
            value = read(save, group.ensemble.state(number), complex(group.global_phases[number]), self.monitor)
            self.saved.add(save, bits, shots, count, value)

    def store(self, group: Group, store: Store) -> None:
        values = group.values(store.expression, self.records)
        if store.slot is not None:
            group.variables = [{**own, store.slot: one} for own, one in zip(group.variables, values, strict=True)]
        if store.bits:
            for rows, value in zip(group.rows_of_each(), values, strict=True):
                self.records.write_number(rows, store.bits, int(value))


def lost(program: Program, error: LostNormError) -> BasicAerError:
    """Return the error for a state that has lost its norm, with the first gate of the program that may be to blame."""
    found = (gate for op in walk(program.body) if isinstance(op, Segment) for gate in op.gates)
    odd = next((gate.name for gate in found if not np.isfinite(gate.data).all()), None)
    which = f"gate '{odd}' has entries that are not finite" if odd else "some gate is far from unitary"
    return BasicAerError(
        f"The state of circuit '{program.name}' has become unusable, since {which}; correct it. {error.message}"
    )
