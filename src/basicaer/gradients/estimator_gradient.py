"""`EstimatorGradient`: gradients for programs that call those of qiskit-algorithms and qiskit-machine-learning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from qiskit import QuantumCircuit

from basicaer.errors import BasicAerError, OptionValueError, PubError, at_border, shown
from basicaer.gradients.compiled import CompiledGradient
from basicaer.gradients.inputs import read_values
from basicaer.gradients.job import GradientJob
from basicaer.gradients.payload import Report
from basicaer.gradients.submitting import submit_tasks
from basicaer.options import check_option
from basicaer.primitives.estimator import EstimatorV2
from basicaer.wording import counted

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from qiskit.circuit import Parameter

    from basicaer.gradients.payload import Differentiated, GradientTask

__all__ = ["EstimatorGradient", "EstimatorGradientJob", "EstimatorGradientResult"]


@dataclass(frozen=True, slots=True)
class EstimatorGradientResult:
    """What an `EstimatorGradient` has found.

    Attributes
    ----------
    gradients
        ``gradients[k]`` is the gradient of observable k in circuit k, in the order of the parameters.
    metadata
        For each of them how it was done, with the parameters; see `GradientResult`.
    precision
        The precision of the values that were differentiated; 0 if they were exact.
    options
        Nothing: the results of qiskit-machine-learning have this attribute.
    """

    gradients: list[NDArray[Any]]
    metadata: list[dict[str, Any]]
    precision: float
    options: dict[str, Any]


class EstimatorGradientJob(GradientJob):
    """The job that `EstimatorGradient.run` returns."""

    if TYPE_CHECKING:

        def result(self, timeout: float | None = None) -> EstimatorGradientResult: ...  # type: ignore[override]  # noqa: D102  # another result

    def _result_of(self, outcome: list[Differentiated]) -> Any:
        found: dict[int, tuple[NDArray[Any], dict[str, Any]]] = {}
        for one in outcome:
            gradients = one.report.part.of(one.gradients)
            for number, place, observable in one.report.requests:
                found[number] = gradients[place, observable].copy(), dict(one.metadata)
        order = sorted(found)
        precision = max((one.metadata.get("precision_of_values", 0.0) for one in outcome), default=0.0)
        return EstimatorGradientResult(
            [found[number][0] for number in order], [found[number][1] for number in order], precision, {}
        )


class EstimatorGradient:
    """Gradients of expectation values, for `VQE`, `EstimatorQNN` and whatever else takes such an object.

    It has the methods of the class `BaseEstimatorGradient` of qiskit-algorithms and of qiskit-machine-learning, and
    needs neither. How derivatives are taken is said at `basicaer.gradient`.

    Parameters
    ----------
    estimator
        An `EstimatorV2` of basicaer, on whose options it runs; None for a new one.
    precision
        Default for runs without a precision; None for that of the estimator. Values are exact if it is 0.
    derivative_type
        ``"real"``, which is the derivative, ``"imag"`` or ``"complex"``, or the member of `DerivativeType`.
    transpiler, transpiler_options, pass_manager, options
        Accepted and ignored: circuits need no transpilation.

    Examples
    --------
    >>> from qiskit import QuantumCircuit
    >>> from qiskit.circuit import Parameter
    >>> from basicaer import EstimatorGradient
    >>> circuit = QuantumCircuit(1)
    >>> _ = circuit.ry(Parameter("angle"), 0)
    >>> EstimatorGradient().run([circuit], ["Z"], [[0.5]]).result().gradients[0].round(6).tolist()
    [-0.479426]
    """

    def __init__(
        self,
        estimator: EstimatorV2 | None = None,
        precision: float | None = None,
        derivative_type: Any = "real",
        *,
        transpiler: Any = None,
        transpiler_options: Any = None,
        pass_manager: Any = None,
        options: Any = None,
    ) -> None:
        del transpiler, transpiler_options, pass_manager, options
        self._estimator = EstimatorV2() if estimator is None else estimator
        if not isinstance(self._estimator, EstimatorV2):
            raise OptionValueError(
                f"EstimatorGradient runs on an EstimatorV2 of basicaer, not on {shown(estimator)}; leave the estimator "
                "out, or use the gradients of the package that it comes from."
            )
        self._precision = precision
        if precision is not None:
            check_option("default_precision", precision, called="precision")
        self._derivative_type = derivative_type

    @property
    def derivative_type(self) -> Any:
        """What is returned of ``2 <psi| H |dpsi>``."""
        return self._derivative_type

    @property
    def precision(self) -> float | None:
        """Default for runs without a precision."""
        return self._precision

    def run(
        self,
        circuits: Sequence[QuantumCircuit] | QuantumCircuit,
        observables: Sequence[Any] | Any,
        parameter_values: Sequence[Sequence[float]] | Sequence[float],
        parameters: Sequence[Sequence[Parameter] | None] | Sequence[Parameter] | None = None,
        *,
        precision: float | None = None,
        **options: Any,
    ) -> EstimatorGradientJob:
        """Submit the gradients of expectation values.

        Sets of values of the same circuit object are differentiated together, and each is evolved once for all of its
        observables.

        Parameters
        ----------
        circuits, observables, parameter_values
            Of the same length: observable k in circuit k at values k.
        parameters
            For each of them the parameters by which to differentiate, in the order of the result; None for all.
        precision
            As for the class.
        options
            Accepted and ignored.

        Returns
        -------
        EstimatorGradientJob
            The job, already submitted; its result has the ``gradients`` and their ``metadata``.

        Raises
        ------
        BasicAerError
            For anything that `gradient` would refuse, and for lists of different lengths.
        """
        del options
        circuits = [circuits] if isinstance(circuits, QuantumCircuit) else list(circuits)
        observables = _listed(observables)
        with at_border(
            lambda _: PubError(f"Parameter values must be arrays of numbers, not {shown(parameter_values)}.")
        ):
            values = [np.asarray(one, float) for one in _rows(parameter_values)]
        wanted: list[Any] = _of_each(parameters, len(circuits))
        lengths = {"observables": len(observables), "parameter_values": len(values), "parameters": len(wanted)}
        for name, length in lengths.items():
            if length != len(circuits):
                raise PubError(
                    f"run() is given {counted(len(circuits), 'circuit')} and {length} of {name}; give it as many of "
                    "each."
                )
        target = self._options_precision(precision)
        settings = self._estimator._settings()  # noqa: SLF001  # a class of this package
        make = partial(self._tasks, circuits, observables, values, wanted, target)
        return submit_tasks(EstimatorGradientJob, make, self._estimator, settings)

    def _options_precision(self, precision: float | None) -> float:
        for one in (precision, self._precision):
            if one is not None:
                checked: float = check_option("default_precision", one, called="precision")
                return checked
        return self._estimator.default_precision

    def _tasks(
        self,
        circuits: Sequence[QuantumCircuit],
        observables: Sequence[Any],
        values: Sequence[NDArray[np.float64]],
        wanted: Sequence[Any],
        precision: float,
    ) -> list[GradientTask]:
        """Return one task for all requests with one circuit and parameters whose sets have the same observables."""
        groups: dict[Any, list[int]] = {}
        for number, (circuit, some) in enumerate(zip(circuits, wanted, strict=True)):
            if not isinstance(circuit, QuantumCircuit):
                raise BasicAerError(f"A gradient is taken of a QuantumCircuit, not of {shown(circuit)}.")
            groups.setdefault((id(circuit), None if some is None else tuple(some)), []).append(number)
        tasks = []
        for numbers in groups.values():
            sets: dict[bytes, list[int]] = {}  # the requests of each set of values
            for number in numbers:
                sets.setdefault(values[number].tobytes(), []).append(number)
            alike: dict[tuple[int, ...], list[list[int]]] = {}  # the sets that have the same observables
            for own in sets.values():
                alike.setdefault(tuple([id(observables[number]) for number in own]), []).append(own)
            for of_sets in alike.values():
                first = of_sets[0]
                compiled = CompiledGradient(
                    self._estimator,
                    circuits[first[0]],
                    [observables[number] for number in first],
                    wanted[first[0]],
                    None,
                    precision,
                )
                part = compiled._part(self._derivative_type)  # noqa: SLF001  # a class of this package
                rows = read_values(
                    [values[own[0]] for own in of_sets], len(compiled.parameters), circuits[first[0]].name
                )
                requests = tuple(
                    (number, place, at) for place, own in enumerate(of_sets) for at, number in enumerate(own)
                )
                report = Report((len(rows),), (len(first),), part, requests)
                tasks.append(compiled._task(rows, None, report))  # noqa: SLF001  # as above
        return tasks


def _listed(observables: Any) -> list[Any]:
    """Return observables as a list; one by itself is one of them."""
    return list(observables) if isinstance(observables, list | tuple) else [observables]


def _rows(values: Any) -> list[Any]:
    """Return sets of values as a list; one set by itself is one of them."""
    rows = list(values)
    return rows if rows and np.ndim(rows[0]) else [rows]


def _of_each(parameters: Any, count: int) -> list[Any]:
    """Return for each circuit its parameters, or None for all of them."""
    if parameters is None:
        return [None] * count
    given = list(parameters)
    each = all(one is None or (isinstance(one, Sequence) and not isinstance(one, str)) for one in given)
    if each or any(hasattr(one, "__iter__") and not hasattr(one, "name") for one in given):
        return [None if one is None else list(one) for one in given]
    return [given]
