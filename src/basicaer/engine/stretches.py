"""Stretches of a program with errors: each has gates, the same for all shots but for their numbers, and error sites."""

from __future__ import annotations

from math import log
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from basicaer.engine.bits import bit_at, numbers_of_bits
from basicaer.engine.device import SegmentBatch
from basicaer.engine.error_sites import Site, Sites, choices_of
from basicaer.engine.frames import WIDEST, Passage, passage
from basicaer.engine.program import Channel, Form, Gate, Phase, Save, SavedQuantity, Segment
from basicaer.engine.slots import Slot

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from basicaer.engine.draws import Draws
    from basicaer.engine.error_sites import Hits
    from basicaer.engine.frames import Frames
    from basicaer.engine.program import Program

__all__ = ["Errors", "Stretch", "steps_of", "stretches_of"]

_MOST_EXCESS = 2.5  # proposals for one that is accepted, at a single channel; above, the state is read instead
_EXCESS = 0.1  # about the share of proposals that are rejected in a stretch
_LARGE, _EXCESS_OF_LARGE = 14, 0.5  # from so many qubits on, a stretch takes longer than its share of the gates
_FEW_HITS = 24  # up to this many, their numbers are put together bit by bit
_STEPS_BETWEEN_POLLS = 256
_NONE = np.empty(0, np.intp)
_SEED_OF_NAMES = 20  # arbitrary: it names errors, so that equal ones are found, and decides nothing else


class Errors(NamedTuple):
    """The errors of some shots in a stretch.

    Attributes
    ----------
    names
        Shots with equal names have the same operators in the stretch; 0 if it has none that differ from the template.
    variants
        For each gate that has other numbers in some shots: the gate, these shots, ascending, and its variant in each.
    factors
        How likely the proposals of each shot are accepted, if they keep the norm of its state.
    is_proposed
        Whether a shot has operators that may change the norm.
    is_usual
        Whether the usual term of every channel acts in a shot.
    """

    names: NDArray[np.uint64]
    variants: list[tuple[int, NDArray[np.intp], NDArray[np.intp]]]
    factors: NDArray[np.float64]
    is_proposed: NDArray[np.bool_]
    is_usual: NDArray[np.bool_]


class Stretch:
    """Gates and the channels among them.

    Parameters
    ----------
    number
        Its number among the stretches of the program.
    steps
        Gates as errors pass them, and sites of errors.

    Attributes
    ----------
    template
        Its gates, slots among them.
    depends_on_state
        Whether any errors do.
    usual_share
        How likely it is that the usual term of every channel acts, if its operators keep the norm of the state.
    sites
        The sites of errors.
    gates
        For each gate of the template how errors pass it, or the slot that it stands for.
    """

    def __init__(self, number: int, steps: Sequence[Passage | Site]) -> None:
        self.number = number
        self._steps = steps
        self.gates: list[Passage | Slot] = []
        for step in steps:
            gate = step.slot if isinstance(step, Site) else step
            self.gates += [] if gate is None else [gate]
        self._always = [gate for gate, one in enumerate(self.gates) if isinstance(one, Slot) and one.always_differs]
        self.template = Segment(tuple([one.gate for one in self.gates]))
        self.sites = sites = [step for step in steps if isinstance(step, Site)]
        self._drawn = Sites(sites)
        self.depends_on_state = any(site.choices.depends_on_state for site in sites)
        usual = [(site.choices, site.choices.usual) for site in sites]
        self._factor = float(np.prod([choices.factors[term] for choices, term in usual if term is not None]))
        self.usual_share = float(np.prod([choices.shares[term] for choices, term in usual if term is not None]))
        self._all_proposed = any(
            site.choices.depends_on_state and site.slot is not None and not site.slot.default_is_identity
            for site in sites
        )
        names = np.random.default_rng((_SEED_OF_NAMES, number)).integers(2**63, size=(len(self.gates) + 1, 2))
        self._names = 2 * names.astype(np.uint64) + np.uint64(1)

    def errors(
        self, shots: NDArray[np.int64], draws: Draws, attempt: int, frames: Frames, poll: Callable[[], None]
    ) -> Errors:
        """Draw the errors of shots.

        Parameters
        ----------
        shots
            Their numbers, ascending.
        attempt
            How many proposals of these shots have been rejected before.
        frames
            Their Paulis at the beginning; they are moved to the end.
        """
        hits: dict[int, Hits] = {}
        for depending in (False, True):
            poll()
            hits |= self._drawn.hits(shots, draws, attempt if depending else 0, depending=depending)
        return self.errors_of(hits, len(shots), frames, poll)

    def errors_of(self, hits: Mapping[int, Hits], count: int, frames: Frames, poll: Callable[[], None]) -> Errors:
        """Return the errors of so many shots, which have hits at sites by their numbers; frames as for `errors`."""
        factors = np.full(count, self._factor)
        is_proposed = np.full(count, self._all_proposed)
        is_usual = np.ones(count, bool)
        for of_site in hits.values():
            is_usual[of_site.shots] = False
        names = np.zeros((count, 2), np.uint64)
        variants = []
        gate = site = 0
        for number, step in enumerate(self._steps if hits or frames.any() else ()):
            if number % _STEPS_BETWEEN_POLLS == 0:
                poll()
            if isinstance(step, Passage):
                chosen = frames.pass_by(step)
                changed = None if chosen is None else _where(chosen)
            else:
                own = hits.get(site)
                changed = None if step.slot is None else _in_slot(step, step.slot, own, frames, count)
                if own is not None:
                    _let_occur(step, own, frames, count)
                    if step.choices.depends_on_state:
                        factors[own.shots] *= step.choices.relative[own.terms]
                        is_proposed[own.shots] |= own.terms >= step.choices.known
                site += 1
                if step.slot is None:
                    continue
            if changed is not None:
                at, variant = changed
                variants.append((gate, at, variant))
                names[at] += variant.astype(np.uint64)[:, None] * self._names[gate]
            gate += 1
        return Errors(names, variants, factors, is_proposed, is_usual)

    def segments(self, errors: Errors, shots: NDArray[np.intp]) -> SegmentBatch:
        """Return the gates that act in some of the shots of `errors`."""
        number = np.full(len(errors.names), -1)
        number[shots] = np.arange(len(shots))
        varied = dict.fromkeys(self._always, (_NONE, _NONE))
        varied |= {gate: (at, variant) for gate, at, variant in errors.variants}
        groups = []
        for gate, (at, variant) in varied.items():
            which = number[at]
            chosen = np.zeros(len(shots), np.intp)
            chosen[which[which >= 0]] = variant[which >= 0]
            if chosen.any() or gate in self._always:
                groups.append(((gate,), np.array(self.gates[gate].variants)[chosen][:, None]))
        return SegmentBatch(self.template, groups, len(shots))


