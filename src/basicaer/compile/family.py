"""A circuit with parameters and many sets of values for them -> programs of one structure, lowered once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from qiskit.circuit import Parameter, ParameterExpression

from basicaer.compile.gates import BY_CLASS
from basicaer.compile.lower import lower
from basicaer.compile.values import NoNumberError, Values, sum_of_multiples, value_at
from basicaer.engine.batch import SegmentBatch
from basicaer.engine.program import Segment
from basicaer.errors import BasicAerError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from qiskit import QuantumCircuit

    from basicaer.engine.program import Program

__all__ = ["Family", "lower_family"]

_PROBES = (0.6180339887, 0.4142135624)  # values at which no two gates of the table look alike by accident


@dataclass(frozen=True, slots=True)
class Family:
    """Programs for several sets of parameters.

    Attributes
    ----------
    template
        The program of one set; the others differ from it in numbers only. None where they could not be told to, and
        each was lowered by itself.
    segments
        For each segment of the template's body its place there and what it is in all sets.
    programs
        The programs by themselves, where there is no template.
    size
        How many sets there are.
    """

    template: Program | None
    segments: dict[int, SegmentBatch]
    programs: tuple[Program, ...]
    size: int

    @property
    def first(self) -> Program:
        """One of the programs: all have its qubits, its bits and its measurements."""
        return self.programs[0] if self.template is None else self.template

    def segments_at(self, place: int) -> SegmentBatch:
        """Return what the segment at a place of the template's body is in all sets."""
        if place in self.segments:
            return self.segments[place]
        segment = self.first.body[place]
        assert isinstance(segment, Segment)  # the caller has looked  # noqa: S101
        return SegmentBatch(segment, {}, self.size)

    def program(self, number: int) -> Program:
        """Return the program of one set."""
        if self.template is None:
            return self.programs[number]
        body = list(self.template.body)
        for place, segments in self.segments.items():
            body[place] = segments[number]
        return replace(self.template, body=tuple(body))


def lower_family(
    circuit: QuantumCircuit,
    values: NDArray[np.float64],
    *,
    keep_idle: bool = False,
    poll: Callable[[], None] = lambda: None,
) -> Family:
    """Lower a circuit for many sets of values.

    Where parameters stand in gates of the table only, and outside of control flow, the circuit is lowered once: which
    numbers belong to which parameters is found out by lowering it with two different sets. Else it is lowered for each
    set.

    Parameters
    ----------
    values
        ``values[i, j]`` is the value of ``circuit.parameters[j]`` in set i.
    keep_idle
        Whether to simulate idle qubits too.
    poll
        Called now and then.

    Raises
    ------
    BasicAerError
        From lowering, and for values that are not finite.
    """
    size = len(values)
    if not np.isfinite(values).all():
        raise BasicAerError(f"Circuit '{circuit.name}' is given parameter values that are not finite numbers.")
    parameters = list(circuit.parameters)

    def lowered(row: Sequence[float]) -> Program:
        known = Values(dict(zip(parameters, row, strict=True)), poll)
        return lower(circuit, keep_idle=keep_idle, values=known)

    if not parameters:
        return Family(lowered(()), {}, (), size)
    places = _parametric(circuit)
    if places is not None and size > 1:
        try:
            probes = [lowered([probe] * len(parameters)) for probe in _PROBES]
        except NoNumberError:  # at the probes, which nobody has asked for: each set is lowered by itself
            probes = []
        segments = _segments(probes, places, parameters, values, f"circuit '{circuit.name}'") if probes else None
        if segments is not None:
            return Family(probes[0], segments, (), size)
    if not size:
        return Family(lowered([_PROBES[0]] * len(parameters)), {}, (), size)
    return Family(None, {}, tuple(map(lowered, values.tolist())), size)


def _parametric(circuit: QuantumCircuit) -> list[tuple[Any, list[Any]]] | None:
    """Return the table's record and the parameters of each gate that has any of the circuit's, in order.

    None if any stand elsewhere: in a definition, in control flow, in the global phase.
    """
    if isinstance(circuit.global_phase, ParameterExpression) and circuit.global_phase.parameters:
        return None
    found = []
    for item in circuit.data:
        if not item.is_standard_gate() and not _has_parameters(item.operation):
            continue
        if any(isinstance(param, ParameterExpression) for param in item.params):
            operation = item.operation
            record = BY_CLASS.get(getattr(operation, "base_class", type(operation)))
            if record is None or not item.qubits:
                return None
            found.append((record, list(item.params)))
        elif not item.is_standard_gate():  # inside of it
            return None
    return found


def _has_parameters(operation: Any) -> bool:
    """Tell whether any stand in an operation or its bodies; what a definition has of them stands there, too."""
    params = getattr(operation, "params", ())
    inner = any(body.num_parameters for body in getattr(operation, "blocks", ()))
    return inner or any(isinstance(param, ParameterExpression) and param.parameters for param in params)


def _segments(
    probes: Sequence[Program],
    places: Sequence[tuple[Any, list[Any]]],
    parameters: Sequence[Parameter],
    values: NDArray[np.float64],
    place_of_circuit: str,
) -> dict[int, SegmentBatch] | None:
    """Return what the segments are in all sets; None if the gates that differ are not those that have parameters."""
    first, second = (program.body for program in probes)
    if [type(operation) for operation in first] != [type(operation) for operation in second]:
        return None
    waiting = iter(places)
    known = Values(dict.fromkeys(parameters, _PROBES[0]))
    segments: dict[int, SegmentBatch] = {}
    for place, (one, other) in enumerate(zip(first, second, strict=True)):
        if not isinstance(one, Segment) or not isinstance(other, Segment):
            continue
        if len(one.gates) != len(other.gates):
            return None
        data: dict[int, NDArray[np.complex128]] = {}
        for number, (gate, moved) in enumerate(zip(one.gates, other.gates, strict=True)):
            if np.array_equal(gate.data, moved.data):
                continue
            record, params = next(waiting, (None, []))
            if record is None or record.name != gate.name:
                return None
            data[number] = record.data_for_each(
                *(_column(param, parameters, values, place_of_circuit) for param in params)
            )
            at_probe = record.data([known.number(param, place_of_circuit) for param in params])
            if not np.array_equal(at_probe, gate.data):
                return None
        if data:
            segments[place] = SegmentBatch(one, data, len(values))
    return None if next(waiting, None) is not None else segments


def _column(
    param: Any, parameters: Sequence[Parameter], values: NDArray[np.float64], place: str
) -> NDArray[np.float64]:
    """Return the value of a gate's parameter in every set."""
    if not isinstance(param, ParameterExpression):
        return np.full(len(values), float(param))
    own = [j for j, parameter in enumerate(parameters) if parameter in param.parameters]
    columns, names = values[:, own], [parameters[j] for j in own]
    if isinstance(param, Parameter):
        return columns[:, 0]
    multiples = sum_of_multiples(param, dict(zip(names, columns[-1].tolist(), strict=True)), place)
    if multiples is None:
        return np.array([value_at(param, dict(zip(names, row, strict=True)), place) for row in columns.tolist()])
    constant, factors = multiples
    affine: NDArray[np.float64] = constant + columns @ np.array(factors)
    return affine
