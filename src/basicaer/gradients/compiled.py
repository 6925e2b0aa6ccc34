"""`gradient` and `value_and_gradient`: derivatives of expectation values by a circuit's parameters."""

from __future__ import annotations

from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
from qiskit import QuantumCircuit

from basicaer.compile.differentiable import Angle, differentiable
from basicaer.compile.values import ReadingTimeLimit
from basicaer.devices.memory import check_fits
from basicaer.engine.error_patterns import NoisySweep
from basicaer.engine.sweeps import Sweep
from basicaer.errors import BasicAerError, OptionValueError, shown
from basicaer.gradients.inputs import read_cotangent, read_values, wanted_parameters
from basicaer.gradients.job import GradientJob
from basicaer.gradients.methods import ADJOINT, SHIFTED, chosen_way, shifts_at
from basicaer.gradients.payload import GradientTask, Part, Report
from basicaer.gradients.submitting import saving_in, submit_tasks
from basicaer.options import Method, check_option
from basicaer.primitives.base import expected_device
from basicaer.primitives.estimator import EstimatorV2
from basicaer.primitives.observables import (
    check_no_saves,
    each_observable,
    read_observables,
    terms_of,
    without_measured,
)
from basicaer.primitives.payload import shots_for
from basicaer.simulators.noise import noise_of
from basicaer.simulators.ranks import submitted_with_ranks
from basicaer.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray
    from qiskit.circuit import Parameter
    from qiskit.primitives.containers.observables_array import ObservablesArrayLike

    from basicaer.devices.distributed.comm import Comm
    from basicaer.gradients.payload import Shifts
    from basicaer.option_types import GradientRunOptions, JobRunOptions, SavingOptions
    from basicaer.primitives.payload import Terms
    from basicaer.simulators.base import BasicAerSimulator

__all__ = ["CompiledGradient", "gradient", "value_and_gradient"]

_METHODS = (ADJOINT, SHIFTED)


def gradient(
    circuit: QuantumCircuit,
    observables: ObservablesArrayLike,
    values: Any,
    *,
    parameters: Iterable[Parameter | str] | None = None,
    cotangent: Any = None,
    method: str | None = None,
    precision_of_values: float = 0.0,
    backend: BasicAerSimulator | None = None,
    **run_options: Unpack[GradientRunOptions],
) -> GradientJob:
    """Submit the differentiation of expectation values by the parameters of a circuit.

    The gradient of a circuit of gates takes as long as three or four evaluations, whatever the number of parameters: a
    sweep goes back through its passes with two states in memory. With errors that are Paulis or other unitaries, it is
    the mean over patterns of errors. A circuit that measures, resets, branches or has other errors is evaluated at
    shifted angles instead, twice or four times for each gate with a parameter. All are exact, but for patterns that
    are too many to follow each, and for outcomes that are: these have ``standard_errors``.

    Parameters
    ----------
    circuit
        A circuit; gates with parameters that are not in Qiskit's library are replaced by their definitions.
    observables
        One observable, or an array of them, as `EstimatorV2` takes them.
    values
        Array of shape (..., number of parameters): one set of values, or many.
    parameters
        The parameters, or their names, by which to differentiate, in the order of the results; None for all of
        ``circuit.parameters``.
    cotangent
        Array of the shape of the expectation values: the derivatives of all observables are weighed by it and summed,
        in one sweep back (a vector-Jacobian product).
    method
        ``"adjoint"`` or ``"parameter shift"``; None chooses.
    precision_of_values
        The standard deviation of the normal noise that is added to each value; other than 0, angles are shifted.
    backend
        The backend whose options serve as defaults for those below; None for a new ``qasm_simulator``.
    run_options
        The options of `EstimatorV2`: ``device``, ``precision`` (of the amplitudes), ``timeout`` and others; also
        ``checkpoint_dir``, ``checkpoint_every``, ``checkpoint_margin`` and ``checkpoint_on_sigterm``, as for
        ``backend.run``. What is saved are sums over the sets of values and over the observables that are done. With
        ``distributed=True``, the processes that ``mpiexec`` has started share the sets and the observables.

    Returns
    -------
    GradientJob
        The job, already submitted. Its result is a `GradientResult` with ``values``, ``gradients`` and ``metadata``.

    Raises
    ------
    BasicAerError
        For anything that cannot be differentiated, in a sentence that says what and why.

    Examples
    --------
    >>> from qiskit import QuantumCircuit
    >>> from qiskit.circuit import Parameter
    >>> from basicaer import gradient
    >>> circuit = QuantumCircuit(1)
    >>> _ = circuit.ry(Parameter("angle"), 0)
    >>> result = gradient(circuit, "Z", [0.5]).result()
    >>> result.values.round(6).tolist(), result.gradients.round(6).tolist()
    (0.877583, [-0.479426])
    """
    options, saving = saving_in(run_options)

    def of_rank(ranks: Comm | None) -> GradientJob:
        compiled = value_and_gradient(
            circuit,
            observables,
            parameters=parameters,
            method=method,
            precision_of_values=precision_of_values,
            backend=backend,
            **{**options, "distributed": ranks or False},
        )
        return compiled._submitted(values, cotangent, Part.REAL, saving, ranks)  # noqa: SLF001  # a class of this module

    return submitted_with_ranks(options.get("distributed", False), of_rank)


