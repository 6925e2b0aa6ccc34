"""Small states that a loop brings back to where they were: what it did to them is remembered, not done again.

A preparation that is repeated until it succeeds comes to the same few states in every iteration.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from basicaer.engine.program import Reset, Segment
from basicaer.engine.splitting import are_certain, probabilities

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from basicaer.engine.groups import Frame, Group
    from basicaer.engine.planning import Planning

__all__ = ["Shortcuts"]

_MOST_QUBITS = 6  # a larger state takes longer to look up than to change
_MOST_KNOWN = 256
_LARGE = 2 ** (-_MOST_QUBITS / 2 - 1)  # each state has a larger amplitude
_STEPS = 2**40  # steps per unit in which amplitudes are compared, coarser than rounding in double precision


class Shortcuts:
    """Takes branches through gates and through resets whose outcome is certain, where nothing is drawn or recorded.

    Parameters
    ----------
    planning
        The plans of the run. Nothing is remembered if its gates run by plans, which may round in another way.
    is_persisted
        Whether the run is saved on its way, operation by operation; nothing is remembered then either.
    keeps_phases
        Whether global phases matter.
    """

    def __init__(self, planning: Planning, *, is_persisted: bool, keeps_phases: bool) -> None:
        self._is_worthwhile = planning.n_qubits <= _MOST_QUBITS and not planning.has_plans and not is_persisted
        self._planning = planning
        self._keeps_phases = keeps_phases
        # _known[block, place in it, state] = (place at which the shortcut ends, state there)
        self._known: dict[tuple[int, int, bytes], tuple[int, NDArray[np.complexfloating]]] = {}

    def taken(self, group: Group, frame: Frame) -> Frame:
        """Take a group of one branch as far as it goes; return where it stands then, `frame` itself if it is there."""
        state = group.ensemble.single
        if not self._is_worthwhile or frame.outer is None or state is None or not _is_plain(frame):
            return frame
        with np.errstate(all="ignore"):  # an invalid state is detected when it is measured
            key = id(frame.block), frame.at, self._rounded(state.read())
        known = self._known.get(key)
        if known is not None:
            end, amplitudes = known
            if end == frame.at:
                return frame
            state.load(amplitudes)
            return frame._replace(at=end)
        here = frame
        while _is_plain(here):
            match here.operation:
                case Segment() as segment:
                    state.run(segment, None)
                case Reset(qubit):
                    of_both = probabilities(group.ensemble, qubit)
                    if not are_certain(of_both):
                        break
                    group.ensemble.flip(qubit, of_both[:, 1] == 1, self._planning.plan)
            here = here.next()
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known[key] = here.at, state.read()
        return here

    def _rounded(self, amplitudes: NDArray[np.complexfloating]) -> bytes:
        """Return the same bytes for states that differ by rounding only or, if phases do not matter, by a phase."""
        if not self._keeps_phases:
            large = amplitudes[(abs(amplitudes) > _LARGE).argmax()]
            amplitudes = amplitudes * (large.conjugate() / abs(large))
        steps: NDArray[np.int64] = np.rint(amplitudes.astype(complex).view(float) * _STEPS).astype(np.int64)
        return steps.tobytes()


def _is_plain(frame: Frame) -> bool:
    """Tell whether the next operation has only gates with numbers of their own, or is a reset."""
    match frame.operation:
        case Segment(open=False) | Reset():
            return True
        case _:
            return False
