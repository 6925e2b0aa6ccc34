"""A rank without others, which has all of a state: it goes on with what several ranks have begun."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from basicaer.devices.distributed.comm import Comm

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["one_rank"]


def one_rank() -> Comm:
    """Return the only rank of a job."""
    return Comm(_Alone())


class _Alone:
    """See `basicaer.devices.distributed.comm.Transport`."""

    rank, size = 0, 1

    def gather(self, thing: Any) -> list[Any]:
        return [thing]

    def swap(self, partner: int, out: NDArray[Any], into: NDArray[Any]) -> None:
        raise NotImplementedError  # there is nobody to swap with

    def warn(self) -> None:
        pass

    def is_warned(self) -> bool:
        return False

    def forget(self, ranks: Sequence[int]) -> None:
        pass

    def again(self) -> _Alone:
        return self

    def close(self) -> None:
        pass