def _where(chosen: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return which elements are not 0, and these."""
    at = np.flatnonzero(chosen)
    return at, chosen[at]


def _in_slot(
    site: Site, slot: Slot, hits: Hits | None, frames: Frames, count: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]] | None:
    """Return the shots in which a slot does not have its first variant, and which it has."""
    errors = frames.on(site.qubits)
    if slot.default_is_identity:
        if hits is None:
            return None
        own = site.choices.operator_of[hits.terms]
        acts = own > 0
        at = hits.shots[acts]
        return at, slot.chosen(own[acts], None if errors is None else errors[at])
    if hits is None and errors is None:
        return None
    operators = np.zeros(count, np.intp)
    if hits is not None:
        operators[hits.shots] = site.choices.operator_of[hits.terms]
    return _where(slot.chosen(operators, errors))


def _let_occur(site: Site, hits: Hits, frames: Frames, count: int) -> None:
    """Let the Paulis of a site occur."""
    choices, width = site.choices, len(site.qubits)
    if len(hits.shots) <= _FEW_HITS:
        numbers = [0] * (2 * width)
        for shot, term in zip(hits.shots.tolist(), hits.terms.tolist(), strict=True):
            only = bit_at(shot)
            for bit in choices.bits_of_term[term]:
                numbers[bit] |= only
    else:
        dense = np.zeros((2 * width, count), bool)
        dense[:, hits.shots] = choices.paulis[hits.terms].T
        numbers = numbers_of_bits(dense)
    frames.add(site.qubits, numbers[:width], numbers[width:])


def stretches_of(program: Program) -> tuple[Stretch, ...] | None:
    """Return a program as stretches; None if it has no errors, or other operations, or errors that are too strong."""
    steps = steps_of(program)
    if steps is None:
        return None
    largest = _EXCESS if program.state_qubits < _LARGE else _EXCESS_OF_LARGE
    return tuple([Stretch(number, own) for number, own in enumerate(_divided(list(steps.values()), largest))])


def _divided(steps: Sequence[Passage | Site], largest: float) -> Iterator[tuple[Passage | Site, ...]]:
    """Yield the steps of each stretch, in which few proposals are rejected."""
    start, excess = 0, 0.0
    for end, step in enumerate(steps, 1):
        excess += log(step.choices.excess) if isinstance(step, Site) else 0.0
        if excess > largest:
            yield tuple(steps[start:end])
            start, excess = end, 0.0
    if start < len(steps) or not steps:
        yield tuple(steps[start:])


def steps_of(
    program: Program, told_apart: Collection[tuple[int, int]] = ()
) -> dict[tuple[int, int], Passage | Site] | None:
    """Return the gates and channels of a program, in their order, as errors pass them and occur.

    Parameters
    ----------
    told_apart
        The gates whose variants are told apart by their errors; see `passage`.

    Returns
    -------
    dict or None
        By the place of the operation in the body, and that of the gate in the operation. None if the program has no
        errors, or other operations than gates, or errors that are too strong.
    """
    if not any(isinstance(operation, Channel) for operation in program.body):
        return None
    steps: dict[tuple[int, int], Passage | Site] = {}
    step: Passage | Site | None
    for at, operation in enumerate(program.body):
        match operation:
            case Segment(gates, False):
                for number, gate in enumerate(gates):
                    step = passage(gate, told_apart=(at, number) in told_apart)
                    if step is None:
                        return None
                    steps[at, number] = step
            case Channel():
                step = _step(at, operation)
                if step is None:
                    return None
                steps[at, 0] = step
            case Phase():
                pass
            case Save() if _is_of_paulis(operation) and _ends_with_saves(program, at):
                pass
            case _:
                return None
    return steps


def _is_of_paulis(save: Save) -> bool:
    """Tell whether errors that are moved past a save at most change the signs of what it reads."""
    return save.quantity in {SavedQuantity.PAULIS, SavedQuantity.EXPECTATION} and not save.conditional


def _ends_with_saves(program: Program, at: int) -> bool:
    return all(isinstance(operation, Save | Phase) for operation in program.body[at:])


def _step(at: int, channel: Channel) -> Passage | Site | None:
    """Return a channel as a site of errors, or, if it always does the same, as a gate."""
    qubits = channel.qubits
    if len(qubits) > WIDEST:
        return None
    if len(channel.operators) == 1:
        return passage(Gate("error", "G" * len(qubits), qubits, Form.MATRIX, channel.operators[0]))
    choices = choices_of(channel)
    if choices.excess > _MOST_EXCESS:
        return None
    slot = None if choices.operators is None else Slot(qubits, choices.operators)
    return Site(at + 1, qubits, choices, slot)
