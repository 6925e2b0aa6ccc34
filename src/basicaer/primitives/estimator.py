"""`EstimatorV2`: expectation values of observables, exact from the state, for arrays of both."""

from __future__ import annotations

from functools import partial
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from qiskit.primitives import BaseEstimatorV2
from qiskit.primitives.containers.estimator_pub import EstimatorPub

from basicaer.compile.saves import pauli_terms
from basicaer.engine.program import Phase, Prepare, Segment, SetState
from basicaer.errors import BasicAerError
from basicaer.options import check_option
from basicaer.primitives.base import Primitive, read_pubs
from basicaer.primitives.options import EstimatorOptions
from basicaer.primitives.work import EstimatorTask

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from qiskit.primitives.containers.estimator_pub import EstimatorPubLike

    from basicaer.compile.family import Family
    from basicaer.primitives.job import PrimitiveJob
    from basicaer.simulators.base import BasicAerSimulator

__all__ = ["EstimatorV2"]

# Qiskit's letters for projectors, as sums of Paulis.
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

    Parameters
    ----------
    backend
        Whose options of those below are the defaults; None for a new ``qasm_simulator``.
    default_precision
        Of a PUB that names none: the standard deviation of the normal noise that is added to the exact values; 0 adds
        none.
    seed
        Makes that noise reproducible; it depends on the seed and on the PUB's position only. Each run draws one from a
        generator of NumPy.
    options
        The same in the form of Qiskit's and Aer's primitives, which goes before the other: a dictionary of
        ``default_precision``, ``seed_simulator``, ``backend_options`` and ``run_options``; see `EstimatorOptions`.
    of_run
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
        **of_run: Any,
    ) -> None:
        own = {"default_precision": default_precision, "seed_simulator": seed}
        super().__init__(backend, own, options, of_run)

    @property
    def options(self) -> EstimatorOptions:
        """What was set; each may be set again, for the runs to come."""
        return self._options

    @property
    def default_precision(self) -> float:
        """Of a PUB that names none."""
        return self._options.default_precision

    def run(self, pubs: Iterable[EstimatorPubLike], *, precision: float | None = None) -> PrimitiveJob:
        """Submit PUBs: circuits with observables, and with arrays of parameter values.

        Parameters
        ----------
        pubs
            As `qiskit.primitives.BaseEstimatorV2.run` takes them; observables and values are broadcast.
        precision
            Of the PUBs that name none; see the class.

        Returns
        -------
        PrimitiveJob
            Submitted already. Its result has for each PUB a `DataBin` with ``evs`` and ``stds``, float64.

        Raises
        ------
        BasicAerError
            For what cannot be run, before the job is queued.
            What is no PUB raises one that is a ValueError and a TypeError too, as Qiskit's own primitives do.
        """
        of_run = self._options.default_precision if precision is None else precision
        coerced = read_pubs(pubs, partial(EstimatorPub.coerce, precision=of_run))
        settings = self._settings()
        tasks = []
        for pub in coerced:
            family = self._lowered(pub.circuit, pub.parameter_values, settings)
            _check_unitary(family, pub.circuit.name)
            sets = np.arange(prod(pub.parameter_values.shape)).reshape(pub.parameter_values.shape)
            numbers = np.arange(prod(pub.observables.shape)).reshape(pub.observables.shape)
            sets, numbers = np.broadcast_arrays(sets, numbers)
            terms = tuple(_terms(observable, family) for observable in _each(pub.observables))
            target = self._options.default_precision
            if pub.precision is not None:
                target = check_option("default_precision", pub.precision, called="precision")
            tasks.append(EstimatorTask(family, pub.shape, pub.circuit.metadata, target, terms, sets, numbers))
        return self._submitted(tasks, settings)


def _check_unitary(family: Family, name: str) -> None:
    program = family.first
    if program.saves:
        raise BasicAerError(
            f"Circuit '{name}' saves something of its state, for which an estimator's result has no place; "
            "run it on a backend, or leave that out."
        )
    straight = Segment | Phase | Prepare | SetState
    if program.final or not all(isinstance(operation, straight) for operation in program.body):
        raise BasicAerError(
            f"Circuit '{name}' measures, resets or branches, so that its state is not one; leave that out, "
            "remove_final_measurements() does where it stands at the end."
        )


def _each(observables: Any) -> Iterator[Mapping[str, float]]:
    """Yield the observables one after another, each as factors of Pauli strings."""
    for index in np.ndindex(observables.shape):
        yield observables[index]


def _terms(observable: Mapping[str, float], family: Family) -> tuple[tuple[int, int, float], ...]:
    """Return an observable as masks of state qubits and factors; see `pauli_terms`."""
    state_qubit = {qubit: number for number, qubit in enumerate(family.first.qubits)}
    qubits = tuple(state_qubit.get(qubit) for qubit in range(family.first.circuit_qubits))
    return pauli_terms(_in_paulis(observable), qubits)


def _in_paulis(observable: Mapping[str, float]) -> Iterator[tuple[str, float]]:
    for label, factor in observable.items():
        for letters in product(*(_PROJECTORS.get(letter, ((letter, 1.0),)) for letter in label)):
            yield "".join(letter for letter, _ in letters), float(np.real(factor)) * prod(part for _, part in letters)
