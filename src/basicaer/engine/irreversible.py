"""What states have in common that no gradient goes back through."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    import numpy as np
    from numpy.typing import NDArray

    from basicaer.engine.device import Generators
    from basicaer.engine.plan import Plan
    from basicaer.engine.program import Segment

__all__ = ["Irreversible"]


class Irreversible:
    """The methods of `basicaer.engine.device.State` that only gradients call, for states that they never run on."""

    def operated(self, masks: Sequence[tuple[int, int]], factors: NDArray[np.float64]) -> Self:
        """Apply no observable."""
        raise NotImplementedError

    def with_amplitudes(self, amplitudes: NDArray[np.complexfloating]) -> Self:
        """Take no other amplitudes."""
        raise NotImplementedError

    def overlaps(self, bras: Sequence[Self]) -> NDArray[np.complex128]:
        """Compare no states."""
        raise NotImplementedError

    def undo(
        self,
        bras: Sequence[Self],
        segment: Segment,
        plan: Plan | None,
        start: Mapping[str, Any],
        generators: Generators,
        *,
        is_last: bool = False,
    ) -> dict[int, NDArray[np.complex128]]:
        """Undo no gates."""
        raise NotImplementedError
