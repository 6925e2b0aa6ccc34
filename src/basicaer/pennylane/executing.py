"""Runs tapes: exact expectation values and their derivatives, states, and samples."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np
import pennylane as qml
from pennylane.devices.qubit import measure
from pennylane.measurements import ExpectationMP
from pennylane.wires import Wires
from qiskit.quantum_info import SparsePauliOp

from basicaer.engine.lru_cache import LruCache
from basicaer.gradients import value_and_gradient
from basicaer.pennylane.samples import as_result, bits_of, result_of, rotations_of
from basicaer.pennylane.tapes import circuit_of, read
from basicaer.primitives import SamplerV2
from basicaer.simulators import StatevectorSimulator

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence

    from numpy.typing import NDArray
    from pennylane.operation import Operator
    from pennylane.pauli import PauliSentence
    from pennylane.tape import QuantumScript
    from qiskit import QuantumCircuit

    from basicaer.gradients import CompiledGradient
    from basicaer.pennylane.tapes import Reading
    from basicaer.simulators.base import BasicAerSimulator

__all__ = ["Executor", "has_paulis"]

_MOST_WIRES_OF_A_MATRIX = 6  # An observable on that many wires is a sum of up to 4**6 products of Paulis.
_MOST_COMPILED = 64


def has_paulis(observable: Operator | None) -> bool:
    """Tell whether an observable can be written as a sum of products of Paulis."""
    if observable is None:
        return False
    return observable.pauli_rep is not None or (
        observable.has_matrix and len(observable.wires) <= _MOST_WIRES_OF_A_MATRIX
    )


class Executor:
    """Runs tapes that the device supports.

    Parameters
    ----------
    backend
        Whose options are defaults for those below; None for new simulators.
    rng
        The generator that seeds of jobs are drawn from.
    run_options
        Options of all jobs.
    """

    def __init__(
        self, backend: BasicAerSimulator | None, rng: np.random.Generator, run_options: dict[str, Any]
    ) -> None:
        self._backend = backend
        self._run_options = run_options
        self._sampler = SamplerV2(backend, seed=rng, **run_options)
        self._states = StatevectorSimulator()
        if backend is not None:
            of_states = vars(self._states.options)
            shared = {name: value for name, value in vars(backend.options).items() if name in of_states}
            self._states.set_options(**shared | {"shots": 1, "seed_simulator": None})
        self._functions: LruCache[CompiledGradient] = LruCache(_MOST_COMPILED, _MOST_COMPILED)
        self._circuits: LruCache[QuantumCircuit] = LruCache(_MOST_COMPILED, _MOST_COMPILED)

    def execute(self, tapes: Sequence[QuantumScript], wires: Wires | None, postselect_mode: str | None) -> list[Any]:
        """Return the results of tapes, as PennyLane's devices return them."""
        results: list[Any] = [None] * len(tapes)
        groups: dict[Hashable, list[int]] = defaultdict(list)
        for number, tape in enumerate(tapes):
            if tape.shots:
                groups["shots"].append(number)
            elif all(isinstance(one, ExpectationMP) and has_paulis(one.obs) for one in tape.measurements):
                groups["values"].append(number)
            else:
                groups["states"].append(number)
        own = [tapes[number] for number in groups["values"]]
        for number, values in zip(groups["values"], self._values(own, wires), strict=True):
            results[number] = as_result(tapes[number], list(values))
        own = [tapes[number] for number in groups["states"]]
        for number, found in zip(groups["states"], self._measured(own, wires), strict=True):
            results[number] = as_result(tapes[number], found)
        own = [tapes[number] for number in groups["shots"]]
        for number, result in zip(groups["shots"], self._sampled(own, wires, postselect_mode), strict=True):
            results[number] = result
        return results

    def derivatives(self, tapes: Sequence[QuantumScript], wires: Wires | None) -> tuple[list[Any], list[Any]]:
        """Return the expectation values of tapes, and their derivatives by the trainable parameters."""
        results: list[Any] = [None] * len(tapes)
        jacobians: list[Any] = [None] * len(tapes)
        for numbers, readings, function in self._groups(tapes, wires, with_derivatives=True):
            found = function.submit([one.angles for one in readings]).result()
            for k, (number, reading) in enumerate(zip(numbers, readings, strict=True)):
                results[number] = as_result(tapes[number], list(found.values[k]))
                each = [_of_trainable(reading, row) for row in found.gradients[k]]
                by_results = [row[0] if len(row) == 1 else tuple(row) for row in each]
                jacobians[number] = as_result(tapes[number], by_results)
        return results, jacobians

    def products(
        self, tapes: Sequence[QuantumScript], cotangents: Sequence[Any], wires: Wires | None
    ) -> tuple[list[Any], list[Any]]:
        """Return the expectation values of tapes, and vector-Jacobian products by their trainable parameters.

        ``cotangents[k]`` has the shape of the results of tape k, or one more axis, last, for several products.
        """
        results: list[Any] = [None] * len(tapes)
        products: list[Any] = [None] * len(tapes)
        for numbers, readings, function in self._groups(tapes, wires, with_derivatives=True):
            weights = []
            for number in numbers:
                given = cotangents[number]
                count = len(tapes[number].measurements)
                rows = [given] if count == 1 and not isinstance(given, tuple) else list(given)
                weights.append(np.stack([np.asarray(qml.math.unwrap([row])[0], float) for row in rows], axis=-1))
            counts = [one.size // one.shape[-1] for one in weights]
            angles = np.repeat([one.angles for one in readings], counts, axis=0)
            whole = np.concatenate([one.reshape(-1, one.shape[-1]) for one in weights])
            found = function.submit(angles, cotangent=whole).result()
            starts = np.cumsum([0, *counts])
            for k, (number, reading) in enumerate(zip(numbers, readings, strict=True)):
                results[number] = as_result(tapes[number], list(found.values[starts[k]]))
                by_angles = found.gradients[starts[k] : starts[k + 1]].T.reshape(-1, *weights[k].shape[:-1])
                products[number] = tuple(_of_trainable(reading, by_angles))
        return results, products

    def _values(self, tapes: Sequence[QuantumScript], wires: Wires | None) -> list[NDArray[np.float64]]:
        found: list[Any] = [None] * len(tapes)
        for numbers, readings, function in self._groups(tapes, wires, with_derivatives=False):
            values = function.values([one.angles for one in readings])
            for k, number in enumerate(numbers):
                found[number] = values[k]
        return found

    def _groups(
        self, tapes: Sequence[QuantumScript], wires: Wires | None, *, with_derivatives: bool
    ) -> Iterable[tuple[list[int], list[Reading], CompiledGradient]]:
        """Yield tapes that are sets of angles of one structure, by their numbers, and the function that they share."""
        groups: dict[Hashable, tuple[list[int], list[Reading]]] = {}
        for number, tape in enumerate(tapes):
            reading = read(tape, wires)
            observables = tuple(_terms_of(one.obs, reading.wires) for one in tape.measurements)
            wanted = tuple(sorted({one for one in reading.trainable if one is not None})) if with_derivatives else None
            numbers, readings = groups.setdefault((reading.structure, observables, wanted), ([], []))
            numbers.append(number)
            readings.append(reading)
        for key, (numbers, readings) in groups.items():
            yield numbers, readings, self._functions.get_or_make(key, 1, lambda: self._compiled(key, readings[0]))  # noqa: B023  # called at once

    def _compiled(self, key: Any, reading: Reading) -> CompiledGradient:
        _, observables, wanted = key
        circuit = self._circuit(reading)
        operators = [
            SparsePauliOp.from_list(terms, num_qubits=len(reading.wires)) if terms else _zero(len(reading.wires))
            for terms in observables
        ]
        parameters = [circuit.parameters[column] for column in wanted or ()]
        return value_and_gradient(circuit, operators, parameters=parameters, backend=self._backend, **self._run_options)

    def _circuit(self, reading: Reading, measured: Wires | None = None) -> QuantumCircuit:
        key = reading.structure, None if measured is None else tuple(reading.wires.indices(measured))
        return self._circuits.get_or_make(key, 1, lambda: circuit_of(reading, measured))

    def _measured(self, tapes: Sequence[QuantumScript], wires: Wires | None) -> list[list[Any]]:
        """Return what measurements make of the final states of tapes."""
        if not tapes:
            return []
        readings = [read(tape, wires) for tape in tapes]
        groups: dict[Hashable, list[int]] = defaultdict(list)
        for number, reading in enumerate(readings):
            groups[reading.structure].append(number)
        circuits, bindings = [], []
        served: list[list[int]] = []  # the tapes that have the state of a result
        for numbers in groups.values():
            circuit = self._circuit(readings[numbers[0]])
            columns = np.array([readings[number].angles for number in numbers]).T.tolist()
            circuits.append(circuit)
            bindings.append(dict(zip(circuit.parameters, columns, strict=True)))
            served += [[number] for number in numbers] if circuit.parameters else [numbers]
        # Amplitudes are as they are: PennyLane's devices set none to 0.
        options = {"chop_threshold": 0.0, "parameter_binds": bindings if any(bindings) else None}
        result = self._states.run(circuits, **options | self._run_options).result()
        found: list[Any] = [None] * len(tapes)
        for place, numbers in enumerate(served):
            amplitudes = np.asarray(result.get_statevector(place))
            for number in numbers:
                reading = readings[number]
                index = {wire: k for k, wire in enumerate(reading.wires)}
                state = amplitudes.reshape([2] * len(reading.wires))
                found[number] = [measure(one.map_wires(index), state) for one in reading.tape.measurements]
        return found

    def _sampled(self, tapes: Sequence[QuantumScript], wires: Wires | None, postselect_mode: str | None) -> list[Any]:
        """Return what measurements make of samples."""
        readings, measured, groups = [], [], defaultdict(list)
        for number, tape in enumerate(tapes):
            reading = read(tape, wires, rotations_of(tape.measurements))
            # Measurements of outcomes that were deferred are measurements of wires.
            own = [one for one in tape.measurements if one.mv is None or not reading.measured]
            of_all = any(not one.wires for one in own)
            ends = reading.wires if of_all else Wires.all_wires([one.wires for one in own])
            readings.append(reading)
            measured.append(ends)
            key = reading.structure, tuple(reading.wires.indices(ends)), tape.shots.total_shots
            groups[key].append(number)
        pubs = []
        for (_, _, shots), numbers in groups.items():
            circuit = self._circuit(readings[numbers[0]], measured[numbers[0]])
            pubs.append((circuit, [readings[number].angles for number in numbers], shots))
        if not pubs:
            return []
        found: list[Any] = [None] * len(tapes)
        for numbers, result in zip(groups.values(), self._sampler.run(pubs).result(), strict=True):
            for k, number in enumerate(numbers):
                reading = readings[number]
                shots = reading.tape.shots.total_shots
                ends = bits_of(getattr(result.data, "end", None), k, len(measured[number]), shots)
                mids = bits_of(getattr(result.data, "mid", None), k, len(reading.measured), shots)
                found[number] = result_of(reading, ends, measured[number], mids, postselect_mode)
        return found


def _zero(n_qubits: int) -> SparsePauliOp:
    return SparsePauliOp(["I" * n_qubits], [0.0])


def _terms_of(observable: Operator, wires: Wires) -> tuple[tuple[str, float], ...]:
    """Return an observable as products of Paulis, in Qiskit's notation, and their factors."""
    sentence: PauliSentence = observable.pauli_rep
    if sentence is None:
        matrix = qml.math.toarray(qml.matrix(observable))
        sentence = qml.pauli_decompose(matrix, wire_order=observable.wires, pauli=True, check_hermitian=False)
    found = []
    for word, factor in sentence.items():
        label = "".join(word.get(wire, "I") for wire in wires)  # the first wire is the last qubit
        found.append((label, float(np.real(qml.math.toarray(factor)))))
    return tuple(found)


def _of_trainable(reading: Reading, derivatives: Any) -> list[Any]:
    """Return derivatives by all trainable parameters; those by parameters of observables are 0."""
    of_angles = dict(zip(sorted({one for one in reading.trainable if one is not None}), derivatives, strict=True))
    zero = np.zeros(np.shape(derivatives[0])) if len(derivatives) else np.zeros(())
    return [np.asarray(zero if one is None else of_angles[one]) for one in reading.trainable]
