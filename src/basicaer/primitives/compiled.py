"""A circuit and its observables, prepared once, to be evaluated at parameter values again and again."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from basicaer.errors import PubError, at_border, shown
from basicaer.primitives.payload import EstimatorTask
from basicaer.wording import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from qiskit.circuit import Parameter

    from basicaer.compile.sweep import ProgramSweep
    from basicaer.engine.method import MethodChoice
    from basicaer.primitives.job import PrimitiveJob
    from basicaer.primitives.payload import Terms

__all__ = ["CompiledCircuit", "check_shape"]


class CompiledCircuit:
    """A function of a circuit's parameters: the exact expectation values of its observables.

    It is made by `backend.compile` and by `EstimatorV2.compile`. Later changes of the circuit have no effect on it. Any
    number of threads may call it at the same time.

    Attributes
    ----------
    parameters
        The circuit's parameters, in the order of their values.
    shape : tuple[int, ...]
        The shape of the observables; () for a single one.

    Examples
    --------
    >>> from qiskit import QuantumCircuit
    >>> from qiskit.circuit import Parameter
    >>> from basicaer import BasicAer
    >>> circuit = QuantumCircuit(1)
    >>> _ = circuit.ry(Parameter("angle"), 0)
    >>> energy = BasicAer.get_backend("statevector_simulator").compile(circuit, "Z")
    >>> round(energy([0.5]), 6), energy([[0.0], [0.5]]).round(6).tolist()
    (0.877583, [1.0, 0.877583])
    """

    def __init__(  # made by the estimator only
        self,
        *,
        name: str,
        parameters: Sequence[Parameter],
        shape: tuple[int, ...],
        terms: tuple[Terms, ...],
        choice: MethodChoice,
        lowered: Callable[[NDArray[np.float64]], ProgramSweep],
        submit: Callable[[EstimatorTask], PrimitiveJob],
    ) -> None:
        self.parameters = list(parameters)
        self.shape = shape
        self._name = name
        self._terms = terms
        self._choice = choice
        self._lowered = lowered
        self._submit = submit

    def __repr__(self) -> str:
        observables = f"observables of shape {self.shape}" if self.shape else "one observable"
        return f"<CompiledCircuit of '{self._name}': {counted(len(self.parameters), 'parameter')}, {observables}>"

    def __call__(self, values: Any) -> Any:
        """Return the expectation values at parameter values, and wait for them.

        Parameters
        ----------
        values
            Array of shape (..., number of parameters).

        Returns
        -------
        float or array of float64
            Its shape is that of the values without their last axis, followed by that of the observables; a float if
            this is ().

        Raises
        ------
        PubError
            If there are other than one value for each parameter, or values that are not finite.
        """
        evs = self.submit(values).result()[0].data.evs
        return evs if evs.ndim else float(evs)

    def submit(self, values: Any) -> PrimitiveJob:
        """Submit the evaluation as a job, which can be waited for, watched and cancelled.

        Its result is that of an `EstimatorV2` with one PUB: ``job.result()[0].data.evs``.
        """
        count = len(self.parameters)
        with at_border(lambda _: PubError(f"Parameter values must be an array of numbers, not {shown(values)}.")):
            if values is None:
                raise TypeError
            array = np.asarray(values, float)
        check_shape(array.shape, count, self._name)
        size = prod(array.shape[:-1])
        sweep = self._lowered(array.reshape(size, count))
        shape = (*array.shape[:-1], *self.shape)
        sets, observables = np.indices((size, len(self._terms)))
        sets, observables = sets.reshape(shape), observables.reshape(shape)
        task = EstimatorTask(sweep, shape, None, 0.0, self._terms, sets, observables, self._choice)
        return self._submit(task)


def check_shape(shape: tuple[int, ...], count: int, name: str) -> None:
    """Raise an error if the last axis of an array of values has not one for each parameter."""
    if not shape or shape[-1] != count:
        raise PubError(
            f"Circuit '{name}' has {counted(count, 'parameter')}, and is given values of shape {shape}; give an array "
            f"of shape ({count},), or (..., {count}) for several sets."
        )
