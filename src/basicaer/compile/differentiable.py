"""Circuits compiled to be differentiated: how their parameters become angles of gates, and the gates' generators."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from basicaer.compile.columns import columns_of, slopes_of
from basicaer.compile.occurrences import occurrences_of
from basicaer.compile.sweep import compile_circuit
from basicaer.engine.error_patterns import why_no_patterns
from basicaer.engine.program import Channel, Prepare, SetState
from basicaer.engine.sweeps import is_undone
from basicaer.errors import BasicAerError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from numpy.typing import NDArray
    from qiskit import QuantumCircuit
    from qiskit.circuit import Parameter

    from basicaer.compile.columns import Columns, Slopes
    from basicaer.compile.compiled import CompiledProgram
    from basicaer.compile.noise import CircuitNoise
    from basicaer.compile.occurrences import Occurrences
    from basicaer.engine.device import Generators, SegmentBatch
    from basicaer.engine.program import Program

__all__ = ["Angle", "Chain", "Differentiable", "differentiable"]

_NOT_GATES = "it measures, resets, or has control flow before its end"


class Angle(NamedTuple):
    """An angle of a gate by which is differentiated.

    Attributes
    ----------
    place, gate
        The place of the gate's segment in the body of the program, and that of the gate in the segment.
    number
        The number of the angle among those of the gate that are wanted.
    occurrence
        The occurrence of parameters that it is.
    """

    place: int
    gate: int
    number: int
    occurrence: int


class Chain(NamedTuple):
    """What makes derivatives by parameters out of those by occurrences.

    Attributes
    ----------
    size, wanted
        The numbers of occurrences, and of parameters.
    rows, columns, slopes
        The derivative of occurrence ``rows[k]`` by parameter ``columns[k]`` is ``slopes[s, k]`` in set s; others are 0.
    """

    size: int
    wanted: int
    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    slopes: NDArray[np.float64]

    def by_parameters(self, by_occurrences: NDArray[Any]) -> NDArray[Any]:
        """Return ``by[s, o, j]`` for parameter j from ``by_occurrences[s, o, c]``."""
        each = by_occurrences[:, :, self.rows] * self.slopes[:, None]
        by = np.zeros((self.wanted, *by_occurrences.shape[:2]), by_occurrences.dtype)
        np.add.at(by, self.columns, each.transpose(2, 0, 1))
        return by.transpose(1, 2, 0)


class Differentiable(NamedTuple):
    """A circuit compiled to be differentiated by some of its parameters.

    Attributes
    ----------
    name
        The circuit's name.
    parameters
        The circuit's parameters, in the order of their values.
    wanted
        The numbers of the parameters by which is differentiated.
    occurrences
        The circuit with one parameter for each occurrence.
    columns
        The angles, ``columns[s, c]`` for occurrence c, as functions of the parameters.
    slopes
        Their derivatives by the parameters that are wanted.
    compiled
        The program that has the occurrences as parameters, and the columns of its gates; None if it cannot be made.
    why_not_undone
        Why adjoint differentiation is impossible, as the end of a sentence; empty if it is possible, or if it is so on
        each pattern of errors.
    """

    name: str
    parameters: tuple[Parameter, ...]
    wanted: tuple[int, ...]
    occurrences: Occurrences
    columns: Columns
    slopes: Slopes
    compiled: tuple[CompiledProgram, Columns] | None
    why_not_undone: str

    @property
    def program(self) -> Program:
        """The program of one set of values; there must be a compiled one."""
        assert self.compiled is not None  # callers look at `why_not_undone` first  # noqa: S101
        return self.compiled[0].template

    def angles(self, values: NDArray[np.float64], poll: Callable[[], None]) -> NDArray[np.float64]:
        """Return ``angles[s, c]``, the values of all occurrences, and of global phases after them, in each set.

        Raises
        ------
        NoNumberError
            If an expression is not a finite real number.
        """
        return self.columns.at(values, f"circuit '{self.name}'", poll)

    def numbers(
        self, angles: NDArray[np.float64], poll: Callable[[], None], *, only_real: bool
    ) -> tuple[dict[int, SegmentBatch], dict[int, Generators], list[Angle]]:
        """Return the segments and generators, by the places of the segments, and where the angles are.

        There are generators of the angles only that a wanted parameter changes. With `only_real`, only the real part of
        the sums is wanted; see `Generators`.
        """
        assert self.compiled is not None  # as for `program`  # noqa: S101
        program, columns = self.compiled
        parameters = columns.at(angles[:, : len(self.occurrences.parameters)], f"circuit '{self.name}'", poll)
        segments = program.segments(program.numbers(parameters))
        wanted = set(self.slopes.rows.tolist())
        generators: dict[int, Generators] = {}
        found: list[Angle] = []
        for place, groups in program.groups.items():
            of_place: dict[int, tuple[NDArray[Any], ...]] = {}
            generators[place] = of_place
            for record, gates, of_gates in groups:
                occurrences = [[columns.plain.get(column, -1) for column in row] for row in of_gates.tolist()]
                rows = [row for row, own in enumerate(occurrences) if not wanted.isdisjoint(own)]
                if not rows:
                    continue
                poll()
                made: list[NDArray[Any]] = record.generators_for_each(*(parameters[:, own] for own in of_gates[rows].T))
                if only_real:
                    made = [one if one.imag.any() else one.real for one in made]
                for number, row in enumerate(rows):
                    which = [angle for angle, one in enumerate(occurrences[row]) if one in wanted]
                    of_place[gates[row]] = tuple([made[angle][:, number] for angle in which])
                    found += [Angle(place, gates[row], at, occurrences[row][angle]) for at, angle in enumerate(which)]
        return segments, generators, found

    def chain(self, values: NDArray[np.float64], poll: Callable[[], None]) -> Chain:
        """Return the derivatives of occurrences by wanted parameters, at sets of values."""
        number_of = {number: at for at, number in enumerate(self.wanted)}
        columns = np.array([number_of[number] for number in self.slopes.columns.tolist()], np.intp)
        slopes = self.slopes.at(values, f"circuit '{self.name}'", poll)
        return Chain(len(self.occurrences.expressions), len(self.wanted), self.slopes.rows, columns, slopes)


def differentiable(
    circuit: QuantumCircuit,
    parameters: Sequence[Parameter],
    wanted: Collection[int],
    poll: Callable[[], None],
    noise: CircuitNoise | None = None,
) -> Differentiable:
    """Compile a circuit to be differentiated.

    Parameters
    ----------
    parameters
        The circuit's parameters, in the order of their values.
    wanted
        The numbers of those by which is differentiated, in the order of the results.
    poll
        Called now and then.
    noise
        The errors of its instructions.

    Raises
    ------
    BasicAerError
        If an expression has no derivative, or what `occurrences_of` raises; and if the noise has errors of a gate that
        is replaced by what it is made of.
    """
    occurrences = occurrences_of(circuit, poll)
    if noise is not None and (noisy := sorted(occurrences.written_out.intersection(noise.names))):
        raise BasicAerError(
            f"The noise model has errors of '{noisy[0]}', which is replaced by its definition to be differentiated; "
            "give the errors to the gates that it is made of."
        )
    place = f"circuit '{circuit.name}'"
    columns = columns_of(occurrences.expressions, parameters, place, poll)
    slopes = slopes_of(columns, parameters, set(wanted), place)
    compiled = compile_circuit(occurrences.circuit, occurrences.parameters, poll, noise)
    why = _why_not_undone(occurrences.circuit, compiled)
    return Differentiable(circuit.name, tuple(parameters), tuple(wanted), occurrences, columns, slopes, compiled, why)


def _why_not_undone(circuit: QuantumCircuit, compiled: tuple[CompiledProgram, Columns] | None) -> str:
    if compiled is None and not any(item.is_control_flow() for item in circuit.data):
        return "its gates cannot be told apart before their angles are known"
    if compiled is None:
        return _NOT_GATES
    program, _ = compiled
    if any(isinstance(operation, Channel) for operation in program.template.body):
        return why_no_patterns(program.template)
    first = min(program.groups, default=len(program.template.body))
    for place, operation in enumerate(program.template.body):
        if is_undone(operation) or (isinstance(operation, Prepare | SetState) and place < first):
            continue
        return "it sets qubits after gates with parameters" if isinstance(operation, Prepare | SetState) else _NOT_GATES
    return ""
