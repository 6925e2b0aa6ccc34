"""Makes sure that no simulator is timed on a wrong circuit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LARGEST_INFIDELITY = {"double": 1e-10, "single": 1e-4}


def require_same_state(
    who: str, found: NDArray[np.complexfloating], expected: NDArray[np.complexfloating], precision: str, circuit: str
) -> None:
    """End the program if a simulator's final state differs from the expected one by more than a global phase."""
    overlap = abs(np.vdot(expected, found.astype(complex))) / np.vdot(expected, expected).real
    infidelity = 1 - overlap**2
    if not abs(infidelity) < _LARGEST_INFIDELITY[precision]:
        raise SystemExit(
            f"{who} ({precision}) was given or made a wrong circuit: "
            f"its state for {circuit} differs by {infidelity:.1e}."
        )
