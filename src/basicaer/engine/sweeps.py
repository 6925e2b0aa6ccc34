"""What an adjoint differentiation is asked for, and what it finds: see `basicaer.engine.adjoint`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from basicaer.engine.program import Phase, Segment, Store

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from basicaer.engine.device import Generators, SegmentBatch
    from basicaer.engine.program import Operation, Program

__all__ = ["AdjointSums", "Done", "Sweep", "is_undone"]


@dataclass(frozen=True, slots=True)
class Sweep:
    """What is to be differentiated: a program in many sets of numbers, and observables.

    Attributes
    ----------
    program
        The program of the structure of all sets; see `is_undone`.
    segments
        Its segments in all sets, by their places in the body; those that are the same in all sets may be missing.
    size
        The number of sets.
    masks
        The products of Paulis that occur in observables, as for `State.expectations`.
    factors
        ``factors[o, j]`` is the factor of product j in observable o.
    cotangent
        ``cotangent[s, o]`` weighs the derivative of observable o in set s; None if each is wanted by itself.
    generators
        ``generators[place]``, of the gates whose derivatives are wanted, for the segment at a place of the body.
    bras
        ``bras[s, i]``, amplitudes that are given in place of observables, for set s; None if there are observables.
    signs
        ``signs[s, j]`` multiplies the factors of product j in set s; None for 1 everywhere.
    wants_values
        Whether values are wanted besides derivatives that are weighed by a cotangent.
    kept
        A name under which a sweep for values leaves its final states to one for derivatives; None for none.
    """

    program: Program
    segments: Mapping[int, SegmentBatch]
    size: int
    masks: Sequence[tuple[int, int]]
    factors: NDArray[np.float64]
    cotangent: NDArray[np.float64] | None
    generators: Mapping[int, Generators]
    bras: NDArray[np.complexfloating] | None = None
    signs: NDArray[np.float64] | None = None
    wants_values: bool = True
    kept: str | None = None

    @property
    def outputs(self) -> int:
        """How many bras go back for each set."""
        return len(self.factors) if self.cotangent is None and self.bras is None else 1

    @property
    def places_wanted(self) -> set[int]:
        """The places of segments with gates whose derivatives are wanted; none if no observable is left."""
        if not self.masks and self.bras is None:
            return set()
        return {place for place, own in self.generators.items() if own}

    @property
    def has_own_values(self) -> bool:
        """Whether values are read of the ket; otherwise they are overlaps of the ket and the bras."""
        is_read = self.cotangent is not None or not self.places_wanted
        return is_read and self.bras is None and self.wants_values and bool(self.masks)

    def no_sums(self) -> AdjointSums:
        """Return the sums before anything is found."""
        values = np.zeros((self.size, len(self.factors)))
        if self.bras is not None:
            values = np.zeros((self.size, 1), complex)
        return AdjointSums(
            values,
            {
                place: {
                    gate: np.zeros((self.outputs, self.size, len(some)), complex) for gate, some in generators.items()
                }
                for place, generators in self.generators.items()
            },
        )


@dataclass(slots=True)
class AdjointSums:
    """What a sweep has found.

    Attributes
    ----------
    values
        ``values[s, o]`` is the expectation value of observable o in set s; ``values[s, 0]`` is ``<bra|ket>`` if bras
        are given.
    sums
        ``sums[place][gate][o, s, a]`` is ``<bra| A |ket>`` after a gate, for generator a and observable o; with a
        cotangent, o is 0. Twice its real part is the derivative by the angle.
    deviation
        The largest distance from 1, over all sets, of the first amplitude of a ket that came back to |0...0>, which
        measures the accuracy that was lost; None if none came back there.
    """

    values: NDArray[Any]
    sums: dict[int, dict[int, NDArray[np.complex128]]] = field(default_factory=dict)
    deviation: float | None = None


class Done(NamedTuple):
    """How much of a sweep is done.

    Attributes
    ----------
    sets
        All sets before this one are done.
    upto, bras
        Of the sets from there to `upto`, the bras before this one are done.
    """

    sets: int = 0
    upto: int = 0
    bras: int = 0


def is_undone(operation: Operation) -> bool:
    """Tell whether a sweep may go back through an operation, or need not since it changes no state."""
    return isinstance(operation, Segment | Phase) or (isinstance(operation, Store) and operation.slot is None)
