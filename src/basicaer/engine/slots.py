"""Slots: gates of a program that stand where an error has one of several operators, another one in each shot."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from basicaer.engine.frames import Variants, conjugated, looked_up
from basicaer.engine.program import Form, Gate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["Slot", "SlotOperators"]


class Slot:
    """A place where one of several operators acts, another one in each shot. Errors pass it like a gate.

    Parameters
    ----------
    wires
        Its qubits.
    operators
        ``operators[i]`` is a matrix on them; the first one acts in most shots.

    Attributes
    ----------
    gate
        The gate of the template.
    default_is_identity
        Whether the first operator is the identity, so that it is the same after any error.
    always_differs
        Whether the numbers of `gate` are not those of the first operator, as they are if only others are complex.
    """

    def __init__(self, wires: tuple[int, ...], operators: SlotOperators) -> None:
        self.wires = wires
        self._operators = operators
        self.default_is_identity = operators.default_is_identity
        first = operators.variants[0]
        strange = [matrix for matrix in operators.matrices if matrix.imag.any()]
        self.always_differs = bool(strange) and not first.imag.any()
        data = strange[0] if self.always_differs else first
        self.gate = Gate("error", "G" * len(wires), wires, Form.MATRIX, data)

    @property
    def variants(self) -> list[NDArray[np.complex128]]:
        """The numbers that the gate has, depending on the operator and the error before it."""
        return self._operators.variants

    def chosen(self, operators: NDArray[np.intp], errors: NDArray[np.int64] | None) -> NDArray[np.intp]:
        """Return the number of the variant in each shot.

        Parameters
        ----------
        operators
            The number of the operator that acts in each shot.
        errors
            The error that each shot has before it, None if there are none.
        """
        size = 4 ** len(self.wires)
        both = operators * size if errors is None else operators * size + errors
        return looked_up(both, size * len(self._operators.matrices), self._operators.variant)


class SlotOperators:
    """The operators of slots, whatever their wires, and what errors make of them: ``Q* K Q`` for the error Q."""

    def __init__(self, matrices: Sequence[NDArray[np.complex128]]) -> None:
        self.matrices = matrices
        self._size = len(matrices[0]) ** 2
        self.default_is_identity = bool((matrices[0] == np.eye(len(matrices[0]))).all())
        self._variants = Variants(matrices[0])

    @property
    def variants(self) -> list[NDArray[np.complex128]]:
        """All that have been asked for; first the first operator."""
        return self._variants.data

    def variant(self, key: int) -> int:
        """Return the number of the variant that acts for an operator and an error: ``operator * 4**wires + error``."""
        operator, error = divmod(key, self._size)
        z, x = divmod(error, len(self.matrices[0]))
        return self._variants.number(key, lambda: conjugated(self.matrices[operator], x, z))
