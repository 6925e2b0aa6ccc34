"""`EstimatorV2`: exact expectation values, for arrays of observables and of parameter values."""

from __future__ import annotations

from functools import partial
from math import prod
from typing import TYPE_CHECKING, Any, Self, Unpack

import numpy as np
from qiskit import QuantumCircuit
from qiskit.primitives import BaseEstimatorV2

from basicaer.compile.sweep import compile_sweep
from basicaer.compile.values import ReadingTimeLimit
from basicaer.errors import BasicAerError, OptionValueError, shown
from basicaer.notebooks import interrupts_shortened
from basicaer.options import check_option, keywords_checked
from basicaer.primitives.base import Primitive, read_pubs
from basicaer.primitives.compiled import CompiledCircuit
from basicaer.primitives.observables import (
    CheckedPub,
    check_no_saves,
    each_observable,
    read_observables,
    terms_of,
    without_measured,
)
from basicaer.primitives.options import EstimatorOptions
from basicaer.primitives.payload import EstimatorTask, shots_for
from basicaer.simulators.noise import noise_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qiskit.primitives.containers.estimator_pub import EstimatorPubLike
    from qiskit.primitives.containers.observables_array import ObservablesArrayLike

    from basicaer.option_types import EstimatorArguments, PrimitiveRunOptions
    from basicaer.primitives.job import PrimitiveJob
    from basicaer.simulators.base import BasicAerSimulator

__all__ = ["EstimatorV2"]


