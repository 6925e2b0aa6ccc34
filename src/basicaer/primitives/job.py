"""The job of a primitive: a `BasicAerJob` whose result is Qiskit's `PrimitiveResult`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qiskit.primitives import BasePrimitiveJob, PrimitiveResult

from basicaer.errors import BasicAerError
from basicaer.job import BasicAerJob

if TYPE_CHECKING:
    from basicaer.primitives.payload import Estimated, Sampled

__all__ = ["PrimitiveJob"]


class PrimitiveJob(BasicAerJob, BasePrimitiveJob):
    """The job that a primitive's ``run`` returns; it does what a `BasicAerJob` does, except for `qobj`."""

    if TYPE_CHECKING:  # no method of its own: its frame would keep the job alive from the traceback of an error

        def result(self, timeout: float | None = None) -> PrimitiveResult[Any]: ...  # noqa: D102

    def partial_result(self) -> PrimitiveResult[Any] | None:
        """Return the result of a job that is done, else None: PUBs are not finished one by one."""
        return super().partial_result()

    def _result_of(self, outcome: list[Sampled | Estimated]) -> PrimitiveResult[Any]:
        return PrimitiveResult([one.as_qiskit() for one in outcome], metadata={"version": 2})

    def qobj(self) -> Any:
        """Raise an error, since a primitive's PUBs cannot be expressed as a Qobj.

        Raises
        ------
        BasicAerError
            Always.
        """
        raise BasicAerError("A job of a primitive has no Qobj; run the bound circuits on a backend for one.")