def value_and_gradient(
    circuit: QuantumCircuit,
    observables: ObservablesArrayLike,
    *,
    parameters: Iterable[Parameter | str] | None = None,
    method: str | None = None,
    precision_of_values: float = 0.0,
    backend: BasicAerSimulator | None = None,
    **run_options: Unpack[JobRunOptions],
) -> CompiledGradient:
    """Return a function of a circuit's parameters that gives expectation values and their derivatives.

    It is what an optimiser calls again and again, as in ``scipy.optimize.minimize(function, start, jac=True)``: what
    does not depend on the values is done once. The parameters are those of `gradient`.

    Raises
    ------
    BasicAerError
        As for `gradient`.

    Examples
    --------
    >>> from qiskit import QuantumCircuit
    >>> from qiskit.circuit import Parameter
    >>> from scipy.optimize import minimize
    >>> from basicaer import value_and_gradient
    >>> circuit = QuantumCircuit(1)
    >>> _ = circuit.ry(Parameter("angle"), 0)
    >>> found = minimize(value_and_gradient(circuit, "Z"), [0.5], jac=True)
    >>> round(found.fun, 6)
    -1.0
    """
    if not isinstance(circuit, QuantumCircuit):
        raise BasicAerError(f"A gradient is taken of a QuantumCircuit, not of {shown(circuit)}.")
    if method is not None and method not in _METHODS:
        raise OptionValueError(f"method must be None, 'adjoint' or 'parameter shift', not {shown(method)}.")
    precision = check_option("default_precision", precision_of_values, called="precision_of_values")
    return CompiledGradient(
        EstimatorV2(backend, **run_options), circuit.copy(), observables, parameters, method, precision
    )


