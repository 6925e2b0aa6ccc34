"""The places of errors in a program, and which errors shots draw there, before any state exists.

An error that depends on the state is *proposed* first: operator K of a channel with a probability proportional to the
largest eigenvalue of ``K* K``, which no state exceeds. A proposal is accepted with the probability by which the state
falls short of that, so that accepted ones are distributed as the channel says (rejection sampling).

Errors are few, so that shots do not draw at every place. What is drawn is how many places are passed until the next
error occurs, through all places with equal probabilities in one shot after another (Devroye 1986, chapter X.2).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from basicaer.engine.bits import has_bits
from basicaer.engine.lru_cache import LruCache
from basicaer.engine.slots import Slot, SlotOperators

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from basicaer.engine.draws import Draws
    from basicaer.engine.program import Channel

__all__ = ["Choices", "Hits", "Site", "Sites", "choices_of"]

_BLOCK = 2**14  # shots whose errors are drawn by one generator; a part of them costs no more than those before it do
_MOST_DRAWN = 2**16  # numbers that are drawn at a time
_MOST_PASSED = 2**46  # cells; there are never so many, and the sum of all steps that are drawn at a time is an int64


class Hits(NamedTuple):
    """Where an operator of a channel acts that is not its usual one: the terms of some shots, which are ascending."""

    shots: NDArray[np.intp]
    terms: NDArray[np.intp]


class Choices:
    """What may happen at a channel, whatever its qubits. A *term* is one of its operators.

    Attributes
    ----------
    depends_on_state
        Whether what is drawn is a proposal.
    hit
        How likely another term than the usual one is drawn.
    excess
        How many proposals are made, on average, for one that is accepted.
    known
        How many terms there are that are likely whatever the state; these come first.
    shares
        How likely each term is for a state about which nothing is known.
    paulis
        ``paulis[t, j]`` is whether term t is a Pauli with an X on qubit j of the channel's k, or with a Z on qubit
        j - k for j from k on.
    bits_of_term
        For each term those j for which this is so.
    operator_of
        ``operator_of[t]`` is the operator that the slot of the channel has for term t.
    operators
        The operators of the slot; None if all terms are Paulis. That of the usual term is the first.
    factors
        ``factors[t]`` times the squared norm to which the operator of term t takes a state of norm 1 is how likely its
        proposal is accepted. On average over all states the operators keep the norm.
    relative
        The same, divided by that of the usual term.
    """

    def __init__(self, channel: Channel) -> None:
        known, size = len(channel.probabilities), len(channel.operators[0])
        self.depends_on_state = channel.depends_on_state
        squares = [matrix.conj().T @ matrix for matrix in channel.operators]
        shares = np.array([square.trace().real / size for square in squares])
        largest = np.concatenate(
            [channel.probabilities, [np.linalg.eigvalsh(square)[-1] for square in squares[known:]]]
        ).astype(float)
        self.excess = float(largest.sum())
        likely = largest / self.excess
        self.shares = shares
        self.factors = shares / largest
        is_pauli = np.zeros(len(likely), bool)
        is_pauli[:known] = channel.paulis[0] >= 0
        x, z = np.zeros((2, len(likely)), np.int64)
        x[:known], z[:known] = np.maximum(channel.paulis, 0)
        bits = np.arange(len(channel.qubits))
        self.paulis = np.column_stack([has_bits(x[:, None], bits), has_bits(z[:, None], bits)])
        self.bits_of_term = [np.flatnonzero(row).tolist() for row in self.paulis]
        self.usual = self._usual(likely, is_pauli)
        self.known = known
        self.relative = self.factors / (1.0 if self.usual is None else self.factors[self.usual])
        self.hit = float(likely.sum() - likely[self.usual]) if self.usual is not None else 1.0
        others = np.flatnonzero(np.arange(len(likely)) != (-1 if self.usual is None else self.usual))
        self._others, self._ends = others, likely[others].cumsum()
        self.operator_of = np.zeros(len(likely), np.intp)
        self.operators: SlotOperators | None = None
        if not is_pauli.all():
            self._choose_operators(channel, shares, is_pauli)

    def _usual(self, likely: NDArray[np.float64], is_pauli: NDArray[np.bool_]) -> int | None:
        """Return the term for which a shot draws nothing: the most likely one, but no Pauli other than the identity."""
        is_other = is_pauli & self.paulis.any(axis=1)
        can_be = np.where(is_other, -1.0, likely)
        return int(can_be.argmax()) if can_be.max() > 0 else None

    def _choose_operators(self, channel: Channel, shares: NDArray[np.float64], is_pauli: NDArray[np.bool_]) -> None:
        """Give the operators of the slot their numbers: that of the usual term is first, all Paulis have one."""
        order = sorted(range(len(is_pauli)), key=lambda term: term != self.usual)
        matrices: list[NDArray[np.complex128]] = []
        identity: int | None = None
        for term in order:
            if is_pauli[term] and identity is not None:
                self.operator_of[term] = identity
                continue
            self.operator_of[term] = len(matrices)
            if is_pauli[term]:
                identity = len(matrices)
                matrices.append(np.eye(len(channel.operators[0]), dtype=complex))
            else:
                matrices.append(channel.operators[term].astype(complex) / shares[term] ** 0.5)
        self.operators = SlotOperators(matrices)

    def terms(self, draws: NDArray[np.float64]) -> NDArray[np.intp]:
        """Return the terms that draws fall on, given that none is the usual one."""
        found = self._ends.searchsorted(draws * self._ends[-1], side="right")
        terms: NDArray[np.intp] = self._others[np.minimum(found, len(self._others) - 1)]
        return terms


_KEPT, _MOST_KEPT = 4096, 10**6  # errors, and entries of all of their operators

_choices: LruCache[tuple[NDArray[np.complexfloating], Choices]] = LruCache(_KEPT, _MOST_KEPT)


def choices_of(channel: Channel) -> Choices:
    """Return what may happen at a channel, the same object for all that have its operators."""
    operators = channel.operators  # is kept as well, so that its id stays its own
    return _choices.get_or_make(id(operators), operators.size, lambda: (operators, Choices(channel)))[1]


class Site(NamedTuple):
    """A channel in a program.

    Attributes
    ----------
    place
        The number of its place in the program; above 0.
    slot
        Where its operators act; None if all are Paulis.
    """

    place: int
    qubits: tuple[int, ...]
    choices: Choices
    slot: Slot | None


class Sites:
    """Channels whose errors are drawn together."""

    def __init__(self, sites: Sequence[Site]) -> None:
        self._sites = sites
        self._classes: dict[tuple[bool, float], list[int]] = {}
        for number, site in enumerate(sites):
            choices = site.choices
            if choices.hit > 0:
                self._classes.setdefault((choices.depends_on_state, choices.hit), []).append(number)

    def hits(
        self, shots: NDArray[np.int64], draws: Draws, attempt: int, *, depending: bool
    ) -> Iterator[tuple[int, Hits]]:
        """Yield the numbers of sites, and which of some shots have errors there.

        Parameters
        ----------
        shots
            Numbers of shots, ascending. `Hits` refers to their places in this array.
        attempt
            How many proposals of these shots have been rejected before.
        depending
            Whether the sites are meant at which errors depend on the state, or the others.
        """
        for (depends, hit), numbers in self._classes.items():
            if depends != depending:
                continue
            place = self._sites[numbers[0]].place
            drawn = partial(draws.of_errors, place, attempt)
            found = [_hits(drawn, hit, len(numbers), own) for own in _blocks(shots)]
            which, at, second = (np.concatenate(parts) for parts in zip(*found, strict=True))
            order = np.argsort(which, kind="stable")
            ends = np.searchsorted(which[order], np.arange(len(numbers) + 1))
            at, second = at[order], second[order]
            for i in np.flatnonzero(np.diff(ends)).tolist():
                own = slice(int(ends[i]), int(ends[i + 1]))
                site = self._sites[numbers[i]]
                yield numbers[i], Hits(at[own], site.choices.terms(second[own]))


def _blocks(shots: NDArray[np.int64]) -> Iterator[tuple[int, int, NDArray[np.int64]]]:
    """Yield each block that shots are in: its number, the first of the shots that are in it, and all of these."""
    first, last = int(shots[0]) // _BLOCK, int(shots[-1]) // _BLOCK
    for block in range(first, last + 1):
        start, stop = np.searchsorted(shots, (block * _BLOCK, (block + 1) * _BLOCK)).tolist()
        if start < stop:
            yield block, start, shots[start:stop] - block * _BLOCK


def _hits(
    drawn: Callable[[int], np.random.Generator],
    hit: float,
    sites: int,
    block: tuple[int, int, NDArray[np.int64]],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Return which of some sites are hit, in which of the shots of a block, and a number that each hit draws.

    All sites have the same probability `hit`.
    """
    number, start, shots = block
    cells = (int(shots[-1]) + 1) * sites
    at, second = _places(drawn(number), hit, cells)
    shot, site = np.divmod(at, sites)
    found = np.searchsorted(shots, shot)
    own = shots[found] == shot
    return site[own], found[own] + start, second[own]


def _places(random: np.random.Generator, hit: float, cells: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return which of some cells are hit, ascending, and a number in [0, 1) for each; as many cells as one likes."""
    if hit >= 1:
        return np.arange(cells), random.random((cells, 2))[:, 1]
    found: list[NDArray[np.int64]] = []
    second: list[NDArray[np.float64]] = []
    last = -1
    while last < cells:
        expected = hit * (cells - last)
        drawn = random.random((min(int(expected + 4 * expected**0.5) + 8, _MOST_DRAWN), 2))
        steps = np.minimum(np.log(1 - drawn[:, 0]) / np.log1p(-hit), _MOST_PASSED).astype(np.int64) + 1
        found.append(last + steps.cumsum())
        second.append(drawn[:, 1])
        last = int(found[-1][-1])
    at = np.concatenate(found)
    count = int(at.searchsorted(cells))
    return at[:count], np.concatenate(second)[:count]
