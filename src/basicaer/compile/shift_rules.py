"""Parameter-shift rules: the derivative of an expectation value by an angle as a sum of values at other angles."""

from __future__ import annotations

from functools import cache
from math import pi, sin
from typing import TYPE_CHECKING

import numpy as np

from basicaer.errors import BasicAerError

if TYPE_CHECKING:
    from basicaer.compile.gates import GateRecord

__all__ = ["shift_rule"]

_ANY_ANGLE = 0.7548776662466927
_ABSENT = 1e-12


@cache
def shift_rule(record: GateRecord, angle: int) -> tuple[tuple[float, float], ...]:
    """Return pairs of a shift and a factor: the derivative is the sum of factors times values at shifted angles.

    The rule is exact for any circuit in which the gate is one of the operations, whatever it measures, since the
    expectation value is linear in what the gate does to a density matrix. It is a sum of multiples of
    ``exp(1j * w * angle)`` with the differences w of the frequencies of the gate's numbers, of which there are one or
    two, the second twice the first (Wierichs et al. 2022, arXiv:2107.12390, equation 20).

    Raises
    ------
    BasicAerError
        If the gate's numbers have no such frequencies.
    """
    frequency = record.angles[angle]
    if callable(frequency):
        raise BasicAerError(
            f"Gate '{record.name}' has no parameter-shift rule, which a circuit that measures, resets, branches or has "
            "noise needs; write it as other gates."
        )
    angles = [_ANY_ANGLE] * len(record.angles)
    third = 2 * pi / 3 / frequency
    rows = [record.data([*angles[:angle], angles[angle] + k * third, *angles[angle + 1 :]]) for k in range(3)]
    parts = abs(np.fft.fft(rows, axis=0)).reshape(3, -1).max(axis=1) > _ABSENT
    present = {number for number, there in zip((0, 1, -1), parts, strict=True) if there}
    if record.controls != 0:
        present.add(0)
    differences = {abs(one - other) for one in present for other in present} - {0}
    if not differences:
        return ()
    step = min(differences) * frequency
    count = max(differences) // min(differences)
    turns = [(2 * number - 1) * pi / (2 * count) for number in range(1, 2 * count + 1)]
    return tuple(
        (turn / step, (-1) ** number * step / (4 * count * sin(turn / 2) ** 2)) for number, turn in enumerate(turns)
    )
