"""Lowers a circuit with many sets of values for its parameters: to programs of one structure, which is lowered once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
from qiskit.circuit import ControlFlowOp, ForLoopOp, Parameter, ParameterExpression

from basicaer.compile.columns import Columns, columns_of, in_set
from basicaer.compile.compiled import Flow, compiled
from basicaer.compile.gates import BY_CLASS
from basicaer.compile.lower import lower
from basicaer.compile.program_cache import MOST_INSTRUCTIONS, key_of
from basicaer.compile.values import Values, scattered
from basicaer.engine.device import SegmentBatch
from basicaer.engine.lru_cache import LruCache
from basicaer.engine.program import Segment, leaves, walk, with_leaves
from basicaer.errors import BasicAerError, PubError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from numpy.typing import NDArray
    from qiskit import QuantumCircuit

    from basicaer.compile.compiled import CompiledProgram
    from basicaer.compile.gates import GateRecord
    from basicaer.compile.noise import CircuitNoise
    from basicaer.engine.program import Program

__all__ = ["ProgramSweep", "compile_circuit", "compile_sweep", "lower_sweep"]


class SweepAt(Protocol):
    """What `compile_sweep` returns."""

    def __call__(self, values: NDArray[np.float64], poll: Callable[[], None] = ..., /) -> ProgramSweep:
        """Return the programs of sets of values, calling `poll` now and then."""


def compile_circuit(
    circuit: QuantumCircuit,
    parameters: Sequence[Parameter],
    poll: Callable[[], None],
    noise: CircuitNoise | None = None,
) -> tuple[CompiledProgram, Columns] | None:
    """Return a circuit compiled for any values of its parameters; None if it cannot be, as for `compile_sweep`.

    The columns are those of the compiled program, and parameters are numbered in the order given, which must be the
    same for all circuits that have these parameters.
    """

    def lowered(row: Sequence[float]) -> Program:
        return lower(circuit, values=Values(dict(zip(parameters, row, strict=True)), poll), noise=noise)

    def compile_it() -> _CompiledSweep:
        return _compiled(circuit, parameters, lowered, f"circuit '{circuit.name}'", poll)

    key = _key(circuit, keep_idle=False) if noise is None else None
    made = compile_it() if key is None else _sweeps.get_or_make(key, len(circuit.data), compile_it)
    return None if made.program is None else (made.program, made.columns)


@dataclass(frozen=True, slots=True)
class ProgramSweep:
    """The programs of one circuit for several sets of parameter values.

    Attributes
    ----------
    template
        The program of one set, from which those of the others differ in numbers only. None if each set was lowered by
        itself, since this could not be made sure of.
    segments
        ``segments[place]`` is the segment at a place in all sets, where the sets differ. Places count the leaves of the
        template's body, which are its operations if there is no control flow.
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
    def structure(self) -> Program:
        """One of the programs. All have the same qubits, bits and measurements."""
        return self.programs[0] if self.template is None else self.template

    def segments_at(self, place: int) -> SegmentBatch:
        """Return the segment at a place in all sets."""
        if place in self.segments:
            return self.segments[place]
        segment = leaves(self.structure.body)[place]
        assert isinstance(segment, Segment)  # the caller asks for places of segments only  # noqa: S101
        return SegmentBatch(segment, (), self.size)

    def program(self, number: int) -> Program:
        """Return the program of one set."""
        if self.template is None:
            return self.programs[number]
        segments = {place: some[number] for place, some in self.segments.items()}
        return replace(self.template, body=with_leaves(self.template.body, segments))


def lower_sweep(
    circuit: QuantumCircuit,
    values: NDArray[np.float64],
    *,
    keep_idle: bool = False,
    noise: CircuitNoise | None = None,
    poll: Callable[[], None] = lambda: None,
) -> ProgramSweep:
    """Lower a circuit for many sets of values; see `compile_sweep`.

    Parameters
    ----------
    values
        ``values[i, j]`` is the value of ``circuit.parameters[j]`` in set i.
    """
    return compile_sweep(circuit, poll, keep_idle=keep_idle, noise=noise, sets=len(values))(values)


