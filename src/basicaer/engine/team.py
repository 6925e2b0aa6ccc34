"""Ranks that share the shots of a run: each follows some of them, and in the end all know the outcomes of all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Team", "of_all"]


class Team(Protocol):
    """Ranks that run the same program at the same time, of which this is one; see `basicaer.devices.distributed`."""

    rank: int
    size: int

    def gather(self, thing: Any = None, about: str = "") -> list[Any]:
        """Return what each rank has given, in the order of the ranks; `about` says what that is."""


def of_all(team: Team, own: NDArray[Any]) -> NDArray[Any]:
    """Return the bits or truth values that any rank has set; each sets those of its own shots."""
    joined: NDArray[Any] = np.bitwise_or.reduce(team.gather(own, "the outcomes of shots"))
    return joined
