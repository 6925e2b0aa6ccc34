"""Programs of circuits that were lowered lately, found again by what the circuits say.

A circuit with the same instructions and other angles is not lowered again either: its program is the other one's, with
other numbers in the gates that have angles.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from qiskit.circuit import Barrier, Measure
from qiskit.circuit.library import UnitaryGate

from basicaer.compile.gates import BY_NAME, GateRecord
from basicaer.compile.lower import lower
from basicaer.engine.program import Gate, Segment

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping, Sequence

    from qiskit import QuantumCircuit

    from basicaer.compile.values import Values
    from basicaer.engine.classical import Value
    from basicaer.engine.program import Program

__all__ = ["lower_known"]

_INSTRUCTIONS_KEPT = 50_000  # of all programs that are kept, together: some tens of megabytes
_WIDEST_UNITARY = 2  # qubits: the matrices of wider ones would take more memory than all else that is kept
_PLAIN = {"measure": Measure, "barrier": Barrier}
_NUMBERS = {int, float}

_Kept = TypeVar("_Kept")


class _Known(Generic[_Kept]):
    """What was made lately, by a key; what was used last stands last."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, tuple[_Kept, int]] = OrderedDict()
        self._instructions = 0  # of all of it

    def get(self, key: Hashable) -> _Kept | None:
        with self._lock:
            known = self._kept.get(key)
            if known is None:
                return None
            self._kept.move_to_end(key)
            return known[0]

    def keep(self, key: Hashable, made: _Kept, instructions: int) -> None:
        with self._lock:
            _, before = self._kept.pop(key, (None, 0))
            self._kept[key] = made, instructions
            self._instructions += instructions - before
            while self._instructions > _INSTRUCTIONS_KEPT:
                _, (_, gone) = self._kept.popitem(last=False)
                self._instructions -= gone


class _Recipe(NamedTuple):
    """How a program is made of another one of the same structure.

    ``angles`` has, for each segment with gates that take angles, its place in the body, and these gates' numbers in it
    with their records of the table.
    """

    program: Program
    angles: tuple[tuple[int, tuple[tuple[int, GateRecord], ...]], ...]

    def with_angles(self, name: str, angles: Sequence[Sequence[float]]) -> Program:
        """Return the program of a circuit with other angles, given gate by gate."""
        body = list(self.program.body)
        waiting = iter(angles)
        for place, numbers in self.angles:
            gates = list(body[place].gates)  # type: ignore[union-attr]  # a segment
            for number, record in numbers:
                gate = gates[number]
                data = record.data(next(waiting))
                gates[number] = Gate(
                    gate.name, gate.kinds, gate.targets, gate.form, data, gate.controls, gate.control_state
                )
            body[place] = Segment(tuple(gates))
        return replace(self.program, name=name, body=tuple(body))


_programs: _Known[Program] = _Known()
_recipes: _Known[_Recipe] = _Known()


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
    if inputs or circuit.num_parameters or circuit.num_vars or len(circuit.data) > _INSTRUCTIONS_KEPT:
        return lower(circuit, keep_idle=keep_idle, values=values, inputs=inputs)
    items = list(circuit.data)  # once: each look at `data` makes its instructions anew
    key = _key(circuit, items, keep_idle=keep_idle)
    if key is None:
        return lower(circuit, items, keep_idle=keep_idle, values=values)
    structure, numbers = key
    try:
        known = _programs.get(key)
    except TypeError:  # a parameter that cannot be hashed: nothing to look up, and `lower` says what is wrong with it
        return lower(circuit, items, keep_idle=keep_idle, values=values)
    if known is not None:
        return known if known.name == circuit.name else replace(known, name=circuit.name)
    are_angles = all(type(one) in _NUMBERS for of_gate in numbers for one in of_gate)
    recipe = _recipes.get(structure) if are_angles else None
    if recipe is not None:
        made = recipe.with_angles(circuit.name, [[float(one) for one in of_gate] for of_gate in numbers])
    else:
        made = lower(circuit, items, keep_idle=keep_idle, values=values)
        if are_angles and (recipe := _recipe(made, items)) is not None:
            _recipes.keep(structure, recipe, len(items))
    _programs.keep(key, made, len(items))
    return made


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


def _recipe(program: Program, instructions: Iterable[Any]) -> _Recipe | None:
    """Return how to make a program with other angles; None where gates and instructions are not one to one."""
    waiting = [item.name for item in instructions if item.params and item.is_standard_gate()]
    waiting.reverse()
    angles = []
    for place, operation in enumerate(program.body):
        found = []
        for number, gate in enumerate(operation.gates if isinstance(operation, Segment) else ()):
            record = BY_NAME.get(gate.name)
            if record is not None and record.parameters:
                if not waiting or waiting.pop() != gate.name:
                    return None
                found.append((number, record))
        if found:
            angles.append((place, tuple(found)))
    return None if waiting else _Recipe(program, tuple(angles))