def compile_sweep(
    circuit: QuantumCircuit,
    poll: Callable[[], None],
    *,
    keep_idle: bool = False,
    noise: CircuitNoise | None = None,
    sets: int | None = None,
) -> SweepAt:
    """Return what lowers a circuit for sets of values, ``values[i, j]`` of ``circuit.parameters[j]`` in set i.

    If parameters occur in gates of the table only, and not in for loops with a parameter of their own, the circuit is
    compiled once: to find out which numbers depend on which parameters, it is lowered with two different sets.
    Otherwise, and if a pass of the noise model puts errors beside such gates, it is lowered for each set. Compiled
    circuits are kept, if they have standard gates, narrow unitaries, measurements and barriers only, and no errors.

    Parameters
    ----------
    poll
        Called now and then.
    keep_idle
        Whether to simulate idle qubits too.
    noise
        The errors of its instructions.
    sets
        How many sets there will be, if that is known: it is not worthwhile to compile a circuit for one, unless it is
        kept for others.

    Raises
    ------
    BasicAerError
        If the circuit cannot be lowered; later a `PubError` if values are not finite.
    """
    parameters, place = list(circuit.parameters), f"circuit '{circuit.name}'"

    def lowered(row: Sequence[float], poll: Callable[[], None] = poll) -> Program:
        of_row = Values(dict(zip(parameters, row, strict=True)), poll)
        return lower(circuit, keep_idle=keep_idle, values=of_row, noise=noise)

    def compile_it() -> _CompiledSweep:
        return _compiled(circuit, parameters, lowered, place, poll)

    compiled_sweep = _NOT_COMPILED
    if parameters and not (noise and noise.passes.waits_for(circuit)):
        key = _key(circuit, keep_idle=keep_idle) if noise is None else None
        if key is not None:
            compiled_sweep = _sweeps.get_or_make(key, len(circuit.data), compile_it)
        elif sets != 1:
            compiled_sweep = compile_it()

    def sweep_at(values: NDArray[np.float64], poll: Callable[[], None] = poll) -> ProgramSweep:
        if not np.isfinite(values).all():
            raise PubError(f"Circuit '{circuit.name}' is given parameter values that are not finite numbers.")
        size = len(values)
        if not parameters:
            return ProgramSweep(lowered((), poll), {}, (), size)
        if compiled_sweep.program is not None and size:
            columns = compiled_sweep.columns.at(values, place, poll)
            segments = compiled_sweep.program.segments(compiled_sweep.program.numbers(columns))
            return ProgramSweep(replace(compiled_sweep.program.template, name=circuit.name), segments, (), size)
        if not size:
            return ProgramSweep(lowered(scattered(len(parameters)), poll), {}, (), size)
        programs = []
        for number, row in enumerate(values.tolist()):
            with in_set(number):
                programs.append(lowered(row, poll))
        return ProgramSweep(None, {}, tuple(programs), size)

    return sweep_at


def _parametric(circuit: QuantumCircuit) -> list[tuple[Any, list[Any]]] | None:
    """Return the table's record and the parameters of each gate whose numbers depend on the circuit's, in order.

    None if these occur elsewhere too: in a definition, in a global phase, or in a for loop with a parameter of its own.
    """
    if isinstance(circuit.global_phase, ParameterExpression) and circuit.global_phase.parameters:
        return None
    found = []
    for item in circuit.data:
        if not item.is_standard_gate() and not _has_parameters(item.operation):
            continue
        if isinstance(item.operation, ControlFlowOp):
            if isinstance(item.operation, ForLoopOp) and item.operation.params[1] is not None:
                return None
            for body in item.operation.blocks:
                inner = _parametric(body)
                if inner is None:
                    return None
                found += inner
            continue
        if any(isinstance(param, ParameterExpression) for param in item.params):
            operation = item.operation
            record = BY_CLASS.get(getattr(operation, "base_class", type(operation)))
            if record is None or not item.qubits:
                return None
            if _depends(record, item.params):
                found.append((record, list(item.params)))
        elif not item.is_standard_gate():  # parameters occur inside it
            return None
    return found


def _depends(record: GateRecord, params: Sequence[Any]) -> bool:
    """Tell whether the numbers of a gate depend on its expressions: those of ``r(0, p)`` do not."""
    if all(isinstance(param, ParameterExpression) for param in params):
        return True
    one, other = (
        record.data([some if isinstance(param, ParameterExpression) else float(param) for param, some in own])
        for own in (zip(params, scattered(len(params), first), strict=True) for first in (1, len(params) + 1))
    )
    return not np.array_equal(one, other)


