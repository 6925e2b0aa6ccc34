"""Carries a program out on a device: one evolution for all shots, split only where measurement makes them differ.

Shots that have seen the same outcomes share one state, a *branch*. A measurement in the middle of a program splits a
branch's shots by their outcomes; the branches are then followed depth first, each from a copy of the state. At most
half of the memory that is free after the first state is made goes to such copies; a branch that would need more is run
again from the start with its outcomes so far prescribed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from basicaer.engine.bits import has_bit, with_bit, with_bits
from basicaer.engine.branches import Branch, Frame, History, innermost_loop, latest_first
from basicaer.engine.classical import ClassicalState, evaluate
from basicaer.engine.program import (
    Block,
    Break,
    Continue,
    For,
    Form,
    Formula,
    Gate,
    If,
    Measure,
    Phase,
    Prepare,
    Program,
    Reset,
    Save,
    Segment,
    SetState,
    Store,
    Switch,
    While,
    walk,
)
from basicaer.engine.readings import passes_of, read
from basicaer.engine.sampling import (
    SHOTS_AT_ONCE,
    generator,
    generator_from,
    generator_state,
    sample_values,
    value_counts,
)
from basicaer.engine.saved import Saved
from basicaer.engine.suspended import Placeholder, Suspended, Suspension
from basicaer.errors import BasicAerError, LostNormError

if TYPE_CHECKING:
    from basicaer.engine.checkpoint import Checkpoint
    from basicaer.engine.classical import Expression, Value
    from basicaer.engine.device import Device, State
    from basicaer.engine.plan import Plan, Planner
    from basicaer.engine.suspended import Saver
    from basicaer.options import Precision

__all__ = ["NumbersOf", "Outcome", "execute", "lost"]

NumbersOf = Callable[[Formula, list[float]], NDArray[Any]]
"""Makes the numbers of a gate inside a loop at values of its parameters."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a program.

    Attributes
    ----------
    values, counts
        Final values of the classical bits, bit ``c`` of a value being classical bit ``c``, and how many shots of one
        branch ended with each; another branch may have ended with the same.
    value_of_shot
        ``values[value_of_shot[s]]`` is what shot ``s`` ended with, where that was asked for.
    amplitudes
        The final state of the last shot over the state qubits, where it was asked for; the device's own kind of array
        where that was.
    saved
        What the program has saved, by label and by classical bits or `ALL_SHOTS`; see `Saved.finished`.
    """

    values: list[int]
    counts: list[int]
    value_of_shot: NDArray[np.int64] | None
    amplitudes: NDArray[np.complexfloating] | None
    saved: dict[str, dict[int, Any]] = field(default_factory=dict)


def execute(
    program: Program,
    device: Device,
    planner: Planner,
    *,
    precision: Precision,
    shots: int,
    seed: int,
    checkpoint: Checkpoint,
    initial: NDArray[np.complexfloating] | None = None,
    unitary: bool = False,
    keep_order: bool = False,
    keep_state: bool = False,
    on_device: bool = False,
    saver: Saver | None = None,
    resume: tuple[Suspended, Callable[[State], None]] | None = None,
    numbers_of: NumbersOf | None = None,
) -> Outcome:
    """Run a program.

    Parameters
    ----------
    planner
        Makes the plans of the program's segments.
    initial
        Amplitudes to start from instead of |0...0>; with `unitary`, the columns of a matrix one after another.
    unitary
        Whether to evolve a whole matrix, the identity unless `initial` is given: a state of twice the qubits, of which
        the upper half, the number of the column, is never touched. The program then has gates only.
    keep_order
        Whether to say what each shot ended with.
    keep_state
        Whether to return the final state of the last shot.
    on_device
        Whether to return it in the device's own kind of array.
    saver
        Keeps the run now and then, between two passes.
    resume
        A run that was suspended, and what restores its state, to go on with instead of beginning.
    numbers_of
        Makes the numbers of gates inside loops; needed where a segment is open.

    Raises
    ------
    BasicAerError
        For a classical expression without a value, and from the device.
    Cancelled
        From a checkpoint.
    """
    try:
        return _Execution(
            program,
            device,
            planner,
            precision=precision,
            shots=shots,
            seed=seed,
            checkpoint=checkpoint,
            initial=initial,
            unitary=unitary,
            keep_order=keep_order,
            keep_state=keep_state,
            on_device=on_device,
            saver=saver,
            resume=resume,
            numbers_of=numbers_of,
        ).run()
    except LostNormError as error:
        raise lost(program, error) from error


class _Execution:
    """One run of `execute`: the pending branches, and what the finished ones have brought."""

    def __init__(
        self,
        program: Program,
        device: Device,
        planner: Planner,
        *,
        precision: Precision,
        shots: int,
        seed: int,
        checkpoint: Checkpoint,
        initial: NDArray[np.complexfloating] | None,
        unitary: bool,
        keep_order: bool,
        keep_state: bool,
        on_device: bool,
        saver: Saver | None,
        resume: tuple[Suspended, Callable[[State], None]] | None,
        numbers_of: NumbersOf | None,
    ) -> None:
        self.program = program
        self.device = device
        self.planner = planner
        self.precision = precision
        self.shots = shots
        self.random = generator(seed)
        self.checkpoint = checkpoint
        self.initial = initial
        self.unitary = unitary
        self.n_qubits = program.state_qubits * (2 if unitary else 1)
        self.costs = device.costs(self.n_qubits, precision)
        self.plans: dict[tuple[int, bool], Plan] = {}  # by the segment's id, and whether phases are discarded
        self.keep_state = keep_state
        self.on_device = on_device
        self.numbers_of = numbers_of
        # Where nothing but counts is wanted, phases no longer matter in the last operation of the body that is not one.
        body = program.body
        acts = [at for at, operation in enumerate(body) if not isinstance(operation, Phase)]
        self.phases_matter_until = len(body) if keep_state or unitary or not acts else acts[-1]
        self.pending: list[Branch] = []
        self.copies_held = 0  # states of pending branches
        self.copies_allowed: int | None = None  # asked of the device at the first split
        self.values: list[int] = []
        self.counts: list[int] = []  # counts[i] belongs to values[i]
        self.value_of_shot = np.empty(shots, np.int64) if keep_order else None
        self.amplitudes: NDArray[np.complexfloating] | None = None
        self.saved = Saved()
        self.suspension = Suspension(saver, resume)
        self.followed: Branch | None = None

    def run(self) -> Outcome:
        self.checkpoint.enter("planning")
        self.checkpoint.expect(self.total_passes(), self.shots)
        self.checkpoint.enter("gates")
        if self.suspension.resume is not None:
            self.take_up(self.suspension.resume[0])
        else:
            self.pending.append(self.from_the_start(np.arange(self.shots)))
        branch: Branch | None = None
        try:
            while self.pending:
                branch = self.pending.pop()
                if branch.state is None:
                    branch = self.again(branch)
                else:
                    self.copies_held -= 1
                self.follow(branch)
        finally:
            for left in [*self.pending, *([branch] if branch else [])]:
                if left.state is not None:
                    left.state.release()
        saved = self.saved.finished(self.program.saves) if self.saved.records else {}
        return Outcome(self.values, self.counts, self.value_of_shot, self.amplitudes, saved)

    def from_the_start(self, shots: NDArray[np.int64]) -> Branch:
        state = self.device.new_state(self.n_qubits, self.precision, self.checkpoint)
        self.copies_held += 1
        if self.initial is not None:
            state.load(self.initial)
        elif self.unitary:
            state.set_identity()
        return Branch(shots, Frame(self.program.body, 0, None, 0, None), state)

    def suspended(self) -> Suspended:
        branch = self.followed
        assert branch is not None  # a segment runs  # noqa: S101
        # A branch that waits is run again from the start, so that all its outcomes are prescribed to it.
        pending = [(waiting.shots, waiting.outcomes()) for waiting in self.pending]
        return Suspended(
            branch.shots,
            branch.outcomes(),
            branch.step,
            self.suspension.plan,
            tuple(pending),
            generator_state(self.random),
            self.values,
            self.counts,
            self.value_of_shot,
            self.amplitudes,
            self.saved.records,
        )

    def take_up(self, suspended: Suspended) -> None:
        """Begin as if the run had come to where it was suspended, but for the state of the branch that was running."""
        self.random = generator_from(suspended.generator)
        self.values, self.counts = suspended.values, suspended.counts
        self.value_of_shot, self.amplitudes = suspended.value_of_shot, suspended.amplitudes
        self.saved = Saved(suspended.saved)
        self.checkpoint.finish_shots(sum(self.counts))
        for shots, outcomes in suspended.pending:
            self.pending.append(Branch(shots, None, None, history=latest_first(outcomes)))
        running = Branch(suspended.shots, Frame(self.program.body, 0, None, 0, None), cast("State", Placeholder()))
        running.prescribed = list(reversed(suspended.outcomes))
        self.copies_held += 1
        self.pending.append(running)

    def again(self, branch: Branch) -> Branch:
        fresh = self.from_the_start(branch.shots)
        self.copies_held -= 1
        fresh.prescribed = list(reversed(branch.outcomes()))
        return fresh

    def follow(self, branch: Branch) -> None:
        """Run a branch to its end; what splits off on the way is left in `pending`."""
        self.followed = branch
        while (frame := branch.frame) is not None:
            self.checkpoint.poll()
            if frame.at == len(frame.block):
                branch.frame = self.after_block(branch, frame)
            else:
                branch.frame = Frame(frame.block, frame.at + 1, frame.loop, frame.iteration, frame.outer)
                self.operate(branch, frame)
        self.finish(branch)

    def after_block(self, branch: Branch, frame: Frame) -> Frame | None:
        match frame.loop:
            case For() as loop if frame.iteration + 1 < loop.iterations:
                return self.iterate(branch, loop, frame.iteration + 1, frame.outer)
            case While(condition, body) if self.value(branch, condition):
                return Frame(body, 0, frame.loop, frame.iteration + 1, frame.outer)
            case _:
                return frame.outer

    @staticmethod
    def iterate(branch: Branch, loop: For, iteration: int, outer: Frame | None) -> Frame:
        """Begin an iteration of a for loop."""
        if loop.slot is not None:
            branch.variables = {**branch.variables, loop.slot: loop.values[iteration]}
        return Frame(loop.body(iteration), 0, loop, iteration, outer)

    def closed(self, branch: Branch, segment: Segment) -> Segment:
        """Return an open segment with the numbers that its gates have now."""
        assert self.numbers_of is not None  # given with programs that have such segments  # noqa: S101
        gates = []
        for gate in segment.gates:
            if gate.formula is None:
                gates.append(gate)
            else:
                parameters = [float(self.value(branch, parameter)) for parameter in gate.formula.parameters]
                gates.append(gate._replace(data=self.numbers_of(gate.formula, parameters), formula=None))
        return Segment(tuple(gates))

    def operate(self, branch: Branch, frame: Frame) -> None:
        branch.step += 1
        resume = self.suspension.resume
        if resume is not None and branch.step == resume[0].step:
            branch.state = self.device.new_state(self.n_qubits, self.precision, self.checkpoint)
            self.suspension.restore(branch.state)
        state = branch.state
        assert state is not None  # a branch that is followed has its state  # noqa: S101
        match frame.block[frame.at]:
            case Segment() as segment:
                is_last = frame.outer is None and frame.at >= self.phases_matter_until
                plan = None
                if self.suspension.is_within_plan or self.runs_by_plan(segment, any_untouched=state.any_untouched):
                    plan = self.plan_of_program(segment, discard_phases=is_last)
                after_pass = self.suspension.keeping(plan, self.suspended, state)
                state.run(self.closed(branch, segment) if segment.open else segment, plan, after_pass)
            case Phase(factor):
                branch.phase *= factor
            case Measure(qubit, bits):
                outcome = self.measure(branch, frame, state, qubit)
                for bit in bits:
                    branch.bits = with_bit(branch.bits, bit, on=outcome)
            case Reset(qubit):
                if self.measure(branch, frame, state, qubit):
                    self.run_segment(state, Segment((_flip(qubit),)))
            case Prepare(qubits, amplitudes):
                state.prepare(qubits, amplitudes)
            case SetState(amplitudes):
                state.load(amplitudes)
                branch.phase = 1.0
            case Save() as save:
                # What a branch goes through again has been saved for its shots when it did so for the first time.
                if not branch.prescribed and self.suspension.resume is None:
                    value = read(save, state, branch.phase, self.checkpoint)
                    self.saved.add(save, branch.bits, branch.shots, value)
            case Store() as store:
                self.store(branch, store)
            case If(condition, then, otherwise):
                self.enter(branch, then if self.value(branch, condition) else otherwise)
            case Switch(target, cases):
                value = self.value(branch, target)
                for values, block in cases:
                    if values is None or value in values:
                        self.enter(branch, block)
                        break
            case For() as loop:
                if loop.iterations:
                    branch.frame = self.iterate(branch, loop, 0, branch.frame)
            case While(condition, body) as loop:
                if self.value(branch, condition):
                    branch.frame = Frame(body, 0, loop, 0, branch.frame)
            case Break():
                branch.frame = innermost_loop(frame).outer
            case Continue():
                inner = innermost_loop(frame)
                branch.frame = Frame(inner.block, len(inner.block), inner.loop, inner.iteration, inner.outer)

    def run_segment(self, state: State, segment: Segment) -> None:
        """Run gates that are not the program's own."""
        by_plan = self.runs_by_plan(segment, any_untouched=state.any_untouched)
        state.run(segment, self.plan(segment) if by_plan else None)

    def runs_by_plan(self, segment: Segment, *, any_untouched: bool) -> bool:
        return self.device.runs_by_plan(len(segment.gates), self.n_qubits, self.precision, any_untouched=any_untouched)

    def plan_of_program(self, segment: Segment, *, discard_phases: bool) -> Plan:
        """Return the plan of a segment of the program, which is asked for once: a plan depends on no numbers."""
        key = id(segment), discard_phases
        if key not in self.plans:
            self.plans[key] = self.plan(segment, discard_phases=discard_phases)
        return self.plans[key]

    def plan(self, segment: Segment, *, discard_phases: bool = False) -> Plan:
        assert self.costs is not None  # what runs by a plan has costs to plan with  # noqa: S101
        poll = self.checkpoint.poll
        return self.planner(segment, self.n_qubits, self.costs, discard_phases=discard_phases, poll=poll)

    def total_passes(self) -> int | None:
        """Return how many passes there will be, where that can be told: without control flow, on a planned state."""
        if self.costs is None or not self.program.is_straight:
            return None
        total = 0
        untouched = frozenset(range(0 if self.unitary or self.initial is not None else self.n_qubits))
        for at, operation in enumerate(self.program.body):
            match operation:
                case Segment(gates):
                    if self.runs_by_plan(operation, any_untouched=bool(untouched)):
                        plan = self.plan_of_program(operation, discard_phases=at >= self.phases_matter_until)
                        total += len(plan.passes)
                        untouched = plan.untouched_after(untouched)
                    else:
                        untouched = untouched.difference(*[gate.targets for gate in gates])
                case Prepare(qubits):
                    untouched = untouched.difference(qubits)
                case SetState():
                    untouched = frozenset()
                case Save():
                    total += passes_of(operation)
        return total

    @staticmethod
    def enter(branch: Branch, block: Block) -> None:
        if block:
            branch.frame = Frame(block, 0, None, 0, branch.frame)

    @staticmethod
    def value(branch: Branch, expression: Expression) -> Value:
        return evaluate(expression, ClassicalState(branch.bits, branch.variables))

    def store(self, branch: Branch, store: Store) -> None:
        value = self.value(branch, store.expression)
        if store.slot is not None:
            branch.variables = {**branch.variables, store.slot: value}
        if store.bits:
            branch.bits = with_bits(branch.bits, store.bits, int(value))

    def measure(self, branch: Branch, here: Frame, state: State, qubit: int) -> bool:
        """Measure for all shots of a branch: it goes on with one outcome, the shots with the other split off."""
        probabilities = self.probabilities(state, qubit)
        if branch.prescribed:
            outcome = branch.prescribed.pop()
        else:
            self.suspension.check_restored()
            ones = self.random.random(len(branch.shots)) < probabilities[1]  # ones[j] = whether shots[j] measures 1
            outcome = bool(ones.all())
            if ones.any() and not outcome:
                self.pending.append(self.split_off(branch, here, state, branch.shots[ones]))
                branch.shots = branch.shots[~ones]
        _collapse(state, qubit, outcome, probabilities)
        branch.history = History(outcome, branch.history)
        return outcome

    def split_off(self, branch: Branch, here: Frame, state: State, shots: NDArray[np.int64]) -> Branch:
        """Return the branch of the shots that measure 1 where `branch` stands."""
        if self.copies_allowed is None:
            per_copy = self.precision.amplitude_bytes * 2**self.n_qubits
            self.copies_allowed = self.device.free_bytes() // 2 // per_copy
        if self.copies_held >= self.copies_allowed:
            return Branch(shots, None, None, history=History(outcome=True, earlier=branch.history))
        self.copies_held += 1
        # It measures once more, from the same place and the same state, with its outcome prescribed.
        return Branch(
            shots,
            here,
            state.copy(),
            branch.bits,
            branch.variables,
            branch.phase,
            branch.history,
            prescribed=[True],
            step=branch.step - 1,
        )

    def finish(self, branch: Branch) -> None:
        """Take the final measurements of a branch that has run to its end, and count its shots."""
        state = branch.state
        assert state is not None  # as in operate  # noqa: S101
        self.suspension.check_restored()
        self.checkpoint.enter("sampling")
        shots = branch.shots
        has_last_shot = self.keep_state and bool(shots[-1] == self.shots - 1)
        if self.program.final:
            last_index = 0
            for start in range(0, len(shots), SHOTS_AT_ONCE):
                self.checkpoint.poll()
                last_index = self.sample(state, shots[start : start + SHOTS_AT_ONCE], branch.bits, has_last_shot)
            if has_last_shot:
                self.collapse_to(state, last_index)
        else:
            self.count(shots, [branch.bits], [len(shots)], 0)

        if has_last_shot:
            if branch.phase != 1.0:
                self.run_segment(state, Segment((_phase(branch.phase),)))
            self.amplitudes = state.device_array() if self.on_device else state.amplitudes()
        else:
            state.release()
        branch.state = None

    def sample(self, state: State, shots: NDArray[np.int64], bits: int, want_last: bool) -> int:  # noqa: FBT001
        """Draw the outcomes of some shots and count them; return the index of the last shot's, if it is wanted."""
        draws = self.random.random(len(shots))  # draws[j] belongs to shots[j]
        if self.value_of_shot is None and not want_last:
            self.count(shots, *value_counts(state, draws, self.program.final, bits), 0)
            return 0
        values, which, last = sample_values(state, draws, self.program.final, bits)
        self.count(shots, values, np.bincount(which).tolist(), which)
        return last

    def count(
        self, shots: NDArray[np.int64], values: list[int], counts: list[int], value_of: NDArray[np.int64] | int
    ) -> None:
        """Add shots to the outcome."""
        self.checkpoint.finish_shots(len(shots))
        if self.value_of_shot is not None:
            self.value_of_shot[shots] = value_of + len(self.values)
        self.values += values
        self.counts += counts

    def collapse_to(self, state: State, index: int) -> None:
        for qubit in sorted({measure.qubit for measure in self.program.final}):
            _collapse(state, qubit, has_bit(index, qubit), self.probabilities(state, qubit))

    def probabilities(self, state: State, qubit: int) -> tuple[float, float]:
        """Return the probabilities of measuring 0 and 1; a tiny one is told even where the other rounds to 1."""
        zero, one = state.weights(qubit)
        total = zero + one
        if not 0 < total < inf:
            raise LostNormError(f"A state has the squared norm {total}.")
        return zero / total, one / total


def lost(program: Program, error: LostNormError) -> BasicAerError:
    """Return the error for a state that has lost its norm, with the first gate of the program that may be to blame."""
    found = (gate for op in walk(program.body) if isinstance(op, Segment) for gate in op.gates)
    odd = next((gate.name for gate in found if not np.isfinite(gate.data).all()), None)
    which = f"gate '{odd}' has entries that are not finite" if odd else "some gate is far from unitary"
    return BasicAerError(
        f"The state of circuit '{program.name}' has become unusable, since {which}; correct it. {error.message}"
    )


def _collapse(state: State, qubit: int, outcome: bool, probabilities: tuple[float, float]) -> None:  # noqa: FBT001
    """Project onto an outcome; nothing is to be done where the other is impossible."""
    if probabilities[not outcome]:
        state.collapse(qubit, outcome=outcome, probability=probabilities[outcome])


def _flip(qubit: int) -> Gate:
    return Gate("x", "X", (qubit,), Form.PERMUTATION, np.array([1, 0]))


def _phase(factor: complex) -> Gate:
    return Gate("global_phase", "", (), Form.DIAGONAL, np.array([factor]))
