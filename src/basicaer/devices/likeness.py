"""Whether two states are the same but for rounding."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["are_alike", "largest_distance"]

# In units of the precision. Rounding in a hundred gates makes states differ by about ten of these. In single precision
# a larger distance would swallow the small rotations that a program may well make in one branch and not in the other.
_UNITS_OF_SINGLE, _UNITS_OF_DOUBLE = 1e2, 1e4


@cache
def largest_distance(dtype: np.dtype[np.complexfloating]) -> float:
    """Return the norm of the difference of two states up to which they count as the same."""
    units = _UNITS_OF_SINGLE if dtype == np.complex64 else _UNITS_OF_DOUBLE
    return float(units * np.finfo(dtype).eps)


def are_alike(one: NDArray[np.complexfloating], other: NDArray[np.complexfloating], *, up_to_phase: bool) -> bool:
    """Tell whether two states are the same, perhaps up to a global phase."""
    if up_to_phase:
        product = np.vdot(one, other)
        one = one * (product / abs(product) if product else 1)
    return bool(np.linalg.norm(other - one) < largest_distance(other.dtype))
