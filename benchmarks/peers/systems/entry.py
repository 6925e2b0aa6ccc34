"""A circuit made ready for one simulator in one setting."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray


class Entry(NamedTuple):
    """What is timed, and how it is known to be right."""

    setting: str  # what of this simulator's choices it has; "" where there is no choice
    run: Callable[[], object]  # from |0...0> to the shots
    amplitudes: Callable[[], NDArray[np.complexfloating]]  # of the state in the end; bit q of an index is qubit q
