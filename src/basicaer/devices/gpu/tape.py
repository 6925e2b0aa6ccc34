"""How the constants of a plan are made of the numbers of its gates: recorded once, and done again for other numbers.

Numbers are told apart by their places on a `Tape`. What binds gates to a plan handles places only and asks the tape
where it has to know more, for example whether a factor is 1. If the answer might be another one for other numbers, the
tape notes it as a condition under which the record is good.
"""

from __future__ import annotations

import math
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from basicaer.devices.gpu.steps import Node, Sum, carry_out_alone, steps_of
from basicaer.devices.gpu.turning import ROUNDING, TURN_NUMBERS, TurnKind, kinds_of, turn_numbers
from basicaer.devices.numbers import data_of_sets
from basicaer.engine.plan import Part
from basicaer.engine.program import Form

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from basicaer.devices.gpu.steps import Places, Product, Values
    from basicaer.engine.device import SegmentBatch
    from basicaer.engine.plan import PlannedGate

__all__ = ["MINUS_ONE", "NOTHING", "ONE", "ZERO", "Rows", "Tape", "TurnPlaces", "rows_of", "rows_where"]

ONE, ZERO, MINUS_ONE = range(3)  # the places of these constants
NOTHING: Product = (ZERO,)
_FEW_NODES = 8  # fewer numbers of a single set are made one by one
FIRST = MINUS_ONE + 1  # the place of the first number of the gates that differ between sets


class Rows(NamedTuple):
    """Products, one after another: how many numbers each has, and the places of all of them."""

    lengths: Places
    numbers: Places


def rows_of(products: Sequence[Product]) -> Rows:
    """Return products as rows."""
    lengths = np.fromiter(map(len, products), np.intp, len(products))
    return Rows(lengths, np.fromiter(chain.from_iterable(products), np.intp, int(lengths.sum())))


def rows_where(acts: NDArray[np.bool_], products: Sequence[Product]) -> Rows:
    """Return rows of which row r is the product of those ``products[p]`` for which ``acts[p, r]``."""
    lengths, numbers = rows_of(products)
    row, number = np.nonzero(np.repeat(acts, lengths, axis=0).T)
    return Rows(np.bincount(row, minlength=acts.shape[1]), numbers[number])


class TurnPlaces(NamedTuple):
    """A matrix as a turn, with the places of what `turn_numbers` returns."""

    kind: TurnKind
    scale: int
    before: int
    after: int
    tangent: int
    more: int
    shear: int