class EstimatorV2(Primitive, BaseEstimatorV2):
    """Estimates expectation values: Qiskit's `BaseEstimatorV2`, exact unless a precision is asked for.

    A circuit may measure, reset and branch. The value is then the mean over all outcomes. Each outcome is followed with
    its probability; the PUB's metadata says ``"simulation": "exact"``, and ``"neglected_probability"`` is the
    probability of the outcomes that were too unlikely to be followed. If there are too many outcomes, shots are taken
    instead. The metadata then says ``"simulation": "shots"`` and how many, and ``stds`` are the standard errors of the
    means. There are 10,000 shots or, for a precision p, 1 / p**2 of them, from 100 to 2**20, and more until the
    precision is reached.

    With a noise model, many errors make too many outcomes. The value of a shot is then that of its state, so that its
    error comes from the ensemble of states alone (``"ensemble_standard_error"`` and ``"quantum_standard_error"``, which
    is 0). The weight of the shots without errors is known (``"noiseless_weight"``) and adds nothing to it.

    Parameters
    ----------
    backend
        The backend whose options serve as defaults for those below; None for a new ``qasm_simulator``.
    default_precision
        Default for PUBs without a precision: the standard deviation of the normal noise that is added to the exact
        values; 0 adds none.
    seed
        Makes that noise reproducible: it depends only on the seed and on the position of the PUB. Each run draws a seed
        from a generator of NumPy.
    options
        The same options in the form of Qiskit's and Aer's primitives, which override the keyword arguments: a
        dictionary of ``default_precision``, ``seed_simulator``, ``backend_options`` and ``run_options``; see
        `EstimatorOptions`.
    run_options
        ``device``, ``precision`` (of the amplitudes), ``max_parallel_threads``, ``spill``, ``executor``, ``timeout``,
        ``callback`` and ``progress``, as for ``backend.run``.

    Examples
    --------
    >>> from qiskit import QuantumCircuit
    >>> from basicaer import EstimatorV2
    >>> bell = QuantumCircuit(2)
    >>> _ = bell.h(0)
    >>> _ = bell.cx(0, 1)
    >>> EstimatorV2().run([(bell, ["XX", "ZI"])]).result()[0].data.evs.round(12).tolist()
    [1.0, 0.0]
    """

    _options_type = EstimatorOptions
    _options: EstimatorOptions

    def __init__(
        self,
        backend: BasicAerSimulator | None = None,
        *,
        default_precision: float = 0.0,
        seed: int | np.random.Generator | None = None,
        options: dict[str, Any] | None = None,
        **run_options: Unpack[PrimitiveRunOptions],
    ) -> None:
        own = {"default_precision": default_precision, "seed_simulator": seed}
        super().__init__(backend, own, options, run_options)

    @classmethod
    def from_backend(cls, backend: BasicAerSimulator, **options: Unpack[EstimatorArguments]) -> Self:
        """Return a primitive that runs on a backend; for programs that call Aer's method of this name.

        Parameters
        ----------
        backend
            A simulator of `BasicAer`.
        options
            Arguments of the class.
        """
        return cls(backend, **options)

    @property
    def options(self) -> EstimatorOptions:
        """The options; each may be set again, for later runs."""
        return self._options

    @property
    def default_precision(self) -> float:
        """Default for PUBs without a precision."""
        return self._options.default_precision

    @keywords_checked
    @interrupts_shortened("run() was interrupted; no job runs.")
    def run(self, pubs: Iterable[EstimatorPubLike], *, precision: float | None = None) -> PrimitiveJob:
        """Submit PUBs: circuits with observables, and with arrays of parameter values.

        Parameters
        ----------
        pubs
            PUBs, as `qiskit.primitives.BaseEstimatorV2.run` takes them; observables and values are broadcast.
        precision
            Default for PUBs without a precision; see the class.

        Returns
        -------
        PrimitiveJob
            The job, already submitted. Its result has for each PUB a `DataBin` with ``evs`` and ``stds``, float64.

        Raises
        ------
        BasicAerError
            For anything that cannot be run, before the job is queued. For a bad PUB the error is also a ValueError and
            a TypeError, which Qiskit's own primitives raise.
        """
        default = self._options.default_precision
        if precision is not None:
            default = check_option("default_precision", precision, called="precision")
        coerced = read_pubs(pubs, partial(CheckedPub.coerce, precision=default))
        return self._run_with(partial(self._estimated, coerced))

    def _estimated(self, pubs: list[CheckedPub], settings: dict[str, Any]) -> PrimitiveJob:
        tasks = []
        for pub in pubs:
            target = self._options.default_precision
            if pub.precision is not None:
                target = check_option("default_precision", pub.precision, called="precision")
            shots = shots_for(target)
            sweep, choice = self._lowered(pub.circuit, pub.parameter_values, settings, shots, exactly=True)
            check_no_saves(sweep.structure, pub.circuit.name)
            sets = np.arange(prod(pub.parameter_values.shape)).reshape(pub.parameter_values.shape)
            observables = np.arange(prod(pub.observables.shape)).reshape(pub.observables.shape)
            sets, observables = np.broadcast_arrays(sets, observables)
            terms = tuple(terms_of(observable, sweep.structure) for observable in each_observable(pub.observables))
            terms = without_measured(terms, sweep.structure, pub.circuit.name)
            metadata = pub.circuit.metadata
            tasks.append(EstimatorTask(sweep, pub.shape, metadata, target, terms, sets, observables, choice))
        return self._submitted(tasks, settings)

    @keywords_checked
    @interrupts_shortened("compile() was interrupted.")
    def compile(self, circuit: QuantumCircuit, observables: ObservablesArrayLike) -> CompiledCircuit:
        """Return a function of the circuit's parameters that gives exact expectation values; see `CompiledCircuit`.

        Parameters
        ----------
        circuit
            A circuit, which is copied.
        observables
            One observable, or an array of them, as a PUB takes them.

        Raises
        ------
        BasicAerError
            For anything that `run` would refuse.
        """
        if not isinstance(circuit, QuantumCircuit):
            raise BasicAerError(f"compile() takes a QuantumCircuit, not {shown(circuit)}.")
        array = read_observables(observables, circuit)
        circuit, settings = circuit.copy(), self._settings()
        if settings["distributed"]:
            raise OptionValueError("compile() works in one process; leave out distributed, or use run().")
        noise, (circuit,) = noise_of(settings.get("noise_model"), [circuit])
        sweep_at = compile_sweep(circuit, ReadingTimeLimit(settings["timeout"]), noise=noise)
        sweep = sweep_at(np.empty((0, circuit.num_parameters)))
        choice = self._checked_choice(sweep, settings, shots_for(0.0), exactly=True)
        check_no_saves(sweep.structure, circuit.name)
        terms = tuple(terms_of(observable, sweep.structure) for observable in each_observable(array))
        return CompiledCircuit(
            name=circuit.name,
            parameters=circuit.parameters,
            shape=array.shape,
            terms=without_measured(terms, sweep.structure, circuit.name),
            choice=choice,
            lowered=lambda values: sweep_at(values, ReadingTimeLimit(settings["timeout"])),
            submit=lambda task: self._submitted([task], settings),
        )