def _has_parameters(operation: Any) -> bool:
    """Tell whether parameters occur in an operation or its bodies; those of a definition are its operation's too."""
    params = getattr(operation, "params", ())
    inner = any(body.num_parameters for body in getattr(operation, "blocks", ()))
    return inner or any(isinstance(param, ParameterExpression) and param.parameters for param in params)


class _CompiledSweep(NamedTuple):
    """A circuit with parameters, compiled for any values of them.

    Attributes
    ----------
    program
        The compiled program; None if the circuit has to be lowered for each set of values.
    columns
        The parameters of its gates.
    """

    program: CompiledProgram | None
    columns: Columns


_NOT_COMPILED = _CompiledSweep(None, Columns({}, {}, {}))
_sweeps: LruCache[_CompiledSweep] = LruCache(MOST_INSTRUCTIONS, MOST_INSTRUCTIONS)


def _key(circuit: QuantumCircuit, *, keep_idle: bool) -> Hashable | None:
    """Return everything on which a compiled circuit depends; None if it is not kept."""
    if circuit.num_vars or len(circuit.data) > MOST_INSTRUCTIONS:
        return None
    key = key_of(circuit, list(circuit.data), keep_idle=keep_idle)
    if key is None or isinstance(circuit.global_phase, ParameterExpression):
        return None
    structure, params = key
    return structure, tuple([tuple(map(_comparable, of_gate)) for of_gate in params])


def _comparable(param: Any) -> Any:
    """Return what is equal for equal parameters of gates. Qiskit takes minutes to compare long expressions."""
    if isinstance(param, ParameterExpression) and not isinstance(param, Parameter):
        return str(param), hash(param), frozenset(param.parameters)
    return param


def _compiled(
    circuit: QuantumCircuit,
    parameters: Sequence[Parameter],
    lowered: Callable[[Sequence[float]], Program],
    place: str,
    poll: Callable[[], None],
) -> _CompiledSweep:
    """Compile a circuit: two probes tell which gates differ.

    These must be the gates in which parameters of the circuit occur, one for one.
    """
    # For these values, no two gates of the table, and no two expressions, are equal by accident.
    rows = [scattered(len(parameters)), scattered(len(parameters), len(parameters) + 1)]
    try:
        places = _parametric(circuit)
        if places is None:
            return _NOT_COMPILED
        first, second = map(lowered, rows)
    except BasicAerError:
        return _NOT_COMPILED  # no caller asked for these values, so each set is lowered by itself
    at_probe = Values(dict(zip(parameters, rows[0], strict=True)))
    if [type(operation) for operation in walk(first.body)] != [type(operation) for operation in walk(second.body)]:
        return _NOT_COMPILED
    waiting = iter(places)
    flows: list[Flow] = []
    columns: list[Any] = []
    for number, (one, other) in enumerate(zip(leaves(first.body), leaves(second.body), strict=True)):
        if not isinstance(one, Segment) or not isinstance(other, Segment):
            continue
        if len(one.gates) != len(other.gates):
            return _NOT_COMPILED
        for at, (gate, moved) in enumerate(zip(one.gates, other.gates, strict=True)):
            if np.array_equal(gate.data, moved.data):
                continue
            record, params = next(waiting, (None, []))
            if record is None or record.name != gate.name:
                return _NOT_COMPILED
            if not np.array_equal(record.data([at_probe.number(param, place) for param in params]), gate.data):
                return _NOT_COMPILED
            flows.append(Flow(number, at, record, tuple(range(len(columns), len(columns) + len(params)))))
            columns += params
    if next(waiting, None) is not None:
        return _NOT_COMPILED
    return _CompiledSweep(
        _with_generic_template(compiled(first, flows), columns), columns_of(columns, parameters, place, poll)
    )


def _with_generic_template(program: CompiledProgram, columns: Sequence[Any]) -> CompiledProgram:
    """Return a program whose template is real where all others are, whatever values their parameters have.

    Values that come of expressions may be 0 for the probes, and other than 0 elsewhere, as those of ``abs(p) - p`` are.
    """
    generic = [
        some if isinstance(param, ParameterExpression) else float(param)
        for param, some in zip(columns, scattered(len(columns)), strict=True)
    ]
    return program.with_template(program.numbers(np.array([generic])))
