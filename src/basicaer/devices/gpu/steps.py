"""How numbers are made of others, all that are made in the same way at once."""

from __future__ import annotations

import math
from functools import reduce
from itertools import islice
from operator import add, itemgetter, mul
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from basicaer.devices.gpu.turning import are_all, turn_numbers

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from basicaer.devices.gpu.turning import TurnKind

    Product = tuple[int, ...]  # the places of numbers that are multiplied; 1 if there are none
    Places = NDArray[np.intp]
    Values = NDArray[np.complex128]  # ``values[s, p]`` is the number at place p in set s

__all__ = ["Node", "Step", "Sum", "carry_out_alone", "steps_of"]


class Sum(NamedTuple):
    """Makes a sum of products, which have so many numbers each, at least one."""

    lengths: tuple[int, ...]


class Node(NamedTuple):
    """Numbers that are made together.

    Attributes
    ----------
    level
        How many steps it takes to make them; those that they are made of have lower levels.
    how
        A kind of turns makes what `turn_numbers` returns; None makes the reciprocal.
    made
        The place of the first of them.
    of
        The places of what they are made of.
    """

    level: int
    how: TurnKind | Sum | None
    made: int
    of: tuple[int, ...]


class Step:
    """Nodes of one level that are made in the same way."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        self._how = nodes[0].how
        self._made = np.array([node.made for node in nodes])
        self._of = np.array([node.of for node in nodes]).T

    def carry_out(self, values: Values) -> None:
        """Make the numbers."""
        if isinstance(self._how, Sum):
            factors = (values[:, own] for own in self._of)
            products = [reduce(mul, islice(factors, length)) for length in self._how.lengths]
            values[:, self._made] = reduce(add, products)
        elif self._how is None:
            values[:, self._made] = 1 / values[:, self._of[0]]
        else:
            matrices = [values[:, own] for own in self._of]
            for j, numbers in enumerate(turn_numbers(self._how, matrices)):
                values[:, self._made + j] = numbers

    def is_so_again(self, values: Values, *, any_angle: bool) -> bool:
        """Make the numbers, unless turns would be of other kinds than when this was recorded; tell which it was."""
        how = self._how
        if how is not None and not isinstance(how, Sum):
            matrices = [values[:, own] for own in self._of]
            if not are_all(how, matrices, any_angle=any_angle):
                return False
        self.carry_out(values)
        return True


def carry_out_alone(node: Node, values: NDArray[np.complex128]) -> None:
    """Make the numbers of one node in a single set, which takes less time than a step.

    ``values[p]`` is the number at place p.
    """
    if node.how is None or isinstance(node.how, Sum):
        factors = map(values.item, node.of)
        if node.how is None:
            values[node.made] = 1 / next(factors)
        else:
            values[node.made] = sum(math.prod(islice(factors, length)) for length in node.how.lengths)
    else:
        Step([node]).carry_out(values[None])


def steps_of(nodes: Iterable[Node]) -> list[Step]:
    """Return steps that make nodes, in an order in which each has what it needs."""
    groups: dict[tuple[int, TurnKind | Sum | None], list[Node]] = {}
    for node in nodes:
        groups.setdefault((node.level, node.how), []).append(node)
    return [Step(groups[key]) for key in sorted(groups, key=itemgetter(0))]
