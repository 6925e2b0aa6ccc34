"""The tasks that a gradient's job sends to its worker, and the record in which results come back."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from basicaer.errors import OptionValueError, shown

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from basicaer.compile.differentiable import Angle, Chain
    from basicaer.engine.error_patterns import NoisySweep
    from basicaer.engine.sweeps import AdjointSums, Done, Sweep
    from basicaer.primitives.payload import EstimatorTask

__all__ = ["Differentiated", "GradientTask", "Part", "PatternsBegun", "Report", "Shifts", "SweepBegun"]


class Part(Enum):
    """The part of ``2 <psi| H |dpsi>`` that is reported; the real part is the derivative of the expectation value."""

    REAL = "real"
    IMAG = "imag"
    COMPLEX = "complex"

    @classmethod
    def asked_for(cls, derivative_type: Any) -> Part:
        """Return the part that a user names, or gives as the member of another package's enumeration.

        Raises
        ------
        OptionValueError
            If it is none.
        """
        try:
            return cls(getattr(derivative_type, "value", derivative_type))
        except ValueError as error:
            raise OptionValueError(
                f"derivative_type must be 'real', 'imag' or 'complex', not {shown(derivative_type)}."
            ) from error

    def of(self, gradients: NDArray[np.complex128]) -> NDArray[Any]:
        """Return this part of complex numbers."""
        if self is Part.COMPLEX:
            return gradients
        return gradients.real.copy() if self is Part.REAL else gradients.imag.copy()


class Shifts(NamedTuple):
    """How values at shifted angles make derivatives.

    Attributes
    ----------
    task
        The values to estimate: for each set of values those at its own angles first, then at all shifted ones.
    occurrences, factors
        Shifted values k of each set belong to occurrence ``occurrences[k]``, and are multiplied by ``factors[k]``.
    """

    task: EstimatorTask
    occurrences: NDArray[np.intp]
    factors: NDArray[np.float64]


class SweepBegun(NamedTuple):
    """What a sweep has found so far, and how much of it is done."""

    found: AdjointSums
    done: Done


@dataclass(slots=True)
class PatternsBegun:
    """How far a task is that is differentiated on each pattern of errors.

    Attributes
    ----------
    means, errors
        The means of the sets that are done, and their standard errors: ``means[s, k]`` where k counts the observables,
        and then the derivatives of each output by each parameter.
    sets, done
        The sets before this one are done, and so many patterns of it.
    sums
        Of these patterns: ``sums[0]`` of the one without errors, ``sums[1]`` of the first, and the weighted sums of
        deviations from the first and of their squares.
    patterns
        How many patterns the sets have that are done.
    is_exact
        Whether all patterns are followed.
    cut
        The largest probability of a set's patterns that are not followed.
    """

    means: NDArray[np.float64]
    errors: NDArray[np.float64]
    sums: NDArray[np.float64]
    sets: int = 0
    done: int = 0
    patterns: int = 0
    is_exact: bool = True
    cut: float = 0.0

    @classmethod
    def of_none(cls, task: GradientTask) -> PatternsBegun:
        """Return how far a task is that has not begun."""
        outputs = task.observables if task.cotangent is None else 1
        count = task.observables + outputs * task.chain.wanted
        return cls(np.zeros((task.sets, count)), np.zeros((task.sets, count)), np.zeros((4, count)))


class Report(NamedTuple):
    """The form in which the outcome of a task is reported.

    Attributes
    ----------
    shape, observables
        The shapes of the sets of values and of the observables.
    part
        What is reported of the derivatives, which are complex.
    requests
        ``requests[k]`` is the set and the observable that request k of an `EstimatorGradient` asks for, and its number
        among all of them.
    """

    shape: tuple[int, ...]
    observables: tuple[int, ...]
    part: Part = Part.REAL
    requests: tuple[tuple[int, int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class GradientTask:
    """One circuit whose expectation values are to be differentiated.

    Attributes
    ----------
    name
        The circuit's name.
    n_qubits
        Qubits of the state that is evolved.
    sets, observables
        How many there are of each.
    how
        The sweep that gives the derivatives, perhaps on each pattern of errors, or the shifts.
    angles
        Where the sums of the sweep belong.
    chain
        What makes derivatives by parameters of those by occurrences.
    cotangent
        ``cotangent[s, o]``; None if the derivatives of each observable are wanted.
    metadata
        What is known of the result beforehand: the method, and why it was chosen.
    report
        The form in which the outcome is reported.
    phases
        How many of the last occurrences are global phases.
    """

    name: str
    n_qubits: int
    sets: int
    observables: int
    how: Sweep | NoisySweep | Shifts
    angles: tuple[Angle, ...]
    chain: Chain
    cotangent: NDArray[np.float64] | None
    metadata: dict[str, Any]
    report: Report
    phases: int = 0


class Differentiated(NamedTuple):
    """The outcome of a `GradientTask`.

    Attributes
    ----------
    values
        ``values[s, o]``, expectation value of observable o at set s; a complex ``<v|psi>`` if a vector v was given.
    gradients
        ``gradients[s, o, j]``, its derivative by parameter j; with a cotangent there is no axis o. They are complex:
        twice ``<psi| H |dpsi>``, whose real part is the derivative.
    metadata
        How it was done.
    report
        The form in which it is reported.
    errors
        The standard errors of the gradients; None if these are exact.
    """

    values: NDArray[Any]
    gradients: NDArray[np.complex128]
    metadata: dict[str, Any]
    report: Report
    errors: NDArray[np.float64] | None = None
