"""Whether two states are the same but for rounding."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["are_alike", "largest_distance"]

_UNITS = 1e4  # of the precision: states that have gone through many gates differ by some hundreds of these


@cache
def largest_distance(dtype: np.dtype[np.complexfloating]) -> float:
    """Return the norm of the difference of two states up to which they count as the same."""
    return float(_UNITS * np.finfo(dtype).eps)


def are_alike(one: NDArray[np.complexfloating], other: NDArray[np.complexfloating], *, up_to_phase: bool) -> bool:
    """Tell whether two states are the same, perhaps up to a global phase."""
    if up_to_phase:
        product = np.vdot(one, other)
        one = one * (product / abs(product) if product else 1)
    return bool(np.linalg.norm(other - one) < largest_distance(other.dtype))
