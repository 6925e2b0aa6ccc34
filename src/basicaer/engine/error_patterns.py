"""Derivatives of programs with errors: each pattern of errors makes a circuit of gates, which goes forwards and back.

Only errors are meant that are unitaries, with probabilities that do not depend on the state. Errors that are Paulis are
moved to the end, as for `basicaer.engine.trajectories`, so that all patterns have the same structure and run as many
sets of numbers of one program. A gate whose derivative is wanted stays what it is with an error Q in front of it:
``U Q = Q (Q* U Q)``. Its generator A becomes ``Q* A Q``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from basicaer.engine.bits import parities
from basicaer.engine.draws import Draws
from basicaer.engine.error_sites import Hits, Site
from basicaer.engine.frames import Frames, Passage, conjugated
from basicaer.engine.parts import different
from basicaer.engine.program import Channel, Segment
from basicaer.engine.splitting import LEAST_PROBABILITY
from basicaer.engine.stretches import Stretch, steps_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

    from numpy.typing import NDArray

    from basicaer.engine.device import Generators
    from basicaer.engine.program import Gate, Program
    from basicaer.engine.stretches import Errors
    from basicaer.engine.sweeps import Sweep

__all__ = ["NoisyProgram", "NoisySweep", "Patterns", "count_of_patterns", "why_no_patterns"]

_MOST_FOLLOWED = 2**12  # patterns, as many as an exact run follows; if there are more, they are drawn
_MOST_CUT = 1e-9  # largest probability of patterns that are not followed
_MOST_NUMBERS = 2**21  # derivatives of single angles, or gates, of all patterns that are kept at a time


@dataclass(frozen=True, slots=True)
class NoisySweep:
    """What is to be differentiated, where the program has errors.

    Attributes
    ----------
    sweep
        The program, with its channels; otherwise as in `Sweep`.
    shots
        How many patterns are drawn for each set, unless all are followed.
    """

    sweep: Sweep
    shots: int

    def of_set(self, number: int) -> Sweep:
        """Return what is to be differentiated in one set."""
        whole, own = self.sweep, slice(number, number + 1)
        return replace(
            whole,
            segments={place: segments[own] for place, segments in whole.segments.items()},
            size=1,
            cotangent=None if whole.cotangent is None else whole.cotangent[own],
            generators={place: _of_set(gates, own) for place, gates in whole.generators.items()},
            kept=None,  # states are known by the numbers of sets, and the patterns of each set are numbered from 0
        )


def why_no_patterns(program: Program) -> str:
    """Return why the patterns of errors of a program do not make circuits of gates; empty if they do."""
    channels = [operation for operation in program.body if isinstance(operation, Channel)]
    if any(channel.depends_on_state for channel in channels):
        return "its errors depend on the state"
    if steps_of(program) is None:
        return "its errors cannot be moved past all of its operations"
    return ""


def count_of_patterns(program: Program) -> int | None:
    """Return how many patterns of errors are followed; None if they are so many that they are drawn."""
    sites = [step for step in (steps_of(program) or {}).values() if isinstance(step, Site)]
    found = _terms(sites)
    return None if found is None else len(found[1])


class Patterns(NamedTuple):
    """The different patterns of errors of a program.

    Attributes
    ----------
    errors
        The errors of all patterns that were drawn or followed.
    rows
        ``rows[p]`` is one of them that has pattern p.
    signs
        ``signs[p, j]``, by which errors at the end multiply the value of product j of Paulis.
    weights
        How likely each pattern is or, if patterns were drawn, how many shots with errors have it.
    usual
        The number and the probability of the pattern without errors, if patterns were drawn and it is one of them.
    cut
        The probability of the patterns that were too unlikely to be followed.
    """

    errors: Errors
    rows: NDArray[np.intp]
    signs: NDArray[np.float64]
    weights: NDArray[np.float64]
    usual: tuple[int, float] | None
    cut: float


class NoisyProgram:
    """A program with errors, in one set of numbers.

    Parameters
    ----------
    sweep
        What is to be differentiated, in this set only.
    poll
        Called now and then.
    """

    def __init__(self, sweep: Sweep, poll: Callable[[], None]) -> None:
        body = list(sweep.program.body)
        for place, segments in sweep.segments.items():
            body[place] = Segment(tuple(segments[0].gates))
        generators = {(place, gate): own for place, some in sweep.generators.items() for gate, own in some.items()}
        steps = steps_of(replace(sweep.program, body=tuple(body)), frozenset(generators))
        assert steps is not None  # `why_no_patterns` has made sure of it  # noqa: S101
        poll()
        self._sweep, self._poll = sweep, poll
        self._stretch = Stretch(0, tuple(steps.values()))
        numbers = iter(range(len(self._stretch.gates)))
        number_of = {
            key: next(numbers) for key, step in steps.items() if not isinstance(step, Site) or step.slot is not None
        }
        self._generators = {number_of[key]: (_gate_at(body, key), own) for key, own in generators.items()}
        self.places = {key: number_of[key] for key in generators}
        """The numbers of the gates whose derivatives are wanted, by the places of segments and of gates in them."""

    def followed(self) -> Patterns | None:
        """Return all patterns; None if there are too many."""
        found = _terms(self._stretch.sites)
        if found is None:
            return None
        terms, likely, cut = found
        hits = {}
        for number, site in enumerate(self._stretch.sites):
            shots = np.flatnonzero(terms[:, number] != (-1 if site.choices.usual is None else site.choices.usual))
            if len(shots):
                hits[number] = Hits(shots, terms[shots, number])
        frames = self._frames(len(terms))
        errors = self._stretch.errors_of(hits, len(terms), frames, self._poll)
        rows, kind, signs = self._different(errors, frames)
        return Patterns(errors, rows, signs, np.bincount(kind, likely).astype(float), None, cut)

    def drawn(self, shots: int, seed: int) -> Patterns:
        """Return the patterns that so many shots draw."""
        frames = self._frames(shots)
        errors = self._stretch.errors(np.arange(shots), Draws(seed, shots), 0, frames, self._poll)
        rows, kind, signs = self._different(errors, frames)
        usual = np.flatnonzero(errors.is_usual)
        weights = np.bincount(kind[~errors.is_usual], minlength=len(rows)).astype(float)
        known = (int(kind[usual[0]]), self._stretch.usual_share) if len(usual) else None
        return Patterns(errors, rows, signs, weights, known, 0.0)

    def _frames(self, count: int) -> Frames:
        nothing = np.zeros(count, np.int64)
        return Frames(self._sweep.program.state_qubits, nothing, nothing)

    def _different(
        self, errors: Errors, frames: Frames
    ) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]:
        """Return one row of each pattern, the pattern of each row, and the signs of products in each pattern."""
        x, z = frames.masks()
        of_end, kind_of_end = different(np.column_stack([x, z]).astype(np.uint64))
        flips = np.zeros((len(of_end), len(self._sweep.masks)), bool)
        for column, (of_x, of_z) in enumerate(self._sweep.masks):
            flips[:, column] = parities(x[of_end] & of_z) ^ parities(z[of_end] & of_x)
        _, alike = different(np.packbits(flips, axis=1))
        names = np.column_stack([errors.names, alike[kind_of_end].astype(np.uint64)])
        first, kind = different(names)
        order = np.argsort(first)  # in the order in which they were drawn
        rank = np.empty_like(order)
        rank[order] = np.arange(len(order))
        rows = first[order]
        return rows, rank[kind], 1.0 - 2.0 * flips[kind_of_end[rows]]

    def sweeps(self, patterns: Patterns, start: int) -> Iterator[Sweep]:
        """Yield what is to be differentiated in some patterns after another, from one of them on."""
        template, cotangent = self._stretch.template, self._sweep.cotangent
        angles = sum(len(own) for _, own in self._generators.values())
        most = max(_MOST_NUMBERS // max(angles * self._sweep.outputs, len(template.gates), 1), 1)
        program = replace(self._sweep.program, body=(template,))
        for first in range(start, len(patterns.rows), most):
            rows = patterns.rows[first : first + most]
            yield replace(
                self._sweep,
                program=program,
                segments={0: self._stretch.segments(patterns.errors, rows)},
                size=len(rows),
                cotangent=None if cotangent is None else np.repeat(cotangent, len(rows), axis=0),
                generators={0: self._turned(patterns.errors, rows)},
                signs=patterns.signs[first : first + most],
            )

    def _turned(self, errors: Errors, rows: NDArray[np.intp]) -> Generators:
        """Return the generators of gates in patterns: errors on the gates have changed them as well."""
        varied = {gate: (at, variant) for gate, at, variant in errors.variants}
        chosen = np.zeros(len(errors.names), np.intp)
        found = {}
        for number, (gate, generators) in self._generators.items():
            passed = self._stretch.gates[number]
            assert isinstance(passed, Passage)  # gates of the program are no slots  # noqa: S101
            own = [_on_wires(gate, generator[0]) for generator in generators]
            if number not in varied:
                found[number] = tuple([one[None] for one in own])
                continue
            at, variant = varied[number]
            chosen[at] = variant
            used, which = np.unique(chosen[rows], return_inverse=True)
            chosen[at] = 0
            of_used = [divmod(passed.errors[one], 2 ** len(passed.wires)) for one in used.tolist()]
            found[number] = tuple([np.array([_conjugated(one, x, z) for z, x in of_used])[which] for one in own])
        return found


def _of_set(generators: Generators, own: slice) -> Generators:
    """Return generators in one set, of those that may be the same in all sets."""
    return {gate: tuple([each if len(each) == 1 else each[own] for each in some]) for gate, some in generators.items()}


def _gate_at(body: Sequence[Any], key: tuple[int, int]) -> Gate:
    place, number = key
    gate: Gate = body[place].gates[number]
    return gate


def _on_wires(gate: Gate, generator: NDArray[np.complex128]) -> NDArray[np.complex128]:
    """Return a generator in the form that `Passage` gives the gate: with controls, on all wires."""
    size = len(generator)
    whole = np.zeros((size * 2 ** len(gate.controls),) * generator.ndim, generator.dtype)
    acting = slice(size * gate.control_state, size * (gate.control_state + 1))
    whole[(acting,) * generator.ndim] = generator
    return whole


def _conjugated(generator: NDArray[np.complex128], x: int, z: int) -> NDArray[np.complex128]:
    """Return ``Q* A Q`` for a generator A and the error ``Q = X**x Z**z``."""
    if generator.ndim == 1:
        flipped: NDArray[np.complex128] = generator[np.arange(len(generator)) ^ x]
        return flipped
    return conjugated(generator, x, z)


def _terms(sites: Sequence[Site]) -> tuple[NDArray[np.intp], NDArray[np.float64], float] | None:
    """Return ``terms[p, i]`` of site i in each pattern, how likely these are, and how likely those that are cut off.

    None if there are too many patterns.
    """
    terms, likely, cut = np.zeros((1, 0), np.intp), np.ones(1), 0.0
    for site in sites:
        each = likely[:, None] * site.choices.shares
        is_likely = each >= LEAST_PROBABILITY
        is_likely[np.arange(len(each)), each.argmax(axis=1)] = True
        cut += float(each[~is_likely].sum())
        before, own = np.nonzero(is_likely)
        if len(before) > _MOST_FOLLOWED or cut > _MOST_CUT:
            return None
        terms, likely = np.column_stack([terms[before], own]), each[before, own]
    return terms, likely, cut
