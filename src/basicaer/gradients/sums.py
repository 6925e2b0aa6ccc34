"""Derivatives by parameters from what a sweep has summed up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from basicaer.engine.sweeps import AdjointSums, Sweep
    from basicaer.gradients.payload import GradientTask

__all__ = ["gradients_of"]


def gradients_of(task: GradientTask, sweep: Sweep, found: AdjointSums) -> NDArray[np.complex128]:
    """Return ``gradients[s, o, j]`` by parameter j, for all sets s that are found; with a cotangent, o is 0."""
    values, cotangent = found.values, sweep.cotangent
    by_occurrences = np.zeros((len(values), sweep.outputs, task.chain.size), complex)
    for place, gate, at, occurrence in task.angles:
        by_occurrences[:, :, occurrence] = found.sums[place][gate][:, :, at].T
    # Each global phase turns the whole state.
    of_state = values if cotangent is None else (values * cotangent).sum(axis=1, keepdims=True)
    by_occurrences[:, :, task.chain.size - task.phases :] = 1j * of_state[:, :, None]
    if sweep.bras is None:
        by_occurrences *= 2
    gradients: NDArray[np.complex128] = task.chain.by_parameters(by_occurrences)
    return gradients
