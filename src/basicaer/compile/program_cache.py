"""Keeps the programs of circuits that were lowered lately, under keys that describe the circuits.

A circuit with the same instructions but other angles is not lowered again either: its program is that of the other
circuit, with other numbers in the gates that have angles. All such programs know the one that they are made from, so
that devices need not make anew what depends on the structure.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from qiskit.circuit import Barrier, Measure
from qiskit.circuit.library import UnitaryGate

from basicaer.compile.compiled import CompiledProgram, Flow, compiled, which_are_real
from basicaer.compile.gates import BY_NAME
from basicaer.compile.lower import lower
from basicaer.engine.lru_cache import LruCache
from basicaer.engine.program import Segment

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping, Sequence

    from qiskit import QuantumCircuit

    from basicaer.compile.noise import CircuitNoise
    from basicaer.compile.values import Values
    from basicaer.engine.classical import Value
    from basicaer.engine.program import Gate, Program

__all__ = ["MOST_INSTRUCTIONS", "key_of", "lower_cached"]

MOST_INSTRUCTIONS = 50_000
"""Limit for all programs in a cache together; they take some tens of megabytes."""

_FEW_INSTRUCTIONS = 16  # in programs up to this length, angles are replaced faster than the program is found
_MOST_COMPILED = 2_000  # instructions; to compile a longer program takes a third of the time of its first run
_WIDEST_UNITARY = 2  # qubits; the matrices of wider ones would take more memory than everything else that is kept
_CACHED = {"measure": Measure, "barrier": Barrier}
_LARGEST_INT = 2**53  # a float holds every smaller whole number exactly


class _Recipe(NamedTuple):
    """How to make a program from another one of the same structure.

    Attributes
    ----------
    program, numbers
        The other program, and the parameters of its gates.
    flows
        How angles flow into gates of the program, in the circuit's order. None if the gates with angles are not those
        of the circuit, one for one.
    compiled
        The program with these flows; None where that is not worthwhile.
    """

    program: Program
    numbers: tuple[tuple[Any, ...], ...]
    flows: tuple[Flow, ...] | None
    compiled: CompiledProgram | None

    def with_angles(self, name: str, angles: Iterable[Sequence[float]]) -> Program:
        """Return the program of a circuit with other angles, which are given gate by gate."""
        body = list(self.program.body)
        changed: dict[int, list[Gate]] = {}
        for (place, number, record, _), own in zip(self.flows or (), angles, strict=True):
            gates = changed.setdefault(place, list(body[place].gates))  # type: ignore[union-attr]  # a segment
            gates[number] = gates[number].with_data(record.data(own))
        for place, gates in changed.items():
            body[place] = Segment(tuple(gates))
        return replace(self.program, name=name, body=tuple(body))


_programs: LruCache[Program] = LruCache(MOST_INSTRUCTIONS, MOST_INSTRUCTIONS)
_recipes: LruCache[_Recipe] = LruCache(MOST_INSTRUCTIONS, MOST_INSTRUCTIONS)
_noisy: LruCache[tuple[Program, CircuitNoise]] = LruCache(MOST_INSTRUCTIONS, MOST_INSTRUCTIONS)
_compiled: LruCache[CompiledProgram] = LruCache(MOST_INSTRUCTIONS, MOST_INSTRUCTIONS)


def lower_cached(
    circuit: QuantumCircuit,
    *,
    keep_idle: bool = False,
    values: Values | None = None,
    inputs: Mapping[Any, Value] | None = None,
    noise: CircuitNoise | None = None,
) -> Program:
    """Do what `lower` does, but faster if a circuit with the same instructions was lowered lately.

    Circuits of standard gates, narrow unitaries, measurements and barriers are kept; to make the key of one takes a
    tenth of the time to lower it.
    """
    if inputs or circuit.num_parameters or circuit.num_vars or len(circuit.data) > MOST_INSTRUCTIONS:
        return lower(circuit, keep_idle=keep_idle, values=values, inputs=inputs, noise=noise)
    items = list(circuit.data)  # read only once, since each access to `data` makes all instructions anew
    lowered = partial(lower, circuit, items, keep_idle=keep_idle, values=values, noise=noise)
    key = key_of(circuit, items, keep_idle=keep_idle)
    if key is None:
        return lowered()
    if noise is not None:
        own = (id(noise), tuple([item.label for item in items]), key)
        return _named(_noisy.get_or_make(own, len(items), lambda: (lowered(), noise))[0], circuit)
    structure, numbers = key
    if all(_is_plain(number) for numbers_of_gate in numbers for number in numbers_of_gate):
        recipe = _recipes.get_or_make(structure, len(items), lambda: _recipe(lowered(), numbers, items))
        if recipe.compiled is not None:
            lowered = partial(_with_numbers, structure, recipe.compiled, numbers)
        elif recipe.numbers == numbers:  # it was made just now, or for a circuit with the same angles
            return _named(recipe.program, circuit)
        elif recipe.flows:
            angles = [[float(number) for number in own] for own in numbers]
            lowered = partial(recipe.with_angles, circuit.name, angles)
            if len(items) <= _FEW_INSTRUCTIONS:
                return lowered()
    return _named(_programs.get_or_make(key, len(items), lowered), circuit)


def _with_numbers(structure: Hashable, program: CompiledProgram, numbers: tuple[tuple[Any, ...], ...]) -> Program:
    """Return the program of a circuit with other angles, which shares a template with those of its structure.

    Gates are real in it where they are in the template, since products of real matrices are made in another way.
    """
    made = program.numbers(np.array([[float(number) for own in numbers for number in own]]))
    key = structure, which_are_real(made)
    return _compiled.get_or_make(key, len(numbers), lambda: program.with_template(made)).program(made)


def _named(program: Program, circuit: QuantumCircuit) -> Program:
    return program if program.name == circuit.name else replace(program, name=circuit.name)


def _is_plain(number: Any) -> bool:
    return type(number) is float or (type(number) is int and abs(number) < _LARGEST_INT)


def key_of(
    circuit: QuantumCircuit, instructions: Iterable[Any], *, keep_idle: bool
) -> tuple[Hashable, tuple[tuple[Any, ...], ...]] | None:
    """Return everything on which a circuit's program depends but its name: a structure, and the numbers of each gate.

    None if the circuit has an instruction that is not kept.
    """
    try:
        key = _key(circuit, instructions, keep_idle=keep_idle)
        hash(key)
    except Exception:  # noqa: BLE001  # for example a parameter that cannot be hashed; `lower` says what is wrong
        return None
    return key


def _key(
    circuit: QuantumCircuit, instructions: Iterable[Any], *, keep_idle: bool
) -> tuple[Hashable, tuple[tuple[Any, ...], ...]] | None:
    qubits = {qubit: number for number, qubit in enumerate(circuit.qubits)}
    clbits = {clbit: number for number, clbit in enumerate(circuit.clbits)}
    structure: list[Hashable] = []
    numbers: list[tuple[Any, ...]] = []
    for item in instructions:
        params = item.params
        if not item.is_standard_gate():
            operation = item.operation
            if type(operation) is UnitaryGate and len(item.qubits) <= _WIDEST_UNITARY:
                params = (operation.params[0].tobytes(),)
            elif not isinstance(operation, _CACHED.get(item.name, ())):
                return None
            structure.append(tuple([clbits[bit] for bit in item.clbits]))
        structure.append((item.name, *[qubits[qubit] for qubit in item.qubits]))
        if params:
            numbers.append(tuple(params))
    return (keep_idle, circuit.global_phase, len(qubits), len(clbits), tuple(structure)), tuple(numbers)


def _recipe(program: Program, numbers: tuple[tuple[Any, ...], ...], instructions: Sequence[Any]) -> _Recipe:
    """Return how to make programs with other angles from this one."""
    waiting = [item.name for item in instructions if item.params and item.is_standard_gate()]
    waiting.reverse()
    flows: list[Flow] = []
    column = 0
    for place, operation in enumerate(program.body):
        for number, gate in enumerate(operation.gates if isinstance(operation, Segment) else ()):
            record = BY_NAME.get(gate.name)
            if record is not None and record.parameters:
                if not waiting or waiting.pop() != gate.name:
                    return _Recipe(program, numbers, None, None)
                flows.append(Flow(place, number, record, tuple(range(column, column + record.parameters))))
                column += record.parameters
    if waiting:
        return _Recipe(program, numbers, None, None)
    is_worthwhile = flows and _FEW_INSTRUCTIONS < len(instructions) <= _MOST_COMPILED
    return _Recipe(program, numbers, tuple(flows), compiled(program, flows) if is_worthwhile else None)