class CompiledGradient:
    """A function of a circuit's parameters: expectation values of observables, and their derivatives.

    It is made by `value_and_gradient`. Later changes of the circuit have no effect on it. Any number of threads may
    call it at the same time.

    Attributes
    ----------
    parameters
        The circuit's parameters, in the order of their values.
    wanted
        Those by which is differentiated, in the order of the results.
    shape : tuple[int, ...]
        The shape of the observables; () for a single one.
    method, reason
        How derivatives are taken, ``"adjoint"`` or ``"parameter shift"``, and why.
    """

    def __init__(  # noqa: PLR0917  # made here only
        self,
        estimator: EstimatorV2,
        circuit: QuantumCircuit,
        observables: Any,
        parameters: Iterable[Parameter | str] | None,
        method: str | None,
        precision: float,
    ) -> None:
        self._estimator = estimator
        self._settings = settings = estimator._settings()  # noqa: SLF001  # a class of this package
        self._precision = precision
        self._given = circuit, observables
        self._noise, (circuit,) = noise_of(settings.get("noise_model"), [circuit], unbound="differentiated")
        self._circuit = circuit
        poll = ReadingTimeLimit(settings["timeout"])
        self.parameters = list(circuit.parameters)
        numbers = wanted_parameters(parameters, self.parameters, circuit.name)
        self.wanted = [self.parameters[number] for number in numbers]
        array = read_observables(observables, circuit)
        self.shape = array.shape
        self._compiled = differentiable(circuit, self.parameters, numbers, poll, self._noise)
        simulation = settings.get("method", Method.STATEVECTOR)
        self._way = way = chosen_way(
            self._compiled, asked=method, precision=precision, simulation=simulation, noise=self._noise, poll=poll
        )
        self.method, self.reason, self._program = way.method, way.reason, way.program
        check_no_saves(way.program, circuit.name)
        terms = tuple(terms_of(observable, way.program) for observable in each_observable(array))
        self._terms: tuple[Terms, ...] = without_measured(terms, way.program, circuit.name)
        self._masks = tuple(sorted({term[:2] for of_one in self._terms for term in of_one}))
        evolved = way.program.state_qubits * way.choice.axes
        device = expected_device(evolved, settings | {"distributed": False})  # all ranks are asked when a job is made
        subject = f"A gradient of circuit '{circuit.name}'" + (", which takes two states," if way.is_adjoint else "")
        check_fits(device, subject, evolved, settings["precision"], states=2 if way.is_adjoint else 1)

    def __repr__(self) -> str:
        observables = f"observables of shape {self.shape}" if self.shape else "one observable"
        wanted = counted(len(self.wanted), "parameter")
        return f"<CompiledGradient of '{self._circuit.name}': {wanted}, {observables}, by {self.method}>"

    def __call__(self, values: Any) -> tuple[Any, NDArray[np.float64]]:
        """Return the expectation values and their derivatives at parameter values, and wait for them.

        Returns
        -------
        tuple
            What `GradientResult` has as ``values`` and ``gradients``; a single value is a float.
        """
        result = self.submit(values).result()
        found = result.values
        return (found if found.ndim else float(found)), result.gradients

    def values(self, values: Any) -> NDArray[np.float64]:
        """Return the expectation values alone at parameter values, and wait for them.

        This takes about a fourth of the time of values with their derivatives, from which they differ by rounding only.

        Parameters
        ----------
        values
            As for `gradient`.
        """
        return self._without_derivatives.submit(values).result().values

    def vjp(self, values: Any, cotangent: Any) -> NDArray[np.float64]:
        """Return the derivatives of all observables, weighed by a cotangent and summed, and wait for them.

        Parameters
        ----------
        values, cotangent
            As for `gradient`.

        Returns
        -------
        array of float64
            Of shape (..., number of parameters by which is differentiated).
        """
        return self._vjp(values, cotangent, None)

    def _vjp(self, values: Any, cotangent: Any, kept: str | None) -> NDArray[np.float64]:
        """Return what `vjp` does, from states that `_values` may have kept under a name."""
        job = self._submitted(values, cotangent, Part.REAL, {}, wants_values=False, kept=kept)
        return job.result().gradients

    def _values(self, values: Any, kept: str) -> NDArray[np.float64]:
        """Return what `values` does, and keep the final states under a name, if there is room for them."""
        return self._submitted(values, None, Part.REAL, {}, only_values=True, kept=kept).result().values

    @cached_property
    def _without_derivatives(self) -> CompiledGradient:
        return CompiledGradient(self._estimator, *self._given, (), self.method, self._precision)

    def submit(
        self,
        values: Any,
        *,
        cotangent: Any = None,
        derivative_type: Any = Part.REAL,
        **saving: Unpack[SavingOptions],
    ) -> GradientJob:
        """Submit the differentiation at parameter values as a job.

        Parameters
        ----------
        values, cotangent
            As for `gradient`.
        derivative_type
            What is returned of ``2 <psi| H |dpsi>``: ``"real"``, which is the derivative, ``"imag"`` or ``"complex"``.
        saving
            ``checkpoint_dir`` and the others that begin with ``checkpoint``, as for `gradient`.
        """
        return self._submitted(values, cotangent, self._part(derivative_type), saving)

    def _submitted(  # what a job is made of
        self,
        values: Any,
        cotangent: Any,
        part: Part,
        saving: SavingOptions,
        ranks: Comm | None = None,
        **how: Any,
    ) -> GradientJob:
        """Submit a job; `ranks` as for `submit_tasks`, and others as for `_task`."""

        def make() -> list[GradientTask]:
            array = read_values(values, len(self.parameters), self._circuit.name)
            shape = array.shape[:-1]
            rows = array.reshape(prod(shape), len(self.parameters))
            weights = None if cotangent is None else read_cotangent(cotangent, shape, self.shape)
            return [self._task(rows, weights, Report(shape, self.shape, part), **how)]

        return submit_tasks(GradientJob, make, self._estimator, self._settings, saving, ranks=ranks)

    def _task(
        self,
        values: NDArray[np.float64],
        cotangent: NDArray[np.float64] | None,
        report: Report,
        *,
        wants_values: bool = True,
        only_values: bool = False,
        kept: str | None = None,
    ) -> GradientTask:
        """Return the task of differentiating at some sets of values.

        Parameters
        ----------
        values
            ``values[s, j]`` of parameter j in set s.
        cotangent
            ``cotangent[s, o]`` of observable o.
        wants_values
            Whether the expectation values are wanted besides derivatives that are weighed by a cotangent.
        only_values
            Whether no derivatives are wanted.
        kept
            The name under which final states are kept between values and derivatives; see `Sweep`.
        """
        poll = ReadingTimeLimit(self._settings["timeout"])
        compiled = self._compiled
        angles = compiled.angles(values, poll)
        how: Sweep | NoisySweep | Shifts
        places: list[Angle] = []
        if self._way.is_adjoint:
            segments, generators, places = compiled.numbers(angles, poll, only_real=report.part is Part.REAL)
            factors = np.zeros((len(self._terms), len(self._masks)))
            column = {masks: j for j, masks in enumerate(self._masks)}
            for row, terms in zip(factors, self._terms, strict=True):
                for x, z, factor in terms:
                    row[column[x, z]] += factor
            if only_values:
                generators, places = {}, []
            given = self._program, segments, len(values), self._masks, factors, cotangent, generators
            how = Sweep(*given, wants_values=wants_values, kept=kept)
            if self._way.has_errors:
                how = NoisySweep(how, shots_for(self._precision))
        else:
            how = shifts_at(
                compiled,
                angles,
                terms=self._terms,
                precision=self._precision,
                choice=self._way.choice,
                noise=self._noise,
                poll=poll,
            )
        return GradientTask(
            self._circuit.name,
            self._program.state_qubits,
            len(values),
            len(self._terms),
            how,
            tuple(places),
            compiled.chain(values, poll),
            cotangent,
            {"method": self.method, "reason": self.reason}
            | ({"precision_of_values": self._precision} if self._precision else {}),
            report,
            len(compiled.occurrences.expressions) - len(compiled.occurrences.parameters),
        )

    def _part(self, derivative_type: Any) -> Part:
        part = Part.asked_for(derivative_type)
        if part is not Part.REAL and not self._way.is_adjoint:
            raise OptionValueError(
                f"derivative_type '{part.value}' needs method 'adjoint', which circuit '{self._circuit.name}' is not "
                f"differentiated by, since {self.reason}; leave it out."
            )
        if part is not Part.REAL and self._way.has_errors:
            raise OptionValueError(
                f"derivative_type '{part.value}' needs a circuit without errors, which '{self._circuit.name}' has; "
                "leave it out, or the noise_model."
            )
        return part
