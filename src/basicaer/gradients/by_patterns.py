"""Differentiates a circuit on each pattern of its errors, and takes the mean over the patterns."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from basicaer.engine.draws import seed_of_experiment
from basicaer.engine.error_patterns import NoisyProgram
from basicaer.engine.sweeps import AdjointSums
from basicaer.gradients.payload import Differentiated, PatternsBegun
from basicaer.gradients.sums import gradients_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from basicaer.engine.adjoint import Adjoint
    from basicaer.engine.error_patterns import NoisySweep, Patterns
    from basicaer.engine.sweeps import Done, Sweep
    from basicaer.gradients.payload import GradientTask

__all__ = ["by_patterns"]

_FEWEST_OTHERS = 8  # shots from which a standard deviation is estimated
_MOST_PER_SLOPE = 2.0  # no angle of a gate of the table changes a value of at most 1 faster than so


def by_patterns(  # noqa: PLR0917  # what a task is carried out with
    task: GradientTask,
    noisy: NoisySweep,
    adjoint: Adjoint,
    seed: int,
    begun: PatternsBegun | None,
    note: Callable[[PatternsBegun], None],
) -> Differentiated:
    """Return the derivatives of a task whose program has errors.

    Parameters
    ----------
    seed
        The seed of the job.
    begun
        How far the task was when it was saved; None if it was not.
    note
        Called with how far it is, each time that some patterns are done.
    """
    begun = begun or PatternsBegun.of_none(task)
    for number in range(begun.sets, task.sets):
        _OneSet(task, noisy, number, seed, adjoint).run(begun, note, is_first=number == begun.sets)
    count = task.observables
    how: dict[str, Any] = {"patterns": begun.patterns}
    errors = None
    if begun.is_exact:
        how |= {"simulation": "exact", "neglected_probability": begun.cut}
    else:
        errors = _gradients(begun.errors, task)
        how |= {"simulation": "shots", "shots": noisy.shots}
        how["ensemble_standard_error"] = float(begun.errors[:, :count].max(initial=0.0))
        how["gradient_standard_error"] = float(errors.max(initial=0.0))
    gradients = _gradients(begun.means, task).astype(complex)
    return Differentiated(begun.means[:, :count].copy(), gradients, task.metadata | how, task.report, errors)


def _gradients(numbers: NDArray[np.float64], task: GradientTask) -> NDArray[np.float64]:
    """Return those of the numbers of all sets that belong to derivatives, as ``gradients[s, o, j]`` or without o."""
    outputs = (task.observables,) if task.cotangent is None else ()
    return numbers[:, task.observables :].reshape(task.sets, *outputs, task.chain.wanted).copy()


class _OneSet:
    """The patterns of errors of one set of values.

    What is added up of each pattern are the values of the observables, followed by the derivatives.
    """

    def __init__(self, task: GradientTask, noisy: NoisySweep, number: int, seed: int, adjoint: Adjoint) -> None:
        _, _, self._monitor = adjoint.parts
        self._adjoint, self._number = adjoint, number
        sweep = noisy.of_set(number)
        self._program = program = NoisyProgram(sweep, self._monitor.poll)
        followed = program.followed()
        self._is_exact = followed is not None
        self._patterns: Patterns = followed or program.drawn(noisy.shots, seed_of_experiment(seed, number))
        self._task = replace(
            task,
            angles=tuple([one._replace(place=0, gate=program.places[one.place, one.gate]) for one in task.angles]),
            chain=task.chain._replace(slopes=task.chain.slopes[number : number + 1]),
        )
        self._bounds = self._largest(sweep)

    def run(self, begun: PatternsBegun, note: Callable[[PatternsBegun], None], *, is_first: bool) -> None:
        """Add the patterns that are left, and go on to the next set."""
        begun.is_exact = self._is_exact
        for sweep in self._program.sweeps(self._patterns, begun.done):
            begin = begun.done
            if is_first:  # others have about as many passes
                left = len(self._patterns.rows) * (self._task.sets - begun.sets) - begun.done
                self._monitor.expect(self._adjoint.passes(sweep) * left // sweep.size, 0)
                is_first = False

            def add(found: AdjointSums, done: Done, sweep: Sweep = sweep, begin: int = begin) -> None:
                if done.upto:
                    return  # more bras of these patterns are to come
                new = slice(begun.done - begin, done.sets)
                self._add(begun, sweep, found, new)
                if begun.done < len(self._patterns.rows):
                    note(begun)

            self._adjoint.run(sweep, note=add, is_part=True)
        self._finish(begun)
        note(begun)

    def _add(self, begun: PatternsBegun, sweep: Sweep, found: AdjointSums, new: slice) -> None:
        sums = {place: {gate: own[:, new] for gate, own in some.items()} for place, some in found.sums.items()}
        cotangent = None if sweep.cotangent is None else sweep.cotangent[new]
        own = AdjointSums(found.values[new], sums)
        gradients = gradients_of(self._task, replace(sweep, cotangent=cotangent), own).real
        rows = np.concatenate([own.values, gradients.reshape(len(gradients), -1)], axis=1)
        usual = self._patterns.usual
        for row in rows:  # one by one: rounding must not depend on how many are found together
            if not begun.done:
                begun.sums[1] = row
            if usual is not None and begun.done == usual[0]:
                begun.sums[0] = row
            weight, away = self._patterns.weights[begun.done], row - begun.sums[1]
            begun.sums[2] += weight * away
            begun.sums[3] += weight * away**2
            begun.done += 1

    def _finish(self, begun: PatternsBegun) -> None:
        """Take the mean of the patterns, and its standard error, and go on to the next set."""
        patterns, number = self._patterns, self._number
        of_usual, reference, first, second = begun.sums
        whole = float(patterns.weights.sum())
        if self._is_exact:
            begun.means[number] = reference * whole + first
        else:
            weight = 0.0 if patterns.usual is None else patterns.usual[1]
            rest = max(1 - weight, 0.0)
            begun.means[number] = weight * of_usual
            if whole:
                begun.means[number] += rest * (reference + first / whole)
            if whole < _FEWEST_OTHERS:  # too few to tell how much they differ
                begun.errors[number] = rest * self._bounds / max(whole, 1) ** 0.5
            else:
                variances = np.maximum(second - first**2 / whole, 0) / (whole - 1)
                begun.errors[number] = rest * np.sqrt(variances / whole)
        begun.patterns += len(patterns.rows)
        begun.cut = max(begun.cut, patterns.cut)
        begun.sets, begun.done = number + 1, 0
        begun.sums[:] = 0

    def _largest(self, sweep: Sweep) -> NDArray[np.float64]:
        """Return a bound of the values and of the derivatives."""
        values = abs(sweep.factors).sum(axis=1)
        outputs = values if sweep.cotangent is None else abs(sweep.cotangent[0]) @ values[:, None]
        chain = self._task.chain
        slopes = np.bincount(chain.columns, abs(chain.slopes[0]), chain.wanted)
        return np.concatenate([values, np.outer(outputs, _MOST_PER_SLOPE * slopes).reshape(-1)])
