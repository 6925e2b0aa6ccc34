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
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from basicaer.engine.draws import Draws
    from basicaer.engine.error_sites import Hits
    from basicaer.engine.frames import Frames
    from basicaer.engine.program import Program

__all__ = ["Errors", "Stretch", "stretches_of"]

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
    """

    def __init__(self, number: int, steps: Sequence[Passage | Site]) -> None:
        self.number = number
        self._steps = steps
        self._gates: list[Passage | Slot] = []
        for step in steps:
            gate = step.slot if isinstance(step, Site) else step
            self._gates += [] if gate is None else [gate]
        self._always = [gate for gate, one in enumerate(self._gates) if isinstance(one, Slot) and one.always_differs]
        self.template = Segment(tuple([one.gate for one in self._gates]))
        sites = [step for step in steps if isinstance(step, Site)]
        self._sites = Sites(sites)
        self.depends_on_state = any(site.choices.depends_on_state for site in sites)
        usual = [(site.choices, site.choices.usual) for site in sites]
        self._factor = float(np.prod([choices.factors[term] for choices, term in usual if term is not None]))
        self.usual_share = float(np.prod([choices.shares[term] for choices, term in usual if term is not None]))
        self._all_proposed = any(
            site.choices.depends_on_state and site.slot is not None and not site.slot.default_is_identity
            for site in sites
        )
        names = np.random.default_rng((_SEED_OF_NAMES, number)).integers(2**63, size=(len(self._gates) + 1, 2))
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
            hits |= self._sites.hits(shots, draws, attempt if depending else 0, depending=depending)
        factors = np.full(len(shots), self._factor)
        is_proposed = np.full(len(shots), self._all_proposed)
        is_usual = np.ones(len(shots), bool)
        for of_site in hits.values():
            is_usual[of_site.shots] = False
        names = np.zeros((len(shots), 2), np.uint64)
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
                changed = None if step.slot is None else _in_slot(step, step.slot, own, frames, len(shots))
                if own is not None:
                    _let_occur(step, own, frames, len(shots))
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
                groups.append(((gate,), np.array(self._gates[gate].variants)[chosen][:, None]))
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
    if not any(isinstance(operation, Channel) for operation in program.body):
        return None
    stretches: list[Stretch] = []
    steps: list[Passage | Site] = []
    excess = 0.0
    for at, operation in enumerate(program.body):
        match operation:
            case Segment(gates, False):
                for gate in gates:
                    passed = passage(gate)
                    if passed is None:
                        return None
                    steps.append(passed)
            case Channel():
                step = _step(at, operation)
                if step is None:
                    return None
                steps.append(step)
                excess += 0.0 if isinstance(step, Passage) else log(step.choices.excess)
            case Phase():
                pass
            case Save() if _is_of_paulis(operation) and _ends_with_saves(program, at):
                pass
            case _:
                return None
        if excess > (_EXCESS if program.state_qubits < _LARGE else _EXCESS_OF_LARGE):
            stretches.append(Stretch(len(stretches), tuple(steps)))
            steps, excess = [], 0.0
    if steps or not stretches:
        stretches.append(Stretch(len(stretches), tuple(steps)))
    return tuple(stretches)


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
