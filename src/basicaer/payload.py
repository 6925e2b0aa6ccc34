"""The interface of a job's payload, which the job sends to its worker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from basicaer.records import FinishedExperiment

__all__ = ["OpaquePayload", "Payload"]


class Payload(Protocol):
    """The interface of a job's payload.

    Attributes
    ----------
    argument
        What the job's function is called with: the payload itself, unless it only wraps something else.
    gpu
        The number of the GPU that all of it is expected to run on, so that the job queues for it; None for the CPU.
    is_quick
        Whether it runs in less time than it takes to hand it to another thread.
    is_saved
        Whether it is saved when it is cancelled, which takes a while.
    """

    @property
    def argument(self) -> Any:  # noqa: D102  # these four are described above
        ...

    @property
    def gpu(self) -> int | None:  # noqa: D102
        ...

    @property
    def is_quick(self) -> bool:  # noqa: D102
        ...

    @property
    def is_saved(self) -> bool:  # noqa: D102
        ...

    def split(self, most: int) -> Sequence[Payload]:
        """Return the same work in pieces that may run beside each other, `most` at most."""

    def partial_result(self, job_id: str, finished: Mapping[int, FinishedExperiment | None]) -> Any:
        """Return a result of what a worker has handed over before it failed; None if nothing can be said."""

    def join(self, results: Sequence[Any]) -> Any:
        """Return the results of the pieces, in their order, as one."""


class OpaquePayload(NamedTuple):
    """Work that a job knows nothing of: one piece, for a function of the caller's own."""

    argument: Any
    gpu: None = None
    is_quick: bool = False
    is_saved: bool = False

    def split(self, _most: int) -> list[OpaquePayload]:
        """Return it as it is."""
        return [self]

    def partial_result(self, _job_id: str, _finished: Mapping[int, FinishedExperiment | None]) -> None:
        """Return nothing."""
        return

    def join(self, results: Sequence[Any]) -> Any:
        """Return the result of the only piece."""
        return results[0]
