"""Lowers a circuit with many sets of values for its parameters: to programs of one structure, which is lowered once."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from qiskit.circuit import Parameter, ParameterExpression

from basicaer.compile.gates import BY_CLASS
from basicaer.compile.lower import lower
from basicaer.compile.values import NoNumberError, Values, scattered, sum_of_multiples, value_at
from basicaer.engine.device import SegmentBatch
from basicaer.engine.program import Segment
from basicaer.errors import BasicAerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray
    from qiskit import QuantumCircuit

    from basicaer.engine.program import Program

__all__ = ["ProgramSweep", "lower_sweep"]

_FEW_SETS = 4  # an expression is evaluated set by set for so few sets, and for no more sets than it has parameters


@dataclass(frozen=True, slots=True)
class ProgramSweep:
    """The programs of one circuit for several sets of parameter values.

    Attributes
    ----------
    template
        The program of one set, from which those of the others differ in numbers only. None if each set was lowered by
        itself, since this could not be made sure of.
    segments
        ``segments[place]`` is the segment at a place of the template's body in all sets, where the sets differ.
    programs
        The program of each set, if there is no template.
    size
        How many sets there are.
    """

    template: Program | None
    segments: dict[int, SegmentBatch]
    programs: tuple[Program, ...]
    size: int

    @property
    def first(self) -> Program:
        """One of the programs. All have the same qubits, bits and measurements."""
        return self.programs[0] if self.template is None else self.template

    def segments_at(self, place: int) -> SegmentBatch:
        """Return the segment at a place of the template's body in all sets."""
        if place in self.segments:
            return self.segments[place]
        segment = self.first.body[place]
        assert isinstance(segment, Segment)  # the caller asks for places of segments only  # noqa: S101
        return SegmentBatch(segment, {}, self.size)

    def program(self, number: int) -> Program:
        """Return the program of one set."""
        if self.template is None:
            return self.programs[number]
        body = list(self.template.body)
        for place, segments in self.segments.items():
            body[place] = segments[number]
        return replace(self.template, body=tuple(body))


def lower_sweep(
    circuit: QuantumCircuit,
    values: NDArray[np.float64],
    *,
    keep_idle: bool = False,
    poll: Callable[[], None] = lambda: None,
) -> ProgramSweep:
    """Lower a circuit for many sets of values.

    If parameters occur in gates of the table only, and outside of control flow, the circuit is lowered once: to find
    out which numbers depend on which parameters, it is lowered with two different sets. Otherwise it is lowered for
    each set.

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
        If the circuit cannot be lowered, or values are not finite.
    """
    size = len(values)
    if not np.isfinite(values).all():
        raise BasicAerError(f"Circuit '{circuit.name}' is given parameter values that are not finite numbers.")
    parameters = list(circuit.parameters)

    def lowered(row: Sequence[float]) -> Program:
        of_row = Values(dict(zip(parameters, row, strict=True)), poll)
        return lower(circuit, keep_idle=keep_idle, values=of_row)

    if not parameters:
        return ProgramSweep(lowered(()), {}, (), size)
    places = _parametric(circuit)
    if places is not None and size > 1:
        # For these values, no two gates of the table, and no two expressions, are equal by accident.
        rows = [scattered(len(parameters)), scattered(len(parameters), len(parameters) + 1)]
        try:
            probes = [lowered(row) for row in rows]
        except BasicAerError:
            pass  # nobody has asked for these values, so that each set is lowered by itself
        else:
            columns = _Columns(parameters, values, f"circuit '{circuit.name}'", poll)
            segments = _segments(probes, places, columns, Values(dict(zip(parameters, rows[0], strict=True))))
            if segments is not None:
                return ProgramSweep(probes[0], segments, (), size)
    if not size:
        return ProgramSweep(lowered(scattered(len(parameters))), {}, (), size)
    programs = []
    for number, row in enumerate(values.tolist()):
        with _in_set(number):
            programs.append(lowered(row))
    return ProgramSweep(None, {}, tuple(programs), size)


@contextlib.contextmanager
def _in_set(number: int) -> Iterator[None]:
    """Name the set in the error that an expression is not a number."""
    try:
        yield
    except NoNumberError as error:
        raise NoNumberError(f"Set {number} of the parameters: {error.message}") from error


def _parametric(circuit: QuantumCircuit) -> list[tuple[Any, list[Any]]] | None:
    """Return the table's record and the parameters of each gate in which parameters of the circuit occur, in order.

    None if they occur elsewhere too: in a definition, in control flow, or in the global phase.
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
        elif not item.is_standard_gate():  # parameters occur inside of it
            return None
    return found


def _has_parameters(operation: Any) -> bool:
    """Tell whether parameters occur in an operation or its bodies; those of a definition are its operation's too."""
    params = getattr(operation, "params", ())
    inner = any(body.num_parameters for body in getattr(operation, "blocks", ()))
    return inner or any(isinstance(param, ParameterExpression) and param.parameters for param in params)


def _segments(
    probes: Sequence[Program],
    places: Sequence[tuple[Any, list[Any]]],
    columns: _Columns,
    at_probe: Values,
) -> dict[int, SegmentBatch] | None:
    """Return the segments in all sets; None if the gates that differ are not those in which parameters occur."""
    first, second = (program.body for program in probes)
    if [type(operation) for operation in first] != [type(operation) for operation in second]:
        return None
    waiting = iter(places)
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
            data[number] = record.data_for_each(*map(columns.of, params))
            if not np.array_equal(record.data([at_probe.number(param, columns.place) for param in params]), gate.data):
                return None
        if data:
            segments[place] = SegmentBatch(one, data, len(columns.values))
    return None if next(waiting, None) is not None else segments


class _Columns:
    """Evaluates the parameters of gates in all sets."""

    def __init__(
        self, parameters: Sequence[Parameter], values: NDArray[np.float64], place: str, poll: Callable[[], None]
    ) -> None:
        self.values = values
        self.place = place
        self._parameters = parameters
        self._poll = poll

    def of(self, param: Any) -> NDArray[np.float64]:
        """Return the value of a gate's parameter in every set."""
        if not isinstance(param, ParameterExpression):
            return np.full(len(self.values), float(param))
        own = [j for j, parameter in enumerate(self._parameters) if parameter in param.parameters]
        columns, names = self.values[:, own], [self._parameters[j] for j in own]
        if isinstance(param, Parameter):
            return columns[:, 0]
        rows = columns.tolist()
        if len(rows) > max(_FEW_SETS, len(own)):
            some = [rows[0], rows[len(rows) // 2], rows[-1]]
            multiples = sum_of_multiples(param, names, some, self.place, self._poll)
            if multiples is not None:
                affine: NDArray[np.float64] = multiples[0] + columns @ np.array(multiples[1])
                return affine
        found = np.empty(len(rows))
        for number, row in enumerate(rows):
            self._poll()
            with _in_set(number):
                found[number] = value_at(param, dict(zip(names, row, strict=True)), self.place)
        return found
