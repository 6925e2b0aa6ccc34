"""Programs of circuits that were lowered lately, found again by what the circuits say.

A circuit with the same instructions and other angles is not lowered again either: its program is the other one's, with
other numbers in the gates that have angles.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from qiskit.circuit import Barrier, Measure
from qiskit.circuit.library import UnitaryGate

from basicaer.compile.gates import BY_NAME, GateRecord
from basicaer.compile.lower import lower
from basicaer.engine.kept import Kept
from basicaer.engine.program import Gate, Segment

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping, Sequence

    from qiskit import QuantumCircuit

    from basicaer.compile.values import Values
    from basicaer.engine.classical import Value
    from basicaer.engine.program import Program

__all__ = ["lower_known"]

_MOST_INSTRUCTIONS = 50_000  # of all programs that are kept, together: some tens of megabytes
_FEW_INSTRUCTIONS = 16  # whose other angles are put in sooner than they are found again
_WIDEST_UNITARY = 2  # qubits: the matrices of wider ones would take more memory than all else that is kept
_PLAIN = {"measure": Measure, "barrier": Barrier}
_LARGEST_INT = 2**53  # of those that a float has all of


class _Recipe(NamedTuple):
    """How a program is made of another one of the same structure, whose gates have other `numbers`.

    ``angles`` has, for each segment with gates that take angles, its place in the body, and these gates' numbers in it
    with their records of the table. It is None where gates and instructions are not one to one.
    """

    program: Program
    numbers: tuple[tuple[Any, ...], ...]
    angles: tuple[tuple[int, tuple[tuple[int, GateRecord], ...]], ...] | None

    def with_angles(self, name: str, angles: Iterable[Sequence[float]]) -> Program:
        """Return the program of a circuit with other angles, given gate by gate."""
        body = list(self.program.body)
        waiting = iter(angles)
        for place, numbers in self.angles or ():
            gates = list(body[place].gates)  # type: ignore[union-attr]  # a segment
            for number, record in numbers:
                gate = gates[number]
                data = record.data(next(waiting))
                gates[number] = Gate(
                    gate.name, gate.kinds, gate.targets, gate.form, data, gate.controls, gate.control_state
                )
            body[place] = Segment(tuple(gates))
        return replace(self.program, name=name, body=tuple(body))


_programs: Kept[Program] = Kept(_MOST_INSTRUCTIONS, _MOST_INSTRUCTIONS)
_recipes: Kept[_Recipe] = Kept(_MOST_INSTRUCTIONS, _MOST_INSTRUCTIONS)


def lower_known(
    circuit: QuantumCircuit,
    *,
    keep_idle: bool = False,
    values: Values | None = None,
    inputs: Mapping[Any, Value] | None = None,
) -> Program:
    """Do what `lower` does, in less time where a circuit of the same instructions was lowered lately.

    Circuits of standard gates, narrow unitaries, measurements and barriers are remembered; to read one takes a tenth
    of lowering it.
    """
    if inputs or circuit.num_parameters or circuit.num_vars or len(circuit.data) > _MOST_INSTRUCTIONS:
        return lower(circuit, keep_idle=keep_idle, values=values, inputs=inputs)
    items = list(circuit.data)  # once: each look at `data` makes its instructions anew
    lowered = partial(lower, circuit, items, keep_idle=keep_idle, values=values)
    try:
        key = _key(circuit, items, keep_idle=keep_idle)
        hash(key)
    except Exception:  # noqa: BLE001  # a parameter that cannot be hashed, say: `lower` tells what is wrong with it
        key = None
    if key is None:
        return lowered()
    structure, numbers = key
    if all(_is_plain(one) for of_gate in numbers for one in of_gate):
        recipe = _recipes.known_or_made(structure, len(items), lambda: _recipe(lowered(), numbers, items))
        if recipe.numbers == numbers:  # it was made just now, or is of this very circuit
            return _named(recipe.program, circuit)
        if recipe.angles is not None:
            lowered = partial(recipe.with_angles, circuit.name, [[float(one) for one in own] for own in numbers])
            if len(items) <= _FEW_INSTRUCTIONS:
                return lowered()
    return _named(_programs.known_or_made(key, len(items), lowered), circuit)


def _named(program: Program, circuit: QuantumCircuit) -> Program:
    return program if program.name == circuit.name else replace(program, name=circuit.name)


def _is_plain(number: Any) -> bool:
    return type(number) is float or (type(number) is int and abs(number) < _LARGEST_INT)


def _key(
    circuit: QuantumCircuit, instructions: Iterable[Any], *, keep_idle: bool
) -> tuple[Hashable, tuple[tuple[Any, ...], ...]] | None:
    """Return all that a circuit's program depends on but its name: its structure, and the numbers of each gate.

    None if its instructions alone do not say that.
    """
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
            elif not isinstance(operation, _PLAIN.get(item.name, ())):
                return None
            structure.append(tuple([clbits[bit] for bit in item.clbits]))
        structure.append((item.name, *[qubits[qubit] for qubit in item.qubits]))
        if params:
            numbers.append(tuple(params))
    return (keep_idle, circuit.global_phase, len(qubits), len(clbits), tuple(structure)), tuple(numbers)


def _recipe(program: Program, numbers: tuple[tuple[Any, ...], ...], instructions: Iterable[Any]) -> _Recipe:
    """Return how to make a program with other angles."""
    waiting = [item.name for item in instructions if item.params and item.is_standard_gate()]
    waiting.reverse()
    angles = []
    for place, operation in enumerate(program.body):
        found = []
        for number, gate in enumerate(operation.gates if isinstance(operation, Segment) else ()):
            record = BY_NAME.get(gate.name)
            if record is not None and record.parameters:
                if not waiting or waiting.pop() != gate.name:
                    return _Recipe(program, numbers, None)
                found.append((number, record))
        if found:
            angles.append((place, tuple(found)))
    return _Recipe(program, numbers, None if waiting else tuple(angles))
