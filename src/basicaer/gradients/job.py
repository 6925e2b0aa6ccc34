"""The job of a gradient, and its result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from basicaer.errors import BasicAerError
from basicaer.job import BasicAerJob

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from basicaer.gradients.payload import Differentiated

__all__ = ["GradientJob", "GradientResult"]


@dataclass(frozen=True, slots=True)
class GradientResult:
    """Expectation values and their derivatives.

    Attributes
    ----------
    values
        The expectation values: of shape ``sets + observables``, where `sets` is the shape of the parameter values
        without their last axis; float64.
    gradients
        The derivatives, with one more axis for the parameters, in the order that was asked for. With a cotangent, they
        are weighed by it and summed over the observables, whose axes are then missing.
    metadata
        How it was done: ``"method"``, ``"adjoint"`` or ``"parameter shift"``, ``"reason"`` why, and what the method
        itself has to say; ``"deviation"`` is how far an amplitude of 1 is off after the sweep forwards and back.
    standard_errors
        The standard errors of the derivatives, in the shape of these; None if they are exact.
    """

    values: NDArray[np.float64]
    gradients: NDArray[Any]
    metadata: dict[str, Any]
    standard_errors: NDArray[np.float64] | None = None


class GradientJob(BasicAerJob):
    """The job that `gradient` returns; it does what a `BasicAerJob` does, except for `qobj`."""

    if TYPE_CHECKING:  # no method of its own: its frame would keep the job alive from the traceback of an error

        def result(self, timeout: float | None = None) -> GradientResult: ...  # noqa: D102

    def partial_result(self) -> Any:
        """Return the result of a job that is done, else None."""
        return super().partial_result()

    def _result_of(self, outcome: list[Differentiated]) -> Any:
        (one,) = outcome
        shape, observables, part, _ = one.report
        gradients = part.of(one.gradients)
        outputs = observables if gradients.ndim > 2 else ()  # sets, observables, parameters
        whole = (*shape, *outputs, gradients.shape[-1])
        return GradientResult(
            one.values.reshape((*shape, *observables)),
            gradients.reshape(whole),
            one.metadata,
            None if one.errors is None else one.errors.reshape(whole),
        )

    def qobj(self) -> Any:
        """Raise an error, since a gradient cannot be expressed as a Qobj.

        Raises
        ------
        BasicAerError
            Always.
        """
        raise BasicAerError("A job of a gradient has no Qobj; run the bound circuit on a backend for one.")
