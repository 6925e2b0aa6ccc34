"""Values that depend on classical bits: a tree asks for one bit after another and gives the value for each outcome."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["MOST_CASES", "Bit", "Branch", "TooManyCasesError", "Truth", "Undecided", "bits_in", "choose", "combine"]

MOST_CASES = 4096  # ends of a tree: all combinations of 12 bits


@dataclass(eq=False, slots=True)
class Bit:
    """A classical bit of the circuit.

    Attributes
    ----------
    index
        Its place in the register of that name; None for a bit that is declared by itself.
    number
        Its place among all bits, in the order of their declaration; trees ask for bits in this order.
    content
        What it holds, where that is known before the program runs.
    """

    name: str
    index: int | None
    number: int
    content: bool | None = None


@dataclass(frozen=True, slots=True)
class Branch:
    """A value that depends on a bit: ``low`` if it is 0, ``high`` if it is 1; either may depend on more bits."""

    bit: Bit
    low: Any
    high: Any
    cases: int


Truth: TypeAlias = bool | Branch  # a Branch has truth values at its ends


class Undecided(Exception):  # noqa: N818  # not a fault: the caller tries both values
    """Raised where a value is needed that depends on a bit which is known only when the program runs."""

    def __init__(self, bit: Bit) -> None:
        super().__init__(bit)
        self.bit = bit


class TooManyCasesError(Exception):
    """A value depends on too many bits."""


def choose(bit: Bit, low: Any, high: Any) -> Any:
    """Return what is ``low`` or ``high`` depending on a bit; no tree where both are the same.

    Raises
    ------
    TooManyCasesError
        If the tree has more than `MOST_CASES` ends.
    """
    if type(low) is type(high) and low == high:
        return low
    cases = sum(half.cases if isinstance(half, Branch) else 1 for half in (low, high))
    if cases > MOST_CASES:
        raise TooManyCasesError
    return Branch(bit, low, high, cases)


def combine(operation: Callable[..., Any], *values: Any) -> Any:
    """Apply an operation to values that may depend on bits."""
    asked = [value.bit for value in values if isinstance(value, Branch)]
    if not asked:
        return operation(*values)
    bit = min(asked, key=lambda one: one.number)

    def given(value: Any, *, is_set: bool) -> Any:
        if isinstance(value, Branch) and value.bit is bit:
            return value.high if is_set else value.low
        return value

    low, high = (combine(operation, *(given(value, is_set=is_set) for value in values)) for is_set in (False, True))
    return choose(bit, low, high)


def bits_in(value: Any) -> Iterator[Bit]:
    """Yield the bits that a value depends on, some of them more than once."""
    if isinstance(value, Branch):
        yield value.bit
        yield from bits_in(value.low)
        yield from bits_in(value.high)
    elif isinstance(value, tuple | list):
        for part in value:
            yield from bits_in(part)
