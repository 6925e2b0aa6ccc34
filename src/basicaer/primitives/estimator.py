"""`EstimatorV2`: exact expectation values, for arrays of observables and of parameter values."""

from __future__ import annotations

from functools import partial
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Any, Self, Unpack

import numpy as np
from qiskit import QuantumCircuit
from qiskit.primitives import BaseEstimatorV2
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.primitives.containers.observables_array import ObservablesArray

from basicaer.compile.saves import PAULI_LETTERS, pauli_terms
from basicaer.compile.sweep import compile_sweep
from basicaer.compile.values import ReadingTimeLimit
from basicaer.engine.bits import mask_of
from basicaer.errors import BasicAerError, PubError, at_border, shown, warn
from basicaer.options import check_option
from basicaer.primitives.base import Primitive, read_pubs
from basicaer.primitives.compiled import CompiledCircuit
from basicaer.primitives.options import EstimatorOptions
from basicaer.primitives.payload import EstimatorTask, shots_for
from basicaer.simulators.noise import noise_of
from basicaer.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from qiskit.primitives.containers.estimator_pub import EstimatorPubLike
    from qiskit.primitives.containers.observables_array import ObservablesArrayLike

    from basicaer.compile.sweep import ProgramSweep
    from basicaer.option_types import EstimatorArguments, PrimitiveRunOptions
    from basicaer.primitives.job import PrimitiveJob
    from basicaer.primitives.payload import Terms
    from basicaer.simulators.base import BasicAerSimulator

__all__ = ["EstimatorV2"]

# Qiskit's letters for projectors, as sums of Paulis: letter -> ((Pauli, factor), ...).
_PROJECTORS = {
    letter: (("I", 0.5), (pauli, sign * 0.5))
    for letter, pauli, sign in [
        ("0", "Z", 1),
        ("1", "Z", -1),
        ("+", "X", 1),
        ("-", "X", -1),
        ("r", "Y", 1),
        ("l", "Y", -1),
    ]
}


class EstimatorV2(Primitive, BaseEstimatorV2):
    """Estimates expectation values: Qiskit's `BaseEstimatorV2`, exact unless a precision is asked for.

    A circuit may measure, reset and branch. The value is then the mean over all outcomes. Each outcome is followed with
    its probability; the PUB's metadata says ``"simulation": "exact"``, and ``"neglected_probability"`` is the
    probability of the outcomes that were too unlikely to be followed. If there are too many outcomes, shots are taken
    instead. The metadata then says ``"simulation": "shots"`` and how many, and ``stds`` are the standard errors of the
    means. There are 10,000 shots or, for a precision p, 1 / p**2 of them, from 100 to 2**20.

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
        ``device``, ``precision`` (of the amplitudes), ``max_parallel_threads``, ``executor``, ``timeout``, ``callback``
        and ``progress``, as for ``backend.run``.

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
        coerced = read_pubs(pubs, partial(EstimatorPub.coerce, precision=default))
        settings = self._settings()
        tasks = []
        for pub in coerced:
            target = self._options.default_precision
            if pub.precision is not None:
                target = check_option("default_precision", pub.precision, called="precision")
            shots = shots_for(target)
            sweep, choice = self._lowered(pub.circuit, pub.parameter_values, settings, shots, exactly=True)
            _check_saves(sweep, pub.circuit.name)
            sets = np.arange(prod(pub.parameter_values.shape)).reshape(pub.parameter_values.shape)
            observables = np.arange(prod(pub.observables.shape)).reshape(pub.observables.shape)
            sets, observables = np.broadcast_arrays(sets, observables)
            terms = tuple(_terms(observable, sweep) for observable in _each(pub.observables))
            terms = _without_measured(terms, sweep, pub.circuit.name)
            metadata = pub.circuit.metadata
            tasks.append(EstimatorTask(sweep, choice, pub.shape, metadata, target, terms, sets, observables))
        return self._submitted(tasks, settings)

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
        with at_border(lambda why: PubError(f"The observables for circuit '{circuit.name}' cannot be read: {why}.")):
            array = ObservablesArray.coerce(observables)
            array.validate()
        if not prod(array.shape):
            raise PubError(f"No observables are given for circuit '{circuit.name}'; give it one or more.")
        widths = {len(label) for observable in _each(array) for label in observable} - {circuit.num_qubits}
        if widths:
            raise PubError(
                f"The observables have {counted(min(widths), 'qubit')}, and circuit '{circuit.name}' has "
                f"{circuit.num_qubits}; give it observables on all of its qubits."
            )
        circuit, settings = circuit.copy(), self._settings()
        noise, (circuit,) = noise_of(settings.get("noise_model"), [circuit])
        sweep_at = compile_sweep(circuit, ReadingTimeLimit(settings["timeout"]), noise=noise)
        sweep = sweep_at(np.empty((0, circuit.num_parameters)))
        choice = self._checked_choice(sweep, settings, shots_for(0.0), exactly=True)
        _check_saves(sweep, circuit.name)
        terms = tuple(_terms(observable, sweep) for observable in _each(array))
        return CompiledCircuit(
            name=circuit.name,
            parameters=circuit.parameters,
            shape=array.shape,
            terms=_without_measured(terms, sweep, circuit.name),
            choice=choice,
            lowered=lambda values: sweep_at(values, ReadingTimeLimit(settings["timeout"])),
            submit=lambda task: self._submitted([task], settings),
        )


def _check_saves(sweep: ProgramSweep, name: str) -> None:
    if sweep.structure.saves:
        raise BasicAerError(
            f"Circuit '{name}' has save instructions, whose values have no place in an estimator's result; "
            "run it on a backend, or remove them."
        )


def _without_measured(terms: tuple[Terms, ...], sweep: ProgramSweep, name: str) -> tuple[Terms, ...]:
    """Leave out the terms that are 0 because a qubit that they flip has been measured at the end of the circuit."""
    measured = mask_of(measure.qubit for measure in sweep.structure.final)
    left = tuple(tuple(term for term in of_one if not term[0] & measured) for of_one in terms)
    if left != terms:
        warn(
            f"Circuit '{name}' measures qubits at its end, so terms of the observables with X or Y on these are 0; "
            "remove_final_measurements() leaves the measurements out."
        )
    return left


def _each(observables: Any) -> Iterator[Mapping[str, float]]:
    """Yield the observables one after another, each as a dictionary: label -> factor."""
    for index in np.ndindex(observables.shape):
        yield observables[index]


def _terms(observable: Mapping[str, float], sweep: ProgramSweep) -> tuple[tuple[int, int, float], ...]:
    """Return an observable as terms on the state's qubits; see `pauli_terms`."""
    state_qubit = {qubit: number for number, qubit in enumerate(sweep.structure.qubits)}
    qubits = tuple(state_qubit.get(qubit) for qubit in range(sweep.structure.circuit_qubits))
    return pauli_terms(_in_paulis(observable), qubits)


def _in_paulis(observable: Mapping[str, float]) -> Iterator[tuple[str, float]]:
    for label, factor in observable.items():
        if PAULI_LETTERS.issuperset(label):
            yield label, float(np.real(factor))
            continue
        for letters in product(*(_PROJECTORS.get(letter, ((letter, 1.0),)) for letter in label)):
            yield "".join(letter for letter, _ in letters), float(np.real(factor)) * prod(part for _, part in letters)
