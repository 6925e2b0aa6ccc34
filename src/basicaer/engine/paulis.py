"""Expectation values of products of Paulis; products that flip the same qubits are computed together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

__all__ = ["pauli_values"]


def pauli_values(
    masks: Sequence[tuple[int, int]], expectations: Callable[[int, Sequence[int]], NDArray[np.float64]]
) -> NDArray[np.float64]:
    """Return the expectation value of each product of Paulis; the last axis has the order of `masks`.

    Parameters
    ----------
    masks
        The masks x and z of each product, as for `State.expectations`.
    expectations
        The method `expectations` of a state, or of a batch, whose values have an axis of states first.
    """
    groups: dict[int, list[int]] = {}  # groups[x] = places of the masks with this x
    for place, (x, _) in enumerate(masks):
        groups.setdefault(x, []).append(place)
    order = [place for places in groups.values() for place in places]
    found = [expectations(x, [masks[place][1] for place in places]) for x, places in groups.items()]
    values = np.concatenate(found, axis=-1) if found else np.zeros(0)
    return values[..., np.argsort(order)] if found else values
