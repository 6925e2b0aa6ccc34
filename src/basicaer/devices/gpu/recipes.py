"""Plans that were bound once, to be bound to other numbers of the same gates without looking at the gates again."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from basicaer.devices.gpu.steps import steps_of
from basicaer.devices.gpu.tape import ONE, fill, rows_of
from basicaer.devices.gpu.turning import ROUNDING, kinds_of
from basicaer.devices.numbers import data_of_sets

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from basicaer.devices.gpu.launches import Launches
    from basicaer.devices.gpu.steps import Places, Values
    from basicaer.devices.gpu.tape import Tape
    from basicaer.engine.device import SegmentBatch

__all__ = ["Recipe"]

_VALUES_AT_ONCE = 2**16  # So many fit into a core's cache.


class Recipe:
    """A plan that was bound to numbers, and how to bind it to others.

    Parameters
    ----------
    tape
        How the numbers were made.
    used
        The places of those that constants are products of.
    launches
        What was bound.
    is_repeatable
        Whether the tape has all numbers.

    Attributes
    ----------
    launches
        The same.
    """

    def __init__(self, tape: Tape, used: Places, launches: Launches, *, is_repeatable: bool) -> None:
        self.launches = launches
        self.is_repeatable = is_repeatable
        self._used = used
        self._steps = steps_of(tape.nodes)
        self._any_angle = tape.any_angle
        self._asked = rows_of([product for product, _ in tape.asked])
        self._asked_for_zero = rows_of([tuple(places.tolist()) for places, _ in tape.asked_for_zero])
        self._others = np.array(tape.others, np.intp).reshape(-1, 4).T
        self._parts = tape.parts
        self._size = tape.size
        self._fixed = np.array([place for place, number in enumerate(tape.fixed) if number is not None])
        self._fixed_numbers = tape.values[0, self._fixed]
        self._factors = tape.factors
        answers = [*(found for _, found in tape.asked), *(not found for _, found in tape.asked_for_zero)]
        self._truths = np.concatenate(
            [tape.taken[tape.factors] == ONE, np.array([*answers, *[False] * len(tape.others)], bool)]
        )

    def bound(self, segments: SegmentBatch) -> Launches | None:
        """Return the launches with the numbers of segments; None if these would have been bound in another way.

        So what is bound does not depend on what was bound before.
        """
        size = len(segments)
        numbers = np.empty((size, len(self._used)), complex)
        values = np.empty((min(size, max(1, _VALUES_AT_ONCE // self._size)), self._size), complex)
        values[:, self._fixed] = self._fixed_numbers
        truths = np.ones_like(self._truths)
        for start in range(0, size, len(values)):
            some = segments[start : start + len(values)] if len(values) < size else segments
            own = values[: len(some)]
            self._fill(own, some)
            if not all(step.is_so_again(own, any_angle=self._any_angle) for step in self._steps):
                return None
            truths &= self._true_in_all(own)
            np.take(own, self._used, axis=1, out=numbers[start : start + len(own)])
        return replace(self.launches, numbers=numbers) if (truths == self._truths).all() else None

    def _fill(self, values: Values, segments: SegmentBatch) -> None:
        """Put in the numbers of gates that differ."""
        fill(values, segments)
        for planned, origin, first in self._parts:
            own = data_of_sets(planned, segments.template.gates[origin], segments.data[origin])
            own = own.reshape(len(own), -1)
            values[:, first : first + own.shape[1]] = own

    def _true_in_all(self, values: Values) -> NDArray[np.bool_]:
        """Tell what was asked when this was recorded: whether it is true in all sets."""
        truths = [(values[:, self._factors] == 1).all(axis=0)]
        lengths, numbers = self._asked
        if len(lengths):
            products = np.multiply.reduceat(values[:, numbers], _starts(lengths), axis=1)
            truths.append((abs(products - 1) <= ROUNDING).all(axis=0))
        lengths, numbers = self._asked_for_zero
        if len(lengths):
            truths.append(np.logical_and.reduceat((values[:, numbers] != 0).all(axis=0), _starts(lengths)))
        kinds = kinds_of([values[:, places] for places in self._others], any_angle=True)
        truths.append(np.array([kind is not None for kind in kinds], bool))
        return np.concatenate(truths)


def _starts(lengths: Places) -> Places:
    """Return where each of some stretches begins."""
    return np.asarray(np.cumsum(lengths) - lengths)
