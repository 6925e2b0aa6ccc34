"""A circuit that was prepared for one simulator in one of its settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray


class Entry(NamedTuple):
    """The run that is timed, and the final state by which it is checked."""

    setting: str  # "" for a simulator that has only one
    run: Callable[[], object]  # runs from |0...0> to the shots
    amplitudes: Callable[[], NDArray[np.complexfloating]]  # returns the final state; bit q of an index is qubit q
