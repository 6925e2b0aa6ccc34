"""How a circuit is differentiated: by a sweep back, by one on each pattern of its errors, or by shifted angles."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from basicaer.compile.shift_rules import shift_rule
from basicaer.compile.sweep import lower_sweep
from basicaer.engine.error_patterns import count_of_patterns
from basicaer.engine.method import MethodChoice, choose_method, states_for_a_matrix
from basicaer.engine.program import Channel
from basicaer.errors import BasicAerError
from basicaer.gradients.payload import Shifts
from basicaer.options import Method
from basicaer.primitives.payload import EstimatorTask, shots_for

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from basicaer.compile.differentiable import Differentiable
    from basicaer.compile.noise import CircuitNoise
    from basicaer.engine.program import Program
    from basicaer.primitives.payload import Terms

__all__ = ["ADJOINT", "SHIFTED", "Way", "chosen_way", "shifts_at"]

ADJOINT, SHIFTED = "adjoint", "parameter shift"
_STATES_OF_A_SWEEP = 4  # a sweep forwards and back takes about as long as so many states


class Way(NamedTuple):
    """How a circuit is differentiated.

    Attributes
    ----------
    method, reason
        `ADJOINT` or `SHIFTED`, and why, as the end of a sentence.
    program
        The program of one set of values, with its errors.
    choice
        How it is simulated.
    has_errors
        Whether it has any.
    """

    method: str
    reason: str
    program: Program
    choice: MethodChoice
    has_errors: bool

    @property
    def is_adjoint(self) -> bool:
        """Whether states go back."""
        return self.method == ADJOINT


def chosen_way(
    compiled: Differentiable,
    *,
    asked: str | None,
    precision: float,
    simulation: Method,
    noise: CircuitNoise | None,
    poll: Callable[[], None],
) -> Way:
    """Return how a circuit is differentiated.

    Parameters
    ----------
    asked
        The method that the user asks for; None if any will do.
    precision
        That of values; 0 if they are exact, or as exact as they can be.
    simulation
        How circuits with errors are to be simulated.

    Raises
    ------
    BasicAerError
        If the method that is asked for is impossible.
    """
    why = compiled.why_not_undone
    if precision:
        why = "values have noise of a given precision"
    if asked == ADJOINT and why:
        raise BasicAerError(
            f"Circuit '{compiled.name}' cannot be differentiated by method 'adjoint', since {why}; leave out the "
            "method, and its angles are shifted."
        )
    if compiled.compiled is None:
        occurrences = compiled.occurrences
        none = np.empty((0, len(occurrences.parameters)))
        program = lower_sweep(occurrences.circuit, none, noise=noise, poll=poll).structure
    else:
        program = compiled.program
    has_errors = any(isinstance(operation, Channel) for operation in program.body)
    choice = choose_method(simulation, program, shots_for(precision), exactly=True)
    if asked == SHIFTED:
        return Way(SHIFTED, "it was asked for", program, choice, has_errors)
    if not why and has_errors and asked is None:
        why = _why_a_matrix(compiled, program, choice, simulation)
    if why:
        return Way(SHIFTED, why, program, choice, has_errors)
    if has_errors:
        reason = "each pattern of its errors makes a circuit of gates"
        return Way(ADJOINT, reason, program, MethodChoice(Method.STATEVECTOR), has_errors)
    return Way(ADJOINT, "the circuit has gates only", program, choice, has_errors)


def _why_a_matrix(compiled: Differentiable, program: Program, choice: MethodChoice, simulation: Method) -> str:
    """Return why density matrices at shifted angles are better than a sweep for each pattern; empty if they are not."""
    if not choice.is_density:
        return ""
    if simulation is not Method.AUTOMATIC:
        return choice.reason
    try:
        matrices = 1 + len(_rules(compiled))
    except BasicAerError:  # a gate has no rule
        return ""
    patterns = count_of_patterns(program)
    if patterns is None:
        return "a density matrix is exact, and its errors have too many patterns to follow each"
    if _STATES_OF_A_SWEEP * patterns > matrices * states_for_a_matrix(program):
        return "density matrices are faster than a sweep for each pattern of its errors"
    return ""


def _rules(compiled: Differentiable) -> list[tuple[int, float, float]]:
    """Return the occurrences that are shifted, by how much, and the factor of each value in the derivative."""
    angles = compiled.occurrences.angles
    wanted = sorted(one for one in set(compiled.slopes.rows.tolist()) if one < len(angles))
    return [(one, shift, factor) for one in wanted for shift, factor in shift_rule(*angles[one])]


def shifts_at(
    compiled: Differentiable,
    angles: NDArray[np.float64],
    *,
    terms: Sequence[Terms],
    precision: float,
    choice: MethodChoice,
    noise: CircuitNoise | None,
    poll: Callable[[], None],
) -> Shifts:
    """Return the values at shifted angles that give the derivatives.

    Parameters
    ----------
    angles
        ``angles[s, c]`` of occurrence c in set s, which are shifted.
    terms, precision
        The observables, and how precisely each is estimated.
    """
    occurrences, rules = compiled.occurrences, _rules(compiled)
    angles = angles[:, : len(occurrences.parameters)]
    rows = np.repeat(angles[:, None], 1 + len(rules), axis=1)
    for number, (one, shift, _) in enumerate(rules, 1):
        rows[:, number, one] += shift
    rows = rows.reshape(-1, angles.shape[1])
    sweep = lower_sweep(occurrences.circuit, rows, noise=noise, poll=poll)
    sweep = replace(sweep, template=sweep.template and replace(sweep.template, name=compiled.name))
    sets, observables = np.indices((len(rows), len(terms)))
    task = EstimatorTask(sweep, sets.shape, None, precision, tuple(terms), sets, observables, choice)
    which, _, factors = zip(*rules, strict=True) if rules else ((), (), ())
    return Shifts(task, np.array(which, np.intp), np.array(factors, float))