class Tape:
    """The numbers that binding makes of those of gates, in each set of a batch.

    Parameters
    ----------
    segments
        The gates, and the numbers that differ between sets.
    any_angle
        Whether operations should suit any angles. Otherwise there may be fewer.

    Attributes
    ----------
    factors
        The places of the numbers of diagonal gates that differ between sets.
    taken
        ``taken[p]`` is `ONE` for those of them that are 1 in all sets, otherwise p.
    fixed
        The number at each place that is the same whatever the gates that differ between sets are, otherwise None.
    asked
        Products that depend on gates that differ, and whether they were taken for 1.
    asked_for_zero
        Numbers of such gates, and whether any was 0 in any set.
    others
        Such matrices that are no turns.
    parts
        Gates that differ between sets and that the plan has split: the gate of the plan, that of the segment, and the
        first place of all its numbers.
    """

    def __init__(self, segments: SegmentBatch, *, any_angle: bool) -> None:
        self._gates = segments.template.gates
        self.any_angle = any_angle
        self._first: dict[int, int] = {}  # _first[gate] = the place of the first number of one that differs
        size, factors = FIRST, list[int]()
        for gates, numbers in segments.groups:
            each = numbers[0, 0].size
            if self._gates[gates[0]].form is Form.DIAGONAL:
                factors += range(size, size + each * len(gates))
            self._first |= dict(zip(gates, range(size, size + each * len(gates), each), strict=True))
            size += each * len(gates)
        self._sets = len(segments) if segments.groups else 1
        self._values = np.ones((self._sets, 2 * size), complex)
        fill(self._values, segments)
        self.taken = np.arange(size)
        self.factors = np.array(factors, np.intp)
        self.taken[self.factors[(self._values[:, self.factors] == 1).all(axis=0)]] = ONE
        self.fixed: list[complex | None] = [1, 0, -1, *[None] * (size - FIRST)]
        self._level = [0] * size  # how many steps it takes to make a number
        self._made = 0  # Numbers below this place are in `_values`.
        self._waiting: list[Node] = []
        self._known: dict[int, list[complex]] = {}  # _known[p] = numbers from place p on that wait but are known
        self._reciprocals: dict[int, int] = {}
        self.nodes: list[Node] = []
        self.asked: list[tuple[Product, bool]] = []
        self.asked_for_zero: list[tuple[Places, bool]] = []
        self.others: list[tuple[int, ...]] = []
        self.parts: list[tuple[PlannedGate, int, int]] = []

    @property
    def size(self) -> int:
        """How many numbers there are."""
        return len(self.fixed)

    @property
    def values(self) -> Values:
        """All numbers."""
        self._make()
        return self._values[:, : self.size]

    # Numbers of gates

    def leaves(self, planned: PlannedGate, origin: int, data: NDArray[Any], indices: NDArray[np.intp]) -> Places:
        """Return the places of some numbers of a gate.

        Parameters
        ----------
        origin
            The gate of the segment.
        data
            The numbers in the template.
        indices
            Which of them, as indices in the flat data.
        """
        first = self._first.get(origin)
        if first is None:
            data = data.reshape(-1)[indices.reshape(-1)].tolist()
            places = [ONE if number == 1 else ZERO if number == 0 else self._fix(number) for number in data]
            return np.array(places).reshape(indices.shape)
        if planned.part is Part.WHOLE:
            own: Places = self.taken[first + indices]
            return own
        gate = self._gates[origin]
        numbers = self._values[:, first : first + gate.data.size].reshape(-1, *gate.data.shape)
        parts = data_of_sets(planned, gate, numbers).reshape(self._sets, -1)
        at = self._vary(parts.shape[1], 0)
        self._make()  # Then there is room for them.
        self._values[:, at : at + parts.shape[1]] = parts
        self.parts.append((planned, origin, at))
        return at + indices

    def has_zero(self, places: Places) -> bool:
        """Tell whether any of some numbers of gates is 0 in any set."""
        which = places.reshape(-1)
        if all(self.fixed[place] is not None for place in which.tolist()):
            return ZERO in which
        found = bool((self._values[:, which] == 0).any())
        self.asked_for_zero.append((which, found))
        return found

    # Numbers that are made of others

    def divided(self, product: Product, by: Product) -> Product:
        """Return a product over another one, none of whose numbers is 0."""
        left = list(product)
        for place in by:
            if place in left:
                left.remove(place)
                continue
            if place not in self._reciprocals:
                number = self.fixed[place]
                own = self._wait(None, (place,), 1) if number is None else self._fix(1 / number)
                self._reciprocals[place] = own
            left.append(self._reciprocals[place])
        return tuple(left)

    def added(self, products: Iterable[Product]) -> Product:
        """Return the sum of products, as a single number unless only one of them is not 0."""
        terms = [product for product in products if ZERO not in product]
        if not terms:
            return NOTHING
        return terms[0] if len(terms) == 1 else (self._sum(terms),)

    def single(self, product: Product) -> int:
        """Return the place of a product's value."""
        if not product:
            return ONE
        return product[0] if len(product) == 1 else self._sum([product])

    def _sum(self, products: Sequence[Product]) -> int:
        numbers = [self._fixed_product(product) for product in products]
        known = [number for number in numbers if number is not None]
        if len(known) == len(numbers):
            return self._fix(sum(known))
        some = [product or (ONE,) for product in products]
        return self._wait(Sum(tuple(map(len, some))), tuple(chain.from_iterable(some)), 1)

    def turned(self, matrices: Sequence[Sequence[Product]]) -> list[TurnPlaces | None]:
        """Return matrices on one wire, given by their rows one after another, as turns.

        A matrix that is no multiple of a unitary one is None.
        """
        of = [tuple(map(self.single, matrix)) for matrix in matrices]
        if not of:
            return []
        self._make()
        numbers = [self._values[:, own] for own in np.array(of).T]
        varies = [any(self.fixed[place] is None for place in own) for own in of]
        kinds = kinds_of(numbers, any_angle=False)
        if self.any_angle:
            rather = kinds_of(numbers, any_angle=True)
            kinds = [many if own else few for own, many, few in zip(varies, rather, kinds, strict=True)]
        self.others += [own for own, kind, vary in zip(of, kinds, varies, strict=True) if vary and not kind]
        first = [0] * len(of)
        for kind in TurnKind:
            which = [number for number, own in enumerate(kinds) if own is kind]
            if not which:
                continue
            made = np.stack(turn_numbers(kind, [own[:1, which] for own in numbers]), axis=-1)[0]
            for number, values in zip(which, made.tolist(), strict=True):
                if varies[number]:
                    first[number] = self._wait(kind, of[number], TURN_NUMBERS)
                    if self._sets == 1:
                        self._known[first[number]] = values
                else:
                    first[number] = self.size
                    self._fix(*values)
        return [kind and TurnPlaces(kind, *range(at, at + TURN_NUMBERS)) for kind, at in zip(kinds, first, strict=True)]

    # What they are

    def is_one(self, product: Product) -> bool:
        """Tell whether a product may be left out, as it differs from 1 by rounding only, in all sets."""
        number = self._fixed_product(product)
        if number is not None:
            return abs(number - 1) <= ROUNDING
        if self.any_angle:
            return False
        found = max(self._distances(product, 1)) <= ROUNDING
        self.asked.append((product, found))
        return found

    def least_size(self, product: Product) -> float:
        """Return the least modulus of a product in any set."""
        number = self._fixed_product(product)
        return abs(number) if number is not None else min(self._distances(product, 0))

    def _fixed_product(self, product: Product) -> complex | None:
        """Return a product that is the same for all numbers of gates that differ; None for another one."""
        result: complex = 1
        for place in product:
            if (number := self.fixed[place]) is None:
                return None
            result *= number
        return result

    def _distances(self, product: Product, number: int) -> list[float]:
        """Return how far the value of a product is from a number: in a single set, or where it is least and most."""
        self._make()
        if self._sets == 1:
            return [abs(math.prod(map(self._values[0].item, product)) - number)]
        found = abs(self._values[:, product].prod(axis=1) - number)
        return [float(found.min()), float(found.max())]

    # Making them

    def _make(self) -> None:
        """Bring all numbers into `_values`."""
        if self._made == self.size:
            return
        if self.size > self._values.shape[1]:
            wider = np.ones((self._sets, 2 * self.size), complex)
            wider[:, : self._values.shape[1]] = self._values
            self._values = wider
        new = [(place, self.fixed[place]) for place in range(self._made, self.size) if self.fixed[place] is not None]
        if new:
            places, numbers = zip(*new, strict=True)
            self._values[:, places] = numbers
        for place, known in self._known.items():
            self._values[0, place : place + TURN_NUMBERS] = known
        self._made = self.size
        self.nodes += self._waiting
        waiting = [node for node in self._waiting if node.made not in self._known]
        self._waiting.clear()
        self._known.clear()
        if self._sets == 1 and len(waiting) <= _FEW_NODES:
            for node in waiting:
                carry_out_alone(node, self._values[0])
        else:
            for step in steps_of(waiting):
                step.carry_out(self._values)

    def _fix(self, *numbers: complex) -> int:
        """Add numbers that are the same whatever the gates that differ are; return the place of the last."""
        self.fixed += numbers
        self._level += [0] * len(numbers)
        return self.size - 1

    def _wait(self, how: TurnKind | Sum | None, of: tuple[int, ...], count: int) -> int:
        """Add numbers that are to be made; return the place of the first."""
        at = self._vary(count, 1 + max(map(self._level.__getitem__, of)))
        self._waiting.append(Node(self._level[at], how, at, of))
        return at

    def _vary(self, count: int, level: int) -> int:
        """Add numbers that depend on gates that differ; return the place of the first."""
        at = self.size
        self.fixed += [None] * count
        self._level += [level] * count
        return at


def fill(values: Values, segments: SegmentBatch) -> None:
    """Put the numbers of the gates that differ between segments to their places."""
    at = FIRST
    for _, numbers in segments.groups:
        own = numbers.reshape(len(numbers), -1)
        values[:, at : at + own.shape[1]] = own
        at += own.shape[1]
